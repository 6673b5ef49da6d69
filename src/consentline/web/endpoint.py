"""What POST /graphql and the subscriptions over WebSocket have in common."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from consentline.domain.access import Principal
from consentline.gql.context import Context, PermitSigner
from consentline.gql.cursors import Cursors
from consentline.gql.documents import TrustedDocuments
from consentline.gql.execution import Engine
from consentline.gql.nodes import load_node
from consentline.usecases.feed import Feed
from consentline.usecases.service import Service
from consentline.web.rates import Rates


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """The engine, and everything that an operation needs which is the same for all of them."""

    service: Service
    engine: Engine
    documents: TrustedDocuments
    rates: Rates
    secret: str
    sign_permit: PermitSigner
    max_body_bytes: int
    feed: Feed

    @cached_property
    def cursors(self) -> Cursors:
        """Signs positions in lists; by the same secret in every process."""
        return Cursors(self.secret)

    def context(self, principal: Principal, request_id: str, after: str | None = None) -> Context:
        """What one operation, or one event of a subscription, carries; `after` is the last event that was got."""
        return Context(
            self.service,
            principal,
            self.cursors,
            load_node,
            request_id,
            self.sign_permit,
            feed=self.feed,
            after=after,
        )

    def admit(self, principal: Principal) -> Callable[[int], None]:
        """What refuses a cost that the bearer has no allowance for.

        Raises:
            RateLimitedError: by what it returns.
        """
        return lambda cost: self.rates.admit(principal.token_id, cost)
