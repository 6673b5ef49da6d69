"""The oracle on causes besides objections: each answer is worked out by hand from design.md and readings 45 to 50."""

from dataclasses import dataclass

import pytest

from tests.oracle import ACCEPTED, DAY, Oracle, Step, micros
from tests.unit.oracle_stories import (
    AI,
    APR,
    FEB,
    JAN,
    LAWFUL,
    MAR,
    RECORDING,
    after,
    causes,
    consent,
    correction,
    deletion,
    derive,
    erasure,
    objection,
    policy,
    post,
    run,
    told,
    user,
    version,
    visibility,
)

USED = (*LAWFUL, post(), version(posts=["p1"]), run())  # lawfully, in February, for an unknown purpose: m:1
RECENT = "2026-11-01T00:00:00Z"
LATE_JAN = "2024-01-20T00:00:00Z"


@dataclass(frozen=True)
class Told:
    why: str
    steps: tuple[Step, ...]
    causes: dict[str, dict[tuple[str, str], int]]


def test_lawful_use_of_posts_that_may_still_be_used_raises_no_flag() -> None:
    assert told(*USED).flags() == {}


@pytest.mark.parametrize(
    "case",
    [
        Told("deleted after the use", (*USED, deletion(MAR)), {"m:1": {("p1", "POST_DELETED"): 1}}),
        Told("deleted before the use", (*USED, deletion(JAN)), {"m:1": {("p1", "POST_DELETED"): 1}}),
        Told("a deletion told twice", (*USED, deletion(MAR), deletion(APR)), {"m:1": {("p1", "POST_DELETED"): 1}}),
        Told("not yet deleted", (*USED, deletion("2026-11-23T18:00:00Z")), {}),
        Told(
            "a post that nothing describes",
            (version(posts=["p1"]), run(), deletion(MAR)),
            {"m:1": {("p1", "POST_DELETED"): 1}},
        ),
        Told(
            "deleted first, used by what is told later, and by what derives from it",
            (*LAWFUL, post(), deletion(MAR), version(posts=["p1", "p2"]), run(), derive("m:2", "m:1")),
            {"m:1": {("p1", "POST_DELETED"): 1}, "m:2": {("p1", "POST_DELETED"): 1}},
        ),
        Told("used by a run that failed", (*USED[:4], run(model=None), deletion(MAR)), {}),
        Told(
            "two posts are two causes",
            (*LAWFUL, post(), post("p2"), version(posts=["p1", "p2"]), run(), deletion(MAR), deletion(MAR, "p2")),
            {"m:1": {("p1", "POST_DELETED"): 1, ("p2", "POST_DELETED"): 1}},
        ),
    ],
    ids=lambda case: case.why,
)
def test_a_deletion_is_a_cause_of_every_model_version_that_used_the_post(case: Told) -> None:
    assert causes(told(*case.steps)) == case.causes


NARROWED = {"m:1": {("p1", "VISIBILITY_NARROWED"): 1}}
UNSEEN = (*LAWFUL, post(visibility="FRIENDS"), version(posts=["p1"]), run())


@pytest.mark.parametrize(
    "case",
    [
        Told("public at publication, narrowed after the use", (*USED, visibility("FRIENDS", MAR)), NARROWED),
        Told("public at publication, narrowed before the use", (*USED, visibility("PRIVATE", LATE_JAN)), NARROWED),
        Told("widened again", (*USED, visibility("FRIENDS", MAR), visibility("PUBLIC", APR)), {}),
        Told("widened and narrowed at once", (*USED, visibility("PUBLIC", MAR), visibility("FRIENDS", MAR)), NARROWED),
        Told("narrowed from tomorrow on", (*USED, visibility("FRIENDS", "2026-11-24T00:00:00Z")), {}),
        Told("never public", UNSEEN, {}),
        Told("never public, and narrowed more", (*UNSEEN, visibility("PRIVATE", MAR)), {}),
        Told(
            "public at the use only",
            (*UNSEEN, visibility("PUBLIC", LATE_JAN), visibility("FRIENDS", MAR)),
            NARROWED,
        ),
        Told(
            "public before the use only",
            (*UNSEEN, visibility("PUBLIC", "2024-01-10T00:00:00Z"), visibility("FRIENDS", LATE_JAN)),
            {},
        ),
        Told(
            "by one of two runs while it was public",
            (*UNSEEN, run("r2", "m:2", startedAt=APR), visibility("PUBLIC", MAR), visibility("FRIENDS", RECENT)),
            {"m:2": {("p1", "VISIBILITY_NARROWED"): 1}},
        ),
        Told(
            "nothing describes it: what it was at the use may have been public",
            (version(posts=["p1"]), run(), visibility("FRIENDS", MAR)),
            NARROWED,
        ),
        Told(
            "nothing describes it, but it was private at the use too",
            (version(posts=["p1"]), run(), visibility("FRIENDS", MAR), visibility("PRIVATE", JAN)),
            {},
        ),
    ],
    ids=lambda case: case.why,
)
def test_a_narrowing_is_a_cause_where_the_post_was_public_when_published_or_used(case: Told) -> None:
    assert causes(told(*case.steps)) == case.causes


