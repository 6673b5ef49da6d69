"""What mutations take, and what it becomes: commands of the use cases, with every key checked."""

from collections.abc import Iterable

import strawberry

from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.errors import InvalidInputError
from consentline.domain.flags import FlagResolution
from consentline.domain.keys import check_key
from consentline.domain.training import DerivationKind
from consentline.gql.arguments import AI_TRAINING
from consentline.gql.ids import NodeKind, decode_id
from consentline.gql.scalars import DateTime
from consentline.usecases.datasets import RegisterVersion
from consentline.usecases.objections import FileObjection
from consentline.usecases.training import DeriveModel, RecordTraining

_LONGEST_TEXT = 4_000


@strawberry.input(description="Names a dataset version.")
class DatasetVersionRef:
    """A dataset version by its dataset's key and its number."""

    dataset: str = strawberry.field(description="The dataset's key.")
    number: int = strawberry.field(description="The version's number, from 1 up.")

    def ref(self, field: str) -> VersionRef:
        """The reference, its key checked."""
        return VersionRef(check_key(self.dataset, field), self.number)


@strawberry.input(description="What a dataset version was drawn from. A criterion left out or empty covers everything.")
class SelectionInput:
    """A declared selection."""

    jurisdictions: list[str] | None = strawberry.field(
        default=None, description='Of the authors: ISO 3166-1 alpha-2 or 3166-2 ("GB", "GB-SCT").'
    )
    platforms: list[str] | None = strawberry.field(default=None, description="Where the posts were made.")
    published_from: DateTime | None = strawberry.field(default=None, description="Published then or later.")
    published_before: DateTime | None = strawberry.field(default=None, description="Published before then.")

    def selection(self, field: str) -> Selection:
        """The domain value."""
        return Selection(
            jurisdictions=_keys(self.jurisdictions, field),
            platforms=_keys(self.platforms, field),
            published_from=self.published_from,
            published_before=self.published_before,
        )


@strawberry.input(description="A dataset version to register.")
class RegisterDatasetVersionInput:
    """Of all three coverages."""

    dataset: str = strawberry.field(description="The dataset's key; it is created when new.")
    number: int | None = strawberry.field(
        default=None,
        description="The number expected, for safe retries: the same number and content changes nothing.",
    )
    title: str | None = strawberry.field(default=None, description="What people call the dataset.")
    coverage: Coverage = strawberry.field(description="How much is known of what it holds.")
    posts: list[str] | None = strawberry.field(
        default=None,
        description="COMPLETE: the member keys, even none: SEALED at once. Left out: BUILDING, members come as records"
        " until `seal`.",
    )
    declared_selection: SelectionInput | None = strawberry.field(
        default=None, description="DECLARED: what it was drawn from."
    )
    based_on: int | None = strawberry.field(
        default=None,
        description="COMPLETE without `posts`: start from this version's members and record only changes (member,"
        " member_removed).",
    )
    derived_from: list[DatasetVersionRef] | None = strawberry.field(
        default=None, description="The dataset versions that it was made from."
    )
    generated_by: list[str] | None = strawberry.field(
        default=None, description="The keys of the model versions that wrote it."
    )

    def command(self) -> RegisterVersion:
        """The command of the use case."""
        selection = self.declared_selection
        return RegisterVersion(
            dataset=check_key(self.dataset, "dataset"),
            coverage=self.coverage,
            number=self.number,
            title=_text(self.title, "title"),
            posts=None if self.posts is None else _keys(self.posts, "posts"),
            selection=None if selection is None else selection.selection("declaredSelection"),
            based_on=self.based_on,
            derived_from=_refs(self.derived_from, "derivedFrom"),
            generated_by=_keys(self.generated_by, "generatedBy"),
        )


@strawberry.input(description="A dataset version to build from the posts that may be used.")
class BuildDatasetVersionInput:
    """Announced."""

    dataset: str = strawberry.field(description="The dataset's key; it is created when new.")
    title: str | None = strawberry.field(default=None, description="What people call the dataset.")
    purpose: str = strawberry.field(default=AI_TRAINING, description="What the data is to be used for.")
    selection: SelectionInput | None = strawberry.field(default=None, description="Which posts; left out: all.")
    as_of: DateTime | None = strawberry.field(default=None, description="Valid time of the selection. Left out: now.")


