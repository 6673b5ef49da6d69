"""What can be changed: one use case each, answered by a payload."""

from typing import Annotated, TypeVar

import strawberry

from consentline.domain import datasets, flags, objections, training
from consentline.domain.access import Action
from consentline.domain.keys import check_key
from consentline.gql.access import needs
from consentline.gql.context import Context, Info, Outcome
from consentline.gql.inputs import datasets as dataset_inputs
from consentline.gql.inputs import flags as flag_inputs
from consentline.gql.inputs import objections as objection_inputs
from consentline.gql.inputs import training as training_inputs
from consentline.gql.types import payloads
from consentline.gql.types.lineage import DatasetVersion, ModelVersion, TrainingRun, flag_view
from consentline.gql.types.node import not_yet
from consentline.gql.types.payloads import user_errors
from consentline.gql.types.people import Objection
from consentline.usecases import datasets as dataset_cases
from consentline.usecases import flags as flag_cases
from consentline.usecases import objections as objection_cases
from consentline.usecases import training as training_cases

T = TypeVar("T")
_LINEAGE = needs(Action.WRITE_LINEAGE)
_OBJECTIONS = needs(Action.WRITE_OBJECTIONS)
_FLAGS = needs(Action.FOLLOW_FLAGS)
_INPUT = strawberry.argument(name="input", description="What to record.")


