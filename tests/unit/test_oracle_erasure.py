"""The oracle on erasure: each answer is worked out by hand from design.md and readings 56 to 64."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings

from tests.oracle import ACCEPTED, REFUSED, UNCHANGED, Consent, Oracle, PostUsage, Step, micros
from tests.scenarios import POSTS, PURPOSES, Scenario, scenarios, with_times
from tests.unit.oracle_stories import (
    AI,
    APR,
    FEB,
    JAN,
    LATER,
    LAWFUL,
    MAR,
    RECORDING,
    after,
    authorize,
    build,
    causes,
    complete,
    confirmation,
    consent,
    correction,
    decision,
    declared,
    deletion,
    derive,
    erasure,
    member,
    notice,
    objection,
    policy,
    post,
    refused,
    rejection,
    resolution,
    run,
    seal,
    served,
    start,
    told,
    user,
    version,
    violations,
    visibility,
    withdrawal,
)

ERASED_ON = micros("2026-11-20T10:00:00Z")  # when the request was received
BEN = user("ben")
# Two posts of ana, and one of ben that depicts her: all used by m:1, lawfully.
USED = (*LAWFUL, BEN, *(post(key) for key in ("p1", "p2")), post("q", author="ben", depicts=["ana"]))
USED = (*USED, version(posts=["p1", "p2", "q"]), run())
NOW = after(50)
STANDING = {("e1", "ERASURE"): 2, ("e1", "THIRD_PARTY_OBJECTED"): 1}


def eligibility(oracle: Oracle, key: str, at: int = NOW, purpose: str = AI) -> list[str]:
    return oracle.eligibility(key, purpose, at).reasons


# ---- requested ------------------------------------------------------------------------------------------------------


def test_a_request_restricts_from_its_receipt_and_flags_every_use_at_once() -> None:
    oracle = told(*USED, erasure())
    assert oracle.affected == 3
    assert eligibility(oracle, "p1") == ["ERASURE_PENDING"]
    assert eligibility(oracle, "q") == ["THIRD_PARTY_OBJECTED"]
    assert eligibility(oracle, "p1", ERASED_ON) == ["ERASURE_PENDING"]
    assert eligibility(oracle, "p1", ERASED_ON - 1) == eligibility(oracle, "q", ERASED_ON - 1) == []
    assert oracle.eligibility("p1", AI, NOW, after(7)).reasons == []  # before it was recorded
    assert causes(oracle) == {"m:1": STANDING}
    flag = oracle.flags()["m:1"]
    assert (flag.due_at, flag.affected_posts) == (micros("2026-12-21T23:59:59Z"), 3)  # 20 December: a Sunday
    assert (oracle.erasure("e1").status, oracle.erasure("e1").due_at) == ("REQUESTED", flag.due_at)


def test_it_concerns_every_platform_and_purpose_and_those_who_were_never_recorded() -> None:
    elsewhere = post("p3", platform="THREADS")
    facts = (*LAWFUL, elsewhere, version(posts=["p3"]), run(purpose="RANKING"))
    assert causes(told(*facts, erasure())) == {"m:1": {("e1", "ERASURE"): 1}}
    assert told(*facts, erasure()).eligibility("p3", "RANKING", NOW).reasons[-1] == "ERASURE_PENDING"
    early = told(erasure(), *facts)  # the order does not matter
    assert causes(early) == {"m:1": {("e1", "ERASURE"): 1}}


def test_a_depiction_counts_where_the_policy_protects_the_depicted_but_flags_are_raised_anyway() -> None:
    bare = (user(), policy(protects_depicted=False), *USED[2:], erasure())
    assert eligibility(told(*bare), "q") == []
    assert causes(told(*bare)) == {"m:1": STANDING}


def test_a_run_between_receipt_and_recording_violates() -> None:
    late = run("r2", "m:2", startedAt="2026-11-21T10:00:00Z")
    assert violations(told(*USED, late, erasure())) == {"m:2": {"r2": 3}}


def test_a_request_repeated_changes_nothing_and_other_content_under_its_key_is_a_conflict() -> None:
    oracle = told(*USED, erasure())
    assert oracle.apply(erasure(), after(9)) == UNCHANGED
    assert "ERASURE_CONFLICT" in refused(oracle, erasure(received_at=MAR), after(9))
    assert refused(oracle, erasure("e2"), after(10)) == {"ERASURE_STANDING"}


def test_a_refused_request_restricts_until_the_person_was_told_and_flags_nothing_any_more() -> None:
    oracle = told(*USED, erasure(), rejection())
    told_at = micros("2026-11-22T10:00:00Z")
    assert [eligibility(oracle, "p1", at) for at in (told_at - 1, told_at)] == [["ERASURE_PENDING"], []]
    assert [eligibility(oracle, "q", at) for at in (told_at - 1, told_at)] == [["THIRD_PARTY_OBJECTED"], []]
    assert oracle.eligibility("p1", AI, NOW, after(8)).reasons == ["ERASURE_PENDING"]
    assert oracle.flags() == {}
    assert oracle.erasure("e1").status == "REFUSED"
    assert (
        refused(oracle, confirmation(), after(20)) == refused(oracle, rejection(), after(20)) == {"ERASURE_WRONG_STATE"}
    )
    assert oracle.apply(erasure("e2"), after(21)) == ACCEPTED


def test_a_request_is_refused_with_grounds_when_the_person_was_told() -> None:
    oracle = told(*USED, erasure())
    assert refused(oracle, rejection("e9"), after(9)) == {"ERASURE_NOT_FOUND"}
    assert refused(oracle, rejection(grounds=""), after(9)) == {"GROUNDS_REQUIRED"}
    assert refused(oracle, rejection(decided_at=MAR), after(9)) == {"DECIDED_AT_OUT_OF_RANGE"}
    assert oracle.apply(confirmation(), after(10)) == ACCEPTED
    assert refused(oracle, rejection(), after(11)) == {"ERASURE_WRONG_STATE"}


# ---- confirmed ------------------------------------------------------------------------------------------------------


def test_what_is_erased_has_one_reason_at_every_time_and_its_uses_stay() -> None:
    before, oracle = told(*USED, erasure()), told(*USED, erasure(), confirmation())
    assert oracle.erasure("e1").status == "DONE"
    for at in (micros(JAN) - 1, LATER, NOW):
        for known_at in (after(0), after(6), None):
            found = oracle.eligibility("p1", AI, at, known_at)
            assert (found.reasons, found.policy) == (["ERASED"], None)
    assert oracle.post_usage("p1") == before.post_usage("p1")
    assert oracle.post_usage("p1").verdict == "USED"
    assert oracle.user_usage("ana") == "USED"
    assert not oracle.describes("p1")
    assert causes(oracle) == {"m:1": STANDING}
    assert oracle.flags() == before.flags()
    assert oracle.ineligible_count(("d", 1), "ADS", NOW) == 3


def test_to_posts_that_depict_them_an_erased_person_counts_as_an_upheld_objector_for_good() -> None:
    oracle = told(*USED, erasure(), confirmation())
    assert eligibility(oracle, "q") == ["THIRD_PARTY_OBJECTED"]
    assert eligibility(oracle, "q", ERASED_ON - 1) == []
    assert oracle.apply(post("s", author="ben", depicts=["ana"]), after(10)) == ACCEPTED
    assert eligibility(oracle, "s") == ["THIRD_PARTY_OBJECTED"]
    assert oracle.apply(post("q", author="ben", depicts=["ben"]), after(11)) == ACCEPTED
    assert causes(oracle) == {"m:1": {("e1", "ERASURE"): 2}}


def test_what_is_recorded_later_is_flagged_as_if_it_had_been_there() -> None:
    oracle = told(*USED, erasure(), confirmation(), version("late", ["p1", "x"]))
    for step in (run("r2", "m:2", inputs=[("late", 1)]), derive("m:3", "m:1")):
        assert oracle.apply(step, after(11)) == ACCEPTED
    assert causes(oracle)["m:2"] == {("e1", "ERASURE"): 1}
    assert causes(oracle)["m:3"] == STANDING
    # x was never described, and of p1 nothing is known that would have made that use lawful
    assert violations(oracle) == {"m:2": {"r2": 2}}


def test_a_use_keeps_its_reasons_and_whether_it_was_a_violation() -> None:
    unlawful = (user(), policy(effective_from="2024-01-15T00:00:00Z"), *USED[2:], run("r2", "m:2", startedAt=JAN))
    before, oracle = told(*unlawful, erasure()), told(*unlawful, erasure(), confirmation())
    assert violations(before) == violations(oracle) == {"m:2": {"r2": 3}}
    for of in (before, oracle):
        at_use = {use.model_version: of.eligibility_at_use("p1", use) for use in of.post_usage("p1").uses}
        assert {model: found.reasons for model, found in at_use.items()} == {
            "m:1": [],
            "m:2": ["JURISDICTION_NOT_COVERED"],
        }
        assert at_use["m:1"].policy == ("the-policy", 1)
    assert oracle.apply(policy(version=2, effective_from=JAN), after(20)) == ACCEPTED
    assert violations(oracle) == {"m:2": {"r2": 2}}  # of ben's post it is known better now


def test_a_gated_use_keeps_what_was_known_when_it_started_and_what_came_to_be_known() -> None:
    gated = (*LAWFUL, post(), version(posts=["p1"]), authorize(), start(), complete(), deletion(MAR))
    oracle = told(*gated, erasure(), confirmation())
    (use,) = oracle.post_usage("p1").uses
    assert oracle.eligibility_at_use("p1", use).reasons == []
    assert violations(oracle) == {"g:1": {"g1": 1}}


def test_a_minor_who_was_depicted_and_is_erased_leaves_the_violation() -> None:
    minor = user(adult_from="2031-01-01")
    facts = (minor, policy(), BEN, post("q", author="ben", depicts=["ana"]), version(posts=["q"]), run())
    oracle = told(*facts, erasure(), confirmation())
    assert violations(oracle) == {"m:1": {"r1": 1}}
    (use,) = oracle.post_usage("q").uses
    assert oracle.eligibility_at_use("q", use).reasons == ["THIRD_PARTY_MINOR"]


def test_an_erased_post_cannot_be_ruled_out_of_a_selection_any_more() -> None:
    lists = (version("c", []), declared("s", jurisdictions=["AU"]), declared("t", publishedFrom=FEB))
    facts = (*LAWFUL, post(), *lists, run(inputs=[("s", 1), ("t", 1), ("c", 1)], startedAt="2023-01-01T00:00:00Z"))
    assert told(*facts).post_usage("p1").verdict == "NOT_USED"
    erased = told(*facts, erasure(), confirmation())
    assert (erased.post_usage("p1").verdict, erased.post_usage("p1").undocumented) == ("UNKNOWN", [("s", 1), ("t", 1)])
    assert erased.user_usage("ana") == "UNKNOWN"
    assert erased.post_usage("p1", after(6)).verdict == "UNKNOWN"  # as known before, too


def test_a_post_that_nothing_describes_is_erased_with_the_person_whom_a_correction_names() -> None:
    facts = (correction("ana", "x"), version(posts=["x"]), run(), deletion(MAR, "x"))
    oracle = told(*facts, erasure(), confirmation())
    assert eligibility(oracle, "x") == ["ERASED"]
    assert causes(oracle) == {"m:1": {("x", "POST_DELETED"): 1}}
    assert violations(oracle) == {"m:1": {"r1": 1}}
    assert oracle.user_usage("ana") == "NOT_USED"
    assert refused(oracle, post("x", author="ben"), after(20)) == {"ERASED"}


def test_a_build_passes_over_what_is_erased_and_a_refusal_names_it() -> None:
    oracle = told(*USED, erasure(), confirmation(), build())
    assert oracle.excluded == {"THIRD_PARTY_OBJECTED": 1}
    assert oracle.apply(authorize(), after(10)) == REFUSED
    assert set(oracle.refusals) == {
        (("d", 1), "ERASED", 2, ("p1", "p2")),
        (("d", 1), "THIRD_PARTY_OBJECTED", 1, ("q",)),
    }


def test_what_is_left_of_the_person_is_their_objections() -> None:
    facts = (*USED, consent("GIVEN", JAN), notice(), served(JAN))
    plain = told(*facts, erasure(), confirmation())
    assert plain.consent("ana", AI, NOW) == Consent("UNINFORMED", None)
    objected = told(*facts, objection(), erasure(), confirmation(), withdrawal())
    state = objected.consent("ana", AI, NOW)
    assert (state.status, state.lawful_basis) == ("OBJECTION_WITHDRAWN", None)
    assert objected.objection("o1").affected_post_count == 3


# ---- causes that rest on them ---------------------------------------------------------------------------------------


def test_causes_that_rest_on_the_person_stay_as_they_stood() -> None:
    facts = (*USED, deletion(MAR), visibility("FRIENDS", MAR, "p2"), user(adult_from="2031-01-01", valid_from=MAR))
    facts = (*facts, objection(platforms=["FACEBOOK"]))
    oracle = told(*facts, erasure(), confirmation())
    frozen = {
        ("p1", "POST_DELETED"): 1,
        ("p2", "VISIBILITY_NARROWED"): 1,
        ("ana", "MINOR"): 2,
        ("o1", "OBJECTION"): 2,
        ("o1", "THIRD_PARTY_OBJECTED"): 1,
    }
    assert causes(oracle) == {"m:1": frozen | STANDING}
    assert oracle.flags()["m:1"].due_at == micros("2024-04-01T23:59:59+01:00")
    assert oracle.apply(derive("m:2", "m:1"), after(20)) == ACCEPTED
    assert causes(oracle)["m:2"] == STANDING


@pytest.mark.parametrize("end", [decision(False), withdrawal()])
def test_a_later_refusal_or_withdrawal_changes_no_flag_and_no_eligibility(end: Step) -> None:
    ads = objection(purposes=[AI], received_at=FEB)
    oracle = told(*USED, ads, erasure(), confirmation())
    flags = oracle.flags()
    assert flags["m:1"].causes == {
        ("o1", "OBJECTION"): 2,
        ("o1", "THIRD_PARTY_OBJECTED"): 1,
        ("r1", "VIOLATION"): 3,
    } | (STANDING)
    assert oracle.apply(end, after(20)) == ACCEPTED
    assert oracle.flags() == flags
    assert oracle.objection("o1").status in ("REFUSED", "WITHDRAWN")
    assert eligibility(oracle, "q", LATER) == ["THIRD_PARTY_OBJECTED"]


def test_causes_that_rest_on_others_no_longer_count_what_is_erased() -> None:
    depicting = (*LAWFUL, BEN, post(depicts=["ben"]), version(posts=["p1"]), run(), objection(who="ben"))
    assert causes(told(*depicting)) == {"m:1": {("o1", "THIRD_PARTY_OBJECTED"): 1}}
    assert causes(told(*depicting, erasure(), confirmation())) == {"m:1": {("e1", "ERASURE"): 1}}
    expired = (user(), policy(assessment_expires=MAR), *USED[2:])
    assert causes(told(*expired))["m:1"] == {("the-policy:1", "ASSESSMENT_EXPIRED"): 3}
    lapsed = causes(told(*expired, erasure(), confirmation()))
    assert lapsed == {"m:1": {("the-policy:1", "ASSESSMENT_EXPIRED"): 1} | STANDING}


def test_a_replacement_is_held_to_erased_posts_by_their_keys() -> None:
    oracle = told(*USED, erasure(), confirmation(), version("e", ["p1"]), run("r2", "m:2", inputs=[("e", 1)]))
    assert refused(oracle, resolution("RETRAINED", replacement="m:2"), after(20)) == {"REPLACEMENT_NOT_CLEAN"}
    assert set(oracle.offending) == {"p1"}


# ---- recorded again -------------------------------------------------------------------------------------------------

AFTER_ERASURE = (*USED, notice(), objection(), correction("ana", "unseen"), erasure(), confirmation())


@pytest.mark.parametrize(
    "step",
    [
        user(),
        user(jurisdiction="AU", valid_from=MAR),
        consent("GIVEN", MAR),
        served(MAR),
        objection(),
        objection("o2"),
        {"kind": "objection", "key": "o2", "user": "ana", "received_at": MAR},
        erasure("e2"),
        post(),
        post("p1", author="ben"),
        post("fresh"),
        post("unseen", author="ben"),
        correction("ana", "q"),
        correction("ben", "p1"),
        visibility("PUBLIC", MAR),
        deletion(MAR),
    ],
    ids=str,
)
def test_what_names_the_person_or_their_posts_again_is_refused(step: Step) -> None:
    oracle = told(*AFTER_ERASURE)
    flags = oracle.flags()
    assert "ERASED" in refused(oracle, step, after(20))
    assert oracle.flags() == flags


def test_manifests_may_name_what_is_erased_for_that_is_how_a_use_is_told() -> None:
    oracle = told(*USED, erasure(), confirmation(), version(), member("p1", 2), seal(2))
    assert oracle.post_usage("p1").held_in == [("d", 1), ("d", 2)]
    assert oracle.ineligible_count(("d", 2), AI, NOW) == 1


def test_their_request_again_changes_nothing_and_so_does_its_confirmation() -> None:
    oracle = told(*USED, erasure(), confirmation())
    assert oracle.apply(erasure(), after(10)) == UNCHANGED
    assert oracle.apply(confirmation(), after(10)) == UNCHANGED
    assert refused(oracle, confirmation("e9"), after(10)) == {"ERASURE_NOT_FOUND"}


def test_objections_of_theirs_can_still_be_decided_by_key() -> None:
    oracle = told(*AFTER_ERASURE, decision(True, decided_at=APR))
    assert oracle.objection("o1").status == "UPHELD"
    assert RECORDING < NOW


# ---- scenarios ------------------------------------------------------------------------------------------------------


@given(scenarios())
@settings(max_examples=150, deadline=None)
def test_a_confirmation_takes_away_no_use_no_flag_and_no_violation(scenario: Scenario) -> None:
    oracle, authorized = Oracle(), dict[str, int]()
    for number, told_step in enumerate(scenario.steps):
        step = with_times(told_step, authorized)
        confirms = not isinstance(step, dict) and step[0] == "confirmErasure"
        before = standing(oracle, number) if confirms else None
        outcome = oracle.apply(step, after(number))
        if isinstance(step, tuple) and step[0] == "authorizeTraining" and outcome != REFUSED:
            authorized[step[1]["run"]] = after(number)
        if before is not None:
            assert_nothing_is_hidden(before, standing(oracle, number))


@dataclass(frozen=True)
class Standing:
    usage: dict[str, PostUsage]
    ineligible: set[tuple[str, str]]
    flagged: dict[str, int]  # to the affected posts
    violations: dict[str, dict[str, int]]
    resolved: int


def standing(oracle: Oracle, number: int) -> Standing:
    now = after(number)
    return Standing(
        usage={key: oracle.post_usage(key) for key in POSTS},
        ineligible={(key, purpose) for key in POSTS for purpose in PURPOSES if eligibility(oracle, key, now, purpose)},
        flagged={key: flag.affected_posts for key, flag in oracle.flags().items()},
        violations=violations(oracle),
        resolved=len(oracle.resolved_flags),
    )


def assert_nothing_is_hidden(before: Standing, then: Standing) -> None:
    for key, usage in before.usage.items():
        assert (then.usage[key].uses, then.usage[key].held_in) == (usage.uses, usage.held_in)
        assert set(usage.undocumented) <= set(then.usage[key].undocumented)
    assert before.ineligible <= then.ineligible
    assert before.flagged == then.flagged
    assert before.violations == then.violations
    assert before.resolved == then.resolved
