"""Training runs, model versions, derivations and the features they serve: writing them."""

from collections.abc import Sequence
from typing import LiteralString

from consentline.domain.instants import Instant
from consentline.domain.training import Derivation, Serving, TrainingRun
from consentline.graph.session import Tx

CREATE_RUN: LiteralString = """
CREATE (t:TrainingRun {
  key: $key, status: $status, purpose: $purpose, started_at: $started_at, ended_at: $ended_at,
  recorded_at: $recorded_at, gated: $gated, authorized_at: $authorized_at
})
WITH t
CALL (t) {
  UNWIND $inputs AS ref
  MATCH (v:DatasetVersion {dataset: ref[0], number: ref[1]})
  CREATE (t)-[:CONSUMED]->(v)
}
CALL (t) {
  UNWIND $started_from AS base
  MATCH (m:ModelVersion {key: base})
  CREATE (t)-[:STARTED_FROM]->(m)
}
"""

PRODUCE: LiteralString = """
MATCH (t:TrainingRun {key: $run})
MATCH (m:ModelVersion {key: $model})
CREATE (t)-[:PRODUCED {recorded_at: $recorded_at}]->(m)
"""


async def create_run(tx: Tx, run: TrainingRun) -> None:
    """Write a run with what it read, what it started from and, when it produced one, its model version."""
    await tx.rows(
        CREATE_RUN,
        key=run.key,
        status=run.status,
        purpose=run.purpose,
        started_at=run.started_at,
        ended_at=run.ended_at,
        recorded_at=run.recorded_at,
        gated=run.gated,
        authorized_at=run.authorized_at,
        inputs=[[ref.dataset, ref.number] for ref in run.inputs],
        started_from=list(run.started_from),
    )
    if run.produced is not None:
        await tx.rows(PRODUCE, run=run.key, model=run.produced, recorded_at=run.produced_recorded_at)


CREATE_MODEL: LiteralString = """
MERGE (m:ModelVersion {key: $key})
ON CREATE SET m.model = $model, m.version = $version, m.status = 'ACTIVE', m.recorded_at = $recorded_at
"""


async def create_model(tx: Tx, key: str, model: str, version: str, recorded_at: Instant) -> None:
    """Write a model version, unless it is recorded already."""
    await tx.rows(CREATE_MODEL, key=key, model=model, version=version, recorded_at=recorded_at)


DERIVE: LiteralString = """
UNWIND $rows AS row
MATCH (m:ModelVersion {key: row.model})
MATCH (b:ModelVersion {key: row.base})
CREATE (m)-[:DERIVED_FROM {kind: row.kind, at: row.at, recorded_at: row.recorded_at}]->(b)
"""


async def derive(tx: Tx, derivations: Sequence[Derivation]) -> None:
    """Write derivations between recorded model versions."""
    rows = [
        {"model": each.model, "base": each.base, "kind": each.kind, "at": each.at, "recorded_at": each.recorded_at}
        for each in derivations
    ]
    await tx.rows(DERIVE, rows=rows)


SERVE: LiteralString = """
MERGE (f:Feature {key: $feature})
ON CREATE SET f.recorded_at = $recorded_at
WITH f
MATCH (m:ModelVersion {key: $model})
CREATE (f)-[:SERVED_BY {from: $since, recorded_at: $recorded_at}]->(m)
"""

# Each serving ends where the next one of the feature begins, in whatever order they were recorded.
TIMELINE: LiteralString = """
MATCH (f:Feature {key: $feature})-[s:SERVED_BY]->(:ModelVersion)
WITH collect(s) AS servings
UNWIND servings AS s
WITH s, reduce(next = null, o IN [o IN servings WHERE o.from > s.from | o.from] |
  CASE WHEN next IS NULL OR o < next THEN o ELSE next END) AS next
SET s.to = next
"""


async def serve(tx: Tx, serving: Serving) -> None:
    """Write that a model version serves a feature from an instant on, taking over from what served it before."""
    await tx.rows(
        SERVE,
        feature=serving.feature,
        model=serving.model_version,
        since=serving.since,
        recorded_at=serving.recorded_at,
    )
    await tx.rows(TIMELINE, feature=serving.feature)
