"""Erasures and their history."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, LiteralString

from consentline.domain.erasures import Erased, Erasure, ErasureStatus, ErasureTransition
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx

CREATE: LiteralString = """
MATCH (u:User {key: $user})
CREATE (:Erasure {
  key: $key, status: 'REQUESTED', received_at: $received_at, recorded_at: $recorded_at, recorded_by: $by,
  due_at: $due_at
})-[:REQUESTED_BY]->(u)
"""


async def create(tx: Tx, erasure: Erasure, *, by: str) -> None:
    """Write the request of a recorded person."""
    await tx.rows(
        CREATE,
        key=erasure.key,
        user=erasure.user,
        received_at=erasure.received_at,
        recorded_at=erasure.recorded_at,
        due_at=erasure.due_at,
        by=by,
    )


MOVE: LiteralString = """
MATCH (e:Erasure {key: $key})
SET e.status = $status
CREATE (e)-[:BECAME]->(:Transition {
  status: $status, at: $at, recorded_at: $recorded_at, by: $by, grounds: $grounds
})
"""


async def move(
    tx: Tx,
    key: str,
    status: ErasureStatus,
    *,
    at: Instant,
    recorded_at: Instant,
    by: str | None,
    grounds: str | None = None,
) -> None:
    """Append a transition, valid from `at`."""
    await tx.rows(MOVE, key=key, status=status, at=at, recorded_at=recorded_at, by=by, grounds=grounds)


FIND: LiteralString = """
UNWIND $keys AS key
MATCH (e:Erasure {key: key})-[:REQUESTED_BY]->(u:User)
RETURN collect([e.key, u.key, e.status, e.received_at, e.recorded_at, e.due_at, e.affected_posts,
  [e.erased_posts, e.erased_changes, e.erased_depictions, e.erased_facts, e.erased_states, e.erased_notices,
   e.erased_objections, e.kept_depicting],
  [(e)-[:BECAME]->(t:Transition) | [t.status, t.at, t.recorded_at, t.by, t.grounds]]]) AS rows
"""


async def find(tx: Tx, keys: Sequence[str]) -> Erasure | None:
    """The erasure stored under one of the keys, as it stands."""
    found = await find_all(tx, keys)
    return found[0] if found else None


async def find_all(tx: Tx, keys: Sequence[str]) -> list[Erasure]:
    """The erasures of these keys that are recorded, as they stand, in no order."""
    return [_erasure(row) for row in (await tx.get(FIND, keys=list(keys)))["rows"]]


UNFINISHED: LiteralString = """
MATCH (e:Erasure)
USING INDEX e:Erasure(status, received_at, key)
WHERE e.status = 'CONFIRMED' AND e.received_at >= -9223372036854775808 AND e.key >= ''
RETURN collect(e.key) AS keys
"""


async def unfinished(tx: Tx) -> list[str]:
    """The stored keys of the erasures that were confirmed and are not done; sorted."""
    return sorted((await tx.get(UNFINISHED))["keys"])


STANDING: LiteralString = """
MATCH (:User {key: $user})<-[:REQUESTED_BY]-(e:Erasure)
WHERE e.status <> 'REFUSED'
RETURN count(e) > 0 AS standing
"""


async def standing(tx: Tx, user: str) -> bool:
    """Whether an erasure of the person was requested and not refused."""
    return (await tx.get(STANDING, user=user))["standing"]


# Each list has its index, pinned: one statement for every filter would make the planner scan, and so would an OR.
PAGE_OF_ALL: LiteralString = """
RETURN COUNT { MATCH (e:Erasure) } AS total,
  COLLECT {
    MATCH (e:Erasure)
    USING INDEX e:Erasure(received_at, key)
    WHERE e.received_at >= $after AND e.key >= ''
      AND CASE WHEN e.received_at = $after THEN e.key > $key ELSE true END
    RETURN e.key ORDER BY e.received_at, e.key LIMIT $most
  } AS keys
