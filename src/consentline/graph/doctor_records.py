"""What `consentline doctor` reads of events, deliveries and erasures, in pages; see `doctor.py`."""

from typing import Any, LiteralString, NamedTuple

from consentline.graph.session import Tx

EVENTS: LiteralString = """
MATCH (e:Event)
USING INDEX e:Event(position)
WHERE e.position > $after
WITH e ORDER BY e.position LIMIT $most
WITH collect([e.position, e.id]) AS rows
MATCH (r:Revision {name: 'lineage'})
RETURN rows, coalesce(r.events, 0) AS last
"""


async def events(tx: Tx, after: int, most: int) -> tuple[list[int], int]:
    """Positions of events behind one of them, and the last that was given out by then."""
    row = await tx.get(EVENTS, after=after, most=most)
    return [position for position, _ in row["rows"]], row["last"]


HOOKS: LiteralString = """
MATCH (w:Webhook)
WITH w ORDER BY w.key
RETURN collect([w.uid, w.key, w.status, w.position]) AS rows
"""


class Hook(NamedTuple):
    """A webhook, and the position of the last event that was queued for it."""

    uid: str
    key: str
    status: str
    position: int


async def hooks(tx: Tx) -> list[Hook]:
    """Every webhook."""
    return [Hook(*row) for row in (await tx.get(HOOKS))["rows"]]


DELIVERIES: LiteralString = """
MATCH (d:Delivery)
USING INDEX d:Delivery(webhook, position)
WHERE d.webhook = $webhook AND d.position > $after
WITH d ORDER BY d.webhook, d.position LIMIT $most
RETURN collect([d.position, d.status, d.queue, d.ready_for, EXISTS { (d)-[:OF]->(:Event) }]) AS rows
"""


class StoredDelivery(NamedTuple):
    """A delivery as it is stored."""

    position: int
    status: str
    queue: str | None
    ready_for: str | None
    has_event: bool


async def deliveries(tx: Tx, webhook: str, after: int, most: int) -> list[StoredDelivery]:
    """Deliveries to a webhook behind a position; there is one of each position."""
    row = await tx.get(DELIVERIES, webhook=webhook, after=after, most=most)
    return [StoredDelivery(*each) for each in row["rows"]]


ERASURES: LiteralString = """
MATCH (e:Erasure)
USING INDEX e:Erasure(key)
WHERE e.key > $after
WITH e ORDER BY e.key LIMIT $most
RETURN collect([e.key, e.status, e.status IN ['CONFIRMED', 'DONE'] AND (
  e.status = 'DONE' AND NOT e.key STARTS WITH $digest
  OR EXISTS { MATCH (e)-[:REQUESTED_BY]->(u:User) WHERE u.erased_at IS NULL OR NOT u.key STARTS WITH $digest }
  OR e.status = 'DONE' AND EXISTS {
    MATCH (e)-[:REQUESTED_BY]->(:User)<-[:AUTHORED_BY]-(p:Post) WHERE NOT p.key STARTS WITH $digest }
  )]) AS rows
"""


class StoredErasure(NamedTuple):
    """An erasure, and whether something that it took away is still there."""

    key: str
    status: str
    names_somebody: bool


async def erasures(tx: Tx, after: str, digest: str, most: int) -> list[StoredErasure]:
    """Erasures by key behind one of them; `digest` is what all digests begin with."""
    rows: list[list[Any]] = (await tx.get(ERASURES, after=after, digest=digest, most=most))["rows"]
    return [StoredErasure(*row) for row in rows]
