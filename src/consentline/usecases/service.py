"""What every use case works with, composed once by `app.py`."""

import secrets
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.pseudonyms import Pseudonyms
from consentline.graph import upper
from consentline.graph.session import Graph
from consentline.graph.upper import LineageCache
from consentline.usecases.together import Together


class Ledger:
    """Names the audit entries of one process: its own name and a number, so that one that is missing leaves a gap."""

    def __init__(self) -> None:
        self._name = secrets.token_hex(8)
        self._numbers = count(1)

    def next_uid(self) -> str:
        """The uid of the next entry."""
        return f"{self._name}-{next(self._numbers):010}"


@dataclass(frozen=True, slots=True)
class Service:
    """The graph, the upper graph as last read, and the settings that rules depend on.

    `pseudonyms` digests the keys of people for what must not name them; `establishment` is the controller's
    jurisdiction for working days; `shard_size` bounds a shard in posts; `private_webhooks` allows webhooks in
    private networks and by plain HTTP; `ledger` numbers what is audited; `filings` gathers objections,
    `usages` questions whether a post was used.
    """

    graph: Graph
    lineages: LineageCache
    pseudonyms: Pseudonyms
    establishment: str | None = None
    shard_size: int = 1000
    private_webhooks: bool = False
    ledger: Ledger = field(default_factory=Ledger)
    filings: Together[Any, Any] = field(default_factory=Together[Any, Any])
    usages: Together[Any, Any] = field(default_factory=Together[Any, Any])

    async def lineage(self) -> Lineage:
        """The upper graph as it stands; one statement when it has not changed."""
        return await self.lineages.at((await self.graph.read(upper.now)).revision)

    async def now(self) -> Instant:
        """The database's clock."""
        return (await self.graph.read(upper.now)).instant


def known_or_now(known_at: Instant | None, now: Instant) -> Instant:
    """The recorded time that was asked for, now when none was.

    Raises:
        InvalidInputError: it lies in the future: what will be known cannot be answered.
    """
    if known_at is None:
        return now
    if known_at > now:
        raise InvalidInputError("knownAt lies in the future", code="KNOWN_AT_IN_FUTURE", path=("knownAt",))
    return known_at
