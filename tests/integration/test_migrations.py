"""The graph's schema: applied once, held to its digest, by as many processes at once as there may be."""

import asyncio
import hashlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, LiteralString

import pytest

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import MigrationError
from consentline.domain.instants import DAY
from consentline.domain.objections import ObjectionOrder
from consentline.domain.paging import PageRequest
from consentline.embedded import Server
from consentline.graph import counts, migrations
from consentline.graph.counts import StoredCount
from consentline.graph.migrations import Migration
from consentline.graph.session import Graph, Tx
from consentline.packaged import data_folder
from consentline.settings import Settings
from consentline.usecases import objections
from consentline.usecases.counts import refresh
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep
from tests.conftest import connect, repository
from tests.integration.arrange import AI, RECEIVED, allow, decide, file, policy, post, publish, record, train, user
from tests.integration.snapshots import Snapshot, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]

RECORDED = "MATCH (m:Migration) RETURN m.name AS name, properties(m) AS properties"
RESTORE = """
MATCH (m:Migration) DETACH DELETE m
WITH count(*) AS deleted
UNWIND $migrations AS properties
CREATE (m:Migration) SET m = properties
"""
NAMES = """
SHOW INDEXES YIELD name, labelsOrTypes, properties, owningConstraint
RETURN collect([name, labelsOrTypes, properties, owningConstraint]) AS indexes
"""


def migration(number: int, *statements: str) -> Migration:
    return Migration(f"{number:04}_trial.cypher", f"digest of {number}", statements)  # type: ignore[arg-type]


def constraint(name: str) -> str:
    return f"CREATE CONSTRAINT trial_{name} IF NOT EXISTS FOR (n:Trial{name.title()}) REQUIRE n.key IS UNIQUE"


def index(name: str) -> str:
    return f"CREATE INDEX trial_{name} IF NOT EXISTS FOR (n:Trial{name.title()}) ON (n.at, n.key)"


async def recorded(graph: Graph) -> dict[str, dict[str, Any]]:
    async def work(tx: Tx) -> dict[str, dict[str, Any]]:
        return {row["name"]: row["properties"] for row in await tx.rows(RECORDED)}

    return await graph.read(work)


async def indexes(graph: Graph) -> list[Any]:
    async def work(tx: Tx) -> list[Any]:
        return sorted((await tx.get(NAMES))["indexes"])

    return await graph.read(work)


@pytest.fixture
def graph(service: Service, run: Run) -> Iterator[Graph]:
    """The migrated graph; what a test records and creates is taken back."""
    before = run(recorded(service.graph))
    yield service.graph

    async def restore() -> None:
        async def work(tx: Tx) -> None:
            await tx.rows(RESTORE, migrations=list(before.values()))

        await service.graph.write(work)
        for name, _, _, owning in await indexes(service.graph):
            if name.startswith("trial_"):
                kind = "INDEX" if owning is None else "CONSTRAINT"
                await service.graph.run_schema(f"DROP {kind} {name}")  # type: ignore[arg-type]

    run(restore())


@contextmanager
def refused(code: str, telling: str) -> Iterator[None]:
    with pytest.raises(MigrationError) as raised:
        yield
    assert raised.value.code == code
    assert telling in raised.value.message


# ---- the files ------------------------------------------------------------------------------------------------------


def test_the_migrations_come_with_the_code_in_the_order_of_their_numbers() -> None:
    found = migrations.load_migrations()
    files = sorted((repository() / "schema" / "graph").glob("*.cypher"))

    assert [each.name for each in found] == [path.name for path in files]
    assert [each.digest for each in found] == [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]
    assert found == migrations.load_migrations(data_folder("schema") / "graph")


def test_every_statement_of_a_file_is_one_of_its_migration() -> None:
    for path, each in zip(
        sorted((repository() / "schema" / "graph").glob("*.cypher")), migrations.load_migrations(), strict=True
    ):
        ends = [line for line in path.read_text().splitlines() if line.endswith(";") and not line.startswith("//")]

        assert len(each.statements) == len(ends)
        assert [statement.splitlines()[-1] + ";" for statement in each.statements] == ends


