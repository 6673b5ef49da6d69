"""What is stored of members for the gate: their last judgement, the tallies made of it, and what is due again.

Everything here is written under the upper graph's guard.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple

from consentline.domain.causes import ScopedPosts
from consentline.domain.concerns import Concern
from consentline.domain.datasets import Membership
from consentline.domain.instants import Instant
from consentline.domain.judgement import Judgement
from consentline.domain.tallies import BLOCK, Differences, Member, TallyKey, count_at, in_blocks, joined
from consentline.graph import holdings
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

TRACKED: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
WHERE EXISTS { (p)-[:IN_SHARD]->(:Shard) }
RETURN collect([p.key, coalesce(p.ineligible, []), coalesce(p.concerns, []),
  [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]]]) AS rows
"""


async def tracked(tx: Tx, posts: Collection[str]) -> dict[str, Member]:
    """Those of the posts that are or were members, as they are counted."""
    rows = (await tx.get(TRACKED, posts=Rows(posts)))["rows"]
    return {
        key: Member(tuple(ineligible), tuple(map(Concern.parse, concerns)), tuple(Membership(*each) for each in held))
        for key, ineligible, concerns, held in rows
    }


OF_PEOPLE: LiteralString = """
UNWIND $people AS key
MATCH (:User {key: key})<-[a:AUTHORED_BY|DEPICTS]-(p:Post)
WHERE a.until IS NULL AND EXISTS { (p)-[:IN_SHARD]->(:Shard) }
RETURN collect(DISTINCT p.key) AS posts
"""


async def tracked_of_people(tx: Tx, people: Collection[str]) -> list[str]:
    """The posts that are or were members and that the people wrote, or that depict them, as believed now; sorted."""
    return sorted((await tx.get(OF_PEOPLE, people=Rows(sorted(people))))["posts"])


DEPICTING: LiteralString = """
MATCH (:User {key: $user})<-[d:DEPICTS]-(p:Post)
WHERE d.until IS NULL AND EXISTS { (p)-[:IN_SHARD]->(:Shard) }
RETURN collect(DISTINCT p.key) AS posts
"""


async def tracked_depicting(tx: Tx, user: str) -> list[str]:
    """The posts that are or were members and that depict the person, as believed now; sorted."""
    return sorted((await tx.get(DEPICTING, user=user))["posts"])


WRITE: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
SET p.ineligible = row[1], p.concerns = row[2]
WITH p, row
MATCH (p)-[m:IN_SHARD]->(:Shard)
SET m.recheck_at = row[3], m.concerned = row[4]
"""


async def write_judgements(tx: Tx, judgements: Mapping[str, Judgement]) -> None:
    """Remember the judgements of tracked posts."""
    rows = [
        [
            key,
            list(each.ineligible),
            [str(concern) for concern in each.concerns] or None,
            each.recheck_at,
            any(concern.policy is None for concern in each.concerns) or None,
        ]
        for key, each in judgements.items()
    ]
    await tx.rows(WRITE, rows=Rows(rows))


class Restricted(NamedTuple):
    """Tracked posts that a person wrote, alike in all that matters; `fresh` are purposes that became ineligible."""

    fresh: tuple[str, ...]
    posts: ScopedPosts


# Each post is read once: for the mark, for the tallies, and for the flags that the objection causes.
RESTRICT: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL AND p.described_at IS NOT NULL
WITH p, p.platform AS platform,
  [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]] AS memberships
WHERE size(memberships) > 0
WITH p, platform, memberships, CASE
  WHEN size($platforms) = 0 OR platform IN $platforms
  THEN [purpose IN $purposes WHERE NOT purpose IN coalesce(p.ineligible, [])]
  ELSE [] END AS fresh
FOREACH (_ IN CASE WHEN size(fresh) > 0 THEN [1] ELSE [] END |
  SET p.ineligible = coalesce(p.ineligible, []) + fresh)
WITH platform, memberships, fresh, count(*) AS posts, CASE WHEN $named THEN collect(p.key) ELSE [] END AS keys
RETURN collect([fresh, platform, memberships, posts, keys]) AS rows
"""


async def restrict(
    tx: Tx, user: str, platforms: Sequence[str], purposes: Sequence[str], *, named: bool
) -> list[Restricted]:
    """Make the person's tracked posts on the platforms (none: all) ineligible for the purposes, without judging them.

    Answers all that the person wrote and that is or was a member, grouped; the posts' keys only when `named`.
    """
    row = await tx.get(RESTRICT, user=user, platforms=list(platforms), purposes=list(purposes), named=named)
    return [
        Restricted(
            tuple(fresh),
            ScopedPosts(
                person=user,
                depicting=False,
                author=user,
                platform=platform,
                memberships=tuple(Membership(*each) for each in memberships),
                posts=posts,
                keys=tuple(keys),
            ),
        )
        for fresh, platform, memberships, posts, keys in row["rows"]
    ]


CHANGE_TALLIES: LiteralString = """
UNWIND $rows AS row
MERGE (t:TallyBlock {dataset: row[0], purpose: row[1], block: row[2]})
WITH t, t.deltas AS before, row[3] AS changes
SET t.deltas = [i IN range(0, size(changes) - 1) | coalesce(before[i], 0) + changes[i]]
"""


async def change(tx: Tx, differences: Differences) -> None:
    """Bring tallies and holdings in line with what changed."""
    await change_tallies(tx, differences.changes())
    await holdings.change(tx, differences.holdings())


async def change_tallies(tx: Tx, changes: Mapping[TallyKey, Mapping[int, int]]) -> None:
    """Add differences, by version number, to the tallies."""
    rows = [[*key, block, by] for key in sorted(changes) for block, by in in_blocks(changes[key]).items()]
    if rows:
        await tx.rows(CHANGE_TALLIES, rows=rows)


