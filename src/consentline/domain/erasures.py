"""Erasures (UK GDPR Art. 17, 18, 12): their life, and when they stop a use."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.instants import Instant
from consentline.domain.objections import in_force_from


class ErasureStatus(StrEnum):
    """REQUESTED at intake, then REFUSED, or CONFIRMED and in the end DONE."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    DONE = "DONE"
    REFUSED = "REFUSED"


ERASED = frozenset({ErasureStatus.CONFIRMED, ErasureStatus.DONE})
"""The states in which the person counts as erased, whether or not everything of theirs is gone already."""
STANDING = ERASED | {ErasureStatus.REQUESTED}
"""The states in which an erasure stops use and causes flags."""


@dataclass(frozen=True, slots=True)
class ErasureTransition:
    """The erasure is `status` from `at` on, as known since `recorded_at`; `by` is a role."""

    status: ErasureStatus
    at: Instant
    recorded_at: Instant
    by: str | None = None
    grounds: str | None = None


@dataclass(frozen=True, slots=True)
class ErasureFacts:
    """When an erasure was received and what became of it, unfiltered by any time."""

    received_at: Instant
    recorded_at: Instant
    transitions: tuple[ErasureTransition, ...] = ()

    @property
    def in_force_from(self) -> Instant:
        """Since when it stops use: see `objections.in_force_from`."""
        return in_force_from(self.received_at, self.recorded_at)

    def status_at(self, at: Instant, known_at: Instant) -> ErasureStatus | None:
        """The state at `at` as known at `known_at`; None before it was in force (or recorded)."""
        if self.recorded_at > known_at or self.in_force_from > at:
            return None
        status = ErasureStatus.REQUESTED
        for transition in sorted(self.transitions, key=lambda each: (each.at, each.recorded_at)):
            if transition.recorded_at <= known_at and transition.at <= at:
                status = transition.status
        return status


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it stands; `user` is the person's key."""

    key: str
    user: str
    status: ErasureStatus
    received_at: Instant
    recorded_at: Instant
    due_at: Instant
    history: Sequence[ErasureTransition] = ()

    @property
    def in_force_from(self) -> Instant:
        """Since when it stops use: see `objections.in_force_from`."""
        return in_force_from(self.received_at, self.recorded_at)

    def overdue(self, now: Instant) -> bool:
        """Whether the deadline passed before the person was answered, or before everything was erased."""
        return self.status in (ErasureStatus.REQUESTED, ErasureStatus.CONFIRMED) and now > self.due_at