def test_every_schema_statement_may_be_repeated() -> None:
    for each in migrations.load_migrations():
        for statement in each.statements:
            if not statement.startswith("MATCH"):  # those bring facts up to date: see the test of an older graph
                assert (
                    "IF NOT EXISTS" in statement
                    or "IF EXISTS" in statement
                    or statement.startswith(("MERGE", "CALL db.awaitIndexes"))
                )


def test_comments_and_blank_lines_are_no_statements_and_one_may_take_several_lines(tmp_path: Path) -> None:
    (tmp_path / "0002_b.cypher").write_text("// a comment;\n\nMATCH (n)\n  // inside\nRETURN n;\n\nRETURN ';' AS x;")
    (tmp_path / "0001_a.cypher").write_text("// nothing yet\n")
    (tmp_path / "notes.cypher").write_text("RETURN 1;\n")

    found = migrations.load_migrations(tmp_path)

    assert [each.name for each in found] == ["0001_a.cypher", "0002_b.cypher"]
    assert found[0].statements == ()
    assert found[1].statements == ("MATCH (n)\n  // inside\nRETURN n", "RETURN ';' AS x")


# ---- applying them --------------------------------------------------------------------------------------------------


def test_a_migrated_graph_records_every_migration_with_its_digest(graph: Graph, run: Run) -> None:
    found = run(recorded(graph))

    assert {name: properties["digest"] for name, properties in found.items()} == {
        each.name: each.digest for each in migrations.load_migrations()
    }
    assert all(properties["applied_at"] > 0 for properties in found.values())


def test_a_graph_is_migrated_once(graph: Graph, run: Run) -> None:
    before = run(recorded(graph))
    schema = run(indexes(graph))

    assert run(migrations.migrate(graph)) == []

    assert run(recorded(graph)) == before
    assert run(indexes(graph)) == schema


def test_what_is_new_is_applied_in_order_and_recorded_once(graph: Graph, run: Run) -> None:
    known = migrations.load_migrations()
    later = [migration(9001, constraint("one"), index("two")), migration(9002, index("three"))]

    first = run(migrations.migrate(graph, [*known, later[0]]))
    both = run(migrations.migrate(graph, [*known, *later]))
    again = run(migrations.migrate(graph, [*known, *later]))

    assert (first, both, again) == ([later[0].name], [later[1].name], [])
    assert {name for name, *_ in run(indexes(graph))} >= {"trial_one", "trial_two", "trial_three"}
    assert set(run(recorded(graph))) == {each.name for each in (*known, *later)}


def test_a_migration_that_failed_half_way_is_not_recorded_and_is_finished_by_the_next(graph: Graph, run: Run) -> None:
    known = migrations.load_migrations()
    broken = migration(9001, constraint("one"), "CREATE NONSENSE", index("two"))
    mended = migration(9001, constraint("one"), index("two"))

    with pytest.raises(Exception, match="NONSENSE"):
        run(migrations.migrate(graph, [*known, broken]))
    assert broken.name not in run(recorded(graph))

    assert run(migrations.migrate(graph, [*known, mended])) == [mended.name]
    assert {name for name, *_ in run(indexes(graph))} >= {"trial_one", "trial_two"}


def test_a_migration_that_changed_since_it_was_applied_is_refused(graph: Graph, run: Run) -> None:
    first, *others = migrations.load_migrations()
    changed = replace(first, digest="another")

    with refused("MIGRATION_CHANGED", f"migration {first.name} has changed"):
        run(migrations.migrate(graph, [changed, *others, migration(9001, index("one"))]))

    assert "trial_one" not in {name for name, *_ in run(indexes(graph))}
    assert set(run(recorded(graph))) == {each.name for each in (first, *others)}


def test_a_graph_that_is_newer_than_the_code_is_refused(graph: Graph, run: Run) -> None:
    known = migrations.load_migrations()
    run(migrations.migrate(graph, [*known, migration(9001)]))

    with refused("MIGRATION_MISSING", "9001_trial.cypher"):
        run(migrations.migrate(graph))


def test_a_migration_older_than_the_last_applied_one_is_refused(graph: Graph, run: Run) -> None:
    known = migrations.load_migrations()
    run(migrations.migrate(graph, [*known, migration(9002)]))

    with refused("MIGRATION_ORDER", "older than the last applied"):
        run(migrations.migrate(graph, [*known, migration(9001, index("one")), migration(9002)]))

    assert "trial_one" not in {name for name, *_ in run(indexes(graph))}


