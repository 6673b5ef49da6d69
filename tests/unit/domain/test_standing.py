from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from consentline.domain.consent import Consent, ConsentStatus
from consentline.domain.instants import DAY
from consentline.domain.objections import ObjectionStatus
from consentline.domain.people import PersonFacts
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.standing import ConsentState, standing
from tests.unit.domain.factories import AI, NOW, PUBLISHED, RECORDED, became, objection, person, policy, said, served

PENDING = objection()
AHEAD = objection(received=RECORDED + DAY)
UPHELD = objection(became(ObjectionStatus.UPHELD, PUBLISHED + DAY))
REFUSED = objection(became(ObjectionStatus.REFUSED, PUBLISHED + DAY))
WITHDRAWN = objection(became(ObjectionStatus.WITHDRAWN, PUBLISHED + DAY))


def told(*objections: object, **facts: Sequence[object]) -> PersonFacts:
    return person(objections=objections, **facts)


@dataclass(frozen=True)
class Case:
    name: str
    person: PersonFacts
    status: ConsentStatus
    valid_from: int | None = PUBLISHED
    at: int = NOW
    known_at: int = NOW


S = ConsentStatus
NOTICE = {"notices": [served(PUBLISHED)]}
GIVEN, TAKEN = [said(Consent.GIVEN)], [said(Consent.WITHDRAWN)]
CASES = (
    Case("nothing was ever said", told(), S.UNINFORMED, None),
    Case("a notice", told(**NOTICE), S.INFORMED),
    Case("the earliest notice", told(notices=[served(PUBLISHED + 1), served(PUBLISHED)]), S.INFORMED),
    Case("a notice of another purpose", told(notices=[served(purpose="ADS")]), S.UNINFORMED, None),
    Case("withdrawn before informed", told(WITHDRAWN, **NOTICE), S.OBJECTION_WITHDRAWN, PUBLISHED + DAY),
    Case("refused before withdrawn", told(WITHDRAWN, REFUSED), S.OBJECTION_REFUSED, PUBLISHED + DAY),
    Case("consent given before refused", told(REFUSED, consents=GIVEN), S.CONSENT_GIVEN),
    Case("consent withdrawn", told(REFUSED, consents=TAKEN), S.CONSENT_WITHDRAWN),
    Case("a pending objection before consent", told(PENDING, consents=TAKEN), S.OBJECTION_PENDING),
    Case("upheld before pending", told(PENDING, UPHELD, consents=GIVEN), S.OBJECTED, PUBLISHED + DAY),
    Case("whatever the platforms", told(objection(platforms=["THREADS"])), S.OBJECTION_PENDING),
    Case("another purpose", told(objection(purposes=["ADS"]), **NOTICE), S.INFORMED),
    Case("before the objection", told(PENDING), S.UNINFORMED, None, at=PUBLISHED - 1),
    Case("on the objection", told(PENDING), S.OBJECTION_PENDING, at=PUBLISHED),
    Case("received ahead of its recording", told(AHEAD), S.OBJECTION_PENDING, RECORDED),
    Case("before that was recorded", told(AHEAD), S.UNINFORMED, None, at=RECORDED - 1),
    Case("before the person was told", told(REFUSED), S.OBJECTION_PENDING, at=PUBLISHED + DAY - 1),
    Case("from when the person was told", told(REFUSED), S.OBJECTION_REFUSED, PUBLISHED + DAY, at=PUBLISHED + DAY),
    Case("before it was recorded", told(PENDING, **NOTICE), S.UNINFORMED, None, known_at=RECORDED - 1),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_person_stands_where_the_first_that_holds_puts_them(case: Case) -> None:
    found = standing(case.person, (), AI, case.at, case.known_at)

    recorded_at = None if case.valid_from is None else RECORDED
    assert found == ConsentState(case.status, AI, None, case.valid_from, recorded_at)


@pytest.mark.parametrize(
    ("policies", "basis"),
    [
        ((), None),
        ((policy(),), LawfulBasis.LEGITIMATE_INTERESTS),
        ((policy(lawful_basis=LawfulBasis.CONSENT),), LawfulBasis.CONSENT),
        ((policy(jurisdiction="IE"),), None),
        ((policy(effective_from=NOW + 1),), None),
    ],
    ids=["none", "legitimate interests", "consent", "elsewhere", "later"],
)
def test_the_lawful_basis_is_that_of_the_policy_in_force_there_and_then(
    policies: tuple[Policy, ...], basis: LawfulBasis | None
) -> None:
    assert standing(person(), policies, AI, NOW, NOW).lawful_basis is basis
