"""The feed of a process: every event to every follower, in order, one look at the graph for all of them."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from consentline.domain.events import Event, EventKind, NewEvent
from consentline.graph import outbox
from consentline.graph.session import Tx
from consentline.usecases import retention
from consentline.usecases.feed import EventNotKeptError, Feed, FeedClosedError, TooSlowError
from consentline.usecases.service import Service
from tests.conftest import Run

LONG_AGO = 1_700_000_000_000_000


async def tell(service: Service, *models: str) -> None:
    events = [NewEvent(EventKind.FLAG_CHANGED, f"model:{model}", model=model) for model in models]
    await service.graph.write(lambda tx: outbox.append(tx, events, LONG_AGO))


def everything(_event: Event) -> bool:
    return True


async def take(events: AsyncGenerator[Event], count: int) -> list[int]:
    """The positions of the next events."""
    async with asyncio.timeout(20):
        return [(await anext(events)).position for _ in range(count)]


async def drain(events: AsyncGenerator[Event], taken: list[Event]) -> None:
    taken.extend([event async for event in events])


def test_what_was_and_what_comes_is_told_once_in_order(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await tell(service, *["m:1"] * 450)
        feed = Feed(service, look_seconds=0.02)
        events = feed.follow(await feed.begin(outbox.BEGINNING), everything)

        assert await take(events, 450) == list(range(1, 451))
        coming = asyncio.create_task(take(events, 300))
        await asyncio.sleep(0.1)
        await tell(service, *["m:1"] * 100)
        await tell(service, *["m:2"] * 200)
        assert await coming == list(range(451, 751))
        await events.aclose()

    run(work())


def test_without_an_event_one_is_told_of_what_happens_from_now_on(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02)
        assert await feed.begin(None) == (0, outbox.BEGINNING)
        await tell(service, "m:1", "m:1")
        place = await feed.begin(None)
        assert await feed.begin(place.event) == place
        events = feed.follow(place, everything)
        await tell(service, "m:1")

        assert await take(events, 1) == [3]
        await events.aclose()

    run(work())


def test_many_followers_cost_the_graph_what_one_costs(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.05)
        place = await feed.begin(None)
        followers = [feed.follow(place, everything) for _ in range(100)]
        waiting = [asyncio.create_task(take(each, 20)) for each in followers]
        await asyncio.sleep(0.5)
        before = service.graph.statements
        for _ in range(10):
            await tell(service, "m:1", "m:1")
        assert await asyncio.gather(*waiting) == [list(range(1, 21))] * 100
        looked = service.graph.statements - before - 10
        assert looked < 100
        for each in followers:
            await each.aclose()
        await asyncio.sleep(0.2)
        before = service.graph.statements
        await asyncio.sleep(0.3)
        assert service.graph.statements == before, "nobody follows, and still it looks"

    run(work())


def test_a_follower_is_told_of_what_it_wants_only(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02, room=1)
        await tell(service, "m:1", "m:2")
        events = feed.follow(await feed.begin(outbox.BEGINNING), lambda event: event.model == "m:2")
        assert await take(events, 1) == [2]
        coming = asyncio.create_task(take(events, 2))
        await asyncio.sleep(0.1)
        await tell(service, *["m:1"] * 50, "m:2", *["m:1"] * 50, "m:2")

        assert await coming == [53, 104]
        await events.aclose()

    run(work())


def test_more_than_a_queue_holds_is_read_from_the_graph(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02, room=3)
        events = feed.follow(await feed.begin(None), everything)
        coming = asyncio.create_task(take(events, 500))
        await asyncio.sleep(0.1)
        await tell(service, *["m:1"] * 500)

        assert await coming == list(range(1, 501))
        await events.aclose()

    run(work())


def test_who_does_not_take_what_waits_is_ended_and_goes_on_with_the_last_id(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02, room=3, patience=0.1)
        events = feed.follow(await feed.begin(None), everything)
        coming = asyncio.create_task(anext(events))
        await asyncio.sleep(0.1)
        await tell(service, *["m:1"] * 50)
        taken = [await coming]
        await asyncio.sleep(0.5)
        with pytest.raises(TooSlowError) as caught:
            await drain(events, taken)
        last = taken[-1]
        assert caught.value.code == "TOO_SLOW"
        assert "were not taken in time" in caught.value.message
        again = feed.follow(await feed.begin(last.id), everything)
        assert await take(again, 50 - last.position) == list(range(last.position + 1, 51))
        await again.aclose()

    run(work())


def test_what_is_not_kept_any_more_is_told(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02)
        for nothing in ("evt_nothing", ""):
            with pytest.raises(EventNotKeptError) as caught:
                await feed.begin(nothing)
            assert (caught.value.code, caught.value.path) == ("EVENT_NOT_KEPT", ("after",))
        await tell(service, "m:1", "m:1", "m:1")
        first = await feed.begin(None)
        await tell(service, "m:1", "m:1")
        assert await retention.prune(service, 1) == 4
        with pytest.raises(EventNotKeptError):
            await feed.begin(first.event)
        with pytest.raises(EventNotKeptError):
            await anext(feed.follow(await feed.begin(outbox.BEGINNING), everything))
        events = feed.follow(await feed.begin(None), everything)
        await tell(service, "m:1")
        assert await take(events, 1) == [6]
        await events.aclose()

    run(work())


def test_a_database_restored_to_an_earlier_state_ends_what_is_followed(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await tell(service, *["m:1"] * 5)
        feed = Feed(service, look_seconds=0.02)
        events = feed.follow(await feed.begin(None), everything)
        coming = asyncio.create_task(anext(events))
        await asyncio.sleep(0.2)

        async def restore(tx: Tx) -> None:
            await tx.rows("MATCH (e:Event) WHERE e.position > 2 DETACH DELETE e")
            await tx.rows("MATCH (r:Revision) SET r.events = 2")

        await service.graph.write(restore)
        with pytest.raises(EventNotKeptError):
            await coming

    run(work())


def test_a_service_that_stops_ends_what_is_followed(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        feed = Feed(service, look_seconds=0.02)
        events = feed.follow(await feed.begin(None), everything)
        coming = asyncio.create_task(anext(events))
        await asyncio.sleep(0.2)
        feed.close()
        with pytest.raises(FeedClosedError) as caught:
            await coming
        assert caught.value.code == "STOPPING"
        with pytest.raises(FeedClosedError):
            await anext(feed.follow(await feed.begin(None), everything))

    run(work())
