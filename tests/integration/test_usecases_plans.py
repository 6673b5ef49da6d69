"""Retraining plans on the real graph: made from what is recorded, followed to the end, and honest about the rest."""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest

from consentline.domain.datasets import Coverage
from consentline.domain.errors import NotFoundError
from consentline.domain.flags import FlagResolution, FlagStatus
from consentline.domain.instants import DAY
from consentline.domain.paging import PageRequest
from consentline.domain.plan_steps import Step
from consentline.domain.sharding import AssignedBy, Cell, Checkpoint, ShardedTraining, Sharding
from consentline.domain.training import DerivationKind
from consentline.usecases import flags, runs
from consentline.usecases.plans import PlanAnswer, make_plan
from consentline.usecases.service import Service
from tests.integration.arrange import (
    PUBLISHED,
    RECEIVED,
    allow,
    ask_erasure,
    decide,
    declare,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    ref,
    register,
    serve,
    train,
    user,
    withdraw_version,
)
from tests.integration.flagging import deleted, said, shown
from tests.integration.snapshots import assert_unchanged
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]


async def story(service: Service) -> None:
    """m:1 read d:1; m:2 was fine-tuned from it on d:2, m:3 quantised; of its rows s:1 came t:1, which m:4 read."""
    await allow(service, "ana", "ben", "cid")
    await record(service, post("a1", "ana"), post("a2", "ana"), post("b1", "ben"), post("b2", "ben"), post("c1", "cid"))
    await publish(service, "d", "a1", "b1", "c1")
    await publish(service, "d", "a1", "a2", "b1", "b2", "c1")
    await train(service, "r1", "d:1", produced="m:1", purpose="AI_TRAINING")
    await train(service, "r2", "d:2", produced="m:2", started_from=("m:1",), purpose="AI_TRAINING")
    await derive(service, "m:3", "m:1", kind=DerivationKind.QUANTIZATION)
    await publish(service, "s", generated_by=("m:1",))
    await publish(service, "t", derived_from=["s:1"])
    await train(service, "r4", "t:1", produced="m:4", purpose="AI_TRAINING")


def steps(answer: PlanAnswer) -> dict[str, Step]:
    return {step.model: step for step in answer.plan.steps}


def reading(step: Step) -> list[tuple[str, str, str | None]]:
    return [(str(each.version), each.choice, each.successor and str(each.successor)) for each in step.inputs]


async def resolve(service: Service, model: str, replacement: str) -> None:
    page = await flags.list_flags(service, None, model, PageRequest(first=20))
    (flag,) = (each for each in page.items if each.status is not FlagStatus.RESOLVED)
    await flags.resolve(service, flag.uid, FlagResolution.RETRAINED, replacement=replacement, justification=None)


def test_a_plan_is_followed_step_by_step_until_nothing_is_left_of_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        assert (await make_plan(service)).plan.steps == ()
        first, second = await file(service, "o1", "ana"), await file(service, "o2", "ben", RECEIVED + 10 * DAY)

        answer = await assert_unchanged(service, make_plan(service))

        plan = answer.plan
        assert plan.levels == (("m:1",), ("m:2", "m:3", "m:4"))
        assert (plan.posts, plan.saving) == (4, (4, 8, 4, 8))
        assert {step.needed_by for step in plan.steps} == {first.due_at}
        assert second.due_at > first.due_at
        found = steps(answer)
        assert {model: step.keys for model, step in found.items()} == {
            "m:1": ("a1", "b1"),
            "m:2": ("a1", "a2", "b1", "b2"),
            "m:3": ("a1", "b1"),
            "m:4": ("a1", "b1"),
        }
        assert reading(found["m:1"]) == [("d:1", "BUILD", None)]
        assert reading(found["m:2"]) == [("d:2", "BUILD", None)]
        assert reading(found["m:4"]) == [("t:1", "REGENERATE", None)]
        assert [(each.posts, each.ineligible) for each in found["m:2"].inputs] == [(4, 4)]
        assert [(each.shard, each.posts) for each in found["m:2"].inputs[0].shards] == [("d/0/0/0", 4)]
        assert [each.choice for step in plan.steps for each in step.bases] == ["RETRAINED"] * 3

        await publish(service, "d", "c1")
        assert reading(steps(await make_plan(service))["m:1"]) == [("d:1", "SUCCESSOR", "d:3")]
        await train(service, "n1", "d:3", produced="m:1n", purpose="AI_TRAINING")
        await resolve(service, "m:1", "m:1n")

        left = await make_plan(service)
        assert left.plan.levels == (("m:2", "m:3", "m:4"),)
        assert [(base.choice, base.instead) for step in left.plan.steps for base in step.bases] == [
            ("REPLACEMENT", "m:1n")
        ] * 3
        await train(service, "n2", "d:3", produced="m:2n", started_from=("m:1n",), purpose="AI_TRAINING")
        await derive(service, "m:3n", "m:1n", kind=DerivationKind.QUANTIZATION)
        await publish(service, "s", generated_by=("m:1n",))
        await publish(service, "t", derived_from=["s:2"])
        assert reading(steps(await make_plan(service))["m:4"]) == [("t:1", "SUCCESSOR", "t:2")]
        await train(service, "n4", "t:2", produced="m:4n", purpose="AI_TRAINING")
        for model in ("m:2", "m:3", "m:4"):
            await resolve(service, model, f"{model}n")

        assert (await make_plan(service)).plan.steps == ()

    run(scenario())


