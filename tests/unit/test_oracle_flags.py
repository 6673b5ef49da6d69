"""The oracle on the life of a flag: each answer is worked out by hand from design.md and readings 51 to 55."""

from dataclasses import dataclass

import pytest

from tests.oracle import ACCEPTED, ANY, UNCHANGED, Oracle, Step
from tests.unit.oracle_stories import (
    APR,
    FEB,
    JAN,
    LAWFUL,
    MAR,
    NEEDLESS,
    acknowledged,
    after,
    causes,
    correction,
    declared,
    deletion,
    derive,
    objection,
    planned,
    post,
    references,
    refused,
    resolution,
    run,
    serving,
    told,
    user,
    version,
    visibility,
    withdrawal,
)

USED = (*LAWFUL, post(), post("p2"), version(posts=["p1", "p2"]), run())  # lawfully: m:1
FLAGGED = (*USED, deletion(MAR))  # steps 0 to 6: p1 is gone
TOMORROW = "2026-11-24T09:00:00Z"


def states(oracle: Oracle, model_version: str = "m:1") -> list[tuple[int, str]]:
    """The resolved flags of the model version and their resolutions, then the open one and its status."""
    resolved = [(flag.number, flag.resolution) for flag in oracle.resolved_flags if flag.model_version == model_version]
    flag = oracle.flags().get(model_version)
    return resolved if flag is None else [*resolved, (flag.number, flag.status)]


# ---- taken up, planned ----------------------------------------------------------------------------------------------


def test_a_flag_is_taken_up_and_planned_and_planned_again() -> None:
    oracle = told(*FLAGGED, acknowledged())
    assert states(oracle) == [(0, "ACKNOWLEDGED")]
    assert oracle.apply(acknowledged(), after(8)) == UNCHANGED
    assert oracle.apply(planned(TOMORROW), after(9)) == ACCEPTED
    assert states(oracle) == [(0, "SCHEDULED")]
    assert oracle.apply(planned(TOMORROW), after(10)) == UNCHANGED
    assert oracle.apply(planned("2026-11-25T09:00:00Z"), after(11)) == ACCEPTED
    assert refused(oracle, acknowledged(), after(12)) == {"FLAG_WRONG_STATE"}
    assert refused(oracle, planned("2026-11-22T09:00:00Z"), after(13)) == {ANY}


def test_a_cause_joins_a_flag_in_whatever_state_it_is_and_leaves_the_state() -> None:
    oracle = told(*FLAGGED, planned(TOMORROW), deletion(MAR, "p2"))
    assert states(oracle) == [(0, "SCHEDULED")]
    assert causes(oracle) == {"m:1": {("p1", "POST_DELETED"): 1, ("p2", "POST_DELETED"): 1}}


def test_a_resolved_flag_stays_resolved_and_what_was_never_flagged_has_none() -> None:
    oracle = told(*FLAGGED, NEEDLESS)
    assert states(oracle) == [(0, "NOT_REQUIRED")]
    for step in (acknowledged(), planned(TOMORROW), NEEDLESS, resolution("RETIRED")):
        assert refused(oracle, step, after(8)) == {"FLAG_WRONG_STATE"}
    for step in (acknowledged("m:2"), planned(TOMORROW, "m:2"), resolution("RETIRED", "m:2")):
        assert refused(oracle, step, after(10)) == {"FLAG_NOT_FOUND"}


# ---- after a resolution ---------------------------------------------------------------------------------------------


def test_an_answered_cause_raises_nothing_more_and_a_new_one_raises_a_flag_of_its_own() -> None:
    oracle = told(*FLAGGED, NEEDLESS, visibility("FRIENDS", MAR, "p2"))
    assert states(oracle) == [(0, "NOT_REQUIRED"), (1, "OPEN")]
    assert causes(oracle) == {"m:1": {("p2", "VISIBILITY_NARROWED"): 1}}
    assert oracle.flags()["m:1"].affected_posts == 1


def test_an_answer_holds_for_its_model_version_alone() -> None:
    oracle = told(*FLAGGED, NEEDLESS, derive("m:2", "m:1"))
    assert causes(oracle) == {"m:2": {("p1", "POST_DELETED"): 1}}
    assert states(oracle) == [(0, "NOT_REQUIRED")]


def test_a_cause_that_comes_back_after_it_fell_away_is_a_new_one() -> None:
    oracle = told(*USED, visibility("FRIENDS", MAR), NEEDLESS, visibility("PUBLIC", APR))
    assert states(oracle) == [(0, "NOT_REQUIRED")]
    assert oracle.apply(visibility("PRIVATE", "2026-11-01T00:00:00Z"), after(9)) == ACCEPTED
    assert causes(oracle) == {"m:1": {("p1", "VISIBILITY_NARROWED"): 1}}
    assert states(oracle) == [(0, "NOT_REQUIRED"), (1, "OPEN")]


