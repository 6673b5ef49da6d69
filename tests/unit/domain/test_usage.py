from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.datasets import Coverage, Membership, Selection, VersionStatus
from consentline.domain.instants import Instant
from consentline.domain.lineage import Edge, Kind, Lineage, Node, Step
from consentline.domain.posts import PostFacts
from consentline.domain.training import RunStatus
from consentline.domain.usage import (
    Relation,
    Usage,
    Use,
    Verdict,
    influence,
    possible_versions,
    usage_of,
)
from tests.unit.domain.factories import (
    AI,
    NOW,
    PUBLISHED,
    RECORDED,
    declared,
    derivation,
    node,
    person,
    post,
    ref,
    refs,
    run,
    undocumented,
    upper,
    version,
)
from tests.unit.domain.plan_worlds import models_reached

TRAINED, DERIVED, SYNTHETIC = Relation.TRAINED_ON, Relation.DERIVED_MODEL, Relation.SYNTHETIC_DATA
USED, NOT_USED, UNKNOWN = Verdict.USED, Verdict.NOT_USED, Verdict.UNKNOWN
IN_D1 = (Membership("d", 1, 2),)
P = Node(Kind.POST, "p")


def usage(
    lineage: Lineage,
    memberships: Sequence[Membership] = IN_D1,
    known_at: Instant = NOW,
    facts: PostFacts | None = None,
) -> Usage:
    return usage_of(lineage, facts or post(), memberships, known_at)


def named(uses: Sequence[Use]) -> dict[str, Relation]:
    """The relation of each use, by the model version, else by the run that it reached."""
    return {use.model_version or use.run_reached: use.relation for use in uses}


def walked(use: Use) -> str:
    """The path of a use as its nodes' keys."""
    return " ".join([str(use.path[0].source), *(str(edge.target) for edge in use.path)])


# ---- relations ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Relations:
    name: str
    lineage: Lineage
    expected: dict[str, Relation]


D1 = version("d:1")
READ = run("r", "d:1", produced="m:1")
RELATIONS = (
    Relations("held and never read", upper(D1), {}),
    Relations("read by the run that produced it", upper(D1, READ), {"m:1": TRAINED}),
    Relations("read by a run that failed", upper(D1, run("r", "d:1")), {"r": TRAINED}),
    Relations(
        "only authorised", upper(D1, run("r", "d:1", started=None, produced=None, status=RunStatus.AUTHORIZED)), {}
    ),
    Relations("cancelled before it started", upper(D1, run("r", "d:1", started=None, status=RunStatus.CANCELLED)), {}),
    Relations("another version read", upper(D1, version("d:2"), run("r", "d:2", produced="m:1")), {}),
    Relations("a derived model", upper(D1, READ, derivation("m:2", "m:1")), {"m:1": TRAINED, "m:2": DERIVED}),
    Relations(
        "a run that started from it",
        upper(D1, READ, run("r2", started_from=["m:1"], produced="m:2")),
        {"m:1": TRAINED, "m:2": DERIVED},
    ),
    Relations(
        "a run that started from it and failed",
        upper(D1, READ, run("r2", started_from=["m:1"])),
        {"m:1": TRAINED, "r2": DERIVED},
    ),
    Relations(
        "trained on what it generated",
        upper(D1, READ, version("s:1", generated_by=["m:1"]), run("r2", "s:1", produced="m:2")),
        {"m:1": TRAINED, "m:2": SYNTHETIC},
    ),
    Relations(
        "failed on what it generated",
        upper(D1, READ, version("s:1", generated_by=["m:1"]), run("r2", "s:1")),
        {"m:1": TRAINED, "r2": SYNTHETIC},
    ),
    Relations(
        "derived from what was trained on what it generated",
        upper(
            D1,
            READ,
            version("s:1", generated_by=["m:1"]),
            run("r2", "s:1", produced="m:2"),
            derivation("m:3", "m:2"),
        ),
        {"m:1": TRAINED, "m:2": SYNTHETIC, "m:3": DERIVED},
    ),
    *(
        Relations(
            f"generated rows pass through a {coverage} version",
            upper(
                D1,
                READ,
                version("s:1", generated_by=["m:1"]),
                version("s:2", coverage, derived_from=["s:1"]),
                run("r2", "s:2", produced="m:2"),
            ),
            {"m:1": TRAINED, "m:2": SYNTHETIC},
        )
        for coverage in Coverage
    ),
    Relations(
        "members do not pass to a version that dropped them",
        upper(D1, version("e:1", derived_from=["d:1"]), run("r", "e:1", produced="m:1")),
        {},
    ),
    Relations(
        "a version that holds the post passes on no synthetic influence",
        upper(D1, READ, version("e:1", derived_from=["d:1"]), run("r2", "e:1", produced="m:2")),
        {"m:1": TRAINED},
    ),
    Relations(
        "trained on it goes before derived",
        upper(D1, READ, run("r2", "d:1", started_from=["m:1"], produced="m:2")),
        {"m:1": TRAINED, "m:2": TRAINED},
    ),
    Relations(
        "derived goes before synthetic",
        upper(D1, READ, version("s:1", generated_by=["m:1"]), run("r2", "s:1", started_from=["m:1"], produced="m:2")),
        {"m:1": TRAINED, "m:2": DERIVED},
    ),
    Relations(
        "a stronger relation over a longer way",
        upper(
            D1,
            READ,
            version("s:1", generated_by=["m:1"]),
            run("r2", "s:1", produced="m:2"),
            derivation("m:3", "m:1"),
            derivation("m:4", "m:3"),
            derivation("m:2", "m:4"),
        ),
        {"m:1": TRAINED, "m:2": DERIVED, "m:3": DERIVED, "m:4": DERIVED},
    ),
    Relations(
        "a version that holds the post and was generated",
        upper(version("d:1", generated_by=["m:1"]), run("r0", "d:1", produced="m:2"), READ),
        {"m:1": TRAINED, "m:2": TRAINED},
    ),
    Relations(
        "a withdrawn version stays in uses",
        upper(version("d:1", status=VersionStatus.WITHDRAWN), READ),
        {"m:1": TRAINED},
    ),
    Relations(
        "what only an authorised run would have made",
        upper(D1, READ, run("r2", started_from=["m:1"], started=None, status=RunStatus.AUTHORIZED)),
        {"m:1": TRAINED},
    ),
)


