"""Recording one batch of facts of one kind: one transaction, one outcome for each record.

Records of a batch that concern the same key count as recorded one after the other, in their order. Everything is
decided inside the transaction, under its locks, so that it can be repeated as a whole and so that two processes that
load the same file leave one graph.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import RefusedError
from consentline.domain.instants import from_datetime
from consentline.domain.objections import BY_RECORD
from consentline.domain.records import (
    AuthorCorrection,
    ConsentSaid,
    Deletion,
    Member,
    MemberRemoved,
    NoticeServed,
    NoticeText,
    ObjectionFiled,
    PolicyVersion,
    Post,
    Seal,
    User,
    VisibilityChange,
)
from consentline.graph.facts import RacedError, UnlockedPeopleError
from consentline.graph.session import Tx
from consentline.graph.suppression import SuppressedError
from consentline.usecases import facts_people, facts_posts, facts_rules, violations
from consentline.usecases.members import Outcome, add_members, remove_members, seal_version
from consentline.usecases.objections import FileObjection, file_objection
from consentline.usecases.rejudging import BatchTooLargeError
from consentline.usecases.service import Service
from consentline.usecases.suppression import Erased, busy
from consentline.usecases.sweep import judge_members

__all__ = ["Batch", "Outcome", "record"]

Batch: TypeAlias = (
    Sequence[Post]
    | Sequence[User]
    | Sequence[VisibilityChange | Deletion]
    | Sequence[AuthorCorrection]
    | Sequence[PolicyVersion]
    | Sequence[NoticeText]
    | Sequence[NoticeServed]
    | Sequence[ConsentSaid]
    | Sequence[ObjectionFiled]
    | Sequence[Member]
    | Sequence[MemberRemoved]
    | Sequence[Seal]
)
"""Records of one kind (visibility changes and deletions count as one), at least one."""

_MOST_REPETITIONS = 20


async def record(service: Service, batch: Batch, *, unseen: bool = False) -> list[Outcome]:
    """Record the batch and answer for each record, in order: True (written), False (unchanged) or why it is refused.

    A batch that concerns very many members is recorded in halves, each a transaction of its own. `unseen` expects that
    no post of the batch is recorded yet, and is quicker where that is so; the outcomes are the same.

    Raises:
        DatabaseUnavailableError: nothing of the batch was written (objections, seals and halves: perhaps the first).
    """
    try:
        outcomes = await _record(service, batch, unseen=unseen)
    except BatchTooLargeError:
        half = len(batch) // 2
        return [*await record(service, batch[:half]), *await record(service, batch[half:])]
    if isinstance(batch[0], PolicyVersion | NoticeText):
        await violations.judge_runs(service)
        await judge_members(service)
    return outcomes


async def _record(service: Service, batch: Batch, *, unseen: bool) -> list[Outcome]:
    match batch:
        case [Post(), *_]:
            first = facts_posts.record_unseen_posts if unseen else facts_posts.record_posts
            return await _write(service, batch, first, facts_posts.record_posts)
        case [AuthorCorrection(), *_]:
            return await _write(service, batch, facts_posts.record_corrections)
        case [VisibilityChange() | Deletion(), *_]:
            return await _write(service, batch, _of_locked(facts_posts.record_changes))
        case [User(), *_]:
            return await _write(service, batch, _of_locked(facts_people.record_users))
        case [NoticeServed(), *_]:
            return await _write(service, batch, _of_locked(facts_people.record_servings))
        case [ConsentSaid(), *_]:
            return await _write(service, batch, _of_locked(facts_people.record_consents))
        case [PolicyVersion(), *_]:
            return await _write(service, batch, _of_locked(facts_rules.record_policies))
        case [NoticeText(), *_]:
            return await _write(service, batch, _of_locked(facts_rules.record_notices))
        case [ObjectionFiled(), *_]:
            return [await _file(service, each) for each in batch]
        case _:
            return await _record_manifest(service, batch)


async def _record_manifest(service: Service, batch: Batch) -> list[Outcome]:
    """Members by version, then seals; the records of a batch are all of one kind."""
    outcomes: list[Outcome] = [False] * len(batch)
    versions: dict[VersionRef, list[int]] = {}
    for position, each in enumerate(batch):
        if isinstance(each, Member | MemberRemoved | Seal):
            versions.setdefault(VersionRef(each.dataset, each.version), []).append(position)
    for ref, positions in versions.items():
        members = [each for each in (batch[position] for position in positions) if isinstance(each, Member)]
        removed = [each for each in (batch[position] for position in positions) if isinstance(each, MemberRemoved)]
        if members:
            found = await add_members(service, ref, [each.post for each in members])
        elif removed:
            found = await remove_members(service, ref, [each.post for each in removed])
        else:
            found = [await _seal(service, ref) for _ in positions]
        for position, outcome in zip(positions, found, strict=True):
            outcomes[position] = outcome
    return outcomes


async def _seal(service: Service, ref: VersionRef) -> Outcome:
    try:
        return await seal_version(service, ref)
    except RefusedError as error:
        return error


async def _file(service: Service, each: ObjectionFiled) -> Outcome:
    command = FileObjection(
        key=each.key,
        user=each.user,
        received_at=from_datetime(each.received_at),
        purposes=("AI_TRAINING",) if each.purposes is None else each.purposes,
        platforms=each.platforms or (),
        channel=each.channel,
    )
    try:
        _, new = await file_objection(service, command, by=BY_RECORD)
    except RefusedError as error:
        return error
    return new


_Work: TypeAlias = Callable[[Tx, Service, Any, frozenset[str]], Awaitable[list[Outcome]]]


def _of_locked(work: Callable[[Tx, Service, Any], Awaitable[list[Outcome]]]) -> _Work:
    """The work on records that never concern more people than they name."""
    return lambda tx, service, records, _: work(tx, service, records)


async def _write(service: Service, batch: Batch, work: _Work, once_raced: _Work | None = None) -> list[Outcome]:
    """Run the batch in one transaction, again with more people locked, or without what was erased, where it shows.

    With `once_raced` this does the work after others got in between.
    """
    more_people, erased = frozenset[str](), Erased()
    for _ in range(_MOST_REPETITIONS):
        people, (kept, refused) = more_people, erased.part(service.pseudonyms, batch)
        try:
            outcomes = iter(await service.graph.write(lambda tx, w=work, k=kept, p=people: w(tx, service, k, p)))
            return [refused[each] if each in refused else next(outcomes) for each in range(len(batch))]
        except UnlockedPeopleError as error:
            more_people |= error.people
        except SuppressedError as error:
            erased.add(error)
            # Whoever was tied to a post a moment ago may be who was erased.
            more_people -= error.people
        except RacedError:
            work = once_raced or work
    raise busy()
