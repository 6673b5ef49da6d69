"""The end of a run that passed the gate: with a model version, with nothing, or before it began."""

from dataclasses import dataclass

from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError
from consentline.domain.gate import check_end, check_status
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.training import RunStatus, TrainingRun, model_version_key
from consentline.graph import runs, training, upper
from consentline.graph.session import Tx
from consentline.usecases.service import Service
from consentline.usecases.training import reconcile_above


@dataclass(frozen=True, slots=True)
class CompleteTraining:
    """The end of a run that made a model version."""

    run: str
    model: str
    version: str
    ended_at: Instant | None = None

    @property
    def produced(self) -> str:
        """The key of the model version."""
        return model_version_key(self.model, self.version)


async def complete(service: Service, command: CompleteTraining) -> TrainingRun:
    """End a run with its model version, and raise the flags that this makes due; repeating is allowed.

    Raises:
        NotFoundError: there is no such run.
        InvalidInputError: it would end before it started, or in the future.
        StateError: it is not RUNNING.
        ConflictError: the model version is recorded already.
    """
    produced = command.produced

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        run = get_run(lineage, command.run)
        if run.status is RunStatus.COMPLETED and run.produced == produced:
            return run
        check_status(run, RunStatus.RUNNING, "complete")
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

    return await service.graph.write(work)


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

    return await service.graph.write(work)


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

    return await service.graph.write(work)


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
