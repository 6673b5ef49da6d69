"""The statutory clock, by dates worked out by hand from a calendar and the bank holidays that gov.uk lists."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentline.domain.clock import add_months, due_at, keeps_holidays, next_working_day, zones_of
from consentline.domain.instants import Instant, to_datetime
from tests.unit.domain.factories import at


@dataclass(frozen=True)
class Due:
    why: str
    received: str
    jurisdiction: str | None
    expected: str
    establishment: str | None = None
    months: int = 1


MONTHS = (
    Due("the corresponding day", "2026-01-13T10:00Z", "GB-ENG", "2026-02-13T23:59:59Z"),
    Due("a Sunday rolls to Monday", "2026-01-15T10:00Z", "GB-ENG", "2026-02-16T23:59:59Z"),
    Due("a Saturday rolls to Monday", "2026-01-14T10:00Z", "GB-ENG", "2026-02-16T23:59:59Z"),
    Due("29 February in a leap year", "2024-01-29T10:00Z", "GB-ENG", "2024-02-29T23:59:59Z"),
    Due("no 30 February in a leap year", "2024-01-30T10:00Z", "GB-ENG", "2024-02-29T23:59:59Z"),
    Due("no 31 February in a leap year", "2024-01-31T10:00Z", "GB-ENG", "2024-02-29T23:59:59Z"),
    Due("no 29 February", "2023-01-29T10:00Z", "GB-ENG", "2023-02-28T23:59:59Z"),
    Due("no 31 February", "2023-01-31T10:00Z", "GB-ENG", "2023-02-28T23:59:59Z"),
    # 29 March 2024 is Good Friday, 1 April Easter Monday.
    Due("received on 29 February", "2024-02-29T10:00Z", "GB-NIR", "2024-04-02T22:59:59Z"),
    Due("no leap year in 2100", "2100-01-29T10:00Z", None, "2100-03-01T23:59:59Z"),
    Due("no 31 April", "2026-03-31T10:00Z", "GB-ENG", "2026-04-30T22:59:59Z"),
    Due("no 31 September", "2026-08-31T10:00Z", "GB-ENG", "2026-09-30T22:59:59Z"),
    Due("over the year's end", "2026-12-31T10:00Z", "GB-ENG", "2027-02-01T23:59:59Z"),
    Due("the last days of the year", "2026-11-30T10:00Z", "GB-ENG", "2026-12-30T23:59:59Z"),
    Due("extended by two further months", "2026-01-13T10:00Z", "GB-ENG", "2026-04-13T22:59:59Z", months=3),
    Due("an extension rolls likewise", "2025-11-30T10:00Z", "GB-ENG", "2026-03-02T23:59:59Z", months=3),
)

HOLIDAYS = (
    Due("Good Friday and Easter Monday", "2026-03-03T10:00Z", "GB-ENG", "2026-04-07T22:59:59Z"),
    Due("Easter in Wales", "2026-03-03T10:00Z", "GB-WLS", "2026-04-07T22:59:59Z"),
    Due("Easter in Northern Ireland", "2026-03-03T10:00Z", "GB-NIR", "2026-04-07T22:59:59Z"),
    Due("no Easter Monday in Scotland", "2026-03-03T10:00Z", "GB-SCT", "2026-04-06T22:59:59Z"),
    Due("no Easter Monday in all of GB", "2026-03-03T10:00Z", "GB", "2026-04-06T22:59:59Z"),
    Due("Boxing Day is moved behind the weekend", "2026-11-25T10:00Z", "GB-ENG", "2026-12-29T23:59:59Z"),
    Due("Christmas is moved behind Boxing Day", "2022-11-25T10:00Z", "GB-ENG", "2022-12-28T23:59:59Z"),
    Due("both are moved behind the weekend", "2027-11-25T10:00Z", "GB-ENG", "2027-12-29T23:59:59Z"),
    Due("New Year's Day", "2025-12-01T10:00Z", "GB-ENG", "2026-01-02T23:59:59Z"),
    Due("2 January in Scotland", "2025-12-01T10:00Z", "GB-SCT", "2026-01-05T23:59:59Z"),
    Due("2 January is not shared by all nations", "2025-12-02T10:00Z", "GB", "2026-01-02T23:59:59Z"),
    Due("St Andrew's Day in Scotland", "2026-10-30T10:00Z", "GB-SCT", "2026-12-01T23:59:59Z"),
    Due("no St Andrew's Day in England", "2026-10-30T10:00Z", "GB-ENG", "2026-11-30T23:59:59Z"),
    Due("no St Andrew's Day in all of GB", "2026-10-30T10:00Z", "GB", "2026-11-30T23:59:59Z"),
    Due("St Andrew's Day is moved behind the weekend", "2025-10-30T10:00Z", "GB-SCT", "2025-12-02T23:59:59Z"),
    Due("St Patrick's Day in Northern Ireland", "2026-02-17T10:00Z", "GB-NIR", "2026-03-18T23:59:59Z"),
    Due("the Boyne is moved behind the weekend", "2026-06-12T10:00Z", "GB-NIR", "2026-07-14T22:59:59Z"),
    Due("the first Monday of August in Scotland", "2026-07-03T10:00Z", "GB-SCT", "2026-08-04T22:59:59Z"),
    Due("the last Monday of August elsewhere", "2026-07-31T10:00Z", "GB-ENG", "2026-09-01T22:59:59Z"),
    Due("no August holiday that all nations share", "2026-07-31T10:00Z", "GB", "2026-08-31T22:59:59Z"),
    Due("another code of GB is plain GB", "2026-03-03T10:00Z", "GB-LND", "2026-04-06T22:59:59Z"),
    Due("Ireland keeps no Good Friday", "2026-03-03T10:00Z", "IE", "2026-04-03T22:59:59Z"),
    Due("Easter Monday in Ireland", "2026-03-06T10:00Z", "IE", "2026-04-07T22:59:59Z"),
    Due("St Patrick's Day in Ireland", "2026-02-17T10:00Z", "IE", "2026-03-18T23:59:59Z"),
    Due("a subdivision elsewhere has its country's", "2026-04-01T10:00Z", "DE-BY", "2026-05-04T21:59:59Z"),
    Due("weekends only where the jurisdiction is unknown", "2026-11-25T10:00Z", None, "2026-12-25T23:59:59Z"),
    Due("unknown, and a weekend", "2026-01-15T10:00Z", None, "2026-02-16T23:59:59Z"),
    Due("weekends only where there is no table", "2026-11-25T10:00Z", "ZZ", "2026-12-25T23:59:59Z"),
)

# Days that were given once, and days that fall on a weekend in some years.
MOVED = (
    Due("the early May holiday of 2020 was moved", "2020-04-04T10:00Z", "GB-ENG", "2020-05-04T22:59:59Z"),
    Due("to the day of the victory in Europe", "2020-04-08T10:00Z", "GB-ENG", "2020-05-11T22:59:59Z"),
    Due("two days for the jubilee, and a weekend", "2022-05-02T10:00Z", "GB-WLS", "2022-06-06T22:59:59Z"),
    Due("the Queen's funeral", "2022-08-19T10:00Z", "GB-SCT", "2022-09-20T22:59:59Z"),
    Due("the King's coronation", "2023-04-08T10:00Z", "GB-NIR", "2023-05-09T22:59:59Z"),
    Due("New Year's Day on a Saturday", "2021-12-01T10:00Z", "GB-ENG", "2022-01-04T23:59:59Z"),
    Due("and 2 January on the Sunday, in Scotland", "2021-12-01T10:00Z", "GB-SCT", "2022-01-05T23:59:59Z"),
    Due("New Year's Day on a Sunday", "2022-12-01T10:00Z", "GB-ENG", "2023-01-03T23:59:59Z"),
    Due("and 2 January on the Monday, in Scotland", "2022-12-01T10:00Z", "GB-SCT", "2023-01-04T23:59:59Z"),
    Due("St Andrew's Day on a Saturday", "2024-10-30T10:00Z", "GB-SCT", "2024-12-03T23:59:59Z"),
    Due("31 January is a Saturday", "2025-12-31T10:00Z", "GB-ENG", "2026-02-02T23:59:59Z"),
    Due("an extension to St Andrew's Day", "2026-08-30T10:00Z", "GB-SCT", "2026-12-01T23:59:59Z", months=3),
    Due("an extension to Christmas", "2026-09-25T10:00Z", "GB-ENG", "2026-12-29T23:59:59Z", months=3),
    Due("an extension to a leap day", "2023-11-30T10:00Z", "GB-ENG", "2024-02-29T23:59:59Z", months=3),
    Due("an extension to Easter", "2026-01-03T10:00Z", "GB-ENG", "2026-04-07T22:59:59Z", months=3),
)

# Regulation 1182/71, Art. 3(2)(c): the same date of the following month, else its last day; Art. 3(4): rolled forward.
UNION = (
    Due("the same date", "2026-01-13T10:00Z", "PT", "2026-02-13T23:59:59Z"),
    Due("29 February", "2024-01-31T10:00Z", "DE", "2024-02-29T22:59:59Z"),
    Due("28 February", "2025-01-30T10:00Z", "FR", "2025-02-28T22:59:59Z"),
    Due("no 31 September in the Union", "2025-08-31T10:00Z", "DE", "2025-09-30T21:59:59Z"),
    Due("German Unity is a Friday", "2025-09-03T10:00Z", "DE", "2025-10-06T21:59:59Z"),
    Due("both days of Christmas in Germany", "2025-11-25T10:00Z", "DE", "2025-12-29T22:59:59Z"),
    Due("one day of Christmas in France", "2025-11-25T10:00Z", "FR", "2025-12-26T22:59:59Z"),
    Due("14 July in France", "2025-06-14T10:00Z", "FR", "2025-07-15T21:59:59Z"),
    Due("the armistice in France", "2026-10-11T10:00Z", "FR", "2026-11-12T22:59:59Z"),
    Due("no Good Friday in France", "2026-03-03T10:00Z", "FR", "2026-04-03T21:59:59Z"),
    Due("Easter Monday in France", "2026-03-06T10:00Z", "FR", "2026-04-07T21:59:59Z"),
    Due("Good Friday and Easter Monday in Germany", "2026-03-03T10:00Z", "DE", "2026-04-07T21:59:59Z"),
    Due("2 June in Italy", "2026-05-02T10:00Z", "IT", "2026-06-03T21:59:59Z"),
    Due("the national day in Austria", "2026-09-26T10:00Z", "AT", "2026-10-27T22:59:59Z"),
    Due("1 May, and a weekend", "2026-04-01T10:00Z", "AT", "2026-05-04T21:59:59Z"),
    Due("St Brigid's Day in Ireland", "2025-12-31T10:00Z", "IE", "2026-02-03T23:59:59Z"),
    Due("an extension over the year's end", "2025-10-01T10:00Z", "DE", "2026-01-02T22:59:59Z", months=3),
)

ZONES = (
    Due("the day of receipt is the local one", "2026-06-30T22:59:59Z", "GB-ENG", "2026-07-30T22:59:59Z"),
    Due("from local midnight on it is the next", "2026-06-30T23:00:00Z", "GB-ENG", "2026-08-03T22:59:59Z"),
    Due("UTC where the jurisdiction is unknown", "2026-06-30T23:30:00Z", None, "2026-07-30T23:59:59Z"),
    Due("summer time ends in between", "2026-10-12T10:00Z", "GB-ENG", "2026-11-12T23:59:59Z"),
    Due("summer time begins in between", "2026-03-10T10:00Z", "GB-ENG", "2026-04-10T22:59:59Z"),
    Due("Lord Howe is easternmost in winter", "2026-07-13T13:29:59Z", "AU", "2026-08-13T13:29:59Z"),
    Due("and its day begins before Sydney's", "2026-07-13T13:30:00Z", "AU", "2026-08-14T13:29:59Z"),
    Due("in summer its clock is Sydney's", "2026-01-12T12:59:59Z", "AU", "2026-02-12T12:59:59Z"),
    Due("and their days begin together", "2026-01-12T13:00:00Z", "AU", "2026-02-13T12:59:59Z"),
    Due("received in summer, due in winter", "2026-03-10T02:00Z", "AU", "2026-04-10T13:29:59Z"),
    Due("a state of AU is AU", "2026-03-10T02:00Z", "AU-WA", "2026-04-10T13:29:59Z"),
    Due("Australia Day", "2025-12-26T02:00Z", "AU", "2026-01-27T12:59:59Z"),
    Due("New York is easternmost of the United States", "2026-07-14T04:00:00Z", "US", "2026-08-15T03:59:59Z"),
    Due("not Honolulu, where the day began later", "2026-07-14T03:59:59Z", "US", "2026-08-14T03:59:59Z"),
    Due("14 hours ahead of UTC", "2026-01-31T10:30Z", "KI", "2026-03-02T09:59:59Z"),
)

ESTABLISHMENTS = (
    Due("no holiday where the controller is", "2026-10-30T10:00Z", "GB-SCT", "2026-11-30T23:59:59Z", "GB-ENG"),
    Due("no holiday where the person is", "2026-10-30T10:00Z", "GB-ENG", "2026-11-30T23:59:59Z", "GB-SCT"),
    Due("Easter Monday is not kept in Scotland", "2026-03-06T10:00Z", "GB-ENG", "2026-04-06T22:59:59Z", "GB-SCT"),
    Due("Good Friday is kept in both", "2026-03-03T10:00Z", "GB-ENG", "2026-04-06T22:59:59Z", "GB-SCT"),
    Due("Good Friday is not kept in Ireland", "2026-03-03T10:00Z", "GB-ENG", "2026-04-03T22:59:59Z", "IE"),
    Due("Easter Monday is kept in both", "2026-03-06T10:00Z", "GB-NIR", "2026-04-07T22:59:59Z", "IE"),
    Due("the same place", "2026-03-03T10:00Z", "GB-ENG", "2026-04-07T22:59:59Z", "GB-ENG"),
    Due("weekends roll whatever the controller's place", "2026-01-15T10:00Z", "GB-ENG", "2026-02-16T23:59:59Z", "IE"),
    Due("the person's unknown place keeps no holidays", "2026-11-25T10:00Z", None, "2026-12-25T23:59:59Z", "GB-ENG"),
    Due("the controller's place has no table", "2026-11-25T10:00Z", "GB-ENG", "2026-12-25T23:59:59Z", "ZZ"),
)


@pytest.mark.parametrize(
    "case", [*MONTHS, *HOLIDAYS, *MOVED, *UNION, *ZONES, *ESTABLISHMENTS], ids=lambda case: case.why
)
def test_an_answer_is_due_by_the_end_of_the_last_day(case: Due) -> None:
    found = due_at(at(case.received), case.jurisdiction, case.establishment, months=case.months)

    assert to_datetime(found) == datetime.fromisoformat(case.expected)


RECEIVED = st.integers(at("2015-01-01"), at("2034-12-31"))
PLACES = st.sampled_from(["GB", "GB-ENG", "GB-SCT", "GB-NIR", "GB-WLS", "IE", "DE", "FR", "AU", "US", "JP", None])
ONE_ZONE = {
    "GB-ENG": "Europe/London",
    "GB-SCT": "Europe/London",
    "GB-NIR": "Europe/London",
    "IE": "Europe/Dublin",
    "FR": "Europe/Paris",
    "PL": "Europe/Warsaw",
    "JP": "Asia/Tokyo",
}


@settings(deadline=None)
@given(received=RECEIVED, jurisdiction=st.sampled_from(sorted(ONE_ZONE)))
def test_no_deadline_ends_on_a_weekend_or_a_public_holiday(received: Instant, jurisdiction: str) -> None:
    local = to_datetime(due_at(received, jurisdiction)).astimezone(ZoneInfo(ONE_ZONE[jurisdiction]))

    assert local.weekday() < 5
    assert next_working_day(local.date(), jurisdiction) == local.date()
    assert (local.hour, local.minute, local.second, local.microsecond) == (23, 59, 59, 0)


@settings(deadline=None)
@given(received=RECEIVED, jurisdiction=st.sampled_from(sorted(ONE_ZONE)), months=st.sampled_from([1, 3]))
def test_a_deadline_rolls_over_nothing_but_days_off(received: Instant, jurisdiction: str, months: int) -> None:
    zone = ZoneInfo(ONE_ZONE[jurisdiction])
    country, _, subdivision = jurisdiction.partition("-")
    off = holidays.country_holidays(country, subdiv=subdivision or None)
    day = add_months(to_datetime(received).astimezone(zone).date(), months)
    last = to_datetime(due_at(received, jurisdiction, months=months)).astimezone(zone).date()

    assert day <= last
    assert all(each.weekday() >= 5 or each in off for each in (day + timedelta(n) for n in range((last - day).days)))


@settings(deadline=None)
@given(one=RECEIVED, other=RECEIVED, jurisdiction=PLACES, establishment=PLACES, months=st.sampled_from([1, 3]))
def test_who_is_received_later_is_never_due_earlier(
    one: Instant, other: Instant, jurisdiction: str | None, establishment: str | None, months: int
) -> None:
    earlier, later = sorted((one, other))

    assert due_at(earlier, jurisdiction, establishment, months=months) <= due_at(
        later, jurisdiction, establishment, months=months
    )


@settings(deadline=None)
@given(received=RECEIVED, jurisdiction=PLACES, establishment=PLACES)
def test_no_setting_ever_makes_a_deadline_later(
    received: Instant, jurisdiction: str | None, establishment: str | None
) -> None:
    alone = due_at(received, jurisdiction)
    with_establishment = due_at(received, jurisdiction, establishment)

    assert received < with_establishment <= alone
    assert due_at(received, jurisdiction, months=3) > alone


@settings(deadline=None)
@given(received=RECEIVED)
def test_plain_gb_is_never_later_than_any_of_its_nations(received: Instant) -> None:
    nations = [due_at(received, nation) for nation in ("GB-ENG", "GB-WLS", "GB-SCT", "GB-NIR")]

    assert due_at(received, "GB") <= min(nations)


@given(day=st.dates(date(1900, 1, 1), date(2999, 1, 1)), months=st.integers(1, 24))
def test_months_later_is_the_corresponding_day_or_the_last_of_a_shorter_month(day: date, months: int) -> None:
    later = add_months(day, months)

    assert (later.year * 12 + later.month) - (day.year * 12 + day.month) == months
    assert later.day == day.day or (later.day < day.day and (later + timedelta(days=1)).day == 1)


@pytest.mark.parametrize("place", ["GB", "GB-SCT", "IE", "DE", "DE-BY", "AU-WA"])
def test_a_place_with_a_table_keeps_holidays(place: str) -> None:
    assert keeps_holidays(place)


@pytest.mark.parametrize("place", ["", "-", "GB-", "GB-SCO", "UK", "GBR", "ZZ", "IE-D", "gb"])
def test_an_alias_a_typing_error_or_an_unknown_place_keeps_none(place: str) -> None:
    assert not keeps_holidays(place)


def test_a_country_of_several_zones_has_them_all_and_an_unknown_one_has_utc() -> None:
    assert {zone.key for zone in zones_of("AU")} >= {"Australia/Lord_Howe", "Australia/Perth"}
    assert [zone.key for zone in zones_of("GB-SCT")] == ["Europe/London"]
    assert [zone.key for zone in zones_of("ZZ")] == ["UTC"]
    assert [zone.key for zone in zones_of(None)] == ["UTC"]