@strawberry.type(
    description="What can be changed. A refusal is a userError and changes nothing; repeating a mutation is safe."
)
class Mutation:
    """The root of mutations."""

    @strawberry.mutation(
        description="Register the next version of a dataset: SEALED at once, or BUILDING until its `seal` record.",
        metadata=_LINEAGE,
    )
    async def register_dataset_version(
        self, info: Info, input_: Annotated[dataset_inputs.RegisterDatasetVersionInput, _INPUT]
    ) -> payloads.RegisterDatasetVersionPayload:
        """A version of any coverage."""
        outcome = await info.context.change(
            lambda: dataset_cases.register_version(info.context.service, input_.command())
        )
        return payloads.RegisterDatasetVersionPayload(
            dataset_version=await _version(info.context, outcome), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(description="Build a version from the posts that may be used.", metadata=_LINEAGE)
    def build_dataset_version(
        self, input_: Annotated[dataset_inputs.BuildDatasetVersionInput, _INPUT]
    ) -> payloads.BuildDatasetVersionPayload:
        """Not built yet."""
        raise not_yet("buildDatasetVersion")

    @strawberry.mutation(description="Authorise a run, only on data that may be used.", metadata=_LINEAGE)
    def authorize_training(
        self, input_: Annotated[training_inputs.AuthorizeTrainingInput, _INPUT]
    ) -> payloads.AuthorizeTrainingPayload:
        """Not built yet."""
        raise not_yet("authorizeTraining")

    @strawberry.mutation(description="Start an authorised run.", metadata=_LINEAGE)
    def start_training(
        self, input_: Annotated[training_inputs.StartTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """Not built yet."""
        raise not_yet("startTraining")

    @strawberry.mutation(description="Complete a run with the model version that it made.", metadata=_LINEAGE)
    def complete_training(
        self, input_: Annotated[training_inputs.CompleteTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """Not built yet."""
        raise not_yet("completeTraining")

    @strawberry.mutation(description="End a run that made nothing.", metadata=_LINEAGE)
    def fail_training(
        self, input_: Annotated[training_inputs.FailTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """Not built yet."""
        raise not_yet("failTraining")

    @strawberry.mutation(description="Cancel a run that has not started.", metadata=_LINEAGE)
    def cancel_training(
        self, input_: Annotated[training_inputs.CancelTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """Not built yet."""
        raise not_yet("cancelTraining")

    @strawberry.mutation(description="Keep a sealed version from being used again.", metadata=_LINEAGE)
    async def withdraw_dataset_version(
        self, info: Info, input_: Annotated[dataset_inputs.WithdrawDatasetVersionInput, _INPUT]
    ) -> payloads.DatasetVersionPayload:
        """A version with its reason."""
        outcome = await info.context.change(
            lambda: dataset_cases.withdraw_version(info.context.service, input_.ref(), input_.reason)
        )
        return payloads.DatasetVersionPayload(
            dataset_version=await _version(info.context, outcome), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(
        description="Record a run that happened outside the gate (history, another system), as it was.",
        metadata=_LINEAGE,
    )
    async def record_training(
        self, info: Info, input_: Annotated[training_inputs.RecordTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run as it was."""
        outcome = await info.context.change(
            lambda: training_cases.record_training(info.context.service, input_.command())
        )
        return payloads.TrainingRunPayload(
            training_run=await _run(info.context, outcome), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(description="Record that a model version was made from others.", metadata=_LINEAGE)
    async def derive_model_version(
        self, info: Info, input_: Annotated[training_inputs.DeriveModelInput, _INPUT]
    ) -> payloads.ModelVersionPayload:
        """A derivation."""
        outcome = await info.context.change(lambda: training_cases.derive_model(info.context.service, input_.command()))
        return payloads.ModelVersionPayload(
            model_version=await _model(info.context, outcome), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(description="Record that a model version serves a product feature.", metadata=_LINEAGE)
    async def serve_feature(
        self, info: Info, input_: Annotated[training_inputs.ServeFeatureInput, _INPUT]
    ) -> payloads.ModelVersionPayload:
        """A feature and what serves it."""
        outcome = await info.context.change(
            lambda: training_cases.serve_feature(
                info.context.service,
                check_key(input_.feature, "feature"),
                check_key(input_.model_version, "modelVersion"),
                input_.from_,
            )
        )
        return payloads.ModelVersionPayload(
            model_version=await _model(info.context, outcome), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(
        description="Record an objection: the person's posts stop being usable, and retraining flags are raised, in one"
        " transaction.",
        metadata=_OBJECTIONS,
    )
    async def file_objection(
        self, info: Info, input_: Annotated[objection_inputs.FileObjectionInput, _INPUT]
    ) -> payloads.ObjectionPayload:
        """An objection as it reached the controller."""

        async def file() -> objections.Objection:
            objection, _ = await objection_cases.file_objection(info.context.service, input_.command())
            return objection

        return _objection(await info.context.change(file))

    @strawberry.mutation(description="Uphold or refuse a pending objection.", metadata=_OBJECTIONS)
    async def decide_objection(
        self, info: Info, input_: Annotated[objection_inputs.DecideObjectionInput, _INPUT]
    ) -> payloads.ObjectionPayload:
        """The decision and when the person was told."""
        outcome = await info.context.change(
            lambda: objection_cases.decide_objection(
                info.context.service,
                input_.key,
                uphold=input_.uphold,
                grounds=input_.checked_grounds(),
                decided_at=input_.decided_at,
            )
        )
        return _objection(outcome)

    @strawberry.mutation(
        description="Extend an objection's deadline once, by two further months.", metadata=_OBJECTIONS
    )
    async def extend_objection(
        self, info: Info, input_: Annotated[objection_inputs.ExtendObjectionInput, _INPUT]
    ) -> payloads.ObjectionPayload:
        """A later deadline, and why."""
        outcome = await info.context.change(
            lambda: objection_cases.extend_objection(info.context.service, input_.key, input_.checked_reason())
        )
        return _objection(outcome)

    @strawberry.mutation(description="Record that the person took an objection back.", metadata=_OBJECTIONS)
    async def withdraw_objection(
        self, info: Info, input_: Annotated[objection_inputs.WithdrawObjectionInput, _INPUT]
    ) -> payloads.ObjectionPayload:
        """From now on it stops nothing."""
        outcome = await info.context.change(
            lambda: objection_cases.withdraw_objection(info.context.service, input_.key)
        )
        return _objection(outcome)

    @strawberry.mutation(description="Record a person's request for erasure.", metadata=_OBJECTIONS)
    def request_erasure(
        self, input_: Annotated[objection_inputs.RequestErasureInput, _INPUT]
    ) -> payloads.ErasurePayload:
        """Not built yet."""
        raise not_yet("requestErasure")

    @strawberry.mutation(description="Record that somebody has taken a flag up.", metadata=_FLAGS)
    async def acknowledge_flag(
        self, info: Info, input_: Annotated[flag_inputs.AcknowledgeFlagInput, _INPUT]
    ) -> payloads.RetrainingFlagPayload:
        """A flag is taken up."""
        outcome = await info.context.change(lambda: flag_cases.acknowledge(info.context.service, input_.uid()))
        return await _flag(info.context, outcome)

    @strawberry.mutation(
        description="Plan the retraining that a flag demands; a later plan replaces an earlier one.", metadata=_FLAGS
    )
    async def schedule_retraining(
        self, info: Info, input_: Annotated[flag_inputs.ScheduleRetrainingInput, _INPUT]
    ) -> payloads.RetrainingFlagPayload:
        """A flag with a plan."""
        outcome = await info.context.change(
            lambda: flag_cases.schedule(info.context.service, input_.uid(), input_.planned_for)
        )
        return await _flag(info.context, outcome)

    @strawberry.mutation(description="Resolve a flag, with the proof that its resolution needs.", metadata=_FLAGS)
    async def resolve_flag(
        self, info: Info, input_: Annotated[flag_inputs.ResolveFlagInput, _INPUT]
    ) -> payloads.RetrainingFlagPayload:
        """The end of a flag."""
        outcome = await info.context.change(
            lambda: flag_cases.resolve(
                info.context.service,
                input_.uid(),
                input_.resolution,
                replacement=input_.checked_replacement(),
                justification=input_.checked_justification(),
            )
        )
        return await _flag(info.context, outcome)


async def _version(context: Context, outcome: Outcome[datasets.DatasetVersion]) -> DatasetVersion | None:
    version = outcome.value
    if version is None:
        return None
    return DatasetVersion(lineage=await context.lineage(versions=[version.ref]), value=version)


async def _run(context: Context, outcome: Outcome[training.TrainingRun]) -> TrainingRun | None:
    run = outcome.value
    return None if run is None else TrainingRun(lineage=await context.lineage(), value=run)


async def _model(context: Context, outcome: Outcome[training.ModelVersion]) -> ModelVersion | None:
    model = outcome.value
    if model is None:
        return None
    return ModelVersion(lineage=await context.lineage(models=[model.key]), value=model)


def _objection(outcome: Outcome[objections.Objection]) -> payloads.ObjectionPayload:
    objection = outcome.value
    return payloads.ObjectionPayload(
        objection=None if objection is None else Objection(value=objection),
        user_errors=user_errors(outcome.refusal),
    )


async def _flag(context: Context, outcome: Outcome[flags.RetrainingFlag]) -> payloads.RetrainingFlagPayload:
    flag = outcome.value
    return payloads.RetrainingFlagPayload(
        flag=None if flag is None else await flag_view(context, flag), user_errors=user_errors(outcome.refusal)
    )
