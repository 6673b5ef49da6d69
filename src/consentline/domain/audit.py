"""Audit entries: who did what to whose record, with what outcome. They name nobody: keys stand in them as digests."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, cast

from consentline.domain.datasets import DatasetVersion
from consentline.domain.erasures import Erasure
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection
from consentline.domain.pseudonyms import Pseudonyms, is_digest
from consentline.domain.recipients import Recipient
from consentline.domain.training import ModelVersion, TrainingRun
from consentline.domain.webhooks import Delivery, Webhook

MOST_SUBJECTS = 500
"""How many subjects an entry lists; `subject_count` says how many there were."""

ACCEPTED = "ACCEPTED"
"""A change was made, or stood already: a repeat."""
READ = "READ"
"""Records of people left in an answer."""
STARTED = "STARTED"
"""What takes long began; an entry of the same operation and request tells how it ended."""

OPERATOR = "operator"
"""The role in entries of whoever works at a shell with the database's password; no token has it."""

_MOST_SKEW = 5 * 60 * 1_000_000


class SubjectKind(StrEnum):
    """What an entry can be about; the value is the label under which keys are digested."""

    USER = "User"
    POST = "Post"
    OBJECTION = "Objection"
    ERASURE = "Erasure"
    DATASET = "Dataset"
    DATASET_VERSION = "DatasetVersion"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    FEATURE = "Feature"
    RETRAINING_FLAG = "RetrainingFlag"
    POLICY = "Policy"
    WEBHOOK = "Webhook"
    DELIVERY = "Delivery"
    RECIPIENT = "Recipient"


class Subject(NamedTuple):
    """What an entry is about, by its natural key: never stored so."""

    kind: SubjectKind
    key: str


_BY_KEY = {
    TrainingRun: SubjectKind.TRAINING_RUN,
    ModelVersion: SubjectKind.MODEL_VERSION,
    Webhook: SubjectKind.WEBHOOK,
}


def subjects_of(value: object) -> tuple[Subject, ...]:
    """What a use case's answer is about; the person first where there is one."""
    match value:
        case Objection():
            return Subject(SubjectKind.USER, value.user), Subject(SubjectKind.OBJECTION, value.key)
        case Erasure():
            return Subject(SubjectKind.USER, value.user), Subject(SubjectKind.ERASURE, value.key)
        case DatasetVersion():
            return Subject(SubjectKind.DATASET, value.dataset), Subject(SubjectKind.DATASET_VERSION, str(value.ref))
        case TrainingRun() | ModelVersion() | Webhook():
            return (Subject(_BY_KEY[type(value)], value.key),)
        case Delivery():
            return (Subject(SubjectKind.DELIVERY, value.id),)
        case Recipient():
            return Subject(SubjectKind.RECIPIENT, value.key), Subject(SubjectKind.DATASET, value.dataset)
        case RetrainingFlag():
            flagged = Subject(SubjectKind.MODEL_VERSION, value.model_version)
            return Subject(SubjectKind.RETRAINING_FLAG, value.uid), flagged
        case tuple():
            parts = cast("tuple[object, ...]", value)
            return tuple(subject for each in parts for subject in subjects_of(each))
        case _:
            return ()


def possible_subjects(key: str) -> tuple[Subject, ...]:
    """Everything that a natural key of unknown kind may name."""
    return tuple(Subject(kind, key) for kind in SubjectKind)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks, and in which request; `role` is a token's, or OPERATOR."""

    role: str
    token_id: str
    request_id: str


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """What is recorded for ever of one operation.

    `uid` is its process's name and a number that counts up from 1, so that an entry taken out leaves a gap. `at` is the
    database's time of writing; `clock` that of the process, which the seal covers. `counts` and `digest` are of what
    was loaded or exported: its records, and the SHA-256 of its bytes.
    """

    uid: str
    actor: Actor
    operation: str
    outcome: str
    subjects: tuple[str, ...]
    subject_count: int
    clock: Instant
    counts: tuple[tuple[str, int], ...] = ()
    digest: str | None = None
    at: Instant = 0
    seal: str = ""

    @property
    def terms(self) -> list[str]:
        """By what it is found: its operations and its subjects."""
        return [*self.operation.split(","), *self.subjects]

    def sealed(self, pseudonyms: Pseudonyms) -> "AuditEntry":
        """The entry with its seal: a keyed digest of everything but `at`."""
        return replace(self, seal=pseudonyms.of("AuditEntry", self._text()))

    def intact(self, pseudonyms: Pseudonyms) -> bool:
        """Whether nothing of it was changed since it was written: `at` by no more than clocks may differ."""
        return self.in_time and self.is_sealed(pseudonyms)

    def is_sealed(self, pseudonyms: Pseudonyms) -> bool:
        """Whether everything but `at` is as it was written."""
        return self.seal == pseudonyms.of("AuditEntry", self._text())

    @property
    def in_time(self) -> bool:
        """Whether the clocks of its process and of the database agree; not where one was set, or `at` was changed."""
        return abs(self.at - self.clock) <= _MOST_SKEW

    def _text(self) -> str:
        actor = self.actor
        said = [self.uid, actor.role, actor.token_id, actor.request_id, self.operation, self.outcome, self.subjects]
        return json.dumps([*said, self.subject_count, self.clock, self.counts, self.digest])


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are wanted: those that fit everything that is given, written in the time that is given."""

    operation: str | None = None
    role: str | None = None
    token_id: str | None = None
    outcome: str | None = None
    subject: str | None = None
    since: Instant | None = None
    """Written then or later."""
    until: Instant | None = None
    """Written before then."""

    def given(self) -> tuple[str | int | None, ...]:
        """What tells this filter from others."""
        return self.operation, self.role, self.token_id, self.outcome, self.subject, self.since, self.until


class Verification:
    """What is wrong with the entries that were looked at: changed ones, and numbers that no entry has.

    `apart` are entries that are sealed and whose two times are not the same: a clock was off, or `at` was changed.

    A number is missing where an entry was taken out, or could not be written, which the log of its process tells; what
    was taken out after a process's last entry is not seen.
    """

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self.entries = 0
        self.changed: list[str] = []
        self.apart: list[str] = []
        self._pseudonyms = pseudonyms
        self._last: dict[str, int] = {}
        self._found: Counter[str] = Counter()

    def add(self, entry: AuditEntry, *, findable: bool) -> None:
        """Look at an entry, in any order; `findable` when all terms lead to it."""
        self.entries += 1
        process, _, number = entry.uid.rpartition("-")
        if not (findable and number.isdigit() and entry.is_sealed(self._pseudonyms)):
            self.changed.append(entry.uid)
        elif not entry.in_time:
            self.apart.append(entry.uid)
        if number.isdigit():
            self._found[process] += 1
            self._last[process] = max(self._last.get(process, 0), int(number))

    @property
    def processes(self) -> int:
        """How many processes wrote entries."""
        return len(self._last)

    @property
    def missing(self) -> dict[str, int]:
        """How many numbers no entry has, by the process whose they are."""
        gaps = {process: last - self._found[process] for process, last in sorted(self._last.items())}
        return {process: gap for process, gap in gaps.items() if gap}


def digests_of(subjects: Iterable[Subject], pseudonyms: Pseudonyms) -> list[str]:
    """The digests under which subjects stand in entries; who is erased stands under theirs already."""
    return [key if is_digest(key) else pseudonyms.of(kind, key) for kind, key in subjects]
