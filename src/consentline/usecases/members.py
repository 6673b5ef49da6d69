"""Members of a version that is BUILDING, and the seal that ends it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from consentline.domain.datasets import Coverage, DatasetVersion, VersionRef, VersionStatus, manifest_digest
from consentline.domain.errors import RefusedError, StateError
from consentline.domain.lineage import Lineage
from consentline.graph import datasets as graph_datasets
from consentline.graph import members, upper
from consentline.graph.session import Tx
from consentline.usecases.datasets import get_version
from consentline.usecases.membership import Locked, drop, in_members_transaction, take
from consentline.usecases.service import Service

Outcome = bool | RefusedError
"""True: something was written; False: it was so already; an error: refused, nothing was written."""

_ATTEMPTS_TO_SEAL = 3


async def add_members(service: Service, ref: VersionRef, posts: Sequence[str]) -> list[Outcome]:
    """Record posts as members of a BUILDING version, one outcome each, in order; all in one transaction."""

    async def work(tx: Tx, locked: Locked) -> list[Outcome]:
        stored = locked.stored(posts)
        return _first_occurrences(stored, await take(tx, service, locked, ref.number, set(stored)))

    try:
        return await _in_transaction(service, ref, posts, work)
    except _ClosedError:
        held = await _held(service, ref, posts)
        return [False if post in held else _closed(ref) for post in posts]


async def remove_members(service: Service, ref: VersionRef, posts: Sequence[str]) -> list[Outcome]:
    """Take posts out of a BUILDING version that is based on another, one outcome each, in order."""

    async def work(tx: Tx, locked: Locked) -> list[Outcome]:
        _, based_on = await graph_datasets.registered_as(tx, ref)
        if based_on is None:
            raise StateError(f"{ref} was not registered with basedOn", code="VERSION_NOT_BASED_ON", path=("version",))
        stored = locked.stored(posts)
        return _first_occurrences(stored, await drop(tx, locked, ref.number, set(stored)))

    try:
        return await _in_transaction(service, ref, posts, work, create=False)
    except _ClosedError:
        held = await _held(service, ref, posts)
        return [_closed(ref) if post in held else False for post in posts]


class _ClosedError(Exception):
    """The version is not BUILDING, and never will be again: its members can be read without a lock."""


async def _in_transaction(
    service: Service,
    ref: VersionRef,
    posts: Sequence[str],
    work: Callable[[Tx, Locked], Awaitable[list[Outcome]]],
    *,
    create: bool = True,
) -> list[Outcome]:
    def check(lineage: Lineage) -> None:
        _check(lineage, ref)
        if lineage.versions[ref].status is not VersionStatus.BUILDING:
            raise _ClosedError

    try:
        return await in_members_transaction(service, ref.dataset, posts, work, check, create=create)
    except RefusedError as error:
        return [error] * len(posts)


async def _held(service: Service, ref: VersionRef, posts: Sequence[str]) -> set[str]:
    asked = [service.pseudonyms.either("Post", post) for post in sorted(set(posts))]
    found = await service.graph.read(lambda tx: members.held(tx, ref.dataset, ref.number, asked))
    return {post for post, is_member in found.items() if is_member}


class _Manifest(NamedTuple):
    """The members of a BUILDING version as they stood under a mark of the dataset, counted and digested."""

    mark: str | None
    posts: int
    digest: str


async def seal_version(service: Service, ref: VersionRef) -> bool:
    """End a version's manifest: it becomes SEALED and immutable; False when it was already.

    Its digest covers every member: they are read before any lock is taken, and again only when they changed meanwhile.

    Raises:
        NotFoundError: it is not recorded.
        StateError: a build makes it, and seals it itself.
    """

    async def seal(tx: Tx, manifest: _Manifest | None) -> bool | None:
        """Seal it with the manifest, when that still tells the members; else answer None."""
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        version = get_version(lineage, ref, ("version",))
        if version.status is not VersionStatus.BUILDING:
            return False
        _check_not_being_built(version)
        if manifest is None:
            manifest = await _manifest(tx, ref)
        elif manifest.mark != await members.mark(tx, ref.dataset):
            return None
        await members.lock_dataset(tx, ref.dataset)
        await graph_datasets.seal(
            tx,
            ref,
            post_count=manifest.posts,
            manifest_digest=manifest.digest,
            sealed_at=await upper.recording_time(tx),
        )
        await upper.mark_changed(tx)
        return True

    version = (await service.lineage()).versions.get(ref)
    for _ in range(_ATTEMPTS_TO_SEAL if version is not None and version.status is VersionStatus.BUILDING else 0):
        read = await service.graph.read(lambda tx: _manifest(tx, ref))
        sealed = await service.graph.write(lambda tx, read=read: seal(tx, read))
        if sealed is not None:
            return sealed
    return bool(await service.graph.write(lambda tx: seal(tx, None)))


async def _manifest(tx: Tx, ref: VersionRef) -> _Manifest:
    mark = await members.mark(tx, ref.dataset)
    keys = await members.members(tx, ref.dataset, ref.number)
    return _Manifest(mark, len(keys), await asyncio.to_thread(manifest_digest, keys))


def _check(lineage: Lineage, ref: VersionRef) -> None:
    """Return when the version has a manifest, whatever its state, unless a build makes it.

    Raises:
        NotFoundError: it is not recorded.
        StateError: it has no manifest of members, or is being built.
    """
    version = get_version(lineage, ref, ("version",))
    if version.coverage is not Coverage.COMPLETE:
        raise StateError(f"{ref} has no manifest of members", code="VERSION_NOT_COMPLETE", path=("version",))
    _check_not_being_built(version)


def _check_not_being_built(version: DatasetVersion) -> None:
    if version.being_built:
        raise StateError(
            f"{version.ref} is {version.build}: only its build changes its members and seals it",
            code="VERSION_BEING_BUILT",
            path=("version",),
        )


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
