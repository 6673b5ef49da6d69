"""Registering, reading and withdrawing dataset versions."""

import hashlib
import json
from dataclasses import dataclass

from consentline.domain.codes import check_jurisdiction, check_platform
from consentline.domain.datasets import (
    Coverage,
    DatasetVersion,
    Selection,
    VersionRef,
    VersionStatus,
    manifest_digest,
)
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.lineage import Lineage
from consentline.domain.paging import Page, PageRequest
from consentline.graph import counts, differences, holdings, members, upper
from consentline.graph import datasets as graph_datasets
from consentline.graph.session import Tx
from consentline.usecases.audit import accepted, decide
from consentline.usecases.membership import Locked, drop, in_members_transaction, take
from consentline.usecases.service import Service
from consentline.usecases.suppression import surely

MOST_LISTED = 100_000
"""How many posts one registration lists: it is one transaction, held in the database's memory (about 4 KB a post)."""


@dataclass(frozen=True, slots=True)
class RegisterVersion:
    """What to register; see `RegisterDatasetVersionInput` in the schema for the meaning of each field."""

    dataset: str
    coverage: Coverage
    number: int | None = None
    title: str | None = None
    posts: tuple[str, ...] | None = None
    selection: Selection | None = None
    based_on: int | None = None
    derived_from: tuple[VersionRef, ...] = ()
    generated_by: tuple[str, ...] = ()

    @property
    def building(self) -> bool:
        """Whether members are still to come as records."""
        return self.coverage is Coverage.COMPLETE and self.posts is None

    def content(self) -> str:
        """A digest of everything that makes the version what it is, so that a retry can be told from a conflict."""
        selection = self.selection or Selection()
        posts = None if self.posts is None else manifest_digest(sorted(set(self.posts)))
        parts = [
            self.coverage.value,
            posts,
            None
            if self.selection is None
            else [
                sorted(set(selection.jurisdictions)),
                sorted(set(selection.platforms)),
                selection.published_from,
                selection.published_before,
            ],
            self.based_on,
            sorted(set(self.derived_from)),
            sorted(set(self.generated_by)),
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


async def register_version(service: Service, command: RegisterVersion) -> DatasetVersion:
    """Register the next version of a dataset; the same number with the same content changes nothing.

    With `posts`, or without a COMPLETE manifest, it is sealed at once, in this one transaction. Otherwise it is
    BUILDING: empty, or with the members of `based_on`.

    Raises:
        InvalidInputError: fields that do not go together.
        NotFoundError: a version or model version that it names is not recorded.
        StateError: another version of the dataset is BUILDING, or one that it derives from is BUILDING or WITHDRAWN.
        ConflictError: the number is taken by other content, or is not the next one.
    """
    _check_shape(command)

    async def work(tx: Tx, locked: Locked) -> DatasetVersion:
        lineage = locked.lineage
        taken = await _registered_before(tx, lineage, command)
        if taken is not None:
            return taken
        numbers = lineage.numbers.get(command.dataset, ())
        ref = VersionRef(command.dataset, (numbers[-1] if numbers else 0) + 1)
        _check_references(lineage, command, ref)
        recorded_at = await upper.recording_time(tx)
        await graph_datasets.create_version(
            tx,
            ref,
            coverage=command.coverage,
            status=VersionStatus.BUILDING if command.building else VersionStatus.SEALED,
            title=command.title,
            selection=command.selection,
            based_on=command.based_on,
            derived_from=sorted(set(command.derived_from)),
            generated_by=sorted(set(command.generated_by)),
            content=command.content(),
            recorded_at=recorded_at,
        )
        if command.posts is not None:
            await _write_manifest(tx, service, locked, ref, set(locked.stored(command.posts)))
            await graph_datasets.seal(
                tx,
                ref,
                post_count=len(set(command.posts)),
                manifest_digest=manifest_digest(sorted(set(command.posts))),
                sealed_at=recorded_at,
            )
        elif command.building:
            await _begin_building(tx, service, locked, ref, command.based_on)
        return (await service.lineages.at(await upper.mark_changed(tx), tx)).versions[ref]

    return await in_members_transaction(service, command.dataset, command.posts or (), work, outcome=accepted)


async def withdraw_version(service: Service, ref: VersionRef, reason: str) -> DatasetVersion:
    """Withdraw a sealed version: it stays in answers about the past, and may not be used again. Repeating is allowed.

    Raises:
        NotFoundError: it is not recorded.
        StateError: it is still BUILDING.
        InvalidInputError: no reason is given.
    """
    if not reason.strip():
        raise InvalidInputError("a withdrawal states its reason", code="REASON_REQUIRED", path=("reason",))

    async def work(tx: Tx) -> DatasetVersion:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        version = get_version(lineage, ref)
        if version.status is VersionStatus.WITHDRAWN:
            return version
        if version.status is VersionStatus.BUILDING:
            raise StateError(f"{ref} is still BUILDING; seal it first", code="VERSION_BUILDING", path=("number",))
        await graph_datasets.withdraw(tx, ref, reason=reason, withdrawn_at=await upper.recording_time(tx))
        return (await service.lineages.at(await upper.mark_changed(tx), tx)).versions[ref]

    return await decide(service, work)


async def contains(service: Service, version: DatasetVersion, post: str) -> bool | None:
    """Whether the post is a member; None when there is no COMPLETE manifest, or not yet a sealed one, to tell."""
    if version.coverage is not Coverage.COMPLETE or version.status is VersionStatus.BUILDING:
        return None
    asked = service.pseudonyms.either("Post", post)
    held = await surely(service, lambda tx: members.held(tx, version.dataset, version.number, [asked]), bool)
    return held.get(post, False)


def get_version(lineage: Lineage, ref: VersionRef, path: tuple[str, ...] = ("dataset",)) -> DatasetVersion:
    """The version in the upper graph.

    Raises:
        NotFoundError: it is not recorded.
    """
    version = lineage.versions.get(ref)
    if version is None:
        raise NotFoundError(f"dataset version {ref} is not recorded", code="VERSION_NOT_FOUND", path=path)
    return version


def _check_shape(command: RegisterVersion) -> None:
    complete = command.coverage is Coverage.COMPLETE
    if command.posts is not None and len(command.posts) > MOST_LISTED:
        raise InvalidInputError(
            f"more than {MOST_LISTED} posts: register without posts, send member records, then a seal",
            code="TOO_MANY_POSTS",
            path=("posts",),
        )
    refusals = (
        (command.posts is not None and not complete, "posts", "only a COMPLETE version lists its posts"),
        (
            command.selection is not None and command.coverage is not Coverage.DECLARED,
            "declaredSelection",
            "only a DECLARED version declares its selection",
        ),
        (command.based_on is not None and not complete, "basedOn", "only a COMPLETE version starts from another"),
        (
            command.based_on is not None and command.posts is not None,
            "basedOn",
            "a version lists its posts or starts from another, not both",
        ),
    )
    for refused, field, message in refusals:
        if refused:
            raise InvalidInputError(message, code="INVALID_INPUT", path=(field,))
    check_selection(command.selection, "declaredSelection")


def check_selection(selection: Selection | None, field: str) -> None:
    """Return unless the selection contradicts itself, or names what is no code and would match nothing.

    Raises:
        InvalidInputError: nothing can be published in its time; a platform or jurisdiction is none.
    """
    if selection is None:
        return
    for platform in selection.platforms:
        check_platform(platform, field, "platforms")
    for jurisdiction in selection.jurisdictions:
        check_jurisdiction(jurisdiction, field, "jurisdictions")
    if (
        selection.published_from is not None
        and selection.published_before is not None
        and selection.published_from >= selection.published_before
    ):
        raise InvalidInputError("publishedFrom lies before publishedBefore", code="EMPTY_SELECTION", path=(field,))


async def _registered_before(tx: Tx, lineage: Lineage, command: RegisterVersion) -> DatasetVersion | None:
    """The version of the number asked for, when it was registered with the same content."""
    if command.number is None:
        return None
    version = lineage.versions.get(VersionRef(command.dataset, command.number))
    if version is not None:
        content, _ = await graph_datasets.registered_as(tx, version.ref)
        if content == command.content():
            return version
        raise ConflictError(
            f"{version.ref} is registered with other content", code="VERSION_NUMBER_TAKEN", path=("number",)
        )
    numbers = lineage.numbers.get(command.dataset, ())
    expected = (numbers[-1] if numbers else 0) + 1
    if command.number != expected:
        raise ConflictError(
            f"the next version of {command.dataset} is {expected}", code="VERSION_NUMBER_UNEXPECTED", path=("number",)
        )
    return None


def _check_references(lineage: Lineage, command: RegisterVersion, ref: VersionRef) -> None:
    if command.coverage is Coverage.COMPLETE:
        _check_nothing_building(lineage, command.dataset)
    if command.based_on is not None:
        base = get_version(lineage, VersionRef(command.dataset, command.based_on), ("basedOn",))
        if base.coverage is not Coverage.COMPLETE:
            raise StateError(f"{base.ref} has no COMPLETE manifest", code="VERSION_NOT_COMPLETE", path=("basedOn",))
    for upstream in command.derived_from:
        _check_upstream(lineage, upstream, ref)
    for model in command.generated_by:
        if model not in lineage.models:
            raise NotFoundError(
                f"model version {model} is not recorded", code="MODEL_VERSION_NOT_FOUND", path=("generatedBy",)
            )


def _check_nothing_building(lineage: Lineage, dataset: str) -> None:
    for number in lineage.numbers.get(dataset, ()):
        if lineage.versions[VersionRef(dataset, number)].status is VersionStatus.BUILDING:
            raise StateError(
                f"{dataset}:{number} is still BUILDING; seal it first", code="VERSION_BUILDING", path=("dataset",)
            )


def _check_upstream(lineage: Lineage, upstream: VersionRef, ref: VersionRef) -> None:
    if upstream == ref:
        raise ConflictError(f"{ref} cannot derive from itself", code="DERIVATION_CYCLE", path=("derivedFrom",))
    version = get_version(lineage, upstream, ("derivedFrom",))
    if version.status is not VersionStatus.SEALED:
        raise StateError(
            f"{upstream} is {version.status}; only a SEALED version can be derived from",
            code="VERSION_NOT_SEALED",
            path=("derivedFrom",),
        )


async def _write_manifest(tx: Tx, service: Service, locked: Locked, ref: VersionRef, posts: set[str]) -> None:
    """Turn the newest content of the dataset into `posts`, writing only what differs."""
    await drop(tx, locked, ref.number, set(await members.open_members(tx, ref.dataset)) - posts)
    await take(tx, service, locked, ref.number, posts)


async def _begin_building(tx: Tx, service: Service, locked: Locked, ref: VersionRef, based_on: int | None) -> None:
    if based_on is None:
        expired = [policy.ref for policy in locked.lineage.policies if policy.assessment_expires is not None]
        await counts.close_all(tx, ref.dataset, ref.number)
        await holdings.close_all(tx, expired, ref.dataset, ref.number)
        await members.remove_all(tx, ref.dataset, ref.number)
        return
    joined, left = await members.changed_since(tx, ref.dataset, based_on)
    await drop(tx, locked, ref.number, joined - left)
    await take(tx, service, locked, ref.number, left - joined)


async def list_difference(
    service: Service, dataset: str, *, begin: int, end: int, added: bool, request: PageRequest
) -> Page[str]:
    """The posts that version `end` has and `begin` has not (`added`), or the other way round; by key.

    Raises:
        NotFoundError: one of the versions is not recorded.
        StateError: one of them has no COMPLETE manifest, or is still BUILDING.
    """
    lineage = await service.lineage()
    for number, field in ((begin, "from"), (end, "to")):
        version = get_version(lineage, VersionRef(dataset, number), (field,))
        if version.coverage is not Coverage.COMPLETE or version.status is VersionStatus.BUILDING:
            raise StateError(f"{version.ref} has no sealed manifest", code="VERSION_NOT_COMPLETE", path=(field,))
    earlier, later = sorted((begin, end))
    # What joined between the earlier and the later is what going back takes away.
    find = differences.joined if added is (begin <= end) else differences.left
    return await service.graph.read(lambda tx: find(tx, dataset, earlier, later, request))
