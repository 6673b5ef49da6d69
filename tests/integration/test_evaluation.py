"""Streaming evaluation agrees with the pure function, however the posts lie in shards and pages."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from dataclasses import replace
from typing import Any, LiteralString, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.instants import DAY, EVER, Instant, to_datetime
from consentline.domain.lineage import Lineage
from consentline.domain.people import covers, jurisdiction_at
from consentline.domain.posts import PostFacts
from consentline.domain.recheck import next_change
from consentline.graph import members
from consentline.graph import posts as graph_posts
from consentline.usecases import evaluation, posts
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration import arrange, replay
from tests.integration.arrange import AI, PUBLISHED, ref
from tests.oracle import micros
from tests.scenarios import POSTS, Scenario, questions, scenarios

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]

SELECTIONS = (
    Selection(),
    Selection(jurisdictions=("GB",)),
    Selection(jurisdictions=("GB-SCT", "AU"), platforms=("FACEBOOK", "THREADS")),
    Selection(published_from=micros("2024-02-14T00:00:00Z"), published_before=micros("2025-03-15T12:00:00Z")),
)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of so few posts that every story fills several."""
    monkeypatch.setattr(evaluation, "PAGE", 3)
    monkeypatch.setattr(evaluation, "_LISTED", 2)


async def collect(pages: AsyncGenerator[list[T]]) -> list[T]:
    return [each async for page in pages for each in page]


@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(scenario=scenarios())
def test_every_scenario_is_evaluated_as_the_pure_function_judges_each_post(
    scenario: Scenario, service: Service, run: Run
) -> None:
    run(compare(replace(service, shard_size=2), scenario))


async def compare(service: Service, scenario: Scenario) -> None:
    await wipe(service)
    for step in scenario.steps:
        await replay.apply(service, step)
    asked, lineage, now = questions(scenario), await service.lineage(), await service.now()
    stored = [key for post in POSTS for key in service.pseudonyms.either("Post", post)]
    facts = await service.graph.read(lambda tx: graph_posts.facts(tx, stored))
    ats = [now if text is None else micros(text) for text in (*asked.ats[::3], None)]
    for version in sorted(lineage.versions):
        if lineage.versions[version].coverage is Coverage.COMPLETE:
            for purpose, at in zip((*asked.purposes, AI), ats, strict=False):
                await compare_version(service, lineage, facts, version, purpose, at)
    for dataset in lineage.titles:
        await compare_dataset(service, lineage, facts, dataset, now)
    for selection in SELECTIONS:
        for at in ats[-2:]:
            await compare_selection(service, lineage, facts, selection, at, now)


async def compare_version(
    service: Service, lineage: Lineage, facts: dict[str, PostFacts], ref: VersionRef, purpose: str, at: Instant
) -> None:
    keys = await service.graph.read(lambda tx: members.members(tx, ref.dataset, ref.number))

    found = await collect(evaluation.of_version(service, lineage, ref, purpose=purpose, at=at))

    assert sorted(each.post for each in found) == keys
    for each in found:
        assert each.reasons == judge(lineage, facts[each.post], purpose, at), (each.post, purpose, at)
    if found and lineage.versions[ref].sealed_at is not None:
        asked = await posts.eligibility(service, found[0].post, purpose, at, None)
        assert asked is not None
        assert found[0].reasons == asked.reasons


