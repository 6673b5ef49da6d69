from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.consent import Consent
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.erasures import ErasureStatus
from consentline.domain.instants import DAY
from consentline.domain.objections import ObjectionStatus
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.posts import Link, PostFacts, PostKind, Visibility
from tests.unit.domain.factories import (
    AI,
    NOW,
    PUBLISHED,
    RECORDED,
    became,
    dated,
    erasure,
    objection,
    person,
    policy,
    post,
    said,
    served,
    turned,
)

R = Reason
UPHELD, REFUSED, WITHDRAWN = ObjectionStatus.UPHELD, ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN

PLAIN = policy()
CONSENT = policy(lawful_basis=LawfulBasis.CONSENT, assessment=None)
NOTICED = policy(notice_required=True, objection_window_days=7)


@dataclass(frozen=True)
class Case:
    name: str
    post: PostFacts
    reasons: Sequence[Reason] = ()
    policy: Policy | None = PLAIN
    at: int = NOW
    known_at: int = NOW


def by(author: PersonFacts, **more: object) -> PostFacts:
    return post(author=author, **more)


PEOPLE = (
    Case("an adult's public post", post()),
    Case("jurisdiction unknown", by(person(jurisdiction=None)), [R.JURISDICTION_UNKNOWN]),
    Case("nothing known of the author", by(PersonFacts("ana")), [R.JURISDICTION_UNKNOWN, R.AGE_UNKNOWN]),
    Case("no policy covers the place", by(person(jurisdiction="IE")), [R.JURISDICTION_NOT_COVERED]),
    Case("no policy at all", post(), [R.JURISDICTION_NOT_COVERED], policy=None),
    Case(
        "moved away", by(replace(person(), jurisdictions=(dated("GB"), dated("IE", NOW)))), [R.JURISDICTION_NOT_COVERED]
    ),
    Case("not yet moved", by(replace(person(), jurisdictions=(dated("GB"), dated("IE", NOW + 1))))),
    Case("age unknown", by(person(adult_from=None)), [R.AGE_UNKNOWN]),
    Case("adult on the day of publication", by(person(adult_from=date(2024, 1, 1)))),
    Case("a minor the day before", by(person(adult_from=date(2024, 1, 2))), [R.MINOR_AT_PUBLICATION]),
    Case(
        "published in the last moment of childhood",
        by(person(adult_from=date(2024, 1, 1)), published=PUBLISHED - 1),
        [R.MINOR_AT_PUBLICATION],
    ),
    Case("still a minor", by(person(adult_from=date(2026, 1, 2))), [R.MINOR_AT_PUBLICATION, R.MINOR_NOW], at=NOW),
    Case("adult from today on", by(person(adult_from=date(2026, 1, 1))), [R.MINOR_AT_PUBLICATION], at=NOW),
    Case(
        "a minor a moment before",
        by(person(adult_from=date(2026, 1, 1))),
        [R.MINOR_AT_PUBLICATION, R.MINOR_NOW],
        at=NOW - 1,
    ),
)

