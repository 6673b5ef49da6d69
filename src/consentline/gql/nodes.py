"""Finding anything by its id: the one place that knows every type that implements `Node`."""

from consentline.domain.access import Action
from consentline.domain.audit import Subject, SubjectKind
from consentline.domain.datasets import VersionRef
from consentline.domain.lineage import feature_node, model_node, run_node, version_node
from consentline.gql.context import Context
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.types.eligibility import Policy
from consentline.gql.types.erasures import Erasure
from consentline.gql.types.lineage import Dataset, flag_view, upper_node
from consentline.gql.types.node import Node
from consentline.gql.types.people import Objection, User, post_view
from consentline.gql.types.webhooks import Webhook, delivery_view
from consentline.usecases import flags, webhooks

_NEEDED = {
    NodeKind.USER: Action.READ_PEOPLE,
    NodeKind.OBJECTION: Action.READ_PEOPLE,
    NodeKind.ERASURE: Action.READ_PEOPLE,
    NodeKind.WEBHOOK: Action.READ_DELIVERIES,
    NodeKind.DELIVERY: Action.READ_DELIVERIES,
}
"""What a role must be allowed, to see nodes of a kind; of the others READ_LINEAGE."""


async def load_node(context: Context, node: NodeId) -> Node | None:
    """The view of a node; None when it is not recorded.

    Raises:
        ForbiddenError: the role may not see nodes of the kind, recorded or not.
    """
    action = _NEEDED.get(node.kind, Action.READ_LINEAGE)
    if not context.may(action):
        context.reads.refuse([Subject(SubjectKind(node.kind.value), node.key)])
    context.require(action)
    match node.kind:
        case NodeKind.USER:
            return None if await context.user(node.key) is None else User(key=node.key)
        case NodeKind.POST:
            return post_view(await context.post(node.key))
        case NodeKind.OBJECTION:
            objection = await context.objection(node.key)
            return None if objection is None else Objection(value=objection)
        case NodeKind.ERASURE:
            erasure = await context.erasure(node.key)
            return None if erasure is None else Erasure(value=erasure)
        case NodeKind.RETRAINING_FLAG:
            flag = await flags.find_flag(context.service, node.key)
            return None if flag is None else await flag_view(context, flag)
        case NodeKind.WEBHOOK:
            webhook = await webhooks.find(context.service, node.key)
            return None if webhook is None else Webhook(value=webhook)
        case NodeKind.DELIVERY:
            delivery = await webhooks.find_delivery(context.service, node.key)
            return None if delivery is None else await delivery_view(context, delivery)
        case _:
            return await _load_upper(context, node)


async def _load_upper(context: Context, node: NodeId) -> Node | None:
    lineage = await context.lineage()
    match node.kind:
        case NodeKind.DATASET:
            return Dataset(lineage=lineage, key=node.key) if node.key in lineage.titles else None
        case NodeKind.POLICY:
            found = (each for each in lineage.policies if (each.key, each.version) == (node.key, node.number))
            policy = next(found, None)
            return None if policy is None else Policy(value=policy)
        case NodeKind.DATASET_VERSION:
            return upper_node(lineage, version_node(VersionRef(node.key, node.number)))
        case NodeKind.TRAINING_RUN:
            return upper_node(lineage, run_node(node.key))
        case NodeKind.MODEL_VERSION:
            return upper_node(lineage, model_node(node.key))
        case _:
            return upper_node(lineage, feature_node(node.key))
