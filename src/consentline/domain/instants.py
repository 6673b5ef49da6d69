"""Instants as whole microseconds since 1970-01-01T00:00:00Z, the form in which the graph keeps them."""

from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

Instant: TypeAlias = int
"""Microseconds since the Unix epoch, UTC."""

DAY: Instant = 86_400_000_000
ALWAYS: Instant = -(2**62)
"""Earlier than every instant that can occur: the `valid_from` of a fact that has no beginning."""
EVER: Instant = 2**61
"""Later than every instant that can occur: as `knownAt`, everything that is recorded."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime; exact."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The UTC datetime of an instant; exact."""
    return _EPOCH + timedelta(microseconds=instant)


def utc_day(instant: Instant) -> date:
    """The calendar day in UTC on which the instant falls."""
    return to_datetime(instant).date()