POSTS = (
    Case("a private message", post(kind=PostKind.PRIVATE_MESSAGE), [R.PRIVATE_MESSAGE]),
    Case(
        "published for friends",
        post(visibility=Visibility.FRIENDS),
        [R.NOT_PUBLIC_AT_PUBLICATION, R.NOT_PUBLIC_NOW],
    ),
    Case(
        "published for friends and opened later",
        post(visibility=Visibility.FRIENDS, visibilities=(dated(Visibility.PUBLIC, NOW),)),
        [R.NOT_PUBLIC_AT_PUBLICATION],
    ),
    Case("closed since", post(visibilities=(dated(Visibility.PRIVATE, NOW),)), [R.NOT_PUBLIC_NOW]),
    Case("closed a moment later", post(visibilities=(dated(Visibility.PRIVATE, NOW + 1),))),
    Case(
        "closed as it was published",
        post(visibilities=(dated(Visibility.PRIVATE, PUBLISHED),)),
        [R.NOT_PUBLIC_AT_PUBLICATION, R.NOT_PUBLIC_NOW],
    ),
    Case("asked about before its publication", post(published=NOW + DAY)),
    Case(
        "asked about before its publication, for friends",
        post(published=NOW + DAY, visibility=Visibility.FRIENDS),
        [R.NOT_PUBLIC_AT_PUBLICATION, R.NOT_PUBLIC_NOW],
    ),
    Case("deleted", post(deletions=(dated(None, NOW),)), [R.POST_DELETED]),
    Case("deleted a moment later", post(deletions=(dated(None, NOW + 1),))),
    Case("of a special category", post(special_category=(dated(True),)), [R.SPECIAL_CATEGORY]),
    Case("never described", PostFacts("p"), [R.JURISDICTION_UNKNOWN, R.AGE_UNKNOWN]),
    Case(
        "never described, deleted and closed",
        PostFacts("p", deletions=(dated(None, NOW),), visibilities=(dated(Visibility.PRIVATE, NOW),)),
        [R.JURISDICTION_UNKNOWN, R.NOT_PUBLIC_NOW, R.AGE_UNKNOWN, R.POST_DELETED],
    ),
    Case(
        "never described, of a corrected author who objects",
        PostFacts("p", authors=(Link(person(objections=[objection()]), RECORDED),)),
        [R.JURISDICTION_UNKNOWN, R.AGE_UNKNOWN],
    ),
    Case("described, by nobody known", replace(post(), authors=()), [R.JURISDICTION_UNKNOWN, R.AGE_UNKNOWN]),
    Case("described a moment later", post(recorded=NOW + 1), [R.JURISDICTION_UNKNOWN, R.AGE_UNKNOWN]),
)

RULES = (
    Case("a platform in scope", post(), policy=policy(platforms=("FACEBOOK",))),
    Case("a platform out of scope", post(), [R.PLATFORM_NOT_IN_SCOPE], policy=policy(platforms=("THREADS",))),
    Case("the policy has ended", post(), [R.JURISDICTION_NOT_COVERED], policy=policy(effective_until=NOW)),
    Case("the policy ends a moment later", post(), policy=policy(effective_until=NOW + 1)),
    Case("the policy begins", post(), policy=policy(effective_from=NOW)),
    Case(
        "the policy begins a moment later", post(), [R.JURISDICTION_NOT_COVERED], policy=policy(effective_from=NOW + 1)
    ),
    Case("a policy for another purpose", post(), [R.JURISDICTION_NOT_COVERED], policy=policy(purpose="ADS")),
    Case("no notice", post(), [R.NOTICE_NOT_SERVED], policy=NOTICED),
    Case(
        "a notice of another purpose",
        by(person(notices=[served(purpose="ADS")])),
        [R.NOTICE_NOT_SERVED],
        policy=NOTICED,
    ),
    Case("a notice a moment later", by(person(notices=[served(NOW + 1)])), [R.NOTICE_NOT_SERVED], policy=NOTICED),
    Case("a notice just now", by(person(notices=[served(NOW)])), [R.OBJECTION_WINDOW_OPEN], policy=NOTICED),
    Case(
        "the window's last moment",
        by(person(notices=[served(NOW - 7 * DAY + 1)])),
        [R.OBJECTION_WINDOW_OPEN],
        policy=NOTICED,
    ),
    Case("the window has ended", by(person(notices=[served(NOW - 7 * DAY)])), policy=NOTICED),
    Case(
        "a second notice opens no second window",
        by(person(notices=[served(NOW), served(NOW - 7 * DAY)])),
        policy=NOTICED,
    ),
    Case(
        "a window without a notice is none", by(person(notices=[served(NOW)])), policy=policy(objection_window_days=7)
    ),
    Case("a notice and no window", by(person(notices=[served(NOW)])), policy=policy(notice_required=True)),
    Case("an assessment", post(), policy=policy(assessment_expires=NOW + 1)),
    Case("an assessment that expires now", post(), [R.ASSESSMENT_EXPIRED], policy=policy(assessment_expires=NOW)),
    Case("no assessment", post(), [R.ASSESSMENT_MISSING], policy=policy(assessment=None)),
    Case("no consent", post(), [R.CONSENT_MISSING], policy=CONSENT),
    Case(
        "consent to another purpose",
        by(person(consents=[said(Consent.GIVEN, purpose="ADS")])),
        [R.CONSENT_MISSING],
        policy=CONSENT,
    ),
    Case("consent just now", by(person(consents=[said(Consent.GIVEN, NOW)])), policy=CONSENT),
    Case(
        "consent a moment later",
        by(person(consents=[said(Consent.GIVEN, NOW + 1)])),
        [R.CONSENT_MISSING],
        policy=CONSENT,
    ),
    Case(
        "consent withdrawn",
        by(person(consents=[said(Consent.GIVEN), said(Consent.WITHDRAWN, NOW)])),
        [R.CONSENT_WITHDRAWN],
        policy=CONSENT,
    ),
    Case(
        "consent withdrawn, never given",
        by(person(consents=[said(Consent.WITHDRAWN)])),
        [R.CONSENT_WITHDRAWN],
        policy=CONSENT,
    ),
    Case(
        "consent does not matter to legitimate interests",
        by(person(consents=[said(Consent.WITHDRAWN)])),
    ),
    Case(
        "an assessment does not matter to consent",
        by(person(consents=[said(Consent.GIVEN)])),
        policy=replace(CONSENT, assessment="dpia-1", assessment_expires=PUBLISHED),
    ),
)

