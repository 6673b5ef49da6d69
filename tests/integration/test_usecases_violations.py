"""VIOLATION causes on the real graph: members that could not be used when a run started, whenever that was learned."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.clock import due_at
from consentline.domain.datasets import Coverage
from consentline.domain.errors import StateError
from consentline.domain.flags import CAUSES_WITHDRAWN, CauseKind, FlagResolution, FlagStatus, RetrainingFlag
from consentline.domain.instants import DAY, Instant
from consentline.domain.paging import PageRequest
from consentline.domain.training import RunStatus, TrainingRun
from consentline.graph import training as graph_training
from consentline.graph import upper
from consentline.graph.session import Tx
from consentline.usecases import evaluation, flags, training, violations
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep
from tests.graphs import wipe
from tests.integration.arrange import (
    STARTED,
    decide,
    declare,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    refs,
    register,
    train,
    user,
)
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]

BEFORE, AFTER = "2024-06-01T00:00:00Z", "2025-06-01T00:00:00Z"
LAW = policy(notice_required=False, assessment="dpia")
OBJECTION, THIRD_PARTY, VIOLATION = CauseKind.OBJECTION, CauseKind.THIRD_PARTY_OBJECTED, CauseKind.VIOLATION
MINOR, DELETED = CauseKind.MINOR, CauseKind.POST_DELETED

Causes = dict[str, dict[tuple[str, str], int]]
"""By model version: the standing causes of its open flag, with how many posts each concerns."""


async def causes(service: Service) -> Causes:
    found: Causes = {}
    for each in (await snapshot(service)).typed("CAUSED_BY"):
        if each["dropped_at"] is None and each.source["open_for"] is not None:
            found.setdefault(each.source["model"], {})[each.target["key"], each["kind"]] = each["posts"]
    return found


async def list_flags(service: Service) -> list[RetrainingFlag]:
    return list((await flags.list_flags(service, None, None, PageRequest(50))).items)


async def flag_of(service: Service, model: str) -> RetrainingFlag:
    (found,) = (await flags.list_flags(service, None, model, PageRequest(50))).items
    return found


async def violations_of(service: Service, run: str) -> tuple[int | None, bool]:
    """The count that is kept of a run, and whether it is to be counted anew."""
    (found,) = (each for each in (await snapshot(service)).labelled("TrainingRun") if each["key"] == run)
    return found["violations"], found["unjudged"] is not None


async def lawful(service: Service, *people: str) -> None:
    """Each of the people is an adult under a policy that demands nothing more, and wrote the post "p:<person>"."""
    await record(service, LAW)
    await record(service, *(user(person) for person in people))
    await record(service, *(post(f"p:{person}", person) for person in people))


# ---- what a run that is recorded gives -------------------------------------------------------------------------------


def test_members_that_could_not_be_used_at_the_start_flag_what_came_of_the_run(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await record(service, user("kid", adult_from="2030-01-01"), post("p:kid", "kid"), post("p:nobody", "nobody"))
        await publish(service, "d", "p:ana", "p:ben", "p:kid", "p:nobody", "never recorded")
        await train(service, "r", "d:1", produced="m:1")

        assert await causes(service) == {"m:1": {("r", VIOLATION): 3, ("kid", MINOR): 1}}
        assert await violations_of(service, "r") == (3, False)
        flag = await flag_of(service, "m:1")
        assert flag.status is FlagStatus.OPEN
        assert flag.due_at == due_at(flag.raised_at, None, service.establishment)
        assert await flags.cause_count(service, flag.uid, VIOLATION) == 1
        assert await flags.cause_count(service, flag.uid, OBJECTION) == 0
        assert await flags.affected_post_count(service, flag, None) == 3

    run(scenario())


def test_a_run_that_read_only_what_it_could_use_flags_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await publish(service, "d", "p:ana", "p:ben")
        await train(service, "r", "d:1", produced="m:1")

        assert await list_flags(service) == []
        assert await violations_of(service, "r") == (0, False)

    run(scenario())


def test_only_known_members_of_runs_that_may_have_a_product_are_judged(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p"))
        await publish(service, "d", "p")
        await publish(service, "empty")
        await declare(service, "declared", jurisdictions=("GB",), derived_from=["d:1"])
        await register(service, "blind", Coverage.UNDOCUMENTED)
        await train(service, "failed", "d:1")
        await train(service, "r", "declared:1", "blind:1", "empty:1", produced="m:1")
        await train(service, "s", produced="m:2")

        assert await list_flags(service) == []
        assert await violations_of(service, "failed") == (None, False)
        assert await violations_of(service, "r") == (0, False)
        assert await violations_of(service, "s") == (None, False)

    run(scenario())


def test_a_post_counts_once_however_many_inputs_hold_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, LAW, post("p"), post("q"))
        await publish(service, "d", "p")
        await publish(service, "d", "p", "q")
        await publish(service, "e", "p")
        await train(service, "r", "d:1", "d:2", "e:1", produced="m:1")

        assert await causes(service) == {"m:1": {("r", VIOLATION): 2}}

        await record(service, user("ana"))

        assert await causes(service) == {}
        assert await violations_of(service, "r") == (0, False)

    run(scenario())


def test_a_run_is_judged_for_its_purpose_and_one_of_unknown_purpose_for_ai_training(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await publish(service, "d", "p:ana")
        await train(service, "unknown", "d:1", produced="m:1")
        await train(service, "ai", "d:1", produced="m:2", purpose="AI_TRAINING")
        await train(service, "ads", "d:1", produced="m:3", purpose="ADS")

        assert await causes(service) == {"m:3": {("ads", VIOLATION): 1}}

        await record(service, policy(key="ads", purpose="ADS", notice_required=False, assessment="dpia"))

        assert await causes(service) == {}

    run(scenario())


def test_everything_that_comes_of_the_run_is_flagged_with_a_cause_for_each_run(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, LAW, post("p"), post("q"))
        await publish(service, "d", "p")
        await publish(service, "e", "p", "q")
        await train(service, "r", "d:1", produced="m:1")
        await derive(service, "m:2", "m:1")
        await register(service, "made", Coverage.UNDOCUMENTED, generated_by=("m:2",))
        await register(service, "cleaned", Coverage.UNDOCUMENTED, derived_from=["made:1"])
        await train(service, "synthetic", "cleaned:1", produced="m:3")
        await train(service, "s", "e:1", produced="m:4", started_from=("m:1",))
        await train(service, "other", produced="m:5")
        await register(service, "filtered", Coverage.UNDOCUMENTED, derived_from=["d:1"])
        await train(service, "filtered", "filtered:1", produced="m:6")

        first, second = ("r", VIOLATION), ("s", VIOLATION)
        tainted = {"m:1": {first: 1}, "m:2": {first: 1}, "m:3": {first: 1}, "m:4": {first: 1, second: 2}}
        assert await causes(service) == tainted
        flag = await flag_of(service, "m:4")
        assert await flags.cause_count(service, flag.uid, None) == 2
        assert await flags.affected_post_count(service, flag, None) == 2

        await derive(service, "m:7", "m:5", "m:4")

        assert await causes(service) == tainted | {"m:7": tainted["m:4"]}

    run(scenario())


def test_a_run_that_is_recorded_again_changes_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")

        await assert_unchanged(service, train(service, "r", "d:1", produced="m:1"))

    run(scenario())


def test_a_run_under_way_flags_nothing_until_it_has_a_product(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await publish(service, "d", "p:ana")
        await begin_run(service, "r", "d:1")
        await record(service, {"kind": "post_deleted", "post": "p:ana", "valid_from": BEFORE})

        assert await list_flags(service) == []
        assert await violations_of(service, "r") == (1, False)

        await end_run(service, "r", "m:1")

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1}}

    run(scenario())


async def begin_run(service: Service, key: str, *inputs: str) -> None:
    """A run that started with nothing to judge, as the gate leaves it."""

    async def work(tx: Tx) -> None:
        await upper.lock(tx)
        now = await upper.recording_time(tx)
        begun = TrainingRun(key, RunStatus.RUNNING, None, refs(*inputs), (), None, STARTED, None, now, None, gated=True)
        await graph_training.create_run(tx, begun)
        await upper.mark_changed(tx)

    await service.graph.write(work)


async def end_run(service: Service, key: str, produced: str) -> None:
    """The run has its product."""

    async def work(tx: Tx) -> None:
        await upper.lock(tx)
        now = await upper.recording_time(tx)
        model, _, version = produced.partition(":")
        await graph_training.create_model(tx, produced, model, version, now)
        await tx.rows(graph_training.PRODUCE, run=key, model=produced, recorded_at=now)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        await training.reconcile_above(tx, service, lineage, produced, now)

    await service.graph.write(work)


# ---- what is learned late --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Late:
    """A fact recorded after the run, and how many of the members ana's two and ben's one are violations then."""

    name: str
    fact: dict[str, Any]
    expected: int


LATE = (
    Late("deleted before the start", {"kind": "post_deleted", "post": "a1", "valid_from": BEFORE}, 1),
    Late("deleted after the start", {"kind": "post_deleted", "post": "a1", "valid_from": AFTER}, 0),
    Late("hidden before", {"kind": "visibility", "post": "a1", "visibility": "FRIENDS", "valid_from": BEFORE}, 1),
    Late("hidden after", {"kind": "visibility", "post": "a1", "visibility": "FRIENDS", "valid_from": AFTER}, 0),
    Late("special category", post("a1", special_category=True), 1),
    Late("moved away before", user(jurisdiction="FR", valid_from=BEFORE), 2),
    Late("moved away after", user(jurisdiction="FR", valid_from=AFTER), 0),
    Late("a minor, as is known from before", user(adult_from="2030-01-01", valid_from=BEFORE), 2),
    Late("a minor, as is known from after", user(adult_from="2030-01-01", valid_from=AFTER), 0),
    Late("somebody else's", {"kind": "post_author", "post": "a1", "author": "nobody", "reason": "wrong"}, 1),
    Late("depicting a minor", post("a1", depicts=["kid"]), 1),
    Late("depicting an adult", post("a1", depicts=["ben"]), 0),
    Late("an objection from before", {"kind": "objection", "key": "o", "user": "ana", "received_at": BEFORE}, 2),
    Late("an objection from after", {"kind": "objection", "key": "o", "user": "ana", "received_at": AFTER}, 0),
    Late(
        "of a depicted person, from before", {"kind": "objection", "key": "o", "user": "cy", "received_at": BEFORE}, 1
    ),
    Late(
        "a consent that no policy asks for",
        {"kind": "consent", "user": "ana", "purpose": "AI_TRAINING", "status": "WITHDRAWN", "valid_from": BEFORE},
        0,
    ),
    Late("a policy from before", LAW | {"version": 2, "effective_from": BEFORE, "assessment": None}, 3),
    Late("a policy from after", LAW | {"version": 2, "effective_from": AFTER, "assessment": None}, 0),
    Late("a policy that was over", LAW | {"version": 2, "effective_until": BEFORE, "assessment": None}, 0),
    Late("a policy for another purpose", LAW | {"version": 2, "purpose": "ADS", "assessment": None}, 0),
)


def test_a_fact_about_the_time_of_the_start_changes_what_was_violated(
    service: Service, run: Run, subtests: pytest.Subtests
) -> None:
    async def scenario(fact: dict[str, Any], expected: int) -> None:
        await wipe(service)
        await record(service, LAW, user("ana"), user("ben"), user("cy"), user("kid", adult_from="2030-01-01"))
        await record(service, post("a1"), post("a2"), post("b", "ben", depicts=["cy"]))
        await publish(service, "d", "a1", "a2", "b")
        await train(service, "r", "d:1", produced="m:1")
        assert await causes(service) == {}

        await record(service, fact)

        assert await violations_of(service, "r") == (expected, False)
        found = (await causes(service)).get("m:1", {})
        assert found.get(("r", VIOLATION), 0) == expected

    for case in LATE:
        with subtests.test(case.name):
            run(scenario(case.fact, case.expected))


def test_a_post_that_was_published_after_the_start_had_its_visibility_then_already(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await record(service, post("later", published_at=AFTER))
        await publish(service, "d", "later")
        await train(service, "r", "d:1", produced="m:1")
        hidden = {"kind": "visibility", "post": "later", "visibility": "PRIVATE", "valid_from": "2025-03-01T00:00:00Z"}
        await record(service, hidden)
        assert await causes(service) == {}

        await record(service, hidden | {"valid_from": AFTER})

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1}}

    run(scenario())


def test_the_last_violation_to_fall_away_resolves_the_flag(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, LAW, user("ben", adult_from="2030-01-01"), post("a"), post("b", "ben"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1")
        assert await causes(service) == {"m:1": {("r", VIOLATION): 2, ("ben", MINOR): 1}}

        await record(service, user("ana"))

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1, ("ben", MINOR): 1}}

        await record(service, user("ben", valid_from=BEFORE))

        flag = await flag_of(service, "m:1")
        assert (flag.status, flag.resolution) == (FlagStatus.RESOLVED, FlagResolution.NOT_REQUIRED)
        assert flag.justification == CAUSES_WITHDRAWN

        await record(service, {"kind": "post_deleted", "post": "a", "valid_from": BEFORE})

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1, ("a", DELETED): 1}}
        assert len(await list_flags(service)) == 2

    run(scenario())


def test_a_use_while_an_objection_was_undecided_stays_a_violation(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben", "cy")
        await publish(service, "d", "p:ana", "p:ben", "p:cy")
        await train(service, "r", "d:1", produced="m:1")
        for person in ("ana", "ben", "cy"):
            await file(service, f"o:{person}", person, STARTED - DAY)
        both = {(f"o:{person}", OBJECTION): 1 for person in ("ana", "ben", "cy")}
        assert await causes(service) == {"m:1": both | {("r", VIOLATION): 3}}
        flag = await flag_of(service, "m:1")
        assert await flags.affected_post_count(service, flag, None) == 3
        assert flag.due_at == due_at(STARTED - DAY, "GB-ENG", service.establishment)

        await decide(service, "o:ana", uphold=False, grounds="compelling", decided_at=STARTED)
        await decide(service, "o:ben", uphold=False, grounds="compelling", decided_at=STARTED + 1)
        await decide(service, "o:cy", uphold=True)

        assert await causes(service) == {"m:1": {("o:cy", OBJECTION): 1, ("r", VIOLATION): 2}}

    run(scenario())


def test_an_objection_from_after_the_start_is_no_violation(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await publish(service, "d", "p:ana")
        await train(service, "r", "d:1", produced="m:1")

        await file(service, "o", "ana", STARTED + 1)

        assert await causes(service) == {"m:1": {("o", OBJECTION): 1}}

        await decide(service, "o", uphold=False, grounds="compelling")

        assert await causes(service) == {}

    run(scenario())


def test_a_policy_that_forgives_past_use_silences_objections_and_no_violation(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await record(service, LAW | {"version": 2, "flags_past_use": False})
        await record(service, post("of ana", "ben", depicts=["ana"]))
        await publish(service, "d", "p:ana", "of ana")
        await train(service, "r", "d:1", produced="m:1")

        await file(service, "late", "ana", STARTED + 1)

        assert await causes(service) == {}

        await file(service, "early", "ana", STARTED)

        assert await causes(service) == {"m:1": {("r", VIOLATION): 2}}

    run(scenario())


# ---- flags that stay, or do not come again ---------------------------------------------------------------------------


def test_a_flag_that_loses_one_cause_and_gains_another_stays_the_same(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, LAW, user("ana"), user("kid", adult_from="2030-01-01"), post("p", "kid"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "o", "ana", STARTED + 1)
        assert await causes(service) == {"m:1": {("r", VIOLATION): 1, ("kid", MINOR): 1}}

        await record(service, {"kind": "post_author", "post": "p", "author": "ana", "reason": "wrong"})

        assert await causes(service) == {"m:1": {("o", OBJECTION): 1}}

        await record(service, {"kind": "post_author", "post": "p", "author": "kid", "reason": "right"})

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1, ("kid", MINOR): 1}}
        assert len(await list_flags(service)) == 1

        await record(service, user("kid", valid_from=BEFORE))
        await record(service, {"kind": "post_author", "post": "p", "author": "ana", "reason": "after all"})
        assert await causes(service) == {"m:1": {("o", OBJECTION): 1}}
        uid = (await list_flags(service))[-1].uid

        # Runs are judged after the policy's own transaction.
        await record(service, LAW | {"version": 2, "flags_past_use": False, "assessment": None})

        assert await causes(service) == {"m:1": {("r", VIOLATION): 1}}
        assert (await list_flags(service))[-1].uid == uid

    run(scenario())


def test_a_flag_that_waits_for_a_judgement_is_settled_by_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await publish(service, "d", "p:ana")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "o", "ana", STARTED + 1)

        # The policy drops the objection's cause; that the run did no wrong under it is known only afterwards.
        await record(service, LAW | {"version": 2, "flags_past_use": False})

        flag = await flag_of(service, "m:1")
        assert (flag.status, flag.justification) == (FlagStatus.RESOLVED, CAUSES_WITHDRAWN)

    run(scenario())


def test_a_cause_is_due_a_month_after_it_was_first_recorded_whatever_it_counts_later(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await record(service, LAW, post("a"), post("b", "ben"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1")
        (first,) = (await snapshot(service)).typed("CAUSED_BY")

        await record(service, user("ben"))

        (later,) = (await snapshot(service)).typed("CAUSED_BY")
        assert (first["posts"], later["posts"]) == (2, 1)
        assert later["due_at"] == first["due_at"] == due_at(first["recorded_at"], None, service.establishment)

    run(scenario())


def test_a_cause_that_was_resolved_with_its_flag_raises_no_new_one(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, LAW, post("a"), post("b", "ben"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1")
        flag = await flag_of(service, "m:1")
        await flags.resolve(
            service, flag.uid, FlagResolution.NOT_REQUIRED, replacement=None, justification="a test model"
        )

        await record(service, user("ben"))
        await derive(service, "m:2", "m:1")

        assert await causes(service) == {"m:2": {("r", VIOLATION): 1}}
        assert (await flag_of(service, "m:1")).justification == "a test model"
        assert await flags.affected_post_count(service, flag, None) == 2

    run(scenario())


def test_posts_under_several_causes_count_once(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await record(service, post("x", "kid"), post("y", "kid"), post("z", "kid"))
        await publish(service, "d", "p:ana", "p:ben", "x", "y")
        await publish(service, "e", "x", "z")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "early", "ana", STARTED)
        await file(service, "late", "ben", STARTED + 1)
        flag = await flag_of(service, "m:1")
        assert await causes(service) == {
            "m:1": {("early", OBJECTION): 1, ("late", OBJECTION): 1, ("r", VIOLATION): 3},
        }
        counts = [await flags.affected_post_count(service, flag, kind) for kind in (None, OBJECTION, VIOLATION)]
        assert counts == [4, 2, 3]

        await train(service, "s", "e:1", produced="m:2", started_from=("m:1",))

        flag = await flag_of(service, "m:2")
        counts = [await flags.affected_post_count(service, flag, kind) for kind in (None, OBJECTION, VIOLATION)]
        assert counts == [5, 2, 4]
        assert await flags.affected_post_count(service, flag, THIRD_PARTY) == 0

    run(scenario())


def test_a_replacement_is_clean_of_what_was_violated(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await record(service, *(post(f"x{number}", "kid") for number in range(7)))
        keys = [f"x{number}" for number in range(7)]
        await publish(service, "d", "p:ana", *keys)
        await publish(service, "d", "p:ana", "x6")
        await publish(service, "d", "p:ana")
        await declare(service, "e", jurisdictions=("FR",))
        await train(service, "r", "d:1", produced="m:1")
        await train(service, "again", "d:1", produced="m:2")
        await train(service, "cleaner", "d:2", produced="m:3")
        await train(service, "clean", "d:3", produced="m:4")
        await train(service, "unknown", "d:3", "e:1", produced="m:5")
        uid = (await flag_of(service, "m:1")).uid

        def resolve(replacement: str) -> Coroutine[Any, Any, RetrainingFlag]:
            return flags.resolve(service, uid, FlagResolution.RETRAINED, replacement=replacement, justification=None)

        def refused(telling: str) -> Refused:
            return Refused(StateError, "REPLACEMENT_NOT_CLEAN", ("replacement",), telling)

        five = "; ".join(f"x{number} -> d:1 -> again -> m:2" for number in range(5))
        await assert_refused(service, resolve("m:2"), refused(f"m:2 is not clean of the affected posts: {five}"))
        await assert_refused(service, resolve("m:3"), refused("affected posts: x6 -> d:2 -> cleaner -> m:3"))
        await assert_refused(service, resolve("m:5"), refused("affected posts: x0 may be held in e:1"))
        assert (await resolve("m:4")).resolution is FlagResolution.RETRAINED

    run(scenario())


def test_a_replacement_is_looked_at_again_when_something_came_in_between(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await record(service, post("x", "kid"))
        await publish(service, "d", "x", "p:ana")
        await publish(service, "d", "p:ana")
        await train(service, "r", "d:1", produced="m:1")
        await train(service, "clean", "d:2", produced="m:2")
        uid = (await flag_of(service, "m:1")).uid

        deleted = {"kind": "post_deleted", "post": "p:ana", "valid_from": BEFORE}
        monkeypatch.setattr(evaluation, "violating", interrupted(service, deleted))

        await assert_raises(
            flags.resolve(service, uid, FlagResolution.RETRAINED, replacement="m:2", justification=None),
            "m:2 is not clean of the affected posts: p:ana -> d:2 -> clean -> m:2",
        )

    run(scenario())


async def assert_raises(attempt: Coroutine[Any, Any, Any], message: str) -> None:
    with pytest.raises(StateError) as raised:
        await attempt
    assert raised.value.message == message


def interrupted(service: Service, *facts: dict[str, Any]) -> Callable[..., AsyncIterator[Any]]:
    """The evaluation of a version, after each of the first of which another fact is recorded."""
    violating, waiting = evaluation.violating, list(facts)

    async def evaluated(*arguments: Any, **more: Any) -> AsyncIterator[Any]:
        async for page in violating(*arguments, **more):
            yield page
        if waiting:
            await record(service, waiting.pop(0))

    return evaluated


# ---- judged after the commit -----------------------------------------------------------------------------------------


def test_a_run_that_was_not_judged_before_a_crash_is_judged_by_the_next_service(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await lawful(service, "ana", "ben")
        await publish(service, "d", "p:ana", "p:ben")
        await train(service, "r", "d:1", produced="m:1")
        await train(service, "s", "d:1", produced="m:2")
        await leave_unjudged(service, "r", "s")
        await file(service, "o", "ana", STARTED)
        objected = {("o", OBJECTION): 1}
        assert await causes(service) == {"m:1": objected, "m:2": objected}
        assert await violations_of(service, "r") == (0, True)

        await train(service, "s", "d:1", produced="m:2")

        assert await violations_of(service, "r") == (0, True)
        assert await causes(service) == {"m:1": objected, "m:2": objected | {("s", VIOLATION): 1}}

        await sweep(service)

        assert await violations_of(service, "r") == (1, False)
        assert await causes(service) == {
            "m:1": objected | {("r", VIOLATION): 1},
            "m:2": objected | {("s", VIOLATION): 1},
        }
        await assert_unchanged(service, violations.judge_runs(service))

    run(scenario())


async def leave_unjudged(service: Service, *runs: str) -> None:
    """The mark that recording leaves when nobody comes to judge."""

    async def work(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        await violations.mark_runs(tx, lineage, runs)

    await service.graph.write(work)


@pytest.mark.parametrize("interruptions", [1, 2, 3])
def test_facts_that_come_while_a_run_is_judged_are_counted(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, interruptions: int
) -> None:
    async def scenario() -> None:
        people = [f"person{number}" for number in range(5)]
        await lawful(service, *people)
        await publish(service, "d", *(f"p:{person}" for person in people))
        deletions = [
            {"kind": "post_deleted", "post": f"p:{person}", "valid_from": BEFORE} for person in people[:interruptions]
        ]
        monkeypatch.setattr(evaluation, "violating", interrupted(service, *deletions))

        await train(service, "r", "d:1", produced="m:1")

        gone = {(f"p:{person}", DELETED): 1 for person in people[:interruptions]}
        assert await causes(service) == {"m:1": {("r", VIOLATION): interruptions} | gone}
        assert await violations_of(service, "r") == (interruptions, False)

    run(scenario())


def test_a_fact_that_changes_nothing_about_the_start_does_not_disturb_a_judgement(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await lawful(service, "ana")
        await publish(service, "d", "p:ana")
        deleted = {"kind": "post_deleted", "post": "p:ana", "valid_from": AFTER}
        evaluations = 0
        violating = interrupted(service, deleted)

        def counted(*arguments: Any, **more: Any) -> AsyncIterator[Any]:
            nonlocal evaluations
            evaluations += 1
            return violating(*arguments, **more)

        monkeypatch.setattr(evaluation, "violating", counted)
        await train(service, "r", "d:1", produced="m:1")

        assert evaluations == 1
        assert await causes(service) == {"m:1": {("p:ana", DELETED): 1}}

    run(scenario())


def test_late_objections_at_once_are_counted_exactly(service: Service, run: Run) -> None:
    async def scenario() -> None:
        people = [f"person{number}" for number in range(32)]
        await lawful(service, *people)
        await publish(service, "d", *(f"p:{person}" for person in people))
        await train(service, "r", "d:1", produced="m:1")
        await train(service, "s", "d:1", produced="m:2", started_at=STARTED + DAY)

        await asyncio.gather(*(file(service, f"o:{person}", person, received(person)) for person in people))

        counts = await counts_of(service, "m:1", "m:2")
        assert counts == {"m:1": {"r": 16}, "m:2": {"s": 32}}

    run(scenario())


def received(person: str) -> Instant:
    """Half of the people object before the first run, all before the second."""
    return STARTED + int(person.removeprefix("person")) % 2


def test_objections_and_a_run_at_once_are_counted_exactly(service: Service, run: Run) -> None:
    async def scenario() -> None:
        people = [f"person{number}" for number in range(16)]
        await lawful(service, *people)
        await publish(service, "d", *(f"p:{person}" for person in people))

        await asyncio.gather(
            *(file(service, f"o:{person}", person, STARTED) for person in people[:8]),
            train(service, "r", "d:1", produced="m:1"),
            *(file(service, f"o:{person}", person, STARTED) for person in people[8:]),
        )

        assert await counts_of(service, "m:1") == {"m:1": {"r": 16}}
        assert await violations_of(service, "r") == (16, False)

    run(scenario())


async def counts_of(service: Service, *models: str) -> dict[str, dict[str, int]]:
    """The violations of each run among the causes of the models."""
    found = await causes(service)
    return {
        model: {source: posts for (source, kind), posts in found[model].items() if kind == VIOLATION}
        for model in models
    }