def test_an_answered_cause_with_more_posts_than_it_had_is_a_new_one_with_all_of_them() -> None:
    oracle = told(*USED, objection(), correction("zoe", "p2"), NEEDLESS)
    assert states(oracle) == [(0, "NOT_REQUIRED")]
    assert oracle.apply(correction("ana", "p2", "back"), after(9)) == ACCEPTED
    assert causes(oracle) == {"m:1": {("o1", "OBJECTION"): 2}}
    assert oracle.apply(resolution("RETIRED"), after(10)) == ACCEPTED
    assert oracle.apply(correction("zoe", "p2", "no"), after(11)) == ACCEPTED  # fewer
    assert oracle.apply(correction("ana", "p2", "yes"), after(12)) == ACCEPTED  # more than the fewest since
    assert states(oracle) == [(0, "NOT_REQUIRED"), (1, "RETIRED"), (2, "OPEN")]


def test_a_flag_resolved_by_itself_is_followed_by_the_next_one_too() -> None:
    oracle = told(*USED, objection(), withdrawal(), objection("o2"))
    assert states(oracle) == [(0, "NOT_REQUIRED"), (1, "OPEN")]


def test_answered_causes_do_not_hold_a_new_flag_open() -> None:
    oracle = told(*FLAGGED, NEEDLESS, objection(), withdrawal())
    assert states(oracle) == [(0, "NOT_REQUIRED"), (1, "NOT_REQUIRED")]
    assert [flag.justification for flag in oracle.resolved_flags][1] == "causes withdrawn"


def test_the_gate_reads_open_flags_alone() -> None:
    fresh = (user("ben"), post("q", author="ben"), version("e", ["q"]))
    authorize = ("authorizeTraining", {"run": "g1", "inputs": references(("e", 1)), "startedFrom": ["m:1"]})
    oracle = told(*FLAGGED, *fresh)
    assert refused(oracle, authorize, after(10)) == {"BASE_FLAGGED"}
    assert oracle.apply(NEEDLESS, after(11)) == ACCEPTED
    assert oracle.apply(authorize, after(12)) == ACCEPTED


# ---- resolutions ----------------------------------------------------------------------------------------------------


def test_not_required_needs_a_justification() -> None:
    oracle = told(*FLAGGED)
    assert refused(oracle, resolution("NOT_REQUIRED"), after(8)) == {"JUSTIFICATION_REQUIRED"}
    assert refused(oracle, resolution("NOT_REQUIRED", justification="  "), after(8)) == {"JUSTIFICATION_REQUIRED"}


def test_retired_is_refused_while_a_feature_is_served_and_for_good_afterwards() -> None:
    oracle = told(*FLAGGED, version("e", []), run("r2", "m:2", inputs=[("e", 1)]), serving(), serving(feature="ads"))
    assert refused(oracle, resolution("RETIRED"), after(11)) == {"MODEL_IN_SERVICE"}
    assert oracle.apply(serving("m:2"), after(12)) == ACCEPTED
    assert refused(oracle, resolution("RETIRED"), after(13)) == {"MODEL_IN_SERVICE"}  # ads
    assert oracle.apply(serving("m:2", "ads"), after(14)) == ACCEPTED
    assert not oracle.is_retired("m:1")
    assert oracle.apply(resolution("RETIRED"), after(15)) == ACCEPTED
    assert oracle.is_retired("m:1")
    assert refused(oracle, serving(), after(16)) == {"MODEL_RETIRED"}


def test_a_feature_is_served_by_what_took_it_over_last_in_valid_time() -> None:
    served = (serving(**{"from": MAR}), serving("m:2", **{"from": FEB}))
    oracle = told(*FLAGGED, version("e", []), run("r2", "m:2", inputs=[("e", 1)]), *served)
    assert refused(oracle, resolution("RETIRED"), after(11)) == {"MODEL_IN_SERVICE"}
    assert oracle.apply(serving("m:2", **{"from": APR}), after(12)) == ACCEPTED
    assert oracle.apply(resolution("RETIRED"), after(13)) == ACCEPTED


def test_retrained_needs_a_replacement_that_is_known() -> None:
    oracle = told(*FLAGGED)
    assert refused(oracle, resolution("RETRAINED"), after(8)) == {"REPLACEMENT_REQUIRED"}
    assert refused(oracle, resolution("RETRAINED", replacement="m:9"), after(8)) == {"MODEL_VERSION_NOT_FOUND"}


CLEAN = (version("e", ["p2"]), run("r2", "m:2", inputs=[("e", 1)], startedAt=APR))
REMEDY = resolution("RETRAINED", replacement="m:2")


def test_a_replacement_without_the_affected_posts_ends_the_flag() -> None:
    oracle = told(*FLAGGED, *CLEAN, REMEDY)
    (resolved,) = oracle.resolved_flags
    assert (resolved.resolution, resolved.replacement, resolved.resolved_at) == ("RETRAINED", "m:2", after(9))


@dataclass(frozen=True)
class Tainted:
    why: str
    steps: tuple[Step, ...]
    relations: tuple[str, ...] = ()  # of the path from p1
    undocumented: tuple[tuple[str, int], ...] = ()


READ = ("HELD_IN", "CONSUMED_BY", "PRODUCED")


