"""The audit: every change with its outcome, every reading of people's records, in entries that are only ever added.

The entry of a change is written in the transaction that makes it, by `decide`. Which change is being asked for is
`entering`'s to say, around the use case: a context variable carries it, so that a use case need not know who asks, and
a transaction that is repeated writes its entry again with it. What was refused, failed or stood already has an entry of
its own, written by `entering` when the use case has ended.
"""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar

from consentline.domain.audit import (
    ACCEPTED,
    MOST_SUBJECTS,
    OPERATOR,
    STARTED,
    Actor,
    AuditEntry,
    AuditFilter,
    Subject,
    Verification,
    digests_of,
    possible_subjects,
    subjects_of,
)
from consentline.domain.errors import AuditUnavailableError, ConsentlineError, DatabaseUnavailableError
from consentline.domain.paging import Page, PageRequest
from consentline.graph import audit
from consentline.graph.session import Tx
from consentline.usecases.service import Service

T = TypeVar("T")
_AT_ONCE = 1000
_LOG = logging.getLogger("consentline.audit")


@dataclass(slots=True)
class Waiting:
    """The entry of a change under way; `written` once the change is committed, and the entry with it."""

    service: Service
    uid: str
    actor: Actor
    operation: str
    subjects: list[Subject]
    outcome: str = ACCEPTED
    written: bool = False

    def entry(self, outcome: str, more: Iterable[Subject] = ()) -> AuditEntry:
        """The entry as it is to be written."""
        subjects = [*self.subjects, *more]
        return new_entry(self.service, self.actor, self.operation, outcome, subjects, uid=self.uid)


_WAITING: ContextVar[Waiting | None] = ContextVar("waiting", default=None)


@asynccontextmanager
async def entering(
    service: Service, actor: Actor, operation: str, subjects: Iterable[Subject] = ()
) -> AsyncGenerator[Waiting]:
    """Enter what the block does, exactly once; `outcome` is set by the block where a refusal is no error.

    Raises:
        AuditUnavailableError: a refusal, or a change that stood already, cannot be entered. Of what failed because the
            database is away nothing can be: the log tells of it.
    """
    waiting = Waiting(service, service.ledger.next_uid(), actor, operation, list(subjects))
    token = _WAITING.set(waiting)
    try:
        yield waiting
    except (DatabaseUnavailableError, AuditUnavailableError) as error:
        await _enter_failure(waiting, error.code)
        raise
    except ConsentlineError as error:
        waiting.outcome = error.code
        await _end(waiting)
        raise
    except Exception:
        await _enter_failure(waiting, "INTERNAL")
        raise
    else:
        await _end(waiting)
    finally:
        _WAITING.reset(token)


async def _end(waiting: Waiting) -> None:
    if not waiting.written:
        await write(waiting.service, [waiting.entry(waiting.outcome)])


async def _enter_failure(waiting: Waiting, code: str) -> None:
    """Enter a failure, unless the change was committed before, whether we heard of that or not."""
    waiting.outcome = code
    # Where that fails it is logged; what failed before has an error of its own.
    with suppress(AuditUnavailableError):
        await _end(waiting)


def accepted(_value: object) -> str:
    """The outcome of a transaction whose every answer is that what was asked for is so."""
    return ACCEPTED


async def decide(
    service: Service, work: Callable[[Tx], Awaitable[T]], outcome: Callable[[T], str | None] = accepted
) -> T:
    """Run `work` in the one transaction by which what was asked for is done, or refused for good, with its audit entry.

    `outcome` tells from what `work` answers what the entry says; None when this transaction decided nothing. Where
    nobody's request is being entered (a batch of records, what is resumed) it is a plain transaction.

    Raises:
        AuditUnavailableError: the entry cannot be written; nothing was changed.
        DatabaseUnavailableError: as for every transaction.
    """
    waiting = _WAITING.get()
    if waiting is None:
        return await service.graph.write(work)

    async def in_transaction(tx: Tx) -> T:
        value = await work(tx)
        code = outcome(value)
        if code is not None:
            await audit.append(tx, [waiting.entry(code, subjects_of(value))])
        return value

    value = await service.graph.write(in_transaction)
    if outcome(value) is not None:
        waiting.written = True
        waiting.subjects += subjects_of(value)
    return value


def asked() -> Waiting | None:
    """The entry of the change that is being asked for here, to be written elsewhere; None where nobody's is."""
    return _WAITING.get()


def entries_of(asked_for: Sequence[Waiting | None], answers: Sequence[object]) -> list[AuditEntry]:
    """The entries of what is done together, to be written with it; an answer that is an exception has none here."""
    return [waiting.entry(ACCEPTED, subjects_of(answer)) for waiting, answer in _done(asked_for, answers)]


def mark_written(asked_for: Sequence[Waiting | None], answers: Sequence[object]) -> None:
    """What was done together is committed, and the entries with it."""
    for waiting, answer in _done(asked_for, answers):
        waiting.written = True
        waiting.subjects += subjects_of(answer)


def _done(asked_for: Sequence[Waiting | None], answers: Sequence[object]) -> list[tuple[Waiting, object]]:
    pairs = zip(asked_for, answers, strict=True)
    return [(each, answer) for each, answer in pairs if each is not None and not isinstance(answer, Exception)]


