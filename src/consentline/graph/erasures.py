"""Erasures and their history."""

from collections.abc import Sequence
from typing import Any, LiteralString

from consentline.domain.erasures import Erasure, ErasureStatus, ErasureTransition
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


FIND: LiteralString = """
UNWIND $keys AS key
MATCH (e:Erasure {key: key})-[:REQUESTED_BY]->(u:User)
RETURN collect([e.key, u.key, e.status, e.received_at, e.recorded_at, e.due_at,
  [(e)-[:BECAME]->(t:Transition) | [t.status, t.at, t.recorded_at, t.by, t.grounds]]]) AS rows
"""


async def find(tx: Tx, key: str) -> Erasure | None:
    """The erasure as it stands."""
    found = await find_all(tx, [key])
    return found[0] if found else None


async def find_all(tx: Tx, keys: Sequence[str]) -> list[Erasure]:
    """The erasures of these keys that are recorded, as they stand, in no order."""
    return [_erasure(row) for row in (await tx.get(FIND, keys=list(keys)))["rows"]]


STANDING: LiteralString = """
MATCH (:User {key: $user})<-[:REQUESTED_BY]-(e:Erasure)
WHERE e.status <> 'REFUSED'
RETURN count(e) > 0 AS standing
"""


async def standing(tx: Tx, user: str) -> bool:
    """Whether an erasure of the person was requested and not refused."""
    return (await tx.get(STANDING, user=user))["standing"]


def _erasure(row: list[Any]) -> Erasure:
    key, user, status, received_at, recorded_at, due_at, transitions = row
    history = [ErasureTransition(ErasureStatus(each[0]), *each[1:]) for each in transitions]
    return Erasure(
        key=key,
        user=user,
        status=ErasureStatus(status),
        received_at=received_at,
        recorded_at=recorded_at,
        due_at=due_at,
        history=tuple(sorted(history, key=lambda each: each.recorded_at)),
    )
