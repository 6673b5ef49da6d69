"""Objections: withdrawn, extended, decided, read. How they are filed is in filing.py."""

from collections.abc import Sequence
from dataclasses import replace

from consentline.domain.access import Role
from consentline.domain.clock import EXTENDED_MONTHS, due_at
from consentline.domain.datasets import DatasetVersion
from consentline.domain.errors import NotFoundError
from consentline.domain.instants import EVER, Instant
from consentline.domain.objections import (
    Objection,
    ObjectionEventKind,
    ObjectionOrder,
    ObjectionStatus,
    check_decision,
    check_extension,
    check_order,
    check_withdrawal,
)
from consentline.domain.paging import Page, PageRequest
from consentline.domain.people import jurisdiction_at
from consentline.domain.policies import governing
from consentline.domain.pseudonyms import is_digest
from consentline.domain.usage import possible_versions as possible
from consentline.graph import objection_lists, objections, posts, upper
from consentline.graph.facts import lock_people
from consentline.graph.session import Tx
from consentline.usecases import events
from consentline.usecases.audit import decide
from consentline.usecases.filing import FileObjection, file_objection
from consentline.usecases.flags import reconcile_people
from consentline.usecases.rejudging import of_people
from consentline.usecases.service import Service
from consentline.usecases.suppression import repeated

__all__ = [
    "FileObjection",
    "affected_post_count",
    "decide_objection",
    "extend_objection",
    "file_objection",
    "find_objection",
    "find_objections",
    "list_objections",
    "possible_versions",
    "withdraw_objection",
]


async def decide_objection(
    service: Service,
    key: str,
    *,
    uphold: bool,
    grounds: str | None,
    decided_at: Instant | None,
    by: str = Role.SERVICE,
) -> Objection:
    """Uphold or refuse a pending objection; a refusal lifts the restriction from `decided_at` on (Art. 18(3)).

    Raises:
        NotFoundError: there is no such objection.
        StateError: it is decided or withdrawn already, or may not be refused (Art. 21(3)).
        InvalidInputError: a refusal without grounds, or `decided_at` not between receipt and now.
    """

    async def work(tx: Tx) -> Objection:
        objection, now = await _take(tx, service, key)
        lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
        jurisdiction = jurisdiction_at(await posts.person(tx, [objection.user]), objection.received_at, EVER)
        governors = [
            governing(lineage.policies, jurisdiction, purpose, objection.received_at, EVER)
            for purpose in objection.purposes
        ]
        told_at = now if decided_at is None else decided_at
        check_decision(
            objection,
            uphold=uphold,
            grounds=grounds,
            decided_at=told_at,
            now=now,
            absolute=any(policy is not None and policy.objection_absolute for policy in governors),
        )
        status = ObjectionStatus.UPHELD if uphold else ObjectionStatus.REFUSED
        kept = None if is_digest(objection.user) else grounds
        people = _concerned(objection)
        rejudging = await of_people(tx, service, people, told_at)
        decided = {"at": told_at, "recorded_at": now, "decided_at": told_at}
        await objections.move(tx, objection.key, status, by=by, grounds=kept, **decided)
        kind = ObjectionEventKind.UPHELD if uphold else ObjectionEventKind.REFUSED
        changed = await _changed(tx, service, kind, objection, now)
        await rejudging.end(tx, service, now, people)
        return _presented(changed, key)

    return await repeated(lambda: decide(service, work))


async def extend_objection(service: Service, key: str, reason: str, *, by: str = Role.SERVICE) -> Objection:
    """Extend the period by two further months, counted from its original start; flags follow the new deadline.

    Raises:
        NotFoundError: there is no such objection.
        StateError: it is not PENDING, was extended before, or its deadline has passed.
        InvalidInputError: no reason.
    """

    async def work(tx: Tx) -> Objection:
        objection, now = await _take(tx, service, key)
        check_extension(objection, reason=reason, now=now)
        # The clock was fixed at intake: by the jurisdiction that was known then.
        person = await posts.person(tx, [objection.user])
        jurisdiction = jurisdiction_at(person, objection.received_at, objection.recorded_at)
        extended_to = due_at(objection.received_at, jurisdiction, service.establishment, months=EXTENDED_MONTHS)
        kept = None if is_digest(objection.user) else reason
        await objections.extend(tx, objection.key, extended_to=extended_to, reason=kept, recorded_at=now, by=by)
        changed = await _changed(tx, service, ObjectionEventKind.EXTENDED, objection, now)
        await reconcile_people(tx, service, _concerned(objection), now)
        return _presented(changed, key)

    return await repeated(lambda: decide(service, work))