MINOR = {"m:1": {("ana", "MINOR"): 1}}


@pytest.mark.parametrize(
    "case",
    [
        Told("under 18 at publication", (*USED, user(adult_from="2024-01-02", valid_from=MAR)), MINOR),
        Told("18 on the day of publication", (*USED, user(adult_from="2024-01-01", valid_from=MAR)), {}),
        Told("still under 18", (*USED, user(adult_from="2031-01-01", valid_from=MAR)), MINOR),
        Told(
            "what is valid now counts",
            (*USED, user(adult_from="2031-01-01", valid_from=FEB), user(adult_from="1990-01-01", valid_from=MAR)),
            {},
        ),
        Told("of unknown age", (*USED, user(adult_from=None, valid_from=MAR)), {}),
        Told(
            "a depicted person",
            (*LAWFUL, user("ben", adult_from="2031-01-01"), post(depicts=["ben"]), version(posts=["p1"]), run()),
            {},
        ),
        Told(
            "all posts of the person are one cause",
            (
                *LAWFUL,
                *(post(key) for key in ("p1", "p2")),
                version(posts=["p1", "p2"]),
                run(),
                user(adult_from="2031-01-01", valid_from=MAR),
            ),
            {"m:1": {("ana", "MINOR"): 2}},
        ),
        Told(
            "of another author",
            (*USED, user("ben"), correction("ben"), user(adult_from="2031-01-01", valid_from=MAR)),
            {},
        ),
        Told(
            "of the author who turned out later",
            (*USED, user("ben", adult_from="2031-01-01"), correction("ben")),
            {"m:1": {("ben", "MINOR"): 1}},
        ),
    ],
    ids=lambda case: case.why,
)
def test_a_minor_is_a_cause_once_the_author_is_known_to_be_one(case: Told) -> None:
    assert causes(told(*case.steps)) == case.causes


BY_CONSENT = policy(lawful_basis="CONSENT")
CONSENTED = (user(), BY_CONSENT, consent("GIVEN", JAN), post(), version(posts=["p1"]))
WITHDRAWN = {"m:1": {("ana", "CONSENT_WITHDRAWN"): 1}}


@pytest.mark.parametrize(
    "case",
    [
        Told("for the purpose", (*CONSENTED, run(purpose=AI), consent("WITHDRAWN", MAR)), WITHDRAWN),
        Told("for an unknown purpose", (*CONSENTED, run(), consent("WITHDRAWN", MAR)), WITHDRAWN),
        Told("for another purpose", (*CONSENTED, run(purpose="ADS"), consent("WITHDRAWN", MAR)), {}),
        Told("given again", (*CONSENTED, run(), consent("WITHDRAWN", MAR), consent("GIVEN", APR)), {}),
        Told("both at once", (*CONSENTED, run(), consent("GIVEN", MAR), consent("WITHDRAWN", MAR)), WITHDRAWN),
        Told("never given", (*CONSENTED[:2], *CONSENTED[3:], run()), {}),
        Told("the basis is another", (*USED, consent("WITHDRAWN", MAR)), {}),
        Told(
            "the basis was consent, and is no more",
            (*CONSENTED, run(), consent("WITHDRAWN", MAR), policy(version=2, effective_from=APR)),
            {},
        ),
        Told(
            "the basis became consent after the use",
            (*USED, consent("WITHDRAWN", MAR), policy(version=2, lawful_basis="CONSENT", effective_from=APR)),
            WITHDRAWN,
        ),
        Told(
            "the person lives elsewhere now",
            (*CONSENTED, run(), consent("WITHDRAWN", MAR), user(jurisdiction="AU", valid_from=APR)),
            {},
        ),
        Told(
            "two purposes are one cause, a run matches by its own",
            (
                *CONSENTED,
                policy(key="ads", purpose="ADS", lawful_basis="CONSENT"),
                run(),
                run("r2", "m:2", purpose="ADS"),
                consent("WITHDRAWN", MAR),
                consent("WITHDRAWN", MAR, "ADS"),
            ),
            {"m:1": {("ana", "CONSENT_WITHDRAWN"): 1}, "m:2": {("ana", "CONSENT_WITHDRAWN"): 1}},
        ),
    ],
    ids=lambda case: case.why,
)
def test_a_withdrawn_consent_is_a_cause_where_consent_is_the_basis_now(case: Told) -> None:
    assert causes(told(*case.steps)) == case.causes


LAPSED = {"m:1": {("the-policy:1", "ASSESSMENT_EXPIRED"): 1}}
ASSESSED = (user(), policy(assessment_expires=MAR), post(), version(posts=["p1"]))


