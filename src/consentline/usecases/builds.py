"""Building the next version of a dataset from the posts that may be used: streaming, resumable, fenced by a lease.

    open    one transaction: the version is created BUILDING, or one whose build was interrupted is taken over
    take    the selection is streamed; posts that may be used and are no members yet join, a transaction a batch
    leave   what was a member before, and was not found among those, leaves
    seal    what stopped being eligible meanwhile leaves; then, under the upper graph's guard, count and digest

A build holds a lease on its version, renewed while it runs. Each transaction checks it under the dataset's guard, under
which it is also taken over: of two builds that believe to hold one version only the later can write. Since nobody else
changes the dataset's members while a build holds its version, members are read outside any lock.

Facts that come while it runs count: whatever makes a member ineligible before the seal commits is seen under the upper
graph's guard. Memory: the keys of the members, about 100 bytes each.
"""

import hashlib
import json
from dataclasses import dataclass
from uuid import uuid4

from consentline.domain.builds import BuildProgress
from consentline.domain.codes import check_purpose
from consentline.domain.datasets import Coverage, DatasetVersion, Selection, VersionRef, VersionStatus
from consentline.domain.eligibility import Reason
from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import Instant, to_datetime
from consentline.graph import builds, datasets, upper
from consentline.graph.session import Tx
from consentline.usecases.build_leases import LEASE_SECONDS, Build, Report, held
from consentline.usecases.build_steps import drop_leaving, seal_built, take_selection
from consentline.usecases.datasets import check_selection
from consentline.usecases.membership import Locked, in_members_transaction
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class BuildVersion:
    """What to build; `as_of` None means now. See `BuildDatasetVersionInput` in the schema."""

    dataset: str
    title: str | None = None
    purpose: str = "AI_TRAINING"
    selection: Selection | None = None
    as_of: Instant | None = None

    def content(self) -> str:
        """A digest of everything by which a repeated call is known, so that it goes on with what was interrupted."""
        selection = self.selection or Selection()
        parts = [
            "build",
            self.purpose,
            sorted(set(selection.jurisdictions)),
            sorted(set(selection.platforms)),
            selection.published_from,
            selection.published_before,
            self.as_of,
        ]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class BuiltVersion:
    """The sealed version, and how many posts of the selection had each reason."""

    version: DatasetVersion
    excluded: dict[Reason, int]


async def build(service: Service, command: BuildVersion, report: Report | None = None) -> BuiltVersion:
    """Make and seal the next version of a dataset: the posts of the selection that may be used, at `as_of` and now.

    Writes what differs from the newest content of the dataset, and nothing of a version is visible before its seal.
    Interrupted at any moment, the same call (but for the title) goes on with it.

    Raises:
        InvalidInputError: `as_of` lies in the future, the selection can hold nothing, or something is no code.
        StateError: another version of the dataset is BUILDING, or this build is running already; facts kept changing.
        DatabaseUnavailableError: it stopped in the middle; call again.
    """
    check_selection(command.selection, "selection")
    check_purpose(command.purpose, "purpose")
    if command.as_of is not None and command.as_of > await service.now():
        raise InvalidInputError("asOf lies in the future", code="AS_OF_IN_FUTURE", path=("asOf",))
    at_work = await _open(service, command)
    at_work.report = report
    async with held(at_work):
        before = await take_selection(at_work)
        await drop_leaving(at_work, sorted(before))
        version = await seal_built(at_work)
    return BuiltVersion(version, dict(version.build.excluded if version.build else ()))


async def find_progress(service: Service, ref: VersionRef) -> BuildProgress | None:
    """How far the build of a version is, or was when it ended; None when no build made it."""
    return await service.graph.read(lambda tx: builds.progress(tx, ref))


async def _open(service: Service, command: BuildVersion) -> Build:
    """Take the next version of the dataset, or one whose build was interrupted, for this build."""
    lease = uuid4().hex

    async def work(tx: Tx, locked: Locked) -> Build:
        now = await upper.recording_time(tx)
        numbers = locked.lineage.numbers.get(command.dataset, ())
        open_version = next(
            (
                version
                for version in (locked.lineage.versions[VersionRef(command.dataset, number)] for number in numbers)
                if version.status is VersionStatus.BUILDING
            ),
            None,
        )
        if open_version is None:
            ref = VersionRef(command.dataset, (numbers[-1] if numbers else 0) + 1)
            await _create(tx, command, ref, now)
        else:
            ref = open_version.ref
            await _check_interrupted(tx, command, open_version, lease, now)
        selection = command.selection or Selection()
        await builds.claim(
            tx,
            ref,
            title=command.title,
            purpose=command.purpose,
            as_of=command.as_of,
            selection=selection,
            lease=lease,
            lease_until=now + LEASE_SECONDS * 1_000_000,
            now=now,
        )
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        as_of = now if command.as_of is None else command.as_of
        return Build(service, ref, command.purpose, selection, as_of, now, lineage, lease)

    return await in_members_transaction(service, command.dataset, (), work)


async def _create(tx: Tx, command: BuildVersion, ref: VersionRef, now: Instant) -> None:
    """The next version, BUILDING and with the newest content: no interval is ended."""
    await datasets.create_version(
        tx,
        ref,
        coverage=Coverage.COMPLETE,
        status=VersionStatus.BUILDING,
        title=command.title,
        selection=None,
        based_on=None,
        derived_from=(),
        generated_by=(),
        content=command.content(),
        recorded_at=now,
    )


async def _check_interrupted(tx: Tx, command: BuildVersion, version: DatasetVersion, lease: str, now: Instant) -> None:
    """Return when the BUILDING version is of this build, and nobody is at work on it.

    Raises:
        StateError: it is not, or somebody is.
    """
    if version.build is None:
        raise StateError(f"{version.ref} is still BUILDING; seal it first", code="VERSION_BUILDING", path=("dataset",))
    content, _ = await datasets.registered_as(tx, version.ref)
    if content != command.content():
        raise StateError(
            f"{version.ref} is BUILDING, {version.build}; finish that build first, by calling it again",
            code="VERSION_BUILDING",
            path=("dataset",),
        )
    # Our own lease may stand there already, when the answer to our commit was lost and it is repeated.
    until = await builds.leased_until(tx, version.ref, lease)
    if until is not None and until > now:
        raise StateError(
            f"{version.ref} is being built; should that build have died, call again after"
            f" {to_datetime(until).isoformat()}",
            code="BUILD_RUNNING",
            path=("dataset",),
        )
