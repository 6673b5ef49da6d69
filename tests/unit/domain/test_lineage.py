from collections.abc import Iterable
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.datasets import Membership, VersionStatus
from consentline.domain.lineage import Edge, Lineage, Step
from consentline.domain.training import RunStatus
from tests.unit.domain.factories import (
    NOW,
    RECORDED,
    declared,
    derivation,
    node,
    refs,
    run,
    serving,
    undocumented,
    upper,
    version,
)

LATER = NOW + 1
STORY = upper(
    version("d:1"),
    version("d:2", derived_from=["d:1"]),
    version("s:1", generated_by=["m:1"]),
    run("r1", "d:2", produced="m:1"),
    run("r2", "s:1", started_from=["m:1"], produced="m:2"),
    derivation("m:3", "m:2"),
    serving("f", "m:3"),
    serving("e", "m:3"),
)


def edge(step: Step, source: str, target: str) -> Edge:
    return Edge(step, node(source), node(target))


STEPS = {
    edge(Step.DERIVED_DATASET, "version d:1", "version d:2"),
    edge(Step.CONSUMED_BY, "version d:2", "run r1"),
    edge(Step.PRODUCED, "run r1", "model m:1"),
    edge(Step.GENERATED, "model m:1", "version s:1"),
    edge(Step.CONSUMED_BY, "version s:1", "run r2"),
    edge(Step.STARTED, "model m:1", "run r2"),
    edge(Step.PRODUCED, "run r2", "model m:2"),
    edge(Step.DERIVED, "model m:2", "model m:3"),
    edge(Step.SERVES, "model m:3", "feature f"),
    edge(Step.SERVES, "model m:3", "feature e"),
}
NODES = {each.source for each in STEPS} | {each.target for each in STEPS}


def test_every_step_leaves_one_node_and_arrives_at_another() -> None:
    assert {each for at in NODES for each in STORY.downstream(at, NOW)} == STEPS
    assert {each for at in NODES for each in STORY.upstream(at, NOW)} == STEPS
    assert all(each.source == at for at in NODES for each in STORY.downstream(at, NOW))
    assert all(each.target == at for at in NODES for each in STORY.upstream(at, NOW))


@dataclass(frozen=True)
class Known:
    name: str
    lineage: Lineage
    at: str


BUILDING = version("d:2", status=VersionStatus.BUILDING, derived_from=["d:1"])
KNOWN = (
    Known(
        "a derived version when it is sealed", upper(version("d:2", sealed=NOW, derived_from=["d:1"])), "version d:1"
    ),
    Known(
        "a generated version when it is sealed", upper(version("s:1", sealed=NOW, generated_by=["m:1"])), "model m:1"
    ),
    Known("a run when its start is recorded", upper(run("r", "d:1", recorded=NOW)), "version d:1"),
    Known("its base likewise", upper(run("r", started_from=["m:1"], recorded=NOW)), "model m:1"),
    Known("its product when that is recorded", upper(run("r", produced="m:1", produced_recorded=NOW)), "run r"),
    Known("a derivation when it is recorded", upper(derivation("m:2", "m:1", NOW)), "model m:1"),
)


@pytest.mark.parametrize("case", KNOWN, ids=lambda case: case.name)
def test_a_step_is_known_from_when_it_was_recorded(case: Known) -> None:
    (step,) = case.lineage.downstream(node(case.at), NOW)

    assert list(case.lineage.upstream(step.target, NOW)) == [step]
    assert not list(case.lineage.downstream(node(case.at), NOW - 1))
    assert not list(case.lineage.upstream(step.target, NOW - 1))


@pytest.mark.parametrize(
    "lineage",
    [
        upper(version("d:1"), BUILDING),
        upper(version("d:1"), run("r", "d:1", started=None, status=RunStatus.AUTHORIZED)),
        upper(version("d:1"), run("r", "d:1", started=None, status=RunStatus.CANCELLED)),
    ],
    ids=["a version that is building", "a run that was only authorised", "a run cancelled before its start"],
)
def test_what_has_not_happened_is_no_step(lineage: Lineage) -> None:
    assert not list(lineage.downstream(node("version d:1"), NOW))


@dataclass(frozen=True)
class Held:
    name: str
    memberships: Iterable[Membership]
    expected: Iterable[str]
    known_at: int = NOW


HOLDERS = upper(
    version("d:1"),
    declared("d:2"),
    version("d:3", status=VersionStatus.WITHDRAWN),
    undocumented("d:4"),
    version("d:5", sealed=NOW),
    version("d:6", status=VersionStatus.BUILDING),
    version("c:1"),
)


