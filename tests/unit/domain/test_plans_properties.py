"""Plans of random upper graphs: nothing too much, nothing missing, in an order that works."""

from collections import Counter
from itertools import pairwise
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from consentline.domain.datasets import Coverage, Membership
from consentline.domain.instants import EVER
from consentline.domain.lineage import Kind, Node
from consentline.domain.plan_steps import BaseChoice, BaseRelation, InputChoice, Method, Plan
from consentline.domain.replacement import offences
from consentline.domain.sharding import AssignedBy, Cell, Checkpoint, ShardedTraining, Sharding
from consentline.domain.training import ModelStatus
from consentline.domain.usage import influence
from tests.unit.domain.plan_worlds import Follower, World, worlds


def used_by(world: World, post: str) -> set[str]:
    """The model versions that used a post, by the walk that answers postUsage."""
    uses = influence(world.lineage, Node(Kind.POST, post), world.held_in(post), EVER)
    return {use.model_version for use in uses if use.model_version is not None}


def flagged(world: World) -> set[str]:
    return {model for model in world.flags if world.models[model].status is not ModelStatus.RETIRED}


@given(worlds)
@settings(max_examples=400)
def test_every_flagged_model_version_appears_once_and_no_clean_one_does(world: World) -> None:
    plan = world.planner().plan()

    models = [step.model for step in plan.steps]
    assert len(models) == len(set(models))
    assert flagged(world) <= set(models)
    used = set[str]().union(*(used_by(world, each.keys[0]) for each in world.affected))
    assert set(models) <= world.flags.keys() | used
    assert set(plan.retired) == world.flags.keys() - flagged(world)
    assert plan.later == 0
    for step in plan.steps:
        assert step.model in world.flags or step.required_by
        assert step.flag == world.flags.get(step.model)


@given(worlds)
@settings(max_examples=400)
def test_whoever_waits_comes_after_what_it_waits_for(world: World) -> None:
    plan = world.planner().plan()

    level = {step.model: step.level for step in plan.steps}
    for step in plan.steps:
        needs = {base.instead for base in step.bases if base.choice is BaseChoice.RETRAINED}
        assert step.level == 1 + max((level[each] for each in needs), default=0)
        assert all(step.model in other.required_by for other in plan.steps if other.model in needs)
    assert [model for each in plan.levels for model in each] == [step.model for step in plan.steps]
    assert [(step.level, step.model) for step in plan.steps] == sorted((step.level, step.model) for step in plan.steps)


@given(worlds)
@settings(max_examples=600)
def test_following_the_plan_resolves_every_flag(world: World) -> None:
    """As RETRAINED is checked: nothing upstream of what was made used a post, and what may hold one was told."""
    plan = world.planner().plan()
    follower = Follower(world, plan)

    told = {obstacle.version for step in plan.steps for obstacle in step.obstacles}
    for step in plan.steps:
        if step.flag is None:
            continue
        asked = [(facts, tuple(map(membership, held))) for facts, held in world.facts(world.posts_of(step.model))]
        for offence in offences(follower.lineage, follower.made[step.model], asked):
            assert offence.version is not None, str(offence)
            assert offence.version in told


def membership(holding: tuple[str, int, int | None, str]) -> Membership:
    return Membership(*holding[:3])


@given(worlds)
@settings(max_examples=300)
def test_nothing_is_made_from_what_has_an_open_flag_or_that_the_gate_does_not_take(world: World) -> None:
    plan = world.planner().plan()

    for step in plan.steps:
        for base in step.bases:
            if base.choice is not BaseChoice.RETRAINED:
                assert base.instead not in world.flags
        for each in step.inputs:
            read = each.successor or each.version
            if each.choice in (InputChoice.KEEP, InputChoice.SUCCESSOR):
                assert world.versions[read].coverage is Coverage.COMPLETE
                assert world.versions[read].status == "SEALED"
                assert world.ineligible[read] in (0, None)
                assert each.ineligible == world.ineligible[read]
            if each.choice is InputChoice.SUCCESSOR:
                assert read.dataset == each.version.dataset
                assert read.number > each.version.number
            assert each.posts == sum(count.posts for count in each.shards)


