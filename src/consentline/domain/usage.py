""" "Was this post used?" — the walk over the upper graph that answers it, and what keeps it from saying no.

The rules are design.md's "What counts as use". A wrong NOT_USED is the worst answer that we could give; UNKNOWN is an
honest one.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, TypeAlias

from consentline.domain.datasets import Coverage, DatasetVersion, Membership, VersionRef
from consentline.domain.instants import EVER, Instant
from consentline.domain.lineage import Edge, Kind, Lineage, Node, Step, version_node
from consentline.domain.posts import PostFacts
from consentline.domain.training import TrainingRun


class Verdict(StrEnum):
    """Never a guess."""

    USED = "USED"
    NOT_USED = "NOT_USED"
    UNKNOWN = "UNKNOWN"


class Relation(StrEnum):
    """How a model version used a post, strongest first."""

    TRAINED_ON = "TRAINED_ON"
    DERIVED_MODEL = "DERIVED_MODEL"
    SYNTHETIC_DATA = "SYNTHETIC_DATA"


_MOST_KEPT = 10_000
_STRENGTH = {relation: position for position, relation in enumerate(Relation)}


@dataclass(frozen=True, slots=True)
class Use:
    """A post's use by a model version, or by a started run that produced none.

    `training_run` is the run that read the post, `dataset_version` the version through which it was read, `path` one
    shortest witness from the post on.
    """

    model_version: str | None
    run_reached: str
    relation: Relation
    training_run: str
    dataset_version: VersionRef
    used_at: Instant
    path: tuple[Edge, ...]


@dataclass(frozen=True, slots=True)
class Usage:
    """The answer for one post as known at `known_at`."""

    verdict: Verdict
    uses: tuple[Use, ...]
    held_in: tuple[VersionRef, ...]
    undocumented: tuple[VersionRef, ...]


class _State(NamedTuple):
    """A node together with how influence arrived there: relation for runs and models, synthetic or not for versions."""

    node: Node
    relation: Relation | None


class _Label(NamedTuple):
    """The best way to a state so far; labels compare as witness paths do: length, usedAt, keys."""

    length: int
    used_at: Instant
    keys: tuple[tuple[str, int], ...]
    state: _State
    edges: tuple[Edge, ...]


ReadBy = Callable[[TrainingRun], bool]


def influence(
    lineage: Lineage,
    post: Node,
    held_in: Iterable[VersionRef],
    known_at: Instant,
    counts: ReadBy = lambda run: True,
) -> tuple[Use, ...]:
    """Every use of a post that the versions `held_in` hold, sorted by model version, then by run.

    Breadth first over states, so that a diamond lattice costs its edges and not its paths. Only reading runs for which
    `counts` holds begin an influence.
    """
    settled: dict[_State, _Label] = {}
    expanded: set[Node] = set()
    heap: list[_Label] = []
    for ref in held_in:
        node = version_node(ref)
        heap.append(_Label(1, 0, ((ref.dataset, ref.number),), _State(node, None), (Edge(Step.HELD_IN, post, node),)))
    heapq.heapify(heap)
    while heap:
        label = heapq.heappop(heap)
        if label.state in settled:
            continue
        settled[label.state] = label
        if label.state.node.kind is Kind.MODEL_VERSION:
            # What comes of a model version does not depend on how it was influenced: only its best label goes on.
            if label.state.node in expanded:
                continue
            expanded.add(label.state.node)
        for edge, relation in _onward(lineage, label.state, known_at):
            used_at = label.used_at
            if label.length == 1:
                run = lineage.runs[edge.target.key]
                if not counts(run):
                    continue
                used_at = run.started_at or 0
            state = _State(edge.target, relation)
            if state not in settled:
                keys = (*label.keys, (edge.target.key, edge.target.number))
                heapq.heappush(heap, _Label(label.length + 1, used_at, keys, state, (*label.edges, edge)))
    return tuple(sorted(_uses(lineage, settled, known_at), key=lambda use: (use.model_version or "", use.run_reached)))


def _onward(lineage: Lineage, state: _State, known_at: Instant) -> Iterator[tuple[Edge, Relation | None]]:
    """The steps by which influence goes on from a state, with the relation under which it arrives."""
    synthetic = state.relation is Relation.SYNTHETIC_DATA
    for edge in lineage.downstream(state.node, known_at):
        match edge.step:
            case Step.CONSUMED_BY:
                yield edge, Relation.SYNTHETIC_DATA if synthetic else Relation.TRAINED_ON
            case Step.PRODUCED:
                yield edge, state.relation
            case Step.STARTED | Step.DERIVED:
                yield edge, Relation.DERIVED_MODEL
            case Step.GENERATED:
                yield edge, Relation.SYNTHETIC_DATA
            case Step.DERIVED_DATASET if synthetic:
                yield edge, Relation.SYNTHETIC_DATA
            case _:
                pass


def _uses(lineage: Lineage, settled: dict[_State, _Label], known_at: Instant) -> Iterator[Use]:
    best: dict[Node, _Label] = {}
    for state, label in settled.items():
        if state.relation is None or state.node.kind not in (Kind.MODEL_VERSION, Kind.TRAINING_RUN):
            continue
        if state.node.kind is Kind.TRAINING_RUN and lineage.runs[state.node.key].product(known_at) is not None:
            continue
        current = best.get(state.node)
        if current is None or _strength(label) < _strength(current):
            best[state.node] = label
    for node, label in best.items():
        read, arrived = label.edges[1], label.state
        assert arrived.relation is not None  # noqa: S101 - kept above
        yield Use(
            model_version=node.key if node.kind is Kind.MODEL_VERSION else None,
            run_reached="" if node.kind is Kind.MODEL_VERSION else node.key,
            relation=arrived.relation,
            training_run=read.target.key,
            dataset_version=VersionRef(read.source.key, read.source.number),
            used_at=label.used_at,
            path=label.edges,
        )


def _strength(label: _Label) -> int:
    return len(_STRENGTH) if label.state.relation is None else _STRENGTH[label.state.relation]


def cannot_rule_out(
    lineage: Lineage,
    version: DatasetVersion,
    known_at: Instant,
    *,
    selected: Callable[[DatasetVersion], bool],
    held: Callable[[VersionRef], bool],
) -> bool:
    """Whether a version without a COMPLETE manifest may hold what is asked about.

    UNDOCUMENTED; or its declaration does not exclude it (`selected`); or it is derived, through any number of versions
    without a COMPLETE manifest, from one that holds it (`held`) or cannot rule it out itself.
    """
    seen = {version.ref}
    pending = [version]
    while pending:
        current = pending.pop()
        if current.coverage is Coverage.UNDOCUMENTED or selected(current):
            return True
        for ref in current.derived_from:
            upstream = lineage.versions[ref]
            if upstream.coverage is Coverage.COMPLETE:
                if held(ref):
                    return True
            elif ref not in seen and upstream.known(known_at):
                seen.add(ref)
                pending.append(upstream)
    return False


def usage_of(lineage: Lineage, post: PostFacts, memberships: Iterable[Membership], known_at: Instant) -> Usage:
    """The verdict on a post with all uses, the versions that hold it and those that cannot rule it out."""
    held_in, reached = _reached(lineage, tuple(memberships), known_at)
    node = Node(Kind.POST, post.key)
    uses = tuple(_use_of(node, use) for use in reached)
    undocumented = tuple(_undocumented(lineage, post, held_in, known_at))
    verdict = Verdict.USED if uses else Verdict.UNKNOWN if undocumented else Verdict.NOT_USED
    return Usage(verdict, uses, held_in, undocumented)


_SOMEBODYS = Node(Kind.POST, "")
_Reached: TypeAlias = tuple[tuple[VersionRef, ...], tuple[Use, ...]]


def _reached(lineage: Lineage, memberships: tuple[Membership, ...], known_at: Instant) -> _Reached:
    """The versions that hold a post of these memberships, and its uses: as they are by now, walked once for many."""
    if known_at < lineage.known_since:
        return _walk(lineage, memberships, known_at)
    kept: dict[tuple[Membership, ...], _Reached] = lineage.kept
    found = kept.get(memberships)
    if found is None:
        if len(kept) >= _MOST_KEPT:
            kept.clear()
        found = kept[memberships] = _walk(lineage, memberships, EVER)
    return found


def _walk(lineage: Lineage, memberships: tuple[Membership, ...], known_at: Instant) -> _Reached:
    held_in = tuple(lineage.holding(memberships, known_at))
    return held_in, influence(lineage, _SOMEBODYS, held_in, known_at)


def _use_of(post: Node, use: Use) -> Use:
    """The same use, of this post."""
    first = use.path[0]
    return Use(
        use.model_version,
        use.run_reached,
        use.relation,
        use.training_run,
        use.dataset_version,
        use.used_at,
        (Edge(first.step, post, first.target), *use.path[1:]),
    )


def _undocumented(
    lineage: Lineage, post: PostFacts, held_in: Iterable[VersionRef], known_at: Instant
) -> Iterator[VersionRef]:
    open_to_question = lineage.open_inputs(known_at)
    if not open_to_question:
        return
    description = post.described(known_at)
    published_at = None if description is None else description.published_at
    held = frozenset(held_in)
    for ref, last_start in open_to_question:
        # A post known to be published after a run started is ruled out of that run.
        if published_at is not None and last_start < published_at:
            continue
        version = lineage.versions[ref]
        if cannot_rule_out(
            lineage,
            version,
            known_at,
            selected=lambda each: each.declares(post, known_at),
            held=held.__contains__,
        ):
            yield ref


def possible_versions(
    lineage: Lineage,
    known_at: Instant,
    *,
    covers_person: Callable[[DatasetVersion], bool],
    held_in: frozenset[VersionRef],
) -> list[VersionRef]:
    """The consumed versions that could hold a post of a person, recorded or never recorded, sorted."""
    return [
        ref
        for ref, _ in lineage.open_inputs(known_at)
        if cannot_rule_out(lineage, lineage.versions[ref], known_at, selected=covers_person, held=held_in.__contains__)
    ]
