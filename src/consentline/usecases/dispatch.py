"""What a worker does in the graph: take webhooks, queue their events, and record what came of each attempt."""

import random
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from consentline.domain.webhooks import DeliveryStatus, WebhookStatus
from consentline.graph import deliveries, outbox, webhooks
from consentline.graph.deliveries import Attempt, Due
from consentline.graph.session import Tx
from consentline.graph.webhooks import Lease
from consentline.usecases.service import Service
from consentline.usecases.webhooks import close

__all__ = ["Attempt", "Due", "Lease", "LeaseLostError", "Step", "give_up", "release", "step", "take"]

_EVENTS_AT_ONCE = 200
_SECOND = 1_000_000


class LeaseLostError(Exception):
    """Another worker may hold the webhook by now, or it is served no more: send nothing to it."""


@dataclass(frozen=True, slots=True)
class Step:
    """What may be sent now, and whether there is more to queue at once."""

    due: list[Due]
    more: bool


async def take(service: Service, most: int, lease_seconds: float, *, without: Collection[str] = ()) -> list[Lease]:
    """Lease some webhooks for which there is something to do now; nobody else sends to them until the leases end."""
    lasting = _micros(lease_seconds)
    free = [uid for uid in await service.graph.read(lambda tx: webhooks.list_free(tx, lasting)) if uid not in without]
    if not free:
        return []
    # Workers that look at the same moment should not all wait for the same one.
    chosen = random.sample(free, min(most, len(free)))
    token = uuid.uuid4().hex
    return await service.graph.write(lambda tx: webhooks.take(tx, chosen, token, lasting))


async def step(
    service: Service, lease: Lease, lease_seconds: float, attempts: Sequence[Attempt], busy: Collection[str], room: int
) -> Step:
    """Record attempts, queue what the webhook was not told of yet, renew the lease and answer what may be sent.

    `busy` are the deliveries under way, none of which is among the attempts; `room` is how many more may be.

    Raises:
        LeaseLostError: nothing was recorded. What was sent will be sent again, with the same ids.
    """

    async def work(tx: Tx) -> Step:
        held = await webhooks.hold(tx, lease, _micros(lease_seconds))
        if held is None:
            raise LeaseLostError
        await deliveries.settle(tx, attempts, held.now)
        more = False
        if room > 0:
            told = await outbox.after(tx, held.position, _EVENTS_AT_ONCE)
            if told.events:
                wanted = [each for each in told.events if lease.webhook.wants(each)]
                await deliveries.create(tx, lease.webhook, wanted, held.now)
                await webhooks.move(tx, lease.webhook.uid, told.events[-1].position)
                more = told.events[-1].position < told.head
            elif held.position > told.head:
                # The database was restored to an earlier state.
                await webhooks.move(tx, lease.webhook.uid, told.head)
        due = await deliveries.list_due(tx, lease.webhook.uid, held.now, busy, room) if room > 0 else []
        return Step(due, more)

    return await service.graph.write(work)


async def release(service: Service, lease: Lease) -> None:
    """Give a lease back; another worker may go on at once."""
    await service.graph.write(lambda tx: webhooks.release(tx, lease))


async def give_up(service: Service, lease: Lease) -> None:
    """The endpoint answered that it is gone for good: serve it no more, and keep what was to be sent as dead letters.

    Raises:
        LeaseLostError: the lease is not held any more; nothing was changed.
    """

    async def work(tx: Tx) -> None:
        held = await webhooks.hold(tx, lease, _SECOND)
        if held is None:
            raise LeaseLostError
        await webhooks.end(tx, lease.webhook.uid, WebhookStatus.GONE, held.now)

    await service.graph.write(work)
    await close(service, lease.webhook, DeliveryStatus.DEAD, "ENDPOINT_GONE")


def _micros(seconds: float) -> int:
    return round(seconds * _SECOND)
