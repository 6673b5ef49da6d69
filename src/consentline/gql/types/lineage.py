"""The upper graph as the API shows it: datasets, versions, runs, model versions, features, flags.

A view holds the `Lineage` in which it was found, so that everything below it is of one moment.
"""

from typing import Annotated

import strawberry

from consentline.domain import builds, datasets, flags, lineage, training
from consentline.domain.access import Action
from consentline.domain.datasets import Coverage, VersionRef, VersionStatus
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.lineage import Kind, Lineage
from consentline.domain.paging import page_of
from consentline.domain.training import ModelStatus, RunStatus
from consentline.gql.arguments import AI_TRAINING, After, At, First, Purpose, asked
from consentline.gql.context import Context, Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.causes import FlagCause, list_causes
from consentline.gql.types.eligibility import ReasonCount, reason_counts
from consentline.gql.types.node import Node
from consentline.gql.types.paging import Connection, connect
from consentline.gql.types.recipients import Recipient
from consentline.gql.types.sharding import Sharding
from consentline.usecases import builds as build_cases
from consentline.usecases import counts as count_cases
from consentline.usecases import datasets as dataset_cases
from consentline.usecases import flags as flag_cases
from consentline.usecases import recipients as recipient_cases
from consentline.usecases import sharding as sharding_cases


@strawberry.type(description="A named collection of posts, in versions.")
class Dataset(Node):
    """A dataset by its key."""

    lineage: strawberry.Private[Lineage]
    key: str = strawberry.field(description="The caller's own key.")

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.DATASET, self.key)

    @strawberry.field(description="What people call it.")
    def title(self) -> str:
        """The title."""
        return self.lineage.titles[self.key]

    @strawberry.field(description="Its versions, by number.")
    def versions(self, info: Info, first: First = 50, after: After = None) -> Connection["DatasetVersion"]:
        """A page of the versions held in memory."""
        listing = f"Dataset.versions:{self.key}"
        request = info.context.cursors.request(listing, first, after)
        page = page_of(self.lineage.numbers.get(self.key, ()), lambda number: (number,), request)
        return connect(
            info.context.cursors,
            listing,
            page,
            lambda number: dataset_version(self.lineage, VersionRef(self.key, number)),
        )

    @strawberry.field(description="To whom it was handed on, by key: they are told of restriction and erasure.")
    async def recipients(self, info: Info) -> list[Recipient]:
        """All of them: they are few."""
        return [Recipient(value=each) for each in await recipient_cases.of_dataset(info.context.service, self.key)]


@strawberry.type(description="How far the build of a dataset version is.")
class BuildProgress:
    """Counts as last written down."""

    value: strawberry.Private[builds.BuildProgress]

    @strawberry.field(description="How many posts of the selection were examined.")
    def examined(self) -> int:
        """The number examined."""
        return self.value.examined

    @strawberry.field(description="How many of them were taken.")
    def taken(self) -> int:
        """The number of members so far."""
        return self.value.taken

    @strawberry.field(description="When this was written down.")
    def updated_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.updated_at)


