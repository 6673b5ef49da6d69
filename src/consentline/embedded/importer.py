"""Neo4j's offline importer on the database of a home: only into an empty one, and never under a server that runs.

While the import runs the lease file is held exclusively, so no command can start the server. A marker in the home tells
of an import that did not end: the store behind it is worthless, the server is not started on it, and the next import
replaces it.
"""

import os
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from neo4j import GraphDatabase

from consentline.domain.errors import EmbeddedError
from consentline.embedded import java, lifecycle
from consentline.embedded.artifacts import load_artifacts
from consentline.embedded.fetch import fetch_jars
from consentline.embedded.home import Neo4jHome
from consentline.embedded.leases import ExclusiveLock
from consentline.embedded.model import Report, report_nothing
from consentline.embedded.processes import STOP_GRACE_SECONDS, is_running
from consentline.embedded.server import ServerProcess, bolt_uri, end_with_parent
from consentline.settings import Settings

_TOLD = 5
_LOOK_SECONDS = 3.0
_FIRST_RECORDED = "MATCH (r:Revision) RETURN r.first_recorded_at IS NOT NULL AS recorded"


class OfflineDatabase:
    """The stopped database of a home, which nobody else can start as long as this lasts."""

    def __init__(self, home: Neo4jHome, jars: Path, sizes: java.Sizes) -> None:
        self._home = home
        self._jars = jars
        self._sizes = sizes

    def check_empty(self) -> None:
        """Look into the database, with a server of our own, and end that again.

        Raises:
            EmbeddedError: BACKFILL_NOT_EMPTY when anything was ever recorded in it.
        """
        if self._home.importing.exists() or not (self._home.folder / "data" / "databases" / "neo4j").exists():
            return
        server = ServerProcess(self._home, jars=self._jars, sizes=self._sizes, fixed_port=None)
        server.prepare()
        server.start()
        try:
            deadline = time.monotonic() + lifecycle.READY_SECONDS
            while not server.probe():
                if server.has_ended() or time.monotonic() > deadline:
                    raise server.start_failure()
                time.sleep(0.1)
            if _holds_facts(bolt_uri(server.port or 0), self._home.ensure_password()):
                raise EmbeddedError(
                    "Something is recorded in this database already: a backfill is only for the first load."
                    " Load the files with `consentline ingest`.",
                    code="BACKFILL_NOT_EMPTY",
                )
        finally:
            server.stop(STOP_GRACE_SECONDS)

    def replace(self, arguments: Path, log: Path, say: Callable[[str], None]) -> None:
        """Import in place of what the database holds, as a file of the tool's arguments says; its words go to the log.

        Raises:
            EmbeddedError: BACKFILL_IMPORT_FAILED with the last of what the tool said.
        """
        self._prepare()
        command = java.admin_command(
            self._home.run / "import.args",
            jars=self._jars,
            artifacts=load_artifacts().artifacts,
            heap=self._sizes.heap,
            arguments=["database", "import", "full", "neo4j", "--overwrite-destination=true", f"@{arguments}"],
        )
        self._home.importing.touch(mode=0o600)
        parent = os.getpid()
        said: list[str] = []
        with (
            log.open("w", encoding="utf-8") as out,
            subprocess.Popen(  # noqa: S603 (our own java and an argument file that only we can write)
                command,
                cwd=self._home.folder,
                env=java.server_environment(self._home),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
                preexec_fn=lambda: end_with_parent(parent),
            ) as process,
        ):
            try:
                for line in process.stdout or ():
                    out.write(line)
                    if line.strip():
                        said = [*said[1 - _TOLD :], line.strip()]
                        say(line.strip())
                code = process.wait()
            except BaseException:
                process.terminate()
                raise
        if code != 0:
            raise EmbeddedError(
                f"Neo4j's importer ended with code {code}: {' / '.join(said)[:600]}. All that it said is in {log}.",
                code="BACKFILL_IMPORT_FAILED",
            )
        self._home.importing.unlink()

    def _prepare(self) -> None:
        java.forget_argument_files(self._home)
        java.write_configuration(self._home, port=1, sizes=self._sizes)
        java.set_initial_password(self._home, jars=self._jars, artifacts=load_artifacts().artifacts)


@contextmanager
def offline(settings: Settings, *, report: Report | None = None) -> Generator[OfflineDatabase]:
    """Hold the stopped database of `settings.home` inside the block; a server that only lingers is stopped.

    Raises:
        EmbeddedError: EMBEDDED_IN_USE when another command uses it or it is kept up; as `running_server`.
    """
    home = Neo4jHome(settings.home)
    home.create()
    lease = ExclusiveLock(home.lease_file)
    if home.keep_file.exists() or not _acquired(lease, home):
        raise EmbeddedError(
            "Another command uses the database of this home, or `consentline neo4j start` keeps it up:"
            " a backfill needs it alone. End them first.",
            code="EMBEDDED_IN_USE",
        )
    try:
        lifecycle.stop(settings)
        jars = fetch_jars(
            settings.cache, load_artifacts(), maven_url=settings.maven_url, report=report or report_nothing
        )
        yield OfflineDatabase(home, jars, java.Sizes(settings.neo4j_heap, settings.neo4j_pagecache))
    finally:
        lease.release()


def _acquired(lease: ExclusiveLock, home: Neo4jHome) -> bool:
    """Whether the lease was got; a server that is stopping is waited for, and a look whether anybody needs it."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while not lease.acquire():
        state = home.read_state()
        stopping = state is not None and state.state == "stopping" and is_running(state.supervisor)
        if not stopping and time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _holds_facts(uri: str, password: str) -> bool:
    with GraphDatabase.driver(uri, auth=(java.USER, password)) as driver:  # pyright: ignore[reportUnknownMemberType]
        rows, _, _ = driver.execute_query(_FIRST_RECORDED, database_="neo4j")
        return any(row["recorded"] for row in rows)
