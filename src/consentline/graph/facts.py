"""The locks under which facts are recorded; see docs/graph.md, "Locks".

A batch locks every person whom it ties to anything first, in key order. Posts and notices are locked last, and only
where something is decided about one that exists already.
"""

from collections.abc import Collection
from typing import LiteralString, NamedTuple, TypeVar

from consentline.domain.pseudonyms import Pseudonyms
from consentline.graph.rows import Rows as Rows
from consentline.graph.session import Tx
from consentline.graph.suppression import check_people, check_posts

T = TypeVar("T")
_BATCH = 10_000


class RacedError(Exception):
    """Another transaction wrote a natural key first, between our reading and our writing; repeat the whole batch."""


class UnlockedPeopleError(Exception):
    """The batch turns out to concern people whose locks it does not hold; repeat it with these locked as well."""

    def __init__(self, people: frozenset[str]) -> None:
        super().__init__("the batch concerns more people than it has locked")
        self.people = people


class LockedPeople(NamedTuple):
    """People whose guards this transaction holds.

    `created` are those whom the lock itself recorded, by key only; `objecting` those with an objection that is pending
    or upheld, or with an erasure that was not refused.
    """

    people: frozenset[str]
    created: frozenset[str]
    objecting: frozenset[str]


LOCK_PEOPLE: LiteralString = """
UNWIND $people AS key
MERGE (u:User {key: key})
ON CREATE SET u.guard = false
WITH u, key, coalesce(u.guard = false, false) AS created
SET u.guard = true
WITH u, key, created, EXISTS { (u)<-[:FILED_BY]-(o:Objection) WHERE o.status IN ['PENDING', 'UPHELD'] }
  OR EXISTS { (u)<-[:REQUESTED_BY]-(e:Erasure) WHERE e.status <> 'REFUSED' } AS objecting
RETURN collect(CASE WHEN created THEN u.key END) AS created, collect(CASE WHEN objecting THEN u.key END) AS objecting,
       collect(CASE WHEN u.key <> key THEN key END) AS renamed
"""


async def lock_people(tx: Tx, pseudonyms: Pseudonyms, people: Collection[str]) -> LockedPeople:
    """Take the people's guards in key order and tell who of them objects.

    A guard that is set already is set to the same value: that locks the node and writes nothing.

    Raises:
        RacedError: somebody was erased while this waited for their guard.
        SuppressedError: some of them were erased before, and are named by the keys that they had.
    """
    row = await tx.get(LOCK_PEOPLE, people=Rows(sorted(people)))
    if row["renamed"]:
        raise RacedError
    await check_people(tx, pseudonyms, row["created"])
    return LockedPeople(frozenset(people), frozenset(row["created"]), frozenset(row["objecting"]))


FORGET_PEOPLE: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})
DELETE u
"""


async def forget_people(tx: Tx, people: Collection[str]) -> None:
    """Take back people whom this transaction's lock created and who were named by refused records only."""
    await tx.rows(FORGET_PEOPLE, people=Rows(sorted(people)))


LOCK_POSTS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
SET p.guard = true
REMOVE p.guard
"""


async def lock_posts(tx: Tx, posts: Collection[str]) -> None:
    """Lock posts that exist, in key order; nothing stays written."""
    await tx.rows(LOCK_POSTS, posts=Rows(sorted(posts)))


ENSURE_POSTS: LiteralString = """
UNWIND $posts AS key
MERGE (p:Post {key: key})
ON CREATE SET p.guard = false
WITH p, key, coalesce(p.guard = false, false) AS created
SET p.guard = true
REMOVE p.guard
RETURN collect(CASE WHEN created THEN key END) AS created, collect(CASE WHEN p.key <> key THEN key END) AS renamed
"""


async def ensure_posts(tx: Tx, pseudonyms: Pseudonyms, posts: Collection[str]) -> None:
    """Lock posts in key order; who was never recorded is created, known by key only.

    Raises:
        RacedError: one of them was erased while this waited for its lock.
        SuppressedError: some of them were erased before, and are named by the keys that they had.
    """
    ordered = sorted(posts)
    for begin in range(0, len(ordered), _BATCH):
        row = await tx.get(ENSURE_POSTS, posts=Rows(ordered[begin : begin + _BATCH]))
        if row["renamed"]:
            raise RacedError
        await check_posts(tx, pseudonyms, row["created"])
