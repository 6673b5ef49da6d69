"""Retraining flags: raised and dropped by reconciling what is recorded with what the rules demand, and followed up.

Every fact that can make or unmake a model version a user of a post in scope of a live objection calls `reconcile_*` in
its own transaction. That computes the causes from the facts as they stand, so flags never depend on the order in which
the facts were recorded.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import replace
from itertools import islice

from consentline.domain.causes import CauseFinder, ScopedPosts
from consentline.domain.errors import NotFoundError, StateError
from consentline.domain.flags import (
    CauseKind,
    FlagResolution,
    FlagStatus,
    RetrainingFlag,
    check_acknowledgement,
    check_resolution,
    check_scheduling,
)
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.objections import STOPPING, ObjectionStatus
from consentline.domain.paging import Page, PageRequest
from consentline.domain.replacement import Offence, offences
from consentline.graph import flags, objections, posts, upper
from consentline.graph.flags import Cause
from consentline.graph.session import Tx
from consentline.usecases.service import Service

_PEOPLE_AT_ONCE = 500
_POSTS_AT_ONCE = 1000
_NAMED_OFFENCES = 5


async def reconcile_people(tx: Tx, service: Service, people: Collection[str], now: Instant) -> None:
    """Bring flags in line with the objections of these people; the caller holds the upper graph's guard."""
    lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
    ordered = sorted(people)
    for begin in range(0, len(ordered), _PEOPLE_AT_ONCE):
        await _reconcile(tx, lineage, ordered[begin : begin + _PEOPLE_AT_ONCE], now)


async def reconcile_everyone(tx: Tx, service: Service, now: Instant) -> None:
    """Bring flags in line with every live objection; the caller holds the upper graph's guard.

    For structural facts. Objections that are no longer live dropped their causes when they were decided or withdrawn.
    """
    await reconcile_people(tx, service, await objections.live_objectors(tx), now)


async def _reconcile(tx: Tx, lineage: Lineage, people: list[str], now: Instant) -> None:
    filed = await objections.of_people(tx, people)
    standing = await flags.standing_causes(tx, [objection.key for objection in filed])
    live = [objection for objection in filed if objection.status in STOPPING]
    scoped = await objections.scoped_posts(tx, sorted({objection.user for objection in live}))
    finder = CauseFinder(lineage, await posts.person_facts(tx, sorted({group.author for group in scoped})))
    wanted: dict[Cause, tuple[int, Instant]] = {}
    for objection in live:
        due_at = objection.extended_to or objection.due_at
        for (model, kind), count in finder.causes(objection, scoped).items():
            wanted[Cause(model, objection.key, kind)] = (count, due_at)
    recorded = {each.cause: (each.posts, each.due_at) for each in standing if not each.resolved}
    settled = {each.cause for each in standing if each.resolved}
    await flags.write_causes(
        tx,
        raised={cause: what for cause, what in wanted.items() if cause not in recorded and cause not in settled},
        changed={cause: what for cause, what in wanted.items() if recorded.get(cause, what) != what},
        dropped=[cause for cause in recorded if cause not in wanted],
        now=now,
    )


async def list_flags(
    service: Service, status: FlagStatus | None, model_version: str | None, request: PageRequest
) -> Page[RetrainingFlag]:
    """Flags of a status, of a model version, or all, by the time they were raised."""
    return await service.graph.read(lambda tx: flags.page(tx, status, model_version, request))


async def list_flags_of_objection(service: Service, key: str, request: PageRequest) -> Page[RetrainingFlag]:
    """The flags of which the objection is a cause."""
    return await service.graph.read(lambda tx: flags.page_of_objection(tx, key, request))


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
        await flags.acknowledge(tx, uid, await upper.recording_time(tx))
        return await flags.find(tx, uid) or flag

    return await service.graph.write(work)


