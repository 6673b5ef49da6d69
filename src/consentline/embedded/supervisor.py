"""The process that owns the server of one home: starts it, starts it again when it dies, stops it when nobody needs it.

    python -m consentline.embedded.supervisor --home H --jars J --heap 2g --pagecache 1g --linger 2 [--port P]

It returns at once and goes on in a session of its own, so that neither Ctrl-C nor `kill -9` of the command that
started it reaches the server. It holds `run/supervisor.lock` for life: one supervisor a home. It writes what it knows
to `run/state.json`. It stops the server and ends

- on SIGTERM, or
- when for the linger time nobody held a lease (see `leases`) and there is no `run/keep`.

Should it be killed itself, Linux tells the server to stop (PR_SET_PDEATHSIG); elsewhere the next start does.
"""

import argparse
import errno
import logging
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from consentline.domain.errors import EmbeddedError
from consentline.embedded.home import Neo4jHome, ServerState, WrittenState
from consentline.embedded.java import Sizes
from consentline.embedded.leases import ExclusiveLock
from consentline.embedded.processes import STOP_GRACE_SECONDS, Process, identify, is_running, stop
from consentline.embedded.server import ServerProcess

LOCK_SECONDS = 60.0
POLL_SECONDS = 0.25
# A server that dies again and again is not started for ever: so often within this time, then the supervisor gives up.
RESTARTS = 3
RESTART_WINDOW_SECONDS = 300.0

logger = logging.getLogger("consentline.embedded")


class Supervisor:
    """One server of one home, from its start to its end."""

    def __init__(self, home: Neo4jHome, server: ServerProcess, *, linger_seconds: float) -> None:
        self._home = home
        self._server = server
        self._linger_seconds = linger_seconds
        self._own = _own_process()
        self._leases = ExclusiveLock(home.lease_file)
        self._idle_since: float | None = None
        self._deaths: list[float] = []
        self._stopping = False

    def request_stop(self) -> None:
        """Stop the server at the next turn of the loop; safe in a signal handler."""
        self._stopping = True

    def run(self) -> int:
        """Serve until told or no longer needed; returns the exit code."""
        try:
            self._clean_up_after_predecessor()
            self._write("starting")
            self._server.prepare()
            self._start()
            while not self._stopping and not self._is_unneeded():
                self._turn()
                time.sleep(POLL_SECONDS)
        except EmbeddedError as error:
            return self._fail(error)
        except OSError as error:
            return self._fail(
                EmbeddedError(
                    f"{error.filename or self._home.folder}: {error.strerror or error}",
                    code="EMBEDDED_DISK_FULL" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "EMBEDDED_HOME",
                )
            )
        logger.info("stopping: %s", "told to" if self._stopping else "nobody holds a lease")
        self._write("stopping")
        self._server.stop(STOP_GRACE_SECONDS)
        self._write("stopped")
        return 0

    def _fail(self, error: EmbeddedError) -> int:
        logger.error("%s: %s", error.code, error.message)
        self._server.stop(STOP_GRACE_SECONDS)
        self._write("failed", code=error.code, error=error.message)
        return 1

    def _turn(self) -> None:
        if self._server.has_ended():
            self._restart()
        elif not self._server.ready and self._server.probe():
            logger.info("ready on port %s", self._server.port)
            self._write("running")

    def _start(self) -> None:
        self._server.start()
        self._write("starting")

    def _restart(self) -> None:
        """Start the server again after it ended by itself.

        Raises:
            EmbeddedError: it cannot run, or dies again and again.
        """
        logger.warning("the server ended by itself with code %s", self._server.exit_code)
        if not self._server.ready and not self._server.lost_its_port():
            raise self._server.start_failure()
        now = time.monotonic()
        self._deaths = [death for death in self._deaths if now - death < RESTART_WINDOW_SECONDS] + [now]
        if len(self._deaths) > RESTARTS:
            raise EmbeddedError(
                f"Neo4j ended by itself {len(self._deaths)} times within {RESTART_WINDOW_SECONDS:.0f} s;"
                f" its log is {self._home.console_log}.",
                code="EMBEDDED_START_FAILED",
            )
        self._start()

    def _is_unneeded(self) -> bool:
        """Whether nobody has needed the server for the linger time; nobody can take a lease once this is True."""
        if not self._leases.acquire():
            self._idle_since = None
            return False
        now = time.monotonic()
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since >= self._linger_seconds and not self._home.keep_file.exists():
            return True
        self._leases.release()
        return False

    def _clean_up_after_predecessor(self) -> None:
        """Stop a server that a killed supervisor left behind."""
        left = self._home.read_state()
        if left is not None and left.java is not None and is_running(left.java):
            logger.warning("stopping process %s, left behind by a supervisor that was killed", left.java.pid)
            stop(left.java, grace_seconds=STOP_GRACE_SECONDS)
        self._server.prefer_port(None if left is None else left.port)

    def _write(self, state: WrittenState, *, code: str | None = None, error: str | None = None) -> None:
        self._home.write_state(
            ServerState(
                state=state,
                supervisor=self._own,
                java=self._server.process,
                port=self._server.port,
                code=code,
                error=error,
            )
        )


def _own_process() -> Process:
    own = identify(os.getpid())
    if own is None:
        raise EmbeddedError("This process cannot be identified; is /proc mounted?", code="EMBEDDED_START_FAILED")
    return own


def _detach() -> None:
    """Go on in a child, in a session of its own, and end the process that was called."""
    # The caller need not wait for, or reap, a process that outlives it.
    if os.fork():
        os._exit(0)
    os.setsid()


def _take_lock(home: Neo4jHome) -> ExclusiveLock | None:
    """Return the supervisor's lock; None when another supervisor keeps it."""
    lock = ExclusiveLock(home.supervisor_lock)
    deadline = time.monotonic() + LOCK_SECONDS
    while not lock.acquire():
        if time.monotonic() > deadline:
            return None
        time.sleep(POLL_SECONDS)
    return lock


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="consentline.embedded.supervisor")
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--jars", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--heap", required=True)
    parser.add_argument("--pagecache", required=True)
    parser.add_argument("--linger", type=float, required=True)
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Run the supervisor of one home; returns the exit code."""
    options = _parse(arguments)
    _detach()
    # The data are about people: nothing that the server writes is for other users of the machine.
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    home = Neo4jHome(options.home)
    lock = _take_lock(home)
    if lock is None:
        logger.error("another supervisor keeps %s", home.supervisor_lock)
        return 1
    server = ServerProcess(
        home, jars=options.jars, sizes=Sizes(options.heap, options.pagecache), fixed_port=options.port
    )
    supervisor = Supervisor(home, server, linger_seconds=options.linger)

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        supervisor.request_stop()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
