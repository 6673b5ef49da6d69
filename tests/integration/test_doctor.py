"""`consentline doctor`: a sound graph has no findings, and each fault that can be put into one is found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, LiteralString

import pytest

from consentline.graph.session import Tx
from consentline.usecases import builds, doctor, gate
from consentline.usecases.doctor import Finding
from consentline.usecases.service import Service
from tests.conftest import Run
from tests.integration.arrange import AI, allow, ask_erasure, file, post, publish, record, refs, train

Told = Callable[[LiteralString], None]


async def story(service: Service) -> None:
    """Two versions of a dataset, a model, an objection with its flag, and a third version that was built."""
    await allow(service, "ana", "bea")
    await record(service, post("a1"), post("a2"), post("b1", "bea"), post("b2", "bea"))
    await publish(service, "d", "a1", "a2", "b1")
    await publish(service, "d", "a1", "b1", "b2")
    await train(service, "r1", "d:1", produced="m:1")
    await file(service)
    await builds.build(service, builds.BuildVersion(dataset="d", title=None, purpose=AI, selection=None, as_of=None))
    await gate.authorize(service, gate.AuthorizeTraining("r2", refs("d:3"), (), AI))
    await gate.start(service, "r2", None)


@pytest.fixture
def told(run: Run[Any], service: Service) -> Told:
    """Put a fault into the graph of the story, behind the product's back."""
    run(story(service))

    def tell(statement: LiteralString) -> None:
        async def work(tx: Tx) -> None:
            await tx.rows(statement)

        run(service.graph.write(work))

    return tell


def test_a_sound_graph_has_no_findings(run: Run[Any], service: Service) -> None:
    run(story(service))
    examined: list[str] = []

    assert run(doctor.examine(service, examined.append)) == []
    records = ["events", "deliveries", "erasures", "the audit"]
    assert examined == ["members of d", "retraining flags", "causes", "objections", *records]


def test_an_empty_graph_has_no_findings(run: Run[Any], service: Service) -> None:
    assert run(doctor.examine(service)) == []


@dataclass(frozen=True)
class Fault:
    """A statement that breaks the graph, and what must be found."""

    statement: LiteralString
    findings: tuple[Finding, ...]


FAULTS = {
    "a tally that is off by one": Fault(
        "MATCH (t:TallyBlock) SET t.deltas = [t.deltas[0] + 1] + t.deltas[1..]",
        (Finding("counts", "d:1", "+3 stored for AI_TRAINING, +2 by its members"),),
    ),
    "a member that was never judged": Fault(
        "MATCH (p:Post {key: 'a2'}) SET p.ineligible = [] WITH p MATCH (t:TallyBlock) SET t.deltas = [1, 0, -1]",
        (Finding("judgements", "d", "members are marked otherwise than they are judged now (1)"),),
    ),
    "memberships that overlap": Fault(
        "MATCH (:Post {key: 'b1'})-[m:IN_SHARD]->(s) MATCH (p:Post {key: 'b1'})"
        " CREATE (p)-[:IN_SHARD {dataset: 'd', from_version: 2}]->(s)",
        (Finding("intervals", "d", "memberships of one post overlap (2)"),),
    ),
    "a membership of a version that is not there": Fault(
        "MATCH (:Post {key: 'b2'})-[m:IN_SHARD]->() SET m.to_version = 9",
        (Finding("intervals", "d", "a membership begins or ends at a version that has no manifest (1)"),),
    ),
    "a membership that ends before it begins": Fault(
        "MATCH (:Post {key: 'b2'})-[m:IN_SHARD]->() SET m.to_version = 1",
        (Finding("intervals", "d", "a membership ends before it begins (1)"),),
    ),
    "a membership in a shard of another dataset": Fault(
        "MATCH (:Post {key: 'b2'})-[m:IN_SHARD]->() SET m.dataset = 'e'",
        (Finding("intervals", "d", "a membership names another dataset than its shard (1)"),),
    ),
    "a flag that is not held open": Fault(
        "MATCH (f:RetrainingFlag) REMOVE f.open_for",
        (Finding("flags", "m:1", "a flag that is OPEN is held open for nothing"),),
    ),
    "a flag without a cause": Fault(
        "MATCH (:RetrainingFlag)-[c:CAUSED_BY]->() DELETE c",
        (
            Finding("causes", "m:1", "causes are not those that the facts demand"),
            Finding("flags", "m:1", "an open flag has no cause"),
        ),
    ),
    "a cause that counts too few posts": Fault(
        "MATCH (:RetrainingFlag)-[c:CAUSED_BY]->(:Objection) SET c.posts = 1",
        (Finding("causes", "m:1", "causes are not those that the facts demand"),),
    ),
    "a flag that is due too late": Fault(
        "MATCH (f:RetrainingFlag) SET f.due_at = f.due_at + 1",
        (Finding("flags", "m:1", "a flag is not due when the earliest of its causes is"),),
    ),
    "a flag without a model version": Fault(
        "MATCH (:RetrainingFlag)-[to:FLAGS]->() DELETE to",
        (Finding("flags", "m:1", "a flag does not point to its model version"),),
    ),
    "a cause that is not listed": Fault(
        "MATCH (:RetrainingFlag)-[c:CAUSED_BY]->() REMOVE c.standing_for",
        (Finding("flags", "m:1", "causes are not listed under the flag that they hold open (1)"),),
    ),
    "two flags that are not resolved": Fault(
        "MATCH (f:RetrainingFlag)-[:FLAGS]->(m)"
        " CREATE (g:RetrainingFlag {uid: 'g', model: f.model, status: 'OPEN', raised_at: 1, due_at: 2})-[:FLAGS]->(m)",
        (
            Finding("flags", "m:1", "an open flag has no cause"),
            Finding("flags", "m:1", "2 flags are not resolved"),
            Finding("flags", "m:1", "a flag that is OPEN is held open for nothing"),
        ),
    ),
    "an objector's post in what was built and read since": Fault(
        "MATCH (:Post {key: 'a1'})-[m:IN_SHARD]->() REMOVE m.to_version WITH m"
        " MATCH (t:TallyBlock) SET t.deltas = [2, -1, 0]",
        (
            Finding("restricted", "d:3", "a built version holds posts under an objection recorded before its seal"),
            Finding("restricted", "r2", "a run started on posts under an objection recorded before its start"),
        ),
    ),
}