async def decide_together(
    service: Service, work: Callable[[Tx], Awaitable[Sequence[T]]], asked_for: Sequence[Waiting | None]
) -> Sequence[T]:
    """Run `work` in the one transaction by which several things that were asked for are done, with their entries.

    It answers each of them, in their order; an answer that is an exception refuses that one only.

    Raises:
        AuditUnavailableError: an entry cannot be written; nothing was changed.
        DatabaseUnavailableError: as for every transaction.
    """

    async def in_transaction(tx: Tx) -> Sequence[T]:
        answers = await work(tx)
        if entries := entries_of(asked_for, answers):
            await audit.append(tx, entries)
        return answers

    answers = await service.graph.write(in_transaction)
    mark_written(asked_for, answers)
    return answers


@dataclass(slots=True)
class Lasting:
    """What the block of `lasting` tells the entry of its end."""

    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    digest: str | None = None


@asynccontextmanager
async def lasting(
    service: Service, actor: Actor, operation: str, subjects: Sequence[Subject] = (), outcome: str = ACCEPTED
) -> AsyncGenerator[Lasting]:
    """Enter a load or an export when it begins, so that it does not begin unentered, and when it has ended.

    Cut off in the middle it has no second entry.

    Raises:
        AuditUnavailableError: one of the two is not written.
        DatabaseUnavailableError: the database is away.
    """
    try:
        await enter(service, actor, operation, STARTED, subjects)
    except AuditUnavailableError as error:
        if isinstance(error.__cause__, DatabaseUnavailableError):
            # Nothing can be done at all: there is no need to speak of the audit.
            raise error.__cause__ from None
        raise
    told = Lasting()
    try:
        yield told
    except ConsentlineError as error:
        # Where that fails it is logged; what failed before has an error of its own.
        with suppress(AuditUnavailableError):
            await enter(service, actor, operation, error.code, subjects, told.counts)
        raise
    await enter(service, actor, operation, outcome, subjects, told.counts, told.digest)


def operator() -> Actor:
    """Whoever works at a shell, with a request id for one command."""
    return Actor(OPERATOR, "cli", secrets.token_hex(8))


async def enter(
    service: Service,
    actor: Actor,
    operation: str,
    outcome: str,
    subjects: Iterable[Subject] = (),
    counts: Mapping[str, int] | None = None,
    digest: str | None = None,
) -> None:
    """Write one entry in a transaction of its own.

    Raises:
        AuditUnavailableError: it is not written.
    """
    await write(service, [new_entry(service, actor, operation, outcome, subjects, counts, digest)])


async def verify(service: Service, report: Callable[[int], None] | None = None) -> Verification:
    """Look at every entry, from the newest back; `report` is told how many were looked at so far.

    Entries that are written meanwhile are not looked at, and a number that is on its way may count as missing.
    """
    verification, request = Verification(service.pseudonyms), PageRequest(_AT_ONCE)
    while True:
        page, lost = await service.graph.read(lambda tx, request=request: _looked_at(tx, request))
        for entry in page.items:
            verification.add(entry, findable=entry.uid not in lost)
        if report is not None:
            report(verification.entries)
        if not page.has_next:
            return verification
        request = PageRequest(_AT_ONCE, page.positions[-1])


async def _looked_at(tx: Tx, request: PageRequest) -> tuple[Page[AuditEntry], set[str]]:
    page = await audit.page(tx, AuditFilter(), (), request)
    return page, await audit.lost(tx, page.items)


async def write(service: Service, entries: Sequence[AuditEntry]) -> None:
    """Write entries in one transaction of their own, with one statement.

    Raises:
        AuditUnavailableError: none of them is written; the log names them.
    """
    try:
        await audit.enter(service.graph, entries)
    except (AuditUnavailableError, DatabaseUnavailableError) as error:
        for entry in entries:
            _LOG.error("the audit entry %s of %s (%s) cannot be written", entry.uid, entry.operation, entry.outcome)
        raise AuditUnavailableError from error


def new_entry(
    service: Service,
    actor: Actor,
    operation: str,
    outcome: str,
    subjects: Iterable[Subject] = (),
    counts: Mapping[str, int] | None = None,
    digest: str | None = None,
    uid: str | None = None,
) -> AuditEntry:
    """An entry, sealed; what it is about once each, and only so many of them listed."""
    distinct = list(dict.fromkeys(subjects))
    return AuditEntry(
        uid=uid or service.ledger.next_uid(),
        actor=actor,
        operation=operation,
        outcome=outcome,
        subjects=tuple(digests_of(distinct[:MOST_SUBJECTS], service.pseudonyms)),
        subject_count=len(distinct),
        clock=time.time_ns() // 1000,
        counts=tuple((counts or {}).items()),
        digest=digest,
    ).sealed(service.pseudonyms)


async def list_entries(service: Service, wanted: AuditFilter, request: PageRequest) -> Page[AuditEntry]:
    """Entries that fit the filter, the newest first; its subject is searched for as whatever the key may name."""
    subjects = () if wanted.subject is None else possible_subjects(wanted.subject)
    digests = digests_of(subjects, service.pseudonyms)
    return await service.graph.read(lambda tx: audit.page(tx, wanted, digests, request))
