"""The command `consentline ingest`: files of records into the graph, with progress, counts and a file of rejects."""

import asyncio
import contextlib
import gc
import signal
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from consentline.connection import open_service
from consentline.domain.audit import Actor
from consentline.record_files import STANDARD_INPUT, RecordFile, record_files
from consentline.rejects import Rejects
from consentline.settings import Settings
from consentline.usecases.audit import lasting, operator
from consentline.usecases.ingest import IngestSummary, Progress, ingest
from consentline.usecases.service import Service

REJECTED = 2
INTERRUPTED = 130


def run_ingest(settings: Settings, files: Sequence[str], kind: str | None = None, progress: bool = True) -> int:
    """Load the files one after the other and answer the exit status: 0, 2 (lines were rejected), 130 (stopped).

    Raises:
        ConsentlineError: a file does not exist, the database cannot be reached. What was loaded stays loaded.
    """
    sources = record_files(files, kind)
    # What lives as long as the command is not looked at again, and a batch's rows are seldom: they form no cycles.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        return asyncio.run(_load(settings, sources, progress=progress))
    except KeyboardInterrupt:
        _say("stopped at once. Nothing is half-written; run the same command again to finish")
        return INTERRUPTED


async def _load(settings: Settings, sources: Sequence[RecordFile], *, progress: bool) -> int:
    stop = _Stop(sources)
    status = 0
    async with open_service(settings) as service:
        with stop.on_signals():
            actor = operator()
            for source in sources:
                summary = await _load_one(service, actor, source, stop, progress=progress)
                if summary.rejected or source.problem is not None:
                    status = REJECTED
                if stop.asked:
                    break
    if stop.asked:
        _say("stopped. What was read is written; run the same command again to finish: it skips what is there")
        return INTERRUPTED
    return status


async def _load_one(
    service: Service, actor: Actor, source: RecordFile, stop: "_Stop", *, progress: bool
) -> IngestSummary:
    began = time.monotonic()
    with Rejects(source.rejects) as rejects, shown(source, progress=progress) as show:
        async with lasting(service, actor, "ingest") as told:

            def report(done: Progress) -> None:
                told.counts = done.counts()
                if show is not None:
                    show(done)

            chunks = source.chunks()
            summary = await ingest(service, chunks, on_reject=rejects.write, report=report, stop=lambda: stop.asked)
            told.digest = source.digest
    seconds = max(time.monotonic() - began, 1e-6)
    lines = summary.accepted + summary.unchanged + summary.rejected
    name = "standard input" if source.name == STANDARD_INPUT else source.name
    print(  # noqa: T201 - the command's answer
        f"{name}: {summary.accepted:,} accepted, {summary.unchanged:,} unchanged, {summary.rejected:,} rejected"
        f" in {seconds:.1f} s ({lines / seconds:,.0f} lines/s)"
    )
    if summary.rejected:
        _say(f"{name}: the rejected lines, each with its reason, are in {source.rejects}")
    if source.problem is not None:
        _say(f"{name}: {source.problem}; what came before it is loaded")
    return summary


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - standard error of a command


class _Stop:
    """Whether the user asked to stop; the second time ends the command at once."""

    def __init__(self, sources: Sequence[RecordFile]) -> None:
        self._sources = sources
        self.asked = False

    @contextmanager
    def on_signals(self) -> Generator[None]:
        """Let Ctrl-C and SIGTERM ask, inside the block."""
        loop = asyncio.get_running_loop()
        numbers = (signal.SIGINT, signal.SIGTERM)
        # Windows has no such handlers: there Ctrl-C ends the command at once, which is safe as well.
        with contextlib.suppress(NotImplementedError):
            for number in numbers:
                loop.add_signal_handler(number, self._ask)
        try:
            yield
        finally:
            self._restore()

    def _ask(self) -> None:
        self.asked = True
        for source in self._sources:
            source.stop()
        self._restore()

    def _restore(self) -> None:
        with contextlib.suppress(NotImplementedError):
            for number in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().remove_signal_handler(number)


class Show:
    """Draws how far a file is."""

    def __init__(self, source: RecordFile, bars: Bars) -> None:
        self._source = source
        self._bars = bars
        self._began = time.monotonic()
        self._task = bars.add_task(source.name, total=source.size, counts="")

    def __call__(self, progress: Progress) -> None:
        """Draw."""
        rate = progress.lines / max(time.monotonic() - self._began, 1e-6)
        rejected = f", {progress.rejected:,} rejected" if progress.rejected else ""
        counts = f"{progress.lines:,} lines, {rate:,.0f}/s{rejected}"
        self._bars.update(self._task, completed=self._source.done, counts=counts)


@contextmanager
def shown(source: RecordFile, *, progress: bool) -> Generator[Show | None]:
    """A bar on standard error, where that is a terminal."""
    console = Console(stderr=True)
    if not (progress and console.is_terminal):
        yield None
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TextColumn("{task.fields[counts]}"),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:
        yield Show(source, bars)
