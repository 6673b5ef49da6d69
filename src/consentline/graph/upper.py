"""The upper graph: its guard, its revision, and reading it whole into memory."""

import asyncio
from typing import Any, LiteralString, NamedTuple

from consentline.domain.datasets import Build, Coverage, DatasetVersion, Selection, VersionRef, VersionStatus
from consentline.domain.eligibility import Reason
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.training import (
    Derivation,
    DerivationKind,
    ModelStatus,
    ModelVersion,
    RunStatus,
    Serving,
    TrainingRun,
)
from consentline.graph.session import Graph, Tx


class Now(NamedTuple):
    """The database's clock, the upper graph's revision and when the first fact was recorded, in one statement."""

    instant: Instant
    revision: str
    first_recorded_at: Instant | None


NOW: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH r, datetime.realtime() AS now
RETURN now.epochSeconds * 1000000 + now.microsecond AS instant, r.value AS revision,
       r.first_recorded_at AS first_recorded_at
"""


async def now(tx: Tx) -> Now:
    """The database's time and the revision, without any lock: for reads."""
    row = await tx.get(NOW)
    return Now(row["instant"], row["revision"], row["first_recorded_at"])


RECORDING_TIME: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH r, datetime.realtime() AS now
WITH r, now.epochSeconds * 1000000 + now.microsecond AS instant
FOREACH (_ IN CASE WHEN r.first_recorded_at IS NULL THEN [1] ELSE [] END | SET r.first_recorded_at = instant)
RETURN instant
"""


async def recording_time(tx: Tx) -> Instant:
    """The `recorded_at` of what this transaction writes: the database's time; ask after all locks are held."""
    return (await tx.get(RECORDING_TIME))["instant"]


LOCK: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
SET r.guard = randomUUID()
RETURN r.value AS revision
"""


async def lock(tx: Tx) -> str:
    """Take the upper graph's guard and answer its revision: whoever writes structure or flags holds it."""
    return (await tx.get(LOCK))["revision"]


