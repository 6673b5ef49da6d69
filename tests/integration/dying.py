"""A process that carries out an erasure in small transactions and is killed (-9) at one of them.

    python -m tests.integration.dying KEY POINT WHERE

POINT counts write transactions, from 1; WHERE is `before` the transaction, `inside` it when all its statements have
run, or `after` its commit. KEY `-` goes on with what was confirmed. It ends with 0 when it was not killed.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn, TypeVar

from consentline.connection import open_service
from consentline.graph.session import Graph, Tx
from consentline.settings import Settings
from consentline.usecases import erasing, erasures

T = TypeVar("T")

_write = Graph.write
_point, _where = 0, ""


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def _dying_write(self: Graph, work: Callable[[Tx], Awaitable[T]]) -> T:
    global _point
    _point -= 1
    if _point != 0:
        return await _write(self, work)
    if _where == "before":
        _die()

    async def dying(tx: Tx) -> T:
        found = await work(tx)
        if _where == "inside":
            _die()
        return found

    await _write(self, dying)
    _die()


async def _main(key: str) -> None:
    async with open_service(Settings.load()) as service:
        Graph.write = _dying_write
        if key == "-":
            await erasing.carry_out_all(service)
        else:
            await erasures.confirm_erasure(service, key)


if __name__ == "__main__":
    erasing.POSTS_AT_ONCE, erasing.FACTS_AT_ONCE = 2, 1
    _point, _where = int(sys.argv[2]), sys.argv[3]
    asyncio.run(_main(sys.argv[1]))