@pytest.mark.parametrize("case", RELATIONS, ids=lambda case: case.name)
def test_the_strongest_relation_names_each_use(case: Relations) -> None:
    found = usage(case.lineage)

    assert named(found.uses) == case.expected
    assert found.verdict is (USED if case.expected else NOT_USED)


# ---- witnesses ------------------------------------------------------------------------------------------------------


def test_a_witness_runs_in_the_direction_of_influence_over_every_kind_of_step() -> None:
    lineage = upper(
        D1,
        READ,
        derivation("m:2", "m:1"),
        version("s:1", generated_by=["m:2"]),
        version("s:2", derived_from=["s:1"]),
        run("r2", "s:2", produced="m:3"),
        run("r3", started_from=["m:3"], produced="m:4"),
    )

    last = usage(lineage).uses[-1]

    assert last.model_version == "m:4"
    assert last.path == tuple(
        Edge(step, node(source), node(target))
        for step, source, target in (
            (Step.HELD_IN, "post p", "version d:1"),
            (Step.CONSUMED_BY, "version d:1", "run r"),
            (Step.PRODUCED, "run r", "model m:1"),
            (Step.DERIVED, "model m:1", "model m:2"),
            (Step.GENERATED, "model m:2", "version s:1"),
            (Step.DERIVED_DATASET, "version s:1", "version s:2"),
            (Step.CONSUMED_BY, "version s:2", "run r2"),
            (Step.PRODUCED, "run r2", "model m:3"),
            (Step.STARTED, "model m:3", "run r3"),
            (Step.PRODUCED, "run r3", "model m:4"),
        )
    )
    assert (last.training_run, last.dataset_version, last.used_at) == ("r", ref("d:1"), RECORDED)


@dataclass(frozen=True)
class Witness:
    name: str
    lineage: Lineage
    path: str
    used_at: Instant
    memberships: Sequence[Membership] = (Membership("d", 1, None),)


