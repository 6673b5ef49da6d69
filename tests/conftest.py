"""What the tests share: one real Neo4j, one event loop and one HTTP server a session."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import uvicorn

from consentline.app import create_app
from consentline.domain.access import Role
from consentline.domain.pseudonyms import Pseudonyms
from consentline.embedded import Server, running_server
from consentline.graph import migrations
from consentline.graph.session import Graph
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases.service import Service
from consentline.web.auth import issue_token
from tests.graphs import wipe
from tests.node_tools import installed

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

SECRET = "a secret for tests, of 32 bytes or more"
PSEUDONYMS = Pseudonyms(SECRET.encode())


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings with a home of their own, whatever the environment says."""
    home = tmp_path_factory.mktemp("home")
    return Settings(
        home=home,
        neo4j_uri=None,
        neo4j_heap="768m",
        neo4j_pagecache="256m",
        token_secret=SECRET,
        introspection=True,
        pseudonym_secret=SECRET,
        port=0,
        webhook_allow_private=True,
        sweep_seconds=3600,
    )


@pytest.fixture(scope="session")
def neo4j_server(settings: Settings) -> Iterator[Server]:
    """The Neo4j that CONSENTLINE_TEST_NEO4J_URI names, else an embedded one with an empty home."""
    uri = os.environ.get("CONSENTLINE_TEST_NEO4J_URI")
    if uri is not None:
        assert "PYTEST_XDIST_WORKER" not in os.environ, "the workers would share one Neo4j: run with -n 0"
        user = os.environ.get("CONSENTLINE_TEST_NEO4J_USER", "neo4j")
        yield Server(uri, user, os.environ["CONSENTLINE_TEST_NEO4J_PASSWORD"])
        return
    with running_server(settings) as server:
        yield server


@pytest.fixture(scope="session")
def run() -> Iterator[Run[Any]]:
    """Run a coroutine on the one loop of the session."""
    with asyncio.Runner() as runner:
        yield runner.run


@pytest.fixture(scope="session")
def session_service(run: Run[Any], settings: Settings, neo4j_server: Server) -> Iterator[Service]:
    """A service on the migrated graph, for the whole session; tests take `service`."""
    graph = connect(settings, neo4j_server)
    run(migrations.migrate(graph))
    yield Service(
        graph=graph,
        lineages=LineageCache(graph),
        pseudonyms=PSEUDONYMS,
        establishment=settings.establishment,
        shard_size=settings.shard_size,
        private_webhooks=settings.webhook_allow_private,
    )
    run(graph.close())


@pytest.fixture
def service(run: Run[Any], session_service: Service) -> Service:
    """A service on a graph that holds nothing."""
    run(wipe(session_service))
    return session_service


def connect(settings: Settings, server: Server) -> Graph:
    """A graph on the test server."""
    return Graph.connect(
        server.uri, server.user, server.password, settings.neo4j_database, settings.transaction_timeout_seconds
    )


@dataclass(frozen=True)
class Api:
    """The real application behind a real socket, and what a client needs to speak to it."""

    url: str
    client: httpx.Client
    service: Service
    run: Run[Any]

    def token(self, role: str = "admin", lifetime: timedelta = timedelta(hours=1)) -> str:
        """A token that the server accepts (or accepted, when `lifetime` is negative)."""
        return issue_token(SECRET, Role(role), lifetime)

    def post(self, path: str, role: str | None = "admin", **arguments: Any) -> httpx.Response:
        """A POST by a bearer of the role; None sends no token."""
        headers = {} if role is None else {"Authorization": f"Bearer {self.token(role)}"}
        return self.client.post(path, headers=headers | arguments.pop("headers", {}), **arguments)

    def graphql(self, query: str, variables: dict[str, Any] | None = None, role: str = "admin") -> dict[str, Any]:
        """The answer to an operation, errors and all."""
        return self.post("/graphql", role, json={"query": query, "variables": variables}).json()

    def data(self, query: str, variables: dict[str, Any] | None = None, role: str = "admin") -> dict[str, Any]:
        """The data of an operation that has no errors."""
        answer = self.graphql(query, variables, role)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def ingest(self, *lines: str) -> dict[str, Any]:
        """What /ingest answers to these lines."""
        headers = {"Content-Type": "application/x-ndjson"}
        answer = self.post("/ingest", "service", content="\n".join(lines).encode(), headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


@contextmanager
def serving(settings: Settings, server: Server) -> Generator[str]:
    """The application on a free port of loopback, in a thread of its own; yields its address."""
    config = uvicorn.Config(create_app(settings, server), port=0, log_config=None, access_log=False, lifespan="on")
    process = uvicorn.Server(config)
    thread = threading.Thread(target=process.run, name="api")
    thread.start()
    try:
        deadline = time.monotonic() + 60
        while not process.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert process.started, "the application did not start"
        port = process.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        process.should_exit = True
        thread.join(30)


@pytest.fixture(scope="session")
def api_url(settings: Settings, neo4j_server: Server) -> Iterator[str]:
    """The address of the application, up for the whole session."""
    with serving(settings, neo4j_server) as url:
        yield url


@pytest.fixture(scope="session")
def session_api(api_url: str, session_service: Service, run: Run[Any]) -> Iterator[Api]:
    """The application, for the whole session; tests take `api` or `module_api`."""
    with httpx.Client(base_url=api_url, timeout=60) as client:
        yield Api(api_url, client, session_service, run)


@pytest.fixture
def api(session_api: Api, service: Service) -> Api:
    """The application over a graph that holds nothing."""
    assert session_api.service is service
    return session_api


@pytest.fixture(scope="module")
def module_api(session_api: Api) -> Api:
    """The application over a graph that is emptied once for a module: what it loads, its tests only read."""
    session_api.run(wipe(session_api.service))
    return session_api


@pytest.fixture(scope="session")
def node_tools() -> Path:
    """The npm packages that check the API from the side of its clients."""
    return installed("what checks the API as its clients see it")


def repository() -> Path:
    """The checkout."""
    return Path(__file__).resolve().parents[1]