@strawberry.type(description="One version of a dataset: immutable once sealed.")
class DatasetVersion(Node):
    """A dataset version as recorded."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[datasets.DatasetVersion]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.DATASET_VERSION, self.value.dataset, self.value.number)

    @strawberry.field(description="The dataset that it is a version of.")
    def dataset(self) -> Dataset:
        """Its dataset."""
        return Dataset(lineage=self.lineage, key=self.value.dataset)

    @strawberry.field(description="From 1 up within its dataset.")
    def number(self) -> int:
        """The number."""
        return self.value.number

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> VersionStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="How much is known of what it holds.")
    def coverage(self) -> Coverage:
        """The coverage."""
        return self.value.coverage

    @strawberry.field(description="How many posts it holds; null unless COMPLETE and sealed.")
    def post_count(self) -> int | None:
        """The number of members."""
        return self.value.post_count

    @strawberry.field(description="How many members may not be used now; null unless COMPLETE and sealed.")
    async def ineligible_count(self, info: Info, purpose: Purpose = AI_TRAINING) -> int | None:
        """The number of members that have a reason now."""
        return await count_cases.ineligible_count(info.context.service, self.value.ref, purpose)

    @strawberry.field(description='"sha256:…" over the sorted member keys; null unless COMPLETE and sealed.')
    def manifest_digest(self) -> str | None:
        """The digest of the members."""
        return self.value.manifest_digest

    @strawberry.field(description="When it became immutable; null while it is BUILDING.")
    def sealed_at(self) -> DateTime | None:
        """The seal's recorded time."""
        return instant_or_none(self.value.sealed_at)

    @strawberry.field(description="The dataset versions that it was made from.")
    def derived_from(self) -> list["DatasetVersion"]:
        """Its upstream."""
        return [dataset_version(self.lineage, ref) for ref in self.value.derived_from]

    @strawberry.field(description="The model versions that wrote it, when it is synthetic.")
    def generated_by(self) -> list["ModelVersion"]:
        """Its generators."""
        return [model_version(self.lineage, key) for key in self.value.generated_by]

    @strawberry.field(
        description="Whether a post is a member; null when coverage is not COMPLETE, or it is not sealed."
    )
    async def contains(
        self, info: Info, post: Annotated[str, strawberry.argument(description="The post's key.")]
    ) -> bool | None:
        """Membership of one post."""
        return await dataset_cases.contains(info.context.service, self.value, asked(post, "post"))

    @strawberry.field(
        description="How far its build is, or was when it ended; null when buildDatasetVersion did not make it."
    )
    async def build_progress(self, info: Info) -> BuildProgress | None:
        """Read anew each time: a build writes it down as it goes on."""
        if self.value.build is None:
            return None
        progress = await build_cases.find_progress(info.context.service, self.value.ref)
        return None if progress is None else BuildProgress(value=progress)

    @strawberry.field(
        description="What its build left out of its selection, by reason: a post counts under each reason that it had."
        " Empty while it is BUILDING, and when buildDatasetVersion did not make it."
    )
    def excluded(self) -> list[ReasonCount]:
        """The counts recorded with the seal."""
        return [] if self.value.build is None else reason_counts(self.value.build.excluded)


@strawberry.type(description="A training run: what it read and what it made.")
class TrainingRun(Node):
    """A training run as recorded."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[training.TrainingRun]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.TRAINING_RUN, self.value.key)

    @strawberry.field(description="The caller's own key.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> RunStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="What it was for; null when nobody recorded it.")
    def purpose(self) -> str | None:
        """The purpose."""
        return self.value.purpose

    @strawberry.field(description="The dataset versions that it reads.")
    def inputs(self) -> list[DatasetVersion]:
        """Its inputs."""
        return [dataset_version(self.lineage, ref) for ref in self.value.inputs]

    @strawberry.field(description="The base checkpoints that it starts from.")
    def started_from(self) -> list["ModelVersion"]:
        """Its bases."""
        return [model_version(self.lineage, key) for key in self.value.started_from]

    @strawberry.field(description="The model version that it made; null until it has, and when it failed.")
    def produced(self) -> "ModelVersion | None":
        """Its product."""
        return None if self.value.produced is None else model_version(self.lineage, self.value.produced)

    @strawberry.field(description="When it started; null while it has not.")
    def started_at(self) -> DateTime | None:
        """The start."""
        return instant_or_none(self.value.started_at)

    @strawberry.field(description="When it ended; null while it has not, or when nobody recorded it.")
    def ended_at(self) -> DateTime | None:
        """The end."""
        return instant_or_none(self.value.ended_at)

    @strawberry.field(description="When the gate authorised it; null when it was recorded as it happened.")
    def authorized_at(self) -> DateTime | None:
        """The authorisation's recorded time."""
        return instant_or_none(self.value.authorized_at)

    @strawberry.field(description="Why it failed; null when it did not, or nobody recorded it.")
    def fail_reason(self) -> str | None:
        """The reason of failTraining."""
        return self.value.fail_reason

    @strawberry.field(description="How it was sharded (SISA); null when nobody recorded that it was.")
    async def sharding(self, info: Info) -> Sharding | None:
        """Shards, slices and checkpoints."""
        found = await sharding_cases.find_sharding(info.context.service, self.value.key)
        return None if found is None else Sharding(run=self.value.key, value=found)

    @strawberry.field(
        description="A fresh permit, for the training job to show: a signed and short-lived JWT. Null unless it is"
        " RUNNING through the gate, and for roles that may not start runs."
    )
    def permit(self, info: Info) -> str | None:
        """The run's permit, signed for this request."""
        return permit_of(info.context, self)


