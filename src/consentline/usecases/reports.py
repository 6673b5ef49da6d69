"""Figures for reports: objections, policies, built versions and refused runs of a period.

Figures about objections are given as known now, or at an earlier `known_at`.
"""

from consentline.domain.datasets import DatasetVersion
from consentline.domain.instants import EVER, Instant
from consentline.domain.paging import Page, PageRequest
from consentline.domain.policies import Policy
from consentline.domain.reports import (
    DayCount,
    DecisionTimes,
    GroundCount,
    Period,
    StatusCount,
    built_in,
    decision_times,
    policies_in_force,
)
from consentline.graph import refusals, reports, upper
from consentline.graph.refusals import RecordedRefusal, RefusalCounts
from consentline.graph.session import Tx
from consentline.usecases.service import Service


async def received_by_day(service: Service, period: Period, known_at: Instant = EVER) -> list[DayCount]:
    """How many objections were received on each UTC day that has any."""
    return await service.graph.read(lambda tx: reports.received_by_day(tx, period, known_at))


async def received_by_status(service: Service, period: Period, known_at: Instant = EVER) -> list[StatusCount]:
    """The status that the objections received in the period have, as known then."""
    return await service.graph.read(lambda tx: reports.received_by_status(tx, period, known_at))


async def decided_by_status(service: Service, period: Period, known_at: Instant = EVER) -> list[StatusCount]:
    """How the objections decided in the period were decided; a withdrawal is no decision."""
    return await service.graph.read(lambda tx: reports.decided_by_status(tx, period, known_at))


async def times_to_decision(service: Service, period: Period, known_at: Instant = EVER) -> DecisionTimes | None:
    """How long the decisions of the period took; None when nothing was decided."""
    return decision_times(await service.graph.read(lambda tx: reports.decided_within(tx, period, known_at)))


async def refusals_by_ground(
    service: Service, period: Period, most: int, known_at: Instant = EVER
) -> list[GroundCount]:
    """The grounds of the period's refusals, the most frequent first."""
    return await service.graph.read(lambda tx: reports.refusals_by_ground(tx, period, most, known_at))


async def extended(service: Service, period: Period, known_at: Instant = EVER) -> int:
    """How many objections had their statutory period extended in the period."""
    return await service.graph.read(lambda tx: reports.extended(tx, period, known_at))


async def overdue(service: Service, known_at: Instant | None = None) -> int:
    """How many objections are undecided after their deadline, whenever they were received; now, or as known then."""

    async def work(tx: Tx) -> int:
        return await reports.overdue(tx, (await upper.now(tx)).instant if known_at is None else known_at)

    return await service.graph.read(work)


async def refused(service: Service, period: Period) -> RefusalCounts:
    """How many runs the gate refused, and how often."""
    return await service.graph.read(lambda tx: refusals.count(tx, period.begin, period.end))


async def list_refusals(service: Service, period: Period, request: PageRequest) -> Page[RecordedRefusal]:
    """What stood against the runs that the gate refused, by time."""
    return await service.graph.read(lambda tx: refusals.page(tx, period.begin, period.end, request))


async def governing_policies(service: Service, at: Instant) -> list[Policy]:
    """The policies in force at `at`, as known now."""
    return policies_in_force((await service.lineage()).policies, at)


async def built_versions(service: Service, period: Period) -> list[DatasetVersion]:
    """The dataset versions that were built, and sealed in the period."""
    return built_in((await service.lineage()).versions.values(), period)