@dataclass(frozen=True)
class Check:
    name: str
    known: Sequence[int]
    recorded: Sequence[int]
    code: str | None
    complete: bool = False


@pytest.mark.parametrize(
    "case",
    [
        Check("nothing at all", [], [], None, complete=True),
        Check("nothing applied yet", [1, 2], [], None),
        Check("a beginning applied", [1, 2, 3], [1, 2], None),
        Check("all applied", [1, 2], [1, 2], None, complete=True),
        Check("not all applied where all should be", [1, 2], [1], "MIGRATION_PENDING", complete=True),
        Check("none applied where all should be", [1], [], "MIGRATION_PENDING", complete=True),
        Check("one that the code does not have", [1], [1, 2], "MIGRATION_MISSING"),
        Check("a gap", [1, 2, 3], [1, 3], "MIGRATION_ORDER"),
        Check("the first is not applied", [1, 2], [2], "MIGRATION_ORDER"),
        Check("one that changed", [1, 2], [1, -2], "MIGRATION_CHANGED"),
    ],
    ids=lambda case: case.name,
)
def test_what_is_recorded_is_a_beginning_of_what_is_known(case: Check) -> None:
    known = [migration(number) for number in case.known]
    applied = {migration(abs(number)).name: f"digest of {number}" for number in case.recorded}

    if case.code is None:
        migrations.check(known, applied, complete=case.complete)
        return
    with refused(case.code, "migration"):
        migrations.check(known, applied, complete=case.complete)


# ---- a graph of an older version -----------------------------------------------------------------------------------


OLDER: LiteralString = """
MATCH (t:TallyBlock) DETACH DELETE t
WITH count(*) AS done
MATCH (d:Dataset) REMOVE d.unjudged
WITH count(*) AS done
MATCH (p:Post)-[m:IN_SHARD]->() REMOVE p.ineligible, p.concerns, m.recheck_at, m.concerned
WITH count(*) AS done
MATCH (o:Objection) REMOVE o.deadline, o.recorded_by
WITH count(*) AS done
MATCH (t:TrainingRun) REMOVE t.violations, t.unjudged, t.touched
WITH count(*) AS done
MATCH ()-[c:CAUSED_BY]->() WHERE c.kind IN ['VIOLATION', 'MINOR'] DELETE c
"""
"""Takes away what the version before the training gate did not keep, nor that before causes of every kind."""


@dataclass(frozen=True)
class Kept:
    """What is kept beside the facts: flags' causes, runs' violations, counts of members, the order of urgency."""

    causes: frozenset[tuple[str, str, str, int]]
    violations: Mapping[str, int | None]
    counts: Mapping[str, StoredCount]
    urgent: tuple[str, ...]


async def kept(service: Service) -> Kept:
    graph = await snapshot(service)
    by_urgency = await objections.list_objections(service, None, None, PageRequest(), ObjectionOrder.URGENCY)

    async def count(tx: Tx) -> dict[str, StoredCount]:
        return {purpose: await counts.standing(tx, "d", 1, purpose, 2**62) for purpose in (AI, "ADS")}

    return Kept(
        causes=frozenset(
            (each.source["model"], each["kind"], each.target["key"], each["posts"]) for each in graph.typed("CAUSED_BY")
        ),
        violations={each["key"]: each["violations"] for each in graph.labelled("TrainingRun")},
        counts=await service.graph.read(count),
        urgent=tuple(each.key for each in by_urgency.items),
    )


