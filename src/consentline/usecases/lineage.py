"""What comes of a post, dataset version, run, model or feature, and what it comes of: the recorded structure.

Whether a post was *used* is `postUsage`'s answer: a filtering step may have dropped it on the way.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.errors import InvalidInputError, NotFoundError
from consentline.domain.instants import Instant
from consentline.domain.lineage import Edge, Kind, Lineage, Node, Step, version_node
from consentline.graph import members, posts
from consentline.graph.session import Tx
from consentline.usecases.service import Service, known_or_now

MOST_NODES = 10_000
MOST_DEPTH = 1_000


@dataclass(frozen=True, slots=True)
class LineageAnswer:
    """Nodes breadth first from the one asked about, with the steps between them; `complete` when no bound cut it."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    complete: bool
    known_at: Instant
    lineage: Lineage


async def lineage(
    service: Service,
    kind: Kind,
    key: str,
    *,
    upstream: bool,
    max_depth: int,
    max_nodes: int,
    known_at: Instant | None,
) -> LineageAnswer:
    """Everything upstream or downstream of a node, breadth first, within `max_depth` steps and `max_nodes` nodes.

    The key of a dataset version is "dataset:number".

    Raises:
        NotFoundError: no such node is recorded.
        InvalidInputError: a bound out of range, a malformed key, `known_at` in the future.
    """
    _check_bound(max_depth, MOST_DEPTH, "maxDepth")
    _check_bound(max_nodes, MOST_NODES, "maxNodes")
    root = _parse(kind, key)

    async def work(tx: Tx) -> LineageAnswer:
        keys = service.pseudonyms.either("Post", key) if kind is Kind.POST else [""]
        [found] = await posts.for_usage(tx, [keys])
        upper = await service.lineages.at(found.now.revision)
        if not (upper.exists(root) or (kind is Kind.POST and found.recorded)):
            raise NotFoundError(f"no {kind} of this key is recorded", code="NOT_FOUND", path=("key",))
        asked = known_or_now(known_at, found.now.instant)
        held = [Edge(Step.HELD_IN, root, version_node(ref)) for ref in upper.holding(found.memberships, asked)]
        walk = _Walk(upper, asked, upstream=upstream, max_nodes=max_nodes, root=root)
        for _ in range(max_depth):
            if not walk.frontier:
                break
            more = {root: held} if kind is Kind.POST and not upstream else await _members(tx, walk)
            walk.advance(more)
        more = {root: held} if kind is Kind.POST and not upstream else await _members(tx, walk)
        walk.close(more)
        return LineageAnswer(tuple(walk.nodes), tuple(walk.edges), walk.complete, asked, upper)

    return await service.graph.read(work)


async def _members(tx: Tx, walk: "_Walk") -> dict[Node, list[Edge]]:
    """The posts that the versions at the frontier hold, as steps: one statement."""
    refs = walk.manifests()
    if not refs:
        return {}
    # One more than may be listed at all: whatever is listed already, a post that finds no room is seen.
    held = await members.of_versions(tx, refs, most=walk.max_nodes + 1)
    return {
        version_node(ref): [Edge(Step.HELD_IN, Node(Kind.POST, post), version_node(ref)) for post in keys]
        for ref, keys in held.items()
    }


class _Walk:
    """A breadth first walk that stops at its bounds and says so."""

    def __init__(self, lineage: Lineage, known_at: Instant, *, upstream: bool, max_nodes: int, root: Node) -> None:
        self._lineage = lineage
        self._known_at = known_at
        self._upstream = upstream
        self.max_nodes = max_nodes
        self.nodes: dict[Node, None] = {root: None}
        self.edges: dict[Edge, None] = {}
        self.frontier: list[Node] = [root]
        self.complete = True

    @property
    def room(self) -> int:
        """How many more nodes may be listed."""
        return self.max_nodes - len(self.nodes)

    def manifests(self) -> list[VersionRef]:
        """The versions at the frontier whose posts are upstream of them."""
        if not self._upstream:
            return []
        refs = [VersionRef(node.key, node.number) for node in self.frontier if node.kind is Kind.DATASET_VERSION]
        return [
            ref
            for ref in refs
            if self._lineage.versions[ref].coverage is Coverage.COMPLETE
            and self._lineage.versions[ref].known(self._known_at)
        ]

    def advance(self, more: dict[Node, list[Edge]]) -> None:
        """Take one step from every node of the frontier."""
        reached: list[Node] = []
        for node in self.frontier:
            for edge in self._steps(node, more):
                other = edge.source if self._upstream else edge.target
                if other not in self.nodes:
                    if self.room <= 0:
                        self.complete = False
                        continue
                    self.nodes[other] = None
                    reached.append(other)
                self.edges[edge] = None
        self.frontier = reached

    def close(self, more: dict[Node, list[Edge]]) -> None:
        """Tell whether the depth cut the walk short, and add the steps among what is listed already."""
        for node in self.frontier:
            for edge in self._steps(node, more):
                other = edge.source if self._upstream else edge.target
                if other in self.nodes:
                    self.edges[edge] = None
                else:
                    self.complete = False

    def _steps(self, node: Node, more: dict[Node, list[Edge]]) -> Iterable[Edge]:
        near = self._lineage.upstream if self._upstream else self._lineage.downstream
        return [*sorted(near(node, self._known_at)), *more.get(node, ())]


def _parse(kind: Kind, key: str) -> Node:
    if kind is not Kind.DATASET_VERSION:
        return Node(kind, key)
    dataset, _, number = key.rpartition(":")
    if not dataset or not (number.isascii() and number.isdigit()) or len(number) > 9:
        raise InvalidInputError('the key of a dataset version is "dataset:number"', code="INVALID_INPUT", path=("key",))
    return Node(kind, dataset, int(number))


def _check_bound(value: int, most: int, name: str) -> None:
    if not 1 <= value <= most:
        raise InvalidInputError(f"{name} is between 1 and {most}", code="OUT_OF_RANGE", path=(name,))
