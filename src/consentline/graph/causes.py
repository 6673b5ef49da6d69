"""The causes of retraining flags: what people and posts give, training runs, and policies.

They are written only under the upper graph's guard, and always by difference: what is demanded against what stands.
"""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from consentline.domain.flags import CAUSES_WITHDRAWN, Cause, CauseKind, FlagCause, Source, SourceKind
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx


class Demand(NamedTuple):
    """How many posts a cause concerns, and until when."""

    posts: int
    due_at: Instant


class Standing(NamedTuple):
    """A cause that is recorded and holds; `id` is good in its transaction.

    `resolved` when its flag was resolved with it: then it demands what was answered, the fewest posts since.
    """

    id: str
    cause: Cause
    demand: Demand
    resolved: bool


@dataclass(frozen=True, slots=True)
class Unsettled:
    """The model versions whose flags changed, and the causes that are to be dropped yet."""

    models: set[str]
    dropped: list[Standing]

    def update(self, other: "Unsettled") -> None:
        """Take in what another step left to settle."""
        self.models.update(other.models)
        self.dropped.extend(other.dropped)


# A source is looked up under its own label only: the key of every other branch is null, and a null is found nowhere.
OF_SOURCES: LiteralString = """
UNWIND $sources AS source
WITH source, source[0] AS label, source[1] AS key
CALL (source, label, key) {
  MATCH (:Objection {key: CASE label WHEN 'Objection' THEN key END})<-[c:CAUSED_BY]-(f:RetrainingFlag) RETURN c, f
  UNION ALL
  MATCH (:Erasure {key: CASE label WHEN 'Erasure' THEN key END})<-[c:CAUSED_BY]-(f:RetrainingFlag) RETURN c, f
  UNION ALL
  MATCH (:Post {key: CASE label WHEN 'Post' THEN key END})<-[c:CAUSED_BY]-(f:RetrainingFlag) RETURN c, f
  UNION ALL
  MATCH (:User {key: CASE label WHEN 'User' THEN key END})<-[c:CAUSED_BY]-(f:RetrainingFlag) RETURN c, f
  UNION ALL
  MATCH (:TrainingRun {key: CASE label WHEN 'TrainingRun' THEN key END})<-[c:CAUSED_BY]-(f:RetrainingFlag)
  RETURN c, f
  UNION ALL
  MATCH (:Policy {key: CASE label WHEN 'Policy' THEN key END, version: source[2]})<-[c:CAUSED_BY]-(f:RetrainingFlag)
  RETURN c, f
}
WITH source, c, f WHERE c.dropped_at IS NULL AND c.lapsed_at IS NULL
RETURN collect([source, elementId(c), f.model, c.kind, coalesce(c.fewest, c.posts), c.due_at,
  f.status = 'RESOLVED']) AS rows
"""


async def of_sources(tx: Tx, sources: Collection[Source]) -> list[Standing]:
    """The causes that the sources give now, by what is recorded."""
    if not sources:
        return []
    rows = (await tx.get(OF_SOURCES, sources=[list(each) for each in sorted(sources)]))["rows"]
    return [_standing(row) for row in rows]


def _standing(row: list[Any]) -> Standing:
    source, number, model, kind, posts, due_at, resolved = row
    return Standing(number, Cause(model, _source(source), CauseKind(kind)), Demand(posts, due_at), resolved)


def _source(row: Sequence[Any]) -> Source:
    kind, key, version = row
    return Source(SourceKind(kind), key, version)


# The flag before is the last that was raised: a new one opens only when none is open.
OPEN: LiteralString = """
UNWIND $rows AS row
MATCH (m:ModelVersion {key: row[0]})
WHERE NOT EXISTS { MATCH (:RetrainingFlag {open_for: row[0]}) }
WITH m, row, head(COLLECT {
  MATCH (f:RetrainingFlag)
  USING INDEX f:RetrainingFlag(model, raised_at, uid)
  WHERE f.model = row[0] AND f.raised_at >= -9223372036854775808 AND f.uid >= ''
  RETURN f ORDER BY f.model DESC, f.raised_at DESC, f.uid DESC LIMIT 1
}) AS previous
MERGE (f:RetrainingFlag {open_for: row[0]})
ON CREATE SET f.uid = row[1], f.model = row[0], f.status = 'OPEN', f.raised_at = $now, f.due_at = row[2]
MERGE (f)-[:FLAGS]->(m)
FOREACH (_ IN CASE WHEN previous IS NULL THEN [] ELSE [1] END | MERGE (f)-[:FOLLOWS]->(previous))
"""

