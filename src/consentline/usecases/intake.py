"""Records on their way into the graph: gathered into batches of one kind, written in transactions side by side."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Self

from consentline.domain.errors import InvalidInputError, RefusedError
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
from consentline.usecases.lines import LONGEST_LINE
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class Rejection:
    """A line that was not recorded: where, which field, why; `text` is the line, None when it was too long to keep."""

    line: int
    field: str | None
    code: str
    message: str
    text: bytes | None

    @classmethod
    def of(cls, line: int, text: bytes | None, error: RefusedError) -> Self:
        """The rejection of a line by what was wrong with it."""
        return cls(line, error.path[-1] if error.path else None, error.code, error.message, text)


class _Line(NamedTuple):
    number: int
    text: bytes
    record: Record


_POSTS = ("posts 0", "posts 1", "posts that depict")
_USERS = ("users 0", "users 1")

# Kinds that are recorded together, and how many in one transaction. The order is that of a flush: what others rest on
# first, so that posts lie with their authors when they become members and deadlines know jurisdictions.
_SIZES = {
    "policies": 200,
    "notices": 1000,
    "users 0": 4000,
    "users 1": 4000,
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
ALL = tuple(_SIZES)
_MOST_BYTES = 64 * 1024 * 1024
_MOST_KEYS = 50_000

_GROUPS: dict[type[Record], str] = {
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
_BESIDE = {
    "posts 0": frozenset({"posts 1", "users 1"}),
    "posts 1": frozenset({"posts 0", "users 0"}),
    "users 0": frozenset({"users 1", "posts 1"}),
    "users 1": frozenset({"users 0", "posts 0"}),
    "changes": frozenset({"servings", "consents"}),
    "servings": frozenset({"changes"}),
    "consents": frozenset({"changes"}),
}
"""Which groups may have transactions under way beside each other: those that never want the same locks."""

_BEFORE_OBJECTIONS = (*_USERS, "objections")

# What is written before a group that is full.
_WITH_THEM: dict[str, tuple[str, ...]] = {"objections": _BEFORE_OBJECTIONS, "members": ALL, "members removed": ALL}


class Intake:
    """Lines on their way into the graph, and the counts of what became of them.

    At most two transactions are under way. People, and posts by their authors, are parted into two groups: no two of
    them want the same person, so they never wait for each other. Posts that depict others are written alone. Lines keep
    their order where it matters: lines about one post, about one manifest, and a person's facts before an objection,
    whose deadline rests on the jurisdiction known then.
    """

    def __init__(self, service: Service, on_reject: Callable[[Rejection], None]) -> None:
        self._service = service
        self._on_reject = on_reject
        self._held: dict[str, list[_Line]] = {group: [] for group in ALL}
        self._under_way: dict[str, tuple[asyncio.Task[None], list[_Line]]] = {}
        self._post_groups: dict[str, str] = {}
        self._objectors: set[str] = set()
        self._flushed_at = 0
        self._unseen: bool = True
        self.lines = 0
        self.accepted = self.unchanged = self.rejected = 0

    def reject(self, number: int, text: bytes | None, error: RefusedError) -> None:
        """Count a line as rejected and tell why."""
        self.rejected += 1
        self._on_reject(Rejection.of(number, text, error))

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
            group = _POSTS[2] if parsed.depicts else _POSTS[_half(parsed.author)]
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
            group = _USERS[_half(parsed.key)] if isinstance(parsed, User) else _GROUPS[type(parsed)]
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
                return ALL
            case MemberRemoved() if self._held["members"]:
                return ALL
            case Seal():
                return ALL
            case _:
                return ()

    async def write(self, groups: Sequence[str]) -> None:
        """Write the groups in their order; when this returns, transactions that suffer others may be under way.

        None is when the groups are all of them, or all the posts.
        """
        for group in groups:
            lines = self._held[group]
            if lines:
                self._held[group] = []
                beside = _BESIDE.get(group, frozenset())
                await self._arrive([other for other in self._under_way if other not in beside])
                self._under_way[group] = (asyncio.create_task(self._record(lines)), lines)
                if group not in _BESIDE:
                    await self._arrive([group])
                if group == "objections":
                    self._objectors.clear()
        if _POSTS[2] in groups:
            await self._arrive(list(self._under_way))

    async def bound_memory(self, size: int) -> None:
        """Write everything when so many bytes were read since the last time that long lines could fill memory."""
        if size - self._flushed_at > _MOST_BYTES:
            self._flushed_at = size
            await self.write(ALL)

    async def close(self) -> None:
        """End what is under way, as after an error; a transaction that is cut off leaves nothing."""
        tasks = [task for task, _ in self._under_way.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _arrive(self, groups: Sequence[str]) -> None:
        """Wait until nothing of these groups is under way."""
        for group in groups:
            await self._under_way[group][0]
            del self._under_way[group]
        if len(self._post_groups) > _MOST_KEYS:
            # What was written long ago needs no order any more.
            kept = [(group, self._held[group]) for group in _POSTS]
            kept += [(group, lines) for group, (_, lines) in self._under_way.items()]
            keys = [
                (each.record.key, group) for group, lines in kept for each in lines if isinstance(each.record, Post)
            ]
            self._post_groups = dict(keys)

    async def _record(self, lines: list[_Line]) -> None:
        outcomes: list[Outcome] = await record_batch(self._service, _batch(lines), unseen=self._unseen)
        accepted, unchanged = outcomes.count(True), outcomes.count(False)
        if isinstance(lines[0].record, Post):
            # Whoever loads a file again, or more of what is there, does so for a while.
            self._unseen = accepted == len(lines)
        self.accepted += accepted
        self.unchanged += unchanged
        if accepted + unchanged < len(lines):
            for line, outcome in zip(lines, outcomes, strict=True):
                if isinstance(outcome, RefusedError):
                    self.reject(line.number, line.text, outcome)


def _half(person: str) -> int:
    return hash(person) & 1


def _batch(lines: list[_Line]) -> Any:
    """The records of one group: of one kind, which the type checker cannot see."""
    return [line.record for line in lines]
