"""Erasures requested: what is restricted at once, on the real graph."""

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.clock import due_at
from consentline.domain.datasets import VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.erasures import ErasureStatus
from consentline.domain.errors import ConflictError, InvalidInputError, StateError
from consentline.domain.flags import CauseKind
from consentline.domain.instants import DAY
from consentline.usecases import counts, doctor, erasures, flags, gate, posts
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    RECEIVED,
    allow,
    ask_erasure,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    train,
    user,
)
from tests.integration.flagging import only_flag, open_causes
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged, snapshot
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

MINUTE = 60_000_000
PENDING = (Reason.ERASURE_PENDING,)


async def reasons(service: Service, key: str, at: int | None = None, known_at: int | None = None) -> Any:
    found = await posts.eligibility(service, key, AI, at, known_at)
    assert found is not None
    return found.reasons


async def ineligible(service: Service, dataset: str, number: int = 1, purpose: str = AI) -> int | None:
    return await counts.ineligible_count(service, VersionRef(dataset, number), purpose)


def test_a_request_is_read_back_as_it_was_recorded(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana"))
        made = await ask_erasure(service, "e", "ana", RECEIVED)

        assert (made.key, made.user, made.status) == ("e", "ana", ErasureStatus.REQUESTED)
        assert (made.received_at, made.due_at) == (RECEIVED, micros("2026-04-07T22:59:59Z"))
        assert made.recorded_at <= await service.now()
        assert made.history == ()
        assert await erasures.find_erasure(service, "e") == made
        assert await erasures.find_erasure(service, "another") is None

    run(scenario())


def test_anybodys_request_is_accepted_recorded_before_or_not(service: Service, run: Run) -> None:
    async def scenario() -> None:
        ahead = await service.now() + DAY - MINUTE
        made = await ask_erasure(service, "e", "nobody", ahead)

        assert (made.user, made.due_at) == ("nobody", due_at(ahead, None))
        assert (await snapshot(service)).names() >= {"User nobody", "Erasure e"}

    run(scenario())


def test_repeating_a_request_changes_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        made = await ask_erasure(service)

        assert await assert_unchanged(service, ask_erasure(service)) == made

    run(scenario())


@dataclass(frozen=True)
class Case:
    name: str
    attempt: Act
    expected: Refused


CASES = (
    Case(
        "a second request of the person",
        lambda service: ask_erasure(service, "e2", "ana"),
        Refused(StateError, "ERASURE_STANDING", ("user",), "stands already"),
    ),
    Case(
        "another person",
        lambda service: ask_erasure(service, "e", "ben"),
        Refused(ConflictError, "ERASURE_CONFLICT", ("key",), "recorded with other content"),
    ),
    Case(
        "another receipt",
        lambda service: ask_erasure(service, "e", "ana", RECEIVED + 1),
        Refused(ConflictError, "ERASURE_CONFLICT", ("key",), "recorded with other content"),
    ),
    Case(
        "a receipt in the future",
        lambda service: ask_erasure(service, "e2", "ben", micros("2100-01-01T00:00:00Z")),
        Refused(InvalidInputError, "TIME_IN_FUTURE", ("receivedAt",), "more than 24 hours ahead"),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_refused_says_why_and_changes_nothing(service: Service, run: Run, case: Case) -> None:
    async def scenario() -> None:
        await record(service, user("ben"))
        await ask_erasure(service)

        await assert_refused(service, case.attempt(service), case.expected)

    run(scenario())


def test_a_request_restricts_every_post_of_the_person_for_every_purpose_at_once(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await record(service, policy(key="ads", purpose="ADS", notice_required=False, assessment="dpia"))
        ours = [post("p1"), post("p2", platform="THREADS")]
        await record(service, *ours, post("b1", "ben", depicts=["ana"]), post("b2", "ben"))
        await publish(service, "d", "p1", "p2", "b1", "b2")
        await publish(service, "d", "p1", "b2")
        before = await service.now()

        made = await ask_erasure(service)

        assert await reasons(service, "p1") == PENDING
        assert await reasons(service, "p1", RECEIVED) == PENDING
        assert await reasons(service, "p1", RECEIVED - 1) == ()
        assert await reasons(service, "p1", known_at=before) == ()
        assert await reasons(service, "b1") == (Reason.THIRD_PARTY_OBJECTED,)
        assert await reasons(service, "b2") == ()
        for purpose in (AI, "ADS"):
            assert await ineligible(service, "d", 1, purpose) == 3
            assert await ineligible(service, "d", 2, purpose) == 1
        assert await erasures.affected_post_count(service, made) == 3

    run(scenario())


def test_posts_that_come_after_the_request_are_restricted_too(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ask_erasure(service, user="ana")
        await publish(service, "d", "early")
        await allow(service, "ana", "ben")
        await record(service, post("early"), post("late"), post("b", "ben", depicts=["ana"]))
        await publish(service, "d", "early", "late", "b")

        assert await reasons(service, "early") == await reasons(service, "late") == PENDING
        assert [await ineligible(service, "d", number) for number in (1, 2)] == [1, 3]

    run(scenario())


def test_a_request_received_ahead_restricts_from_its_recording_on(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("p"))
        await publish(service, "d", "p")
        before = await service.now()
        ahead = before + 60 * MINUTE

        await ask_erasure(service, received_at=ahead)

        assert await reasons(service, "p", before) == ()
        assert await reasons(service, "p") == await reasons(service, "p", ahead) == PENDING
        assert await ineligible(service, "d") == 1

    run(scenario())


def test_no_run_starts_on_what_is_restricted(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("p"))
        version = await publish(service, "d", "p")
        command = gate.AuthorizeTraining("r", (version.ref,))
        assert (await gate.authorize(service, command)).run is not None

        await ask_erasure(service)

        with pytest.raises(StateError) as raised:
            await gate.start(service, "r", None)
        assert raised.value.code == "INELIGIBLE_MEMBERS"
        (refusal,) = (await gate.authorize(service, command)).refusals
        assert (refusal.reason, refusal.count, refusal.sample_posts) == (Reason.ERASURE_PENDING, 1, ("p",))

    run(scenario())


def test_an_objection_and_an_erasure_stand_each_for_itself(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("p"))
        await publish(service, "d", "p")
        await file(service)
        await ask_erasure(service)

        assert await reasons(service, "p") == (Reason.OBJECTION_PENDING, Reason.ERASURE_PENDING)
        assert await ineligible(service, "d") == 1

    run(scenario())


# ---- what used their posts ------------------------------------------------------------------------------------------


def test_a_request_flags_at_once_whatever_used_posts_that_the_person_wrote_or_that_depict_them(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben", flags_past_use=False)
        await record(service, post("a"), post("b"), post("of ana", "ben", depicts=["ana"]), post("c", "ben"))
        await publish(service, "d", "a", "b", "c")
        await publish(service, "of", "of ana")
        await train(service, "r", "d:1", produced="m:1", purpose="ADS")
        await train(service, "s", "d:1", "of:1", produced="m:2", purpose=AI)
        await derive(service, "m:tuned", "m:1")

        made = await ask_erasure(service, "e", "ana")

        wrote = {("e", "ERASURE"): 2}
        assert await open_causes(service) == {
            "m:1": wrote | {("r", "VIOLATION"): 3},
            "m:2": wrote | {("e", "THIRD_PARTY_OBJECTED"): 1},
            "m:tuned": wrote | {("r", "VIOLATION"): 3},
        }
        flag = await only_flag(service, "m:2")
        assert flag.due_at == made.due_at
        assert await flags.affected_post_count(service, flag, None) == 3
        assert await flags.affected_post_count(service, flag, CauseKind.ERASURE) == 2

    run(scenario())


def test_whatever_comes_to_use_their_posts_after_the_request_is_flagged_too(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await ask_erasure(service, "e", "ana")
        await record(service, post("a"), post("b", "ben"))
        await publish(service, "d", "a", "b")

        await train(service, "r", "d:1", produced="m:1")
        await derive(service, "m:tuned", "m:1")
        assert await open_causes(service) == {"m:1": {("e", "ERASURE"): 1}, "m:tuned": {("e", "ERASURE"): 1}}

        await record(service, {"kind": "post_author", "post": "b", "author": "ana", "reason": "a shared account"})

        assert (await open_causes(service))["m:tuned"] == {("e", "ERASURE"): 2}

    run(scenario())


def test_a_person_who_objects_and_asks_for_erasure_counts_their_posts_once(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("a"), post("b"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1")

        await file(service, "o", "ana")
        await ask_erasure(service, "e", "ana")

        assert await open_causes(service) == {"m:1": {("o", "OBJECTION"): 2, ("e", "ERASURE"): 2}}
        assert await flags.affected_post_count(service, await only_flag(service, "m:1"), None) == 2
        assert await doctor.examine(service) == []

    run(scenario())
