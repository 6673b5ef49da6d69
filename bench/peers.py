"""The API beside its peer: npm `@neo4j/graphql` on `@apollo/server` (bench/peers/server.mjs), on the same Neo4j.

The same questions, the same answers (compared before anything is measured), one process each, 8 connections,
alternating, median of 5 rounds: requests a second. The peer checks no token, knows no role and writes no log line.
It needs Node; without it nothing is measured.
"""

import base64
import json
import shutil
import statistics
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench import load
from bench.processes import server
from bench.results import record
from bench.usage import POSTS, environment_of, loaded

FOLDER = Path(__file__).parent / "peers"
INSTALL = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
CONNECTIONS = 8
ROUNDS = 5
LISTED = 100
OURS, PEER = 18241, 18242
_USES = """edges { node {
  relation usedAt modelVersion { key } trainingRun { key } datasetVersion { number dataset { key } }
} }"""


@dataclass(frozen=True)
class Case:
    """A question to both: documents, what both answers hold it under, the variables, and the goal."""

    name: str
    ours: str
    theirs: str
    fields: tuple[str, str]
    variables: list[tuple[dict[str, Any], dict[str, Any]]]
    requests: int
    goal: float


def main() -> None:
    """Load a graph, measure both questions, print and record the ratios."""
    missing = [tool for tool in ("node", "npm") if shutil.which(tool) is None]
    if missing:
        print(f"NOT RUN: the peer needs {' and '.join(missing)}")
        return
    subprocess.run(INSTALL, cwd=FOLDER, check=True, stdout=subprocess.DEVNULL, timeout=900)
    with loaded() as graph:
        neo4j = graph.neo4j
        theirs = {"NEO4J_URI": neo4j.uri, "NEO4J_USER": neo4j.user, "NEO4J_PASSWORD": neo4j.password}
        compare(graph.asked, environment_of(graph), theirs, graph.token, graph.folder)


def compare(asked: list[str], ours: dict[str, str], theirs: dict[str, str], token: str, folder: Path) -> None:
    """Serve both on the database, and measure each case."""
    addresses = {"ours": f"http://127.0.0.1:{OURS}/graphql", "peer": f"http://127.0.0.1:{PEER}/"}
    theirs = {**theirs, "PORT": str(PEER), "NODE_ENV": "production"}
    with (
        server(["consentline", "serve", "--port", str(OURS)], ours, addresses["ours"], folder / "ours.log"),
        server([str(FOLDER / "server.mjs")], theirs, addresses["peer"], folder / "peer.log", program=["node"]),
    ):
        measured = {case.name: _measure(case, addresses, token) for case in _cases(asked)}
    record("peers", {"peer": _versions(), "posts": POSTS, "connections": CONNECTIONS, **measured})


def _cases(asked: list[str]) -> list[Case]:
    full = f"query ($post: String!) {{ postUsage(post: $post) {{ verdict uses {{ {_USES} }} }} }}"
    listed = "key platform kind publishedAt deletedAt"
    pages = [[asked[(start + offset) % len(asked)] for offset in range(LISTED)] for start in range(0, len(asked), 10)]
    return [
        Case(
            "full",
            full,
            full,
            ("postUsage", "postUsage"),
            [({"post": post}, {"post": post}) for post in asked],
            4_000,
            1.15,
        ),
        Case(
            "list",
            f"query ($ids: [ID!]!) {{ nodes(ids: $ids) {{ ... on Post {{ {listed} }} }} }}",
            f"query ($keys: [String!]!) {{ posts(keys: $keys) {{ {listed} }} }}",
            ("nodes", "posts"),
            [({"ids": [_id(key) for key in page]}, {"keys": page}) for page in pages],
            1_000,
            1.4,
        ),
    ]


def _id(post: str) -> str:
    return base64.urlsafe_b64encode(f"Post:0:{post}".encode()).rstrip(b"=").decode()


def _measure(case: Case, addresses: dict[str, str], token: str) -> dict[str, Any]:
    bodies = {
        "ours": [json.dumps({"query": case.ours, "variables": mine}).encode() for mine, _ in case.variables],
        "peer": [json.dumps({"query": case.theirs, "variables": other}).encode() for _, other in case.variables],
    }
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    for mine, other in zip(bodies["ours"], bodies["peer"], strict=True):
        first = httpx.post(addresses["ours"], content=mine, headers=headers, timeout=60).json()["data"]
        second = httpx.post(addresses["peer"], content=other, headers=headers, timeout=60).json()["data"]
        if first[case.fields[0]] != second[case.fields[1]]:
            raise RuntimeError(f"{case.name}: the answers differ")
    rounds: dict[str, list[dict[str, float]]] = {"ours": [], "peer": []}
    for number in range(ROUNDS + 1):
        for who, port, path in (("ours", OURS, "/graphql"), ("peer", PEER, "/")):
            requests = [load.request(path, "127.0.0.1", token, body) for body in bodies[who]]
            measured = load.run(port, requests, CONNECTIONS, case.requests)
            if number:  # the first round warms up
                rounds[who].append({"rate": measured.rate, "p99": measured.p99})
    return _report(case, rounds)


def _report(case: Case, rounds: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    figures = {
        who: {measure: statistics.median(each[measure] for each in measured) for measure in ("rate", "p99")}
        for who, measured in rounds.items()
    }
    for who, figure in figures.items():
        spread = f"(rounds {[round(each['rate']) for each in rounds[who]]})"
        print(f"{case.name:5} {who:5} {figure['rate']:6.0f} requests/s {spread}  p99 {figure['p99'] * 1e3:.1f} ms")
    ratio = figures["ours"]["rate"] / figures["peer"]["rate"]
    verdict = "met" if ratio >= case.goal else "MISSED"
    print(f"{case.name:5} ours ÷ peer, requests a second: {ratio:.2f}  goal ≥ {case.goal}: {verdict}")
    return {"ratio": ratio, "goal": case.goal, **figures, "rounds": rounds}


def _versions() -> dict[str, str]:
    return json.loads((FOLDER / "package.json").read_text())["dependencies"]


if __name__ == "__main__":
    main()
