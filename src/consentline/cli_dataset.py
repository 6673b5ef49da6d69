"""What `consentline dataset build|diff|export` do: a use case each, with progress, and files that appear whole."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

import msgspec
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from consentline.connection import open_service
from consentline.domain.audit import READ, Subject, SubjectKind
from consentline.domain.codes import check_jurisdiction, check_platform, check_purpose
from consentline.domain.datasets import DatasetVersion, ManifestDigest, Selection, VersionRef
from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import Instant, from_datetime
from consentline.domain.keys import check_key
from consentline.domain.paging import Page, PageRequest
from consentline.domain.pseudonyms import is_digest
from consentline.domain.sharding import format_position
from consentline.domain.shards import position_of_shard
from consentline.member_files import (
    KeyWriter,
    NdjsonWriter,
    ParquetWriter,
    SortedKeys,
    import_parquet,
    standard_output,
    whole_file,
)
from consentline.settings import Settings
from consentline.usecases.audit import entering, lasting, operator
from consentline.usecases.build_leases import Report
from consentline.usecases.builds import BuildVersion, BuiltVersion
from consentline.usecases.builds import build as build_version
from consentline.usecases.datasets import list_difference
from consentline.usecases.manifests import check_export, stream_members, stream_shards
from consentline.usecases.service import Service

INTERRUPTED = 130
_KEYS_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class BuildOptions:
    """What the command line says of a build; times as they were written."""

    dataset: str
    title: str | None
    purpose: str
    jurisdictions: Sequence[str]
    platforms: Sequence[str]
    published_from: str | None
    published_before: str | None
    as_of: str | None

    def command(self) -> BuildVersion:
        """The command of the use case.

        Raises:
            InvalidInputError: a key, a code or a time is malformed; the option is named.
        """
        return BuildVersion(
            dataset=check_key(self.dataset, "DATASET"),
            title=self.title,
            purpose=check_purpose(self.purpose, "--purpose"),
            selection=Selection(
                jurisdictions=tuple(check_jurisdiction(each, "--jurisdiction") for each in self.jurisdictions),
                platforms=tuple(check_platform(each, "--platform") for each in self.platforms),
                published_from=_instant(self.published_from, "--from"),
                published_before=_instant(self.published_before, "--before"),
            ),
            as_of=_instant(self.as_of, "--as-of"),
        )


def run_build(settings: Settings, options: BuildOptions, *, progress: bool) -> int:
    """Build a version and print what became of it; the exit status: 0, or 130 when it was stopped.

    Raises:
        ConsentlineError: it is refused, or the database cannot be reached.
    """
    try:
        built = asyncio.run(_build(settings, options.command(), progress=progress))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("stopped. Run the same command again to go on", file=sys.stderr)  # noqa: T201 - a command's answer
        return INTERRUPTED
    version = built.version
    print(f"{version.ref} is SEALED with {version.post_count:,} posts, {version.manifest_digest}")  # noqa: T201
    if built.excluded:
        print("left out, by reason:")  # noqa: T201
    for reason, count in built.excluded.items():
        print(f"  {reason:<28}{count:>15,}")  # noqa: T201
    return 0


async def _build(settings: Settings, command: BuildVersion, *, progress: bool) -> BuiltVersion:
    async with open_service(settings) as service:
        _cancel_on_sigterm()
        about = [Subject(SubjectKind.DATASET, command.dataset)]
        with _shown(command.dataset, progress=progress) as report:
            async with entering(service, operator(), "buildDatasetVersion", about):
                return await build_version(service, command, report)


def _cancel_on_sigterm() -> None:
    """Let SIGTERM end the command as Ctrl-C does: the build gives its version back."""
    task = asyncio.current_task()
    # Windows has no such handlers: there the version is free once the lease has ended.
    with suppress(NotImplementedError):
        if task is not None:
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)


@contextmanager
def _shown(dataset: str, *, progress: bool) -> Generator[Report | None]:
    """How far a build is, on standard error where that is a terminal."""
    console = Console(stderr=True)
    if not (progress and console.is_terminal):
        yield None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(f"building {dataset}", total=None)

        def show(examined: int, taken: int) -> None:
            bar.update(task, description=f"building {dataset}: {examined:,} posts examined, {taken:,} taken")

        yield show


def run_diff(settings: Settings, dataset: str, begin: int, end: int, *, keys: bool) -> None:
    """Print how many posts two versions do not share; with `keys`, print these and tell the counts on stderr.

    Raises:
        ConsentlineError: a version is not recorded or has no sealed manifest, or the database cannot be reached.
    """
    asyncio.run(_diff(settings, check_key(dataset, "DATASET"), begin, end, keys=keys))


async def _diff(settings: Settings, dataset: str, begin: int, end: int, *, keys: bool) -> None:
    refs = VersionRef(dataset, begin), VersionRef(dataset, end)
    about = [Subject(SubjectKind.DATASET, dataset), *(Subject(SubjectKind.DATASET_VERSION, str(ref)) for ref in refs)]
    async with open_service(settings) as service:
        if keys:
            async with lasting(service, operator(), "exportDifference", about, READ) as told:
                counts = await _write_difference(service, dataset, begin, end, keys=True)
                told.counts = {"posts": sum(counts)}
        else:
            # Counts alone are no export.
            counts = await _write_difference(service, dataset, begin, end, keys=False)
    if len(counts) == 2:
        where = sys.stderr if keys else sys.stdout
        told = f"{dataset}:{begin} -> {dataset}:{end}: {counts[0]:,} added, {counts[1]:,} removed"
        print(told, file=where)


async def _write_difference(service: Service, dataset: str, begin: int, end: int, *, keys: bool) -> list[int]:
    """How many posts joined and left; fewer figures when the reader of the keys went away."""
    counts: list[int] = []
    with standard_output() as out:
        for added, change in ((True, b"added"), (False, b"removed")):
            total = 0
            async for page in _difference(service, dataset, begin, end, added=added, keys=keys):
                total = page.total
                if keys:
                    out.write(b"".join(_change(change, post) for post in page.items))
            counts.append(total)
    return counts


def _change(change: bytes, post: str) -> bytes:
    return b'{"change":"%b","post":%b}\n' % (change, msgspec.json.encode(post))


async def _difference(
    service: Service, dataset: str, begin: int, end: int, *, added: bool, keys: bool
) -> AsyncGenerator[Page[str]]:
    """The pages of one side of the difference; the first alone, which has the total, unless the keys are wanted."""
    most = _KEYS_AT_ONCE if keys else 1
    request = PageRequest(most)
    while True:
        page = await list_difference(service, dataset, begin=begin, end=end, added=added, request=request)
        yield page
        if not (keys and page.has_next):
            return
        request = PageRequest(most, page.positions[-1])


def run_export(
    settings: Settings,
    ref: VersionRef,
    *,
    parquet: bool,
    output: Path | None,
    purpose: str,
    allow_ineligible: bool,
    by_shard: bool = False,
) -> None:
    """Write the member keys of a version, sorted, to a file or to standard output; `by_shard` a line a Shard.

    Raises:
        ConsentlineError: it may not be exported, the file cannot be written, or the database cannot be reached.
    """
    check_key(ref.dataset, "DATASET")
    check_purpose(purpose, "--purpose")
    if parquet and by_shard:
        raise InvalidInputError("an export by Shard is NDJSON", code="INVALID_INPUT")
    if parquet:
        import_parquet()
        if output is None:
            raise InvalidInputError("Parquet goes to a file: name it with --output", code="OUTPUT_REQUIRED")
    with standard_output() if output is None else whole_file(output) as file:
        if by_shard:
            exporting = _export_shards(settings, ref, file, purpose, allow_ineligible=allow_ineligible)
        else:
            writer = ParquetWriter(file) if parquet else NdjsonWriter(file)
            exporting = _export(settings, ref, writer, purpose, allow_ineligible=allow_ineligible)
        version, erased = asyncio.run(exporting)
    told = f"{ref}: {(version.post_count or 0) - erased:,} posts, {version.manifest_digest}"
    if erased:
        told = f"{ref}: {(version.post_count or 0) - erased:,} posts; {erased:,} that were erased are left out"
    print(told, file=sys.stderr if output is None else sys.stdout)


async def _export(
    settings: Settings, ref: VersionRef, writer: KeyWriter, purpose: str, *, allow_ineligible: bool
) -> tuple[DatasetVersion, int]:
    """The version, and how many of its members were erased: nobody knows their keys any more."""
    about = [Subject(SubjectKind.DATASET, ref.dataset), Subject(SubjectKind.DATASET_VERSION, str(ref))]
    async with open_service(settings) as service, lasting(service, operator(), "exportDataset", about, READ) as told:
        version = await check_export(service, ref, purpose, allow_ineligible=allow_ineligible)
        with SortedKeys() as keys:
            async with aclosing(stream_members(service, ref)) as pages:
                async for page in pages:
                    keys.add(page)
            digest, written = ManifestDigest(), ManifestDigest()
            for chunk in keys.chunks():
                left = [key for key in chunk if not is_digest(key)]
                writer.write(left)
                written.update(left)
                digest.update(chunk)
            writer.close()
        erased = digest.count - written.count
        told.counts, told.digest = {"posts": written.count} | ({"erased": erased} if erased else {}), str(written)
        _check_manifest(version, digest, erased)
    return version, erased


async def _export_shards(
    settings: Settings, ref: VersionRef, file: BinaryIO, purpose: str, *, allow_ineligible: bool
) -> tuple[DatasetVersion, int]:
    """A line for each Shard: its key, its position for sharded training (docs/plans.md), and its members, sorted.

    Answers the version, and how many members were left out because they were erased.
    """
    about = [Subject(SubjectKind.DATASET, ref.dataset), Subject(SubjectKind.DATASET_VERSION, str(ref))]
    async with open_service(settings) as service, lasting(service, operator(), "exportDataset", about, READ) as told:
        version = await check_export(service, ref, purpose, allow_ineligible=allow_ineligible)
        digest, written = ManifestDigest(), 0
        with SortedKeys() as keys:
            async with aclosing(stream_shards(service, ref)) as shards:
                async for shard, posts in shards:
                    left = sorted(post for post in posts if not is_digest(post))
                    position = format_position(position_of_shard(shard))
                    file.write(msgspec.json.encode({"shard": shard, "position": position, "posts": left}) + b"\n")
                    written += len(left)
                    keys.add(posts)
            digest.update(keys)
        erased = digest.count - written
        told.counts = {"posts": written} | ({"erased": erased} if erased else {})
        _check_manifest(version, digest, erased)
    return version, erased


def _check_manifest(version: DatasetVersion, digest: ManifestDigest, erased: int) -> None:
    # The digest of the seal covers the keys that erased posts had: then only their number can be checked.
    if digest.count != version.post_count or (not erased and str(digest) != version.manifest_digest):
        raise StateError(
            f"the {digest.count:,} members of {version.ref} are not those of its seal ({version.post_count:,} posts,"
            f" {version.manifest_digest}): do not train on them",
            code="MANIFEST_DIFFERS",
        )


def _instant(text: str | None, option: str) -> Instant | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInputError(f"{option} is a time such as 2025-01-01T00:00:00Z", code="INVALID_TIME") from None
    if moment.tzinfo is None:
        raise InvalidInputError(f"{option} has no offset: write {text}Z for UTC", code="TIME_WITHOUT_OFFSET")
    return from_datetime(moment)
