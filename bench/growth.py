"""Whether an answer slows down as the graph grows: the same questions at 10⁵, 10⁶ and (BENCH_SIZES) 10⁷ posts.

    BENCH_SIZES=100000,1000000,10000000 python -m bench growth

Each size has a home of its own, loaded by `consentline backfill`; every post is a member of one sealed version, which a
run read. Then four operations are asked of subjects that are the same at every size: `postUsage` of a post, `userUsage`
of a person with 10,000 posts, `fileObjection` of such a person, and a new version with 100 changes. Database hits are
those of the profile; times are medians. The page cache holds the store. Goals: hits at most 1.05 times, times at most
1.3 times those of the smallest graph; an objection at most 20 hits a post. 10⁷ takes hours, not minutes: run it in the
background.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from bench.results import record
from consentline import embedded
from consentline.connection import compose, open_service
from consentline.domain.datasets import Coverage, VersionRef
from consentline.embedded import Server, console_progress, running_server
from consentline.generation import generate_records
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.members import add_members, remove_members, seal_version
from consentline.usecases.objections import FileObjection, file_objection
from consentline.usecases.person_usage import user_usage
from consentline.usecases.service import Service
from consentline.usecases.training import RecordTraining, record_training
from consentline.usecases.usage import post_usage
from tests.integration.profiling import ProfilingGraph

SIZES = [int(size) for size in os.environ.get("BENCH_SIZES", "100000,1000000").split(",")]
HEAVY = int(os.environ.get("BENCH_HEAVY", "10000"))
"""Posts of each person who objects."""
ROUNDS = 3
PAGECACHE = os.environ.get("BENCH_PAGECACHE", "6g")
COMMAND = str(Path(sys.executable).with_name("consentline"))
RECEIVED = 1_760_000_000_000_000
STARTED = 1_750_000_000_000_000

Ask = Callable[[Service], Awaitable[Any]]


def records(size: int) -> Iterator[bytes]:
    """What is loaded: generated posts of very many people, and the same few people with many at every size."""
    yield from generate_records(size, 1)
    post = {"kind": "post", "platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC"}
    for number in range(ROUNDS + 1):
        yield msgspec.json.encode({"kind": "user", "key": f"heavy-{number}", "jurisdiction": "GB"}) + b"\n"
        for each in range(HEAVY):
            said = {
                "key": f"heavy-{number}-{each}",
                "author": f"heavy-{number}",
                "published_at": "2024-01-01T00:00:00Z",
            }
            yield msgspec.json.encode(post | said) + b"\n"


def main() -> None:
    """Measure every size, print the ratios and record them."""
    figures = {size: measure(size) for size in SIZES}
    first = figures[SIZES[0]]["operations"]
    for size in SIZES[1:]:
        for name, found in figures[size]["operations"].items():
            hits, seconds = found["hits"] / first[name]["hits"], found["seconds"] / first[name]["seconds"]
            found |= {"hits_ratio": hits, "seconds_ratio": seconds}
            goals = f"{'met' if hits <= 1.05 else 'MISSED'} (1.05), {'met' if seconds <= 1.3 else 'MISSED'} (1.3)"
            print(f"{size:>11,} {name:28} hits x {hits:.3f}, time x {seconds:.2f}: {goals}")
    record("growth", {"pagecache": PAGECACHE, "heavy_posts": HEAVY, "sizes": {str(key): figures[key] for key in SIZES}})


def measure(size: int) -> dict[str, Any]:
    """Load a graph of so many posts, and ask."""
    with tempfile.TemporaryDirectory(prefix="consentline-growth-") as folder:
        settings = Settings(home=Path(folder) / "home", neo4j_pagecache=PAGECACHE, neo4j_linger_seconds=20)
        environment = os.environ | {"CONSENTLINE_HOME": str(settings.home), "CONSENTLINE_NEO4J_PAGECACHE": PAGECACHE}
        began = time.perf_counter()
        lines = backfill(environment, size)
        loaded = time.perf_counter() - began
        print(f"{size:>11,} posts: {lines:,} lines backfilled in {loaded:.0f} s, {lines / loaded:,.0f} lines/s")
        with console_progress() as report, running_server(settings, report=report) as server:
            asyncio.run(publish(settings, size))
            store = sum(file.stat().st_size for file in settings.home.rglob("databases/neo4j/*") if file.is_file())
            operations = asyncio.run(ask(settings, server))
        embedded.stop(settings)
    return {"lines": lines, "backfill_seconds": loaded, "store_bytes": store, "operations": operations}


def backfill(environment: dict[str, str], size: int) -> int:
    """Load the records by the command, as a stream; answers how many lines they were."""
    process = subprocess.Popen(
        [COMMAND, "backfill", "-"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    lines = 0
    with process.stdin as pipe:
        for line in records(size):
            pipe.write(line)
            lines += 1
    assert process.stdout is not None
    print("   ", process.stdout.read().decode().strip())
    assert process.wait() == 0
    return lines


async def publish(settings: Settings, size: int) -> None:
    """All posts as members of one sealed version, read by a run."""
    began = time.perf_counter()
    async with open_service(settings) as service:
        keys = [f"heavy-{number}-{each}" for number in range(ROUNDS + 1) for each in range(HEAVY)]
        keys += [f"facebook:g1-post-{number}" for number in range(1, size + 1)]
        await register_version(service, RegisterVersion("d", Coverage.COMPLETE))
        for begin in range(0, len(keys), 10_000):
            await add_members(service, VersionRef("d", 1), keys[begin : begin + 10_000])
        await seal_version(service, VersionRef("d", 1))
        await record_training(service, RecordTraining("r", (VersionRef("d", 1),), STARTED, model="m", version="1"))
    print(f"            {len(keys):,} members placed in {time.perf_counter() - began:.0f} s")


async def ask(settings: Settings, server: Server) -> dict[str, Any]:
    """Hits and seconds of every operation; the last of the repeated subjects is the profiled one."""
    service = compose(settings, server)
    graph = ProfilingGraph.connect(server.uri, server.user, server.password, "neo4j", 300)
    profiled = Service(graph, LineageCache(graph), service.pseudonyms, settings.establishment, settings.shard_size)
    found: dict[str, Any] = {}
    try:
        for name, operation, rounds in operations():
            await operation(0)(service)
            seconds: list[float] = []
            for number in range(rounds):
                began = time.perf_counter()
                await operation(number + 1)(service)
                seconds.append(time.perf_counter() - began)
            await profiled.lineage()
            with graph.operation(name) as profile:
                await operation(rounds + 1)(profiled)
            found[name] = {"hits": profile.hits, "seconds": statistics.median(seconds)}
            print(f"            {name:28} {profile.hits:>9,} hits, {statistics.median(seconds) * 1000:,.1f} ms")
    finally:
        await graph.close()
        await service.graph.close()
    return found


def operations() -> Iterator[tuple[str, Callable[[int], Ask], int]]:
    """Each operation as it is asked for a round, round 0 warming it up, and how often it is timed."""
    yield "postUsage", lambda number: lambda service: post_usage(service, f"heavy-0-{number}", None), 200
    yield "userUsage of 10,000 posts", lambda _: lambda service: user_usage(service, "heavy-0", None), 10
    yield "a version with 100 changes", lambda number: lambda service: version(service, number + 2), 5
    # Rounds 0 and the profiled one are people of their own as well.
    yield "fileObjection of 10,000 posts", lambda number: lambda service: objection(service, number), ROUNDS - 1


async def objection(service: Service, number: int) -> None:
    """One person objects, once."""
    await file_objection(service, FileObjection(f"o{number}", f"heavy-{number}", RECEIVED))


async def version(service: Service, number: int) -> None:
    """The next version: 50 members fewer and 50 new ones, which no record describes."""
    ref = VersionRef("d", number)
    await register_version(service, RegisterVersion("d", Coverage.COMPLETE, number=number, based_on=number - 1))
    await remove_members(service, ref, [f"heavy-0-{each}" for each in range(number * 50, number * 50 + 50)])
    await add_members(service, ref, [f"new-{number}-{each}" for each in range(50)])
    await seal_version(service, ref)


if __name__ == "__main__":
    main()
