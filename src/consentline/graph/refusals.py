"""What the gate refused: kept for reports, without the posts that it named."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.datasets import VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.gate import GateStep, RecordedRefusal, StartRefusedError, TrainingRefusal
from consentline.domain.instants import ALWAYS, Instant
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx

RECORD: LiteralString = """
UNWIND $rows AS row
CREATE (:Refusal {
  uid: randomUUID(), step: $step, run: $run, purpose: $purpose, refused_at: $now,
  dataset: row[0], number: row[1], reason: row[2], count: row[3], message: row[4]
})
"""


async def record(tx: Tx, run: str, purpose: str, refusals: Sequence[TrainingRefusal], now: Instant) -> None:
    """Write what stood against a run that was to be authorised."""
    rows = [[*each.version, each.reason, each.count, each.message] for each in refusals]
    await tx.rows(RECORD, step=GateStep.AUTHORIZE, run=run, purpose=purpose, now=now, rows=rows)


async def record_bases(tx: Tx, run: str, purpose: str, message: str, now: Instant) -> None:
    """Write that the base checkpoints of a run stood against it."""
    rows = [[None, None, None, 0, message]]
    await tx.rows(RECORD, step=GateStep.AUTHORIZE, run=run, purpose=purpose, now=now, rows=rows)


async def record_start(tx: Tx, run: str, refused: StartRefusedError, now: Instant) -> None:
    """Write what stood against the start of a run."""
    rows = [
        [*((None, None) if version is None else version), None, count, message]
        for version, count, message in refused.against
    ]
    await tx.rows(RECORD, step=GateStep.START, run=run, purpose=refused.purpose, now=now, rows=rows)


PAGE: LiteralString = """
RETURN COUNT {
    MATCH (f:Refusal)
    USING INDEX f:Refusal(refused_at, uid)
    WHERE f.refused_at >= $begin AND f.refused_at < $end AND f.uid >= ''
  } AS total,
  COLLECT {
    MATCH (f:Refusal)
    USING INDEX f:Refusal(refused_at, uid)
    WHERE f.refused_at >= $from AND f.refused_at < $end AND f.uid >= ''
      AND CASE WHEN f.refused_at = $after THEN f.uid > $uid ELSE true END
    WITH f ORDER BY f.refused_at, f.uid LIMIT $most
    RETURN [f.uid, f.run, f.purpose, f.refused_at, f.dataset, f.number, f.reason, f.count, f.message,
            coalesce(f.step, 'AUTHORIZE')]
  } AS rows
"""


async def page(tx: Tx, begin: Instant, end: Instant, request: PageRequest) -> Page[RecordedRefusal]:
    """What was refused at `begin` or later, and before `end`; by time, then uid."""
    after, uid = request.after or (ALWAYS, "")
    row = await tx.get(
        PAGE, begin=begin, end=end, **{"from": max(begin, int(after))}, after=after, uid=uid, most=request.first + 1
    )
    found = [_refusal(*each) for each in row["rows"]]
    return page_from(found, lambda each: (each.refused_at, each.uid), request, row["total"])


COUNT: LiteralString = """
MATCH (f:Refusal)
USING INDEX f:Refusal(refused_at, uid)
WHERE f.refused_at >= $begin AND f.refused_at < $end AND f.uid >= ''
RETURN count(DISTINCT f.run) AS runs, count(DISTINCT [f.run, f.refused_at]) AS refusals
"""


class RefusalCounts(NamedTuple):
    """How many runs were refused, and how often: one that is tried again is refused again."""

    runs: int
    refusals: int


async def count(tx: Tx, begin: Instant, end: Instant) -> RefusalCounts:
    """What the gate refused at `begin` or later, and before `end`; all that stood against one attempt counts once."""
    row = await tx.get(COUNT, begin=begin, end=end)
    return RefusalCounts(row["runs"], row["refusals"])


def _refusal(
    uid: str,
    run: str,
    purpose: str,
    refused_at: Instant,
    dataset: str | None,
    number: int | None,
    reason: str | None,
    count: int,
    message: str,
    step: str,
) -> RecordedRefusal:
    version = None if dataset is None or number is None else VersionRef(dataset, number)
    return RecordedRefusal(
        uid,
        run,
        purpose,
        refused_at,
        version,
        None if reason is None else Reason(reason),
        count,
        message,
        GateStep(step),
    )