@strawberry.input(description="A dataset version to withdraw.")
class WithdrawDatasetVersionInput:
    """A version and why."""

    dataset: str = strawberry.field(description="The dataset's key.")
    number: int = strawberry.field(description="The version's number.")
    reason: str = strawberry.field(description="Why it may not be used again.")

    def ref(self) -> VersionRef:
        """The version, its key checked."""
        _text(self.reason, "reason")
        return VersionRef(check_key(self.dataset, "dataset"), self.number)


@strawberry.input(description="A training run to authorise.")
class AuthorizeTrainingInput:
    """Announced."""

    run: str = strawberry.field(description="The run's key.")
    inputs: list[DatasetVersionRef] = strawberry.field(description="The dataset versions that it is to read.")
    started_from: list[str] | None = strawberry.field(default=None, description="The keys of its base checkpoints.")
    purpose: str = strawberry.field(default=AI_TRAINING, description="What it is for.")


@strawberry.input(description="The start of an authorised run.")
class StartTrainingInput:
    """Announced."""

    run: str = strawberry.field(description="The run's key.")
    started_at: DateTime | None = strawberry.field(
        default=None, description="Between the authorisation and now. Left out: now."
    )


@strawberry.input(description="The failure of a run.")
class FailTrainingInput:
    """Announced."""

    run: str = strawberry.field(description="The run's key.")
    ended_at: DateTime | None = strawberry.field(default=None, description="When it ended. Left out: now.")
    reason: str = strawberry.field(description="Why it failed.")


@strawberry.input(description="A run to cancel, only while it is AUTHORIZED.")
class CancelTrainingInput:
    """Announced."""

    run: str = strawberry.field(description="The run's key.")


@strawberry.input(description="The completion of a run.")
class CompleteTrainingInput:
    """Announced."""

    run: str = strawberry.field(description="The run's key.")
    model: str = strawberry.field(description="The model of which it made a version.")
    version: str = strawberry.field(description="The version's name within the model.")
    ended_at: DateTime | None = strawberry.field(default=None, description="When it ended. Left out: now.")


@strawberry.input(
    description="A run that happened outside the gate (history, another system): recorded as it was, violations"
    " flagged."
)
class RecordTrainingInput:
    """A run as it was."""

    run: str = strawberry.field(description="The run's key.")
    inputs: list[DatasetVersionRef] = strawberry.field(description="The dataset versions that it read.")
    started_from: list[str] | None = strawberry.field(default=None, description="The keys of its base checkpoints.")
    started_at: DateTime = strawberry.field(description="When it started.")
    ended_at: DateTime | None = strawberry.field(default=None, description="When it ended, if that is known.")
    purpose: str | None = strawberry.field(default=None, description="What it was for, if that is known.")
    model: str | None = strawberry.field(default=None, description="The model; null with `version`: it failed.")
    version: str | None = strawberry.field(default=None, description="The version that it made; null: it failed.")

    def command(self) -> RecordTraining:
        """The command of the use case."""
        return RecordTraining(
            run=check_key(self.run, "run"),
            inputs=_refs(self.inputs, "inputs"),
            started_from=_keys(self.started_from, "startedFrom"),
            started_at=self.started_at,
            ended_at=self.ended_at,
            purpose=_key(self.purpose, "purpose"),
            model=_key(self.model, "model"),
            version=_key(self.version, "version"),
        )


@strawberry.input(description="How a model version was made from others; on an existing one it adds the derivation.")
class DeriveModelInput:
    """A derivation."""

    model: str = strawberry.field(description="The model.")
    version: str = strawberry.field(description="The version's name within the model.")
    from_: list[str] = strawberry.field(name="from", description="The keys of the model versions it was made from.")
    kind: DerivationKind = strawberry.field(description="How it was made.")
    at: DateTime | None = strawberry.field(default=None, description="When it was made. Left out: now.")

    def command(self) -> DeriveModel:
        """The command of the use case."""
        return DeriveModel(
            model=check_key(self.model, "model"),
            version=check_key(self.version, "version"),
            bases=_keys(self.from_, "from"),
            kind=self.kind,
            at=self.at,
        )


@strawberry.input(description="A model version that serves a product feature, taking over from the one before.")
class ServeFeatureInput:
    """A feature and what serves it."""

    feature: str = strawberry.field(description="The feature's key; it is created when new.")
    model_version: str = strawberry.field(description="The model version's key.")
    from_: DateTime | None = strawberry.field(name="from", default=None, description="Since when. Left out: now.")


