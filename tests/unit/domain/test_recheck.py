from dataclasses import dataclass, replace
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentline.domain.consent import Consent
from consentline.domain.eligibility import evaluate
from consentline.domain.erasures import ErasureStatus
from consentline.domain.instants import DAY, EVER, Instant
from consentline.domain.objections import ObjectionStatus
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.posts import Link, PostFacts, Visibility
from consentline.domain.recheck import day_begins, next_change
from tests.unit.domain.factories import (
    AI,
    NOW,
    PUBLISHED,
    RECORDED,
    at,
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
from tests.unit.domain.worlds import MOMENTS, PURPOSES, World, neighbours, worlds

LATER = NOW + 5 * DAY


@settings(max_examples=1000, deadline=None)
@given(world=worlds, purpose=st.sampled_from(PURPOSES), after=st.sampled_from(MOMENTS[:-1]))
def test_until_the_next_change_the_answer_is_the_same_at_every_time(world: World, purpose: str, after: Instant) -> None:
    for each in (world.post(), world.post()):
        until = next_change(each, world.policies, purpose, after)
        first = evaluate(each, world.policies, purpose=purpose, at=after, known_at=EVER).reasons

        assert until is None or until > after
        for moment in neighbours(after, until):
            found = evaluate(each, world.policies, purpose=purpose, at=moment, known_at=EVER).reasons
            assert found == first, (each, world.policies, until, moment)


@dataclass(frozen=True)
class Case:
    name: str
    post: PostFacts
    expected: Instant | None
    policies: tuple[Policy, ...] = (policy(),)
    purpose: str = AI


NOTICED = policy(notice_required=True, objection_window_days=30)
CONSENT = policy(lawful_basis=LawfulBasis.CONSENT)


def by(author: PersonFacts) -> PostFacts:
    return post(author=author)


def moves(to: str | None) -> PersonFacts:
    return PersonFacts("ana", jurisdictions=(dated("GB"), dated(to, LATER)), adult_from=(dated(date(2000, 1, 1)),))


def aged(*adult_from: Dated[date | None]) -> PersonFacts:
    return PersonFacts("ana", jurisdictions=(dated("GB"),), adult_from=adult_from)


BORN: Dated[date | None] = dated(date(1990, 1, 1))
SOON = date(2026, 2, 1)
BEN = person("ben", adult_from=SOON)
IE_ENDS = policy(jurisdiction="IE", effective_until=LATER - 1)
FILED_LATER = objection(received=LATER, recorded=LATER)
ASKED_LATER = replace(erasure(received=LATER), recorded_at=LATER)
SERVED_TWICE = person(notices=[served(LATER), served(LATER - 31 * DAY)])

CASES = [
    Case("nothing is ahead", post(), None),
    Case("no policy is recorded", post(), None, policies=()),
    Case("the assessment expires", post(), LATER, (policy(assessment_expires=LATER),)),
    Case("the assessment expired", post(), None, (policy(assessment_expires=NOW),)),
    Case("the policy ends", post(), LATER, (policy(effective_until=LATER),)),
    Case("the policy ended, and what it said", post(), None, (policy(effective_until=NOW, assessment_expires=LATER),)),
    Case("another policy begins", post(), LATER, (policy(), policy(version=2, effective_from=LATER))),
    Case("one of the country begins", by(person(jurisdiction="GB-SCT")), LATER, (policy(effective_from=LATER),)),
    Case("one for a subdivision begins", post(), None, (policy(jurisdiction="GB-SCT", effective_from=LATER),)),
    Case("one for another place begins", post(), None, (policy(jurisdiction="IE", effective_from=LATER),)),
    Case("one for another purpose begins", post(), None, (policy(purpose="ADS", effective_from=LATER),)),
    Case("one begins, nobody knows for whom", by(person(jurisdiction=None)), None, (policy(effective_from=LATER),)),
    Case("the author moves", by(moves("IE")), LATER),
    Case("a policy ends where the author is to move", by(moves("IE")), LATER, (IE_ENDS,)),
    Case("the window closes", by(person(notices=[served(LATER - 30 * DAY)])), LATER, (NOTICED,)),
    Case("the earliest serving counts", by(SERVED_TWICE), LATER - DAY, (NOTICED,)),
    Case("a notice is served", by(person(notices=[served(LATER)])), LATER, (NOTICED,)),
    Case("a notice that nobody requires is served", by(person(notices=[served(LATER)])), None),
    Case("a notice of another purpose is served", by(person(notices=[served(LATER, purpose="ADS")])), None, (NOTICED,)),
    Case("consent is given", by(person(consents=[said(Consent.GIVEN, LATER)])), LATER, (CONSENT,)),
    Case("consent that nobody needs is given", by(person(consents=[said(Consent.GIVEN, LATER)])), None),
    Case("the author comes of age", by(person(adult_from=SOON)), day_begins(SOON)),
    Case("the author is of age", by(person(adult_from=date(2026, 1, 1))), None),
    Case("their age becomes known", by(aged(dated(None), replace(BORN, valid_from=LATER))), LATER),
    Case(
        "a birthday that holds no more", by(aged(replace(BORN, value=SOON), replace(BORN, valid_from=PUBLISHED))), None
    ),
    Case("an objection comes into force", by(person(objections=[FILED_LATER])), LATER),
    Case("one received ahead of its recording is in force", by(person(objections=[objection(received=LATER)])), None),
    Case("it is decided", by(person(objections=[objection(became(ObjectionStatus.REFUSED, LATER))])), LATER),
    Case("one of another purpose", by(person(objections=[replace(FILED_LATER, purposes=("ADS",))])), None),
    Case("one of another platform", by(person(objections=[replace(FILED_LATER, platforms=("THREADS",))])), None),
    Case("an erasure is asked for", by(person(erasures=[ASKED_LATER])), LATER),
    Case("one asked for ahead of its recording is in force", by(person(erasures=[erasure(received=LATER)])), None),
    Case("it is refused", by(person(erasures=[erasure(turned(ErasureStatus.REFUSED, LATER))])), LATER),
    Case("the post is deleted", post(deletions=(dated(None, LATER),)), LATER),
    Case("its visibility changes", post(visibilities=(dated(Visibility.PRIVATE, LATER),)), LATER),
    Case("before its publication", post(published=LATER, visibilities=(dated(Visibility.PRIVATE, LATER - 1),)), None),
    Case("its publication", post(published=LATER), None),
    Case("somebody depicted comes of age", post(depicts=[BEN]), day_begins(SOON)),
    Case("somebody depicted objects", post(depicts=[person("ben", objections=[FILED_LATER])]), LATER),
    Case("somebody depicted asks for it", post(depicts=[person("ben", erasures=[ASKED_LATER])]), LATER),
    Case("nobody protects the depicted", post(depicts=[BEN]), None, (policy(protects_depicted=False),)),
    Case("a post known by key only", PostFacts("p", authors=(Link(moves("IE"), RECORDED),)), None),
    Case("one of those deleted", PostFacts("p", deletions=(dated(None, LATER),)), LATER),
    Case("one of those hidden", PostFacts("p", visibilities=(dated(Visibility.PRIVATE, LATER),)), LATER),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_next_change_is_the_first_thing_ahead_that_concerns_the_post(case: Case) -> None:
    assert next_change(case.post, case.policies, case.purpose, NOW) == case.expected


def test_a_day_begins_at_midnight_utc() -> None:
    assert day_begins(date(2026, 2, 1)) == at("2026-02-01T00:00:00Z")
