"""What can be asked and changed of webhooks and deliveries: parts of the roots of queries and mutations."""

from typing import Annotated

import strawberry

from consentline.domain.access import Action
from consentline.domain.keys import check_key
from consentline.gql.access import needs
from consentline.gql.arguments import After, First
from consentline.gql.context import Info
from consentline.gql.inputs.webhooks import (
    DisableWebhookInput,
    RecordRecipientInput,
    RegisterWebhookInput,
    ReplayDeliveryInput,
)
from consentline.gql.types.paging import Connection
from consentline.gql.types.payloads import UserError, user_errors
from consentline.gql.types.recipients import Recipient
from consentline.gql.types.webhooks import (
    Delivery,
    DeliveryFilter,
    Webhook,
    delivery_view,
    list_dead_letters,
    list_deliveries,
    list_webhooks,
)
from consentline.usecases import recipients as recipient_cases
from consentline.usecases import webhooks as webhook_cases

_READ = needs(Action.READ_DELIVERIES)
_MANAGE = needs(Action.MANAGE_WEBHOOKS)
_INPUT = strawberry.argument(name="input", description="What to record.")
_Webhook = Annotated[str, strawberry.argument(description="The webhook's key.")]


@strawberry.type(description="The webhook, or why nothing was changed.")
class RegisterWebhookPayload:
    """Of registerWebhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook; null when refused.")
    secret: str | None = strawberry.field(
        description="What its deliveries are signed with (`whsec_…`, Standard Webhooks). It is shown this once: null"
        " when the webhook was registered before."
    )
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The webhook, or why nothing was changed.")
class WebhookPayload:
    """Of mutations on a webhook."""

    webhook: Webhook | None = strawberry.field(description="The webhook; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The delivery, or why nothing was changed.")
class DeliveryPayload:
    """Of mutations on a delivery."""

    delivery: Delivery | None = strawberry.field(description="The delivery; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type(description="The recipient, or why nothing was changed.")
class RecipientPayload:
    """Of recordRecipient."""

    recipient: Recipient | None = strawberry.field(description="The recipient; null when refused.")
    user_errors: list[UserError] = strawberry.field(description="Why it was refused; empty when it was not.")


@strawberry.type
class DeliveryQueries:
    """What can be asked."""

    @strawberry.field(description="The webhooks, by their key.", metadata=_READ)
    async def webhooks(self, info: Info, first: First = 50, after: After = None) -> Connection[Webhook]:
        """A page of them."""
        return await list_webhooks(info.context, first, after)

    @strawberry.field(description="The deliveries to a webhook that are kept, the newest event first.", metadata=_READ)
    async def deliveries(
        self, info: Info, webhook: _Webhook, status: DeliveryFilter = None, first: First = 50, after: After = None
    ) -> Connection[Delivery]:
        """A page of them."""
        return await list_deliveries(info.context, webhook, status, first, after)

    @strawberry.field(
        description="The deliveries that were given up, to whatever webhook, the newest event first. They are kept"
        " until they are replayed or their webhook is disabled.",
        metadata=_READ,
    )
    async def dead_letters(self, info: Info, first: First = 50, after: After = None) -> Connection[Delivery]:
        """A page of them."""
        return await list_dead_letters(info.context, first, after)


@strawberry.type
class DeliveryMutations:
    """What can be changed."""

    @strawberry.mutation(
        description="Have an endpoint told of what happens from now on, by signed HTTP requests.", metadata=_MANAGE
    )
    async def register_webhook(
        self, info: Info, input_: Annotated[RegisterWebhookInput, _INPUT]
    ) -> RegisterWebhookPayload:
        """A webhook and, once, its secret."""
        outcome = await info.context.change(lambda: webhook_cases.register(info.context.service, input_.command()))
        webhook, secret = outcome.value or (None, None)
        return RegisterWebhookPayload(
            webhook=None if webhook is None else Webhook(value=webhook),
            secret=secret,
            user_errors=user_errors(outcome.refusal),
        )

    @strawberry.mutation(
        description="Tell a webhook nothing more: what was still to be sent is dropped. It cannot be undone; register"
        " another.",
        metadata=_MANAGE,
    )
    async def disable_webhook(self, info: Info, input_: Annotated[DisableWebhookInput, _INPUT]) -> WebhookPayload:
        """The end of a webhook."""
        outcome = await info.context.change(
            lambda: webhook_cases.disable(info.context.service, check_key(input_.key, "key"))
        )
        webhook = outcome.value
        return WebhookPayload(
            webhook=None if webhook is None else Webhook(value=webhook), user_errors=user_errors(outcome.refusal)
        )

    @strawberry.mutation(
        description="Record to whom a dataset was handed on: from now on they are told when posts of it are restricted,"
        " released or erased (UK GDPR Art. 19).",
        metadata=needs(Action.WRITE_OBJECTIONS),
    )
    async def record_recipient(self, info: Info, input_: Annotated[RecordRecipientInput, _INPUT]) -> RecipientPayload:
        """A recipient who is told."""
        outcome = await info.context.change(lambda: recipient_cases.record(info.context.service, input_.command()))
        recipient = outcome.value
        return RecipientPayload(
            recipient=None if recipient is None else Recipient(value=recipient),
            user_errors=user_errors(outcome.refusal),
        )

    @strawberry.mutation(
        description="Make a delivery again, with the same id, as the next of its model version or objection.",
        metadata=_MANAGE,
    )
    async def replay_delivery(self, info: Info, input_: Annotated[ReplayDeliveryInput, _INPUT]) -> DeliveryPayload:
        """A delivery that is PENDING again."""
        outcome = await info.context.change(lambda: webhook_cases.replay(info.context.service, input_.delivery_id()))
        delivery = outcome.value
        return DeliveryPayload(
            delivery=None if delivery is None else await delivery_view(info.context, delivery),
            user_errors=user_errors(outcome.refusal),
        )
