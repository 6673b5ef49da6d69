"""Lists of objections, by the time of receipt or by urgency."""

from collections.abc import Sequence
from typing import Any, LiteralString

from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.objections import Objection, ObjectionStatus
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.objections import find_all
from consentline.graph.session import Tx

# Each list has its index, pinned: one statement for every filter would make the planner scan, and so would an OR.
COUNT_ALL: LiteralString = """
MATCH (o:Objection) RETURN count(o) AS total
"""

COUNT_OF_STATUS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(status, received_at, key)
WHERE o.status = $status AND o.received_at >= -9223372036854775808 AND o.key >= ''
RETURN count(o) AS total
"""

COUNT_PENDING: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(deadline, key)
WHERE o.deadline >= $begin AND o.deadline < $end AND o.key >= ''
RETURN count(o) AS total
"""


async def count_pending(tx: Tx, begin: Instant = ALWAYS, end: Instant = EVER) -> int:
    """How many undecided objections have their deadline at `begin` or later, and before `end`."""
    return (await tx.get(COUNT_PENDING, begin=begin, end=end))["total"]


LIST_ALL: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(received_at, key)
WHERE o.received_at >= $after AND o.key >= ''
  AND CASE WHEN o.received_at = $after THEN o.key > $key ELSE true END
  AND CASE WHEN $overdue IS NULL THEN true
           ELSE (o.status = 'PENDING' AND coalesce(o.extended_to, o.due_at) < $now) = $overdue END
WITH o.key AS key ORDER BY o.received_at, o.key LIMIT $most
RETURN collect(key) AS keys
"""

LIST_OF_STATUS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(status, received_at, key)
WHERE o.status = $status AND o.received_at >= $after AND o.key >= ''
  AND CASE WHEN o.received_at = $after THEN o.key > $key ELSE true END
  AND CASE WHEN $overdue IS NULL THEN true
           ELSE (o.status = 'PENDING' AND coalesce(o.extended_to, o.due_at) < $now) = $overdue END
WITH o.key AS key ORDER BY o.status, o.received_at, o.key LIMIT $most
RETURN collect(key) AS keys
"""


async def page_by_receipt(
    tx: Tx, status: ObjectionStatus | None, overdue: bool | None, now: Instant, request: PageRequest
) -> Page[Objection]:
    """Objections by the time of receipt, then key."""
    pending = ObjectionStatus.PENDING
    if overdue and status not in (None, pending):
        return page_from([], _by_receipt, request, 0)
    total = await _count(tx, status)
    if overdue is not None and status in (None, pending):
        late = await count_pending(tx, end=now)
        total = late if overdue else total - late
    after, key = request.after or (ALWAYS, "")
    cut: dict[str, Any] = {"after": after, "key": key, "most": request.first + 1, "overdue": overdue, "now": now}
    wanted = pending if overdue else status
    row = await (tx.get(LIST_ALL, **cut) if wanted is None else tx.get(LIST_OF_STATUS, status=wanted, **cut))
    return page_from(await _in_order(tx, row["keys"]), _by_receipt, request, total)


async def _count(tx: Tx, status: ObjectionStatus | None) -> int:
    if status is None:
        return (await tx.get(COUNT_ALL))["total"]
    return (await tx.get(COUNT_OF_STATUS, status=status))["total"]


LIST_BY_URGENCY: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(deadline, key)
WHERE o.deadline >= $begin AND o.deadline < $end AND o.key >= ''
  AND CASE WHEN o.deadline = $after THEN o.key > $key ELSE true END
WITH o.key AS key ORDER BY o.deadline, o.key LIMIT $most
RETURN collect(key) AS keys
"""


async def page_by_urgency(tx: Tx, overdue: bool | None, now: Instant, request: PageRequest) -> Page[Objection]:
    """Undecided objections by deadline, then key; the most urgent first."""
    begin = now if overdue is False else ALWAYS
    end = now if overdue else EVER
    total = await count_pending(tx, begin, end)
    after, key = request.after or (ALWAYS, "")
    most = request.first + 1
    row = await tx.get(LIST_BY_URGENCY, begin=max(begin, int(after)), end=end, after=after, key=key, most=most)
    return page_from(await _in_order(tx, row["keys"]), _by_urgency, request, total)


LIST_OF_PERSON: LiteralString = """
UNWIND $users AS user
MATCH (u:User {key: user})
WITH head(collect(u)) AS u
MATCH (u)<-[:FILED_BY]-(o:Objection)
WITH o ORDER BY o.received_at, o.key
WITH collect(o) AS found
RETURN size(found) AS total,
       [o IN found WHERE o.received_at > $after OR (o.received_at = $after AND o.key > $key) | o.key][..$most] AS keys
"""


async def page_of_person(tx: Tx, users: Sequence[str], request: PageRequest) -> Page[Objection]:
    """The objections of the person, stored under one of the keys, by the time of receipt, then key."""
    after, key = request.after or (ALWAYS, "")
    row = await tx.get(LIST_OF_PERSON, users=users, after=after, key=key, most=request.first + 1)
    return page_from(await _in_order(tx, row["keys"]), _by_receipt, request, row["total"])


async def _in_order(tx: Tx, keys: Sequence[str]) -> list[Objection]:
    found = {objection.key: objection for objection in await find_all(tx, keys)}
    return [found[key] for key in keys]


def _by_receipt(objection: Objection) -> tuple[int, str]:
    return (objection.received_at, objection.key)


def _by_urgency(objection: Objection) -> tuple[int, str]:
    return (objection.deadline, objection.key)
