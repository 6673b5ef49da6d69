"""Erasures as the API shows them."""

import strawberry

from consentline.domain import erasures
from consentline.domain.audit import Subject, subjects_of
from consentline.domain.erasures import ErasureStatus
from consentline.gql.context import Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.node import Node
from consentline.gql.types.people import User
from consentline.usecases import erasures as erasure_cases


@strawberry.type(description="A person's request for erasure (UK GDPR Art. 17), and what came of it.")
class Erasure(Node):
    """An erasure as it stands."""

    value: strawberry.Private[erasures.Erasure]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.ERASURE, self.value.key)

    def whose_record(self) -> tuple[Subject, ...]:
        """Whose record this is."""
        return subjects_of(self.value)

    @strawberry.field(description="The caller's own key.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The person; null once erased.")
    def user(self) -> User | None:
        """The person."""
        return User(key=self.value.user)

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> ErasureStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="When it reached the controller: from then on it stops use.")
    def received_at(self) -> DateTime:
        """The receipt."""
        return instant(self.value.received_at)

    @strawberry.field(description="The end of the statutory month, fixed at intake; see docs.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="Whether the deadline passed before it was refused or done.")
    async def overdue(self, info: Info) -> bool:
        """Whether it is overdue now."""
        return self.value.overdue(await info.context.now())

    @strawberry.field(description="How many recorded posts it concerns: written by the person, or depicting them.")
    async def affected_post_count(self, info: Info) -> int:
        """The number of posts."""
        return await erasure_cases.affected_post_count(info.context.service, self.value)
