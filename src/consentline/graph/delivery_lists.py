"""Deliveries in pages, by the order of their events; and events that nobody needs any more, taken away with them."""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.events import EventKind
from consentline.domain.instants import Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.domain.webhooks import Delivery, DeliveryStatus
from consentline.graph.session import Tx

FIND: LiteralString = """
UNWIND $ids AS id
MATCH (d:Delivery {id: id})
RETURN collect(properties(d)) AS deliveries
"""


async def find(tx: Tx, delivery: str) -> Delivery | None:
    """The delivery as it stands."""
    found = (await tx.get(FIND, ids=[delivery]))["deliveries"]
    return _delivery(found[0]) if found else None


# Each list has its index, pinned; the newest first: what is looked for is what happened last.
PAGE_OF_WEBHOOK: LiteralString = """
RETURN COUNT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(webhook, position)
    WHERE d.webhook = $webhook AND d.position >= 0
  } AS total,
  COLLECT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(webhook, position)
    WHERE d.webhook = $webhook AND d.position < $before
    RETURN properties(d) ORDER BY d.webhook DESC, d.position DESC LIMIT $most
  } AS deliveries
"""

PAGE_OF_WEBHOOK_STATUS: LiteralString = """
RETURN COUNT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(webhook, status, position)
    WHERE d.webhook = $webhook AND d.status = $status AND d.position >= 0
  } AS total,
  COLLECT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(webhook, status, position)
    WHERE d.webhook = $webhook AND d.status = $status AND d.position < $before
    RETURN properties(d) ORDER BY d.webhook DESC, d.status DESC, d.position DESC LIMIT $most
  } AS deliveries
"""

PAGE_OF_STATUS: LiteralString = """
RETURN COUNT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(status, position, id)
    WHERE d.status = $status AND d.position >= 0 AND d.id >= ''
  } AS total,
  COLLECT {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(status, position, id)
    WHERE d.status = $status AND d.position <= $before AND d.id >= ''
      AND CASE WHEN d.position = $before THEN d.id < $id ELSE true END
    RETURN properties(d) ORDER BY d.status DESC, d.position DESC, d.id DESC LIMIT $most
  } AS deliveries
"""

_LAST = 2**62


async def page_of_webhook(tx: Tx, webhook: str, status: DeliveryStatus | None, request: PageRequest) -> Page[Delivery]:
    """The deliveries to a webhook, of one status or of all, the newest event first."""
    arguments = {
        "webhook": webhook,
        "before": _LAST if request.after is None else request.after[0],
        "most": request.first + 1,
    }
    if status is None:
        row = await tx.get(PAGE_OF_WEBHOOK, **arguments)
    else:
        row = await tx.get(PAGE_OF_WEBHOOK_STATUS, status=status, **arguments)
    found = [_delivery(each) for each in row["deliveries"]]
    return page_from(found, lambda each: (each.position,), request, row["total"])


async def page_of_status(tx: Tx, status: DeliveryStatus, request: PageRequest) -> Page[Delivery]:
    """The deliveries of a status to whatever webhook, the newest event first."""
    before, id_ = (_LAST, "") if request.after is None else request.after
    row = await tx.get(PAGE_OF_STATUS, status=status, before=before, id=id_, most=request.first + 1)
    found = [_delivery(each) for each in row["deliveries"]]
    return page_from(found, lambda each: (each.position, each.id), request, row["total"])


def _delivery(row: dict[str, Any]) -> Delivery:
    return Delivery(
        id=row["id"],
        webhook=row["webhook"],
        event=row["event"],
        position=row["position"],
        kind=EventKind[row["kind"]],
        status=DeliveryStatus(row["status"]),
        attempts=row["attempts"],
        created_at=row["created_at"],
        next_attempt_at=row.get("due_at"),
        finished_at=row.get("finished_at"),
        response=row.get("response"),
        error=row.get("error"),
    )


class Aged(NamedTuple):
    """An old event, and whether a webhook that is served still needs it."""

    id: str
    position: int
    needed: bool


# A webhook that is disabled needs nothing any more.
# The last one stays: whoever followed until now goes on after it.
AGED: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH coalesce(r.events, 0) AS head
OPTIONAL MATCH (w:Webhook)
USING INDEX w:Webhook(status, uid)
WHERE w.status = 'ACTIVE' AND w.uid >= ''
WITH head, min(w.position) AS lowest
CALL (head, lowest) {
  MATCH (e:Event)
  USING INDEX e:Event(position)
  WHERE e.position > $after AND e.position < head AND e.position <= coalesce(lowest, 9223372036854775807)
  WITH e ORDER BY e.position LIMIT $most
  WITH e WHERE e.at < $before
  RETURN collect([e.id, e.position, EXISTS {
    MATCH (e)<-[:OF]-(d:Delivery)
    MATCH (w:Webhook {uid: d.webhook})
    WHERE d.status IN ['PENDING', 'DEAD'] AND w.status <> 'DISABLED'
  }]) AS rows
}
RETURN rows
"""


async def list_aged(tx: Tx, before: Instant, position: int, most: int) -> list[Aged]:
    """The events before an instant that follow a position and that every webhook has looked at, the first of them."""
    return [Aged(*each) for each in (await tx.get(AGED, before=before, after=position, most=most))["rows"]]


DELETE: LiteralString = """
UNWIND $ids AS id
MATCH (e:Event {id: id})
OPTIONAL MATCH (e)<-[:OF]-(d:Delivery)
DETACH DELETE d, e
"""


async def delete(tx: Tx, events: Sequence[str]) -> None:
    """Take events away, with what is known of their deliveries."""
    await tx.rows(DELETE, ids=list(events))
