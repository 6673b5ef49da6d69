"""A stream of records into the graph: lines, batches of one kind, a transaction a batch, and a count of the outcomes.

Memory is bounded by the batches, reading waits for writing. Every line that is not blank is counted exactly once, as
accepted, unchanged or rejected. Stopped at any moment, the whole is finished by running it again: what is written
counts as unchanged then.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterable, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from consentline.domain.errors import InvalidInputError, RefusedError
from consentline.domain.instants import DAY, to_datetime
from consentline.domain.record_lines import parse
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
)
from consentline.usecases.facts import Outcome
from consentline.usecases.facts import record as record_batch
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
    source = _Counted(chunks)

    def tell() -> None:
        if report is not None:
            report(Progress(intake.lines, source.size, intake.accepted, intake.unchanged, intake.rejected))

    try:
        async with aclosing(split_lines(source)) as groups:
            async for lines in groups:
                if stop is not None and stop():
                    break  # The last line may be cut: a source that was stopped ends anywhere.
                latest = clock.now()
                for line in lines:
                    work = intake.take(line, latest)
                    if work is not None:
                        await work
                await intake.bound_memory(source.size)
                tell()
        await intake.write(_ALL)
    finally:
        await intake.close()
    tell()
    return IngestSummary(intake.accepted, intake.unchanged, intake.rejected)


class _Counted:
    """The chunks, and how many bytes of them were read."""

    def __init__(self, chunks: AsyncIterable[bytes]) -> None:
        self._chunks = chunks
        self.size = 0

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for chunk in self._chunks:
            self.size += len(chunk)
            yield chunk


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
_MOST_KEYS = 50_000

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

# What is written before a group that is full.
_WITH_THEM: dict[str, tuple[str, ...]] = {"objections": _BEFORE_OBJECTIONS, "members": _ALL, "members removed": _ALL}


class _Intake:
    """Lines on their way into the graph, and the counts of what became of them.

    Posts go through two lanes, each with one transaction under way, parted by author: no two of them want the same
    person, so they never wait for each other. A post that depicts others waits for both lanes, as everything else
    does. Lines keep their order where it matters: lines about one post, about one manifest, and a person's facts
    before an objection, whose deadline rests on the jurisdiction known then.
    """

    def __init__(self, service: Service, on_reject: Callable[[Rejection], None]) -> None:
        self._service = service
        self._on_reject = on_reject
        self._held: dict[str, list[_Line]] = {group: [] for group in _ALL}
        self._under_way: dict[str, tuple[asyncio.Task[None], list[_Line]]] = {}
        self._post_groups: dict[str, str] = {}
        self._objectors: set[str] = set()
        self._flushed_at = 0
        self.lines = 0
        self.accepted = self.unchanged = self.rejected = 0

    def reject(self, number: int, text: bytes | None, error: RefusedError) -> None:
        """Count a line as rejected and tell why."""
        self.rejected += 1
        self._on_reject(Rejection(number, error.path[-1] if error.path else None, error.code, error.message, text))

    def take(self, line: bytes | None, latest: datetime) -> Awaitable[None] | None:
        """Parse the next line, and hold the record until its batch is full; None is a line that was too long.

        What is answered must be awaited before the next line is taken. Nearly every line of a large file is a post for
        which nothing is to be done yet: that path is kept short.
        """
        self.lines += 1
        if line is None:
            message = f"the line is longer than {LONGEST_LINE} bytes"
            self.reject(self.lines, None, InvalidInputError(message, code="LINE_TOO_LONG"))
            return None
        if not line or line.isspace():
            return None
        try:
            parsed = parse(line, latest)
        except InvalidInputError as error:
            self.reject(self.lines, line, error)
            return None
        if type(parsed) is Post:
            group = _POSTS[2] if parsed.depicts else _POSTS[hash(parsed.author) & 1]
            if self._post_groups.setdefault(parsed.key, group) == group:
                held = self._held[group]
                held.append(_Line(self.lines, line, parsed))
                return self.write((group,)) if len(held) >= _SIZES[group] else None
        return self._hold(_Line(self.lines, line, parsed))

    async def _hold(self, line: _Line) -> None:
        """Hold a record until its batch is full; write first what must be in the graph before it."""
        parsed = line.record
        if isinstance(parsed, Post):
            # Another line about this post is on its way to another transaction.
            await self.write(_POSTS)
            group = _POSTS[2]
            self._post_groups[parsed.key] = group
        else:
            group = _GROUPS[type(parsed)]
            await self.write(self._due_before(parsed))
            if isinstance(parsed, ObjectionFiled):
                self._objectors.add(parsed.user)
        held = self._held[group]
        held.append(line)
        if len(held) >= _SIZES[group]:
            await self.write(_WITH_THEM.get(group, (group,)))

    def _due_before(self, parsed: Record) -> Sequence[str]:
        match parsed:
            case User() if parsed.key in self._objectors:
                return _BEFORE_OBJECTIONS
            case Member() if self._held["members removed"]:
                return _ALL
            case MemberRemoved() if self._held["members"]:
                return _ALL
            case Seal():
                return _ALL
            case _:
                return ()

    async def write(self, groups: Sequence[str]) -> None:
        """Write the groups in their order; when this returns only the two lanes may still be at work."""
        for group in groups:
            lines = self._held[group]
            if not lines:
                continue
            self._held[group] = []
            if group in _LANES:
                await self._arrive([group])
                self._under_way[group] = (asyncio.create_task(self._record(lines)), lines)
            else:
                await self._arrive(_LANES)
                await self._record(lines)
                if group == "objections":
                    self._objectors.clear()
        if _POSTS[2] in groups:
            await self._arrive(_LANES)

    async def bound_memory(self, size: int) -> None:
        """Write everything when so many bytes were read since the last time that long lines could fill memory."""
        if size - self._flushed_at > _MOST_BYTES:
            self._flushed_at = size
            await self.write(_ALL)

    async def close(self) -> None:
        """End what is under way, as after an error; a transaction that is cut off leaves nothing."""
        tasks = [task for task, _ in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _arrive(self, lanes: Sequence[str]) -> None:
        """Wait until the lanes are free."""
        for lane in lanes:
            if lane in self._under_way:
                await self._under_way[lane][0]
                del self._under_way[lane]
        if len(self._post_groups) > _MOST_KEYS:
            # What was written long ago needs no order any more.
            kept = [(group, self._held[group]) for group in _POSTS]
            kept += [(lane, lines) for lane, (_, lines) in self._under_way.items()]
            keys = [
                (each.record.key, group) for group, lines in kept for each in lines if isinstance(each.record, Post)
            ]
            self._post_groups = dict(keys)

    async def _record(self, lines: list[_Line]) -> None:
        outcomes: list[Outcome] = await record_batch(self._service, _batch(lines))
        accepted, unchanged = outcomes.count(True), outcomes.count(False)
        self.accepted += accepted
        self.unchanged += unchanged
        if accepted + unchanged < len(lines):
            for line, outcome in zip(lines, outcomes, strict=True):
                if isinstance(outcome, RefusedError):
                    self.reject(line.number, line.text, outcome)


def _batch(lines: list[_Line]) -> Any:
    """The records of one group: of one kind, which the type checker cannot see."""
    return [line.record for line in lines]
