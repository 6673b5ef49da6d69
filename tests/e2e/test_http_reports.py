"""`consentline report compliance` on a graph with a story, and every query of the report asked again over HTTP."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consentline.embedded import Server
from consentline.report_figures import value_of
from consentline.settings import Settings
from tests.conftest import Api
from tests.e2e.operations import change, error_codes, only_error, post, record
from tests.html_tree import Tree, elements

COMMAND = str(Path(sys.executable).with_name("consentline"))
HOSTILE = "<script>alert('x')</script>"
NOW = datetime.now(UTC)
FIRST, END = (NOW - timedelta(days=30)).date(), (NOW + timedelta(days=2)).date()

FILE = "mutation ($input: FileObjectionInput!) { fileObjection(input: $input) { userErrors { code message } } }"
DECIDE = "mutation ($input: DecideObjectionInput!) { decideObjection(input: $input) { userErrors { code message } } }"
EXTEND = "mutation ($input: ExtendObjectionInput!) { extendObjection(input: $input) { userErrors { code message } } }"
WITHDRAW = """
mutation ($input: WithdrawObjectionInput!) { withdrawObjection(input: $input) { userErrors { code message } } }
"""
BUILD = """
mutation ($input: BuildDatasetVersionInput!) { buildDatasetVersion(input: $input) { userErrors { code message } } }
"""
REGISTER = """
mutation ($input: RegisterDatasetVersionInput!) { registerDatasetVersion(input: $input) { userErrors { code } } }
"""
AUTHORIZE = """
mutation ($input: AuthorizeTrainingInput!) {
  authorizeTraining(input: $input) { refusals { count } userErrors { code message } }
}
"""

START = "mutation ($input: StartTrainingInput!) { startTraining(input: $input) { userErrors { code message } } }"


def ago(days: float) -> str:
    return (NOW - timedelta(days=days)).isoformat()


def day(days: float) -> str:
    """The UTC day so many days ago."""
    return (NOW - timedelta(days=days)).date().isoformat()


SILENT = {"jurisdiction": "IE", "notice_required": False}
SERVED = {"ana": (20, 19), "ben": (10, None), "dan": (3, 3)}
"""Who was served a notice, and who saw it, how many days ago."""
RECEIVED = {"ben": 5, "eve": 100, "no1": 20, "no2": 15, "no3": 15, "yes": 14, "back": 5, "long": 9}
"""Who objected how many days ago."""


@pytest.fixture(scope="module")
def told(module_api: Api) -> Api:
    """The story: one post may be used, four may not, of ten objections some are decided, and one run is refused."""
    api = module_api
    policy = {"jurisdiction": "GB", "purpose": "AI_TRAINING", "lawful_basis": "LEGITIMATE_INTERESTS"}
    rules = {"notice_required": True, "objection_window_days": 7, "assessment": "dpia"}
    notice = {"purpose": "AI_TRAINING", "channel": "IN_APP", "published_at": ago(40)}
    people = ("ana", "ben", "cat", "dan", "eve")
    answer = api.ingest(
        record("policy", key="gb", version=1, effective_from="2020-01-01T00:00:00Z", **policy, **rules),
        record("policy", key="ie", version=1, effective_from="2020-01-01T00:00:00Z", **policy | SILENT),
        record("notice", key="n", version=1, **notice),
        *(record("user", key=each, jurisdiction="GB-ENG", adult_from="1990-01-01") for each in people),
        *(
            record("notice_served", user=each, notice="n", version=1, served_at=ago(served))
            if seen is None
            else record("notice_served", user=each, notice="n", version=1, served_at=ago(served), seen_at=ago(seen))
            for each, (served, seen) in SERVED.items()
        ),
        *(post(f"p-{each}", each) for each in people),
    )
    assert answer["rejected"] == 0, answer
    for user, days in RECEIVED.items():
        change(api, FILE, key=user, user=user, receivedAt=ago(days))
    for user, grounds, told_ago in (("no1", HOSTILE, 10), ("no2", HOSTILE, 13), ("no3", "overriding", 10)):
        change(api, DECIDE, key=user, uphold=False, grounds=grounds, decidedAt=ago(told_ago))
    change(api, DECIDE, key="yes", uphold=True, decidedAt=ago(13))
    change(api, EXTEND, key="long", reason="many requests")
    change(api, WITHDRAW, key="back")
    change(api, BUILD, dataset=HOSTILE)
    change(api, REGISTER, dataset="raw", coverage="COMPLETE", posts=["p-ana", "p-ben"])
    variables = {"run": HOSTILE, "inputs": [{"dataset": "raw", "number": 1}]}
    for _ in range(2):
        refused = api.data(AUTHORIZE, {"input": variables})["authorizeTraining"]
        assert [each["count"] for each in refused["refusals"]] == [1]
    return refuse_a_start(api)


def refuse_a_start(api: Api) -> Api:
    """A run is authorised on what may be used, which may be used no more when it is to start."""
    change(api, REGISTER, dataset="small", coverage="COMPLETE", posts=["p-ana"])
    change(api, AUTHORIZE, run="r", inputs=[{"dataset": "small", "number": 1}])
    api.ingest(record("post_deleted", post="p-ana", valid_from=ago(0)))
    start = api.data(START, {"input": {"run": "r"}})["startTraining"]
    assert [each["code"] for each in start["userErrors"]] == ["INELIGIBLE_MEMBERS"]
    return api


Report = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def command(told: Api, neo4j_server: Server, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Report:
    """The command on the story."""
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
    }
    folder = tmp_path_factory.mktemp("reports")

    def make(*arguments: str, first: date = FIRST, end: date = END) -> "subprocess.CompletedProcess[str]":
        period = ["--from", first.isoformat(), "--to", end.isoformat()]
        line = [COMMAND, "report", "compliance", *period, *arguments]
        return subprocess.run(line, cwd=folder, env=environment, capture_output=True, text=True, check=False)

    return make


@pytest.fixture(scope="module")
def report(command: Report) -> dict[str, Any]:
    """The report as JSON."""
    made = command()
    assert (made.returncode, made.stderr) == (0, "")
    return json.loads(made.stdout)


@pytest.fixture(scope="module")
def figures(report: dict[str, Any]) -> dict[str, Any]:
    return report["figures"]


def figures_of(report: dict[str, Any]) -> list[dict[str, Any]]:
    """Every figure of a report."""
    found: dict[str, Any] = report["figures"]
    several = [each for name in ("noticeCoverage", "exclusions") for each in found[name]]
    return [found[name] for name in found if name not in ("noticeCoverage", "exclusions")] + several


def test_the_report_says_what_it_is_about(report: dict[str, Any]) -> None:
    assert report["policiesWithoutNotice"] == ["ie, version 1 (IE, AI_TRAINING)"]
    assert (report["report"], report["from"], report["to"]) == ("compliance", FIRST.isoformat(), END.isoformat())
    assert NOW < datetime.fromisoformat(report["generatedAt"]) < NOW + timedelta(minutes=30)


def test_the_figures_about_objections_are_those_of_the_story(figures: dict[str, Any]) -> None:
    in_period = [days for user, days in RECEIVED.items() if user != "eve"]

    assert figures["objectionsReceived"]["value"] == len(in_period) == 7
    assert figures["objectionsReceivedByDay"]["value"] == [
        {"day": day(days), "count": in_period.count(days)} for days in sorted(set(in_period), reverse=True)
    ]
    counts = {each["status"]: each["count"] for each in figures["objectionsByStatus"]["value"]}
    assert counts == {"PENDING": 2, "UPHELD": 1, "REFUSED": 3, "WITHDRAWN": 1}
    assert figures["objectionsDecided"]["value"] == [
        {"status": "UPHELD", "count": 1},
        {"status": "REFUSED", "count": 3},
    ]
    assert figures["timeToDecision"]["value"] == {"decided": 4, "medianDays": 2.0, "percentile95Days": 10.0}
    assert figures["objectionsOverdue"]["value"] == 1
    assert figures["objectionsExtended"]["value"] == 1
    assert figures["refusalsByGround"]["value"] == [
        {"grounds": HOSTILE, "count": 2},
        {"grounds": "overriding", "count": 1},
    ]


def test_the_figures_about_notices_are_those_of_the_policy_in_force(figures: dict[str, Any]) -> None:
    (coverage,) = figures["noticeCoverage"]
    by_day = {each["day"]: (each["served"], each["seen"]) for each in coverage["value"]["byDay"]}
    totals = {name: count for name, count in coverage["value"].items() if name != "byDay"}

    assert (coverage["variables"]["policy"], coverage["variables"]["version"]) == ("gb", 1)
    assert totals == {"people": 5, "served": 3, "seen": 2, "windowOpen": 1, "notServed": 2}
    assert min(by_day) == FIRST.isoformat()
    assert {each: counts for each, counts in by_day.items() if any(counts)} == {
        day(20): (1, 0),
        day(19): (0, 1),
        day(10): (1, 0),
        day(3): (1, 1),
    }


def test_the_figures_about_builds_and_the_gate_are_those_of_the_story(figures: dict[str, Any]) -> None:
    (built,) = figures["exclusions"]
    assert built["variables"] == {"dataset": HOSTILE, "number": 1}
    assert {each["reason"]: each["count"] for each in built["value"]} == {
        "NOTICE_NOT_SERVED": 2,
        "OBJECTION_WINDOW_OPEN": 1,
        "OBJECTION_PENDING": 2,
    }
    assert (figures["runsRefused"]["value"], figures["refusals"]["value"]) == (2, 3)
    refusals = figures["trainingRefusals"]["value"]
    assert refusals["totalCount"] == 3
    fields = ("run", "step", "datasetVersion", "count", "reason")
    assert [tuple(edge["node"][field] for field in fields) for edge in refusals["edges"]] == [
        (HOSTILE, "AUTHORIZE", "raw:1", 1, "OBJECTION_PENDING"),
        (HOSTILE, "AUTHORIZE", "raw:1", 1, "OBJECTION_PENDING"),
        ("r", "START", "small:1", 1, None),
    ]


def test_every_query_of_a_report_gives_its_figure_over_http(told: Api, report: dict[str, Any]) -> None:
    found = figures_of(report)

    assert len(found) == 13
    for figure in found:
        assert value_of(told.data(figure["query"], figure["variables"], "auditor")) == figure["value"]


def test_figures_of_a_time_that_is_still_to_come_are_refused(told: Api) -> None:
    query = f'{{ objectionFigures{PERIOD}, knownAt: "2999-01-01T00:00:00Z") {{ received }} }}'

    assert only_error(told.graphql(query)) == ("KNOWN_AT_IN_FUTURE", "knownAt lies in the future", ["objectionFigures"])


def test_a_period_in_which_nothing_happened_is_reported_too(command: Report, told: Api) -> None:
    made = command(first=date(2019, 1, 1), end=date(2019, 2, 1))
    assert (made.returncode, made.stderr) == (0, "")
    found = json.loads(made.stdout)

    assert found["figures"]["objectionsReceived"]["value"] == 0
    assert found["figures"]["timeToDecision"]["value"] is None
    assert (found["figures"]["noticeCoverage"], found["figures"]["exclusions"]) == ([], [])
    for figure in figures_of(found):
        assert value_of(told.data(figure["query"], figure["variables"])) == figure["value"]


def test_the_page_is_self_contained_and_what_people_wrote_is_only_text(command: Report, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    made = command("-o", str(file))
    assert (made.returncode, made.stdout, made.stderr) == (0, "", "")
    page = file.read_text(encoding="utf-8")
    html = Tree(page).root

    assert "<script" not in page
    assert not any({"src", "style"} & set(each.attributes) for each in elements(html))
    words = [each.words() for each in (*html.all("td"), *html.all("th"), *html.all("h3"))]
    assert HOSTILE in words
    assert f"{HOSTILE}:1" in words
    assert len(html.all("svg")) == 2
    targets = {each.attributes["id"] for each in html.all("section")}
    assert {each.attributes["href"].removeprefix("#") for each in html.all("a")} == targets


def test_the_form_is_what_was_asked_for_whatever_the_files_name(command: Report, tmp_path: Path) -> None:
    page, data = tmp_path / "page.txt", tmp_path / "data.html"
    assert command("--format", "html", "--output", str(page)).returncode == 0
    assert command("--format", "json", "--output", str(data)).returncode == 0

    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert json.loads(data.read_text(encoding="utf-8"))["report"] == "compliance"


def test_a_period_that_has_not_begun_and_a_file_that_cannot_be_written_are_refused(
    command: Report, tmp_path: Path
) -> None:
    later = command(first=END + timedelta(days=1), end=END + timedelta(days=2))
    folder = command("-o", str(tmp_path))

    assert (later.returncode, later.stderr) == (1, "error [REPORT_PERIOD]: the period has not begun yet\n")
    assert folder.returncode == 1
    assert folder.stderr == f"error [FILE_UNWRITABLE]: {tmp_path} cannot be written: Is a directory\n"


# ---- the API --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Asked:
    name: str
    query: str


PERIOD = '(from: "2026-01-01T00:00:00Z", to: "2026-02-01T00:00:00Z"'
ASKED = (
    Asked("objectionFigures", f"{{ objectionFigures{PERIOD}) {{ received }} }}"),
    Asked("trainingFigures", f"{{ trainingFigures{PERIOD}) {{ runsRefused }} }}"),
    Asked("trainingRefusals", f"{{ trainingRefusals{PERIOD}) {{ totalCount }} }}"),
)


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_figures_are_for_those_who_may_read_people(told: Api, asked: Asked) -> None:
    for role in ("compliance", "service", "auditor", "admin"):
        assert "errors" not in told.graphql(asked.query, role=role)
    assert error_codes(told.graphql(asked.query, role="ml")) == {"FORBIDDEN"}


@pytest.mark.parametrize("asked", ASKED, ids=lambda asked: asked.name)
def test_a_period_that_ends_before_it_begins_is_refused(told: Api, asked: Asked) -> None:
    code, message, path = only_error(told.graphql(asked.query.replace("2026-02-01", "2025-02-01")))

    assert (code, message, path) == ("REPORT_PERIOD", "a period ends after it begins", [asked.name])


@pytest.mark.parametrize("first", [0, 101])
def test_grounds_are_listed_within_bounds(told: Api, first: int) -> None:
    query = f"{{ objectionFigures{PERIOD}) {{ refusalsByGround(first: {first}) {{ count }} }} }}"

    assert error_codes(told.graphql(query)) == {"FIRST_OUT_OF_RANGE"}


def test_the_period_is_told_again_and_refusals_have_cursors(told: Api) -> None:
    period = f'(from: "{FIRST}T00:00:00Z", to: "{END}T00:00:00Z"'
    told_again = told.data(f"{{ objectionFigures{period}) {{ from to knownAt }} }}")["objectionFigures"]
    assert told_again == {"from": f"{FIRST}T00:00:00Z", "to": f"{END}T00:00:00Z", "knownAt": None}
    then = told.data(f'{{ objectionFigures{period}, knownAt: "{ago(1)}") {{ knownAt }} }}')["objectionFigures"]
    assert datetime.fromisoformat(then["knownAt"]) == NOW - timedelta(days=1)
    fields = "{ edges { cursor node { purpose } } }"
    query = f"query ($after: String) {{ trainingRefusals{period}, after: $after) {fields} }}"
    *_, edge = told.data(query)["trainingRefusals"]["edges"]
    assert edge["node"] == {"purpose": "AI_TRAINING"}
    assert told.data(query, {"after": edge["cursor"]})["trainingRefusals"]["edges"] == []


HISTORY = "query ($key: String!) { objection(key: $key) { history { kind at recordedAt by reason } } }"


def test_the_history_of_an_objection_names_roles_and_reasons(told: Api) -> None:
    change(told, FILE, "compliance", key="told", user="fay", receivedAt=ago(900))
    change(told, DECIDE, "service", key="told", uphold=False, grounds=HOSTILE, decidedAt=ago(890))
    history = told.data(HISTORY, {"key": "told"}, "auditor")["objection"]["history"]
    extended = told.data(HISTORY, {"key": "long"}, "auditor")["objection"]["history"][1]

    assert [(each["kind"], each["by"], each["reason"]) for each in history] == [
        ("FILED", "compliance", None),
        ("REFUSED", "service", HOSTILE),
    ]
    assert [datetime.fromisoformat(each["at"]) for each in history] == [
        NOW - timedelta(days=900),
        NOW - timedelta(days=890),
    ]
    assert (extended["kind"], extended["by"], extended["reason"]) == ("EXTENDED", "admin", "many requests")
    assert extended["at"] == extended["recordedAt"]


URGENT = """
query ($status: ObjectionStatus, $order: ObjectionOrder!, $first: Int!, $after: String) {
  objections(status: $status, orderBy: $order, first: $first, after: $after) {
    totalCount pageInfo { hasNextPage endCursor } edges { node { key } }
  }
}
"""


def test_what_is_undecided_is_listed_by_urgency_page_by_page(told: Api) -> None:
    keys: list[str] = []
    after: str | None = None
    more = True
    while more:
        page = told.data(URGENT, {"order": "URGENCY", "first": 1, "after": after}, "compliance")["objections"]
        keys += [edge["node"]["key"] for edge in page["edges"]]
        more, after = page["pageInfo"]["hasNextPage"], page["pageInfo"]["endCursor"]
        assert page["totalCount"] == 3

    assert keys == ["eve", "ben", "long"]
    other = told.graphql(URGENT, {"order": "RECEIVED", "first": 1, "after": after})
    assert error_codes(other) == {"BAD_CURSOR"}
    wrong = told.graphql(URGENT, {"order": "URGENCY", "first": 1, "status": "UPHELD"})
    assert only_error(wrong)[:2] == (
        "ORDER_NEEDS_PENDING",
        "only PENDING objections have a deadline to be ordered by, not those that are UPHELD",
    )


def test_the_queries_of_a_report_give_its_figures_whatever_is_recorded_later(told: Api, command: Report) -> None:
    change(told, FILE, key="long2", user="gil", receivedAt=ago(6))
    before = json.loads(command().stdout)
    change(told, FILE, key="told-late", user="hal", receivedAt=ago(8))
    change(told, EXTEND, key="long2", reason="many requests")
    change(told, DECIDE, key="eve", uphold=False, grounds="late", decidedAt=ago(1))
    change(told, WITHDRAW, key="long2")

    now = json.loads(command().stdout)["figures"]
    changed = [name for name, figure in before["figures"].items() if name in now and figure != now[name]]
    assert len([name for name in changed if name.startswith(("obj", "time", "refusalsBy"))]) == 8
    for name, figure in before["figures"].items():
        if name not in ("noticeCoverage", "exclusions"):
            assert value_of(told.data(figure["query"], figure["variables"], "auditor")) == figure["value"], name
