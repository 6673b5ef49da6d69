"""How fast the members of a version are judged, from the first page read to the last post: goal 50,000 posts/s.

200,000 posts of 5,000 people, as `consentline generate` makes them, members of one sealed version; one in eighteen has
more to it than its `post` record. Median of 5 after a warm-up. CPU seconds are told beside, of this process and of the
database: on a machine that others use too they say more than the rate.
"""

import asyncio
import json
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.processes import cpu_seconds
from bench.results import record
from consentline import embedded
from consentline.connection import open_service
from consentline.domain.datasets import Coverage, VersionRef
from consentline.embedded import console_progress, running_server
from consentline.generation import generate_records
from consentline.settings import Settings
from consentline.usecases import evaluation
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.ingest import ingest
from consentline.usecases.members import add_members, seal_version
from consentline.usecases.service import Service

POSTS = int(os.environ.get("BENCH_POSTS", "200000"))
PEOPLE = max(1, POSTS // 40)
ROUNDS = 5
GOAL = 50_000
REF = VersionRef("bench", 1)


def main() -> None:
    """Load a graph, judge it over and over, print and record the rates."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        settings = Settings(home=Path(folder) / "home")
        with console_progress() as report, running_server(settings, report=report):
            database = embedded.status(settings).pid
            assert database is not None
            asyncio.run(_measure(settings, database))


async def _measure(settings: Settings, database: int) -> None:
    async with open_service(settings) as service:
        await _load(service)
        await _judge(service, database)
        rounds = [await _judge(service, database) for _ in range(ROUNDS)]
    figures = {name: statistics.median(each[name] for each in rounds) for name in rounds[0]}
    rate, cpu = figures["posts_per_second"], figures["python_cpu_seconds"] + figures["database_cpu_seconds"]
    print(
        f"{rate:,.0f} posts/s (rounds {[round(each['posts_per_second']) for each in rounds]}), "
        f"CPU {figures['python_cpu_seconds'] / POSTS * 1e6:.1f} µs a post here and "
        f"{figures['database_cpu_seconds'] / POSTS * 1e6:.1f} µs in the database, load {os.getloadavg()[0]:.1f}"
    )
    print(f"goal ≥ {GOAL:,} posts/s: {'met' if rate >= GOAL else 'MISSED'}")
    load = os.getloadavg()[0]
    more: dict[str, Any] = {"cpu_microseconds_per_post": cpu / POSTS * 1e6, "load_average": load, "rounds": rounds}
    record("evaluation", {"posts": POSTS, "people": PEOPLE, "goal": GOAL, **figures, **more})


async def _load(service: Service) -> None:
    """Everything that is generated, and the posts as members of one version."""
    keys: list[str] = []

    async def chunks() -> AsyncIterator[bytes]:
        for line in generate_records(POSTS, 1, people=PEOPLE):
            if line.startswith(b'{"kind":"post",'):
                keys.append(json.loads(line)["key"])
            yield line

    summary = await ingest(service, chunks(), on_reject=print)
    await register_version(service, RegisterVersion(REF.dataset, Coverage.COMPLETE))
    for begin in range(0, len(keys), 5_000):
        await add_members(service, REF, keys[begin : begin + 5_000])
    await seal_version(service, REF)
    print(f"{summary.accepted:,} records loaded, {len(keys):,} members")


async def _judge(service: Service, database: int) -> dict[str, float]:
    """Judge all members once: the rate, and the CPU time that it took."""
    lineage, at = await service.lineage(), await service.now()
    begin, here, there = time.perf_counter(), time.process_time(), cpu_seconds(database)
    posts = ineligible = 0
    async for page in evaluation.of_version(service, lineage, REF, purpose="AI_TRAINING", at=at):
        posts += len(page)
        ineligible += sum(bool(each.reasons) for each in page)
    seconds = time.perf_counter() - begin
    assert posts == POSTS
    return {
        "posts_per_second": posts / seconds,
        "ineligible": ineligible,
        "python_cpu_seconds": time.process_time() - here,
        "database_cpu_seconds": cpu_seconds(database) - there,
    }


if __name__ == "__main__":
    main()
