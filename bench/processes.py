"""Servers under measurement: real processes on loopback, their CPU time read from the kernel, stopped by pid."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

_TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """User and system CPU time that the process has used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def resident_mib(pid: int) -> float:
    """Resident memory of the process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def server(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    ready: str,
    log: Path,
    program: Sequence[str] = (sys.executable, "-m"),
) -> Generator[int]:
    """The pid of a server that answers at `ready`; it is stopped when the block ends."""
    if _answers(ready):
        raise RuntimeError(f"another process answers at {ready}: it would be measured instead")
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*program, *arguments], env={**os.environ, **environment}, stdout=output, stderr=output
        )
    try:
        deadline = time.monotonic() + 60
        while not _answers(ready):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start; see {log}")
            time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait(timeout=30)


def _answers(address: str) -> bool:
    try:
        httpx.get(address, timeout=2)
    except httpx.TransportError:
        return False
    return True
