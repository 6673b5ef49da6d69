"""Runs, derivations and features on the real graph: what is written, what is refused, what is repeated."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.datasets import Coverage
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.instants import DAY
from consentline.domain.paging import PageRequest
from consentline.domain.training import DerivationKind, ModelStatus, RunStatus
from consentline.graph.session import Tx
from consentline.usecases import flags, training, usage
from consentline.usecases.service import Service
from tests.integration.arrange import (
    RECEIVED,
    STARTED,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    refs,
    register,
    seal,
    serve,
    train,
    user,
)
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

MINUTE = 60_000_000
PERMISSIVE = {"notice_required": False, "assessment": "dpia"}


# ---- what is written ------------------------------------------------------------------------------------------------


def test_a_small_story_is_these_nodes_and_relationships_and_no_others(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana"), post("p1", "ana"), post("p2", "ben", depicts=["ana"]))
        await publish(service, "d", "p1", "p2")
        await train(service, "r", "d:1", produced="m:1")
        await derive(service, "m:2", "m:1")
        await register(service, "s", Coverage.UNDOCUMENTED, derived_from=["d:1"], generated_by=("m:2",))
        await train(service, "failed", "s:1", started_from=("m:1",))
        await serve(service, "feed", "m:2")
        await file(service, "o", "ana")
        graph = await snapshot(service)

        assert graph.names() == {
            *("User ana", "User ben", "UserFact jurisdiction GB-ENG", "UserFact adult_from 1990-01-01"),
            *("Post p1", "Post p2", "Shard d/0/0/0", "Dataset d", "Dataset s"),
            *("DatasetVersion d:1", "DatasetVersion s:1", "TrainingRun r", "TrainingRun failed"),
            *("ModelVersion m:1", "ModelVersion m:2", "Feature feed"),
            *("Objection o", "ConsentState OBJECTION_PENDING", "Revision lineage"),
            *("RetrainingFlag m:1 OPEN", "RetrainingFlag m:2 OPEN"),
            *("Event FLAG_RAISED", "Event FLAG_JOINED", "Event OBJECTION_FILED"),
        }
        assert graph.shape() == {
            ("Event OBJECTION_FILED", "TELLS_OF", "Objection o"),
            ("User ana", "KNOWN", "UserFact jurisdiction GB-ENG"),
            ("User ana", "KNOWN", "UserFact adult_from 1990-01-01"),
            ("User ana", "SAID", "ConsentState OBJECTION_PENDING"),
            ("Post p1", "AUTHORED_BY", "User ana"),
            ("Post p2", "AUTHORED_BY", "User ben"),
            ("Post p2", "DEPICTS", "User ana"),
            ("Post p1", "IN_SHARD", "Shard d/0/0/0"),
            ("Post p2", "IN_SHARD", "Shard d/0/0/0"),
            ("Dataset d", "HAS_SHARD", "Shard d/0/0/0"),
            ("Dataset d", "HAS_VERSION", "DatasetVersion d:1"),
            ("Dataset s", "HAS_VERSION", "DatasetVersion s:1"),
            ("DatasetVersion s:1", "DERIVED_FROM", "DatasetVersion d:1"),
            ("DatasetVersion s:1", "GENERATED_BY", "ModelVersion m:2"),
            ("TrainingRun r", "CONSUMED", "DatasetVersion d:1"),
            ("TrainingRun r", "PRODUCED", "ModelVersion m:1"),
            ("TrainingRun failed", "CONSUMED", "DatasetVersion s:1"),
            ("TrainingRun failed", "STARTED_FROM", "ModelVersion m:1"),
            ("ModelVersion m:2", "DERIVED_FROM", "ModelVersion m:1"),
            ("Feature feed", "SERVED_BY", "ModelVersion m:2"),
            ("Objection o", "FILED_BY", "User ana"),
            ("RetrainingFlag m:1 OPEN", "FLAGS", "ModelVersion m:1"),
            ("RetrainingFlag m:1 OPEN", "CAUSED_BY", "Objection o"),
            ("RetrainingFlag m:2 OPEN", "FLAGS", "ModelVersion m:2"),
            ("RetrainingFlag m:2 OPEN", "CAUSED_BY", "Objection o"),
            ("RetrainingFlag m:1 OPEN", "CAUSED_BY", "TrainingRun r"),
            ("RetrainingFlag m:2 OPEN", "CAUSED_BY", "TrainingRun r"),
        }
        # Nothing is written twice, but for the two kinds of cause that one objection gives.
        several = {(each.source.name, each["kind"]) for each in graph.typed("CAUSED_BY")}
        assert several == {
            (f"RetrainingFlag m:{number} OPEN", kind)
            for number in (1, 2)
            for kind in (CauseKind.OBJECTION, CauseKind.THIRD_PARTY_OBJECTED, CauseKind.VIOLATION)
        }
        assert graph.relationships.total() == len(graph.shape()) + 2

    run(scenario())


def test_a_run_is_read_back_as_it_was_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d")
        await publish(service, "d", "p")
        await train(service, "r0", "d:1", produced="m:1")
        made = await train(
            service,
            "r",
            *("d:2", "d:1", "d:2"),
            produced="m:2",
            started_from=("m:1", "m:1"),
            ended_at=STARTED,
            purpose="ADS",
        )
        failed = await train(service, "failed", "d:1")

        assert (made.inputs, made.started_from, made.produced) == (refs("d:1", "d:2"), ("m:1",), "m:2")
        assert (made.started_at, made.ended_at, made.purpose) == (STARTED, STARTED, "ADS")
        assert (made.status, made.gated, made.produced_recorded_at) == (RunStatus.COMPLETED, False, made.recorded_at)
        assert (failed.status, failed.produced, failed.purpose) == (RunStatus.FAILED, None, None)
        assert (await service.lineage()).runs["r"] == made
        graph = await snapshot(service)
        assert len([each for each in graph.typed("CONSUMED") if each.source["key"] == "r"]) == 2
        assert len(graph.typed("STARTED_FROM")) == 1

    run(scenario())


def test_history_is_recorded_and_not_judged(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p", published_at="2026-01-01T00:00:00Z"))
        await publish(service, "d", "p")
        await file(service, "o", "ana")
        sealed_at = (await service.lineage()).versions[refs("d:1")[0]].sealed_at
        assert sealed_at is not None
        for number, started_at in enumerate((STARTED, RECEIVED, RECEIVED + 1, sealed_at - 1, sealed_at)):
            await train(service, f"r{number}", "d:1", produced=f"m:{number}", started_at=started_at)
        ahead = await service.now() + DAY - MINUTE
        await train(service, "ahead", started_at=ahead, ended_at=ahead)

        answer = await usage.post_usage(service, "p", None)
        assert {use.model_version for use in answer.usage.uses} == {f"m:{number}" for number in range(5)}

    run(scenario())


def test_a_derivation_is_added_to_a_model_version_that_is_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await train(service, "r1", produced="m:1")
        await train(service, "r2", produced="m:2")
        made = await derive(service, "m:3", "m:1", kind=DerivationKind.MERGE, at=STARTED)
        before = await snapshot(service)
        again = await derive(service, "m:3", "m:1", "m:2", kind=DerivationKind.MERGE, at=STARTED + 1)
        await derive(service, "m:3", "m:1", kind=DerivationKind.ADAPTER)
        await derive(service, "m:2", "m:1")

        assert (made.key, made.model, made.version, made.status) == ("m:3", "m", "3", ModelStatus.ACTIVE)
        assert again == made
        derivations = (await service.lineage()).derivations
        assert {(each.model, each.base, each.kind) for each in derivations} == {
            ("m:3", "m:1", DerivationKind.MERGE),
            ("m:3", "m:2", DerivationKind.MERGE),
            ("m:3", "m:1", DerivationKind.ADAPTER),
            ("m:2", "m:1", DerivationKind.FINE_TUNE),
        }
        at = {(each.model, each.base, each.kind): each.at for each in derivations}
        assert at["m:3", "m:1", DerivationKind.MERGE] == STARTED
        assert at["m:3", "m:2", DerivationKind.MERGE] == STARTED + 1
        assert set(before.labelled("ModelVersion")) == set((await snapshot(service)).labelled("ModelVersion"))

    run(scenario())


def test_a_feature_is_served_by_what_took_it_over_last_in_whatever_order_that_was_recorded(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        for number in (1, 2, 3):
            await train(service, f"r{number}", produced=f"m:{number}")
        first, second, third = STARTED, STARTED + DAY, STARTED + 2 * DAY
        await serve(service, "feed", "m:1", first)
        await serve(service, "feed", "m:3", third)
        await serve(service, "feed", "m:2", second)
        await serve(service, "other", "m:1", second)

        lineage = await service.lineage()
        assert {(each.feature, each.model_version, each.since, each.until) for each in lineage.servings} == {
            ("feed", "m:1", first, second),
            ("feed", "m:2", second, third),
            ("feed", "m:3", third, None),
            ("other", "m:1", second, None),
        }
        assert lineage.features_of("m:1", second) == ["other"]
        assert lineage.features_of("m:2", second) == ["feed"]

    run(scenario())


def test_a_feature_taken_back_is_served_from_now_on(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await train(service, "r1", produced="m:1")
        await train(service, "r2", produced="m:2")
        for model in ("m:1", "m:2", "m:1"):
            await serve(service, "feed", model)

        lineage = await service.lineage()
        now = await service.now()
        assert len(lineage.servings) == 3
        assert (lineage.features_of("m:1", now), lineage.features_of("m:2", now)) == (["feed"], [])
        ends = sorted((each.since, each.until or now) for each in lineage.servings)
        assert [end for _, end in ends[:-1]] == [begin for begin, _ in ends[1:]]

    run(scenario())


# ---- flags ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Raising:
    name: str
    act: Act
    flagged: frozenset[str]


RAISING = (
    Raising("a run that reads the post", lambda s: train(s, "new", "d:1", produced="n:1"), frozenset({"n:1"})),
    Raising("a run that failed", lambda s: train(s, "new", "d:1"), frozenset()),
    Raising("a run on another version", lambda s: train(s, "new", "e:1", produced="n:1"), frozenset()),
    Raising("a run for another purpose", lambda s: train(s, "new", "d:1", produced="n:1", purpose="ADS"), frozenset()),
    Raising("a run on what is not documented", lambda s: train(s, "new", "u:1", produced="n:1"), frozenset()),
    Raising("a run from a base", lambda s: train(s, "new", started_from=("m:1",), produced="n:1"), frozenset({"n:1"})),
    Raising("a run on generated rows", lambda s: train(s, "new", "s:1", produced="n:1"), frozenset({"n:1"})),
    Raising("a derivation", lambda s: derive(s, "n:1", "m:1"), frozenset({"n:1"})),
    Raising("a derivation below others", lambda s: derive(s, "k:1", "m:1"), frozenset({"k:1", "k:2"})),
    Raising("a derivation from elsewhere", lambda s: derive(s, "n:1", "k:2"), frozenset()),
)


@pytest.mark.parametrize("case", RAISING, ids=lambda case: case.name)
def test_what_makes_a_model_version_a_user_raises_its_flag(service: Service, run: Run, case: Raising) -> None:
    async def scenario() -> None:
        # Nothing but the objection stands against any use.
        await record(service, *(policy(key=each, purpose=each, **PERMISSIVE) for each in ("AI_TRAINING", "ADS")))
        await record(service, user("ana"), user("ben"))
        await record(service, post("p"), post("q", "ben"))
        await publish(service, "d", "p")
        await publish(service, "e", "q")
        await register(service, "u", Coverage.UNDOCUMENTED)
        await train(service, "r", "d:1", produced="m:1")
        await register(service, "s", Coverage.UNDOCUMENTED, generated_by=("m:1",))
        await train(service, "k", "e:1", produced="k:1")
        await derive(service, "k:2", "k:1")
        await file(service, "o", "ana")
        await case.act(service)

        page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest())
        assert {flag.model_version for flag in page.items} == case.flagged | {"m:1"}

    run(scenario())


CLOCK_WENT_BACK = """
MATCH (t:TrainingRun {key: 'r'})-[p:PRODUCED]->(m:ModelVersion)
SET t.recorded_at = t.recorded_at + $ahead, p.recorded_at = p.recorded_at + $ahead,
    m.recorded_at = m.recorded_at + $ahead
