"""Membership of posts in dataset versions, kept as intervals over shards: writing costs what changes."""

from collections.abc import Iterator, Mapping, Sequence
from typing import LiteralString, NamedTuple

from consentline.domain import shards
from consentline.domain.datasets import VersionRef
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

_BATCH = 10_000
_SHARDS_AT_ONCE = 20


class DatasetGuard(NamedTuple):
    """A dataset whose guard this transaction holds; `placed` counts the placements ever made in its shards."""

    key: str
    placed: int


LOCK_DATASET: LiteralString = """
MERGE (d:Dataset {key: $dataset})
ON CREATE SET d.title = $dataset, d.placed = 0
SET d.guard = randomUUID()
RETURN d.placed AS placed
"""


async def lock_dataset(tx: Tx, dataset: str) -> DatasetGuard:
    """Take the dataset's guard; the dataset is created when new."""
    return DatasetGuard(dataset, (await tx.get(LOCK_DATASET, dataset=dataset))["placed"])


class Candidate(NamedTuple):
    """A post as a member of a dataset: who wrote it, and the version in which its newest interval began and ended.

    `began` is None when the post was never a member, `ended` is None while it still is one.
    """

    post: str
    author: str | None
    began: int | None
    ended: int | None

    @property
    def open(self) -> bool:
        """Whether the post belongs to the newest content of the dataset."""
        return self.began is not None and self.ended is None


TIED_PEOPLE: LiteralString = """
UNWIND $posts AS key
MATCH (:Post {key: key})-[tie:AUTHORED_BY|DEPICTS]->(u:User)
WHERE tie.until IS NULL
RETURN collect(DISTINCT u.key) AS people
"""


async def tied_people(tx: Tx, posts: Sequence[str]) -> set[str]:
    """Everybody who is believed now to have written one of the posts, or to be depicted in it."""
    people = set[str]()
    for begin in range(0, len(posts), _BATCH):
        people.update((await tx.get(TIED_PEOPLE, posts=Rows(posts[begin : begin + _BATCH])))["people"])
    return people


CANDIDATES: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
WITH p, [(p)-[m:IN_SHARD {dataset: $dataset}]->(:Shard) | m] AS intervals
WITH p, reduce(newest = null, m IN intervals |
  CASE WHEN newest IS NULL OR m.from_version > newest.from_version THEN m ELSE newest END) AS newest
