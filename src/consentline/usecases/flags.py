"""Retraining flags: read, followed up and resolved. What raises and drops them is in causes.py and violations.py."""

from consentline.domain.errors import NotFoundError, StateError
from consentline.domain.events import EventKind
from consentline.domain.flags import (
    CauseKind,
    FlagCause,
    FlagResolution,
    FlagStatus,
    RetrainingFlag,
    check_acknowledgement,
    check_resolution,
    check_scheduling,
)
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.paging import Page, PageRequest
from consentline.domain.replacement import Offence
from consentline.graph import causes, flags, upper
from consentline.graph.session import Tx
from consentline.usecases import events
from consentline.usecases.affected import affected_post_count
from consentline.usecases.audit import decide
from consentline.usecases.causes import reconcile_everyone, reconcile_people
from consentline.usecases.replacements import MOST_OFFENCES, Broad, broad_causes, broad_offences, named_offences
from consentline.usecases.service import Service

__all__ = [
    "acknowledge",
    "affected_post_count",
    "cause_count",
    "find_flag",
    "list_causes",
    "list_flags",
    "list_flags_of_objection",
    "reconcile_everyone",
    "reconcile_people",
    "resolve",
    "schedule",
]


async def list_flags(
    service: Service, status: FlagStatus | None, model_version: str | None, request: PageRequest
) -> Page[RetrainingFlag]:
    """Flags of a status, of a model version, or all, by the time they were raised."""
    return await service.graph.read(lambda tx: flags.page(tx, status, model_version, request))


async def list_flags_of_objection(service: Service, key: str, request: PageRequest) -> Page[RetrainingFlag]:
    """The flags of which the objection is a cause."""
    keys = service.pseudonyms.either("Objection", key)
    return await service.graph.read(lambda tx: flags.page_of_objection(tx, keys, request))


async def find_flag(service: Service, uid: str) -> RetrainingFlag | None:
    """The flag as it stands."""
    return await service.graph.read(lambda tx: flags.find(tx, uid))


async def acknowledge(service: Service, uid: str) -> RetrainingFlag:
    """Record that somebody has taken the flag up; repeating it changes nothing.

    Raises:
        NotFoundError: there is no such flag.
        StateError: it is scheduled or resolved already.
    """

    async def work(tx: Tx) -> RetrainingFlag:
        _, flag = await _take(tx, service, uid)
        check_acknowledgement(flag)
        if flag.status is FlagStatus.ACKNOWLEDGED:
            return flag
        now = await upper.recording_time(tx)
        await flags.acknowledge(tx, uid, now)
        return await _changed(tx, EventKind.FLAG_ACKNOWLEDGED, uid, now)

    return await decide(service, work)


async def schedule(service: Service, uid: str, planned_for: Instant) -> RetrainingFlag:
    """Record when the model version is to be retrained; a later plan replaces an earlier one.

    Raises:
        NotFoundError: there is no such flag.
        StateError: it is resolved.
        InvalidInputError: the time lies in the past.
    """

    async def work(tx: Tx) -> RetrainingFlag:
        _, flag = await _take(tx, service, uid)
        now = await upper.recording_time(tx)
        check_scheduling(flag, planned_for, now)
        await flags.schedule(tx, uid, planned_for)
        return await _changed(tx, EventKind.FLAG_SCHEDULED, uid, now)

    return await decide(service, work)


async def resolve(
    service: Service, uid: str, resolution: FlagResolution, *, replacement: str | None, justification: str | None
) -> RetrainingFlag:
    """End a flag; RETRAINED only by a replacement whose whole upstream is clean of the affected posts.

    Raises:
        NotFoundError: there is no such flag, or no such replacement.
        StateError: it is resolved already, the model version still serves a feature, or the replacement used or cannot
            rule out an affected post; the message names posts, each with one path.
        InvalidInputError: what the resolution needs is missing.
    """
    looked_at, offending = None, list[Offence]()
    if replacement is not None:
        looked_at, offending = await _look_at_broad_causes(service, uid, replacement)

    async def work(tx: Tx) -> RetrainingFlag:
        lineage, flag = await _take(tx, service, uid)
        now = await upper.recording_time(tx)
        check_resolution(
            flag,
            resolution,
            replacement=replacement,
            justification=justification,
            serves=lineage.features_of(flag.model_version, now),
        )
        if replacement is not None:
            if replacement not in lineage.models:
                raise NotFoundError(
                    f"model version {replacement} is not recorded",
                    code="MODEL_VERSION_NOT_FOUND",
                    path=("replacement",),
                )
            _check_clean(replacement, await named_offences(tx, lineage, flag, replacement))
            found = await broad_causes(tx, lineage, uid)
            if found == looked_at:
                _check_clean(replacement, offending)
            else:
                _check_clean(replacement, await broad_offences(service, lineage, flag, found, replacement))
        await flags.resolve(tx, uid, resolution, replacement=replacement, justification=justification, now=now)
        if resolution is FlagResolution.RETIRED:
            await upper.mark_changed(tx)
        return await _changed(tx, EventKind.FLAG_RESOLVED, uid, now)

    return await decide(service, work)


async def _take(tx: Tx, service: Service, uid: str) -> tuple[Lineage, RetrainingFlag]:
    """The flag as it stands under the upper graph's guard, without which no flag is written."""
    lineage = await service.lineages.at(await upper.lock(tx), tx)
    flag = await flags.find(tx, uid)
    if flag is None:
        raise NotFoundError("there is no such flag", code="FLAG_NOT_FOUND", path=("flag",))
    return lineage, flag


async def _changed(tx: Tx, kind: EventKind, uid: str, now: Instant) -> RetrainingFlag:
    """The flag as it now stands, and that it changed told to the outbox."""
    flag = await flags.get(tx, uid)
    await events.flag_changed(tx, kind, flag, now)
    return flag


async def _look_at_broad_causes(service: Service, uid: str, replacement: str) -> tuple[Broad | None, list[Offence]]:
    """What stands against a replacement of the posts of broad causes: outside any lock, they may be very many."""

    async def read(tx: Tx) -> tuple[Lineage, RetrainingFlag | None, Broad]:
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        return lineage, await flags.find(tx, uid), await broad_causes(tx, lineage, uid)

    lineage, flag, found = await service.graph.read(read)
    if flag is None or replacement not in lineage.models:
        return None, []
    return found, await broad_offences(service, lineage, flag, found, replacement)


def _check_clean(replacement: str, found: list[Offence]) -> None:
    if found:
        raise StateError(
            f"{replacement} is not clean of the affected posts: {'; '.join(map(str, found[:MOST_OFFENCES]))}",
            code="REPLACEMENT_NOT_CLEAN",
            path=("replacement",),
        )


async def list_causes(service: Service, uid: str, kind: CauseKind | None, request: PageRequest) -> Page[FlagCause]:
    """What holds the flag open, or held it when it was resolved, in the order in which it was recorded."""
    return await service.graph.read(lambda tx: causes.page_of_flag(tx, uid, kind, request))


async def cause_count(service: Service, uid: str, kind: CauseKind | None) -> int:
    """How many causes hold the flag open (or held it when it was resolved), of one kind or of all."""
    return len(await service.graph.read(lambda tx: causes.of_flag(tx, uid, kind)))
