"""Erasures: requested, confirmed or refused, and read. A request restricts in the transaction that records it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from consentline.domain.access import Role
from consentline.domain.clock import due_at
from consentline.domain.erasures import (
    ERASED,
    Erasure,
    ErasureStatus,
    check_confirmation,
    check_rejection,
)
from consentline.domain.errors import ConflictError, NotFoundError, StateError
from consentline.domain.instants import EVER, Instant
from consentline.domain.judgement import purposes_of
from consentline.domain.objections import check_receipt
from consentline.domain.paging import Page, PageRequest
from consentline.domain.people import jurisdiction_at
from consentline.domain.violations import Readers
from consentline.graph import erasing, erasures, objections, posts, secret, suppression, upper
from consentline.graph.facts import lock_people
from consentline.graph.session import Tx
from consentline.usecases import counts, events, violations
from consentline.usecases.audit import decide
from consentline.usecases.counts import Restriction
from consentline.usecases.erasing import carry_out
from consentline.usecases.rejudging import of_people
from consentline.usecases.service import Service
from consentline.usecases.suppression import repeated, unless_erased
from consentline.usecases.sweep import sweep


@dataclass(frozen=True, slots=True)
class RequestErasure:
    """A request for erasure as it reached the controller."""

    key: str
    user: str
    received_at: Instant

    def same_as(self, service: Service, erasure: Erasure) -> bool:
        """Whether the recorded erasure says the same."""
        named = erasure.user in service.pseudonyms.either("User", self.user)
        return named and self.received_at == erasure.received_at


async def request_erasure(service: Service, command: RequestErasure, *, by: str = Role.SERVICE) -> Erasure:
    """Record a request, restrict the person's posts and raise the flags that it demands, in one transaction.

    Anybody's is accepted, recorded before or not, one at a time. Repeating it with the same key and content changes
    nothing, also once they are erased. `by` tells the history who recorded it: a role.

    Raises:
        InvalidInputError: received more than 24 hours ahead of now.
        ConflictError: the key stands for another erasure.
        StateError: another erasure of the person stands, or they were erased.
    """
    keys = service.pseudonyms.either("Erasure", command.key)

    async def work(tx: Tx) -> Erasure:
        if (existing := await _same(tx, service, keys, command)) is not None:
            return existing
        await lock_people(tx, service.pseudonyms, [command.user])
        lineage_revision = await upper.lock(tx)
        if (existing := await _same(tx, service, keys, command)) is not None:
            return existing
        if await erasures.standing(tx, command.user):
            raise StateError("an erasure of the person stands already", code="ERASURE_STANDING", path=("user",))
        lineage = await service.lineages.at(lineage_revision, tx)
        now = await upper.recording_time(tx)
        check_receipt(command.received_at, now)
        person = await posts.person(tx, [command.user])
        place = jurisdiction_at(person, command.received_at, EVER)
        erasure = Erasure(
            key=command.key,
            user=command.user,
            status=ErasureStatus.REQUESTED,
            received_at=command.received_at,
            recorded_at=now,
            due_at=due_at(command.received_at, place, service.establishment),
        )
        made = Restriction(command.user, purposes_of(lineage.policies), ())
        named = bool(Readers(lineage, erasure.in_force_from))
        scoped = [
            *await counts.restrict(tx, lineage, made, named=named),
            *await objections.scoped_posts(tx, [command.user], named=named, written=False),
        ]
        uses = await violations.begin_scoped(tx, lineage, scoped, erasure.in_force_from)
        await erasures.create(tx, erasure, by=by)
        await events.erasure_changed(tx, service, erasure, now)
        concerned = await counts.settle_after(tx, service, made, now)
        concerned.people, concerned.scoped = {command.user}, scoped
        await violations.end(tx, service, lineage, uses, now, concerned)
        return erasure

    return await unless_erased(lambda: decide(service, work), "user")


async def _same(tx: Tx, service: Service, keys: list[str], command: RequestErasure) -> Erasure | None:
    """What is recorded under the key, when it says the same.

    Raises:
        ConflictError: it does not.
    """
    existing = await erasures.find(tx, keys)
    if existing is None:
        return None
    if not command.same_as(service, existing):
        raise ConflictError(
            "an erasure of this key is recorded with other content", code="ERASURE_CONFLICT", path=("key",)
        )
    return _presented(existing, command.key)


async def confirm_erasure(service: Service, key: str, *, by: str = Role.SERVICE) -> Erasure:
    """Erase the person, whose identity was checked: from now on they count as erased, and nothing of theirs is loaded.

    Answers when everything is erased; stopped before that, it goes on when it is called again, or a service starts.
    On one that is confirmed already it only does that.

    Raises:
        NotFoundError: there is no such erasure.
        StateError: it was refused.
    """

    async def work(tx: Tx) -> Erasure:
        erasure, now = await _take(tx, service, key)
        check_confirmation(erasure)
        if erasure.status in ERASED:
            return erasure
        await secret.keep(tx, service.pseudonyms)
        affected = await objections.affected_post_count(tx, erasure.user, ())
        await erasures.move(tx, erasure.key, ErasureStatus.CONFIRMED, at=now, recorded_at=now, by=by)
        await events.erasure_changed(tx, service, replace(erasure, status=ErasureStatus.CONFIRMED), now)
        await erasing.confirm(tx, service.pseudonyms, erasure.key, erasure.user, affected=affected, now=now)
        await suppression.begin(tx)
        return await erasures.find(tx, [erasure.key]) or erasure

    # What time alone brought about stands, too, before what the person gave is kept as it is.
    await sweep(service)
    confirmed = await repeated(lambda: decide(service, work))
    if confirmed.status is ErasureStatus.CONFIRMED:
        await carry_out(service, confirmed.key)
    return await get_erasure(service, key)


async def reject_erasure(
    service: Service, key: str, *, grounds: str, decided_at: Instant | None, by: str = Role.SERVICE
) -> Erasure:
    """Refuse a request whose identity check failed, or to which an exemption applies (Art. 12(6), 17(3)).

    The restriction is lifted from `decided_at` on, when the person was told.

    Raises:
        NotFoundError: there is no such erasure.
        StateError: it was confirmed or refused already.
        InvalidInputError: no grounds, or `decided_at` not between receipt and now.
    """

    async def work(tx: Tx) -> Erasure:
        erasure, now = await _take(tx, service, key)
        told_at = now if decided_at is None else decided_at
        check_rejection(erasure, grounds=grounds, decided_at=told_at, now=now)
        rejudging = await of_people(tx, service, [erasure.user], told_at)
        status = ErasureStatus.REFUSED
        await erasures.move(tx, erasure.key, status, at=told_at, recorded_at=now, by=by, grounds=grounds)
        await events.erasure_changed(tx, service, replace(erasure, status=status), now)
        await rejudging.end(tx, service, now, [erasure.user])
        return _presented(await erasures.find(tx, [erasure.key]) or erasure, key)

    return await repeated(lambda: decide(service, work))


async def find_erasure(service: Service, key: str) -> Erasure | None:
    """The erasure as it stands, under the key that was asked about."""
    keys = service.pseudonyms.either("Erasure", key)
    found = await service.graph.read(lambda tx: erasures.find(tx, keys))
    return None if found is None else _presented(found, key)


async def get_erasure(service: Service, key: str) -> Erasure:
    """As `find_erasure`.

    Raises:
        NotFoundError: there is no such erasure.
    """
    found = await find_erasure(service, key)
    if found is None:
        raise _not_found()
    return found


async def list_erasures(service: Service, status: ErasureStatus | None, request: PageRequest) -> Page[Erasure]:
    """Erasures of a status, or all, by the time of receipt."""
    return await service.graph.read(lambda tx: erasures.page(tx, status, request))


async def find_erasures(service: Service, keys: Sequence[str]) -> dict[str, Erasure]:
    """The erasures as they stand, in one statement; what is not recorded is absent."""
    return {each.key: each for each in await service.graph.read(lambda tx: erasures.find_all(tx, keys))}


async def affected_post_count(service: Service, erasure: Erasure) -> int:
    """How many described posts the erasure concerns: written by the person, or depicting them."""
    if erasure.affected is not None:
        return erasure.affected
    return await service.graph.read(lambda tx: objections.affected_post_count(tx, erasure.user, ()))


def _presented(erasure: Erasure, key: str) -> Erasure:
    """The erasure under the key that it was asked by; once it is done it is stored under its digest."""
    return erasure if erasure.key == key else replace(erasure, key=key)


def _not_found() -> NotFoundError:
    return NotFoundError("there is no such erasure", code="ERASURE_NOT_FOUND", path=("key",))


async def _take(tx: Tx, service: Service, key: str) -> tuple[Erasure, Instant]:
    """The erasure, read again once the locks that a decision about it needs are held."""
    keys = service.pseudonyms.either("Erasure", key)
    found = await erasures.find(tx, keys)
    if found is None:
        raise _not_found()
    await lock_people(tx, service.pseudonyms, [found.user])
    await service.lineages.at(await upper.lock(tx), tx)
    now = await upper.recording_time(tx)
    return await erasures.find(tx, keys) or found, now
