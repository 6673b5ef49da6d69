"""The oracle on the gate, violations, builds, notices and extensions: each answer is worked out by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pytest

from tests.oracle import ACCEPTED, ANY, DAY, REFUSED, UNCHANGED, NoticeCoverage, Step, extended_to, instant, micros
from tests.unit.oracle_stories import (
    AI,
    APR,
    FEB,
    JAN,
    LAWFUL,
    MAR,
    RECORDING,
    after,
    authorize,
    build,
    cancel,
    causes,
    complete,
    correction,
    decision,
    deletion,
    derive,
    extension,
    fail,
    notice,
    objection,
    policy,
    post,
    references,
    refused,
    relations,
    run,
    served,
    start,
    told,
    user,
    version,
    violations,
    visibility,
    withdraw_version,
    withdrawal,
)

HELD = (*LAWFUL, post(), version(posts=["p1"]))  # steps 0 to 3: one post that may be used, in version 1 of d
STRICT = policy(key="strict", effective_from=FEB, assessment=None)  # from February on nothing may be used


def iso(at: int) -> str:
    return instant(at).isoformat()


# ---- counts ---------------------------------------------------------------------------------------------------------


def test_members_that_may_not_be_used_now_are_counted_by_purpose_also_of_withdrawn_versions() -> None:
    members = version(posts=["p1", "p2", "never described"])
    oracle = told(*LAWFUL, post(), post("p2", author="ben"), members, withdraw_version())
    assert oracle.ineligible_count(("d", 1), AI, after(9)) == 2  # of ben nothing is known
    assert oracle.ineligible_count(("d", 1), "ADS", after(9)) == 3  # no policy


def test_a_count_is_null_while_the_version_is_building_or_where_no_manifest_is_complete() -> None:
    oracle = told(version(), version("x", coverage="DECLARED"), version("y", coverage="UNDOCUMENTED"))
    assert [oracle.ineligible_count((dataset, 1), AI, after(9)) for dataset in ("d", "x", "y", "z")] == [None] * 4


def test_a_count_follows_time_alone() -> None:
    oracle = told(user(), policy(assessment_expires=MAR), post(), version(posts=["p1"]))
    assert [oracle.ineligible_count(("d", 1), AI, micros(MAR) + by) for by in (-1, 0)] == [0, 1]


# ---- authorising ----------------------------------------------------------------------------------------------------


def test_a_run_on_data_that_may_be_used_is_authorised_and_is_no_use_yet() -> None:
    oracle = told(*HELD, authorize())
    assert (oracle.run("g1").status, oracle.run("g1").authorized_at) == ("AUTHORIZED", after(4))
    assert oracle.post_usage("p1").verdict == "NOT_USED"
    assert oracle.apply(authorize(), after(5)) == UNCHANGED


def test_refusals_name_every_input_and_reason_with_its_posts_and_five_samples() -> None:
    named = [f"p{number}" for number in range(1, 8)]
    posts = [post(key, visibility="PRIVATE" if key == "p7" else "PUBLIC") for key in named]
    lists = (version(posts=named), version("u", coverage="UNDOCUMENTED"), version("w", []), withdraw_version("w"))
    oracle = told(*LAWFUL, *posts, *lists, version("b"), objection())
    inputs = [(dataset, 1) for dataset in ("d", "u", "w", "b")]
    assert oracle.apply(authorize(inputs=inputs), after(20)) == REFUSED
    assert set(oracle.refusals) == {
        (("d", 1), "OBJECTION_PENDING", 7, ("p1", "p2", "p3", "p4", "p5")),
        (("d", 1), "NOT_PUBLIC_AT_PUBLICATION", 1, ("p7",)),
        (("d", 1), "NOT_PUBLIC_NOW", 1, ("p7",)),
        *(((dataset, 1), None, 0, ()) for dataset in ("u", "w", "b")),
    }
    assert "g1" not in oracle.runs


def test_an_authorised_run_is_checked_again_under_its_key_and_stays_authorised_when_it_would_be_refused() -> None:
    oracle = told(*HELD, authorize(), objection())
    assert oracle.apply(authorize(), after(6)) == REFUSED
    assert oracle.refusals == ((("d", 1), "OBJECTION_PENDING", 1, ("p1",)),)
    assert oracle.run("g1").status == "AUTHORIZED"
    assert refused(oracle, start(), after(7)) == {"INELIGIBLE_MEMBERS"}


def test_a_run_that_is_running_or_later_is_answered_as_it_stands() -> None:
    oracle = told(*HELD, authorize(), start(), objection())
    assert oracle.apply(authorize(), after(7)) == UNCHANGED
    assert oracle.apply(run("r1", purpose=AI), after(8)) == ACCEPTED
    assert oracle.apply(authorize("r1"), after(9)) == UNCHANGED  # recorded, of the same content


def test_an_authorisation_names_known_things_and_repeats_its_content() -> None:
    oracle = told(*HELD, version("e", []), authorize())
    assert refused(oracle, authorize("g2", inputs=[]), after(9)) == {"INPUT_REQUIRED"}
    assert refused(oracle, authorize("g2", inputs=[("d", 2)]), after(9)) == {"VERSION_NOT_FOUND"}
    assert refused(oracle, authorize("g2", startedFrom=["m:9"]), after(9)) == {"MODEL_VERSION_NOT_FOUND"}
    assert refused(oracle, authorize(inputs=[("e", 1)]), after(9)) == {"RUN_CONFLICT"}
    assert refused(oracle, authorize(purpose="ADS"), after(9)) == {"RUN_CONFLICT"}


# m:1 was trained on a post of ben, who objects: it has an open flag; p1 of ana may be used throughout.
FLAGGED = (
    *(user(), user("ben"), post(), post("p2", author="ben")),
    *(version("a", ["p2"]), run(inputs=[("a", 1)]), objection(who="ben"), version(posts=["p1"])),
)


@dataclass(frozen=True)
class Checked:
    policies: Sequence[Step]
    checked: bool


@pytest.mark.parametrize(
    "case",
    [
        Checked([policy()], checked=True),
        Checked([policy(gate_flagged_bases=False)], checked=False),
        Checked([policy(gate_flagged_bases=False), policy("AU", key="au")], checked=True),
        Checked([policy(gate_flagged_bases=False), policy("AU", key="au", effective_from="2030-01-01T00:00Z")], False),
        Checked([policy(gate_flagged_bases=False), policy("AU", key="au", effective_until=MAR)], checked=False),
        Checked([policy(gate_flagged_bases=False), policy(key="ads", purpose="ADS")], checked=False),
    ],
    ids=str,
)
def test_flagged_bases_are_refused_unless_all_policies_in_force_say_that_they_are_no_matter(case: Checked) -> None:
    oracle = told(*FLAGGED, *case.policies)
    outcome = oracle.apply(authorize(startedFrom=["m:1"]), after(20))
    assert outcome == (REFUSED if case.checked else ACCEPTED)
    assert oracle.codes == ({"BASE_FLAGGED"} if case.checked else set())


def test_without_a_policy_in_force_flags_are_checked() -> None:
    assert refused(told(*FLAGGED), authorize(inputs=[("d", 1)], startedFrom=["m:1"]), after(9)) == {"BASE_FLAGGED"}


def test_a_flagged_generator_of_what_an_input_derives_from_refuses_that_input() -> None:
    generated = version("s", coverage="UNDOCUMENTED", generatedBy=["m:1"])
    filtered = version("f", ["p1"], derivedFrom=references(("s", 1)))
    oracle = told(*FLAGGED, policy(), generated, filtered)
    assert oracle.apply(authorize(inputs=[("f", 1), ("d", 1)]), after(20)) == REFUSED
    assert oracle.refusals == ((("f", 1), None, 0, ()),)


def test_a_flag_that_was_resolved_refuses_nothing() -> None:
    oracle = told(*FLAGGED, policy(), withdrawal())
    assert violations(oracle) == {}
    assert oracle.apply(authorize(startedFrom=["m:1"]), after(20)) == ACCEPTED


# ---- starting and ending --------------------------------------------------------------------------------------------


def test_a_started_run_is_a_use_by_that_run_and_by_its_product_once_it_is_completed() -> None:
    oracle = told(*HELD, authorize(), start(), complete())

    assert relations(oracle) == {"g:1": "TRAINED_ON"}
    (use,) = oracle.post_usage("p1", after(5)).uses
    assert (use.model_version, use.training_run, use.used_at) == (None, "g1", after(5))
    assert oracle.post_usage("p1", after(4)).verdict == "NOT_USED"
    assert (oracle.run("g1").status, oracle.run("g1").ended_at) == ("COMPLETED", after(6))


def test_a_run_that_failed_is_a_use_and_one_that_was_cancelled_is_none() -> None:
    failed, cancelled = told(*HELD, authorize(), start(), fail()), told(*HELD, authorize(), cancel())
    assert relations(failed) == {None: "TRAINED_ON"}
    assert cancelled.post_usage("p1").verdict == "NOT_USED"
    assert refused(cancelled, start(), after(9)) == {"RUN_WRONG_STATE"}


def test_eligibility_at_use_is_what_was_known_when_a_gated_start_was_recorded() -> None:
    private = visibility("PRIVATE", MAR)
    gated = told(*HELD, authorize(), start(), private)
    recorded = told(*HELD, run(startedAt=APR), private)

    (use,) = gated.post_usage("p1").uses
    assert gated.eligibility_at_use("p1", use).reasons == []
    (use,) = recorded.post_usage("p1").uses
    assert recorded.eligibility_at_use("p1", use).reasons == ["NOT_PUBLIC_NOW"]
    assert recorded.eligibility_at_use("p1", use, after(4)).reasons == []


def test_a_run_starts_between_its_authorisation_and_now() -> None:
    oracle = told(*HELD, authorize())
    for moment in (after(4) - 1, after(9) + 1):
        assert refused(oracle, start(startedAt=iso(moment)), after(9)) == {"STARTED_AT_OUT_OF_RANGE"}
    assert oracle.apply(start(startedAt=iso(after(4))), after(9)) == ACCEPTED
    assert oracle.run("g1").started_at == after(4)
    assert [oracle.apply(start(**given), after(10)) for given in ({}, {"startedAt": iso(after(4))})] == [UNCHANGED] * 2
    assert refused(oracle, start(startedAt=iso(after(5))), after(10)) == {"RUN_WRONG_STATE"}


@dataclass(frozen=True)
class Since:
    """What happened between the authorisation and the start."""

    facts: Sequence[Step]
    code: str


@pytest.mark.parametrize(
    "case",
    [
        Since([withdraw_version()], "VERSION_WITHDRAWN"),
        Since([objection(received_at=JAN)], "INELIGIBLE_MEMBERS"),
        Since([deletion(MAR)], "INELIGIBLE_MEMBERS"),
        Since([visibility("FRIENDS", MAR)], "INELIGIBLE_MEMBERS"),
        Since([correction("zoe")], "INELIGIBLE_MEMBERS"),
        Since([STRICT], "INELIGIBLE_MEMBERS"),
    ],
    ids=str,
)
def test_what_was_recorded_since_the_authorisation_stops_the_start(case: Since) -> None:
    oracle = told(*HELD, authorize(), *case.facts)
    assert refused(oracle, start(), after(9)) == {case.code}
    assert oracle.run("g1").status == "AUTHORIZED"


def test_a_base_or_a_generator_that_was_flagged_since_stops_the_start() -> None:
    generated = version("s", ["p1"], generatedBy=["m:1"])
    *facts, flagging = (user(), user("ben"), policy(), post(), post("p2", author="ben"), objection(who="ben"))
    lineage = (version("a", ["p2"]), run(inputs=[("a", 1)]), version(posts=["p1"]), generated)
    both = (authorize(startedFrom=["m:1"]), authorize("g2", inputs=[("s", 1)]))
    oracle = told(*facts, *lineage, *both, flagging)
    assert refused(oracle, start(), after(20)) == {"BASE_FLAGGED"}
    assert refused(oracle, start("g2"), after(20)) == {"BASE_FLAGGED"}


def test_what_ended_before_the_start_does_not_stop_it() -> None:
    oracle = told(*HELD, authorize(), objection(), decision(False), objection("o2"), withdrawal("o2"))
    assert oracle.apply(start(), after(9)) == ACCEPTED


def test_a_run_ends_once_and_repeats_are_answered_unchanged() -> None:
    oracle = told(*HELD, run("r1"), authorize())
    assert refused(oracle, complete(), after(9)) == refused(oracle, fail(), after(9)) == {"RUN_WRONG_STATE"}
    assert oracle.apply(start(), after(10)) == ACCEPTED
    assert refused(oracle, cancel(), after(11)) == {"RUN_WRONG_STATE"}
    assert refused(oracle, complete(model="m:1"), after(11)) == {"MODEL_VERSION_EXISTS"}
    assert refused(oracle, fail(reason=""), after(11)) == {"REASON_REQUIRED"}
    assert refused(oracle, complete(endedAt=iso(after(10) - 1)), after(11)) == {ANY}
    assert refused(oracle, complete(endedAt=iso(after(11) + DAY + 1)), after(11)) == {ANY}
    assert oracle.apply(complete(endedAt=iso(after(11) + DAY)), after(11)) == ACCEPTED
    assert oracle.apply(complete(), after(12)) == UNCHANGED
    assert (
        refused(oracle, complete(model="g:2"), after(12)) == refused(oracle, fail(), after(12)) == {"RUN_WRONG_STATE"}
    )
    for step in (start("g9"), complete("g9"), fail("g9"), cancel("g9")):
        assert refused(oracle, step, after(12)) == {"RUN_NOT_FOUND"}


def test_a_cancellation_repeats_unchanged() -> None:
    assert told(*HELD, authorize(), cancel()).apply(cancel(), after(9)) == UNCHANGED


def test_an_objection_received_before_the_start_and_recorded_after_it_flags_the_product_at_completion() -> None:
    facts = (*HELD, authorize(), start(), objection(received_at=FEB))
    assert told(*facts).flags() == {}  # no product yet
    oracle = told(*facts, complete())
    assert causes(oracle) == {"g:1": {("o1", "OBJECTION"): 1}}
    assert violations(oracle) == {"g:1": {"g1": 1}}
    assert (oracle.flags()["g:1"].affected_posts, oracle.flags()["g:1"].raised_at) == (1, after(7))


# ---- violations -----------------------------------------------------------------------------------------------------


def test_members_that_could_not_be_used_at_the_start_are_a_cause_of_all_that_the_run_reaches() -> None:
    members = version(posts=["p1", "p2", "p3"])
    synthetic = [version("s", [], generatedBy=["m:2"]), run("r2", "m:3", inputs=[("s", 1)])]
    oracle = told(*LAWFUL, post(), members, run(), derive("m:2", "m:1"), *synthetic)
    assert violations(oracle) == {model: {"r1": 2} for model in ("m:1", "m:2", "m:3")}  # p2, p3: never described
    assert oracle.flags()["m:3"].affected_posts == 2


def test_members_of_two_inputs_count_once_and_those_of_unlisted_ones_not_at_all() -> None:
    inputs = [("d", 1), ("e", 1), ("u", 1)]
    lists = (version(posts=["p1"]), version("e", ["p1", "p2"]), version("u", coverage="UNDOCUMENTED"))
    assert violations(told(*lists, run(inputs=inputs))) == {"m:1": {"r1": 2}}


def test_a_run_is_judged_for_its_purpose_and_one_without_for_ai_training() -> None:
    assert violations(told(*HELD, run("r1", "m:1"), run("r2", "m:2", purpose="ADS"))) == {"m:2": {"r2": 1}}


def test_a_run_without_a_product_raises_nothing() -> None:
    assert told(version(posts=["p1"]), run(model=None)).flags() == {}


def test_facts_about_that_time_change_the_count_and_drop_the_cause_at_nought() -> None:
    oracle = told(user(), post(), post("p2"), version(posts=["p1", "p2"]), run())
    assert violations(oracle) == {"m:1": {"r1": 2}}  # no policy yet
    assert oracle.apply(deletion(JAN, "p2"), after(5)) == ACCEPTED
    assert oracle.apply(policy(), after(6)) == ACCEPTED
    assert violations(oracle) == {"m:1": {"r1": 1}}
    assert oracle.apply(correction("nobody"), after(7)) == ACCEPTED
    assert violations(oracle) == {"m:1": {"r1": 2}}
    assert oracle.apply(visibility("PRIVATE", MAR), after(8)) == ACCEPTED  # after the start: of no concern
    assert violations(oracle) == {"m:1": {"r1": 2}}

    lawful = told(user(), post(), version(posts=["p1"]), run(), policy())
    (resolved,) = lawful.resolved_flags
    assert lawful.flags() == {}
    assert (resolved.raised_at, resolved.resolved_at, resolved.justification) == (
        after(3),
        after(4),
        "causes withdrawn",
    )


def test_a_use_between_receipt_and_decision_stays_a_violation_whatever_was_decided() -> None:
    used_between = run(startedAt="2024-03-15T00:00:00Z")
    assert violations(told(*HELD, used_between, objection(), decision(False))) == {"m:1": {"r1": 1}}
    assert violations(told(*HELD, used_between, objection(), withdrawal())) == {"m:1": {"r1": 1}}
    assert violations(told(*HELD, run(startedAt=APR), objection(), decision(False))) == {}


def test_a_violation_is_due_a_month_after_it_was_recorded_by_weekends_alone() -> None:
    oracle = told(version(posts=["p1"]), run())
    assert oracle.flags()["m:1"].due_at == micros("2026-12-23T23:59:59Z")  # a Wednesday
    more = [oracle.apply(step, RECORDING + by * DAY) for by, step in ((3, derive("m:2", "m:1")), (4, deletion(JAN)))]
    assert more == [ACCEPTED] * 2
    assert oracle.flags()["m:2"].due_at == micros("2026-12-28T23:59:59Z")  # 26 December: a Saturday
    assert oracle.apply(objection(received_at="2026-11-20T10:00:00Z"), RECORDING + 5 * DAY) == ACCEPTED
    assert oracle.apply(post(), RECORDING + 5 * DAY) == ACCEPTED
    assert oracle.flags()["m:1"].causes == {
        ("o1", "OBJECTION"): 1,
        ("p1", "POST_DELETED"): 1,
        ("r1", "VIOLATION"): 1,
    }
    assert oracle.flags()["m:1"].due_at == micros("2026-12-21T23:59:59Z")  # 20 December: a Sunday
    assert oracle.flags()["m:1"].affected_posts == 1


def test_a_cause_that_fell_away_and_came_again_is_due_anew() -> None:
    oracle = told(*LAWFUL, post(), version(posts=["p1"]), run())
    for by, step in (
        (0, correction("zoe")),
        (10, correction("ana", reason="back")),
        (14, correction("zoe", reason="no")),
    ):
        assert oracle.apply(step, RECORDING + by * DAY + 9_000_000) == ACCEPTED
    assert oracle.flags()["m:1"].due_at == micros("2027-01-07T23:59:59Z")  # recorded on 7 December
    assert len(oracle.resolved_flags) == 1


def test_a_gated_run_violates_when_a_fact_about_its_start_arrives_late() -> None:
    oracle = told(*HELD, authorize(), start(), complete())
    assert violations(oracle) == {}
    assert oracle.apply(deletion(MAR), after(8)) == ACCEPTED
    assert violations(oracle) == {"g:1": {"g1": 1}}


# ---- builds ---------------------------------------------------------------------------------------------------------


def test_a_build_holds_what_may_be_used_and_counts_the_rest_by_reason() -> None:
    posts = (post(), post("p2", visibility="PRIVATE"), post("p3", author="zoe"), post("p4", special_category=True))
    oracle = told(*LAWFUL, *posts, build())
    assert oracle.versions[("b", 1)].members == {"p1"}
    assert oracle.excluded == {
        "NOT_PUBLIC_AT_PUBLICATION": 1,
        "NOT_PUBLIC_NOW": 1,
        "SPECIAL_CATEGORY": 1,
        "JURISDICTION_UNKNOWN": 1,
        "AGE_UNKNOWN": 1,
    }
    assert oracle.ineligible_count(("b", 1), AI, after(9)) == 0
    assert oracle.post_usage("p1").held_in == [("b", 1)]


def test_what_was_or_became_ineligible_is_left_out_and_counted_once_a_reason() -> None:
    facts = (*LAWFUL, post(), post("p2"), deletion(MAR, "p2"), post("p3"), visibility("PRIVATE", FEB, "p3"))
    oracle = told(*facts, visibility("PUBLIC", APR, "p3"), build(asOf=FEB))
    assert oracle.versions[("b", 1)].members == {"p1"}
    assert oracle.excluded == {"POST_DELETED": 1, "NOT_PUBLIC_NOW": 1}


@dataclass(frozen=True)
class Picked:
    selection: dict[str, Any]
    posts: set[str]


@pytest.mark.parametrize(
    "case",
    [
        Picked({}, {"english", "scottish", "unknown"}),
        Picked({"jurisdictions": []}, {"english", "scottish", "unknown"}),
        Picked({"jurisdictions": ["GB"]}, {"english", "scottish"}),
        Picked({"jurisdictions": ["GB-SCT", "AU"]}, {"scottish"}),
        Picked({"platforms": ["THREADS"]}, {"scottish"}),
        Picked({"publishedFrom": FEB}, {"scottish"}),
        Picked({"publishedBefore": FEB}, {"english", "unknown"}),
    ],
    ids=lambda case: str(case.selection),
)
def test_a_selection_picks_what_it_covers_and_nothing_unknown(case: Picked) -> None:
    people = (user("ana", jurisdiction="GB"), user("ben", jurisdiction="GB-SCT"))
    posts = (post("english"), post("scottish", "ben", FEB, platform="THREADS"), post("unknown", "zoe"))
    oracle = told(*people, *posts, version("d", ["never described"]), build(selection=case.selection))
    assert oracle.excluded.get("JURISDICTION_NOT_COVERED", 0) == len(case.posts - {"unknown"})
    assert oracle.excluded.get("JURISDICTION_UNKNOWN", 0) == len(case.posts & {"unknown"})


def test_the_jurisdiction_is_that_at_the_time_asked_for() -> None:
    moved = {"kind": "user", "key": "ana", "jurisdiction": "AU", "valid_from": MAR}
    facts = (*LAWFUL, policy("AU", key="au"), post(), moved)
    assert told(*facts, build(selection={"jurisdictions": ["GB"]}, asOf=FEB)).versions[("b", 1)].members == {"p1"}
    assert told(*facts, build(selection={"jurisdictions": ["GB"]})).versions[("b", 1)].members == set()


def test_a_build_is_the_next_version_sealed_even_when_it_holds_nothing() -> None:
    oracle = told(*HELD, build("d", purpose="ADS"), authorize(inputs=[("d", 2)]))
    assert (oracle.versions[("d", 2)].sealed_at, oracle.versions[("d", 2)].members) == (after(4), set())


def test_a_build_of_the_future_or_beside_a_building_version_is_refused() -> None:
    oracle = told(*LAWFUL, version())
    assert refused(oracle, build(asOf=iso(after(9) + 1)), after(9)) == {"AS_OF_IN_FUTURE"}
    assert refused(oracle, build("d"), after(9)) == {"BUILD_RUNNING", "VERSION_BUILDING"}
    assert oracle.apply(build(asOf=iso(after(9))), after(9)) == ACCEPTED


# ---- notices --------------------------------------------------------------------------------------------------------


def test_coverage_tells_served_seen_window_open_and_not_served_of_the_people_governed() -> None:
    people = [user(key, jurisdiction="GB") for key in ("ana", "ben", "cai", "dee")]
    others = [user("eli", jurisdiction="AU"), post("p1", author="by key only")]
    seen = {**as_record(served("2024-02-10T22:00:00Z", "ben")), "seen_at": "2024-02-28T00:00:00Z"}
    servings = [served(FEB), served(JAN), seen, served("2024-03-20T00:00:00Z", "cai")]
    oracle = told(*people, *others, policy(notice_required=True, objection_window_days=30), notice(), *servings)
    assert oracle.notice_coverage("the-policy", 1, micros(MAR)) == NoticeCoverage(
        served=2,  # ana, ben
        seen=1,  # ben
        window_open=1,  # of ben until 11 March; of ana until 31 January
        not_served=2,  # cai later, dee never; eli is not governed
        served_by_day={date(2024, 1, 1): 1, date(2024, 2, 10): 1},
        seen_by_day={date(2024, 2, 28): 1},
    )


def test_coverage_is_of_the_policy_that_governs_and_of_notices_of_its_purpose_that_were_described() -> None:
    scottish = (policy(), policy("GB-SCT", key="scottish"), user(jurisdiction="GB-SCT"), user("ben"))
    oracle = told(*scottish, notice("ADS"), served(FEB), {**as_record(served(FEB)), "notice": "unknown"})
    nobody = {"served": 0, "seen": 0, "window_open": 0, "served_by_day": {}, "seen_by_day": {}}
    for key in ("the-policy", "scottish"):
        assert oracle.notice_coverage(key, 1, micros(MAR)) == NoticeCoverage(not_served=1, **nobody)


def test_that_a_notice_was_seen_is_known_since_it_was_recorded() -> None:
    told_later = {**as_record(served(JAN)), "seen_at": FEB}
    oracle = told(user(), policy(notice_required=True), notice(), served(JAN), told_later)
    assert [oracle.notice_coverage("the-policy", 1, micros(MAR), after(step)).seen for step in (3, 4)] == [0, 1]
    assert refused(oracle, {**as_record(served(FEB)), "seen_at": JAN}, after(9)) == set()


def test_whoever_is_governed_and_was_not_reached_is_still_to_be_served() -> None:
    people = [user(key) for key in ("ana", "ben", "cai")]
    oracle = told(*people, policy(), notice(), served(FEB), served(MAR, "ben"), user("eli", jurisdiction="AU"))
    assert oracle.to_be_served("the-policy", 1, micros(FEB)) == ["ben", "cai"]
    assert oracle.to_be_served("the-policy", 1, micros(MAR)) == ["cai"]
    assert oracle.to_be_served("the-policy", 1, micros(MAR), after(5)) == ["ben", "cai"]


def as_record(step: Step) -> dict[str, Any]:
    assert isinstance(step, dict)
    return step


# ---- extensions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Extended:
    received: str
    place: str | None
    to: str


@pytest.mark.parametrize(
    "case",
    [
        Extended("2024-03-13T10:00:00Z", "GB", "2024-06-13T23:59:59+01:00"),
        Extended("2023-11-30T10:00:00Z", "GB", "2024-02-29T23:59:59Z"),
        Extended("2024-01-29T10:00:00Z", "GB-SCT", "2024-04-29T23:59:59+01:00"),
        Extended("2024-09-25T10:00:00Z", "GB-ENG", "2024-12-27T23:59:59Z"),  # Christmas, Boxing Day
        Extended("2024-10-31T10:00:00Z", None, "2025-01-31T23:59:59Z"),
        Extended("2024-11-30T10:00:00Z", None, "2025-02-28T23:59:59Z"),
    ],
    ids=str,
)
def test_an_extension_ends_three_months_after_the_receipt_on_a_working_day(case: Extended) -> None:
    assert iso(extended_to(micros(case.received), case.place)) == iso(micros(case.to))


def test_an_objection_is_extended_once_before_its_deadline_with_a_reason_and_the_flag_follows() -> None:
    recent = objection(received_at="2026-11-02T10:00:00Z")
    oracle = told(*HELD, run(), recent)
    assert refused(oracle, extension(reason=""), after(9)) == {"REASON_REQUIRED"}
    assert oracle.apply(extension(), after(9)) == ACCEPTED
    answer = oracle.objection("o1")
    assert (iso(answer.due_at), iso(answer.extended_to or 0)) == (
        iso(micros("2026-12-02T23:59:59Z")),
        iso(micros("2027-02-02T23:59:59Z")),
    )
    assert oracle.flags()["m:1"].due_at == answer.extended_to
    assert (answer.overdue(answer.due_at + 1), answer.overdue((answer.extended_to or 0) + 1)) == (False, True)
    assert refused(oracle, extension(), after(10)) == {"OBJECTION_ALREADY_EXTENDED"}


def test_no_objection_is_extended_after_its_first_deadline_or_its_decision() -> None:
    oracle = told(*HELD, objection(), objection("o2", received_at="2026-11-02T10:00:00Z"), withdrawal("o2"))
    assert refused(oracle, extension(), after(9)) == {"DEADLINE_PASSED"}
    assert refused(oracle, extension("o2"), after(9)) == {"OBJECTION_ALREADY_DECIDED"}
    assert refused(oracle, extension("o9"), after(9)) == {"OBJECTION_NOT_FOUND"}
