"""Versions built from what may be used: what they hold, what a build writes, and what interrupts or races it."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

import pytest

from consentline.domain.datasets import Coverage, Selection, VersionStatus, manifest_digest
from consentline.domain.eligibility import Reason, evaluate
from consentline.domain.errors import DatabaseUnavailableError, InvalidInputError, StateError
from consentline.domain.instants import DAY, EVER, Instant
from consentline.domain.people import covers, jurisdiction_at
from consentline.domain.posts import PostFacts
from consentline.generation import generate_records
from consentline.graph import members as graph_members
from consentline.graph import posts
from consentline.graph.session import Tx
from consentline.usecases import build_leases, build_steps, builds, counts, evaluation, objections, usage
from consentline.usecases.builds import BuildVersion, BuiltVersion
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    add,
    file,
    policy,
    post,
    publish,
    record,
    ref,
    register,
    remove,
    seal,
    user,
)
from tests.integration.invariants import check_counts
from tests.integration.snapshots import Refused, Snapshot, assert_refused, snapshot
from tests.oracle import micros

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, Any]], Any]

ALLOWING = policy(notice_required=False, assessment="dpia-1")
FUTURE = micros("2999-01-01T00:00:00Z")


async def build(service: Service, dataset: str = "d", **more: Any) -> BuiltVersion:
    return await builds.build(service, BuildVersion(dataset, **more))


async def members(service: Service, version: str) -> list[str]:
    return await service.graph.read(lambda tx: graph_members.members(tx, ref(version).dataset, ref(version).number))


async def load(service: Service, number: int, seed: int) -> None:
    async def lines() -> AsyncIterator[bytes]:
        for chunk in generate_records(number, seed):
            yield chunk

    await ingest(service, lines(), on_reject=lambda rejection: pytest.fail(rejection.message))


async def arrange(service: Service, *keys: str, author: str = "ana") -> None:
    """A policy that asks for nothing, and an adult's posts under it."""
    await record(service, ALLOWING, user(author), *(post(key, author) for key in keys))


def intervals(graph: Snapshot, dataset: str = "d") -> dict[str, tuple[int, int | None]]:
    return {
        each.source["key"]: (each["from_version"], each["to_version"])
        for each in graph.typed("IN_SHARD")
        if each["dataset"] == dataset
    }


# ---- content --------------------------------------------------------------------------------------------------------

EVERY_POST = "MATCH (p:Post) RETURN collect(p.key) AS keys"


async def brute_force(
    service: Service, selection: Selection, at: Instant, purpose: str = AI
) -> tuple[list[str], dict[Reason, int]]:
    """What a build of the selection holds and leaves out, by the rules and one post after the other."""

    async def read(tx: Tx) -> list[PostFacts]:
        return list((await posts.facts(tx, (await tx.get(EVERY_POST))["keys"])).values())

    lineage, now = await service.lineage(), await service.now()
    chosen: list[str] = []
    excluded = Counter[Reason]()
    for facts in await service.graph.read(read):
        if not picked(facts, selection, at):
            continue
        reasons = {
            reason
            for moment in (at, now)
            for reason in evaluate(facts, lineage.policies, purpose=purpose, at=moment, known_at=EVER).reasons
        }
        excluded.update(reasons)
        if not reasons:
            chosen.append(facts.key)
    return sorted(chosen), dict(excluded)


def picked(facts: PostFacts, selection: Selection, at: Instant) -> bool:
    description, author = facts.described(EVER), facts.author(EVER)
    if description is None or author is None:
        return False
    place = jurisdiction_at(author, at, EVER)
    return (
        (not selection.platforms or description.platform in selection.platforms)
        and (selection.published_from is None or description.published_at >= selection.published_from)
        and (selection.published_before is None or description.published_at < selection.published_before)
        and (
            not selection.jurisdictions
            or (place is not None and any(covers(each, place) for each in selection.jurisdictions))
        )
    )


SELECTIONS = {
    "everything": Selection(),
    "a country": Selection(("GB",)),
    "two platforms in a subdivision and a country": Selection(("GB-SCT", "AU"), ("FACEBOOK", "THREADS")),
    "some years": Selection(
        published_from=micros("2019-01-01T00:00:00Z"), published_before=micros("2024-01-01T00:00:00Z")
    ),
    "nowhere": Selection(("JP",)),
}