RETURN collect([
  p.key, head([(p)-[a:AUTHORED_BY]->(u:User) WHERE a.until IS NULL | u.key]), newest.from_version, newest.to_version
]) AS rows
"""


async def candidates(tx: Tx, dataset: str, posts: Sequence[str]) -> dict[str, Candidate]:
    """How each post stands in the dataset; posts never recorded are absent."""
    found: dict[str, Candidate] = {}
    for begin in range(0, len(posts), _BATCH):
        row = await tx.get(CANDIDATES, dataset=dataset, posts=list(posts[begin : begin + _BATCH]))
        found.update((each[0], Candidate(*each)) for each in row["rows"])
    return found


FAMILIES: LiteralString = """
UNWIND $families AS family
MATCH (s:Shard {key: family + '/0'})
RETURN family, s.placed AS placed
"""

SHARDS: LiteralString = """
MATCH (d:Dataset {key: $dataset})
UNWIND $shards AS row
MERGE (s:Shard {key: row[0]})
ON CREATE SET s.dataset = $dataset, s.size = 0, s.placed = 0
SET s.size = s.size + row[1], s.placed = s.placed + row[2]
MERGE (d)-[:HAS_SHARD]->(s)
"""

ADD: LiteralString = """
UNWIND $rows AS row
MATCH (s:Shard {key: row[0]})
UNWIND row[1] AS post
MATCH (p:Post {key: post})
CREATE (p)-[:IN_SHARD {dataset: $dataset, from_version: $number}]->(s)
"""

PLACED: LiteralString = """
MATCH (d:Dataset {key: $dataset}) SET d.placed = d.placed + $count
"""


async def add(tx: Tx, guard: DatasetGuard, number: int, posts: Sequence[Candidate], shard_size: int) -> DatasetGuard:
    """Begin an interval at `number` for each post, and answer the guard with its new count."""
    bits = shards.bits_for(guard.placed + len(posts), shard_size)
    family_of = shards.families(guard.key, ((each.post, each.author or each.post) for each in posts), bits)
    names = sorted(set(family_of.values()))
    placed = {row["family"]: row["placed"] for row in await tx.rows(FAMILIES, families=names)}
    by_shard: dict[str, list[str]] = {}
    growth = {shards.shard_key(name, 0): 0 for name in names}
    for post, shard in shards.place(family_of, placed, shard_size):
        by_shard.setdefault(shard, []).append(post)
        growth[shards.shard_key(family_of[post], 0)] += 1
    rows = [[shard, len(by_shard.get(shard, ())), growth.get(shard, 0)] for shard in sorted(growth | by_shard)]
    await tx.rows(SHARDS, dataset=guard.key, shards=rows)
    for batch in _batches(by_shard):
        await tx.rows(ADD, dataset=guard.key, number=number, rows=batch)
    await tx.rows(PLACED, dataset=guard.key, count=len(posts))
    return guard._replace(placed=guard.placed + len(posts))


def _batches(by_shard: Mapping[str, list[str]]) -> Iterator[list[tuple[str, list[str]]]]:
    """The shards with their posts, in statements of bounded size: a statement's rows are held in memory."""
    batch: list[tuple[str, list[str]]] = []
    held = 0
    for shard in sorted(by_shard):
        batch.append((shard, by_shard[shard]))
        held += len(by_shard[shard])
        if held >= _BATCH:
            yield batch
            batch, held = [], 0
    if batch:
        yield batch


CLOSE: LiteralString = """
UNWIND $posts AS key
MATCH (:Post {key: key})-[m:IN_SHARD {dataset: $dataset}]->(:Shard)
WHERE m.to_version IS NULL AND m.from_version < $number
SET m.to_version = $number
"""

UNDO: LiteralString = """
UNWIND $posts AS key
MATCH (:Post {key: key})-[m:IN_SHARD {dataset: $dataset}]->(s:Shard)
WHERE m.to_version IS NULL AND m.from_version = $number
SET s.size = s.size - 1
DELETE m
"""


async def remove(tx: Tx, dataset: str, number: int, posts: Sequence[str]) -> None:
    """End the posts' open intervals at `number`; one that began there never was."""
    ordered = sorted(posts)
    for begin in range(0, len(ordered), _BATCH):
        batch = ordered[begin : begin + _BATCH]
        await tx.rows(CLOSE, dataset=dataset, number=number, posts=batch)
        await tx.rows(UNDO, dataset=dataset, number=number, posts=batch)


CLOSE_ALL: LiteralString = """
MATCH ()-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, from_version)
WHERE m.dataset = $dataset AND m.from_version < $number AND m.to_version IS NULL
SET m.to_version = $number
"""


async def remove_all(tx: Tx, dataset: str, number: int) -> None:
    """End every open interval of the dataset at `number`: the version begins empty."""
    await tx.rows(CLOSE_ALL, dataset=dataset, number=number)


REOPEN: LiteralString = """
UNWIND $posts AS key
MATCH (:Post {key: key})-[m:IN_SHARD {dataset: $dataset}]->(:Shard)
WHERE m.to_version = $number
REMOVE m.to_version
"""


async def reopen(tx: Tx, dataset: str, number: int, posts: Sequence[str]) -> None:
    """Take back that the posts left at `number`."""
    await tx.rows(REOPEN, dataset=dataset, number=number, posts=sorted(posts))


SINCE: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, from_version)
WHERE m.dataset = $dataset AND m.from_version > $base AND m.to_version IS NULL
RETURN collect(p.key) AS posts
"""

LEFT_SINCE: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, to_version)
WHERE m.dataset = $dataset AND m.to_version > $base AND m.from_version <= $base
RETURN collect(p.key) AS posts
"""