D2 = version("d:2")
EARLY, LATE = RECORDED - 2, RECORDED - 1
WITNESSES = (
    Witness(
        "the shortest goes before the earliest",
        upper(
            D1,
            run("early", "d:1", produced="m:0", started=EARLY),
            derivation("m:1", "m:0"),
            derivation("target:1", "m:1"),
            run("late", "d:1", produced="m:2", started=LATE),
            derivation("target:1", "m:2"),
        ),
        "p d:1 late m:2 target:1",
        LATE,
    ),
    Witness(
        "the earliest goes before the first by key",
        upper(
            D1,
            run("a", "d:1", produced="m:1", started=LATE),
            run("b", "d:1", produced="m:2", started=EARLY),
            derivation("target:1", "m:1"),
            derivation("target:1", "m:2"),
        ),
        "p d:1 b m:2 target:1",
        EARLY,
    ),
    Witness(
        "then the first by the keys from the post on",
        upper(
            D1,
            run("b", "d:1", produced="m:1"),
            run("a", "d:1", produced="m:2"),
            derivation("target:1", "m:1"),
            derivation("target:1", "m:2"),
        ),
        "p d:1 a m:2 target:1",
        RECORDED,
    ),
    Witness(
        "versions are compared by number, not as text",
        upper(version("d:10"), version("d:9"), run("r", "d:10", "d:9", produced="target:1")),
        "p d:9 r target:1",
        RECORDED,
    ),
    Witness(
        "the witness is of the relation that is named, though another is shorter",
        upper(
            D1,
            READ,
            version("s:1", generated_by=["m:1"]),
            run("r2", "s:1", produced="target:1", started=EARLY),
            derivation("m:2", "m:1"),
            derivation("m:3", "m:2"),
            derivation("target:1", "m:3"),
        ),
        "p d:1 r m:1 m:2 m:3 target:1",
        RECORDED,
    ),
    Witness(
        "trained on a version that holds it, though what it read was generated too",
        upper(
            D1,
            READ,
            version("d:2", generated_by=["m:1"]),
            run("r2", "d:2", produced="target:1", started=EARLY),
        ),
        "p d:2 r2 target:1",
        EARLY,
    ),
)


@pytest.mark.parametrize("case", WITNESSES, ids=lambda case: case.name)
def test_the_witness_is_the_shortest_then_the_earliest_then_the_first_by_keys(case: Witness) -> None:
    uses = usage(case.lineage, case.memberships).uses

    target = next(use for use in uses if use.model_version == "target:1")
    assert walked(target) == case.path
    assert target.used_at == case.used_at


def test_uses_are_sorted_by_model_version_then_by_run() -> None:
    lineage = upper(
        D1, run("z", "d:1"), run("a", "d:1"), run("r1", "d:1", produced="m:2"), run("r2", "d:1", produced="m:1")
    )

    assert [(use.model_version, use.run_reached) for use in usage(lineage).uses] == [
        (None, "a"),
        (None, "z"),
        ("m:1", ""),
        ("m:2", ""),
    ]


# ---- cost -----------------------------------------------------------------------------------------------------------


class CountingLineage(Lineage):
    """Counts the steps that a walk takes, by the node that they leave."""

    calls: Counter[Node]
    steps: int

    def downstream(self, node: Node, known_at: Instant) -> Iterator[Edge]:
        edges = list(super().downstream(node, known_at))
        vars(self).setdefault("calls", Counter())[node] += 1
        vars(self)["steps"] = vars(self).get("steps", 0) + len(edges)
        return iter(edges)


LEVELS, WIDTH = 30, 4


def level(number: int) -> list[str]:
    return [f"m{number}:{each}" for each in range(WIDTH)]


def test_a_lattice_of_derivations_costs_its_edges_and_not_its_paths() -> None:
    runs = [run(f"r{each}", "d:1", produced=model) for each, model in enumerate(level(0))]
    lattice = [
        derivation(model, base) for number in range(1, LEVELS) for model in level(number) for base in level(number - 1)
    ]
    lineage = upper(D1, *runs, *lattice, kind=CountingLineage)
    assert isinstance(lineage, CountingLineage)

    uses = influence(lineage, P, refs("d:1"), NOW)

    assert len(uses) == LEVELS * WIDTH
    assert max(len(use.path) for use in uses) == 3 + LEVELS - 1
    assert lineage.steps <= 2 * (2 * WIDTH + len(lattice))
    assert max(lineage.calls.values()) <= 2


