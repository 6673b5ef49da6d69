"""Recipients of a dataset, and what they are told (UK GDPR Art. 19): restriction of posts, its end, and erasure.

A notice names the posts by the keys under which they were handed on, and says by its reference which claim it is about:
posts stay restricted while any reference restricts them.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.erasures import ErasureStatus
from consentline.domain.events import EventKind, NewEvent
from consentline.domain.instants import Instant
from consentline.domain.objections import ObjectionEventKind
from consentline.domain.sealing import Seal

MOST_POSTS = 200
"""How many posts one notice names; more are told in several."""


class Ground(StrEnum):
    """What kind of claim a notice is about."""

    OBJECTION = "OBJECTION"
    ERASURE = "ERASURE"


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to whom a dataset was handed on; `webhook` is the key of the one that notices go to."""

    dataset: str
    key: str
    name: str
    webhook: str | None
    recorded_at: Instant


OF_OBJECTIONS = {
    ObjectionEventKind.FILED: EventKind.DATA_RESTRICTED,
    ObjectionEventKind.REFUSED: EventKind.DATA_RELEASED,
    ObjectionEventKind.WITHDRAWN: EventKind.DATA_RELEASED,
}
"""What becomes of the posts when an objection changes; upheld or extended, they stay as they are."""
OF_ERASURES = {
    ErasureStatus.REQUESTED: EventKind.DATA_RESTRICTED,
    ErasureStatus.REFUSED: EventKind.DATA_RELEASED,
    ErasureStatus.CONFIRMED: EventKind.DATA_ERASED,
}
"""What becomes of the posts when an erasure changes."""


def notices(
    kind: EventKind, recipient: Recipient, ground: Ground, reference: str, posts: Collection[str], seal: Seal
) -> Iterator[NewEvent]:
    """The notices to one recipient; the posts' keys are sealed, so that nothing in the graph names them."""
    ordered = sorted(posts)
    parts: list[Sequence[str]] = [ordered[begin : begin + MOST_POSTS] for begin in range(0, len(ordered), MOST_POSTS)]
    for number, part in enumerate(parts, 1):
        details = {
            "recipient": recipient.key,
            "dataset": recipient.dataset,
            "ground": ground.value,
            "reference": reference,
            "part": number,
            "parts": len(parts),
            "sealed": seal.close(part),
        }
        yield NewEvent(kind, f"recipient {reference}", details, webhook=recipient.webhook)
