"""Plans of small upper graphs, each told as a case; what holds of all of them is in test_plans_properties.py."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from consentline.domain.affected import AffectedPosts, Event, Holding, PlanCause
from consentline.domain.datasets import Coverage, DatasetVersion, VersionStatus
from consentline.domain.lineage import Lineage
from consentline.domain.plan_obstacles import Undecided
from consentline.domain.plan_steps import (
    Method,
    ObstacleKind,
    Plan,
    Possibility,
    ShardCount,
    Step,
    WholeBecause,
)
from consentline.domain.plans import Planner
from consentline.domain.sharding import AssignedBy, Cell, Checkpoint, ShardedTraining, Sharding, position_of_key
from consentline.domain.training import Derivation, DerivationKind, ModelStatus
from tests.unit.domain.factories import RECORDED, declared, derivation, ref, run, undocumented, upper, version
from tests.unit.domain.plan_worlds import flag

UNTIL_2 = (Holding("d", 1, 2, "d/2/1/0"),)
"""In d:1 and in no later version."""
FOR_GOOD = (Holding("d", 1, None, "d/2/1/0"),)


def affected(
    key: str = "p", holdings: Sequence[Holding] = FOR_GOOD, *, of: Sequence[str] = ("m:1",), event: str = "o"
) -> AffectedPosts:
    """A post that flags these model versions by one event."""
    causes = frozenset(PlanCause(model, Event("Objection", event)) for model in of)
    return AffectedPosts(causes, tuple(holdings), (key,))


def planner(
    lineage: Lineage,
    *posts: AffectedPosts,
    due: dict[str, int] | None = None,
    replaced: dict[str, str] | None = None,
    ineligible: dict[str, int | None] | None = None,
    undecided: Undecided | None = None,
) -> Planner:
    flagged = {cause.model for each in posts for cause in each.causes}
    flags = {model: flag(model, RECORDED + (due or {}).get(model, 1)) for model in flagged}
    counts = {ref(name): count for name, count in (ineligible or {}).items()}
    return Planner(lineage, flags, replaced or {}, posts, lambda asked, _: counts.get(asked, 0), undecided)


def steps(plan: Plan) -> dict[str, Step]:
    return {step.model: step for step in plan.steps}


def inputs(step: Step) -> list[tuple[str, str, str | None]]:
    return [
        (str(each.version), each.choice, None if each.successor is None else str(each.successor))
        for each in step.inputs
    ]


def bases(step: Step) -> list[tuple[str, str, str, str]]:
    return [(each.model, each.relation, each.choice, each.instead) for each in step.bases]


D = [version(f"d:{number}") for number in (1, 2, 3)]


# ---- the order ------------------------------------------------------------------------------------------------------

CHAIN = (
    D[0],
    D[1],
    run("r1", "d:1", produced="m:1"),
    run("r2", "d:2", produced="m:2", started_from=["m:1"]),
    derivation("m:3", "m:1"),
    version("s:1", generated_by=["m:1"]),
    version("t:1", derived_from=["s:1"]),
    run("r4", "t:1", produced="m:4"),
    derivation("m:5", "m:2"),
)
"""m:1 is the base of m:2 and of m:3 and generated what m:4 ate; m:5 comes of m:2."""
EVERYONE = ("m:1", "m:2", "m:3", "m:4", "m:5")


def test_bases_come_before_fine_tunes_and_generators_before_what_ate_their_output() -> None:
    plan = planner(upper(*CHAIN), affected(of=EVERYONE)).plan()

    assert plan.levels == (("m:1",), ("m:2", "m:3", "m:4"), ("m:5",))
    found = steps(plan)
    assert found["m:1"].required_by == ("m:2", "m:3", "m:4")
    assert bases(found["m:2"]) == [("m:1", "STARTED_FROM", "RETRAINED", "m:1")]
    assert bases(found["m:3"]) == [("m:1", "DERIVED_FROM", "RETRAINED", "m:1")]
    assert bases(found["m:4"]) == [("m:1", "GENERATED_INPUT", "RETRAINED", "m:1")]
    assert inputs(found["m:4"]) == [("t:1", "REGENERATE", None)]
    assert [found[model].method for model in EVERYONE] == ["RETRAIN", "RETRAIN", "DERIVE", "RETRAIN", "DERIVE"]


def test_the_plan_for_one_model_version_holds_it_and_what_it_waits_for() -> None:
    every = planner(upper(*CHAIN), affected(of=EVERYONE))

    assert every.plan("m:5").levels == (("m:1",), ("m:2",), ("m:5",))
    assert every.plan("m:1").levels == (("m:1",),)
    assert every.plan("m:1").later == 0
    assert every.plan("x:1").steps == ()


def test_nothing_flagged_nothing_planned() -> None:
    plan = planner(upper(*CHAIN)).plan()

    assert plan == Plan((), (), (), (), (), posts=0, later=0)
    assert (plan.levels, plan.deadlines, plan.saving) == ((), (), (0, 0, 0, 0))


def test_a_base_that_used_the_post_for_another_purpose_is_made_again_without_a_flag_of_its_own() -> None:
    plan = planner(upper(*CHAIN), affected(of=["m:2"])).plan()

    first, second = plan.steps
    assert (first.model, first.flag, first.early, first.required_by) == ("m:1", None, True, ("m:2",))
    assert (second.model, second.early) == ("m:2", False)
    assert first.events == second.events == {Event("Objection", "o")}
    assert first.keys == second.keys == ("p",)


def test_a_clean_base_is_kept() -> None:
    lineage = upper(*D, run("r1", "d:3", produced="m:1"), run("r2", "d:1", produced="m:2", started_from=["m:1"]))

    (step,) = planner(lineage, affected(holdings=UNTIL_2, of=["m:2"])).plan().steps

    assert bases(step) == [("m:1", "STARTED_FROM", "KEEP", "m:1")]


def test_a_base_with_an_open_flag_is_made_again_first_whatever_it_is_flagged_for() -> None:
    lineage = upper(
        *D,
        version("e:1"),
        run("r1", "d:1", produced="m:1"),
        run("r2", "e:1", produced="m:2", started_from=["m:1"]),
    )
    of_base = affected("p", of=["m:1"], event="o1")
    of_other = affected("q", [Holding("e", 1, 2, "e/0/0/0")], of=["m:2"], event="o2")

    plan = planner(lineage, of_base, of_other).plan()

    assert plan.levels == (("m:1",), ("m:2",))
    assert steps(plan)["m:1"].events == {Event("Objection", "o1")}


# ---- deadlines ------------------------------------------------------------------------------------------------------


def test_a_base_that_is_due_later_must_be_done_by_when_the_first_that_waits_for_it_is_due() -> None:
    asked = planner(upper(*CHAIN), affected(of=EVERYONE), due={"m:1": 9, "m:2": 5, "m:3": 7, "m:4": 8, "m:5": 3})

    plan = asked.plan(by=RECORDED + 3)

    assert plan.levels == (("m:1",), ("m:2",), ("m:5",))
    assert [step.needed_by - RECORDED for step in plan.steps] == [3, 3, 3]
    assert [step.early for step in plan.steps] == [True, True, False]
    assert plan.later == 2
    assert [(each.due_at - RECORDED, each.models) for each in asked.plan().deadlines] == [
        (3, ("m:1", "m:2", "m:5")),
        (7, ("m:3",)),
        (8, ("m:4",)),
    ]
    assert asked.plan(by=RECORDED + 2).steps == ()
    assert asked.plan(by=RECORDED + 2).later == 5
    assert asked.plan("m:3", by=RECORDED + 5).later == 1


# ---- what is read instead -------------------------------------------------------------------------------------------

TRAINED = run("r", "d:1", produced="m:1")


def test_the_newest_sealed_version_without_the_posts_is_read_instead() -> None:
    (step,) = planner(upper(*D, TRAINED), affected(holdings=UNTIL_2)).plan().steps

    assert inputs(step) == [("d:1", "SUCCESSOR", "d:3")]
    assert (step.inputs[0].posts, step.inputs[0].shards) == (1, (ShardCount("d/2/1/0", 1),))


def test_a_version_without_the_posts_is_to_be_built_when_none_is_sealed() -> None:
    (step,) = planner(upper(*D, TRAINED), affected()).plan().steps

    assert inputs(step) == [("d:1", "BUILD", None)]


@pytest.mark.parametrize(
    ("later", "ineligible"),
    [
        (version("d:2", status=VersionStatus.BUILDING), 0),
        (version("d:2", status=VersionStatus.WITHDRAWN), 0),
        (version("d:2", Coverage.DECLARED), 0),
        (version("d:2", Coverage.UNDOCUMENTED), 0),
        (version("d:2", generated_by=["m:1"]), 0),
        (version("d:2"), 4),
    ],
    ids=["BUILDING", "WITHDRAWN", "DECLARED", "UNDOCUMENTED", "generated by the flagged one", "others are ineligible"],
)
def test_a_later_version_that_the_gate_would_not_take_is_no_successor(later: DatasetVersion, ineligible: int) -> None:
    asked = planner(upper(D[0], later, TRAINED), affected(holdings=UNTIL_2), ineligible={"d:2": ineligible, "d:1": 6})

    (step,) = asked.plan().steps

    assert inputs(step) == [("d:1", "BUILD", None)]
    assert step.inputs[0].ineligible == 6


def test_a_version_that_was_judged_goes_before_a_newer_one_that_was_not() -> None:
    asked = planner(upper(*D, TRAINED), affected(holdings=UNTIL_2), ineligible={"d:3": None})
    unjudged = planner(upper(*D, TRAINED), affected(holdings=UNTIL_2), ineligible={"d:3": None, "d:2": None})

    assert inputs(asked.plan().steps[0]) == [("d:1", "SUCCESSOR", "d:2")]
    assert inputs(unjudged.plan().steps[0]) == [("d:1", "SUCCESSOR", "d:3")]
    assert unjudged.plan().steps[0].inputs[0].ineligible is None


def test_what_waits_for_a_base_decides_from_what_the_base_is_made() -> None:
    """A later version without the base's own posts, but with one that flags what is made from it, is no successor."""
    lineage = upper(*D, TRAINED, run("r2", "d:3", produced="m:2", started_from=["m:1"]))
    own = affected("p", UNTIL_2, of=["m:1", "m:2"])
    of_the_other = affected("q", [Holding("d", 2, None, "d/0/0/0")], of=["m:2"], event="o2")

    base, other = planner(lineage, own, of_the_other).plan().steps

    assert inputs(base) == [("d:1", "BUILD", None)]
    assert base.keys == ("p",)
    assert other.keys == ("p", "q")


