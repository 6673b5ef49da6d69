"""Objections that arrive together: one transaction, and of each what would have become of it alone."""

import asyncio
import json
import random
from collections.abc import Coroutine
from typing import Any

import pytest

from consentline.domain.errors import RefusedError
from consentline.domain.events import EventKind, flag_event
from consentline.domain.instants import DAY
from consentline.graph import filing
from consentline.usecases import doctor, erasures, flags, objections, recipients
from consentline.usecases.audit import ACCEPTED, entering
from consentline.usecases.objections import FileObjection
from consentline.usecases.service import Service
from tests.conftest import Run
from tests.graphs import wipe
from tests.integration.arrange import RECEIVED, allow, file, policy, post, publish, record, register, seal, train, user
from tests.integration.invariants import check_counts
from tests.integration.test_usecases_audit import ACTOR, entries

EVENTS = "MATCH (e:Event) RETURN e.kind AS kind, e.model AS model, e.details AS details ORDER BY e.position"
CAUSES = """
MATCH (f:RetrainingFlag)-[c:CAUSED_BY]->(o)
RETURN f.model AS model, c.kind AS kind, o.key AS source, c.posts AS posts, c.due_at AS due_at
"""
TOGETHER = "MATCH (o:Objection) RETURN count(DISTINCT o.recorded_at) AS transactions, count(o) AS objections"


async def rows(service: Service, query: Any) -> list[dict[str, Any]]:
    found = await service.graph.read(lambda tx: tx.rows(query))
    return [row.data() for row in found]


async def at_once(*works: Coroutine[Any, Any, Any]) -> list[Any]:
    """What becomes of each; a refusal by its code."""
    answers = await asyncio.gather(*works, return_exceptions=True)
    for each in answers:
        if isinstance(each, BaseException) and not isinstance(each, RefusedError):
            raise each
    return [each.code if isinstance(each, RefusedError) else each[1] for each in answers]


async def story(service: Service, *people: str) -> None:
    """People with two posts each, the first in d:1, which m:1 was trained on, and the second in d:2, m:2's."""
    await allow(service, *people)
    await record(service, *(post(f"{key}/{number}", key) for key in people for number in (1, 2)))
    await publish(service, "d", *(f"{key}/1" for key in people))
    await publish(service, "d", *(f"{key}/2" for key in people))
    await train(service, "r1", "d:1", produced="m:1")
    await train(service, "r2", "d:2", produced="m:2")


def test_what_is_filed_together_is_what_would_be_filed_one_by_one(run: Run[Any], service: Service) -> None:
    people = [f"p{number:02}" for number in range(30)]

    async def scenario() -> None:
        await story(service, *people)
        commands = [FileObjection(f"o:{person}", person, RECEIVED) for person in people]
        answers = await at_once(*(objections.file_objection(service, each) for each in commands))

        assert answers == [True] * 30
        causes = await rows(service, CAUSES)
        assert {(each["model"], each["source"]) for each in causes} == {
            (model, f"o:{person}") for model in ("m:1", "m:2") for person in people
        }
        assert {(each["kind"], each["posts"]) for each in causes} == {("OBJECTION", 1)}
        kinds = [each["kind"] for each in await rows(service, EVENTS)]
        assert {kind: kinds.count(kind) for kind in set(kinds)} == {
            "OBJECTION_FILED": 30,
            "FLAG_RAISED": 2,
            "FLAG_JOINED": 58,
        }
        (found,) = await rows(service, TOGETHER)
        assert found["objections"] == 30
        assert found["transactions"] <= 3
        await check_counts(service)
        assert await doctor.examine(service) == []

    run(scenario())


def test_each_of_many_together_has_its_own_outcome(run: Run[Any], service: Service) -> None:
    async def scenario() -> None:
        await story(service, "ana", "ben", "gone", "old", "late", "seen")
        await record(service, post("of seen", "ben", depicts=["seen"]))
        await publish(service, "d", "of seen")
        await train(service, "r3", "d:3", produced="m:3")
        await file(service, "o:old", "old")
        await erasures.request_erasure(service, erasures.RequestErasure("e", "gone", RECEIVED))
        await erasures.confirm_erasure(service, "e")
        now = await service.now()
        commands = {
            "new": FileObjection("o:new", "never recorded", RECEIVED),
            "plain": FileObjection("o:ana", "ana", RECEIVED),
            "a second one": FileObjection("o:ana 2", "ana", RECEIVED, ("ADS",), ("FACEBOOK",)),
            "repeated": FileObjection("o:old", "old", RECEIVED),
            "conflicting": FileObjection("o:old", "ben", RECEIVED),
            "erased": FileObjection("o:gone", "gone", RECEIVED),
            "too far ahead": FileObjection("o:late", "late", now + 2 * DAY),
            "too far ahead, of somebody new": FileObjection("o:unused", "unused", now + 2 * DAY),
            "depicted": FileObjection("o:seen", "seen", RECEIVED),
        }
        answers = await at_once(*(objections.file_objection(service, each) for each in commands.values()))

        assert dict(zip(commands, answers, strict=True)) == {
            "new": True,
            "plain": True,
            "a second one": True,
            "repeated": False,
            "conflicting": "OBJECTION_CONFLICT",
            "erased": "ERASED",
            "too far ahead": "TIME_IN_FUTURE",
            "too far ahead, of somebody new": "TIME_IN_FUTURE",
            "depicted": True,
        }
        causes = {(each["model"], each["kind"], each["source"]) for each in await rows(service, CAUSES)}
        assert ("m:3", "THIRD_PARTY_OBJECTED", "o:seen") in causes
        assert await rows(service, "MATCH (u:User {key: 'unused'}) RETURN u.key AS key") == []
        await check_counts(service)
        assert await doctor.examine(service) == []

    run(scenario())


