"""What a retraining plan is made from: open flags, where posts lie, and what versions hold and may be used for."""

from collections.abc import Collection, Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.affected import Holding
from consentline.domain.datasets import VersionRef
from consentline.domain.instants import Instant
from consentline.domain.tallies import count_at
from consentline.graph.counts import of_purposes
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

OPEN: LiteralString = """
MATCH (f:RetrainingFlag)
USING INDEX f:RetrainingFlag(open_for)
WHERE f.open_for >= ''
RETURN collect(f.uid) AS uids
"""


async def open_flags(tx: Tx) -> list[str]:
    """The flags that are not resolved, by uid: one a model version at most."""
    return (await tx.get(OPEN))["uids"]


REPLACED: LiteralString = """
UNWIND $models AS model
MATCH (f:RetrainingFlag)
USING INDEX f:RetrainingFlag(model, raised_at, uid)
WHERE f.model = model AND f.raised_at >= -9223372036854775808 AND f.uid >= '' AND f.resolution = 'RETRAINED'
WITH model, f ORDER BY f.resolved_at
RETURN collect([model, f.replacement]) AS rows
"""


async def replaced(tx: Tx, models: Collection[str]) -> dict[str, str]:
    """By what those of the model versions were replaced last that a flag was resolved for as RETRAINED."""
    return dict((await tx.get(REPLACED, models=sorted(models)))["rows"])


HOLDINGS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
RETURN collect([p.key, [(p)-[m:IN_SHARD]->(s:Shard) | [m.dataset, m.from_version, m.to_version, s.key]]]) AS rows
"""


async def holdings(tx: Tx, posts: Sequence[str]) -> dict[str, tuple[Holding, ...]]:
    """Where the posts are or were members, each with its Shard."""
    rows = (await tx.get(HOLDINGS, posts=Rows(posts)))["rows"]
    return {key: tuple(sorted(Holding(*each) for each in held)) for key, held in rows}


class StoredCounts(NamedTuple):
    """The stored counts of a dataset by purpose, as differences; `exact` unless a member is due to be judged again.

    For `unjudged` purposes a policy came since the members were judged.
    """

    deltas: dict[str, list[int]]
    unjudged: frozenset[str]
    exact: bool

    def ineligible(self, number: int, purpose: str) -> int | None:
        """How many members of a version may not be used; None: not known without judging them."""
        if not self.exact or purpose in self.unjudged:
            return None
        return count_at(self.deltas.get(purpose, []), number)


STORED: LiteralString = """
UNWIND $datasets AS dataset
MATCH (d:Dataset {key: dataset})
RETURN collect([
  dataset,
  COLLECT { MATCH (t:TallyBlock {dataset: dataset}) RETURN [t.purpose, t.block, t.deltas] },
  coalesce(d.unjudged, []),
  EXISTS { MATCH (:Post)-[m:IN_SHARD]->(:Shard) USING INDEX m:IN_SHARD(dataset, recheck_at)
    WHERE m.dataset = dataset AND m.recheck_at <= $now }
]) AS rows
"""


async def stored_counts(tx: Tx, datasets: Collection[str], now: Instant) -> dict[str, StoredCounts]:
    """What is stored of how many members of each dataset's versions may not be used."""
    rows = (await tx.get(STORED, datasets=sorted(datasets), now=now))["rows"]
    return {
        dataset: StoredCounts(of_purposes(blocks), frozenset(unjudged), not due)
        for dataset, blocks, unjudged, due in rows
    }


REMOVED: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(s:Shard)
USING INDEX m:IN_SHARD(dataset, to_version)
WHERE m.dataset = $dataset AND m.to_version > $earlier AND m.to_version <= $later AND m.from_version <= $earlier
  AND NOT EXISTS {
    (p)-[o:IN_SHARD {dataset: $dataset}]->(:Shard)
    WHERE o.from_version <= $later AND coalesce(o.to_version, 9223372036854775807) > $later
  }
RETURN collect([p.key, s.key]) AS rows
"""


async def removed(tx: Tx, earlier: VersionRef, later: VersionRef) -> frozenset[tuple[str, str]]:
    """The members of a version that a later one of its dataset does not hold, each with its Shard."""
    row = await tx.get(REMOVED, dataset=earlier.dataset, earlier=earlier.number, later=later.number)
    return frozenset((post, shard) for post, shard in row["rows"])


LIVE_OBJECTIONS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(status, received_at, key)
WHERE o.status = $status AND o.received_at >= $received_at AND o.key >= ''
  AND CASE WHEN o.received_at = $received_at THEN o.key > $key ELSE true END
WITH o ORDER BY o.status, o.received_at, o.key LIMIT $most
RETURN collect([o.status, o.received_at, o.key]) AS rows
"""


async def live_objections(
    tx: Tx, after: tuple[str, Instant, str], most: int
) -> tuple[list[str], tuple[str, Instant, str] | None]:
    """The objections of a status behind one of them (status, received, key), and where to go on: None at the end."""
    status, received_at, key = after
    rows = (await tx.get(LIVE_OBJECTIONS, status=status, received_at=received_at, key=key, most=most))["rows"]
    last = tuple(rows[-1]) if len(rows) == most else None
    return [row[2] for row in rows], last