ADD: LiteralString = """
UNWIND $rows AS row
MATCH (f:RetrainingFlag {open_for: row[0]})
SET f.joined_at = CASE f.raised_at WHEN $now THEN f.joined_at ELSE $now END
WITH f, row, row[1] AS label, row[2] AS key
CALL (row, label, key) {
  MATCH (s:Objection {key: CASE label WHEN 'Objection' THEN key END}) RETURN s AS source
  UNION ALL
  MATCH (s:Erasure {key: CASE label WHEN 'Erasure' THEN key END}) RETURN s AS source
  UNION ALL
  MATCH (s:Post {key: CASE label WHEN 'Post' THEN key END}) RETURN s AS source
  UNION ALL
  MATCH (s:User {key: CASE label WHEN 'User' THEN key END}) RETURN s AS source
  UNION ALL
  MATCH (s:TrainingRun {key: CASE label WHEN 'TrainingRun' THEN key END}) RETURN s AS source
  UNION ALL
  MATCH (s:Policy {key: CASE label WHEN 'Policy' THEN key END, version: row[3]}) RETURN s AS source
}
CREATE (f)-[:CAUSED_BY {
  uid: randomUUID(), kind: row[4], posts: row[5], due_at: row[6], recorded_at: $now, standing_for: f.uid
}]->(source)
"""


async def _raise(tx: Tx, raised: Mapping[Cause, Demand], now: Instant) -> None:
    due: dict[str, Instant] = {}
    for cause, what in raised.items():
        due[cause.model] = min(what.due_at, due.get(cause.model, what.due_at))
    await tx.rows(OPEN, rows=[[model, str(uuid.uuid4()), due_at] for model, due_at in sorted(due.items())], now=now)
    causes = [[each.model, *each.source, each.kind, *what] for each, what in sorted(raised.items())]
    await tx.rows(ADD, rows=causes, now=now)


UPDATE: LiteralString = """
UNWIND $rows AS row
MATCH ()-[c:CAUSED_BY]->() WHERE elementId(c) = row[0]
SET c.posts = row[1], c.due_at = row[2]
"""

DROP: LiteralString = """
UNWIND $ids AS id
MATCH ()-[c:CAUSED_BY]->() WHERE elementId(c) = id
SET c.dropped_at = $now
REMOVE c.standing_for
"""

FEWER: LiteralString = """
UNWIND $rows AS row
MATCH ()-[c:CAUSED_BY]->() WHERE elementId(c) = row[0]
SET c.fewest = row[1]
"""

LAPSE: LiteralString = """
UNWIND $ids AS id
MATCH ()-[c:CAUSED_BY]->() WHERE elementId(c) = id
SET c.lapsed_at = $now
"""


async def put(tx: Tx, wanted: Mapping[Cause, Demand], standing: Sequence[Standing], now: Instant) -> Unsettled:
    """Record what is wanted of the causes that the same sources give, and tell what is left to `settle`.

    A model version without an open flag gets one. A cause that was resolved with its flag is answered: it raises
    nothing while it concerns no more posts than it did then, or the fewest since. With more, or should it come again
    after it fell away, it is a new one.
    """
    recorded = {each.cause: each for each in standing if not each.resolved}
    answered = {
        each.cause: each
        for each in standing
        if each.resolved and each.cause in wanted and wanted[each.cause].posts <= each.demand.posts
    }
    raised = {cause: what for cause, what in wanted.items() if cause not in recorded and cause not in answered}
    changed = [
        (each, wanted[cause]) for cause, each in recorded.items() if wanted.get(cause, each.demand) != each.demand
    ]
    dropped = [each for cause, each in recorded.items() if cause not in wanted]
    fewer = [
        (each.id, wanted[cause].posts) for cause, each in answered.items() if wanted[cause].posts < each.demand.posts
    ]
    lapsed = [each.id for each in standing if each.resolved and each.cause not in answered]
    if raised:
        await _raise(tx, raised, now)
    if changed:
        await tx.rows(UPDATE, rows=[[each.id, *what] for each, what in changed])
    if fewer:
        await tx.rows(FEWER, rows=[list(each) for each in fewer])
    if lapsed:
        await tx.rows(LAPSE, ids=lapsed, now=now)
    models = {cause.model for cause in raised} | {each.cause.model for each, _ in changed}
    return Unsettled(models | {each.cause.model for each in dropped}, dropped)


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


