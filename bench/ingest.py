"""How fast records come in, beside the raw ceiling that writes the same final graph; and that memory stays flat.

    .venv/bin/python bench/ingest.py

Both write into the same embedded Neo4j (a home of their own): first 100,000 posts of warm-up each, then alternating,
three times each, and the median counts. Ours is measured end to end: `consentline generate | consentline ingest -`,
two processes, from start to exit. The ceiling is the plain driver with two concurrent writers that `UNWIND … CREATE`
rows which lie ready in memory, parted by author, constraints in place.
"""

import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, LiteralString

from neo4j import AsyncDriver, AsyncGraphDatabase

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
    User,
    VisibilityChange,
)
from consentline.embedded import Server, console_progress, running_server
from consentline.generation import generate_records
from consentline.graph.migrations import migrate
from consentline.graph.session import Graph
from consentline.settings import Settings

POSTS = int(os.environ.get("BENCH_POSTS", "100000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
BATCH = 5000
COMMAND = [str(Path(sys.executable).with_name("consentline"))]
RESULTS = Path(__file__).parent / "results" / "ingest.json"

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

    def __init__(self, seed: int) -> None:
        latest = to_datetime(2**52)
        records = [parse(line, latest) for line in generate_records(POSTS, seed)]
        self.records = len(records)
        posts = {each.key: each for each in records if isinstance(each, Post)}
        changes: dict[str, list[list[Any]]] = {}
        people: dict[str, tuple[str, list[Any], list[Any], list[Any]]] = {}
        self.served: list[list[Any]] = []
        self.notices: list[list[Any]] = []
        self.policies: list[dict[str, Any]] = []

        def person(key: str) -> tuple[str, list[Any], list[Any], list[Any]]:
            return people.setdefault(key, (key, [], [], []))

        for each in records:
            match each:
                case User():
                    since = ALWAYS if each.valid_from is None else from_datetime(each.valid_from)
                    facts = person(each.key)[1]
                    if isinstance(each.jurisdiction, str):
                        facts.append(["jurisdiction", since, each.jurisdiction])
                    if each.adult_from:
                        facts.append(["adult_from", since, str(each.adult_from)])
                case Post():
                    person(each.author)
                    for key in each.depicts or ():
                        person(key)
                case VisibilityChange():
                    row = ["visibility", each.visibility, from_datetime(each.valid_from)]
                    changes.setdefault(each.post, []).append(row)
                case Deletion():
                    changes.setdefault(each.post, []).append(["deleted", None, from_datetime(each.valid_from)])
                case ConsentSaid():
                    said = [each.purpose, each.status, from_datetime(each.valid_from)]
                    person(each.user)[2].append(said)
                case ObjectionFiled():
                    filed = [each.key, from_datetime(each.received_at), list(each.purposes or ()), []]
                    person(each.user)[3].append(filed)
                case NoticeText():
                    published_at = from_datetime(each.published_at)
                    self.notices.append([each.key, each.version, each.purpose, each.channel, published_at])
                case NoticeServed():
                    person(each.user)
                    seen_at = None if each.seen_at is None else from_datetime(each.seen_at)
                    self.served.append([each.user, each.notice, each.version, from_datetime(each.served_at), seen_at])
                case PolicyVersion():
                    self.policies.append({"key": each.key, "version": each.version, "jurisdiction": each.jurisdiction})
                case _:
                    raise AssertionError(each)
        self.people = [list(each) for each in people.values()]
        halves: tuple[list[Any], list[Any]] = ([], [])
        for post in posts.values():
            halves[hash(post.author) & 1].append(
                [
                    post.key,
                    post.author,
                    post.platform,
                    post.post_kind,
                    from_datetime(post.published_at),
                    post.visibility,
                    post.special_category,
                    post.content_digest,
                    changes.get(post.key, []),
                ]
            )
        self.halves = halves
        self.depicts = [[post.key, user] for post in posts.values() for user in sorted(set(post.depicts or ()))]


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


def ours(environment: dict[str, str], seed: int) -> float:
    """Seconds from start to exit of the two commands, joined by a pipe."""
    began = time.perf_counter()
    generate = subprocess.Popen(
        [*COMMAND, "generate", "--posts", str(POSTS), "--seed", str(seed)], stdout=subprocess.PIPE, env=environment
    )
    answer = subprocess.run(
        [*COMMAND, "ingest", "-"], stdin=generate.stdout, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    assert generate.wait() == 0
    seconds = time.perf_counter() - began
    print("   ", answer.stdout.strip())
    return seconds


def peak_memory(environment: dict[str, str], file: Path) -> int:
    """The most memory that `consentline ingest FILE` held, in bytes."""
    process = subprocess.Popen([*COMMAND, "ingest", str(file)], env=environment, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    return usage.ru_maxrss * 1024


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


async def main(server: Server, environment: dict[str, str], folder: Path) -> None:
    """Measure, print and write the results."""
    graph = Graph.connect(server.uri, server.user, server.password, "neo4j", 300)
    await migrate(graph)
    await graph.close()
    driver = AsyncGraphDatabase.driver(server.uri, auth=(server.user, server.password))
    print(f"warm-up: {POSTS:,} posts each")
    seed = 1
    ours(environment, seed)
    await ceiling(driver, Rows(seed + 1))
    mine: list[float] = []
    raw: list[float] = []
    for _ in range(ROUNDS):
        seed += 2
        mine.append(ours(environment, seed))
        rows = Rows(seed + 1)
        raw.append(await ceiling(driver, rows))
        print(f"  ours {POSTS / mine[-1]:,.0f} posts/s end to end, ceiling {POSTS / raw[-1]:,.0f}")
    rows = Rows(seed)
    shapes = await shape(driver, seed), await shape(driver, seed + 1)
    once, thrice = folder / "once.ndjson", folder / "thrice.ndjson"
    for file, posts, number in ((once, POSTS, 101), (thrice, 3 * POSTS, 102)):
        with file.open("wb") as out:
            out.writelines(generate_records(posts, number))
    memory = [peak_memory(environment, file) for file in (once, thrice)]
    ratio = statistics.median(raw) / statistics.median(mine)
    results = {
        "posts": POSTS,
        "records": rows.records,
        "ours_seconds": mine,
        "ceiling_seconds": raw,
        "ours_posts_per_second": POSTS / statistics.median(mine),
        "ceiling_posts_per_second": POSTS / statistics.median(raw),
        "ratio": ratio,
        "peak_memory_bytes": {"file": memory[0], "file of three times the size": memory[1]},
        "shape": {"ours": shapes[0], "ceiling": shapes[1]},
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(results, indent=2) + "\n")
    await driver.close()
    print(f"ratio {ratio:.2f} (goal 0.5); memory {memory[0] >> 20} MiB, for three times the file {memory[1] >> 20} MiB")
    print(f"shapes: {shapes}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", neo4j_pagecache="1g")
        with console_progress() as report, running_server(settings, report=report) as running:
            variables = os.environ | {"CONSENTLINE_HOME": str(settings.home), "CONSENTLINE_NEO4J_PAGECACHE": "1g"}
            asyncio.run(main(running, variables, Path(folder)))
