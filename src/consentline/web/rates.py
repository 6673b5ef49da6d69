"""How much a bearer may ask for: a token bucket each, in the objects that operations may read (`extensions.cost`).

Each process has buckets of its own: several workers share nothing but the database, so together they grant as many
times as much.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable

from consentline.domain.errors import ConsentlineError

_MOST_BEARERS = 10_000


class RateLimitedError(ConsentlineError):
    """The bearer asked for more than it may for now; `retry_after` are whole seconds until it may again."""

    code = "RATE_LIMITED"

    def __init__(self, retry_after: int) -> None:
        super().__init__(f"this token has asked for too much; try again in {retry_after} s")
        self.retry_after = retry_after


class Rates:
    """A bucket a bearer: `per_second` objects flow in, `burst` are the most that it holds; None bounds nothing.

    An operation is let in while its bucket is not empty and takes what it costs out, so one that costs more than a
    whole bucket is served too, and is paid for by waiting afterwards.
    """

    def __init__(self, per_second: float | None, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, bearer: str, cost: float) -> None:
        """Take what an operation costs, at least 1, out of the bearer's bucket.

        Raises:
            RateLimitedError: the bucket is empty; nothing is taken.
        """
        if self._per_second is None:
            return
        now = self._clock()
        level, then = self._buckets.get(bearer, (self._burst, now))
        level = min(self._burst, level + (now - then) * self._per_second)
        if level <= 0:
            raise RateLimitedError(max(1, math.ceil(-level / self._per_second)))
        self._buckets[bearer] = (level - max(cost, 1), now)
        self._buckets.move_to_end(bearer)
        if len(self._buckets) > _MOST_BEARERS:
            self._buckets.popitem(last=False)
