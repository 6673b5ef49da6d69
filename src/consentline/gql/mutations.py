"""What can be changed: one use case each, answered by a payload."""

from typing import Annotated, TypeVar

import strawberry

from consentline.domain import datasets, erasures, flags, objections, training
from consentline.domain.access import Action
from consentline.domain.keys import check_key
from consentline.gql.access import needs
from consentline.gql.context import Context, Info, Outcome
from consentline.gql.deliveries import DeliveryMutations
from consentline.gql.inputs import datasets as dataset_inputs
from consentline.gql.inputs import flags as flag_inputs
from consentline.gql.inputs import objections as objection_inputs
from consentline.gql.inputs import sharding as sharding_inputs
from consentline.gql.inputs import training as training_inputs
from consentline.gql.types import payloads
from consentline.gql.types.eligibility import reason_counts
from consentline.gql.types.erasures import Erasure
from consentline.gql.types.lineage import DatasetVersion, ModelVersion, TrainingRun, flag_view, permit_of
from consentline.gql.types.payloads import user_errors
from consentline.gql.types.people import Objection
from consentline.usecases import builds as build_cases
from consentline.usecases import datasets as dataset_cases
from consentline.usecases import erasures as erasure_cases
from consentline.usecases import flags as flag_cases
from consentline.usecases import gate as gate_cases
from consentline.usecases import objections as objection_cases
from consentline.usecases import runs as run_cases
from consentline.usecases import training as training_cases

T = TypeVar("T")
_LINEAGE = needs(Action.WRITE_LINEAGE)
_OBJECTIONS = needs(Action.WRITE_OBJECTIONS)
_FLAGS = needs(Action.FOLLOW_FLAGS)
_INPUT = strawberry.argument(name="input", description="What to record.")