async def settle(tx: Tx, unsettled: Unsettled, undecided: Collection[str], now: Instant) -> None:
    """Drop what is no longer wanted, after all that is was put, and bring the flags concerned in line.

    A flag none of whose causes is left is resolved as not required, unless its model version is `undecided`.
    """
    if unsettled.dropped:
        await tx.rows(DROP, ids=[each.id for each in unsettled.dropped], now=now)
    if unsettled.models:
        models, kept = sorted(unsettled.models), sorted(undecided)
        await tx.rows(SETTLE, models=models, undecided=kept, justification=CAUSES_WITHDRAWN, now=now)


OF_FLAG: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})-[c:CAUSED_BY]->(s)
WHERE c.dropped_at IS NULL AND coalesce($kind, c.kind) = c.kind
RETURN collect([c.uid, c.kind, head(labels(s)), s.key, s.version, c.posts, c.due_at, c.recorded_at,
  head([(s)-[:FILED_BY|REQUESTED_BY]->(u:User) | u.key])]) AS rows
"""


class HeldCause(NamedTuple):
    """A cause of a flag and, where somebody claims something by it, the person."""

    cause: FlagCause
    claimant: str | None


async def of_flag(tx: Tx, uid: str, kind: CauseKind | None) -> list[HeldCause]:
    """The causes that hold a flag open, or held it when it was resolved, of one kind or of all; in no order."""
    rows = (await tx.get(OF_FLAG, uid=uid, kind=kind))["rows"]
    return [HeldCause(_flag_cause(row[:-1]), row[-1]) for row in rows]


def _flag_cause(row: Sequence[Any]) -> FlagCause:
    uid, kind, label, key, version, posts, due_at, recorded_at = row
    return FlagCause(uid, CauseKind(kind), Source(SourceKind(label), key, version or 0), posts, due_at, recorded_at)


PAGE_OF_FLAG: LiteralString = """
RETURN COUNT {
    MATCH ()-[c:CAUSED_BY]->()
    USING INDEX c:CAUSED_BY(standing_for, recorded_at, uid)
    WHERE c.standing_for = $flag AND c.recorded_at >= -9223372036854775808 AND c.uid >= ''
      AND coalesce($kind, c.kind) = c.kind
  } AS total,
  COLLECT {
    MATCH ()-[c:CAUSED_BY]->(s)
    USING INDEX c:CAUSED_BY(standing_for, recorded_at, uid)
    WHERE c.standing_for = $flag AND c.recorded_at >= $after AND c.uid >= '' AND coalesce($kind, c.kind) = c.kind
      AND CASE WHEN c.recorded_at = $after THEN c.uid > $uid ELSE true END
    RETURN [c.uid, c.kind, head(labels(s)), s.key, s.version, c.posts, c.due_at, c.recorded_at]
    ORDER BY c.standing_for, c.recorded_at, c.uid LIMIT $most
  } AS rows
"""


async def page_of_flag(tx: Tx, flag: str, kind: CauseKind | None, request: PageRequest) -> Page[FlagCause]:
    """The causes that hold a flag open, or held it when it was resolved, in the order in which they were recorded."""
    after, uid = request.after or (ALWAYS, "")
    row = await tx.get(PAGE_OF_FLAG, flag=flag, kind=kind, after=after, uid=uid, most=request.first + 1)
    found = [_flag_cause(each) for each in row["rows"]]
    return page_from(found, lambda cause: (cause.recorded_at, cause.uid), request, row["total"])
