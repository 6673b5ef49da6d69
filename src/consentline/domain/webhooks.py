"""Webhooks: who is told of which events, and when a delivery that failed is tried again."""

import base64
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address
from urllib.parse import urlsplit

from consentline.domain.access import Principal, Role
from consentline.domain.addresses import is_public
from consentline.domain.errors import InvalidInputError
from consentline.domain.events import OF_DATA, Event, EventKind, needed_for
from consentline.domain.instants import Instant
from consentline.domain.pseudonyms import Pseudonyms

LONGEST_URL = 2048
_DAY_SECONDS = 86_400.0
_GROWTH = 4.0


class WebhookStatus(StrEnum):
    """Whether a webhook is served."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    GONE = "GONE"


class DeliveryStatus(StrEnum):
    """Where a delivery stands; only PENDING ones are still to be sent."""

    PENDING = "PENDING"
    DELIVERED = "DELIVERED"
    DEAD = "DEAD"
    DROPPED = "DROPPED"


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint and what it is told of: kinds of events that its role may see, of one model version or of all.

    `position` is that of the last event that was looked at for it. `key_check` tells whether a process holds the secret
    from which the signing key is derived.
    """

    uid: str
    key: str
    url: str
    role: Role
    kinds: tuple[EventKind, ...]
    model: str | None
    status: WebhookStatus
    registered_at: Instant
    disabled_at: Instant | None
    position: int
    key_check: str

    def wants(self, event: Event) -> bool:
        """Whether it is told of an event: of those of its kinds, and of notices to recipients whose webhook it is."""
        if event.kind in OF_DATA:
            return event.webhook == self.key
        return event.kind in self.kinds and may_see(self.role, event.kind) and self.model in (None, event.model)


def may_see(role: Role, kind: EventKind) -> bool:
    """Whether somebody of the role may be told of events of the kind."""
    return Principal(role, "").may(needed_for(kind))


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook; `next_attempt_at` is None while it waits for an earlier one of its lane."""

    id: str
    webhook: str
    event: str
    position: int
    kind: EventKind
    status: DeliveryStatus
    attempts: int
    created_at: Instant
    next_attempt_at: Instant | None
    finished_at: Instant | None
    response: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class Schedule:
    """How often a delivery is tried, and how long after a failure: four times as long each time, a day at most."""

    attempts: int = 10
    first_seconds: float = 5.0

    def delay(self, attempt: int, jitter: float, asked: float | None = None) -> float | None:
        """The seconds to wait after the failure of an attempt (counted from 1); None when it was the last.

        `jitter` is a random number from 0 to 1, so that what failed together is not tried together; `asked` is what the
        receiver asked for (Retry-After).
        """
        if attempt >= self.attempts:
            return None
        longest = min(self.first_seconds * _GROWTH ** min(attempt - 1, 20), _DAY_SECONDS)
        return max(longest * (1 + jitter) / 2, min(asked or 0.0, _DAY_SECONDS))


def check_url(url: str, *, allow_private: bool) -> None:
    """Return when deliveries may be sent there, as far as the text tells: its name is looked up for each of them.

    Raises:
        InvalidInputError: WEBHOOK_URL, saying what is wrong with it.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise _bad_url("is no URL") from None
    if not url.isascii() or not url.isprintable() or " " in url or len(url) > LONGEST_URL:
        raise _bad_url(f"has more than {LONGEST_URL} characters, or some that a URL may not have")
    if parts.scheme != "https" and not (parts.scheme == "http" and allow_private):
        raise _bad_url("does not begin with https://")
    if not host or port == 0:
        raise _bad_url("names no host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise _bad_url("holds a user, a password or a fragment")
    if not allow_private and _is_numeric(host) and not is_public(host):
        raise _bad_url("is not an address of the public internet")


def _is_numeric(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _bad_url(what: str) -> InvalidInputError:
    return InvalidInputError(f"url {what}", code="WEBHOOK_URL", path=("url",))


def check_kinds(role: Role, kinds: tuple[EventKind, ...]) -> tuple[EventKind, ...]:
    """The kinds, each once and in their order; all that the role may see (no notices to recipients) when none is.

    Raises:
        InvalidInputError: EVENT_NOT_VISIBLE, naming one that the role may not see.
    """
    for kind in kinds:
        if not may_see(role, kind):
            raise InvalidInputError(
                f"the role {role} may not be told of {kind.name}", code="EVENT_NOT_VISIBLE", path=("kinds",)
            )
    if kinds:
        return tuple(kind for kind in EventKind if kind in kinds)
    return tuple(kind for kind in EventKind if may_see(role, kind) and kind not in OF_DATA)


def signing_secret(pseudonyms: Pseudonyms, uid: str) -> str:
    """What a webhook's deliveries are signed with, as the Standard Webhooks specification writes secrets.

    It is derived and stored nowhere: whoever reads the database cannot sign.
    """
    return "whsec_" + base64.b64encode(pseudonyms.derived(f"webhook secret {uid}")).decode()


def key_check(pseudonyms: Pseudonyms, uid: str) -> str:
    """A value that two processes agree on only when they derive the same signing secret; it tells nothing of it."""
    return pseudonyms.derived(f"webhook check {uid}")[:8].hex()
