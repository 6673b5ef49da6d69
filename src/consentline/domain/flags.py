"""Retraining flags: what a model version must be retrained for, and until when."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentline.domain.errors import InvalidInputError, StateError
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


class SourceKind(StrEnum):
    """What a cause points to, by the name of its type."""

    OBJECTION = "Objection"
    ERASURE = "Erasure"
    POST = "Post"
    USER = "User"
    POLICY = "Policy"
    TRAINING_RUN = "TrainingRun"


class Source(NamedTuple):
    """What a cause points to; `version` is that of a policy, else 0."""

    kind: SourceKind
    key: str
    version: int = 0


class Cause(NamedTuple):
    """One reason for a flag of one model version."""

    model: str
    source: Source
    kind: CauseKind


@dataclass(frozen=True, slots=True)
class FlagCause:
    """A cause as a flag has it: how many posts of its source the model version used, and until when to act."""

    uid: str
    kind: CauseKind
    source: Source
    posts: int
    due_at: Instant
    recorded_at: Instant


CAUSES_WITHDRAWN = "causes withdrawn"
"""The justification of a flag all of whose causes fell away."""


@dataclass(frozen=True, slots=True)
class RetrainingFlag:
    """A flag as it stands; one that is not RESOLVED is the only such flag of its model version.

    `previous` and `next` are the flags of the same model version that were raised before and after it, by uid.
    """

    uid: str
    model_version: str
    status: FlagStatus
    resolution: FlagResolution | None
    raised_at: Instant
    due_at: Instant
    justification: str | None
    replacement: str | None
    acknowledged_at: Instant | None = None
    planned_for: Instant | None = None
    resolved_at: Instant | None = None
    previous: str | None = None
    next: str | None = None


def check_scheduling(flag: RetrainingFlag, planned_for: Instant, now: Instant) -> None:
    """Return when retraining may be planned (again) for that time.

    Raises:
        StateError: the flag is resolved.
        InvalidInputError: the time lies in the past.
    """
    _check_unresolved(flag)
    if planned_for < now:
        raise InvalidInputError("plannedFor lies in the past", code="PLANNED_IN_PAST", path=("plannedFor",))


def check_resolution(
    flag: RetrainingFlag,
    resolution: FlagResolution,
    *,
    replacement: str | None,
    justification: str | None,
    serves: Sequence[str],
) -> None:
    """Return when the flag may be resolved so, as far as it can be told without the replacement's upstream.

    Raises:
        StateError: it is resolved already; or RETIRED while features are served by the model version, naming them.
        InvalidInputError: RETRAINED without another model version as replacement, another resolution with one, or
            NOT_REQUIRED without a justification.
    """
    _check_unresolved(flag)
    if (resolution is FlagResolution.RETRAINED) != (replacement is not None):
        raise InvalidInputError(
            "RETRAINED, and only that, names a replacement", code="REPLACEMENT_REQUIRED", path=("replacement",)
        )
    if replacement == flag.model_version:
        raise InvalidInputError(
            "a model version does not replace itself", code="REPLACEMENT_REQUIRED", path=("replacement",)
        )
    if resolution is FlagResolution.NOT_REQUIRED and not (justification and justification.strip()):
        raise InvalidInputError(
            "NOT_REQUIRED states its justification", code="JUSTIFICATION_REQUIRED", path=("justification",)
        )
    if resolution is FlagResolution.RETIRED and serves:
        raise StateError(
            f"{flag.model_version} still serves {', '.join(serves)}", code="MODEL_IN_SERVICE", path=("resolution",)
        )


def _check_unresolved(flag: RetrainingFlag) -> None:
    if flag.status is FlagStatus.RESOLVED:
        raise StateError("the flag is RESOLVED already", code="FLAG_WRONG_STATE", path=("flag",))


def check_acknowledgement(flag: RetrainingFlag) -> None:
    """Return when the flag may be acknowledged (again, without effect, when it is already).

    Raises:
        StateError: it is scheduled or resolved already.
    """
    if flag.status not in (FlagStatus.OPEN, FlagStatus.ACKNOWLEDGED):
        raise StateError(f"the flag is {flag.status} already", code="FLAG_WRONG_STATE", path=("flag",))
