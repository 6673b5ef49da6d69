"""The compliance report as one HTML page: nothing is loaded from elsewhere, and each number leads to its query."""

import json
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from html import escape
from typing import Any

from consentline.report_charts import Series, bar_chart
from consentline.report_figures import ComplianceReport, Figure

_STYLE = """
:root { color-scheme: light; --ink: #1b1b1f; --soft: #55555e; --line: #d5d5dc; --first: #1f5fa8; --second: #b3541e; }
body { margin: 2rem auto; max-width: 62rem; padding: 0 1rem; color: var(--ink); background: #fff;
  font: 1rem/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.2; } h2 { margin-top: 2.5rem; border-bottom: 1px solid var(--line); }
p.note, figcaption, dt { color: var(--soft); } a { color: var(--first); }
dl.tiles { display: grid; grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); gap: 1rem; }
dl.tiles div { border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
dl.tiles dd { margin: 0; font-size: 1.6rem; }
table { border-collapse: collapse; margin: 1rem 0; } caption { text-align: left; color: var(--soft); }
th, td { border-bottom: 1px solid var(--line); padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; } td.text { white-space: pre-wrap; }
td { overflow-wrap: anywhere; } thead th { white-space: nowrap; }
tbody th { min-width: 10rem; overflow-wrap: anywhere; font-weight: normal; }
figure { margin: 1rem 0; } svg { width: 100%; height: auto; } svg text { font: 12px sans-serif; fill: var(--soft); }
svg line { stroke: var(--line); } .s0 { fill: var(--first); } .s1 { fill: var(--second); }
span.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
span.key.s0 { background: var(--first); } span.key.s1 { background: var(--second); }
pre { overflow-x: auto; background: #f5f5f8; padding: .6rem .8rem; }
section:target { outline: 2px solid var(--second); }
"""


def render(report: ComplianceReport) -> str:
    """The page; whatever comes from the records is escaped."""
    page = _Page(report)
    title = f"Compliance report, {report.first} to {report.end}"
    body = [*page.header(title), *page.objections(), *page.notices(), *page.exclusions(), *page.gate(), *page.queries()]
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
            f"<title>{escape(title)}</title>",
            f"<style>{_STYLE}</style>",
            "</head>",
            "<body>",
            "<main>",
            *body,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    )