WITH t
MATCH (r:Revision) SET r.value = randomUUID()
"""


def test_a_flag_is_raised_though_the_clock_went_back_in_between(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "o", "ana")

        async def went_back(tx: Tx) -> None:
            await tx.rows(CLOCK_WENT_BACK, ahead=MINUTE)

        await service.graph.write(went_back)
        await derive(service, "m:2", "m:1")

        page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest())
        assert {flag.model_version for flag in page.items} == {"m:1", "m:2"}

    run(scenario())


# ---- refusals -------------------------------------------------------------------------------------------------------


async def story(service: Service) -> None:
    """m:1 trained on d:1 by r1; m:2 derived from it; b:1 building and s:1 sealed, both generated by m:2.

    m:4 was trained on s:1; old:1 was flagged and retired.
    """
    await publish(service, "d", "p")
    await train(service, "r1", "d:1", produced="m:1", ended_at=STARTED, purpose="ADS", started_from=())
    await derive(service, "m:2", "m:1")
    await register(service, "b", generated_by=("m:2",))
    await register(service, "s", Coverage.DECLARED, generated_by=("m:2",))
    await train(service, "r4", "s:1", produced="m:4")
    await retire(service, "old:1")


async def retire(service: Service, model: str) -> None:
    """Record a model version that used a post of somebody who objects, and retire it."""
    await record(service, post("disputed", "zoe"))
    await publish(service, "disputed", "disputed")
    await train(service, f"run of {model}", "disputed:1", produced=model)
    await file(service, f"objection to {model}", "zoe")
    page = await flags.list_flags(service, FlagStatus.OPEN, model, PageRequest())
    await flags.resolve(service, page.items[0].uid, FlagResolution.RETIRED, replacement=None, justification=None)


@dataclass(frozen=True)
class Refusal:
    name: str
    act: Act
    expected: Refused


def invalid(code: str, field: str, telling: str) -> Refused:
    return Refused(InvalidInputError, code, (field,), telling)


def unknown(field: str, key: str) -> Refused:
    return Refused(NotFoundError, "MODEL_VERSION_NOT_FOUND", (field,), f"model version {key} is not recorded")


def cycle(path: str) -> Refused:
    return Refused(ConflictError, "DERIVATION_CYCLE", ("from",), f"would close a cycle: {path}")


def future(field: str) -> Refused:
    return invalid("TIME_IN_FUTURE", field, f"{field} lies more than 24 hours ahead")


async def ahead(service: Service) -> int:
    return await service.now() + DAY + MINUTE


async def start_ahead(service: Service) -> None:
    await train(service, "r", started_at=await ahead(service))


async def end_ahead(service: Service) -> None:
    await train(service, "r", ended_at=await ahead(service))


async def derive_ahead(service: Service) -> None:
    await derive(service, "m:9", "m:1", at=await ahead(service))


async def serve_ahead(service: Service) -> None:
    await serve(service, "feed", "m:1", await ahead(service))


async def half_named(service: Service, model: str | None, version: str | None) -> None:
    await training.record_training(service, training.RecordTraining("r", (), STARTED, model=model, version=version))


def repeated(**more: Any) -> Act:
    """Run r1 again with something else about it."""
    given: dict[str, Any] = {"produced": "m:1", "ended_at": STARTED, "purpose": "ADS"}
    inputs = more.pop("inputs", ("d:1",))
    return lambda service: train(service, "r1", *inputs, **(given | more))


CONFLICT = Refused(ConflictError, "RUN_CONFLICT", ("run",), "run r1 is recorded with other content")
COLON = invalid("VERSION_WITH_COLON", "version", "no colon")
EXISTS = "is recorded already"
REFUSALS = (
    Refusal(
        "a model without a version", lambda s: half_named(s, "m", None), invalid("INVALID_INPUT", "version", "together")
    ),
    Refusal(
        "a version without a model", lambda s: half_named(s, None, "1"), invalid("INVALID_INPUT", "version", "together")
    ),
    Refusal("a version with a colon", lambda s: half_named(s, "m", "1:2"), COLON),
    Refusal(
        "a key that is too long", lambda s: half_named(s, "m" * 255, "1"), invalid("KEY_TOO_LONG", "version", "257")
    ),
    Refusal(
        "an end before the start",
        lambda s: train(s, "r", ended_at=STARTED - 1),
        invalid("INVALID_INPUT", "endedAt", "ended before it started"),
    ),
    Refusal("a start too far ahead", start_ahead, future("startedAt")),
    Refusal("an end too far ahead", end_ahead, future("endedAt")),
    Refusal("another start", repeated(started_at=STARTED - 1), CONFLICT),
    Refusal("another end", repeated(ended_at=STARTED + 1), CONFLICT),
    Refusal("no end", repeated(ended_at=None), CONFLICT),
    Refusal("another purpose", repeated(purpose="AI_TRAINING"), CONFLICT),
    Refusal("no purpose", repeated(purpose=None), CONFLICT),
    Refusal("another input", repeated(inputs=("s:1",)), CONFLICT),
    Refusal("one input more", repeated(inputs=("d:1", "s:1")), CONFLICT),
    Refusal("no input", repeated(inputs=()), CONFLICT),
    Refusal("another base", repeated(started_from=("m:2",)), CONFLICT),
    Refusal("another product", repeated(produced="m:9"), CONFLICT),
    Refusal("no product", repeated(produced=None), CONFLICT),
    Refusal(
        "an input that is not recorded",
        lambda s: train(s, "r", "d:1", "d:2", produced="m:9"),
        Refused(NotFoundError, "VERSION_NOT_FOUND", ("inputs",), "dataset version d:2 is not recorded"),
    ),
    Refusal(
        "an input that is building",
        lambda s: train(s, "r", "d:1", "b:1", produced="m:9"),
        Refused(StateError, "VERSION_BUILDING", ("inputs",), "b:1 is still BUILDING"),
    ),
    Refusal(
        "a base that is not recorded",
        lambda s: train(s, "r", started_from=("m:1", "m:9")),
        unknown("startedFrom", "m:9"),
    ),
    Refusal(
        "its own product as base",
        lambda s: train(s, "r", started_from=("m:9",), produced="m:9"),
        unknown("startedFrom", "m:9"),
    ),
    Refusal(
        "a product that another run made",
        lambda s: train(s, "r", produced="m:1"),
        Refused(ConflictError, "MODEL_VERSION_EXISTS", ("version",), f"m:1 {EXISTS}"),
    ),
    Refusal(
        "a product that was derived",
        lambda s: train(s, "r", produced="m:2"),
        Refused(ConflictError, "MODEL_VERSION_EXISTS", ("version",), f"m:2 {EXISTS}"),
    ),
    Refusal(
        "derived from nothing", lambda s: derive(s, "m:9"), invalid("BASE_REQUIRED", "from", "names what it derives")
    ),
    Refusal("derived from what is not recorded", lambda s: derive(s, "m:9", "m:1", "m:8"), unknown("from", "m:8")),
    Refusal("derived from itself and not recorded", lambda s: derive(s, "m:9", "m:9"), unknown("from", "m:9")),
    Refusal("derived under a version with a colon", lambda s: derive_as(s, "m", "9:1"), COLON),
    Refusal("derived too far ahead", derive_ahead, future("at")),
    Refusal("derived from itself", lambda s: derive(s, "m:1", "m:1"), cycle("m:1 -> m:1")),
    Refusal("derived from what derives from it", lambda s: derive(s, "m:1", "m:2"), cycle("m:1 -> m:2 -> m:1")),
    Refusal(
        "derived from what was trained on what it generated",
        lambda s: derive(s, "m:1", "m:4"),
        cycle("m:1 -> m:2 -> s:1 -> r4 -> m:4 -> m:1"),
    ),
    Refusal(
        "one base of two closes a cycle",
        lambda s: derive(s, "m:2", "m:1", "m:4"),
        cycle("m:2 -> s:1 -> r4 -> m:4 -> m:2"),
    ),
    Refusal("a feature of what is not recorded", lambda s: serve(s, "feed", "m:9"), unknown("modelVersion", "m:9")),
    Refusal("a feature too far ahead", serve_ahead, future("from")),
    Refusal(
        "a feature of what is retired",
        lambda s: serve(s, "feed", "old:1"),
        Refused(StateError, "MODEL_RETIRED", ("modelVersion",), "old:1 is RETIRED"),
    ),
)


async def derive_as(service: Service, model: str, version: str) -> None:
    command = training.DeriveModel(model, version, ("m:1",), DerivationKind.MERGE)
    await training.derive_model(service, command)


def test_what_is_refused_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REFUSALS:
        with subtests.test(case.name):
            run(assert_refused(service, case.act(service), case.expected))


def test_a_cycle_through_a_version_derived_from_what_was_generated_is_refused(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await seal(service, "b:1")
        await register(service, "c", Coverage.UNDOCUMENTED, derived_from=["b:1"])
        await train(service, "r5", "c:1", produced="m:5")

        await assert_refused(service, derive(service, "m:2", "m:5"), cycle("m:2 -> b:1 -> c:1 -> r5 -> m:5 -> m:2"))

    run(scenario())


# ---- repeats --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repeat:
    name: str
    act: Act


REPEATS = (
    Repeat("a run", repeated()),
    Repeat("a run, its inputs named twice", repeated(inputs=("d:1", "d:1"))),
    Repeat("a run that failed", lambda s: train(s, "failed", "d:1", started_from=("m:2", "m:1"))),
    Repeat("a run that failed, in another order", lambda s: train(s, "failed", "d:1", started_from=("m:1", "m:2"))),
    Repeat("a derivation", lambda s: derive(s, "m:2", "m:1")),
    Repeat("a derivation at another time", lambda s: derive(s, "m:2", "m:1", at=STARTED)),
    Repeat("a derivation from two", lambda s: derive(s, "m:7", "m:1", "m:2", "m:1", kind=DerivationKind.MERGE)),
    Repeat("a feature from an instant on", lambda s: serve(s, "feed", "m:1", STARTED)),
    Repeat("a feature that is served now", lambda s: serve(s, "feed", "m:1")),
    Repeat("a feature taken over", lambda s: serve(s, "feed", "m:2", STARTED + DAY)),
    Repeat("a feature from now on", lambda s: serve(s, "feed", "m:4")),
    Repeat("a feature as it was before", lambda s: serve(s, "feed", "m:1", STARTED)),
)


def test_what_is_repeated_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REPEATS:
        with subtests.test(case.name):
            first = run(case.act(service))
            again = run(assert_unchanged(service, case.act(service)))
            assert again == first
