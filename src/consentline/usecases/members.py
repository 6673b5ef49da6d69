"""Members of a version that is BUILDING, and the seal that ends it."""

from collections.abc import Sequence

from consentline.domain.datasets import Coverage, VersionRef, VersionStatus, manifest_digest
from consentline.domain.errors import RefusedError, StateError
from consentline.domain.lineage import Lineage
from consentline.graph import datasets as graph_datasets
from consentline.graph import members, upper
from consentline.graph.session import Tx
from consentline.usecases.datasets import get_version
from consentline.usecases.service import Service

Outcome = bool | RefusedError
"""True: something was written; False: it was so already; an error: refused, nothing was written."""


async def add_members(service: Service, ref: VersionRef, posts: Sequence[str]) -> list[Outcome]:
    """Record posts as members of a BUILDING version, one outcome each, in order; all in one transaction."""

    async def work(tx: Tx) -> list[Outcome]:
        refusal = _refusal(await _lineage(service, tx), ref)
        if refusal is not None:
            return [refusal] * len(posts)
        guard = await members.lock_dataset(tx, ref.dataset)
        version = get_version(await _lineage(service, tx), ref)
        if version.status is not VersionStatus.BUILDING:
            held = await members.held(tx, ref.dataset, ref.number, sorted(set(posts)))
            return [False if post in held else _closed(ref) for post in posts]
        await members.ensure_posts(tx, sorted(set(posts)))
        standing = await members.candidates(tx, ref.dataset, sorted(set(posts)))
        absent = {post for post, each in standing.items() if not each.open}
        returning = {post for post in absent if standing[post].ended == ref.number}
        await members.reopen(tx, ref.dataset, ref.number, sorted(returning))
        fresh = [standing[post] for post in sorted(absent - returning)]
        await members.add(tx, guard, ref.number, fresh, service.shard_size)
        return _first_occurrences(posts, absent)

    return await service.graph.write(work)


async def remove_members(service: Service, ref: VersionRef, posts: Sequence[str]) -> list[Outcome]:
    """Take posts out of a BUILDING version that is based on another, one outcome each, in order."""

    async def work(tx: Tx) -> list[Outcome]:
        refusal = _refusal(await _lineage(service, tx), ref)
        if refusal is not None:
            return [refusal] * len(posts)
        await members.lock_dataset(tx, ref.dataset)
        version = get_version(await _lineage(service, tx), ref)
        if version.status is not VersionStatus.BUILDING:
            held = await members.held(tx, ref.dataset, ref.number, sorted(set(posts)))
            return [_closed(ref) if post in held else False for post in posts]
        standing = await members.candidates(tx, ref.dataset, sorted(set(posts)))
        _, based_on = await graph_datasets.registered_as(tx, ref)
        if based_on is None:
            unbased = StateError(
                f"{ref} was not registered with basedOn", code="VERSION_NOT_BASED_ON", path=("version",)
            )
            return [unbased] * len(posts)
        present = {post for post, each in standing.items() if each.open}
        await members.remove(tx, ref.dataset, ref.number, sorted(present))
        return _first_occurrences(posts, present)

    return await service.graph.write(work)


async def seal_version(service: Service, ref: VersionRef) -> bool:
    """End a version's manifest: it becomes SEALED and immutable; False when it was already.

    Raises:
        NotFoundError: it is not recorded.
    """

    async def work(tx: Tx) -> bool:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        version = get_version(lineage, ref, ("version",))
        if version.status is not VersionStatus.BUILDING:
            return False
        await members.lock_dataset(tx, ref.dataset)
        posts = await members.members(tx, ref.dataset, ref.number)
        await graph_datasets.seal(
            tx,
            ref,
            post_count=len(posts),
            manifest_digest=manifest_digest(posts),
            sealed_at=await upper.recording_time(tx),
        )
        await upper.mark_changed(tx)
        return True

    return await service.graph.write(work)


async def _lineage(service: Service, tx: Tx) -> Lineage:
    return await service.lineages.at((await upper.now(tx)).revision, tx)


def _refusal(lineage: Lineage, ref: VersionRef) -> RefusedError | None:
    """Why the version takes no members whatever its state; asked before any lock, which would create the dataset."""
    try:
        version = get_version(lineage, ref, ("version",))
    except RefusedError as error:
        return error
    if version.coverage is not Coverage.COMPLETE:
        return StateError(f"{ref} has no manifest of members", code="VERSION_NOT_COMPLETE", path=("version",))
    return None


def _closed(ref: VersionRef) -> StateError:
    return StateError(f"{ref} is sealed; its members cannot change", code="VERSION_NOT_BUILDING", path=("version",))


def _first_occurrences(posts: Sequence[str], changed: set[str]) -> list[Outcome]:
    """True for the first mention of each changed post, False for every other."""
    remaining = set(changed)
    outcomes: list[Outcome] = []
    for post in posts:
        outcomes.append(post in remaining)
        remaining.discard(post)
    return outcomes
