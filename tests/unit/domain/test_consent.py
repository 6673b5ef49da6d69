from dataclasses import dataclass

import pytest

from consentline.domain.consent import Consent, ConsentFact, ServedNotice, first_served, last_said
from consentline.domain.instants import DAY
from tests.unit.domain.factories import AI, NOW, PUBLISHED, RECORDED, said, served

GIVEN, WITHDRAWN = Consent.GIVEN, Consent.WITHDRAWN
LATER = PUBLISHED + DAY


@dataclass(frozen=True)
class Word:
    name: str
    facts: tuple[ConsentFact, ...]
    expected: Consent | None
    at: int = NOW
    known_at: int = NOW


WORDS = (
    Word("nothing was said", (), None),
    Word("given", (said(GIVEN),), GIVEN),
    Word("given from an instant, at that instant", (said(GIVEN),), GIVEN, at=PUBLISHED),
    Word("given from an instant, just before it", (said(GIVEN),), None, at=PUBLISHED - 1),
    Word("for another purpose", (said(GIVEN, purpose="ADS"),), None),
    Word("withdrawn later", (said(GIVEN), said(WITHDRAWN, LATER)), WITHDRAWN),
    Word("not yet withdrawn", (said(GIVEN), said(WITHDRAWN, LATER)), GIVEN, at=LATER - 1),
    Word("given again", (said(GIVEN, LATER), said(WITHDRAWN)), GIVEN),
    Word("given and withdrawn at one instant", (said(WITHDRAWN), said(GIVEN)), WITHDRAWN),
    Word("recorded at an instant, known at that instant", (said(GIVEN),), GIVEN, known_at=RECORDED),
    Word("recorded at an instant, known just before it", (said(GIVEN),), None, known_at=RECORDED - 1),
    Word("the last word is not known yet", (said(GIVEN), said(WITHDRAWN, LATER, recorded=NOW + 1)), GIVEN),
    Word(
        "the last word was recorded first",
        (said(GIVEN, LATER, recorded=RECORDED), said(WITHDRAWN, recorded=RECORDED + 1)),
        GIVEN,
    ),
)


@pytest.mark.parametrize("case", WORDS, ids=lambda case: case.name)
def test_the_latest_word_counts_in_whatever_order_they_are_listed(case: Word) -> None:
    for facts in (case.facts, case.facts[::-1]):
        found = last_said(facts, AI, case.at, case.known_at)
        assert (found and found.status) == case.expected


@dataclass(frozen=True)
class First:
    name: str
    notices: tuple[ServedNotice, ...]
    expected: int | None
    at: int = NOW
    known_at: int = NOW


NOTICES = (
    First("none was served", (), None),
    First("the earliest counts", (served(LATER), served()), PUBLISHED),
    First("served at an instant, at that instant", (served(),), PUBLISHED, at=PUBLISHED),
    First("served at an instant, just before it", (served(),), None, at=PUBLISHED - 1),
    First("of another purpose", (served(purpose="ADS"), served(LATER)), LATER),
    First("the earliest is not known yet", (served(recorded=NOW + 1), served(LATER)), LATER),
    First("recorded at an instant, known at that instant", (served(),), PUBLISHED, known_at=RECORDED),
    First("recorded at an instant, known just before it", (served(),), None, known_at=RECORDED - 1),
)


@pytest.mark.parametrize("case", NOTICES, ids=lambda case: case.name)
def test_the_earliest_notice_of_the_purpose_counts(case: First) -> None:
    assert first_served(case.notices, AI, case.at, case.known_at) == case.expected
