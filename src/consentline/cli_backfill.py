"""The command `consentline backfill`: the first load of very many records through Neo4j's offline importer."""

import asyncio
import bisect
import shutil
import sys
import time
from array import array
from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from rich.console import Console

from consentline.backfill import import_files
from consentline.backfill.import_files import LATER, ORIGINS, Written, importer_arguments
from consentline.backfill.staging import Staging
from consentline.cli_ingest import INTERRUPTED, REJECTED, shown
from consentline.connection import open_service
from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import to_datetime
from consentline.domain.record_lines import parse
from consentline.embedded import console_progress, offline
from consentline.record_files import RecordFile, record_files
from consentline.rejects import Rejects
from consentline.settings import Settings
from consentline.usecases.audit import lasting, operator
from consentline.usecases.ingest import IngestSummary, Progress, Rejection, ingest
from consentline.usecases.lines import LONGEST_LINE, split_lines

_ARGUMENTS = "import.args"


def run_backfill(
    settings: Settings,
    files: Sequence[str],
    kind: str | None = None,
    output: Path | None = None,
    memory: str = "4GB",
    progress: bool = True,
) -> int:
    """Load the files into an empty database and answer the exit status: 0, 2 (lines were rejected), 130 (stopped).

    With `output`, write the importer's files there and load nothing.

    Raises:
        ConsentlineError: why it cannot be done; a database that holds anything is left as it is.
    """
    sources = record_files(files, kind)
    if output is None and settings.neo4j_uri is not None:
        raise InvalidInputError(
            "CONSENTLINE_NEO4J_URI names a server of your own: say where to write its import files, with --output",
            code="BACKFILL_NEEDS_OUTPUT",
            path=("output",),
        )
    try:
        with Load(sources, progress=progress) as load:
            if output is not None:
                folder = _empty(output)
                load.prepare(folder, memory)
                _tell_how(folder)
            else:
                _load_embedded(settings, load, memory)
            return load.finish()
    except KeyboardInterrupt:
        _say("stopped")
        return INTERRUPTED


def _load_embedded(settings: Settings, load: "Load", memory: str) -> None:
    folder = settings.home.expanduser().resolve() / "backfill"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    with console_progress() as report, offline(settings, report=report) as database:
        with _stage("looking whether the database is empty"):
            database.check_empty()
        load.prepare(folder, memory)
        with _stage("importing") as say:
            database.replace(folder / _ARGUMENTS, folder / "import.log", say)
    try:
        asyncio.run(load.load_later(settings, folder))
    except BaseException:
        _say(f"the import is done. What is left is in {folder / LATER}: finish with `consentline ingest` on that file")
        raise
    shutil.rmtree(folder)


