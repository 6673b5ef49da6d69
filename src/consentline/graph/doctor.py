"""What `consentline doctor` reads: everything that can be told from what is stored alone, in pages.

Nothing here is read by requests: these statements go through all members, and through all flags and objections.
"""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.instants import Instant
from consentline.graph.session import Tx

COUNTED: LiteralString = """
UNWIND $shards AS shard
MATCH (:Shard {key: shard})<-[m:IN_SHARD]-(p:Post)
UNWIND coalesce(p.ineligible, []) AS purpose
WITH purpose, m.from_version AS begin, m.to_version AS end, count(*) AS posts
RETURN collect([purpose, begin, end, posts]) AS rows
"""


class Counted(NamedTuple):
    """Members that are marked ineligible for a purpose, by the interval of their membership."""

    purpose: str
    begin: int
    end: int | None
    posts: int


async def counted(tx: Tx, shards: Sequence[str]) -> list[Counted]:
    """The marked members that lie in the shards."""
    return [Counted(*row) for row in (await tx.get(COUNTED, shards=list(shards)))["rows"]]


INTERVALS: LiteralString = """
UNWIND $shards AS shard
MATCH (s:Shard {key: shard})<-[m:IN_SHARD]-(p:Post)
WITH s, p, m, coalesce(m.to_version, 9223372036854775807) AS end
WITH s, p, m, end, EXISTS {
    MATCH (p)-[n:IN_SHARD]->(:Shard)
    WHERE n.dataset = m.dataset AND elementId(n) <> elementId(m)
      AND n.from_version < end AND m.from_version < coalesce(n.to_version, 9223372036854775807)
  } AS overlaps
WHERE overlaps OR m.from_version >= end OR m.dataset <> s.dataset
  OR NOT m.from_version IN $numbers OR NOT coalesce(m.to_version, m.from_version) IN $numbers
WITH CASE
  WHEN m.dataset <> s.dataset THEN 'a membership names another dataset than its shard'
  WHEN overlaps THEN 'memberships of one post overlap'
  WHEN m.from_version >= end THEN 'a membership ends before it begins'
  ELSE 'a membership begins or ends at a version that has no manifest' END AS what, count(*) AS times
RETURN collect([what, times]) AS rows
"""


async def wrong_intervals(tx: Tx, shards: Sequence[str], numbers: Sequence[int]) -> dict[str, int]:
    """What is wrong with memberships in the shards, and how often; `numbers` are the versions with a manifest."""
    rows = (await tx.get(INTERVALS, shards=list(shards), numbers=list(numbers)))["rows"]
    return dict(rows)


FLAGS: LiteralString = """
MATCH (f:RetrainingFlag)
USING INDEX f:RetrainingFlag(raised_at, uid)
WHERE f.raised_at >= $after AND f.uid >= ''
  AND CASE WHEN f.raised_at = $after THEN f.uid > $uid ELSE true END
WITH f ORDER BY f.raised_at, f.uid LIMIT $most
CALL (f) {
  MATCH (f)-[c:CAUSED_BY]->(source)
  WHERE c.dropped_at IS NULL
  RETURN count(*) AS causes, min(c.due_at) AS earliest,
    sum(CASE WHEN c.standing_for = f.uid THEN 0 ELSE 1 END) AS unlisted
}
RETURN collect([f.raised_at, f.uid, f.model, f.status, f.open_for, f.due_at, causes, earliest, unlisted,
  COUNT { (f)-[:FLAGS]->(m:ModelVersion) WHERE m.key = f.model }]) AS rows
"""


class StoredFlag(NamedTuple):
    """A flag with what its standing causes say; `unlisted` of these do not name the flag they stand for."""

    raised_at: Instant
    uid: str
    model: str
    status: str
    open_for: str | None
    due_at: Instant
    causes: int
    earliest: Instant | None
    unlisted: int
    models: int


async def flags(tx: Tx, after: tuple[Instant, str], most: int) -> list[StoredFlag]:
    """Flags by the time they were raised, then uid, behind one of them."""
    rows = (await tx.get(FLAGS, after=after[0], uid=after[1], most=most))["rows"]
    return [StoredFlag(*row) for row in rows]


OBJECTORS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(key)
WHERE o.key > $after
WITH o ORDER BY o.key LIMIT $most
RETURN collect([o.key, [(o)-[:FILED_BY]->(u:User) | u.key][0]]) AS rows
"""


async def objectors(tx: Tx, after: str, most: int) -> list[tuple[str, str]]:
    """Objections by key behind one of them, each with its person."""
    rows: list[list[Any]] = (await tx.get(OBJECTORS, after=after, most=most))["rows"]
    return [(key, user) for key, user in rows]
