"""A start races with whatever takes its ground away: whichever commits first wins, and the graph says so afterwards.

After a start that committed, no member was under a pending or upheld objection recorded before it; otherwise the start
was refused. `python -m bench gate-races` runs many more rounds, against two service processes.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from consentline.domain.eligibility import evaluate
from consentline.domain.errors import RefusedError
from consentline.domain.flags import CauseKind, FlagStatus
from consentline.domain.instants import EVER, Instant
from consentline.domain.paging import PageRequest
from consentline.domain.training import RunStatus, TrainingRun
from consentline.graph import posts
from consentline.usecases import counts, flags, gate
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration.arrange import AI, file, policy, post, publish, record, ref, refs, user, withdraw_version

Run = Callable[[Coroutine[Any, Any, None]], None]
Move = Callable[[Service, int], Awaitable[Any]]

ROUNDS = 15
"""Of each kind of race; there are four."""


async def arrange(service: Service) -> None:
    """Ana's and ben's posts may be used: she gave consent, and the policy asks for nothing more."""
    await wipe(service)
    await record(service, policy(notice_required=False, lawful_basis="CONSENT"), user("ana"), user("ben"))
    for person in ("ana", "ben"):
        await record(service, said(person, "GIVEN", "2024-01-01T00:00:00Z"), post(f"p:{person}", person))


def said(person: str, status: str, since: str) -> dict[str, Any]:
    return {"kind": "consent", "user": person, "purpose": AI, "status": status, "valid_from": since}


async def object_to_it(service: Service, number: int) -> None:
    await file(service, f"o{number}", "ana")


async def withdraw_consent(service: Service, number: int) -> None:
    await record(service, said("ana", "WITHDRAWN", f"2026-01-01T00:00:{number:02}Z"))


async def delete(service: Service, number: int) -> None:
    await record(service, {"kind": "post_deleted", "post": "p:ana", "valid_from": f"2026-01-01T00:00:{number:02}Z"})


async def withdraw_it(service: Service, _number: int) -> None:
    await withdraw_version(service, "d:1")


async def another_policy(service: Service, number: int) -> None:
    await record(
        service,
        policy(
            version=number + 2,
            lawful_basis="CONSENT",
            notice_required=True,
            effective_from=f"2026-01-01T00:00:{number:02}Z",
        ),
    )


async def restored(service: Service, number: int) -> None:
    """Whatever the last round took away is given back: every round of one kind begins alike."""
    await arrange(service)
    await publish(service, "d", "p:ana", "p:ben")
    command = gate.AuthorizeTraining(f"r{number}", refs("d:1"))
    assert (await gate.authorize(service, command)).run is not None


async def delayed(work: Awaitable[Any], most: float) -> Any:
    """Run it after a random delay; a refusal is an answer."""
    await asyncio.sleep(random.random() * most)  # noqa: S311 - spreads the race
    try:
        return await work
    except RefusedError as error:
        return error


@pytest.mark.parametrize(
    ("move", "refused"),
    [
        (object_to_it, "INELIGIBLE_MEMBERS"),
        (withdraw_consent, "INELIGIBLE_MEMBERS"),
        (delete, "INELIGIBLE_MEMBERS"),
        (another_policy, "RECHECK_NEEDED"),
    ],
)
def test_a_start_commits_only_before_what_takes_its_ground_away(
    service: Service, run: Run, move: Move, refused: str
) -> None:
    async def scenario() -> None:
        ends: Counter[str] = Counter()
        for number in range(ROUNDS):
            await restored(service, number)
            started, _ = await asyncio.gather(
                delayed(gate.start(service, f"r{number}", None), 0.03), delayed(move(service, number), 0.01)
            )
            ends[await check(service, f"r{number}", started, refused)] += 1
        assert ends.total() == ROUNDS

    run(scenario())


async def check(service: Service, key: str, started: object, refused: str) -> str:
    """Assert that one of the two came first, and that everything that is stored says so; tells which."""
    run = (await service.lineage()).runs[key]
    if isinstance(started, RefusedError):
        assert started.code == refused
        assert run.status is RunStatus.AUTHORIZED
        assert run.started_at is None
    else:
        assert isinstance(started, TrainingRun)
        assert run == started
        assert await ineligible(service, at=run.recorded_at, known_at=run.recorded_at) == set()
    again = await gate.authorize(service, gate.AuthorizeTraining(key, refs("d:1")))
    members = await ineligible(service, at=await service.now(), known_at=EVER)
    assert await counts.ineligible_count(service, ref("d:1"), AI) == len(members) > 0
    assert (again.run is None) is isinstance(started, RefusedError)
    return refused if isinstance(started, RefusedError) else "started"


async def ineligible(service: Service, *, at: Instant, known_at: Instant) -> set[str]:
    """The members that the pure function would not let be used."""
    lineage = await service.lineage()
    facts = await service.graph.read(lambda tx: posts.facts(tx, ["p:ana", "p:ben"]))
    return {
        key
        for key, each in facts.items()
        if not evaluate(each, lineage.policies, purpose=AI, at=at, known_at=known_at).eligible
    }


def test_a_start_commits_only_before_its_input_is_withdrawn(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for number in range(ROUNDS):
            await restored(service, number)
            started, _ = await asyncio.gather(
                delayed(gate.start(service, f"r{number}", None), 0.03), delayed(withdraw_it(service, number), 0.03)
            )
            lineage = await service.lineage()
            stored, version = lineage.runs[f"r{number}"], lineage.versions[ref("d:1")]
            assert version.withdrawn_at is not None
            if isinstance(started, RefusedError):
                assert (started.code, stored.status) == ("VERSION_WITHDRAWN", RunStatus.AUTHORIZED)
            else:
                assert (started, stored.status) == (stored, RunStatus.RUNNING)
                assert stored.recorded_at <= version.withdrawn_at

    run(scenario())


def test_an_objection_that_races_with_a_runs_start_and_end_leaves_its_flag(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for number in range(ROUNDS):
            await restored(service, number)
            key = f"r{number}"

            async def train(key: str = key) -> None:
                await gate.start(service, key, None)
                await gate.complete(service, gate.CompleteTraining(key, "m", "1"))

            refusal, _ = await asyncio.gather(delayed(train(), 0.03), delayed(object_to_it(service, number), 0.06))
            page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest())
            if isinstance(refusal, RefusedError):
                assert refusal.code == "INELIGIBLE_MEMBERS"
                assert page.items == ()
            else:
                (flag,) = page.items
                assert flag.model_version == "m:1"
                assert await flags.cause_count(service, flag.uid, CauseKind.OBJECTION) == 1

    run(scenario())


def test_a_run_authorised_many_times_at_once_is_one_run(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service)
        await publish(service, "d", "p:ana")
        command = gate.AuthorizeTraining("r", refs("d:1"))
        answers = await asyncio.gather(*(gate.authorize(service, command) for _ in range(8)))
        assert len({answer.run for answer in answers}) == 1
        moves = (gate.start(service, "r", None), gate.cancel(service, "r"), gate.start(service, "r", None))
        first, cancelled, second = await asyncio.gather(*(delayed(each, 0.01) for each in moves))
        final = (await service.lineage()).runs["r"]
        if final.status is RunStatus.CANCELLED:
            assert cancelled == final
            assert {each.code for each in (first, second)} == {"RUN_WRONG_STATE"}
        else:
            assert first == second == final
            assert cancelled.code == "RUN_WRONG_STATE"

    run(scenario())