@strawberry.type(description="A version of a model.")
class ModelVersion(Node):
    """A model version as recorded."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[training.ModelVersion]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.MODEL_VERSION, self.value.key)

    @strawberry.field(description='"model:version", such as "llama-uk:2".')
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The model's name.")
    def model(self) -> str:
        """The model."""
        return self.value.model

    @strawberry.field(description="The version's name within the model.")
    def version(self) -> str:
        """The version."""
        return self.value.version

    @strawberry.field(description="Whether it is still used.")
    def status(self) -> ModelStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="The run that made it; null when it came from a derivation.")
    def trained_by(self) -> TrainingRun | None:
        """The run that produced it."""
        run = self.lineage.trained_by.get(self.value.key)
        return None if run is None else TrainingRun(lineage=self.lineage, value=run)

    @strawberry.field(description='The product features that it serves now: "recommendations", "advertising", …')
    async def features(self, info: Info) -> list[str]:
        """The features that it serves."""
        return self.lineage.features_of(self.value.key, await info.context.now())

    @strawberry.field(description="Its retraining flags, by the time they were raised.")
    async def flags(
        self,
        info: Info,
        status: Annotated[
            FlagStatus | None, strawberry.argument(description="Only flags of this status. Left out: all.")
        ] = None,
        first: First = 50,
        after: After = None,
    ) -> Connection["RetrainingFlag"]:
        """A page of its flags."""
        return await list_flags(info.context, status, self.value.key, first, after)


@strawberry.type(description="A product feature that model versions serve.")
class Feature(Node):
    """A feature by its key."""

    lineage: strawberry.Private[Lineage]
    key: str = strawberry.field(description="The caller's own key.")

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.FEATURE, self.key)

    @strawberry.field(description="The model versions that serve it.")
    async def served_by(self, info: Info, at: At = None) -> list[ModelVersion]:
        """The model versions that serve it at a time."""
        moment = await info.context.now() if at is None else at
        serving = {
            each.model_version for each in self.lineage.servings if each.feature == self.key and each.holds(moment)
        }
        return [model_version(self.lineage, key) for key in sorted(serving)]


CauseFilter = Annotated[
    CauseKind | None, strawberry.argument(description="Only causes of this kind. Left out: of every kind.")
]


@strawberry.type(description="A model version must be retrained, retired or justified, and until when.")
class RetrainingFlag(Node):
    """A flag as it stands."""

    lineage: strawberry.Private[Lineage]
    value: strawberry.Private[flags.RetrainingFlag]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.RETRAINING_FLAG, self.value.uid)

    @strawberry.field(description="The model version that is flagged.")
    def model_version(self) -> ModelVersion:
        """What is flagged."""
        return model_version(self.lineage, self.value.model_version)

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> FlagStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="How it was resolved; null until it is.")
    def resolution(self) -> FlagResolution | None:
        """The resolution."""
        return self.value.resolution

    @strawberry.field(description="When it was raised.")
    def raised_at(self) -> DateTime:
        """The recorded time of its first cause."""
        return instant(self.value.raised_at)

    @strawberry.field(description="The earliest due date of its causes.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="How many causes it has.")
    async def cause_count(self, info: Info, kind: CauseFilter = None) -> int:
        """The number of causes."""
        return await flag_cases.cause_count(info.context.service, self.value.uid, kind)

    @strawberry.field(description="How many distinct posts its causes concern.")
    async def affected_post_count(self, info: Info, kind: CauseFilter = None) -> int:
        """The number of posts over its causes."""
        return await flag_cases.affected_post_count(info.context.service, self.value, kind)

    @strawberry.field(description="Why no retraining is needed; null otherwise.")
    def justification(self) -> str | None:
        """The justification."""
        return self.value.justification

    @strawberry.field(description="The model version that replaces the flagged one; null until there is one.")
    def replacement(self) -> ModelVersion | None:
        """The replacement."""
        return None if self.value.replacement is None else model_version(self.lineage, self.value.replacement)

    @strawberry.field(description="When somebody took it up; null when nobody said so.")
    def acknowledged_at(self) -> DateTime | None:
        """The acknowledgement's recorded time."""
        return instant_or_none(self.value.acknowledged_at)

    @strawberry.field(description="When the retraining is planned for, as last said; null while it is not planned.")
    def planned_for(self) -> DateTime | None:
        """The plan."""
        return instant_or_none(self.value.planned_for)

    @strawberry.field(description="When it was resolved; null until it is.")
    def resolved_at(self) -> DateTime | None:
        """The resolution's recorded time."""
        return instant_or_none(self.value.resolved_at)

    @strawberry.field(description="The flag of the same model version that was resolved before this one was raised.")
    async def previous(self, info: Info) -> "RetrainingFlag | None":
        """The flag before."""
        return await _other_flag(info.context, self.value.previous)

    @strawberry.field(description="The flag that a new cause raised after this one was resolved.")
    async def next(self, info: Info) -> "RetrainingFlag | None":
        """The flag after."""
        return await _other_flag(info.context, self.value.next)

    @strawberry.field(
        description="Its causes, in the order in which they were recorded: what holds it open, or held it when it was"
        " resolved. What fell away before is not among them."
    )
    async def causes(
        self, info: Info, kind: CauseFilter = None, first: First = 50, after: After = None
    ) -> Connection[FlagCause]:
        """A page of its causes."""
        return await list_causes(info.context, self.value.uid, kind, first, after)


