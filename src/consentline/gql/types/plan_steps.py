"""The steps of a retraining plan as the API shows them."""

import strawberry

from consentline.domain import plan_steps
from consentline.domain.lineage import Lineage
from consentline.domain.paging import page_of
from consentline.domain.plan_steps import BaseChoice, BaseRelation, InputChoice, Method, ObstacleKind
from consentline.gql.arguments import After, First
from consentline.gql.context import Info
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.lineage import (
    DatasetVersion,
    ModelVersion,
    RetrainingFlag,
    TrainingRun,
    dataset_version,
    model_version,
    training_run,
)
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.people import Post
from consentline.gql.types.plan_shards import PlanSharding
from consentline.usecases import posts as post_cases
from consentline.usecases.plans import PlanAnswer


@strawberry.type(description="A model version on which another rests, and what is to stand in its place.")
class PlanBase:
    """A base and the choice."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[plan_steps.Base]

    @strawberry.field(description="The base as recorded.")
    def model_version(self) -> ModelVersion:
        """What it rests on."""
        return model_version(self.lineage, self.value.model)

    @strawberry.field(description="How it rests on it.")
    def relation(self) -> BaseRelation:
        """The relation."""
        return self.value.relation

    @strawberry.field(description="What is to stand in its place.")
    def choice(self) -> BaseChoice:
        """The choice."""
        return self.value.choice

    @strawberry.field(
        description="The model version that takes its place: itself when it is kept, its replacement, or the one whose"
        " step in this plan makes what takes its place."
    )
    def instead(self) -> ModelVersion:
        """What takes its place."""
        return model_version(self.lineage, self.value.instead)


@strawberry.type(description="A Shard of a dataset that holds affected posts of a version.")
class PlanDatasetShard:
    """A Shard with its count."""

    value: strawberry.Private[plan_steps.ShardCount]

    @strawberry.field(description="The Shard's key.")
    def key(self) -> str:
        """The key."""
        return self.value.shard

    @strawberry.field(description="How many affected posts of the version lie in it.")
    def affected_post_count(self) -> int:
        """The number of posts."""
        return self.value.posts


@strawberry.type(description="A dataset version that the run read, and what is to be read instead.")
class PlanInput:
    """An input and the choice."""

    lineage: strawberry.Private[Lineage]
    step: strawberry.Private[str]
    value: strawberry.Private[plan_steps.PlannedInput]

    @strawberry.field(description="The version that the run read.")
    def dataset_version(self) -> DatasetVersion:
        """The input."""
        return dataset_version(self.lineage, self.value.version)

    @strawberry.field(description="What is to be read instead.")
    def choice(self) -> InputChoice:
        """The choice."""
        return self.value.choice

    @strawberry.field(
        description="The sealed later version of the dataset that holds none of the posts; null unless SUCCESSOR."
    )
    def successor(self) -> DatasetVersion | None:
        """The version to read."""
        return None if self.value.successor is None else dataset_version(self.lineage, self.value.successor)

    @strawberry.field(
        description="How many of its members have to go: those that flags of the model version, or of what waits for"
        " it, are about."
    )
    def affected_post_count(self) -> int:
        """The number of posts."""
        return self.value.posts

    @strawberry.field(
        description="How many members of what is to be read (of the version itself without a successor) may not be used"
        " now for the run's purpose; the gate lets none through. Null: not known without judging them."
    )
    def ineligible_count(self) -> int | None:
        """By the stored counts."""
        return self.value.ineligible

    @strawberry.field(description="The dataset's Shards in which affected members of the version lie, by key.")
    def shards(self, info: Info, first: First = 50, after: After = None) -> Connection[PlanDatasetShard]:
        """A page of the Shards."""
        listing = listing_of("PlanInput.shards", self.step, str(self.value.version))
        page = page_of(
            self.value.shards, lambda each: (each.shard,), info.context.cursors.request(listing, first, after)
        )
        return connect(info.context.cursors, listing, page, lambda each: PlanDatasetShard(value=each))


@strawberry.type(description="What the records leave open, so that the step cannot be whole, or its proof not succeed.")
class PlanObstacle:
    """Something that stands in the way."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[plan_steps.Obstacle]

    @strawberry.field(description="What it is.")
    def kind(self) -> ObstacleKind:
        """The kind."""
        return self.value.kind

    @strawberry.field(description="The dataset version that it is about; null for other kinds.")
    def dataset_version(self) -> DatasetVersion | None:
        """The version."""
        return None if self.value.version is None else dataset_version(self.lineage, self.value.version)

    @strawberry.field(description="How many of the posts that have to go the version cannot rule out.")
    def post_count(self) -> int:
        """The number of posts."""
        return self.value.posts


