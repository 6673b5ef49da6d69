"""What mutations on webhooks and deliveries take."""

import strawberry

from consentline.domain.access import Role
from consentline.domain.errors import InvalidInputError
from consentline.domain.events import EventKind
from consentline.domain.keys import check_key
from consentline.gql.ids import NodeKind, decode_id
from consentline.gql.inputs.checks import checked_key, checked_text
from consentline.usecases.recipients import RecordRecipient
from consentline.usecases.webhooks import RegisterWebhook


@strawberry.input(description="An endpoint, and what it is to be told of.")
class RegisterWebhookInput:
    """Where to tell what."""

    key: str = strawberry.field(description="The caller's own key: registering the same again changes nothing.")
    url: str = strawberry.field(description="An https URL of the public internet; it is asked with POST.")
    role: Role = strawberry.field(
        default=Role.ML, description="What its receiver does: it is told of nothing that this role may not see."
    )
    kinds: list[EventKind] | None = strawberry.field(
        default=None, description="The kinds of events to be told of. Left out or empty: all that the role may see."
    )
    model_version: str | None = strawberry.field(
        default=None, description="Only events of this model version, by its key. Left out: of all."
    )

    def command(self) -> RegisterWebhook:
        """The input, checked."""
        return RegisterWebhook(
            key=check_key(self.key, "key"),
            url=self.url,
            role=self.role,
            kinds=tuple(self.kinds or ()),
            model=checked_key(self.model_version, "modelVersion"),
        )


@strawberry.input(description="A webhook that is to be told nothing more.")
class DisableWebhookInput:
    """A webhook by its key."""

    key: str = strawberry.field(description="The webhook's key.")


@strawberry.input(description="Somebody to whom a dataset was handed on.")
class RecordRecipientInput:
    """To whom, and how they are told."""

    dataset: str = strawberry.field(description="The key of the dataset.")
    key: str = strawberry.field(description="The caller's own key; recorded again, the name and webhook are the new.")
    name: str = strawberry.field(description="What people call it.")
    webhook: str | None = strawberry.field(
        default=None,
        description="The key of the webhook that its notices go to, whatever its kinds. Left out: it is told by other"
        " means.",
    )

    def command(self) -> RecordRecipient:
        """The input, checked."""
        return RecordRecipient(
            dataset=check_key(self.dataset, "dataset"),
            key=check_key(self.key, "key"),
            name=checked_text(self.name, "name") or "",
            webhook=checked_key(self.webhook, "webhook"),
        )


@strawberry.input(description="A delivery that is to be made again.")
class ReplayDeliveryInput:
    """A delivery by its id."""

    delivery: strawberry.ID = strawberry.field(description="The delivery's id.")

    def delivery_id(self) -> str:
        """What the id stands for.

        Raises:
            InvalidInputError: BAD_ID, when it is not the id of a delivery.
        """
        bad = InvalidInputError("this is not the id of a delivery", code="BAD_ID", path=("delivery",))
        try:
            node = decode_id(self.delivery)
        except InvalidInputError:
            raise bad from None
        if node.kind is not NodeKind.DELIVERY:
            raise bad
        return node.key