OBJECTIONS = (
    Case("an objection just now", by(person(objections=[objection(received=NOW)])), [R.OBJECTION_PENDING]),
    Case("an objection a moment later", by(person(objections=[objection(received=NOW + 1, recorded=NOW + 1)]))),
    Case(
        "recorded just now, received by a clock ahead of ours",
        by(person(objections=[objection(received=NOW + DAY, recorded=NOW)])),
        [R.OBJECTION_PENDING],
    ),
    Case("upheld", by(person(objections=[objection(became(UPHELD))])), [R.OBJECTED]),
    Case("refused now", by(person(objections=[objection(became(REFUSED, NOW))]))),
    Case("refused a moment later", by(person(objections=[objection(became(REFUSED, NOW + 1))])), [R.OBJECTION_PENDING]),
    Case("withdrawn", by(person(objections=[objection(became(WITHDRAWN, NOW))]))),
    Case("of another purpose", by(person(objections=[objection(purposes=["ADS"])]))),
    Case("of another platform", by(person(objections=[objection(platforms=["THREADS"])]))),
    Case("of this platform", by(person(objections=[objection(platforms=["FACEBOOK"])])), [R.OBJECTION_PENDING]),
    Case(
        "each stands for itself",
        by(person(objections=[objection(became(UPHELD)), objection(), objection(became(REFUSED))])),
        [R.OBJECTION_PENDING, R.OBJECTED],
    ),
    Case(
        "before a post that is made later",
        by(person(objections=[objection(received=PUBLISHED)]), published=NOW),
        [R.OBJECTION_PENDING],
    ),
    Case(
        "also where no policy covers the person",
        by(person(jurisdiction="IE", objections=[objection()])),
        [R.JURISDICTION_NOT_COVERED, R.OBJECTION_PENDING],
    ),
)

