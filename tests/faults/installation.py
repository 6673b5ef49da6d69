"""An installation that can be hurt: a Neo4j of its own and services on it, all of them real processes."""

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import httpx

from consentline import embedded
from consentline.connection import open_service
from consentline.domain.access import Role
from consentline.domain.errors import EmbeddedError
from consentline.embedded import running_server
from consentline.embedded.home import Neo4jHome
from consentline.embedded.server import answers
from consentline.graph.session import Tx
from consentline.settings import Settings
from consentline.web.auth import issue_token
from tests.faults.wire import Wire

SECRET = "a secret for faults, of 32 bytes or more"
START_SECONDS = 180.0
_POLL_SECONDS = 0.2
_LOG = logging.getLogger("tests.faults")


class UnexpectedAnswerError(Exception):
    """A service said something else than what it may say of a fault."""


class Database:
    """A Neo4j that is killed and frozen, and comes back: its supervisor, or we, start it again."""

    def __init__(self, home: Path) -> None:
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port: int = chosen.getsockname()[1]
        self.settings = Settings(
            home=home,
            neo4j_uri=None,
            neo4j_port=self.port,
            neo4j_heap="768m",
            neo4j_pagecache="128m",
            token_secret=SECRET,
            pseudonym_secret=SECRET,
        )
        self.kills = 0
        self.hurting = threading.Lock()
        self._over = threading.Event()
        self._staying_away = threading.Lock()

    @contextmanager
    def running(self) -> Generator["Database"]:
        """Up in this block, whatever is done to it meanwhile."""
        with running_server(self.settings) as server:
            self.password = server.password
            keeper = threading.Thread(target=self._keep, name="keeper")
            keeper.start()
            try:
                yield self
            finally:
                self._over.set()
                keeper.join()

    def kill(self) -> None:
        """Kill it as the kernel would: nothing is flushed that was not."""
        self.send(signal.SIGKILL)
        self.kills += 1

    def away(self, seconds: float) -> None:
        """Kill it, and what would start it again; have it started again after so many seconds."""
        state = Neo4jHome(self.settings.home).read_state()
        if state is None:
            raise UnexpectedAnswerError("there is no database to be hurt")
        with self._staying_away:
            os.kill(state.supervisor.pid, signal.SIGKILL)
            self.kill()
            time.sleep(seconds)

    def send(self, number: signal.Signals) -> None:
        """Send its process a signal."""
        state = Neo4jHome(self.settings.home).read_state()
        if state is None or state.java is None:
            raise UnexpectedAnswerError("there is no database to be hurt")
        os.kill(state.java.pid, number)

    def wait(self) -> None:
        """Return once it answers."""
        deadline = time.monotonic() + START_SECONDS
        while not answers(self.port, self.password):
            if time.monotonic() > deadline:
                raise TimeoutError("the database did not come back")
            time.sleep(_POLL_SECONDS)

    def _keep(self) -> None:
        """A supervisor gives up on a server that dies again and again; here it is to be started all the same."""
        while not self._over.wait(1):
            with self._staying_away:
                self._mend()

    def _mend(self) -> None:
        if embedded.status(self.settings).state in ("failed", "stopped"):
            try:
                with running_server(self.settings):
                    pass
            except EmbeddedError as error:
                _LOG.warning("the database: %s", error.message)

    def environment(self, port: int) -> dict[str, str]:
        """What a command needs to reach it through a port."""
        mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
        return mine | {
            "CONSENTLINE_HOME": str(self.settings.home / "service"),
            "CONSENTLINE_NEO4J_URI": f"bolt://127.0.0.1:{port}",
            "CONSENTLINE_NEO4J_PASSWORD": self.password,
            "CONSENTLINE_TOKEN_SECRET": SECRET,
            "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
        }

    def reached(self) -> Settings:
        """Settings of a process that is on its side of every wire."""
        return Settings(
            home=self.settings.home / "service",
            neo4j_uri=f"bolt://127.0.0.1:{self.port}",
            neo4j_password=self.password,  # pyright: ignore[reportArgumentType] - pydantic makes it secret
            token_secret=SECRET,
            pseudonym_secret=SECRET,
        )

    def rows(self, statement: LiteralString) -> list[list[Any]]:
        """What a statement answers, by the product's own driver."""

        async def read(tx: Tx) -> list[list[Any]]:
            return [row.values() for row in await tx.rows(statement)]

        async def ask() -> list[list[Any]]:
            async with open_service(self.reached()) as service:
                return await service.graph.read(read)

        return asyncio.run(ask())

    def command(self, *arguments: str, **more: Any) -> "subprocess.CompletedProcess[str]":
        """Run a command of ours on it to its end."""
        given: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 300, "check": False}
        command = [sys.executable, "-m", "consentline", *arguments]
        return subprocess.run(command, env=self.environment(self.port), **given | more)


