"""How many objections a second are recorded with all that follows, at 1, 8 and 64 clients: goal ≥ 0.5 of bare marks.

A dataset of 1,000 versions, of which ten (for comparison: one) trained a model. An objection restricts the person's
posts, changes the counts of the versions that hold them, raises or joins flags, writes events and the history. What it
is compared with is one transaction that marks the same posts and does nothing else, over the same driver, in the same
minute. Median of three rounds, after one that does not count: in that the database plans the statements, of both. Where
the goal is missed, a profile says where the time goes. The same in a dataset of 20 versions says whether it grows with
the graph.
"""

import asyncio
import cProfile
import os
import pstats
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, LiteralString

import orjson

from bench.processes import cpu_seconds
from bench.results import record
from consentline import embedded
from consentline.connection import open_service
from consentline.domain.datasets import Coverage, VersionRef
from consentline.embedded import console_progress, running_server
from consentline.graph.session import Tx
from consentline.settings import Settings
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.ingest import ingest
from consentline.usecases.members import add_members, seal_version
from consentline.usecases.objections import FileObjection, file_objection
from consentline.usecases.service import Service
from consentline.usecases.training import RecordTraining, record_training

VERSIONS, FEW_VERSIONS = 1_000, 20
MODELS = 10
POSTS_EACH = 3
ROUNDS = 3
OBJECTIONS = {1: 400, 8: 800, 64: 1_600}
PROFILED = 60
GOAL = 0.5
PEOPLE = 12_000
RECEIVED = 1_772_532_000_000_000
STARTED = 1_735_689_600_000_000

MARK: LiteralString = """
MATCH (u:User {key: $user})<-[:AUTHORED_BY]-(p:Post)
SET p.benched = $mark
"""

COPY: LiteralString = """
MATCH (d:Dataset {key: 'bench'})-[:HAS_VERSION]->(v:DatasetVersion {number: $last})
MATCH (r:Revision) SET r.value = randomUUID()
WITH d, v UNWIND range($last + 1, $versions) AS number
CREATE (d)-[:HAS_VERSION]->(w:DatasetVersion)
SET w = v {.*, number: number, based_on: number - 1}
"""
"""Versions in which nothing changed, as registering each would write them."""


def main() -> None:
    """Measure, print and record."""
    few, many, one_model = _measured(FEW_VERSIONS, MODELS), _measured(VERSIONS, MODELS), _measured(VERSIONS, 1)
    for models, measured in ((MODELS, many), (1, one_model)):
        for clients, each in measured["clients"].items():
            goal = "met" if each["ratio"] >= GOAL else "MISSED"
            print(
                f"{models} model versions, {clients} clients: {each['objections_per_second']:.0f} of"
                f" {each['marks_per_second']:.0f} a second, ratio {each['ratio']:.2f}, goal ≥ {GOAL}: {goal}"
            )
    growth = {
        clients: few["clients"][clients]["objections_per_second"] / each["objections_per_second"]
        for clients, each in many["clients"].items()
    }
    print(f"{FEW_VERSIONS} versions against {VERSIONS:,}: {growth}")
    figures = {**many, "one_model": one_model, "few_versions": few, "few_against_many": growth}
    record("cascade", {"versions": VERSIONS, "models": MODELS, "goal": GOAL, **figures})


def _measured(versions: int, models: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="consentline-bench-", ignore_cleanup_errors=True) as folder:
        settings = Settings(home=Path(folder) / "home")
        with console_progress() as report, running_server(settings, report=report):
            database = embedded.status(settings).pid
            assert database is not None
            return asyncio.run(_measure(settings, database, versions, models))


async def _measure(settings: Settings, database: int, versions: int, models: int) -> dict[str, Any]:
    async with open_service(settings) as service:
        await _load(service, versions, models)
        numbers = iter(range(PEOPLE))
        rounds: dict[int, list[tuple[float, float]]] = {clients: [] for clients in OBJECTIONS}
        for _ in range(1 + ROUNDS):
            for clients, count in OBJECTIONS.items():
                marks = await _together(count, clients, iter(range(count)), lambda number: _mark(service, number))
                filed = await _together(count, clients, numbers, lambda number: _object(service, number))
                rounds[clients].append((filed, marks))
        found: dict[str, Any] = {"clients": {}, "load_average": os.getloadavg()[0]}
        for clients, (_, *pairs) in rounds.items():
            found["clients"][str(clients)] = {
                "objections_per_second": statistics.median(filed for filed, _ in pairs),
                "marks_per_second": statistics.median(marks for _, marks in pairs),
                "ratio": statistics.median(filed / marks for filed, marks in pairs),
                "rounds": pairs,
            }
        found["profile"] = await _profile(service, database, numbers)
    return found