ERASURES = (
    Case("an erasure asked for just now", by(person(erasures=[erasure(received=NOW)])), [R.ERASURE_PENDING]),
    Case("an erasure asked for a moment later", by(person(erasures=[erasure(received=NOW + 1, recorded=NOW + 1)]))),
    Case(
        "an erasure recorded just now, asked for by a clock ahead of ours",
        by(person(erasures=[erasure(received=NOW + DAY, recorded=NOW)])),
        [R.ERASURE_PENDING],
    ),
    Case("an erasure recorded a moment later", by(person(erasures=[erasure(recorded=NOW + 1)]))),
    Case("an erasure refused now", by(person(erasures=[erasure(turned(ErasureStatus.REFUSED, NOW))]))),
    Case(
        "an erasure refused a moment later",
        by(person(erasures=[erasure(turned(ErasureStatus.REFUSED, NOW + 1))])),
        [R.ERASURE_PENDING],
    ),
    Case("an erasure confirmed", by(person(erasures=[erasure(turned(ErasureStatus.CONFIRMED, NOW))])), [R.ERASED]),
    Case(
        "an erasure for every platform and purpose",
        by(person(erasures=[erasure()]), platform="THREADS"),
        [R.ERASURE_PENDING],
    ),
    Case(
        "of two erasures one is refused",
        by(person(erasures=[erasure(turned(ErasureStatus.REFUSED, NOW)), erasure()])),
        [R.ERASURE_PENDING],
    ),
    Case(
        "one who is depicted asked for erasure",
        post(depicts=[person("ben", erasures=[erasure()])]),
        [R.THIRD_PARTY_OBJECTED],
    ),
    Case(
        "one who is depicted was erased",
        post(depicts=[person("ben", erasures=[erasure(turned(ErasureStatus.DONE))])]),
        [R.THIRD_PARTY_OBJECTED],
    ),
    Case(
        "one who is depicted asked for erasure, and was refused",
        post(depicts=[person("ben", erasures=[erasure(turned(ErasureStatus.REFUSED))])]),
    ),
)

DEPICTED = (
    Case("an adult who said nothing", post(depicts=[person("ben")])),
    Case("objecting", post(depicts=[person("ben", objections=[objection()])]), [R.THIRD_PARTY_OBJECTED]),
    Case(
        "objection upheld",
        post(depicts=[person("ben", objections=[objection(became(UPHELD))])]),
        [R.THIRD_PARTY_OBJECTED],
    ),
    Case("objection refused", post(depicts=[person("ben", objections=[objection(became(REFUSED))])])),
    Case("objection withdrawn", post(depicts=[person("ben", objections=[objection(became(WITHDRAWN))])])),
    Case("objecting elsewhere", post(depicts=[person("ben", objections=[objection(platforms=["THREADS"])])])),
    Case("objecting to another purpose", post(depicts=[person("ben", objections=[objection(purposes=["ADS"])])])),
    Case("a minor when published", post(depicts=[person("ben", adult_from=date(2024, 1, 2))]), [R.THIRD_PARTY_MINOR]),
    Case("adult when published", post(depicts=[person("ben", adult_from=date(2024, 1, 1))])),
    Case("a minor now", post(depicts=[person("ben", adult_from=date(2026, 1, 2))]), [R.THIRD_PARTY_MINOR]),
    Case("of unknown age", post(depicts=[PersonFacts("ben")])),
    Case("the author", by(person(adult_from=None), depicts=[person(adult_from=None)]), [R.AGE_UNKNOWN]),
    Case(
        "the author, objecting",
        by(person(objections=[objection()]), depicts=[person(objections=[objection()])]),
        [R.OBJECTION_PENDING],
    ),
    Case(
        "one objects, another is a minor",
        post(depicts=[person("ben", objections=[objection()]), person("cleo", adult_from=date(2030, 1, 1))]),
        [R.THIRD_PARTY_OBJECTED, R.THIRD_PARTY_MINOR],
    ),
    Case(
        "the policy does not protect them",
        post(depicts=[person("ben", adult_from=date(2030, 1, 1), objections=[objection()])]),
        policy=policy(protects_depicted=False),
    ),
    Case(
        "no policy protects them",
        by(person(jurisdiction="IE"), depicts=[person("ben", objections=[objection()])]),
        [R.JURISDICTION_NOT_COVERED],
    ),
)

