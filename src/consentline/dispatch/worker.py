"""A worker: takes webhooks for which there is something to do, and serves several of them at once.

Any number of workers share what there is to do by leases in the graph. One that is killed holds its webhooks until the
leases end; what it had sent and not recorded is sent again, with the same ids.
"""

import asyncio
import logging
import time
from collections import Counter

from consentline.dispatch.courier import Courier, Terms
from consentline.domain.errors import DatabaseUnavailableError
from consentline.domain.webhooks import key_check
from consentline.usecases import dispatch
from consentline.usecases.dispatch import Lease
from consentline.usecases.service import Service

_LOG = logging.getLogger("consentline.worker")
_MOST_WEBHOOKS = 50
_POLL_SECONDS = 0.1
_PAUSE_SECONDS = 1.0
_PROGRESS_SECONDS = 60.0


class Worker:
    """Serves webhooks until `stop` is called; `tally` counts what came of attempts."""

    def __init__(self, service: Service, terms: Terms) -> None:
        self._service = service
        self._terms = terms
        self._couriers: dict[asyncio.Task[None], Courier] = {}
        self._stopping = asyncio.Event()
        self._refused = set[str]()
        self.tally = Counter[str]()

    def stop(self) -> None:
        """Begin nothing more; `run` returns when what is under way was recorded and every webhook given back."""
        self._stopping.set()
        for courier in self._couriers.values():
            courier.stop()

    async def run(self, *, once: bool = False) -> None:
        """Serve; `once`: only until there is nothing to do now.

        Raises:
            DatabaseUnavailableError: `once`, and the database cannot be reached.
        """
        told = time.monotonic()
        while not self._stopping.is_set():
            try:
                taken = await self._take()
            except DatabaseUnavailableError:
                if once:
                    raise
                taken = 0
                await self._wait(_PAUSE_SECONDS)
            if once and not taken and not self._couriers:
                break
            if not taken:
                await self._wait(_POLL_SECONDS)
            if time.monotonic() - told > _PROGRESS_SECONDS and self.tally:
                _LOG.info("progress: %s", progress(self.tally))
                told = time.monotonic()
        self.stop()
        await asyncio.gather(*self._couriers)

    async def _take(self) -> int:
        room = _MOST_WEBHOOKS - len(self._couriers)
        if room == 0:
            return 0
        leases = await dispatch.take(self._service, room, self._terms.lease_seconds, without=self._refused)
        for lease in leases:
            if not self._can_sign(lease):
                await dispatch.release(self._service, lease)
            else:
                courier = Courier(self._service, lease, self._terms, self.tally)
                task = asyncio.create_task(courier.serve())
                self._couriers[task] = courier
                task.add_done_callback(self._done)
        return len(leases)

    def _can_sign(self, lease: Lease) -> bool:
        """Whether this process derives the secret that the receiver was given; said once when it does not."""
        webhook = lease.webhook
        if webhook.key_check == key_check(self._service.pseudonyms, webhook.uid):
            return True
        self._refused.add(webhook.uid)
        _LOG.error(
            "CONSENTLINE_PSEUDONYM_SECRET is not the one that the webhook was registered with: nothing is sent",
            extra={"webhook": webhook.key},
        )
        return False

    def _done(self, task: asyncio.Task[None]) -> None:
        self._couriers.pop(task, None)
        if not task.cancelled() and task.exception() is not None:
            _LOG.error("a webhook could not be served", exc_info=task.exception())

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass


def progress(tally: Counter[str]) -> str:
    """What came of attempts, in words."""
    return f"{tally['delivered']} delivered, {tally['failed']} to be tried again, {tally['dead']} given up"
