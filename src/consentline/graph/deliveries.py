"""Deliveries: one of each event to each webhook that wants it, in lanes of which one may be sent at a time.

`queue` names the lane of a webhook while the delivery is still to be sent; `ready_for` and `due_at` are only on the one
of each queue that may be sent next. All of it is written under the webhook's guard.
"""

import uuid
from collections.abc import Collection, Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.events import Event
from consentline.domain.instants import Instant
from consentline.domain.webhooks import DeliveryStatus, Webhook
from consentline.graph.outbox import event_of
from consentline.graph.session import Tx

OPEN_QUEUES: LiteralString = """
UNWIND $queues AS queue
WITH queue WHERE EXISTS {
  MATCH (d:Delivery)
  USING INDEX d:Delivery(queue, position)
  WHERE d.queue = queue AND d.position >= 0
}
RETURN collect(queue) AS queues
"""

CREATE: LiteralString = """
UNWIND $rows AS row
MATCH (e:Event {id: row.event})
CREATE (:Delivery {
  id: row.id, webhook: $webhook, event: e.id, position: e.position, kind: e.kind, status: 'PENDING', attempts: 0,
  created_at: $now, queue: row.queue, ready_for: CASE WHEN row.ready THEN $webhook END,
  due_at: CASE WHEN row.ready THEN $now END
})-[:OF]->(e)
"""


async def create(tx: Tx, webhook: Webhook, events: Sequence[Event], now: Instant) -> None:
    """Queue events for a webhook, in this order; the first of a lane that nothing stands in may be sent at once."""
    if not events:
        return
    queues = {event.id: _queue(webhook.uid, event.lane) for event in events}
    standing = set[str]((await tx.get(OPEN_QUEUES, queues=sorted(set(queues.values()))))["queues"])
    rows: list[dict[str, Any]] = []
    for event in events:
        queue = queues[event.id]
        rows.append(
            {"id": f"dlv_{uuid.uuid4().hex}", "event": event.id, "queue": queue, "ready": queue not in standing}
        )
        standing.add(queue)
    await tx.rows(CREATE, webhook=webhook.uid, rows=rows, now=now)


def _queue(webhook: str, lane: str) -> str:
    return f"{webhook} {lane}"


class Due(NamedTuple):
    """A delivery that may be sent now, with how often it was tried before."""

    id: str
    attempts: int
    event: Event


DUE: LiteralString = """
MATCH (d:Delivery)
USING INDEX d:Delivery(ready_for, due_at)
WHERE d.ready_for = $webhook AND d.due_at <= $now AND NOT d.id IN $busy
WITH d ORDER BY d.ready_for, d.due_at LIMIT $most
MATCH (d)-[:OF]->(e:Event)
WITH d, e ORDER BY d.due_at, e.position
RETURN collect([d.id, d.attempts, [e.id, e.position, e.kind, e.at, e.lane, e.details, e.model, e.flag,
                head([(e)-[:TELLS_OF]->(o:Objection) | o.key]),
                head([(e)-[:TELLS_OF]->(o:Erasure) | o.key]), e.webhook]]) AS rows
"""


async def list_due(tx: Tx, webhook: str, now: Instant, busy: Collection[str], most: int) -> list[Due]:
    """What may be sent now and is not under way, the longest due first."""
    row = await tx.get(DUE, webhook=webhook, now=now, busy=sorted(busy), most=most)
    return [Due(each[0], each[1], event_of(each[2])) for each in row["rows"]]


class Attempt(NamedTuple):
    """How an attempt (counted from 1) ended: DELIVERED, DEAD, or PENDING to be tried again after some time."""

    delivery: str
    number: int
    status: DeliveryStatus
    response: int | None = None
    error: str | None = None
    again_in: Instant = 0


FINISH: LiteralString = """
UNWIND $rows AS row
MATCH (d:Delivery {id: row.delivery})
WHERE d.queue IS NOT NULL
WITH d, row, d.queue AS queue
SET d.status = row.status, d.attempts = row.number, d.response = row.response, d.error = row.error, d.finished_at = $now
REMOVE d.queue, d.ready_for, d.due_at
RETURN collect(queue) AS queues
"""

RETRY: LiteralString = """
UNWIND $rows AS row
MATCH (d:Delivery {id: row.delivery})
WHERE d.queue IS NOT NULL
SET d.attempts = row.number, d.response = row.response, d.error = row.error, d.due_at = $now + row.again_in
"""

NEXT: LiteralString = """
UNWIND $queues AS queue
CALL (queue) {
  MATCH (d:Delivery)
  USING INDEX d:Delivery(queue, position)
  WHERE d.queue = queue AND d.position >= 0
  RETURN d ORDER BY d.queue, d.position LIMIT 1
}
SET d.ready_for = d.webhook, d.due_at = $now
"""


async def settle(tx: Tx, attempts: Sequence[Attempt], now: Instant) -> None:
    """Record how attempts ended, and let the next one of each lane whose delivery is finished be sent."""
    again = [each._asdict() for each in attempts if each.status is DeliveryStatus.PENDING]
    finished = [each._asdict() for each in attempts if each.status is not DeliveryStatus.PENDING]
    if again:
        await tx.rows(RETRY, rows=again, now=now)
    if finished:
        queues = (await tx.get(FINISH, rows=finished, now=now))["queues"]
        await tx.rows(NEXT, queues=sorted(queues), now=now)


CLOSE: LiteralString = """
MATCH (d:Delivery)
USING INDEX d:Delivery(webhook, status, position)
WHERE d.webhook = $webhook AND d.status = 'PENDING' AND d.position >= 0
WITH d LIMIT $most
SET d.status = $status, d.finished_at = $now, d.error = coalesce(d.error, $error)
REMOVE d.queue, d.ready_for, d.due_at
RETURN count(d) AS closed
"""


async def close(tx: Tx, webhook: str, status: DeliveryStatus, error: str, now: Instant, most: int) -> int:
    """End some of the deliveries to a webhook that is served no more, and tell how many."""
    return (await tx.get(CLOSE, webhook=webhook, status=status, error=error, now=now, most=most))["closed"]


REPLAY: LiteralString = """
MATCH (d:Delivery {id: $id})-[:OF]->(e:Event)
WHERE d.queue IS NULL
WITH d, d.webhook + ' ' + e.lane AS queue
CALL (queue) {
  MATCH (o:Delivery)
  USING INDEX o:Delivery(queue, position)
  WHERE o.queue = queue AND o.position >= 0
  WITH o LIMIT 1
  RETURN count(o) AS standing
}
SET d.status = 'PENDING', d.attempts = 0, d.queue = queue,
    d.ready_for = CASE standing WHEN 0 THEN d.webhook END, d.due_at = CASE standing WHEN 0 THEN $now END
REMOVE d.finished_at, d.response, d.error
"""


async def replay(tx: Tx, delivery: str, now: Instant) -> None:
    """Queue a finished delivery again, behind whatever stands in its lane."""
    await tx.rows(REPLAY, id=delivery, now=now)
