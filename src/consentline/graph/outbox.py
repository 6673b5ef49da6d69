"""The outbox: events, written in the transaction of what they tell of and numbered without a gap.

The counter is on the Revision node, whose lock is the upper graph's guard and is held until the commit: whoever sees an
event sees all that were numbered before it.
"""

import json
import uuid
from collections.abc import Collection, Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.events import Event, EventKind, NewEvent
from consentline.domain.flags import FlagResolution, FlagStatus, RetrainingFlag
from consentline.domain.instants import Instant
from consentline.graph.session import Tx

APPEND: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
SET r.events = coalesce(r.events, 0) + size($rows)
WITH r.events - size($rows) AS before
UNWIND $rows AS row
CREATE (e:Event {
  id: row.id, position: before + row.number, kind: row.kind, at: $now, lane: row.lane, details: row.details,
  model: row.model, flag: row.flag, webhook: row.webhook
})
WITH e, row
CALL (e, row) {
  MATCH (o:Objection {key: row.objection})
  CREATE (e)-[:TELLS_OF]->(o)
}
CALL (e, row) {
  MATCH (o:Erasure {key: row.erasure})
  CREATE (e)-[:TELLS_OF]->(o)
}
"""


async def append(tx: Tx, events: Sequence[NewEvent], now: Instant) -> None:
    """Write events in this order, after all that were ever written; the guard is held, by this at the latest."""
    if events:
        await tx.rows(APPEND, rows=rows_of(events), now=now)


def new_id() -> str:
    """The id of an event that is to be written."""
    return f"evt_{uuid.uuid4().hex}"


def rows_of(events: Sequence[NewEvent]) -> list[dict[str, Any]]:
    """The events as they are written, numbered from 1 on."""
    return [
        {
            "id": new_id(),
            "number": number,
            "kind": event.kind.name,
            "lane": event.lane,
            "details": json.dumps(event.details),
            "model": event.model,
            "flag": event.flag,
            "objection": event.objection,
            "erasure": event.erasure,
            "webhook": event.webhook,
        }
        for number, event in enumerate(events, 1)
    ]


AFTER: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH coalesce(r.events, 0) AS head
CALL (head) {
  MATCH (e:Event)
  USING INDEX e:Event(position)
  WHERE e.position > $after AND e.position <= head
  WITH e ORDER BY e.position LIMIT $most
  RETURN collect([e.id, e.position, e.kind, e.at, e.lane, e.details, e.model, e.flag,
                  head([(e)-[:TELLS_OF]->(o:Objection) | o.key]),
                  head([(e)-[:TELLS_OF]->(o:Erasure) | o.key]), e.webhook]) AS rows
}
RETURN head, rows
"""


class Told(NamedTuple):
    """Some events in their order, and the position of the last one that there is."""

    events: list[Event]
    head: int


async def after(tx: Tx, position: int, most: int) -> Told:
    """The events that follow a position, the first of them."""
    row = await tx.get(AFTER, after=position, most=most)
    return Told([event_of(each) for each in row["rows"]], row["head"])


BEGINNING = "evt_0"
"""What stands for the id of an event before the first."""

LAST: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH coalesce(r.events, 0) AS head
OPTIONAL MATCH (e:Event {position: head})
RETURN head, e.id AS id
"""


async def last(tx: Tx) -> tuple[int, str | None]:
    """The position of the last event and its id, those of the beginning before the first; None when it is not kept."""
    row = await tx.get(LAST)
    return row["head"], BEGINNING if row["head"] == 0 else row["id"]


POSITION: LiteralString = """
MATCH (e:Event {id: $id})
RETURN e.position AS position
"""


async def find_position(tx: Tx, event: str) -> int | None:
    """Where an event stands; None when it is not kept (any more)."""
    row = await tx.find(POSITION, id=event)
    return None if row is None else row["position"]


def event_of(row: Sequence[Any]) -> Event:
    """The event of a row of its columns."""
    id_, position, kind, at, lane, details, *about = row
    return Event(id_, position, EventKind[kind], at, lane, json.loads(details), *about)


class SettledFlag(NamedTuple):
    """The last flag of a model version, and when a cause last joined it."""

    flag: RetrainingFlag
    joined_at: Instant | None


LAST_FLAGS: LiteralString = """
UNWIND $models AS model
CALL (model) {
  MATCH (f:RetrainingFlag)
  USING INDEX f:RetrainingFlag(model, raised_at, uid)
  WHERE f.model = model AND f.raised_at >= -9223372036854775808 AND f.uid >= ''
  RETURN f ORDER BY f.model DESC, f.raised_at DESC, f.uid DESC LIMIT 1
}
RETURN collect([f.uid, f.model, f.status, f.resolution, f.raised_at, f.due_at, f.justification, f.replacement,
                f.planned_for, f.resolved_at, f.joined_at]) AS rows
"""


async def last_flags(tx: Tx, models: Collection[str]) -> list[SettledFlag]:
    """The last flag of each model version that ever had one, by model version; the open one, when there is one."""
    rows = (await tx.get(LAST_FLAGS, models=sorted(models)))["rows"]
    return sorted((_settled(row) for row in rows), key=lambda each: each.flag.model_version)


def _settled(row: list[Any]) -> SettledFlag:
    uid, model, status, resolution, raised_at, due_at, justification, replacement, planned, resolved, joined = row
    flag = RetrainingFlag(
        uid=uid,
        model_version=model,
        status=FlagStatus(status),
        resolution=None if resolution is None else FlagResolution(resolution),
        raised_at=raised_at,
        due_at=due_at,
        justification=justification,
        replacement=replacement,
        planned_for=planned,
        resolved_at=resolved,
    )
    return SettledFlag(flag, joined)