def test_an_input_without_affected_posts_is_kept_unless_the_gate_would_not_take_it() -> None:
    clean = version("e:1")
    lineage = upper(*D, clean, version("e:2"), run("r", "d:1", "e:1", produced="m:1"))
    withdrawn = replace(clean, status=VersionStatus.WITHDRAWN)

    (kept,) = planner(lineage, affected(holdings=UNTIL_2)).plan().steps
    (ineligible,) = planner(lineage, affected(holdings=UNTIL_2), ineligible={"e:1": 1, "e:2": 1}).plan().steps
    (changed,) = (
        planner(
            upper(*D, withdrawn, version("e:2"), run("r", "d:1", "e:1", produced="m:1")), affected(holdings=UNTIL_2)
        )
        .plan()
        .steps
    )

    assert inputs(kept)[1] == ("e:1", "KEEP", None)
    assert inputs(ineligible)[1] == ("e:1", "BUILD", None)
    assert inputs(changed)[1] == ("e:1", "SUCCESSOR", "e:2")


def test_synthetic_data_of_a_clean_generator_needs_no_new_one() -> None:
    lineage = upper(
        *D,
        version("s:1", generated_by=["m:1"]),
        version("s:2", generated_by=["c:1"]),
        TRAINED,
        run("rc", produced="c:1"),
        run("r2", "s:1", produced="m:2"),
    )

    plan = planner(lineage, affected(of=["m:1", "m:2"])).plan()

    assert plan.levels == (("m:1", "m:2"),)
    assert inputs(steps(plan)["m:2"]) == [("s:1", "SUCCESSOR", "s:2")]


