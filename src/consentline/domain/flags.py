"""Retraining flags: what a model version must be retrained for, and until when."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.errors import StateError
from consentline.domain.instants import Instant


class FlagStatus(StrEnum):
    """A flag's life; RESOLVED is the end of it."""

    OPEN = "OPEN"
    ACKNOWLEDGED = "ACKNOWLEDGED"
    SCHEDULED = "SCHEDULED"
    RESOLVED = "RESOLVED"


class FlagResolution(StrEnum):
    """How a flag was resolved."""

    RETRAINED = "RETRAINED"
    RETIRED = "RETIRED"
    NOT_REQUIRED = "NOT_REQUIRED"


class CauseKind(StrEnum):
    """Why a model version was flagged."""

    OBJECTION = "OBJECTION"
    ERASURE = "ERASURE"
    POST_DELETED = "POST_DELETED"
    VISIBILITY_NARROWED = "VISIBILITY_NARROWED"
    MINOR = "MINOR"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    ASSESSMENT_EXPIRED = "ASSESSMENT_EXPIRED"
    THIRD_PARTY_OBJECTED = "THIRD_PARTY_OBJECTED"
    VIOLATION = "VIOLATION"


CAUSES_WITHDRAWN = "causes withdrawn"
"""The justification of a flag all of whose causes fell away."""


@dataclass(frozen=True, slots=True)
class RetrainingFlag:
    """A flag as it stands; one that is not RESOLVED is the only such flag of its model version."""

    uid: str
    model_version: str
    status: FlagStatus
    resolution: FlagResolution | None
    raised_at: Instant
    due_at: Instant
    justification: str | None
    replacement: str | None


def check_acknowledgement(flag: RetrainingFlag) -> None:
    """Return when the flag may be acknowledged (again, without effect, when it is already).

    Raises:
        StateError: it is scheduled or resolved already.
    """
    if flag.status not in (FlagStatus.OPEN, FlagStatus.ACKNOWLEDGED):
        raise StateError(f"the flag is {flag.status} already", code="FLAG_WRONG_STATE", path=("flag",))
