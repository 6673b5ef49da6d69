"""Objections (UK GDPR Art. 21, 18, 12): their life, their scope, and when they stop a use."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.codes import check_platform, check_purpose
from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import DAY, Instant


class ObjectionStatus(StrEnum):
    """PENDING at intake, then exactly one of the others."""

    PENDING = "PENDING"
    UPHELD = "UPHELD"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


STOPPING = frozenset({ObjectionStatus.PENDING, ObjectionStatus.UPHELD})
"""The states in which an objection stops use and causes flags."""


def in_force_from(received_at: Instant, recorded_at: Instant) -> Instant:
    """Since when an objection stops use: its receipt, or its recording where our clock says that this came first.

    What is recorded has reached us, whatever the clock of whoever says when (Art. 21(1), 18(1)(d)).
    """
    return min(received_at, recorded_at)


@dataclass(frozen=True, slots=True)
class Transition:
    """The objection is `status` from `at` on, as known since `recorded_at`."""

    status: ObjectionStatus
    at: Instant
    recorded_at: Instant
    grounds: str | None = None


class ObjectionEventKind(StrEnum):
    """What can happen to an objection."""

    FILED = "FILED"
    EXTENDED = "EXTENDED"
    UPHELD = "UPHELD"
    REFUSED = "REFUSED"
    WITHDRAWN = "WITHDRAWN"


BY_RECORD = "record"
"""Who filed an objection that was loaded from a record; otherwise it is a role."""


@dataclass(frozen=True, slots=True)
class ObjectionEvent:
    """What happened to an objection, valid from `at`; `by` is None where that was not kept.

    `reason` holds the grounds of a decision, or why more time was needed.
    """

    kind: ObjectionEventKind
    at: Instant
    recorded_at: Instant
    by: str | None
    reason: str | None = None


class ObjectionOrder(StrEnum):
    """What a list of objections is sorted by."""

    RECEIVED = "RECEIVED"
    URGENCY = "URGENCY"


@dataclass(frozen=True, slots=True)
class ObjectionFacts:
    """What an objection covers and what became of it, unfiltered by any time."""

    key: str
    purposes: tuple[str, ...]
    platforms: tuple[str, ...]
    received_at: Instant
    recorded_at: Instant
    transitions: tuple[Transition, ...] = ()

    def covers(self, purpose: str, platform: str) -> bool:
        """Whether a use of a post on `platform` for `purpose` is in scope; no platform named means all."""
        return purpose in self.purposes and self.covers_platform(platform)

    def covers_platform(self, platform: str) -> bool:
        """Whether posts on `platform` are in scope; no platform named means all."""
        return not self.platforms or platform in self.platforms

    @property
    def in_force_from(self) -> Instant:
        """Since when it stops use: see `in_force_from`."""
        return in_force_from(self.received_at, self.recorded_at)

    def status_at(self, at: Instant, known_at: Instant) -> ObjectionStatus | None:
        """The state at `at` as known at `known_at`; None before it was in force (or recorded)."""
        if self.recorded_at > known_at or self.in_force_from > at:
            return None
        status = ObjectionStatus.PENDING
        for transition in sorted(self.transitions, key=lambda each: (each.at, each.recorded_at)):
            if transition.recorded_at <= known_at and transition.at <= at:
                status = transition.status
        return status


@dataclass(frozen=True, slots=True)
class Objection:
    """An objection as it stands; `user` is the person's key.

    `affected` counts the posts in its scope as they were when the person was erased; None for others.
    """

    key: str
    user: str
    status: ObjectionStatus
    purposes: tuple[str, ...]
    platforms: tuple[str, ...]
    channel: str | None
    received_at: Instant
    recorded_at: Instant
    due_at: Instant
    extended_to: Instant | None
    decided_at: Instant | None
    grounds: str | None
    history: tuple[ObjectionEvent, ...] = ()
    affected: int | None = None

    @property
    def in_force_from(self) -> Instant:
        """Since when it stops use: see `in_force_from`."""
        return in_force_from(self.received_at, self.recorded_at)

    @property
    def deadline(self) -> Instant:
        """The last instant at which an answer is in time: the end of the statutory period, with its extension."""
        return self.due_at if self.extended_to is None else self.extended_to

    def overdue(self, now: Instant) -> bool:
        """Whether the deadline passed with the objection still undecided."""
        return self.status is ObjectionStatus.PENDING and now > self.deadline


def check_scope(purposes: tuple[str, ...], platforms: tuple[str, ...]) -> None:
    """Return when these can be what an objection concerns; no platform named means all.

    Raises:
        InvalidInputError: no purpose, or what is no code and would match nothing.
    """
    if not purposes:
        raise InvalidInputError("an objection names at least one purpose", code="PURPOSE_REQUIRED", path=("purposes",))
    for purpose in purposes:
        check_purpose(purpose, "purposes")
    for platform in platforms:
        check_platform(platform, "platforms")


def check_receipt(received_at: Instant, now: Instant) -> None:
    """Return when an objection can have been received then: not more than 24 hours ahead of our clock.

    Raises:
        InvalidInputError: TIME_IN_FUTURE.
    """
    if received_at > now + DAY:
        raise InvalidInputError("receivedAt lies more than 24 hours ahead", code="TIME_IN_FUTURE", path=("receivedAt",))


def check_decision(
    objection: Objection, *, uphold: bool, grounds: str | None, decided_at: Instant, now: Instant, absolute: bool
) -> None:
    """Return when the objection may be decided so.

    Raises:
        StateError: decided or withdrawn already; the message names the state. Or the policy makes the right absolute
            and it was to be refused (Art. 21(3)).
        InvalidInputError: a refusal without grounds (Art. 12(4)), or told before receipt or after now.
    """
    if objection.status is not ObjectionStatus.PENDING:
        raise StateError(
            f"the objection is {objection.status} already", code="OBJECTION_ALREADY_DECIDED", path=("key",)
        )
    if not uphold and not (grounds and grounds.strip()):
        raise InvalidInputError("a refusal states its grounds", code="GROUNDS_REQUIRED", path=("grounds",))
    if not uphold and absolute:
        raise StateError(
            "the policy in force gives an absolute right to object; it cannot be refused (Art. 21(3))",
            code="OBJECTION_ABSOLUTE",
            path=("uphold",),
        )
    if not objection.received_at <= decided_at <= now:
        raise InvalidInputError(
            "decidedAt is when the person was told: between receivedAt and now",
            code="DECIDED_AT_OUT_OF_RANGE",
            path=("decidedAt",),
        )


def check_extension(objection: Objection, *, reason: str, now: Instant) -> None:
    """Return when the period may be extended: once, with a reason, before the first deadline (Art. 12(3)).

    Raises:
        StateError: it is not PENDING, was extended before, or its deadline has passed.
        InvalidInputError: no reason.
    """
    if not reason.strip():
        raise InvalidInputError("an extension states its reason", code="REASON_REQUIRED", path=("reason",))
    if objection.status is not ObjectionStatus.PENDING:
        raise StateError(
            f"the objection is {objection.status} already", code="OBJECTION_ALREADY_DECIDED", path=("key",)
        )
    if objection.extended_to is not None:
        raise StateError("the period was extended before", code="OBJECTION_ALREADY_EXTENDED", path=("key",))
    if now > objection.due_at:
        raise StateError("the first deadline has passed", code="DEADLINE_PASSED", path=("key",))


def check_order(status: ObjectionStatus | None, order: ObjectionOrder) -> None:
    """Return when objections of this status (None: any that the order knows) can be listed in this order.

    Raises:
        InvalidInputError: by urgency, and the status is one that has no deadline any more.
    """
    if order is ObjectionOrder.URGENCY and status not in (None, ObjectionStatus.PENDING):
        raise InvalidInputError(
            f"only PENDING objections have a deadline to be ordered by, not those that are {status}",
            code="ORDER_NEEDS_PENDING",
            path=("orderBy",),
        )


def check_withdrawal(objection: Objection) -> None:
    """Return when the person may take the objection back: while it is undecided.

    Raises:
        StateError: it was decided, or withdrawn before; the message names the state.
    """
    if objection.status is not ObjectionStatus.PENDING:
        raise StateError(
            f"the objection is {objection.status} already", code="OBJECTION_ALREADY_DECIDED", path=("key",)
        )