def test_one_model_version_is_planned_with_what_it_waits_for_and_only_what_is_due(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await file(service, "o1", "ana", RECEIVED)
        late = await file(service, "o2", "ben", RECEIVED + 40 * DAY)
        await publish(service, "e", "b2")
        await train(service, "re", "e:1", produced="e:m")

        whole = await make_plan(service)
        parts = [await make_plan(service, model) for model in ("m:1", "m:2", "m:3", "m:4", "e:m")]
        early = await make_plan(service, by=late.due_at - 1)
        asked = await make_plan(service, "e:m", by=late.due_at - 1)

        assert {step.model: step for part in parts for step in part.plan.steps} == steps(whole)
        assert [list(steps(part)) for part in parts] == [
            ["m:1"],
            ["m:1", "m:2"],
            ["m:1", "m:3"],
            ["m:1", "m:4"],
            ["e:m"],
        ]
        assert (list(steps(early)), early.plan.later) == (["m:1", "m:2", "m:3", "m:4"], 1)
        assert (asked.asked, asked.plan.steps, asked.plan.later) == ("e:m", (), 1)
        with pytest.raises(NotFoundError, match="model version x:1 is not recorded") as refused:
            await make_plan(service, "x:1")
        assert (refused.value.code, refused.value.path) == ("MODEL_VERSION_NOT_FOUND", ("modelVersion",))

    run(scenario())


def test_posts_that_could_not_be_used_then_have_to_go_as_well(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, post("a1", "ana"), post("b1", "ben"), user("ben", adult_from="2030-01-01"))
        await allow(service, "ana")
        await publish(service, "d", "a1", "b1")
        await train(service, "r1", "d:1", produced="m:1", purpose="AI_TRAINING")
        await file(service, "o1", "ben")

        (step,) = (await make_plan(service)).plan.steps

        # The objection, the author's age, and the run that read a minor's post: three events, about the same post.
        assert (step.keys, len(step.events), step.cost_one_by_one) == (("b1",), 3, 3)

    run(scenario())


def test_a_successor_is_none_that_the_gate_would_not_take(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await file(service, "o1", "ana")
        await publish(service, "d", "b1", "c1")
        assert reading(steps(await make_plan(service))["m:1"]) == [("d:1", "SUCCESSOR", "d:3")]
        await file(service, "o2", "cid", purposes=("AI_TRAINING",), platforms=("INSTAGRAM",))
        assert reading(steps(await make_plan(service))["m:1"]) == [("d:1", "SUCCESSOR", "d:3")]

        await withdraw_version(service, "d:3")
        assert reading(steps(await make_plan(service))["m:1"]) == [("d:1", "BUILD", None)]
        await publish(service, "d", "c1")
        assert reading(steps(await make_plan(service))["m:1"]) == [("d:1", "SUCCESSOR", "d:4")]
        # A policy came under which nobody may be used.
        await record(service, {**_policy(2), "notice_required": True})
        (planned,) = steps(await make_plan(service))["m:1"].inputs
        assert (planned.successor, planned.ineligible) == (None, 3)
        # For a purpose of which no policy speaks nobody may be used.
        await train(service, "ro", "d:1", produced="o:1", purpose="OTHER")
        await file(service, "o3", "ben", purposes=("OTHER",))
        (planned,) = steps(await make_plan(service))["o:1"].inputs
        assert (planned.choice, planned.ineligible) == ("BUILD", 3)

    run(scenario())


def _policy(version: int) -> dict[str, Any]:
    rules = {"jurisdiction": "GB", "purpose": "AI_TRAINING", "lawful_basis": "LEGITIMATE_INTERESTS"}
    return {"kind": "policy", "key": "gb", "version": version, "effective_from": "2025-06-01T00:00:00Z"} | rules


def test_what_cannot_be_ruled_out_is_told_apart(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await record(service, user("lee", jurisdiction="AU"), post("a1", "ana"), post("b1", "ben"), post("l1", "lee"))
        await record(service, post("late", "ana", published_at="2026-01-01T00:00:00Z"))
        await declare(service, "old", jurisdictions=("AU",))
        await register(service, "blind", Coverage.UNDOCUMENTED)
        await train(service, "r0", "old:1", produced="base:1")
        await train(service, "rb", "blind:1", produced="other:1")
        await publish(service, "d", "a1", "b1", "late")
        await train(service, "r1", "d:1", "old:1", produced="m:1", started_from=("base:1",))
        await file(service, "o1", "ana")
        await file(service, "o2", "lee")

        answer = await make_plan(service)

        (step,) = answer.plan.steps
        assert reading(step) == [("d:1", "BUILD", None), ("old:1", "UNDOCUMENTED", None)]
        assert [(each.kind, each.version, each.posts) for each in step.obstacles] == [
            ("INPUT_UNDOCUMENTED", ref("old:1"), 0)
        ]
        told = [(str(each.version), each.models, each.posts, each.objections) for each in answer.plan.possibilities]
        assert told == [
            # Of ana's two posts one was published after the run had started. Both people's may be there unrecorded.
            ("blind:1", ("other:1",), 1, 2),
            ("old:1", ("base:1", "m:1"), 0, 1),
        ]
        assert [str(each.version) for each in (await make_plan(service, "base:1")).plan.possibilities] == ["old:1"]
        # She moved to Australia once: now the old selection may hold her posts, and a replacement would be refused.
        await record(service, user("ana", jurisdiction="AU", valid_from="2019-01-01T00:00:00Z"))
        (step,) = (await make_plan(service, "m:1")).plan.steps
        assert [(each.kind, each.version, each.posts) for each in step.obstacles] == [
            ("INPUT_UNDOCUMENTED", ref("old:1"), 2),
            ("CANNOT_RULE_OUT", ref("old:1"), 2),
        ]
        # Decided against them, an objection asks for nothing any more.
        await decide(service, "o2", uphold=False, grounds="compelling")
        told = (await make_plan(service)).plan.possibilities
        assert [(str(each.version), each.objections) for each in told] == [("blind:1", 1), ("old:1", 1)]

    run(scenario())


def test_a_retired_model_version_and_a_failed_run_need_no_training(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await train(service, "failed", "d:1")
        await file(service, "o1", "ana", platforms=("FACEBOOK",))
        page = await flags.list_flags(service, None, "m:4", PageRequest(first=1))
        await flags.resolve(
            service, page.items[0].uid, FlagResolution.RETIRED, replacement=None, justification="not used any more"
        )
        await file(service, "o2", "ben")

        plan = (await make_plan(service)).plan

        assert plan.levels == (("m:1",), ("m:2", "m:3"))
        assert (plan.retired, plan.unproductive, plan.later) == (("m:4",), ("failed",), 0)

    run(scenario())


SAVED = tuple(Checkpoint(Cell(shard, slice_), f"{shard}/{slice_}") for shard in (1, 2, 3, 4) for slice_ in (1, 2))


def test_a_sharded_run_is_repeated_for_the_shards_of_the_author_alone(service: Service, run: Run) -> None:
    async def scenario() -> None:
        small = replace(service, shard_size=4)
        people = [f"user{number}" for number in range(12)]
        await allow(small, *people)
        keys = {person: [f"{person}:{number}" for number in range(3)] for person in people}
        await record(small, *(post(key, person) for person, some in keys.items() for key in some))
        every = [key for some in keys.values() for key in some]
        await publish(small, "d", *every)
        await train(small, "r1", "d:1", produced="m:1", purpose="AI_TRAINING")
        await train(small, "failed", "d:1")
        rule = ShardedTraining(Sharding(4, 2, AssignedBy.DATASET_SHARD), SAVED)
        for key in ("r1", "failed"):
            await runs.record_sharding(small, key, rule)
        await file(small, "o1", "user5")

        built = (await make_plan(small)).plan
        await publish(small, "d", *(key for key in every if key not in keys["user5"]))
        answer = await make_plan(small)

        (step,) = answer.plan.steps
        assert step.shards is not None
        assert step.shards == built.steps[0].shards
        (again,) = step.shards.retrained
        assert (step.keys, again.posts, step.shards.whole_because) == (tuple(keys["user5"]), 3, None)
        hit = Cell(again.shard, again.first_slice)
        assert {rule.sharding.cell_of("", each.shard) for each in step.inputs[0].shards} == {hit}
        assert again.resume == (Checkpoint(Cell(hit.shard, 1), f"{hit.shard}/1") if hit.slice == 2 else None)
        assert step.cost == pytest.approx((1 if hit.slice == 1 else 1 - 2 / 6) / 4)
        doomed = [each for each in SAVED if each.cell.shard == hit.shard and each.cell.slice >= hit.slice]
        assert [(each.run, each.checkpoint) for each in answer.plan.doomed] == [
            (key, each) for key in ("failed", "r1") for each in doomed
        ]

    run(scenario())


def test_shards_of_posts_that_a_successor_lost_besides_are_trained_again(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await runs.record_sharding(service, "r1", ShardedTraining(Sharding(64, 1)))
        await file(service, "o1", "ana")
        before = (await make_plan(service)).plan.steps[0].shards
        await publish(service, "d", "b1")

        after = (await make_plan(service)).plan.steps[0].shards

        assert before is not None
        assert after is not None
        cells = {key: Sharding(64, 1).cell_of(key, "").shard for key in ("a1", "c1")}
        assert [each.shard for each in before.retrained] == [cells["a1"]]
        assert {each.shard for each in after.retrained} == set(cells.values())
        assert before.cost == pytest.approx(1 / 64)

    run(scenario())


def test_a_served_model_version_is_planned_like_any_other(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await story(service)
        await serve(service, "feed", "m:3")
        await file(service, "o1", "cid")

        assert list(steps(await make_plan(service, "m:3"))) == ["m:1", "m:3"]
        assert PUBLISHED < "2025"

    run(scenario())


def test_posts_of_every_kind_of_cause_have_to_go(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben", "old")
        await record(service, policy(key="ie", jurisdiction="IE", lawful_basis="CONSENT", notice_required=False))
        rules = policy(key="de", jurisdiction="DE", notice_required=False, assessment="lia")
        await record(service, rules, user("dora", jurisdiction="DE"), user("eve", jurisdiction="IE"), user("kid"))
        await record(service, said("eve", "GIVEN", PUBLISHED))
        authors = {
            "a1": "ana",
            "b1": "ben",
            "b2": "ben",
            "b3": "ben",
            "o1": "old",
            "d1": "dora",
            "e1": "eve",
            "k1": "kid",
        }
        await record(service, *(post(key, author) for key, author in authors.items()))
        await publish(service, "d", *authors)
        await train(service, "r", "d:1", produced="m:1", purpose="AI_TRAINING")
        assert (await make_plan(service)).plan.steps == ()

        await file(service, "o", "ana")
        await ask_erasure(service, "e", "old")
        await record(service, deleted("b1"), shown("b2", "FRIENDS"), said("eve", "WITHDRAWN"))
        await record(service, user("kid", adult_from="2030-01-01", valid_from="2025-06-01T00:00:00Z"))
        await record(service, rules | {"version": 2, "assessment_expires": "2025-01-01T00:00:00Z"})
        await train(service, "early", "d:1", produced="m:2", started_at=micros("2019-01-01T00:00:00Z"))

        of_one, of_all = await make_plan(service, "m:1"), await make_plan(service)

        (step,) = of_one.plan.steps
        assert step.keys == ("a1", "b1", "b2", "d1", "e1", "k1", "o1")
        assert {(event.label, event.key) for event in step.events} == {
            ("Objection", "o"),
            ("Erasure", "e"),
            ("POST_DELETED", "b1"),
            ("VISIBILITY_NARROWED", "b2"),
            ("CONSENT_WITHDRAWN", "eve"),
            ("MINOR", "kid"),
            ("ASSESSMENT_EXPIRED", "de v2"),
            ("TrainingRun", "r"),
        }
        assert of_one.plan.saving.retrainings == 1
        assert of_one.plan.saving.one_by_one == len(step.events)
        assert steps(of_all)["m:1"] == step
        assert steps(of_all)["m:2"].keys == tuple(sorted(authors))

    run(scenario())