# ---- what was done before -------------------------------------------------------------------------------------------

REPLACED = (*D, TRAINED, run("new", "d:3", produced="n:1"), run("r2", "d:1", produced="m:2", started_from=["m:1"]))


def test_a_base_that_was_replaced_need_not_be_made_again() -> None:
    (step,) = planner(upper(*REPLACED), affected(holdings=UNTIL_2, of=["m:2"]), replaced={"m:1": "n:1"}).plan().steps

    assert bases(step) == [("m:1", "STARTED_FROM", "REPLACEMENT", "n:1")]


def test_a_flagged_one_whose_replacement_is_clean_takes_no_training() -> None:
    plan = planner(upper(*REPLACED), affected(holdings=UNTIL_2), replaced={"m:1": "n:1"}).plan()

    (step,) = plan.steps
    assert step.method is Method.REPLACE
    assert bases(step) == [("m:1", "REPLACED_BY", "REPLACEMENT", "n:1")]
    assert (step.cost, step.cost_one_by_one, plan.saving) == (0, 0, (0, 0, 0, 0))


def test_a_replacement_that_used_the_post_itself_is_made_again_for_both() -> None:
    plan = planner(upper(*REPLACED), affected(of=["m:1", "n:1"]), replaced={"m:1": "n:1"}).plan()

    assert plan.levels == (("n:1",), ("m:1",))
    assert bases(steps(plan)["m:1"]) == [("m:1", "REPLACED_BY", "RETRAINED", "n:1")]
    assert plan.saving == (1, 1, 1, 1)


