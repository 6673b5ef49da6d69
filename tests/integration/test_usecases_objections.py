"""Objections and the flags that they raise, on the real graph."""

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.clock import due_at
from consentline.domain.consent import ConsentStatus
from consentline.domain.datasets import Coverage
from consentline.domain.eligibility import Reason
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus, RetrainingFlag
from consentline.domain.instants import DAY
from consentline.domain.objections import Objection, ObjectionStatus
from consentline.domain.paging import PageRequest
from consentline.domain.training import ModelStatus
from consentline.usecases import flags, objections, posts
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    RECEIVED,
    STARTED,
    allow,
    decide,
    declare,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    register,
    serve,
    train,
    user,
)
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged, snapshot
from tests.oracle import micros

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Act = Callable[[Service], Awaitable[Any]]

MINUTE = 60_000_000
PENDING, UPHELD = ObjectionStatus.PENDING, ObjectionStatus.UPHELD
REFUSED, WITHDRAWN = ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN
OBJECTION, THIRD_PARTY = CauseKind.OBJECTION, CauseKind.THIRD_PARTY_OBJECTED


async def withdraw(service: Service, key: str = "o") -> Objection:
    return await objections.withdraw_objection(service, key)


async def extend(service: Service, key: str = "o", reason: str = "complex") -> Objection:
    return await objections.extend_objection(service, key, reason)


async def all_flags(service: Service, status: FlagStatus | None = None) -> dict[str, RetrainingFlag]:
    """The flags by model version, of which none has two of the status."""
    page = await flags.list_flags(service, status, None, PageRequest(100))
    found = {flag.model_version: flag for flag in page.items}
    assert len(found) == len(page.items)
    return found


async def flag_of(service: Service, model: str) -> RetrainingFlag:
    return (await all_flags(service))[model]


async def resolve(
    service: Service,
    model: str,
    resolution: FlagResolution,
    replacement: str | None = None,
    justification: str | None = None,
) -> RetrainingFlag:
    flag = await flag_of(service, model)
    return await flags.resolve(service, flag.uid, resolution, replacement=replacement, justification=justification)


async def reasons(service: Service, key: str, at: int | None = None) -> tuple[Reason, ...]:
    found = await posts.eligibility(service, key, AI, at, None)
    assert found is not None
    return found.reasons


# ---- objections -----------------------------------------------------------------------------------------------------


def test_an_objection_is_read_back_as_it_was_filed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana"))
        made = await file(
            service,
            "o",
            "ana",
            RECEIVED,
            purposes=("ADS", AI, "ADS"),
            platforms=("THREADS", "FACEBOOK"),
            channel="in-app",
        )

        assert (made.key, made.user, made.status) == ("o", "ana", PENDING)
        assert (made.purposes, made.platforms, made.channel) == (("ADS", AI), ("THREADS", "FACEBOOK"), "in-app")
        assert (made.received_at, made.due_at) == (RECEIVED, micros("2026-04-07T22:59:59Z"))
        assert (made.extended_to, made.decided_at, made.grounds) == (None, None, None)
        assert made.recorded_at <= await service.now()
        assert await objections.find_objection(service, "o") == made
        states = (await snapshot(service)).labelled("ConsentState")
        assert {(each["purpose"], each["status"], each["valid_from"], each["objection"]) for each in states} == {
            (purpose, ConsentStatus.OBJECTION_PENDING, RECEIVED, "o") for purpose in ("ADS", AI)
        }
        assert await objections.find_objection(service, "another") is None

    run(scenario())


def test_anybodys_objection_is_accepted_recorded_before_or_not(service: Service, run: Run) -> None:
    async def scenario() -> None:
        ahead = await service.now() + DAY - MINUTE
        made = await file(service, "o", "nobody", ahead)
        _, new = await objections.file_objection(service, objections.FileObjection("o2", "nobody", RECEIVED))

        assert (made.user, made.status) == ("nobody", PENDING)
        assert made.due_at == due_at(ahead, None)
        assert new
        assert (await snapshot(service)).names() >= {"User nobody", "Objection o", "Objection o2"}

    run(scenario())


