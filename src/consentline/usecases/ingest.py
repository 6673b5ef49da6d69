"""A stream of records into the graph: lines, batches of one kind, a transaction a batch, and a count of what came of it.

Memory is bounded by the batches, reading waits for writing. Every line that is not blank is counted exactly once, as
accepted, unchanged or rejected. Stopped at any moment, the whole is finished by running it again: what is written
counts as unchanged then.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from consentline.domain.errors import InvalidInputError, RefusedError
from consentline.domain.instants import DAY, to_datetime
from consentline.domain.records import (
    AuthorCorrection,
    ConsentSaid,
    Deletion,
    Member,
    MemberRemoved,
    NoticeServed,
    NoticeText,
    ObjectionFiled,
    PolicyVersion,
    Post,
    Record,
    Seal,
    User,
    VisibilityChange,
    parse,
)
from consentline.usecases.facts import Outcome, record
from consentline.usecases.lines import LONGEST_LINE, split_lines
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that was not recorded: where, which field, why; `text` is the line, None when it was too long to keep."""

    line: int
    field: str | None
    code: str
    message: str
    text: bytes | None


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What became of the lines that are not blank."""

    accepted: int
    unchanged: int
    rejected: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an ingest is: lines and bytes read, and what became of the lines so far."""

    lines: int
    bytes: int
    accepted: int
    unchanged: int
    rejected: int


async def ingest(
    service: Service,
    chunks: AsyncIterable[bytes],
    *,
    on_reject: Callable[[Rejection], None],
    report: Callable[[Progress], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> IngestSummary:
    """Record every line of the stream; good lines are recorded whatever becomes of the others.

    Rejections are told as they are found, not always in the order of the lines. Once `stop` says so nothing more is
    read, what was read whole is written, and the summary counts that.

    Raises:
        DatabaseUnavailableError: the load stopped in the middle; run it again.
    """
    clock = _Clock((await service.now()) + DAY, time.monotonic())
    intake = _Intake(service, on_reject)
    number = size = 0

    async def counted() -> AsyncIterable[bytes]:
        nonlocal size
        async for chunk in chunks:
            size += len(chunk)
            yield chunk

    try:
        async with aclosing(split_lines(counted())) as groups:
            async for lines in groups:
                latest = clock.now()
                for line in lines:
                    number += 1
                    if line is None:
                        message = f"the line is longer than {LONGEST_LINE} bytes"
                        intake.reject(number, None, InvalidInputError(message, code="LINE_TOO_LONG"))
                    elif line and not line.isspace():
                        try:
                            parsed = parse(line, latest)
                        except InvalidInputError as error:
                            intake.reject(number, line, error)
                        else:
                            due = intake.take(_Line(number, line, parsed))
                            if due:
                                await intake.write(due)
                await intake.bound_memory(size)
                if report is not None:
                    report(Progress(number, size, intake.accepted, intake.unchanged, intake.rejected))
                if stop is not None and stop():
                    break
        await intake.write(_ALL)
    finally:
        await intake.close()
    if report is not None:
        report(Progress(number, size, intake.accepted, intake.unchanged, intake.rejected))
    return IngestSummary(intake.accepted, intake.unchanged, intake.rejected)


class _Clock(NamedTuple):
    """The latest time at which something may have happened, moving on with the local clock from the database's."""

    latest: int
    started: float

    def now(self) -> datetime:
        return to_datetime(self.latest + int((time.monotonic() - self.started) * 1_000_000))


class _Line(NamedTuple):
    number: int
    text: bytes
    record: Record


_POSTS = ("posts 0", "posts 1", "posts that depict")
_LANES = _POSTS[:2]

# Kinds that are recorded together, and how many in one transaction. The order is that of a flush: what others rest on
# first, so that posts lie with their authors when they become members and deadlines know jurisdictions.
_SIZES = {
    "policies": 200,
    "notices": 1000,
    "users": 4000,
    "posts 0": 5000,
    "posts 1": 5000,
    "posts that depict": 2000,
    "corrections": 1000,
    "changes": 4000,
    "servings": 4000,
    "consents": 4000,
    "objections": 200,
    "members": 10_000,
    "members removed": 10_000,
    "seals": 1,
}
_ALL = tuple(_SIZES)
_MOST_BYTES = 64 * 1024 * 1024

_GROUPS: dict[type[Record], str] = {
    User: "users",
    VisibilityChange: "changes",
    Deletion: "changes",
    AuthorCorrection: "corrections",
    PolicyVersion: "policies",
    NoticeText: "notices",
    NoticeServed: "servings",
    ConsentSaid: "consents",
    ObjectionFiled: "objections",
    Member: "members",
    MemberRemoved: "members removed",
    Seal: "seals",
}
_BEFORE_OBJECTIONS = ("users", "objections")


class _Intake:
    """Lines on their way into the graph, and the counts of what became of them.

    Posts go through two lanes, each with a transaction of its own under way, parted by author: no two transactions
    want the same person, so they never wait for each other. A post that depicts others waits for both lanes, as
    everything else does. Lines about one post keep their order.
    """

    def __init__(self, service: Service, on_reject: Callable[[Rejection], None]) -> None:
        self._service = service
        self._on_reject = on_reject
        self._held: dict[str, list[_Line]] = {group: [] for group in _ALL}
        self._under_way: dict[str, tuple[asyncio.Task[None], list[_Line]]] = {}
        self._where: dict[str, str] = {}
        self._objectors: set[str] = set()
        self._bytes_written = 0
        self.accepted = self.unchanged = self.rejected = 0

    def take(self, line: _Line) -> Sequence[str]:
        """Hold a line and tell which groups are to be written now, in this order, before the next is taken."""
        parsed = line.record
        if type(parsed) is Post:
            group = _POSTS[2] if parsed.depicts else _POSTS[hash(parsed.author) & 1]
            if self._where.setdefault(parsed.key, group) != group:
                # Another line about this post is on another way: this one goes where order is kept by waiting.
                group = self._where[parsed.key] if self._where[parsed.key] in self._held else group
                return self._behind(line, parsed.key)
            held = self._held[group]
            held.append(line)
            return (group,) if len(held) >= _SIZES[group] else ()
        group = _GROUPS[type(parsed)]
        held = self._held[group]
        held.append(line)
        if isinstance(parsed, Seal):
            return _ALL
        if isinstance(parsed, ObjectionFiled):
            self._objectors.add(parsed.user)
        elif isinstance(parsed, User) and parsed.key in self._objectors:
            held.pop()
        if len(held) >= _SIZES[group]:
            return _ALL[: _ALL.index(group) + 1] if group in ("members", "members removed") else (group,)
        return ()
