"""Objection cascades while services and their database are killed: `make soak`, and the short form in `make test`.

A cascade is one objection with all that follows from it: posts that may not be used any more, counts, flags, events,
the audit entry. Clients file them and try again, with the same key, until they hear that it is recorded. A killed
process dies at a point within the cascade that is drawn from a seed, counted in what has passed between the service and
the database: before or after a statement, the commit, or the answer to it. Afterwards everything is there, and once.
"""

import argparse
import asyncio
import itertools
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

from consentline.connection import connected, open_service
from consentline.embedded import Server
from consentline.graph.session import Tx
from consentline.usecases import audit
from consentline.usecases.doctor import examine
from consentline.usecases.service import Service
from tests.faults.installation import Database, Serving, installed
from tests.faults.wire import Trap
from tests.integration.arrange import allow, derive, post, publish, record, train
from tests.integration.invariants import check_counts

CASCADES = 200
SERVICES = 2
CLIENTS = 2
RETRY_SECONDS = 240.0
PATIENCE_SECONDS = 10.0
"""After which a client tries elsewhere, whether or not what it asked for is still under way."""
RECEIVED = "2026-03-03T10:00:00Z"
MODELS = ("m:1", "m:2", "m:tuned")
FILE = """mutation ($key: String!, $user: String!, $at: DateTime!) {
  fileObjection(input: {key: $key, user: $user, receivedAt: $at}) {
    objection { key status flags { totalCount } } userErrors { code } } }"""


@dataclass(frozen=True)
class Kill:
    """Kill what serves a cascade: at which part of it, from 0 to a little beyond its end."""

    database: bool
    at: float
    before: bool


@dataclass(frozen=True)
class Plan:
    """Which cascades are hurt, and how: the same for the same seed."""

    cascades: int
    kills: Mapping[int, Kill]

    @classmethod
    def drawn(cls, seed: int, cascades: int, services: int, databases: int) -> "Plan":
        """Kill the service in so many of the cascades, and the database in so many others."""
        drawing = random.Random(seed)  # noqa: S311 - to be repeated
        hurt = drawing.sample(range(cascades), services + databases)
        kills = {
            number: Kill(position >= services, drawing.uniform(0, 1.1), drawing.random() < 0.5)
            for position, number in enumerate(hurt)
        }
        return cls(cascades, kills)


@dataclass
class Tale:
    """What happened: retries by cascade, and kills that came before the answer did."""

    retries: Counter[int] = field(default_factory=Counter[int])
    within: int = 0


def person(number: int) -> str:
    """Who objects in a cascade."""
    return f"user:{number:04}"


async def prepare(database: Database, people: int) -> None:
    """A dataset of three versions that trained two models, one of them refined, and posts of everybody in it."""
    async with open_service(database.reached()) as service:
        everybody = [person(number) for number in range(people)]
        await allow(service, *everybody, "nobody")
        await record(service, *(post(f"{who}/{each}", who) for who in everybody for each in "abc"), post("n", "nobody"))
        await publish(service, "d", *(f"{who}/{each}" for who in everybody for each in "ab"), "n")
        await publish(service, "d", *(f"{who}/{each}" for who in everybody for each in "abc"))
        await publish(service, "d", *(f"{who}/{each}" for who in everybody for each in "bc"))
        await train(service, "r1", "d:1", produced="m:1")
        await train(service, "r2", "d:3", produced="m:2")
        await derive(service, "m:tuned", "m:1")


