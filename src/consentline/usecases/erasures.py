"""Erasures: requested and read. Restriction takes hold in the transaction that records the request."""

from dataclasses import dataclass

from consentline.domain.access import Role
from consentline.domain.clock import due_at
from consentline.domain.erasures import Erasure, ErasureStatus
from consentline.domain.errors import ConflictError, StateError
from consentline.domain.instants import EVER, Instant
from consentline.domain.judgement import purposes_of
from consentline.domain.objections import check_receipt
from consentline.domain.people import jurisdiction_at
from consentline.domain.violations import Readers
from consentline.graph import erasures, objections, posts, upper
from consentline.graph.facts import lock_people
from consentline.graph.session import Tx
from consentline.usecases import counts, events, violations
from consentline.usecases.audit import decide
from consentline.usecases.counts import Restriction
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class RequestErasure:
    """A request for erasure as it reached the controller."""

    key: str
    user: str
    received_at: Instant

    def same_as(self, erasure: Erasure) -> bool:
        """Whether the recorded erasure says the same."""
        return (self.user, self.received_at) == (erasure.user, erasure.received_at)


async def request_erasure(service: Service, command: RequestErasure, *, by: str = Role.SERVICE) -> Erasure:
    """Record a request, restrict the person's posts and raise the flags that it demands, in one transaction.

    Anybody's is accepted, recorded before or not, one at a time. Repeating it with the same key and content changes
    nothing. `by` tells the history who recorded it: a role.

    Raises:
        InvalidInputError: received more than 24 hours ahead of now.
        ConflictError: the key stands for another erasure.
        StateError: another erasure of the person stands.
    """

    async def work(tx: Tx) -> Erasure:
        await lock_people(tx, [command.user])
        lineage_revision = await upper.lock(tx)
        existing = await erasures.find(tx, command.key)
        if existing is not None:
            if command.same_as(existing):
                return existing
            raise ConflictError(
                "an erasure of this key is recorded with other content", code="ERASURE_CONFLICT", path=("key",)
            )
        if await erasures.standing(tx, command.user):
            raise StateError("an erasure of the person stands already", code="ERASURE_STANDING", path=("user",))
        lineage = await service.lineages.at(lineage_revision, tx)
        now = await upper.recording_time(tx)
        check_receipt(command.received_at, now)
        person = await posts.person(tx, command.user)
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
        await counts.settle_after(tx, service, made, now)
        await violations.end(tx, service, lineage, uses, now, [command.user], scoped)
        return erasure

    return await decide(service, work)


async def find_erasure(service: Service, key: str) -> Erasure | None:
    """The erasure as it stands."""
    return await service.graph.read(lambda tx: erasures.find(tx, key))


async def affected_post_count(service: Service, erasure: Erasure) -> int:
    """How many described posts the erasure concerns: written by the person, or depicting them."""
    return await service.graph.read(lambda tx: objections.affected_post_count(tx, erasure.user, ()))
