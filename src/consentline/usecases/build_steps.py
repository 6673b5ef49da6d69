"""What a build does to its version: let posts join, let others leave, and seal it once no member is ineligible.

Since nobody else changes the dataset's members while a build holds its version, members are read outside any lock.
"""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing
from typing import NamedTuple

from consentline.domain import builds as domain
from consentline.domain.audit import ACCEPTED
from consentline.domain.datasets import DatasetVersion, manifest_digest
from consentline.domain.eligibility import Reason
from consentline.domain.errors import StateError
from consentline.domain.evaluation import Evaluator
from consentline.graph import builds, datasets, posts, upper
from consentline.graph.session import Tx
from consentline.usecases import counts, evaluation
from consentline.usecases.build_leases import Build
from consentline.usecases.causes import reconcile
from consentline.usecases.manifests import stream_ineligible, stream_members
from consentline.usecases.membership import Locked, drop, in_members_transaction, take

_POSTS_AT_ONCE = 1000
_UNDER_THE_GUARD_AFTER = 2
_MOST_ATTEMPTS = 10


async def take_selection(at_work: Build) -> set[str]:
    """Let everything join that may be used, and answer which members before are not among that."""
    leaving: set[str] = set()
    async with aclosing(stream_members(at_work.service, at_work.ref)) as pages:
        async for page in pages:
            leaving.update(page)
    joining: list[str] = []
    picked = evaluation.of_selection(
        at_work.service,
        at_work.lineage,
        at_work.selection,
        purpose=at_work.purpose,
        at=at_work.as_of,
        now=at_work.now,
    )
    async with aclosing(picked) as pages:
        async for page in pages:
            for each in page:
                at_work.examined += 1
                if domain.add_reasons(at_work.excluded, each.reasons, each.reasons_now):
                    continue
                if each.post in leaving:
                    leaving.discard(each.post)
                    at_work.taken += 1
                else:
                    joining.append(each.post)
            at_work.tell()
            while len(joining) >= _POSTS_AT_ONCE:
                await _join(at_work, joining[:_POSTS_AT_ONCE])
                del joining[:_POSTS_AT_ONCE]
    await _join(at_work, joining)
    return leaving


async def _join(at_work: Build, keys: Sequence[str]) -> None:
    async def work(tx: Tx, locked: Locked) -> None:
        await take(tx, at_work.service, locked, at_work.ref.number, keys)
        await at_work.hold(tx)

    at_work.taken += len(keys)
    await in_members_transaction(at_work.service, at_work.ref.dataset, keys, work)


async def drop_leaving(at_work: Build, keys: Sequence[str]) -> None:
    """Let members before leave, a transaction a batch."""
    for batch in _batches(keys):

        async def work(tx: Tx, locked: Locked, batch: Sequence[str] = batch) -> None:
            await drop(tx, locked, at_work.ref.number, batch)
            await at_work.hold(tx)

        await in_members_transaction(at_work.service, at_work.ref.dataset, batch, work)


class _Manifest(NamedTuple):
    """The members in code point order, and their digest."""

    keys: list[str]
    digest: str

    @classmethod
    async def of(cls, keys: Iterable[str]) -> "_Manifest":
        ordered = sorted(keys)
        return cls(ordered, await asyncio.to_thread(manifest_digest, ordered))

    async def without(self, keys: Collection[str]) -> "_Manifest":
        return await self.of(key for key in self.keys if key not in keys) if keys else self


class _Unsettled(NamedTuple):
    """What kept a version from being sealed: ineligible members, or counts that are not exact."""

    exact: bool


async def seal_built(at_work: Build) -> DatasetVersion:
    """Seal the version once no member is ineligible, as the upper graph's guard tells.

    Raises:
        StateError: facts that come, or times that pass, kept changing the members.
    """
    service, ref = at_work.service, at_work.ref
    keys: list[str] = []
    async with aclosing(stream_members(service, ref)) as pages:
        async for page in pages:
            keys.extend(page)
    manifest = await _Manifest.of(keys)
    for attempt in range(_MOST_ATTEMPTS):
        found = await _try_to_seal(at_work, manifest, drop_the_last=attempt >= _UNDER_THE_GUARD_AFTER)
        if isinstance(found, DatasetVersion):
            return found
        if not found.exact:
            await counts.refresh(service, [ref], at_work.purpose)
        manifest = await manifest.without(await _drop_ineligible(at_work))
    raise StateError(f"what the members of {ref} rest on keeps changing; call again", code="BUILD_UNSETTLED")


