"""Getting the server of a home to run, keeping it while it is needed, stopping it: the side of the commands."""

import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager

from filelock import FileLock

from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import NEO4J_VERSION, load_artifacts
from consentline.embedded.fetch import fetch_jars, held
from consentline.embedded.home import Neo4jHome, ServerState
from consentline.embedded.java import USER
from consentline.embedded.leases import ExclusiveLock, shared_lease
from consentline.embedded.model import Progress, Report, Server, Status, report_nothing
from consentline.embedded.processes import STOP_GRACE_SECONDS, is_running, wait_gone
from consentline.embedded.processes import stop as stop_process
from consentline.embedded.server import answers, bolt_uri, is_free, port_taken
from consentline.settings import Settings

# A large store is recovered from its logs after a crash: minutes are possible, and the user sees that it starts.
READY_SECONDS = 900.0
SPAWN_SECONDS = 90.0
LOCK_TAKEN_SECONDS = 10.0
ANSWER_SECONDS = 20.0
SPAWNS = 3
_POLL_SECONDS = 0.1


@contextmanager
def running_server(settings: Settings, *, report: Report | None = None) -> Generator[Server]:
    """Hold a lease on the loopback Neo4j of `settings.home`: fetched, started and ready inside the block.

    Any number of commands share the one server. It ends when the last of them is gone, also when it was killed, unless
    `start` keeps it.

    Raises:
        EmbeddedError: it cannot be fetched or started; the code says which, the message what to do.
    """
    home = Neo4jHome(settings.home)
    home.create()
    if home.importing.exists():
        raise EmbeddedError(
            "A backfill is importing into the database of this home, or was stopped while it did."
            " Wait for it, or run it again.",
            code="EMBEDDED_IMPORTING",
        )
    with shared_lease(home.lease_file, timeout_seconds=2 * STOP_GRACE_SECONDS + 30):
        yield _ensure_running(settings, home, report or report_nothing)


def start(settings: Settings, *, report: Report | None = None) -> Server:
    """Start the server of `settings.home`, or find it running, and keep it up until `stop`.

    Raises:
        EmbeddedError: as `running_server`.
    """
    with running_server(settings, report=report) as server:
        Neo4jHome(settings.home).keep_file.touch(mode=0o600)
    return server


def stop(settings: Settings) -> bool:
    """Stop the server of `settings.home`, also under commands that use it; return whether there was one."""
    home = Neo4jHome(settings.home)
    home.keep_file.unlink(missing_ok=True)
    state = home.read_state()
    if state is None:
        return False
    found = is_running(state.supervisor) or is_running(state.java)
    # The supervisor stops the server with a checkpoint and then ends.
    stop_process(state.supervisor, grace_seconds=2 * STOP_GRACE_SECONDS)
    left = (home.read_state() or state).java
    if left is not None:
        stop_process(left, grace_seconds=STOP_GRACE_SECONDS)
    return found


def status(settings: Settings) -> Status:
    """Return what is known of the server of `settings.home`; starts nothing."""
    home = Neo4jHome(settings.home)
    state = home.read_state()
    kept = home.keep_file.exists()
    if state is None or not is_running(state.supervisor):
        failed = state is not None and state.state == "failed"
        return Status(
            state="failed" if failed else "stopped",
            home=home.folder,
            version=NEO4J_VERSION,
            kept=kept,
            error=None if state is None else state.error,
        )
    return Status(
        state=state.state,
        home=home.folder,
        version=NEO4J_VERSION,
        port=state.port,
        pid=None if state.java is None else state.java.pid,
        kept=kept,
    )


def _ensure_running(settings: Settings, home: Neo4jHome, report: Report) -> Server:
    """Return the running server, started if need be; the caller holds a lease, so it is not stopped meanwhile."""
    state = _live_state(home)
    if state is None or state.state != "running":
        with held(FileLock(home.start_lock), report):
            state = _start(settings, home, report)
    if state.port is None:
        raise EmbeddedError("The supervisor recorded no port.", code="EMBEDDED_START_FAILED")
    if settings.neo4j_port not in (None, state.port):
        raise EmbeddedError(
            f"The server of {home.folder} already runs on port {state.port}, not on {settings.neo4j_port} as"
            " CONSENTLINE_NEO4J_PORT says. Stop it first (`consentline neo4j stop`), or leave the variable out.",
            code="EMBEDDED_OTHER_PORT",
        )
    return _await_answer(home, state.port)


