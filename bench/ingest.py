"""How fast records come in, beside the raw ceiling that writes the same final graph; and that memory stays flat.

    python -m bench ingest
    BENCH_POSTS=10000000 BENCH_ROUNDS=1 python -m bench ingest

Both write into the same embedded Neo4j (a home of their own): first a warm-up, then alternating, five times each, and
the median counts. The server compiles what it runs often: the first 600,000 posts cost it twice what later ones do, and
are left out; ours runs more statements than the ceiling, and needs longer to be warm. Ours is measured end to end:
`consentline generate | consentline ingest -`, two processes, from start to exit. The ceiling is the plain driver with
two concurrent writers that `UNWIND … CREATE` rows which lie ready in memory, parted by author, constraints in place; of
more than a million posts it writes a million. Other sizes than the default are kept beside it, in
results/ingest-SIZE.json. CPU seconds are told beside the times: on a machine that others use too they say more than the
rate.
"""

import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, LiteralString

import msgspec
from neo4j import AsyncDriver, AsyncGraphDatabase

from bench.processes import cpu_seconds
from bench.results import record
from consentline import embedded
from consentline.domain.instants import ALWAYS, from_datetime, to_datetime
from consentline.domain.record_lines import parse
from consentline.domain.records import (
    ConsentSaid,
    Deletion,
    NoticeServed,
    NoticeText,
    ObjectionFiled,
    PolicyVersion,
    Post,
    Record,
    User,
    VisibilityChange,
)
from consentline.embedded import Server, console_progress, running_server
from consentline.generation import generate_records
from consentline.graph.migrations import migrate
from consentline.graph.session import Graph
from consentline.settings import Settings

DEFAULT = 300_000
POSTS = int(os.environ.get("BENCH_POSTS", str(DEFAULT)))
CEILING_POSTS = min(POSTS, 1_000_000)
WARM_UPS = 2
WARM_UP = 300_000
GOAL = 0.6
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
MEMORY_POSTS = 100_000
BATCH = 5000
COMMAND = [str(Path(sys.executable).with_name("consentline"))]

