"""Deep and wide lineage: a lattice costs its edges and not its paths, and a long chain is followed to its end."""

from collections.abc import Callable, Coroutine
from itertools import pairwise
from typing import Any

import pytest

from consentline.domain.lineage import Kind
from consentline.domain.usage import Relation, Verdict
from consentline.embedded import Server
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases.lineage import LineageAnswer, lineage
from consentline.usecases.service import Service
from consentline.usecases.usage import post_usage
from tests.conftest import PSEUDONYMS
from tests.integration.arrange import derive, post, publish, record, train
from tests.integration.profiling import ProfilingGraph

Run = Callable[[Coroutine[Any, Any, Any]], Any]

LEVELS, WIDTH = 30, 4
EDGES = (LEVELS - 1) * WIDTH * WIDTH
CHAIN = 100


@pytest.fixture
def profiled(run: Run, service: Service, settings: Settings, neo4j_server: Server) -> Any:
    """A service that knows nothing of the graph yet, and the graph that counts what it costs."""
    graph = ProfilingGraph.connect(
        neo4j_server.uri,
        neo4j_server.user,
        neo4j_server.password,
        settings.neo4j_database,
        settings.transaction_timeout_seconds,
    )
    yield Service(graph, LineageCache(graph), PSEUDONYMS, settings.establishment, settings.shard_size), graph
    run(graph.close())


async def lattice(service: Service) -> None:
    """Model versions in levels, each made from all of the level above: WIDTH ** LEVELS paths."""
    await record(service, post("p"))
    await publish(service, "d", "p")
    for column in range(WIDTH):
        await train(service, f"r{column}", "d:1", produced=f"m:0-{column}")
    for above, below in pairwise(range(LEVELS)):
        bases = [f"m:{above}-{column}" for column in range(WIDTH)]
        for column in range(WIDTH):
            await derive(service, f"m:{below}-{column}", *bases)


def test_a_lattice_of_thirty_levels_costs_at_most_five_hits_an_edge(
    run: Run, service: Service, profiled: tuple[Service, ProfilingGraph]
) -> None:
    run(lattice(service))
    reader, graph = profiled
    edges = EDGES + 2 * WIDTH

    def ask() -> LineageAnswer:
        top = f"m:{LEVELS - 1}-0"
        bounds: dict[str, Any] = {"max_depth": LEVELS + 10, "max_nodes": 1000, "known_at": None}
        return run(lineage(reader, Kind.MODEL_VERSION, top, upstream=True, **bounds))

    # A service reads the upper graph once, at its first question: what that costs is bounded too.
    with graph.operation("loading the upper graph") as loading:
        ask()
    assert loading.hits <= 10 * edges, loading.hits
    with graph.operation("lineage of a lattice") as operation:
        found = ask()

    assert found.complete
    assert len([node for node in found.nodes if node.kind is Kind.MODEL_VERSION]) == (LEVELS - 1) * WIDTH + 1
    assert operation.hits <= 5 * edges, operation.hits

    with graph.operation("postUsage over the lattice") as operation:
        used = run(post_usage(reader, "p", None))
    assert used.usage.verdict is Verdict.USED
    assert len(used.usage.uses) == LEVELS * WIDTH
    assert operation.hits <= 5 * edges, operation.hits


def test_a_chain_of_a_hundred_derivations_is_followed_to_its_end(run: Run, service: Service) -> None:
    async def chain() -> None:
        await record(service, post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:0")
        for above, below in pairwise(range(CHAIN + 1)):
            await derive(service, f"m:{below}", f"m:{above}")

    run(chain())

    used = run(post_usage(service, "p", None))
    last = next(use for use in used.usage.uses if use.model_version == f"m:{CHAIN}")
    assert last.relation is Relation.DERIVED_MODEL
    assert len(last.path) == CHAIN + 3

    def walk(depth: int) -> Any:
        return run(lineage(service, Kind.POST, "p", upstream=False, max_depth=depth, max_nodes=1000, known_at=None))

    whole, cut = walk(CHAIN + 3), walk(CHAIN + 2)
    assert (whole.complete, cut.complete) == (True, False)
    assert str(whole.nodes[-1]).endswith(f"m:{CHAIN}")