INTERVALS: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard) WHERE m.dataset = $dataset
RETURN collect(DISTINCT [p.key, coalesce(p.ineligible, []), m.recheck_at]) AS rows
"""


async def compare_dataset(
    service: Service, lineage: Lineage, facts: dict[str, PostFacts], dataset: str, at: Instant
) -> None:
    stored = (await service.graph.read(lambda tx: tx.get(INTERVALS, dataset=dataset)))["rows"]
    purposes = sorted({policy.purpose for policy in lineage.policies})

    found = await collect(evaluation.of_dataset(service, lineage, dataset, at=at))

    assert sorted(each.post for each in found) == sorted({row[0] for row in stored})
    for each in found:
        post = facts[each.post]
        assert each.judgement.ineligible == tuple(purpose for purpose in purposes if judge(lineage, post, purpose, at))
        changes = [next_change(post, lineage.policies, purpose, at) for purpose in purposes]
        assert each.judgement.recheck_at == min((change for change in changes if change is not None), default=None)
        assert [each.post, list(each.stored.ineligible), each.stored.recheck_at] in stored
        was, is_now = each.stored, each.judgement
        assert each.changed is (was != is_now)


async def compare_selection(
    service: Service,
    lineage: Lineage,
    facts: dict[str, PostFacts],
    selection: Selection,
    at: Instant,
    now: Instant,
) -> None:
    found = await collect(evaluation.of_selection(service, lineage, selection, purpose=AI, at=at, now=now))

    assert sorted(each.post for each in found) == picked(facts.values(), selection, at)
    for each in found:
        post = facts[each.post]
        assert each.reasons == judge(lineage, post, AI, at), each.post
        assert each.reasons_now == judge(lineage, post, AI, now), each.post


def judge(lineage: Lineage, post: PostFacts, purpose: str, at: Instant) -> tuple[Reason, ...]:
    return evaluate(post, lineage.policies, purpose=purpose, at=at, known_at=EVER).reasons


def picked(posts: Iterable[PostFacts], selection: Selection, at: Instant) -> list[str]:
    """The keys of those that the selection picks, by reading each of them."""
    keys: list[str] = []
    for post in posts:
        described, author = post.described(EVER), post.author(EVER)
        if described is None or author is None:
            continue
        place = jurisdiction_at(author, at, EVER)
        if (
            (not selection.platforms or described.platform in selection.platforms)
            and (selection.published_from is None or described.published_at >= selection.published_from)
            and (selection.published_before is None or described.published_at < selection.published_before)
            and (
                not selection.jurisdictions
                or (place is not None and any(covers(each, place) for each in selection.jurisdictions))
            )
        ):
            keys.append(post.key)
    return sorted(keys)


def test_somebody_who_wrote_more_than_a_page_is_read_in_pages(service: Service, run: Run) -> None:
    async def work() -> None:
        mine = [f"p{number}" for number in range(8)]
        await arrange.record(
            service,
            arrange.user("ana"),
            arrange.user("ben"),
            arrange.user("cai"),
            *(arrange.post(key) for key in mine),
            arrange.post("of-ben", author="ben"),
            arrange.post("depicts", author="ben", depicts=["ana"]),
            {"kind": "post_deleted", "post": "p3", "valid_from": PUBLISHED},
        )
        lineage, now = await service.lineage(), await service.now()

        pages = [
            page async for page in evaluation.of_selection(service, lineage, Selection(), purpose=AI, at=now, now=now)
        ]

        assert all(len(page) <= evaluation.PAGE for page in pages)
        found = {each.post: each.reasons for page in pages for each in page}
        assert sum(len(page) for page in pages) == len(found)
        assert found == dict.fromkeys([*mine, "of-ben", "depicts"], (Reason.JURISDICTION_NOT_COVERED,)) | {
            "p3": (Reason.JURISDICTION_NOT_COVERED, Reason.POST_DELETED)
        }

    run(work())


def test_datasets_whose_keys_begin_alike_are_told_apart(service: Service, run: Run) -> None:
    async def work() -> None:
        await arrange.publish(service, "web", "a", "b")
        await arrange.publish(service, "web/0", "c")
        await arrange.publish(service, "web0", "d")
        lineage, now = await service.lineage(), await service.now()

        async def of_version(version: str) -> list[str]:
            found = evaluation.of_version(service, lineage, ref(version), purpose=AI, at=now)
            return sorted(each.post for each in await collect(found))

        assert [await of_version(each) for each in ("web:1", "web/0:1", "web0:1")] == [["a", "b"], ["c"], ["d"]]
        assert [each.post for each in await collect(evaluation.of_dataset(service, lineage, "web/0", at=now))] == ["c"]

    run(work())


def test_a_post_that_left_and_came_back_is_judged_once(service: Service, run: Run) -> None:
    async def work() -> None:
        small = replace(service, shard_size=1)
        for posts_of_version in (("a", "b"), ("b", "c"), ("a", "b", "c")):
            await arrange.publish(small, "web", *posts_of_version)
        lineage, now = await small.lineage(), await small.now()

        found = await collect(evaluation.of_dataset(small, lineage, "web", at=now))
        first = await collect(evaluation.of_version(small, lineage, ref("web:1"), purpose=AI, at=now))

        assert sorted(each.post for each in found) == ["a", "b", "c"]
        assert {each.post: each.reasons for each in first} == dict.fromkeys(
            "ab", (Reason.JURISDICTION_UNKNOWN, Reason.AGE_UNKNOWN)
        )

    run(work())


def test_what_changes_by_time_alone_is_known_before(service: Service, run: Run) -> None:
    async def work() -> None:
        end = await service.now() + 10 * DAY
        ends = to_datetime(end).isoformat()
        await arrange.record(
            service, arrange.user("ana"), arrange.post("p"), arrange.policy(effective_until=ends, notice_required=False)
        )
        await arrange.publish(service, "web", "p", "unknown")
        lineage, now = await service.lineage(), await service.now()

        found = {each.post: each for each in await collect(evaluation.of_dataset(service, lineage, "web", at=now))}

        assert (found["p"].judgement.recheck_at, found["unknown"].judgement.recheck_at) == (end, None)

    run(work())


def test_without_any_policy_there_is_no_purpose_to_judge_for(service: Service, run: Run) -> None:
    async def work() -> None:
        await arrange.record(service, arrange.user("ana"), arrange.post("p"))
        await arrange.publish(service, "web", "p", "unknown")
        lineage, now = await service.lineage(), await service.now()

        found = await collect(evaluation.of_dataset(service, lineage, "web", at=now))

        assert {each.post: (each.judgement.ineligible, each.judgement.recheck_at) for each in found} == dict.fromkeys(
            ["p", "unknown"], ((), None)
        )

    run(work())


def test_whoever_stops_early_leaves_nothing_running(service: Service, run: Run) -> None:
    async def work() -> None:
        small = replace(service, shard_size=1)
        await arrange.publish(small, "web", *(f"p{number}" for number in range(20)))
        lineage, now = await small.lineage(), await small.now()

        before = asyncio.all_tasks()
        async with aclosing(evaluation.of_version(small, lineage, ref("web:1"), purpose=AI, at=now)) as pages:
            assert await anext(pages)

        assert asyncio.all_tasks() == before
        assert len(await collect(evaluation.of_version(small, lineage, ref("web:1"), purpose=AI, at=now))) == 20

    run(work())