OF_DATASET: LiteralString = """
MATCH (t:TallyBlock {dataset: $dataset})
RETURN collect([t.purpose, t.block, t.deltas]) AS rows
"""


async def tallies(tx: Tx, dataset: str) -> dict[TallyKey, list[int]]:
    """The stored differences of the dataset for each purpose, at index i those of version i + 1."""
    rows = (await tx.get(OF_DATASET, dataset=dataset))["rows"]
    return {TallyKey(dataset, purpose): deltas for purpose, deltas in of_purposes(rows).items()}


def of_purposes(rows: Iterable[tuple[str, int, list[int]]]) -> dict[str, list[int]]:
    """The differences for each purpose, from rows of purpose, block and differences."""
    blocks: defaultdict[str, dict[int, list[int]]] = defaultdict(dict)
    for purpose, block, deltas in rows:
        blocks[purpose][block] = deltas
    return {purpose: joined(each) for purpose, each in blocks.items()}


async def close_all(tx: Tx, dataset: str, number: int) -> None:
    """All members of the dataset's newest content leave at `number`: their counts end there."""
    counts = {key: count_at(deltas, number) for key, deltas in (await tallies(tx, dataset)).items()}
    await change_tallies(tx, {key: {number: -count} for key, count in counts.items() if count})


STANDING: LiteralString = """
MATCH (d:Dataset {key: $dataset})
RETURN $purpose IN coalesce(d.unjudged, []) AS unjudged,
  COLLECT {
    MATCH (t:TallyBlock {dataset: $dataset, purpose: $purpose})
    WHERE t.block <= $block
    RETURN [t.block, t.deltas]
  } AS blocks,
  EXISTS {
    MATCH (:Post)-[m:IN_SHARD]->(:Shard)
    USING INDEX m:IN_SHARD(dataset, recheck_at)
    WHERE m.dataset = $dataset AND m.recheck_at <= $now
      AND m.from_version <= $number AND coalesce(m.to_version, 9223372036854775807) > $number
  } AS due
"""


@dataclass(frozen=True, slots=True)
class StoredCount:
    """The stored count of ineligible members; `exact` unless a policy came or a member is due to be judged again."""

    count: int
    exact: bool


async def standing(tx: Tx, dataset: str, number: int, purpose: str, now: Instant) -> StoredCount:
    """What is stored for a version of a dataset with a COMPLETE manifest."""
    block = (number - 1) // BLOCK
    row = await tx.get(STANDING, dataset=dataset, number=number, block=block, purpose=purpose, now=now)
    return StoredCount(count_at(joined(dict(row["blocks"])), number), not (row["unjudged"] or row["due"]))


DUE: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, recheck_at)
WHERE m.dataset = $dataset AND m.recheck_at <= $now
WITH p.key AS key LIMIT $most
RETURN collect(DISTINCT key) AS posts
"""


async def due(tx: Tx, dataset: str, now: Instant, most: int) -> list[str]:
    """Some of the dataset's posts whose judgement may have changed by time alone; sorted."""
    return sorted((await tx.get(DUE, dataset=dataset, now=now, most=most))["posts"])


class Mark(NamedTuple):
    """The purposes for which a rule came since all members of a dataset were judged; each rule makes another mark."""

    purposes: tuple[str, ...]
    uid: str


MARK: LiteralString = """
MATCH (d:Dataset)
SET d.unjudged = coalesce(d.unjudged, []) + [purpose IN $purposes WHERE NOT purpose IN coalesce(d.unjudged, [])],
    d.unjudged_mark = randomUUID()
"""

UNJUDGED: LiteralString = """
MATCH (d:Dataset {key: $dataset})
WHERE d.unjudged IS NOT NULL
RETURN d.unjudged AS purposes, coalesce(d.unjudged_mark, '') AS uid
"""

UNMARK: LiteralString = """
MATCH (d:Dataset {key: $dataset})
WHERE coalesce(d.unjudged_mark, '') = $uid
REMOVE d.unjudged, d.unjudged_mark
"""


BEHIND: LiteralString = """
UNWIND $datasets AS dataset
MATCH (d:Dataset {key: dataset})
WHERE size(coalesce(d.unjudged, [])) > 0 OR EXISTS {
  MATCH (:Post)-[m:IN_SHARD]->(:Shard)
  USING INDEX m:IN_SHARD(dataset, recheck_at)
  WHERE m.dataset = dataset AND m.recheck_at <= $now
}
RETURN collect(d.key) AS datasets
"""


async def behind(tx: Tx, datasets: Collection[str], now: Instant) -> list[str]:
    """Those of the datasets of which a policy came, or a member is due, since their members were judged; sorted."""
    return sorted((await tx.get(BEHIND, datasets=sorted(datasets), now=now))["datasets"])


async def mark_unjudged(tx: Tx, purposes: Collection[str]) -> None:
    """A rule for these purposes came: no dataset's counts hold until its members are judged again."""
    await tx.rows(MARK, purposes=sorted(purposes))


async def unjudged(tx: Tx, dataset: str) -> Mark | None:
    """The mark of the dataset; None when all its members were judged by all rules."""
    row = await tx.find(UNJUDGED, dataset=dataset)
    return None if row is None else Mark(tuple(row["purposes"]), row["uid"])


async def mark_judged(tx: Tx, dataset: str, mark: Mark) -> None:
    """All members of the dataset were judged by what was recorded when it was marked so; nothing, if it is no more."""
    await tx.rows(UNMARK, dataset=dataset, uid=mark.uid)
