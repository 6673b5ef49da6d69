"""An erasure that is carried out while everybody else goes on: nothing of the person slips through."""

import asyncio
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from consentline.domain.errors import RefusedError, StateError
from consentline.domain.instants import DAY
from consentline.domain.record_lines import parse
from consentline.usecases import counts, doctor, erasing, erasures, facts
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.integration.arrange import AI, allow, ask_erasure, file, post, publish, record, ref, train
from tests.integration.leaving import places_of
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ANA = "ana-7f3a@leaving"
OLD = [f"post-{number}-of-ana-9c1e" for number in range(20)]
NEW = [f"new-{number}-of-ana-9c1e" for number in range(20)]
WRITERS = 10


async def say(service: Service, *records: dict[str, Any]) -> list[Any]:
    """The outcome of each record: whether it was written, or the code of its refusal."""
    batch: Any = [parse(orjson.dumps(each), datetime(2100, 1, 1, tzinfo=UTC)) for each in records]
    return [each.code if isinstance(each, RefusedError) else each for each in await facts.record(service, batch)]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_recorded_meanwhile_is_erased_or_refused(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(erasing, "POSTS_AT_ONCE", 3)

    async def scenario() -> None:
        await allow(service, ANA, "ben", *(f"friend-{number}" for number in range(WRITERS)))
        await record(service, *(post(key, ANA, depicts=["ben"]) for key in OLD), post("b1", "ben", depicts=[ANA]))
        await publish(service, "d", *OLD[:10], "b1")
        await train(service, "r", "d:1", produced="m:1")
        await ask_erasure(service, "erasure-of-ana", ANA)

        async def write(number: int) -> list[Any]:
            await asyncio.sleep(0.01 * ((number + seed) % 5))
            said = await say(service, post(NEW[number], ANA), post(f"of-{number}", f"friend-{number}", depicts=[ANA]))
            hidden = {"kind": "visibility", "post": OLD[number], "visibility": "FRIENDS"}
            said += await say(service, hidden | {"valid_from": "2026-01-01T00:00:00Z"})
            said += await say(
                service, {"kind": "post_author", "post": OLD[-number - 1], "author": "ben", "reason": "no"}
            )
            await publish(service, f"d{number}", OLD[number], *([NEW[number]] if said[0] is True else []), "b1")
            return said

        async def object_() -> None:
            await asyncio.sleep(0.01 * seed)
            await file(service, "of-ben", "ben", await service.now() - DAY)

        def confirm() -> Coroutine[Any, Any, Any]:
            return erasures.confirm_erasure(service, "erasure-of-ana")

        writers = [write(number) for number in range(WRITERS)]
        outcomes = await asyncio.gather(confirm(), *writers, confirm(), object_())

        assert {outcomes[0], outcomes[-2]} == {outcomes[0]}
        for said in outcomes[1:-2]:
            assert set(said) <= {True, "ERASED"}, said
            assert said[1] is True
        # A correction that came first moved a post out of the erasure: it is ben's then, and was never erased.
        moved = [key for key, said in zip(reversed(OLD), outcomes[1:-2], strict=False) if said[3] is True]
        keys = [ANA, "erasure-of-ana", *NEW, *(key for key in OLD if key not in moved)]
        assert await places_of(service, *keys) == []
        assert await doctor.examine(service) == []
        for number, said in enumerate(outcomes[1:-2]):
            assert await counts.ineligible_count(service, ref(f"d{number}:1"), AI) == (3 if said[0] is True else 2)
        with pytest.raises(StateError) as raised:
            await file(service, "late", ANA, micros("2026-03-03T00:00:00Z"))
        assert raised.value.code == "ERASED"
        assert PSEUDONYMS.of("User", ANA) in {each.user for each in (await erasures_of(service))}

    run(scenario())


async def erasures_of(service: Service) -> list[Any]:
    found = await erasures.find_erasure(service, "erasure-of-ana")
    return [] if found is None else [found]
