"""People: their locks, and what is known of them now."""

from collections.abc import Sequence
from typing import LiteralString

from consentline.graph.session import Tx

LOCK_PEOPLE: LiteralString = """
UNWIND $people AS key
WITH key ORDER BY key
MERGE (u:User {key: key})
SET u.guard = randomUUID()
"""


async def lock(tx: Tx, people: Sequence[str]) -> None:
    """Take the people's guards in key order; who was never recorded is created, known by key only."""
    await tx.rows(LOCK_PEOPLE, people=sorted(set(people)))