@strawberry.type(description="A model version that must be made again, once, for everything that demands it.")
class PlanStep:
    """A step of a plan."""

    answer: strawberry.Private[PlanAnswer]
    value: strawberry.Private[plan_steps.Step]

    @strawberry.field(description="What must be made again.")
    def model_version(self) -> ModelVersion:
        """The model version."""
        return model_version(self.answer.lineage, self.value.model)

    @strawberry.field(description="1: it waits for nothing. Steps of one level can be done at the same time.")
    def level(self) -> int:
        """The level."""
        return self.value.level

    @strawberry.field(
        description="Its open flag; null when it has none and must be made again all the same: what waits for it would"
        " otherwise rest on posts that have to go."
    )
    def flag(self) -> RetrainingFlag | None:
        """The flag."""
        flag = self.value.flag
        return None if flag is None else RetrainingFlag(lineage=self.answer.lineage, value=flag)

    @strawberry.field(description="The earliest due date of its own flag and of the flags of all that waits for it.")
    def needed_by(self) -> DateTime:
        """The deadline."""
        return instant(self.value.needed_by)

    @strawberry.field(description="Whether that has passed.")
    def overdue(self) -> bool:
        """By the plan's time."""
        return self.value.needed_by < self.answer.planned_at

    @strawberry.field(
        description="Whether it must be done before its own flag is due, or has no flag: something that is due earlier"
        " waits for it."
    )
    def early(self) -> bool:
        """Started for others."""
        return self.value.early

    @strawberry.field(description="What waits for it directly, by key.")
    def required_by(self) -> list[ModelVersion]:
        """What rests on it."""
        return [model_version(self.answer.lineage, key) for key in self.value.required_by]

    @strawberry.field(description="How it is made again.")
    def method(self) -> Method:
        """The method."""
        return self.value.method

    @strawberry.field(description="The run that made it, to be repeated; null when none is recorded.")
    def training_run(self) -> TrainingRun | None:
        """The run."""
        return None if self.value.run is None else training_run(self.answer.lineage, self.value.run)

    @strawberry.field(description="What it rests on, and what is to stand there.")
    def bases(self) -> list[PlanBase]:
        """The bases."""
        return [PlanBase(lineage=self.answer.lineage, value=each) for each in self.value.bases]

    @strawberry.field(description="What the run read, and what is to be read instead.")
    def inputs(self) -> list[PlanInput]:
        """The inputs."""
        step = self.value.model
        return [PlanInput(lineage=self.answer.lineage, step=step, value=each) for each in self.value.inputs]

    @strawberry.field(description="How far a sharded run must be repeated; null when nobody told that it was sharded.")
    def sharding(self) -> PlanSharding | None:
        """The shards."""
        run, shards = self.value.run, self.value.shards
        return None if run is None or shards is None else PlanSharding(run=run, value=shards)

    @strawberry.field(
        description="For how many events it is made again at once: an objection, an erasure, a run, a deleted post, …"
        " An event counts once, also when it gives causes of two kinds."
    )
    def event_count(self) -> int:
        """The number of events."""
        return len(self.value.events)

    @strawberry.field(description="How many posts that it used have to go: for its own flag, or for what waits for it.")
    def affected_post_count(self) -> int:
        """The number of posts."""
        return len(self.value.keys)

    @strawberry.field(description="These posts, by key.")
    async def posts(self, info: Info, first: First = 50, after: After = None) -> Connection[Post]:
        """A page of the posts."""
        context, listing = info.context, listing_of("PlanStep.posts", self.value.model)
        page = page_of(self.value.keys, lambda key: (key,), context.cursors.request(listing, first, after))
        found = await post_cases.find_posts(context.service, page.items)
        return connect(context.cursors, listing, page, lambda key: Post(value=found.get(key, post_cases.Post(key))))

    @strawberry.field(description="The estimated cost, as a fraction of making it again in full; see docs/plans.md.")
    def cost(self) -> float:
        """The cost."""
        return self.value.cost

    @strawberry.field(description="The estimated cost of doing it again for each event, by the same measure.")
    def cost_one_by_one(self) -> float:
        """Without batching."""
        return self.value.cost_one_by_one

    @strawberry.field(description="What the records leave open; empty when they tell all that it takes.")
    def obstacles(self) -> list[PlanObstacle]:
        """What stands in the way."""
        return [PlanObstacle(lineage=self.answer.lineage, value=each) for each in self.value.obstacles]
