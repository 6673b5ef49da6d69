"""What a fact says, and the names that the rules use."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ACCEPTED, UNCHANGED, REFUSED = "accepted", "unchanged", "refused"
ANY = "*"  # a refusal whose code the rules leave open
REASONS = (
    *("JURISDICTION_UNKNOWN", "JURISDICTION_NOT_COVERED", "PLATFORM_NOT_IN_SCOPE"),
    *("PRIVATE_MESSAGE", "NOT_PUBLIC_AT_PUBLICATION", "NOT_PUBLIC_NOW"),
    *("AGE_UNKNOWN", "MINOR_AT_PUBLICATION", "MINOR_NOW"),
    *("NOTICE_NOT_SERVED", "OBJECTION_WINDOW_OPEN", "OBJECTION_PENDING", "OBJECTED"),
    *("CONSENT_MISSING", "CONSENT_WITHDRAWN"),
    *("POST_DELETED", "ERASURE_PENDING", "ERASED"),
    *("THIRD_PARTY_OBJECTED", "THIRD_PARTY_MINOR", "SPECIAL_CATEGORY"),
    *("ASSESSMENT_MISSING", "ASSESSMENT_EXPIRED"),
)
CAUSE_KINDS = (
    *("OBJECTION", "ERASURE", "POST_DELETED", "VISIBILITY_NARROWED", "MINOR"),
    *("CONSENT_WITHDRAWN", "ASSESSMENT_EXPIRED", "THIRD_PARTY_OBJECTED", "VIOLATION"),
)
RELATIONS = ("TRAINED_ON", "DERIVED_MODEL", "SYNTHETIC_DATA")  # the strongest first
RESTRICTIVE = ("PUBLIC", "FRIENDS", "PRIVATE")  # the least restrictive first
CONSENT_ORDER = (
    *("OBJECTED", "OBJECTION_PENDING", "CONSENT_WITHDRAWN", "CONSENT_GIVEN"),
    *("OBJECTION_REFUSED", "OBJECTION_WITHDRAWN", "INFORMED", "UNINFORMED"),
)

Record = Mapping[str, Any]
Step = Record | tuple[str, Record]
VersionId = tuple[str, int]  # dataset, number
NodeId = tuple[Any, ...]  # ("POST", key), ("DATASET_VERSION", dataset, number), ("TRAINING_RUN", key), ...
PathStep = tuple[str, NodeId, NodeId]  # relation, from, to
CauseId = tuple[str, str]  # key of the objection, erasure, post, person, run or policy ("key:version"), cause kind
ReasonCount = tuple[VersionId, str | None, int, tuple[str, ...]]  # version, reason, posts that have it, samples


@dataclass(frozen=True)
class Said:
    """One statement, valid from a time, and when the system learned it."""

    about: str
    value: Any
    valid_from: int
    recorded_at: int


@dataclass(frozen=True)
class Description:
    author: str
    platform: str
    kind: str
    visibility: str
    published_at: int


@dataclass(frozen=True)
class Policy:
    key: str
    version: int
    jurisdiction: str
    purpose: str
    lawful_basis: str
    effective_from: int
    effective_until: int | None
    notice_required: bool
    objection_window_days: int
    platforms: frozenset[str]  # empty: all
    assessment: str | None
    assessment_expires: int | None
    protects_depicted: bool
    flags_past_use: bool
    objection_absolute: bool
    gate_flagged_bases: bool


@dataclass(frozen=True)
class Selection:
    """What a DECLARED version was drawn from; an empty or missing criterion covers everything."""

    jurisdictions: frozenset[str]
    platforms: frozenset[str]
    published_from: int | None
    published_before: int | None

    @property
    def is_empty(self) -> bool:
        begin, end = self.published_from, self.published_before
        return begin is not None and end is not None and begin >= end


@dataclass
class Version:
    id: VersionId
    coverage: str
    registration: tuple[Any, ...]  # the content it was registered with, to recognise a retry
    members: set[str]
    based_on: int | None
    selection: Selection | None
    derived_from: frozenset[VersionId]
    generated_by: frozenset[str]
    sealed_at: int | None  # None: BUILDING
    withdrawn_at: int | None = None


@dataclass
class Run:
    """A run as it stands; what was known of it before is `Reading`."""

    key: str
    inputs: frozenset[VersionId]
    started_from: frozenset[str]
    purpose: str | None
    gated: bool
    status: str
    authorized_at: int | None = None
    started_at: int | None = None
    start_recorded_at: int | None = None
    ended_at: int | None = None
    produced: str | None = None
    produced_recorded_at: int | None = None


@dataclass(frozen=True)
class Reading:
    """A started run as it was known: one that only was authorised, or was cancelled, has read nothing."""

    key: str
    inputs: frozenset[VersionId]
    started_from: frozenset[str]
    purpose: str | None
    gated: bool
    started_at: int
    recorded_at: int
    produced: str | None


@dataclass(frozen=True)
class Filing:
    """What an objection says."""

    user: str
    received_at: int
    purposes: frozenset[str]
    platforms: frozenset[str]
    channel: str | None


@dataclass
class Objection:
    key: str
    filing: Filing
    recorded_at: int
    jurisdiction: str | None  # of the person when it was received, as known when it was recorded
    due_at: int
    decision: Said | None = None  # UPHELD or REFUSED, valid from decidedAt
    withdrawn_at: int | None = None
    extended_to: int | None = None

    @property
    def in_force_from(self) -> int:
        """What is recorded was received, whatever the clock of whoever says when."""
        return min(self.filing.received_at, self.recorded_at)

    @property
    def deadline(self) -> int:
        return self.due_at if self.extended_to is None else self.extended_to


@dataclass
class Erasure:
    key: str
    user: str
    received_at: int
    recorded_at: int
    due_at: int
    confirmed_at: int | None = None
    refusal: Said | None = None  # valid from decidedAt


@dataclass(frozen=True)
class Serving:
    feature: str
    model_version: str
    begins: int
    named: bool  # the caller told since when


@dataclass(frozen=True)
class FrozenCause:
    """A cause that rests on somebody who was erased: as it stood when that was confirmed, for good."""

    posts: frozenset[str]
    due_at: int


@dataclass
class Flag:
    model_version: str
    number: int  # 0: the first of the model version
    raised_at: int
    causes: dict[CauseId, frozenset[str]]  # to the posts that were used under it
    due_at: int
    status: str = "OPEN"
    planned_for: int | None = None
    resolved_at: int | None = None
    resolution: str | None = None
    justification: str | None = None
    replacement: str | None = None

    @property
    def affected_posts(self) -> frozenset[str]:
        return frozenset[str]().union(*self.causes.values())
