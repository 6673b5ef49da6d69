"""Building a dataset version: how far a build is, and what it leaves out."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from consentline.domain.eligibility import Reason
from consentline.domain.instants import Instant


@dataclass(frozen=True, slots=True)
class BuildProgress:
    """How many posts of the selection were examined, how many of them taken, and when that was written down."""

    examined: int
    taken: int
    updated_at: Instant


def excluded(counts: Counter[Reason]) -> tuple[tuple[Reason, int], ...]:
    """The reasons that any post had, in the order of reasons, with the number of posts that had each."""
    return tuple((reason, counts[reason]) for reason in Reason if counts[reason])


def add_reasons(counts: Counter[Reason], then: Iterable[Reason], now: Iterable[Reason]) -> bool:
    """Count a post under each reason that it has at either time, once; whether it has any."""
    found = {*then, *now}
    counts.update(found)
    return bool(found)