PEOPLE: LiteralString = """
UNWIND $rows AS row
CREATE (u:User {key: row[0], guard: true})
FOREACH (f IN row[1] | CREATE (u)-[:KNOWN]->(:UserFact {field: f[0], valid_from: f[1], value: f[2], recorded_at: $now}))
FOREACH (c IN row[2] |
  CREATE (u)-[:SAID]->(:ConsentState {purpose: c[0], status: c[1], valid_from: c[2], recorded_at: $now}))
FOREACH (o IN row[3] |
  CREATE (u)<-[:FILED_BY]-(:Objection {key: o[0], received_at: o[1], purposes: o[2], platforms: o[3], status: 'PENDING',
                                       recorded_at: $now, due_at: $now})
  CREATE (u)-[:SAID]->(:ConsentState {purpose: 'AI_TRAINING', status: 'OBJECTION_PENDING', valid_from: o[1],
                                      recorded_at: $now, objection: o[0]}))
"""
NOTICE: LiteralString = """
UNWIND $rows AS row
CREATE (:Notice {key: row[0], version: row[1], purpose: row[2], channel: row[3], published_at: row[4],
                 described_at: $now})
"""
SERVED: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[0]}) MATCH (n:Notice {key: row[1], version: row[2]})
CREATE (u)-[:SERVED {served_at: row[3], seen_at: row[4], recorded_at: $now}]->(n)
"""
POLICY: LiteralString = "UNWIND $rows AS row CREATE (p:Policy) SET p = row, p.recorded_at = $now"
POSTS_OF_PEOPLE: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[1]})
CREATE (p:Post {key: row[0], described_at: $now, platform: row[2], kind: row[3], published_at: row[4],
                visibility: row[5], special_category: row[6], digest: row[7]})-[:AUTHORED_BY {recorded_at: $now}]->(u)
FOREACH (c IN row[8] |
  CREATE (p)-[:CHANGED]->(:PostChange {field: c[0], value: c[1], valid_from: c[2], recorded_at: $now}))
"""
DEPICTS: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]}) MATCH (u:User {key: row[1]})
CREATE (p)-[:DEPICTS {recorded_at: $now}]->(u)
"""


class Rows:
    """The rows of one seed's final graph, ready in memory."""

    def __init__(self, seed: int, posts: int) -> None:
        self.records = 0
        self.served: list[list[Any]] = []
        self.notices: list[list[Any]] = []
        self.policies: list[dict[str, Any]] = []
        self.depicts: list[list[str]] = []
        self.halves: tuple[list[list[Any]], list[list[Any]]] = ([], [])
        self._people: dict[str, list[Any]] = {}
        self._posts: dict[str, list[Any]] = {}
        latest = to_datetime(2**52)
        for line in generate_records(posts, seed):
            record = parse(line, latest)
            self.records += 1
            if not self._take_of_post(record) and not self._take_of_person(record):
                self._take_rule(record)
        self.people = list(self._people.values())

    def _person(self, key: str) -> list[Any]:
        return self._people.setdefault(key, [key, [], [], []])

    def _take_of_post(self, record: Record) -> bool:
        match record:
            case Post():
                self._person(record.author)
                row = [record.key, record.author, record.platform, record.post_kind, from_datetime(record.published_at)]
                row += [record.visibility, record.special_category, record.content_digest, []]
                self._posts[record.key] = row
                self.halves[hash(record.author) & 1].append(row)
                for user in record.depicts or ():
                    self._person(user)
                    self.depicts.append([record.key, user])
            case VisibilityChange():
                change = ["visibility", record.visibility, from_datetime(record.valid_from)]
                self._posts[record.post][8].append(change)
            case Deletion():
                self._posts[record.post][8].append(["deleted", None, from_datetime(record.valid_from)])
            case _:
                return False
        return True

    def _take_of_person(self, record: Record) -> bool:
        match record:
            case User():
                since = ALWAYS if record.valid_from is None else from_datetime(record.valid_from)
                facts = self._person(record.key)[1]
                if record.jurisdiction:
                    facts.append(["jurisdiction", since, record.jurisdiction])
                if record.adult_from:
                    facts.append(["adult_from", since, str(record.adult_from)])
            case ConsentSaid():
                said = [record.purpose, record.status, from_datetime(record.valid_from)]
                self._person(record.user)[2].append(said)
            case ObjectionFiled():
                filed = [record.key, from_datetime(record.received_at), list(record.purposes or ()), []]
                self._person(record.user)[3].append(filed)
            case NoticeServed():
                self._person(record.user)
                seen_at = None if record.seen_at is None else from_datetime(record.seen_at)
                served_at = from_datetime(record.served_at)
                self.served.append([record.user, record.notice, record.version, served_at, seen_at])
            case _:
                return False
        return True

    def _take_rule(self, record: Record) -> None:
        match record:
            case NoticeText():
                published_at = from_datetime(record.published_at)
                self.notices.append([record.key, record.version, record.purpose, record.channel, published_at])
            case PolicyVersion():
                said = msgspec.structs.asdict(record)
                times = ("effective_from", "effective_until", "assessment_expires")
                policy = {name: value for name, value in said.items() if value is not None and name not in times}
                policy["platforms"] = list(record.platforms or ())
                policy |= {name: from_datetime(said[name]) for name in times if said[name] is not None}
                self.policies.append(policy)
            case _:
                raise AssertionError(record)


async def ceiling(driver: AsyncDriver, rows: Rows) -> float:
    """Seconds to write the rows with two concurrent writers."""
    now = time.time_ns() // 1000

    async def write(statement: LiteralString, part: Sequence[Any]) -> None:
        async with driver.session() as session:
            for start in range(0, len(part), BATCH):

                async def work(tx: Any, start: int = start) -> None:
                    await (await tx.run(statement, rows=part[start : start + BATCH], now=now)).consume()

                await session.execute_write(work)

    began = time.perf_counter()
    await write(POLICY, rows.policies)
    await write(NOTICE, rows.notices)
    half = len(rows.people) // 2
    await asyncio.gather(write(PEOPLE, rows.people[:half]), write(PEOPLE, rows.people[half:]))
    await asyncio.gather(*(write(POSTS_OF_PEOPLE, part) for part in rows.halves))
    await write(SERVED, rows.served)
    await write(DEPICTS, rows.depicts)
    return time.perf_counter() - began