"""

PAGE_OF_STATUS: LiteralString = """
RETURN COUNT {
    MATCH (e:Erasure)
    USING INDEX e:Erasure(status, received_at, key)
    WHERE e.status = $status AND e.received_at >= -9223372036854775808 AND e.key >= ''
  } AS total,
  COLLECT {
    MATCH (e:Erasure)
    USING INDEX e:Erasure(status, received_at, key)
    WHERE e.status = $status AND e.received_at >= $after AND e.key >= ''
      AND CASE WHEN e.received_at = $after THEN e.key > $key ELSE true END
    RETURN e.key ORDER BY e.status, e.received_at, e.key LIMIT $most
  } AS keys
"""


async def page(tx: Tx, status: ErasureStatus | None, request: PageRequest) -> Page[Erasure]:
    """Erasures of a status, or all, by the time of receipt, then key."""
    after, key = request.after or (ALWAYS, "")
    cut: dict[str, Any] = {"after": after, "key": key, "most": request.first + 1}
    row = await (tx.get(PAGE_OF_ALL, **cut) if status is None else tx.get(PAGE_OF_STATUS, status=status, **cut))
    found = {erasure.key: erasure for erasure in await find_all(tx, row["keys"])}
    erasures = [found[each] for each in row["keys"]]
    return page_from(erasures, lambda each: (each.received_at, each.key), request, row["total"])


ADD_ERASED: LiteralString = """
MATCH (e:Erasure {key: $key})
SET e.erased_posts = coalesce(e.erased_posts, 0) + $posts,
    e.erased_changes = coalesce(e.erased_changes, 0) + $changes,
    e.erased_depictions = coalesce(e.erased_depictions, 0) + $depictions,
    e.erased_facts = coalesce(e.erased_facts, 0) + $facts,
    e.erased_states = coalesce(e.erased_states, 0) + $states,
    e.erased_notices = coalesce(e.erased_notices, 0) + $notices,
    e.erased_objections = coalesce(e.erased_objections, 0) + $objections,
    e.kept_depicting = coalesce(e.kept_depicting, 0) + $depicting
"""


async def add_erased(tx: Tx, key: str, more: Erased) -> None:
    """Count what this transaction erases."""
    await tx.rows(ADD_ERASED, key=key, **asdict(more))


OF_PEOPLE: LiteralString = """
UNWIND $people AS key
MATCH (:User {key: key})<-[:REQUESTED_BY]-(e:Erasure)
RETURN collect(e.key) AS keys
"""


async def of_people(tx: Tx, people: Sequence[str]) -> list[Erasure]:
    """Every erasure that was ever requested of the people."""
    return await find_all(tx, (await tx.get(OF_PEOPLE, people=list(people)))["keys"])


LIVE: LiteralString = """
UNWIND ['REQUESTED', 'CONFIRMED', 'DONE'] AS status
MATCH (e:Erasure)-[:REQUESTED_BY]->(u:User)
USING INDEX e:Erasure(status, received_at, key)
WHERE e.status = status AND e.received_at >= -9223372036854775808 AND e.key >= ''
RETURN collect(DISTINCT u.key) AS people
"""


async def live_people(tx: Tx) -> list[str]:
    """Everybody of whom an erasure stands: requested, or confirmed."""
    return (await tx.get(LIVE))["people"]


def _erasure(row: list[Any]) -> Erasure:
    key, user, status, received_at, recorded_at, due_at, affected, erased, transitions = row
    history = [ErasureTransition(ErasureStatus(each[0]), *each[1:]) for each in transitions]
    names = [each.name for each in fields(Erased)]
    return Erasure(
        key=key,
        user=user,
        status=ErasureStatus(status),
        received_at=received_at,
        recorded_at=recorded_at,
        due_at=due_at,
        history=tuple(sorted(history, key=lambda each: each.recorded_at)),
        affected=affected,
        erased=Erased(**{name: count or 0 for name, count in zip(names, erased, strict=True)}),
    )
