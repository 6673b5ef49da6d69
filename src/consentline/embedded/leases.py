"""Leases on the server of a home: shared locks on one file, freed by the kernel however their holder ends.

A command holds a shared `flock` for as long as it needs the server. The supervisor tries for the exclusive one: it
gets it only when nobody holds a lease, and while it has it nobody can take one. Every call opens the file anew, so
two leases of one process are two leases.
"""

import fcntl
import os
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from consentline.domain.errors import EmbeddedError

_POLL_SECONDS = 0.05


@contextmanager
def shared_lease(path: Path, *, timeout_seconds: float) -> Generator[None]:
    """Hold a lease inside the block; waits while the supervisor is stopping the server.

    Raises:
        EmbeddedError: EMBEDDED_START_FAILED when the server that is stopping does not come to an end.
    """
    descriptor = _open(path)
    try:
        deadline = time.monotonic() + timeout_seconds
        while not _try_lock(descriptor, fcntl.LOCK_SH):
            if time.monotonic() > deadline:
                raise EmbeddedError(
                    f"The server of this home has been stopping for {timeout_seconds:.0f} s and has not ended."
                    " See `consentline neo4j status`.",
                    code="EMBEDDED_START_FAILED",
                )
            time.sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(descriptor)


class ExclusiveLock:
    """The exclusive lock on a file; held from a successful `acquire` to `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock if nobody holds any; return whether it is held."""
        if self._descriptor is not None:
            return True
        descriptor = _open(self._path)
        if _try_lock(descriptor, fcntl.LOCK_EX):
            self._descriptor = descriptor
            return True
        os.close(descriptor)
        return False

    def release(self) -> None:
        """Give the lock back; nothing when it is not held."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _open(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _try_lock(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