class Load:
    """One backfill: its sources with their rejected lines, and what became of all lines."""

    def __init__(self, sources: Sequence[RecordFile], *, progress: bool) -> None:
        self._sources = sources
        self._progress = progress
        self._began = time.monotonic()
        self._first: list[int] = []
        """The place of each source's first line among the lines of all."""
        self._lines = 0
        self._rejects: list[Rejects] = []
        self._files = ExitStack()
        self._refused = 0
        self._written = Written(0, 0, 0)
        self._later = IngestSummary(0, 0, 0)

    def __enter__(self) -> Self:
        self._rejects = [self._files.enter_context(Rejects(source.rejects)) for source in self._sources]
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def prepare(self, folder: Path, memory: str) -> None:
        """Read all sources and write the importer's files into the folder."""
        now = time.time_ns() // 1000
        staging = Staging(folder, memory)
        try:
            asyncio.run(self._read(staging, now))
            with _stage(f"sorting {self._lines:,} lines"):
                self._written = import_files.write(staging, folder, now)
        finally:
            staging.close()
        (folder / _ARGUMENTS).write_text("".join(f'"{each}"\n' for each in importer_arguments(folder, memory)))
        shutil.rmtree(folder / "sorting", ignore_errors=True)
        for file in folder.glob("staging.duckdb*"):
            file.unlink()

    async def _read(self, staging: Staging, now: int) -> None:
        latest = to_datetime(now) + timedelta(days=1)
        for position, source in enumerate(self._sources):
            self._first.append(self._lines)
            with shown(source, progress=self._progress) as show:
                async for lines in split_lines(source.chunks()):
                    for line in lines:
                        self._lines += 1
                        self._take(staging, position, line, latest)
                    if show is not None:
                        show(Progress(self._lines - self._first[position], source.done, 0, 0, self._refused))
            if source.problem is not None:
                _say(f"{source.name}: {source.problem}; what came before it is loaded")

    def _take(self, staging: Staging, position: int, line: bytes | None, latest: datetime) -> None:
        if line is not None and (not line or line.isspace()):
            return
        try:
            if line is None:
                message = f"the line is longer than {LONGEST_LINE} bytes"
                raise InvalidInputError(message, code="LINE_TOO_LONG")
            staging.take(self._lines, line, parse(line, latest))
        except InvalidInputError as error:
            self._refused += 1
            self._rejects[position].write(Rejection.of(self._lines - self._first[position], line, error))

    async def load_later(self, settings: Settings, folder: Path) -> None:
        """Ingest the lines that the importer was not given; what is refused is told of the line that it was."""
        source = RecordFile(str(folder / LATER))
        places = folder / ORIGINS

        def reject(rejection: Rejection) -> None:
            place = _place(places, rejection.line)
            position = bisect.bisect_left(self._first, place) - 1
            self._rejects[position].write(replace(rejection, line=place - self._first[position]))

        async with open_service(settings) as service, lasting(service, operator(), "backfill") as told:
            with shown(source, progress=self._progress) as show:
                self._later = await ingest(service, source.chunks(), on_reject=reject, report=show)
            told.counts = self._counts()
            told.digest = self._sources[0].digest if len(self._sources) == 1 else None

    def finish(self) -> int:
        """Tell what became of the lines, and answer the exit status."""
        seconds = max(time.monotonic() - self._began, 1e-6)
        counts = self._counts()
        told = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        print(  # noqa: T201 - the command's answer
            f"{told} in {seconds:.1f} s ({self._lines / seconds:,.0f} lines/s)"
        )
        if counts["rejected"]:
            names = ", ".join(str(source.rejects) for source in self._sources if source.rejects.exists())
            _say(f"the rejected lines, each with its reason, are in {names}")
        return REJECTED if counts["rejected"] or any(source.problem for source in self._sources) else 0

    def _counts(self) -> dict[str, int]:
        return {
            "accepted": self._written.accepted + self._later.accepted,
            "unchanged": self._written.unchanged + self._later.unchanged,
            "rejected": self._refused + self._later.rejected,
        }


def _place(places: Path, line: int) -> int:
    """The place among all lines of a line of later.ndjson."""
    with places.open("rb") as file:
        file.seek((line - 1) * 8)
        return array("q", file.read(8))[0]


def _empty(folder: Path) -> Path:
    folder = folder.expanduser().resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        message = f"{folder} is not empty: name a folder of its own for the import files"
        raise InvalidInputError(message, code="BACKFILL_OUTPUT_NOT_EMPTY", path=("output",))
    return folder


def _tell_how(folder: Path) -> None:
    print(  # noqa: T201 - the command's answer
        "With the server stopped and its database empty, as the server's user:\n"
        f"  neo4j-admin database import full neo4j --overwrite-destination=true @{folder / _ARGUMENTS}\n"
        "then, with the server started:\n"
        f"  consentline migrate && consentline ingest {folder / LATER}"
    )


@contextmanager
def _stage(name: str) -> Generator[Callable[[str], None]]:
    """Tell that a stage is under way, and afterwards how long it took; inside the block, what it is doing."""
    console = Console(stderr=True)
    began = time.monotonic()
    if console.is_terminal:
        with console.status(f"{name} …") as status:
            yield lambda text: status.update(f"{name} … {text[:80]}")
    else:
        _say(f"{name} …")
        yield lambda _: None
    _say(f"{name}: {time.monotonic() - began:.1f} s")


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - standard error of a command
