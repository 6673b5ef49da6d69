"""What mutations on training runs, model versions and features take."""

import strawberry

from consentline.domain.keys import check_key
from consentline.domain.training import DerivationKind
from consentline.gql.arguments import AI_TRAINING
from consentline.gql.inputs.checks import checked_key, checked_keys, checked_text
from consentline.gql.inputs.datasets import DatasetVersionRef, refs
from consentline.gql.inputs.sharding import ShardingInput
from consentline.gql.scalars import DateTime
from consentline.usecases.gate import AuthorizeTraining, CompleteTraining
from consentline.usecases.training import DeriveModel, RecordTraining


@strawberry.input(description="A training run to authorise.")
class AuthorizeTrainingInput:
    """A run that is to be."""

    run: str = strawberry.field(
        description="The run's key. Repeating it with the same content checks it again while it is AUTHORIZED, and"
        " answers it as it stands afterwards."
    )
    inputs: list[DatasetVersionRef] = strawberry.field(
        description="The dataset versions that it is to read; at least one."
    )
    started_from: list[str] | None = strawberry.field(default=None, description="The keys of its base checkpoints.")
    purpose: str = strawberry.field(default=AI_TRAINING, description="What it is for.")

    def command(self) -> AuthorizeTraining:
        """The command of the use case."""
        return AuthorizeTraining(
            run=check_key(self.run, "run"),
            inputs=refs(self.inputs, "inputs"),
            started_from=checked_keys(self.started_from, "startedFrom"),
            purpose=self.purpose,
        )


@strawberry.input(description="The start of an authorised run.")
class StartTrainingInput:
    """A run and when it starts."""

    run: str = strawberry.field(description="The run's key.")
    started_at: DateTime | None = strawberry.field(
        default=None, description="Between the authorisation and now. Left out: now."
    )


@strawberry.input(description="The failure of a run.")
class FailTrainingInput:
    """A run and why it made nothing."""

    run: str = strawberry.field(description="The run's key.")
    ended_at: DateTime | None = strawberry.field(default=None, description="When it ended. Left out: now.")
    reason: str = strawberry.field(description="Why it failed.")

    def checked_reason(self) -> str:
        """The reason, within bounds."""
        checked_text(self.reason, "reason")
        return self.reason


@strawberry.input(description="A run to cancel, only while it is AUTHORIZED.")
class CancelTrainingInput:
    """A run by its key."""

    run: str = strawberry.field(description="The run's key.")


@strawberry.input(description="The completion of a run.")
class CompleteTrainingInput:
    """A run and what it made."""

    run: str = strawberry.field(description="The run's key.")
    model: str = strawberry.field(description="The model of which it made a version.")
    version: str = strawberry.field(description="The version's name within the model.")
    ended_at: DateTime | None = strawberry.field(default=None, description="When it ended. Left out: now.")
    sharding: ShardingInput | None = strawberry.field(
        default=None, description="How it was sharded, when it was; the same as by recordSharding."
    )

    def command(self) -> CompleteTraining:
        """The command of the use case."""
        return CompleteTraining(
            run=check_key(self.run, "run"),
            model=check_key(self.model, "model"),
            version=check_key(self.version, "version"),
            ended_at=self.ended_at,
            sharding=None if self.sharding is None else self.sharding.training(),
        )


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
    sharding: ShardingInput | None = strawberry.field(
        default=None, description="How it was sharded, when it was; the same as by recordSharding."
    )

    def command(self) -> RecordTraining:
        """The command of the use case."""
        return RecordTraining(
            run=check_key(self.run, "run"),
            inputs=refs(self.inputs, "inputs"),
            started_from=checked_keys(self.started_from, "startedFrom"),
            started_at=self.started_at,
            ended_at=self.ended_at,
            purpose=self.purpose,
            model=checked_key(self.model, "model"),
            version=checked_key(self.version, "version"),
            sharding=None if self.sharding is None else self.sharding.training(),
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
            bases=checked_keys(self.from_, "from"),
            kind=self.kind,
            at=self.at,
        )


@strawberry.input(description="A model version that serves a product feature, taking over from the one before.")
class ServeFeatureInput:
    """A feature and what serves it."""

    feature: str = strawberry.field(description="The feature's key; it is created when new.")
    model_version: str = strawberry.field(description="The model version's key.")
    from_: DateTime | None = strawberry.field(name="from", default=None, description="Since when. Left out: now.")
