"""What names somebody who was erased: refused where it would record them again, taken where that would hide a use."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from consentline.domain.datasets import VersionRef
from consentline.domain.eligibility import Reason
from consentline.domain.errors import DatabaseUnavailableError, RefusedError
from consentline.domain.flags import CauseKind
from consentline.domain.paging import PageRequest
from consentline.domain.record_lines import parse
from consentline.usecases import builds, consent, counts, datasets, erasing, erasures, facts, flags, gate, posts, usage
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.integration.arrange import (
    AI,
    RECEIVED,
    add,
    allow,
    ask_erasure,
    erase,
    file,
    post,
    publish,
    record,
    ref,
    register,
    remove,
    seal,
    train,
    user,
)
from tests.integration.leaving import places_of
from tests.integration.snapshots import assert_same, snapshot
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]
AT = "2026-03-01T00:00:00Z"


async def say(service: Service, *records: dict[str, Any]) -> list[Any]:
    """The outcome of each record of one kind: True, False, or the code and path of its refusal."""
    batch: Any = [parse(orjson.dumps(each), datetime(2100, 1, 1, tzinfo=UTC)) for each in records]
    outcomes = await facts.record(service, batch)
    return [(each.code, each.path) if isinstance(each, RefusedError) else each for each in outcomes]


async def ana_leaves(service: Service) -> None:
    """Ana wrote three posts, one in a dataset that a run read; she is erased. Ben stays."""
    await allow(service, "ana", "ben")
    await record(service, post("pa1"), post("pa2"), post("pa3"), post("b1", "ben"))
    await publish(service, "d", "pa1", "b1")
    await train(service, "r", "d:1", produced="m:1")
    await erase(service)


@dataclass(frozen=True)
class Case:
    """A record that names somebody erased, and a like one that does not."""

    refused: dict[str, Any]
    path: str
    taken: dict[str, Any]


SAID = {"kind": "consent", "purpose": AI, "status": "GIVEN", "valid_from": AT}
SERVED = {"kind": "notice_served", "notice": "n", "version": 1, "served_at": AT}
OBJECTION = {"kind": "objection", "received_at": AT}
CORRECTED = {"kind": "post_author", "reason": "wrong"}
HIDDEN = {"kind": "visibility", "visibility": "FRIENDS", "valid_from": AT}
DELETED = {"kind": "post_deleted", "valid_from": AT}
CASES = {
    "a person": Case(user("ana", jurisdiction="FR"), "key", user("cleo")),
    "what they said": Case(SAID | {"user": "ana"}, "user", SAID | {"user": "ben"}),
    "what they were told": Case(SERVED | {"user": "ana"}, "user", SERVED | {"user": "ben"}),
    "their objection": Case(OBJECTION | {"key": "o", "user": "ana"}, "user", OBJECTION | {"key": "p", "user": "ben"}),
    "their post": Case(post("pa1", "cleo"), "key", post("c1", "cleo")),
    "a new post of theirs": Case(post("pa9"), "author", post("c1", "cleo")),
    "a post made theirs": Case(
        CORRECTED | {"post": "b1", "author": "ana"}, "author", CORRECTED | {"post": "b1", "author": "cleo"}
    ),
    "a post of theirs made another's": Case(
        CORRECTED | {"post": "pa1", "author": "ben"}, "post", CORRECTED | {"post": "b1", "author": "cleo"}
    ),
    "who sees their post": Case(HIDDEN | {"post": "pa2"}, "post", HIDDEN | {"post": "b1"}),
    "their post is deleted": Case(DELETED | {"post": "pa3"}, "post", DELETED | {"post": "b1"}),
}


@pytest.mark.parametrize("name", CASES)
def test_a_record_is_refused_by_itself_and_leaves_nothing(service: Service, run: Run, name: str) -> None:
    async def scenario() -> None:
        case = CASES[name]
        await ana_leaves(service)
        before = await snapshot(service)

        assert await say(service, case.refused) == [("ERASED", (case.path,))]
        assert_same(before, await snapshot(service))
        assert await say(service, case.refused, case.taken, case.refused) == [
            ("ERASED", (case.path,)),
            True,
            ("ERASED", (case.path,)),
        ]
        assert await places_of(service, "ana") == []

    run(scenario())


@pytest.mark.parametrize("name", CASES)
def test_while_it_is_being_carried_out_the_same_is_refused(service: Service, run: Run, name: str) -> None:
    async def scenario() -> None:
        case = CASES[name]
        await allow(service, "ana", "ben")
        await record(service, post("pa1"), post("pa2"), post("pa3"), post("b1", "ben"))
        await ask_erasure(service)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("consentline.usecases.erasures.carry_out", killed)
            with pytest.raises(DatabaseUnavailableError):
                await erasures.confirm_erasure(service, "e")
        assert await places_of(service, "pa1")
        before = await snapshot(service)

        assert await say(service, case.refused) == [("ERASED", (case.path,))]
        assert_same(before, await snapshot(service))
        assert await say(service, case.refused, case.taken) == [("ERASED", (case.path,)), True]
        assert await erasing.carry_out_all(service) == 1
        assert await places_of(service, "ana", "pa1", "pa2", "pa3") == []

    run(scenario())


async def killed(*_: Any) -> None:
    """The process ends right after the confirmation."""
    raise DatabaseUnavailableError("gone")


def test_a_repeated_objection_of_somebody_erased_is_refused_too(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await file(service, "o", "ana", micros(AT))
        await erase(service)

        assert await say(service, OBJECTION | {"key": "o", "user": "ana"}) == [("ERASED", ("user",))]

    run(scenario())


def test_a_post_of_somebody_else_that_depicts_them_is_taken_and_stays_out_of_use(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_leaves(service)

        assert await say(service, post("b2", "ben", depicts=["ana", "cleo"])) == [True]
        assert await say(service, post("b2", "ben", depicts=["ana", "cleo"])) == [False]

        found = await posts.eligibility(service, "b2", AI, None, None)
        assert found is not None
        assert found.reasons == (Reason.THIRD_PARTY_OBJECTED,)
        assert await places_of(service, "ana") == []

    run(scenario())


def test_a_manifest_that_names_their_posts_holds_the_digests(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_leaves(service)

        version = await publish(service, "late", "pa1", "pa2", "b1")
        assert (version.post_count, await counts.ineligible_count(service, version.ref, AI)) == (3, 2)
        assert await register(service, "late", number=1, posts=["pa1", "pa2", "b1"]) == version
        await register(service, "slow")
        assert await add(service, "slow:1", "pa1", "b1", "pa1") == [True, True, False]
        assert await add(service, "slow:1", "pa1") == [False]
        await seal(service, "slow:1")
        await register(service, "slow", based_on=1)
        assert await remove(service, "slow:2", "pa1") == [True]
        await seal(service, "slow:2")

        for dataset, number, holds in (("late", 1, True), ("slow", 1, True), ("slow", 2, False)):
            held = (await service.lineage()).versions[VersionRef(dataset, number)]
            assert await datasets.contains(service, held, "pa1") is holds
        used = await usage.post_usage(service, "pa1", None)
        assert [str(each) for each in used.usage.held_in] == ["d:1", "late:1", "slow:1"]
        assert await places_of(service, "pa1", "pa2", "ana") == []

    run(scenario())


def test_a_use_that_is_recorded_after_the_erasure_is_a_violation(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_leaves(service)
        await publish(service, "late", "pa2", "b1")

        await train(service, "r2", "late:1", produced="m:2")

        (flag,) = (await flags.list_flags(service, None, "m:2", PageRequest(10))).items
        assert await flags.cause_count(service, flag.uid, CauseKind.VIOLATION) == 1
        answer = await usage.post_usage(service, "pa2", None)
        (found,) = await usage.eligibilities_at_use(service, answer, answer.usage.uses)
        assert found.reasons == (Reason.ERASED,)

    run(scenario())


def test_builds_do_not_pick_them_and_the_gate_refuses_them(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await ana_leaves(service)

        built = await builds.build(service, builds.BuildVersion("built"))
        assert (built.version.post_count, built.excluded) == (1, {})
        refused = await gate.authorize(service, gate.AuthorizeTraining("r2", (ref("d:1"),)))
        assert refused.run is None
        assert [(str(each.reason), each.count) for each in refused.refusals] == [("ERASED", 1)]
        assert "pa1" not in str(refused.refusals)
        assert PSEUDONYMS.of("Post", "pa1") in str(refused.refusals)

    run(scenario())


def test_a_post_that_only_a_correction_names_goes_with_its_author(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, CORRECTED | {"post": "later", "author": "ana"})
        await erase(service)

        assert await say(service, post("later", "ben")) == [("ERASED", ("key",))]
        assert await places_of(service, "later") == []

    run(scenario())


def test_while_nobody_was_erased_nothing_is_suppressed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await ask_erasure(service, "e", "ana", RECEIVED)

        assert await say(service, post("pa1"), post("pa2")) == [True, True]
        found = await posts.eligibility(service, "pa1", AI, None, None)
        assert found is not None
        assert found.reasons == (Reason.ERASURE_PENDING,)
        assert (await consent.find_consent(service, "ana", AI, None, None)).status == "UNINFORMED"

    run(scenario())
