"""Instants, days, and the statutory clock."""

import calendar
import functools
from datetime import UTC, date, datetime, time, timedelta
from importlib import resources
from zoneinfo import ZoneInfo

import holidays

ALWAYS, FOR_EVER = -(2**63), 2**63
DAY = 24 * 60 * 60 * 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(text: str) -> int:
    """The instant in whole microseconds since 1970, UTC."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"no offset in {text!r}")
    return (moment - EPOCH) // timedelta(microseconds=1)


def instant(at: int) -> datetime:
    return EPOCH + timedelta(microseconds=at)


def utc_day(at: int) -> date:
    return instant(at).date()


def due_at(received_at: int, jurisdiction: str | None, establishment: str | None = None) -> int:
    """The end of the last day to answer an objection (UK GDPR Art. 12(3); design.md, "Objections")."""
    return end_of_months(1, received_at, jurisdiction, establishment)


def extended_to(received_at: int, jurisdiction: str | None, establishment: str | None = None) -> int:
    """The same with two further months, counted from the original start."""
    return end_of_months(3, received_at, jurisdiction, establishment)


def end_of_months(months: int, received_at: int, jurisdiction: str | None, establishment: str | None) -> int:
    zones = zones_of(country_of(jurisdiction))
    if not zones or not has_holiday_table(jurisdiction):
        jurisdiction, zones = None, [ZoneInfo("UTC")]
    received = instant(received_at)
    easternmost = max(zones, key=lambda zone: received.astimezone(zone).utcoffset() or timedelta())
    last = same_day_months_later(received.astimezone(easternmost).date(), months)
    while last.weekday() >= 5 or (
        is_public_holiday(last, jurisdiction) and (establishment is None or is_public_holiday(last, establishment))
    ):
        last += timedelta(days=1)
    ends = [datetime.combine(last, time(23, 59, 59), zone) for zone in zones]
    return min(micros(end.isoformat()) for end in ends)


def same_day_months_later(day: date, months: int) -> date:
    """Or the last day of that month."""
    year, month = divmod(12 * day.year + day.month - 1 + months, 12)
    month += 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def country_of(jurisdiction: str | None) -> str | None:
    return None if jurisdiction is None else jurisdiction.split("-")[0]


def has_holiday_table(jurisdiction: str | None) -> bool:
    return country_of(jurisdiction) in holidays.list_supported_countries(include_aliases=False)


def is_public_holiday(day: date, jurisdiction: str | None) -> bool:
    """Of the nation (in GB) or of the country as a whole."""
    if not has_holiday_table(jurisdiction):
        return False
    nations = {"GB-ENG": "ENG", "GB-WLS": "WLS", "GB-SCT": "SCT", "GB-NIR": "NIR"}
    country, nation = country_of(jurisdiction), nations.get(jurisdiction or "")
    return day in holidays.country_holidays(country, subdiv=nation, years=day.year, categories=("public",))


@functools.cache
def zones_of(country: str | None) -> list[ZoneInfo]:
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if not line.startswith("#")]
    return [ZoneInfo(row[2]) for row in rows if row[0] == country]


def optional_micros(text: str | None) -> int | None:
    return None if text is None else micros(text)
