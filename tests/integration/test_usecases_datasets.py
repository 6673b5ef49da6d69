"""Dataset versions on the real graph: what is written, what is refused, and what becomes visible when."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consentline.domain.datasets import Coverage, DatasetVersion, Selection, VersionStatus, manifest_digest
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.paging import PageRequest
from consentline.usecases import datasets, usage
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration.arrange import (
    add,
    declare,
    post,
    publish,
    record,
    ref,
    refs,
    register,
    remove,
    seal,
    train,
    withdraw_version,
)
from tests.integration.snapshots import Refused, Snapshot, assert_refused, assert_unchanged, snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

BUILDING, SEALED = VersionStatus.BUILDING, VersionStatus.SEALED
COMPLETE, DECLARED, UNDOCUMENTED = Coverage.COMPLETE, Coverage.DECLARED, Coverage.UNDOCUMENTED


async def version(service: Service, name: str) -> DatasetVersion:
    return (await service.lineage()).versions[ref(name)]


async def members_of(service: Service, name: str, among: Sequence[str]) -> set[str]:
    """Those of the posts that the version contains."""
    found = await version(service, name)
    return {key for key in among if await datasets.contains(service, found, key)}


async def held_in(service: Service, key: str, known_at: int | None = None) -> list[str]:
    answer = await usage.post_usage(service, key, known_at)
    return [str(each) for each in answer.usage.held_in]


# ---- what is written ------------------------------------------------------------------------------------------------


def intervals(graph: Snapshot) -> set[tuple[str, str, int, int | None]]:
    """(post, dataset, from, to) of every membership; there are never two that are the same."""
    found = graph.typed("IN_SHARD")
    named = {(each.source["key"], each["dataset"], each["from_version"], each["to_version"]) for each in found}
    assert len(named) == len(found)
    return named


def test_a_first_version_is_a_dataset_a_version_posts_and_a_shard(service: Service, run: Run) -> None:
    async def scenario() -> None:
        made = await publish(service, "d", "p2", "p1", "p2", title="The data")
        graph = await snapshot(service)

        assert (made.number, made.status, made.coverage, made.post_count) == (1, SEALED, COMPLETE, 2)
        assert made.manifest_digest == manifest_digest(["p1", "p2"])
        assert made.sealed_at == made.registered_at
        assert graph.names() == {
            "Dataset d",
            "DatasetVersion d:1",
            "Shard d/0/0/0",
            "Post p1",
            "Post p2",
            "Revision lineage",
        }
        assert graph.shape() == {
            ("Dataset d", "HAS_VERSION", "DatasetVersion d:1"),
            ("Dataset d", "HAS_SHARD", "Shard d/0/0/0"),
            ("Post p1", "IN_SHARD", "Shard d/0/0/0"),
            ("Post p2", "IN_SHARD", "Shard d/0/0/0"),
        }
        assert intervals(graph) == {("p1", "d", 1, None), ("p2", "d", 1, None)}
        (dataset,), (shard,) = graph.labelled("Dataset"), graph.labelled("Shard")
        assert (dataset["title"], dataset["recorded_at"], dataset["placed"]) == ("The data", made.sealed_at, 2)
        assert (shard["dataset"], shard["size"]) == ("d", 2)

    run(scenario())


def test_a_version_is_linked_to_what_it_comes_from(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d")
        await train(service, "r", "d:1", produced="m:1")
        await register(service, "s", UNDOCUMENTED, derived_from=["d:1", "d:1"], generated_by=("m:1", "m:1"))
        made = await version(service, "s:1")

        assert (made.derived_from, made.generated_by) == (refs("d:1"), ("m:1",))
        assert {
            ("DatasetVersion s:1", "DERIVED_FROM", "DatasetVersion d:1"),
            ("DatasetVersion s:1", "GENERATED_BY", "ModelVersion m:1"),
        } <= (await snapshot(service)).shape()
        assert len((await snapshot(service)).typed("DERIVED_FROM")) == 1

    run(scenario())


def test_what_is_declared_is_read_back_as_it_was(service: Service, run: Run) -> None:
    async def scenario() -> None:
        selection = Selection(("GB", "IE"), ("FACEBOOK",), 1, 2)
        made = await register(service, "d", DECLARED, selection=selection)
        bare = await register(service, "d", DECLARED)

        assert (made.selection, made.status, made.post_count, made.manifest_digest) == (selection, SEALED, None, None)
        assert bare.selection is None
        assert (await snapshot(service)).typed("IN_SHARD") == []

    run(scenario())


def test_a_dataset_keeps_its_title_until_another_is_given(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for title, expected in ((None, "d"), ("First", "First"), (None, "First"), ("Second", "Second")):
            await register(service, "d", UNDOCUMENTED, title=title)
            assert (await service.lineage()).titles == {"d": expected}

    run(scenario())


def test_a_version_costs_what_changed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        posts = [f"p{number:03}" for number in range(60)]
        await publish(service, "d", *posts)
        before = await snapshot(service)
        await publish(service, "d", *posts[2:], "new")
        after = await snapshot(service)

        assert (len(before.typed("IN_SHARD")), len(after.typed("IN_SHARD"))) == (60, 61)
        assert intervals(after) - intervals(before) == {
            ("p000", "d", 1, 2),
            ("p001", "d", 1, 2),
            ("new", "d", 2, None),
        }
        assert (await version(service, "d:2")).manifest_digest == manifest_digest(sorted([*posts[2:], "new"]))

    run(scenario())


def test_a_version_based_on_another_costs_what_changed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        posts = [f"p{number:03}" for number in range(60)]
        await publish(service, "d", *posts)
        before = await snapshot(service)
        await register(service, "d", based_on=1)
        assert intervals(await snapshot(service)) == intervals(before)
        assert await remove(service, "d:2", "p000", "p001") == [True, True]
        assert await add(service, "d:2", "new", "p002") == [True, False]
        await seal(service, "d:2")

        assert intervals(await snapshot(service)) - intervals(before) == {
            ("p000", "d", 1, 2),
            ("p001", "d", 1, 2),
            ("new", "d", 2, None),
        }
        made = await version(service, "d:2")
        assert (made.post_count, made.manifest_digest) == (59, manifest_digest(sorted([*posts[2:], "new"])))

    run(scenario())


def test_a_version_may_be_based_on_an_older_one(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "a", "b")
        await publish(service, "d", "b", "c")
        await register(service, "d", based_on=1)
        await add(service, "d:3", "e")
        await seal(service, "d:3")

        assert [await members_of(service, f"d:{number}", "abce") for number in (1, 2, 3)] == [
            {"a", "b"},
            {"b", "c"},
            {"a", "b", "e"},
        ]
        assert await held_in(service, "a") == ["d:1", "d:3"]
        assert await held_in(service, "c") == ["d:2"]
        assert intervals(await snapshot(service)) == {
            ("a", "d", 1, 2),
            ("a", "d", 3, None),
            ("b", "d", 1, None),
            ("c", "d", 2, 3),
            ("e", "d", 3, None),
        }

    run(scenario())


def test_who_comes_back_has_two_intervals_and_who_changed_their_mind_has_one(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "a", "b")
        await publish(service, "d", "b")
        await publish(service, "d", "a", "b")
        await register(service, "d", based_on=3)
        await remove(service, "d:4", "a")
        assert await add(service, "d:4", "a") == [True]
        await add(service, "d:4", "c")
        assert await remove(service, "d:4", "c") == [True]
        await seal(service, "d:4")

        assert intervals(await snapshot(service)) == {("a", "d", 1, 2), ("a", "d", 3, None), ("b", "d", 1, None)}
        assert await held_in(service, "a") == ["d:1", "d:3", "d:4"]
        assert await held_in(service, "c") == []

    run(scenario())


def test_a_version_that_begins_empty_leaves_its_predecessor_as_it_was(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "a", "b")
        await register(service, "d")
        await add(service, "d:2", "b", "c")
        await seal(service, "d:2")

        assert [await members_of(service, name, "abc") for name in ("d:1", "d:2")] == [{"a", "b"}, {"b", "c"}]
        assert intervals(await snapshot(service)) == {("a", "d", 1, 2), ("b", "d", 1, None), ("c", "d", 2, None)}

    run(scenario())


def test_intervals_pass_over_versions_without_a_manifest(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "a")
        await register(service, "d", UNDOCUMENTED)
        await publish(service, "d", "a", "b")

        assert await held_in(service, "a") == ["d:1", "d:3"]
        assert await datasets.contains(service, await version(service, "d:2"), "a") is None
        assert intervals(await snapshot(service)) == {("a", "d", 1, None), ("b", "d", 3, None)}

    run(scenario())


def test_posts_of_one_author_lie_in_one_shard_and_no_shard_holds_more_than_its_size(service: Service, run: Run) -> None:
    small = Service(service.graph, service.lineages, service.pseudonyms, shard_size=10)

    async def scenario() -> None:
        posts = [post(f"p{number:03}", f"author{number % 20}") for number in range(80)]
        await record(small, *posts)
        await publish(small, "d", *(each["key"] for each in posts), "unknown")
        graph = await snapshot(small)

        sizes = {each["key"]: each["size"] for each in graph.labelled("Shard") if each["size"]}
        assert max(sizes.values()) <= 10
        assert sum(sizes.values()) == 81
        shard_of = {each.source["key"]: each.target["key"] for each in graph.typed("IN_SHARD")}
        families = {author: set[str]() for author in {each["author"] for each in posts}}
        for each in posts:
            families[each["author"]].add(shard_of[each["key"]].rpartition("/")[0])
        assert all(len(found) == 1 for found in families.values())
        assert {shard["key"]: shard["size"] for shard in graph.labelled("Shard") if shard["size"]} == {
            key: list(shard_of.values()).count(key) for key in set(shard_of.values())
        }

    run(scenario())


def test_members_that_come_in_parts_fill_one_shard_after_the_other(service: Service, run: Run) -> None:
    small = Service(service.graph, service.lineages, service.pseudonyms, shard_size=10)

    async def scenario() -> None:
        posts = [post(f"p{number:02}", "ana") for number in range(28)]
        await record(small, *posts)
        await register(small, "d")
        for begin in range(0, 28, 7):
            await add(small, "d:1", *(each["key"] for each in posts[begin : begin + 7]))
        graph = await snapshot(small)

        held = Counter(each.target["key"] for each in graph.typed("IN_SHARD"))
        assert held == {shard["key"]: shard["size"] for shard in graph.labelled("Shard") if shard["size"]}
        assert max(held.values()) <= 10
        # A dataset that doubles places what comes later in a finer family: see docs/decisions/0005.
        assert len({shard.rpartition("/")[0] for shard in held}) <= 3
        (dataset,) = graph.labelled("Dataset")
        assert dataset["placed"] == 28

    run(scenario())


# ---- what is visible when -------------------------------------------------------------------------------------------


def test_what_a_version_changes_is_invisible_before_its_seal(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "stays", "leaves")
        await register(service, "d", based_on=1)
        await remove(service, "d:2", "leaves")
        await add(service, "d:2", "comes")

        assert [await held_in(service, key) for key in ("stays", "leaves", "comes")] == [["d:1"], ["d:1"], []]
        assert await members_of(service, "d:1", ["stays", "leaves", "comes"]) == {"stays", "leaves"}
        assert await datasets.contains(service, await version(service, "d:2"), "stays") is None

        before = await service.now()
        assert await seal(service, "d:2")

        assert [await held_in(service, key) for key in ("stays", "leaves", "comes")] == [
            ["d:1", "d:2"],
            ["d:1"],
            ["d:2"],
        ]
        assert [await held_in(service, key, before) for key in ("stays", "leaves", "comes")] == [["d:1"], ["d:1"], []]
        assert await members_of(service, "d:2", ["stays", "leaves", "comes"]) == {"stays", "comes"}

    run(scenario())


def test_a_withdrawn_version_stays_in_what_holds_a_post_and_in_its_uses(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        found = await withdraw_version(service, "d:1", "a mistake")
        answer = await usage.post_usage(service, "p", None)

        assert found.status is VersionStatus.WITHDRAWN
        assert found.withdrawn_at is not None
        assert [str(each) for each in answer.usage.held_in] == ["d:1"]
        assert [use.model_version for use in answer.usage.uses] == ["m:1"]
        assert await datasets.contains(service, found, "p") is True
        assert (await snapshot(service)).labelled("DatasetVersion")[0]["withdrawn_reason"] == "a mistake"
        await train(service, "r2", "d:1", produced="m:2")

    run(scenario())


@pytest.mark.parametrize(
    ("coverage", "expected"), [(COMPLETE, True), (DECLARED, None), (UNDOCUMENTED, None)], ids=lambda each: str(each)
)
def test_only_a_complete_manifest_tells_what_it_contains(
    service: Service, run: Run, coverage: Coverage, expected: bool | None
) -> None:
    async def scenario() -> None:
        made = await register(service, "d", coverage, posts=("p",) if coverage is COMPLETE else None)

        assert await datasets.contains(service, made, "p") is expected
        assert await datasets.contains(service, made, "q") is (None if expected is None else False)

    run(scenario())


def test_two_manifests_of_the_same_posts_have_one_digest_however_they_came(service: Service, run: Run) -> None:
    # U+FF5E comes before U+1F600 by code point and after it in UTF-16.
    keys = ["a", "Z", "é", "\uff5e", "\U0001f600", "\U00010000", "~"]

    async def scenario() -> None:
        listed = await publish(service, "listed", *keys)
        await register(service, "built")
        await add(service, "built:1", *reversed(keys))
        await seal(service, "built:1")
        built = await version(service, "built:1")

        assert listed.manifest_digest == manifest_digest(sorted(keys))
        assert (built.post_count, built.manifest_digest) == (listed.post_count, listed.manifest_digest)

    run(scenario())


@dataclass(frozen=True)
class Step:
    """One version of a dataset: listed with posts, or begun (empty, or on an earlier one) and changed, or neither."""

    posts: frozenset[str] | None = None
    based_on: int | None = None
    changes: tuple[tuple[bool, str], ...] | None = None


POSTS = st.frozensets(st.sampled_from("abcdef"), max_size=6)
CHANGES = st.lists(st.tuples(st.booleans(), st.sampled_from("abcdef")), max_size=5).map(tuple)


@st.composite
def plans(draw: st.DrawFn) -> list[Step]:
    """The versions of one dataset, in order."""
    steps: list[Step] = []
    for _ in range(draw(st.integers(2, 6))):
        complete = [number for number, step in enumerate(steps, 1) if step != Step()]
        listed, empty = st.builds(Step, posts=POSTS), st.builds(Step, changes=CHANGES)
        based = st.builds(Step, based_on=st.sampled_from(complete), changes=CHANGES) if complete else empty
        steps.append(draw(st.one_of(listed, empty, st.just(Step()), based, based)))
    return steps


async def carry_out(service: Service, number: int, step: Step, base: set[str]) -> set[str]:
    """Make the version of the number, and tell what it should hold."""
    if step.posts is not None:
        await publish(service, "d", *step.posts)
        return set(step.posts)
    if step.changes is None:
        await register(service, "d", UNDOCUMENTED)
        return set()
    await register(service, "d", based_on=step.based_on)
    expected = set(base)
    for joins, key in step.changes:
        if joins:
            assert await add(service, f"d:{number}", key) == [key not in expected]
            expected.add(key)
        elif step.based_on is not None:
            assert await remove(service, f"d:{number}", key) == [key in expected]
            expected.discard(key)
    await seal(service, f"d:{number}")
    return expected


@settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(plan=plans())
def test_every_version_keeps_its_members_whatever_comes_after(plan: list[Step], service: Service, run: Run) -> None:
    async def scenario() -> None:
        await wipe(service)
        expected: dict[int, set[str]] = {}
        for number, step in enumerate(plan, 1):
            found = await carry_out(service, number, step, expected.get(step.based_on or 0, set()))
            expected |= {number: found} if step != Step() else {}
        for number, posts in expected.items():
            made = await version(service, f"d:{number}")
            assert (made.post_count, made.manifest_digest) == (len(posts), manifest_digest(sorted(posts)))
        for key in "abcdef":
            assert await held_in(service, key) == [f"d:{number}" for number in expected if key in expected[number]]
        for begin, end in zip(expected, list(expected)[1:], strict=False):
            assert await joined(service, begin, end) == sorted(expected[end] - expected[begin])
            assert await joined(service, end, begin) == sorted(expected[begin] - expected[end])

    run(scenario())


async def joined(service: Service, begin: int, end: int) -> list[str]:
    page = await datasets.list_difference(service, "d", begin=begin, end=end, added=True, request=PageRequest())
    return list(page.items)


@pytest.mark.parametrize(
    ("begin", "end", "added", "expected"),
    [
        (1, 2, True, ["c"]),
        (1, 2, False, ["a"]),
        (2, 1, True, ["a"]),
        (2, 1, False, ["c"]),
        (1, 3, True, []),
        (1, 3, False, ["b"]),
        (2, 2, True, []),
    ],
)
def test_a_difference_is_what_one_version_has_and_the_other_has_not(
    service: Service, run: Run, begin: int, end: int, added: bool, expected: list[str]
) -> None:
    async def scenario() -> None:
        for posts in ("ab", "bc", "a"):
            await publish(service, "d", *posts)
        page = await datasets.list_difference(service, "d", begin=begin, end=end, added=added, request=PageRequest())

        assert list(page.items) == expected
        assert page.total == len(expected)

    run(scenario())


def test_a_difference_is_read_in_pages(service: Service, run: Run) -> None:
    async def scenario() -> None:
        posts = [f"p{number}" for number in range(7)]
        await publish(service, "d")
        await publish(service, "d", *posts)
        found: list[str] = []
        request: PageRequest | None = PageRequest(3)
        while request is not None:
            page = await datasets.list_difference(service, "d", begin=1, end=2, added=True, request=request)
            assert page.total == 7
            found += page.items
            request = PageRequest(3, page.positions[-1]) if page.has_next else None

        assert found == posts

    run(scenario())


# ---- refusals -------------------------------------------------------------------------------------------------------


async def story(service: Service) -> None:
    """d:1 sealed, d:2 withdrawn, b:1 building, u:1 undocumented, m:1 trained on d:1."""
    await publish(service, "d", "p")
    await publish(service, "d", "p", "q")
    await withdraw_version(service, "d:2")
    await register(service, "b")
    await register(service, "u", UNDOCUMENTED)
    await train(service, "r", "d:1", produced="m:1")


@dataclass(frozen=True)
class Refusal:
    name: str
    act: Act
    expected: Refused


def shape(field: str, telling: str) -> Refused:
    return Refused(InvalidInputError, "INVALID_INPUT", (field,), telling)


def unknown(field: str, name: str) -> Refused:
    return Refused(NotFoundError, "VERSION_NOT_FOUND", (field,), f"dataset version {name} is not recorded")


def state(code: str, field: str, telling: str) -> Refused:
    return Refused(StateError, code, (field,), telling)


def difference(begin: int, end: int, dataset: str = "d") -> Act:
    return lambda service: datasets.list_difference(
        service, dataset, begin=begin, end=end, added=True, request=PageRequest()
    )


TAKEN = Refused(ConflictError, "VERSION_NUMBER_TAKEN", ("number",), "d:1 is registered with other content")
EMPTY = Refused(InvalidInputError, "EMPTY_SELECTION", ("declaredSelection",), "publishedFrom lies before")
IS_BUILDING = state("VERSION_BUILDING", "dataset", "b:1 is still BUILDING")
REASON = Refused(InvalidInputError, "REASON_REQUIRED", ("reason",), "states its reason")


def number(expected: int) -> Refused:
    telling = f"the next version of d is {expected}"
    return Refused(ConflictError, "VERSION_NUMBER_UNEXPECTED", ("number",), telling)


REFUSALS = (
    Refusal(
        "more posts than one transaction takes",
        lambda s: publish(s, "d", *["p"] * (datasets.MOST_LISTED + 1)),
        Refused(InvalidInputError, "TOO_MANY_POSTS", ("posts",), f"more than {datasets.MOST_LISTED}"),
    ),
    Refusal(
        "posts of a DECLARED version", lambda s: register(s, "d", DECLARED, posts=("p",)), shape("posts", "COMPLETE")
    ),
    Refusal(
        "posts of an UNDOCUMENTED one", lambda s: register(s, "d", UNDOCUMENTED, posts=()), shape("posts", "COMPLETE")
    ),
    Refusal(
        "a selection of a COMPLETE version",
        lambda s: register(s, "d", selection=Selection()),
        shape("declaredSelection", "only a DECLARED version"),
    ),
    Refusal(
        "a selection of an UNDOCUMENTED one",
        lambda s: register(s, "d", UNDOCUMENTED, selection=Selection()),
        shape("declaredSelection", "only a DECLARED version"),
    ),
    Refusal(
        "a DECLARED version based on one",
        lambda s: register(s, "d", DECLARED, based_on=1),
        shape("basedOn", "COMPLETE"),
    ),
    Refusal("listed and based on one", lambda s: register(s, "d", posts=(), based_on=1), shape("basedOn", "not both")),
    Refusal(
        "a selection that ends as it begins", lambda s: declare(s, "d", published_from=1, published_before=1), EMPTY
    ),
    Refusal(
        "a selection that ends before it begins", lambda s: declare(s, "d", published_from=2, published_before=1), EMPTY
    ),
    Refusal("a number taken by other posts", lambda s: publish(s, "d", "q", number=1), TAKEN),
    Refusal("a number taken by no posts", lambda s: publish(s, "d", number=1), TAKEN),
    Refusal("a number taken by a listed version", lambda s: register(s, "d", number=1), TAKEN),
    Refusal("a number taken by another coverage", lambda s: register(s, "d", UNDOCUMENTED, number=1), TAKEN),
    Refusal("a number taken, derived from", lambda s: publish(s, "d", "p", number=1, derived_from=["u:1"]), TAKEN),
    Refusal("a number taken, generated by", lambda s: publish(s, "d", "p", number=1, generated_by=("m:1",)), TAKEN),
    Refusal("a number too high", lambda s: publish(s, "d", "p", number=4), number(3)),
    Refusal("a number too low", lambda s: publish(s, "d", "p", number=0), number(3)),
    Refusal(
        "a number too high for a new dataset",
        lambda s: publish(s, "new", number=2),
        Refused(ConflictError, "VERSION_NUMBER_UNEXPECTED", ("number",), "the next version of new is 1"),
    ),
    Refusal("listed while another is building", lambda s: publish(s, "b", "p"), IS_BUILDING),
    Refusal("begun while another is building", lambda s: register(s, "b"), IS_BUILDING),
    Refusal("based on a version of no number", lambda s: register(s, "d", based_on=9), unknown("basedOn", "d:9")),
    Refusal("based on nothing at all", lambda s: register(s, "new", based_on=1), unknown("basedOn", "new:1")),
    Refusal(
        "based on a version without a manifest",
        lambda s: register(s, "u", based_on=1),
        state("VERSION_NOT_COMPLETE", "basedOn", "u:1 has no COMPLETE manifest"),
    ),
    Refusal(
        "derived from itself",
        lambda s: register(s, "d", UNDOCUMENTED, derived_from=["d:3"]),
        Refused(ConflictError, "DERIVATION_CYCLE", ("derivedFrom",), "d:3 cannot derive from itself"),
    ),
    Refusal(
        "derived from what is not recorded",
        lambda s: register(s, "d", UNDOCUMENTED, derived_from=["d:1", "d:4"]),
        unknown("derivedFrom", "d:4"),
    ),
    Refusal(
        "derived from what is building",
        lambda s: register(s, "d", UNDOCUMENTED, derived_from=["b:1"]),
        state("VERSION_NOT_SEALED", "derivedFrom", "b:1 is BUILDING"),
    ),
    Refusal(
        "derived from what is withdrawn",
        lambda s: publish(s, "e", "p", derived_from=["d:2"]),
        state("VERSION_NOT_SEALED", "derivedFrom", "d:2 is WITHDRAWN"),
    ),
    Refusal(
        "generated by what is not recorded",
        lambda s: publish(s, "e", "p", generated_by=("m:1", "m:9")),
        Refused(NotFoundError, "MODEL_VERSION_NOT_FOUND", ("generatedBy",), "model version m:9 is not recorded"),
    ),
    Refusal("withdrawn for nothing", lambda s: withdraw_version(s, "d:1", ""), REASON),
    Refusal("withdrawn for a blank", lambda s: withdraw_version(s, "d:1", " \t\n"), REASON),
    Refusal("withdrawn and not recorded", lambda s: withdraw_version(s, "d:9"), unknown("dataset", "d:9")),
    Refusal(
        "withdrawn while it is building",
        lambda s: withdraw_version(s, "b:1"),
        state("VERSION_BUILDING", "number", "b:1 is still BUILDING"),
    ),
    Refusal("sealed and not recorded", lambda s: seal(s, "d:9"), unknown("version", "d:9")),
    Refusal("sealed in no dataset", lambda s: seal(s, "new:1"), unknown("version", "new:1")),
    Refusal("compared from what is not recorded", difference(9, 1), unknown("from", "d:9")),
    Refusal("compared to what is not recorded", difference(1, 9), unknown("to", "d:9")),
    Refusal(
        "compared without a manifest",
        difference(1, 1, "u"),
        state("VERSION_NOT_COMPLETE", "from", "u:1 has no sealed manifest"),
    ),
    Refusal(
        "compared while it is building",
        difference(1, 1, "b"),
        state("VERSION_NOT_COMPLETE", "from", "b:1 has no sealed manifest"),
    ),
)


def test_what_is_refused_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REFUSALS:
        with subtests.test(case.name):
            run(assert_refused(service, case.act(service), case.expected))


@dataclass(frozen=True)
class Members:
    """What becomes of each post of one call: written, as it was, or refused."""

    name: str
    act: Act
    expected: Sequence[bool | Refused]


NOT_BUILDING = state("VERSION_NOT_BUILDING", "version", "d:1 is sealed; its members cannot change")
NO_MANIFEST = state("VERSION_NOT_COMPLETE", "version", "u:1 has no manifest of members")
NOT_BASED = state("VERSION_NOT_BASED_ON", "version", "b:1 was not registered with basedOn")
MEMBERS = (
    Members("added to what is not recorded", lambda s: add(s, "d:9", "p", "x"), [unknown("version", "d:9")] * 2),
    Members("added to no dataset", lambda s: add(s, "one:1", "p"), [unknown("version", "one:1")]),
    Members("added without a manifest", lambda s: add(s, "u:1", "p"), [NO_MANIFEST]),
    Members("added to a sealed version", lambda s: add(s, "d:1", "x", "p", "q"), [NOT_BUILDING, False, NOT_BUILDING]),
    Members("removed from what is not recorded", lambda s: remove(s, "d:9", "p"), [unknown("version", "d:9")]),
    Members("removed from no dataset", lambda s: remove(s, "two:1", "p", "x"), [unknown("version", "two:1")] * 2),
    Members("removed without a manifest", lambda s: remove(s, "u:1", "p"), [NO_MANIFEST]),
    Members("removed from a sealed version", lambda s: remove(s, "d:1", "p", "x"), [NOT_BUILDING, False]),
    Members("removed from a version that began empty", lambda s: remove(s, "b:1", "p", "x"), [NOT_BASED] * 2),
)


def test_members_that_are_refused_change_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in MEMBERS:
        with subtests.test(case.name):
            outcomes = run(assert_unchanged(service, case.act(service)))
            for outcome, expected in zip(outcomes, case.expected, strict=True):
                if isinstance(expected, Refused):
                    expected.check(outcome)
                else:
                    assert outcome is expected


# ---- repeats --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repeat:
    name: str
    act: Act


REPEATS = (
    Repeat("a listed version", lambda s: publish(s, "e", "p", "q", number=1, derived_from=["d:1"])),
    Repeat("a listed version in another order", lambda s: publish(s, "d", "p", number=1)),
    Repeat("a version without posts", lambda s: publish(s, "f", number=1)),
    Repeat("a version that is building", lambda s: register(s, "b", number=1)),
    Repeat("a version based on one", lambda s: register(s, "d", number=3, based_on=1)),
    Repeat(
        "a declared version", lambda s: register(s, "g", DECLARED, number=1, selection=Selection(("GB",), (), 1, 2))
    ),
    Repeat("an undocumented version", lambda s: register(s, "u", UNDOCUMENTED, number=1)),
    Repeat("a generated version", lambda s: register(s, "h", UNDOCUMENTED, number=1, generated_by=("m:1",))),
    Repeat("another title", lambda s: register(s, "u", UNDOCUMENTED, number=1, title="Another")),
    Repeat("a member", lambda s: add(s, "b:1", "p", "new", "p")),
    Repeat("a member removed", lambda s: remove(s, "d:3", "p")),
    Repeat("a seal", lambda s: seal(s, "b:1")),
    Repeat("a registration that was sealed since", lambda s: register(s, "b", number=1)),
    Repeat("a withdrawal", lambda s: withdraw_version(s, "u:1", "a mistake")),
    Repeat("a withdrawal for another reason", lambda s: withdraw_version(s, "u:1", "another")),
    Repeat("a registration that was withdrawn since", lambda s: register(s, "u", UNDOCUMENTED, number=1)),
)


def test_what_is_repeated_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REPEATS:
        with subtests.test(case.name):
            first = run(case.act(service))
            again = run(assert_unchanged(service, case.act(service)))
            if isinstance(first, DatasetVersion):
                assert again == first


def test_posts_are_one_manifest_in_whatever_order_and_however_often_they_are_listed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        first = await publish(service, "d", "a", "b", "c", number=1)
        again = await assert_unchanged(service, publish(service, "d", "c", "a", "b", "a", number=1))

        assert again == first

    run(scenario())


def test_members_tell_one_by_one_whether_they_were_written(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        await register(service, "d", based_on=1)

        assert await add(service, "d:2", "a", "p", "a", "b") == [True, False, False, True]
        assert await remove(service, "d:2", "b", "x", "b", "p") == [True, False, False, True]
        assert await seal(service, "d:2") is True
        assert await seal(service, "d:2") is False
        assert await seal(service, "d:1") is False

    run(scenario())


def test_removing_what_was_never_recorded_records_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "p")
        await register(service, "d", based_on=1)

        assert await assert_unchanged(service, remove(service, "d:2", "x")) == [False]

    run(scenario())


def test_versions_registered_without_a_number_are_new_ones(service: Service, run: Run) -> None:
    async def scenario() -> None:
        made = [(await publish(service, "d", "p")).number for _ in range(3)]
        others = await asyncio.gather(*(publish(service, "d", "p") for _ in range(3)))

        assert made == [1, 2, 3]
        assert sorted(each.number for each in others) == [4, 5, 6]
        assert intervals(await snapshot(service)) == {("p", "d", 1, None)}

    run(scenario())
