"""The Relay interface."""

import strawberry

from consentline.gql.ids import NodeId, NodeKind, encode_id


@strawberry.interface(description="Anything with an id, to be found again by `node`.")
class Node:
    """A view whose `node_id` says what it stands for."""

    def node_id(self) -> NodeId:
        """What the id stands for."""
        raise NotImplementedError

    @strawberry.field(description="Opaque and globally unique.")
    def id(self) -> strawberry.ID:
        """The Relay id."""
        return strawberry.ID(encode_id(self.node_id()))


__all__ = ["Node", "NodeId", "NodeKind"]
