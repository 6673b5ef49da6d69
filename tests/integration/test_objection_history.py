"""What became of an objection, by whom and why; and which of them are urgent; on the real graph."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import DAY, Instant
from consentline.domain.objections import BY_RECORD, Objection, ObjectionEventKind, ObjectionOrder, ObjectionStatus
from consentline.domain.paging import PageRequest, Position
from consentline.graph import migrations
from consentline.graph.session import Tx
from consentline.usecases import objections, people
from consentline.usecases.service import Service
from tests.integration.arrange import RECEIVED, decide, file, policy, record, user
from tests.integration.snapshots import Refused, assert_refused, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

FILED, EXTENDED = ObjectionEventKind.FILED, ObjectionEventKind.EXTENDED
UPHELD, REFUSED, WITHDRAWN = ObjectionEventKind.UPHELD, ObjectionEventKind.REFUSED, ObjectionEventKind.WITHDRAWN
MOVES = (ObjectionStatus.UPHELD, ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN)


async def said(service: Service, key: str = "o") -> list[tuple[Any, ...]]:
    """The history of an objection without its recorded times, which never go back."""
    found = await objections.find_objection(service, key)
    assert found is not None
    recorded = [event.recorded_at for event in found.history]
    assert recorded == sorted(recorded)
    assert recorded[-1] <= await service.now()
    return [(event.kind, event.at, event.by, event.reason) for event in found.history]


async def recent(service: Service) -> Instant:
    """A time of receipt whose deadline lies ahead."""
    return await service.now() - 5 * DAY


async def withdraw(service: Service, key: str = "o", **more: Any) -> Objection:
    return await objections.withdraw_objection(service, key, **more)


def test_the_history_tells_who_did_what_when_and_why(service: Service, run: Run) -> None:
    async def scenario() -> None:
        received = await recent(service)
        command = objections.FileObjection("o", "ana", received)
        made, _ = await objections.file_objection(service, command, by="compliance")
        assert await objections.find_objection(service, "o") == made
        await objections.extend_objection(service, "o", "many requests", by="admin")
        told = received + DAY
        await objections.decide_objection(
            service, "o", uphold=False, grounds="overriding", decided_at=told, by="service"
        )

        events = (await objections.find_objection(service, "o") or made).history
        extended = events[1].at
        assert await said(service) == [
            (FILED, received, "compliance", None),
            (EXTENDED, extended, "admin", "many requests"),
            (REFUSED, told, "service", "overriding"),
        ]
        assert [each.recorded_at for each in events] == [made.recorded_at, extended, events[2].recorded_at]

    run(scenario())


def test_a_withdrawal_and_a_decision_for_the_person_are_told_too(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await file(service, "o")
        await withdraw(service, "o", by="compliance")
        await file(service, "o2")
        await decide(service, "o2", uphold=True, decided_at=RECEIVED + DAY)

        at = (await objections.find_objection(service, "o") or await file(service)).history[1].at
        assert await said(service, "o") == [(FILED, RECEIVED, "service", None), (WITHDRAWN, at, "compliance", None)]
        assert await said(service, "o2") == [
            (FILED, RECEIVED, "service", None),
            (UPHELD, RECEIVED + DAY, "service", None),
        ]

    run(scenario())


def test_an_objection_that_was_loaded_says_so_and_who_repeats_it_changes_nothing(service: Service, run: Run) -> None:
    line = {"kind": "objection", "key": "o", "user": "ana", "received_at": "2026-03-03T10:00:00Z"}

    async def scenario() -> None:
        await record(service, line)
        await objections.file_objection(service, objections.FileObjection("o", "ana", RECEIVED), by="admin")

        assert await said(service) == [(FILED, RECEIVED, BY_RECORD, None)]
        listed = await people.list_objections_of(service, "ana", PageRequest(10))
        assert [event.by for event in listed.items[0].history] == [BY_RECORD]

    run(scenario())


FORGET = """
MATCH (o:Objection)
REMOVE o.recorded_by, o.extended_by, o.deadline
WITH o
OPTIONAL MATCH (o)-[:BECAME]->(t:Transition)
REMOVE t.by
"""


def test_a_graph_written_before_has_no_names_and_its_deadlines_are_filled_in(service: Service, run: Run) -> None:
    async def scenario() -> None:
        received = await recent(service)
        for key in ("decided", "extended", "pending"):
            await file(service, key, received_at=received)
        await decide(service, "decided", uphold=True, decided_at=received)
        await objections.extend_objection(service, "extended", "complex")
        now_kept = await snapshot(service)

        async def forget(tx: Tx) -> None:
            await tx.rows(FORGET)

        await service.graph.write(forget)
        assert {event[2] for key in ("decided", "extended", "pending") for event in await said(service, key)} == {None}
        assert (await urgent(service))[0] == []
        for statement in next(each for each in migrations.load_migrations() if "0002" in each.name).statements:
            await service.graph.run_schema(statement)

        assert await urgent(service) == (["pending", "extended"], 2)
        kept = {each["key"]: each["deadline"] for each in now_kept.labelled("Objection")}
        filled = {each["key"]: each["deadline"] for each in (await snapshot(service)).labelled("Objection")}
        assert filled == kept
        assert kept["decided"] is None

    run(scenario())


@dataclass(frozen=True)
class Illegal:
    name: str
    act: Act


ILLEGAL = (
    Illegal("upholding", lambda s: decide(s, uphold=True)),
    Illegal("refusing", lambda s: decide(s, uphold=False, grounds="overriding")),
    Illegal("withdrawing", withdraw),
    Illegal("extending", lambda s: objections.extend_objection(s, "o", "complex")),
)
ENDS: dict[ObjectionStatus, Act] = {
    ObjectionStatus.UPHELD: lambda s: decide(s, uphold=True),
    ObjectionStatus.REFUSED: lambda s: decide(s, uphold=False, grounds="overriding"),
    ObjectionStatus.WITHDRAWN: withdraw,
}


@pytest.mark.parametrize("status", MOVES)
@pytest.mark.parametrize("case", ILLEGAL, ids=lambda case: case.name)
def test_nothing_moves_an_objection_that_has_ended(
    service: Service, run: Run, case: Illegal, status: ObjectionStatus
) -> None:
    async def scenario() -> None:
        await file(service, "o")
        await ENDS[status](service)

        telling = f"the objection is {status} already"
        refused = Refused(StateError, "OBJECTION_ALREADY_DECIDED", ("key",), telling)
        await assert_refused(service, case.act(service), refused)

    run(scenario())


# ---- urgency --------------------------------------------------------------------------------------------------------


async def urgent(
    service: Service, overdue: bool | None = None, status: ObjectionStatus | None = None, first: int = 100
) -> tuple[list[str], int]:
    """The keys of every page by urgency, and how many the list says that it has."""
    keys: list[str] = []
    after: Position | None = None
    while True:
        request = PageRequest(first, after)
        page = await objections.list_objections(service, status, overdue, request, ObjectionOrder.URGENCY)
        keys += [each.key for each in page.items]
        if not page.has_next:
            return keys, page.total
        after = page.positions[-1]


async def some_objections(service: Service) -> None:
    """Two overdue, four due (two of them on the same day, one extended), and one of each that has ended."""
    now = await service.now()
    await record(service, policy(), user("ana"))
    for key, received in (("late2", RECEIVED + 40 * DAY), ("late1", RECEIVED)):
        await file(service, key, received_at=received)
    for key, days in (("extended", 9), ("b", 5), ("a", 5), ("first", 8)):
        await file(service, key, received_at=now - days * DAY)
    await objections.extend_objection(service, "extended", "complex")
    for status in MOVES:
        await file(service, "o")
        await ENDS[status](service)
        await rename(service, status)


RENAME = "MATCH (o:Objection {key: 'o'}) SET o.key = $key"


async def rename(service: Service, key: str) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows(RENAME, key=key)

    await service.graph.write(work)


@pytest.mark.parametrize("first", [1, 2, 100])
def test_the_most_urgent_stand_first_and_what_has_ended_is_not_urgent(service: Service, run: Run, first: int) -> None:
    async def scenario() -> None:
        await some_objections(service)

        assert await urgent(service, first=first) == (["late1", "late2", "first", "a", "b", "extended"], 6)
        assert await urgent(service, overdue=True, first=first) == (["late1", "late2"], 2)
        assert await urgent(service, overdue=False, first=first) == (["first", "a", "b", "extended"], 4)
        assert (await urgent(service, status=ObjectionStatus.PENDING))[1] == 6

    run(scenario())


def test_by_receipt_the_overdue_are_counted_the_same(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await some_objections(service)
        totals = {
            overdue: (await objections.list_objections(service, None, overdue, PageRequest(1))).total
            for overdue in (None, True, False)
        }

        assert totals == {None: 9, True: 2, False: 7}

    run(scenario())


@pytest.mark.parametrize("status", MOVES)
def test_what_has_ended_cannot_be_listed_by_urgency(service: Service, run: Run, status: ObjectionStatus) -> None:
    with pytest.raises(InvalidInputError) as raised:
        run(urgent(service, status=status))

    assert (raised.value.code, raised.value.path) == ("ORDER_NEEDS_PENDING", ("orderBy",))
    assert f"not those that are {status}" in raised.value.message
