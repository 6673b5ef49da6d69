"""Retraining flags: one open flag a model version, read in pages and followed up.

They are raised, and settled when their causes fall away, by what causes them: see causes.py. All of it is written only
under the upper graph's guard.
"""

from collections.abc import Sequence
from typing import Any, LiteralString

from consentline.domain.flags import FlagResolution, FlagStatus, RetrainingFlag
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx

FIND: LiteralString = """
UNWIND $uids AS uid
MATCH (f:RetrainingFlag {uid: uid})
RETURN collect([f.uid, f.model, f.status, f.resolution, f.raised_at, f.due_at, f.justification, f.replacement,
  f.acknowledged_at, f.planned_for, f.resolved_at, head([(f)-[:FOLLOWS]->(p:RetrainingFlag) | p.uid]),
  head([(f)<-[:FOLLOWS]-(n:RetrainingFlag) | n.uid])]) AS rows
"""


async def find(tx: Tx, uid: str) -> RetrainingFlag | None:
    """The flag as it stands."""
    found = await find_all(tx, [uid])
    return found[0] if found else None


async def get(tx: Tx, uid: str) -> RetrainingFlag:
    """The flag, which is recorded, as it stands."""
    (flag,) = await find_all(tx, [uid])
    return flag


async def find_all(tx: Tx, uids: Sequence[str]) -> list[RetrainingFlag]:
    """The flags of these uids that are recorded, as they stand, in no order."""
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
MATCH (o:Objection)<-[c:CAUSED_BY]-(f:RetrainingFlag)
WHERE o.key IN $objections AND c.dropped_at IS NULL
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


async def page_of_objection(tx: Tx, keys: Sequence[str], request: PageRequest) -> Page[RetrainingFlag]:
    """The flags of which the objection stored under one of the keys is a cause, by when they were raised, then uid."""
    return await _page(tx, await tx.get(PAGE_OF_OBJECTION, objections=keys, **_after(request)), request)


def _after(request: PageRequest) -> dict[str, str | int]:
    after, uid = request.after or (ALWAYS, "")
    return {"after": after, "uid": uid, "most": request.first + 1}


async def _page(tx: Tx, row: Any, request: PageRequest) -> Page[RetrainingFlag]:
    found = {flag.uid: flag for flag in await find_all(tx, row["uids"])}
    flags = [found[uid] for uid in row["uids"]]
    return page_from(flags, lambda flag: (flag.raised_at, flag.uid), request, row["total"])


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
    uid, model, status, resolution, raised_at, due_at, justification, replacement, *life = row
    acknowledged_at, planned_for, resolved_at, previous, following = life
    return RetrainingFlag(
        uid=uid,
        model_version=model,
        status=FlagStatus(status),
        resolution=None if resolution is None else FlagResolution(resolution),
        raised_at=raised_at,
        due_at=due_at,
        justification=justification,
        replacement=replacement,
        acknowledged_at=acknowledged_at,
        planned_for=planned_for,
        resolved_at=resolved_at,
        previous=previous,
        next=following,
    )
