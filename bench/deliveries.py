"""Deliveries: from the commit of an event to the receiver's 2xx, by one worker; events a second, and the delay of each.

The receiver answers at once. Measured in an empty graph and in one that holds a hundred times as many events and
deliveries that are done: what was delivered long ago must cost nothing. Each figure is the median of three rounds.

    throughput   2,000 events of 100 model versions, told in one go, until the last of them was accepted
    delay        one event at a time, fifty of them, each after the one before had arrived
"""

import asyncio
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, LiteralString

from bench.results import record
from consentline.connection import open_service
from consentline.dispatch.courier import Terms
from consentline.dispatch.worker import Worker
from consentline.domain.events import EventKind, NewEvent
from consentline.embedded import console_progress, running_server
from consentline.graph import outbox
from consentline.settings import Settings
from consentline.usecases import webhooks
from consentline.usecases.service import Service
from consentline.usecases.webhooks import RegisterWebhook

EVENTS = 2_000
LANES = 100
SINGLY = 50
ROUNDS = 3
OLD = 200_000
GOAL = 1.5

# Delivered long ago to a webhook that goes on being served; a third of the lanes are those of the events to come.
GROW: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH r, coalesce(r.events, 0) AS base
SET r.events = base + $count
WITH base
MATCH (w:Webhook {key: 'bench'})
SET w.position = base + $count
WITH base, w
UNWIND range(1, $count) AS i
CREATE (e:Event {
  id: 'evt_' + (base + i), position: base + i, kind: 'FLAG_CHANGED', lane: 'model:m:' + i % 300, details: '{}',
  at: $now, model: 'm:' + i % 300})
CREATE (:Delivery {
  id: 'dlv_' + (base + i), webhook: w.uid, event: e.id, position: e.position, kind: e.kind, status: 'DELIVERED',
  attempts: 1, created_at: $now, finished_at: $now, response: 200})-[:OF]->(e)
"""


class Receiver:
    """Answers every message with 200, and keeps when it came."""

    def __init__(self) -> None:
        self.came: list[float] = []
        self.more = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                length = next(
                    int(line.split(b":")[1])
                    for line in head.lower().split(b"\r\n")
                    if line.startswith(b"content-length")
                )
                await reader.readexactly(length)
                self.came.append(time.monotonic())
                self.more.set()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def wait_for(self, count: int) -> None:
        """Until so many came."""
        while len(self.came) < count:
            self.more.clear()
            await self.more.wait()


def main() -> None:
    """Measure in both graphs, print and record."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        settings = Settings(home=Path(folder) / "home", webhook_allow_private=True)
        with console_progress() as report, running_server(settings, report=report):
            asyncio.run(_measure(settings))


async def _measure(settings: Settings) -> None:
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with open_service(settings) as service, server:
        await webhooks.register(service, RegisterWebhook("bench", f"http://127.0.0.1:{port}/"))
        worker = Worker(service, Terms(allow_private=True, at_once=settings.webhook_at_once))
        working = asyncio.create_task(worker.run())
        await _tell(service, EVENTS)
        await receiver.wait_for(EVENTS)  # warms up
        small = await _rounds(service, receiver)
        worker.stop()
        await working
        await _grow(service)
        worker = Worker(service, Terms(allow_private=True, at_once=settings.webhook_at_once))
        working = asyncio.create_task(worker.run())
        large = await _rounds(service, receiver)
        worker.stop()
        await working
    _report(small, large)


async def _rounds(service: Service, receiver: Receiver) -> dict[str, Any]:
    rates: list[float] = []
    delays: list[float] = []
    for _ in range(ROUNDS):
        receiver.came.clear()
        await _tell(service, EVENTS)
        begun = time.monotonic()
        await receiver.wait_for(EVENTS)
        rates.append(EVENTS / (receiver.came[-1] - begun))
        await asyncio.sleep(1)
        for _ in range(SINGLY):
            receiver.came.clear()
            await _tell(service, 1)
            begun = time.monotonic()
            await receiver.wait_for(1)
            delays.append(receiver.came[0] - begun)
    ordered = sorted(delays)
    return {
        "per_second": statistics.median(rates),
        "rounds": rates,
        "delay_median": statistics.median(delays),
        "delay_p95": ordered[-(-len(ordered) * 95 // 100) - 1],
    }


async def _tell(service: Service, count: int) -> None:
    events = [
        NewEvent(EventKind.FLAG_CHANGED, f"model:m:{number % LANES}", model=f"m:{number % LANES}")
        for number in range(count)
    ]
    now = await service.now()
    await service.graph.write(lambda tx: outbox.append(tx, events, now))


async def _grow(service: Service) -> None:
    now = await service.now()
    for _ in range(OLD // 10_000):
        await service.graph.write(lambda tx: tx.rows(GROW, count=10_000, now=now))


def _report(small: dict[str, Any], large: dict[str, Any]) -> None:
    for name, each in (("small", small), ("large", large)):
        print(
            f"{name}: {each['per_second']:.0f} deliveries/s (rounds {[round(rate) for rate in each['rounds']]}), "
            f"delay {each['delay_median'] * 1e3:.0f} ms median, {each['delay_p95'] * 1e3:.0f} ms p95"
        )
    slower = small["per_second"] / large["per_second"]
    later = large["delay_median"] / small["delay_median"]
    met = slower <= GOAL and later <= GOAL
    print(
        f"with {OLD:,} delivered events: {slower:.2f} times as slow, delay {later:.2f} times as long"
        f"  goal ≤ {GOAL}: {'met' if met else 'MISSED'}"
    )
    figures = {"small": small, "large": large, "old_events": OLD, "slower": slower, "later": later, "goal": GOAL}
    record("deliveries", figures)


if __name__ == "__main__":
    main()