class Client:
    """Files objections at its service, and at the next one when that does not answer."""

    def __init__(self, database: Database, services: list[Serving], number: int, tale: Tale) -> None:
        self._database = database
        self._services = services[number:] + services[:number]
        self._tale = tale
        self._length = 30

    def file(self, number: int, kill: Kill | None) -> None:
        """File one until it is recorded; when it is to be hurt, hurt what serves it on the way.

        Raises:
            AssertionError: it was refused, or did not come to be in time.
        """
        data = self._services[0].ask(FILE, self._asked(number)) if kill is None else self._hurt(number, kill)
        deadline = time.monotonic() + RETRY_SECONDS
        for serving in itertools.cycle(self._services[1:] + self._services[:1]):
            if data is not None:
                break
            assert time.monotonic() < deadline, f"cascade {number} cannot be filed"
            self._tale.retries[number] += 1
            time.sleep(0.1)
            data = serving.ask(FILE, self._asked(number))
        told = (data or {})["fileObjection"]
        assert told == {
            "objection": {"key": f"o:{number}", "status": "PENDING", "flags": {"totalCount": len(MODELS)}},
            "userErrors": [],
        }, told

    def _asked(self, number: int) -> dict[str, Any]:
        return {"key": f"o:{number}", "user": person(number), "at": RECEIVED}

    def _hurt(self, number: int, kill: Kill) -> dict[str, Any] | None:
        # The database is killed once it is back from the kill before.
        with self._database.hurting if kill.database else nullcontext():
            return self._hurt_now(number, kill)

    def _hurt_now(self, number: int, kill: Kill) -> dict[str, Any] | None:
        serving = self._services[0]
        self._database.wait()
        serving.wait()
        trap = Trap(
            1 + int(kill.at * self._length),
            self._database.kill if kill.database else serving.kill,
            before=kill.before,
        )
        serving.wire.set(trap)
        data = serving.ask(FILE, self._asked(number))
        passed = serving.wire.clear()
        if trap.has_sprung():
            self._tale.within += data is None
        else:
            # The point lies behind the answer.
            self._length = max(10, passed)
            trap.spring()
        return data


