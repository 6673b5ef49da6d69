"""What holds a retraining flag open: each cause with what gave it, for the roles that may see that."""

import strawberry

from consentline.domain import flags
from consentline.domain.access import Action
from consentline.domain.flags import CauseKind, Source, SourceKind
from consentline.gql.context import Context, Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.node import Node
from consentline.gql.types.paging import Connection, connect
from consentline.usecases import flags as flag_cases

_ABOUT_PEOPLE = frozenset({SourceKind.OBJECTION, SourceKind.ERASURE, SourceKind.USER})


@strawberry.type(description="One reason why a model version is flagged.")
class FlagCause:
    """A cause as it stands."""

    value: strawberry.Private[flags.FlagCause]

    @strawberry.field(description="What sort of reason it is.")
    def kind(self) -> CauseKind:
        """The kind."""
        return self.value.kind

    @strawberry.field(
        description="What gave it: of OBJECTION the objection, of ERASURE the erasure, of THIRD_PARTY_OBJECTED either,"
        " of POST_DELETED and VISIBILITY_NARROWED the post, of MINOR and CONSENT_WITHDRAWN the author, of"
        " ASSESSMENT_EXPIRED the policy, of VIOLATION the training run. Null where the role may not see people."
    )
    async def source(self, info: Info) -> Node | None:
        """The source, for those who may know."""
        node = _node_of(info.context, self.value.source)
        return None if node is None else await info.context.load_node(info.context, node)

    @strawberry.field(description="How many distinct posts of it the model version used.")
    def posts(self) -> int:
        """The number of posts."""
        return self.value.posts

    @strawberry.field(description="Until when it is to be dealt with.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="When it was recorded as a cause of this flag.")
    def recorded_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.recorded_at)


async def list_causes(
    context: Context, flag: str, kind: CauseKind | None, first: int, after: str | None
) -> Connection[FlagCause]:
    """A page of a flag's causes; what gave them is read at once."""
    listing = f"RetrainingFlag.causes:{kind or ''}:{flag}"
    request = context.cursors.request(listing, first, after)
    page = await flag_cases.list_causes(context.service, flag, kind, request)
    nodes = [node for cause in page.items if (node := _node_of(context, cause.source)) is not None]
    await context.read_posts(node.key for node in nodes if node.kind is NodeKind.POST)
    await context.read_users(node.key for node in nodes if node.kind is NodeKind.USER)
    await context.read_objections(node.key for node in nodes if node.kind is NodeKind.OBJECTION)
    await context.read_erasures(node.key for node in nodes if node.kind is NodeKind.ERASURE)
    return connect(context.cursors, listing, page, lambda cause: FlagCause(value=cause))


def _node_of(context: Context, source: Source) -> NodeId | None:
    """What the source is to the bearer; None when the role may not see it."""
    if source.kind in _ABOUT_PEOPLE and not context.may(Action.READ_PEOPLE):
        return None
    return NodeId(NodeKind(source.kind), source.key, source.version)