async def _together(
    count: int, clients: int, numbers: Iterator[int], work: Callable[[int], Awaitable[object]]
) -> float:
    """Do so many, each client one after the other; how many a second."""
    left = iter(range(count))

    async def client() -> None:
        for _ in left:
            await work(next(numbers))

    begin = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    return count / (time.perf_counter() - begin)


async def _object(service: Service, number: int) -> None:
    await file_objection(service, FileObjection(f"o:{number}", _person(number), RECEIVED))


async def _mark(service: Service, number: int) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(MARK, user=_person(number), mark=number)

    await service.graph.write(work)


async def _profile(service: Service, database: int, numbers: Iterator[int]) -> dict[str, Any]:
    """What one objection costs by itself: statements, CPU here and in the database, and where ours is spent."""
    before, here, there = service.graph.statements, time.process_time(), cpu_seconds(database)
    begin = time.perf_counter()
    for _ in range(PROFILED):
        await _object(service, next(numbers))
    seconds = time.perf_counter() - begin
    figures = {
        "statements": (service.graph.statements - before) / PROFILED,
        "milliseconds": seconds / PROFILED * 1e3,
        "python_cpu_milliseconds": (time.process_time() - here) / PROFILED * 1e3,
        "database_cpu_milliseconds": (cpu_seconds(database) - there) / PROFILED * 1e3,
    }
    profile = cProfile.Profile()
    profile.enable()
    for _ in range(PROFILED):
        await _object(service, next(numbers))
    profile.disable()
    stats: Any = pstats.Stats(profile)
    heaviest = sorted(stats.stats.items(), key=lambda each: -each[1][2])[:12]
    own = {
        f"{Path(where[0]).name}:{where[1]} {where[2]}": round(numbers_[2] / PROFILED * 1e3, 3)
        for where, numbers_ in heaviest
    }
    return {**figures, "own_milliseconds_of_functions_under_the_profiler": own}


async def _load(service: Service, versions: int, models: int) -> None:
    """People and posts, versions that each add some of them, and models that some versions trained."""
    policy = {"kind": "policy", "key": "gb", "version": 1, "jurisdiction": "GB", "purpose": "AI_TRAINING"}
    more = {"lawful_basis": "LEGITIMATE_INTERESTS", "effective_from": "2020-01-01T00:00:00Z", "notice_required": False}
    posts = [f"{_person(number)}/{each}" for number in range(PEOPLE) for each in range(POSTS_EACH)]

    async def chunks() -> AsyncIterator[bytes]:
        yield orjson.dumps({**policy, **more, "assessment": "dpia"}) + b"\n"
        for number in range(PEOPLE):
            person = {"kind": "user", "key": _person(number), "jurisdiction": "GB", "adult_from": "1990-01-01"}
            yield orjson.dumps(person) + b"\n"
            for each in range(POSTS_EACH):
                post = {"kind": "post", "key": f"{_person(number)}/{each}", "author": _person(number)}
                said = {"platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC"}
                yield orjson.dumps({**post, **said, "published_at": "2024-01-01T00:00:00Z"}) + b"\n"

    assert (await ingest(service, chunks(), on_reject=print)).rejected == 0
    for number in range(1, FEW_VERSIONS + 1):
        # A third of the posts from the beginning; what a version adds lies far apart among the people.
        added = posts[::3] if number == 1 else posts[number::FEW_VERSIONS]
        await register_version(service, RegisterVersion("bench", Coverage.COMPLETE))
        await add_members(service, VersionRef("bench", number), added)
        await seal_version(service, VersionRef("bench", number))
    await service.graph.write(lambda tx: tx.rows(COPY, last=FEW_VERSIONS, versions=versions))
    for model in range(1, models + 1):
        read = VersionRef("bench", max(1, versions * model // models))
        run = RecordTraining(f"run:{model}", (read,), STARTED, model="bench", version=str(model))
        await record_training(service, run)
    print(f"{versions:,} versions of up to {len(posts):,} posts, {models} model versions")


def _person(number: int) -> str:
    return f"person:{number:05}"


if __name__ == "__main__":
    main()
