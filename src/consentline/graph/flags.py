"""Retraining flags and their causes: one open flag a model version, written only under the upper graph's guard."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.flags import CAUSES_WITHDRAWN, CauseKind, FlagResolution, FlagStatus, RetrainingFlag
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx


class Cause(NamedTuple):
    """One objection's reason for a flag of one model version."""

    model: str
    objection: str
    kind: CauseKind


class Standing(NamedTuple):
    """A cause that is recorded and was not dropped; `resolved` when its flag was resolved with it."""

    cause: Cause
    posts: int
    due_at: Instant
    resolved: bool


STANDING: LiteralString = """
UNWIND $objections AS key
MATCH (:Objection {key: key})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL
RETURN collect([f.model, key, c.kind, c.posts, c.due_at, f.status = 'RESOLVED']) AS rows
"""


async def standing_causes(tx: Tx, objections: Sequence[str]) -> list[Standing]:
    """The causes that the objections give now, by what is recorded."""
    rows = (await tx.get(STANDING, objections=list(objections)))["rows"]
    return [Standing(Cause(row[0], row[1], CauseKind(row[2])), row[3], row[4], row[5]) for row in rows]


RAISE: LiteralString = """
UNWIND $rows AS row
MATCH (m:ModelVersion {key: row.model})
MATCH (o:Objection {key: row.objection})
MERGE (f:RetrainingFlag {open_for: row.model})
ON CREATE SET f.uid = row.uid, f.model = row.model, f.status = 'OPEN', f.raised_at = $now, f.due_at = row.due_at
MERGE (f)-[:FLAGS]->(m)
CREATE (f)-[:CAUSED_BY {kind: row.kind, posts: row.posts, due_at: row.due_at, recorded_at: $now}]->(o)
"""

UPDATE: LiteralString = """
UNWIND $rows AS row
MATCH (f:RetrainingFlag {open_for: row.model})-[c:CAUSED_BY {kind: row.kind}]->(:Objection {key: row.objection})
WHERE c.dropped_at IS NULL
SET c.posts = row.posts, c.due_at = row.due_at
"""

DROP: LiteralString = """
UNWIND $rows AS row
MATCH (f:RetrainingFlag {open_for: row.model})-[c:CAUSED_BY {kind: row.kind}]->(:Objection {key: row.objection})
WHERE c.dropped_at IS NULL
SET c.dropped_at = $now
"""

SETTLE: LiteralString = """
UNWIND $models AS model
MATCH (f:RetrainingFlag {open_for: model})
WITH f, [(f)-[c:CAUSED_BY]->() WHERE c.dropped_at IS NULL | c.due_at] AS dues
WITH f, reduce(first = null, due IN dues | CASE WHEN first IS NULL OR due < first THEN due ELSE first END) AS due_at
SET f.due_at = coalesce(due_at, f.due_at)
WITH f WHERE due_at IS NULL
SET f.status = 'RESOLVED', f.resolution = 'NOT_REQUIRED', f.justification = $justification, f.resolved_at = $now
REMOVE f.open_for
"""


async def write_causes(
    tx: Tx,
    *,
    raised: Mapping[Cause, tuple[int, Instant]],
    changed: Mapping[Cause, tuple[int, Instant]],
    dropped: Sequence[Cause],
    now: Instant,
) -> None:
    """Record causes with their posts and due dates, and bring the flags concerned in line with them.

    A model version without an open flag gets one; a flag none of whose causes is left is resolved as not required.
    """
    if raised:
        await tx.rows(
            RAISE, rows=[_row(each, *raised[each], uid=str(uuid.uuid4())) for each in sorted(raised)], now=now
        )
    if changed:
        await tx.rows(UPDATE, rows=[_row(each, *changed[each]) for each in sorted(changed)])
    if dropped:
        rows = [{"model": each.model, "objection": each.objection, "kind": each.kind} for each in sorted(dropped)]
        await tx.rows(DROP, rows=rows, now=now)
    models = sorted({each.model for each in (*raised, *changed, *dropped)})
    if models:
        await tx.rows(SETTLE, models=models, justification=CAUSES_WITHDRAWN, now=now)


def _row(cause: Cause, posts: int, due_at: Instant, **more: str) -> dict[str, str | int]:
    return {
        "model": cause.model,
        "objection": cause.objection,
        "kind": cause.kind,
        "posts": posts,
        "due_at": due_at,
        **more,
    }


FIND: LiteralString = """
UNWIND $uids AS uid
MATCH (f:RetrainingFlag {uid: uid})
RETURN collect([f.uid, f.model, f.status, f.resolution, f.raised_at, f.due_at, f.justification, f.replacement]) AS rows
"""


async def find(tx: Tx, uid: str) -> RetrainingFlag | None:
    """The flag as it stands."""
    found = await _find_all(tx, [uid])
    return found[0] if found else None


async def _find_all(tx: Tx, uids: Sequence[str]) -> list[RetrainingFlag]:
    return [_flag(row) for row in (await tx.get(FIND, uids=list(uids)))["rows"]]