async def changed_since(tx: Tx, dataset: str, base: int) -> tuple[set[str], set[str]]:
    """The posts that joined the dataset after version `base` and are still in, and the members of `base` that left."""
    joined = (await tx.get(SINCE, dataset=dataset, base=base))["posts"]
    left = (await tx.get(LEFT_SINCE, dataset=dataset, base=base))["posts"]
    return set(joined), set(left)


OPEN_MEMBERS: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, from_version)
WHERE m.dataset = $dataset AND m.from_version >= 0 AND m.to_version IS NULL
RETURN collect(p.key) AS posts
"""


async def open_members(tx: Tx, dataset: str) -> list[str]:
    """The posts of the newest content of the dataset."""
    return (await tx.get(OPEN_MEMBERS, dataset=dataset))["posts"]


MARK: LiteralString = """
OPTIONAL MATCH (d:Dataset {key: $dataset})
RETURN d.guard AS mark
"""


async def mark(tx: Tx, dataset: str) -> str | None:
    """What every transaction that changes the dataset's members leaves anew; None before the first."""
    return (await tx.get(MARK, dataset=dataset))["mark"]


# Read shard by shard, a bounded number at a time: sorting all members takes more memory than the database grants.
MEMBERS: LiteralString = """
MATCH (s:Shard)
USING INDEX s:Shard(key)
WHERE s.key > $after AND s.key < $end
WITH s ORDER BY s.key LIMIT $most
CALL (s) {
  MATCH (p:Post)-[m:IN_SHARD]->(s)
  WHERE m.dataset = $dataset AND m.from_version <= $number
    AND coalesce(m.to_version, 9223372036854775807) > $number
  RETURN collect(p.key) AS posts
}
WITH collect([s.key, posts]) AS rows
RETURN rows
"""


async def members(tx: Tx, dataset: str, number: int) -> list[str]:
    """The member keys of a version in code point order.

    Outside a transaction it is many statements: who needs them to be of one state compares the `mark` before and after.
    """
    found: list[str] = []
    # Between these lie the keys that begin with the dataset's and a slash.
    after, end = f"{dataset}/", f"{dataset}0"
    while True:
        row = await tx.get(MEMBERS, after=after, end=end, dataset=dataset, number=number, most=_SHARDS_AT_ONCE)
        for _, posts in row["rows"]:
            found += posts
        if len(row["rows"]) < _SHARDS_AT_ONCE:
            break
        after = max(shard for shard, _ in row["rows"])
    found.sort()
    return found


HELD: LiteralString = """
UNWIND $posts AS keys
UNWIND keys AS key
MATCH (p:Post {key: key})
RETURN collect([keys[0], EXISTS {
  MATCH (p)-[m:IN_SHARD {dataset: $dataset}]->(:Shard)
  WHERE m.from_version <= $number AND coalesce(m.to_version, 9223372036854775807) > $number
}]) AS rows
"""


async def held(tx: Tx, dataset: str, number: int, posts: Sequence[Sequence[str]]) -> dict[str, bool]:
    """Whether the posts have an interval with the version number in it; those that nothing names are absent.

    Each by the first of the keys under which it may be stored.
    """
    return dict((await tx.get(HELD, dataset=dataset, number=number, posts=list(posts)))["rows"])


OF_VERSIONS: LiteralString = """
UNWIND $versions AS ref
CALL (ref) {
  MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
  WHERE m.dataset = ref[0] AND m.from_version <= ref[1] AND coalesce(m.to_version, 9223372036854775807) > ref[1]
  RETURN p.key AS post LIMIT $most
}
RETURN ref[0] AS dataset, ref[1] AS number, collect(post) AS posts
"""


async def of_versions(tx: Tx, refs: Sequence[VersionRef], most: int) -> dict[VersionRef, list[str]]:
    """Some member keys of each version, up to `most`; a version without any is absent."""
    rows = await tx.rows(OF_VERSIONS, versions=[[ref.dataset, ref.number] for ref in refs], most=most)
    return {VersionRef(row["dataset"], row["number"]): sorted(row["posts"]) for row in rows}