def ours(environment: dict[str, str], seed: int, posts: int) -> float:
    """Seconds from start to exit of the two commands, joined by a pipe."""
    began = time.perf_counter()
    generate = subprocess.Popen(
        [*COMMAND, "generate", "--posts", str(posts), "--seed", str(seed)], stdout=subprocess.PIPE, env=environment
    )
    answer = subprocess.run(
        [*COMMAND, "ingest", "-"], stdin=generate.stdout, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert generate.wait() == 0
    seconds = time.perf_counter() - began
    print("   ", answer.stdout.strip())
    return seconds


def peak_memory(environment: dict[str, str], file: Path) -> int:
    """The most memory that `consentline ingest FILE` held, in bytes, by the kernel's own high-water mark (Linux).

    Not `ru_maxrss`: that begins with what this process holds when it starts the other.
    """
    process = subprocess.Popen([*COMMAND, "ingest", str(file)], env=environment, stdout=subprocess.DEVNULL)
    most = 0
    while process.poll() is None:
        for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                most = max(most, int(line.split()[1]) * 1024)
        time.sleep(0.02)
    assert process.returncode == 0
    return most


COUNTS: LiteralString = """
MATCH (n) WHERE n.key STARTS WITH $prefix RETURN labels(n)[0] AS label, count(*) AS count ORDER BY label
"""
EDGES: LiteralString = """
MATCH (u:User)-[r]-(x) WHERE u.key STARTS WITH $prefix RETURN type(r) AS label, count(*) AS count ORDER BY label
"""


async def shape(driver: AsyncDriver, seed: int) -> dict[str, int]:
    """How many people there are of a seed, and relationships of each type at them."""
    found: dict[str, int] = {}
    for statement in (COUNTS, EDGES):
        rows, _, _ = await driver.execute_query(statement, prefix=f"facebook:g{seed}-")
        found |= {row["label"]: row["count"] for row in rows}
    return found


async def main(server: Server, environment: dict[str, str], folder: Path, database: int) -> None:
    """Measure, print and write the results."""
    graph = Graph.connect(server.uri, server.user, server.password, "neo4j", 300)
    await migrate(graph)
    await graph.close()
    driver = AsyncGraphDatabase.driver(server.uri, auth=(server.user, server.password))
    print(f"warm-up: {WARM_UPS} times {WARM_UP:,} posts, and once for the ceiling")
    for seed in range(1, WARM_UPS + 1):
        ours(environment, seed, WARM_UP)
    await ceiling(driver, Rows(WARM_UPS + 1, WARM_UP))
    seed = WARM_UPS
    mine: list[float] = []
    raw: list[float] = []
    cpu: dict[str, list[float]] = {"ours_commands": [], "ours_database": [], "ceiling": [], "ceiling_database": []}
    for _ in range(ROUNDS):
        seed += 2
        here, there = children(), cpu_seconds(database)
        mine.append(ours(environment, seed, POSTS))
        cpu["ours_commands"].append(children() - here)
        cpu["ours_database"].append(cpu_seconds(database) - there)
        rows = Rows(seed + 1, CEILING_POSTS)
        here, there = time.process_time(), cpu_seconds(database)
        raw.append(await ceiling(driver, rows))
        cpu["ceiling"].append(time.process_time() - here)
        cpu["ceiling_database"].append(cpu_seconds(database) - there)
        print(f"  ours {POSTS / mine[-1]:,.0f} posts/s end to end, ceiling {CEILING_POSTS / raw[-1]:,.0f}", flush=True)
    rates = POSTS / statistics.median(mine), CEILING_POSTS / statistics.median(raw)
    figures: dict[str, Any] = {
        "posts": POSTS,
        "ceiling_posts": CEILING_POSTS,
        "load_average": os.getloadavg()[0],
        "ours_seconds": mine,
        "ceiling_seconds": raw,
        "ours_posts_per_second": rates[0],
        "ceiling_posts_per_second": rates[1],
        "ratio": rates[0] / rates[1],
        "goal": GOAL,
        "cpu_seconds": cpu,
    }
    print(f"ratio {rates[0] / rates[1]:.2f}: {'met' if rates[0] >= GOAL * rates[1] else 'MISSED'} ({GOAL})")
    if POSTS == DEFAULT:
        figures |= await compare(driver, seed, environment, folder)
    await driver.close()
    record("ingest" if POSTS == DEFAULT else f"ingest-{POSTS}", figures)


async def compare(driver: AsyncDriver, seed: int, environment: dict[str, str], folder: Path) -> dict[str, Any]:
    """What both wrote, and how much memory a file takes, and one of three times its size."""
    shapes = await shape(driver, seed), await shape(driver, seed + 1)
    print(f"shapes: {shapes}")
    once, thrice = folder / "once.ndjson", folder / "thrice.ndjson"
    for file, posts, number in ((once, MEMORY_POSTS, 101), (thrice, 3 * MEMORY_POSTS, 102)):
        with file.open("wb") as out:
            out.writelines(generate_records(posts, number))
    memory = [peak_memory(environment, file) for file in (once, thrice)]
    print(f"memory {memory[0] >> 20} MiB, for three times the file {memory[1] >> 20} MiB")
    return {
        "peak_memory_bytes": {"file": memory[0], "file of three times the size": memory[1]},
        "shape": {"ours": shapes[0], "ceiling": shapes[1]},
    }


def children() -> float:
    """CPU seconds of all commands that ended so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", neo4j_pagecache="1g")
        with console_progress() as report, running_server(settings, report=report) as running:
            variables = os.environ | {"CONSENTLINE_HOME": str(settings.home), "CONSENTLINE_NEO4J_PAGECACHE": "1g"}
            pid = embedded.status(settings).pid
            assert pid is not None
            asyncio.run(main(running, variables, Path(folder), pid))
