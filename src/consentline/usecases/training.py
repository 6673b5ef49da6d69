"""Training runs as they happened, derivations between model versions, and the features they serve."""

from dataclasses import dataclass

from consentline.domain.codes import check_purpose
from consentline.domain.datasets import VersionRef, VersionStatus
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.instants import DAY, Instant
from consentline.domain.lineage import Edge, Kind, Lineage, model_node
from consentline.domain.sharding import ShardedTraining, check_sharding
from consentline.domain.training import (
    Derivation,
    DerivationKind,
    ModelStatus,
    ModelVersion,
    RunStatus,
    Serving,
    TrainingRun,
    model_version_key,
)
from consentline.domain.violations import versions_held_by
from consentline.graph import concerns, training, upper
from consentline.graph.session import Tx
from consentline.usecases.audit import decide
from consentline.usecases.causes import Concerned, claimants, reconcile
from consentline.usecases.datasets import get_version
from consentline.usecases.service import Service
from consentline.usecases.sharding import put_sharding
from consentline.usecases.sweep import settle_models
from consentline.usecases.violations import judge_runs, mark_runs


@dataclass(frozen=True, slots=True)
class RecordTraining:
    """A run that happened outside the gate; without `model` and `version` it failed."""

    run: str
    inputs: tuple[VersionRef, ...]
    started_at: Instant
    started_from: tuple[str, ...] = ()
    ended_at: Instant | None = None
    purpose: str | None = None
    model: str | None = None
    version: str | None = None
    sharding: ShardedTraining | None = None

    @property
    def produced(self) -> str | None:
        """The key of the model version that the run produced."""
        if self.model is None or self.version is None:
            return None
        return model_version_key(self.model, self.version)

    def same_as(self, run: TrainingRun) -> bool:
        """Whether the recorded run says the same."""
        mine = (self.purpose, self.started_at, self.ended_at, self.produced)
        return (
            not run.gated
            and mine == (run.purpose, run.started_at, run.ended_at, run.produced)
            and set(self.inputs) == set(run.inputs)
            and set(self.started_from) == set(run.started_from)
        )


async def record_training(service: Service, command: RecordTraining) -> TrainingRun:
    """Record a run as it was, with its model version, and raise the flags that this makes due; repeating is allowed.

    Any order of `started_at` against other times is accepted: history is recorded, not judged. Members that could not
    be used then are counted after the run is recorded and before this answers; where it does not come to that, they
    are when it is repeated or a service starts.

    Raises:
        InvalidInputError: a model without a version, an end before the start, a time in the future, a purpose that is
            no code, or a sharding that cannot be.
        NotFoundError: an input or a base is not recorded.
        StateError: an input is BUILDING.
        ConflictError: the key stands for another run, the model version is recorded already, or another sharding or
            checkpoint of the run is.
    """
    if command.purpose is not None:
        check_purpose(command.purpose, "purpose")
    check_sharding(command.sharding)
    if (command.model is None) != (command.version is None):
        raise InvalidInputError("model and version go together", code="INVALID_INPUT", path=("version",))
    if command.ended_at is not None and command.ended_at < command.started_at:
        raise InvalidInputError("the run ended before it started", code="INVALID_INPUT", path=("endedAt",))
    produced = command.produced

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        existing = lineage.runs.get(command.run)
        if existing is not None:
            if command.same_as(existing):
                await put_sharding(tx, command.run, command.sharding)
                return existing
            raise ConflictError(f"run {command.run} is recorded with other content", code="RUN_CONFLICT", path=("run",))
        _check_run(lineage, command)
        now = await upper.recording_time(tx)
        _check_happened(command.started_at, now, "startedAt")
        if command.ended_at is not None:
            _check_happened(command.ended_at, now, "endedAt")
        if command.model is not None and command.version is not None and produced is not None:
            await training.create_model(tx, produced, command.model, command.version, now)
        run = TrainingRun(
            key=command.run,
            status=RunStatus.FAILED if produced is None else RunStatus.COMPLETED,
            purpose=command.purpose,
            inputs=tuple(sorted(set(command.inputs))),
            started_from=tuple(sorted(set(command.started_from))),
            produced=produced,
            started_at=command.started_at,
            ended_at=command.ended_at,
            recorded_at=now,
            produced_recorded_at=None if produced is None else now,
        )
        await training.create_run(tx, run)
        await put_sharding(tx, command.run, command.sharding)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        await mark_runs(tx, lineage, [run.key])
        if produced is not None:
            await reconcile_above(tx, service, lineage, produced, now)
        return lineage.runs[command.run]

    recorded = await decide(service, work)
    await judge_runs(service, [recorded.key])
    await settle_models(service, [produced] if produced else ())
    return recorded


@dataclass(frozen=True, slots=True)
class DeriveModel:
    """A model version made from others; on one that is recorded it adds the derivation."""

    model: str
    version: str
    bases: tuple[str, ...]
    kind: DerivationKind
    at: Instant | None = None

    @property
    def key(self) -> str:
        """The key of the model version that was made."""
        return model_version_key(self.model, self.version)


