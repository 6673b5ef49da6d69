"""The gate on the real graph: who passes it, what stands against a run, and what each end of a run leaves behind."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentline.domain.datasets import Coverage
from consentline.domain.eligibility import Reason
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, RefusedError, StateError
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.gate import GateStep, RecordedRefusal, TrainingRefusal
from consentline.domain.instants import DAY, EVER, Instant, to_datetime
from consentline.domain.lineage import Kind
from consentline.domain.paging import PageRequest
from consentline.domain.training import RunStatus, TrainingRun
from consentline.domain.usage import Relation, Verdict
from consentline.graph import refusals
from consentline.usecases import counts, flags, gate, lineage, objections, posts, usage
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    STARTED,
    decide,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    ref,
    refs,
    register,
    train,
    user,
    withdraw_version,
)
from tests.integration.snapshots import Refused, assert_refused, assert_same, assert_unchanged, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

PERMISSIVE = policy(notice_required=False, assessment="dpia", flags_past_use=True)
"""Under it, public posts of adults may be used."""


async def authorize(
    service: Service, *inputs: str, run: str = "r", started_from: tuple[str, ...] = (), purpose: str = AI
) -> gate.Authorization:
    return await gate.authorize(service, gate.AuthorizeTraining(run, refs(*inputs), started_from, purpose))


async def start(service: Service, run: str = "r", started_at: Instant | None = None) -> TrainingRun:
    return await gate.start(service, run, started_at)


async def complete(service: Service, made: str = "m:1", run: str = "r", ended_at: Instant | None = None) -> TrainingRun:
    model, version = made.rsplit(":", 1)
    return await gate.complete(service, gate.CompleteTraining(run, model, version, ended_at))


async def fail(
    service: Service, run: str = "r", reason: str = "out of memory", at: Instant | None = None
) -> TrainingRun:
    return await gate.fail(service, run, at, reason)


async def cancel(service: Service, run: str = "r") -> TrainingRun:
    return await gate.cancel(service, run)


async def eligible(service: Service, *posts: str, dataset: str = "d") -> None:
    """The next version of a dataset, with posts of ana that may be used."""
    await record(service, PERMISSIVE, user("ana"), *(post(each) for each in posts))
    await publish(service, dataset, *posts)


async def authorized(service: Service) -> None:
    await eligible(service, "p")
    assert (await authorize(service, "d:1")).refusals == ()


async def running(service: Service) -> None:
    await authorized(service)
    await start(service)


async def use_of(service: Service, post: str = "p", known_at: Instant | None = None) -> usage.PostUsageAnswer:
    return await usage.post_usage(service, post, known_at)


async def recorded(service: Service) -> list[RecordedRefusal]:
    page = await service.graph.read(lambda tx: refusals.page(tx, 0, EVER, PageRequest(first=100)))
    return list(page.items)


# ---- who passes ------------------------------------------------------------------------------------------------------


def test_a_run_on_data_that_may_be_used_is_authorised_and_uses_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await eligible(service, "p", "q")
        await train(service, "r0", "d:1", produced="m:0")
        await eligible(service, "s", dataset="e")
        before = await service.now()
        answer = await authorize(service, "e:1", "d:1", "e:1", started_from=("m:0", "m:0"))

        made = answer.run
        assert made is not None
        assert answer.refusals == ()
        assert (made.status, made.purpose, made.gated) == (RunStatus.AUTHORIZED, AI, True)
        assert (made.inputs, made.started_from) == (refs("d:1", "e:1"), ("m:0",))
        assert (made.started_at, made.ended_at, made.produced) == (None, None, None)
        assert made.authorized_at is not None
        assert made.authorized_at >= before
        assert made.recorded_at == made.authorized_at
        assert (await service.lineage()).runs["r"] == made
        assert {use.training_run for use in (await use_of(service)).usage.uses} == {"r0"}
        assert (await use_of(service, "s")).usage.verdict is Verdict.NOT_USED
        walk = await lineage.lineage(
            service, Kind.DATASET_VERSION, "e:1", upstream=False, max_depth=9, max_nodes=99, known_at=None
        )
        assert [str(node) for node in walk.nodes] == ["e:1"]
        alone = await lineage.lineage(
            service, Kind.TRAINING_RUN, "r", upstream=True, max_depth=9, max_nodes=99, known_at=None
        )
        assert [str(node) for node in alone.nodes] == ["r"]
        assert await recorded(service) == []

    run(scenario())


def test_a_run_that_started_is_a_use_as_known_since_its_start(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        before = await service.now()
        started = await start(service)

        assert (started.status, started.started_at) == (RunStatus.RUNNING, started.recorded_at)
        assert started.recorded_at > before
        assert (await use_of(service, known_at=before)).usage.verdict is Verdict.NOT_USED
        answer = await use_of(service)
        (use,) = answer.usage.uses
        assert (use.model_version, use.relation, use.used_at) == (None, Relation.TRAINED_ON, started.started_at)
        (at_use,) = await usage.eligibilities_at_use(service, answer, [use])
        assert (at_use.reasons, at_use.at, at_use.known_at) == ((), started.started_at, started.recorded_at)
        downstream = await lineage.lineage(
            service, Kind.DATASET_VERSION, "d:1", upstream=False, max_depth=9, max_nodes=99, known_at=None
        )
        assert [str(node) for node in downstream.nodes] == ["d:1", "r"]
        earlier = await lineage.lineage(
            service, Kind.DATASET_VERSION, "d:1", upstream=False, max_depth=9, max_nodes=99, known_at=before
        )
        assert [str(node) for node in earlier.nodes] == ["d:1"]

    run(scenario())


def test_what_is_learned_after_a_gated_start_leaves_the_eligibility_at_use_as_it_was(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await authorized(service)
        started = await start(service)
        assert started.started_at is not None
        await file(service, "o", "ana", received_at=started.started_at - DAY)

        answer = await use_of(service)
        (at_use,) = await usage.eligibilities_at_use(service, answer, answer.usage.uses)
        assert at_use.reasons == ()

    run(scenario())


def test_a_run_may_have_started_between_its_authorisation_and_now(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        authorized_at = (await service.lineage()).runs["r"].authorized_at
        assert authorized_at is not None
        started = await start(service, started_at=authorized_at)

        assert started.started_at == authorized_at
        assert started.recorded_at > authorized_at
        assert await assert_unchanged(service, start(service, started_at=authorized_at)) == started
        assert await assert_unchanged(service, start(service)) == started

    run(scenario())


def test_members_that_could_not_be_used_at_an_earlier_start_are_violations(service: Service, run: Run) -> None:
    async def scenario() -> None:
        by_consent = policy(notice_required=False, lawful_basis="CONSENT")
        said = {"kind": "consent", "user": "ana", "purpose": AI}
        given = {**said, "status": "GIVEN", "valid_from": "2024-01-01T00:00:00Z"}
        await record(service, by_consent, user("ana"), post("p"), post("q"), given)
        await publish(service, "d", "p", "q")
        await authorize(service, "d:1")
        withdrawn_at = await service.now()
        await record(service, {**said, "status": "WITHDRAWN", "valid_from": to_datetime(withdrawn_at).isoformat()})
        assert len((await authorize(service, "d:1")).refusals) == 1
        again = await service.now()
        await record(service, {**said, "status": "GIVEN", "valid_from": to_datetime(again).isoformat()})
        await start(service, started_at=withdrawn_at)
        await complete(service)

        page = await flags.list_flags(service, FlagStatus.OPEN, "m:1", PageRequest())
        (flag,) = page.items
        assert await flags.cause_count(service, flag.uid, CauseKind.VIOLATION) == 1
        assert await flags.affected_post_count(service, flag, CauseKind.VIOLATION) == 2

    run(scenario())


def test_an_empty_version_may_be_read_for_any_purpose(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d")
        answer = await authorize(service, "d:1", purpose="ADS")
        assert answer.run is not None
        assert (await start(service)).purpose == "ADS"

    run(scenario())


# ---- what stands against a run ---------------------------------------------------------------------------------------


def test_everything_that_stands_against_a_run_is_listed_and_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, PERMISSIVE, user("ana"), user("kid", adult_from="2099-01-01"))
        keys = [f"p{number}" for number in range(1, 8)]
        await record(service, *(post(key) for key in keys), post("k", "kid"))
        await file(service, "o", "ana")
        await publish(service, "d", *keys, "k", "nobody")
        await publish(service, "gone")
        await withdraw_version(service, "gone:1")
        await register(service, "building")
        await register(service, "dump", Coverage.UNDOCUMENTED, generated_by=())
        await record(service, user("ben"), post("fine", "ben"))
        await publish(service, "fine", "fine")
        before = await snapshot(service)
        asked = await service.now()
        answer = await authorize(service, "dump:1", "d:1", "fine:1", "gone:1", "building:1")

        assert answer.run is None
        unknown = tuple(
            TrainingRefusal(ref("d:1"), reason, 1, ("nobody",), f"1 post of d:1 may not be used: {reason}")
            for reason in (Reason.JURISDICTION_UNKNOWN, Reason.AGE_UNKNOWN)
        )
        minor = tuple(
            TrainingRefusal(ref("d:1"), reason, 1, ("k",), f"1 post of d:1 may not be used: {reason}")
            for reason in (Reason.MINOR_AT_PUBLICATION, Reason.MINOR_NOW)
        )
        pending = TrainingRefusal(
            ref("d:1"),
            Reason.OBJECTION_PENDING,
            7,
            tuple(keys[:5]),
            "7 posts of d:1 may not be used: OBJECTION_PENDING",
        )
        assert answer.refusals == (
            TrainingRefusal(ref("building:1"), None, 0, (), "building:1 is BUILDING and not SEALED"),
            *unknown,
            *minor,
            pending,
            TrainingRefusal(ref("dump:1"), None, 0, (), "dump:1 has no COMPLETE manifest (it is UNDOCUMENTED)"),
            TrainingRefusal(ref("gone:1"), None, 0, (), "gone:1 is WITHDRAWN and not SEALED"),
        )
        found = await recorded(service)
        assert {(each.run, each.purpose) for each in found} == {("r", AI)}
        (refused_at,) = {each.refused_at for each in found}
        assert asked < refused_at <= await service.now()
        told = {(each.version, each.reason, each.count, each.message) for each in found}
        assert told == {(each.version, each.reason, each.count, each.message) for each in answer.refusals}
        after = await snapshot(service)
        assert {node.label for node in after.nodes - before.nodes} == {"Refusal"}
        assert not before.nodes - after.nodes

    run(scenario())


def test_refusals_are_counted_by_run_and_by_answer_and_listed_by_time(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        begin = await service.now()
        for key in ("r1", "r2", "r1"):
            assert len((await authorize(service, "d:1", run=key)).refusals) == 2
        middle = await service.now()
        assert len((await authorize(service, "d:1", run="r3")).refusals) == 2
        end = await service.now()

        async def count(first: Instant, last: Instant) -> tuple[int, int]:
            return await service.graph.read(lambda tx: refusals.count(tx, first, last))

        assert await count(begin, middle) == (2, 3)
        assert await count(middle, end) == (1, 1)
        assert await count(begin, end) == (3, 4)
        assert await count(end, EVER) == (0, 0)
        whole = await recorded(service)
        assert [each.run for each in whole] == ["r1", "r1", "r2", "r2", "r1", "r1", "r3", "r3"]
        assert await count(whole[-1].refused_at, whole[-1].refused_at) == (0, 0)
        assert await count(whole[-1].refused_at, whole[-1].refused_at + 1) == (1, 1)
        request = PageRequest(first=3)
        listed: list[RecordedRefusal] = []
        while True:
            page = await service.graph.read(lambda tx, request=request: refusals.page(tx, begin, middle, request))
            assert page.total == 6
            listed += page.items
            if not page.has_next:
                break
            request = PageRequest(first=3, after=page.positions[-1])
        assert listed == whole[:6]

    run(scenario())


def test_a_flagged_generator_upstream_stands_against_every_input_that_comes_of_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, PERMISSIVE, user("ana"), user("ben"), post("p"), post("q", "ben"))
        await publish(service, "d", "p")
        await train(service, "r0", "d:1", produced="m:1", purpose=AI)
        await train(service, "r1", "d:1", produced="m:2", purpose=AI)
        await publish(service, "other", "q")
        await train(service, "r2", "other:1", produced="clean:1")
        await register(service, "made", Coverage.UNDOCUMENTED, generated_by=("m:1", "m:2", "clean:1"))
        await publish(service, "e", "q", derived_from=("made:1",))
        await file(service, "o", "ana")
        answer = await authorize(service, "e:1", "made:1", "other:1")

        by = "comes of data generated by m:1, m:2, which have open retraining flags"
        assert answer.refusals == (
            TrainingRefusal(ref("e:1"), None, 0, (), f"e:1 {by}"),
            TrainingRefusal(ref("made:1"), None, 0, (), "made:1 has no COMPLETE manifest (it is UNDOCUMENTED)"),
            TrainingRefusal(ref("made:1"), None, 0, (), f"made:1 {by}"),
        )

    run(scenario())


async def with_a_flagged_base(service: Service, *policies: dict[str, Any]) -> None:
    """m:1 is flagged for a post of ana's, and d:2 holds one of ben's that may be used."""
    await record(service, *(policies or (PERMISSIVE,)), user("ana"), user("ben"), post("p"), post("q", "ben"))
    await publish(service, "d", "p")
    await train(service, "r0", "d:1", produced="m:1", purpose=AI)
    await file(service, "o", "ana")
    await publish(service, "d", "q")


def test_a_flagged_base_checkpoint_is_refused_and_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await with_a_flagged_base(service)
        with pytest.raises(StateError) as raised:
            await authorize(service, "d:2", started_from=("m:1",))

        message = "the run starts from m:1, which has an open retraining flag"
        assert (raised.value.code, raised.value.path, raised.value.message) == (
            "BASE_FLAGGED",
            ("startedFrom",),
            message,
        )
        (found,) = await recorded(service)
        assert (found.run, found.version, found.reason, found.count, found.message) == ("r", None, None, 0, message)
        assert "r" not in (await service.lineage()).runs
        (flag,) = (await flags.list_flags(service, None, "m:1", PageRequest())).items
        await flags.resolve(
            service, flag.uid, FlagResolution.NOT_REQUIRED, replacement=None, justification="it was never deployed"
        )
        assert (await authorize(service, "d:2", started_from=("m:1",))).run is not None

    run(scenario())


def test_a_flagged_base_is_let_through_where_every_policy_in_force_says_so(service: Service, run: Run) -> None:
    async def scenario() -> None:
        lenient = {**PERMISSIVE, "gate_flagged_bases": False}
        await with_a_flagged_base(service, lenient)
        assert (await authorize(service, "d:2", started_from=("m:1",))).run is not None
        await record(service, policy(key="fr", jurisdiction="FR"))
        with pytest.raises(StateError) as raised:
            await authorize(service, "d:2", started_from=("m:1",))
        assert raised.value.code == "BASE_FLAGGED"

    run(scenario())


@dataclass(frozen=True)
class Case:
    """A thing that is refused, and how."""

    name: str
    attempt: Act
    refused: Refused


AUTHORISATIONS = [
    Case(
        "no input",
        lambda service: authorize(service),
        Refused(InvalidInputError, "INPUT_REQUIRED", ("inputs",), "a run reads at least one dataset version"),
    ),
    Case(
        "an unknown input",
        lambda service: authorize(service, "d:1", "d:9"),
        Refused(NotFoundError, "VERSION_NOT_FOUND", ("inputs",), "dataset version d:9 is not recorded"),
    ),
    Case(
        "an unknown base",
        lambda service: authorize(service, "d:1", started_from=("m:9",)),
        Refused(NotFoundError, "MODEL_VERSION_NOT_FOUND", ("startedFrom",), "model version m:9 is not recorded"),
    ),
    Case(
        "a key that stands for a run as it happened",
        lambda service: authorize(service, "d:1", run="history"),
        Refused(ConflictError, "RUN_CONFLICT", ("run",), "run history is recorded with other content"),
    ),
    Case(
        "other inputs",
        lambda service: authorize(service, "d:1", "d:2", run="taken"),
        Refused(ConflictError, "RUN_CONFLICT", ("run",), "run taken is recorded with other content"),
    ),
    Case(
        "another purpose",
        lambda service: authorize(service, "d:1", run="taken", purpose="ADS"),
        Refused(ConflictError, "RUN_CONFLICT", ("run",), "run taken is recorded with other content"),
    ),
    Case(
        "other bases",
        lambda service: authorize(service, "d:1", run="taken", started_from=("m:1",)),
        Refused(ConflictError, "RUN_CONFLICT", ("run",), "run taken is recorded with other content"),
    ),
    Case(
        "a gated key recorded as it happened",
        lambda service: train(service, "taken", "d:1", purpose=AI),
        Refused(ConflictError, "RUN_CONFLICT", ("run",), "run taken is recorded with other content"),
    ),
]


@pytest.mark.parametrize("case", AUTHORISATIONS, ids=lambda case: case.name)
def test_an_authorisation_that_is_not_possible_records_nothing(service: Service, run: Run, case: Case) -> None:
    async def scenario() -> None:
        await eligible(service, "p")
        await publish(service, "d", "p")
        await train(service, "history", "d:1", produced="m:1", purpose=AI)
        await authorize(service, "d:1", run="taken")
        await assert_refused(service, case.attempt(service), case.refused)

    run(scenario())


# ---- asking again ----------------------------------------------------------------------------------------------------


def test_an_authorised_run_is_checked_again_and_stays_authorised(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        first = await assert_unchanged(service, authorize(service, "d:1"))
        assert first.run == (await service.lineage()).runs["r"]
        await file(service, "o", "ana")
        refused = await authorize(service, "d:1")

        assert refused.run is None
        assert [(each.reason, each.count) for each in refused.refusals] == [(Reason.OBJECTION_PENDING, 1)]
        assert (await service.lineage()).runs["r"] == first.run

    run(scenario())


def test_a_run_past_its_authorisation_is_answered_as_it_stands(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await running(service)
        await file(service, "o", "ana")
        again = await assert_unchanged(service, authorize(service, "d:1"))
        assert (again.run.status, again.refusals) == (RunStatus.RUNNING, ())
        await fail(service)
        again = await assert_unchanged(service, authorize(service, "d:1"))
        assert (again.run.status, again.refusals) == (RunStatus.FAILED, ())

    run(scenario())


# ---- starting --------------------------------------------------------------------------------------------------------


async def _object(service: Service) -> None:
    await authorized(service)
    await file(service, "o", "ana")


async def _withdraw(service: Service) -> None:
    await authorized(service)
    await withdraw_version(service, "d:1")


async def _another_policy(service: Service) -> None:
    await authorized(service)
    await record(service, {**PERMISSIVE, "version": 2})


async def _flag_the_base(service: Service) -> None:
    await record(service, PERMISSIVE, user("ana"), user("ben"), post("p"), post("q", "ben"))
    await publish(service, "d", "p")
    await train(service, "r0", "d:1", produced="m:1", purpose=AI)
    await publish(service, "e", "q", generated_by=("m:1",))
    await authorize(service, "e:1", started_from=("m:1",))
    await file(service, "o", "ana")


async def _cancelled(service: Service) -> None:
    await authorized(service)
    await cancel(service)


async def _recorded_only(service: Service) -> None:
    await eligible(service, "p")
    await train(service, "r", "d:1", produced="m:1")


BY_THE_GATE: list[tuple[Act, str | None, int, Refused]] = [
    (
        _object,
        "d:1",
        1,
        Refused(StateError, "INELIGIBLE_MEMBERS", ("run",), "1 post of d:1 may not be used for AI_TRAINING now"),
    ),
    (_withdraw, "d:1", 0, Refused(StateError, "VERSION_WITHDRAWN", ("run",), "d:1 is WITHDRAWN")),
    (
        _flag_the_base,
        None,
        0,
        Refused(StateError, "BASE_FLAGGED", ("run",), "the run rests on m:1, which has an open retraining flag"),
    ),
]
"""What came after the authorisation, the version and the posts that stand against the start, and what it is told."""


@pytest.mark.parametrize(("arrange", "version", "posts", "refused"), BY_THE_GATE)
def test_a_start_that_the_gate_refuses_changes_nothing_and_is_recorded(
    service: Service, run: Run, arrange: Act, version: str | None, posts: int, refused: Refused
) -> None:
    async def scenario() -> None:
        await arrange(service)
        before, begun = await snapshot(service), await service.now()
        for _ in range(2):
            with pytest.raises(RefusedError) as raised:
                await start(service)
            refused.check(raised.value)

        first, second = (each for each in await recorded(service) if each.refused_at >= begun)
        assert first.refused_at < second.refused_at
        assert (first.run, first.purpose, first.step, first.reason) == ("r", AI, GateStep.START, None)
        assert (first.version, first.count) == (None if version is None else ref(version), posts)
        assert first.message == raised.value.message
        assert await service.graph.read(lambda tx: refusals.count(tx, begun, EVER)) == (1, 2)
        await service.graph.write(lambda tx: tx.rows("MATCH (f:Refusal {step: 'START'}) DELETE f"))
        assert_same(before, await snapshot(service))

    run(scenario())


def test_everything_that_stands_against_a_start_is_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, PERMISSIVE, user("ana"), user("ben"), post("p"), post("q"), post("s", "ben"))
        await publish(service, "d", "p", "q")
        await publish(service, "e", "p", "s")
        assert (await authorize(service, "d:1", "e:1")).run is not None
        await file(service, "o", "ana")

        with pytest.raises(StateError):
            await start(service)

        found = [(each.version, each.count, each.message) for each in await recorded(service)]
        assert sorted(found) == [
            (ref("d:1"), 2, "2 posts of d:1 may not be used for AI_TRAINING now"),
            (ref("e:1"), 1, "1 post of e:1 may not be used for AI_TRAINING now"),
        ]

    run(scenario())


STARTS: list[tuple[Act, Act, Refused]] = [
    (
        _another_policy,
        start,
        Refused(
            StateError,
            "RECHECK_NEEDED",
            ("run",),
            "the members of d:1 are due to be judged again; call authorizeTraining again",
        ),
    ),
    (
        _cancelled,
        start,
        Refused(StateError, "RUN_WRONG_STATE", ("run",), "run r is CANCELLED; only one that is AUTHORIZED can start"),
    ),
    (
        _recorded_only,
        start,
        Refused(StateError, "RUN_WRONG_STATE", ("run",), "run r is COMPLETED; only one that is AUTHORIZED can start"),
    ),
    (eligible, start, Refused(NotFoundError, "RUN_NOT_FOUND", ("run",), "run r is not recorded")),
    (
        authorized,
        lambda service: start(service, started_at=STARTED),
        Refused(
            InvalidInputError,
            "STARTED_AT_OUT_OF_RANGE",
            ("startedAt",),
            "startedAt does not lie between the authorisation and now",
        ),
    ),
    (
        running,
        lambda service: start(service, started_at=STARTED),
        Refused(StateError, "RUN_WRONG_STATE", ("run",), "run r is RUNNING; only one that is AUTHORIZED can start"),
    ),
]


@pytest.mark.parametrize(("arrange", "attempt", "refused"), STARTS)
def test_a_start_that_is_refused_changes_nothing(
    service: Service, run: Run, arrange: Act, attempt: Act, refused: Refused
) -> None:
    async def scenario() -> None:
        await arrange(service)
        await assert_refused(service, attempt(service), refused)

    run(scenario())


def test_a_start_does_not_lie_in_the_future(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        with pytest.raises(InvalidInputError) as raised:
            await start(service, started_at=await service.now() + DAY)
        assert raised.value.code == "STARTED_AT_OUT_OF_RANGE"

    run(scenario())


def test_a_member_that_time_alone_makes_ineligible_stops_the_start_until_it_is_judged(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await authorized(service)
        vanishes = datetime.now(UTC) + timedelta(seconds=2)
        await record(service, {"kind": "post_deleted", "post": "p", "valid_from": vanishes.isoformat()})
        assert (await authorize(service, "d:1")).refusals == ()
        await asyncio.sleep(max(0.0, (vanishes - datetime.now(UTC)).total_seconds()) + 0.2)
        due = Refused(StateError, "RECHECK_NEEDED", ("run",), "the members of d:1 are due to be judged again")
        await assert_refused(service, start(service), due)
        refused = await authorize(service, "d:1")
        assert [(each.reason, each.sample_posts) for each in refused.refusals] == [(Reason.POST_DELETED, ("p",))]
        with pytest.raises(StateError, match="1 post of d:1") as raised:
            await start(service)
        assert raised.value.code == "INELIGIBLE_MEMBERS"

    run(scenario())


def test_a_start_after_a_new_policy_that_changes_nothing_needs_one_more_authorisation(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await _another_policy(service)
        assert (await authorize(service, "d:1")).run is not None
        assert (await start(service)).status is RunStatus.RUNNING

    run(scenario())


def test_a_start_evaluates_nobody(service: Service, run: Run) -> None:
    async def scenario() -> None:
        posts = [f"p{number}" for number in range(30)]
        await record(service, PERMISSIVE, user("ana"), *(post(each) for each in posts))
        await publish(service, "d", *posts[:1])
        await publish(service, "d", *posts)
        await authorize(service, "d:1", run="small")
        await authorize(service, "d:2", run="large")
        cost: list[int] = []
        for key in ("small", "large"):
            before = service.graph.statements
            await start(service, key)
            cost.append(service.graph.statements - before)
        assert cost[0] == cost[1]

    run(scenario())


# ---- how a run ends --------------------------------------------------------------------------------------------------


def test_a_completed_run_made_a_model_version_that_used_what_it_read(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await running(service)
        before = await service.now()
        completed = await complete(service)

        assert (completed.status, completed.produced) == (RunStatus.COMPLETED, "m:1")
        assert completed.produced_recorded_at == completed.ended_at
        assert completed.ended_at is not None
        assert completed.ended_at > before
        (use,) = (await use_of(service)).usage.uses
        assert (use.model_version, use.training_run) == ("m:1", "r")
        (use,) = (await use_of(service, known_at=before)).usage.uses
        assert use.model_version is None
        assert await assert_unchanged(service, complete(service)) == completed
        assert await assert_unchanged(service, complete(service, ended_at=before)) == completed

    run(scenario())


@pytest.mark.parametrize("late", [True, False], ids=["after the end", "before the end"])
def test_an_objection_after_the_start_flags_what_the_run_makes(service: Service, run: Run, *, late: bool) -> None:
    async def scenario() -> None:
        await running(service)
        if not late:
            await file(service, "o", "ana")
        await complete(service)
        await derive(service, "m:2", "m:1")
        if late:
            await file(service, "o", "ana")

        found = (await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest())).items
        assert {flag.model_version for flag in found} == {"m:1", "m:2"}
        for flag in found:
            assert await flags.cause_count(service, flag.uid, CauseKind.OBJECTION) == 1

    run(scenario())


def test_an_objection_received_before_a_start_and_recorded_after_it_is_flagged(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        received_at = await service.now()
        await start(service)
        await complete(service)
        await file(service, "o", "ana", received_at=received_at)

        (flag,) = (await flags.list_flags(service, FlagStatus.OPEN, "m:1", PageRequest())).items
        assert await flags.cause_count(service, flag.uid, CauseKind.OBJECTION) == 1
        assert await flags.cause_count(service, flag.uid, CauseKind.VIOLATION) == 1

    run(scenario())


@pytest.mark.parametrize("depicting", [False, True], ids=["of the author", "of somebody depicted"])
def test_no_start_passes_an_objection_whose_clock_is_ahead_of_ours(
    service: Service, run: Run, *, depicting: bool
) -> None:
    async def scenario() -> None:
        await record(service, PERMISSIVE, user("ana"), post("p", depicts=["ben"]))
        await publish(service, "d", "p")
        assert (await authorize(service, "d:1")).refusals == ()
        before = await service.now()
        received_at = before + DAY // 2
        filed = await file(service, "o", "ben" if depicting else "ana", received_at=received_at)

        with pytest.raises(StateError, match="1 post of d:1") as raised:
            await start(service)
        assert raised.value.code == "INELIGIBLE_MEMBERS"
        reason = Reason.THIRD_PARTY_OBJECTED if depicting else Reason.OBJECTION_PENDING
        (refusal,) = (await authorize(service, "d:1")).refusals
        assert (refusal.reason, refusal.count) == (reason, 1)
        assert await counts.ineligible_count(service, ref("d:1"), AI) == 1
        now = await service.now()
        for at, reasons in ((before, ()), (now, (reason,)), (received_at, (reason,)), (received_at + 1, (reason,))):
            found = await posts.eligibility(service, "p", AI, at, None)
            assert found is not None
            assert found.reasons == reasons, at
        # What it came to is told once it was received by its own clock, too; until then it can be taken back.
        too_early = Refused(InvalidInputError, "DECIDED_AT_OUT_OF_RANGE", ("decidedAt",), "between receivedAt and now")
        await assert_refused(service, decide(service, "o", uphold=True), too_early)
        await objections.withdraw_objection(service, filed.key)
        assert (await start(service)).status is RunStatus.RUNNING

    run(scenario())


def test_a_failed_run_stays_a_use_of_what_it_read(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await running(service)
        failed = await fail(service)

        assert (failed.status, failed.fail_reason, failed.produced) == (RunStatus.FAILED, "out of memory", None)
        assert failed.ended_at is not None
        (use,) = (await use_of(service)).usage.uses
        assert (use.model_version, use.training_run) == (None, "r")
        assert await assert_unchanged(service, fail(service)) == failed
        assert await assert_unchanged(service, fail(service, at=failed.ended_at)) == failed

    run(scenario())


def test_a_cancelled_run_never_was_a_use(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await authorized(service)
        cancelled = await cancel(service)

        assert (cancelled.status, cancelled.started_at, cancelled.ended_at) == (RunStatus.CANCELLED, None, None)
        assert (await use_of(service)).usage.verdict is Verdict.NOT_USED
        assert await assert_unchanged(service, cancel(service)) == cancelled
        again = await assert_unchanged(service, authorize(service, "d:1"))
        assert again.run == cancelled

    run(scenario())


def test_an_end_is_when_it_is_said_to_be(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await running(service)
        started_at = (await service.lineage()).runs["r"].started_at
        assert started_at is not None
        assert (await complete(service, ended_at=started_at)).ended_at == started_at
        await authorize(service, "d:1", run="r2")
        await start(service, "r2")
        ended_at = await service.now() + DAY - 60_000_000
        assert (await fail(service, "r2", at=ended_at)).ended_at == ended_at

    run(scenario())


WRONG = "run r is {}; only one that is RUNNING can {}"
ENDS: list[tuple[Act, Act, Refused]] = [
    (authorized, complete, Refused(StateError, "RUN_WRONG_STATE", ("run",), WRONG.format("AUTHORIZED", "complete"))),
    (authorized, fail, Refused(StateError, "RUN_WRONG_STATE", ("run",), WRONG.format("AUTHORIZED", "fail"))),
    (_cancelled, complete, Refused(StateError, "RUN_WRONG_STATE", ("run",), WRONG.format("CANCELLED", "complete"))),
    (
        running,
        cancel,
        Refused(
            StateError, "RUN_WRONG_STATE", ("run",), "run r is RUNNING; only one that is AUTHORIZED can be cancelled"
        ),
    ),
    (
        _recorded_only,
        lambda service: complete(service, "m:2"),
        Refused(StateError, "RUN_WRONG_STATE", ("run",), WRONG.format("COMPLETED", "complete")),
    ),
    (_recorded_only, fail, Refused(StateError, "RUN_WRONG_STATE", ("run",), WRONG.format("COMPLETED", "fail"))),
    (running, lambda service: complete(service, run="x"), Refused(NotFoundError, "RUN_NOT_FOUND", ("run",), "run x")),
    (running, lambda service: fail(service, "x"), Refused(NotFoundError, "RUN_NOT_FOUND", ("run",), "run x")),
    (running, lambda service: cancel(service, "x"), Refused(NotFoundError, "RUN_NOT_FOUND", ("run",), "run x")),
    (
        running,
        lambda service: fail(service, reason=" \n"),
        Refused(InvalidInputError, "REASON_REQUIRED", ("reason",), "a failure states its reason"),
    ),
    (
        running,
        lambda service: fail(service, at=STARTED),
        Refused(InvalidInputError, "INVALID_INPUT", ("endedAt",), "the run ended before it started"),
    ),
    (
        running,
        lambda service: complete(service, ended_at=STARTED),
        Refused(InvalidInputError, "INVALID_INPUT", ("endedAt",), "the run ended before it started"),
    ),
    (
        running,
        lambda service: complete(service, ended_at=2**52),
        Refused(InvalidInputError, "TIME_IN_FUTURE", ("endedAt",), "endedAt lies more than 24 hours ahead"),
    ),
    (
        running,
        lambda service: gate.complete(service, gate.CompleteTraining("r", "m", "1:2")),
        Refused(InvalidInputError, "VERSION_WITH_COLON", ("version",), "a version holds no colon"),
    ),
]


@pytest.mark.parametrize(("arrange", "attempt", "refused"), ENDS)
def test_an_end_that_is_refused_changes_nothing(
    service: Service, run: Run, arrange: Act, attempt: Act, refused: Refused
) -> None:
    async def scenario() -> None:
        await arrange(service)
        await assert_refused(service, attempt(service), refused)

    run(scenario())


def test_an_end_that_was_recorded_otherwise_is_refused(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await running(service)
        await train(service, "r0", "d:1", produced="m:1")
        exists = Refused(ConflictError, "MODEL_VERSION_EXISTS", ("version",), "model version m:1 is recorded already")
        await assert_refused(service, complete(service), exists)
        await fail(service)
        for attempt in (complete(service, "m:2"), fail(service, reason="another"), fail(service, at=STARTED + DAY)):
            wrong = Refused(StateError, "RUN_WRONG_STATE", ("run",), "run r is FAILED; only one that is RUNNING can")
            await assert_refused(service, attempt, wrong)

    run(scenario())


# ---- counting --------------------------------------------------------------------------------------------------------


def test_the_count_of_members_that_may_not_be_used(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await eligible(service, "p", "q")
        await register(service, "building")
        await register(service, "dump", Coverage.UNDOCUMENTED)

        async def count(version: str, purpose: str = AI) -> int | None:
            return await counts.ineligible_count(service, ref(version), purpose)

        assert (await count("d:1"), await count("d:1", "ADS")) == (0, 2)
        assert (await count("building:1"), await count("dump:1")) == (None, None)
        await file(service, "o", "ana")
        assert await count("d:1") == 2
        await withdraw_version(service, "d:1")
        assert await count("d:1") == 2

    run(scenario())
