"""What the outbox tells of: retraining flags, objections and erasures, each event once and in one order.

An event holds no key of a person, a post or an objection: it points to what it tells of. What of it may be told to whom
is decided when it is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from consentline.domain.access import Action
from consentline.domain.erasures import Erasure, ErasureStatus
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection, ObjectionEventKind

Details: TypeAlias = Mapping[str, str | int | None]
"""How what the event tells of stood then; instants as they are stored."""


class EventKind(StrEnum):
    """What happened; the value is the `type` of a webhook's payload."""

    FLAG_RAISED = "retraining_flag.raised"
    FLAG_JOINED = "retraining_flag.joined"
    FLAG_CHANGED = "retraining_flag.changed"
    FLAG_ACKNOWLEDGED = "retraining_flag.acknowledged"
    FLAG_SCHEDULED = "retraining_flag.scheduled"
    FLAG_RESOLVED = "retraining_flag.resolved"
    OBJECTION_FILED = "objection.filed"
    OBJECTION_EXTENDED = "objection.extended"
    OBJECTION_UPHELD = "objection.upheld"
    OBJECTION_REFUSED = "objection.refused"
    OBJECTION_WITHDRAWN = "objection.withdrawn"
    ERASURE_REQUESTED = "erasure.requested"
    ERASURE_REFUSED = "erasure.refused"
    ERASURE_CONFIRMED = "erasure.confirmed"
    ERASURE_DONE = "erasure.done"
    DATA_RESTRICTED = "data.restricted"
    DATA_RELEASED = "data.released"
    DATA_ERASED = "data.erased"


OF_FLAGS = frozenset(kind for kind in EventKind if kind.value.startswith("retraining_flag."))
OF_OBJECTIONS = frozenset(kind for kind in EventKind if kind.value.startswith("objection."))
OF_ERASURES = frozenset(kind for kind in EventKind if kind.value.startswith("erasure."))


OF_DATA = frozenset(kind for kind in EventKind if kind.value.startswith("data."))
"""Notices to recipients of datasets: each goes to the webhook of its recipient, and to no other."""


def needed_for(kind: EventKind) -> Action:
    """What a role must be allowed, to be told of events of the kind."""
    return Action.READ_LINEAGE if kind in OF_FLAGS | OF_DATA else Action.READ_PEOPLE


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to be written: events of one lane are told to a subscriber one after the other.

    `lane` is kept as it is, so it names a model version or is a digest; `objection` and `erasure` only say where the
    event points. `webhook` is the key of the only one that is told, of a notice to a recipient.
    """

    kind: EventKind
    lane: str
    details: Details = field(default_factory=dict[str, str | int | None])
    model: str | None = None
    flag: str | None = None
    objection: str | None = None
    erasure: str | None = None
    webhook: str | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """An event as it is recorded, with the key of the objection or erasure that it tells of."""

    id: str
    position: int
    kind: EventKind
    at: Instant
    lane: str
    details: Details
    model: str | None = None
    flag: str | None = None
    objection: str | None = None
    erasure: str | None = None
    webhook: str | None = None


def flag_event(kind: EventKind, flag: RetrainingFlag) -> NewEvent:
    """What happened to a flag, that now stands so."""
    details = {
        "status": flag.status.value,
        "resolution": None if flag.resolution is None else flag.resolution.value,
        "raisedAt": flag.raised_at,
        "dueAt": flag.due_at,
        "plannedFor": flag.planned_for,
        "replacement": flag.replacement,
    }
    return NewEvent(kind, f"model:{flag.model_version}", details, model=flag.model_version, flag=flag.uid)


def settled_kind(flag: RetrainingFlag, joined_at: Instant | None, now: Instant) -> EventKind:
    """What the settling of causes at `now` meant for a flag that it changed and that now stands so."""
    if flag.resolution is not None:
        return EventKind.FLAG_RESOLVED
    if flag.raised_at == now:
        return EventKind.FLAG_RAISED
    return EventKind.FLAG_JOINED if joined_at == now else EventKind.FLAG_CHANGED


_OF_OBJECTION = {
    ObjectionEventKind.FILED: EventKind.OBJECTION_FILED,
    ObjectionEventKind.EXTENDED: EventKind.OBJECTION_EXTENDED,
    ObjectionEventKind.UPHELD: EventKind.OBJECTION_UPHELD,
    ObjectionEventKind.REFUSED: EventKind.OBJECTION_REFUSED,
    ObjectionEventKind.WITHDRAWN: EventKind.OBJECTION_WITHDRAWN,
}


def objection_event(kind: ObjectionEventKind, objection: Objection, digest: str) -> NewEvent:
    """What happened to an objection, that now stands so; the digest stands for its key."""
    details = {
        "status": objection.status.value,
        "receivedAt": objection.received_at,
        "dueAt": objection.deadline,
        "decidedAt": objection.decided_at,
    }
    return NewEvent(_OF_OBJECTION[kind], digest, details, objection=objection.key)


_OF_ERASURE = {
    ErasureStatus.REQUESTED: EventKind.ERASURE_REQUESTED,
    ErasureStatus.REFUSED: EventKind.ERASURE_REFUSED,
    ErasureStatus.CONFIRMED: EventKind.ERASURE_CONFIRMED,
    ErasureStatus.DONE: EventKind.ERASURE_DONE,
}


def erasure_event(erasure: Erasure, digest: str) -> NewEvent:
    """What happened to an erasure, that now stands so; the digest stands for its key."""
    details = {"status": erasure.status.value, "receivedAt": erasure.received_at, "dueAt": erasure.due_at}
    return NewEvent(_OF_ERASURE[erasure.status], digest, details, erasure=erasure.key)