def test_a_lattice_of_runs_that_start_from_runs_costs_its_edges_and_not_its_paths() -> None:
    runs = [
        run(f"r{model}", "d:1", produced=model, started_from=level(number - 1) if number else ())
        for number in range(LEVELS)
        for model in level(number)
    ]
    lineage = upper(D1, *runs, kind=CountingLineage)
    assert isinstance(lineage, CountingLineage)

    uses = influence(lineage, P, refs("d:1"), NOW)

    assert {use.relation for use in uses} == {TRAINED}
    assert len(uses) == LEVELS * WIDTH
    # A run is walked once for each relation in which it is reached.
    assert max(lineage.calls.values()) <= len(Relation)
    assert lineage.steps <= len(Relation) * (len(runs) * 2 + (LEVELS - 1) * WIDTH * WIDTH)


def test_a_lattice_of_generated_versions_costs_its_edges_and_not_its_paths() -> None:
    versions = [version("s0:1", generated_by=["m:1"])] + [
        version(f"s{number}:{each}", derived_from=[f"s{number - 1}:{base}" for base in range(1, WIDTH + 1)])
        for number in range(1, LEVELS)
        for each in range(1, WIDTH + 1)
    ]
    last = [f"s{LEVELS - 1}:{each}" for each in range(1, WIDTH + 1)]
    lineage = upper(
        D1,
        READ,
        *versions,
        *(version(f"s0:{each}", generated_by=["m:1"]) for each in range(2, WIDTH + 1)),
        run("r2", *last, produced="m:2"),
        kind=CountingLineage,
    )
    assert isinstance(lineage, CountingLineage)

    uses = influence(lineage, P, refs("d:1"), NOW)

    assert named(uses) == {"m:1": TRAINED, "m:2": SYNTHETIC}
    assert max(lineage.calls.values()) <= 2
    assert lineage.steps <= 2 * (LEVELS * WIDTH * WIDTH + 20)


def test_a_chain_of_derivations_is_followed_to_its_end() -> None:
    length = 150
    lineage = upper(D1, READ, *(derivation(f"m:{each + 1}", f"m:{each}") for each in range(1, length)))

    uses = {use.model_version: use for use in usage(lineage).uses}

    assert len(uses) == length
    assert uses[f"m:{length}"].relation is DERIVED
    assert len(uses[f"m:{length}"].path) == 2 + length
    assert walked(uses["m:4"]) == "p d:1 r m:1 m:2 m:3 m:4"


def test_a_chain_through_runs_and_generated_versions_is_followed_to_its_end() -> None:
    length = 110
    lineage = upper(
        D1,
        READ,
        *(version(f"s{each}:1", generated_by=[f"m:{each}"]) for each in range(1, length)),
        *(run(f"r{each}", f"s{each}:1", produced=f"m:{each + 1}") for each in range(1, length)),
    )

    last = next(use for use in usage(lineage).uses if use.model_version == f"m:{length}")

    assert last.relation is SYNTHETIC
    assert len(last.path) == 3 + 3 * (length - 1)


@st.composite
def graphs(draw: st.DrawFn) -> Lineage:
    """A few runs, models and generated versions, each made from any of those before it."""
    things: list[Any] = [D1, D2, READ]
    models, versions = ["m:1"], ["d:1", "d:2"]
    some = st.integers(0, 2)
    for number in range(2, draw(st.integers(2, 7))):
        bases = draw(st.lists(st.sampled_from(models), unique=True, max_size=2))
        match draw(some):
            case 0:
                things += [derivation(f"m:{number}", base) for base in bases]
            case 1:
                upstream = draw(st.lists(st.sampled_from(versions), unique=True, max_size=2))
                things.append(version(f"s:{number}", derived_from=upstream, generated_by=bases))
                versions.append(f"s:{number}")
                continue
            case _:
                inputs = draw(st.lists(st.sampled_from(versions), unique=True, max_size=2))
                things.append(run(f"r{number}", *inputs, started_from=bases, produced=f"m:{number}"))
        models.append(f"m:{number}")
    return upper(*things)


def every_path(lineage: Lineage, path: tuple[Edge, ...], *, synthetic: bool) -> Iterator[tuple[Edge, ...]]:
    """All ways of influence that begin with the path, one by one."""
    yield path
    end = path[-1].target
    for edge in lineage.downstream(end, NOW):
        if edge.step is not Step.DERIVED_DATASET or synthetic:
            yield from every_path(lineage, (*path, edge), synthetic=edge.step in (Step.GENERATED, Step.DERIVED_DATASET))


