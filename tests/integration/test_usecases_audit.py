"""Entries and the changes that they are about: together in one transaction, once, and never changed."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from typing import Any, LiteralString

import pytest

from consentline.domain.audit import ACCEPTED, READ, Actor, AuditEntry, AuditFilter, Subject, SubjectKind
from consentline.domain.errors import DatabaseUnavailableError, StateError
from consentline.domain.paging import PageRequest
from consentline.graph.audit import APPEND_EACH
from consentline.graph.session import Tx
from consentline.usecases import audit
from consentline.usecases.audit import decide, entering
from consentline.usecases.service import Service
from tests.integration.test_plans import statements

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ACTOR = Actor("admin", "token", "request")
ANA = Subject(SubjectKind.USER, "ana")

WRITE: LiteralString = "MERGE (u:User {key: $key}) SET u.guard = randomUUID()"
COUNT: LiteralString = """
RETURN COUNT { MATCH (:User) } AS users, COUNT { MATCH (:AuditEntry) } AS entries, COUNT { MATCH (:AuditTerm) } AS terms
"""


async def counts(service: Service) -> tuple[int, int, int]:
    row = await service.graph.read(lambda tx: tx.get(COUNT))
    return row["users"], row["entries"], row["terms"]


async def entries(service: Service) -> list[AuditEntry]:
    """Every entry, the oldest first."""
    return list((await audit.list_entries(service, AuditFilter(), PageRequest(100))).items)[::-1]


async def told(service: Service) -> list[tuple[str, str]]:
    return [(entry.operation, entry.outcome) for entry in await entries(service)]


async def write(tx: Tx, *keys: str) -> None:
    for key in keys:
        await tx.rows(WRITE, key=key)


def test_a_change_and_its_entry_are_one_transaction(service: Service, run: Run) -> None:
    async def scenario() -> None:
        async def work(tx: Tx) -> None:
            await write(tx, "ana")
            raise StateError("no", code="WRONG_STATE")

        with pytest.raises(StateError):
            async with entering(service, ACTOR, "change", [ANA]):
                await decide(service, work)
        assert await counts(service) == (0, 1, 2)
        assert await told(service) == [("change", "WRONG_STATE")]

        async with entering(service, ACTOR, "change", [ANA]) as waiting:
            await decide(service, lambda tx: write(tx, "ana"))
            assert waiting.written
            assert await counts(service) == (1, 2, 4)
        assert await told(service) == [("change", "WRONG_STATE"), ("change", ACCEPTED)]

    run(scenario())


def test_what_fails_after_the_commit_stays_accepted(service: Service, run: Run) -> None:
    async def scenario() -> None:
        async def change() -> None:
            async with entering(service, ACTOR, "change"):
                await decide(service, lambda tx: write(tx, "ana"))
                raise DatabaseUnavailableError("gone")

        with pytest.raises(DatabaseUnavailableError):
            await change()
        assert await told(service) == [("change", ACCEPTED)]

    run(scenario())


def test_where_nobody_asks_nothing_is_entered(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await decide(service, lambda tx: write(tx, "ana"))
        assert await counts(service) == (1, 0, 0)

    run(scenario())


def test_a_transaction_that_decides_nothing_enters_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        async with entering(service, ACTOR, "change"):
            for final in (False, False, True):
                await decide(
                    service,
                    lambda tx, final=final: _answer(tx, final=final),
                    lambda final: "DONE" if final else None,
                )
        assert await told(service) == [("change", "DONE")]

    async def _answer(tx: Tx, *, final: bool) -> bool:
        await write(tx, "ana")
        return final

    run(scenario())


def test_a_bug_is_entered_as_one(service: Service, run: Run) -> None:
    async def scenario() -> None:
        with pytest.raises(ZeroDivisionError):
            async with entering(service, ACTOR, "change"):
                raise ZeroDivisionError
        assert await told(service) == [("change", "INTERNAL")]

    run(scenario())


def test_transactions_that_deadlock_and_are_repeated_leave_one_entry_each(service: Service, run: Run) -> None:
    attempts: list[str] = []

    async def change(first: str, second: str) -> None:
        async def work(tx: Tx) -> None:
            attempts.append(first)
            await write(tx, first)
            await asyncio.sleep(0.3)
            await write(tx, second)

        async with entering(service, ACTOR, f"{first}-{second}"):
            await decide(service, work)

    async def scenario() -> None:
        await service.graph.write(lambda tx: write(tx, "ana", "ben"))
        await asyncio.gather(change("ana", "ben"), change("ben", "ana"))
        assert sorted(await told(service)) == [("ana-ben", ACCEPTED), ("ben-ana", ACCEPTED)]

    run(scenario())

    assert len(attempts) > 2


def test_an_entry_whose_commit_was_not_heard_of_is_not_written_twice(service: Service, run: Run) -> None:
    async def scenario() -> None:
        entry = audit.new_entry(service, ACTOR, "change", ACCEPTED, [ANA])
        failure = audit.new_entry(service, ACTOR, "change", "DATABASE_UNAVAILABLE", [ANA], uid=entry.uid)
        await audit.write(service, [entry])
        await audit.write(service, [failure])
        assert await counts(service) == (0, 1, 2)
        assert await told(service) == [("change", ACCEPTED)]

    run(scenario())


def test_many_who_write_at_once_do_not_wait_for_each_other(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await asyncio.gather(*(audit.enter(service, ACTOR, "user", READ, [ANA]) for _ in range(64)))
        assert await counts(service) == (0, 64, 128)
        found = await audit.verify(service)
        assert (found.entries, found.processes, found.changed, found.missing) == (64, 1, [], {})

    service = Service(service.graph, service.lineages, service.pseudonyms)
    run(scenario())


def test_an_entry_read_back_is_what_was_written(service: Service, run: Run) -> None:
    async def scenario() -> None:
        written = audit.new_entry(service, ACTOR, "ingest", ACCEPTED, [ANA, ANA], {"accepted": 3}, "sha256:00")
        await audit.write(service, [written])
        (found,) = await entries(service)
        assert found.at > 0
        assert (found.uid, found.actor, found.subjects, found.subject_count) == (
            written.uid,
            ACTOR,
            (service.pseudonyms.of("User", "ana"),),
            1,
        )
        assert (found.counts, found.digest, found.seal) == ((("accepted", 3),), "sha256:00", written.seal)
        assert found.intact(service.pseudonyms)

    run(scenario())


TAMPERED: dict[str, LiteralString] = {
    "changed": "MATCH (e:AuditEntry {operation: 'op2'}) SET e.token_id = 'another'",
    "moved": "MATCH (e:AuditEntry {operation: 'op2'}) SET e.at = e.at - 3600000000",
    "hidden": "MATCH (t:AuditTerm {term: 'op2'}) DELETE t",
    "taken out": "MATCH (e:AuditEntry {operation: 'op2'}) DELETE e",
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_verification_finds_what_somebody_did_in_the_database(service: Service, run: Run, how: str) -> None:
    async def scenario() -> None:
        for number in range(4):
            await audit.enter(own, ACTOR, f"op{number}", READ, [ANA])
        second = (await entries(own))[2].uid
        await own.graph.write(lambda tx: tx.rows(TAMPERED[how]))
        found = await audit.verify(own)
        if how == "taken out":
            assert (found.changed, list(found.missing.values())) == ([], [1])
        else:
            assert (found.changed, found.missing) == ([second], {})

    own = Service(service.graph, service.lineages, service.pseudonyms)
    run(scenario())


def test_a_verification_looks_at_every_page(service: Service, run: Run) -> None:
    told: list[int] = []

    async def scenario() -> None:
        own = Service(service.graph, service.lineages, service.pseudonyms)
        many = [audit.new_entry(own, ACTOR, "user", READ) for _ in range(2_001)]
        await audit.write(own, many)
        found = await audit.verify(own, told.append)
        assert (found.entries, found.changed, found.missing) == (2_001, [], {})

    run(scenario())

    assert told == [1_000, 2_000, 2_001]


def test_no_statement_changes_or_deletes_an_entry() -> None:
    """An entry is only ever written where it is new; nothing else of the graph layer writes nodes of any label."""
    # What is filed is entered by the same text, in the one statement that files it.
    about_entries = {
        name: text if name == "audit.APPEND" else text.replace(APPEND_EACH, "") for name, text in statements().items()
    }
    about_entries = {name: text for name, text in about_entries.items() if "Audit" in text}
    writing = {name for name, text in about_entries.items() if re.search(r"\b(SET|REMOVE|DELETE|MERGE|CREATE)\b", text)}

    assert writing == {"audit.APPEND"}
    append = about_entries["audit.APPEND"]
    assert re.findall(r"\b(?:ON CREATE SET|SET|REMOVE|DELETE|DETACH)\b", append) == ["ON CREATE SET"]
    deleting = {name for name, text in statements().items() if re.search(r"\bDELETE\b", text)}
    assert not [name for name in deleting if _matches_anything(statements()[name])]


def _matches_anything(text: str) -> bool:
    """Whether it matches a node that it names no label of, here or where it matched it first."""
    return any(f"({name}:" not in text for name in re.findall(r"MATCH \((\w*)\)", text))
