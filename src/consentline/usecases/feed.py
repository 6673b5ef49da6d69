"""The feed of a process: events of the outbox to whoever follows them, one look at the graph for all of them.

Whoever comes with the id of an event first reads what followed it from the graph, page by page as it is taken, and then
joins those who are told of new events. Each of these has a queue of bounded length. When it is full its follower reads
from the graph again; one that also took long over the queue is ended, and may come again with the last id that it got.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, NamedTuple, TypeAlias, TypeVar

from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError, StateError
from consentline.domain.events import Event
from consentline.graph import outbox
from consentline.graph.outbox import Told
from consentline.usecases.service import Service

T = TypeVar("T")

_LOG = logging.getLogger("consentline.feed")
_PAGE = 200
_PAUSE_SECONDS = 1.0

Wants: TypeAlias = Callable[[Event], bool]
"""Which events a follower is told of."""


class EventNotKeptError(StateError):
    """What followed the event is not known any more: read how things stand, and follow from now on."""

    code = "EVENT_NOT_KEPT"


class TooSlowError(ConsentlineError):
    """The follower did not take what waited for it; nothing is lost when it comes again with the last id it got."""

    code = "TOO_SLOW"


class FeedClosedError(ConsentlineError):
    """The service stops; come again with the last id."""

    code = "STOPPING"


class Place(NamedTuple):
    """Where a follower begins: after the event of this position; `event` is its id, None when it is not kept."""

    position: int
    event: str | None


class Feed:
    """Tells followers of events in their order; it looks at the graph while anybody follows.

    `room` is how many events may wait for a follower, `patience` for how many seconds once there is no more room; and
    how long one event may take while what was missed is read.
    """

    def __init__(self, service: Service, *, room: int = 256, patience: float = 10.0, look_seconds: float = 0.2) -> None:
        self._service = service
        self._room = room
        self._patience = patience
        self._look_seconds = look_seconds
        self._position = 0
        self._followers = set[_Follower]()
        self._looking: asyncio.Task[None] | None = None
        self._closed = False

    async def begin(self, after: str | None) -> Place:
        """The place after an event; the present end when none is named.

        Raises:
            EventNotKeptError: there is no such event (any more).
        """
        if after is None:
            return Place(*await _whole(self._service.graph.read(outbox.last)))
        if after == outbox.BEGINNING:
            return Place(0, after)
        position = await _whole(self._service.graph.read(lambda tx: outbox.find_position(tx, after)))
        if position is None:
            raise _not_kept()
        return Place(position, after)

    async def follow(self, place: Place, wants: Wants) -> AsyncGenerator[Event]:
        """The events after a place that are wanted, those there are and those to come, without an end.

        Raises:
            EventNotKeptError: some of them are gone already.
            TooSlowError: they were not taken in time.
            FeedClosedError: the service stops.
            DatabaseUnavailableError: the place cannot be read from the graph now.
        """
        position = place.position
        while True:
            told = await _whole(self._read(position))
            _check(told, position)
            for event in told.events:
                position = event.position
                if wants(event):
                    begun = time.monotonic()
                    yield event
                    if time.monotonic() > begun + self._patience:
                        raise _too_slow()
            if position < told.head or (self._followers and position < self._position):
                continue
            follower = self._join(position, wants)
            try:
                async for event in follower:
                    yield event
            finally:
                self._followers.discard(follower)
            position = follower.position

    def close(self) -> None:
        """End all followers: the service stops."""
        self._closed = True
        for follower in self._followers:
            follower.end(FeedClosedError("the service stops"))

    def _join(self, position: int, wants: Wants) -> "_Follower":
        if self._closed:
            raise FeedClosedError("the service stops")
        if not self._followers:
            self._position = position
        follower = _Follower(position, wants, self._room, self._patience)
        self._followers.add(follower)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look())
        return follower

    async def _read(self, position: int) -> Told:
        return await self._service.graph.read(lambda tx: outbox.after(tx, position, _PAGE))

    async def _look(self) -> None:
        while self._followers:
            try:
                told = await self._read(self._position)
            except DatabaseUnavailableError:
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            except Exception as fault:
                # Whoever follows goes on to do so: the next look may succeed.
                _LOG.error("could not look at the outbox", exc_info=fault)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            if told.head < self._position:
                # The database was restored to an earlier state.
                self._position = told.head
                for follower in self._followers:
                    follower.end(_not_kept())
            for event in told.events:
                self._position = event.position
                for follower in self._followers:
                    follower.tell(event)
            if self._position >= told.head:
                await asyncio.sleep(self._look_seconds)


class _Follower:
    """One that follows: what waits for it. Iteration ends when it has to read from the graph again."""

    def __init__(self, position: int, wants: Wants, room: int, patience: float) -> None:
        self.position = position
        self._wants = wants
        self._room = room
        self._patience = patience
        self._waiting = deque[Event]()
        self._woken = asyncio.Event()
        self._full_since: float | None = None
        self._error: ConsentlineError | None = None

    def tell(self, event: Event) -> None:
        """Queue an event when it is wanted and the next one, and there is room."""
        if self._full_since is not None or self._error is not None or event.position <= self.position:
            return
        if self._wants(event):
            if len(self._waiting) == self._room:
                self._full_since = time.monotonic()
                return
            self._waiting.append(event)
            self._woken.set()
        self.position = event.position

    def end(self, error: ConsentlineError) -> None:
        """Tell no more."""
        self._error = self._error or error
        self._woken.set()

    async def __aiter__(self) -> AsyncGenerator[Event]:
        while True:
            while self._waiting:
                yield self._waiting.popleft()
                if self._full_since is not None and time.monotonic() > self._full_since + self._patience:
                    raise _too_slow()
            if self._error is not None:
                raise self._error
            if self._full_since is not None:
                return
            self._woken.clear()
            await self._woken.wait()


async def _whole(reading: Coroutine[Any, Any, T]) -> T:
    """What is read, to its end whoever goes away meanwhile: a statement that is cancelled costs its connection."""
    return await asyncio.shield(asyncio.ensure_future(reading))


def _check(told: Told, position: int) -> None:
    """Events are numbered without a gap: one is there only where some were pruned."""
    following = told.events[0].position if told.events else told.head + 1
    if told.head < position or (told.head > position and following != position + 1):
        raise _not_kept()


def _too_slow() -> TooSlowError:
    return TooSlowError("the events that waited were not taken in time; follow on after the last one")


def _not_kept() -> EventNotKeptError:
    return EventNotKeptError("what followed this event is not kept any more", path=("after",))
