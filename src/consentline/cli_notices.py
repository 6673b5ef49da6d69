"""What `consentline notices coverage|export` do: figures as JSON, and the campaign as a file or on standard output."""

import asyncio
import json
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from consentline.connection import open_service
from consentline.domain.instants import Instant, parse_instant, to_datetime
from consentline.domain.notices import NoticeCoverage
from consentline.member_files import standard_output, whole_file
from consentline.settings import Settings
from consentline.usecases import notices
from consentline.usecases.audit import operator

PATIENCE_SECONDS = 2.0


def run_coverage(settings: Settings, policy: str, version: int, at: str | None, days: int) -> str:
    """The figures of a policy as JSON.

    Raises:
        ConsentlineError: no such policy, or the database cannot be reached.
    """
    return json.dumps(asyncio.run(_coverage(settings, policy, version, _instant(at), days)), indent=2)


async def _coverage(settings: Settings, policy: str, version: int, at: Instant | None, days: int) -> dict[str, object]:
    async with open_service(settings) as service:
        question = await notices.ask(service, policy, version, at)
        with shown("counting") as report:
            return _figures(await notices.coverage(service, question, report), days)


def _figures(found: NoticeCoverage, days: int) -> dict[str, object]:
    asked = found.question
    return {
        "policy": asked.policy.key,
        "version": asked.policy.version,
        "at": _text(asked.at),
        "knownAt": _text(asked.known_at),
        "people": found.people,
        "served": found.served,
        "seen": found.seen,
        "windowOpen": found.window_open,
        "notServed": found.not_served,
        "byDay": [
            {"day": each.day.isoformat(), "served": each.served, "seen": each.seen} for each in found.by_day(days)
        ],
    }


def run_export(settings: Settings, policy: str, version: int, at: str | None, output: Path | None) -> None:
    """Write the people still to be served to a file, which appears whole or not at all, or to standard output.

    Raises:
        ConsentlineError: no such policy, the file cannot be written, or the database cannot be reached.
    """
    instant = _instant(at)
    if output is None:
        with standard_output() as file:
            asyncio.run(_export(settings, policy, version, instant, file))
        return
    with whole_file(output) as file:
        people = asyncio.run(_export(settings, policy, version, instant, file))
    print(f"{output}: {people:,} people are still to be served")  # noqa: T201 - the command's answer


async def _export(settings: Settings, policy: str, version: int, at: Instant | None, file: BinaryIO) -> int:
    people = 0
    async with open_service(settings) as service:
        question = await notices.ask(service, policy, version, at)
        with shown("listing") as show:

            def report(done: int) -> None:
                nonlocal people
                people = done
                show(done)

            async with aclosing(notices.campaign_lines(service, question, operator(), report)) as lines:
                async for each in lines:
                    file.write(each)
    return people


@contextmanager
def shown(doing: str, what: str = "people") -> Generator[Callable[[int], None]]:
    """How far it is, on standard error where that is a terminal, once it takes long."""
    console, began = Console(stderr=True), time.monotonic()
    with ExitStack() as stack:
        bars: Progress | None = None
        task = TaskID(0)

        def show(count: int) -> None:
            nonlocal bars, task
            if not console.is_terminal or time.monotonic() - began < PATIENCE_SECONDS:
                return
            if bars is None:
                columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
                bars = stack.enter_context(Progress(*columns, console=console, transient=True))
                task = bars.add_task(doing, total=None)
            bars.update(task, description=f"{doing}: {count:,} {what}")

        yield show


def _instant(at: str | None) -> Instant | None:
    return None if at is None else parse_instant(at, "--at")


def _text(instant: Instant) -> str:
    return f"{to_datetime(instant).replace(tzinfo=None).isoformat()}Z"