@pytest.mark.parametrize(
    "case",
    [
        Held("no membership", [], []),
        Held("complete and sealed versions only", [Membership("d", 1, None)], ["d:1", "d:3", "d:5"]),
        Held("not before their seal", [Membership("d", 1, None)], ["d:1", "d:3"], known_at=NOW - 1),
        Held("an interval ends before its end", [Membership("d", 1, 5)], ["d:1", "d:3"]),
        Held("an interval over other versions only", [Membership("d", 2, 3)], []),
        Held("two intervals", [Membership("d", 5, None), Membership("d", 1, 2)], ["d:1", "d:5"]),
        Held("two datasets, sorted", [Membership("d", 5, None), Membership("c", 1, None)], ["c:1", "d:5"]),
        Held("an unknown dataset", [Membership("x", 1, None)], []),
        Held("a version that is building", [Membership("d", 6, None)], []),
    ],
    ids=lambda case: case.name,
)
def test_holding_versions_are_complete_and_sealed_by_then(case: Held) -> None:
    assert HOLDERS.holding(case.memberships, case.known_at) == refs(*case.expected)


def test_holding_versions_and_served_features_are_sorted() -> None:
    names = [f"{key}:{number}" for key in "abcd" for number in range(1, 12)]
    lineage = upper(*(version(name) for name in names), *(serving(name, "m:1") for name in names))

    assert lineage.holding([Membership(key, 1, None) for key in "dbca"], NOW) == refs(*names)
    assert lineage.features_of("m:1", NOW) == sorted(names)


def test_versions_are_consumed_by_runs_that_started_as_known_then() -> None:
    read, failed = run("r", "d:1", "d:2", recorded=NOW), run("failed", "d:1")
    lineage = upper(
        version("d:1"),
        version("d:2"),
        read,
        failed,
        run("authorized", "d:2", started=None, status=RunStatus.AUTHORIZED),
    )

    assert lineage.consumed(NOW) == dict(zip(refs("d:1", "d:2"), [(read, failed), (read,)], strict=True))
    assert lineage.consumed(NOW - 1) == dict(zip(refs("d:1"), [(failed,)], strict=True))
    assert lineage.consumed(RECORDED - 1) == {}


def test_the_numbers_of_a_dataset_ascend() -> None:
    assert upper(version("d:10"), version("d:9"), version("c:1")).numbers == {"d": (9, 10), "c": (1,)}


def test_a_model_version_knows_the_run_that_it_came_out_of() -> None:
    assert {key: each.key for key, each in STORY.trained_by.items()} == {"m:1": "r1", "m:2": "r2"}


def test_features_are_served_from_an_instant_until_what_took_over() -> None:
    lineage = upper(serving("f", "m:1", RECORDED, NOW), serving("f", "m:2", NOW), serving("e", "m:2", RECORDED, LATER))

    assert lineage.features_of("m:1", RECORDED) == ["f"]
    assert lineage.features_of("m:1", RECORDED - 1) == []
    assert lineage.features_of("m:1", NOW) == []
    assert lineage.features_of("m:2", NOW) == ["e", "f"]
    assert lineage.features_of("m:2", LATER) == ["f"]


@pytest.mark.parametrize("name", ["version d:1", "run r1", "model m:3", "feature f"])
def test_what_is_recorded_exists(name: str) -> None:
    assert STORY.exists(node(name))


@pytest.mark.parametrize("name", ["version d:9", "version x:1", "run x", "model x:1", "feature x", "post p"])
def test_what_is_not_recorded_does_not_exist(name: str) -> None:
    assert not STORY.exists(node(name))


def test_a_path_is_found_over_every_kind_of_step_even_before_a_seal() -> None:
    lineage = upper(
        run("r1", "d:1", produced="m:1"),
        version("s:1", status=VersionStatus.BUILDING, generated_by=["m:1"]),
        version("s:2", derived_from=["s:1"]),
        run("r2", "s:2", produced="m:2"),
        derivation("m:3", "m:2"),
    )

    path = lineage.find_path(node("model m:1"), node("model m:3"))

    assert path is not None
    assert [each.step for each in path] == [
        Step.GENERATED,
        Step.DERIVED_DATASET,
        Step.CONSUMED_BY,
        Step.PRODUCED,
        Step.DERIVED,
    ]
    assert lineage.find_path(node("model m:3"), node("model m:1")) is None


def test_the_path_from_a_node_to_itself_is_empty() -> None:
    assert upper().find_path(node("model m:1"), node("model m:1")) == []


EDGES = st.sets(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] < pair[1]), max_size=16)


def distances(edges: Iterable[tuple[int, int]], source: int) -> dict[int, int]:
    """The number of steps of a shortest path to each node, by relaxing every edge again and again."""
    found = {source: 0}
    for _ in range(8):
        for one, other in edges:
            if one in found:
                found[other] = min(found.get(other, 99), found[one] + 1)
    return found


@given(edges=EDGES, source=st.integers(0, 7), target=st.integers(0, 7))
def test_a_path_is_a_shortest_one_whenever_there_is_one(edges: set[tuple[int, int]], source: int, target: int) -> None:
    lineage = upper(*(derivation(f"m:{model}", f"m:{base}") for base, model in edges))

    path = lineage.find_path(node(f"model m:{source}"), node(f"model m:{target}"))

    assert (None if path is None else len(path)) == distances(edges, source).get(target)
    nodes = [node(f"model m:{source}"), *(each.target for each in path or ())]
    assert [each.source for each in path or ()] == nodes[:-1]
    assert path is None or nodes[-1] == node(f"model m:{target}")
