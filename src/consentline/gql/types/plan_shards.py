"""How far a sharded run must be repeated, as the API shows it."""

import strawberry

from consentline.domain import plan_steps, sharding
from consentline.domain.paging import page_of
from consentline.domain.plan_steps import WholeBecause
from consentline.gql.arguments import After, First
from consentline.gql.context import Info
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.sharding import Checkpoint


@strawberry.type(description="A shard of a sharded run that must be trained again.")
class PlanShard:
    """A shard, from where and at what cost."""

    run: strawberry.Private[str]
    value: strawberry.Private[sharding.ShardRetraining]

    @strawberry.field(description="The shard, from 1 up.")
    def shard(self) -> int:
        """The shard."""
        return self.value.shard

    @strawberry.field(description="The first of its slices that loses a post.")
    def first_slice(self) -> int:
        """The slice."""
        return self.value.first_slice

    @strawberry.field(
        description="How many posts it loses: affected ones, and those that a successor does not hold any more. 0 when"
        " the run must be repeated in full."
    )
    def post_count(self) -> int:
        """The number of posts."""
        return self.value.posts

    @strawberry.field(description="The last recorded checkpoint that rests on none of them; null: begin anew.")
    def resume_from(self) -> Checkpoint | None:
        """The checkpoint."""
        return None if self.value.resume is None else Checkpoint(run=self.run, value=self.value.resume)

    @strawberry.field(description="The slice with whose stage training resumes.")
    def from_slice(self) -> int:
        """The stage."""
        return self.value.from_slice

    @strawberry.field(description="The estimated fraction of the shard's full training; see docs/plans.md.")
    def cost(self) -> float:
        """The cost."""
        return self.value.cost


@strawberry.type(description="How far a run that was trained shard by shard must be repeated.")
class PlanSharding:
    """Shards to train again."""

    run: strawberry.Private[str]
    value: strawberry.Private[plan_steps.PlannedShards]

    @strawberry.field(description="How many shards the run has.")
    def shards(self) -> int:
        """S."""
        return self.value.of_shards

    @strawberry.field(description="How many slices each of them has.")
    def slices(self) -> int:
        """R."""
        return self.value.of_slices

    @strawberry.field(description="The shards that must be trained again, by number; the others stay as they are.")
    def retrained(self, info: Info, first: First = 50, after: After = None) -> Connection[PlanShard]:
        """A page of the shards."""
        listing = listing_of("PlanSharding.retrained", self.run)
        request = info.context.cursors.request(listing, first, after)
        page = page_of(self.value.retrained, lambda each: (each.shard,), request)
        return connect(info.context.cursors, listing, page, lambda each: PlanShard(run=self.run, value=each))

    @strawberry.field(description="Why every shard must be trained anew; null when shards are spared.")
    def whole_because(self) -> WholeBecause | None:
        """The reason."""
        return self.value.whole_because

    @strawberry.field(
        description="How many shards as many posts would hit on average, spread evenly and each for itself:"
        " S(1-(1-1/S)^K)."
    )
    def expected_shards(self) -> float:
        """The expectation."""
        return self.value.expected_shards

    @strawberry.field(description="The estimated fraction of a full run, with shards of equal size.")
    def cost(self) -> float:
        """The cost."""
        return self.value.cost
