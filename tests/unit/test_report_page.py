"""The page of a compliance report, as a browser and as somebody who cannot see it would read it."""

from collections import Counter
from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from consentline.report_figures import EXCLUSIONS, GATE, NOTICES, OBJECTIONS, ComplianceReport, Figure, document
from consentline.report_page import render
from tests.html_tree import Element, Tree, elements

HOSTILE = "</pre></td><script>alert('x')</script> & \"quoted\" <b>"
BOUNDS = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-04T00:00:00Z"}
VALUES: dict[str, Any] = {
    "objectionsReceived": 1234,
    "objectionsReceivedByDay": [{"day": "2026-01-01", "count": 1200}, {"day": "2026-01-03", "count": 34}],
    "objectionsByStatus": [{"status": "PENDING", "count": 1000}, {"status": "REFUSED", "count": 234}],
    "objectionsDecided": [{"status": "UPHELD", "count": 7}, {"status": "REFUSED", "count": 21}],
    "timeToDecision": {"decided": 28, "medianDays": 12.5, "percentile95Days": 29.9},
    "objectionsOverdue": 3,
    "objectionsExtended": 2,
    "refusalsByGround": [{"grounds": HOSTILE, "count": 20}, {"grounds": "overriding", "count": 1}],
    "runsRefused": 1,
    "refusals": 5,
    "trainingRefusals": {
        "totalCount": 2,
        "edges": [
            {"node": refusal | {"run": HOSTILE, "refusedAt": "2026-01-02T00:00:00Z", "message": HOSTILE}}
            for refusal in (
                {"step": "AUTHORIZE", "datasetVersion": "d:1", "reason": "OBJECTED", "count": 17},
                {"step": "START", "datasetVersion": None, "reason": None, "count": 0},
            )
        ],
    },
}
COVERAGE = {
    "people": 50_000,
    "served": 40_000,
    "seen": 30_000,
    "windowOpen": 20_000,
    "notServed": 10_000,
    "byDay": [{"day": f"2026-01-0{n}", "served": 10_000 * n, "seen": 5_000 * n} for n in (1, 2, 3)],
}


def report(**values: Any) -> ComplianceReport:
    questions = OBJECTIONS | GATE
    return ComplianceReport(
        date(2026, 1, 1),
        date(2026, 1, 4),
        "2026-01-05T00:00:00Z",
        {name: Figure(questions[name], BOUNDS, (VALUES | values)[name]) for name in questions},
        [Figure(NOTICES, {"policy": HOSTILE, "version": 1} | BOUNDS, COVERAGE, HOSTILE)],
        [f"ads, version 2 {HOSTILE}"],
        [Figure(EXCLUSIONS, {"dataset": HOSTILE, "number": 2}, [{"reason": "AGE_UNKNOWN", "count": 99}], HOSTILE)],
    )


EMPTY = replace(
    report(
        objectionsReceived=0,
        objectionsReceivedByDay=[],
        timeToDecision=None,
        refusalsByGround=[],
        trainingRefusals={"totalCount": 0, "edges": []},
    ),
    notices=[],
    without_notice=[],
    exclusions=[],
)


def numbers(root: Element) -> list[str]:
    return [link.words() for link in root.all("a")]


@pytest.mark.parametrize("made", [report(), EMPTY], ids=["full", "empty"])
def test_the_page_is_well_formed_says_its_language_and_title_and_loads_nothing(made: ComplianceReport) -> None:
    page = render(made)
    tree = Tree(page)

    assert tree.declaration == "DOCTYPE html"
    (html,) = tree.root.all("html")
    assert html.attributes["lang"] == "en"
    assert next(each.words() for each in html.all("title")) == "Compliance report, 2026-01-01 to 2026-01-04"
    assert [each.words() for each in html.all("h1")] == ["Compliance report, 2026-01-01 to 2026-01-04"]
    found = elements(html)
    assert not {each.tag for each in found} & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not any({"src", "onload", "onclick", "style"} & set(each.attributes) for each in found)
    assert all(each.attributes["href"].startswith("#") for each in found if "href" in each.attributes)
    assert "@import" not in page
    assert "url(" not in page