@given(lineage=graphs())
def test_the_walk_finds_what_listing_every_path_finds(lineage: Lineage) -> None:
    begin = (Edge(Step.HELD_IN, P, node("version d:1")),)
    by_model: dict[str, list[tuple[Edge, ...]]] = {}
    for path in every_path(lineage, begin, synthetic=False):
        if path[-1].target.kind is Kind.MODEL_VERSION:
            by_model.setdefault(path[-1].target.key, []).append(path)

    uses = {use.model_version: use for use in influence(lineage, P, refs("d:1"), NOW) if use.model_version}

    assert uses.keys() == by_model.keys()
    for model, use in uses.items():
        assert use.path in by_model[model]
        relations = {relation_of(path) for path in by_model[model]}
        assert use.relation is min(relations, key=list(Relation).index)
        assert relation_of(use.path) is use.relation
        same = [path for path in by_model[model] if relation_of(path) is use.relation]
        assert len(use.path) == min(map(len, same))


def relation_of(path: tuple[Edge, ...]) -> Relation:
    """How a path ends in a model version: by derivation, from a base, on generated rows, or on the post itself."""
    if path[-1].step is Step.DERIVED or path[-2].step is Step.STARTED:
        return DERIVED
    return TRAINED if path[-3].step is Step.HELD_IN else SYNTHETIC


# ---- verdicts -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Answer:
    name: str
    lineage: Lineage
    verdict: Verdict
    undocumented: Sequence[str] = ()
    memberships: Sequence[Membership] = ()
    post: PostFacts | None = None
    known_at: Instant = NOW


