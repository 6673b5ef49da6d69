"""A courier serves one webhook for as long as its worker holds it: queues, sends several at once, records, renews."""

import asyncio
import logging
import random
import time
from collections import Counter
from dataclasses import dataclass, field

from consentline.dispatch.endpoints import Endpoint, Reply
from consentline.dispatch.messages import body_of, headers_of
from consentline.domain.errors import DatabaseUnavailableError
from consentline.domain.sealing import Seal
from consentline.domain.webhooks import DeliveryStatus, Schedule, signing_secret
from consentline.usecases import dispatch
from consentline.usecases.dispatch import Attempt, Due, Lease, LeaseLostError
from consentline.usecases.service import Service

_LOG = logging.getLogger("consentline.worker")
_GONE = 410
_SECOND = 1_000_000
_PAUSE_SECONDS = 1.0
_LOOK_SECONDS = 0.2
_PATIENCE_SECONDS = 10.0
_TURN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Terms:
    """How deliveries are made: how long one may take, how many at once to one webhook, and when it is tried again."""

    timeout: float = 15.0
    at_once: int = 8
    schedule: Schedule = field(default_factory=Schedule)
    allow_private: bool = False

    @property
    def lease_seconds(self) -> float:
        """For how long a webhook is held without being renewed: a request that was begun in time ends within it."""
        return 2 * self.timeout + 5


class Courier:
    """Serves one webhook until there is nothing more to do now, the lease is lost or `stop` is called.

    After some seconds it gives a busy one back, too, so that workers with less to do may take it.
    """

    def __init__(self, service: Service, lease: Lease, terms: Terms, tally: Counter[str]) -> None:
        self._service = service
        self._lease = lease
        self._terms = terms
        self._tally = tally
        self._secret = signing_secret(service.pseudonyms, lease.webhook.uid)
        self._seal = Seal(service.pseudonyms)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._ended: list[Attempt] = []
        self._gone = False
        self._stopping = False
        self._stopped_at = 0.0
        self._woken = asyncio.Event()
        self._held_until = time.monotonic() + terms.lease_seconds
        self._turn_until = time.monotonic() + _TURN_SECONDS

    def stop(self) -> None:
        """Begin nothing more; what is under way is finished and recorded."""
        self._stopping = True
        self._stopped_at = time.monotonic()
        self._woken.set()

    async def serve(self) -> None:
        """Serve, and give the webhook back in the end."""
        terms, webhook = self._terms, self._lease.webhook
        endpoint = Endpoint(
            webhook.url, timeout=terms.timeout, connections=terms.at_once, allow_private=terms.allow_private
        )
        try:
            while await self._round(endpoint):
                pass
            if self._gone:
                await dispatch.give_up(self._service, self._lease)
                _LOG.warning("the endpoint is gone; its webhook is served no more", extra={"webhook": webhook.key})
            else:
                await dispatch.release(self._service, self._lease)
        except LeaseLostError:
            _LOG.warning("the webhook is held no more", extra={"webhook": webhook.key})
        except DatabaseUnavailableError:
            # The lease ends by itself.
            _LOG.warning("the webhook is not given back yet", extra={"webhook": webhook.key})
        finally:
            for task in self._under_way.values():
                task.cancel()
            await asyncio.gather(*self._under_way.values(), return_exceptions=True)
            await endpoint.close()

    async def _round(self, endpoint: Endpoint) -> bool:
        """Record what has ended, begin what is due, and wait for something to end; whether there is more to do."""
        # As it is now: what ends while the step is written is under way for it.
        ended, busy, begun = list(self._ended), list(self._under_way), time.monotonic()
        idle = self._stopping or self._gone or begun > self._turn_until
        room = 0 if idle else self._terms.at_once - len(self._under_way)
        try:
            step = await dispatch.step(self._service, self._lease, self._terms.lease_seconds, ended, busy, room)
        except DatabaseUnavailableError:
            # What has ended is kept, and recorded when the database is back and nobody else took the webhook.
            if self._stopping and time.monotonic() > self._stopped_at + _PATIENCE_SECONDS:
                raise
            await asyncio.sleep(_PAUSE_SECONDS)
            return True
        del self._ended[: len(ended)]
        self._held_until = begun + self._terms.lease_seconds
        for each in step.due:
            self._under_way[each.id] = asyncio.create_task(self._send(endpoint, each))
        if not self._under_way:
            return bool(self._ended) or (step.more and not idle)
        if not self._ended and not (step.more and len(self._under_way) < self._terms.at_once):
            self._woken.clear()
            try:
                # With room for more it looks for new events; without, it only has to keep the lease.
                async with asyncio.timeout(_LOOK_SECONDS if room > len(step.due) else self._terms.lease_seconds / 3):
                    await self._woken.wait()
            except TimeoutError:
                pass
        return True

    async def _send(self, endpoint: Endpoint, due: Due) -> None:
        number, begun = due.attempts + 1, time.monotonic()
        if begun + self._terms.timeout > self._held_until:
            # The lease could end under way, and somebody else send what follows.
            self._end(due)
            return
        try:
            body = body_of(due.event, self._seal)
            reply = await endpoint.post(headers_of(due.event, body, self._secret), body)
        except Exception as fault:
            _LOG.error("internal error in a delivery", exc_info=fault, extra={"event": due.event.id})
            reply = Reply(error="INTERNAL")
        attempt = self._judge(due, number, reply)
        self._tally[attempt.status.value.lower() if attempt.again_in == 0 else "failed"] += 1
        _LOG.info(
            "delivery",
            extra={
                "webhook": self._lease.webhook.key,
                "event": due.event.id,
                "attempt": number,
                "outcome": attempt.status.value,
                "status": reply.status,
                "error": reply.error,
                "ms": round((time.monotonic() - begun) * 1000, 2),
            },
        )
        self._end(due, attempt)

    def _judge(self, due: Due, number: int, reply: Reply) -> Attempt:
        if reply.accepted:
            return Attempt(due.id, number, DeliveryStatus.DELIVERED, reply.status)
        if reply.status == _GONE:
            self._gone = True
            return Attempt(due.id, number, DeliveryStatus.DEAD, reply.status, "ENDPOINT_GONE")
        delay = self._terms.schedule.delay(number, random.random(), reply.retry_after)  # noqa: S311 - spreads the retries
        if delay is None:
            return Attempt(due.id, number, DeliveryStatus.DEAD, reply.status, reply.error)
        again_in = max(round(delay * _SECOND), 1)
        return Attempt(due.id, number, DeliveryStatus.PENDING, reply.status, reply.error, again_in)

    def _end(self, due: Due, attempt: Attempt | None = None) -> None:
        """The delivery is under way no more; in the same step of the loop what came of it is there to be recorded."""
        del self._under_way[due.id]
        if attempt is not None:
            self._ended.append(attempt)
        self._woken.set()
