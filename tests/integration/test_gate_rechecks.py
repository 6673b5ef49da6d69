"""What the gate judges again before it answers: what came meanwhile, counts that are behind, runs upstream."""

from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from consentline.domain.datasets import Selection
from consentline.domain.errors import StateError
from consentline.domain.flags import FlagStatus
from consentline.domain.paging import PageRequest
from consentline.domain.training import RunStatus
from consentline.graph.session import Tx
from consentline.usecases import builds, counts, evaluation, flags, gate, training
from consentline.usecases.evaluation import Judged
from consentline.usecases.service import Service
from tests.integration.arrange import AI, STARTED, derive, policy, post, publish, record, ref, refs, train, user
from tests.integration.invariants import check_counts

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Dies = Callable[[], AbstractContextManager[None]]

NOTICE = {
    "kind": "notice",
    "key": "n",
    "version": 1,
    "purpose": AI,
    "channel": "app",
    "published_at": "2024-01-01T00:00:00Z",
}
SERVED = {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1, "served_at": "2024-01-02T00:00:00Z"}


async def authorize(service: Service, *inputs: str, run: str = "r", **more: Any) -> gate.Authorization:
    return await gate.authorize(service, gate.AuthorizeTraining(run, refs(*inputs), **more))


async def code_of(attempt: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(StateError) as refused:
        await attempt
    return refused.value.code


# ---- marks and counts ------------------------------------------------------------------------------------------------


async def served_by_a_notice_that_nothing_describes(service: Service) -> None:
    """d:1 holds a post of ana that may not be used until it is known what the notice said that she was served."""
    await record(service, policy(assessment="dpia"), user("ana"), post("p"), SERVED)
    await publish(service, "d", "p")
    assert await counts.ineligible_count(service, ref("d:1"), AI) == 1


def test_a_notice_described_while_members_are_judged_keeps_its_mark(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        await served_by_a_notice_that_nothing_describes(service)
        await record(service, policy(version=2, effective_from="2035-01-01T00:00:00Z"))  # marks the dataset
        judging = evaluation.of_dataset

        async def and_describe(*given: Any, **more: Any) -> AsyncGenerator[list[Judged]]:
            async for page in judging(*given, **more):
                yield page
            await record(service, NOTICE)

        with monkeypatch.context() as patch:
            patch.setattr(evaluation, "of_dataset", and_describe)
            await counts.refresh(service, refs("d:1"), AI)
        assert await counts.ineligible_count(service, ref("d:1"), AI) == 0

        assert (await authorize(service, "d:1")).refusals == ()
        assert (await gate.start(service, "r", None)).status is RunStatus.RUNNING
        await check_counts(service)

    run(scenario())


BEHIND = {
    "counted though it may be used": ("MATCH (d:Dataset) REMOVE d.unjudged, d.unjudged_mark", 1),
    "marked before marks could be told apart": ("MATCH (d:Dataset) REMOVE d.unjudged_mark", 0),
}


@pytest.mark.parametrize("name", BEHIND)
@pytest.mark.parametrize("asked", ["authorize", "build"])
def test_a_count_that_is_behind_is_brought_in_line_when_it_matters(
    service: Service, run: Run, asked: str, name: str
) -> None:
    left, counted = BEHIND[name]

    async def leave(tx: Tx) -> None:
        await tx.rows(left)  # pyright: ignore[reportArgumentType]

    async def scenario() -> None:
        await served_by_a_notice_that_nothing_describes(service)
        await record(service, NOTICE)
        await service.graph.write(leave)
        assert await counts.ineligible_count(service, ref("d:1"), AI) == counted

        if asked == "authorize":
            assert (await authorize(service, "d:1")).refusals == ()
        else:
            built = await builds.build(service, builds.BuildVersion("d", selection=Selection(jurisdictions=("GB",))))
            assert (built.version.post_count, built.excluded) == (1, {})
        assert await counts.ineligible_count(service, ref("d:1"), AI) == 0
        await check_counts(service)

    run(scenario())


# ---- violations upstream --------------------------------------------------------------------------------------------


@pytest.fixture
def dies(monkeypatch: pytest.MonkeyPatch) -> Dies:
    """The process ends right after a run was recorded, before its violations are counted."""

    async def nothing(*_: Any) -> None:
        pass

    @contextmanager
    def patched() -> Any:
        with monkeypatch.context() as patch:
            patch.setattr(training, "judge_runs", nothing)
            yield

    return patched


async def usable_data_and_a_tainted_base(service: Service, dies: Dies, **more: Any) -> None:
    """d:1 may be read; base:1 comes of a run that read a post of nobody, which is not counted yet."""
    await record(service, policy(notice_required=False, assessment="dpia", **more), user("ana"), post("p"))
    await publish(service, "d", "p")
    await publish(service, "bad", "never described")
    with dies():
        await train(service, "bad", "bad:1", produced="base:0", started_at=STARTED, purpose=AI)
    await derive(service, "base:1", "base:0")


async def flagged(service: Service) -> set[str]:
    page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest())
    return {flag.model_version for flag in page.items}


def test_a_base_whose_violations_are_to_be_counted_yet_does_not_pass_unseen(
    service: Service, run: Run, dies: Dies
) -> None:
    async def scenario() -> None:
        await usable_data_and_a_tainted_base(service, dies)
        assert await flagged(service) == set()

        assert await code_of(authorize(service, "d:1", started_from=("base:1",))) == "BASE_FLAGGED"

        assert await flagged(service) == {"base:0", "base:1"}
        assert (await service.lineage()).runs.keys() == {"bad"}

    run(scenario())


def test_a_generator_whose_violations_are_to_be_counted_yet_does_not_pass_unseen(
    service: Service, run: Run, dies: Dies
) -> None:
    async def scenario() -> None:
        await usable_data_and_a_tainted_base(service, dies)
        await publish(service, "made", "p", generated_by=("base:1",))

        (refusal,) = (await authorize(service, "made:1")).refusals

        assert (refusal.reason, refusal.count) == (None, 0)
        assert refusal.message == "made:1 comes of data generated by base:1, which has an open retraining flag"

    run(scenario())


def test_a_start_waits_for_violations_upstream_to_be_counted(service: Service, run: Run, dies: Dies) -> None:
    async def scenario() -> None:
        await record(service, policy(notice_required=False, assessment="dpia"), user("ana"), post("p"))
        await publish(service, "d", "p")
        await train(service, "good", "d:1", produced="base:1", purpose=AI)
        assert (await authorize(service, "d:1", started_from=("base:1",))).run is not None
        await publish(service, "bad", "never described")
        with dies():
            await train(service, "bad", "bad:1", produced="other:1", purpose=AI)
        await derive(service, "base:1", "other:1")

        with pytest.raises(StateError) as refused:
            await gate.start(service, "r", None)
        assert (refused.value.code, refused.value.path) == ("RECHECK_NEEDED", ("run",))
        assert refused.value.message.startswith("violations upstream of the run are to be counted yet")

        assert await code_of(authorize(service, "d:1", started_from=("base:1",))) == "BASE_FLAGGED"
        assert await code_of(gate.start(service, "r", None)) == "BASE_FLAGGED"

    run(scenario())


def test_what_is_to_be_counted_elsewhere_or_does_not_matter_keeps_nobody_waiting(
    service: Service, run: Run, dies: Dies
) -> None:
    async def scenario() -> None:
        await usable_data_and_a_tainted_base(service, dies, gate_flagged_bases=False)
        await train(service, "good", "d:1", produced="clean:1", purpose=AI)

        assert (await authorize(service, "d:1", run="r1", started_from=("clean:1",))).run is not None
        assert (await gate.start(service, "r1", None)).status is RunStatus.RUNNING
        assert (await authorize(service, "d:1", run="r2", started_from=("base:1",))).run is not None
        assert (await gate.start(service, "r2", None)).status is RunStatus.RUNNING

    run(scenario())


# ---- members upstream that concern what used them -------------------------------------------------------------------


def test_a_base_whose_new_upstream_was_not_looked_at_yet_does_not_pass_unseen(
    service: Service, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_: Any) -> None:
        pass

    async def scenario() -> None:
        await record(service, policy(notice_required=False, assessment="dpia"), user("ana"), post("p"), post("gone"))
        await publish(service, "d", "p")
        await publish(service, "bad", "gone")
        await record(service, {"kind": "post_deleted", "post": "gone", "valid_from": "2025-06-01T00:00:00Z"})
        with monkeypatch.context() as patch:
            patch.setattr(training, "settle_models", nothing)
            await train(service, "old", "bad:1", produced="base:0", started_at=STARTED, purpose=AI)
            await derive(service, "base:1", "base:0")
        assert await flagged(service) == set()

        assert await code_of(authorize(service, "d:1", started_from=("base:1",))) == "BASE_FLAGGED"

        assert await flagged(service) == {"base:0", "base:1"}

    run(scenario())
