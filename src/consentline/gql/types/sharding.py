"""How a training run was sharded, as the API shows it."""

import strawberry

from consentline.domain import sharding
from consentline.domain.paging import page_of
from consentline.domain.sharding import AssignedBy, ShardedTraining, format_position
from consentline.gql.arguments import After, First
from consentline.gql.context import Info
from consentline.gql.types.paging import Connection, connect, listing_of


@strawberry.type(description="The members from one position up to the next range's, and where they were trained on.")
class CellRange:
    """A range of positions and its cell."""

    value: strawberry.Private[sharding.CellRange]

    @strawberry.field(name="from", description="The first position, as 16 hexadecimal digits.")
    def from_(self) -> str:
        """The begin."""
        return format_position(self.value.begin)

    @strawberry.field(description="The shard, from 1 up.")
    def shard(self) -> int:
        """The shard."""
        return self.value.cell.shard

    @strawberry.field(description="The slice of the shard, from 1 up.")
    def slice(self) -> int:
        """The slice."""
        return self.value.cell.slice


@strawberry.type(description="What was saved when a shard had been trained on one of its slices and those before it.")
class Checkpoint:
    """A checkpoint of a run."""

    run: strawberry.Private[str]
    value: strawberry.Private[sharding.Checkpoint]

    @strawberry.field(description="The key of the run that saved it.")
    def run_key(self) -> str:
        """The run."""
        return self.run

    @strawberry.field(description="The shard, from 1 up.")
    def shard(self) -> int:
        """The shard."""
        return self.value.cell.shard

    @strawberry.field(description="The slice of the shard, from 1 up.")
    def slice(self) -> int:
        """The slice."""
        return self.value.cell.slice

    @strawberry.field(description="Where it lies.")
    def uri(self) -> str:
        """The URI."""
        return self.value.uri

    @strawberry.field(description='"sha256:…" of it; null when nobody recorded it.')
    def digest(self) -> str | None:
        """The digest."""
        return self.value.digest


@strawberry.type(description="Shard-wise training (SISA): which member lies in which slice of which shard, by rule.")
class Sharding:
    """A sharding as recorded."""

    run: strawberry.Private[str]
    value: strawberry.Private[ShardedTraining]

    @strawberry.field(description="How many shards, each trained by itself.")
    def shards(self) -> int:
        """S."""
        return self.value.sharding.shards

    @strawberry.field(description="How many slices each shard has; stage r trains on slices 1 to r.")
    def slices(self) -> int:
        """R."""
        return self.value.sharding.slices

    @strawberry.field(description="What of a member tells its position.")
    def assigned_by(self) -> AssignedBy:
        """The rule."""
        return self.value.sharding.assigned_by

    @strawberry.field(description="Which positions lie where, ascending; empty: split evenly, shard by shard.")
    def ranges(self) -> list[CellRange]:
        """The ranges."""
        return [CellRange(value=each) for each in self.value.sharding.ranges]

    @strawberry.field(description="The recorded checkpoints, by shard and slice.")
    def checkpoints(self, info: Info, first: First = 50, after: After = None) -> Connection[Checkpoint]:
        """A page of them."""
        cursors, listing = info.context.cursors, listing_of("Sharding.checkpoints", self.run)
        request = cursors.request(listing, first, after)
        page = page_of(self.value.checkpoints, lambda each: tuple(each.cell), request)
        return connect(cursors, listing, page, lambda each: Checkpoint(run=self.run, value=each))