async def _drop_ineligible(at_work: Build) -> set[str]:
    """Drop the members that stopped being eligible since they were taken, and answer which these were.

    Those that are counted as ineligible and may be used are judged anew.
    """

    async def find(tx: Tx) -> list[str]:
        return [key async for page in stream_ineligible(tx, at_work.ref, at_work.purpose) for key in page]

    dropped: set[str] = set()
    for batch in _batches(sorted(await at_work.service.graph.read(find))):

        async def work(tx: Tx, locked: Locked, batch: Sequence[str] = batch) -> dict[str, list[Reason]]:
            found = await _drop_judged(tx, at_work, locked, batch)
            usable = [key for key in batch if key not in found]
            now = await upper.recording_time(tx)
            concerned = await counts.settle(tx, at_work.service, usable, now)
            if concerned:
                await reconcile(tx, at_work.service, locked.lineage, now, concerned)
            await at_work.hold(tx)
            return found

        found = await in_members_transaction(at_work.service, at_work.ref.dataset, batch, work)
        for reasons in found.values():
            domain.add_reasons(at_work.excluded, reasons, ())
        at_work.taken -= len(found)
        dropped.update(found)
    return dropped


async def _drop_judged(tx: Tx, at_work: Build, locked: Locked, keys: Sequence[str]) -> dict[str, list[Reason]]:
    """Drop those of the members that have reasons now, and answer these; by what this transaction can read."""
    policies = locked.lineage.policies
    now = Evaluator(policies, at_work.purpose, (await upper.now(tx)).instant)
    then = Evaluator(policies, at_work.purpose, at_work.as_of)
    facts = await posts.facts(tx, keys)
    found = {key: [*reasons, *then.reasons(each)] for key, each in facts.items() if (reasons := now.reasons(each))}
    await drop(tx, locked, at_work.ref.number, found)
    return found


async def _try_to_seal(at_work: Build, manifest: _Manifest, *, drop_the_last: bool) -> DatasetVersion | _Unsettled:
    """Seal the version when no member is ineligible; the last ones are looked for under the guard only when asked."""
    service, ref = at_work.service, at_work.ref

    async def work(tx: Tx, locked: Locked) -> DatasetVersion | _Unsettled:
        await at_work.hold(tx)
        now = await upper.recording_time(tx)
        standing = await counts.standing(tx, locked.lineage, ref, at_work.purpose, now)
        if not standing.exact or (standing.count and not drop_the_last):
            return _Unsettled(standing.exact)
        final, excluded = manifest, at_work.excluded.copy()
        if standing.count:
            found = await _drop_the_last(tx, at_work, locked, standing.count)
            for reasons in found.values():
                domain.add_reasons(excluded, reasons, ())
            final = await manifest.without(found)
        await datasets.seal(tx, ref, post_count=len(final.keys), manifest_digest=final.digest, sealed_at=now)
        await builds.finish(tx, ref, len(final.keys), domain.excluded(excluded))
        return (await service.lineages.at(await upper.mark_changed(tx), tx)).versions[ref]

    try:
        return await in_members_transaction(service, ref.dataset, (), work, outcome=_outcome)
    except _DueMeanwhileError:
        return _Unsettled(exact=False)


def _outcome(found: DatasetVersion | _Unsettled) -> str | None:
    """What the audit says of an attempt: the build is done once the version is sealed."""
    return ACCEPTED if isinstance(found, DatasetVersion) else None


async def _drop_the_last(tx: Tx, at_work: Build, locked: Locked, count: int) -> dict[str, list[Reason]]:
    """Drop every ineligible member, of whom there are `count`, in the transaction that seals."""
    keys = [key async for page in stream_ineligible(tx, at_work.ref, at_work.purpose) for key in page]
    found: dict[str, list[Reason]] = {}
    for batch in _batches(sorted(keys)):
        found |= await _drop_judged(tx, at_work, locked, batch)
    if len(found) != count:
        raise _DueMeanwhileError
    return found


class _DueMeanwhileError(Exception):
    """A member counted as ineligible may be used again by now: the transaction is given up."""


def _batches(keys: Sequence[str]) -> Iterable[Sequence[str]]:
    return (keys[begin : begin + _POSTS_AT_ONCE] for begin in range(0, len(keys), _POSTS_AT_ONCE))