def test_replacements_in_a_circle_are_not_followed() -> None:
    plan = planner(upper(*REPLACED), affected(of=["m:1", "n:1"]), replaced={"m:1": "n:1", "n:1": "m:1"}).plan()

    assert {step.model: step.method for step in plan.steps} == {"n:1": "RETRAIN", "m:1": "REPLACE"}


def test_a_replacement_that_rests_on_the_replaced_one_is_not_followed() -> None:
    lineage = upper(*D, TRAINED, derivation("n:1", "m:1"))

    plan = planner(lineage, affected(of=["m:1", "n:1"]), replaced={"m:1": "n:1"}).plan()

    assert plan.levels == (("m:1",), ("n:1",))


# ---- honest cases ---------------------------------------------------------------------------------------------------


def retired(lineage: Lineage, *models: str) -> Lineage:
    changed = {key: replace(lineage.models[key], status=ModelStatus.RETIRED) for key in models}
    return replace(lineage, models={**lineage.models, **changed})


def test_for_a_retired_model_version_nothing_has_to_be_made() -> None:
    plan = planner(retired(upper(*D, TRAINED), "m:1"), affected()).plan()

    assert (plan.steps, plan.retired, plan.later) == ((), ("m:1",), 0)


def test_a_retired_base_is_made_again_for_what_rests_on_it() -> None:
    lineage = retired(upper(*CHAIN), "m:1")

    plan = planner(lineage, affected(of=["m:1", "m:3"]), due={"m:1": 1, "m:3": 5}).plan()

    assert (plan.levels, plan.retired) == ((("m:1",), ("m:3",)), ("m:1",))
    assert [step.needed_by - RECORDED for step in plan.steps] == [5, 5]


def test_runs_that_failed_or_are_under_way_are_told_and_nothing_is_made_for_them() -> None:
    failed, running = run("failed", "d:1"), replace(run("running", "d:1"), status="RUNNING")
    lineage = upper(*D, TRAINED, failed, running, run("other", "d:3"))

    plan = planner(lineage, affected(holdings=UNTIL_2)).plan()

    assert plan.unproductive == ("failed", "running")
    assert [step.model for step in plan.steps] == ["m:1"]


