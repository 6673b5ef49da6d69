"""Writing what is said of posts: descriptions, authors, depicted people, changes."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString

from neo4j.exceptions import ConstraintError

from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.pseudonyms import Pseudonyms
from consentline.graph.facts import RacedError, Rows
from consentline.graph.session import Tx
from consentline.graph.suppression import check_posts


@dataclass(slots=True)
class PostState:
    """What is recorded of a post, as far as recording more of it depends on that.

    `described_by` is the author that the `post` record names, `author` the one believed now. `special_category` is
    None while no record spoke of it.
    """

    key: str
    described: bool = False
    described_by: str | None = None
    author: str | None = None
    corrections: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    platform: str | None = None
    kind: str | None = None
    published_at: Instant | None = None
    visibility: str | None = None
    digest: str | None = None
    special_category: bool | None = None
    depicts: frozenset[str] = frozenset()

    @property
    def tied(self) -> set[str]:
        """Everybody to whom the post is tied now."""
        return set(self.depicts) if self.author is None else {self.author, *self.depicts}


STATES: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
RETURN collect([
  p.key, p.described_at IS NOT NULL, p.platform, p.kind, p.published_at, p.visibility, p.digest, p.special_category,
  [(p)-[a:AUTHORED_BY]->(u:User) | [u.key, a.reason, a.until IS NULL]],
  [(p)-[d:DEPICTS]->(u:User) WHERE d.until IS NULL | u.key],
  [(p)-[:CHANGED]->(c:PostChange {field: 'special_category'}) | [c.recorded_at, c.value]]
]) AS rows
"""


async def states(tx: Tx, posts: Collection[str]) -> dict[str, PostState]:
    """The posts that are recorded already, by key; the others are absent."""
    return {row[0]: _state(row) for row in (await tx.get(STATES, posts=Rows(posts)))["rows"]}


def _state(row: list[Any]) -> PostState:
    key, described, platform, kind, published_at, visibility, digest, special, authors, depicts, changes = row
    return PostState(
        key=key,
        described=described,
        described_by=next((author for author, reason, _ in authors if reason is None), None),
        author=next((author for author, _, believed in authors if believed), None),
        corrections={(author, reason) for author, reason, _ in authors if reason is not None},
        platform=platform,
        kind=kind,
        published_at=published_at,
        visibility=visibility,
        digest=digest,
        special_category=max(changes)[1] if changes else special,
        depicts=frozenset(depicts),
    )


CREATE: LiteralString = """
UNWIND $authors AS row
MATCH (u:User {key: row[0]})
UNWIND row[1] AS post
CREATE (:Post {
  key: post[0], described_at: $now, platform: post[1], kind: post[2], published_at: post[3], visibility: post[4],
  special_category: post[5], digest: post[6]
})-[:AUTHORED_BY {recorded_at: $now}]->(u)
"""


async def create(
    tx: Tx, pseudonyms: Pseudonyms, authors: Sequence[tuple[str, Sequence[Sequence[Any]]]], now: Instant
) -> None:
    """Write posts whose keys were never recorded, grouped by author.

    A post is [key, platform, kind, published_at, visibility, special_category, digest].

    Raises:
        RacedError: another transaction recorded one of the keys meanwhile; this one cannot go on.
        SuppressedError: some of the keys are those of erased posts.
    """
    try:
        await tx.rows(CREATE, authors=Rows(authors), now=now)
    except ConstraintError as error:
        raise RacedError from error
    await check_posts(tx, pseudonyms, [row[0] for _, rows in authors for row in rows])


DESCRIBE: LiteralString = """
UNWIND $posts AS post
MATCH (p:Post {key: post[0]})
SET p.described_at = $now, p.platform = post[1], p.kind = post[2], p.published_at = post[3], p.visibility = post[4],
    p.special_category = post[5], p.digest = post[6]
"""


