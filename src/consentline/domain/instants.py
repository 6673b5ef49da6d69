"""Instants as whole microseconds since 1970-01-01T00:00:00Z, the form in which the graph keeps them."""

from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

from consentline.domain.errors import InvalidInputError

Instant: TypeAlias = int
"""Microseconds since the Unix epoch, UTC."""

DAY: Instant = 86_400_000_000
ALWAYS: Instant = -(2**62)
"""Earlier than every instant that can occur: the `valid_from` of a fact that has no beginning."""
EVER: Instant = 2**61
"""Later than every instant that can occur: as `knownAt`, everything that is recorded."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# A day short of what `datetime` can hold, so that every offset can be applied.
_FIRST, _LAST = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime; exact."""
    return (moment - _EPOCH) // _MICROSECOND


def to_datetime(instant: Instant) -> datetime:
    """The UTC datetime of an instant; exact."""
    return _EPOCH + timedelta(microseconds=instant)


def utc_day(instant: Instant) -> date:
    """The calendar day in UTC on which the instant falls."""
    return to_datetime(instant).date()


def parse_instant(text: str, field: str) -> Instant:
    """The instant of an ISO 8601 time with an offset.

    Raises:
        InvalidInputError: INVALID_TIME or TIME_WITHOUT_OFFSET; the message names the field, never the text.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        message = f"{field} is not a time such as 2025-01-01T00:00:00Z"
        raise InvalidInputError(message, code="INVALID_TIME", path=(field,)) from None
    if moment.tzinfo is None:
        message = f"{field} has no offset: write Z or +01:00 after the time"
        raise InvalidInputError(message, code="TIME_WITHOUT_OFFSET", path=(field,))
    if not _FIRST <= moment <= _LAST:
        message = f"{field} lies outside the years 1 to 9999"
        raise InvalidInputError(message, code="INVALID_TIME", path=(field,))
    return from_datetime(moment)
