"""Requests that wait for each other are done together, and each gets its own answer."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

import pytest

from consentline.usecases.together import MOST_TOGETHER, Together


class RefusedError(Exception):
    pass


class Works:
    """Work that notes its batches and takes as long as it is told to; what begins with "no" is refused."""

    def __init__(self) -> None:
        self.together: Together[str, str] = Together()
        self.batches: list[list[str]] = []
        self.held = asyncio.Event()
        self.held.set()

    async def work(self, requests: Sequence[str]) -> list[str | Exception]:
        self.batches.append(list(requests))
        await self.held.wait()
        if len(requests) > 1 and "broken" in requests:
            raise ValueError
        if requests[0] == "broken":
            raise RefusedError
        return [RefusedError(each) if each.startswith("no") else each.upper() for each in requests]

    async def ask(self, request: str) -> str:
        return await self.together.ask(request, self.work, lambda each: each.split()[0])

    async def ask_behind(self, *requests: str) -> list[str | BaseException]:
        """Ask while something else is under way."""
        self.held.clear()
        first = asyncio.create_task(self.ask("first"))
        await asyncio.sleep(0.01)
        asked = [asyncio.create_task(self.ask(each)) for each in requests]
        await asyncio.sleep(0.01)
        self.held.set()
        await first
        return await asyncio.gather(*asked, return_exceptions=True)


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


def test_a_request_alone_is_done_at_once() -> None:
    async def scenario() -> None:
        works = Works()
        assert [await works.ask(each) for each in ("a", "b")] == ["A", "B"]
        assert works.batches == [["a"], ["b"]]

    run(scenario())


def test_what_comes_meanwhile_is_done_together_and_answered_each() -> None:
    async def scenario() -> None:
        works = Works()
        answers = await works.ask_behind("a", "no", "b")
        assert (answers[0], type(answers[1]), answers[2]) == ("A", RefusedError, "B")
        assert works.batches == [["first"], ["a", "no", "b"]]

    run(scenario())


def test_requests_that_are_to_be_apart_follow_each_other_in_their_order() -> None:
    async def scenario() -> None:
        works = Works()
        assert await works.ask_behind("ana 1", "ana 2", "ben", "ana 3") == ["ANA 1", "ANA 2", "BEN", "ANA 3"]
        assert works.batches == [["first"], ["ana 1", "ben"], ["ana 2"], ["ana 3"]]

    run(scenario())


def test_a_batch_is_bounded() -> None:
    async def scenario() -> None:
        works = Works()
        await works.ask_behind(*(f"r{number}" for number in range(2 * MOST_TOGETHER + 1)))
        assert [len(batch) for batch in works.batches] == [1, MOST_TOGETHER, MOST_TOGETHER, 1]

    run(scenario())


def test_a_batch_that_fails_is_tried_one_by_one(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        works = Works()
        answers = await works.ask_behind("a", "broken", "b")
        assert (answers[0], type(answers[1]), answers[2]) == ("A", RefusedError, "B")
        assert works.batches == [["first"], ["a", "broken", "b"], ["a"], ["broken"], ["b"]]

    run(scenario())
    assert [record.getMessage() for record in caplog.records] == [
        "3 requests together failed (ValueError); each is tried alone"
    ]


def test_who_gave_up_waiting_is_left_out_and_others_are_answered() -> None:
    async def scenario() -> None:
        works = Works()
        works.held.clear()
        first, gone, other = (asyncio.create_task(works.ask(each)) for each in ("first", "gone", "other"))
        await asyncio.sleep(0.01)
        later, late = (asyncio.create_task(works.ask(each)) for each in ("later", "late"))
        await asyncio.sleep(0.01)
        late.cancel()
        gone.cancel()
        works.held.set()
        assert [await first, await other, await later] == ["FIRST", "OTHER", "LATER"]
        assert works.batches == [["first", "gone", "other"], ["later"]]

    run(scenario())
