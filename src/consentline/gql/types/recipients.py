"""To whom a dataset was handed on."""

import strawberry

from consentline.domain import recipients
from consentline.domain.access import Action
from consentline.gql.context import Info
from consentline.gql.scalars import DateTime, instant


@strawberry.type(description="Somebody to whom a dataset was handed on (UK GDPR Art. 19).")
class Recipient:
    """A recipient of one dataset."""

    value: strawberry.Private[recipients.Recipient]

    @strawberry.field(description="The caller's own key, within the dataset.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The key of the dataset.")
    def dataset(self) -> str:
        """The dataset."""
        return self.value.dataset

    @strawberry.field(description="What people call it.")
    def name(self) -> str:
        """The name."""
        return self.value.name

    @strawberry.field(
        description="The key of the webhook that its notices go to; null when it has to be told by other means, and for"
        " roles that may not read deliveries."
    )
    def webhook(self, info: Info) -> str | None:
        """The webhook, for those who may know of webhooks."""
        return self.value.webhook if info.context.may(Action.READ_DELIVERIES) else None

    @strawberry.field(description="Since when it is told.")
    def recorded_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.recorded_at)