@pytest.mark.parametrize(
    "case",
    [
        Told("for the purpose", (*ASSESSED, run(purpose=AI)), LAPSED),
        Told("for an unknown purpose", (*ASSESSED, run()), LAPSED),
        Told("for another purpose", (*ASSESSED, run(purpose="ADS")), {}),
        Told("it expires later", (user(), policy(assessment_expires="2026-12-01T00:00:00Z"), *ASSESSED[2:], run()), {}),
        Told("renewed by another version", (*ASSESSED, run(), policy(version=2, effective_from=APR)), {}),
        Told(
            "no assessment at all", (user(), policy(assessment=None, assessment_expires=MAR), *ASSESSED[2:], run()), {}
        ),
        Told(
            "consent is the basis",
            (user(), policy(lawful_basis="CONSENT", assessment_expires=MAR), *ASSESSED[2:], run()),
            {},
        ),
        Told(
            "the policy has ended",
            (user(), policy(assessment_expires=MAR, effective_until=APR), *ASSESSED[2:], run()),
            {},
        ),
        Told("the author lives elsewhere now", (*ASSESSED, run(), user(jurisdiction="AU", valid_from=APR)), {}),
        Told(
            "all people whom it governs are one cause",
            (*ASSESSED[:3], user("ben"), post("p2", author="ben"), version(posts=["p1", "p2"]), run()),
            {"m:1": {("the-policy:1", "ASSESSMENT_EXPIRED"): 2}},
        ),
    ],
    ids=lambda case: case.why,
)
def test_an_assessment_that_has_expired_is_a_cause_of_its_policy(case: Told) -> None:
    assert causes(told(*case.steps)) == case.causes


def test_flags_past_use_speaks_of_objections_only() -> None:
    lenient = (user(), policy(flags_past_use=False), *USED[2:])
    facts = (objection(), deletion(MAR), erasure())
    assert causes(told(*lenient, *facts)) == {"m:1": {("p1", "POST_DELETED"): 1, ("e1", "ERASURE"): 1}}


def test_one_flag_gathers_causes_of_every_kind_and_counts_each_post_once() -> None:
    oracle = told(*USED, deletion(MAR), visibility("FRIENDS", MAR), user(adult_from="2031-01-01", valid_from=MAR))
    flag = oracle.flags()["m:1"]
    # at the use in February she was an adult, as it was known to be valid then: no violation
    assert flag.causes == {("p1", "POST_DELETED"): 1, ("p1", "VISIBILITY_NARROWED"): 1, ("ana", "MINOR"): 1}
    assert (flag.affected_posts, flag.number, flag.status) == (1, 0, "OPEN")


def test_causes_without_a_statutory_period_are_due_a_month_after_each_was_recorded() -> None:
    oracle = told(*USED)
    assert oracle.apply(deletion(MAR), RECORDING + 3 * DAY) == ACCEPTED
    assert oracle.flags()["m:1"].due_at == micros("2026-12-28T23:59:59Z")  # 26 December: a Saturday
    assert oracle.apply(derive("m:2", "m:1"), RECORDING + 8 * DAY) == ACCEPTED
    assert oracle.flags()["m:2"].due_at == micros("2027-01-01T23:59:59Z")  # a Friday, and no public holiday counts
    assert oracle.apply(visibility("FRIENDS", MAR), RECORDING + 9 * DAY) == ACCEPTED
    assert oracle.flags()["m:1"].due_at == micros("2026-12-28T23:59:59Z")


def test_what_time_alone_brings_about_is_found_by_a_sweep_and_due_from_then() -> None:
    oracle = told(user(), policy(assessment_expires="2026-12-01T00:00:00Z"), *USED[2:])
    oracle.sweep(micros("2026-12-01T00:00:00Z") - 1)
    assert oracle.flags() == {}
    oracle.sweep(micros("2026-12-01T00:00:00Z"))
    assert causes(oracle) == LAPSED
    assert oracle.flags()["m:1"].due_at == micros("2027-01-01T23:59:59Z")


def test_a_cause_that_falls_away_resolves_what_it_alone_held_open() -> None:
    oracle = told(*USED, visibility("FRIENDS", MAR), visibility("PUBLIC", APR), deletion(MAR))
    (resolved,) = oracle.resolved_flags
    assert (resolved.resolution, resolved.justification, resolved.number) == ("NOT_REQUIRED", "causes withdrawn", 0)
    assert (oracle.flags()["m:1"].raised_at, oracle.flags()["m:1"].number) == (after(7), 1)


def test_only_the_kinds_asked_for_raise_flags() -> None:
    oracle = Oracle(kinds=frozenset({"POST_DELETED"}))
    for number, step in enumerate((*USED, objection(), visibility("FRIENDS", MAR))):
        assert oracle.apply(step, after(number)) == ACCEPTED
    assert oracle.flags() == {}
    assert oracle.apply(deletion(MAR), after(9)) == ACCEPTED
    assert causes(oracle) == {"m:1": {("p1", "POST_DELETED"): 1}}