async def withdraw_objection(service: Service, key: str, *, by: str = Role.SERVICE) -> Objection:
    """Record that the person took the objection back; from now on it stops nothing.

    Raises:
        NotFoundError: there is no such objection.
        StateError: it was decided, or withdrawn before.
    """

    async def work(tx: Tx) -> Objection:
        objection, now = await _take(tx, service, key)
        check_withdrawal(objection)
        people = _concerned(objection)
        rejudging = await of_people(tx, service, people, now)
        await objections.move(tx, objection.key, ObjectionStatus.WITHDRAWN, at=now, recorded_at=now, by=by)
        changed = await _changed(tx, service, ObjectionEventKind.WITHDRAWN, objection, now)
        await rejudging.end(tx, service, now, people)
        return _presented(changed, key)

    return await repeated(lambda: decide(service, work))


async def find_objection(service: Service, key: str) -> Objection | None:
    """The objection as it stands, under the key that was asked about."""
    keys = service.pseudonyms.either("Objection", key)
    found = await service.graph.read(lambda tx: objections.find(tx, keys))
    return None if found is None else _presented(found, key)


async def find_objections(service: Service, keys: Sequence[str]) -> dict[str, Objection]:
    """The objections as they stand, in one statement; what is not recorded is absent."""
    asked = {stored: key for key in keys for stored in service.pseudonyms.either("Objection", key)}
    found = await service.graph.read(lambda tx: objections.find_all(tx, list(asked)))
    return {asked[each.key]: _presented(each, asked[each.key]) for each in found}


async def list_objections(
    service: Service,
    status: ObjectionStatus | None,
    overdue: bool | None,
    request: PageRequest,
    order: ObjectionOrder = ObjectionOrder.RECEIVED,
) -> Page[Objection]:
    """Objections by the time of receipt; `overdue` keeps those that are (or are not) past their deadline.

    By urgency: those that are undecided, the earliest deadline first.

    Raises:
        InvalidInputError: by urgency, of a status that has no deadline any more.
    """
    check_order(status, order)

    async def work(tx: Tx) -> Page[Objection]:
        now = (await upper.now(tx)).instant
        if order is ObjectionOrder.URGENCY:
            return await objection_lists.page_by_urgency(tx, overdue, now, request)
        return await objection_lists.page_by_receipt(tx, status, overdue, now, request)

    return await service.graph.read(work)


async def affected_post_count(service: Service, objection: Objection) -> int:
    """How many described posts lie in the objection's scope: written by the person, or depicting them."""
    if objection.affected is not None:
        return objection.affected
    return await service.graph.read(lambda tx: objections.affected_post_count(tx, objection.user, objection.platforms))


async def possible_versions(service: Service, objection: Objection) -> list[DatasetVersion]:
    """The consumed versions without a COMPLETE manifest that could hold a post of the person."""

    async def work(tx: Tx) -> list[DatasetVersion]:
        person = (await posts.person(tx, [objection.user])).left
        scoped = await objections.scoped_posts(tx, _concerned(objection))
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        memberships = [
            membership
            for group in scoped
            if not objection.platforms or group.platform in objection.platforms
            for membership in group.memberships
        ]
        refs = possible(
            lineage,
            EVER,
            covers_person=lambda version: version.declares_person(person, EVER),
            held_in=frozenset(lineage.holding(memberships, EVER)),
        )
        return [lineage.versions[ref] for ref in refs]

    return await service.graph.read(work)


def _concerned(objection: Objection) -> list[str]:
    """Whose posts and flags rest on the objection: of somebody erased, nobody's any more."""
    return [] if is_digest(objection.user) else [objection.user]


def _presented(objection: Objection, key: str) -> Objection:
    """The objection under the key that it was asked by; once the person is erased it is stored under its digest."""
    return objection if objection.key == key else replace(objection, key=key)


async def _changed(tx: Tx, service: Service, kind: ObjectionEventKind, objection: Objection, now: Instant) -> Objection:
    """The objection as it now stands, and that it changed told to the outbox."""
    objection = await objections.get(tx, objection.key)
    await events.objection_changed(tx, service, kind, objection, now)
    return objection


async def _take(tx: Tx, service: Service, key: str) -> tuple[Objection, Instant]:
    """The objection, read again once the locks that a decision about it needs are held."""
    keys = service.pseudonyms.either("Objection", key)
    found = await objections.find(tx, keys)
    if found is None:
        raise NotFoundError("there is no such objection", code="OBJECTION_NOT_FOUND", path=("key",))
    await lock_people(tx, service.pseudonyms, [found.user])
    await service.lineages.at(await upper.lock(tx), tx)
    now = await upper.recording_time(tx)
    return await objections.find(tx, keys) or found, now
