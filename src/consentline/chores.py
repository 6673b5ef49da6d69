"""What has to be done now and then, by workers; and by services, what they cannot be without.

A chore is resumable, finds out by itself whether there is anything to do, and may be done by several processes at once.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from consentline.domain.errors import DatabaseUnavailableError
from consentline.usecases import erasing, retention
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep

_LOG = logging.getLogger("consentline.chores")
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Chore:
    """Something to be done every so many seconds."""

    name: str
    every_seconds: float
    work: Callable[[], Awaitable[object]]


def chores_of(service: Service, sweep_seconds: float, retention_days: int) -> list[Chore]:
    """All that has to be done on a graph."""
    return [sweeping(service, sweep_seconds), erasing_people(service), pruning(service, retention_days)]


def sweeping(service: Service, every_seconds: float) -> Chore:
    """What processes that were stopped left undone, and what time brought about."""
    return Chore("sweep", every_seconds, lambda: sweep(service))


def erasing_people(service: Service) -> Chore:
    """Erasures whose process was stopped after they were confirmed."""
    return Chore("go on with erasures that were confirmed", 60, lambda: erasing.carry_out_all(service))


def pruning(service: Service, retention_days: int) -> Chore:
    """Events that nobody needs any more."""
    return Chore("prune events", 3600, lambda: retention.prune(service, retention_days))


async def do_all(chores: list[Chore]) -> None:
    """Do each of them once, whatever becomes of the others.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
    """
    for chore in chores:
        await _do(chore)


async def keep_doing(chores: list[Chore]) -> None:
    """Do each of them whenever its time has come, until cancelled."""
    due = dict.fromkeys((chore.name for chore in chores), 0.0)
    while True:
        for chore in chores:
            if time.monotonic() >= due[chore.name]:
                try:
                    await _do(chore)
                except DatabaseUnavailableError:
                    break
                due[chore.name] = time.monotonic() + chore.every_seconds
        await asyncio.sleep(_LOOK_SECONDS)


async def _do(chore: Chore) -> None:
    try:
        await chore.work()
    except DatabaseUnavailableError:
        raise
    except Exception as fault:
        # One that fails must not keep the others from being done.
        _LOG.error("could not %s", chore.name, exc_info=fault)