def test_a_graph_of_an_older_version_is_brought_up_to_date_and_may_be_again(
    graph: Graph, service: Service, run: Run
) -> None:
    async def migrated() -> Snapshot:
        for each in migrations.load_migrations():
            for statement in each.statements:
                await graph.run_schema(statement)
        return await snapshot(service)

    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await record(service, user("kid", adult_from="2030-01-01"), policy(key="ads", purpose="ADS"))
        await record(service, *(post(f"p:{person}", person) for person in ("ana", "ben", "kid")))
        await publish(service, "d", "p:ana", "p:ben", "p:kid")
        await train(service, "r", "d:1", produced="m:1", purpose=AI)
        await train(service, "failed", "d:1")
        for number, person in enumerate(("kid", "ana", "ben")):
            await file(service, f"o:{person}", person, RECEIVED + number * 10 * DAY)
        await decide(service, "o:ben", uphold=True)
        wanted = await kept(service)
        assert {(kind, source) for _, kind, source, _ in wanted.causes} == {
            ("OBJECTION", "o:ana"),
            ("OBJECTION", "o:ben"),
            ("OBJECTION", "o:kid"),
            ("MINOR", "kid"),
            ("VIOLATION", "r"),
        }
        assert wanted.urgent == ("o:kid", "o:ana")

        async def forget(tx: Tx) -> None:
            await tx.rows(OLDER)

        await graph.write(forget)
        first = await migrated()
        assert await migrated() == first

        await sweep(service)
        for purpose in (AI, "ADS"):
            await refresh(service, [VersionRef("d", 1)], purpose)
        assert await kept(service) == wanted

    run(scenario())


def test_tallies_of_any_length_are_parted_into_blocks(graph: Graph, service: Service, run: Run) -> None:
    lengths = {"none": 0, "short": 3, "full": 64, "longer": 65, "long": 200}
    rows = [[dataset, [number % 7 - 3 for number in range(length)]] for dataset, length in lengths.items()]

    async def scenario() -> None:
        async def write(tx: Tx) -> None:
            await tx.rows(
                "UNWIND $rows AS row CREATE (:Tally {dataset: row[0], purpose: $purpose, deltas: row[1]})",
                rows=rows,
                purpose=AI,
            )

        await graph.write(write)
        (parting,) = [each for each in migrations.load_migrations() if each.name == "0012_tally_blocks.cypher"]
        for _ in range(2):
            for statement in parting.statements:
                await graph.run_schema(statement)

        for dataset, deltas in rows:
            found = await service.graph.read(lambda tx, dataset=dataset: counts.tallies(tx, str(dataset)))
            assert [list(key) for key in found] == ([[dataset, AI]] if deltas else [])
            flat = next(iter(found.values()), [])
            assert flat == [*deltas, *[0] * (-len(deltas) % 64)]

        async def left(tx: Tx) -> int:
            return (await tx.get("MATCH (t:Tally) RETURN count(t) AS tallies"))["tallies"]

        assert await graph.read(left) == 0

    run(scenario())


# ---- at once --------------------------------------------------------------------------------------------------------


def test_processes_that_migrate_at_once_leave_one_schema(
    graph: Graph, run: Run, settings: Settings, neo4j_server: Server
) -> None:
    known = migrations.load_migrations()
    later = [
        migration(9000 + number, constraint(f"c{number}"), index(f"i{number}"), "CALL db.awaitIndexes(300)")
        for number in range(1, 4)
    ]

    async def scenario() -> None:
        graphs = [connect(settings, neo4j_server) for _ in range(4)]
        try:
            attempts = (migrations.migrate(each, [*known, *later]) for each in graphs)
            applied = await asyncio.gather(*attempts, return_exceptions=True)
        finally:
            await asyncio.gather(*(each.close() for each in graphs))

        assert not [each for each in applied if isinstance(each, BaseException)]
        assert {name for names in applied for name in names} == {each.name for each in later}
        assert {name: each["digest"] for name, each in (await recorded(graph)).items()} == {
            each.name: each.digest for each in (*known, *later)
        }
        names = [name for name, *_ in await indexes(graph)]
        assert {name for name in names if name.startswith("trial_")} == {
            f"trial_{kind}{number}" for kind in "ci" for number in (1, 2, 3)
        }

    run(scenario())


def test_migrating_again_at_once_keeps_one_revision(graph: Graph, run: Run) -> None:
    async def scenario() -> None:
        async def forget(tx: Tx) -> None:
            await tx.rows("MATCH (m:Migration) DELETE m")

        await graph.write(forget)
        await asyncio.gather(*(migrations.migrate(graph) for _ in range(4)))

        async def count(tx: Tx) -> int:
            return (await tx.get("MATCH (r:Revision) RETURN count(r) AS revisions"))["revisions"]

        assert await graph.read(count) == 1
        assert set(await recorded(graph)) == {each.name for each in migrations.load_migrations()}

    run(scenario())
