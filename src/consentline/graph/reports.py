"""Figures of a period, counted in the database over index ranges: a few rows come back, however many there are."""

from datetime import timedelta
from typing import LiteralString

from consentline.domain.instants import DAY, utc_day
from consentline.domain.objections import ObjectionStatus
from consentline.domain.reports import TENTH, DayCount, GroundCount, Period, StatusCount
from consentline.graph.session import Tx

RECEIVED_BY_DAY: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(received_at, key)
WHERE o.received_at >= $begin AND o.received_at < $end AND o.key >= ''
WITH (o.received_at - $midnight) / $day AS day, count(*) AS objections
ORDER BY day
RETURN collect([day, objections]) AS rows
"""


async def received_by_day(tx: Tx, period: Period) -> list[DayCount]:
    """How many objections were received on each UTC day of the period that has any."""
    first = utc_day(period.begin)
    midnight = period.begin - period.begin % DAY
    row = await tx.get(RECEIVED_BY_DAY, begin=period.begin, end=period.end, midnight=midnight, day=DAY)
    return [DayCount(first + timedelta(days=day), count) for day, count in row["rows"]]


RECEIVED_BY_STATUS: LiteralString = """
UNWIND $statuses AS status
RETURN collect([status, COUNT {
  MATCH (o:Objection)
  USING INDEX o:Objection(status, received_at, key)
  WHERE o.status = status AND o.received_at >= $begin AND o.received_at < $end AND o.key >= ''
}]) AS rows
"""


async def received_by_status(tx: Tx, period: Period) -> list[StatusCount]:
    """How many of the objections received in the period have each status now."""
    row = await tx.get(RECEIVED_BY_STATUS, statuses=list(ObjectionStatus), begin=period.begin, end=period.end)
    return [StatusCount(ObjectionStatus(status), count) for status, count in row["rows"]]


DECIDED: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= ''
WITH (o.decided_at - o.received_at + $tenth / 2) / $tenth AS tenths, count(*) AS objections
ORDER BY tenths
RETURN collect([tenths, objections]) AS rows
"""


async def decided_within(tx: Tx, period: Period) -> list[tuple[int, int]]:
    """How many objections were decided in the period after how many tenths of a day (rounded), ascending."""
    row = await tx.get(DECIDED, begin=period.begin, end=period.end, tenth=TENTH)
    return [(tenths, count) for tenths, count in row["rows"]]


DECIDED_BY_STATUS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= ''
WITH o.status AS status, count(*) AS objections
RETURN collect([status, objections]) AS rows
"""


async def decided_by_status(tx: Tx, period: Period) -> list[StatusCount]:
    """How many objections were upheld, and how many refused, in the period."""
    row = await tx.get(DECIDED_BY_STATUS, begin=period.begin, end=period.end)
    found = {ObjectionStatus(status): count for status, count in row["rows"]}
    return [StatusCount(each, found.get(each, 0)) for each in (ObjectionStatus.UPHELD, ObjectionStatus.REFUSED)]


REFUSALS_BY_GROUND: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= '' AND o.status = 'REFUSED'
WITH o.grounds AS grounds, count(*) AS objections
ORDER BY objections DESC, grounds LIMIT $most
RETURN collect([grounds, objections]) AS rows
"""


async def refusals_by_ground(tx: Tx, period: Period, most: int) -> list[GroundCount]:
    """The grounds on which objections were refused in the period, the most frequent first; `most` at most."""
    row = await tx.get(REFUSALS_BY_GROUND, begin=period.begin, end=period.end, most=most)
    return [GroundCount(grounds, count) for grounds, count in row["rows"]]


EXTENDED: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(extended_at, key)
WHERE o.extended_at >= $begin AND o.extended_at < $end AND o.key >= ''
RETURN count(o) AS objections
"""


async def extended(tx: Tx, period: Period) -> int:
    """How many objections had their period extended in the period."""
    return (await tx.get(EXTENDED, begin=period.begin, end=period.end))["objections"]