PAGE: LiteralString = """
CALL () {
  MATCH (f:RetrainingFlag)
  WHERE ($status IS NULL OR f.status = $status) AND ($model IS NULL OR f.model = $model)
  RETURN count(f) AS total
}
CALL () {
  MATCH (f:RetrainingFlag)
  WHERE ($status IS NULL OR f.status = $status) AND ($model IS NULL OR f.model = $model)
    AND f.raised_at >= $after AND (f.raised_at > $after OR f.uid > $uid)
  WITH f ORDER BY f.raised_at, f.uid LIMIT $most
  RETURN collect(f.uid) AS uids
}
RETURN total, uids
"""

PAGE_OF_OBJECTION: LiteralString = """
MATCH (:Objection {key: $objection})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL
WITH DISTINCT f ORDER BY f.raised_at, f.uid
WITH collect(f) AS found
RETURN size(found) AS total,
       [f IN found WHERE f.raised_at > $after OR (f.raised_at = $after AND f.uid > $uid) | f.uid][..$most] AS uids
"""


async def page(tx: Tx, status: FlagStatus | None, model: str | None, request: PageRequest) -> Page[RetrainingFlag]:
    """Flags by the time they were raised, then uid."""
    return await _page(tx, await tx.get(PAGE, status=status, model=model, **_after(request)), request)


async def page_of_objection(tx: Tx, objection: str, request: PageRequest) -> Page[RetrainingFlag]:
    """The flags of which the objection is a cause, by the time they were raised, then uid."""
    return await _page(tx, await tx.get(PAGE_OF_OBJECTION, objection=objection, **_after(request)), request)


def _after(request: PageRequest) -> dict[str, str | int]:
    after, uid = request.after or (ALWAYS, "")
    return {"after": after, "uid": uid, "most": request.first + 1}


async def _page(tx: Tx, row: Any, request: PageRequest) -> Page[RetrainingFlag]:
    found = {flag.uid: flag for flag in await _find_all(tx, row["uids"])}
    flags = [found[uid] for uid in row["uids"]]
    return page_from(flags, lambda flag: (flag.raised_at, flag.uid), request, row["total"])


CAUSES_OF: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})-[c:CAUSED_BY]->(o:Objection)-[:FILED_BY]->(u:User)
WHERE c.dropped_at IS NULL AND ($kind IS NULL OR c.kind = $kind)
RETURN collect([o.key, u.key, c.kind, c.posts]) AS rows
"""


class FlagCause(NamedTuple):
    """A standing cause of a flag, whose objection it is, and how many posts it concerns."""

    objection: str
    user: str
    kind: CauseKind
    posts: int


async def causes_of(tx: Tx, uid: str, kind: CauseKind | None) -> list[FlagCause]:
    """The standing causes of a flag, of one kind or of all."""
    rows = (await tx.get(CAUSES_OF, uid=uid, kind=kind))["rows"]
    return [FlagCause(row[0], row[1], CauseKind(row[2]), row[3]) for row in rows]


ACKNOWLEDGE: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})
SET f.status = 'ACKNOWLEDGED', f.acknowledged_at = coalesce(f.acknowledged_at, $now)
"""


async def acknowledge(tx: Tx, uid: str, now: Instant) -> None:
    """Record that somebody has taken the flag up."""
    await tx.rows(ACKNOWLEDGE, uid=uid, now=now)


SCHEDULE: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})
SET f.status = 'SCHEDULED', f.planned_for = $planned_for
"""


async def schedule(tx: Tx, uid: str, planned_for: Instant) -> None:
    """Record when the model version is to be retrained."""
    await tx.rows(SCHEDULE, uid=uid, planned_for=planned_for)


RESOLVE: LiteralString = """
MATCH (f:RetrainingFlag {uid: $uid})-[:FLAGS]->(m:ModelVersion)
SET f.status = 'RESOLVED', f.resolution = $resolution, f.replacement = $replacement,
    f.justification = $justification, f.resolved_at = $now
REMOVE f.open_for
SET m.status = CASE $resolution WHEN 'RETIRED' THEN 'RETIRED' ELSE m.status END
"""


async def resolve(
    tx: Tx,
    uid: str,
    resolution: FlagResolution,
    *,
    replacement: str | None,
    justification: str | None,
    now: Instant,
) -> None:
    """End the flag; a model version whose flag ends as RETIRED is retired."""
    await tx.rows(
        RESOLVE, uid=uid, resolution=resolution, replacement=replacement, justification=justification, now=now
    )


def _flag(row: list[Any]) -> RetrainingFlag:
    uid, model, status, resolution, raised_at, due_at, justification, replacement = row
    return RetrainingFlag(
        uid=uid,
        model_version=model,
        status=FlagStatus(status),
        resolution=None if resolution is None else FlagResolution(resolution),
        raised_at=raised_at,
        due_at=due_at,
        justification=justification,
        replacement=replacement,
    )
