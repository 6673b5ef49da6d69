"""The upper graph: datasets, versions, runs, models and features with all their recorded times, held in memory.

It is small (thousands) where people and posts are many; see design.md, "Two sizes". A `Lineage` is immutable and named
by the revision under which it was read, so that an answer can tell whether it still holds.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from consentline.domain.datasets import Coverage, DatasetVersion, Membership, VersionRef
from consentline.domain.instants import EVER, Instant
from consentline.domain.policies import Policy
from consentline.domain.training import Derivation, ModelVersion, Serving, TrainingRun


class Kind(StrEnum):
    """What a node of the lineage is."""

    POST = "POST"
    DATASET_VERSION = "DATASET_VERSION"
    TRAINING_RUN = "TRAINING_RUN"
    MODEL_VERSION = "MODEL_VERSION"
    FEATURE = "FEATURE"


class Step(StrEnum):
    """One step of influence, named in its direction."""

    HELD_IN = "HELD_IN"
    CONSUMED_BY = "CONSUMED_BY"
    PRODUCED = "PRODUCED"
    STARTED = "STARTED"
    DERIVED = "DERIVED"
    GENERATED = "GENERATED"
    DERIVED_DATASET = "DERIVED_DATASET"
    SERVES = "SERVES"


class Node(NamedTuple):
    """A node of the lineage; `number` is 0 but for dataset versions, whose `key` is their dataset's."""

    kind: Kind
    key: str
    number: int = 0

    def __str__(self) -> str:
        return f"{self.key}:{self.number}" if self.kind is Kind.DATASET_VERSION else self.key


class Edge(NamedTuple):
    """A step from one node to another, in the direction of influence."""

    step: Step
    source: Node
    target: Node


def version_node(ref: VersionRef) -> Node:
    """The node of a dataset version."""
    return Node(Kind.DATASET_VERSION, ref.dataset, ref.number)


def run_node(key: str) -> Node:
    """The node of a training run."""
    return Node(Kind.TRAINING_RUN, key)


def model_node(key: str) -> Node:
    """The node of a model version."""
    return Node(Kind.MODEL_VERSION, key)


def feature_node(key: str) -> Node:
    """The node of a product feature."""
    return Node(Kind.FEATURE, key)


class _Recorded(NamedTuple):
    edge: Edge
    recorded_at: Instant


_NEVER: Instant = 2**62