@pytest.mark.parametrize("made", [report(), EMPTY], ids=["full", "empty"])
def test_every_link_leads_to_a_query_and_every_query_is_led_to(made: ComplianceReport) -> None:
    html = Tree(render(made)).root
    ids = Counter(each.attributes["id"] for each in elements(html) if "id" in each.attributes)

    assert max(ids.values()) == 1
    targets = {link.attributes["href"].removeprefix("#") for link in html.all("a")}
    assert targets == {each.attributes["id"] for each in html.all("section")}
    for figure, section in zip(made.all_figures(), html.all("section"), strict=True):
        query, variables = section.all("code")
        assert query.words() == figure.question.query
        assert all(str(value) in variables.words() or value == HOSTILE for value in figure.variables.values())
        assert figure.question.definition in section.words()


def test_every_table_has_a_caption_and_heads_and_every_chart_a_title_and_a_description() -> None:
    html = Tree(render(report())).root

    for table in html.all("table"):
        assert table.all("caption")[0].words()
        assert {each.attributes["scope"] for each in table.all("th")} <= {"row", "col"}
        width = len(table.all("thead")[0].all("th"))
        assert all(len(row.children) == width for row in table.all("tr"))
    charts = html.all("svg")
    assert len(charts) == 2
    for chart in charts:
        assert chart.attributes["role"] == "img"
        named = {each.attributes.get("id"): each.words() for each in chart.children if each.tag in ("title", "desc")}
        assert set(chart.attributes["aria-labelledby"].split()) == set(named)
        assert all(named.values())


def test_every_figure_is_on_the_page() -> None:
    html = Tree(render(report())).root
    shown = numbers(html)

    for value in (
        "1,234",
        "1,200",
        "34",
        "1,000",
        "234",
        "7",
        "21",
        "28",
        "12.5",
        "29.9",
        "3",
        "2",
        "20",
        "1",
        "5",
        "17",
    ):
        assert value in shown, value
    for value in ("50,000", "40,000", "30,000", "20,000", "10,000", "99"):
        assert value in shown, value


def test_what_comes_from_the_records_is_shown_as_it_is_and_never_run() -> None:
    page = render(report())
    html = Tree(page).root

    assert "<script" not in page
    assert not html.all("script")
    assert HOSTILE in [each.words() for each in html.all("td")]
    assert HOSTILE in [each.words() for each in html.all("th")]
    assert any(HOSTILE in each.words() for each in html.all("title"))
    assert any(HOSTILE in each.words() for each in html.all("h3"))


def test_policies_that_require_no_notice_are_named_and_have_no_chart() -> None:
    html = Tree(render(report())).root
    alone = Tree(render(replace(report(), notices=[]))).root

    told = f"In force at the end of the period without requiring a notice: ads, version 2 {HOSTILE}."
    assert told in [each.words() for each in html.all("p")]
    assert told in [each.words() for each in alone.all("p")]
    assert (len(html.all("svg")), len(alone.all("svg"))) == (2, 1)
    assert document(report())["policiesWithoutNotice"] == [f"ads, version 2 {HOSTILE}"]


def test_nothing_to_report_is_said_in_words() -> None:
    page = render(EMPTY)
    words = Tree(page).root.words()

    assert "No policy that requires a notice was in force at the end of the period." in words
    assert "without requiring a notice" not in words
    assert "No dataset version was built in the period." in words
    assert 'Refusals by ground: <a href="#query-8">0</a>.' in page
    assert "none" in numbers(Tree(page).root)


def test_the_document_gives_each_figure_with_its_query() -> None:
    made = document(report())

    assert (made["report"], made["from"], made["to"], made["generatedAt"]) == (
        "compliance",
        "2026-01-01",
        "2026-01-04",
        "2026-01-05T00:00:00Z",
    )
    assert set(made["figures"]) == {*OBJECTIONS, *GATE, "noticeCoverage", "exclusions"}
    assert made["figures"]["objectionsReceived"] == {
        "value": 1234,
        "query": OBJECTIONS["objectionsReceived"].query,
        "variables": BOUNDS,
    }
    for several, question in (("noticeCoverage", NOTICES), ("exclusions", EXCLUSIONS)):
        assert [each["query"] for each in made["figures"][several]] == [question.query]
        assert all(set(each) == {"value", "query", "variables"} for each in made["figures"][several])
