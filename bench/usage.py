"""postUsage over HTTP beside a bare handler that runs the same Cypher and answers with the same bytes.

One process each, alternating, median of 5; the figure is the service's CPU time a request as a multiple of the bare
handler's. Requests per second and latencies are printed for reading, not for comparing: the machine is shared.
The goals are those of 8 connections. The service gathers questions that wait for each other into one statement, which
one connection gives it no chance to: what it costs then is measured beside it.
"""

import asyncio
import json
import statistics
import tempfile
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from bench import load
from bench.processes import cpu_seconds, server
from bench.results import record
from consentline.connection import open_service
from consentline.domain.access import Role
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.training import DerivationKind
from consentline.embedded import Server, console_progress, running_server
from consentline.generation import generate_records
from consentline.settings import Settings
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from consentline.usecases.training import DeriveModel, RecordTraining, derive_model, record_training
from consentline.web.auth import issue_token

POSTS = 100_000
ASKED = 500
CONNECTIONS = 8
ALONE = 1
REQUESTS = 4_000
ROUNDS = 5
DOCUMENTS = Path(__file__).parent / "documents"
GOALS = {"verdict": 1.2, "full": 1.6}


def main() -> None:
    """Load a graph, measure both documents, print and record the ratios."""
    with loaded() as graph:
        for name in ("verdict", "full"):
            _compare(name, graph.asked, environment_of(graph), graph.token, graph.folder)


class Loaded(NamedTuple):
    """A graph to be asked about: posts with uses, where it is, a bearer's token, and a folder for what is logged."""

    asked: list[str]
    settings: Settings
    neo4j: Server
    token: str
    folder: Path


@contextmanager
def loaded() -> Generator[Loaded]:
    """A database of its own with the graph of `prepare`, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        home = Path(folder)
        settings = Settings(home=home / "home")
        with console_progress() as report, running_server(settings, report=report) as neo4j:
            asked = asyncio.run(prepare(settings))
            token = issue_token(settings.signing_secret(), Role.ADMIN, timedelta(hours=2))
            yield Loaded(asked, settings, neo4j, token, home)


def environment_of(graph: Loaded) -> dict[str, str]:
    """The settings by which another process finds the same database."""
    return {
        "CONSENTLINE_HOME": str(graph.settings.home),
        "CONSENTLINE_NEO4J_URI": graph.neo4j.uri,
        "CONSENTLINE_NEO4J_USER": graph.neo4j.user,
        "CONSENTLINE_NEO4J_PASSWORD": graph.neo4j.password,
    }


async def prepare(settings: Settings) -> list[str]:
    """Posts, a dataset in three versions and four model versions; answers keys of posts with 2 to 4 uses each."""
    async with open_service(settings) as service:
        keys: list[str] = []

        async def chunks() -> AsyncIterator[bytes]:
            for line in generate_records(POSTS, 1, only=["post"]):
                if len(keys) < 20_000:
                    keys.append(json.loads(line)["key"])
                yield line

        summary = await ingest(service, chunks(), on_reject=lambda rejection: print(rejection))
        print(f"{summary.accepted} posts loaded")
        await _train(service, keys)
        return keys[:ASKED]


async def _train(service: Service, keys: list[str]) -> None:
    started = 1_700_000_000_000_000
    for number, members in enumerate((keys[:10_000], keys[:15_000], keys), start=1):
        await register_version(service, RegisterVersion("bench", Coverage.COMPLETE, posts=tuple(members)))
        if number < 3:
            read = (VersionRef("bench", number),)
            await record_training(
                service, RecordTraining(f"run:{number}", read, started, model="m", version=f"{number}")
            )
    await derive_model(service, DeriveModel("m", "3", ("m:1",), DerivationKind.FINE_TUNE))


def _compare(name: str, asked: list[str], environment: dict[str, str], token: str, folder: Path) -> None:
    document = (DOCUMENTS / f"{name}.graphql").read_text()
    ports = {"service": 18231, "bare": 18232}
    bodies = {post: json.dumps({"query": document, "variables": {"post": post}}).encode() for post in asked}
    serve = ["consentline", "serve", "--port", str(ports["service"])]
    address = f"http://127.0.0.1:{ports['service']}"
    with server(serve, environment, f"{address}/healthz", folder / "service.log") as service:
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        answers = {
            post: httpx.post(f"{address}/graphql", content=body, headers=headers).text for post, body in bodies.items()
        }
        prepared = folder / f"{name}.json"
        prepared.write_text(json.dumps(answers))
        bare = ["uvicorn", "bench.bare:app", "--port", str(ports["bare"]), "--no-access-log"]
        more = {**environment, "BENCH_BODIES": str(prepared)}
        with server(bare, more, f"http://127.0.0.1:{ports['bare']}/", folder / "bare.log") as peer:
            pids = {"service": service, "bare": peer}
            figures = {
                connections: _measure(name, connections, pids, ports, list(bodies.values()), token)
                for connections in (CONNECTIONS, ALONE)
            }
    record(
        f"usage-{name}",
        {"goal": GOALS[name], "posts": POSTS, **figures[CONNECTIONS], "one_connection": figures[ALONE]},
    )


def _measure(
    name: str, connections: int, pids: dict[str, int], ports: dict[str, int], bodies: list[bytes], token: str
) -> dict[str, Any]:
    rounds: dict[str, list[dict[str, float]]] = {who: [] for who in pids}
    for number in range(ROUNDS + 1):
        for who, pid in pids.items():
            requests = [load.request("/graphql", "127.0.0.1", token, body) for body in bodies]
            before = cpu_seconds(pid)
            measured = load.run(ports[who], requests, connections, REQUESTS)
            cpu = (cpu_seconds(pid) - before) / measured.requests
            if number:  # the first round warms up
                rounds[who].append({"cpu": cpu, "rate": measured.rate, "p99": measured.p99})
    return _report(name, connections, rounds)


def _report(name: str, connections: int, rounds: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    figures: dict[str, Any] = {
        who: {measure: statistics.median(each[measure] for each in measured) for measure in ("cpu", "rate", "p99")}
        for who, measured in rounds.items()
    }
    ratio = figures["service"]["cpu"] / figures["bare"]["cpu"]
    for who, figure in figures.items():
        spread = [round(each["rate"]) for each in rounds[who]]
        print(
            f"{name:8} {connections} connections  {who:8} {figure['cpu'] * 1e6:5.0f} µs CPU/request  "
            f"{figure['rate']:6.0f} requests/s (rounds {spread})  p99 {figure['p99'] * 1e3:.1f} ms"
        )
    goal = GOALS[name]
    verdict = f"  goal ≤ {goal}: {'met' if ratio <= goal else 'MISSED'}" if connections == CONNECTIONS else ""
    print(f"{name:8} {connections} connections: service ÷ bare handler, CPU a request: {ratio:.2f}{verdict}")
    return {"ratio": ratio, **figures, "rounds": rounds}


if __name__ == "__main__":
    main()