@pytest.mark.parametrize(
    ("kind", "obstacles"),
    [
        (DerivationKind.FINE_TUNE, [ObstacleKind.NO_RUN_RECORDED]),
        (DerivationKind.DISTILLATION, [ObstacleKind.NO_RUN_RECORDED]),
        (DerivationKind.ADAPTER, [ObstacleKind.NO_RUN_RECORDED]),
        (DerivationKind.MERGE, []),
        (DerivationKind.QUANTIZATION, []),
    ],
)
def test_what_was_trained_and_has_no_run_cannot_be_made_from_the_records_alone(
    kind: DerivationKind, obstacles: list[ObstacleKind]
) -> None:
    lineage = upper(*D, TRAINED, Derivation("m:2", "m:1", kind, RECORDED, RECORDED))

    step = steps(planner(lineage, affected(of=["m:1", "m:2"])).plan())["m:2"]

    assert (step.method, [each.kind for each in step.obstacles]) == ("DERIVE", obstacles)
    assert (step.cost, step.run) == (1, None)


def test_an_external_base_of_which_nothing_is_recorded_cannot_be_made_again() -> None:
    lineage = upper(*D, TRAINED, run("r2", "d:2", produced="m:2", started_from=["m:1"]))
    external = replace(lineage, runs={"r2": lineage.runs["r2"]})

    first, second = planner(external, affected(of=["m:1", "m:2"])).plan().steps

    assert (first.model, first.method) == ("m:1", "UNRECORDED")
    assert [each.kind for each in first.obstacles] == ["NO_ORIGIN_RECORDED"]
    assert bases(second) == [("m:1", "STARTED_FROM", "RETRAINED", "m:1")]


def test_a_run_of_which_no_input_is_recorded_says_so() -> None:
    lineage = upper(*D, TRAINED, run("r2", produced="m:2", started_from=["m:1"]))

    step = steps(planner(lineage, affected(of=["m:1", "m:2"])).plan())["m:2"]

    assert [each.kind for each in step.obstacles] == ["NO_INPUT_RECORDED"]


def test_what_cannot_rule_the_posts_out_is_told_apart() -> None:
    lineage = upper(
        *D,
        undocumented("u:1"),
        declared("w:1", platforms=("THREADS",)),
        run("rb", "u:1", "w:1", produced="base:1"),
        run("r", "d:1", "u:1", produced="m:1", started_from=["base:1"]),
        run("ro", "u:1", produced="other:1"),
        run("rf", "w:1"),
    )
    undecided = Undecided(
        posts={ref("u:1"): [1], ref("w:1"): [0]},
        possible={ref("u:1"): [1], ref("w:1"): [0]},
        objections={ref("w:1"): 3},
    )

    asked = planner(lineage, affected(holdings=UNTIL_2), undecided=undecided)
    plan = asked.plan()

    (step,) = plan.steps
    assert inputs(step) == [("d:1", "SUCCESSOR", "d:3"), ("u:1", "UNDOCUMENTED", None)]
    assert bases(step) == [("base:1", "STARTED_FROM", "KEEP", "base:1")]
    assert [(each.kind, each.version, each.posts) for each in step.obstacles] == [
        ("INPUT_UNDOCUMENTED", ref("u:1"), 1),
        ("CANNOT_RULE_OUT", ref("u:1"), 1),
    ]
    of_u = Possibility(ref("u:1"), ("r", "rb", "ro"), ("base:1", "m:1", "other:1"), posts=1, objections=0)
    of_w = Possibility(ref("w:1"), ("rb", "rf"), ("base:1", "m:1"), posts=0, objections=3)
    assert plan.possibilities == (of_u, of_w)
    assert asked.plan("base:1").possibilities == (of_w,)
    assert asked.plan("other:1").possibilities == ()


