"""The retraining plan as the API shows it: post keys and counts, nobody's person."""

import strawberry

from consentline.domain import plan_steps
from consentline.domain.lineage import Lineage
from consentline.domain.paging import page_of
from consentline.gql.arguments import After, First
from consentline.gql.context import Info
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.lineage import (
    DatasetVersion,
    ModelVersion,
    TrainingRun,
    dataset_version,
    model_version,
    training_run,
)
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.plan_steps import PlanStep
from consentline.gql.types.sharding import Checkpoint
from consentline.usecases.plans import PlanAnswer


@strawberry.type(description="The model versions of one level: they can be made again at the same time.")
class PlanLevel:
    """A level."""

    lineage: strawberry.Private[Lineage]
    keys: strawberry.Private[tuple[str, ...]]
    number: int = strawberry.field(description="From 1 up; it waits for the levels before it.")

    @strawberry.field(description="The model versions, by key.")
    def model_versions(self) -> list[ModelVersion]:
        """What is made again."""
        return [model_version(self.lineage, key) for key in self.keys]


@strawberry.type(description="What must be done by an instant, beyond what must be done before it.")
class PlanDeadline:
    """A deadline."""

    answer: strawberry.Private[PlanAnswer]
    value: strawberry.Private[plan_steps.Deadline]

    @strawberry.field(description="The instant.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="Whether it has passed.")
    def overdue(self) -> bool:
        """By the plan's time."""
        return self.value.due_at < self.answer.planned_at

    @strawberry.field(description="The model versions whose steps must be done by then, bases first.")
    def model_versions(self) -> list[ModelVersion]:
        """What is made again."""
        return [model_version(self.answer.lineage, key) for key in self.value.models]


@strawberry.type(description="What making each model version again once, for all events together, saves.")
class PlanSaving:
    """Figures of batching; costs in full runs of a model version."""

    retrainings: int = strawberry.field(description="How many model versions are made again.")
    retrainings_one_by_one: int = strawberry.field(description="How often one would be, event by event.")
    cost: float = strawberry.field(description="The estimated cost, in full runs.")
    cost_one_by_one: float = strawberry.field(description="The estimated cost event by event, in full runs.")


@strawberry.type(
    description="A version without a COMPLETE manifest that runs read and that cannot rule posts out. It raises no"
    " flag, and nothing in the plan rests on what it may hold: it is told apart."
)
class PlanPossibility:
    """What may have been used."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[plan_steps.Possibility]

    @strawberry.field(description="The version.")
    def dataset_version(self) -> DatasetVersion:
        """What cannot rule posts out."""
        return dataset_version(self.lineage, self.value.version)

    @strawberry.field(description="The runs that read it, by key.")
    def training_runs(self) -> list[TrainingRun]:
        """Who read it."""
        return [training_run(self.lineage, key) for key in self.value.runs]

    @strawberry.field(description="The model versions that came of these runs, in any relation, by key.")
    def model_versions(self) -> list[ModelVersion]:
        """What may have used a post."""
        return [model_version(self.lineage, key) for key in self.value.models]

    @strawberry.field(description="How many of the plan's affected posts it cannot rule out.")
    def post_count(self) -> int:
        """The number of posts."""
        return self.value.posts

    @strawberry.field(
        description="How many live objections are of somebody of whom it cannot rule out a post, recorded or not."
    )
    def objection_count(self) -> int:
        """The number of objections that name it in possibleVersions."""
        return self.value.objections


@strawberry.type(
    description="What must be retrained, in which order and from what, by the committed records. It speaks of these,"
    " not of weights: see docs/plans.md."
)
class RetrainingPlan:
    """A plan as of now."""

    answer: strawberry.Private[PlanAnswer]

    @strawberry.field(description="The model version that was asked about; null: all that have an open flag.")
    def model_version(self) -> ModelVersion | None:
        """What was asked about."""
        asked = self.answer.asked
        return None if asked is None else model_version(self.answer.lineage, asked)

    @strawberry.field(description="By when the flags are due that it is for; null: all.")
    def by(self) -> DateTime | None:
        """The bound that was asked for."""
        return instant_or_none(self.answer.by)

    @strawberry.field(description="When it was made: it holds for the records as they were then.")
    def planned_at(self) -> DateTime:
        """The plan's time."""
        return instant(self.answer.planned_at)

    @strawberry.field(description="The steps, by level, then by key: each after what it waits for.")
    def steps(self, info: Info, first: First = 50, after: After = None) -> Connection[PlanStep]:
        """A page of the steps."""
        listing = listing_of("RetrainingPlan.steps", self.answer.asked or "", str(self.answer.by or ""))
        request = info.context.cursors.request(listing, first, after)
        page = page_of(self.answer.plan.steps, lambda step: (step.level, step.model), request)
        return connect(info.context.cursors, listing, page, lambda step: PlanStep(answer=self.answer, value=step))

    @strawberry.field(description="The levels, each with what can be made again at the same time.")
    def levels(self) -> list[PlanLevel]:
        """The order in short."""
        levels = enumerate(self.answer.plan.levels, start=1)
        return [PlanLevel(lineage=self.answer.lineage, keys=keys, number=number) for number, keys in levels]

    @strawberry.field(description="What must be done by when, the earliest first.")
    def deadlines(self) -> list[PlanDeadline]:
        """The deadlines."""
        return [PlanDeadline(answer=self.answer, value=each) for each in self.answer.plan.deadlines]

    @strawberry.field(description="What handling all events together saves.")
    def saving(self) -> PlanSaving:
        """The figures."""
        saving = self.answer.plan.saving
        return PlanSaving(
            retrainings=saving.retrainings,
            retrainings_one_by_one=saving.one_by_one,
            cost=saving.cost,
            cost_one_by_one=saving.cost_one_by_one,
        )

    @strawberry.field(description="How many distinct posts have to go.")
    def affected_post_count(self) -> int:
        """The number of posts."""
        return self.answer.plan.posts

    @strawberry.field(
        description="RETIRED model versions that have an open flag: nothing has to be made for it; it can be resolved"
        " as RETIRED."
    )
    def retired(self) -> list[ModelVersion]:
        """Flagged and retired."""
        return [model_version(self.answer.lineage, key) for key in self.answer.plan.retired]

    @strawberry.field(
        description="Runs that used affected posts and produced nothing: they failed, or are under way still. Nothing"
        " is to be retrained for them; what one under way produces will be flagged."
    )
    def unproductive_runs(self) -> list[TrainingRun]:
        """Uses with no model version."""
        return [training_run(self.answer.lineage, key) for key in self.answer.plan.unproductive]

    @strawberry.field(
        description="The checkpoints, of every run, that rest on affected posts: of a hit shard those from the slice"
        " on, and all of what was derived. To be deleted once they are not needed as evidence."
    )
    def checkpoints_to_delete(self, info: Info, first: First = 50, after: After = None) -> Connection[Checkpoint]:
        """A page of the checkpoints."""
        listing = listing_of("RetrainingPlan.checkpoints", self.answer.asked or "", str(self.answer.by or ""))
        request = info.context.cursors.request(listing, first, after)
        page = page_of(self.answer.plan.doomed, lambda each: (each.run, *each.checkpoint.cell), request)
        return connect(
            info.context.cursors, listing, page, lambda each: Checkpoint(run=each.run, value=each.checkpoint)
        )

    @strawberry.field(
        description="Versions of which it is not known what they hold, and what came of them, as far as they cannot"
        " rule out affected posts or posts of people who object. For one model version: of those upstream of it."
    )
    def cannot_rule_out(self) -> list[PlanPossibility]:
        """UNKNOWN, told apart."""
        known = self.answer.lineage
        return [PlanPossibility(lineage=known, value=each) for each in self.answer.plan.possibilities]

    @strawberry.field(description="How many open flags are due after `by` and are not in the plan.")
    def later_flag_count(self) -> int:
        """What is left out."""
        return self.answer.plan.later