async def schedule(service: Service, uid: str, planned_for: Instant) -> RetrainingFlag:
    """Record when the model version is to be retrained; a later plan replaces an earlier one.

    Raises:
        NotFoundError: there is no such flag.
        StateError: it is resolved.
        InvalidInputError: the time lies in the past.
    """

    async def work(tx: Tx) -> RetrainingFlag:
        _, flag = await _take(tx, service, uid)
        check_scheduling(flag, planned_for, await upper.recording_time(tx))
        await flags.schedule(tx, uid, planned_for)
        return await flags.find(tx, uid) or flag

    return await service.graph.write(work)


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
            await _check_clean(tx, lineage, flag, replacement)
        await flags.resolve(tx, uid, resolution, replacement=replacement, justification=justification, now=now)
        if resolution is FlagResolution.RETIRED:
            await upper.mark_changed(tx)
        return await flags.find(tx, uid) or flag

    return await service.graph.write(work)


async def _take(tx: Tx, service: Service, uid: str) -> tuple[Lineage, RetrainingFlag]:
    """The flag as it stands under the upper graph's guard, without which no flag is written."""
    lineage = await service.lineages.at(await upper.lock(tx), tx)
    flag = await flags.find(tx, uid)
    if flag is None:
        raise NotFoundError("there is no such flag", code="FLAG_NOT_FOUND", path=("flag",))
    return lineage, flag


async def _check_clean(tx: Tx, lineage: Lineage, flag: RetrainingFlag, replacement: str) -> None:
    affected = await _affected_groups(tx, lineage, flag, await flags.causes_of(tx, flag.uid, None))
    keys = sorted({key for group in affected for key in group.keys})
    memberships = {key: group.memberships for group in affected for key in group.keys}
    found: list[Offence] = []
    for begin in range(0, len(keys), _POSTS_AT_ONCE):
        facts = await posts.facts(tx, keys[begin : begin + _POSTS_AT_ONCE])
        asked = [(facts[key], memberships[key]) for key in keys[begin : begin + _POSTS_AT_ONCE]]
        found.extend(islice(offences(lineage, replacement, asked), _NAMED_OFFENCES - len(found)))
        if len(found) >= _NAMED_OFFENCES:
            break
    if found:
        raise StateError(
            f"{replacement} is not clean of the affected posts: {'; '.join(map(str, found))}",
            code="REPLACEMENT_NOT_CLEAN",
            path=("replacement",),
        )


async def _affected_groups(
    tx: Tx, lineage: Lineage, flag: RetrainingFlag, causes: list[flags.FlagCause]
) -> list[ScopedPosts]:
    """The posts that the causes concern, named, in groups; the same post may be in several."""
    people = sorted({cause.user for cause in causes})
    # A standing cause counts as it did when it was recorded, also on a flag that was resolved before the objection was.
    filed = {each.key: replace(each, status=ObjectionStatus.PENDING) for each in await objections.of_people(tx, people)}
    scoped = await objections.scoped_posts(tx, people, named=True)
    finder = CauseFinder(lineage, await posts.person_facts(tx, sorted({group.author for group in scoped})))
    return [
        group
        for group in scoped
        for cause in causes
        if group.kind is cause.kind and flag.model_version in finder.models(filed[cause.objection], group)
    ]


async def cause_count(service: Service, uid: str, kind: CauseKind | None) -> int:
    """How many causes hold the flag open (or held it when it was resolved), of one kind or of all."""
    return len(await service.graph.read(lambda tx: flags.causes_of(tx, uid, kind)))


async def affected_post_count(service: Service, flag: RetrainingFlag, kind: CauseKind | None) -> int:
    """How many distinct posts the causes concern.

    Posts of different authors are different, so counts of one kind add up unless somebody has two causes; only then
    are the posts themselves compared.
    """

    async def work(tx: Tx) -> int:
        causes = await flags.causes_of(tx, flag.uid, kind)
        by_person = Counter(cause.user for cause in causes)
        if all(cause.kind is CauseKind.OBJECTION and by_person[cause.user] == 1 for cause in causes):
            return sum(cause.posts for cause in causes)
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        affected = {key for group in await _affected_groups(tx, lineage, flag, causes) for key in group.keys}
        return len(affected)

    return await service.graph.read(work)
