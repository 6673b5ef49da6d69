"""Memory of the service over 100,000 requests of mixed load: resident size after each 5,000, which must not grow.

Reads of every kind, pages, changes by documents that nobody sent before (so that what is kept of documents turns over),
documents that are refused, and questions that are audited. The first 20,000 warm up; goal: what is resident at the end
is at most 5 % (and 8 MiB) more than then.
"""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from bench import load
from bench.processes import resident_mib, server
from bench.results import record
from bench.usage import environment_of, loaded

REQUESTS = 100_000
STEP = 5_000
WARM = 20_000
CONNECTIONS = 8
PORT = 18251
DOCUMENTS = Path(__file__).parent / "documents"


def main() -> None:
    """Load a graph, send the requests, print and record the resident size over time."""
    with loaded() as graph:
        measure(graph.asked, environment_of(graph), graph.token, graph.folder)


def measure(asked: list[str], environment: dict[str, str], token: str, folder: Path) -> None:
    """Serve, send the load, and watch."""
    serve = ["consentline", "serve", "--port", str(PORT)]
    with server(serve, environment, f"http://127.0.0.1:{PORT}/healthz", folder / "service.log") as pid:
        requests = (load.request("/graphql", "127.0.0.1", token, json.dumps(each).encode()) for each in _mixed(asked))
        sizes = [(0, resident_mib(pid))]
        seconds = 0.0
        for sent in range(STEP, REQUESTS + 1, STEP):
            seconds += load.run(PORT, list(islice(requests, STEP)), CONNECTIONS, STEP).seconds
            sizes.append((sent, resident_mib(pid)))
            print(f"{sent:7} requests  {seconds:6.1f} s  {sizes[-1][1]:7.1f} MiB")
    warm, last = dict(sizes)[WARM], sizes[-1][1]
    goal = max(warm * 1.05, warm + 8)
    print(
        f"resident after {WARM}: {warm:.1f} MiB, after {REQUESTS}: {last:.1f} MiB  goal ≤ {goal:.1f}: "
        f"{'met' if last <= goal else 'MISSED'}"
    )
    figures = {"requests": REQUESTS, "seconds": seconds, "warm_mib": warm, "last_mib": last}
    record("memory", {"ratio": last / warm, "goal": goal / warm, **figures, "sizes": sizes})


def _mixed(asked: list[str]) -> Iterator[dict[str, object]]:
    """Operations of many kinds, again and again."""
    full, verdict = ((DOCUMENTS / f"{name}.graphql").read_text() for name in ("full", "verdict"))
    number = 0
    while True:
        post = asked[number % len(asked)]
        other = f"never-recorded-{number}"
        yield {"query": full, "variables": {"post": post}}
        yield {"query": verdict, "variables": {"post": post}}
        yield {"query": full, "variables": {"post": other}}
        yield {"query": f'query Own{number} {{ postUsage(post: "{post}") {{ verdict explanation }} }}'}
        yield {"query": "query ($p: String!) { eligibility(post: $p) { eligible } }", "variables": {"p": post}}
        yield {"query": f"{{ nothing{number} }}"}
        yield {
            "query": "query ($k: String!) { lineage(kind: POST, key: $k, direction: DOWNSTREAM, maxDepth: 9,"
            " maxNodes: 50) { complete nodes { __typename id } edges { relation } } }",
            "variables": {"k": post},
        }
        yield {"query": '{ dataset(key: "bench") { key versions(first: 2) { totalCount edges { cursor } } } }'}
        yield {"query": "query ($k: String!) { user(key: $k) { key } }", "variables": {"k": f"nobody-{number}"}}
        yield {"query": "{ retrainingFlags(first: 10) { totalCount edges { node { id } } } }"}
        number += 1


if __name__ == "__main__":
    main()