def dataset_version(known: Lineage, ref: VersionRef) -> DatasetVersion:
    """The view of a version that the lineage knows."""
    return DatasetVersion(lineage=known, value=known.versions[ref])


def training_run(known: Lineage, key: str) -> TrainingRun:
    """The view of a run that the lineage knows."""
    return TrainingRun(lineage=known, value=known.runs[key])


def permit_of(context: Context, run: TrainingRun) -> str | None:
    """A fresh permit for a run that is RUNNING through the gate, to bearers who could have started it."""
    if context.sign_permit is None or not context.may(Action.WRITE_LINEAGE):
        return None
    return context.sign_permit(run.value, [run.lineage.versions[ref] for ref in run.value.inputs])


def model_version(known: Lineage, key: str) -> ModelVersion:
    """The view of a model version that the lineage knows."""
    return ModelVersion(lineage=known, value=known.models[key])


def upper_node(known: Lineage, node: lineage.Node) -> Node | None:
    """The view of a node of the upper graph; None when the lineage does not know it, or it is a post."""
    if not known.exists(node):
        return None
    match node.kind:
        case Kind.DATASET_VERSION:
            return dataset_version(known, VersionRef(node.key, node.number))
        case Kind.TRAINING_RUN:
            return training_run(known, node.key)
        case Kind.MODEL_VERSION:
            return model_version(known, node.key)
        case Kind.FEATURE:
            return Feature(lineage=known, key=node.key)
        case Kind.POST:
            return None


async def _other_flag(context: Context, uid: str | None) -> RetrainingFlag | None:
    flag = None if uid is None else await flag_cases.find_flag(context.service, uid)
    return None if flag is None else await flag_view(context, flag)


async def flag_view(context: Context, flag: flags.RetrainingFlag) -> RetrainingFlag:
    """The view of a flag, in a lineage that knows the model versions that it names."""
    named = [key for key in (flag.model_version, flag.replacement) if key is not None]
    return RetrainingFlag(lineage=await context.lineage(models=named), value=flag)


async def list_flags(
    context: Context, status: FlagStatus | None, model: str | None, first: int, after: str | None
) -> Connection[RetrainingFlag]:
    """A page of the flags of a model version, or of all."""
    listing = f"flags:{status or ''}:{'' if model is None else model}"
    request = context.cursors.request(listing, first, after)
    page = await flag_cases.list_flags(context.service, status, model, request)
    named = [key for flag in page.items for key in (flag.model_version, flag.replacement) if key is not None]
    known = await context.lineage(models=named)
    return connect(context.cursors, listing, page, lambda flag: RetrainingFlag(lineage=known, value=flag))
