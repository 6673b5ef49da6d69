"""Erasures (UK GDPR Art. 17, 18, 12): their life, and when they stop a use."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import Instant
from consentline.domain.objections import in_force_from


class ErasureStatus(StrEnum):
    """REQUESTED at intake, then REFUSED, or CONFIRMED and in the end DONE."""

    REQUESTED = "REQUESTED"
    CONFIRMED = "CONFIRMED"
    DONE = "DONE"
    REFUSED = "REFUSED"


class ErasureLimit(StrEnum):
    """Where the system cannot erase, in the order in which answers list them."""

    MODEL_WEIGHTS = "MODEL_WEIGHTS"
    COPIES = "COPIES"
    BACKUPS = "BACKUPS"
    DATABASE_FILES = "DATABASE_FILES"


ERASED = frozenset({ErasureStatus.CONFIRMED, ErasureStatus.DONE})
"""The states in which the person counts as erased, whether or not everything of theirs is gone already."""


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
class Erased:
    """What was erased so far, counted by kind; `depicting` posts of others stay, and stay out of use.

    `posts` had their keys replaced by digests and lost everything else, of that `changes` of visibility, deletions and
    other changes, and `depictions` of people. Of the person: `facts` (where they live, from when they are adult),
    `states` of consent given and withdrawn, `notices` served, and the texts of `objections`.
    """

    posts: int = 0
    changes: int = 0
    depictions: int = 0
    facts: int = 0
    states: int = 0
    notices: int = 0
    objections: int = 0
    depicting: int = 0


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure as it stands; `user` is the person's key, and the digest that stands for it once they are erased.

    `affected` counts the posts that it concerns as they were when it was confirmed; None before.
    """

    key: str
    user: str
    status: ErasureStatus
    received_at: Instant
    recorded_at: Instant
    due_at: Instant
    history: tuple[ErasureTransition, ...] = ()
    affected: int | None = None
    erased: Erased = Erased()

    @property
    def in_force_from(self) -> Instant:
        """Since when it stops use: see `objections.in_force_from`."""
        return in_force_from(self.received_at, self.recorded_at)

    def overdue(self, now: Instant) -> bool:
        """Whether the deadline passed before the person was answered, or before everything was erased."""
        return self.status in (ErasureStatus.REQUESTED, ErasureStatus.CONFIRMED) and now > self.due_at

    def since(self, status: ErasureStatus) -> Instant | None:
        """When it reached a state; None when it never did."""
        return next((each.at for each in self.history if each.status is status), None)

    @property
    def grounds(self) -> str | None:
        """Why it was refused."""
        return next((each.grounds for each in self.history if each.status is ErasureStatus.REFUSED), None)


def check_confirmation(erasure: Erasure) -> None:
    """Return when the person may be erased, or was.

    Raises:
        StateError: it was refused.
    """
    if erasure.status is ErasureStatus.REFUSED:
        raise StateError("the erasure is REFUSED already", code="ERASURE_WRONG_STATE", path=("key",))


def check_rejection(erasure: Erasure, *, grounds: str, decided_at: Instant, now: Instant) -> None:
    """Return when the erasure may be refused so: with grounds, before it is carried out (Art. 12(4), 17(3)).

    Raises:
        InvalidInputError: no grounds, or told before receipt or after now.
        StateError: it was confirmed or refused already; the message names the state.
    """
    if not grounds.strip():
        raise InvalidInputError("a refusal states its grounds", code="GROUNDS_REQUIRED", path=("grounds",))
    if erasure.status is not ErasureStatus.REQUESTED:
        raise StateError(f"the erasure is {erasure.status} already", code="ERASURE_WRONG_STATE", path=("key",))
    if not erasure.received_at <= decided_at <= now:
        raise InvalidInputError(
            "decidedAt is when the person was told: between receivedAt and now",
            code="DECIDED_AT_OUT_OF_RANGE",
            path=("decidedAt",),
        )
