"""The database is away under load, killed and then frozen: what says so is precise, and nothing is lost or twice."""

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.cascades import COUNTS, Client, Tale, check, prepare
from tests.faults.installation import Database, Serving, installed

AWAY_SECONDS = 30.0
FROZEN_SECONDS = 15.0
PEOPLE = 600
CLIENTS = 8
PACE_SECONDS = 0.1


class Load:
    """Clients that file objections, one a person, and one that reads; each tries again until it is answered."""

    def __init__(self, database: Database, services: list[Serving]) -> None:
        self.tale = Tale()
        self.filed = 0
        self.unanswered = 0
        self.failures: list[BaseException] = []
        self._numbers: Iterator[int] = iter(range(PEOPLE))
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._services = services
        self._clients = [Client(database, services, 0, self.tale) for _ in range(CLIENTS)]

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Under load in this block; what was begun is finished before it ends."""
        threads = [threading.Thread(target=self._try, args=(self._file, client)) for client in self._clients]
        threads.append(threading.Thread(target=self._try, args=(self._read, None)))
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._over.set()
            for thread in threads:
                thread.join()

    def until_filed(self, more: int) -> None:
        """Return once so many more are filed, or none are left."""
        wanted, deadline = min(PEOPLE, self.filed + more), time.monotonic() + 120
        while self.filed < wanted and not self.failures:
            assert time.monotonic() < deadline, "nothing is filed"
            time.sleep(0.1)

    def _try(self, work: Callable[..., None], client: Client | None) -> None:
        try:
            work(client)
        except BaseException as failure:
            self.failures.append(failure)

    def _file(self, client: Client) -> None:
        while not self._over.wait(PACE_SECONDS):
            with self._lock:
                number = next(self._numbers, None)
            if number is None:
                return
            client.file(number, None)
            with self._lock:
                self.filed += 1

    def _read(self, _client: None) -> None:
        while not self._over.wait(PACE_SECONDS):
            counts = self._services[0].ask(COUNTS, {})
            self.unanswered += counts is None
            assert counts is None or all(each["ineligibleCount"] is not None for each in counts.values())


def test_a_database_that_goes_away_for_30_seconds_and_is_frozen_later_loses_nothing(tmp_path: Path) -> None:
    with installed(tmp_path) as (database, services):
        asyncio.run(prepare(database, PEOPLE))
        load = Load(database, services)
        with load.going_on():
            load.until_filed(2 * CLIENTS)
            database.away(AWAY_SECONDS)
            database.wait()
            assert load.unanswered
            assert load.tale.retries
            load.until_filed(2 * CLIENTS)
            database.send(signal.SIGSTOP)
            time.sleep(FROZEN_SECONDS)
            database.send(signal.SIGCONT)
            load.until_filed(2 * CLIENTS)
        assert load.failures == []
        check(database, services, load.filed)