@dataclass(frozen=True)
class Lineage:
    """Everything of the upper graph, under its revision.

    `titles` are the datasets' titles by key; the other mappings are by key (versions by dataset and number).
    """

    revision: str = ""
    titles: Mapping[str, str] = field(default_factory=dict[str, str])
    versions: Mapping[VersionRef, DatasetVersion] = field(default_factory=dict[VersionRef, DatasetVersion])
    runs: Mapping[str, TrainingRun] = field(default_factory=dict[str, TrainingRun])
    models: Mapping[str, ModelVersion] = field(default_factory=dict[str, ModelVersion])
    derivations: tuple[Derivation, ...] = ()
    servings: tuple[Serving, ...] = ()
    policies: tuple[Policy, ...] = ()

    @cached_property
    def numbers(self) -> Mapping[str, tuple[int, ...]]:
        """The version numbers of each dataset, ascending."""
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for ref in self.versions:
            numbers[ref.dataset].append(ref.number)
        return {dataset: tuple(sorted(each)) for dataset, each in numbers.items()}

    @cached_property
    def _edges(self) -> tuple[_Recorded, ...]:
        return tuple(self._all_edges())

    def _all_edges(self) -> Iterator[_Recorded]:
        for version in self.versions.values():
            node, known = version_node(version.ref), version.sealed_at or _NEVER
            for upstream in version.derived_from:
                yield _Recorded(Edge(Step.DERIVED_DATASET, version_node(upstream), node), known)
            for model in version.generated_by:
                yield _Recorded(Edge(Step.GENERATED, model_node(model), node), known)
        for run in self.runs.values():
            node = run_node(run.key)
            known = run.recorded_at if run.started_at is not None else _NEVER
            for ref in run.inputs:
                yield _Recorded(Edge(Step.CONSUMED_BY, version_node(ref), node), known)
            for base in run.started_from:
                yield _Recorded(Edge(Step.STARTED, model_node(base), node), known)
            if run.produced is not None and run.produced_recorded_at is not None:
                edge = Edge(Step.PRODUCED, node, model_node(run.produced))
                yield _Recorded(edge, run.produced_recorded_at)
        for derivation in self.derivations:
            edge = Edge(Step.DERIVED, model_node(derivation.base), model_node(derivation.model))
            yield _Recorded(edge, derivation.recorded_at)
        for serving in self.servings:
            edge = Edge(Step.SERVES, model_node(serving.model_version), feature_node(serving.feature))
            yield _Recorded(edge, serving.recorded_at)

    @cached_property
    def _downstream(self) -> Mapping[Node, tuple[_Recorded, ...]]:
        return _grouped(self._edges, lambda each: each.edge.source)

    @cached_property
    def _upstream(self) -> Mapping[Node, tuple[_Recorded, ...]]:
        return _grouped(self._edges, lambda each: each.edge.target)

    def downstream(self, node: Node, known_at: Instant) -> Iterator[Edge]:
        """The steps that leave `node`, as known at `known_at`."""
        return (each.edge for each in self._downstream.get(node, ()) if each.recorded_at <= known_at)

    def upstream(self, node: Node, known_at: Instant) -> Iterator[Edge]:
        """The steps that arrive at `node`, as known at `known_at`."""
        return (each.edge for each in self._upstream.get(node, ()) if each.recorded_at <= known_at)

    @cached_property
    def _complete_versions(self) -> Mapping[str, tuple[DatasetVersion, ...]]:
        return {
            dataset: tuple(
                version
                for version in (self.versions[VersionRef(dataset, number)] for number in numbers)
                if version.coverage is Coverage.COMPLETE
            )
            for dataset, numbers in self.numbers.items()
        }

    def all_upstream(self, node: Node) -> set[Node]:
        """The node, and everything whose influence reaches it, in the present."""
        return _walk(node, lambda each: (edge.source for edge in self.upstream(each, EVER)))

    def all_downstream(self, node: Node) -> set[Node]:
        """The node, and everything that its influence reaches, in the present."""
        return _walk(node, lambda each: (edge.target for edge in self.downstream(each, EVER)))

    @cached_property
    def _readings(self) -> Mapping[str, tuple[list[int], list[str]]]:
        """Of each dataset, which COMPLETE sealed version which started run read: numbers, ascending, and runs."""
        readings: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
        for run in self.runs.values():
            for ref in run.inputs if run.started_at is not None else ():
                version = self.versions[ref]
                if version.coverage is Coverage.COMPLETE and version.sealed_at is not None:
                    readings[ref.dataset].append((ref.number, run.key))
        return {
            dataset: ([number for number, _ in ordered], [run for _, run in ordered])
            for dataset, each in readings.items()
            if (ordered := sorted(each))
        }

    def readers(self, memberships: Iterable[Membership]) -> set[str]:
        """The started runs that read a COMPLETE version in one of the intervals; it costs as many steps as they are."""
        found = set[str]()
        for dataset, begin, end in memberships:
            numbers, runs = self._readings.get(dataset, ((), ()))
            found.update(runs[bisect_left(numbers, begin) : None if end is None else bisect_left(numbers, end)])
        return found

    @cached_property
    def _models_after(self) -> dict[str, frozenset[str]]:
        return {}

    def models_after(self, run: str) -> frozenset[str]:
        """The model versions that influence from the run reaches: its product, and all that comes of it.

        Every version on the way was generated by one of them, or is derived from one that was; so every step is
        influence.
        """
        if run not in self._models_after:
            reached = self.all_downstream(run_node(run))
            self._models_after[run] = frozenset(node.key for node in reached if node.kind is Kind.MODEL_VERSION)
        return self._models_after[run]

    @cached_property
    def started(self) -> tuple[TrainingRun, ...]:
        """The runs that started, from the first on."""
        started = [(run.started_at, run) for run in self.runs.values() if run.started_at is not None]
        return tuple(run for _, run in sorted(started, key=lambda each: each[0]))

    def holding(self, memberships: Iterable[Membership], known_at: Instant) -> list[VersionRef]:
        """The COMPLETE versions sealed by `known_at` that lie in one of the intervals, sorted."""
        held = {
            version.ref
            for membership in memberships
            for version in self._complete_versions.get(membership.dataset, ())
            if membership.holds(version.number) and version.known(known_at)
        }
        return sorted(held)

    def consumed(self, known_at: Instant) -> Mapping[VersionRef, tuple[TrainingRun, ...]]:
        """Every version that a started run read, with those runs, as known at `known_at`."""
        return self._consumed if known_at >= self.known_since else self._consumed_at(known_at)

    @cached_property
    def _consumed(self) -> Mapping[VersionRef, tuple[TrainingRun, ...]]:
        return self._consumed_at(EVER)

    def _consumed_at(self, known_at: Instant) -> Mapping[VersionRef, tuple[TrainingRun, ...]]:
        consumers: defaultdict[VersionRef, list[TrainingRun]] = defaultdict(list)
        for run in self.runs.values():
            if run.started(known_at):
                for ref in run.inputs:
                    consumers[ref].append(run)
        return {ref: tuple(runs) for ref, runs in consumers.items()}

    def open_inputs(self, known_at: Instant) -> tuple[tuple[VersionRef, Instant], ...]:
        """What runs read of which nobody knows every member, sorted, each with when the last of the runs started."""
        return self._open_inputs if known_at >= self.known_since else self._open_inputs_at(known_at)

    @cached_property
    def _open_inputs(self) -> tuple[tuple[VersionRef, Instant], ...]:
        return self._open_inputs_at(EVER)

    def _open_inputs_at(self, known_at: Instant) -> tuple[tuple[VersionRef, Instant], ...]:
        return tuple(
            (ref, max(run.started_at or 0 for run in runs))
            for ref, runs in sorted(self.consumed(known_at).items())
            if self.versions[ref].coverage is not Coverage.COMPLETE
        )

    @cached_property
    def kept(self) -> dict[tuple[Membership, ...], Any]:
        """What `domain/usage.py` worked out for posts of these memberships, while this upper graph stands."""
        return {}

    @cached_property
    def known_since(self) -> Instant:
        """The recorded time from which on everything in it is known: whoever asks later gets the same."""
        recorded = [each.recorded_at for each in self._edges]
        recorded += [version.sealed_at for version in self.versions.values() if version.sealed_at is not None]
        recorded += [run.recorded_at for run in self.runs.values()]
        return max((each for each in recorded if each < EVER), default=0)

    @cached_property
    def trained_by(self) -> Mapping[str, TrainingRun]:
        """The run that produced each model version that came out of one."""
        return {run.produced: run for run in self.runs.values() if run.produced is not None}

    def features_of(self, model: str, at: Instant) -> list[str]:
        """The features that a model version serves at `at`, sorted."""
        return sorted({each.feature for each in self.servings if each.model_version == model and each.holds(at)})

    def exists(self, node: Node) -> bool:
        """Whether the node is recorded in the upper graph."""
        match node.kind:
            case Kind.DATASET_VERSION:
                return VersionRef(node.key, node.number) in self.versions
            case Kind.TRAINING_RUN:
                return node.key in self.runs
            case Kind.MODEL_VERSION:
                return node.key in self.models
            case Kind.FEATURE:
                return any(each.feature == node.key for each in self.servings)
            case Kind.POST:
                return False

    def find_path(self, source: Node, target: Node) -> list[Edge] | None:
        """A shortest path of influence between two nodes of the present, or None; the empty path from a node to itself.

        For refusing what would close a cycle: the answer names it.
        """
        arrived: dict[Node, Edge | None] = {source: None}
        frontier = [source]
        while frontier and target not in arrived:
            reached: list[Node] = []
            for node in frontier:
                for each in self._downstream.get(node, ()):
                    if each.edge.target not in arrived:
                        arrived[each.edge.target] = each.edge
                        reached.append(each.edge.target)
            frontier = reached
        if target not in arrived:
            return None
        path: list[Edge] = []
        step = arrived[target]
        while step is not None:
            path.append(step)
            step = arrived[step.source]
        return path[::-1]


def _walk(start: Node, onward: Callable[[Node], Iterable[Node]]) -> set[Node]:
    seen, pending = {start}, [start]
    while pending:
        reached = set(onward(pending.pop())) - seen
        seen |= reached
        pending.extend(reached)
    return seen


def _grouped(edges: Iterable[_Recorded], by: Callable[[_Recorded], Node]) -> Mapping[Node, tuple[_Recorded, ...]]:
    groups: defaultdict[Node, list[_Recorded]] = defaultdict(list)
    for each in edges:
        groups[by(each)].append(each)
    return {node: tuple(group) for node, group in groups.items()}
