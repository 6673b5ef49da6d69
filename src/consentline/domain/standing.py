"""Where a person stands for one purpose: what `User.consent` reports."""

from collections.abc import Iterator
from dataclasses import dataclass

from consentline.domain.consent import Consent, ConsentStatus, last_said
from consentline.domain.instants import Instant
from consentline.domain.objections import ObjectionFacts, ObjectionStatus
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.policies import LawfulBasis, Policy, governing

_PRECEDENCE = (
    ConsentStatus.OBJECTED,
    ConsentStatus.OBJECTION_PENDING,
    ConsentStatus.CONSENT_WITHDRAWN,
    ConsentStatus.CONSENT_GIVEN,
    ConsentStatus.OBJECTION_REFUSED,
    ConsentStatus.OBJECTION_WITHDRAWN,
    ConsentStatus.INFORMED,
)

_OF_OBJECTION = {
    ObjectionStatus.PENDING: ConsentStatus.OBJECTION_PENDING,
    ObjectionStatus.UPHELD: ConsentStatus.OBJECTED,
    ObjectionStatus.REFUSED: ConsentStatus.OBJECTION_REFUSED,
    ObjectionStatus.WITHDRAWN: ConsentStatus.OBJECTION_WITHDRAWN,
}


@dataclass(frozen=True, slots=True)
class ConsentState:
    """A person's standing for a purpose since `valid_from`; `lawful_basis` is of the policy in force there and then."""

    status: ConsentStatus
    purpose: str
    lawful_basis: LawfulBasis | None
    valid_from: Instant | None
    recorded_at: Instant | None


def standing(
    person: PersonFacts, policies: tuple[Policy, ...], purpose: str, at: Instant, known_at: Instant
) -> ConsentState:
    """The first that holds in the order of precedence, over all objections whatever their platforms.

    It dates from the fact that put it in place; of several such facts, from the earliest.
    """
    basis = lawful_basis(person, policies, purpose, at, known_at)
    holding = list(_states(person, purpose, at, known_at))
    for status in _PRECEDENCE:
        dated = [(valid_from, recorded_at) for found, valid_from, recorded_at in holding if found is status]
        if dated:
            return ConsentState(status, purpose, basis, *min(dated))
    return ConsentState(ConsentStatus.UNINFORMED, purpose, basis, None, None)


def lawful_basis(
    person: PersonFacts, policies: tuple[Policy, ...], purpose: str, at: Instant, known_at: Instant
) -> LawfulBasis | None:
    """The lawful basis on which the person's data may be used for the purpose; None where no policy covers them."""
    policy = governing(policies, jurisdiction_at(person, at, known_at), purpose, at, known_at)
    return None if policy is None else policy.lawful_basis


def _states(
    person: PersonFacts, purpose: str, at: Instant, known_at: Instant
) -> Iterator[tuple[ConsentStatus, Instant, Instant]]:
    for objection in person.objections:
        reached = objection.status_at(at, known_at)
        if purpose in objection.purposes and reached is not None:
            yield _OF_OBJECTION[reached], *_since(objection, reached)
    said = last_said(person.consents, purpose, at, known_at)
    if said is not None:
        status = ConsentStatus.CONSENT_GIVEN if said.status is Consent.GIVEN else ConsentStatus.CONSENT_WITHDRAWN
        yield status, said.valid_from, said.recorded_at
    for notice in person.notices:
        if notice.purpose == purpose and notice.recorded_at <= known_at and notice.served_at <= at:
            yield ConsentStatus.INFORMED, notice.served_at, notice.recorded_at


def _since(objection: ObjectionFacts, status: ObjectionStatus) -> tuple[Instant, Instant]:
    for transition in objection.transitions:
        if transition.status is status:
            return transition.at, transition.recorded_at
    return objection.in_force_from, objection.recorded_at
