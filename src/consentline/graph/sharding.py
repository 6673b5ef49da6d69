"""How training runs were sharded, and their checkpoints. Written under the upper graph's guard."""

from collections.abc import Collection, Sequence
from typing import Any, LiteralString

from consentline.domain.instants import Instant
from consentline.domain.sharding import (
    AssignedBy,
    Cell,
    CellRange,
    Checkpoint,
    ShardedTraining,
    Sharding,
    format_position,
    parse_position,
)
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

CREATE: LiteralString = """
MATCH (t:TrainingRun {key: $run})
CREATE (t)-[:SHARDED_AS]->(:Sharding {
  run: $run, shards: $shards, slices: $slices, assigned_by: $assigned_by, range_begins: $range_begins,
  range_cells: $range_cells, recorded_at: $recorded_at
})
"""


async def create(tx: Tx, run: str, sharding: Sharding, recorded_at: Instant) -> None:
    """Write how a recorded run was sharded."""
    await tx.rows(
        CREATE,
        run=run,
        shards=sharding.shards,
        slices=sharding.slices,
        assigned_by=sharding.assigned_by,
        range_begins=[format_position(each.begin) for each in sharding.ranges],
        range_cells=[number for each in sharding.ranges for number in each.cell],
        recorded_at=recorded_at,
    )


SAVE: LiteralString = """
MATCH (s:Sharding {run: $run})
UNWIND $rows AS row
CREATE (s)-[:SAVED]->(:Checkpoint {
  run: $run, shard: row[0], slice: row[1], uri: row[2], digest: row[3], recorded_at: $recorded_at
})
"""


async def save(tx: Tx, run: str, checkpoints: Sequence[Checkpoint], recorded_at: Instant) -> None:
    """Write checkpoints that are not recorded yet, of a run whose sharding is."""
    rows = Rows([*each.cell, each.uri, each.digest] for each in checkpoints)
    await tx.rows(SAVE, run=run, rows=rows, recorded_at=recorded_at)


OF_RUNS: LiteralString = """
UNWIND $runs AS run
MATCH (s:Sharding {run: run})
RETURN collect([
  s.run, s.shards, s.slices, s.assigned_by, s.range_begins, s.range_cells,
  [(s)-[:SAVED]->(c:Checkpoint) | [c.shard, c.slice, c.uri, c.digest]]
]) AS rows
"""


async def of_runs(tx: Tx, runs: Collection[str]) -> dict[str, ShardedTraining]:
    """Those of the runs that were sharded, with their checkpoints by cell."""
    if not runs:
        return {}
    return {row[0]: _training(*row[1:]) for row in (await tx.get(OF_RUNS, runs=sorted(runs)))["rows"]}


def _training(
    shards: int,
    slices: int,
    assigned_by: str,
    begins: Sequence[str],
    cells: Sequence[int],
    saved: Sequence[Sequence[Any]],
) -> ShardedTraining:
    placed = zip(cells[::2], cells[1::2], strict=True)
    ranges = tuple(CellRange(parse_position(begin), Cell(*cell)) for begin, cell in zip(begins, placed, strict=True))
    checkpoints = sorted(Checkpoint(Cell(shard, slice_), uri, digest) for shard, slice_, uri, digest in saved)
    return ShardedTraining(Sharding(shards, slices, AssignedBy(assigned_by), ranges), tuple(checkpoints))
