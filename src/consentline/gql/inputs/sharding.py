"""What tells how a training run was sharded."""

import strawberry

from consentline.domain import sharding
from consentline.domain.sharding import AssignedBy, Cell, CellRange, ShardedTraining, parse_position


@strawberry.input(description="The members from one position up to the next range's, and where they were trained on.")
class CellRangeInput:
    """A range of positions and its cell."""

    from_: str = strawberry.field(
        name="from",
        description="The first position: 16 lower-case hexadecimal digits, zeros for the first range.",
    )
    shard: int = strawberry.field(description="The shard, from 1 up.")
    slice: int = strawberry.field(description="The slice of the shard, from 1 up.")

    def cell_range(self) -> CellRange:
        """The domain value."""
        return CellRange(parse_position(self.from_), Cell(self.shard, self.slice))


@strawberry.input(description="What was saved when a shard had been trained on one of its slices and those before it.")
class CheckpointInput:
    """A checkpoint and its cell."""

    shard: int = strawberry.field(description="The shard, from 1 up.")
    slice: int = strawberry.field(description="The slice of the shard, from 1 up.")
    uri: str = strawberry.field(
        description="Where it lies. It is shown to everybody who may see runs: no credentials, no signed URL."
    )
    digest: str | None = strawberry.field(default=None, description='"sha256:…" of it.')

    def checkpoint(self) -> sharding.Checkpoint:
        """The domain value."""
        return sharding.Checkpoint(Cell(self.shard, self.slice), self.uri, self.digest)


@strawberry.input(
    description="Shard-wise training (SISA): each shard trained by itself, slice after slice, stage r on slices 1 to r."
    " Which member lies where is told by a rule: see docs/plans.md."
)
class ShardingInput:
    """A sharding with checkpoints."""

    shards: int = strawberry.field(description="How many shards; times slices at most 10,000.")
    slices: int = strawberry.field(description="How many slices each of them has; 1: it is not sliced.")
    assigned_by: AssignedBy = strawberry.field(
        default=AssignedBy.POST_KEY, description="What of a member tells its position."
    )
    ranges: list[CellRangeInput] | None = strawberry.field(
        default=None, description="Which positions lie where, ascending. Left out: split evenly, shard by shard."
    )
    checkpoints: list[CheckpointInput] | None = strawberry.field(
        default=None, description="What was saved; more can be recorded later by recordSharding."
    )

    def training(self) -> ShardedTraining:
        """The domain value."""
        ranges = tuple(each.cell_range() for each in self.ranges or ())
        saved = tuple(each.checkpoint() for each in self.checkpoints or ())
        return ShardedTraining(sharding.Sharding(self.shards, self.slices, self.assigned_by, ranges), saved)


@strawberry.input(description="How a run that started was sharded, and checkpoints of it.")
class RecordShardingInput:
    """A run and its sharding."""

    run: str = strawberry.field(description="The run's key.")
    sharding: ShardingInput = strawberry.field(
        description="Repeating it changes nothing; with further checkpoints it adds them."
    )