@strawberry.type(
    description="What can be changed. A refusal is a userError and changes nothing; repeating a mutation is safe."
)
class Mutation(DeliveryMutations):
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

    @strawberry.mutation(
        description="Build and seal the next version of a dataset: the posts of a selection that may be used, both at"
        " `asOf` and now. It answers when it is done; called again after an interruption, it goes on.",
        metadata=_LINEAGE,
    )
    async def build_dataset_version(
        self, info: Info, input_: Annotated[dataset_inputs.BuildDatasetVersionInput, _INPUT]
    ) -> payloads.BuildDatasetVersionPayload:
        """A version made from a selection."""
        outcome = await info.context.change(lambda: build_cases.build(info.context.service, input_.command()))
        built = outcome.value
        if built is None:
            return payloads.BuildDatasetVersionPayload(
                dataset_version=None, excluded=[], user_errors=user_errors(outcome.refusal)
            )
        lineage = await info.context.lineage(versions=[built.version.ref])
        return payloads.BuildDatasetVersionPayload(
            dataset_version=DatasetVersion(lineage=lineage, value=built.version),
            excluded=reason_counts(built.excluded.items()),
            user_errors=[],
        )

    @strawberry.mutation(
        description="Authorise a run, only on data that may be used: every input SEALED and COMPLETE, none of its"
        " members ineligible now, no open flag on a base checkpoint or a generator. What stands against it is answered"
        " in `refusals`, and recorded.",
        metadata=_LINEAGE,
    )
    async def authorize_training(
        self, info: Info, input_: Annotated[training_inputs.AuthorizeTrainingInput, _INPUT]
    ) -> payloads.AuthorizeTrainingPayload:
        """A run that may start, or why it may not."""
        outcome = await info.context.change(lambda: gate_cases.authorize(info.context.service, input_.command()))
        answer = outcome.value or gate_cases.Authorization(None, ())
        known = await info.context.lineage(versions=[each.version for each in answer.refusals])
        return payloads.AuthorizeTrainingPayload(
            training_run=await _run(info.context, Outcome(answer.run, None)),
            refusals=[payloads.training_refusal(known, each) for each in answer.refusals],
            user_errors=user_errors(outcome.refusal),
        )

    @strawberry.mutation(
        description="Start an authorised run, when all that its authorisation rested on still holds. An objection that"
        " was recorded before is never overtaken.",
        metadata=_LINEAGE,
    )
    async def start_training(
        self, info: Info, input_: Annotated[training_inputs.StartTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run that reads its inputs."""
        outcome = await info.context.change(
            lambda: gate_cases.start(info.context.service, check_key(input_.run, "run"), input_.started_at)
        )
        payload = await _run_payload(info.context, outcome)
        if payload.training_run is not None:
            payload.permit = permit_of(info.context, payload.training_run)
        return payload

    @strawberry.mutation(
        description="Complete a running run with the model version that it made, and raise the retraining flags that"
        " are due for it.",
        metadata=_LINEAGE,
    )
    async def complete_training(
        self, info: Info, input_: Annotated[training_inputs.CompleteTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run with its product."""
        outcome = await info.context.change(lambda: gate_cases.complete(info.context.service, input_.command()))
        return await _run_payload(info.context, outcome)

    @strawberry.mutation(
        description="End a running run that made nothing; what it read stays used by it.", metadata=_LINEAGE
    )
    async def fail_training(
        self, info: Info, input_: Annotated[training_inputs.FailTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run and why it failed."""
        outcome = await info.context.change(
            lambda: gate_cases.fail(
                info.context.service, check_key(input_.run, "run"), input_.ended_at, input_.checked_reason()
            )
        )
        return await _run_payload(info.context, outcome)

    @strawberry.mutation(description="Cancel an authorised run that has not started.", metadata=_LINEAGE)
    async def cancel_training(
        self, info: Info, input_: Annotated[training_inputs.CancelTrainingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run that never reads anything."""
        outcome = await info.context.change(
            lambda: gate_cases.cancel(info.context.service, check_key(input_.run, "run"))
        )
        return await _run_payload(info.context, outcome)

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
        return await _run_payload(info.context, outcome)

    @strawberry.mutation(
        description="Record how a run was sharded (SISA) and which checkpoints it saved, once it has started: what a"
        " plan of what must be trained again, and from which checkpoint, rests on.",
        metadata=_LINEAGE,
    )
    async def record_sharding(
        self, info: Info, input_: Annotated[sharding_inputs.RecordShardingInput, _INPUT]
    ) -> payloads.TrainingRunPayload:
        """A run and its shards."""
        outcome = await info.context.change(
            lambda: run_cases.record_sharding(
                info.context.service, check_key(input_.run, "run"), input_.sharding.training()
            )
        )
        return await _run_payload(info.context, outcome)

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
            objection, _ = await objection_cases.file_objection(
                info.context.service, input_.command(), by=info.context.principal.role
            )
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
                input_.checked_key(),
                uphold=input_.uphold,
                grounds=input_.checked_grounds(),
                decided_at=input_.decided_at,
                by=info.context.principal.role,
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
            lambda: objection_cases.extend_objection(
                info.context.service, input_.checked_key(), input_.checked_reason(), by=info.context.principal.role
            )
        )
        return _objection(outcome)

    @strawberry.mutation(description="Record that the person took an objection back.", metadata=_OBJECTIONS)
    async def withdraw_objection(
        self, info: Info, input_: Annotated[objection_inputs.WithdrawObjectionInput, _INPUT]
    ) -> payloads.ObjectionPayload:
        """From now on it stops nothing."""
        outcome = await info.context.change(
            lambda: objection_cases.withdraw_objection(
                info.context.service, input_.checked_key(), by=info.context.principal.role
            )
        )
        return _objection(outcome)

    @strawberry.mutation(
        description="Record a person's request for erasure: their posts stop being usable, and what used them is"
        " flagged, in the same transaction. Nothing is erased before confirmErasure.",
        metadata=_OBJECTIONS,
    )
    async def request_erasure(
        self, info: Info, input_: Annotated[objection_inputs.RequestErasureInput, _INPUT]
    ) -> payloads.ErasurePayload:
        """A request as it reached the controller."""
        outcome = await info.context.change(
            lambda: erasure_cases.request_erasure(
                info.context.service, input_.command(), by=info.context.principal.role
            )
        )
        return await _erasure(info.context, outcome)

    @strawberry.mutation(
        description="Erase a person who was identified: keys become digests, everything else of theirs goes; lineage"
        " and counts stay. It answers when it is done; called again after an interruption, it goes on.",
        metadata=_OBJECTIONS,
    )
    async def confirm_erasure(
        self, info: Info, input_: Annotated[objection_inputs.ConfirmErasureInput, _INPUT]
    ) -> payloads.ErasurePayload:
        """An erasure carried out."""
        outcome = await info.context.change(
            lambda: erasure_cases.confirm_erasure(
                info.context.service, input_.checked_key(), by=info.context.principal.role
            )
        )
        return await _erasure(info.context, outcome)

    @strawberry.mutation(
        description="Refuse a request for erasure, with grounds: the restriction is lifted from `decidedAt` on.",
        metadata=_OBJECTIONS,
    )
    async def reject_erasure(
        self, info: Info, input_: Annotated[objection_inputs.RejectErasureInput, _INPUT]
    ) -> payloads.ErasurePayload:
        """An erasure that is not carried out."""
        outcome = await info.context.change(
            lambda: erasure_cases.reject_erasure(
                info.context.service,
                input_.checked_key(),
                grounds=input_.checked_grounds(),
                decided_at=input_.decided_at,
                by=info.context.principal.role,
            )
        )
        return await _erasure(info.context, outcome)

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


async def _run_payload(context: Context, outcome: Outcome[training.TrainingRun]) -> payloads.TrainingRunPayload:
    return payloads.TrainingRunPayload(
        training_run=await _run(context, outcome), user_errors=user_errors(outcome.refusal)
    )


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


async def _erasure(context: Context, outcome: Outcome[erasures.Erasure]) -> payloads.ErasurePayload:
    erasure = outcome.value
    affected = 0 if erasure is None else await erasure_cases.affected_post_count(context.service, erasure)
    return payloads.ErasurePayload(
        erasure=None if erasure is None else Erasure(value=erasure),
        affected_post_count=affected,
        user_errors=user_errors(outcome.refusal),
    )


async def _flag(context: Context, outcome: Outcome[flags.RetrainingFlag]) -> payloads.RetrainingFlagPayload:
    flag = outcome.value
    return payloads.RetrainingFlagPayload(
        flag=None if flag is None else await flag_view(context, flag), user_errors=user_errors(outcome.refusal)
    )
