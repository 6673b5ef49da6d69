"""What is told to the outbox: each change of a flag or an objection once, in its transaction, in one order."""

import asyncio
import json
from typing import Any

import pytest

from consentline.domain.errors import ConflictError, StateError
from consentline.domain.flags import FlagResolution
from consentline.graph.session import Tx
from consentline.usecases import erasures, flags, objections
from consentline.usecases.erasures import RequestErasure
from consentline.usecases.objections import FileObjection
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS, Run
from tests.integration.arrange import RECEIVED, allow, decide, file, post, publish, record, train
from tests.integration.snapshots import assert_unchanged, snapshot
from tests.oracle import micros

EVENTS = """
MATCH (e:Event)
RETURN e.kind AS kind, e.position AS position, e.id AS id, e.lane AS lane, e.model AS model, e.flag AS flag,
       e.details AS details, [(e)-[:TELLS_OF]->(o) | o.key] AS about, properties(e) AS all
ORDER BY position
"""


async def told(service: Service) -> list[dict[str, Any]]:
    """The events, in their order."""
    rows = await service.graph.read(lambda tx: tx.rows(EVENTS))
    return [row.data() | {"details": json.loads(row["details"])} for row in rows]


async def kinds(service: Service) -> list[str]:
    return [each["kind"] for each in await told(service)]


async def story(service: Service, *people: str) -> None:
    """People with a post each in a dataset that trained m:1."""
    await allow(service, *people)
    await record(service, *(post(f"post-{key}", key) for key in people))
    await publish(service, "d", *(f"post-{key}" for key in people))
    await train(service, "r", "d:1", produced="m:1")


async def raised(service: Service) -> str:
    """A flag of m:1, raised by an objection of ana."""
    await story(service, "ana")
    await file(service, "o", "ana")
    return (await told(service))[-1]["flag"]


