"""Where the embedded server keeps its things below `CONSENTLINE_HOME`, and the few files that we write there."""

import secrets
from pathlib import Path
from typing import Literal

import msgspec

from consentline.domain.errors import EmbeddedError
from consentline.embedded.processes import Process

WrittenState = Literal["starting", "running", "stopping", "stopped", "failed"]


class ServerState(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor last wrote about itself and its server; a file left behind may speak of dead processes."""

    state: WrittenState
    supervisor: Process
    java: Process | None = None
    port: int | None = None
    code: str | None = None
    error: str | None = None


class Neo4jHome:
    """The folder of one embedded server; everything in it is readable by its owner only."""

    def __init__(self, home: Path) -> None:
        self.folder = home.expanduser().resolve() / "neo4j"
        self.conf = self.folder / "conf"
        self.logs = self.folder / "logs"
        self.run = self.folder / "run"
        self.password_file = self.folder / "password"
        self.system_database = self.folder / "data" / "databases" / "system"
        self.initial_password = self.folder / "data" / "dbms" / "auth.ini"
        self.console_log = self.logs / "console.log"
        self.debug_log = self.logs / "debug.log"
        self.supervisor_log = self.logs / "supervisor.log"
        self.state_file = self.run / "state.json"
        self.importing = self.run / "importing"
        self.keep_file = self.run / "keep"
        self.lease_file = self.run / "lease"
        self.supervisor_lock = self.run / "supervisor.lock"
        self.start_lock = self.run / "start.lock"

    def create(self) -> None:
        """Make the folders that are missing.

        Raises:
            EmbeddedError: EMBEDDED_HOME when that is not allowed there.
        """
        try:
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.folder, self.conf, self.logs, self.run):
                folder.mkdir(mode=0o700, exist_ok=True)
        except OSError as error:
            raise EmbeddedError(
                f"The folder {self.folder} cannot be made ({error.strerror}). Set CONSENTLINE_HOME to one that can.",
                code="EMBEDDED_HOME",
            ) from error

    def read_state(self) -> ServerState | None:
        """Return what the supervisor last wrote, or None when there is nothing that can be read."""
        try:
            return msgspec.json.decode(self.state_file.read_bytes(), type=ServerState)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def write_state(self, state: ServerState) -> None:
        """Replace the state in one step: a reader sees the old one or the new one, whole."""
        replace_file(self.state_file, msgspec.json.encode(state))

    def read_password(self) -> str | None:
        """Return the password, or None before one was made."""
        try:
            return self.password_file.read_text().strip() or None
        except FileNotFoundError:
            return None

    def ensure_password(self) -> str:
        """Return the password, made at random the first time.

        Raises:
            EmbeddedError: EMBEDDED_PASSWORD_LOST when there are data and the file is gone.
        """
        password = self.read_password()
        if password is not None:
            return password
        if self.system_database.exists():
            raise EmbeddedError(
                f"{self.password_file} is gone and the data beside it cannot be opened without it. Put the file back,"
                f" or move {self.folder} away to begin with an empty database.",
                code="EMBEDDED_PASSWORD_LOST",
            )
        # Hexadecimal: the admin tool takes a password that begins with "-" for an option.
        password = secrets.token_hex(24)
        replace_file(self.password_file, password.encode())
        return password


def replace_file(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in one step."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    part.touch(mode=0o600)
    part.write_bytes(content)
    part.replace(path)
