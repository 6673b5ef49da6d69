"""The figures of a period, counted on the real graph."""

from collections.abc import Callable, Coroutine
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentline.domain.datasets import VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.gate import TrainingRefusal
from consentline.domain.instants import DAY, Instant, utc_day
from consentline.domain.objections import ObjectionStatus
from consentline.domain.paging import PageRequest
from consentline.domain.reports import (
    DayCount,
    DecisionTimes,
    GroundCount,
    Period,
    StatusCount,
    decision_times,
)
from consentline.graph import refusals
from consentline.graph.refusals import RefusalCounts
from consentline.graph.session import Tx
from consentline.usecases import objections, reports
from consentline.usecases.service import Service
from tests.integration.arrange import decide, file, policy, record
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]

BEGIN, END = micros("2026-03-01T00:00:00Z"), micros("2026-04-01T00:00:00Z")
MARCH = Period(BEGIN, END)
HOUR = DAY // 24
PENDING, UPHELD = ObjectionStatus.PENDING, ObjectionStatus.UPHELD
REFUSED, WITHDRAWN = ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN


async def refuse(service: Service, key: str, received: Instant, days: float, grounds: str = "overriding") -> None:
    """An objection that was refused so many days after receipt."""
    await file(service, key, received_at=received)
    await decide(service, key, uphold=False, grounds=grounds, decided_at=received + round(days * DAY))


