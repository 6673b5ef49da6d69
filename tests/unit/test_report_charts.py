from datetime import date, timedelta
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.report_charts import Series, bar_chart, describe, nice_ceiling

FIRST = date(2026, 1, 1)


def days(number: int) -> list[date]:
    return [FIRST + timedelta(each) for each in range(number)]


def drawn(number: int, *series: Series, title: str = "By day") -> ElementTree.Element:
    """The chart, parsed: it is well-formed XML."""
    return ElementTree.fromstring(bar_chart("chart", title, days(number), series))  # noqa: S314 - our own


def bars(chart: ElementTree.Element, index: int) -> list[tuple[float, ...]]:
    """The bars of a series: x, y, height, width."""
    path = next(each for each in chart.iter("path") if each.get("class") == f"s{index}").get("d", "")
    found: list[tuple[float, ...]] = []
    for part in path.split("M")[1:]:
        start, _, rest = part.partition("v-")
        height, _, more = rest.partition("h")
        width, _, closing = more.partition("v")
        assert closing == f"{height}z"
        found.append((*(float(each) for each in start.split()), float(height), float(width)))
    return found


def test_a_chart_says_what_it_shows() -> None:
    chart = drawn(3, Series("Received", {FIRST: 2, FIRST + timedelta(2): 5}))

    assert (chart.get("role"), chart.get("aria-labelledby")) == ("img", "chart-t chart-d")
    title, desc = chart.find("title"), chart.find("desc")
    assert title is not None
    assert desc is not None
    assert (title.get("id"), title.text) == ("chart-t", "By day")
    assert (desc.get("id"), desc.text) == (
        "chart-d",
        "By day from 2026-01-01 to 2026-01-03. Received: 7, most on 2026-01-03: 5.",
    )


def test_the_height_of_a_bar_is_its_share_of_the_scale() -> None:
    chart = drawn(3, Series("Received", {FIRST: 2, FIRST + timedelta(2): 4}))

    (x1, y1, low, width), (x3, y3, high, _) = bars(chart, 0)
    assert (low * 2, y1, y3) == (high, y1, y1)
    assert width * 3 == pytest.approx((960 - 64 - 12) * 0.8, abs=0.1)
    assert x3 - x1 == pytest.approx((960 - 64 - 12) * 2 / 3, abs=0.1)
    assert [each.text for each in chart.iter("text")][:3] == ["0", "2", "4"]


def test_two_series_stand_side_by_side() -> None:
    chart = drawn(1, Series("First served", {FIRST: 1}), Series("First seen", {FIRST: 1}))

    (x1, _, _, width), (x2, _, _, _) = bars(chart, 0)[0], bars(chart, 1)[0]
    assert x2 - x1 == pytest.approx(width, abs=0.02)
    assert (
        describe(days(1), [Series("A", {FIRST: 1}), Series("B", {})])
        == "By day from 2026-01-01 to 2026-01-01. A: 1, most on 2026-01-01: 1. B: 0."
    )


@pytest.mark.parametrize(
    ("number", "labels"),
    [
        (0, []),
        (1, ["2026-01-01"]),
        (2, ["2026-01-01", "2026-01-02"]),
        (3, ["2026-01-01", "2026-01-02", "2026-01-03"]),
        (3660, ["2026-01-01", "2031-01-04", "2036-01-08"]),
    ],
)
def test_the_axis_names_the_first_the_middle_and_the_last_day(number: int, labels: list[str]) -> None:
    chart = drawn(number, Series("Received", {}))

    assert [each.text for each in chart.iter("text")][2:] == labels
    assert bars(chart, 0) == []


def test_whatever_is_written_in_a_chart_is_escaped() -> None:
    chart = drawn(1, Series("</desc><script>x</script>", {FIRST: 1}), title="</title><script>x</script>")

    assert [each.tag for each in chart.iter()].count("script") == 0


@given(st.integers(0, 10**9))
def test_a_scale_ends_at_a_round_number_that_is_not_too_high(value: int) -> None:
    top = nice_ceiling(value)

    assert value <= top <= max(value * 2.5, 1)
    assert str(top).rstrip("0") in ("1", "2", "4")


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=60))
def test_every_bar_lies_within_the_chart(counts: list[int]) -> None:
    chart = drawn(len(counts), Series("Received", dict(zip(days(len(counts)), counts, strict=True))))

    for x, y, height, width in bars(chart, 0):
        assert x >= 64
        assert x + width <= 960 - 12 + 0.02
        assert 16 - 0.01 <= y - height <= y
