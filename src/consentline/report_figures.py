"""The figures of a compliance report: each is what one query of the API answers, so that anybody can ask it again.

The queries carry the recorded time at which they were asked: what is recorded later changes no answer.
"""

import secrets
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, cast

from consentline.domain.access import Principal, Role
from consentline.domain.errors import ConsentlineError, InvalidInputError
from consentline.domain.instants import DAY, Instant, from_datetime
from consentline.domain.policies import Policy
from consentline.domain.reports import Period
from consentline.gql.context import Context
from consentline.gql.cursors import Cursors
from consentline.gql.execution import Engine, Operation
from consentline.gql.nodes import load_node
from consentline.gql.scalars import format_instant
from consentline.gql.schema import build_schema
from consentline.usecases import reports
from consentline.usecases.service import Service

_MOST_NOTICE_DAYS = 366


@dataclass(frozen=True, slots=True)
class Question:
    """A query of the API whose answer is a figure."""

    title: str
    definition: str
    query: str


@dataclass(frozen=True, slots=True)
class Figure:
    """A question as it was asked, and its answer; `subject` says what it is about where there are several."""

    question: Question
    variables: dict[str, Any]
    value: Any
    subject: str = ""


@dataclass(frozen=True, slots=True)
class ComplianceReport:
    """The figures of the UTC days from `first` on, and before `end`.

    `notices` has one for each policy in force at the end that requires a notice, `without_notice` names the others;
    `exclusions` has one for each version built in the period.
    """

    first: date
    end: date
    generated_at: str
    figures: dict[str, Figure]
    notices: list[Figure]
    without_notice: list[str]
    exclusions: list[Figure]

    def all_figures(self) -> list[Figure]:
        """Every figure, in the order in which they are shown."""
        return [*self.figures.values(), *self.notices, *self.exclusions]


def _of_period(field: str) -> str:
    return f"query Figure($from: DateTime!, $to: DateTime!) {{\n  {field}\n}}"


def _of_objections(fields: str) -> str:
    return (
        "query Figure($from: DateTime!, $to: DateTime!, $knownAt: DateTime!) {\n"
        f"  objectionFigures(from: $from, to: $to, knownAt: $knownAt) {{ {fields} }}\n}}"
    )


OBJECTIONS = {
    "objectionsReceived": Question(
        "Objections received",
        "Objections whose receivedAt lies in the period.",
        _of_objections("received"),
    ),
    "objectionsReceivedByDay": Question(
        "Objections received by day",
        "Objections by the UTC day of receivedAt; days without any are left out.",
        _of_objections("receivedByDay { day count }"),
    ),
    "objectionsByStatus": Question(
        "Objections received, by status",
        "The status, as known when the report was made, of the objections received in the period.",
        _of_objections("receivedByStatus { status count }"),
    ),
    "objectionsDecided": Question(
        "Objections decided",
        "Objections whose decidedAt, when the person was told, lies in the period, whenever they were received."
        " A withdrawal is no decision.",
        _of_objections("decidedByStatus { status count }"),
    ),
    "timeToDecision": Question(
        "Time to decision, in days",
        "From receivedAt to decidedAt, over the objections decided in the period, in days to one decimal. Percentiles"
        " by nearest rank: of n times in ascending order the one at position ceil(0.50 n), and ceil(0.95 n).",
        _of_objections("timeToDecision { decided medianDays percentile95Days }"),
    ),
    "objectionsOverdue": Question(
        "Objections overdue",
        "Objections that were PENDING after their deadline (extendedTo, else dueAt) when the report was made, whenever"
        " they were received.",
        _of_objections("overdue"),
    ),
    "objectionsExtended": Question(
        "Objections extended",
        "Objections whose period was extended by two months in the period of the report.",
        _of_objections("extended"),
    ),
    "refusalsByGround": Question(
        "Refusals by ground",
        "Objections refused in the period (decidedAt), by the words of their grounds; the hundred most frequent.",
        _of_objections("refusalsByGround(first: 100) { grounds count }"),
    ),
}
GATE = {
    "runsRefused": Question(
        "Training runs refused",
        "How many runs the gate refused in the period, to be authorised or to start, however often each.",
        _of_period("trainingFigures(from: $from, to: $to) { runsRefused }"),
    ),
    "refusals": Question(
        "Refusals by the gate",
        "How often the gate refused a run in the period: one that is tried again is refused again; all that stood"
        " against one attempt counts once.",
        _of_period("trainingFigures(from: $from, to: $to) { refusals }"),
    ),
    "trainingRefusals": Question(
        "What stood against the refused runs",
        "By time, the first hundred; totalCount says how many there are.",
        _of_period(
            "trainingRefusals(from: $from, to: $to, first: 100) {\n    totalCount\n"
            "    edges { node { run step refusedAt datasetVersion reason count message } }\n  }"
        ),
    ),
}
NOTICES = Question(
    "Notice coverage",
    "The people whom this version of the policy, which requires a notice, governed at the end of the period: served a"
    " notice of its purpose by then, seen one of those, objection window still open, not served. By day: people by the"
    " UTC day of their first serving, and of their first seeing; of a longer period the last 366 days.",
    "query Figure($policy: String!, $version: Int!, $at: DateTime!, $knownAt: DateTime!, $days: Int!) {\n"
    "  noticeCoverage(policy: $policy, version: $version, at: $at, knownAt: $knownAt) {\n"
    "    people served seen windowOpen notServed\n    byDay(days: $days) { day served seen }\n  }\n}",
)
EXCLUSIONS = Question(
    "Posts excluded by reason",
    "Of a dataset version that was built and sealed in the period: the posts of its selection that were left out,"
    " under each reason that they had.",
    "query Figure($dataset: String!, $number: Int!) {\n"
    "  datasetVersion(dataset: $dataset, number: $number) { excluded { reason count } }\n}",
)


