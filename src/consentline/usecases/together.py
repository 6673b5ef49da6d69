"""What is asked for while the same is under way is done together, next: one transaction, an answer for each.

Everything that takes the upper graph's guard is done one after the other. Requests that wait for it are gathered: they
share its round trips and its commit, and nobody waits longer than for what is under way and for those before them.
Small questions are gathered for the round trip alone: it costs more than all else that they need. What a request is
answered from is read after it came.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

MOST_TOGETHER = 64
_LOG = logging.getLogger("consentline.together")


class Together(Generic[Q, A]):
    """Gathers requests; an idle one begins at once. One per process and kind of request."""

    def __init__(self) -> None:
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._leader: asyncio.Task[None] | None = None

    async def ask(
        self,
        request: Q,
        work: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]],
        apart: Callable[[Q], Hashable] | None = None,
    ) -> A:
        """The answer of `work` to this request; what is refused is raised here and does not touch the others.

        No two requests that `apart` maps to the same are in one batch; without it any may be. Where a whole batch
        fails, each is tried alone.
        """
        future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._leader is None or self._leader.done():
            self._leader = asyncio.create_task(self._lead(work, apart))
        return await future

    async def _lead(
        self, work: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]], apart: Callable[[Q], Hashable] | None
    ) -> None:
        while self._waiting:
            taken = self._take(apart)
            try:
                answers = await _done(work, [request for request, _ in taken])
            except BaseException:
                for _, future in taken:
                    future.cancel()
                raise
            for (_, future), answer in zip(taken, answers, strict=True):
                if future.done():
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)

    def _take(self, apart: Callable[[Q], Hashable] | None) -> list[tuple[Q, "asyncio.Future[A]"]]:
        taken: dict[Hashable, tuple[Q, asyncio.Future[A]]] = {}
        left: list[tuple[Q, asyncio.Future[A]]] = []
        for each in self._waiting:
            key = id(each[1]) if apart is None else apart(each[0])
            if each[1].cancelled():
                continue
            if key in taken or len(taken) == MOST_TOGETHER:
                left.append(each)
            else:
                taken[key] = each
        self._waiting = left
        return list(taken.values())


async def _done(
    work: Callable[[Sequence[Q]], Awaitable[Sequence[A | Exception]]], requests: list[Q]
) -> Sequence[A | Exception]:
    try:
        return await work(requests)
    except Exception as error:
        if len(requests) == 1:
            return [error]
        _LOG.warning("%d requests together failed (%s); each is tried alone", len(requests), type(error).__name__)
    alone = await asyncio.gather(*(_done(work, [each]) for each in requests))
    return [answer for answers in alone for answer in answers]
