"""Causes of every kind on the real graph: raised, joined and dropped by facts in any order, in time and by time."""

import asyncio
from collections.abc import Callable, Coroutine
from itertools import islice, permutations
from typing import Any

from consentline.domain.clock import due_at
from consentline.domain.flags import CAUSES_WITHDRAWN, CauseKind, FlagResolution, FlagStatus
from consentline.domain.instants import DAY, Instant, to_datetime
from consentline.graph import concerns, upper
from consentline.graph.session import Tx
from consentline.usecases import counts, flags
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep
from tests.graphs import wipe
from tests.integration.arrange import (
    AI,
    STARTED,
    allow,
    decide,
    derive,
    file,
    policy,
    post,
    publish,
    record,
    ref,
    register,
    train,
    user,
)
from tests.integration.flagging import Causes, deleted, every_flag, only_flag, open_causes, said, shown
from tests.integration.snapshots import snapshot

Run = Callable[[Coroutine[Any, Any, Any]], Any]

BEFORE, AFTER = "2024-06-01T00:00:00Z", "2025-06-01T00:00:00Z"
PAST = "2025-12-31T00:00:00Z"
IN_IE = policy(key="ie", jurisdiction="IE", lawful_basis="CONSENT", notice_required=False)


def kinds(found: Causes, model: str = "m:1") -> dict[str, int]:
    """The causes of a model version by kind, where each has one source."""
    return {kind: posts for (_, kind), posts in found.get(model, {}).items()}


async def arrange(service: Service, *posts: dict[str, Any], **run: Any) -> None:
    """m:1 was trained on the posts, which people who may be used wrote; m:tuned derives from it."""
    await allow(service, *sorted({each["author"] for each in posts}))
    await record(service, *posts)
    await publish(service, "d", *(each["key"] for each in posts))
    await train(service, "r", "d:1", produced="m:1", purpose=AI, **run)
    await derive(service, "m:tuned", "m:1")
    assert await open_causes(service) == {}


async def ineligible(service: Service, version: str = "d:1", purpose: str = AI) -> int | None:
    return await counts.ineligible_count(service, ref(version), purpose)


# ---- a post was deleted ----------------------------------------------------------------------------------------------


