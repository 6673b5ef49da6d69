"""The lease that a build holds on its version, renewed while it runs: of two builds only the later can write."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from consentline.domain.datasets import Selection, VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.errors import ConsentlineError, StateError
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.graph import builds, members
from consentline.graph.session import Tx
from consentline.usecases.service import Service

LEASE_SECONDS = 30
"""How long a build that was killed keeps its version; one that fails gives it back at once."""

_RENEWED_EVERY_SECONDS = 5

Report = Callable[[int, int], None]
"""Told how many posts of the selection were examined, and how many of them taken."""


@dataclass(slots=True)
class Build:
    """A build under way: the version that it holds, the times and policies that it judges by, and its progress."""

    service: Service
    ref: VersionRef
    purpose: str
    selection: Selection
    as_of: Instant
    now: Instant
    lineage: Lineage
    lease: str
    report: Report | None = None
    excluded: Counter[Reason] = field(default_factory=Counter[Reason])
    examined: int = 0
    taken: int = 0

    async def hold(self, tx: Tx) -> None:
        """Renew the lease and write the progress down; the dataset's guard is held.

        Raises:
            StateError: another build took the version over.
        """
        lasting = LEASE_SECONDS * 1_000_000
        if not await builds.renew(tx, self.ref, self.lease, lasting, self.examined, self.taken):
            raise StateError(
                f"another build took {self.ref} over; this one wrote nothing more", code="BUILD_TAKEN_OVER"
            )
        self.tell()

    def tell(self) -> None:
        """Say how far the build is."""
        if self.report is not None:
            self.report(self.examined, self.taken)


@asynccontextmanager
async def held(at_work: Build) -> AsyncGenerator[None]:
    """Renew the lease as long as the block runs, and give it back when the block fails."""
    renewing = asyncio.create_task(_renew(at_work))
    try:
        yield
    except BaseException:
        await _ended(renewing)
        with suppress(ConsentlineError):
            await at_work.service.graph.write(lambda tx: builds.release(tx, at_work.ref, at_work.lease))
        raise
    finally:
        await _ended(renewing)


async def _renew(at_work: Build) -> None:
    async def work(tx: Tx) -> None:
        await members.lock_dataset(tx, at_work.ref.dataset)
        await at_work.hold(tx)

    while True:
        await asyncio.sleep(_RENEWED_EVERY_SECONDS)
        try:
            await at_work.service.graph.write(work)
        except StateError:
            return  # The build itself finds it out when it next writes.
        except ConsentlineError:
            continue


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