@given(worlds)
@settings(max_examples=200)
def test_the_plan_of_all_is_the_union_of_the_plans_of_each(world: World) -> None:
    planner = world.planner()
    whole = planner.plan()

    parts = [planner.plan(model) for model in world.flags]

    assert {step.model: step for part in parts for step in part.steps} == {step.model: step for step in whole.steps}
    assert {model for part in parts for model in part.retired} == set(whole.retired)
    assert {run for part in parts for run in part.unproductive} == set(whole.unproductive)
    assert planner.plan("nobody:1").steps == ()


@given(worlds, st.integers(0, 5))
@settings(max_examples=300)
def test_by_a_date_come_the_flags_due_by_then_and_what_they_wait_for(world: World, later: int) -> None:
    planner = world.planner()
    by = min((each.due_at for each in world.flags.values()), default=0) - 1 + later
    whole = planner.plan()

    plan = planner.plan(by=by)

    due = {model for model, each in world.flags.items() if each.due_at <= by}
    chosen = {step.model: step for step in plan.steps}
    assert due & flagged(world) <= chosen.keys()
    assert {step.model for step in whole.steps if step.needed_by <= by} == chosen.keys()
    for step in plan.steps:
        assert step in whole.steps
        if step.model not in due:
            assert step.early or step.model in whole.retired
            assert set(step.required_by) & chosen.keys()
    assert plan.later == len(world.flags.keys() - due - chosen.keys())
    dates = [each.due_at for each in plan.deadlines]
    assert dates == sorted(set(dates))
    assert Counter(model for each in plan.deadlines for model in each.models) == Counter(chosen.keys())
    for earlier, following in pairwise(plan.deadlines):
        assert earlier.due_at < following.due_at


@given(worlds)
@settings(max_examples=300)
def test_one_retraining_stands_for_all_events_that_demand_it(world: World) -> None:
    plan = world.planner().plan()

    for step in plan.steps:
        if step.flag is not None and not step.required_by:
            causes = {cause for each in world.affected for cause in each.causes if cause.model == step.model}
            assert step.events == {cause.event for cause in causes}
            assert list(step.keys) == sorted(world.posts_of(step.model))
        trained = step.method is not Method.REPLACE
        assert step.cost == (1.0 if trained else 0.0)
        assert step.cost_one_by_one == (len(step.events) if trained else 0)
    trained = [step for step in plan.steps if step.method is not Method.REPLACE]
    assert plan.saving == (
        len(trained),
        sum(len(step.events) for step in trained),
        len(trained),
        sum(len(step.events) for step in trained),
    )


def sharded(world: World, random: Random) -> dict[str, ShardedTraining]:
    found: dict[str, ShardedTraining] = {}
    for key in world.runs:
        sharding = Sharding(random.randint(1, 4), random.randint(1, 4), random.choice(list(AssignedBy)))
        cells = [
            Cell(shard, slice_)
            for shard in range(1, sharding.shards + 1)
            for slice_ in range(1, sharding.slices + 1)
            if random.random() < 0.7
        ]
        found[key] = ShardedTraining(sharding, tuple(Checkpoint(cell, f"{key}/{cell}") for cell in cells))
    return found


def with_shards(world: World, seed: int) -> tuple[Plan, dict[str, ShardedTraining]]:
    planner, training = world.planner(), sharded(world, Random(seed))  # noqa: S311, nothing secret
    assert set(planner.runs) <= training.keys()
    removed = {
        (old, new): {
            (post, holding.shard)
            for post, holdings in world.posts.items()
            for holding in holdings
            if holding.dataset == old.dataset and holding.holds(old.number)
            if new not in world.held_in(post)
        }
        for old, new in planner.differences(training)
    }
    return planner.plan(sharded=training, removed=removed), training