class Serving:
    """One service process behind its wire; it is started again when it is gone."""

    def __init__(
        self,
        database: Database,
        log: Path,
        launcher: tuple[str, ...] = ("-m", "consentline"),
        patience: float = 90,
    ) -> None:
        self.wire = Wire(database.port)
        self.kills = 0
        self._environment = database.environment(self.wire.port)
        self._log = log
        self._launcher = launcher
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        with socket.socket() as chosen:
            chosen.bind(("127.0.0.1", 0))
            self.port: int = chosen.getsockname()[1]
        headers = {"Authorization": f"Bearer {issue_token(SECRET, Role.ADMIN, timedelta(hours=12))}"}
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, timeout=patience)

    def start(self) -> None:
        """Start it unless it runs; it answers some seconds later."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                return
            command = [sys.executable, *self._launcher, "serve", "--port", str(self.port)]
            with self._log.open("ab") as output:
                self._process = subprocess.Popen(command, env=self._environment, stdout=output, stderr=output)

    def kill(self) -> None:
        """Kill it as the kernel would."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.kill()
                self._process.wait(30)
            self.kills += 1

    def stop(self) -> None:
        """End it and its wire."""
        with self._lock:
            if self._process is not None and self._process.poll() is None:
                self._process.terminate()
                try:
                    self._process.wait(30)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait(30)
        self.wire.close()
        self._client.close()

    def wait(self) -> None:
        """Return once it is ready; start it when it is not there."""
        deadline = time.monotonic() + START_SECONDS
        while not self.ready():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the service is not ready; see {self._log}")
            self.start()
            time.sleep(_POLL_SECONDS)

    def ready(self) -> bool:
        """Whether it says so."""
        try:
            return self._client.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any] | None:
        """The data of an answer without errors; None when there was none, or one that says to try again.

        Raises:
            UnexpectedAnswerError: it is neither.
        """
        try:
            response = self._client.post("/graphql", json={"query": query, "variables": variables})
        except httpx.TransportError:
            return None
        answer = response.json()
        if "errors" not in answer:
            return answer["data"]
        codes = {error["extensions"]["code"] for error in answer["errors"]}
        if answer["data"] is None:
            precise = response.status_code == 503 and "retry-after" in response.headers
        else:
            # What was asked for is recorded, and a field of the answer could not be read.
            precise = response.status_code == 200 and all(error["path"] for error in answer["errors"])
        if precise and codes <= {"DATABASE_UNAVAILABLE", "AUDIT_UNAVAILABLE"}:
            return None
        raise UnexpectedAnswerError(f"{response.status_code} {json.dumps(answer)}")


@contextmanager
def installed(home: Path, services: int = 1, patience: float = 90) -> Generator[tuple[Database, list[Serving]]]:
    """A database and services, ready; clients wait for an answer for so many seconds."""
    with Database(home).running() as database:
        serving = [Serving(database, home / f"service-{number}.log", patience=patience) for number in range(services)]
        try:
            for each in serving:
                each.start()
            for each in serving:
                each.wait()
            yield database, serving
        finally:
            for each in serving:
                each.stop()