def test_two_people_s_objections_of_one_key_do_not_both_stand(run: Run[Any], service: Service) -> None:
    async def scenario() -> None:
        await story(service, "ana", "ben")
        commands = [FileObjection("o", person, RECEIVED) for person in ("ana", "ben")]
        answers = await at_once(*(objections.file_objection(service, each) for each in commands))

        assert sorted(map(str, answers)) == ["OBJECTION_CONFLICT", "True"]
        assert await doctor.examine(service) == []

    run(scenario())


def test_an_event_tells_of_a_flag_as_one_that_was_changed_otherwise(run: Run[Any], service: Service) -> None:
    """The statement that files an objection writes the details itself."""

    async def scenario() -> None:
        await story(service, "ana", "ben")
        await file(service, "o:ana", "ana")
        (model,) = [each for each in await rows(service, EVENTS) if each["model"] == "m:1"]
        (found,) = await rows(service, "MATCH (f:RetrainingFlag {model: 'm:1'}) RETURN f.uid AS uid")
        flag = await flags.find_flag(service, found["uid"])
        assert flag is not None
        assert model["kind"] == "FLAG_RAISED"
        assert json.loads(model["details"]) == flag_event(EventKind.FLAG_RAISED, flag).details

        await flags.acknowledge(service, flag.uid)
        scheduled = await flags.schedule(service, flag.uid, (await service.now()) + DAY)
        await file(service, "o:ben", "ben")
        last = [each for each in await rows(service, EVENTS) if each["model"] == "m:1"][-1]
        assert last["kind"] == "FLAG_JOINED"
        assert json.loads(last["details"]) == flag_event(EventKind.FLAG_JOINED, scheduled).details

    run(scenario())


def test_entries_of_what_is_filed_together_are_written_with_it(run: Run[Any], service: Service) -> None:
    async def enter(person: str, key: str) -> Any:
        async with entering(service, ACTOR, "fileObjection"):
            return await objections.file_objection(service, FileObjection(key, person, RECEIVED))

    async def scenario() -> None:
        await story(service, "ana", "ben", "cas")
        answers = await at_once(enter("ana", "o1"), enter("ben", "o2"), enter("cas", "o1"))
        assert sorted(map(str, answers)) == ["OBJECTION_CONFLICT", "True", "True"]
        assert sorted(each.outcome for each in await entries(service)) == [ACCEPTED, ACCEPTED, "OBJECTION_CONFLICT"]

    run(scenario())


def test_what_changes_while_objections_are_filed_is_not_missed(run: Run[Any], service: Service) -> None:
    """Posts that become known, versions and runs are recorded beside them; flags are those that the facts demand."""
    people = [f"p{number:02}" for number in range(12)]

    async def members(number: int) -> None:
        await register(service, f"e{number}")
        of = {"kind": "member", "dataset": f"e{number}", "version": 1}
        await record(service, *(of | {"post": f"{person}/3"} for person in people))
        await seal(service, f"e{number}:1")
        await train(service, f"s{number}", f"e{number}:1", produced=f"n:{number}")

    async def describe(person: str) -> None:
        await record(service, post(f"{person}/3", person))

    async def move(person: str) -> None:
        await record(service, user(person, jurisdiction="IE", valid_from="2025-01-01T00:00:00Z"))

    async def scenario() -> None:
        await story(service, *people)
        await record(service, policy(key="ie", jurisdiction="IE", flags_past_use=False))
        filing = [file(service, f"o:{person}", person) for person in people]
        beside = [*(members(number) for number in range(3)), *map(describe, people), *map(move, people[::2])]
        works = [*filing, *beside]
        random.shuffle(works)
        await asyncio.gather(*works)

        await check_counts(service)
        assert await doctor.examine(service) == []

    for _ in range(3):
        run(scenario())
        run(wipe(service))


@pytest.mark.parametrize("person", ["ana", "never recorded"])
def test_recipients_are_told_of_what_is_filed(run: Run[Any], service: Service, person: str) -> None:
    async def scenario() -> None:
        await story(service, "ana")
        await recipients.record(service, recipients.RecordRecipient("d", "lab", "The lab"))
        await file(service, "o", person)
        kinds = [each["kind"] for each in await rows(service, EVENTS)]
        assert kinds.count("DATA_RESTRICTED") == (person == "ana")

    run(scenario())


def test_what_somebody_files_who_wrote_very_much_is_what_anybody_files(
    run: Run[Any], service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(most: int) -> list[Any]:
        monkeypatch.setattr(filing, "MOST_POSTS", most)
        await wipe(service)
        await story(service, "ana", "ben")
        await record(service, post("of ben, of ana", "ben", depicts=["ana"]))
        await publish(service, "d", "of ben, of ana", "ben/1")
        await train(service, "r3", "d:3", produced="m:3")
        await at_once(
            *(objections.file_objection(service, FileObjection(f"o:{who}", who, RECEIVED)) for who in ("ana", "ben"))
        )
        await check_counts(service)
        assert await doctor.examine(service) == []
        causes = await rows(service, CAUSES)
        events = [(each["kind"], each["model"]) for each in await rows(service, EVENTS)]
        restricted = await rows(service, "MATCH (p:Post) RETURN p.key AS key, p.ineligible AS ineligible ORDER BY key")
        return [sorted(map(str, causes)), sorted(map(str, events)), restricted]

    assert run(scenario(500)) == run(scenario(1))
