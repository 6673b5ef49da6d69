"""Consent and notices: what a person was told, and what they said."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.instants import Instant


class ConsentStatus(StrEnum):
    """Where a person stands for one purpose; see `User.consent` in design.md for the order of precedence."""

    UNINFORMED = "UNINFORMED"
    INFORMED = "INFORMED"
    OBJECTION_PENDING = "OBJECTION_PENDING"
    OBJECTED = "OBJECTED"
    OBJECTION_REFUSED = "OBJECTION_REFUSED"
    OBJECTION_WITHDRAWN = "OBJECTION_WITHDRAWN"
    CONSENT_GIVEN = "CONSENT_GIVEN"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"


class Consent(StrEnum):
    """What a person said where the lawful basis is consent (Art. 6(1)(a), 7(3))."""

    GIVEN = "GIVEN"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class ConsentFact:
    """Consent to a purpose given or withdrawn, from `valid_from` on."""

    purpose: str
    status: Consent
    valid_from: Instant
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class ServedNotice:
    """A notice of a purpose that reached a person; `recorded_at` is when both the serving and the notice were known.

    `seen_at` is None while nobody says that it was seen; `seen_recorded_at` is when somebody did.
    """

    purpose: str
    served_at: Instant
    recorded_at: Instant
    seen_at: Instant | None = None
    seen_recorded_at: Instant | None = None


def last_said(facts: Iterable[ConsentFact], purpose: str, at: Instant, known_at: Instant) -> ConsentFact | None:
    """The latest word on the purpose by `at`; of two of the same instant, the withdrawal."""
    said = [
        fact for fact in facts if fact.purpose == purpose and fact.recorded_at <= known_at and fact.valid_from <= at
    ]
    return max(said, key=lambda fact: (fact.valid_from, fact.status is Consent.WITHDRAWN), default=None)


def first_served(notices: Iterable[ServedNotice], purpose: str, at: Instant, known_at: Instant) -> Instant | None:
    """When the earliest notice of the purpose was served, if by `at`."""
    return min(
        (
            notice.served_at
            for notice in notices
            if notice.purpose == purpose and notice.recorded_at <= known_at and notice.served_at <= at
        ),
        default=None,
    )
