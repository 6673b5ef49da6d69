"""Health, and the database going away: clear answers, and recovery without a restart."""

import json
import time
from collections.abc import Callable, Iterator
from typing import LiteralString
from urllib.parse import urlsplit

import httpx
import pytest
from neo4j import GraphDatabase

from consentline.connection import connected
from consentline.domain.errors import DatabaseUnavailableError
from consentline.embedded import Server
from consentline.graph.session import Tx
from consentline.settings import Settings
from tests.conftest import Api, serving
from tests.e2e.proxy import Proxy, proxied

REGISTER = """mutation { registerDatasetVersion(input: {dataset: "d", coverage: UNDOCUMENTED}) {
  datasetVersion { number } userErrors { code } } }"""
USAGE = '{ postUsage(post: "p") { verdict } }'


@pytest.fixture
def impatient(settings: Settings) -> Settings:
    """Settings under which a write gives up after seconds."""
    return settings.model_copy(update={"transaction_timeout_seconds": 2.0})


@pytest.fixture
def proxy(neo4j_server: Server) -> Iterator[Proxy]:
    port = urlsplit(neo4j_server.uri).port
    assert port is not None
    with proxied(port) as proxy:
        yield proxy


@pytest.fixture
def behind(api: Api, impatient: Settings, neo4j_server: Server, proxy: Proxy) -> Iterator[Api]:
    """The application behind a proxy that can be cut."""
    server = Server(f"bolt://127.0.0.1:{proxy.port}", neo4j_server.user, neo4j_server.password)
    with serving(impatient, server) as url, httpx.Client(base_url=url, timeout=60) as client:
        yield Api(url, client, api.service, api.run)


def eventually(check: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if check():
            return True
        time.sleep(0.1)
    return False


def test_alive_and_ready(api: Api) -> None:
    alive, ready = api.client.get("/healthz"), api.client.get("/readyz")

    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})


def test_while_the_database_is_away_every_answer_says_so_and_then_all_is_well_again(behind: Api, proxy: Proxy) -> None:
    assert behind.data(USAGE)["postUsage"]["verdict"] == "NOT_USED"

    proxy.cut()

    alive, ready = behind.client.get("/healthz"), behind.client.get("/readyz")
    assert alive.status_code == 200
    assert (ready.status_code, ready.json()["code"]) == (503, "DATABASE_UNAVAILABLE")
    for query in (USAGE, REGISTER):
        response = behind.post("/graphql", json={"query": query})
        assert response.status_code == 503
        assert response.headers["retry-after"] == "1"
        assert response.json()["data"] is None
        assert response.json()["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
    partial = behind.post("/graphql", json={"query": '{ __typename post(key: "p") { key } }'})
    assert (partial.status_code, partial.json()["data"]) == (200, {"__typename": "Query", "post": None})
    line = json.dumps({"kind": "user", "key": "u1"}).encode()
    sent = behind.post("/ingest", "service", content=line, headers={"Content-Type": "application/x-ndjson"})
    assert (sent.status_code, sent.json()["errors"][0]["extensions"]["code"]) == (503, "DATABASE_UNAVAILABLE")

    proxy.mend()

    assert eventually(lambda: behind.client.get("/readyz").status_code == 200)
    assert behind.data(USAGE)["postUsage"]["verdict"] == "NOT_USED"
    assert behind.data(REGISTER)["registerDatasetVersion"]["datasetVersion"]["number"] == 1
    assert behind.ingest(line.decode())["accepted"] == 1


def test_an_application_that_starts_before_its_database_becomes_ready_when_it_comes(
    impatient: Settings, neo4j_server: Server, proxy: Proxy
) -> None:
    proxy.cut()
    server = Server(f"bolt://127.0.0.1:{proxy.port}", neo4j_server.user, neo4j_server.password)

    with serving(impatient, server) as url, httpx.Client(base_url=url, timeout=60) as client:
        assert client.get("/healthz").status_code == 200
        assert client.get("/readyz").status_code == 503
        proxy.mend()
        assert eventually(lambda: client.get("/readyz").status_code == 200)


def test_a_graph_of_a_newer_version_is_not_ready(api: Api) -> None:
    api.run(api.service.graph.run_schema("CREATE (:Migration {name: '9999_future.cypher', digest: 'x'})"))
    try:
        ready = api.client.get("/readyz")
    finally:
        api.run(api.service.graph.run_schema("MATCH (m:Migration {name: '9999_future.cypher'}) DELETE m"))

    assert (ready.status_code, ready.json()["code"]) == (503, "MIGRATION_MISSING")
    assert api.client.get("/readyz").status_code == 200


SLOW: LiteralString = "UNWIND range(1, 10000000000) AS x WITH x WHERE x % 7 = 8 RETURN count(x) AS none"
HOLD: LiteralString = "MATCH (r:Revision {name: 'lineage'}) SET r.guard = 'held by a test' RETURN r.name"
OTHERS: LiteralString = """
SHOW TRANSACTIONS YIELD currentQuery, elapsedTime
WHERE NOT trim(currentQuery) STARTS WITH 'SHOW' AND NOT currentQuery = $held AND currentQuery <> ''
RETURN collect(currentQuery) AS queries
"""


def at_work(api: Api) -> list[str]:
    """What the database is executing now, but for this question and for what a test holds."""

    async def work(tx: Tx) -> list[str]:
        return (await tx.get(OTHERS, held=HOLD))["queries"]

    return api.run(api.service.graph.read(work))


def test_a_query_that_runs_out_of_time_ends_in_the_database_too(
    api: Api, impatient: Settings, neo4j_server: Server
) -> None:
    async def ask() -> None:
        async with connected(impatient, neo4j_server) as service:
            with pytest.raises(DatabaseUnavailableError) as refused:
                await service.graph.read(lambda tx: tx.rows(SLOW))
            assert refused.value.code == "DATABASE_UNAVAILABLE"

    api.run(ask())

    assert eventually(lambda: SLOW not in at_work(api), 5)


def test_a_mutation_that_waits_too_long_ends_in_the_database_too_and_changes_nothing(
    api: Api, impatient: Settings, neo4j_server: Server
) -> None:
    with (
        serving(impatient, neo4j_server) as url,
        httpx.Client(base_url=url, timeout=60) as client,
        GraphDatabase.driver(neo4j_server.uri, auth=(neo4j_server.user, neo4j_server.password)) as driver,
        driver.session() as session,
    ):
        waiting = Api(url, client, api.service, api.run)
        with session.begin_transaction() as holder:
            holder.run(HOLD).consume()
            response = waiting.post("/graphql", json={"query": REGISTER})
            assert response.status_code == 503
            assert response.json()["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
            assert eventually(lambda: at_work(api) == [], 5), at_work(api)
            holder.rollback()

        assert waiting.data(REGISTER)["registerDatasetVersion"]["datasetVersion"]["number"] == 1