def period_of(first: date, end: date) -> Period:
    """The UTC days from `first` on, and before `end`.

    Raises:
        InvalidInputError: REPORT_PERIOD, when there is no such period.
    """
    return Period(_midnight(first), _midnight(end))


async def compliance_report(service: Service, first: date, end: date) -> ComplianceReport:
    """Ask every question about the UTC days from `first` on, and before `end`.

    Raises:
        InvalidInputError: REPORT_PERIOD, when there is no such period, or it has not begun.
        ConsentlineError: whatever kept a question from being answered.
    """
    period = period_of(first, end)
    now = await service.now()
    if now < period.begin:
        raise InvalidInputError("the period has not begun yet", code="REPORT_PERIOD", path=("from",))
    ask = _Asker(service)
    bounds = {"from": format_instant(period.begin), "to": format_instant(period.end)}
    at = min(period.end - 1, now)
    days = min((at - period.begin) // DAY + 1, _MOST_NOTICE_DAYS)
    known = {"knownAt": format_instant(now)}
    asked = {"at": format_instant(at), "days": days} | known
    governing = await reports.governing_policies(service, at)
    return ComplianceReport(
        first,
        end,
        format_instant(now),
        figures={name: await ask(each, bounds | known) for name, each in OBJECTIONS.items()}
        | {name: await ask(each, bounds) for name, each in GATE.items()},
        notices=[
            await ask(NOTICES, {"policy": policy.key, "version": policy.version} | asked, _named(policy))
            for policy in governing
            if policy.notice_required
        ],
        without_notice=[_named(policy) for policy in governing if not policy.notice_required],
        exclusions=[
            await ask(EXCLUSIONS, {"dataset": version.ref.dataset, "number": version.ref.number}, str(version.ref))
            for version in await reports.built_versions(service, period)
        ],
    )


def _named(policy: Policy) -> str:
    return f"{policy.key}, version {policy.version} ({policy.jurisdiction}, {policy.purpose})"


def document(report: ComplianceReport) -> dict[str, Any]:
    """The report as JSON has it: each figure is a value, the query that gives it, and the variables."""
    return {
        "report": "compliance",
        "from": report.first.isoformat(),
        "to": report.end.isoformat(),
        "generatedAt": report.generated_at,
        "policiesWithoutNotice": report.without_notice,
        "figures": {name: _plain(figure) for name, figure in report.figures.items()}
        | {
            "noticeCoverage": [_plain(figure) for figure in report.notices],
            "exclusions": [_plain(figure) for figure in report.exclusions],
        },
    }


def _plain(figure: Figure) -> dict[str, Any]:
    return {"value": figure.value, "query": figure.question.query, "variables": figure.variables}


def value_of(data: Any) -> Any:
    """The figure in an answer: what stands below the fields that stand alone."""
    while isinstance(data, dict):
        fields = cast("dict[str, Any]", data)
        if len(fields) != 1:
            return fields
        (data,) = fields.values()
    return data


class _Asker:
    """Asks the API as an auditor would, without a server between."""

    def __init__(self, service: Service) -> None:
        self._engine = Engine(build_schema())
        self._context = Context(
            service, Principal(Role.AUDITOR, "report"), Cursors(secrets.token_urlsafe()), load_node, "report"
        )

    async def __call__(self, question: Question, variables: dict[str, Any], subject: str = "") -> Figure:
        answer = await self._engine.run(Operation(question.query, None, variables), self._context)
        for error in answer.errors:
            raise ConsentlineError(f"{question.title}: {error['message']}", code=error["extensions"]["code"])
        return Figure(question, variables, value_of(answer.data), subject)


def _midnight(day: date) -> Instant:
    return from_datetime(datetime.combine(day, time(), UTC))