def test_a_deleted_post_flags_everything_that_used_it_and_may_not_be_used(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"))

        await record(service, deleted("a"))

        cause = {("a", "POST_DELETED"): 1}
        assert await open_causes(service) == {"m:1": cause, "m:tuned": cause}
        assert await ineligible(service) == 1
        flag = await only_flag(service, "m:1")
        assert flag.due_at == due_at(flag.raised_at, None, service.establishment)

        await record(service, deleted("b"), deleted("a", PAST))

        assert (await open_causes(service))["m:tuned"] == {("a", "POST_DELETED"): 1, ("b", "POST_DELETED"): 1}
        assert await only_flag(service, "m:1") == flag
        assert await ineligible(service) == 2
        assert await flags.affected_post_count(service, flag, None) == 2

    run(scenario())


def test_a_post_that_was_deleted_before_it_was_read_is_a_cause_and_a_violation(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("a"), post("b"), deleted("a", BEFORE))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1")

        assert await open_causes(service) == {"m:1": {("a", "POST_DELETED"): 1, ("r", "VIOLATION"): 1}}
        flag = await only_flag(service, "m:1")
        assert await flags.affected_post_count(service, flag, None) == 1

    run(scenario())


def test_a_post_that_nobody_described_is_a_cause_once_it_is_deleted_or_hidden(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await publish(service, "d", "gone", "hidden")
        await train(service, "r", "d:1", produced="m:1")

        await record(service, deleted("gone"), shown("hidden", "FRIENDS"))

        found = await open_causes(service)
        assert found["m:1"] == {
            ("gone", "POST_DELETED"): 1,
            ("hidden", "VISIBILITY_NARROWED"): 1,
            ("r", "VIOLATION"): 2,
        }

    run(scenario())


def test_a_deletion_that_lies_ahead_flags_when_its_time_has_come(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"))
        at = await service.now() + 1_500_000
        await record(service, deleted("a", moment(at)))
        await sweep(service)
        assert await open_causes(service) == {}

        await until(service, at)
        await sweep(service)

        assert kinds(await open_causes(service)) == {"POST_DELETED": 1}
        assert await ineligible(service) == 1

    run(scenario())


# ---- its visibility was narrowed -------------------------------------------------------------------------------------


def test_a_post_that_is_public_no_more_flags_until_it_is_public_again(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"))

        await record(service, shown("a", "FRIENDS", "2025-06-01T00:00:00Z"))

        assert (await open_causes(service))["m:1"] == {("a", "VISIBILITY_NARROWED"): 1}
        assert await ineligible(service) == 1

        await record(service, shown("a", "PUBLIC", "2025-07-01T00:00:00Z"))

        assert await open_causes(service) == {}
        first = await only_flag(service, "m:1")
        assert (first.status, first.resolution, first.justification) == (
            FlagStatus.RESOLVED,
            FlagResolution.NOT_REQUIRED,
            CAUSES_WITHDRAWN,
        )
        assert await ineligible(service) == 0

        await record(service, shown("a", "PRIVATE", "2025-08-01T00:00:00Z"))

        first, second = await every_flag(service, "m:1")
        assert (first.next, second.previous) == (second.uid, first.uid)
        assert (await open_causes(service))["m:1"] == {("a", "VISIBILITY_NARROWED"): 1}

    run(scenario())


def test_a_post_that_was_never_public_was_never_narrowed(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(service, post("a", visibility="FRIENDS"), shown("a", "PRIVATE", BEFORE))
        await publish(service, "d", "a")
        await train(service, "r", "d:1", produced="m:1")

        assert kinds(await open_causes(service)) == {"VIOLATION": 1}

    run(scenario())


def test_only_uses_while_it_was_public_count_of_a_post_that_was_not_when_published(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await allow(service, "ana")
        await record(
            service,
            post("a", visibility="FRIENDS"),
            shown("a", "PUBLIC", "2025-02-01T00:00:00Z"),
            shown("a", "FRIENDS", "2025-03-01T00:00:00Z"),
        )
        await publish(service, "d", "a")
        await train(service, "before", "d:1", produced="m:1")
        await train(service, "while", "d:1", produced="m:2", started_at=STARTED + 40 * DAY)
        await train(service, "after", "d:1", produced="m:3", started_at=STARTED + 70 * DAY)

        found = await open_causes(service)

        assert {model: kinds(found, model).keys() for model in found} == {
            "m:1": {"VIOLATION"},
            "m:2": {"VIOLATION", "VISIBILITY_NARROWED"},
            "m:3": {"VIOLATION"},
        }

    run(scenario())


# ---- its author is a minor -------------------------------------------------------------------------------------------


def test_an_author_who_turns_out_to_be_a_minor_flags_until_that_is_corrected(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"), post("of ben", "ben", depicts=["ana"]))

        await record(service, user("ana", adult_from="2030-01-01", valid_from=AFTER))

        assert (await open_causes(service))["m:1"] == {("ana", "MINOR"): 2}
        assert await ineligible(service) == 3  # one depicts a minor

        await record(service, user("ana", adult_from="1990-01-01", valid_from=PAST))

        assert await open_causes(service) == {}
        assert await ineligible(service) == 0

    run(scenario())


def test_only_posts_from_before_somebody_came_of_age_count(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b", published_at="2025-03-01T00:00:00Z"))

        await record(service, user("ana", adult_from="2025-02-01", valid_from=AFTER))

        assert (await open_causes(service))["m:1"] == {("ana", "MINOR"): 1}
        assert await flags.affected_post_count(service, await only_flag(service, "m:1"), CauseKind.MINOR) == 1

    run(scenario())


def test_a_corrected_author_takes_the_causes_along(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"), post("c", "ben"))
        await record(service, user("ana", adult_from="2030-01-01", valid_from=AFTER))
        await record(service, user("kid", adult_from="2031-01-01"))
        assert (await open_causes(service))["m:1"] == {("ana", "MINOR"): 2}

        await record(service, {"kind": "post_author", "post": "a", "author": "kid", "reason": "a shared account"})
        await record(service, {"kind": "post_author", "post": "b", "author": "ben", "reason": "a shared account"})

        found = await open_causes(service)
        assert found["m:1"] == {("kid", "MINOR"): 1, ("r", "VIOLATION"): 1}
        assert len(await every_flag(service, "m:1")) == 1

    run(scenario())


# ---- consent was withdrawn -------------------------------------------------------------------------------------------


def test_withdrawn_consent_flags_uses_for_its_purpose_until_it_is_given_again(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, IN_IE, user("eve", jurisdiction="IE"), said("eve", "GIVEN", BEFORE))
        await record(service, post("a", "eve"), post("b", "eve"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1", purpose=AI)
        await train(service, "ads", "d:1", produced="ads:1", purpose="ADS")
        await train(service, "unknown", "d:1", produced="unknown:1")
        before = await open_causes(service)

        await record(service, said("eve", "WITHDRAWN"))

        withdrawn = {("eve", "CONSENT_WITHDRAWN"): 2}
        assert await open_causes(service) == before | {"m:1": withdrawn, "unknown:1": withdrawn}
        assert await ineligible(service) == 2

        await record(service, said("eve", "GIVEN", PAST))

        assert await open_causes(service) == before
        assert await ineligible(service) == 0

    run(scenario())


def test_one_cause_a_person_whatever_the_purposes(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await record(service, IN_IE, IN_IE | {"key": "ads", "purpose": "ADS"}, user("eve", jurisdiction="IE"))
        await record(service, post("a", "eve"), post("b", "eve"))
        await publish(service, "d", "a", "b")
        await publish(service, "e", "b")
        await train(service, "r", "d:1", produced="m:1", purpose=AI)
        await train(service, "ads", "e:1", produced="m:2", purpose="ADS", started_from=("m:1",))

        await record(service, said("eve", "WITHDRAWN"), said("eve", "WITHDRAWN", purpose="ADS"))

        found = await open_causes(service)
        assert found["m:1"][("eve", "CONSENT_WITHDRAWN")] == 2
        assert found["m:2"][("eve", "CONSENT_WITHDRAWN")] == 2

    run(scenario())


def test_what_was_said_where_the_basis_is_another_flags_nothing(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"))

        await record(service, said("ana", "WITHDRAWN"))

        assert await open_causes(service) == {}

        await record(service, policy(version=2, effective_from=AFTER, lawful_basis="CONSENT", notice_required=False))

        assert (await open_causes(service))["m:1"] == {("ana", "CONSENT_WITHDRAWN"): 1}

        await record(service, policy(version=3, effective_from=PAST, notice_required=False, assessment="dpia"))

        assert await open_causes(service) == {}
        assert await ineligible(service) == 0

    run(scenario())


# ---- an assessment expired -------------------------------------------------------------------------------------------


def renewed(version: int = 2, **more: Any) -> dict[str, Any]:
    """The rules of GB with an assessment."""
    return policy(version=version, effective_from=AFTER, notice_required=False, assessment="dpia-2") | more


def test_an_expired_assessment_flags_what_used_anything_it_covers_until_it_is_renewed(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"), post("c", "ben"))
        await record(service, user("ben", jurisdiction="IE", valid_from=AFTER))
        await publish(service, "d", "a", "c")
        await train(service, "r2", "d:2", produced="m:2", purpose=AI, started_from=("m:1",), started_at=STARTED)
        await train(service, "ads", "d:2", produced="ads:1", purpose="ADS")
        before = await open_causes(service)

        await record(service, renewed(assessment_expires=PAST))

        expired = {("gb:2", "ASSESSMENT_EXPIRED"): 2}
        assert await open_causes(service) == before | {"m:1": expired, "m:tuned": expired, "m:2": expired}
        assert (await ineligible(service), await ineligible(service, "d:2")) == (3, 2)
        flag = (await every_flag(service, "m:2"))[-1]
        assert await flags.affected_post_count(service, flag, None) == 2

        await record(service, renewed(3))

        assert await open_causes(service) == before
        assert (await ineligible(service), await ineligible(service, "d:2")) == (1, 1)

    run(scenario())


def test_people_and_posts_that_come_and_go_change_how_many_an_expired_assessment_concerns(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"), post("c", "ben"), post("d", "cleo"))
        await record(service, renewed(assessment_expires=PAST))
        assert kinds(await open_causes(service)) == {"ASSESSMENT_EXPIRED": 4}

        await record(service, user("ana", jurisdiction="IE", valid_from=AFTER))
        assert kinds(await open_causes(service)) == {"ASSESSMENT_EXPIRED": 2}

        await record(service, {"kind": "post_author", "post": "c", "author": "ana", "reason": "hers"})
        assert kinds(await open_causes(service)) == {"ASSESSMENT_EXPIRED": 1}

        await publish(service, "d", "b", "d")
        await publish(service, "late", "d")
        await train(service, "again", "d:2", "late:1", produced="m:2", purpose=AI)
        assert kinds(await open_causes(service), "m:2")["ASSESSMENT_EXPIRED"] == 1

        await record(service, user("ana", valid_from=PAST))
        assert kinds(await open_causes(service)) == {"ASSESSMENT_EXPIRED": 4}
        assert kinds(await open_causes(service), "m:2")["ASSESSMENT_EXPIRED"] == 2

        await register(service, "d")
        await train(service, "old", "d:1", produced="m:3", purpose=AI)
        assert kinds(await open_causes(service), "m:3")["ASSESSMENT_EXPIRED"] == 4

    run(scenario())


def test_an_assessment_that_expires_by_time_flags_when_it_is_swept(service: Service, run: Run) -> None:
    async def scenario() -> None:
        at = await service.now() + 2_500_000
        await allow(service, "ana", assessment_expires=moment(at))
        await record(service, post("a"), post("b"))
        await publish(service, "d", "a", "b")
        await train(service, "r", "d:1", produced="m:1", purpose=AI)
        assert await open_causes(service) == {}

        await until(service, at)
        await sweep(service)

        assert await open_causes(service) == {"m:1": {("gb:1", "ASSESSMENT_EXPIRED"): 2}}

        before = await snapshot(service)
        await sweep(service)
        assert (await snapshot(service)).nodes == before.nodes

    run(scenario())


# ---- together --------------------------------------------------------------------------------------------------------


def test_one_flag_gathers_causes_of_every_kind_and_is_due_when_the_first_of_them_is(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"), post("c", "ben"), post("d", "cleo"))
        received = await service.now() - 20 * DAY

        await record(service, deleted("a"))
        first = await only_flag(service, "m:1")
        await file(service, "o", "ana", received)
        await record(service, shown("b", "PRIVATE"), user("ben", adult_from="2030-01-01", valid_from=AFTER))
        await record(service, renewed(assessment_expires=PAST))

        flag = await only_flag(service, "m:1")
        assert (await open_causes(service))["m:1"] == {
            ("a", "POST_DELETED"): 1,
            ("b", "VISIBILITY_NARROWED"): 1,
            ("ben", "MINOR"): 1,
            ("gb:2", "ASSESSMENT_EXPIRED"): 4,
            ("o", "OBJECTION"): 2,
        }
        assert (flag.uid, flag.due_at) == (first.uid, due_at(received, "GB-ENG", service.establishment))
        assert await flags.affected_post_count(service, flag, None) == 4
        assert await flags.affected_post_count(service, flag, CauseKind.POST_DELETED) == 1
        assert await ineligible(service) == 4

        await decide(service, "o", uphold=False, grounds="compelling")

        flag = await only_flag(service, "m:1")
        assert flag.due_at == first.due_at
        assert "OBJECTION" not in kinds(await open_causes(service))

    run(scenario())


def test_a_flag_that_loses_its_cause_and_gains_another_in_one_step_stays_the_same(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"))
        await record(service, renewed(lawful_basis="CONSENT"), said("ana", "WITHDRAWN"))
        flag = await only_flag(service, "m:1")
        assert kinds(await open_causes(service)) == {"CONSENT_WITHDRAWN": 1}

        await record(service, renewed(3, assessment_expires=PAST))

        assert kinds(await open_causes(service)) == {"ASSESSMENT_EXPIRED": 1}
        assert (await only_flag(service, "m:1")).uid == flag.uid

        await record(service, user("ana", jurisdiction="IE", valid_from=AFTER))

        assert (await only_flag(service, "m:1")).status is FlagStatus.RESOLVED

    run(scenario())


# ---- the order of recording ------------------------------------------------------------------------------------------


def test_whatever_the_order_of_recording_the_flags_and_counts_are_the_same(service: Service, run: Run) -> None:
    async def delete(number: int) -> None:
        await record(service, deleted("a"))

    async def hide(number: int) -> None:
        await record(service, shown("b", "FRIENDS"))

    async def turn_out_young(number: int) -> None:
        await record(service, user("kid", adult_from="2030-01-01"))

    async def withdraw(number: int) -> None:
        await record(service, said("eve", "WITHDRAWN"))

    async def read(number: int) -> None:
        await train(service, "r", "d:1", produced="m:1", purpose=AI)
        await derive(service, "m:tuned", "m:1")

    async def scenario() -> None:
        outcomes: dict[str, list[str]] = {}
        for steps in islice(permutations((delete, hide, turn_out_young, withdraw, read)), 0, None, 7):
            await wipe(service)
            await allow(service, "ana")
            await record(service, IN_IE, renewed(assessment_expires=PAST), user("eve", jurisdiction="IE"))
            await record(service, post("a"), post("b"), post("c", "kid"), post("d", "eve"))
            await publish(service, "d", "a", "b", "c", "d")
            for number, step in enumerate(steps):
                await step(number)
            found = await open_causes(service)
            affected = [await flags.affected_post_count(service, flag, None) for flag in await every_flag(service)]
            outcome = repr((sorted((model, sorted(each.items())) for model, each in found.items()), affected))
            outcomes.setdefault(outcome + repr(await ineligible(service)), []).append(
                " ".join(step.__name__ for step in steps)
            )
        assert len(outcomes) == 1, {outcome: orders[:3] for outcome, orders in outcomes.items()}
        assert found["m:1"] == {
            ("a", "POST_DELETED"): 1,
            ("b", "VISIBILITY_NARROWED"): 1,
            ("kid", "MINOR"): 1,
            ("eve", "CONSENT_WITHDRAWN"): 1,
            ("gb:2", "ASSESSMENT_EXPIRED"): 3,
            ("r", "VIOLATION"): 2,
        }

    run(scenario())


# ---- what is worked off later ----------------------------------------------------------------------------------------


def test_members_that_concern_a_new_model_version_are_found_when_whoever_recorded_it_died(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b", "ben"))
        await record(service, deleted("a"), user("ben", adult_from="2030-01-01", valid_from=AFTER))
        wanted = await open_causes(service)
        await forget_flags(service)
        assert await open_causes(service) == {}

        async def mark(tx: Tx) -> None:
            await upper.lock(tx)
            await concerns.mark_unsettled(tx, "m:1")

        await service.graph.write(mark)
        await asyncio.gather(*(sweep(service) for _ in range(3)))

        assert await open_causes(service) == wanted
        assert await service.graph.read(concerns.unsettled) == {}

    run(scenario())


def test_a_flag_that_may_get_another_cause_waits_for_what_is_to_be_judged(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await arrange(service, post("a"), post("b"))
        await file(service, "o", "ana")
        await record(service, deleted("a"))

        async def forget_and_mark(tx: Tx) -> None:
            await upper.lock(tx)
            await tx.rows("MATCH ()-[c:CAUSED_BY {kind: 'POST_DELETED'}]->() DELETE c")
            await concerns.mark_unsettled(tx, "m:1")

        await service.graph.write(forget_and_mark)

        await decide(service, "o", uphold=False, grounds="compelling")

        assert await open_causes(service) == {"m:1": {}, "m:tuned": {}}
        flag = await only_flag(service, "m:1")
        assert flag.status is FlagStatus.OPEN

        await sweep(service)

        assert (await open_causes(service))["m:1"] == {("a", "POST_DELETED"): 1}
        assert (await only_flag(service, "m:1")).uid == flag.uid

    run(scenario())


async def forget_flags(service: Service) -> None:
    async def work(tx: Tx) -> None:
        await tx.rows("MATCH (f:RetrainingFlag) DETACH DELETE f")

    await service.graph.write(work)


def moment(at: Instant) -> str:
    return to_datetime(at).isoformat()


async def until(service: Service, at: Instant) -> None:
    while await service.now() < at:  # noqa: ASYNC110 - nobody tells when a time has come
        await asyncio.sleep(0.1)
