"""Guarded decisions that race: whichever commits first wins, and both orders leave a consistent graph."""

import asyncio
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest

from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.errors import RefusedError
from consentline.domain.flags import FlagStatus
from consentline.domain.objections import ObjectionStatus
from consentline.domain.paging import PageRequest
from consentline.domain.training import DerivationKind
from consentline.usecases import datasets, flags, members, objections, training
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration.arrange import allow
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, None]], None]

ROUNDS = 15
STARTED = micros("2025-01-01T00:00:00Z")
RECEIVED = micros("2026-11-01T00:00:00Z")


def post(key: str, author: str, **more: Any) -> dict[str, Any]:
    return {
        "kind": "post",
        "key": key,
        "author": author,
        "platform": "FACEBOOK",
        "post_kind": "POST",
        "visibility": "PUBLIC",
        "published_at": "2024-01-01T00:00:00Z",
        **more,
    }


async def record(service: Service, *records: dict[str, Any]) -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(each).encode() + b"\n" for each in records)

    summary = await ingest(service, lines(), on_reject=lambda rejection: pytest.fail(rejection.message))
    assert summary.rejected == 0


async def register(service: Service, dataset: str, *posts: str, **more: Any) -> VersionRef:
    command = datasets.RegisterVersion(dataset, Coverage.COMPLETE, posts=posts, **more)
    return (await datasets.register_version(service, command)).ref


async def train(service: Service, run: str, *inputs: VersionRef, version: str, **more: Any) -> None:
    command = training.RecordTraining(run, inputs, STARTED, model="m", version=version, **more)
    await training.record_training(service, command)


async def object_to_it(service: Service, user: str, key: str = "") -> bool:
    command = objections.FileObjection(key or f"objection:{user}", user, RECEIVED)
    return (await objections.file_objection(service, command))[1]


async def open_flags(service: Service) -> dict[str, int]:
    """The number of causes of every open flag, by model version; a model version has one at most."""
    page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest(first=100))
    found = {flag.model_version: await flags.cause_count(service, flag.uid, None) for flag in page.items}
    assert len(found) == len(page.items)
    return found


async def together(*works: Awaitable[Any]) -> list[Any]:
    """Run all at once, each after a random short delay; refusals are answers."""

    async def delayed(work: Awaitable[Any]) -> Any:
        await asyncio.sleep(random.random() * 0.01)  # noqa: S311 - spreads the race
        return await work

    results = await asyncio.gather(*(delayed(work) for work in works), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, RefusedError):
            raise result
    return results


def test_an_objection_and_a_run_that_race_end_in_a_flag(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            await allow(service, "ana")
            await record(service, post("p", "ana"))
            version = await register(service, "d", "p")
            await together(object_to_it(service, "ana"), train(service, "r", version, version="1"))
            assert await open_flags(service) == {"m:1": 1}

    run(scenario())


def test_an_objection_and_the_description_of_a_used_post_that_race_end_in_a_flag(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            await allow(service, "ana")
            # Until the post is described it could not be used: the run has a violation, which the description ends.
            await train(service, "r", await register(service, "d", "p"), version="1")
            await together(object_to_it(service, "ana"), record(service, post("p", "ana")))
            assert await open_flags(service) == {"m:1": 1}

    run(scenario())


def test_a_corrected_author_and_both_authors_objections_that_race_leave_the_new_authors_cause(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            await allow(service, "ana", "ben")
            await record(service, post("p", "ana"))
            await train(service, "r", await register(service, "d", "p"), version="1")
            correction = {"kind": "post_author", "post": "p", "author": "ben", "reason": "wrong account"}
            await together(object_to_it(service, "ana"), object_to_it(service, "ben"), record(service, correction))
            assert await open_flags(service) == {"m:1": 1}
            page = await flags.list_flags_of_objection(service, "objection:ben", PageRequest())
            assert [flag.model_version for flag in page.items] == ["m:1"]

    run(scenario())


def test_sixty_four_objections_at_once_join_one_flag_a_model_version(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await wipe(service)
        people = [f"person{number}" for number in range(64)]
        await allow(service, *people)
        await record(service, *(post(f"p:{person}", person) for person in people))
        await train(service, "r", await register(service, "d", *(f"p:{person}" for person in people)), version="1")
        await training.derive_model(service, training.DeriveModel("m", "2", ("m:1",), DerivationKind.FINE_TUNE))
        await together(*(object_to_it(service, person) for person in people))
        assert await open_flags(service) == {"m:1": 64, "m:2": 64}

    run(scenario())


def test_an_objection_sent_many_times_at_once_is_recorded_once(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await wipe(service)
        new = await together(*(object_to_it(service, "ana") for _ in range(16)))
        assert sorted(new) == [False] * 15 + [True]

    run(scenario())


def test_one_number_taken_by_two_contents_at_once_goes_to_one_of_them(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            results = await together(register(service, "d", "p", number=1), register(service, "d", "q", number=1))
            refused = [result for result in results if isinstance(result, RefusedError)]
            assert [error.code for error in refused] == ["VERSION_NUMBER_TAKEN"]

    run(scenario())


def test_versions_registered_at_once_take_numbers_without_a_gap(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await wipe(service)
        refs = await together(*(register(service, "d", f"p{number}") for number in range(8)))
        assert sorted(ref.number for ref in refs) == list(range(1, 9))

    run(scenario())


def test_two_derivations_that_would_close_a_cycle_do_not_both_land(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            version = await register(service, "d")
            await train(service, "r1", version, version="1")
            await train(service, "r2", version, version="2")
            results = await together(
                training.derive_model(service, training.DeriveModel("m", "1", ("m:2",), DerivationKind.MERGE)),
                training.derive_model(service, training.DeriveModel("m", "2", ("m:1",), DerivationKind.MERGE)),
            )
            refused = [result for result in results if isinstance(result, RefusedError)]
            assert [error.code for error in refused] == ["DERIVATION_CYCLE"]

    run(scenario())


def test_a_decision_and_a_withdrawal_that_race_end_in_one_of_them(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for number in range(ROUNDS):
            key = f"objection:{number}"
            await object_to_it(service, "ana", key)
            results = await together(
                objections.decide_objection(service, key, uphold=True, grounds=None, decided_at=None),
                objections.withdraw_objection(service, key),
            )
            refused = [result for result in results if isinstance(result, RefusedError)]
            assert [error.code for error in refused] == ["OBJECTION_ALREADY_DECIDED"]
            settled = await objections.find_objection(service, key)
            assert settled is not None
            assert settled.status in (ObjectionStatus.UPHELD, ObjectionStatus.WITHDRAWN)

    run(scenario())


def test_members_that_race_with_the_seal_are_in_the_version_or_refused(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            command = datasets.RegisterVersion("d", Coverage.COMPLETE)
            ref = (await datasets.register_version(service, command)).ref
            added, _ = await together(members.add_members(service, ref, ["p"]), members.seal_version(service, ref))
            version = (await service.lineage()).versions[ref]
            assert version.post_count == (1 if added == [True] else 0)
            assert await datasets.contains(service, version, "p") is (added == [True])

    run(scenario())
