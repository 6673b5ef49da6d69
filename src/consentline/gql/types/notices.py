"""Whom the notices of a policy reached, in figures; nobody is named in them."""

from datetime import date
from typing import Annotated

import strawberry

from consentline.domain import notices
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.eligibility import Policy

_Days = Annotated[int, strawberry.argument(description="How many days up to the one of `at`, from 1 to 366.")]


@strawberry.type(description="What notices reached on a day.")
class NoticeDay:
    """A day with its counts."""

    day: date = strawberry.field(description="The day, in UTC.")
    served: int = strawberry.field(description="How many people were first served a notice then.")
    seen: int = strawberry.field(description="How many people first saw a notice then.")


@strawberry.type(
    description="The people whom exactly this version of the policy governs at `at`, by whom its notices reached."
)
class NoticeCoverage:
    """Figures that were all counted in one pass."""

    value: strawberry.Private[notices.NoticeCoverage]

    @strawberry.field(description="The policy.")
    def policy(self) -> Policy:
        """The version asked about."""
        return Policy(value=self.value.question.policy)

    @strawberry.field(description="The valid time of the figures.")
    def at(self) -> DateTime:
        """Valid time."""
        return instant(self.value.question.at)

    @strawberry.field(description="The recorded time of the figures.")
    def known_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.question.known_at)

    @strawberry.field(description="How many people it governs.")
    def people(self) -> int:
        """Everybody."""
        return self.value.people

    @strawberry.field(description="How many of them were served a notice of its purpose by `at`.")
    def served(self) -> int:
        """Those reached."""
        return self.value.served

    @strawberry.field(description="How many of them saw one of those by `at`.")
    def seen(self) -> int:
        """Part of those served."""
        return self.value.seen

    @strawberry.field(description="How many of those served are still within their days to object.")
    def window_open(self) -> int:
        """Part of those served."""
        return self.value.window_open

    @strawberry.field(description="How many people it governs were not served: whom a campaign has yet to reach.")
    def not_served(self) -> int:
        """The others."""
        return self.value.not_served

    @strawberry.field(description="People by the day when they were first served, and first saw one; oldest first.")
    def by_day(self, days: _Days = 30) -> list[NoticeDay]:
        """Days without any are listed too."""
        return [NoticeDay(day=each.day, served=each.served, seen=each.seen) for each in self.value.by_day(days)]
