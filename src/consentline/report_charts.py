"""Bar charts by day as inline SVG, with a title and a description for whoever cannot see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape

_WIDTH, _HEIGHT = 960, 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 12, 16, 32
_PLOT_WIDTH = _WIDTH - _LEFT - _RIGHT
_PLOT_HEIGHT = _HEIGHT - _TOP - _BOTTOM
_FILLED = 0.8


@dataclass(frozen=True, slots=True)
class Series:
    """What is drawn in one colour: how many on each day; days that are left out have none."""

    label: str
    counts: Mapping[date, int]


def bar_chart(name: str, title: str, days: Sequence[date], series: Sequence[Series]) -> str:
    """A chart of the days, side by side where there are several series.

    `name` is unique on the page: the ids of the chart's title and description begin with it.
    """
    top = nice_ceiling(max((each.counts.get(day, 0) for each in series for day in days), default=0))
    bars = [
        f'<path class="s{index}" d="{_bars(each, index, len(series), days, top)}"/>'
        for index, each in enumerate(series)
    ]
    parts = [
        f'<svg role="img" viewBox="0 0 {_WIDTH} {_HEIGHT}" aria-labelledby="{escape(name)}-t {escape(name)}-d">',
        f'<title id="{escape(name)}-t">{escape(title)}</title>',
        f'<desc id="{escape(name)}-d">{escape(describe(days, series))}</desc>',
        *_grid(top),
        *bars,
        *_labels(days),
        "</svg>",
    ]
    return "\n".join(parts)


def describe(days: Sequence[date], series: Sequence[Series]) -> str:
    """The chart in words: the days, and of each series its sum and its highest day."""
    if not days:
        return "No days."
    sentences = [f"By day from {days[0]} to {days[-1]}."]
    for each in series:
        total = sum(each.counts.get(day, 0) for day in days)
        highest = max(days, key=lambda day: each.counts.get(day, 0))
        peak = f", most on {highest}: {each.counts[highest]:,}" if total else ""
        sentences.append(f"{each.label}: {total:,}{peak}.")
    return " ".join(sentences)


def nice_ceiling(value: int) -> int:
    """The smallest of 1, 2, 4, 10, 20, 40, 100, … that is not below the value: its half is whole from 2 on."""
    power = 1
    while True:
        for factor in (1, 2, 4):
            if value <= factor * power:
                return factor * power
        power *= 10


def _bars(series: Series, index: int, of: int, days: Sequence[date], top: int) -> str:
    """One path for all bars of a series: a page of ten years stays small."""
    slot = _PLOT_WIDTH / max(len(days), 1)
    width = slot * _FILLED / of
    parts: list[str] = []
    for number, day in enumerate(days):
        count = series.counts.get(day, 0)
        if count:
            x = _LEFT + slot * (number + (1 - _FILLED) / 2) + width * index
            height = _PLOT_HEIGHT * count / top
            parts.append(f"M{x:.2f} {_TOP + _PLOT_HEIGHT}v-{height:.2f}h{width:.2f}v{height:.2f}z")
    return "".join(parts)


def _grid(top: int) -> list[str]:
    values = [0, top] if top == 1 else [0, top // 2, top]
    parts: list[str] = []
    for value in values:
        y = _TOP + _PLOT_HEIGHT * (1 - value / top)
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.2f}" y2="{y:.2f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.2f}" text-anchor="end">{value:,}</text>')
    return parts


def _labels(days: Sequence[date]) -> list[str]:
    """The first day, the last and, where there is room between, the one in the middle."""
    if not days:
        return []
    slot = _PLOT_WIDTH / len(days)
    last = len(days) - 1
    anchors = {0: "start", last // 2: "middle", last: "end"} if last > 1 else {0: "start", last: "end"}
    shift = {"start": 0.0, "middle": slot / 2, "end": slot}
    return [
        f'<text x="{_LEFT + slot * index + shift[anchor]:.2f}" y="{_HEIGHT - 10}" text-anchor="{anchor}">'
        f"{days[index]}</text>"
        for index, anchor in sorted(anchors.items())
    ]