THREADS = {"platforms": ("THREADS",)}
CHAIN = [declared(f"c:{each}", [f"c:{each - 1}"], **THREADS) for each in range(2, 120)]
ANSWERS = (
    Answer("nothing at all", upper(), NOT_USED),
    Answer("undocumented and read", upper(undocumented(), READ), UNKNOWN, ["d:1"]),
    Answer("undocumented and never read", upper(undocumented()), NOT_USED),
    Answer(
        "undocumented and only to be read",
        upper(undocumented(), run("r", "d:1", started=None, status=RunStatus.AUTHORIZED)),
        NOT_USED,
    ),
    Answer("undocumented and read by a run that failed", upper(undocumented(), run("r", "d:1")), UNKNOWN, ["d:1"]),
    Answer("complete and not in it", upper(D1, READ), NOT_USED),
    Answer("declared without a selection", upper(declared(), READ), UNKNOWN, ["d:1"]),
    Answer("declared, covering", upper(declared(platforms=("FACEBOOK",)), READ), UNKNOWN, ["d:1"]),
    Answer("declared, not covering", upper(declared(**THREADS), READ), NOT_USED),
    Answer(
        "declared, and nothing is known of the post",
        upper(declared(**THREADS), READ),
        UNKNOWN,
        ["d:1"],
        post=PostFacts("p"),
    ),
    Answer(
        "declared, the author's country has a subdivision declared",
        upper(declared(jurisdictions=("GB-SCT",)), READ),
        UNKNOWN,
        ["d:1"],
    ),
    Answer(
        "declared for the country, the author in another",
        upper(declared(jurisdictions=("IE",)), READ),
        NOT_USED,
        post=post(author=person(jurisdiction="GB-SCT")),
    ),
    Answer(
        "not covering, but derived from undocumented",
        upper(undocumented("c:1"), declared(derived_from=["c:1"], **THREADS), READ),
        UNKNOWN,
        ["d:1"],
    ),
    Answer(
        "not covering, but derived from covering",
        upper(declared("c:1"), declared(derived_from=["c:1"], **THREADS), READ),
        UNKNOWN,
        ["d:1"],
    ),
    Answer(
        "not covering, but derived from one that holds it",
        upper(version("c:1"), declared(derived_from=["c:1"], **THREADS), READ),
        UNKNOWN,
        ["d:1"],
        memberships=(Membership("c", 1, None),),
    ),
    Answer(
        "not covering, and derived from one that does not hold it",
        upper(version("c:1"), declared(derived_from=["c:1"], **THREADS), READ),
        NOT_USED,
    ),
    Answer(
        "a complete version rules out what its upstream held",
        upper(
            undocumented("b:1"), version("c:1", derived_from=["b:1"]), declared(derived_from=["c:1"], **THREADS), READ
        ),
        NOT_USED,
    ),
    Answer(
        "through a chain without a manifest",
        upper(version("c:1"), *CHAIN, run("r", "c:119", produced="m:1")),
        UNKNOWN,
        ["c:119"],
        memberships=(Membership("c", 1, 2),),
    ),
    Answer(
        "through a chain without a manifest, from one that does not hold it",
        upper(version("c:1"), *CHAIN, run("r", "c:119", produced="m:1")),
        NOT_USED,
    ),
    Answer(
        "published after the run started",
        upper(undocumented(), run("r", "d:1", produced="m:1", started=PUBLISHED - 1)),
        NOT_USED,
    ),
    Answer(
        "published as the run started",
        upper(undocumented(), run("r", "d:1", produced="m:1", started=PUBLISHED)),
        UNKNOWN,
        ["d:1"],
    ),
    Answer(
        "published after one run and before another",
        upper(undocumented(), run("r", "d:1", started=PUBLISHED - 1), run("r2", "d:1", started=PUBLISHED)),
        UNKNOWN,
        ["d:1"],
    ),
    Answer(
        "when it was published is not known yet",
        upper(undocumented(sealed=PUBLISHED), run("r", "d:1", started=PUBLISHED - 1, recorded=PUBLISHED)),
        UNKNOWN,
        ["d:1"],
        known_at=RECORDED - 1,
    ),
    Answer(
        "a membership is a use whatever the times say",
        upper(D1, run("r", "d:1", produced="m:1", started=PUBLISHED - 1)),
        USED,
        memberships=IN_D1,
    ),
    Answer(
        "used, and others cannot rule it out",
        upper(D1, READ, undocumented("u:2"), undocumented("u:1"), run("r2", "u:1", "u:2")),
        USED,
        ["u:1", "u:2"],
        memberships=IN_D1,
    ),
    Answer(
        "each is listed once, sorted",
        upper(undocumented("d:10"), undocumented("d:9"), run("a", "d:10", "d:9"), run("b", "d:10")),
        UNKNOWN,
        ["d:9", "d:10"],
    ),
    Answer("the run is not known yet", upper(undocumented(), run("r", "d:1", recorded=NOW + 1)), NOT_USED),
    Answer(
        "the run is known from its recording on", upper(undocumented(), run("r", "d:1", recorded=NOW)), UNKNOWN, ["d:1"]
    ),
    Answer("withdrawn", upper(undocumented(status=VersionStatus.WITHDRAWN), READ), UNKNOWN, ["d:1"]),
)


@pytest.mark.parametrize("case", ANSWERS, ids=lambda case: case.name)
def test_the_verdict_is_unknown_when_a_version_that_was_read_cannot_rule_the_post_out(case: Answer) -> None:
    found = usage(case.lineage, case.memberships, case.known_at, case.post)

    assert found.verdict is case.verdict
    assert list(found.undocumented) == refs(*case.undocumented)


def test_versions_that_hold_it_are_listed_used_or_not() -> None:
    lineage = upper(
        D1, declared("d:2"), version("d:3", status=VersionStatus.WITHDRAWN), version("c:1"), run("r", "c:1")
    )

    found = usage(lineage, [Membership("d", 1, None)])

    assert found.verdict is NOT_USED
    assert list(found.held_in) == refs("d:1", "d:3")


STANDING = (D1, undocumented("u:1"), READ)
LATER = NOW + 1


@pytest.mark.parametrize(
    "lineage",
    [
        upper(*STANDING, run("late", "d:1", produced="m:9", recorded=LATER)),
        upper(*STANDING, run("late", "u:1", recorded=LATER)),
        upper(*STANDING, run("late", started_from=["m:1"], produced="m:9", recorded=LATER)),
        upper(*STANDING, derivation("m:9", "m:1", LATER)),
        upper(*STANDING, version("d:2", sealed=LATER)),
        upper(*STANDING, version("s:1", sealed=LATER, generated_by=["m:1"])),
        upper(version("d:1", status=VersionStatus.WITHDRAWN), *STANDING[1:]),
    ],
    ids=["a run", "a run on the unknown", "a run from a base", "a derivation", "a seal", "generation", "withdrawal"],
)
def test_a_fact_learned_later_never_changes_an_answer(lineage: Lineage) -> None:
    memberships = [Membership("d", 1, None)]

    assert usage(lineage, memberships) == usage(upper(*STANDING), memberships)


