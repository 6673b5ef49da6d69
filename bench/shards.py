"""What the size of a dataset's shards costs and gains: why CONSENTLINE_SHARD_SIZE has the default that it has.

    python -m bench shards

The same generated posts, twenty of a person, become a dataset of their own for each size. For each: placing all of them
and sealing the version, the next version with 100 changes, `postUsage` of a post, and judging all members. And what
shards are for: how much a shard-wise retraining (SISA) trains again when one person objects, the shards with a post of
theirs. The posts are the same for every size, so that each finds one membership more than the one before. CPU seconds
of the database are told beside the times: on a machine that others use too they say more.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import msgspec

from bench.processes import cpu_seconds
from bench.results import record
from consentline import embedded
from consentline.connection import open_service
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.records import Post
from consentline.embedded import console_progress, running_server
from consentline.generation import generate_records
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases import evaluation
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.ingest import ingest
from consentline.usecases.members import add_members, remove_members, seal_version
from consentline.usecases.service import Service
from consentline.usecases.usage import post_usage
from tests.integration.profiling import ProfilingGraph

POSTS = int(os.environ.get("BENCH_POSTS", "100000"))
SIZES = [int(size) for size in os.environ.get("BENCH_SHARD_SIZES", "250,1000,4000,16000,64000").split(",")]
ROUNDS = 3

SHAPE: LiteralString = """
MATCH (d:Dataset {key: $dataset})-[:HAS_SHARD]->(s:Shard)
WITH count(s) AS shards, max(s.size) AS largest
CALL () {
  MATCH (u:User)<-[:AUTHORED_BY]-(:Post)-[m:IN_SHARD {dataset: $dataset}]->(s:Shard)
  WITH u, count(DISTINCT s) AS shards, sum(DISTINCT s.size) AS posts
  RETURN avg(shards) AS shards_of_a_person, avg(posts) AS posts_trained_again
}
RETURN shards, largest, shards_of_a_person, posts_trained_again
"""


def main() -> None:
    """Measure every size, print and record."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", transaction_timeout_seconds=300)
        with console_progress() as report, running_server(settings, report=report) as server:
            database = embedded.status(settings).pid
            assert database is not None
            graph = ProfilingGraph.connect(server.uri, server.user, server.password, "neo4j", 300)
            sizes = asyncio.run(_measure(settings, graph, database))
    record("shards", {"posts": POSTS, "default": Settings().shard_size, "sizes": sizes})


async def _measure(settings: Settings, graph: Any, database: int) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    try:
        async with open_service(settings) as service:
            keys = await _load(service)
            # The first warms up, and is measured again at its turn.
            for number, size in enumerate([SIZES[0], *SIZES]):
                profiled = Service(graph, LineageCache(graph), service.pseudonyms, shard_size=size)
                sized = replace(service, shard_size=size)
                figures = await _of_size(sized, profiled, graph, database, f"d{number}", keys)
                if number:
                    found[str(size)] = figures
                    print(f"{size:>7,}: " + ", ".join(f"{name} {each:,.4g}" for name, each in figures.items()))
    finally:
        await graph.close()
    return found


async def _load(service: Service) -> list[str]:
    keys: list[str] = []
    decode = msgspec.json.Decoder(Post).decode

    async def chunks() -> AsyncIterator[bytes]:
        for line in generate_records(POSTS, 1, only=("user", "post")):
            if line.startswith(b'{"kind":"post",'):
                keys.append(decode(line).key)
            yield line

    await ingest(service, chunks(), on_reject=print)
    return keys


async def _of_size(
    service: Service, profiled: Service, graph: Any, database: int, dataset: str, keys: list[str]
) -> dict[str, float]:
    figures: dict[str, float] = {}
    ref = VersionRef(dataset, 1)
    await register_version(service, RegisterVersion(dataset, Coverage.COMPLETE))

    async def place() -> None:
        for begin in range(0, len(keys), 5_000):
            await add_members(service, ref, keys[begin : begin + 5_000])

    async def judge() -> None:
        lineage, at = await service.lineage(), await service.now()
        async for _ in evaluation.of_version(service, lineage, ref, purpose="AI_TRAINING", at=at):
            pass

    figures |= await _timed("place", place, database)
    figures |= await _timed("seal", lambda: seal_version(service, ref), database)
    figures |= await _timed("judge", judge, database)
    for number in range(2, 2 + ROUNDS):
        with graph.operation("version") as operation:
            await _next_version(profiled, VersionRef(dataset, number), keys)
        figures["hits_of_100_changes"] = operation.hits
        await seal_version(service, VersionRef(dataset, number))
    seconds: list[float] = []
    # Members of this dataset only: the generated posts have joined one for each size.
    fresh = [f"new-{VersionRef(dataset, number)}-{each}" for number in range(2, 2 + ROUNDS) for each in range(50)]
    for key in fresh:
        began = time.perf_counter()
        await post_usage(service, key, None)
        seconds.append(time.perf_counter() - began)
    figures["post_usage_seconds"] = statistics.median(seconds)
    with graph.operation("usage") as operation:
        await post_usage(profiled, fresh[0], None)
    figures["post_usage_hits"] = operation.hits
    row = await service.graph.read(lambda tx: tx.get(SHAPE, dataset=dataset))
    return figures | dict(row)


async def _next_version(service: Service, ref: VersionRef, keys: list[str]) -> None:
    await register_version(
        service, RegisterVersion(ref.dataset, Coverage.COMPLETE, number=ref.number, based_on=ref.number - 1)
    )
    await remove_members(service, ref, keys[ref.number * 50 : ref.number * 50 + 50])
    await add_members(service, ref, [f"new-{ref}-{each}" for each in range(50)])


async def _timed(name: str, work: Callable[[], Awaitable[Any]], database: int) -> dict[str, float]:
    began, there = time.perf_counter(), cpu_seconds(database)
    await work()
    return {f"{name}_seconds": time.perf_counter() - began, f"{name}_database_cpu": cpu_seconds(database) - there}


if __name__ == "__main__":
    main()
