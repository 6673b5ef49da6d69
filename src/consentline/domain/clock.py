"""The statutory clock: until when a person must be answered (UK GDPR Art. 12(3); Regulation 1182/71 Art. 3).

The corresponding date of the next month, else that month's last day; a weekend or public holiday rolls forward. Every
choice that the records leave open is made so that the deadline is never too late.
"""

import calendar
from datetime import date, datetime, time, timedelta
from functools import cache
from importlib import resources
from zoneinfo import ZoneInfo

import holidays

from consentline.domain.instants import Instant, from_datetime, to_datetime

_SATURDAY = 5
_GB_NATIONS = {"GB-ENG": "ENG", "GB-WLS": "WLS", "GB-SCT": "SCT", "GB-NIR": "NIR"}
_END_OF_DAY = time(23, 59, 59)

EXTENDED_MONTHS = 3
"""One month and an extension by two further months (Art. 12(3))."""


def due_at(
    received_at: Instant, jurisdiction: str | None, establishment: str | None = None, *, months: int = 1
) -> Instant:
    """23:59:59 local time of the last day on which an answer is in time, `months` after the local day of receipt.

    `jurisdiction` is the person's (None: weekends only, UTC); a day rolls only when it is a public holiday there and,
    where given, in the controller's `establishment` too.
    """
    zones = zones_of(jurisdiction)
    local_day = max(to_datetime(received_at).astimezone(zone).replace(tzinfo=None) for zone in zones).date()
    last_day = next_working_day(add_months(local_day, months), jurisdiction, establishment)
    return min(from_datetime(datetime.combine(last_day, _END_OF_DAY, tzinfo=zone)) for zone in zones)


def add_months(day: date, months: int) -> date:
    """The corresponding date `months` later, or that month's last day where it has none."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def next_working_day(day: date, jurisdiction: str | None, establishment: str | None = None) -> date:
    """The day itself, or the next that is neither at a weekend nor a public holiday."""
    while day.weekday() >= _SATURDAY or _is_holiday(day, jurisdiction, establishment):
        day += timedelta(days=1)
    return day


def keeps_holidays(jurisdiction: str) -> bool:
    """Whether the public holidays of the country, or of this subdivision of it, are known."""
    country, dash, subdivision = jurisdiction.partition("-")
    try:
        # The table of an alias ("UK", "GBR") says another code than the one that was asked for.
        table = holidays.country_holidays(country, subdiv=subdivision or None)
        return table.country == country and bool(subdivision) == bool(dash)
    except NotImplementedError:
        return False


def zones_of(jurisdiction: str | None) -> tuple[ZoneInfo, ...]:
    """The time zones of the jurisdiction's country; UTC where it is unknown or has none.

    Of several the easternmost counts, where a day begins and ends first; which that is may change with summer time.
    """
    names = _zones().get((jurisdiction or "").split("-", 1)[0], ("UTC",))
    return tuple(ZoneInfo(name) for name in names)


def _is_holiday(day: date, jurisdiction: str | None, establishment: str | None) -> bool:
    if jurisdiction is None or not _public_holiday(day, jurisdiction):
        return False
    return establishment is None or _public_holiday(day, establishment)


def _public_holiday(day: date, jurisdiction: str) -> bool:
    table = _table(jurisdiction)
    return table is not None and day in table


@cache
def _table(jurisdiction: str) -> holidays.HolidayBase | None:
    """The public holidays of a jurisdiction, filled year by year on demand; None where the library has no table."""
    country = jurisdiction.split("-", 1)[0]
    try:
        return holidays.country_holidays(country, subdiv=_GB_NATIONS.get(jurisdiction), categories=holidays.PUBLIC)
    except NotImplementedError:
        return None


@cache
def _zones() -> dict[str, tuple[str, ...]]:
    """The zone names of each country (ISO 3166-1 alpha-2), from the tz database's own table."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    zones: dict[str, tuple[str, ...]] = {}
    for line in table.splitlines():
        if line and not line.startswith("#"):
            country, _, name = line.split("\t")[:3]
            zones[country] = (*zones.get(country, ()), name)
    return zones


__all__ = ["EXTENDED_MONTHS", "add_months", "due_at", "keeps_holidays", "next_working_day", "zones_of"]