def test_a_later_manifest_of_an_undocumented_input_can_be_read_instead() -> None:
    lineage = upper(*D, undocumented("u:1"), version("u:2"), run("r", "d:1", "u:1", produced="m:1"))

    (step,) = planner(lineage, affected(holdings=UNTIL_2)).plan().steps

    assert inputs(step)[1] == ("u:1", "SUCCESSOR", "u:2")


# ---- batching -------------------------------------------------------------------------------------------------------


def test_one_retraining_serves_all_events_and_one_event_with_causes_of_two_kinds_counts_once() -> None:
    posts = [affected(f"p{number}", of=["m:1", "m:3"], event=f"o{number % 3}") for number in range(5)]

    plan = planner(upper(*CHAIN), *posts).plan()

    assert [len(step.events) for step in plan.steps] == [3, 3]
    assert plan.saving == (2, 6, 2, 6)
    assert plan.posts == 5


# ---- shards ---------------------------------------------------------------------------------------------------------


def training(shards: int = 4, slices: int = 4, assigned_by: AssignedBy = AssignedBy.POST_KEY) -> ShardedTraining:
    """Of every slice of every shard a checkpoint."""
    cells = [Cell(shard, slice_) for shard in range(1, shards + 1) for slice_ in range(1, slices + 1)]
    return ShardedTraining(Sharding(shards, slices, assigned_by), tuple(Checkpoint(cell, f"{cell}") for cell in cells))


def key_in(cell: Cell, sharding: Sharding) -> str:
    """A post's key that lies in the cell."""
    return next(f"p{n}" for n in range(10_000) if sharding.cell_at(position_of_key(f"p{n}")) == cell)


def plan_with(asked: Planner, **more: Any) -> Plan:
    removed = {pair: frozenset[tuple[str, str]]() for pair in asked.differences(more["sharded"])}
    return asked.plan(**{"removed": removed} | more)


def test_only_the_hit_shards_are_trained_again_from_the_last_checkpoint_before_the_hit() -> None:
    made = training()
    posts = [
        affected(key_in(cell, made.sharding), event=f"o{number}")
        for number, cell in enumerate([Cell(2, 3), Cell(2, 4), Cell(4, 1)])
    ]

    plan = planner(upper(*D, TRAINED), *posts).plan(sharded={"r": made}, removed={})

    (step,) = plan.steps
    shards = step.shards
    assert shards is not None
    assert shards.whole_because is None
    assert [(each.shard, each.first_slice, each.posts, each.from_slice) for each in shards.retrained] == [
        (2, 3, 2, 3),
        (4, 1, 1, 1),
    ]
    assert [each.resume and each.resume.cell for each in shards.retrained] == [(2, 2), None]
    assert [each.cost for each in shards.retrained] == pytest.approx([1 - 3 * 2 / 20, 1])
    assert step.cost == pytest.approx((0.7 + 1) / 4)
    assert step.cost_one_by_one == pytest.approx((0.7 + (1 - 4 * 3 / 20) + 1) / 4)
    assert shards.expected_shards == pytest.approx(4 * (1 - 0.75**3))
    assert [(each.run, each.checkpoint.cell) for each in plan.doomed] == [
        ("r", (2, 3)),
        ("r", (2, 4)),
        *(("r", (4, slice_)) for slice_ in (1, 2, 3, 4)),
    ]


def test_by_the_datasets_shards_the_posts_of_an_author_hit_one_slice() -> None:
    posts = [affected(f"p{number}", [Holding("d", 1, None, f"d/4/6/{number}")]) for number in range(5)]

    (step,) = (
        planner(upper(*D, TRAINED), *posts)
        .plan(sharded={"r": training(assigned_by=AssignedBy.DATASET_SHARD)}, removed={})
        .steps
    )

    assert step.shards is not None
    assert [(each.shard, each.first_slice, each.posts) for each in step.shards.retrained] == [(2, 3, 5)]


