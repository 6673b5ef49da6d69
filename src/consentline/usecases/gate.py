"""The training gate: a run is authorised, and starts, only on data that may be used.

Members are evaluated outside every lock, before the authorisation is decided. What is decided under the upper graph's
guard rests on stored counts, which every fact about a member keeps in its own transaction under the same guard: so a
start and an objection see each other, whichever commits first.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from consentline.domain import gate
from consentline.domain.audit import ACCEPTED
from consentline.domain.codes import check_purpose
from consentline.domain.datasets import VersionRef, VersionStatus
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.gate import Findings, StartRefusedError, TrainingRefusal, check_start
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.training import RunStatus, TrainingRun
from consentline.graph import refusals, runs, training, upper
from consentline.graph.session import Tx
from consentline.usecases import counts, evaluation, violations
from consentline.usecases.audit import decide
from consentline.usecases.counts import Standing
from consentline.usecases.datasets import get_version
from consentline.usecases.runs import CompleteTraining, cancel, changed_run, complete, fail, get_run
from consentline.usecases.service import Service
from consentline.usecases.sweep import settle_models, to_be_settled

_MOST_EXAMINATIONS = 5


@dataclass(frozen=True, slots=True)
class AuthorizeTraining:
    """A run that is to read these versions, and to start from these model versions."""

    run: str
    inputs: tuple[VersionRef, ...]
    started_from: tuple[str, ...] = ()
    purpose: str = "AI_TRAINING"

    def same_as(self, run: TrainingRun) -> bool:
        """Whether the recorded run passed, or is to pass, the gate with the same content."""
        return (
            run.gated
            and self.purpose == run.purpose
            and set(self.inputs) == set(run.inputs)
            and set(self.started_from) == set(run.started_from)
        )


@dataclass(frozen=True, slots=True)
class Authorization:
    """The authorised run, or what stands against it."""

    run: TrainingRun | None
    refusals: tuple[TrainingRefusal, ...]


@dataclass(frozen=True, slots=True)
class _Decision:
    """An authorisation, and the base checkpoints that stand against it."""

    answer: Authorization
    flagged_bases: frozenset[str] = frozenset()


async def authorize(service: Service, command: AuthorizeTraining) -> Authorization:
    """Authorise a run whose every input is SEALED and COMPLETE, without members that may not be used now.

    Neither base checkpoints nor generators of an input may have an open flag, where policies count that. What stands
    against the run is answered, and recorded; the run is not. A recorded key is checked again while it is AUTHORIZED.

    Raises:
        InvalidInputError: no input is named, or the purpose is no code.
        NotFoundError: an input or a base is not recorded.
        ConflictError: the key stands for another run.
        StateError: a base is flagged; or facts kept coming, so that the members, or violations upstream, could not be
            judged.
    """
    check_purpose(command.purpose, "purpose")
    if not command.inputs:
        raise InvalidInputError("a run reads at least one dataset version", code="INPUT_REQUIRED", path=("inputs",))
    for _ in range(_MOST_EXAMINATIONS):
        lineage = await service.lineage()
        settled = _settled(lineage, command)
        if settled is not None:
            return settled
        found = await _examine(service, lineage, command)
        decision = await decide(service, lambda tx, found=found: _decide(tx, service, command, found), _outcome)
        if decision is None:
            continue
        if decision.flagged_bases:
            message = gate.flagged_bases(decision.flagged_bases)
            raise StateError(message, code="BASE_FLAGGED", path=("startedFrom",))
        return decision.answer
    raise StateError(
        "facts kept coming while the members, or violations upstream, were judged; call authorizeTraining again",
        code="RECHECK_NEEDED",
        path=("inputs",),
    )


def _settled(lineage: Lineage, command: AuthorizeTraining) -> Authorization | None:
    """The answer that needs no check, for a run that is past its authorisation.

    Raises:
        NotFoundError: an input or a base is not recorded.
        ConflictError: the key stands for another run.
    """
    existing = lineage.runs.get(command.run)
    if existing is not None and not command.same_as(existing):
        raise ConflictError(f"run {command.run} is recorded with other content", code="RUN_CONFLICT", path=("run",))
    if existing is not None and existing.status is not RunStatus.AUTHORIZED:
        return Authorization(existing, ())
    for ref in command.inputs:
        get_version(lineage, ref, ("inputs",))
    for key in command.started_from:
        if key not in lineage.models:
            raise NotFoundError(
                f"model version {key} is not recorded", code="MODEL_VERSION_NOT_FOUND", path=("startedFrom",)
            )
    return None


async def _examine(service: Service, lineage: Lineage, command: AuthorizeTraining) -> dict[VersionRef, Findings]:
    """Make the inputs' counts exact, and find out about those that are not 0; nothing is locked.

    A count that says something else than its members do is behind, or facts came in between: they are judged anew.
    """
    await _count_upstream(service, lineage, command)
    refs = [ref for ref in sorted(set(command.inputs)) if gate.can_be_checked(lineage.versions[ref])]
    await counts.refresh(service, refs, command.purpose)
    found: dict[VersionRef, Findings] = {}
    for ref in refs:
        now = await service.now()
        standing = await service.graph.read(
            lambda tx, ref=ref, now=now: counts.standing(tx, lineage, ref, command.purpose, now)
        )
        if standing.count:
            found[ref] = findings = Findings()
            pages = evaluation.of_version(service, lineage, ref, purpose=command.purpose, at=now)
            async with aclosing(pages):
                async for page in pages:
                    for each in page:
                        findings.add(each.post, each.reasons)
            if findings.posts != standing.count:
                await counts.judge_dataset(service, ref.dataset)
    return found


async def _count_upstream(service: Service, lineage: Lineage, command: AuthorizeTraining) -> None:
    """Have found what may flag what the run rests on: violations of runs, and members that concern what used them."""
    rests_on = _rests_on(lineage, command.inputs, command.started_from)
    pending = await service.graph.read(lambda tx: violations.to_be_counted(tx, lineage, rests_on))
    if pending:
        await violations.judge_runs(service, pending)
    unsettled = await service.graph.read(lambda tx: to_be_settled(tx, lineage, rests_on))
    if unsettled:
        await settle_models(service, unsettled)


async def _decide(
    tx: Tx, service: Service, command: AuthorizeTraining, found: Mapping[VersionRef, Findings]
) -> _Decision | None:
    """Authorise the run or record what stands against it; None when the members have to be examined anew."""
    lineage = await service.lineages.at(await upper.lock(tx), tx)
    settled = _settled(lineage, command)
    if settled is not None:
        return _Decision(settled)
    now = await upper.recording_time(tx)
    flagged = await _flagged(tx, lineage, command.purpose, command.inputs, command.started_from, now)
    if flagged is None:
        return None
    against: list[TrainingRefusal] = []
    for ref in sorted(set(command.inputs)):
        version = lineage.versions[ref]
        if not gate.can_be_checked(version):
            against.append(gate.refusal_of_version(version))
        else:
            standing = await counts.standing(tx, lineage, ref, command.purpose, now)
            if not standing.exact or (standing.count and not found.get(ref)):
                return None
            against += found[ref].refusals(ref) if standing.count else []
        generators = gate.generators_of(lineage, ref) & flagged
        if generators:
            against.append(gate.refusal_of_generators(ref, generators))
    return await _answer(tx, service, lineage, command, against, flagged & set(command.started_from), now)


def _outcome(decision: _Decision | None) -> str | None:
    """What the audit says of a decision; nothing while the members have to be examined anew."""
    if decision is None:
        return None
    if decision.flagged_bases:
        return "BASE_FLAGGED"
    return "TRAINING_REFUSED" if decision.answer.refusals else ACCEPTED


async def _answer(
    tx: Tx,
    service: Service,
    lineage: Lineage,
    command: AuthorizeTraining,
    against: list[TrainingRefusal],
    flagged_bases: frozenset[str],
    now: Instant,
) -> _Decision:
    if against:
        await refusals.record(tx, command.run, command.purpose, against, now)
    if flagged_bases:
        await refusals.record_bases(tx, command.run, command.purpose, gate.flagged_bases(flagged_bases), now)
    if against or flagged_bases:
        return _Decision(Authorization(None, tuple(against)), flagged_bases)
    if command.run in lineage.runs:
        return _Decision(Authorization(lineage.runs[command.run], ()))
    run = TrainingRun(
        key=command.run,
        status=RunStatus.AUTHORIZED,
        purpose=command.purpose,
        inputs=tuple(sorted(set(command.inputs))),
        started_from=tuple(sorted(set(command.started_from))),
        produced=None,
        started_at=None,
        ended_at=None,
        recorded_at=now,
        gated=True,
        authorized_at=now,
    )
    await training.create_run(tx, run)
    return _Decision(Authorization(await changed_run(tx, service, command.run), ()))


async def start(service: Service, run: str, started_at: Instant | None) -> TrainingRun:
    """Start an authorised run, when everything that its authorisation rested on still holds; repeating is allowed.

    Evaluates nobody: past the time until which the stored counts hold, the run has to be authorised again. What is
    refused is recorded for reports, in a transaction of its own.

    Raises:
        NotFoundError: there is no such run.
        InvalidInputError: `started_at` does not lie between the authorisation and now.
        StateError: it is not AUTHORIZED; an input was withdrawn, or has members that may not be used now or that must
            be judged again; a base or a generator is flagged.
    """

    async def work(tx: Tx) -> TrainingRun:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        authorized = get_run(lineage, run)
        if gate.is_started_so(authorized, started_at):
            return authorized
        now = await upper.recording_time(tx)
        at = check_start(authorized, started_at, now)
        await _check_inputs(tx, lineage, authorized, now)
        await runs.start(tx, run, started_at=at, recorded_at=now)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        if at < now:
            # The members may be used now; whether they could be at an earlier start is still to be judged.
            await violations.mark_runs(tx, lineage, [run])
        return lineage.runs[run]

    try:
        started = await decide(service, work)
    except StartRefusedError as error:
        await _record_refused(service, run, error)
        raise
    await violations.judge_runs(service, [run])
    return started


async def _record_refused(service: Service, run: str, refused: StartRefusedError) -> None:
    """In a transaction of its own: the one that was refused wrote nothing."""

    async def work(tx: Tx) -> None:
        await refusals.record_start(tx, run, refused, await upper.recording_time(tx))

    await service.graph.write(work)


async def _check_inputs(tx: Tx, lineage: Lineage, run: TrainingRun, now: Instant) -> None:
    purpose = run.purpose or ""
    withdrawn = [ref for ref in run.inputs if lineage.versions[ref].status is VersionStatus.WITHDRAWN]
    _refuse(purpose, "VERSION_WITHDRAWN", [(ref, 0, f"{ref} is WITHDRAWN") for ref in withdrawn])
    standing: dict[VersionRef, Standing] = {}
    for ref in run.inputs:
        standing[ref] = await counts.standing(tx, lineage, ref, purpose, now)
    ineligible = [
        (ref, each.count, f"{gate.counted_posts(each.count)} of {ref} may not be used for {purpose} now")
        for ref, each in standing.items()
        if each.exact and each.count
    ]
    _refuse(purpose, "INELIGIBLE_MEMBERS", ineligible)
    for ref, each in standing.items():
        if not each.exact:
            message = f"the members of {ref} are due to be judged again; call authorizeTraining again"
            raise StateError(message, code="RECHECK_NEEDED", path=("run",))
    flagged = await _flagged(tx, lineage, purpose, run.inputs, run.started_from, now)
    if flagged is None:
        message = "violations upstream of the run are to be counted yet; call authorizeTraining again"
        raise StateError(message, code="RECHECK_NEEDED", path=("run",))
    if flagged:
        _refuse(purpose, "BASE_FLAGGED", [(None, 0, f"the run rests on {gate.with_open_flags(flagged)}")])


def _refuse(purpose: str, code: str, against: Sequence[tuple[VersionRef | None, int, str]]) -> None:
    """Refuse the start when anything stands against it; the message is the first of what does."""
    if against:
        raise StartRefusedError(against[0][2], code=code, purpose=purpose, against=against)


async def _flagged(
    tx: Tx, lineage: Lineage, purpose: str, inputs: Collection[VersionRef], bases: Collection[str], now: Instant
) -> frozenset[str] | None:
    """The bases, and the generators of the inputs, that have an open flag; none where policies do not count that.

    None: violations, or members, that may flag one of them are to be found yet.
    """
    if not gate.flags_count(lineage.policies, purpose, now):
        return frozenset()
    rests_on = _rests_on(lineage, inputs, bases)
    if await violations.to_be_counted(tx, lineage, rests_on) or await to_be_settled(tx, lineage, rests_on):
        return None
    return await runs.flagged(tx, rests_on)


def _rests_on(lineage: Lineage, inputs: Collection[VersionRef], bases: Collection[str]) -> frozenset[str]:
    """The model versions that a run rests on: its bases, and the generators of its inputs."""
    return frozenset(bases).union(*(gate.generators_of(lineage, ref) for ref in inputs))


__all__ = [
    "Authorization",
    "AuthorizeTraining",
    "CompleteTraining",
    "authorize",
    "cancel",
    "complete",
    "fail",
    "start",
]
