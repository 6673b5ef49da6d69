"""Figures of a period, each counted when it is asked for; nobody is named in them."""

from datetime import date
from typing import Annotated

import strawberry

from consentline.domain import reports
from consentline.domain.eligibility import Reason
from consentline.domain.errors import InvalidInputError
from consentline.domain.gate import GateStep
from consentline.domain.instants import EVER, Instant
from consentline.domain.objections import ObjectionStatus
from consentline.gql.context import Info
from consentline.gql.cursors import MAX_FIRST
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.usecases import reports as report_cases

_Most = Annotated[int, strawberry.argument(description="How many at most, from 1 to 100.")]


@strawberry.type(description="How many on a day.")
class DayCount:
    """A day with its count."""

    day: date = strawberry.field(description="The day, in UTC.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many objections have a status.")
class ObjectionStatusCount:
    """A status with its count."""

    status: ObjectionStatus = strawberry.field(description="The status.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(description="How many objections were refused on the same grounds.")
class GroundCount:
    """Grounds with their count."""

    grounds: str = strawberry.field(description="The grounds, as they were written.")
    count: int = strawberry.field(description="How many.")


@strawberry.type(
    description="How long decisions took: from receivedAt until decidedAt, when the person was told, in days to one"
    " decimal. Percentiles by nearest rank: the time at position ceil(p * n) of n in ascending order."
)
class DecisionTimes:
    """Percentiles over the decisions of a period."""

    decided: int = strawberry.field(description="Over how many decisions.")
    median_days: float = strawberry.field(description="Half of the decisions took this long at most.")
    percentile_95_days: float = strawberry.field(
        name="percentile95Days", description="95 of 100 decisions took this long at most."
    )


@strawberry.type(
    description="Figures about objections: of a period where they say so; all as known at `knownAt`, so that they can"
    " be asked again."
)
class ObjectionFigures:
    """Each field is one statement, and costs nothing when it is not asked for."""

    period: strawberry.Private[reports.Period]
    asked_at: strawberry.Private[Instant | None]

    @property
    def _known_at(self) -> Instant:
        return EVER if self.asked_at is None else self.asked_at

    @strawberry.field(name="from", description="The beginning of the period.")
    def from_(self) -> DateTime:
        """Inclusive."""
        return instant(self.period.begin)

    @strawberry.field(description="The end of the period, which lies outside it.")
    def to(self) -> DateTime:
        """Exclusive."""
        return instant(self.period.end)

    @strawberry.field(description="The recorded time of the figures; null: now.")
    def known_at(self) -> DateTime | None:
        """Recorded time."""
        return instant_or_none(self.asked_at)

    @strawberry.field(description="How many were received in the period.")
    async def received(self, info: Info) -> int:
        """The sum over the days."""
        found = await report_cases.received_by_day(info.context.service, self.period, self._known_at)
        return sum(each.count for each in found)

    @strawberry.field(description="How many were received on each day of the period; days without any are left out.")
    async def received_by_day(self, info: Info) -> list[DayCount]:
        """By day, ascending."""
        found = await report_cases.received_by_day(info.context.service, self.period, self._known_at)
        return [DayCount(day=each.day, count=each.count) for each in found]

    @strawberry.field(description="The status that those received in the period have.")
    async def received_by_status(self, info: Info) -> list[ObjectionStatusCount]:
        """Every status, 0 included."""
        return _by_status(await report_cases.received_by_status(info.context.service, self.period, self._known_at))

    @strawberry.field(
        description="How those decided in the period (decidedAt) were decided, whenever they were received."
    )
    async def decided_by_status(self, info: Info) -> list[ObjectionStatusCount]:
        """UPHELD and REFUSED, 0 included."""
        return _by_status(await report_cases.decided_by_status(info.context.service, self.period, self._known_at))

    @strawberry.field(description="How long the decisions of the period took; null when nothing was decided.")
    async def time_to_decision(self, info: Info) -> DecisionTimes | None:
        """Median and 95th percentile."""
        found = await report_cases.times_to_decision(info.context.service, self.period, self._known_at)
        if found is None:
            return None
        return DecisionTimes(
            decided=found.decided, median_days=found.median_days, percentile_95_days=found.percentile_95_days
        )

    @strawberry.field(
        description="How many are PENDING after their deadline (now, or at `knownAt`), whenever they were received."
    )
    async def overdue(self, info: Info) -> int:
        """As `objections(overdue: true)` counts."""
        return await report_cases.overdue(info.context.service, self.asked_at)

    @strawberry.field(description="How many were extended in the period.")
    async def extended(self, info: Info) -> int:
        """By when the extension was recorded."""
        return await report_cases.extended(info.context.service, self.period, self._known_at)

    @strawberry.field(description="The grounds of the refusals decided in the period, the most frequent first.")
    async def refusals_by_ground(self, info: Info, first: _Most = MAX_FIRST) -> list[GroundCount]:
        """Grounds that are worded the same count together."""
        if not 1 <= first <= MAX_FIRST:
            raise InvalidInputError(f"first lies between 1 and {MAX_FIRST}", code="FIRST_OUT_OF_RANGE", path=("first",))
        found = await report_cases.refusals_by_ground(info.context.service, self.period, first, self._known_at)
        return [GroundCount(grounds=each.grounds, count=each.count) for each in found]


@strawberry.type(description="Figures about the training gate in a period.")
class TrainingFigures:
    """Each field is one statement."""

    period: strawberry.Private[reports.Period]

    @strawberry.field(description="How many runs were refused, to be authorised or to start, however often.")
    async def runs_refused(self, info: Info) -> int:
        """By when they were refused."""
        return (await report_cases.refused(info.context.service, self.period)).runs

    @strawberry.field(
        description="How often a run was refused: one that is tried again is refused again; all that stood against one"
        " attempt counts once."
    )
    async def refusals(self, info: Info) -> int:
        """By when it was refused."""
        return (await report_cases.refused(info.context.service, self.period)).refusals


@strawberry.type(description="One thing that stood against a run when the gate refused it.")
class RecordedRefusal:
    """As it was recorded then; the posts are not kept."""

    value: strawberry.Private[report_cases.RecordedRefusal]

    @strawberry.field(description="The key of the run that was refused.")
    def run(self) -> str:
        """It was not created, unless it had been authorised before."""
        return self.value.run

    @strawberry.field(description="What the run was to be for.")
    def purpose(self) -> str:
        """The purpose."""
        return self.value.purpose

    @strawberry.field(description="When it was refused.")
    def refused_at(self) -> DateTime:
        """The same for all that stood against one answer."""
        return instant(self.value.refused_at)

    @strawberry.field(description="Whether it was to be authorised then, or to start.")
    def step(self) -> GateStep:
        """The step."""
        return self.value.step

    @strawberry.field(
        description='The dataset version that it concerns, "dataset:number"; null: a base checkpoint or a generator.'
    )
    def dataset_version(self) -> str | None:
        """The version's key."""
        return None if self.value.version is None else str(self.value.version)

    @strawberry.field(
        description="Why its posts may not be used; null when it is the version, or the base, itself, and at a start,"
        " which evaluates nobody."
    )
    def reason(self) -> Reason | None:
        """The reason."""
        return self.value.reason

    @strawberry.field(
        description="How many posts had the reason, or at a start could not be used; 0 when it is not about posts."
    )
    def count(self) -> int:
        """The number of posts."""
        return self.value.count

    @strawberry.field(description="The same for people.")
    def message(self) -> str:
        """The message."""
        return self.value.message


def _by_status(counts: list[reports.StatusCount]) -> list[ObjectionStatusCount]:
    return [ObjectionStatusCount(status=each.status, count=each.count) for each in counts]
