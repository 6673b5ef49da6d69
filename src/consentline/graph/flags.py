"""Retraining flags and their causes: one open flag a model version, written only under the upper graph's guard."""

import uuid
from collections import defaultdict
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
MERGE (f:RetrainingFlag {open_for: row.model})
ON CREATE SET f.uid = row.uid, f.model = row.model, f.status = 'OPEN', f.raised_at = $now, f.due_at = row.due_at
MERGE (f)-[:FLAGS]->(m)
WITH row, f
MATCH (o:Objection {key: row.objection})
CREATE (f)-[:CAUSED_BY {
  kind: row.kind, posts: row.posts, due_at: row.due_at, recorded_at: $now, standing_for: f.uid
}]->(o)
"""

# By objection: an objection has few causes, a flag may have very many.
UPDATE: LiteralString = """
UNWIND $objections AS each
MATCH (:Objection {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL
WITH c, each.causes[c.kind + ' ' + f.open_for] AS cause
WHERE cause IS NOT NULL
SET c.posts = cause[0], c.due_at = cause[1]
"""

DROP: LiteralString = """
UNWIND $objections AS each
MATCH (:Objection {key: each.key})<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE c.dropped_at IS NULL AND c.kind + ' ' + f.open_for IN each.causes
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
WITH f, due_at WHERE due_at IS NULL
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
        rows = [
            {**each._asdict(), "posts": posts, "due_at": due_at, "uid": str(uuid.uuid4())}
            for each, (posts, due_at) in sorted(raised.items())
        ]
        await tx.rows(RAISE, rows=rows, now=now)
    if changed:
        updates: defaultdict[str, dict[str, tuple[int, Instant]]] = defaultdict(dict)
        for each, what in changed.items():
            updates[each.objection][f"{each.kind} {each.model}"] = what
        await tx.rows(UPDATE, objections=[{"key": key, "causes": causes} for key, causes in sorted(updates.items())])
    if dropped:
        drops: defaultdict[str, list[str]] = defaultdict(list)
        for each in dropped:
            drops[each.objection].append(f"{each.kind} {each.model}")
        objections = [{"key": key, "causes": causes} for key, causes in sorted(drops.items())]
        await tx.rows(DROP, objections=objections, now=now)
    models = sorted({each.model for each in (*raised, *changed, *dropped)})
    if models:
        await tx.rows(SETTLE, models=models, justification=CAUSES_WITHDRAWN, now=now)


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


# Each list has its index, pinned: one statement for every filter would make the planner scan, and so would an OR.
PAGE_OF_ALL: LiteralString = """
RETURN COUNT { MATCH (f:RetrainingFlag) } AS total,
  COLLECT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(raised_at, uid)
    WHERE f.raised_at >= $after AND f.uid >= ''
      AND CASE WHEN f.raised_at = $after THEN f.uid > $uid ELSE true END
    RETURN f.uid ORDER BY f.raised_at, f.uid LIMIT $most
  } AS uids
"""

PAGE_OF_STATUS: LiteralString = """
RETURN COUNT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(status, raised_at, uid)
    WHERE f.status = $status AND f.raised_at >= -9223372036854775808 AND f.uid >= ''
  } AS total,
  COLLECT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(status, raised_at, uid)
    WHERE f.status = $status AND f.raised_at >= $after AND f.uid >= ''
      AND CASE WHEN f.raised_at = $after THEN f.uid > $uid ELSE true END
    RETURN f.uid ORDER BY f.status, f.raised_at, f.uid LIMIT $most
  } AS uids
"""

PAGE_OF_MODEL: LiteralString = """
RETURN COUNT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(model, raised_at, uid)
    WHERE f.model = $model AND f.raised_at >= -9223372036854775808 AND f.uid >= ''
      AND coalesce($status, f.status) = f.status
  } AS total,
  COLLECT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(model, raised_at, uid)
    WHERE f.model = $model AND f.raised_at >= $after AND f.uid >= '' AND coalesce($status, f.status) = f.status
      AND CASE WHEN f.raised_at = $after THEN f.uid > $uid ELSE true END
    RETURN f.uid ORDER BY f.model, f.raised_at, f.uid LIMIT $most
  } AS uids
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
    if model is not None:
        row = await tx.get(PAGE_OF_MODEL, model=model, status=status, **_after(request))
    elif status is not None:
        row = await tx.get(PAGE_OF_STATUS, status=status, **_after(request))
    else:
        row = await tx.get(PAGE_OF_ALL, **_after(request))
    return await _page(tx, row, request)


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
