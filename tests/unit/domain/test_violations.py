"""Violations: who read what, what they are asked, how counts change, and what is tainted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.datasets import Membership, VersionStatus
from consentline.domain.instants import EVER
from consentline.domain.policies import Policy
from consentline.domain.training import RunStatus
from consentline.domain.violations import (
    Question,
    Readers,
    Violation,
    concerned_by,
    differences,
    judged_inputs,
    models_tainted,
    question_of,
)
from tests.unit.domain.factories import (
    AI,
    NOW,
    PUBLISHED,
    RECORDED,
    at,
    declared,
    derivation,
    person,
    policy,
    post,
    refs,
    run,
    serving,
    undocumented,
    upper,
    version,
)

MINOR = person("kid", adult_from=date(2030, 1, 1))


# ---- the question ---------------------------------------------------------------------------------------------------


def test_a_run_asks_for_its_purpose_at_its_start() -> None:
    assert question_of(run(purpose="ADS", produced="m:1", started=NOW)) == Question("ADS", NOW)


def test_a_run_of_unknown_purpose_asks_for_ai_training() -> None:
    assert question_of(run(purpose=None, produced="m:1")) == Question(AI, RECORDED)


def test_a_run_under_way_asks() -> None:
    assert question_of(run(status=RunStatus.RUNNING)) == Question(AI, RECORDED)


@pytest.mark.parametrize("status", [RunStatus.AUTHORIZED, RunStatus.CANCELLED])
def test_a_run_that_did_not_start_asks_nothing(status: RunStatus) -> None:
    assert question_of(run(status=status, started=None)) is None


def test_a_run_that_failed_asks_nothing() -> None:
    assert question_of(run(status=RunStatus.FAILED)) is None


def test_only_inputs_with_a_complete_manifest_are_judged() -> None:
    reader = run("r", "a:1", "b:1", "c:1", "c:2")
    lineage = upper(version("a:1"), declared("b:1"), undocumented("c:1"), version("c:2"), reader)

    assert judged_inputs(lineage, reader) == refs("a:1", "c:2")


# ---- who read what --------------------------------------------------------------------------------------------------

STORY = upper(
    version("d:1"),
    version("d:2"),
    version("e:1"),
    declared("f:1"),
    run("early", "d:1", produced="m:1", started=PUBLISHED),
    run("late", "d:2", "e:1", "f:1", produced="m:2", started=NOW),
    run("declared", "f:1", produced="m:3"),
    run("failed", "d:1"),
    run("waiting", "d:1", status=RunStatus.AUTHORIZED, started=None),
)


@dataclass(frozen=True)
class Reading:
    name: str
    memberships: Sequence[Membership]
    expected: set[str]


READINGS = (
    Reading("nothing", (), set()),
    Reading("from the first version on", (Membership("d", 1, None),), {"early", "late"}),
    Reading("in the first version only", (Membership("d", 1, 2),), {"early"}),
    Reading("from the second version on", (Membership("d", 2, None),), {"late"}),
    Reading("only afterwards", (Membership("d", 3, None),), set()),
    Reading("in two inputs of one run", (Membership("d", 2, 3), Membership("e", 1, None)), {"late"}),
    Reading("taken back", (Membership("d", 1, 1),), set()),
    Reading("in a version without a manifest", (Membership("f", 1, None),), set()),
)


@pytest.mark.parametrize("case", READINGS, ids=lambda case: case.name)
def test_the_runs_that_read_a_post_are_told_by_its_memberships(case: Reading) -> None:
    assert Readers(STORY).of(tuple(case.memberships)) == case.expected


def test_facts_concern_runs_that_started_at_their_time_or_later() -> None:
    held = (Membership("d", 1, None),)

    assert Readers(STORY, PUBLISHED).of(held) == {"early", "late"}
    assert Readers(STORY, PUBLISHED + 1).of(held) == {"late"}
    assert Readers(STORY, NOW).of(held) == {"late"}
    assert Readers(STORY, NOW + 1).of(held) == set()


def test_readers_tell_whether_there_are_any_and_of_which_datasets() -> None:
    assert Readers(STORY)
    assert Readers(STORY).datasets == ["d", "e"]
    assert Readers(STORY, only=["early"]).datasets == ["d"]
    assert not Readers(STORY, NOW + 1)
    assert not Readers(STORY, only=["declared", "failed", "waiting"])
    assert not Readers(upper())


@given(
    st.lists(
        st.tuples(st.sampled_from("de"), st.integers(1, 4), st.none() | st.integers(1, 5)).map(
            lambda each: Membership(*each)
        )
    )
)
def test_readers_are_the_runs_that_read_a_version_which_holds_the_post(memberships: list[Membership]) -> None:
    versions = [version(f"{dataset}:{number}") for dataset in "de" for number in (1, 2, 3)]
    building = version("e:4", status=VersionStatus.BUILDING)
    runs = [run(str(each.ref), str(each.ref), produced=f"m:{each.dataset}{each.number}") for each in versions]
    lineage = upper(*versions, building, *runs)

    held = {str(ref) for ref in lineage.holding(memberships, EVER)}

    assert Readers(lineage).of(tuple(memberships)) == held


# ---- what is violated -----------------------------------------------------------------------------------------------


def judged(policies: Sequence[Policy], *runs: str) -> set[Violation]:
    """What the runs of the story must not have read of an adult's and a minor's post."""
    facts = [post("adult's"), post("minor's", author=MINOR)]
    return Readers(STORY).violations(policies, facts, {each.key: frozenset(runs) for each in facts})


def test_posts_that_could_not_be_used_at_the_start_are_violations_of_each_run() -> None:
    expected = {Violation("early", "minor's"), Violation("late", "minor's")}

    assert judged([policy()], "early", "late") == expected


def test_a_policy_from_between_the_starts_concerns_the_later_run() -> None:
    late = policy(effective_from=at("2025-06-01"))

    expected = {Violation("early", "adult's"), Violation("early", "minor's"), Violation("late", "minor's")}
    assert judged([late], "early", "late") == expected


def test_a_post_that_no_run_read_is_not_judged() -> None:
    assert judged([]) == set()


def test_counts_change_by_what_came_and_what_went() -> None:
    before = [Violation("r", "p"), Violation("r", "q"), Violation("s", "p"), Violation("t", "p")]
    after = [Violation("r", "p"), Violation("s", "p"), Violation("s", "q"), Violation("s", "z"), Violation("t", "q")]

    assert differences(before, after) == {"r": -1, "s": 2}


# ---- policies -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ruling:
    name: str
    policies: Sequence[Policy]
    expected: list[str]


RULINGS = (
    Ruling("none", (), []),
    Ruling("of always", (policy(),), ["declared", "early", "late"]),
    Ruling("of the time between", (policy(effective_from=PUBLISHED + 1),), ["declared", "late"]),
    Ruling("from the very start on", (policy(effective_from=NOW),), ["late"]),
    Ruling("until the very start", (policy(effective_until=NOW),), ["declared", "early"]),
    Ruling("of another purpose", (policy(purpose="ADS"),), []),
    Ruling("two", (policy(effective_from=NOW), policy(effective_until=PUBLISHED + 1)), ["early", "late"]),
)


@pytest.mark.parametrize("case", RULINGS, ids=lambda case: case.name)
def test_a_policy_concerns_the_started_runs_of_its_purpose_in_its_time(case: Ruling) -> None:
    assert concerned_by(STORY, case.policies) == case.expected


# ---- what is tainted ------------------------------------------------------------------------------------------------


def test_what_a_run_taints_is_all_that_its_influence_reaches() -> None:
    lineage = upper(
        version("d:1"),
        run("r", "d:1", produced="m:1"),
        derivation("m:2", "m:1"),
        undocumented("s:1", generated_by=["m:2"]),
        undocumented("s:2", derived_from=["s:1"]),
        run("synthetic", "s:2", produced="m:3"),
        run("tuned", produced="m:4", started_from=["m:3"]),
        run("filtered", "t:1", produced="m:5"),
        undocumented("t:1", derived_from=["d:1"]),
        run("base", "d:1", produced="m:6"),
        derivation("m:2", "m:6"),
        serving("feed", "m:4"),
    )

    assert models_tainted(lineage, "r") == {"m:1", "m:2", "m:3", "m:4"}
    assert models_tainted(lineage, "tuned") == {"m:4"}
    assert models_tainted(lineage, "base") == {"m:2", "m:3", "m:4", "m:6"}


def test_a_run_without_a_product_taints_nothing() -> None:
    assert models_tainted(upper(version("d:1"), run("r", "d:1")), "r") == frozenset()