def test_a_successor_that_lost_other_posts_too_has_their_shards_trained_again() -> None:
    """What a run reads must be what its shards rest on; but only what rests on affected posts is to be deleted."""
    made = training()
    lost, other = key_in(Cell(1, 4), made.sharding), key_in(Cell(3, 2), made.sharding)
    asked = planner(upper(*D, TRAINED), affected(lost, UNTIL_2))
    assert asked.runs == ["r"]
    assert asked.differences({"r": made}) == [(ref("d:1"), ref("d:3"))]

    plan = asked.plan(sharded={"r": made}, removed={(ref("d:1"), ref("d:3")): {(lost, "d/2/1/0"), (other, "d/2/3/0")}})

    (step,) = plan.steps
    assert step.shards is not None
    assert [(each.shard, each.first_slice) for each in step.shards.retrained] == [(1, 4), (3, 2)]
    assert [each.checkpoint.cell for each in plan.doomed] == [(1, 4)]


@pytest.mark.parametrize("erased", [True, False])
def test_where_the_position_of_an_erased_post_is_gone_the_run_is_repeated_in_full(erased: bool) -> None:
    key = f"hmac-sha256:{'0' * 64}" if erased else "p"

    plan = planner(upper(*D, TRAINED), affected(key)).plan(sharded={"r": training()}, removed={})

    (step,) = plan.steps
    assert step.shards is not None
    assert step.shards.whole_because is (WholeBecause.CELL_UNKNOWN if erased else None)
    assert (step.cost == 1) is (step.cost_one_by_one == 1) is erased
    assert (len(plan.doomed) == 16) is erased


def test_when_its_base_changes_every_shard_is_trained_anew_and_no_checkpoint_is_good() -> None:
    plan = plan_with(
        planner(upper(*CHAIN), affected(holdings=UNTIL_2, of=["m:1", "m:2", "m:4"])),
        sharded={key: training() for key in ("r1", "r2", "r4")},
    )

    found = steps(plan)
    assert found["m:2"].shards is not None
    assert found["m:2"].shards.whole_because == "BASE_CHANGES"
    assert found["m:4"].shards is not None
    assert found["m:4"].shards.whole_because == "SYNTHETIC_INPUT_CHANGES"
    for model in ("m:2", "m:4"):
        assert (found[model].cost, found[model].cost_one_by_one) == (1, 1)
    doomed = [each.run for each in plan.doomed]
    assert (doomed.count("r2"), doomed.count("r4")) == (16, 16)
    assert 0 < doomed.count("r1") < 16


def test_a_failed_runs_checkpoints_are_to_be_deleted_too() -> None:
    made = training()
    post = key_in(Cell(2, 4), made.sharding)

    plan = planner(upper(*D, TRAINED, run("failed", "d:1")), affected(post)).plan(
        sharded={"failed": made, "r": made}, removed={}
    )

    assert [(each.run, each.checkpoint.cell) for each in plan.doomed] == [("failed", (2, 4)), ("r", (2, 4))]


def test_a_post_in_two_inputs_of_a_run_leaves_both_its_places() -> None:
    made = training(assigned_by=AssignedBy.DATASET_SHARD)
    holdings = [Holding("d", 1, None, "d/2/0/0"), Holding("e", 1, None, "e/2/3/0")]
    lineage = upper(*D, version("e:1"), run("r", "d:1", "e:1", produced="m:1"))

    (step,) = planner(lineage, affected(holdings=holdings)).plan(sharded={"r": made}, removed={}).steps

    assert step.shards is not None
    assert [(each.shard, each.posts) for each in step.shards.retrained] == [(1, 1), (4, 1)]
    assert [each.posts for each in step.inputs] == [1, 1]
    assert step.shards.expected_shards == 1


def test_what_takes_no_training_has_no_shards() -> None:
    (step,) = plan_with(
        planner(upper(*REPLACED), affected(holdings=UNTIL_2), replaced={"m:1": "n:1"}), sharded={"r": training()}
    ).steps

    assert (step.shards, step.run, step.cost) == (None, "r", 0)
