"""Telling processes apart, and leases on a file: with real processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from consentline.domain.errors import EmbeddedError
from consentline.embedded.leases import ExclusiveLock, shared_lease
from consentline.embedded.processes import Process, identify, is_running, stop, wait_gone

SLEEP = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
LEASE = """
import sys, time
from pathlib import Path
from consentline.embedded.leases import shared_lease
with shared_lease(Path(sys.argv[1]), timeout_seconds=5):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_process_is_itself_and_not_another_with_its_pid():
    own = identify(os.getpid())

    assert own is not None
    assert is_running(own)
    assert not is_running(Process(pid=own.pid, started="another time"))
    assert not is_running(None)


def test_a_process_that_ended_and_was_not_reaped_is_gone():
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        process = identify(child.pid)
        assert process is None or wait_gone(process, 10)


def test_stop_ends_this_process_and_leaves_a_stranger_with_its_pid_alone():
    with subprocess.Popen([sys.executable, "-c", SLEEP]) as child:
        process = identify(child.pid)
        assert process is not None
        stop(Process(pid=child.pid, started="another time"), grace_seconds=1)
        assert is_running(process)

        stop(process, grace_seconds=10)

        assert child.wait(10) == -signal.SIGTERM


def test_stop_kills_a_process_that_ignores_the_request():
    with subprocess.Popen([sys.executable, "-c", DEAF], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        process = identify(child.pid)
        assert process is not None

        stop(process, grace_seconds=0.3)

        assert child.wait(10) == -signal.SIGKILL


def test_the_exclusive_lock_waits_for_every_lease(tmp_path: Path):
    lock = ExclusiveLock(tmp_path / "lease")

    with shared_lease(tmp_path / "lease", timeout_seconds=1):
        with shared_lease(tmp_path / "lease", timeout_seconds=1):
            assert not lock.acquire()
        assert not lock.acquire()

    assert lock.acquire()
    lock.release()


def test_a_lease_waits_for_the_exclusive_lock_and_says_so_when_it_takes_too_long(tmp_path: Path):
    lock = ExclusiveLock(tmp_path / "lease")
    assert lock.acquire()

    with (
        pytest.raises(EmbeddedError, match="has been stopping") as raised,
        shared_lease(tmp_path / "lease", timeout_seconds=0.2),
    ):
        pass

    assert raised.value.code == "EMBEDDED_START_FAILED"
    lock.release()
    with shared_lease(tmp_path / "lease", timeout_seconds=0.2):
        pass


def test_kill_9_frees_a_lease(tmp_path: Path):
    lock = ExclusiveLock(tmp_path / "lease")
    with subprocess.Popen([sys.executable, "-c", LEASE, tmp_path / "lease"], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        assert not lock.acquire()

        child.kill()
        child.wait()

    deadline = time.monotonic() + 5
    while not lock.acquire():
        assert time.monotonic() < deadline
    lock.release()
