"""Webhooks and what came of the deliveries to them."""

from typing import Annotated

import strawberry

from consentline.domain import webhooks
from consentline.domain.access import Action, Role
from consentline.domain.events import EventKind
from consentline.domain.webhooks import DeliveryStatus, WebhookStatus
from consentline.gql.arguments import After, First
from consentline.gql.context import Context, Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.node import Node
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.usecases import webhooks as webhook_cases

DeliveryFilter = Annotated[
    DeliveryStatus | None, strawberry.argument(description="Only of this status. Left out: all.")
]


@strawberry.type(description="An endpoint that is told of events, by signed HTTP requests.")
class Webhook(Node):
    """A webhook as it stands; its secret is never shown again."""

    value: strawberry.Private[webhooks.Webhook]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.WEBHOOK, self.value.key)

    @strawberry.field(description="The caller's own key.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(
        description="Where it is told; null for roles that may not register webhooks: a URL may hold a secret."
    )
    def url(self, info: Info) -> str | None:
        """The URL, for those who may change it."""
        return self.value.url if info.context.may(Action.MANAGE_WEBHOOKS) else None

    @strawberry.field(description="What its receiver does: it is told of nothing that this role may not see.")
    def role(self) -> Role:
        """The role."""
        return self.value.role

    @strawberry.field(description="The kinds of events that it is told of.")
    def kinds(self) -> list[EventKind]:
        """The kinds."""
        return list(self.value.kinds)

    @strawberry.field(description="The key of the only model version that it is told of; null: of all.")
    def model_version(self) -> str | None:
        """The filter."""
        return self.value.model

    @strawberry.field(description="Whether it is told anything.")
    def status(self) -> WebhookStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="When it was registered: it is told of what happened since.")
    def registered_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.registered_at)

    @strawberry.field(description="Since when it is told nothing more; null while it is ACTIVE.")
    def disabled_at(self) -> DateTime | None:
        """The end."""
        return instant_or_none(self.value.disabled_at)

    @strawberry.field(description="The deliveries to it that are kept, the newest event first.")
    async def deliveries(
        self, info: Info, status: DeliveryFilter = None, first: First = 50, after: After = None
    ) -> Connection["Delivery"]:
        """A page of them."""
        return await list_deliveries(info.context, self.value.key, status, first, after)


@strawberry.type(description="An event on its way to a webhook, and what came of it.")
class Delivery(Node):
    """A delivery as it stands."""

    value: strawberry.Private[webhooks.Delivery]
    to: strawberry.Private[webhooks.Webhook]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.DELIVERY, self.value.id)

    @strawberry.field(description="Where it goes.")
    def webhook(self) -> Webhook:
        """The webhook."""
        return Webhook(value=self.to)

    @strawberry.field(description="The event's id: the `webhook-id` of each attempt.")
    def event_id(self) -> str:
        """The id."""
        return self.value.event

    @strawberry.field(description="What happened.")
    def kind(self) -> EventKind:
        """The kind."""
        return self.value.kind

    @strawberry.field(description="Where it stands.")
    def status(self) -> DeliveryStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="How often it was tried since it was last queued.")
    def attempts(self) -> int:
        """The number of attempts."""
        return self.value.attempts

    @strawberry.field(description="When it was queued first.")
    def created_at(self) -> DateTime:
        """The beginning."""
        return instant(self.value.created_at)

    @strawberry.field(
        description="When it may be tried (again); null when it is finished, or waits for an earlier event of the same"
        " model version or objection."
    )
    def next_attempt_at(self) -> DateTime | None:
        """The next attempt."""
        return instant_or_none(self.value.next_attempt_at)

    @strawberry.field(description="When it was delivered, given up or dropped; null while it is PENDING.")
    def finished_at(self) -> DateTime | None:
        """The end."""
        return instant_or_none(self.value.finished_at)

    @strawberry.field(description="The HTTP status that the receiver answered last; null when it did not answer.")
    def response_status(self) -> int | None:
        """The answer."""
        return self.value.response

    @strawberry.field(description="Why the last attempt failed, as a code; null when it did not.")
    def error(self) -> str | None:
        """The reason."""
        return self.value.error


async def delivery_view(context: Context, delivery: webhooks.Delivery) -> Delivery:
    """The view of a delivery."""
    found = await webhook_cases.of_deliveries(context.service, [delivery])
    return Delivery(value=delivery, to=found[delivery.webhook])


async def list_deliveries(
    context: Context, webhook: str, status: DeliveryStatus | None, first: int, after: str | None
) -> Connection[Delivery]:
    """A page of the deliveries to a webhook."""
    listing = listing_of("deliveries", status or "", webhook)
    request = context.cursors.request(listing, first, after)
    page = await webhook_cases.list_deliveries(context.service, webhook, status, request)
    to = await webhook_cases.of_deliveries(context.service, list(page.items))
    return connect(context.cursors, listing, page, lambda each: Delivery(value=each, to=to[each.webhook]))


async def list_dead_letters(context: Context, first: int, after: str | None) -> Connection[Delivery]:
    """A page of what was given up."""
    request = context.cursors.request("deadLetters", first, after)
    page = await webhook_cases.list_dead_letters(context.service, request)
    to = await webhook_cases.of_deliveries(context.service, list(page.items))
    return connect(context.cursors, "deadLetters", page, lambda each: Delivery(value=each, to=to[each.webhook]))


async def list_webhooks(context: Context, first: int, after: str | None) -> Connection[Webhook]:
    """A page of the webhooks."""
    request = context.cursors.request("webhooks", first, after)
    page = await webhook_cases.list_webhooks(context.service, request)
    return connect(context.cursors, "webhooks", page, lambda each: Webhook(value=each))
