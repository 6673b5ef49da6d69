"""Webhooks: registered, read, disabled, and leased to one worker at a time.

A lease is of the database's clock. One that ends further ahead than any lease can is void: that clock was set back.
"""

from collections.abc import Collection, Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.access import Role
from consentline.domain.events import EventKind
from consentline.domain.instants import Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.domain.webhooks import Webhook, WebhookStatus
from consentline.graph.session import Tx

REGISTER: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
MERGE (w:Webhook {key: $key})
ON CREATE SET w.uid = $uid, w.url = $url, w.role = $role, w.kinds = $kinds, w.model = $model, w.status = 'ACTIVE',
  w.registered_at = $now, w.position = coalesce(r.events, 0), w.key_check = $key_check
RETURN properties(w) AS webhook
"""


async def register(tx: Tx, webhook: Webhook) -> Webhook:
    """Write a webhook that is told of what happens from now on, unless its key is taken; answer the one of the key."""
    row = await tx.get(
        REGISTER,
        key=webhook.key,
        uid=webhook.uid,
        url=webhook.url,
        role=webhook.role,
        kinds=[kind.name for kind in webhook.kinds],
        model=webhook.model,
        now=webhook.registered_at,
        key_check=webhook.key_check,
    )
    return _webhook(row["webhook"])


FIND: LiteralString = """
UNWIND $keys AS key
MATCH (w:Webhook {key: key})
RETURN collect(properties(w)) AS webhooks
"""


async def find(tx: Tx, key: str) -> Webhook | None:
    """The webhook as it stands."""
    found = (await tx.get(FIND, keys=[key]))["webhooks"]
    return _webhook(found[0]) if found else None


OF_UIDS: LiteralString = """
UNWIND $uids AS uid
MATCH (w:Webhook {uid: uid})
RETURN collect(properties(w)) AS webhooks
"""


async def of_uids(tx: Tx, uids: Collection[str]) -> dict[str, Webhook]:
    """The webhooks of these uids."""
    rows = (await tx.get(OF_UIDS, uids=sorted(uids)))["webhooks"]
    return {row["uid"]: _webhook(row) for row in rows}


PAGE: LiteralString = """
RETURN COUNT { MATCH (w:Webhook) } AS total,
  COLLECT {
    MATCH (w:Webhook)
    USING INDEX w:Webhook(key)
    WHERE w.key > $after
    RETURN properties(w) ORDER BY w.key LIMIT $most
  } AS webhooks
"""


async def page(tx: Tx, request: PageRequest) -> Page[Webhook]:
    """Webhooks by their key."""
    after = "" if request.after is None else request.after[0]
    row = await tx.get(PAGE, after=after, most=request.first + 1)
    webhooks = [_webhook(each) for each in row["webhooks"]]
    return page_from(webhooks, lambda webhook: (webhook.key,), request, row["total"])


LOCK: LiteralString = """
MATCH (w:Webhook {key: $key})
SET w.guard = randomUUID()
RETURN properties(w) AS webhook
"""


async def lock(tx: Tx, key: str) -> Webhook | None:
    """Take the webhook's guard, under which alone its deliveries are written, and answer how it stands."""
    row = await tx.find(LOCK, key=key)
    return None if row is None else _webhook(row["webhook"])


END: LiteralString = """
MATCH (w:Webhook {uid: $uid})
SET w.status = $status, w.disabled_at = $now
REMOVE w.lease, w.lease_until
"""


async def end(tx: Tx, uid: str, status: WebhookStatus, now: Instant) -> None:
    """Serve the webhook no more; its guard is held."""
    await tx.rows(END, uid=uid, status=status, now=now)


FREE: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH coalesce(r.events, 0) AS head, datetime.realtime() AS time
WITH head, time.epochSeconds * 1000000 + time.microsecond AS now
MATCH (w:Webhook)
USING INDEX w:Webhook(status, uid)
WHERE w.status = 'ACTIVE' AND w.uid >= ''
  AND NOT now < coalesce(w.lease_until, 0) <= now + $lasting
  AND CASE WHEN w.position < head THEN true ELSE EXISTS {
    MATCH (d:Delivery)
    USING INDEX d:Delivery(ready_for, due_at)
    WHERE d.ready_for = w.uid AND d.due_at <= now
  } END
RETURN collect(w.uid) AS uids
"""


async def list_free(tx: Tx, lasting: Instant) -> list[str]:
    """The webhooks for which there is something to do now and that nobody holds."""
    return (await tx.get(FREE, lasting=lasting))["uids"]


class Lease(NamedTuple):
    """A webhook that a worker holds, by a token that tells it from every other holding."""

    webhook: Webhook
    token: str


TAKE: LiteralString = """
UNWIND $uids AS uid
MATCH (w:Webhook {uid: uid})
SET w.guard = randomUUID()
WITH w, datetime.realtime() AS time
WITH w, time.epochSeconds * 1000000 + time.microsecond AS now
WHERE w.status = 'ACTIVE' AND NOT now < coalesce(w.lease_until, 0) <= now + $lasting
SET w.lease = $token, w.lease_until = now + $lasting
RETURN collect(properties(w)) AS webhooks
"""


async def take(tx: Tx, uids: Sequence[str], token: str, lasting: Instant) -> list[Lease]:
    """Lease those of the webhooks that are still free, for as long as given."""
    row = await tx.get(TAKE, uids=sorted(uids), token=token, lasting=lasting)
    return [Lease(_webhook(each), token) for each in row["webhooks"]]


class Held(NamedTuple):
    """The database's time while a lease is held, and how far the webhook has come."""

    now: Instant
    position: int


HOLD: LiteralString = """
MATCH (w:Webhook {uid: $uid})
SET w.guard = randomUUID()
WITH w, datetime.realtime() AS time
WITH w, time.epochSeconds * 1000000 + time.microsecond AS now
WHERE w.lease = $token AND w.status = 'ACTIVE'
SET w.lease_until = now + $lasting
RETURN now, w.position AS position
"""


async def hold(tx: Tx, lease: Lease, lasting: Instant) -> Held | None:
    """Take the webhook's guard and renew the lease; None when it was lost, or the webhook is served no more."""
    row = await tx.find(HOLD, uid=lease.webhook.uid, token=lease.token, lasting=lasting)
    return None if row is None else Held(row["now"], row["position"])


RELEASE: LiteralString = """
MATCH (w:Webhook {uid: $uid})
SET w.guard = randomUUID()
WITH w WHERE w.lease = $token
REMOVE w.lease, w.lease_until
"""


async def release(tx: Tx, lease: Lease) -> None:
    """Give the lease back, when it is still held."""
    await tx.rows(RELEASE, uid=lease.webhook.uid, token=lease.token)


MOVE: LiteralString = """
MATCH (w:Webhook {uid: $uid})
SET w.position = $position
"""


async def move(tx: Tx, uid: str, position: int) -> None:
    """The events up to the position were looked at; the webhook's guard is held."""
    await tx.rows(MOVE, uid=uid, position=position)


def _webhook(row: dict[str, Any]) -> Webhook:
    return Webhook(
        uid=row["uid"],
        key=row["key"],
        url=row["url"],
        role=Role(row["role"]),
        kinds=tuple(EventKind[kind] for kind in row["kinds"]),
        model=row.get("model"),
        status=WebhookStatus(row["status"]),
        registered_at=row["registered_at"],
        disabled_at=row.get("disabled_at"),
        position=row["position"],
        key_check=row["key_check"],
    )