async def describe(tx: Tx, posts: Sequence[Sequence[Any]], now: Instant) -> None:
    """Give posts that were known by key only their description; the rows are those of `create`."""
    await tx.rows(DESCRIBE, posts=Rows(posts), now=now)


END_AUTHORS: LiteralString = """
UNWIND $posts AS key
MATCH (:Post {key: key})-[a:AUTHORED_BY]->(:User)
WHERE a.until IS NULL
SET a.until = $now
"""

LINK_AUTHORS: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
WITH p, row[1] AS author, row[2] AS reason, row[3] AS until
MATCH (u:User {key: author})
CREATE (p)-[:AUTHORED_BY {recorded_at: $now, until: until, reason: reason}]->(u)
"""


async def end_authors(tx: Tx, posts: Collection[str], now: Instant) -> None:
    """Stop believing in the posts' present authors."""
    await tx.rows(END_AUTHORS, posts=Rows(sorted(posts)), now=now)


async def link_authors(tx: Tx, rows: Sequence[tuple[str, str, str | None, Instant | None]], now: Instant) -> None:
    """Tie posts to authors: (post, author, reason or None for the post record's, until).

    An `until` of now records what was said without ever having been believed.
    """
    await tx.rows(LINK_AUTHORS, rows=Rows([list(row) for row in rows]), now=now)


END_DEPICTIONS: LiteralString = """
UNWIND $rows AS row
MATCH (:Post {key: row[0]})-[d:DEPICTS]->(:User {key: row[1]})
WHERE d.until IS NULL
SET d.until = $now
"""

LINK_DEPICTED: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
WITH p, row[1] AS user
MATCH (u:User {key: user})
CREATE (p)-[:DEPICTS {recorded_at: $now}]->(u)
"""


async def end_depictions(tx: Tx, rows: Sequence[tuple[str, str]], now: Instant) -> None:
    """Stop believing that posts depict people: (post, user)."""
    await tx.rows(END_DEPICTIONS, rows=Rows([list(row) for row in rows]), now=now)


async def link_depicted(tx: Tx, rows: Sequence[tuple[str, str]], now: Instant) -> None:
    """Tie posts to people whom they depict: (post, user)."""
    await tx.rows(LINK_DEPICTED, rows=Rows([list(row) for row in rows]), now=now)


ADD_DIGESTS: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
SET p.digest = row[1]
"""


async def add_digests(tx: Tx, rows: Sequence[tuple[str, str]]) -> None:
    """Complete descriptions that named no digest."""
    await tx.rows(ADD_DIGESTS, rows=Rows([list(row) for row in rows]))


CHANGES: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})-[:CHANGED]->(c:PostChange)
WHERE c.field IN ['visibility', 'deleted']
RETURN collect([p.key, c.field, c.value, c.valid_from]) AS rows
"""

ADD_CHANGES: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
CREATE (p)-[:CHANGED]->(:PostChange {field: row[1], value: row[2], valid_from: row[3], recorded_at: $now})
"""

Change = tuple[str, str, str | None, Instant]
"""Post, field, value and valid_from: the natural key of what changed about a post."""


async def changes(tx: Tx, posts: Collection[str]) -> set[Change]:
    """The changes of visibility and the deletions that are recorded of the posts."""
    rows = (await tx.get(CHANGES, posts=Rows(sorted(posts))))["rows"]
    return {(post, name, value, valid_from) for post, name, value, valid_from in rows}


async def add_changes(tx: Tx, rows: Sequence[Change], now: Instant) -> None:
    """Append changes to posts."""
    await tx.rows(ADD_CHANGES, rows=Rows([list(row) for row in rows]), now=now)


async def add_special_category(tx: Tx, rows: Sequence[tuple[str, bool]], now: Instant) -> None:
    """Append what later records said of special category data; it holds for every valid time."""
    values = [[post, "special_category", value, ALWAYS] for post, value in rows]
    await tx.rows(ADD_CHANGES, rows=Rows(values), now=now)
