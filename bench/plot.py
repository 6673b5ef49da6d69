"""The figures in bench/results/ as one picture for the README: docs/benchmarks.svg and docs/benchmarks.png.

Every ratio that has a goal is a bar, turned so that what ends left of the line meets its goal; where growth was
measured, each operation's database hits and time are lines over the size of the graph. `matplotlib` is only for this:
`make bench` installs it (the extra `bench`).
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib as mpl

mpl.use("Agg")
# One file for the same figures: no time, no random ids.
mpl.rcParams.update({"svg.hashsalt": "consentline", "font.size": 9, "svg.fonttype": "none"})

from matplotlib import pyplot as plt  # noqa: E402 - after the backend is chosen

RESULTS = Path(__file__).parent / "results"
TARGET = Path(__file__).resolve().parents[1] / "docs"
AT_LEAST = ("peers", "ingest", "cascade", "backfill")
"""Results whose goal is the least that is wanted; of the others it is the most."""
BESIDE = ("one_model", "few_versions")
"""What is measured beside what has the goal, for comparison."""
MET, MISSED = "#3b7dd8", "#d8643b"


class Bar(NamedTuple):
    """A ratio with its goal."""

    name: str
    ratio: float
    goal: float
    at_least: bool

    @property
    def used(self) -> float:
        """How much of the goal it takes: at most 1 is met."""
        return self.goal / self.ratio if self.at_least else self.ratio / self.goal


def main() -> None:
    """Draw what was measured."""
    results = {path.stem: json.loads(path.read_text()) for path in sorted(RESULTS.glob("*.json"))}
    bars = [bar for name, figures in results.items() for bar in _bars(name, figures, name.startswith(AT_LEAST))]
    growth = results.get("growth")
    figure, axes = plt.subplots(
        1, 1 if growth is None else 2, figsize=(5.5 if growth is None else 10.5, 3.6), squeeze=False
    )
    _draw_bars(axes[0][0], bars)
    if growth is not None:
        _draw_growth(axes[0][1], growth["sizes"])
    figure.tight_layout()
    for kind in ("svg", "png"):
        metadata = {"Date": None} if kind == "svg" else {"Software": None}
        figure.savefig(TARGET / f"benchmarks.{kind}", dpi=120, metadata=metadata)
        print(f"docs/benchmarks.{kind}")


def _bars(name: str, figures: Any, at_least: bool, goal: float | None = None) -> Iterator[Bar]:
    """Every ratio that has a goal, its own or that of what it stands in."""
    if not isinstance(figures, dict):
        return
    ratio, goal = figures.get("ratio"), figures.get("goal", goal)
    if isinstance(ratio, int | float) and isinstance(goal, int | float):
        yield Bar(name, ratio, goal, at_least)
    for key, below in figures.items():
        if key not in BESIDE:
            yield from _bars(f"{name} {key.replace('_', ' ')}", below, at_least, goal)


def _draw_bars(axes: Any, bars: list[Bar]) -> None:
    positions = range(len(bars))
    axes.barh(
        positions, [bar.used for bar in bars], color=[MET if bar.used <= 1 else MISSED for bar in bars], height=0.6
    )
    axes.set_yticks(positions, [bar.name for bar in bars])
    axes.invert_yaxis()
    axes.axvline(1, color="black", linewidth=1)
    for position, bar in zip(positions, bars, strict=True):
        text = f" {bar.ratio:.2f}  (goal {'≥' if bar.at_least else '≤'} {bar.goal:.2f})"
        axes.text(bar.used, position, text, va="center", fontsize=8)
    axes.set_xlim(0, max([1.0, *(bar.used for bar in bars)]) * 1.6)
    axes.set_title("Ratios: what ends left of the line meets its goal", fontsize=9)
    axes.set_xticks([])
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _draw_growth(axes: Any, sizes: dict[str, Any]) -> None:
    counts = sorted(sizes, key=int)
    first = sizes[counts[0]]["operations"]
    for color, name in enumerate(first):
        measured = [count for count in counts if name in sizes[count]["operations"]]
        for measure, style in (("hits", "-"), ("seconds", ":")):
            values = [sizes[count]["operations"][name][measure] / first[name][measure] for count in measured]
            label = name if measure == "hits" else None
            posts = [int(count) for count in measured]
            axes.plot(posts, values, style, color=f"C{color}", label=label, marker="o", markersize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.axhline(1.05, color="black", linewidth=0.8)
    axes.set_xlabel("posts in the graph")
    axes.set_title("Growth: hits (solid), time (dotted), as multiples of the first", fontsize=9)
    axes.legend(fontsize=7, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)


if __name__ == "__main__":
    main()
