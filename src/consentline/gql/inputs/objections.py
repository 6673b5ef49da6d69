"""What mutations on objections and erasures take."""

import strawberry

from consentline.domain.keys import check_key
from consentline.gql.arguments import AI_TRAINING, asked
from consentline.gql.inputs.checks import checked_key, checked_text
from consentline.gql.scalars import DateTime
from consentline.usecases.erasures import RequestErasure
from consentline.usecases.objections import FileObjection


@strawberry.input(description="An objection as it reached the controller.")
class FileObjectionInput:
    """An objection to file."""

    key: str = strawberry.field(description="The caller's own key: repeating it with the same content changes nothing.")
    user: str = strawberry.field(description="The person's key, recorded before or not.")
    received_at: DateTime = strawberry.field(description="When it was received.")
    purposes: list[str] = strawberry.field(
        default_factory=lambda: [AI_TRAINING], description="The purposes objected to, upper-case codes; at least one."
    )
    platforms: list[str] = strawberry.field(
        default_factory=list, description="The platforms, upper-case codes; empty = all."
    )
    channel: str | None = strawberry.field(default=None, description="How it arrived.")

    def command(self) -> FileObjection:
        """The command of the use case, which checks the codes."""
        return FileObjection(
            key=check_key(self.key, "key"),
            user=check_key(self.user, "user"),
            received_at=self.received_at,
            purposes=tuple(self.purposes),
            platforms=tuple(self.platforms),
            channel=checked_key(self.channel, "channel"),
        )


@strawberry.input(description="The decision on an objection.")
class DecideObjectionInput:
    """An objection and what was decided."""

    key: str = strawberry.field(description="The objection's key.")
    uphold: bool = strawberry.field(description="True: upheld. False: refused, with grounds.")
    grounds: str | None = strawberry.field(default=None, description="Why; required for a refusal (Art. 12(4)).")
    decided_at: DateTime | None = strawberry.field(
        default=None, description="When the person was told: between receivedAt and now. Left out: now."
    )

    def checked_key(self) -> str:
        """The key, unless it is none of the caller's."""
        return asked(self.key, "key")

    def checked_grounds(self) -> str | None:
        """The grounds, within bounds."""
        return checked_text(self.grounds, "grounds")


@strawberry.input(description="The one extension of an objection's deadline, by two further months (Art. 12(3)).")
class ExtendObjectionInput:
    """An objection and why more time is needed."""

    key: str = strawberry.field(description="The objection's key.")
    reason: str = strawberry.field(description="Why more time is needed; the person is told.")

    def checked_key(self) -> str:
        """The key, unless it is none of the caller's."""
        return asked(self.key, "key")

    def checked_reason(self) -> str:
        """The reason, within bounds."""
        checked_text(self.reason, "reason")
        return self.reason


@strawberry.input(description="An objection that the person takes back.")
class WithdrawObjectionInput:
    """An objection by its key."""

    key: str = strawberry.field(description="The objection's key.")

    def checked_key(self) -> str:
        """The key, unless it is none of the caller's."""
        return asked(self.key, "key")


@strawberry.input(description="A person's request for erasure (Art. 17).")
class RequestErasureInput:
    """A request for erasure."""

    key: str = strawberry.field(description="The caller's own key: repeating it with the same content changes nothing.")
    user: str = strawberry.field(description="The person's key, recorded before or not.")
    received_at: DateTime = strawberry.field(description="When it was received.")

    def command(self) -> RequestErasure:
        """The command of the use case."""
        return RequestErasure(
            key=check_key(self.key, "key"), user=check_key(self.user, "user"), received_at=self.received_at
        )


@strawberry.input(description="A request for erasure that is to be carried out: the person was identified.")
class ConfirmErasureInput:
    """An erasure by its key."""

    key: str = strawberry.field(description="The erasure's key.")

    def checked_key(self) -> str:
        """The key, unless it is none of the caller's."""
        return asked(self.key, "key")


@strawberry.input(
    description="A request for erasure that is refused: the identity check failed (Art. 12(6)), or an exemption applies"
    " (Art. 17(3))."
)
class RejectErasureInput:
    """An erasure and why it is not carried out."""

    key: str = strawberry.field(description="The erasure's key.")
    grounds: str = strawberry.field(description="Why; the person is told (Art. 12(4)).")
    decided_at: DateTime | None = strawberry.field(
        default=None, description="When the person was told: between receivedAt and now. Left out: now."
    )

    def checked_key(self) -> str:
        """The key, unless it is none of the caller's."""
        return asked(self.key, "key")

    def checked_grounds(self) -> str:
        """The grounds, within bounds."""
        checked_text(self.grounds, "grounds")
        return self.grounds
