"""The end of a run that passed the gate: with a model version, with nothing, or before it began; how it was sharded."""

from dataclasses import dataclass

from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.gate import check_end, check_status
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.sharding import ShardedTraining, check_sharding
from consentline.domain.training import RunStatus, TrainingRun, model_version_key
from consentline.graph import runs, training, upper
from consentline.graph.session import Tx
from consentline.usecases.audit import decide
from consentline.usecases.service import Service
from consentline.usecases.sharding import put_sharding
from consentline.usecases.sweep import settle_models
from consentline.usecases.training import reconcile_above


@dataclass(frozen=True, slots=True)
class CompleteTraining:
    """The end of a run that made a model version."""

    run: str
    model: str
    version: str
    ended_at: Instant | None = None
    sharding: ShardedTraining | None = None

    @property
    def produced(self) -> str:
        """The key of the model version."""
        return model_version_key(self.model, self.version)


async def complete(service: Service, command: CompleteTraining) -> TrainingRun:
    """End a run with its model version, and raise the flags that this makes due; repeating is allowed.

    Raises:
        NotFoundError: there is no such run.
        InvalidInputError: it would end before it started, or in the future; its sharding cannot be.
        StateError: it is not RUNNING.
        ConflictError: the model version is recorded already, or another sharding or checkpoint of the run is.
    """
    produced = command.produced
    check_sharding(command.sharding)

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        run = get_run(lineage, command.run)
        repeated = run.status is RunStatus.COMPLETED and run.produced == produced
        if not repeated:
            check_status(run, RunStatus.RUNNING, "complete")
        await put_sharding(tx, run.key, command.sharding)
        if repeated:
            return run
        if produced in lineage.models:
            raise ConflictError(
                f"model version {produced} is recorded already", code="MODEL_VERSION_EXISTS", path=("version",)
            )
        now = await upper.recording_time(tx)
        ended_at = check_end(run, command.ended_at, now)
        await training.create_model(tx, produced, command.model, command.version, now)
        await runs.complete(tx, run.key, model=produced, ended_at=ended_at, recorded_at=now)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        await reconcile_above(tx, service, lineage, produced, now)
        return lineage.runs[run.key]

    completed = await decide(service, work)
    await settle_models(service, [produced])
    return completed


async def fail(service: Service, run: str, ended_at: Instant | None, reason: str) -> TrainingRun:
    """End a run that made nothing; what it read stays used by it. Repeating is allowed.

    Raises:
        NotFoundError: there is no such run.
        InvalidInputError: no reason is given; or it would end before it started, or in the future.
        StateError: it is not RUNNING.
    """
    if not reason.strip():
        raise InvalidInputError("a failure states its reason", code="REASON_REQUIRED", path=("reason",))

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        running = get_run(lineage, run)
        repeated = running.fail_reason == reason and ended_at in (None, running.ended_at)
        if running.status is RunStatus.FAILED and repeated:
            return running
        check_status(running, RunStatus.RUNNING, "fail")
        now = await upper.recording_time(tx)
        await runs.fail(tx, run, ended_at=check_end(running, ended_at, now), reason=reason)
        return await changed_run(tx, service, run)

    return await decide(service, work)


async def cancel(service: Service, run: str) -> TrainingRun:
    """Give up a run that was authorised and has not started; repeating is allowed.

    Raises:
        NotFoundError: there is no such run.
        StateError: it is not AUTHORIZED.
    """

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        authorized = get_run(lineage, run)
        if authorized.status is RunStatus.CANCELLED:
            return authorized
        check_status(authorized, RunStatus.AUTHORIZED, "be cancelled")
        await runs.cancel(tx, run)
        return await changed_run(tx, service, run)

    return await decide(service, work)


async def record_sharding(service: Service, run: str, training: ShardedTraining) -> TrainingRun:
    """Record how a run that started was sharded, and checkpoints of it; repeating is allowed, also with more of these.

    Raises:
        InvalidInputError: the sharding cannot be (see `check_sharding`).
        NotFoundError: there is no such run.
        StateError: it has not started.
        ConflictError: it is recorded otherwise, or a checkpoint of the same slice is.
    """

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        found = get_run(lineage, run)
        if found.started_at is None:
            raise StateError(f"run {run} is {found.status}: it has not started", code="RUN_WRONG_STATE", path=("run",))
        await put_sharding(tx, run, training)
        return found

    check_sharding(training)
    return await decide(service, work)


async def changed_run(tx: Tx, service: Service, run: str) -> TrainingRun:
    """The run as this transaction leaves it."""
    return (await service.lineages.at(await upper.mark_changed(tx), tx)).runs[run]


def get_run(lineage: Lineage, key: str) -> TrainingRun:
    """The run in the upper graph.

    Raises:
        NotFoundError: it is not recorded.
    """
    run = lineage.runs.get(key)
    if run is None:
        raise NotFoundError(f"run {key} is not recorded", code="RUN_NOT_FOUND", path=("run",))
    return run
