"""Processes told apart by pid and start time, so that a pid used again is never mistaken for the one we started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec

# A server with much in memory needs a while to write its checkpoint.
STOP_GRACE_SECONDS = 30.0
_POLL_SECONDS = 0.05


class Process(msgspec.Struct, frozen=True):
    """One process, for as long as the machine is up: `started` is opaque and differs when the pid is used again."""

    pid: int
    started: str


def identify(pid: int) -> Process | None:
    """Return the process that has this pid now, or None; one that ended and was not yet reaped counts as gone."""
    started = _started_linux(pid) if sys.platform == "linux" else _started_posix(pid)
    return None if started is None else Process(pid=pid, started=started)


def is_running(process: Process | None) -> bool:
    """Whether this very process is alive."""
    return process is not None and identify(process.pid) == process


def stop(process: Process, *, grace_seconds: float) -> None:
    """End this very process: SIGTERM, and SIGKILL when it is still there after the grace; returns when it is gone."""
    for number, seconds in ((signal.SIGTERM, grace_seconds), (signal.SIGKILL, 30.0)):
        if not is_running(process):
            return
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return
        wait_gone(process, seconds)


def wait_gone(process: Process, seconds: float) -> bool:
    """Wait until this very process is gone, at most so long; return whether it is."""
    deadline = time.monotonic() + seconds
    while is_running(process):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _started_linux(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # proc(5): the second field is the name in parentheses and may hold anything; the state is the first after it and
    # the start time, in clock ticks since boot, the twentieth.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in ("Z", "X") else f"{boot}:{fields[19]}"


def _started_posix(pid: int) -> str | None:
    # ps is POSIX; macOS has no /proc.
    listed = subprocess.run(  # noqa: S603 (a fixed command and a number)
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    return None if not listed or listed[0].startswith("Z") else " ".join(listed[1:])
