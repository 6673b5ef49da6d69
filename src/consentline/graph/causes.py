"""The causes of retraining flags: objections, and training runs that read what could not be used.

They are written only under the upper graph's guard, and always by difference: what is demanded against what stands.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.flags import CAUSES_WITHDRAWN, CauseKind
from consentline.domain.instants import Instant
from consentline.graph.session import Tx


class Cause(NamedTuple):
    """One reason for a flag of one model version: an objection or, of kind VIOLATION, a training run, by its key."""

    model: str
    source: str
    kind: CauseKind


class Demand(NamedTuple):
    """How many posts a cause concerns, and until when."""

    posts: int
    due_at: Instant


class Standing(NamedTuple):
    """A cause that is recorded and was not dropped; `resolved` when its flag was resolved with it."""

    cause: Cause
    demand: Demand
    resolved: bool


class Unsettled(NamedTuple):
    """The model versions whose flags changed, and the causes that are to be dropped yet."""

    models: set[str]
    dropped: list[Cause]


OF_OBJECTIONS: LiteralString = """
UNWIND $keys AS key
MATCH (:Objection {key: key})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL
RETURN collect([f.model, key, c.kind, c.posts, c.due_at, f.status = 'RESOLVED']) AS rows
"""

OF_RUNS: LiteralString = """
UNWIND $keys AS key
MATCH (:TrainingRun {key: key})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL
RETURN collect([f.model, key, c.kind, c.posts, c.due_at, f.status = 'RESOLVED']) AS rows
"""


async def of_objections(tx: Tx, objections: Collection[str]) -> list[Standing]:
    """The causes that the objections give now, by what is recorded."""
    return [_standing(row) for row in (await tx.get(OF_OBJECTIONS, keys=sorted(objections)))["rows"]]


async def of_runs(tx: Tx, runs: Collection[str]) -> list[Standing]:
    """The causes that the runs give now, by what is recorded."""
    return [_standing(row) for row in (await tx.get(OF_RUNS, keys=sorted(runs)))["rows"]]


def _standing(row: list[Any]) -> Standing:
    model, source, kind, posts, due_at, resolved = row
    return Standing(Cause(model, source, CauseKind(kind)), Demand(posts, due_at), resolved)


RAISE: LiteralString = """
UNWIND $rows AS row
MATCH (m:ModelVersion {key: row.model})
MERGE (f:RetrainingFlag {open_for: row.model})
ON CREATE SET f.uid = row.uid, f.model = row.model, f.status = 'OPEN', f.raised_at = $now, f.due_at = row.due_at
ON MATCH SET f.joined_at = $now
MERGE (f)-[:FLAGS]->(m)
WITH row, f
CALL (row) {
  MATCH (o:Objection {key: row.source}) WHERE row.kind <> 'VIOLATION' RETURN o AS source
  UNION ALL
  MATCH (t:TrainingRun {key: row.source}) WHERE row.kind = 'VIOLATION' RETURN t AS source
}
CREATE (f)-[:CAUSED_BY {
  kind: row.kind, posts: row.posts, due_at: row.due_at, recorded_at: $now, standing_for: f.uid
}]->(source)
"""

# By source: one has few causes, a flag may have very many. The kind tells an objection from a run of the same key.
UPDATE: LiteralString = """
UNWIND $sources AS each
CALL (each) {
  MATCH (:Objection {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag) WHERE c.dropped_at IS NULL RETURN c, f
  UNION ALL
  MATCH (:TrainingRun {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag) WHERE c.dropped_at IS NULL RETURN c, f
}
WITH c, each.causes[c.kind + ' ' + f.open_for] AS cause
WHERE cause IS NOT NULL
SET c.posts = cause[0], c.due_at = cause[1]
"""

DROP: LiteralString = """
UNWIND $sources AS each
CALL (each) {
  MATCH (:Objection {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag) WHERE c.dropped_at IS NULL RETURN c, f
  UNION ALL
  MATCH (:TrainingRun {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag) WHERE c.dropped_at IS NULL RETURN c, f
}
WITH c, f, each
WHERE c.kind + ' ' + f.open_for IN each.causes
SET c.dropped_at = $now
REMOVE c.standing_for
"""

# The earliest standing cause comes from the index, so that the ten thousandth objection costs what the first did.
SETTLE: LiteralString = """
UNWIND $models AS model
MATCH (f:RetrainingFlag {open_for: model})
CALL (f) {
  MATCH ()-[c:CAUSED_BY]->()
  USING INDEX c:CAUSED_BY(standing_for, due_at)
  WHERE c.standing_for = f.uid AND c.due_at >= -9223372036854775808
  WITH c ORDER BY c.standing_for, c.due_at LIMIT 1
  RETURN head(collect(c.due_at)) AS due_at
}
SET f.due_at = coalesce(due_at, f.due_at)
WITH f, due_at WHERE due_at IS NULL AND NOT f.model IN $undecided
SET f.status = 'RESOLVED', f.resolution = 'NOT_REQUIRED', f.justification = $justification, f.resolved_at = $now
REMOVE f.open_for
"""


async def put(tx: Tx, wanted: Mapping[Cause, Demand], standing: Sequence[Standing], now: Instant) -> Unsettled:
    """Record what is wanted of the causes that the same sources give, and tell what is left to `settle`.

    A model version without an open flag gets one. A cause that was resolved with its flag is settled: it stays.
    """
    recorded = {each.cause: each.demand for each in standing if not each.resolved}
    resolved = {each.cause for each in standing if each.resolved}
    raised = {cause: what for cause, what in wanted.items() if cause not in recorded and cause not in resolved}
    changed = {cause: what for cause, what in wanted.items() if recorded.get(cause, what) != what}
    dropped = [cause for cause in recorded if cause not in wanted]
    if raised:
        rows = [{**each._asdict(), **what._asdict(), "uid": str(uuid.uuid4())} for each, what in sorted(raised.items())]
        await tx.rows(RAISE, rows=rows, now=now)
    if changed:
        updates: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        for each, what in changed.items():
            updates[each.source][f"{each.kind} {each.model}"] = list(what)
        await tx.rows(UPDATE, sources=[{"key": key, "causes": causes} for key, causes in sorted(updates.items())])
    return Unsettled({each.model for each in (*raised, *changed, *dropped)}, dropped)


async def settle(tx: Tx, unsettled: Unsettled, undecided: Collection[str], now: Instant) -> None:
    """Drop what is no longer wanted, after all that is was put, and bring the flags concerned in line.

    A flag none of whose causes is left is resolved as not required, unless its model version is `undecided`.
    """
    if unsettled.dropped:
        drops: defaultdict[str, list[str]] = defaultdict(list)
        for each in unsettled.dropped:
            drops[each.source].append(f"{each.kind} {each.model}")
        sources = [{"key": key, "causes": causes} for key, causes in sorted(drops.items())]
        await tx.rows(DROP, sources=sources, now=now)
    if unsettled.models:
        models, kept = sorted(unsettled.models), sorted(undecided)
        await tx.rows(SETTLE, models=models, undecided=kept, justification=CAUSES_WITHDRAWN, now=now)


OF_FLAG: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})-[c:CAUSED_BY]->(source)
WHERE c.dropped_at IS NULL AND ($kind IS NULL OR c.kind = $kind)
RETURN collect([source.key, head([(source)-[:FILED_BY]->(u:User) | u.key]), c.kind, c.posts]) AS rows
"""


class FlagCause(NamedTuple):
    """A standing cause of a flag, how many posts it concerns and, of an objection, whose it is."""

    source: str
    user: str | None
    kind: CauseKind
    posts: int


async def of_flag(tx: Tx, uid: str, kind: CauseKind | None) -> list[FlagCause]:
    """The standing causes of a flag, of one kind or of all."""
    rows = (await tx.get(OF_FLAG, uid=uid, kind=kind))["rows"]
    return [FlagCause(source, user, CauseKind(kind), posts) for source, user, kind, posts in rows]