@pytest.mark.parametrize(
    "case",
    [
        Tainted("read it", (run("r2", "m:2", startedAt=APR),), READ),
        Tainted(
            "started from what used it",
            (version("e", []), run("r2", "m:2", inputs=[("e", 1)], startedFrom=["m:1"])),
            (*READ, "STARTED", "PRODUCED"),
        ),
        Tainted("derives from it", (derive("m:2", "m:1"),), (*READ, "DERIVED")),
        Tainted(
            "ate what it wrote",
            (version("e", [], generatedBy=["m:1"]), run("r2", "m:2", inputs=[("e", 1)])),
            (*READ, "GENERATED", "CONSUMED_BY", "PRODUCED"),
        ),
        Tainted(
            "read what nobody documented",
            (version("u", coverage="UNDOCUMENTED"), version("e", []), run("r2", "m:2", inputs=[("e", 1), ("u", 1)])),
            undocumented=(("u", 1),),
        ),
        Tainted(
            "read a selection that covers it",
            (declared("s", jurisdictions=["GB"]), run("r2", "m:2", inputs=[("s", 1)])),
            undocumented=(("s", 1),),
        ),
        Tainted(
            "its base read what nobody documented",
            (version("u", coverage="UNDOCUMENTED"), run("r3", "b:1", inputs=[("u", 1)]), derive("m:2", "b:1")),
            undocumented=(("u", 1),),
        ),
        Tainted(
            "the generator of its data read what nobody documented",
            (
                version("u", coverage="UNDOCUMENTED"),
                run("r3", "b:1", inputs=[("u", 1)]),
                version("e", [], generatedBy=["b:1"]),
                run("r2", "m:2", inputs=[("e", 1)]),
            ),
            undocumented=(("u", 1),),
        ),
    ],
    ids=lambda case: case.why,
)
def test_a_replacement_is_refused_when_it_used_or_cannot_rule_out_an_affected_post(case: Tainted) -> None:
    oracle = told(*FLAGGED, *case.steps)
    assert refused(oracle, REMEDY, after(20)) == {"REPLACEMENT_NOT_CLEAN"}
    (offence,) = [oracle.offending["p1"]]
    assert tuple(step for step, _, _ in offence.path) == case.relations
    assert offence.undocumented == case.undocumented
    assert set(oracle.offending) == {"p1"}
    assert states(oracle) == [(0, "OPEN")]


@pytest.mark.parametrize(
    "steps",
    [
        (declared("s", jurisdictions=["AU"]), run("r2", "m:2", inputs=[("s", 1)])),
        (version("u", coverage="UNDOCUMENTED"), run("r2", "m:2", inputs=[("u", 1)], startedAt="2023-12-31T00:00:00Z")),
        (version("u", coverage="UNDOCUMENTED"), version("e", []), run("r2", "m:2", inputs=[("e", 1)])),
        (version("c", [], derivedFrom=references(("d", 1))), run("r2", "m:2", inputs=[("c", 1)])),
        (
            version("u", coverage="UNDOCUMENTED"),
            run("r3", "other:1", inputs=[("u", 1)]),
            version("e", []),
            run("r2", "m:2", inputs=[("e", 1)]),
        ),
    ],
    ids=("ruled out by place", "published later", "nobody read it", "filtered out", "of no base of its own"),
)
def test_a_replacement_is_taken_when_its_own_upstream_rules_the_posts_out(steps: tuple[Step, ...]) -> None:
    assert told(*FLAGGED, *steps).apply(REMEDY, after(20)) == ACCEPTED


def test_a_replacement_is_held_to_the_posts_of_all_causes_whatever_the_purpose() -> None:
    ads = run("r2", "m:2", inputs=[("e", 1)], startedAt=APR, purpose="ADS")
    oracle = told(*FLAGGED, version("e", ["p2"]), ads, objection())
    assert causes(oracle)["m:1"] == {("p1", "POST_DELETED"): 1, ("o1", "OBJECTION"): 2}
    assert "m:2" not in causes(oracle)  # the objection is to AI_TRAINING
    assert refused(oracle, REMEDY, after(20)) == {"REPLACEMENT_NOT_CLEAN"}
    assert set(oracle.offending) == {"p2"}


def test_a_replacement_is_held_to_what_a_violating_run_could_not_use() -> None:
    facts = (*LAWFUL, post(), post("p2", visibility="PRIVATE"), version(posts=["p1", "p2"]), run())
    clean = run("r2", "m:2", inputs=[("e", 1)], startedAt=JAN)
    oracle = told(*facts, version("e", ["p1"]), clean, derive("m:3", "m:1"))
    assert oracle.flags()["m:1"].causes == {("r1", "VIOLATION"): 1}
    assert refused(oracle, resolution("RETRAINED", replacement="m:1"), after(20)) == {"REPLACEMENT_REQUIRED"}
    assert refused(oracle, resolution("RETRAINED", replacement="m:3"), after(21)) == {"REPLACEMENT_NOT_CLEAN"}
    assert set(oracle.offending) == {"p2"}
    assert oracle.apply(REMEDY, after(22)) == ACCEPTED