def test_the_deadline_is_fixed_at_intake_by_the_jurisdiction_at_receipt(service: Service, run: Run) -> None:
    async def scenario() -> None:
        moved = user("ana", jurisdiction="GB-SCT", valid_from="2026-03-03T10:00:01Z")
        await record(service, user("ana", jurisdiction="GB-ENG"), moved)
        made = await file(service, "o", "ana", RECEIVED)
        late = await file(service, "late", "ben", RECEIVED)
        await record(service, user("ben", jurisdiction="GB-ENG"))

        assert made.due_at == due_at(RECEIVED, "GB-ENG")
        assert late.due_at == due_at(RECEIVED, None)
        assert await objections.find_objection(service, "late") == late
        assert len({due_at(RECEIVED, place) for place in ("GB-ENG", "GB-SCT", None)}) == 3

    run(scenario())


def test_the_controllers_establishment_shares_the_holidays(service: Service, run: Run) -> None:
    irish = Service(service.graph, service.lineages, service.pseudonyms, establishment="IE")

    async def scenario() -> None:
        await record(service, user("ana"))
        made = await file(irish, "o", "ana", RECEIVED)

        assert made.due_at == due_at(RECEIVED, "GB-ENG", "IE") < due_at(RECEIVED, "GB-ENG")

    run(scenario())