def test_a_built_version_holds_exactly_what_may_be_used(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await load(service, 1200, 3)
        sizes: list[int] = []
        for number, (name, selection) in enumerate(SELECTIONS.items(), 1):
            built = await build(service, selection=selection)
            expected, excluded = await brute_force(service, selection, await service.now())

            assert (built.version.number, built.version.status) == (number, VersionStatus.SEALED)
            assert await members(service, f"d:{number}") == expected, name
            assert (built.version.post_count, built.version.manifest_digest) == (
                len(expected),
                manifest_digest(expected),
            )
            assert built.excluded == excluded
            assert built.version.build is not None
            assert dict(built.version.build.excluded) == excluded
            assert await counts.ineligible_count(service, built.version.ref, AI) == 0
            sizes.append(len(expected))
        await check_counts(service)
        assert sizes[0] > sizes[1] > sizes[2] > 0 == sizes[-1]

    run(scenario())


def test_a_version_as_of_an_earlier_day_holds_what_may_be_used_then_and_now(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await load(service, 800, 4)
        for day in ("2024-10-15T00:00:00Z", "2025-06-01T00:00:00Z"):
            built = await build(service, as_of=micros(day))
            expected, excluded = await brute_force(service, Selection(), micros(day))
            assert await members(service, str(built.version.ref)) == expected
            assert built.excluded == excluded

    run(scenario())


def test_reasons_of_both_times_are_counted_once_a_post(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, "p", "q")
        deleted = {"kind": "post_deleted", "post": "p", "valid_from": "2025-06-01T00:00:00Z"}
        await record(service, user("kid", adult_from="2026-01-01"), post("r", "kid"), deleted)
        built = await build(service, as_of=micros("2025-07-01T00:00:00Z"))

        assert await members(service, "d:1") == ["q"]
        assert built.excluded == {Reason.MINOR_AT_PUBLICATION: 1, Reason.MINOR_NOW: 1, Reason.POST_DELETED: 1}
        assert list(built.excluded) == [reason for reason in Reason if reason in built.excluded]

    run(scenario())


@pytest.mark.parametrize("purpose", [AI, "ADVERTISING"])
def test_nobody_eligible_gives_an_empty_version(service: Service, run: Run, purpose: str) -> None:
    async def scenario() -> None:
        await record(service, user(), post("p"), post("q"))
        await publish(service, "d", "p", "x")
        built = await build(service, purpose=purpose)

        assert (built.version.post_count, built.version.manifest_digest) == (0, manifest_digest([]))
        assert built.excluded == {Reason.JURISDICTION_NOT_COVERED: 2}
        assert await members(service, "d:2") == []
        assert await members(service, "d:1") == ["p", "x"]
        await check_counts(service)

    run(scenario())


def test_a_purpose_without_a_policy_lets_members_of_another_go(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        await build(service)
        built = await build(service, purpose="ADVERTISING")

        assert (built.version.post_count, await members(service, "d:1")) == (0, ["p"])

    run(scenario())


def test_posts_known_by_key_only_are_not_picked(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        await publish(service, "other", "never described")
        built = await build(service)

        assert (await members(service, "d:1"), built.excluded) == (["p"], {})

    run(scenario())


def test_a_built_version_remembers_what_it_was_asked(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        selection = Selection(("GB",), ("FACEBOOK",), 1, FUTURE)
        built = await build(service, title="The data", selection=selection, as_of=DAY)
        made = (await service.lineage()).versions[ref("d:1")]

        assert made == built.version
        assert (made.coverage, made.selection, made.derived_from) == (Coverage.COMPLETE, None, ())
        assert made.build is not None
        assert (made.build.purpose, made.build.selection, made.build.as_of) == (AI, selection, DAY)
        assert not made.being_built
        assert (await service.lineage()).titles == {"d": "The data"}
        progress = await builds.find_progress(service, made.ref)
        assert progress is not None
        assert (progress.examined, progress.taken) == (1, 0)
        (node,) = (await snapshot(service)).labelled("DatasetVersion")
        assert node["build_lease"] is None
        assert node["build_lease_until"] is None

    run(scenario())


# ---- what is written ------------------------------------------------------------------------------------------------


def test_a_second_build_writes_what_changed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, *(f"p{number:03}" for number in range(300)))
        await record(service, user("ben"), *(post(f"b{number}", "ben") for number in range(5)))
        await build(service)
        before = intervals(await snapshot(service))
        await record(
            service, post("new"), {"kind": "post_deleted", "post": "p007", "valid_from": "2025-01-01T00:00:00Z"}
        )
        await file(service, user="ben")
        await build(service)
        after = intervals(await snapshot(service))

        assert len(before) == 305
        assert {key for key in after if after[key] != before.get(key)} == {"new", "p007", *(f"b{n}" for n in range(5))}
        assert (after["new"], after["p007"]) == ((2, None), (1, 2))

    run(scenario())


def test_a_build_that_changes_nothing_writes_no_interval_and_takes_few_statements(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, *(f"p{number:04}" for number in range(2500)))
        first = await build(service)
        before, statements = await snapshot(service), service.graph.statements
        second = await build(service)
        statements = service.graph.statements - statements
        after = await snapshot(service)

        assert first.version.manifest_digest == second.version.manifest_digest
        assert Counter(map(str, after.typed("IN_SHARD"))) == Counter(map(str, before.typed("IN_SHARD")))
        assert statements < 60

    run(scenario())


def test_nothing_of_a_version_is_visible_before_its_seal(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p", "q")
        await publish(service, "d", "p")
        with Interrupted(monkeypatch, after=2, size=1), pytest.raises(CrashError):
            await build(service)
        version = (await service.lineage()).versions[ref("d:2")]
        answer = await usage.post_usage(service, "q", None)

        assert answer.usage.held_in == ()
        assert len(intervals(await snapshot(service))) == 2
        assert (version.status, version.being_built, version.sealed_at) == (VersionStatus.BUILDING, True, None)
        assert await members(service, "d:1") == ["p"]
        assert await counts.ineligible_count(service, version.ref, AI) is None

    run(scenario())


# ---- interrupted ----------------------------------------------------------------------------------------------------


class CrashError(Exception):
    """What ends a build in these tests."""


@dataclass
class Interrupted:
    """Inside, what a build reads of its selection ends with a crash after some pages of `size` posts."""

    patch: pytest.MonkeyPatch
    after: int
    size: int = 2
    pages: int = field(default=0)

    def __enter__(self) -> None:
        whole = evaluation.of_selection

        async def some(*arguments: Any, **more: Any) -> AsyncGenerator[list[evaluation.Picked]]:
            async for page in whole(*arguments, **more):
                for begin in range(0, len(page), self.size):
                    if self.pages == self.after:
                        raise CrashError
                    self.pages += 1
                    yield page[begin : begin + self.size]
            raise CrashError

        self._context = self.patch.context()
        patch = self._context.__enter__()
        patch.setattr(evaluation, "of_selection", some)
        patch.setattr(build_steps, "_POSTS_AT_ONCE", self.size)

    def __exit__(self, *_: object) -> None:
        self._context.__exit__(None, None, None)


async def a_change_of_ten(service: Service) -> None:
    """Version 1 holds a0 … a9 of whom some may not be used any more, and there is more to take."""
    await arrange(service, *(f"a{number}" for number in range(10)), *(f"c{number}" for number in range(10)))
    await record(service, user("ben"), *(post(f"b{number}", "ben") for number in range(6)))
    await publish(service, "d", *(f"a{number}" for number in range(10)), *(f"b{number}" for number in range(6)))
    await file(service, user="ben")


@pytest.mark.parametrize("pages", range(0, 13, 2))
def test_a_build_interrupted_while_it_takes_goes_on_when_called_again(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    async def scenario() -> None:
        await a_change_of_ten(service)
        expected, _ = await brute_force(service, Selection(), await service.now())
        with Interrupted(monkeypatch, after=pages), pytest.raises(CrashError):
            await build(service, title="first")
        built = await build(service, title="second")

        assert (built.version.number, built.version.manifest_digest) == (2, manifest_digest(expected))
        assert built.excluded == {Reason.OBJECTION_PENDING: 6}
        assert await members(service, "d:2") == expected
        assert (await service.lineage()).titles == {"d": "second"}
        await check_counts(service)

    run(scenario())


@pytest.mark.parametrize("step", ["take_selection", "drop_leaving", "_drop_ineligible", "_try_to_seal"])
@pytest.mark.parametrize("done", [False, True], ids=["before", "after"])
def test_a_build_interrupted_at_any_step_goes_on_when_called_again(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch, step: str, done: bool
) -> None:
    async def scenario() -> None:
        await a_change_of_ten(service)
        await record(service, user("dan"), post("late", "dan"))
        monkeypatch.setattr(builds, "take_selection", objecting(service, builds.take_selection, "dan"))
        module = build_steps if step.startswith("_") else builds
        whole = getattr(module, step)

        async def crashing(*arguments: Any, **more: Any) -> Any:
            if done:
                await whole(*arguments, **more)
            raise CrashError

        with monkeypatch.context() as patch:
            patch.setattr(module, step, crashing)
            with pytest.raises(CrashError):
                await build(service)
        built = await build(service)
        expected, excluded = await brute_force(service, Selection(), await service.now())

        assert (built.version.number, built.version.manifest_digest) == (2, manifest_digest(expected))
        assert (await members(service, "d:2"), built.excluded) == (expected, excluded)
        assert "late" not in expected
        await check_counts(service)

    run(scenario())


def objecting(service: Service, take: Callable[..., Any], person: str) -> Callable[..., Any]:
    """`take`, after which a person objects whose post it took."""

    async def and_object(*arguments: Any) -> Any:
        found = await take(*arguments)
        await file(service, f"of {person}", person)
        return found

    return and_object


def test_a_build_that_is_cancelled_gives_its_version_back(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        reached = asyncio.Event()

        async def stuck(*_: Any, **__: Any) -> AsyncGenerator[list[evaluation.Picked]]:
            reached.set()
            await asyncio.sleep(60)
            yield []

        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "of_selection", stuck)
            task = asyncio.create_task(build(service))
            await reached.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        built = await build(service)

        assert (built.version.number, built.version.post_count) == (1, 1)

    run(scenario())


# ---- killed, and two at once ----------------------------------------------------------------------------------------

EXPIRE = "MATCH (v:DatasetVersion) WHERE v.build_lease IS NOT NULL SET v.build_lease_until = 1"


async def killed(service: Service, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
    """A build that took two posts and ended without giving its version back."""
    with monkeypatch.context() as patch:
        patch.setattr("consentline.graph.builds.RELEASE", "RETURN 1")
        with Interrupted(patch, after=1), pytest.raises(CrashError):
            await build(service, **more)


async def expire(service: Service) -> None:
    await service.graph.write(lambda tx: tx.rows(EXPIRE))


def test_a_killed_build_keeps_its_version_until_its_lease_ends(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p", "q", "r")
        await killed(service, monkeypatch)
        await assert_refused(
            service, build(service), Refused(StateError, "BUILD_RUNNING", ("dataset",), "d:1 is being built; should")
        )
        progress = await builds.find_progress(service, ref("d:1"))
        await expire(service)
        built = await build(service)

        assert progress is not None
        assert (progress.examined, progress.taken) == (2, 2)
        assert (built.version.number, built.version.post_count) == (1, 3)

    run(scenario())


def test_a_build_that_was_taken_over_writes_nothing_more(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, *(f"p{number}" for number in range(9)))
        whole, waiting, going_on = evaluation.of_selection, asyncio.Event(), asyncio.Event()

        async def paused(*arguments: Any, **more: Any) -> AsyncGenerator[list[evaluation.Picked]]:
            async for page in whole(*arguments, **more):
                yield page[:3]
                waiting.set()
                await going_on.wait()
                yield page[3:]

        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "of_selection", paused)
            patch.setattr(build_steps, "_POSTS_AT_ONCE", 2)
            first = asyncio.create_task(build(service))
            await waiting.wait()
        await expire(service)
        second = await build(service)
        before = await snapshot(service)
        going_on.set()
        with pytest.raises(StateError) as raised:
            await first

        assert raised.value.code == "BUILD_TAKEN_OVER"
        assert "another build took d:1 over" in raised.value.message
        assert (second.version.number, second.version.post_count) == (1, 9)
        assert (await snapshot(service)).nodes == before.nodes

    run(scenario())


def test_a_lease_is_renewed_while_a_build_is_at_work(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        whole = evaluation.of_selection
        refused: list[str] = []
        told: list[tuple[int, int]] = []

        async def slow(*arguments: Any, **more: Any) -> AsyncGenerator[list[evaluation.Picked]]:
            async for page in whole(*arguments, **more):
                await asyncio.sleep(1.5)
                try:
                    await build(service)
                except StateError as error:
                    refused.append(error.code)
                yield page

        monkeypatch.setattr(evaluation, "of_selection", slow)
        monkeypatch.setattr(build_leases, "LEASE_SECONDS", 1)
        monkeypatch.setattr(build_leases, "_RENEWED_EVERY_SECONDS", 0.2)
        built = await builds.build(service, BuildVersion("d"), lambda *each: told.append(each))

        assert (refused, built.version.post_count) == (["BUILD_RUNNING"], 1)
        assert told[0] == (0, 0)
        assert told[-1] == (1, 1)

    run(scenario())


def test_of_two_builds_at_once_one_is_refused(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, *(f"p{number}" for number in range(50)))
        results = await asyncio.gather(*(build(service) for _ in range(4)), return_exceptions=True)
        refused = [each for each in results if isinstance(each, StateError)]
        built = [each for each in results if isinstance(each, BuiltVersion)]

        assert len(refused) + len(built) == 4
        assert {each.code for each in refused} == {"BUILD_RUNNING"}
        assert [each.version.number for each in built] == [1]
        await check_counts(service)

    run(scenario())


def test_what_is_building_otherwise_is_named(service: Service, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        await register(service, "hand")
        await assert_refused(
            service,
            build(service, "hand"),
            Refused(StateError, "VERSION_BUILDING", ("dataset",), "hand:1 is still BUILDING; seal it first"),
        )
        selection = Selection(("GB", "IE"), ("FACEBOOK",), 0, DAY)
        await killed(service, monkeypatch, selection=selection, as_of=2 * DAY)
        await expire(service)
        told = (
            "d:1 is BUILDING, built for AI_TRAINING, of GB, IE, on FACEBOOK, from 1970-01-01T00:00:00+00:00,"
            " before 1970-01-02T00:00:00+00:00, as of 1970-01-03T00:00:00+00:00; finish that build first"
        )
        for other in ({}, {"selection": selection}, {"selection": selection, "as_of": 2 * DAY, "purpose": "X"}):
            await assert_refused(
                service, build(service, **other), Refused(StateError, "VERSION_BUILDING", ("dataset",), told)
            )
        same = Selection(("IE", "GB"), ("FACEBOOK", "FACEBOOK"), 0, DAY)
        assert (await build(service, selection=same, as_of=2 * DAY)).version.number == 1

    run(scenario())


def test_nobody_else_changes_or_seals_what_is_being_built(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p", "q", "r")
        await killed(service, monkeypatch)
        expected = Refused(StateError, "VERSION_BEING_BUILT", ("version",), "d:1 is built for AI_TRAINING: only its")
        await assert_refused(service, seal(service, "d:1"), expected)
        for outcomes in (await add(service, "d:1", "p", "x"), await remove(service, "d:1", "p", "x")):
            assert len(outcomes) == 2
            for each in outcomes:
                expected.check(each)
        await assert_refused(
            service,
            publish(service, "d", "p"),
            Refused(StateError, "VERSION_BUILDING", ("dataset",), "d:1 is still BUILDING"),
        )

    run(scenario())


# ---- refused at once ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RefusedBuild:
    name: str
    command: dict[str, Any]
    code: str
    path: tuple[str, ...]
    telling: str


REFUSED = (
    RefusedBuild("of the future", {"as_of": FUTURE}, "AS_OF_IN_FUTURE", ("asOf",), "asOf lies in the future"),
    RefusedBuild(
        "of no time",
        {"selection": Selection(published_from=2, published_before=2)},
        "EMPTY_SELECTION",
        ("selection",),
        "publishedFrom lies before publishedBefore",
    ),
)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_cannot_be_built_is_refused_and_creates_nothing(service: Service, run: Run, case: RefusedBuild) -> None:
    expected = Refused(InvalidInputError, case.code, case.path, case.telling)
    run(assert_refused(service, build(service, **case.command), expected))


# ---- facts that come while it builds --------------------------------------------------------------------------------


def test_a_member_that_becomes_ineligible_after_it_was_taken_is_dropped_and_counted(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p", "q")
        await record(service, user("ben"), post("b", "ben"), post("c", "ben"))
        monkeypatch.setattr(builds, "take_selection", objecting(service, builds.take_selection, "ben"))
        built = await build(service)

        assert (await members(service, "d:1"), built.version.post_count) == (["p", "q"], 2)
        assert built.version.manifest_digest == manifest_digest(["p", "q"])
        assert built.excluded == {Reason.OBJECTION_PENDING: 2}
        progress = await builds.find_progress(service, ref("d:1"))
        assert progress is not None
        assert (progress.examined, progress.taken) == (4, 2)
        await check_counts(service)

    run(scenario())


def test_a_policy_that_comes_while_it_builds_is_heeded(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p")
        await record(service, user("mac", jurisdiction="GB-SCT"), post("m", "mac"))
        real = builds.take_selection

        async def and_stricter(at_work: Any) -> Any:
            found = await real(at_work)
            await record(service, policy(key="sct", jurisdiction="GB-SCT", assessment="dpia-2"))
            return found

        monkeypatch.setattr(builds, "take_selection", and_stricter)
        built = await build(service)

        assert (await members(service, "d:1"), built.excluded) == (["p"], {Reason.NOTICE_NOT_SERVED: 1})
        await check_counts(service)

    run(scenario())


def test_objections_that_keep_coming_do_not_keep_a_version_from_its_seal(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        people = [f"person{number}" for number in range(12)]
        await record(service, ALLOWING, *map(user, people), *(post(f"of {each}", each) for each in people))
        real, coming = build_steps._try_to_seal, list(people)

        async def and_object(*arguments: Any, **more: Any) -> Any:
            await file(service, f"objection:{coming[-1]}", coming.pop())
            return await real(*arguments, **more)

        monkeypatch.setattr(build_steps, "_try_to_seal", and_object)
        built = await build(service)

        assert await members(service, "d:1") == sorted(f"of {each}" for each in coming)
        assert built.version.manifest_digest == manifest_digest(sorted(f"of {each}" for each in coming))
        assert built.excluded == {Reason.OBJECTION_PENDING: 12 - len(coming)}
        assert len(coming) == 9
        await check_counts(service)

    run(scenario())


def test_a_build_whose_counts_never_settle_says_so_and_can_be_called_again(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await arrange(service, "p")

        async def never(*_: Any) -> counts.Standing:
            return counts.Standing(0, exact=False)

        with monkeypatch.context() as patch:
            patch.setattr(counts, "standing", never)
            with pytest.raises(StateError) as raised:
                await build(service)
        assert raised.value.code == "BUILD_UNSETTLED"
        assert "keeps changing; call again" in raised.value.message
        assert (await build(service)).version.post_count == 1

    run(scenario())


PEOPLE, AT_ONCE = 500, 64


async def until_answered(attempt: Callable[[], Awaitable[T]]) -> T:
    """What it answers once the database is not too busy; repeating is safe."""
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError:
            await asyncio.sleep(0.1)


def test_five_hundred_objections_that_race_a_build_are_not_in_the_sealed_version(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        people = [f"person{number:03}" for number in range(PEOPLE + 100)]
        await record(service, ALLOWING, *map(user, people))
        await record(service, *(post(f"{each}/{n}", each) for each in people for n in range(3)))
        monkeypatch.setattr(build_steps, "_POSTS_AT_ONCE", 200)
        limit = asyncio.Semaphore(AT_ONCE)

        async def object_to_it(person: str) -> tuple[str, Instant]:
            async with limit:
                command = objections.FileObjection(f"objection:{person}", person, micros("2026-11-01T00:00:00Z"))
                filed, _ = await until_answered(lambda: objections.file_objection(service, command))
                return person, filed.recorded_at

        building = asyncio.create_task(until_answered(lambda: build(service)))
        filed = dict(await asyncio.gather(*map(object_to_it, people[:PEOPLE])))
        built = await building
        held = {key.partition("/")[0] for key in await members(service, "d:1")}

        sealed_at = built.version.sealed_at
        assert sealed_at is not None
        before = {person for person, recorded_at in filed.items() if recorded_at <= sealed_at}
        after = filed.keys() - before
        assert held == set(people) - before
        assert built.excluded == ({Reason.OBJECTION_PENDING: 3 * len(before)} if before else {})
        assert await counts.ineligible_count(service, built.version.ref, AI) == 3 * len(after)
        assert before
        await check_counts(service)

    run(scenario())