def test_an_objection_tells_of_itself_and_of_the_flags_it_raises_and_joins(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await story(service, "ana", "ben")
        await file(service, "o1", "ana")
        await file(service, "o2", "ben")

        events = await told(service)

        assert [(each["kind"], each["position"], each["model"], each["about"]) for each in events] == [
            ("OBJECTION_FILED", 1, None, ["o1"]),
            ("FLAG_RAISED", 2, "m:1", []),
            ("OBJECTION_FILED", 3, None, ["o2"]),
            ("FLAG_JOINED", 4, "m:1", []),
        ]
        assert events[1]["flag"] == events[3]["flag"]
        assert events[1]["lane"] == events[3]["lane"] == "model:m:1"
        assert events[0]["lane"] == PSEUDONYMS.of("Objection", "o1")
        flag = await flags.find_flag(service, events[1]["flag"])
        assert flag is not None
        assert events[1]["details"] == {
            "status": "OPEN",
            "resolution": None,
            "raisedAt": flag.raised_at,
            "dueAt": flag.due_at,
            "plannedFor": None,
            "replacement": None,
        }
        assert len({each["id"] for each in events}) == 4
        assert all(each["id"].startswith("evt_") for each in events)

    run(work())


def test_an_event_holds_no_key_of_a_person_a_post_or_an_objection(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await story(service, "somebody")
        await file(service, "filed-by-somebody", "somebody")
        await decide(service, "filed-by-somebody", uphold=True)

        assert "somebody" not in str([each["all"] for each in await told(service)])

    run(work())


def test_more_time_moves_the_deadline_of_the_flag_too(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await story(service, "ana")
        recent = await service.now() - 1_000_000
        await file(service, "o", "ana", received_at=recent)
        objection = await objections.extend_objection(service, "o", "many")

        *_, extended, changed = await told(service)

        assert (extended["kind"], changed["kind"]) == ("OBJECTION_EXTENDED", "FLAG_CHANGED")
        assert extended["details"]["dueAt"] == changed["details"]["dueAt"] == objection.extended_to

    run(work())


@pytest.mark.parametrize("ending", ["OBJECTION_REFUSED", "OBJECTION_WITHDRAWN"])
def test_a_flag_whose_only_cause_falls_away_is_told_as_resolved(run: Run[Any], service: Service, ending: str) -> None:
    async def work() -> None:
        await raised(service)
        if ending == "OBJECTION_REFUSED":
            await decide(service, uphold=False, grounds="compelling")
        else:
            await objections.withdraw_objection(service, "o")

        *_, ended, resolved = await told(service)

        assert (ended["kind"], resolved["kind"]) == (ending, "FLAG_RESOLVED")
        assert (resolved["details"]["status"], resolved["details"]["resolution"]) == ("RESOLVED", "NOT_REQUIRED")

    run(work())


def test_an_upheld_objection_changes_no_flag(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await raised(service)
        await decide(service, uphold=True)

        assert await kinds(service) == ["OBJECTION_FILED", "FLAG_RAISED", "OBJECTION_UPHELD"]

    run(work())


def test_each_step_of_a_flags_life_is_told(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        uid, planned = await raised(service), micros("2099-01-01T00:00:00Z")
        await flags.acknowledge(service, uid)
        await flags.schedule(service, uid, planned)
        resolution = FlagResolution.NOT_REQUIRED
        await flags.resolve(service, uid, resolution, replacement=None, justification="never deployed")

        acknowledged, scheduled, resolved = (await told(service))[2:]

        assert [each["kind"] for each in (acknowledged, scheduled, resolved)] == [
            "FLAG_ACKNOWLEDGED",
            "FLAG_SCHEDULED",
            "FLAG_RESOLVED",
        ]
        assert scheduled["details"]["plannedFor"] == planned
        assert {each["flag"] for each in (acknowledged, scheduled, resolved)} == {uid}

    run(work())


def test_what_changes_nothing_tells_nothing(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        uid = await raised(service)
        await flags.acknowledge(service, uid)

        await assert_unchanged(service, flags.acknowledge(service, uid))
        await assert_unchanged(service, file(service, "o", "ana"))

    run(work())


def test_what_is_refused_tells_nothing(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await raised(service)
        before = await snapshot(service)
        with pytest.raises(ConflictError):
            await file(service, "o", "ben")
        await decide(service, uphold=True)
        decided = len(await told(service))
        with pytest.raises(StateError):
            await objections.withdraw_objection(service, "o")

        assert len(before.labelled("Event")) == 2
        assert len(await told(service)) == decided

    run(work())


def test_a_run_recorded_after_the_objection_tells_of_the_flag(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await allow(service, "ana")
        await record(service, post("p"))
        await publish(service, "d", "p")
        await file(service)
        await train(service, "r", "d:1", produced="m:1")

        assert await kinds(service) == ["OBJECTION_FILED", "FLAG_RAISED"]

    run(work())


def test_events_of_writers_at_once_are_numbered_without_a_gap(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        people = [f"person-{number}" for number in range(20)]
        await story(service, *people)
        commands = [FileObjection(f"o-{key}", key, RECEIVED) for key in people]
        await asyncio.gather(*(objections.file_objection(service, each) for each in commands))

        events = await told(service)

        assert [each["position"] for each in events] == list(range(1, 41))
        assert [each["kind"] for each in events].count("FLAG_RAISED") == 1
        assert [each["kind"] for each in events].count("FLAG_JOINED") == 19

    run(work())


def test_a_transaction_that_fails_leaves_no_event_and_no_gap(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await story(service, "ana")

        async def broken(tx: Tx) -> None:
            from consentline.domain.events import EventKind, NewEvent
            from consentline.graph import outbox

            await outbox.append(tx, [NewEvent(EventKind.FLAG_RAISED, "lane")], 1)
            raise RuntimeError

        with pytest.raises(RuntimeError):
            await service.graph.write(broken)
        await file(service, "o", "ana")

        assert [each["position"] for each in await told(service)] == [1, 2]

    run(work())


def test_a_request_for_erasure_is_told_by_its_digest_alone(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await story(service, "somebody")
        command = RequestErasure("asked-by-somebody", "somebody", await service.now())
        erasure = await erasures.request_erasure(service, command)

        (requested,) = (each for each in await told(service) if each["kind"] == "ERASURE_REQUESTED")

        assert (requested["lane"], requested["about"]) == (
            PSEUDONYMS.of("Erasure", "asked-by-somebody"),
            ["asked-by-somebody"],
        )
        assert requested["details"] == {
            "status": "REQUESTED",
            "receivedAt": erasure.received_at,
            "dueAt": erasure.due_at,
        }
        assert "somebody" not in str(requested["all"])

    run(work())
