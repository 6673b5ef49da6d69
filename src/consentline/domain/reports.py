"""Figures of a period: what counts, and how a percentile is taken."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from consentline.domain.datasets import DatasetVersion
from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import DAY, EVER, Instant
from consentline.domain.objections import ObjectionStatus
from consentline.domain.policies import Policy, governing

MOST_DAYS = 3660
"""The longest period, about ten years: an answer by day stays small."""

TENTH = DAY // 10
"""A tenth of a day, the unit in which times to decision are counted."""


@dataclass(frozen=True, slots=True)
class Period:
    """From `begin` on, and before `end`."""

    begin: Instant
    end: Instant

    def __post_init__(self) -> None:
        if self.end <= self.begin:
            raise InvalidInputError("a period ends after it begins", code="REPORT_PERIOD", path=("to",))
        if self.end - self.begin > MOST_DAYS * DAY:
            raise InvalidInputError(f"a period has at most {MOST_DAYS} days", code="REPORT_PERIOD", path=("to",))

    def holds(self, instant: Instant | None) -> bool:
        """Whether the instant lies in the period."""
        return instant is not None and self.begin <= instant < self.end


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many on a day (UTC)."""

    day: date
    count: int


@dataclass(frozen=True, slots=True)
class StatusCount:
    """How many objections of a status."""

    status: ObjectionStatus
    count: int


@dataclass(frozen=True, slots=True)
class GroundCount:
    """How many objections were refused on these grounds, as they were written."""

    grounds: str
    count: int


@dataclass(frozen=True, slots=True)
class DecisionTimes:
    """How long decisions took, from receipt until the person was told, in days to one decimal."""

    decided: int
    median_days: float
    percentile_95_days: float


def nearest_rank(histogram: Sequence[tuple[int, int]], percent: int) -> int:
    """The percentile of values, given as (value, how often) and ascending: one that `percent` of 100 do not exceed.

    Nearest rank: the value at position ceil(percent * n / 100), counted from 1; so it is always one that occurred.

    Raises:
        ValueError: there are no values, or `percent` does not lie between 1 and 100.
    """
    total = sum(count for _, count in histogram)
    if not total or not 1 <= percent <= 100:
        raise ValueError("a percentile from 1 to 100 of at least one value")
    rank = -(-percent * total // 100)
    for value, count in histogram:
        rank -= count
        if rank <= 0:
            return value
    raise AssertionError("the rank lies within the values")


def decision_times(tenths: Sequence[tuple[int, int]]) -> DecisionTimes | None:
    """The figures of times to decision, given as (tenths of a day, how often), ascending; None when there are none.

    Rounding keeps the order, so it makes no difference that the times were rounded before the percentile was taken.
    """
    if not tenths:
        return None
    return DecisionTimes(
        decided=sum(count for _, count in tenths),
        median_days=nearest_rank(tenths, 50) / 10,
        percentile_95_days=nearest_rank(tenths, 95) / 10,
    )


def policies_in_force(policies: Sequence[Policy], at: Instant) -> list[Policy]:
    """Those that govern the people of their own jurisdiction at `at`, as known now; by key."""
    found = [
        policy for policy in policies if governing(policies, policy.jurisdiction, policy.purpose, at, EVER) is policy
    ]
    return sorted(found, key=lambda policy: (policy.key, policy.version))


def built_in(versions: Iterable[DatasetVersion], period: Period) -> list[DatasetVersion]:
    """The versions that were built, and sealed in the period; by dataset and number."""
    found = [version for version in versions if version.build is not None and period.holds(version.sealed_at)]
    return sorted(found, key=lambda version: (version.ref.dataset, version.ref.number))