@given(worlds, st.integers(0, 2**32))
@settings(max_examples=400)
def test_shards_resume_from_the_last_valid_checkpoint(world: World, seed: int) -> None:
    plan, sharded_runs = with_shards(world, seed)

    for step in plan.steps:
        if step.run is None or step.method is Method.REPLACE:
            assert step.shards is None
            continue
        planned, training = step.shards, sharded_runs[step.run]
        assert planned is not None
        assert step.cost == planned.cost <= 1
        if planned.whole_because is not None:
            assert [each.resume for each in planned.retrained] == [None] * training.sharding.shards
            assert step.cost == 1
            continue
        assert all(base.choice is BaseChoice.KEEP for base in step.bases)
        leaving = {
            training.sharding.cell_of(post, holding.shard)
            for each in step.inputs
            for post, holdings in world.posts.items()
            for holding in holdings
            if holding.dataset == each.version.dataset and holding.holds(each.version.number)
            if post in step.keys or (each.successor is not None and each.successor not in world.held_in(post))
        }
        assert {each.shard for each in planned.retrained} == {cell.shard for cell in leaving if cell}
        for each in planned.retrained:
            first = min(cell.slice for cell in leaving if cell and cell.shard == each.shard)
            saved = [point for point in training.checkpoints if point.cell.shard == each.shard]
            good = [point for point in saved if point.cell.slice < first]
            assert each.resume == max(good, key=lambda point: point.cell.slice, default=None)


@given(worlds, st.integers(0, 2**32))
@settings(max_examples=400)
def test_the_checkpoints_to_delete_are_those_that_rest_on_a_post_of_the_plan(world: World, seed: int) -> None:
    plan, sharded_runs = with_shards(world, seed)

    # What a step leaves out may have been demanded by what waits for it: of all flags, that is every affected post.
    posts = {key for step in plan.steps for key in step.keys}
    expected: set[tuple[str, Cell]] = set()
    for key, training in sharded_runs.items():
        run = world.runs[key]
        bases = {*run.started_from}
        pending = list(run.inputs)
        while pending:
            each = world.versions[pending.pop()]
            bases |= set(each.generated_by)
            pending += each.derived_from
        for checkpoint in training.checkpoints:
            through = any(used_by(world, post) & bases for post in posts)
            directly = any(
                cell is not None and cell.shard == checkpoint.cell.shard and cell.slice <= checkpoint.cell.slice
                for post in posts
                for holding in world.posts[post]
                for input_ in run.inputs
                if holding.dataset == input_.dataset and holding.holds(input_.number)
                for cell in [training.sharding.cell_of(post, holding.shard)]
            )
            if through or directly:
                expected.add((key, checkpoint.cell))
    assert {(each.run, each.checkpoint.cell) for each in plan.doomed} == expected


def test_the_worlds_hold_what_the_properties_are_about() -> None:
    """Otherwise they would hold of nothing."""
    seen: Counter[str] = Counter()
    for seed in range(400):
        world = World(Random(seed))  # noqa: S311, nothing secret
        plan, _ = with_shards(world, seed)
        for step in plan.steps:
            seen.update({step.method, *(base.choice for base in step.bases), *(each.choice for each in step.inputs)})
            seen.update({f"level {step.level}", *(obstacle.kind for obstacle in step.obstacles)})
            seen.update(["unflagged base"] if step.flag is None else [])
            seen.update(["early"] if step.early else [])
            if step.shards is not None:
                whole = step.shards.whole_because
                resumed = any(each.resume for each in step.shards.retrained)
                seen.update([whole or ("resumed" if resumed else "anew")])
        seen.update(["retired"] if plan.retired else [])
        seen.update(["doomed"] if plan.doomed else [])
        seen.update(["unproductive"] if plan.unproductive else [])
    wanted = {*BaseChoice, *InputChoice, Method.RETRAIN, Method.DERIVE, Method.REPLACE, "level 3", "CANNOT_RULE_OUT"}
    wanted |= {"unflagged base", "early", "retired", "doomed", "unproductive", "resumed", "anew", "BASE_CHANGES"}
    wanted |= {"INPUT_UNDOCUMENTED", "NO_RUN_RECORDED", "NO_INPUT_RECORDED", "SYNTHETIC_INPUT_CHANGES"}
    assert wanted - seen.keys() == set()
    assert BaseRelation.REPLACED_BY not in seen