class _Page:
    """The parts of one page; a figure is named by its place among all of them."""

    def __init__(self, report: ComplianceReport) -> None:
        self._report = report
        self._figures = report.figures
        self._places = {id(figure): index for index, figure in enumerate(report.all_figures(), 1)}

    def header(self, title: str) -> list[str]:
        """What is reported, and when it was asked."""
        report = self._report
        days, asked = f"UTC days from {report.first} on, and before {report.end}", escape(report.generated_at)
        note = f"{days}; asked at {asked}. Each number leads to the query that gives it, as known then."
        return [f"<h1>{escape(title)}</h1>", f'<p class="note">{note}</p>']

    def objections(self) -> list[str]:
        """Volumes, decisions and their times, refusals."""
        named = self._figures
        received, by_day, times = (
            named[name] for name in ("objectionsReceived", "objectionsReceivedByDay", "timeToDecision")
        )
        decided = times.value or {"decided": 0, "medianDays": None, "percentile95Days": None}
        tiles = [
            ("Received", received, received.value),
            ("Overdue", named["objectionsOverdue"], named["objectionsOverdue"].value),
            ("Extended", named["objectionsExtended"], named["objectionsExtended"].value),
            ("Decided", times, decided["decided"]),
            ("Median days to decision", times, decided["medianDays"]),
            ("95th percentile, days", times, decided["percentile95Days"]),
        ]
        by_status, outcomes, grounds = (
            named[name] for name in ("objectionsByStatus", "objectionsDecided", "refusalsByGround")
        )
        counts = {date.fromisoformat(each["day"]): each["count"] for each in by_day.value}
        return [
            "<h2>Objections</h2>",
            '<dl class="tiles">',
            *(
                f"<div><dt>{escape(label)}</dt><dd>{self._link(figure, value)}</dd></div>"
                for label, figure, value in tiles
            ),
            "</dl>",
            *self._by_day(by_day, "Objections received by day", self._days(), [Series("Received", counts)]),
            *self._table(by_status, ("Status", "Received"), _pairs(by_status, "status")),
            *self._table(outcomes, ("Decision", "Decided"), _pairs(outcomes, "status")),
            *self._table(grounds, ("Grounds", "Refused"), _pairs(grounds, "grounds")),
        ]

    def notices(self) -> list[str]:
        """Coverage of each policy in force at the end of the period that requires a notice, and by day."""
        columns = ("people", "served", "seen", "windowOpen", "notServed")
        heads = ("Policy", "People", "Served", "Seen", "Window open", "Not served")
        parts = ["<h2>Notices</h2>"]
        if self._report.without_notice:
            listed = "; ".join(escape(each) for each in self._report.without_notice)
            parts.append(f"<p>In force at the end of the period without requiring a notice: {listed}.</p>")
        if not self._report.notices:
            return [*parts, "<p>No policy that requires a notice was in force at the end of the period.</p>"]
        parts += [
            "<table>",
            "<caption>Coverage of the policies in force at the end of the period that require a notice</caption>",
            _heads(heads),
            "<tbody>",
        ]
        for figure in self._report.notices:
            cells = "".join(f'<td class="n">{self._link(figure, figure.value[column])}</td>' for column in columns)
            parts.append(f'<tr><th scope="row">{escape(figure.subject)}</th>{cells}</tr>')
        parts += ["</tbody>", "</table>"]
        for figure in self._report.notices:
            days = [date.fromisoformat(each["day"]) for each in figure.value["byDay"]]
            series = [
                Series(label, {day: each[name] for day, each in zip(days, figure.value["byDay"], strict=True)})
                for label, name in (("First served", "served"), ("First seen", "seen"))
            ]
            parts += self._by_day(figure, f"Notices by day: {figure.subject}", days, series)
        return parts

    def exclusions(self) -> list[str]:
        """What the builds of the period left out."""
        parts = ["<h2>Dataset versions built</h2>"]
        if not self._report.exclusions:
            parts.append("<p>No dataset version was built in the period.</p>")
        for figure in self._report.exclusions:
            parts.append(f"<h3>{escape(figure.subject)}</h3>")
            parts += self._table(figure, ("Reason", "Posts left out"), _pairs(figure, "reason"))
        return parts

    def gate(self) -> list[str]:
        """Runs that were refused, and what stood against them."""
        runs, attempts, refusals = (self._figures[name] for name in ("runsRefused", "refusals", "trainingRefusals"))
        listed = [edge["node"] for edge in refusals.value["edges"]]
        total = self._link(refusals, refusals.value["totalCount"])
        counted = f"Runs refused: {self._link(runs, runs.value)}, in {self._link(attempts, attempts.value)} refusals"
        parts = [
            "<h2>Training gate</h2>",
            f"<p>{counted} (a run that is tried again is refused again).</p>",
            f"<p>What stood against them: {total}; listed here: {len(listed)}.</p>",
        ]
        if not listed:
            return parts
        rows = [self._refusal(refusals, each) for each in listed]
        heads = _heads(("Run", "Step", "When", "Dataset version", "Reason", "Posts", "Message"))
        return [*parts, "<table>", "<caption>By time</caption>", heads, "<tbody>", *rows, "</tbody>", "</table>"]

    def queries(self) -> list[str]:
        """The appendix: each figure's definition, query and variables."""
        parts = ["<h2>Queries</h2>", '<p class="note">POST /graphql, with a token that may read people.</p>']
        for figure in self._report.all_figures():
            question = figure.question
            title = f"{question.title}: {figure.subject}" if figure.subject else question.title
            variables = json.dumps(figure.variables, ensure_ascii=False, indent=2)
            parts += [
                f'<section id="{self._name(figure)}">',
                f"<h3>{escape(title)}</h3>",
                f"<p>{escape(question.definition)}</p>",
                f"<pre><code>{escape(question.query)}</code></pre>",
                f"<pre><code>{escape(variables)}</code></pre>",
                "</section>",
            ]
        return parts

    def _refusal(self, figure: Figure, node: dict[str, Any]) -> str:
        texts = [node["step"], node["refusedAt"], node["datasetVersion"] or "", node["reason"] or "", node["message"]]
        step, when, version, reason, message = (f'<td class="text">{escape(text)}</td>' for text in texts)
        posts = f'<td class="n">{self._link(figure, node["count"])}</td>'
        return f'<tr><th scope="row">{escape(node["run"])}</th>{step}{when}{version}{reason}{posts}{message}</tr>'

    def _by_day(self, figure: Figure, title: str, days: Sequence[date], series: Sequence[Series]) -> list[str]:
        keys = "".join(f'<span class="key s{i}"></span>{escape(each.label)}' for i, each in enumerate(series))
        busy = [day for day in days if any(each.counts.get(day) for each in series)]
        rows = [
            f'<tr><th scope="row">{day}</th>'
            + "".join(f'<td class="n">{self._link(figure, each.counts.get(day, 0))}</td>' for each in series)
            + "</tr>"
            for day in busy
        ]
        heads = _heads(("Day", *(each.label for each in series)))
        chart = [
            "<figure>",
            f'<figcaption><a href="#{self._name(figure)}">{escape(title)}</a>{keys}</figcaption>',
            bar_chart(f"chart-{self._name(figure)}", title, days, series),
            "</figure>",
        ]
        if not rows:
            return chart
        return [
            *chart,
            "<details>",
            "<summary>The days that have any</summary>",
            f"<table>\n<caption>{escape(title)}</caption>\n{heads}\n<tbody>",
            *rows,
            "</tbody>\n</table>",
            "</details>",
        ]

    def _table(self, figure: Figure, heads: Sequence[str], rows: Iterable[tuple[str, int]]) -> list[str]:
        lines = [
            f'<tr><td class="text">{escape(label)}</td><td class="n">{self._link(figure, count)}</td></tr>'
            for label, count in rows
        ]
        caption = f"<caption>{escape(figure.question.title)}</caption>"
        if not lines:
            return [f"<p>{escape(figure.question.title)}: {self._link(figure, 0)}.</p>"]
        return ["<table>", caption, _heads(heads), "<tbody>", *lines, "</tbody>", "</table>"]

    def _link(self, figure: Figure, value: float | None) -> str:
        shown = "none" if value is None else f"{value:,}"
        return f'<a href="#{self._name(figure)}">{shown}</a>'

    def _name(self, figure: Figure) -> str:
        return f"query-{self._places[id(figure)]}"

    def _days(self) -> list[date]:
        report = self._report
        return [report.first + timedelta(days=number) for number in range((report.end - report.first).days)]


def _heads(names: Sequence[str]) -> str:
    cells = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    return f"<thead><tr>{cells}</tr></thead>"


def _pairs(figure: Figure, label: str) -> list[tuple[str, Any]]:
    return [(each[label], each["count"]) for each in figure.value]