def test_a_restriction_takes_hold_with_the_objection_and_ends_when_the_person_was_told(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        rules = policy(notice_required=False, assessment="dpia-1")
        await record(service, rules, user("ana"), post("p"))
        assert await reasons(service, "p") == ()
        await file(service, "o", "ana", RECEIVED)
        assert await reasons(service, "p") == (Reason.OBJECTION_PENDING,)
        assert await reasons(service, "p", RECEIVED - 1) == ()

        told = RECEIVED + DAY
        found = await decide(service, "o", uphold=False, grounds="overriding grounds", decided_at=told)

        assert (found.status, found.decided_at, found.grounds) == (REFUSED, told, "overriding grounds")
        assert await reasons(service, "p", told - 1) == (Reason.OBJECTION_PENDING,)
        assert await reasons(service, "p", told) == ()

    run(scenario())


@dataclass(frozen=True)
class Ending:
    name: str
    act: Act
    status: ObjectionStatus
    reasons: Sequence[Reason]
    flags: FlagStatus


ENDINGS = (
    Ending("upheld", lambda s: decide(s, uphold=True), UPHELD, [Reason.OBJECTED], FlagStatus.OPEN),
    Ending("refused", lambda s: decide(s, uphold=False, grounds="g"), REFUSED, [], FlagStatus.RESOLVED),
    Ending("withdrawn", lambda s: withdraw(s), WITHDRAWN, [], FlagStatus.RESOLVED),
)


@pytest.mark.parametrize("case", ENDINGS, ids=lambda case: case.name)
def test_a_pending_objection_ends_in_one_way(service: Service, run: Run, case: Ending) -> None:
    async def scenario() -> None:
        rules = policy(notice_required=False, assessment="dpia-1")
        await record(service, rules, user("ana"), post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "o", "ana")
        found = await case.act(service)

        assert found.status is case.status
        assert list(await reasons(service, "p")) == case.reasons
        flag = await flag_of(service, "m:1")
        assert flag.status is case.flags
        if flag.status is FlagStatus.RESOLVED:
            assert (flag.resolution, flag.justification) == (FlagResolution.NOT_REQUIRED, "causes withdrawn")
        shape = (await snapshot(service)).shape()
        assert {each for each in shape if each[1] == "BECAME"} == {
            ("Objection o", "BECAME", f"Transition {case.status}")
        }

    run(scenario())


@pytest.mark.parametrize(
    ("jurisdiction", "purposes"),
    [("GB-ENG", (AI,)), ("GB-ENG", ("ADS", AI))],
    ids=["the only purpose", "one of the purposes"],
)
def test_an_absolute_right_is_upheld_and_never_refused(
    service: Service, run: Run, jurisdiction: str, purposes: tuple[str, ...]
) -> None:
    async def scenario() -> None:
        await record(service, user("ana", jurisdiction=jurisdiction))
        await file(service, "o", "ana", purposes=purposes)
        await record(service, policy(objection_absolute=True))

        await assert_refused(
            service,
            decide(service, uphold=False, grounds="compelling"),
            Refused(StateError, "OBJECTION_ABSOLUTE", ("uphold",), "Art. 21(3)"),
        )
        assert (await decide(service, uphold=True)).status is UPHELD

    run(scenario())


@pytest.mark.parametrize(
    "rules",
    [
        policy(objection_absolute=True, jurisdiction="IE"),
        policy(objection_absolute=True, purpose="ADS"),
        policy(objection_absolute=True, effective_from="2026-03-03T10:00:01Z"),
        policy(objection_absolute=True, effective_until="2026-03-03T10:00:00Z"),
    ],
    ids=["another place", "another purpose", "not yet in force at receipt", "ended at receipt"],
)
def test_a_right_is_absolute_by_the_policy_at_receipt_only(service: Service, run: Run, rules: dict[str, Any]) -> None:
    async def scenario() -> None:
        await record(service, user("ana"), rules)
        await file(service, "o", "ana")

        assert (await decide(service, uphold=False, grounds="compelling")).status is REFUSED

    run(scenario())


@pytest.mark.parametrize("uphold", [True, False])
def test_a_person_may_be_told_at_the_moment_of_receipt(service: Service, run: Run, uphold: bool) -> None:
    async def scenario() -> None:
        await file(service)

        assert (await decide(service, uphold=uphold, grounds="g", decided_at=RECEIVED)).decided_at == RECEIVED

    run(scenario())


def test_an_extension_is_counted_from_the_original_start_and_flags_follow_it(service: Service, run: Run) -> None:
    async def scenario() -> None:
        received = await service.now() - DAY
        await allow(service, "ana")
        await record(service, post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        filed = await file(service, "o", "ana", received)
        # What is learned later does not move a clock that was fixed at intake.
        await record(service, user("ana", jurisdiction="GB-SCT", valid_from="2020-01-01T00:00:00Z"))
        assert (await flag_of(service, "m:1")).due_at == filed.due_at
        found = await extend(service, "o", "many requests")

        assert found.due_at == filed.due_at
        assert found.extended_to == due_at(received, "GB-ENG", months=3)
        assert (await flag_of(service, "m:1")).due_at == found.extended_to
        (node,) = (await snapshot(service)).labelled("Objection")
        assert (node["extended_to"], node["extension_reason"]) == (found.extended_to, "many requests")
        await assert_refused(
            service,
            extend(service),
            Refused(StateError, "OBJECTION_ALREADY_EXTENDED", ("key",), "extended before"),
        )

    run(scenario())


def test_objections_are_listed_by_receipt_and_by_what_is_overdue(service: Service, run: Run) -> None:
    async def scenario() -> None:
        now = await service.now()
        await file(service, "late", "ana", RECEIVED)
        await file(service, "b", "ana", RECEIVED + 1)
        await file(service, "a", "ben", RECEIVED + 1)
        await file(service, "new", "ben", now)
        await decide(service, "b", uphold=True)

        async def listed(status: ObjectionStatus | None = None, overdue: bool | None = None) -> list[str]:
            found: list[str] = []
            request: PageRequest | None = PageRequest(1)
            while request is not None:
                page = await objections.list_objections(service, status, overdue, request)
                found += [each.key for each in page.items]
                request = PageRequest(1, page.positions[-1]) if page.has_next else None
            assert page.total == len(found)
            return found

        assert await listed() == ["late", "a", "b", "new"]
        assert await listed(PENDING) == ["late", "a", "new"]
        assert await listed(UPHELD) == ["b"]
        assert await listed(REFUSED) == []
        assert await listed(overdue=True) == ["late", "a"]
        assert await listed(overdue=False) == ["b", "new"]
        assert await listed(UPHELD, overdue=True) == []

    run(scenario())


def test_posts_in_scope_are_those_written_and_those_that_depict_the_person(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(
            service,
            post("mine"),
            post("both", depicts=["ana"]),
            post("on threads", platform="THREADS"),
            post("of me", "ben", depicts=["ana"]),
            post("of others", "ben", depicts=["cleo"]),
            {"kind": "post_author", "post": "never described", "author": "ana", "reason": "a mistake"},
        )
        every = await file(service, "every", "ana")
        facebook = await file(service, "facebook", "ana", platforms=("FACEBOOK",))
        none = await file(service, "none", "nobody")

        assert [await objections.affected_post_count(service, each) for each in (every, facebook, none)] == [4, 3, 0]

    run(scenario())


def test_possible_versions_are_those_read_that_could_hold_a_post_of_the_person(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, user("ana", jurisdiction="GB-SCT"), post("p"), post("t", platform="THREADS"))
        await publish(service, "d", "p")
        await publish(service, "t", "t")
        await register(service, "unread", Coverage.UNDOCUMENTED)
        await register(service, "u", Coverage.UNDOCUMENTED)
        await declare(service, "gb", jurisdictions=("GB",), platforms=("NOWHERE",))
        await declare(service, "ie", jurisdictions=("IE",))
        await declare(service, "ie-d", jurisdictions=("IE",), derived_from=["d:1"])
        await declare(service, "ie-t", jurisdictions=("IE",), derived_from=["t:1"])
        await declare(service, "ie-u", jurisdictions=("IE",), derived_from=["u:1"])
        await train(service, "r", "d:1", "t:1", "u:1", "gb:1", "ie:1", "ie-d:1", "ie-t:1", "ie-u:1")
        every = await file(service, "every", "ana")
        threads = await file(service, "threads", "ana", platforms=("THREADS",), purposes=("ADS",))

        async def possible(objection: Objection) -> list[str]:
            return [str(each.ref) for each in await objections.possible_versions(service, objection)]

        assert await possible(every) == ["gb:1", "ie-d:1", "ie-t:1", "ie-u:1", "u:1"]
        assert await possible(threads) == ["gb:1", "ie-t:1", "ie-u:1", "u:1"]

    run(scenario())


# ---- flags ----------------------------------------------------------------------------------------------------------


async def flagged(service: Service) -> None:
    """m:1 trained on p of ana and q of ben and w of cleo, who is not objecting; m:2 derived from it; both flagged.

    clean:1 was trained on w alone, dirty:1 on p again, unknown:1 on what nobody documented; m:2 serves "feed".
    """
    await allow(service, "ana", "ben", "cleo")
    await record(service, post("p"), post("q", "ben"), post("w", "cleo"))
    await publish(service, "d", "p", "q", "w")
    await publish(service, "d", "w")
    await register(service, "u", Coverage.UNDOCUMENTED)
    await train(service, "r", "d:1", produced="m:1")
    await derive(service, "m:2", "m:1")
    await serve(service, "feed", "m:2")
    await train(service, "r2", "d:2", produced="clean:1")
    await train(service, "r3", "d:1", produced="dirty:1")
    await train(service, "r4", "u:1", produced="unknown:1")
    await file(service, "o", "ana")


def test_one_flag_a_model_version_gathers_causes_and_is_due_with_the_earliest(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        first = await flag_of(service, "m:1")
        second = await file(service, "earlier", "ben", RECEIVED - 10 * DAY)
        third = await file(service, "later", "ben", RECEIVED + 10 * DAY, platforms=("FACEBOOK",))
        found = await flag_of(service, "m:1")

        assert found.uid == first.uid
        assert found.raised_at == first.raised_at
        assert (await objections.find_objection(service, "o") or second).due_at == first.due_at
        assert found.due_at == second.due_at < first.due_at < third.due_at
        assert await flags.cause_count(service, found.uid, None) == 3
        assert await flags.cause_count(service, found.uid, OBJECTION) == 3
        assert await flags.cause_count(service, found.uid, THIRD_PARTY) == 0
        assert await flags.affected_post_count(service, found, None) == 2
        assert await flags.affected_post_count(service, found, THIRD_PARTY) == 0
        assert set(await all_flags(service)) == {"m:1", "m:2", "dirty:1"}

        await withdraw(service, "earlier")
        assert (await flag_of(service, "m:1")).due_at == first.due_at
        await withdraw(service, "o")
        found = await flag_of(service, "m:1")
        assert (found.status, found.due_at) == (FlagStatus.OPEN, third.due_at)
        await withdraw(service, "later")
        found = await flag_of(service, "m:1")
        assert (found.status, found.justification) == (FlagStatus.RESOLVED, "causes withdrawn")
        assert await flags.cause_count(service, found.uid, None) == 0

    run(scenario())


def test_posts_that_depict_the_person_are_causes_of_their_own_kind(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana", "ben")
        await record(service, post("mine"), post("of me", "ben", depicts=["ana"]), post("of both", depicts=["ana"]))
        await publish(service, "d", "mine", "of me", "of both")
        await train(service, "r", "d:1", produced="m:1")
        await file(service, "o", "ana")
        await file(service, "o2", "ana", platforms=("FACEBOOK",))
        flag = await flag_of(service, "m:1")

        counts = {
            kind: (
                await flags.cause_count(service, flag.uid, kind),
                await flags.affected_post_count(service, flag, kind),
            )
            for kind in (OBJECTION, THIRD_PARTY, None, CauseKind.MINOR)
        }
        assert counts == {OBJECTION: (2, 2), THIRD_PARTY: (2, 1), None: (4, 3), CauseKind.MINOR: (0, 0)}
        page = await flags.list_flags_of_objection(service, "o2", PageRequest())
        assert [each.uid for each in page.items] == [flag.uid]

    run(scenario())


def test_flags_are_listed_by_status_and_model_version_in_pages(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        await resolve(service, "m:1", FlagResolution.NOT_REQUIRED, justification="a false alarm")

        async def listed(status: FlagStatus | None = None, model: str | None = None) -> set[str]:
            found: list[str] = []
            request: PageRequest | None = PageRequest(1)
            while request is not None:
                page = await flags.list_flags(service, status, model, request)
                found += [each.model_version for each in page.items]
                request = PageRequest(1, page.positions[-1]) if page.has_next else None
            assert page.total == len(found) == len(set(found))
            return set(found)

        assert await listed() == {"m:1", "m:2", "dirty:1"}
        assert await listed(FlagStatus.OPEN) == {"m:2", "dirty:1"}
        assert await listed(FlagStatus.RESOLVED) == {"m:1"}
        assert await listed(model="m:2") == {"m:2"}
        assert await listed(FlagStatus.RESOLVED, "m:2") == set()
        assert await listed(model="clean:1") == set()

    run(scenario())


def test_a_flag_is_acknowledged_planned_for_and_resolved_by_a_clean_replacement(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        uid = (await flag_of(service, "m:1")).uid
        assert (await flags.acknowledge(service, uid)).status is FlagStatus.ACKNOWLEDGED
        planned = await service.now() + DAY
        assert (await flags.schedule(service, uid, planned)).status is FlagStatus.SCHEDULED
        assert (await flags.schedule(service, uid, planned + DAY)).status is FlagStatus.SCHEDULED
        found = await resolve(service, "m:1", FlagResolution.RETRAINED, "clean:1", "trained again")

        assert (found.status, found.resolution) == (FlagStatus.RESOLVED, FlagResolution.RETRAINED)
        assert (found.replacement, found.justification) == ("clean:1", "trained again")
        assert await flags.find_flag(service, uid) == found
        assert await flags.find_flag(service, "no such") is None
        assert await flags.cause_count(service, uid, None) == 1
        assert await flags.affected_post_count(service, found, None) == 1
        assert (await flag_of(service, "m:2")).status is FlagStatus.OPEN

    run(scenario())


def test_a_model_version_whose_flag_ends_as_retired_is_retired(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        await serve(service, "feed", "clean:1")
        await resolve(service, "m:2", FlagResolution.RETIRED)

        models = (await service.lineage()).models
        assert (models["m:2"].status, models["m:1"].status) == (ModelStatus.RETIRED, ModelStatus.ACTIVE)

    run(scenario())


def test_a_new_cause_after_resolution_raises_a_new_flag_and_an_old_one_does_not(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        first = await resolve(service, "m:1", FlagResolution.NOT_REQUIRED, justification="a false alarm")
        await decide(service, "o", uphold=True)
        await train(service, "r5", "d:1", produced="m:5")
        assert (await flag_of(service, "m:1")).uid == first.uid

        await file(service, "o2", "ben")
        page = await flags.list_flags(service, None, "m:1", PageRequest())

        old, new = page.items
        assert (old.uid, old.status) == (first.uid, FlagStatus.RESOLVED)
        assert (new.status, await flags.cause_count(service, new.uid, None)) == (FlagStatus.OPEN, 1)
        assert await flags.cause_count(service, old.uid, None) == 1

    run(scenario())


@pytest.mark.parametrize("filed", [1, 2])
def test_a_resolved_flag_keeps_its_counts_whatever_becomes_of_the_objections(
    service: Service, run: Run, filed: int
) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("p"), post("p2"))
        await publish(service, "d", "p", "p2")
        await train(service, "r", "d:1", produced="m:1")
        for number in range(filed):
            await file(service, f"o{number}", "ana")
        flag = await resolve(service, "m:1", FlagResolution.NOT_REQUIRED, justification="a false alarm")
        for number in range(filed):
            await withdraw(service, f"o{number}")

        assert await flags.cause_count(service, flag.uid, None) == filed
        assert await flags.affected_post_count(service, flag, None) == 2

    run(scenario())


# ---- refusals -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Refusal:
    name: str
    act: Act
    expected: Refused


async def story(service: Service) -> None:
    """What `flagged` tells; and o pending since RECEIVED, upheld, refused and withdrawn as they are named.

    dirty:1's flag was resolved.
    """
    await flagged(service)
    for key in ("upheld", "refused", "withdrawn"):
        await file(service, key, "zoe", channel="post", platforms=("FACEBOOK",), purposes=(AI, "ADS"))
    await decide(service, "upheld", uphold=True)
    await decide(service, "refused", uphold=False, grounds="g")
    await withdraw(service, "withdrawn")
    await resolve(service, "dirty:1", FlagResolution.NOT_REQUIRED, justification="a false alarm")


def again(**other: Any) -> Act:
    """File the objection "refused" again with something else about it."""
    given = {"user": "zoe", "channel": "post", "platforms": ("FACEBOOK",), "purposes": (AI, "ADS")}
    return lambda service: file(service, "refused", **(given | other))


async def told_in_future(service: Service) -> None:
    await decide(service, uphold=True, decided_at=await service.now() + MINUTE)


async def received_ahead(service: Service) -> None:
    await file(service, "new", "nobody", await service.now() + DAY + MINUTE)


async def planned_in_past(service: Service) -> None:
    await flags.schedule(service, (await flag_of(service, "m:1")).uid, await service.now() - 1)


def follow(model: str, step: Callable[[Service, str], Awaitable[Any]]) -> Act:
    """Take a step with the flag of a model version."""

    async def act(service: Service) -> None:
        await step(service, (await flag_of(service, model)).uid)

    return act


def no_flag(step: Callable[[Service, str], Awaitable[Any]]) -> Act:
    return lambda service: step(service, "no such flag")


async def plan(service: Service, uid: str) -> None:
    await flags.schedule(service, uid, await service.now() + DAY)


async def end(service: Service, uid: str) -> None:
    await flags.resolve(service, uid, FlagResolution.RETIRED, replacement=None, justification=None)


CONFLICT = Refused(ConflictError, "OBJECTION_CONFLICT", ("key",), "recorded with other content")
NO_OBJECTION = Refused(NotFoundError, "OBJECTION_NOT_FOUND", ("key",), "no such objection")
GROUNDS = Refused(InvalidInputError, "GROUNDS_REQUIRED", ("grounds",), "states its grounds")
TOLD = Refused(InvalidInputError, "DECIDED_AT_OUT_OF_RANGE", ("decidedAt",), "between receivedAt and now")
NO_REASON = Refused(InvalidInputError, "REASON_REQUIRED", ("reason",), "states its reason")
NO_FLAG = Refused(NotFoundError, "FLAG_NOT_FOUND", ("flag",), "no such flag")
RESOLVED = Refused(StateError, "FLAG_WRONG_STATE", ("flag",), "RESOLVED already")
REPLACEMENT = Refused(InvalidInputError, "REPLACEMENT_REQUIRED", ("replacement",), "replace")
JUSTIFICATION = Refused(InvalidInputError, "JUSTIFICATION_REQUIRED", ("justification",), "states its justification")


def decided(status: ObjectionStatus) -> Refused:
    return Refused(StateError, "OBJECTION_ALREADY_DECIDED", ("key",), f"the objection is {status} already")


def unclean(telling: str) -> Refused:
    return Refused(StateError, "REPLACEMENT_NOT_CLEAN", ("replacement",), telling)


ENDED = {"upheld": UPHELD, "refused": REFUSED, "withdrawn": WITHDRAWN}
RETRAINED, RETIRED, NOT_REQUIRED = FlagResolution.RETRAINED, FlagResolution.RETIRED, FlagResolution.NOT_REQUIRED
REFUSALS = (
    Refusal(
        "filed for no purpose",
        lambda s: file(s, "new", "nobody", purposes=()),
        Refused(InvalidInputError, "PURPOSE_REQUIRED", ("purposes",), "at least one purpose"),
    ),
    Refusal(
        "received too far ahead",
        received_ahead,
        Refused(InvalidInputError, "TIME_IN_FUTURE", ("receivedAt",), "more than 24 hours ahead"),
    ),
    Refusal("filed by another person", again(user="ana"), CONFLICT),
    Refusal("filed by a person never recorded", again(user="nobody"), CONFLICT),
    Refusal("received at another time", again(received_at=RECEIVED + 1), CONFLICT),
    Refusal("through another channel", again(channel="mail"), CONFLICT),
    Refusal("through no channel", again(channel=None), CONFLICT),
    Refusal("for other purposes", again(purposes=(AI,)), CONFLICT),
    Refusal("on other platforms", again(platforms=("FACEBOOK", "THREADS")), CONFLICT),
    Refusal("on all platforms", again(platforms=()), CONFLICT),
    Refusal("upheld and not recorded", lambda s: decide(s, "new", uphold=True), NO_OBJECTION),
    Refusal("refused and not recorded", lambda s: decide(s, "new", uphold=False, grounds="g"), NO_OBJECTION),
    Refusal("withdrawn and not recorded", lambda s: withdraw(s, "new"), NO_OBJECTION),
    Refusal("extended and not recorded", lambda s: extend(s, "new"), NO_OBJECTION),
    *(
        Refusal(f"{step} when {key}", act, decided(status))
        for key, status in ENDED.items()
        for step, act in (
            ("upheld", lambda s, key=key: decide(s, key, uphold=True)),
            ("refused", lambda s, key=key: decide(s, key, uphold=False, grounds="g")),
            ("withdrawn", lambda s, key=key: withdraw(s, key)),
            ("extended", lambda s, key=key: extend(s, key)),
        )
    ),
    Refusal("refused without grounds", lambda s: decide(s, uphold=False), GROUNDS),
    Refusal("refused with blank grounds", lambda s: decide(s, uphold=False, grounds=" \n"), GROUNDS),
    Refusal("told before receipt", lambda s: decide(s, uphold=True, decided_at=RECEIVED - 1), TOLD),
    Refusal("told in the future", told_in_future, TOLD),
    Refusal("extended for nothing", lambda s: extend(s, "o", ""), NO_REASON),
    Refusal("extended for a blank", lambda s: extend(s, "o", " \n"), NO_REASON),
    Refusal(
        "extended after the deadline",
        lambda s: extend(s, "o"),
        Refused(StateError, "DEADLINE_PASSED", ("key",), "deadline has passed"),
    ),
    Refusal("no flag to acknowledge", no_flag(flags.acknowledge), NO_FLAG),
    Refusal("no flag to plan for", no_flag(plan), NO_FLAG),
    Refusal("no flag to resolve", no_flag(end), NO_FLAG),
    Refusal("acknowledged when resolved", follow("dirty:1", flags.acknowledge), RESOLVED),
    Refusal("planned for when resolved", follow("dirty:1", plan), RESOLVED),
    Refusal("resolved when resolved", follow("dirty:1", end), RESOLVED),
    Refusal(
        "planned in the past",
        planned_in_past,
        Refused(InvalidInputError, "PLANNED_IN_PAST", ("plannedFor",), "in the past"),
    ),
    Refusal("retrained into nothing", lambda s: resolve(s, "m:1", RETRAINED), REPLACEMENT),
    Refusal("retrained into itself", lambda s: resolve(s, "m:1", RETRAINED, "m:1"), REPLACEMENT),
    Refusal("retired for another", lambda s: resolve(s, "m:1", RETIRED, "clean:1"), REPLACEMENT),
    Refusal(
        "retrained into what is not recorded",
        lambda s: resolve(s, "m:1", RETRAINED, "m:9"),
        Refused(NotFoundError, "MODEL_VERSION_NOT_FOUND", ("replacement",), "m:9 is not recorded"),
    ),
    Refusal(
        "retrained on an affected post",
        lambda s: resolve(s, "m:1", RETRAINED, "dirty:1"),
        unclean("dirty:1 is not clean of the affected posts: p -> d:1 -> r3 -> dirty:1"),
    ),
    Refusal(
        "retrained into what derives from it",
        lambda s: resolve(s, "m:1", RETRAINED, "m:2"),
        unclean("m:2 is not clean of the affected posts: p -> d:1 -> r -> m:1 -> m:2"),
    ),
    Refusal(
        "retrained on what cannot rule an affected post out",
        lambda s: resolve(s, "m:1", RETRAINED, "unknown:1"),
        unclean("unknown:1 is not clean of the affected posts: p may be held in u:1"),
    ),
    Refusal("not required, without a word", lambda s: resolve(s, "m:1", NOT_REQUIRED), JUSTIFICATION),
    Refusal("not required, with a blank", lambda s: resolve(s, "m:1", NOT_REQUIRED, None, " \n"), JUSTIFICATION),
    Refusal(
        "retired in service",
        lambda s: resolve(s, "m:2", RETIRED),
        Refused(StateError, "MODEL_IN_SERVICE", ("resolution",), "m:2 still serves feed"),
    ),
)


def test_what_is_refused_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REFUSALS:
        with subtests.test(case.name):
            run(assert_refused(service, case.act(service), case.expected))


def test_a_flag_that_is_planned_for_is_not_acknowledged_any_more(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await flagged(service)
        await follow("m:1", plan)(service)

        await assert_refused(
            service,
            follow("m:1", flags.acknowledge)(service),
            Refused(StateError, "FLAG_WRONG_STATE", ("flag",), "the flag is SCHEDULED already"),
        )

    run(scenario())


# ---- repeats --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Repeat:
    name: str
    act: Act


REPEATS = (
    Repeat("an objection", lambda s: file(s)),
    Repeat("an objection that was refused since", again()),
    Repeat("its purposes in another order", again(purposes=("ADS", AI, "ADS"))),
    Repeat("its platform named twice", again(platforms=("FACEBOOK", "FACEBOOK"))),
    Repeat("an objection by nobody", lambda s: file(s, "new", "nobody")),
    Repeat("an acknowledgement", follow("m:1", flags.acknowledge)),
)


def test_what_is_repeated_changes_nothing(service: Service, run: Run, subtests: pytest.Subtests) -> None:
    run(story(service))
    for case in REPEATS:
        with subtests.test(case.name):
            first = run(case.act(service))
            assert run(assert_unchanged(service, case.act(service))) == first


def test_an_objection_says_whether_it_is_new(service: Service, run: Run) -> None:
    command = objections.FileObjection("o", "ana", STARTED)

    assert [run(objections.file_objection(service, command))[1] for _ in range(3)] == [True, False, False]