@strawberry.input(description="An objection as it reached the controller.")
class FileObjectionInput:
    """An objection to file."""

    key: str = strawberry.field(description="The caller's own key: repeating it with the same content changes nothing.")
    user: str = strawberry.field(description="The person's key, recorded before or not.")
    received_at: DateTime = strawberry.field(description="When it was received.")
    purposes: list[str] = strawberry.field(
        default_factory=lambda: [AI_TRAINING], description="The purposes objected to; at least one."
    )
    platforms: list[str] = strawberry.field(default_factory=list, description="The platforms; empty = all.")
    channel: str | None = strawberry.field(default=None, description="How it arrived.")

    def command(self) -> FileObjection:
        """The command of the use case."""
        return FileObjection(
            key=check_key(self.key, "key"),
            user=check_key(self.user, "user"),
            received_at=self.received_at,
            purposes=_keys(self.purposes, "purposes"),
            platforms=_keys(self.platforms, "platforms"),
            channel=_key(self.channel, "channel"),
        )


@strawberry.input(description="The decision on an objection.")
class DecideObjectionInput:
    """An objection and what was decided."""

    key: str = strawberry.field(description="The objection's key.")
    uphold: bool = strawberry.field(description="True: upheld. False: refused, with grounds.")
    grounds: str | None = strawberry.field(default=None, description="Why; required for a refusal (Art. 12(4)).")
    decided_at: DateTime | None = strawberry.field(
        default=None, description="When the person was told: between receivedAt and now. Left out: now."
    )

    def checked_grounds(self) -> str | None:
        """The grounds, within bounds."""
        return _text(self.grounds, "grounds")


@strawberry.input(description="The one extension of an objection's deadline, by two further months (Art. 12(3)).")
class ExtendObjectionInput:
    """Announced."""

    key: str = strawberry.field(description="The objection's key.")
    reason: str = strawberry.field(description="Why more time is needed; the person is told.")


@strawberry.input(description="An objection that the person takes back.")
class WithdrawObjectionInput:
    """An objection by its key."""

    key: str = strawberry.field(description="The objection's key.")


@strawberry.input(description="A person's request for erasure (Art. 17).")
class RequestErasureInput:
    """Announced."""

    key: str = strawberry.field(description="The caller's own key.")
    user: str = strawberry.field(description="The person's key.")
    received_at: DateTime = strawberry.field(description="When it was received.")


@strawberry.input(description="A flag that somebody takes up.")
class AcknowledgeFlagInput:
    """A flag by its id."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")

    def uid(self) -> str:
        """What the id stands for.

        Raises:
            InvalidInputError: BAD_ID, when it is not the id of a flag.
        """
        bad = InvalidInputError("this is not the id of a retraining flag", code="BAD_ID", path=("flag",))
        try:
            node = decode_id(self.flag)
        except InvalidInputError:
            raise bad from None
        if node.kind is not NodeKind.RETRAINING_FLAG:
            raise bad
        return node.key


@strawberry.input(description="A retraining that is planned.")
class ScheduleRetrainingInput:
    """Announced."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")
    planned_for: DateTime = strawberry.field(description="When it is planned for.")


@strawberry.input(description="How a flag was resolved.")
class ResolveFlagInput:
    """Announced."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")
    resolution: FlagResolution = strawberry.field(description="How.")
    replacement: str | None = strawberry.field(
        default=None, description="RETRAINED: the key of the model version that replaces the flagged one."
    )
    justification: str | None = strawberry.field(default=None, description="NOT_REQUIRED: why.")


def _key(value: str | None, field: str) -> str | None:
    return None if value is None else check_key(value, field)


def _keys(values: Iterable[str] | None, field: str) -> tuple[str, ...]:
    return tuple(check_key(value, field) for value in values or ())


def _refs(refs: Iterable[DatasetVersionRef] | None, field: str) -> tuple[VersionRef, ...]:
    return tuple(each.ref(field) for each in refs or ())


def _text(value: str | None, field: str) -> str | None:
    """Text for people, within bounds; it may hold what a key may not.

    Raises:
        InvalidInputError: TEXT_TOO_LONG.
    """
    if value is not None and len(value) > _LONGEST_TEXT:
        raise InvalidInputError(
            f"{field} has more than {_LONGEST_TEXT} characters", code="TEXT_TOO_LONG", path=(field,)
        )
    return value
