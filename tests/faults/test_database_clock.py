"""The database's clock is set, by which everything is recorded: what was recorded stays in force."""

from typing import Any, LiteralString

import pytest

from consentline.graph.session import Tx
from consentline.usecases import builds, gate
from consentline.usecases.doctor import examine
from consentline.usecases.service import Service
from tests.conftest import Run
from tests.integration.arrange import AI, allow, decide, file, post, publish, record, refs, train
from tests.integration.invariants import check_counts

HOUR = 3600
RECORDED = (
    *("recorded_at", "registered_at", "sealed_at", "raised_at", "joined_at", "authorized_at", "dropped_at"),
    *("lapsed_at", "first_recorded_at", "build_updated_at", "build_lease_until", "refused_at"),
)
"""The properties in which times of the database's clock are kept."""
SHIFT_NODES: LiteralString = """
MATCH (n) UNWIND [key IN keys(n) WHERE key IN $names] AS key
SET n[key] = n[key] + $by
"""
SHIFT_RELATIONSHIPS: LiteralString = """
MATCH ()-[n]->() UNWIND [key IN keys(n) WHERE key IN $names] AS key
SET n[key] = n[key] + $by
"""
RENEW: LiteralString = "MATCH (r:Revision) SET r.value = randomUUID()"


async def set_back(service: Service, seconds: int) -> None:
    """Set the database's clock back: what it told before lies that much further ahead from then on.

    Nothing but the difference between its clock and what it recorded tells one from the other.
    """

    async def work(tx: Tx) -> None:
        for statement in (SHIFT_NODES, SHIFT_RELATIONSHIPS):
            await tx.rows(statement, names=list(RECORDED), by=seconds * 1_000_000)
        await tx.rows(RENEW)

    await service.graph.write(work)


@pytest.mark.parametrize("seconds", [HOUR, -HOUR], ids=["back", "ahead"])
def test_a_database_whose_clock_is_set_keeps_what_was_recorded_in_force(
    service: Service, run: Run[Any], seconds: int
) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "bea", "cleo")
        await record(service, post("a"), post("b", "bea"), post("c", "cleo"))
        await publish(service, "d", "a", "b", "c")
        await publish(service, "e", "c")
        await train(service, "r1", "d:1", produced="m:1")
        await file(service, "o1", "ana")
        assert (await gate.authorize(service, gate.AuthorizeTraining("r2", refs("e:1"), (), AI))).run is not None

        await set_back(service, seconds)

        refused = await gate.authorize(service, gate.AuthorizeTraining("r3", refs("d:1"), (), AI))
        assert {(each.reason, each.count) for each in refused.refusals} == {("OBJECTION_PENDING", 1)}
        await file(service, "o2", "bea")
        command = builds.BuildVersion(dataset="d", title=None, purpose=AI, selection=None, as_of=None)
        built = (await builds.build(service, command)).version
        assert built.post_count == 1
        assert (await gate.start(service, "r2", None)).started_at is not None
        await decide(service, "o1", uphold=True)
        await file(service, "o3", "cleo")
        assert await examine(service) == []
        await check_counts(service)

    run(scenario())
