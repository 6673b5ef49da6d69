"""A stream of records into the graph: lines, batches of one kind, a transaction a batch, and a count of the outcomes.

Memory is bounded by the batches, reading waits for writing. Every line that is not blank is counted exactly once, as
accepted, unchanged or rejected. Stopped at any moment, the whole is finished by running it again: what is written
counts as unchanged then.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from consentline.domain.instants import DAY, to_datetime
from consentline.usecases.intake import ALL, Intake, Rejection
from consentline.usecases.lines import split_lines
from consentline.usecases.service import Service

__all__ = ["IngestSummary", "Progress", "Rejection", "ingest"]


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

    def counts(self) -> dict[str, int]:
        """What became of the lines, by name."""
        return {"accepted": self.accepted, "unchanged": self.unchanged, "rejected": self.rejected}


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
    intake = Intake(service, on_reject)
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
        await intake.write(ALL)
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