KNOWN = (
    Case("everything, when it was recorded", post(), known_at=RECORDED),
    Case("an objection recorded then", by(person(objections=[objection(recorded=NOW)])), [R.OBJECTION_PENDING]),
    Case("an objection recorded later", by(person(objections=[objection(recorded=NOW + 1)]))),
    Case(
        "a refusal recorded later",
        by(person(objections=[objection(became(REFUSED, PUBLISHED, NOW + 1))])),
        [R.OBJECTION_PENDING],
    ),
    Case("a deletion recorded later", post(deletions=(dated(None, PUBLISHED, NOW + 1),))),
    Case("a narrowing recorded later", post(visibilities=(dated(Visibility.PRIVATE, PUBLISHED, NOW + 1),))),
    Case("a special category recorded later", post(special_category=(dated(True, recorded=NOW + 1),))),
    Case(
        "a notice recorded later", by(person(notices=[served(recorded=NOW + 1)])), [R.NOTICE_NOT_SERVED], policy=NOTICED
    ),
    Case(
        "a consent recorded later",
        by(person(consents=[said(Consent.GIVEN, recorded=NOW + 1)])),
        [R.CONSENT_MISSING],
        policy=CONSENT,
    ),
    Case("a policy recorded later", post(), [R.JURISDICTION_NOT_COVERED], policy=policy(recorded_at=NOW + 1)),
    Case(
        "an age recorded later",
        by(replace(person(), adult_from=(dated(date(2000, 1, 1), recorded=NOW + 1),))),
        [R.AGE_UNKNOWN],
    ),
    Case(
        "a depiction recorded later",
        replace(post(), depicted=(Link(person("ben", objections=[objection()]), NOW + 1),)),
    ),
)


@pytest.mark.parametrize(
    "case", [*PEOPLE, *POSTS, *RULES, *OBJECTIONS, *ERASURES, *DEPICTED, *KNOWN], ids=lambda case: case.name
)
def test_a_post_may_be_used_when_nothing_stands_against_it(case: Case) -> None:
    policies = () if case.policy is None else (case.policy,)

    found = evaluate(case.post, policies, purpose=AI, at=case.at, known_at=case.known_at)

    assert list(found.reasons) == list(case.reasons)
    assert found.eligible is (not case.reasons)
    assert (found.at, found.known_at) == (case.at, case.known_at)


def test_all_reasons_are_listed_in_the_order_of_the_enum() -> None:
    worst = post(
        author=person(
            adult_from=date(2030, 1, 1),
            objections=[objection(), objection(became(UPHELD))],
        ),
        depicts=[person("ben", adult_from=date(2030, 1, 1), objections=[objection()])],
        kind=PostKind.PRIVATE_MESSAGE,
        visibility=Visibility.PRIVATE,
        deletions=(dated(None),),
        special_category=(dated(True),),
    )
    strict = policy(notice_required=True, platforms=("THREADS",), assessment_expires=NOW)

    found = evaluate(worst, [strict], purpose=AI, at=NOW, known_at=NOW)

    assert found.reasons == (
        R.PLATFORM_NOT_IN_SCOPE,
        R.PRIVATE_MESSAGE,
        R.NOT_PUBLIC_AT_PUBLICATION,
        R.NOT_PUBLIC_NOW,
        R.MINOR_AT_PUBLICATION,
        R.MINOR_NOW,
        R.NOTICE_NOT_SERVED,
        R.OBJECTION_PENDING,
        R.OBJECTED,
        R.POST_DELETED,
        R.THIRD_PARTY_OBJECTED,
        R.THIRD_PARTY_MINOR,
        R.SPECIAL_CATEGORY,
        R.ASSESSMENT_EXPIRED,
    )