FAULTS |= {
    "an event whose position was never given out": Fault(
        "MATCH (e:Event) WITH e ORDER BY e.position DESC LIMIT 1 SET e.position = e.position + 5",
        (Finding("events", "outbox", "events have the position of another, or one never given out (1)"),),
    ),
    "a lane in which nothing may be sent": Fault(
        "MATCH (e:Event {position: 1})"
        " CREATE (:Webhook {uid: 'w', key: 'hook', status: 'ACTIVE', position: 99}),"
        " (:Delivery {id: 'x', webhook: 'w', position: 1, status: 'PENDING', queue: 'w lane'})-[:OF]->(e)",
        (
            Finding("deliveries", "hook", "a lane has not exactly one delivery that may be sent next (1)"),
            Finding("deliveries", "hook", "it was told of events that were never given out"),
        ),
    ),
    "deliveries to a webhook that is served no more": Fault(
        "CREATE (:Webhook {uid: 'w', key: 'hook', status: 'DISABLED', position: 0}),"
        " (:Delivery {id: 'x', webhook: 'w', position: 1, status: 'DELIVERED', queue: 'w a', ready_for: 'w'}),"
        " (:Delivery {id: 'y', webhook: 'w', position: 2, status: 'PENDING', queue: 'w b', ready_for: 'w'})",
        (
            Finding("deliveries", "hook", "a delivery has no event (2)"),
            Finding("deliveries", "hook", "a delivery is PENDING in no lane, or finished in one (1)"),
            Finding("deliveries", "hook", "a delivery to a webhook that is served no more is PENDING (1)"),
        ),
    ),
    "an audit entry that nobody wrote": Fault(
        "CREATE (:AuditEntry {uid: 'p-0000000001', at: 1, clock: 1, role: 'admin', token_id: 't', request_id: 'r',"
        " operation: 'user', outcome: 'READ', subjects: [], subject_count: 0, counted: [], counts: [], seal: ''})",
        (Finding("audit", "p-0000000001", "the entry is not as it was written"),),
    ),
}


def test_somebody_erased_who_stands_under_their_own_key_is_found(run: Run[Any], service: Service) -> None:
    run(allow(service, "ana"))
    run(record(service, post("a1")))
    run(ask_erasure(service))
    assert run(doctor.examine(service)) == []

    async def leave(tx: Tx) -> None:
        await tx.rows("MATCH (e:Erasure) SET e.status = 'DONE'")

    run(service.graph.write(leave))

    message = "somebody who was erased stands under their own key (1)"
    assert Finding("erasures", "people", message) in run(doctor.examine(service))


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
def test_a_fault_is_found(run: Run[Any], service: Service, told: Told, fault: Fault) -> None:
    told(fault.statement)

    assert run(doctor.examine(service)) == sorted(fault.findings)
