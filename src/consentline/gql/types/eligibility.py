"""Whether a post may be used, the policies that say so, and where people stand."""

from collections.abc import Iterable

import strawberry

from consentline.domain import eligibility, policies, standing
from consentline.domain.consent import ConsentStatus
from consentline.domain.eligibility import Reason
from consentline.domain.policies import LawfulBasis
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.node import Node


@strawberry.type(description="One version of the rules of a jurisdiction for a purpose.")
class Policy(Node):
    """A policy as recorded."""

    value: strawberry.Private[policies.Policy]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.POLICY, self.value.key, self.value.version)

    @strawberry.field(description='The caller\'s own key, such as "gb-ai-training".')
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The version within the key.")
    def version(self) -> int:
        """The version."""
        return self.value.version

    @strawberry.field(description='Where it applies: ISO 3166-1 alpha-2 or 3166-2 ("GB", "GB-SCT").')
    def jurisdiction(self) -> str:
        """The jurisdiction."""
        return self.value.jurisdiction

    @strawberry.field(description="What it regulates.")
    def purpose(self) -> str:
        """The purpose."""
        return self.value.purpose

    @strawberry.field(description="The ground on which it rests.")
    def lawful_basis(self) -> LawfulBasis:
        """The basis."""
        return self.value.lawful_basis

    @strawberry.field(description="Whether a person must have been served a notice.")
    def notice_required(self) -> bool:
        """Whether a notice is required."""
        return self.value.notice_required

    @strawberry.field(description="Days to object after the notice, before which nothing may be used.")
    def objection_window_days(self) -> int:
        """The window in days of 24 hours."""
        return self.value.objection_window_days

    @strawberry.field(description="The platforms that it covers; empty = all.")
    def platforms(self) -> list[str]:
        """The platforms."""
        return list(self.value.platforms)

    @strawberry.field(description="From when on it is in force.")
    def effective_from(self) -> DateTime:
        """The beginning."""
        return instant(self.value.effective_from)

    @strawberry.field(description="When it ends; null = it has no end.")
    def effective_until(self) -> DateTime | None:
        """The end."""
        return instant_or_none(self.value.effective_until)


@strawberry.type(description="Whether a post may be used for a purpose, at a time, as known at a time.")
class Eligibility:
    """An answer with all its reasons."""

    value: strawberry.Private[eligibility.Eligibility]

    @strawberry.field(description="Whether nothing stands against the use.")
    def eligible(self) -> bool:
        """Whether there is no reason."""
        return self.value.eligible

    @strawberry.field(description="Every reason why not, sorted as the enum lists them.")
    def reasons(self) -> list[Reason]:
        """The reasons."""
        return list(self.value.reasons)

    @strawberry.field(description="The policy that governs the author there and then; null where none does.")
    def policy(self) -> Policy | None:
        """The policy."""
        return None if self.value.policy is None else Policy(value=self.value.policy)

    @strawberry.field(description="The valid time of the answer.")
    def at(self) -> DateTime:
        """Valid time."""
        return instant(self.value.at)

    @strawberry.field(description="The recorded time of the answer.")
    def known_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.known_at)


@strawberry.type(description="How many posts were left out for a reason.")
class ReasonCount:
    """A reason with its count."""

    reason: Reason = strawberry.field(description="The reason.")
    count: int = strawberry.field(description="How many posts have it.")


def reason_counts(counts: Iterable[tuple[Reason, int]]) -> list[ReasonCount]:
    """The counts as the API shows them."""
    return [ReasonCount(reason=reason, count=count) for reason, count in counts]


@strawberry.type(description="Where a person stands for a purpose.")
class ConsentState:
    """A standing since some time."""

    value: strawberry.Private[standing.ConsentState]

    @strawberry.field(description="Where the person stands.")
    def status(self) -> ConsentStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="For what.")
    def purpose(self) -> str:
        """The purpose."""
        return self.value.purpose

    @strawberry.field(description="Of the policy in force there and then; null where none covers the person.")
    def lawful_basis(self) -> LawfulBasis | None:
        """The basis."""
        return self.value.lawful_basis

    @strawberry.field(description="Since when; null when it has no beginning.")
    def valid_from(self) -> DateTime | None:
        """The beginning."""
        return instant_or_none(self.value.valid_from)

    @strawberry.field(description="When the system learned it; null when nothing was.")
    def recorded_at(self) -> DateTime | None:
        """Recorded time."""
        return instant_or_none(self.value.recorded_at)
