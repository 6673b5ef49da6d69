"""What mutations on retraining flags take."""

import strawberry

from consentline.domain.errors import InvalidInputError
from consentline.domain.flags import FlagResolution
from consentline.gql.ids import NodeKind, decode_id
from consentline.gql.inputs.checks import checked_key, checked_text
from consentline.gql.scalars import DateTime


@strawberry.input(description="A flag that somebody takes up.")
class AcknowledgeFlagInput:
    """A flag by its id."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")

    def uid(self) -> str:
        """What the id stands for."""
        return _uid(self.flag)


@strawberry.input(description="A retraining that is planned.")
class ScheduleRetrainingInput:
    """A flag by its id, and when."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")
    planned_for: DateTime = strawberry.field(description="When it is planned for; not in the past.")

    def uid(self) -> str:
        """What the id stands for."""
        return _uid(self.flag)


@strawberry.input(description="How a flag was resolved.")
class ResolveFlagInput:
    """A flag by its id, and what proves that it is done."""

    flag: strawberry.ID = strawberry.field(description="The flag's id.")
    resolution: FlagResolution = strawberry.field(description="How.")
    replacement: str | None = strawberry.field(
        default=None, description="RETRAINED: the key of the model version that replaces the flagged one."
    )
    justification: str | None = strawberry.field(default=None, description="NOT_REQUIRED: why.")

    def uid(self) -> str:
        """What the id stands for."""
        return _uid(self.flag)

    def checked_replacement(self) -> str | None:
        """The key of the replacement, checked."""
        return checked_key(self.replacement, "replacement")

    def checked_justification(self) -> str | None:
        """The justification, within bounds."""
        return checked_text(self.justification, "justification")


def _uid(text: str) -> str:
    """What the id of a flag stands for.

    Raises:
        InvalidInputError: BAD_ID, when it is not the id of a flag.
    """
    bad = InvalidInputError("this is not the id of a retraining flag", code="BAD_ID", path=("flag",))
    try:
        node = decode_id(text)
    except InvalidInputError:
        raise bad from None
    if node.kind is not NodeKind.RETRAINING_FLAG:
        raise bad
    return node.key