def _start(settings: Settings, home: Neo4jHome, report: Report) -> ServerState:
    """Have a supervisor run the server and return its state; the caller holds the start lock."""
    for _ in range(SPAWNS):
        if _live_state(home) is None:
            _spawn_supervisor(settings, home, report)
        report(Progress("start"))
        state = _await_running(home)
        if state is not None:
            return state
    raise _supervisor_failed(home, f"was killed {SPAWNS} times while the server was starting")


def _live_state(home: Neo4jHome) -> ServerState | None:
    """Return the state that a supervisor which is alive wrote, unless it is about to end."""
    state = home.read_state()
    if state is None or state.state in ("stopping", "stopped", "failed") or not is_running(state.supervisor):
        return None
    return state


def _spawn_supervisor(settings: Settings, home: Neo4jHome, report: Report) -> None:
    """Fetch what is missing, start the supervisor and wait until it has spoken."""
    jars = fetch_jars(settings.cache, load_artifacts(), maven_url=settings.maven_url, report=report)
    before = home.read_state()
    _check_port(settings, before)
    command = [sys.executable, "-P", "-m", "consentline.embedded.supervisor"]
    command += ["--home", str(settings.home.expanduser().resolve()), "--jars", str(jars)]
    command += ["--heap", settings.neo4j_heap, "--pagecache", settings.neo4j_pagecache]
    command += ["--linger", str(settings.neo4j_linger_seconds)]
    if settings.neo4j_port is not None:
        command += ["--port", str(settings.neo4j_port)]
    with home.supervisor_log.open("ab") as log:
        if log.tell() > 1024 * 1024:
            log.truncate(0)
        done = subprocess.run(  # noqa: S603 (this interpreter and our own module)
            command, cwd=home.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
        )
    if done.returncode != 0:
        raise _supervisor_failed(home, f"ended with code {done.returncode}")
    begun = time.monotonic()
    lock = ExclusiveLock(home.supervisor_lock)
    while (state := home.read_state()) is None or (before is not None and state.supervisor == before.supervisor):
        waited = time.monotonic() - begun
        # A supervisor that lives holds its lock: the new one, or one that is still stopping.
        if waited > SPAWN_SECONDS or (waited > LOCK_TAKEN_SECONDS and lock.acquire()):
            lock.release()
            raise _supervisor_failed(home, "did not begin")
        time.sleep(_POLL_SECONDS)


def _check_port(settings: Settings, before: ServerState | None) -> None:
    """Refuse a fixed port that another process has, before anything is started."""
    port = settings.neo4j_port
    ours = before is not None and before.port == port and is_running(before.java)
    if port is not None and not ours and not is_free(port):
        raise port_taken(port)


def _await_running(home: Neo4jHome) -> ServerState | None:
    """Wait until the supervisor says that the server is ready; None when it was killed meanwhile.

    Raises:
        EmbeddedError: what the supervisor wrote, or that it was told to stop.
    """
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        state = home.read_state()
        if state is not None:
            alive = is_running(state.supervisor)
            if state.state == "running" and alive:
                return state
            if state.state == "failed":
                wait_gone(state.supervisor, STOP_GRACE_SECONDS)
                raise EmbeddedError(state.error or "Neo4j did not start.", code=state.code)
            if state.state == "stopped":
                raise EmbeddedError("Neo4j was stopped while it was starting.", code="EMBEDDED_START_FAILED")
            if not alive and home.read_state() == state:
                return None
        time.sleep(_POLL_SECONDS)
    raise _supervisor_failed(home, f"has not had a server ready within {READY_SECONDS:.0f} s")


def _await_answer(home: Neo4jHome, port: int) -> Server:
    """Return the server once it answers a query."""
    password = home.read_password()
    if password is None:
        raise EmbeddedError(f"{home.password_file} is gone. Put it back.", code="EMBEDDED_PASSWORD_LOST")
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if answers(port, password):
            return Server(uri=bolt_uri(port), user=USER, password=password)
        time.sleep(_POLL_SECONDS)
    raise EmbeddedError(
        f"The server on port {port} runs and does not answer; its log is {home.console_log}.",
        code="EMBEDDED_START_FAILED",
    )


def _supervisor_failed(home: Neo4jHome, what: str) -> EmbeddedError:
    return EmbeddedError(
        f"The process that runs Neo4j {what}; its log is {home.supervisor_log}.", code="EMBEDDED_START_FAILED"
    )