CHANGE: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
SET r.value = randomUUID()
RETURN r.value AS revision
"""


async def mark_changed(tx: Tx) -> str:
    """Give the upper graph a new revision, as every structural change does in its own transaction."""
    return (await tx.get(CHANGE))["revision"]


DATASETS: LiteralString = """
MATCH (d:Dataset) RETURN collect([d.key, d.title]) AS rows
"""

VERSIONS: LiteralString = """
MATCH (v:DatasetVersion)
RETURN collect([
  v.dataset, v.number, v.coverage, v.status, v.registered_at, v.sealed_at, v.withdrawn_at, v.post_count,
  v.manifest_digest, v.declared, v.jurisdictions, v.platforms, v.published_from, v.published_before,
  [(v)-[:DERIVED_FROM]->(u:DatasetVersion) | [u.dataset, u.number]],
  [(v)-[:GENERATED_BY]->(m:ModelVersion) | m.key],
  CASE WHEN v.build_purpose IS NULL THEN NULL ELSE [
    v.build_purpose, v.build_as_of, v.build_jurisdictions, v.build_platforms, v.build_published_from,
    v.build_published_before, v.excluded_reasons, v.excluded_counts] END
]) AS rows
"""

RUNS: LiteralString = """
MATCH (t:TrainingRun)
RETURN collect([
  t.key, t.status, t.purpose, t.started_at, t.ended_at, t.recorded_at, t.gated,
  [(t)-[:CONSUMED]->(v:DatasetVersion) | [v.dataset, v.number]],
  [(t)-[:STARTED_FROM]->(b:ModelVersion) | b.key],
  head([(t)-[p:PRODUCED]->(m:ModelVersion) | [m.key, p.recorded_at]]),
  t.authorized_at, t.fail_reason
]) AS rows
"""

MODELS: LiteralString = """
MATCH (m:ModelVersion)
RETURN collect([
  m.key, m.model, m.version, m.status, m.recorded_at,
  [(m)-[d:DERIVED_FROM]->(b:ModelVersion) | [b.key, d.kind, d.at, d.recorded_at]]
]) AS rows
"""

SERVINGS: LiteralString = """
MATCH (f:Feature)-[s:SERVED_BY]->(m:ModelVersion)
RETURN collect([f.key, m.key, s.from, s.to, s.recorded_at]) AS rows
"""

POLICIES: LiteralString = """
MATCH (p:Policy) RETURN collect(properties(p)) AS rows
"""

REVISION: LiteralString = """
MATCH (r:Revision {name: 'lineage'}) RETURN r.value AS revision
"""


async def load(tx: Tx) -> Lineage:
    """The whole upper graph.

    The statements see what is committed when each of them runs; the revision read before and after tells whether they
    agree, and the reading is repeated until they do. Under the guard they agree at once.
    """
    while True:
        before = await tx.get(REVISION)
        versions = [_version(row) for row in (await tx.get(VERSIONS))["rows"]]
        models = (await tx.get(MODELS))["rows"]
        lineage = Lineage(
            revision=before["revision"],
            titles=dict((await tx.get(DATASETS))["rows"]),
            versions={version.ref: version for version in versions},
            runs={row[0]: _run(row) for row in (await tx.get(RUNS))["rows"]},
            models={row[0]: ModelVersion(row[0], row[1], row[2], ModelStatus(row[3]), row[4]) for row in models},
            derivations=tuple(
                Derivation(row[0], base, DerivationKind(kind), at, recorded_at)
                for row in models
                for base, kind, at, recorded_at in row[5]
            ),
            servings=tuple(Serving(*row) for row in (await tx.get(SERVINGS))["rows"]),
            policies=tuple(_policy(row) for row in (await tx.get(POLICIES))["rows"]),
        )
        if (await tx.get(REVISION))["revision"] == lineage.revision:
            return lineage


def _version(row: list[Any]) -> DatasetVersion:
    return DatasetVersion(
        dataset=row[0],
        number=row[1],
        coverage=Coverage(row[2]),
        status=VersionStatus(row[3]),
        registered_at=row[4],
        sealed_at=row[5],
        withdrawn_at=row[6],
        post_count=row[7],
        manifest_digest=row[8],
        selection=Selection(tuple(row[10]), tuple(row[11]), row[12], row[13]) if row[9] else None,
        derived_from=tuple(sorted(VersionRef(*ref) for ref in row[14])),
        generated_by=tuple(sorted(row[15])),
        build=None if row[16] is None else _build(row[16]),
    )


def _build(row: list[Any]) -> Build:
    purpose, as_of, jurisdictions, platforms, published_from, published_before, reasons, counts = row
    return Build(
        purpose=purpose,
        as_of=as_of,
        selection=Selection(tuple(jurisdictions), tuple(platforms), published_from, published_before),
        excluded=tuple((Reason(reason), count) for reason, count in zip(reasons or (), counts or (), strict=True)),
    )


def _run(row: list[Any]) -> TrainingRun:
    produced, produced_recorded_at = row[9] or (None, None)
    return TrainingRun(
        key=row[0],
        status=RunStatus(row[1]),
        purpose=row[2],
        inputs=tuple(sorted(VersionRef(*ref) for ref in row[7])),
        started_from=tuple(sorted(row[8])),
        produced=produced,
        started_at=row[3],
        ended_at=row[4],
        recorded_at=row[5],
        produced_recorded_at=produced_recorded_at,
        gated=row[6],
        authorized_at=row[10],
        fail_reason=row[11],
    )


def _policy(row: dict[str, Any]) -> Policy:
    row.pop("touched", None)
    row["lawful_basis"] = LawfulBasis(row["lawful_basis"])
    row["platforms"] = tuple(row["platforms"])
    return Policy(**row)


class LineageCache:
    """The upper graph as a service last read it; one per process, immutable values, replaced whole."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._lineage = Lineage()
        self._reading = asyncio.Lock()

    @property
    def revision(self) -> str:
        """The revision of the upper graph that was read last."""
        return self._lineage.revision

    async def at(self, revision: str, tx: Tx | None = None) -> Lineage:
        """The upper graph of `revision` or a later one; read inside `tx` when its locks keep it still."""
        if self._lineage.revision == revision:
            return self._lineage
        if tx is not None:
            self._lineage = await load(tx)
            return self._lineage
        async with self._reading:
            # Of many requests that find it changed at once, the first reads it for all.
            if self._lineage.revision != revision:
                self._lineage = await self._graph.read(load)
            return self._lineage
