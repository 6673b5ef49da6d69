"""What stands against a member now, told of the post alone, and which model versions it flags."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pytest

from consentline.domain.causes import Reach
from consentline.domain.concerns import Concern, ConcernedPosts, counted
from consentline.domain.consent import Consent
from consentline.domain.datasets import Membership
from consentline.domain.flags import Cause, CauseKind, Source, SourceKind
from consentline.domain.instants import ALWAYS, DAY, EVER, Instant
from consentline.domain.judgement import Judge
from consentline.domain.lineage import Lineage
from consentline.domain.policies import LawfulBasis, Policy, PolicyRef
from consentline.domain.posts import PostFacts, Visibility
from tests.unit.domain.factories import (
    AI,
    NOW,
    PUBLISHED,
    RECORDED,
    at,
    dated,
    derivation,
    person,
    policy,
    post,
    run,
    said,
    upper,
    version,
)

DELETED = Concern(CauseKind.POST_DELETED)
NARROWED = Concern(CauseKind.VISIBILITY_NARROWED)
MINOR = Concern(CauseKind.MINOR)
WITHDRAWN = Concern(CauseKind.CONSENT_WITHDRAWN, purpose=AI)
EXPIRED = Concern(CauseKind.ASSESSMENT_EXPIRED, policy=PolicyRef("gb", 1))

CONSENT = {"lawful_basis": LawfulBasis.CONSENT, "assessment": None}
LATER = date(2030, 1, 1)
LAPSED = policy(assessment_expires=NOW)


def narrowed(*periods: tuple[Instant, Instant]) -> Concern:
    return Concern(CauseKind.VISIBILITY_NARROWED, public=periods)


def changed(*changes: tuple[Visibility, Instant], **more: object) -> PostFacts:
    return post(visibilities=tuple(dated(each, since) for each, since in changes), **more)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Case:
    name: str
    post: PostFacts
    expected: Sequence[Concern]
    policies: Sequence[Policy] = (policy(),)


T1, T2, T3 = PUBLISHED + DAY, PUBLISHED + 2 * DAY, PUBLISHED + 3 * DAY
PUBLIC, FRIENDS, PRIVATE = Visibility.PUBLIC, Visibility.FRIENDS, Visibility.PRIVATE
CASES = (
    Case("nothing stands against it", post(), []),
    Case("reasons that flag nobody", post(special_category=(dated(True),)), [], [policy(notice_required=True)]),
    Case("deleted", post(deletions=(dated(None, NOW),)), [DELETED]),
    Case("deleted later", post(deletions=(dated(None, NOW + 1),)), []),
    Case("deleted, known by key only", PostFacts("p", deletions=(dated(None, T1),)), [DELETED]),
    Case(
        "no policy of any purpose",
        post(deletions=(dated(None, T1),), author=person(adult_from=LATER)),
        [MINOR, DELETED],
        [],
    ),
    Case("narrowed", changed((FRIENDS, T1)), [NARROWED]),
    Case("narrowed later", changed((FRIENDS, NOW + 1)), []),
    Case("narrowed and widened", changed((FRIENDS, T1), (PUBLIC, T2)), []),
    Case("widened and narrowed", changed((PRIVATE, T1), (PUBLIC, T2), (FRIENDS, T3)), [NARROWED]),
    Case("never public", changed((PRIVATE, T1), visibility=FRIENDS), []),
    Case("public for a while", changed((PUBLIC, T1), (FRIENDS, T2), visibility=FRIENDS), [narrowed((T1, T2))]),
    Case(
        "public for two whiles",
        changed((PUBLIC, T1), (PRIVATE, T2), (PUBLIC, T3), (PRIVATE, T3 + 1), visibility=PRIVATE),
        [narrowed((T1, T2), (T3, T3 + 1))],
    ),
    Case(
        "of two from the same instant the more restrictive",
        changed((PUBLIC, T1), (PUBLIC, T2), (FRIENDS, T2), visibility=FRIENDS),
        [narrowed((T1, T2))],
    ),
    Case(
        "what is said of the time before its publication says nothing",
        changed((PUBLIC, PUBLISHED - DAY), visibility=PRIVATE),
        [],
    ),
    Case(
        "known by key only, it may have been public before the first change",
        PostFacts("p", visibilities=(dated(FRIENDS, T1),)),
        [narrowed((ALWAYS, T1))],
    ),
    Case(
        "known by key only, and public again for a while",
        PostFacts("p", visibilities=(dated(FRIENDS, T1), dated(PUBLIC, T2), dated(FRIENDS, T3))),
        [narrowed((ALWAYS, T1), (T2, T3))],
    ),
    Case(
        "known by key only, and public on both sides of what is known",
        PostFacts("p", visibilities=(dated(PUBLIC, T1), dated(FRIENDS, T2))),
        [narrowed((ALWAYS, T2))],
    ),
    Case("a minor when it was published", post(author=person(adult_from=date(2025, 1, 1))), [MINOR]),
    Case("a minor now", post(author=person(adult_from=LATER)), [MINOR]),
    Case("of unknown age", post(author=person(adult_from=None)), []),
    Case("of somebody who turned out to be an adult", post(author=person(adult_from=date(2024, 1, 1))), []),
    Case("that depicts a minor", post(depicts=[person("kid", adult_from=LATER)]), []),
    Case(
        "consent withdrawn",
        post(author=person(consents=[said(Consent.GIVEN), said(Consent.WITHDRAWN, T1)])),
        [WITHDRAWN],
        [policy(**CONSENT)],
    ),
    Case(
        "consent given again",
        post(author=person(consents=[said(Consent.WITHDRAWN), said(Consent.GIVEN, T1)])),
        [],
        [policy(**CONSENT)],
    ),
    Case("consent never given", post(), [], [policy(**CONSENT)]),
    Case(
        "consent withdrawn that no policy asks for",
        post(author=person(consents=[said(Consent.WITHDRAWN)])),
        [],
        [policy(), policy("ads", purpose="ADS", **CONSENT)],
    ),
    Case(
        "consent withdrawn for two purposes",
        post(author=person(consents=[said(Consent.WITHDRAWN), said(Consent.WITHDRAWN, purpose="ADS")])),
        [Concern(CauseKind.CONSENT_WITHDRAWN, purpose="ADS"), WITHDRAWN],
        [policy(**CONSENT), policy("ads", purpose="ADS", **CONSENT)],
    ),
    Case("an assessment that has expired", post(), [EXPIRED], [LAPSED]),
    Case("an assessment that expires later", post(), [], [policy(assessment_expires=NOW + 1)]),
    Case("no assessment", post(), [], [policy(assessment=None, assessment_expires=NOW)]),
    Case(
        "an assessment that was renewed",
        post(),
        [],
        [LAPSED, policy(version=2, effective_from=NOW, assessment_expires=NOW + DAY)],
    ),
    Case("a policy that has ended", post(), [], [policy(assessment_expires=T1, effective_until=NOW)]),
    Case("a policy of another place", post(author=person(jurisdiction="IE")), [], [LAPSED]),
    Case("a policy of the country", post(author=person(jurisdiction="GB-SCT")), [EXPIRED], [LAPSED]),
    Case("somewhere unknown", post(author=person(jurisdiction=None)), [], [LAPSED]),
    Case(
        "everything at once",
        post(
            author=person(adult_from=LATER, consents=[said(Consent.WITHDRAWN, purpose="ADS")]),
            deletions=(dated(None, T1),),
            visibilities=(dated(PRIVATE, T1),),
        ),
        [
            EXPIRED,
            Concern(CauseKind.CONSENT_WITHDRAWN, purpose="ADS"),
            DELETED,
            MINOR,
            NARROWED,
        ],
        [LAPSED, policy("ads", purpose="ADS", **CONSENT)],
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_concerns_whatever_used_a_post(case: Case) -> None:
    assert set(Judge(case.policies, NOW).judge(case.post).concerns) == set(case.expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_concern_is_read_as_it_was_stored_and_in_one_order(case: Case) -> None:
    found = Judge(case.policies, NOW).judge(case.post).concerns
    texts = [str(each) for each in found]

    assert texts == sorted(texts)
    assert tuple(Concern.parse(text) for text in texts) == found


def test_keys_with_spaces_are_read_back() -> None:
    for concern in (
        Concern(CauseKind.ASSESSMENT_EXPIRED, policy=PolicyRef("our rules : 2 b", 3)),
        Concern(CauseKind.CONSENT_WITHDRAWN, purpose="ANY_USE"),
        narrowed((ALWAYS, 1), (2, EVER)),
    ):
        assert Concern.parse(str(concern)) == concern


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_before_the_next_judgement_is_due_nothing_changes(case: Case) -> None:
    judged = Judge(case.policies, NOW).judge(case.post)
    moments = [NOW + 1, NOW + DAY, at("2030-01-01"), at("2050-01-01")]
    until = [each for each in moments if judged.recheck_at is None or each < judged.recheck_at]

    for moment in until:
        later = Judge(case.policies, moment).judge(case.post)
        assert set(later.concerns) == set(judged.concerns), moment


# ---- what they flag -------------------------------------------------------------------------------------------------

EARLY, LATE = RECORDED, RECORDED + 10
STORY = (
    version("d:1"),
    version("d:2"),
    run("r1", "d:1", produced="m:1", started=EARLY),
    run("r2", "d:2", produced="m:2", purpose="ADS", started=LATE),
    run("r3", "d:2", produced="m:3", purpose=None, started=LATE),
    derivation("m:4", "m:1"),
    run("r5", "d:1"),
)
POST, AUTHOR = Source(SourceKind.POST, "p"), Source(SourceKind.USER, "ana")
BOTH = (Membership("d", 1, None),)


def flagged(
    *concerns: Concern, source: Source = POST, held: Sequence[Membership] = BOTH, lineage: Lineage | None = None
) -> dict[str, set[str]]:
    groups = [ConcernedPosts(source, concerns, tuple(held))]
    found: dict[str, set[str]] = {}
    for cause in counted(Reach(lineage or upper(*STORY)), groups):
        found.setdefault(str(cause.kind), set()).add(cause.model)
    return found


def test_every_use_counts_of_a_post_that_was_deleted_or_narrowed_and_of_a_minors() -> None:
    everybody = {"m:1", "m:2", "m:3", "m:4"}

    assert flagged(DELETED) == {"POST_DELETED": everybody}
    assert flagged(NARROWED) == {"VISIBILITY_NARROWED": everybody}
    assert flagged(MINOR, source=AUTHOR) == {"MINOR": everybody}


def test_uses_for_other_purposes_do_not_count_where_consent_was_withdrawn() -> None:
    assert flagged(WITHDRAWN, source=AUTHOR) == {"CONSENT_WITHDRAWN": {"m:1", "m:3", "m:4"}}
    ads = Concern(CauseKind.CONSENT_WITHDRAWN, purpose="ADS")
    assert flagged(WITHDRAWN, ads, source=AUTHOR) == {"CONSENT_WITHDRAWN": {"m:1", "m:2", "m:3", "m:4"}}


def test_only_runs_that_started_while_it_was_public_count_where_it_was_not_when_published() -> None:
    assert flagged(narrowed((EARLY, LATE))) == {"VISIBILITY_NARROWED": {"m:1", "m:4"}}
    assert flagged(narrowed((EARLY + 1, LATE + 1))) == {"VISIBILITY_NARROWED": {"m:2", "m:3"}}
    assert flagged(narrowed((EARLY + 1, LATE))) == {}
    assert flagged(narrowed((ALWAYS, EARLY), (EARLY, EARLY + 1))) == {"VISIBILITY_NARROWED": {"m:1", "m:4"}}


def test_each_source_gives_its_own_kinds_only() -> None:
    every = (DELETED, NARROWED, MINOR, WITHDRAWN, EXPIRED)

    assert flagged(*every).keys() == {"POST_DELETED", "VISIBILITY_NARROWED"}
    assert flagged(*every, source=AUTHOR).keys() == {"MINOR", "CONSENT_WITHDRAWN"}


def test_posts_of_several_groups_are_counted_together() -> None:
    groups = [
        ConcernedPosts(AUTHOR, (MINOR,), (Membership("d", 1, 2),), posts=2),
        ConcernedPosts(AUTHOR, (MINOR, WITHDRAWN), BOTH, posts=3),
    ]

    found = counted(Reach(upper(*STORY)), groups)

    assert {cause.model: posts for cause, posts in found.items() if cause.kind is CauseKind.MINOR} == {
        "m:1": 5,
        "m:2": 3,
        "m:3": 3,
        "m:4": 5,
    }
    assert found[Cause("m:1", AUTHOR, CauseKind.CONSENT_WITHDRAWN)] == 3


def test_members_of_what_no_run_read_flag_nobody() -> None:
    assert flagged(DELETED, held=[Membership("d", 2, None), Membership("e", 1, None)]) == {
        "POST_DELETED": {"m:2", "m:3"}
    }
    assert flagged(DELETED, held=[Membership("e", 1, None)]) == {}
    assert flagged(DELETED, lineage=upper()) == {}
