"""What an erasure does to retraining flags: requested, refused, carried out, and afterwards."""

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import pytest

from consentline.domain.erasures import ErasureStatus
from consentline.domain.errors import StateError
from consentline.domain.flags import FlagResolution, FlagStatus
from consentline.domain.instants import DAY
from consentline.domain.paging import PageRequest
from consentline.usecases import doctor, erasures, flags
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.integration import asking
from tests.integration.arrange import allow, ask_erasure, file, post, publish, record, train
from tests.oracle import OpenFlag, micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]

KEYS = {"User": ("ana",), "Post": ("a1", "a2"), "Objection": ("o",), "Erasure": ("e",)}
NAMES = {PSEUDONYMS.of(label, key): key for label, keys in KEYS.items() for key in keys}


async def open_flags(service: Service) -> Mapping[str, OpenFlag]:
    return await asking.open_flags(service, NAMES)


async def ana_was_used(service: Service) -> None:
    """m:1 used two posts of ana, one of which is deleted, and one of ben that depicts her; she objects."""
    await allow(service, "ana", "ben")
    await record(
        service, post("a1"), post("a2", depicts=["ben"]), post("b1", "ben", depicts=["ana"]), post("b2", "ben")
    )
    await publish(service, "d", "a1", "a2", "b1", "b2")
    await train(service, "r", "d:1", produced="m:1")
    await record(service, {"kind": "post_deleted", "post": "a1", "valid_from": "2026-01-01T00:00:00Z"})
    await file(service, "o", "ana")


def test_a_request_flags_what_used_the_posts_and_a_refusal_takes_that_back(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await record(service, post("a1"), post("b1", "ben", depicts=["ana"]))
        await publish(service, "d", "a1", "b1")
        await train(service, "r", "d:1", produced="m:1")

        erasure = await ask_erasure(service)

        flag = (await open_flags(service))["m:1"]
        assert flag.causes == {("e", "ERASURE"): 1, ("e", "THIRD_PARTY_OBJECTED"): 1}
        assert (flag.due_at, flag.affected_posts) == (erasure.due_at, 2)
        await erasures.reject_erasure(service, "e", grounds="not identified", decided_at=None)
        assert await open_flags(service) == {}
        (resolved,) = (await flags.list_flags(service, None, "m:1", PageRequest(10))).items
        assert (resolved.status, resolved.resolution) == (FlagStatus.RESOLVED, FlagResolution.NOT_REQUIRED)
        assert resolved.justification == "causes withdrawn"
        assert await doctor.examine(service) == []

    run(scenario())


def test_what_the_erased_gave_stays_as_it_was_and_the_counts_stay_true(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_was_used(service)
        await file(service, "of-ben", "ben", micros("2026-03-04T00:00:00Z"))
        await ask_erasure(service)
        before = (await open_flags(service))["m:1"]
        assert before.causes == {
            ("o", "OBJECTION"): 2,
            ("o", "THIRD_PARTY_OBJECTED"): 1,
            ("a1", "POST_DELETED"): 1,
            ("e", "ERASURE"): 2,
            ("e", "THIRD_PARTY_OBJECTED"): 1,
            ("of-ben", "OBJECTION"): 2,
            ("of-ben", "THIRD_PARTY_OBJECTED"): 1,
        }
        assert before.affected_posts == 4

        done = await erasures.confirm_erasure(service, "e")

        assert done.status is ErasureStatus.DONE
        after = (await open_flags(service))["m:1"]
        # That a post of hers depicts ben is not known any more.
        gone = {("of-ben", "THIRD_PARTY_OBJECTED")}
        assert after.causes == {cause: posts for cause, posts in before.causes.items() if cause not in gone}
        assert (after.due_at, after.status, after.affected_posts) == (before.due_at, before.status, 4)
        assert await doctor.examine(service) == []

    run(scenario())


def test_what_uses_the_posts_later_is_flagged_by_the_erasure_and_not_by_what_was_frozen(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await ana_was_used(service)
        await ask_erasure(service)
        await erasures.confirm_erasure(service, "e")

        await train(service, "r2", "d:1", produced="m:2", started_at=await service.now() - DAY)

        assert (await open_flags(service))["m:2"].causes == {
            ("e", "ERASURE"): 2,
            ("e", "THIRD_PARTY_OBJECTED"): 1,
            ("r2", "VIOLATION"): 3,
        }
        assert await doctor.examine(service) == []

    run(scenario())


def test_a_replacement_is_held_to_the_erased_posts(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_was_used(service)
        await publish(service, "clean", "b2")
        await publish(service, "foul", "a1", "b2")
        for dataset in ("clean", "foul"):
            await train(service, dataset, f"{dataset}:1", produced=f"{dataset}:m")
        await ask_erasure(service)
        await erasures.confirm_erasure(service, "e")
        (flag,) = (await flags.list_flags(service, FlagStatus.OPEN, "m:1", PageRequest(10))).items

        async def retrained(replacement: str) -> Any:
            resolution = FlagResolution.RETRAINED
            return await flags.resolve(service, flag.uid, resolution, replacement=replacement, justification=None)

        with pytest.raises(StateError) as raised:
            await retrained("foul:m")
        assert raised.value.code == "REPLACEMENT_NOT_CLEAN"
        assert PSEUDONYMS.of("Post", "a1") in raised.value.message
        resolved = await retrained("clean:m")
        assert resolved.resolution is FlagResolution.RETRAINED

    run(scenario())
