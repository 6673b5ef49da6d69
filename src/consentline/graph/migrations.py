"""The graph's schema: numbered files, applied in order, recorded in the graph with their digest."""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString, cast

from consentline.domain.errors import MigrationError
from consentline.graph.session import Graph, Tx
from consentline.packaged import data_folder


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of schema/graph; `digest` is the SHA-256 of its bytes."""

    name: str
    digest: str
    statements: tuple[LiteralString, ...]


def load_migrations(folder: Path | None = None) -> tuple[Migration, ...]:
    """The migrations of this version of the code, in order."""
    folder = folder or data_folder("schema") / "graph"
    return tuple(_load(path) for path in sorted(folder.glob("[0-9]*.cypher")))


def _load(path: Path) -> Migration:
    text = path.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("//")]
    statements = [part.strip() for part in "\n".join(lines).split(";\n")]
    # The one place where Cypher comes from a file: ours, packaged with the code and held to its recorded digest.
    trusted = cast("Any", tuple(part.removesuffix(";") for part in statements if part))
    return Migration(path.name, hashlib.sha256(text.encode()).hexdigest(), trusted)


MIGRATION_CONSTRAINT: LiteralString = """
CREATE CONSTRAINT migration_name IF NOT EXISTS FOR (n:Migration) REQUIRE n.name IS UNIQUE
"""

APPLIED: LiteralString = """
MATCH (m:Migration) RETURN m.name AS name, m.digest AS digest ORDER BY name
"""


async def applied(tx: Tx) -> dict[str, str]:
    """The digest of every migration that the graph records, by name."""
    return {row["name"]: row["digest"] for row in await tx.rows(APPLIED)}


RECORD: LiteralString = """
MERGE (m:Migration {name: $name})
ON CREATE SET m.digest = $digest, m.applied_at = datetime.realtime().epochMillis * 1000
"""


_AWAIT = "CALL db.awaitIndexes(300)"
_AWAIT_SECONDS = 300.0
_LOOK_SECONDS = 0.1

POPULATING: LiteralString = """
SHOW INDEXES YIELD state WHERE state <> 'ONLINE' RETURN count(*) AS populating
"""


async def _await_indexes(graph: Graph) -> None:
    """What `_AWAIT` in a migration means: go on when every index is there, or after five minutes.

    The procedure itself would wait inside a transaction, and an index that another process creates waits for that
    transaction to end: two services that begin on a new graph would keep each other for as long.
    """
    deadline = time.monotonic() + _AWAIT_SECONDS

    async def populating(tx: Tx) -> int:
        return (await tx.get(POPULATING))["populating"]

    while await graph.read(populating) and time.monotonic() < deadline:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(_LOOK_SECONDS)


async def migrate(graph: Graph, migrations: Sequence[Migration] | None = None) -> list[str]:
    """Bring the graph's schema up to date and answer what was applied.

    Every statement is idempotent and a migration is recorded after its last one, so two processes may migrate at once
    and a process may die half-way: the next one repeats what is not recorded.

    Raises:
        MigrationError: a recorded migration is missing from this code or has changed.
    """
    known = load_migrations() if migrations is None else tuple(migrations)
    await graph.run_schema(MIGRATION_CONSTRAINT)
    recorded = await graph.read(applied)
    check(known, recorded)
    fresh = [migration for migration in known if migration.name not in recorded]
    for migration in fresh:
        for statement in migration.statements:
            if statement == _AWAIT:
                await _await_indexes(graph)
            else:
                await graph.run_schema(statement)

        async def record(tx: Tx, migration: Migration = migration) -> None:
            await tx.rows(RECORD, name=migration.name, digest=migration.digest)

        await graph.write(record)
    check(known, await graph.read(applied), complete=True)
    return [migration.name for migration in fresh]


def check(known: Sequence[Migration], recorded: dict[str, str], *, complete: bool = False) -> None:
    """Return when the recorded migrations are a beginning of the known ones (all of them, when `complete`).

    Raises:
        MigrationError: naming the first that is changed, missing or not applied.
    """
    by_name = {migration.name: migration for migration in known}
    for name, digest in recorded.items():
        if name not in by_name:
            raise MigrationError(
                f"the graph records migration {name}, which this version does not have: it is older than the graph",
                code="MIGRATION_MISSING",
            )
        if by_name[name].digest != digest:
            raise MigrationError(f"migration {name} has changed since it was applied", code="MIGRATION_CHANGED")
    names = [migration.name for migration in known]
    if sorted(recorded) != names[: len(recorded)]:
        raise MigrationError("a migration older than the last applied one is not applied", code="MIGRATION_ORDER")
    if complete and len(recorded) < len(names):
        raise MigrationError(f"migration {names[len(recorded)]} is not applied", code="MIGRATION_PENDING")
