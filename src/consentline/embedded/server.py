"""One Java process running the server: its port, its start, whether it answers, its end."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from neo4j import GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError

from consentline.domain.errors import EmbeddedError
from consentline.embedded import java
from consentline.embedded.artifacts import load_artifacts
from consentline.embedded.home import Neo4jHome
from consentline.embedded.processes import Process, identify

_PR_SET_PDEATHSIG = 1
_KILLED_GRACE_SECONDS = 30.0
_LOG_BYTES = 4 * 1024 * 1024


class ServerProcess:
    """The server of one home as a child of this process; `start` may be called again after it ended."""

    def __init__(self, home: Neo4jHome, *, jars: Path, sizes: java.Sizes, fixed_port: int | None) -> None:
        self._home = home
        self._jars = jars
        self._artifacts = load_artifacts().artifacts
        self._sizes = sizes
        self._fixed_port = fixed_port
        self._child: subprocess.Popen[bytes] | None = None
        self.process: Process | None = None
        self.port: int | None = fixed_port
        self.ready = False
        self._log_begin = 0

    @property
    def exit_code(self) -> int | None:
        """What the process ended with; None while it runs or before it was started."""
        return None if self._child is None else self._child.returncode

    def prefer_port(self, port: int | None) -> None:
        """Use this port again if it is free, so that commands that still run find the server where it was."""
        if self._fixed_port is None:
            self.port = port

    def prepare(self) -> None:
        """Do what the first start needs: the folders and the password.

        Raises:
            EmbeddedError: the password cannot be set, or is lost.
        """
        java.forget_argument_files(self._home)
        self._home.ensure_password()
        if not java.has_room(self._home):
            raise _disk_full(self._home)
        java.write_configuration(self._home, port=self.port or 1, sizes=self._sizes)
        java.set_initial_password(self._home, jars=self._jars, artifacts=self._artifacts)

    def start(self) -> None:
        """Start the process; it answers some seconds later, see `probe`.

        Raises:
            EmbeddedError: EMBEDDED_PORT_TAKEN when the port that the settings name is in use.
        """
        self.ready = False
        self._log_begin = self._home.debug_log.stat().st_size if self._home.debug_log.exists() else 0
        self.port = self._choose_port()
        java.write_configuration(self._home, port=self.port, sizes=self._sizes)
        command = java.server_command(self._home, jars=self._jars, artifacts=self._artifacts, sizes=self._sizes)
        supervisor = os.getpid()
        with self._home.console_log.open("wb") as console:
            self._child = subprocess.Popen(  # noqa: S603 (our own java and an argument file that only we can write)
                command,
                cwd=self._home.folder,
                env=java.server_environment(self._home),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=lambda: end_with_parent(supervisor),
            )
        self.process = identify(self._child.pid)

    def has_ended(self) -> bool:
        """Whether the process that was started is gone."""
        return self._child is not None and self._child.poll() is not None

    def probe(self) -> bool:
        """Whether the server answers a query of its user; remembered in `ready`.

        Raises:
            EmbeddedError: EMBEDDED_PASSWORD_LOST when it refuses the password of the home; EMBEDDED_DISK_FULL when
                it has met a full disk on its way.
        """
        if not self.ready and self._met_full_disk():
            raise _disk_full(self._home)
        if self.port is not None and is_listening(self.port):
            self.ready = answers(self.port, self._home.ensure_password())
        return self.ready

    def stop(self, grace_seconds: float) -> None:
        """End the process, with a checkpoint; by force after the grace."""
        child = self._child
        if child is None:
            return
        child.terminate()
        try:
            child.wait(grace_seconds)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait(_KILLED_GRACE_SECONDS)
        self.process = None

    def lost_its_port(self) -> bool:
        """Whether another process took the port between our choice and the server's; another can be chosen then."""
        return self._fixed_port is None and self.port is not None and not is_free(self.port)

    def start_failure(self) -> EmbeddedError:
        """Return why the process ended before it answered."""
        tail = self._home.console_log.read_text(errors="replace")[-20_000:]
        if self._met_full_disk():
            return _disk_full(self._home)
        if self.port is not None and not is_free(self.port):
            return port_taken(self.port)
        lines = [line for line in tail.splitlines() if " ERROR " in line or "Exception" in line] or tail.splitlines()
        return EmbeddedError(
            f"Neo4j ended with code {self.exit_code} before it answered: {' / '.join(lines[-3:])[:600]}."
            f" Its log is {self._home.console_log}.",
            code="EMBEDDED_START_FAILED",
        )

    def _met_full_disk(self) -> bool:
        # A server that starts on a full disk does not end; it says so in this log and waits.
        try:
            with self._home.debug_log.open("rb") as log:
                log.seek(self._log_begin)
                return b"No space left on device" in log.read(_LOG_BYTES)
        except FileNotFoundError:
            return False

    def _choose_port(self) -> int:
        if self._fixed_port is not None:
            if not is_free(self._fixed_port):
                raise port_taken(self._fixed_port)
            return self._fixed_port
        if self.port is not None and is_free(self.port):
            return self.port
        with socket.socket() as chosen:
            chosen.bind((java.LOOPBACK, 0))
            return int(chosen.getsockname()[1])


def port_taken(port: int) -> EmbeddedError:
    """Return the error for a port that another process listens on."""
    return EmbeddedError(
        f"Port {port} of {java.LOOPBACK} is in use by another process. Set CONSENTLINE_NEO4J_PORT to a free one,"
        " or leave it out and one is chosen.",
        code="EMBEDDED_PORT_TAKEN",
    )


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface."""
    with socket.socket() as candidate:
        # As Java does: connections of an earlier server that linger in TIME_WAIT do not count.
        candidate.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            candidate.bind((java.LOOPBACK, port))
        except OSError:
            return False
        return True


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this port of the loopback interface."""
    try:
        with socket.create_connection((java.LOOPBACK, port), timeout=1):
            return True
    except OSError:
        return False


def bolt_uri(port: int) -> str:
    """Return the address of a server on this port."""
    return f"bolt://{java.LOOPBACK}:{port}"


def answers(port: int, password: str) -> bool:
    """Whether the server on this port answers an authenticated query now.

    Raises:
        EmbeddedError: EMBEDDED_PASSWORD_LOST when it refuses the password.
    """
    try:
        with GraphDatabase.driver(  # pyright: ignore[reportUnknownMemberType] (its options are untyped)
            bolt_uri(port), auth=(java.USER, password), connection_timeout=5, max_transaction_retry_time=0
        ) as driver:
            driver.execute_query("RETURN 1 AS one", database_="neo4j")
    except AuthError as error:
        raise EmbeddedError(
            "The server refuses the password of this home: the file `neo4j/password` was changed,"
            " or the password was changed in the database. Put the right one into the file.",
            code="EMBEDDED_PASSWORD_LOST",
        ) from error
    except (DriverError, Neo4jError):
        return False
    return True


def _disk_full(home: Neo4jHome) -> EmbeddedError:
    return EmbeddedError(
        f"No space is left for the database in {home.folder}. Free some, or set CONSENTLINE_HOME to another disk.",
        code="EMBEDDED_DISK_FULL",
    )


def end_with_parent(parent: int) -> None:
    """Let the kernel end this process when its parent ends, however that does: for `preexec_fn` on the main thread."""
    # Runs in the child before Java does. The signal comes when the *thread* that started the child ends: the
    # supervisor has only the main one.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)
