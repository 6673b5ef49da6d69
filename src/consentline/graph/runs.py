"""The life of a run that passed the gate: its start and its end; and which model versions stand against one."""

from collections.abc import Collection
from typing import LiteralString

from consentline.domain.instants import Instant
from consentline.graph.session import Tx

START: LiteralString = """
MATCH (t:TrainingRun {key: $run})
SET t.status = 'RUNNING', t.started_at = $started_at, t.recorded_at = $recorded_at
"""


async def start(tx: Tx, run: str, *, started_at: Instant, recorded_at: Instant) -> None:
    """The run reads its inputs from now on: all of them are used."""
    await tx.rows(START, run=run, started_at=started_at, recorded_at=recorded_at)


COMPLETE: LiteralString = """
MATCH (t:TrainingRun {key: $run})
MATCH (m:ModelVersion {key: $model})
SET t.status = 'COMPLETED', t.ended_at = $ended_at
CREATE (t)-[:PRODUCED {recorded_at: $recorded_at}]->(m)
"""


async def complete(tx: Tx, run: str, *, model: str, ended_at: Instant, recorded_at: Instant) -> None:
    """The run ended with a model version, which is written already."""
    await tx.rows(COMPLETE, run=run, model=model, ended_at=ended_at, recorded_at=recorded_at)


FAIL: LiteralString = """
MATCH (t:TrainingRun {key: $run})
SET t.status = 'FAILED', t.ended_at = $ended_at, t.fail_reason = $reason
"""


async def fail(tx: Tx, run: str, *, ended_at: Instant, reason: str) -> None:
    """The run ended with nothing; it stays a use."""
    await tx.rows(FAIL, run=run, ended_at=ended_at, reason=reason)


CANCEL: LiteralString = """
MATCH (t:TrainingRun {key: $run})
SET t.status = 'CANCELLED'
"""


async def cancel(tx: Tx, run: str) -> None:
    """The run never starts."""
    await tx.rows(CANCEL, run=run)


FLAGGED: LiteralString = """
UNWIND $models AS model
MATCH (f:RetrainingFlag {open_for: model})
RETURN collect(f.open_for) AS models
"""


async def flagged(tx: Tx, models: Collection[str]) -> frozenset[str]:
    """Those of the model versions that have an open flag."""
    if not models:
        return frozenset()
    return frozenset((await tx.get(FLAGGED, models=sorted(models)))["models"])