# ---- objections -----------------------------------------------------------------------------------------------------


def test_only_runs_that_count_begin_an_influence() -> None:
    lineage = upper(
        D1,
        run("r1", "d:1", produced="m:1", purpose="ADS"),
        run("r2", "d:1", produced="m:2", purpose=AI),
        run("r3", "d:1", produced="m:3", purpose=None),
        derivation("m:4", "m:1"),
        derivation("m:5", "m:2"),
        run("r6", started_from=["m:2"], produced="m:6", purpose="ADS"),
        run("r7", "d:1", purpose=AI),
    )

    reached = models_reached(lineage, refs("d:1"), NOW, lambda each: each.purpose in (None, AI))

    assert reached == {"m:2", "m:3", "m:5", "m:6"}


@dataclass(frozen=True)
class Possible:
    name: str
    lineage: Lineage
    expected: Sequence[str]
    held_in: Sequence[str] = ()


POSSIBLE = (
    Possible("nothing that was read", upper(undocumented(), declared("d:2")), []),
    Possible(
        "undocumented, and declared for the place",
        upper(undocumented("d:2"), declared("d:1", jurisdictions=("GB",)), run("r", "d:2", "d:1")),
        ["d:1", "d:2"],
    ),
    Possible("declared without a selection", upper(declared(), READ), ["d:1"]),
    Possible("declared for another place", upper(declared(jurisdictions=("IE",)), READ), []),
    Possible("other criteria aside", upper(declared(jurisdictions=("GB",), platforms=("X",)), READ), ["d:1"]),
    Possible("complete", upper(D1, READ), [], held_in=["d:1"]),
    Possible(
        "derived from one that holds a post",
        upper(D1, declared("e:1", ["d:1"], jurisdictions=("IE",)), run("r", "e:1")),
        ["e:1"],
        held_in=["d:1"],
    ),
    Possible(
        "derived from one that is such a version",
        upper(undocumented(), declared("e:1", ["d:1"], jurisdictions=("IE",)), run("r", "e:1")),
        ["e:1"],
    ),
)


@pytest.mark.parametrize("case", POSSIBLE, ids=lambda case: case.name)
def test_possible_versions_are_those_read_that_could_hold_a_post_of_the_person(case: Possible) -> None:
    found = possible_versions(
        case.lineage,
        NOW,
        covers_person=lambda each: (each.selection or Selection()).covers_person(person(), NOW),
        held_in=frozenset(refs(*case.held_in)),
    )

    assert found == refs(*case.expected)


# ---- what is worked out once -----------------------------------------------------------------------------------------


def test_posts_of_the_same_memberships_have_the_same_uses_each_from_the_post_itself() -> None:
    lineage = upper(version(), run("r", "d:1", produced="m:1"))

    first, second = (usage(lineage, facts=post(key)) for key in ("p", "q"))

    assert walked(first.uses[0]) == "p d:1 r m:1"
    assert walked(second.uses[0]) == "q d:1 r m:1"
    assert named(first.uses) == named(second.uses)


def test_what_is_known_by_now_is_not_told_of_an_earlier_time() -> None:
    late = RECORDED + 1
    lineage = upper(version(), run("r", "d:1", produced="m:1"), run("s", "d:1", produced="m:2", recorded=late))

    now, before, again = (usage(lineage, known_at=each) for each in (NOW, RECORDED, late))

    assert lineage.known_since == late
    assert set(named(now.uses)) == set(named(again.uses)) == {"m:1", "m:2"}
    assert set(named(before.uses)) == {"m:1"}


def test_what_cannot_be_ruled_out_depends_on_the_post_and_not_only_on_its_memberships() -> None:
    lineage = upper(undocumented(), run("r", "d:1", produced="m:1"))

    before, after = (usage(lineage, (), facts=post(published=each)) for each in (PUBLISHED, RECORDED + 1))

    assert (before.verdict, after.verdict) == (UNKNOWN, NOT_USED)