async def derive_model(service: Service, command: DeriveModel) -> ModelVersion:
    """Record that a model version was made from others, and raise the flags that this makes due; repeating is allowed.

    Raises:
        InvalidInputError: no base is named, or `at` lies in the future.
        NotFoundError: a base is not recorded.
        ConflictError: the derivation would close a cycle; the message names it.
    """
    if not command.bases:
        raise InvalidInputError("a derivation names what it derives from", code="BASE_REQUIRED", path=("from",))

    async def work(tx: Tx) -> ModelVersion:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        _check_models(lineage, command.bases, "from")
        for base in command.bases:
            _check_acyclic(lineage, command.key, base)
        now = await upper.recording_time(tx)
        if command.at is not None:
            _check_happened(command.at, now, "at")
        at = now if command.at is None else command.at
        standing = {(each.model, each.base, each.kind) for each in lineage.derivations}
        fresh = [
            Derivation(command.key, base, command.kind, at, now)
            for base in dict.fromkeys(command.bases)
            if (command.key, base, command.kind) not in standing
        ]
        if not fresh:
            return lineage.models[command.key]
        await training.create_model(tx, command.key, command.model, command.version, now)
        await training.derive(tx, fresh)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        await reconcile_above(tx, service, lineage, command.key, now)
        return lineage.models[command.key]

    derived = await decide(service, work)
    await settle_models(service, [command.key])
    return derived


async def serve_feature(service: Service, feature: str, model_version: str, since: Instant | None) -> ModelVersion:
    """Record that a model version serves a feature from `since` (now) on, taking over from the one before.

    Raises:
        NotFoundError: the model version is not recorded.
        StateError: it is retired.
        InvalidInputError: `since` lies in the future.
    """

    async def work(tx: Tx) -> ModelVersion:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        _check_models(lineage, (model_version,), "modelVersion")
        if lineage.models[model_version].status is ModelStatus.RETIRED:
            raise StateError(f"{model_version} is RETIRED", code="MODEL_RETIRED", path=("modelVersion",))
        now = await upper.recording_time(tx)
        if since is not None:
            _check_happened(since, now, "from")
        standing = [each for each in lineage.servings if (each.feature, each.model_version) == (feature, model_version)]
        repeated = any(each.holds(now) if since is None else each.since == since for each in standing)
        if not repeated:
            begin = now if since is None else since
            await training.serve(tx, Serving(feature, model_version, begin, None, now))
            lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        return lineage.models[model_version]

    return await decide(service, work)


def _check_run(lineage: Lineage, command: RecordTraining) -> None:
    for ref in command.inputs:
        if get_version(lineage, ref, ("inputs",)).status is VersionStatus.BUILDING:
            raise StateError(f"{ref} is still BUILDING", code="VERSION_BUILDING", path=("inputs",))
    _check_models(lineage, command.started_from, "startedFrom")
    if command.produced in lineage.models:
        raise ConflictError(
            f"model version {command.produced} is recorded already", code="MODEL_VERSION_EXISTS", path=("version",)
        )


def _check_models(lineage: Lineage, keys: tuple[str, ...], field: str) -> None:
    for key in keys:
        if key not in lineage.models:
            raise NotFoundError(f"model version {key} is not recorded", code="MODEL_VERSION_NOT_FOUND", path=(field,))


def _check_acyclic(lineage: Lineage, model: str, base: str) -> None:
    """Return when nothing of the model version's influence reaches the base.

    Raises:
        ConflictError: it does; the message names the cycle.
    """
    path = lineage.find_path(model_node(model), model_node(base))
    if path is not None:
        raise ConflictError(
            f"the derivation would close a cycle: {_named(model, path)} -> {model}",
            code="DERIVATION_CYCLE",
            path=("from",),
        )


def _named(start: str, path: list[Edge]) -> str:
    return " -> ".join([start, *(str(edge.target) for edge in path)])


def _check_happened(at: Instant, now: Instant, field: str) -> None:
    if at > now + DAY:
        raise InvalidInputError(f"{field} lies more than 24 hours ahead", code="TIME_IN_FUTURE", path=(field,))


async def reconcile_above(tx: Tx, service: Service, lineage: Lineage, model: str, now: Instant) -> None:
    """Raise what the model version's new upstream makes due, for it and all that comes of it; the guard is held.

    What people claim is raised at once; members that concern it otherwise are found by `settle_models` after the
    commit. Only recorded members raise flags: without a COMPLETE manifest anywhere upstream there is nothing to do.
    """
    if any(lineage.versions[ref].post_count for ref in versions_held_by(lineage, model)):
        await concerns.mark_unsettled(tx, model)
        upstream = lineage.all_upstream(model_node(model))
        runs = {node.key for node in upstream if node.kind is Kind.TRAINING_RUN}
        concerned = Concerned(people=await claimants(tx), runs=runs)
        await reconcile(tx, service, lineage, now, concerned)
