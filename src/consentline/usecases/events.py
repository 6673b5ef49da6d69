"""What is written to the outbox when flags, objections and erasures change, in the transaction that changes them."""

from collections.abc import Collection, Iterable

from consentline.domain.erasures import Erasure
from consentline.domain.events import EventKind, NewEvent, erasure_event, flag_event, objection_event, settled_kind
from consentline.domain.flags import RetrainingFlag
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection, ObjectionEventKind
from consentline.domain.pseudonyms import is_digest
from consentline.domain.recipients import OF_ERASURES, OF_OBJECTIONS, Ground
from consentline.graph import outbox
from consentline.graph.outbox import SettledFlag
from consentline.graph.session import Tx
from consentline.usecases import recipients
from consentline.usecases.service import Service


async def flags_settled(tx: Tx, changed: Collection[str], examined: Collection[str], now: Instant) -> None:
    """Causes were settled at `now`: they changed for some model versions, and others' flags may have been resolved."""
    models = {*changed, *examined}
    if not models:
        return
    last = await outbox.last_flags(tx, models)
    told = [each for each in last if each.flag.model_version in changed or each.flag.resolved_at == now]
    await outbox.append(tx, events_of_flags(told, now), now)


def events_of_flags(flags: Iterable[SettledFlag], now: Instant) -> list[NewEvent]:
    """What is told of flags that were raised, joined or otherwise changed at `now`, and now stand so."""
    return [flag_event(settled_kind(each.flag, each.joined_at, now), each.flag) for each in flags]


async def flag_changed(tx: Tx, kind: EventKind, flag: RetrainingFlag, now: Instant) -> None:
    """Somebody acknowledged, scheduled or resolved a flag, that now stands so."""
    await outbox.append(tx, [flag_event(kind, flag)], now)


async def objection_changed(
    tx: Tx, service: Service, kind: ObjectionEventKind, objection: Objection, now: Instant
) -> None:
    """An objection was filed, extended, decided or withdrawn, and now stands so."""
    told = await notices_of_objection(tx, service, kind, objection)
    await outbox.append(tx, [event_of_objection(service, kind, objection), *told], now)


def event_of_objection(service: Service, kind: ObjectionEventKind, objection: Objection) -> NewEvent:
    """What is told of an objection that was filed, extended, decided or withdrawn, and now stands so."""
    return objection_event(kind, objection, _digest(service, objection))


async def notices_of_objection(
    tx: Tx, service: Service, kind: ObjectionEventKind, objection: Objection
) -> list[NewEvent]:
    """What recipients are told of it."""
    digest = _digest(service, objection)
    return await recipients.notices_of(
        tx, service, OF_OBJECTIONS.get(kind), Ground.OBJECTION, digest, objection.user, objection.platforms
    )


def _digest(service: Service, objection: Objection) -> str:
    return objection.key if is_digest(objection.key) else service.pseudonyms.of("Objection", objection.key)


async def erasure_changed(tx: Tx, service: Service, erasure: Erasure, now: Instant) -> None:
    """An erasure was requested, refused, confirmed or carried out, and now stands so under the key that it has.

    Of a confirmation it is called before anything of the person is taken away.
    """
    key = erasure.key
    digest = key if is_digest(key) else service.pseudonyms.of("Erasure", key)
    told = await recipients.notices_of(
        tx, service, OF_ERASURES.get(erasure.status), Ground.ERASURE, digest, erasure.user, ()
    )
    await outbox.append(tx, [erasure_event(erasure, digest), *told], now)