def test_what_was_received_is_counted_by_utc_day_and_by_status_now(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for key, received in (
            ("before", BEGIN - 1),
            ("first", BEGIN),
            ("evening", BEGIN + DAY - 1),
            ("morning", BEGIN + DAY),
            ("last", END - 1),
            ("after", END),
        ):
            await file(service, key, received_at=received)
        await decide(service, "first", uphold=True, decided_at=BEGIN)
        await objections.withdraw_objection(service, "last")

        assert await reports.received_by_day(service, MARCH) == [
            DayCount(date(2026, 3, 1), 2),
            DayCount(date(2026, 3, 2), 1),
            DayCount(date(2026, 3, 31), 1),
        ]
        assert await reports.received_by_status(service, MARCH) == [
            StatusCount(PENDING, 2),
            StatusCount(UPHELD, 1),
            StatusCount(REFUSED, 0),
            StatusCount(WITHDRAWN, 1),
        ]

    run(scenario())


def test_days_before_1970_and_periods_within_a_day_are_counted_by_their_utc_day(service: Service, run: Run) -> None:
    async def scenario() -> None:
        evening = micros("1969-12-30T23:00:00Z")
        for hours in range(0, 30, 5):
            await file(service, str(hours), received_at=evening + hours * HOUR)

        assert await reports.received_by_day(service, Period(evening, evening + 30 * HOUR)) == [
            DayCount(date(1969, 12, 30), 1),
            DayCount(date(1969, 12, 31), 5 - 1),
            DayCount(date(1970, 1, 1), 1),
        ]
        assert await reports.received_by_day(service, Period(evening + 1, evening + 5 * HOUR + 1)) == [
            DayCount(date(1969, 12, 31), 1)
        ]

    run(scenario())


def test_decisions_are_those_told_in_the_period_and_a_withdrawal_is_none(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await refuse(service, "early", BEGIN - 20 * DAY, 19.9)
        await refuse(service, "first", BEGIN - 20 * DAY, 20)
        await refuse(service, "quick", BEGIN + DAY, 0.04)
        await refuse(service, "slow", BEGIN, 30.94)
        await refuse(service, "late", END - DAY, 1)
        await file(service, "upheld", received_at=BEGIN)
        await decide(service, "upheld", uphold=True, decided_at=BEGIN + DAY)
        await file(service, "withdrawn", received_at=BEGIN)
        await objections.withdraw_objection(service, "withdrawn")

        assert await reports.decided_by_status(service, MARCH) == [StatusCount(UPHELD, 1), StatusCount(REFUSED, 3)]
        assert await reports.times_to_decision(service, MARCH) == DecisionTimes(4, 1.0, 30.9)
        assert await reports.times_to_decision(service, Period(END + DAY, END + 2 * DAY)) is None

    run(scenario())


def test_refusals_are_counted_by_their_grounds_the_most_frequent_first(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for key, grounds in enumerate(["b", "a", "b", "c <script>", "a", "b"]):
            await refuse(service, str(key), BEGIN, 1, grounds)
        await refuse(service, "outside", END, 1, "a")
        await file(service, "upheld", received_at=BEGIN)
        await decide(service, "upheld", uphold=True, grounds="a", decided_at=BEGIN + DAY)

        expected = [GroundCount("b", 3), GroundCount("a", 2), GroundCount("c <script>", 1)]
        assert await reports.refusals_by_ground(service, MARCH, 100) == expected
        assert await reports.refusals_by_ground(service, MARCH, 2) == expected[:2]

    run(scenario())


def test_what_is_overdue_is_so_now_and_what_was_extended_counts_when_it_was(service: Service, run: Run) -> None:
    async def scenario() -> None:
        now = await service.now()
        await file(service, "late", received_at=BEGIN - 400 * DAY)
        await file(service, "late2", received_at=BEGIN)
        await file(service, "due", received_at=now - DAY)
        await refuse(service, "decided", BEGIN, 200)
        await file(service, "extended", received_at=now - 10 * DAY)
        assert await reports.overdue(service) == 2
        await objections.extend_objection(service, "extended", "complex")
        then = await service.now()

        assert await reports.extended(service, Period(now, then)) == 1
        assert await reports.extended(service, Period(then, then + DAY)) == 0
        assert await reports.overdue(service) == 2

    run(scenario())


def test_figures_as_they_were_known_stay_whatever_is_recorded_later(service: Service, run: Run) -> None:
    async def figures(known_at: Instant) -> list[Any]:
        return [
            await reports.received_by_day(service, MARCH, known_at),
            [each.count for each in await reports.received_by_status(service, MARCH, known_at)],
            [each.count for each in await reports.decided_by_status(service, MARCH, known_at)],
            await reports.times_to_decision(service, MARCH, known_at),
            await reports.refusals_by_ground(service, MARCH, 100, known_at),
            await reports.extended(service, Period(BEGIN, END + 400 * DAY), known_at),
            await reports.overdue(service, known_at),
        ]

    async def scenario() -> None:
        told: list[tuple[Instant, list[Any]]] = [(await service.now(), [[], [0, 0, 0, 0], [0, 0], None, [], 0, 0])]

        async def then(*expected: Any) -> None:
            told.append((await service.now(), list(expected)))

        day = date(2026, 3, 1)
        await file(service, "o1", received_at=BEGIN)
        await file(service, "o2", received_at=BEGIN)
        recent = await service.now() - 5 * DAY
        await file(service, "o3", received_at=recent)
        await then([DayCount(day, 2)], [2, 0, 0, 0], [0, 0], None, [], 0, 2)
        await decide(service, "o1", uphold=False, grounds="a", decided_at=BEGIN + DAY)
        one = DecisionTimes(1, 1.0, 1.0)
        await then([DayCount(day, 2)], [1, 0, 1, 0], [0, 1], one, [GroundCount("a", 1)], 0, 1)
        await objections.withdraw_objection(service, "o2")
        await objections.extend_objection(service, "o3", "complex")
        await file(service, "o4", received_at=BEGIN)
        await then([DayCount(day, 3)], [1, 0, 1, 1], [0, 1], one, [GroundCount("a", 1)], 1, 1)
        await decide(service, "o4", uphold=True, decided_at=BEGIN + 2 * DAY)
        two = DecisionTimes(2, 1.0, 2.0)
        await then([DayCount(day, 3)], [0, 1, 1, 1], [1, 1], two, [GroundCount("a", 1)], 1, 0)

        for known_at, expected in told:
            assert await figures(known_at) == expected, told.index((known_at, expected))
        assert await figures(await service.now()) == told[-1][1]
        assert await reports.received_by_status(service, MARCH) == await reports.received_by_status(
            service, MARCH, told[-1][0]
        )

    run(scenario())


OUTCOME = st.tuples(
    st.integers(BEGIN - 3 * DAY, END + 3 * DAY), st.integers(0, 40 * DAY), st.sampled_from([UPHELD, REFUSED, None])
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outcomes=st.lists(OUTCOME, max_size=12))
def test_the_figures_are_those_of_a_count_by_hand(
    service: Service, run: Run, outcomes: list[tuple[Instant, int, ObjectionStatus | None]]
) -> None:
    async def scenario() -> None:
        await forget(service)
        for number, (received, took, status) in enumerate(outcomes):
            await file(service, str(number), received_at=received)
            if status is not None:
                grounds = "overriding"
                await decide(service, str(number), uphold=status is UPHELD, grounds=grounds, decided_at=received + took)

        days = [utc_day(received) for received, _, _ in outcomes if MARCH.holds(received)]
        taken = sorted(
            (took * 10 + DAY // 2) // DAY for received, took, s in outcomes if s and MARCH.holds(received + took)
        )
        assert await reports.received_by_day(service, MARCH) == [
            DayCount(day, days.count(day)) for day in sorted(set(days))
        ]
        assert await reports.times_to_decision(service, MARCH) == decision_times(
            [(tenths, taken.count(tenths)) for tenths in sorted(set(taken))]
        )
        assert sum(each.count for each in await reports.decided_by_status(service, MARCH)) == len(taken)

    run(scenario())


FORGET = "MATCH (o:Objection) DETACH DELETE o"


async def forget(service: Service) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(FORGET)

    await service.graph.write(work)


# ---- policies, versions, refusals -----------------------------------------------------------------------------------


def test_the_policies_of_a_report_are_those_in_force_at_its_end(service: Service, run: Run) -> None:
    async def scenario() -> None:
        later = {"effective_from": "2026-03-15T00:00:00Z"}
        await record(service, policy(), policy(version=2, **later), policy(key="scots", jurisdiction="GB-SCT", **later))
        assert [(each.key, each.version) for each in await reports.governing_policies(service, BEGIN)] == [("gb", 1)]
        assert [(each.key, each.version) for each in await reports.governing_policies(service, END)] == [
            ("gb", 2),
            ("scots", 1),
        ]

    run(scenario())


async def refused(service: Service, run_key: str, at: Instant, *reasons: Reason) -> None:
    """A run that the gate refused, for each of these reasons."""
    found = [TrainingRefusal(VersionRef("d", 1), each, 7, (), f"7 posts: {each}") for each in reasons]
    await service.graph.write(lambda tx: refusals.record(tx, run_key, "AI_TRAINING", found, at))


def test_a_run_that_was_refused_counts_once_and_each_answer_too(service: Service, run: Run) -> None:
    async def scenario() -> None:
        both = (Reason.OBJECTED, Reason.AGE_UNKNOWN)
        await refused(service, "before", BEGIN - 1, *both)
        await refused(service, "r", BEGIN, *both)
        await refused(service, "r", BEGIN + 1, Reason.OBJECTED)
        await refused(service, "s", END - 1, *both)
        await refused(service, "after", END, *both)

        assert await reports.refused(service, MARCH) == RefusalCounts(runs=2, refusals=3)
        page = await reports.list_refusals(service, MARCH, PageRequest(3))
        rest = await reports.list_refusals(service, MARCH, PageRequest(3, page.positions[-1]))
        assert (page.total, page.has_next, rest.has_next) == (5, True, False)
        listed = [(each.run, each.refused_at) for each in (*page.items, *rest.items)]
        assert listed == [("r", BEGIN), ("r", BEGIN), ("r", BEGIN + 1), ("s", END - 1), ("s", END - 1)]

    run(scenario())


def test_no_version_was_built_where_there_is_none(service: Service, run: Run) -> None:
    assert run(reports.built_versions(service, MARCH)) == []


@pytest.mark.parametrize(
    "figure", [reports.received_by_day, reports.received_by_status, reports.decided_by_status, reports.extended]
)
def test_each_figure_costs_one_statement(service: Service, run: Run, figure: Callable[..., Any]) -> None:
    before = service.graph.statements
    run(figure(service, MARCH))

    assert service.graph.statements == before + 1
