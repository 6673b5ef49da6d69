"""Examining what tells of changes: events, their deliveries, erasures that were carried out, the audit."""

from collections import Counter
from collections.abc import AsyncGenerator

from consentline.domain.findings import Finding
from consentline.domain.pseudonyms import PREFIX
from consentline.domain.webhooks import DeliveryStatus, WebhookStatus
from consentline.graph import doctor_records
from consentline.graph.doctor_records import Hook
from consentline.usecases import audit
from consentline.usecases.service import Service

_AT_ONCE = 1_000
_MOST_TOLD = 20


async def events(service: Service) -> AsyncGenerator[Finding]:
    """An event has a position of its own, that was given out."""
    after, told = 0, 0
    while True:
        positions, last = await service.graph.read(lambda tx, after=after: doctor_records.events(tx, after, _AT_ONCE))
        beyond = sum(position > last for position in positions)
        told += beyond + len(positions) - len(set(positions))
        if len(positions) < _AT_ONCE:
            break
        after = positions[-1]
    if told:
        yield Finding("events", "outbox", f"events have the position of another, or one never given out ({told})")


async def deliveries(service: Service) -> AsyncGenerator[Finding]:
    """Of each lane of a webhook exactly one delivery may be sent next; what is finished stands in no lane."""
    _, last = await service.graph.read(lambda tx: doctor_records.events(tx, 0, 1))
    for hook in await service.graph.read(doctor_records.hooks):
        if hook.position > last:
            yield Finding("deliveries", hook.key, "it was told of events that were never given out")
        async for finding in _lanes(service, hook):
            yield finding


async def _lanes(service: Service, hook: Hook) -> AsyncGenerator[Finding]:
    ready: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    after = 0
    while found := await service.graph.read(
        lambda tx, after=after: doctor_records.deliveries(tx, hook.uid, after, _AT_ONCE)
    ):
        after = found[-1].position
        for each in found:
            pending = each.status == DeliveryStatus.PENDING
            wrong["a delivery has no event"] += not each.has_event
            wrong["a delivery is PENDING in no lane, or finished in one"] += pending != (each.queue is not None)
            wrong["a delivery to a webhook that is served no more is PENDING"] += (
                pending and hook.status != WebhookStatus.ACTIVE
            )
            if each.queue is not None:
                ready[each.queue] += each.ready_for == hook.uid
    wrong["a lane has not exactly one delivery that may be sent next"] = sum(count != 1 for count in ready.values())
    for message, times in sorted(wrong.items()):
        if times:
            yield Finding("deliveries", hook.key, f"{message} ({times})")


async def erasures(service: Service) -> AsyncGenerator[Finding]:
    """Nobody whose erasure was confirmed stands under their own key, and nothing of theirs once it is done."""
    named, after = 0, ""
    while found := await service.graph.read(
        lambda tx, after=after: doctor_records.erasures(tx, after, PREFIX, _AT_ONCE)
    ):
        after = found[-1].key
        named += sum(each.names_somebody for each in found)
    if named:
        yield Finding("erasures", "people", f"somebody who was erased stands under their own key ({named})")


async def entries(service: Service) -> AsyncGenerator[Finding]:
    """No audit entry was changed; `consentline audit verify` tells of missing ones, too."""
    verification = await audit.verify(service)
    for uid in verification.changed[:_MOST_TOLD]:
        yield Finding("audit", uid, "the entry is not as it was written")