def run(database: Database, services: list[Serving], plan: Plan) -> Tale:
    """File every objection of the plan.

    Raises:
        AssertionError: one was refused, or did not come to be in time.
    """
    tale, numbers, lock = Tale(), iter(range(plan.cascades)), threading.Lock()

    def work(client: Client) -> None:
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            client.file(number, plan.kills.get(number))

    clients = [Client(database, services, each % len(services), tale) for each in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        futures: list[Future[None]] = [pool.submit(work, client) for client in clients]
        while not all(future.done() for future in futures):
            for serving in services:
                serving.start()
            if any(future.done() and future.exception() for future in futures):
                # The others need not go on.
                with lock:
                    numbers = iter(())
            time.sleep(0.1)
    for future in futures:
        future.result()
    return tale


# ---- what must hold afterwards ---------------------------------------------------------------------------------------

OBJECTIONS: LiteralString = """
MATCH (o:Objection)-[:FILED_BY]->(u:User)
RETURN o.key AS key, u.key AS user, o.status AS status,
  [(o)-[:BECAME]->(t:Transition) | t.status] AS became,
  [(o)<-[:TELLS_OF]-(e:Event) | e.kind] AS told,
  [(o)<-[c:CAUSED_BY]-(f:RetrainingFlag) | f.model] AS flagged
"""
EVENTS: LiteralString = """
MATCH (e:Event) WITH e ORDER BY e.position
WITH collect(e.position) AS positions, collect(e.kind + ' ' + coalesce(e.model, '')) AS kinds
MATCH (r:Revision)
RETURN positions, kinds, r.events AS last
"""
FLAGS: LiteralString = "MATCH (f:RetrainingFlag) RETURN f.model AS model, f.status AS status, f.open_for AS open_for"
ENTRIES: LiteralString = """
MATCH (e:AuditEntry {operation: 'fileObjection', outcome: 'ACCEPTED'}) UNWIND e.subjects AS subject
RETURN subject, count(*) AS entries
"""
COUNTS = """{ d1: datasetVersion(dataset: "d", number: 1) { ineligibleCount }
  d2: datasetVersion(dataset: "d", number: 2) { ineligibleCount }
  d3: datasetVersion(dataset: "d", number: 3) { ineligibleCount } }"""


def check(database: Database, services: list[Serving], cascades: int) -> None:
    """Every objection, cause, event and count is there once, and the doctor has no findings.

    Raises:
        AssertionError: something is not so.
    """
    database.wait()
    services[0].wait()
    asyncio.run(_check_graph(database, cascades))
    assert services[0].ask(COUNTS, {}) == {
        "d1": {"ineligibleCount": 2 * cascades},
        "d2": {"ineligibleCount": 3 * cascades},
        "d3": {"ineligibleCount": 2 * cascades},
    }
    done = database.command("doctor")
    assert (done.returncode, done.stdout) == (0, "The graph is sound.\n"), done.stdout + done.stderr


async def _check_graph(database: Database, cascades: int) -> None:
    async with connected(
        database.reached(), Server(f"bolt://127.0.0.1:{database.port}", "neo4j", database.password)
    ) as service:
        for statement, checked in ((OBJECTIONS, _check_objections), (EVENTS, _check_events), (FLAGS, _check_flags)):
            rows = await _rows(service, statement)
            checked(rows, cascades)
        await check_counts(service)
        await _check_audit(service, cascades)
        assert await examine(service) == []


async def _rows(service: Service, statement: LiteralString) -> list[dict[str, Any]]:
    async def read(tx: Tx) -> list[dict[str, Any]]:
        return [row.data() for row in await tx.rows(statement)]

    return await service.graph.read(read)


def _check_objections(rows: list[dict[str, Any]], cascades: int) -> None:
    assert Counter(row["key"] for row in rows) == Counter(f"o:{number}" for number in range(cascades))
    for row in rows:
        assert row["user"] == person(int(row["key"].removeprefix("o:")))
        once = (row["status"], row["became"], row["told"], sorted(row["flagged"]))
        assert once == ("PENDING", [], ["OBJECTION_FILED"], sorted(MODELS)), row


def _check_events(rows: list[dict[str, Any]], cascades: int) -> None:
    (row,) = rows
    assert row["positions"] == list(range(1, row["last"] + 1))
    wanted = Counter({"OBJECTION_FILED ": cascades})
    for model in MODELS:
        wanted |= Counter({f"FLAG_RAISED {model}": 1, f"FLAG_JOINED {model}": cascades - 1})
    assert Counter(row["kinds"]) == wanted


def _check_flags(rows: list[dict[str, Any]], _cascades: int) -> None:
    assert sorted(rows, key=lambda row: row["model"]) == [
        {"model": model, "status": "OPEN", "open_for": model} for model in sorted(MODELS)
    ]


async def _check_audit(service: Service, cascades: int) -> None:
    """Every objection has its entry, and none was changed; of killed processes numbers may be missing."""
    entries = {row["subject"]: row["entries"] for row in await _rows(service, ENTRIES)}
    for number in range(cascades):
        assert entries[service.pseudonyms.of("Objection", f"o:{number}")] >= 1, number
    assert (await audit.verify(service)).changed == []


def main() -> None:
    """`make soak`: kill in every cascade, and say what came of it."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--cascades", type=int, default=CASCADES)
    parser.add_argument("--services", type=int, default=160, help="in how many of them the service is killed")
    parser.add_argument("--databases", type=int, default=40, help="in how many of the others the database is")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    given = parser.parse_args()
    print(
        f"seed {given.seed}: {given.cascades} cascades, kills: {given.services} services, {given.databases} databases"
    )
    with tempfile.TemporaryDirectory(prefix="consentline-soak-") as folder:
        begin = time.monotonic()
        told = soak(Path(folder), Plan.drawn(given.seed, given.cascades, given.services, given.databases))
    print(f"nothing lost and nothing twice, in {time.monotonic() - begin:.0f} s: {told}")


def soak(home: Path, plan: Plan) -> str:
    """Run the plan on an installation of its own and check what is left; what happened, in words.

    Raises:
        AssertionError: something was lost, or is there twice.
    """
    with installed(home, SERVICES, PATIENCE_SECONDS) as (database, services):
        asyncio.run(prepare(database, plan.cascades))
        tale = run(database, services, plan)
        check(database, services, plan.cascades)
        killed = sum(each.kills for each in services)
        assert killed == sum(not kill.database for kill in plan.kills.values())
        assert database.kills == sum(kill.database for kill in plan.kills.values())
        return (
            f"{killed} services and {database.kills} databases killed, {tale.within} of them before the answer,"
            f" {tale.retries.total()} retries of {len(tale.retries)} cascades"
        )


if __name__ == "__main__":
    main()
