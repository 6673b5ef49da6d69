"""Figures of a period, counted in the database over index ranges: a few rows come back, however many there are.

Each is as known at `known_at`: an objection is known since it was recorded, and what became of it since that was.
"""

from datetime import timedelta
from typing import LiteralString

from consentline.domain.instants import DAY, Instant, utc_day
from consentline.domain.objections import ObjectionStatus
from consentline.domain.reports import TENTH, DayCount, GroundCount, Period, StatusCount
from consentline.graph.session import Tx

RECEIVED_BY_DAY: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(received_at, key)
WHERE o.received_at >= $begin AND o.received_at < $end AND o.key >= '' AND o.recorded_at <= $known_at
WITH (o.received_at - $midnight) / $day AS day, count(*) AS objections
ORDER BY day
RETURN collect([day, objections]) AS rows
"""


async def received_by_day(tx: Tx, period: Period, known_at: Instant) -> list[DayCount]:
    """How many objections were received on each UTC day of the period that has any."""
    first = utc_day(period.begin)
    midnight = period.begin - period.begin % DAY
    row = await tx.get(
        RECEIVED_BY_DAY, begin=period.begin, end=period.end, midnight=midnight, day=DAY, known_at=known_at
    )
    return [DayCount(first + timedelta(days=day), count) for day, count in row["rows"]]


RECEIVED_BY_STATUS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(received_at, key)
WHERE o.received_at >= $begin AND o.received_at < $end AND o.key >= '' AND o.recorded_at <= $known_at
WITH coalesce(head([(o)-[:BECAME]->(t:Transition) WHERE t.recorded_at <= $known_at | t.status]), 'PENDING') AS status,
     count(*) AS objections
RETURN collect([status, objections]) AS rows
"""


async def received_by_status(tx: Tx, period: Period, known_at: Instant) -> list[StatusCount]:
    """How many of the objections received in the period have each status, as known then."""
    row = await tx.get(RECEIVED_BY_STATUS, begin=period.begin, end=period.end, known_at=known_at)
    found = {ObjectionStatus(status): count for status, count in row["rows"]}
    return [StatusCount(each, found.get(each, 0)) for each in ObjectionStatus]


DECIDED: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= ''
  AND EXISTS { (o)-[:BECAME]->(t:Transition) WHERE t.recorded_at <= $known_at }
WITH (o.decided_at - o.received_at + $tenth / 2) / $tenth AS tenths, count(*) AS objections
ORDER BY tenths
RETURN collect([tenths, objections]) AS rows
"""


async def decided_within(tx: Tx, period: Period, known_at: Instant) -> list[tuple[int, int]]:
    """How many objections were decided in the period after how many tenths of a day (rounded), ascending."""
    row = await tx.get(DECIDED, begin=period.begin, end=period.end, tenth=TENTH, known_at=known_at)
    return [(tenths, count) for tenths, count in row["rows"]]


DECIDED_BY_STATUS: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= ''
  AND EXISTS { (o)-[:BECAME]->(t:Transition) WHERE t.recorded_at <= $known_at }
WITH o.status AS status, count(*) AS objections
RETURN collect([status, objections]) AS rows
"""


async def decided_by_status(tx: Tx, period: Period, known_at: Instant) -> list[StatusCount]:
    """How many objections were upheld, and how many refused, in the period."""
    row = await tx.get(DECIDED_BY_STATUS, begin=period.begin, end=period.end, known_at=known_at)
    found = {ObjectionStatus(status): count for status, count in row["rows"]}
    return [StatusCount(each, found.get(each, 0)) for each in (ObjectionStatus.UPHELD, ObjectionStatus.REFUSED)]


REFUSALS_BY_GROUND: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(decided_at, key)
WHERE o.decided_at >= $begin AND o.decided_at < $end AND o.key >= '' AND o.status = 'REFUSED'
  AND EXISTS { (o)-[:BECAME]->(t:Transition) WHERE t.recorded_at <= $known_at }
WITH o.grounds AS grounds, count(*) AS objections
ORDER BY objections DESC, grounds LIMIT $most
RETURN collect([grounds, objections]) AS rows
"""


async def refusals_by_ground(tx: Tx, period: Period, most: int, known_at: Instant) -> list[GroundCount]:
    """The grounds on which objections were refused in the period, the most frequent first; `most` at most."""
    row = await tx.get(REFUSALS_BY_GROUND, begin=period.begin, end=period.end, most=most, known_at=known_at)
    return [GroundCount(grounds, count) for grounds, count in row["rows"]]


EXTENDED: LiteralString = """
MATCH (o:Objection)
USING INDEX o:Objection(extended_at, key)
WHERE o.extended_at >= $begin AND o.extended_at < $end AND o.key >= '' AND o.extended_at <= $known_at
RETURN count(o) AS objections
"""


async def extended(tx: Tx, period: Period, known_at: Instant) -> int:
    """How many objections had their period extended in the period."""
    return (await tx.get(EXTENDED, begin=period.begin, end=period.end, known_at=known_at))["objections"]


# Whose period was extended later than `known_at` was in time then: it is extended before the first deadline, or not.
OVERDUE: LiteralString = """
RETURN COUNT {
    MATCH (o:Objection)
    USING INDEX o:Objection(deadline, key)
    WHERE o.deadline < $known_at AND o.key >= '' AND o.recorded_at <= $known_at
  } + COUNT {
    MATCH (o:Objection)-[:BECAME]->(t:Transition)
    USING INDEX t:Transition(recorded_at)
    WHERE t.recorded_at > $known_at AND o.recorded_at <= $known_at
      AND coalesce(o.extended_to, o.due_at) < $known_at
  } AS objections
"""


async def overdue(tx: Tx, known_at: Instant) -> int:
    """How many objections were undecided after their deadline at that time, as known then."""
    return (await tx.get(OVERDUE, known_at=known_at))["objections"]
