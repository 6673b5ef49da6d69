"""The suppression list: the digests that stand for erased people and posts, under which nothing new is recorded.

Only a key that a transaction creates can be that of something erased, and the digest of something erased exists before
its own key is gone: so who looks for the digests of what was just created misses none, whatever happens meanwhile.
"""

from collections.abc import Collection
from typing import LiteralString

from consentline.domain.pseudonyms import Pseudonyms, is_digest
from consentline.graph.rows import Rows
from consentline.graph.session import Tx

SUPPRESSING: LiteralString = """
MATCH (r:Revision {name: 'lineage'}) RETURN coalesce(r.suppressing, false) AS suppressing
"""

BEGIN: LiteralString = """
MATCH (r:Revision {name: 'lineage'}) SET r.suppressing = true
"""

PEOPLE: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[1]})
RETURN collect(row) AS rows
"""

POSTS: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[1]})
RETURN collect(row) AS rows
"""


class SuppressedError(Exception):
    """The transaction names people or posts that were erased, by the keys that they had; it cannot go on."""

    def __init__(self, people: Collection[str] = (), posts: Collection[str] = ()) -> None:
        super().__init__("the transaction names what was erased")
        self.people = frozenset(people)
        self.posts = frozenset(posts)


async def suppressing(tx: Tx) -> bool:
    """Whether anybody was ever erased, or is being erased now."""
    return (await tx.get(SUPPRESSING))["suppressing"]


async def begin(tx: Tx) -> None:
    """Somebody is erased: from now on digests are looked for. The guard is held."""
    await tx.rows(BEGIN)


async def erased_people(tx: Tx, pseudonyms: Pseudonyms, keys: Collection[str]) -> dict[str, str]:
    """Those of the people who were erased, with the digests that stand for them; nothing is asked while nobody was."""
    rows = await _rows(tx, pseudonyms, "User", keys)
    return dict((await tx.get(PEOPLE, rows=Rows(rows)))["rows"]) if rows else {}


async def erased_posts(tx: Tx, pseudonyms: Pseudonyms, keys: Collection[str]) -> dict[str, str]:
    """Those of the posts that were erased, with the digests that stand for them; nothing is asked while none was."""
    rows = await _rows(tx, pseudonyms, "Post", keys)
    return dict((await tx.get(POSTS, rows=Rows(rows)))["rows"]) if rows else {}


async def check_people(tx: Tx, pseudonyms: Pseudonyms, created: Collection[str]) -> None:
    """Return when none of the people whom this transaction created was erased.

    Raises:
        SuppressedError: naming those who were.
    """
    erased = await erased_people(tx, pseudonyms, created) if created else {}
    if erased:
        raise SuppressedError(people=erased)


async def check_posts(tx: Tx, pseudonyms: Pseudonyms, created: Collection[str]) -> None:
    """Return when none of the posts that this transaction created was erased.

    Raises:
        SuppressedError: naming those that were.
    """
    erased = await erased_posts(tx, pseudonyms, created) if created else {}
    if erased:
        raise SuppressedError(posts=erased)


WRITTEN_BY_ERASED: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})-[a:AUTHORED_BY]->(u:User)
WHERE a.until IS NULL AND u.erased_at IS NOT NULL
RETURN collect(p.key) AS posts
"""


async def check_authors(tx: Tx, posts: Collection[str]) -> None:
    """Return when nobody who is being erased wrote the posts, whose own keys stand there until their turn comes.

    Raises:
        SuppressedError: naming those that are to be erased.
    """
    if await suppressing(tx):
        erased = (await tx.get(WRITTEN_BY_ERASED, posts=Rows(sorted(posts))))["posts"]
        if erased:
            raise SuppressedError(posts=erased)


async def _rows(tx: Tx, pseudonyms: Pseudonyms, label: str, keys: Collection[str]) -> list[list[str]]:
    if not await suppressing(tx):
        return []
    return [[key, pseudonyms.of(label, key)] for key in keys if not is_digest(key)]
