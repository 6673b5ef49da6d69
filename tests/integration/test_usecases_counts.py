"""Counts of ineligible members: kept by every fact in whatever order, exact again after time and policies passed."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from consentline.domain.datasets import Coverage
from consentline.domain.instants import to_datetime
from consentline.graph import upper
from consentline.graph.session import Tx
from consentline.usecases import counts, objections
from consentline.usecases.counts import Standing
from consentline.usecases.service import Service
from tests.integration.arrange import (
    AI,
    add,
    decide,
    file,
    policy,
    post,
    publish,
    record,
    ref,
    register,
    remove,
    seal,
    train,
    user,
    withdraw_version,
)
from tests.integration.invariants import check_counts

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ALLOWING = policy(notice_required=False, assessment="dpia-1")


async def count(service: Service, version: str, purpose: str = AI) -> int | None:
    return await counts.ineligible_count(service, ref(version), purpose)


async def stored(service: Service, version: str, purpose: str = AI) -> counts.Standing:
    async def read(tx: Tx) -> counts.Standing:
        now = await upper.now(tx)
        lineage = await service.lineages.at(now.revision)
        return await counts.standing(tx, lineage, ref(version), purpose, now.instant)

    return await service.graph.read(read)


async def arrange(service: Service) -> None:
    """Ana's three posts and ben's two in version 1; all may be used."""
    await record(service, ALLOWING, user("ana"), user("ben"))
    await record(service, *(post(f"a{i}") for i in range(3)), *(post(f"b{i}", "ben") for i in range(2)))
    await publish(service, "d", "a0", "a1", "a2", "b0", "b1")
    assert await stored(service, "d:1") == Standing(0, exact=True)


def test_a_version_without_ineligible_members_counts_none(run: Run, service: Service) -> None:
    run(arrange(service))

    assert run(count(service, "d:1")) == 0


def test_an_objection_counts_the_persons_posts_until_it_is_refused(run: Run, service: Service) -> None:
    run(arrange(service))

    run(file(service))
    pending = run(stored(service, "d:1"))
    run(decide(service, uphold=False, grounds="compelling"))

    assert pending == Standing(3, exact=True)
    assert run(stored(service, "d:1")) == Standing(0, exact=True)
    run(check_counts(service))


def test_a_withdrawn_objection_counts_no_longer(run: Run, service: Service) -> None:
    run(arrange(service))
    run(file(service, platforms=("FACEBOOK",)))
    pending = run(stored(service, "d:1"))

    run(objections.withdraw_objection(service, "o"))

    assert (pending.count, run(stored(service, "d:1")).count) == (3, 0)
    run(check_counts(service))


def test_an_objection_on_another_platform_or_purpose_counts_nothing(run: Run, service: Service) -> None:
    run(arrange(service))

    run(file(service, "o1", platforms=("THREADS",)))
    run(file(service, "o2", purposes=("ADS",)))

    assert run(stored(service, "d:1")) == Standing(0, exact=True)
    run(check_counts(service))


def test_an_upheld_objection_goes_on_counting(run: Run, service: Service) -> None:
    run(arrange(service))
    run(file(service))

    run(decide(service, uphold=True))

    assert run(stored(service, "d:1")) == Standing(3, exact=True)


FACTS: list[tuple[str, dict[str, Any], int]] = [
    ("a deletion", {"kind": "post_deleted", "post": "a0", "valid_from": "2025-01-01T00:00:00Z"}, 1),
    (
        "a narrowed visibility",
        {"kind": "visibility", "post": "b0", "visibility": "FRIENDS", "valid_from": "2025-01-01T00:00:00Z"},
        1,
    ),
    ("special category data", post("a1", special_category=True), 1),
    ("another author", {"kind": "post_author", "post": "a2", "author": "nobody", "reason": "a mistake"}, 1),
    ("a move to where no policy is", user("ben", jurisdiction="FR", valid_from="2025-01-01T00:00:00Z"), 2),
    ("an age that becomes unknown", user("ben", adult_from=None, valid_from="2025-01-01T00:00:00Z"), 2),
]


@pytest.mark.parametrize(("fact", "expected"), [case[1:] for case in FACTS], ids=[case[0] for case in FACTS])
def test_every_fact_about_a_member_changes_the_count(
    run: Run, service: Service, fact: dict[str, Any], expected: int
) -> None:
    run(arrange(service))

    run(record(service, fact))

    assert run(stored(service, "d:1")) == Standing(expected, exact=True)
    run(check_counts(service))


def test_a_depicted_persons_objection_and_minority_count(run: Run, service: Service) -> None:
    run(arrange(service))
    run(record(service, user("kid", adult_from="2030-01-01"), user("dee"), post("a0", depicts=["kid", "dee"])))
    run(record(service, post("b0", "ben", depicts=["dee"])))

    minor = run(stored(service, "d:1"))
    run(file(service, "o", "dee"))

    assert minor == Standing(1, exact=True)
    assert run(stored(service, "d:1")) == Standing(2, exact=True)
    run(check_counts(service))


def test_a_member_known_by_key_only_counts_until_it_is_described(run: Run, service: Service) -> None:
    run(arrange(service))
    run(publish(service, "e", "later"))
    before = run(stored(service, "e:1"))

    run(record(service, post("later")))

    assert (before, run(stored(service, "e:1"))) == (Standing(1, exact=True), Standing(0, exact=True))
    run(check_counts(service))


def test_notices_and_consent_count(run: Run, service: Service) -> None:
    rules = policy(lawful_basis="CONSENT")
    run(record(service, rules, user("ana"), post("a0")))
    run(publish(service, "d", "a0"))
    notice = {"kind": "notice", "key": "n", "version": 1, "purpose": AI, "channel": "app"}
    served = {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1, "served_at": "2024-02-01T00:00:00Z"}
    said = {"kind": "consent", "user": "ana", "purpose": AI, "status": "GIVEN", "valid_from": "2024-02-02T00:00:00Z"}
    seen: list[int | None] = []

    for fact in (notice | {"published_at": "2024-01-01T00:00:00Z"}, served, said):
        run(record(service, fact))
        seen.append(run(count(service, "d:1")))
    run(record(service, said | {"status": "WITHDRAWN", "valid_from": "2025-02-02T00:00:00Z"}))

    assert seen == [1, 1, 0]
    assert run(count(service, "d:1")) == 1
    run(check_counts(service))


def test_a_notice_described_after_it_was_served_has_members_judged_again(run: Run, service: Service) -> None:
    run(record(service, policy(assessment="dpia-1"), user("ana"), post("a0")))
    run(publish(service, "d", "a0"))
    served = {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1, "served_at": "2024-02-01T00:00:00Z"}
    run(record(service, served))
    before = run(count(service, "d:1"))

    run(
        record(
            service,
            {"kind": "notice", "key": "n", "version": 1, "purpose": AI, "channel": "app"}
            | {"published_at": "2024-01-01T00:00:00Z"},
        )
    )

    assert (before, run(count(service, "d:1"))) == (1, 0)
    assert not run(stored(service, "d:1")).exact
    run(counts.refresh(service, [ref("d:1")], AI))
    assert run(stored(service, "d:1")) == Standing(0, exact=True)
    run(check_counts(service))


def test_a_policy_touches_no_post_and_refresh_makes_counts_exact_again(run: Run, service: Service) -> None:
    run(arrange(service))
    stricter = ALLOWING | {"version": 2, "effective_from": "2021-01-01T00:00:00Z", "platforms": ["THREADS"]}

    run(record(service, stricter))
    behind = run(stored(service, "d:1"))
    answered = run(count(service, "d:1"))
    run(counts.refresh(service, [ref("d:1")], AI))

    assert behind == Standing(0, exact=False)
    assert answered == 5
    assert run(stored(service, "d:1")) == Standing(5, exact=True)
    run(check_counts(service))


def test_for_a_purpose_without_a_policy_no_member_may_be_used(run: Run, service: Service) -> None:
    run(arrange(service))

    assert run(count(service, "d:1", "ADS")) == 5


def test_versions_count_what_they_hold(run: Run, service: Service) -> None:
    run(arrange(service))
    run(file(service, "o", "ben"))
    run(publish(service, "d", "a0", "b0", "b1"))
    run(publish(service, "d", "a0", "b1"))
    run(register(service, "d", based_on=1))
    run(remove(service, "d:4", "b0"))
    run(add(service, "d:4", "new"))
    run(seal(service, "d:4"))

    assert [run(count(service, f"d:{number}")) for number in range(1, 5)] == [2, 2, 1, 2]
    run(check_counts(service))
    run(register(service, "d"))
    run(seal(service, "d:5"))
    assert run(count(service, "d:5")) == 0
    run(check_counts(service))


def test_a_withdrawn_version_keeps_its_count_and_others_have_none(run: Run, service: Service) -> None:
    run(arrange(service))
    run(file(service))
    run(withdraw_version(service, "d:1"))
    run(register(service, "x", Coverage.UNDOCUMENTED))
    run(register(service, "d", based_on=1))

    assert run(count(service, "d:1")) == 3
    assert run(count(service, "x:1")) is None
    assert run(count(service, "d:2")) is None


def test_what_time_changes_is_due_and_judged_again(run: Run, service: Service) -> None:
    run(record(service, policy(objection_window_days=30, assessment="x"), user("ana"), post("a0")))
    notice = {"kind": "notice", "key": "n", "version": 1, "purpose": AI, "channel": "app"}
    run(record(service, notice | {"published_at": "2024-01-01T00:00:00Z"}))
    now = run(service.now())
    window_ends_soon = now - 30 * 86_400_000_000 + 1_500_000
    served = {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1}
    run(publish(service, "d", "a0"))

    run(record(service, served | {"served_at": to_datetime(window_ends_soon).isoformat()}))
    before = run(stored(service, "d:1"))
    run(asyncio.sleep(1.6))

    assert before == Standing(1, exact=True)
    assert run(stored(service, "d:1")) == Standing(1, exact=False)
    assert run(count(service, "d:1")) == 0
    run(counts.refresh(service, [ref("d:1")], AI))
    assert run(stored(service, "d:1")) == Standing(0, exact=True)
    run(check_counts(service))


def test_members_and_facts_that_race_end_with_exact_counts(run: Run, service: Service) -> None:
    people = [f"u{i}" for i in range(6)]

    async def round_of(number: int) -> None:
        dataset = f"r{number}"
        await record(service, *(post(f"{dataset}-{who}", who) for who in people))
        facts = [
            record(service, {"kind": "post_deleted", "post": f"{dataset}-u0", "valid_from": "2025-01-01T00:00:00Z"}),
            record(service, user("u1", jurisdiction="FR", valid_from=f"2025-01-01T00:00:{number:02}Z")),
            file(service, f"o{number}", "u2"),
            record(service, {"kind": "post_author", "post": f"{dataset}-u3", "author": "u2", "reason": "x"}),
            record(service, post(f"{dataset}-bare", "u4", special_category=True)),
            record(service, post(f"{dataset}-u5", "u5", depicts=["u2"])),
            publish(service, dataset, *(f"{dataset}-{who}" for who in people), f"{dataset}-bare"),
        ]
        random.shuffle(facts)
        await asyncio.gather(*facts)

    run(record(service, ALLOWING, *(user(who) for who in people)))
    for number in range(12):
        run(round_of(number))

    run(check_counts(service))


def test_many_facts_in_a_batch_are_recorded_in_halves(
    run: Run, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consentline.usecases.rejudging.MOST_AT_ONCE", 2)
    run(arrange(service))

    run(record(service, user("ana", jurisdiction="FR", valid_from="2025-01-01T00:00:00Z"), user("ben"), user("cec")))

    assert run(stored(service, "d:1")) == Standing(3, exact=True)


def test_what_a_run_read_is_counted_as_before(run: Run, service: Service) -> None:
    run(arrange(service))
    run(train(service, "t", "d:1", produced="m:1"))

    run(file(service))

    assert run(stored(service, "d:1")) == Standing(3, exact=True)
    run(check_counts(service))