def test_what_needs_no_policy_is_listed_where_none_is_in_force() -> None:
    worst = post(
        author=person(jurisdiction=None, adult_from=None, objections=[objection()]),
        depicts=[person("ben", objections=[objection()])],
        kind=PostKind.PRIVATE_MESSAGE,
        visibility=Visibility.PRIVATE,
        deletions=(dated(None),),
        special_category=(dated(True),),
    )

    found = evaluate(worst, [policy(assessment=None)], purpose=AI, at=NOW, known_at=NOW)

    assert found.policy is None
    assert found.reasons == (
        R.JURISDICTION_UNKNOWN,
        R.PRIVATE_MESSAGE,
        R.NOT_PUBLIC_AT_PUBLICATION,
        R.NOT_PUBLIC_NOW,
        R.AGE_UNKNOWN,
        R.OBJECTION_PENDING,
        R.POST_DELETED,
        R.SPECIAL_CATEGORY,
    )


def test_the_policy_that_governed_is_named() -> None:
    own = policy("sct", jurisdiction="GB-SCT")
    found = evaluate(by(person(jurisdiction="GB-SCT")), [policy(), own], purpose=AI, at=NOW, known_at=NOW)

    assert found.policy == own


def test_the_corrected_author_governs_from_when_the_correction_was_recorded() -> None:
    corrected = replace(
        post(),
        authors=(
            Link(person("ana"), RECORDED, until=NOW),
            Link(person("ben", objections=[objection()]), NOW),
        ),
    )

    before = evaluate(corrected, [policy()], purpose=AI, at=NOW, known_at=NOW - 1)
    after = evaluate(corrected, [policy()], purpose=AI, at=NOW, known_at=NOW)

    assert before.reasons == ()
    assert after.reasons == (R.OBJECTION_PENDING,)


LATER = st.integers(NOW + 1, NOW + DAY)
INSTANTS = st.integers(PUBLISHED - DAY, NOW + DAY)


@st.composite
def learned_later(draw: st.DrawFn) -> PersonFacts:
    """Facts about a person that were all recorded after NOW, valid whenever."""
    valid, recorded = draw(INSTANTS), draw(LATER)
    return PersonFacts(
        "ana",
        jurisdictions=(Dated(draw(st.sampled_from(["GB", "IE", None])), valid, recorded),),
        adult_from=(Dated(draw(st.none() | st.dates()), valid, recorded),),
        objections=(objection(received=valid, recorded=recorded),),
        notices=(served(valid, recorded=recorded),),
        consents=(said(draw(st.sampled_from(Consent)), valid, recorded=recorded),),
    )


@given(
    later=learned_later(),
    moment=INSTANTS,
    recorded=LATER,
    rules=st.sampled_from([policy(), NOTICED, CONSENT]),
    told=st.booleans(),
)
def test_a_fact_learned_later_never_changes_an_answer(
    later: PersonFacts, moment: int, recorded: int, rules: Policy, told: bool
) -> None:
    author = person(objections=[objection()] if told else (), notices=[served()] if told else ())
    more = PersonFacts(
        author.key,
        jurisdictions=author.jurisdictions + later.jurisdictions,
        adult_from=author.adult_from + later.adult_from,
        objections=author.objections + later.objections,
        notices=author.notices + later.notices,
        consents=author.consents + later.consents,
    )
    before = post(author=author)
    after = post(
        author=more,
        visibilities=(Dated(Visibility.PRIVATE, moment, recorded),),
        deletions=(Dated(None, moment, recorded),),
        special_category=(Dated(True, recorded, recorded),),
    )
    ended = policy("later", effective_from=moment, recorded_at=recorded, lawful_basis=LawfulBasis.CONSENT)

    assert evaluate(after, [rules, ended], purpose=AI, at=moment, known_at=NOW) == evaluate(
        before, [rules], purpose=AI, at=moment, known_at=NOW
    )
