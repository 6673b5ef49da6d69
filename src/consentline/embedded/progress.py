"""Showing a person how far the way to a running server is, on standard error."""

from collections.abc import Generator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from consentline.embedded.artifacts import NEO4J_VERSION
from consentline.embedded.model import Progress, Report, Stage

_TITLES: dict[Stage, str] = {
    "wait": "Waiting for another command that fetches or starts the same Neo4j",
    "fetch": f"Fetching Neo4j {NEO4J_VERSION}, once",
    "start": f"Starting Neo4j {NEO4J_VERSION} on loopback",
}


@contextmanager
def console_progress(console: Console | None = None) -> Generator[Report]:
    """Yield a reporter that shows each stage on standard error: bytes out of a known total for what is fetched.

    On a terminal the lines are gone after the block; elsewhere (a log) each stage is written as one line.
    """
    shown = console or Console(stderr=True)
    if shown.is_terminal:
        with _bars(shown) as bars:
            yield _Terminal(bars)
    else:
        yield _Log(shown)


class _Terminal:
    """Draws one bar for the stage that is under way."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._task = bars.add_task("", visible=False, total=None, size="")
        self._stage: Stage | None = None

    def __call__(self, progress: Progress) -> None:
        title = _TITLES.get(progress.stage)
        if title is None:
            return
        if progress.stage != self._stage:
            self._stage = progress.stage
            self._bars.remove_task(self._task)
            self._task = self._bars.add_task(title, total=progress.total or None, size="")
        size = f"{progress.done / 1e6:.1f} of {progress.total / 1e6:.1f} MB" if progress.total else ""
        self._bars.update(self._task, completed=progress.done, size=size)


class _Log:
    """Writes a line where a stage begins."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._stage: Stage | None = None

    def __call__(self, progress: Progress) -> None:
        title = _TITLES.get(progress.stage)
        if title is None or progress.stage == self._stage:
            return
        self._stage = progress.stage
        size = f" ({progress.total / 1e6:.0f} MB)" if progress.total else ""
        self._console.print(f"{title}{size} …", highlight=False, soft_wrap=True)


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[size]}"),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
