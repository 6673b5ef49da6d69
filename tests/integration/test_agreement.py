"""The product and the oracle agree, whatever was recorded in whatever order, now and as known before."""

import asyncio
import dataclasses
from bisect import bisect_left
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from consentline.domain.paging import PageRequest
from consentline.usecases import objections, person_usage
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration import asking, replay, stored
from tests.integration.replay import Applied
from tests.oracle import (
    ACCEPTED,
    ANY,
    REFUSED,
    UNCHANGED,
    Consent,
    Oracle,
    PostUsage,
    Step,
    instant,
    micros,
)
from tests.scenarios import PEOPLE, POSTS, PURPOSES, Scenario, questions, scenarios, with_times

EARLIER = micros("2024-03-15T00:00:00Z")  # between servings
Run = Callable[[Coroutine[Any, Any, None]], None]


@settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(scenario=scenarios())
def test_every_scenario_is_answered_as_the_oracle_answers_it(scenario: Scenario, service: Service, run: Run) -> None:
    run(compare(service, scenario))


async def compare(service: Service, scenario: Scenario) -> None:
    await wipe(service)
    both = Both(service, await service.now())
    for number, step in enumerate(scenario.steps):
        await both.apply(number, step)
    oracle, moments = both.oracle, both.moments
    if not moments:
        return
    await compare_answers(service, oracle, scenario, moments[-1], now=True)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 2], now=False)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 4], now=False)
    for known_at in (moments[-1], moments[len(moments) // 2], moments[len(moments) // 4]):
        await compare_consent(both, scenario, known_at)
        await compare_notices(service, oracle, moments[-1], known_at)
    await compare_history(both)
    await compare_flags(service, oracle)
    await compare_objections(service, oracle, moments[-1])
    await compare_gate(service, oracle, moments[-1])
    await stored.check(service, oracle, moments[-1])


class Both:
    """The product and the oracle, told the same."""

    def __init__(self, service: Service, began: int) -> None:
        self.service, self.oracle, self._began = service, Oracle(), began
        self.moments: list[int] = []
        self._authorized: dict[str, int] = {}  # run: the moment after it was last authorised
        self._may_be_behind: set[str] = set()  # runs; a policy or a notice came since their inputs were judged

    async def apply(self, number: int, told: Step) -> None:
        """Apply one step to both and compare what came of it."""
        step = with_times(told, self._authorized)
        found = await replay.apply(self.service, step)
        self.moments.append(await self.service.now())
        if found.code == "RECHECK_NEEDED":
            assert not isinstance(step, Mapping)
            assert step[1]["run"] in self._may_be_behind, f"step {number}: {step}"
            return
        outcome = self.oracle.apply(as_it_happened(step, found), self.moments[-1])
        if not isinstance(step, Mapping):
            outcome = ACCEPTED if outcome == UNCHANGED else outcome
        wanted = (outcome, self._wanted_code(found))
        assert (found.outcome, found.code) == wanted, f"step {number}: {step}: {found}, not {wanted}"
        self._compare_details(step, found)
        self._follow(step, outcome)

    def moment(self, instant: int | None) -> int | None:
        """The instant as the oracle tells it: what is dated while a step is taken, by the moment after it."""
        if instant is None or not self._began < instant <= self.moments[-1]:
            return instant
        return self.moments[bisect_left(self.moments, instant)]

    def consent(self, state: Consent) -> Consent:
        """The state with its times as the oracle tells them."""
        moments = {"valid_from": self.moment(state.valid_from), "recorded_at": self.moment(state.recorded_at)}
        return dataclasses.replace(state, **moments)

    def _wanted_code(self, found: Applied) -> str | None:
        """That of the product, where the rules give it among others, or none; records tell none."""
        codes = self.oracle.codes
        if found.code is None or found.code in codes or ANY in codes or not codes:
            return found.code
        return " or ".join(sorted(codes))

    def _compare_details(self, step: Step, found: Applied) -> None:
        oracle = self.oracle
        unreadable = {version for version, reason, _, _ in found.refusals if reason is None}
        # The rules leave open whether members of a version that cannot be read anyway are listed too.
        wanted = {each for each in oracle.refusals if each[1] is None or each[0] not in unreadable}
        names = asking.names_of(self.service, oracle)
        told = {(*each[:3], tuple(sorted(names.get(post, post) for post in each[3]))) for each in found.refusals}
        assert {each for each in told if each[1] is None or each[0] not in unreadable} == wanted, step
        assert found.excluded == oracle.excluded, step
        assert found.affected == (oracle.affected if found.outcome == ACCEPTED else None), step
        if found.code == "REPLACEMENT_NOT_CLEAN":
            named = {post for post in POSTS if post in found.message}
            assert named <= set(oracle.offending), (step, found.message)
        if found.post_count is not None:
            built = max(each for each in oracle.versions if each[0] == step[1]["dataset"])
            assert found.post_count == len(oracle.versions[built].members), step

    def _follow(self, step: Step, outcome: str) -> None:
        if isinstance(step, Mapping):
            if step["kind"] in ("policy", "notice") and outcome == ACCEPTED:
                purpose = step["purpose"]
                self._may_be_behind |= {key for key, run in self.oracle.runs.items() if run.purpose == purpose}
        elif step[0] == "authorizeTraining":
            if outcome != REFUSED or self.oracle.refusals:
                self._may_be_behind.discard(step[1]["run"])
            if outcome != REFUSED:
                self._authorized[step[1]["run"]] = self.moments[-1]


def as_it_happened(step: Step, found: Applied) -> Step:
    """A start without a time with the one that it got."""
    if found.started_at is None or isinstance(step, Mapping):
        return step
    return (step[0], {**step[1], "startedAt": instant(found.started_at).isoformat()})


async def compare_flags(service: Service, oracle: Oracle) -> None:
    found, wanted = await asking.open_flags(service, asking.names_of(service, oracle)), oracle.flags()
    assert found == {model: dataclasses.replace(flag, raised_at=0) for model, flag in wanted.items()}
    resolved = sorted(
        (flag.model_version, flag.number, flag.resolution, flag.justification, flag.replacement)
        for flag in oracle.resolved_flags
    )
    assert await asking.resolved_flags(service) == resolved
    assert await asking.retired(service) == oracle.retired
    for key in oracle.erasures:
        assert await asking.erasure(service, key) == oracle.erasure(key), key


async def compare_gate(service: Service, oracle: Oracle, now: int) -> None:
    wanted = {
        key: (run.status, run.purpose, run.inputs, run.started_from, run.started_at, run.produced, run.gated)
        for key, run in oracle.runs.items()
    }
    assert await asking.run_states(service) == wanted
    for (version, purpose), count in (await asking.ineligible_counts(service, PURPOSES)).items():
        assert count == oracle.ineligible_count(version, purpose, now), (version, purpose)


async def compare_objections(service: Service, oracle: Oracle, now: int) -> None:
    for key in oracle.objections:
        wanted = oracle.objection(key)
        assert await asking.objection(service, key) == wanted, key
        found = await objections.find_objection(service, key)
        assert found is not None
        for moment in (now, found.due_at, found.due_at + 1, *((found.extended_to or 0) + late for late in (0, 1))):
            assert found.overdue(moment) == wanted.overdue(moment), (key, moment)
    page = await objections.list_objections(service, None, True, PageRequest(first=100))
    names = asking.names_of(service, oracle)
    assert {names.get(each.key, each.key) for each in page.items} == {
        key for key in oracle.objections if oracle.objection(key).overdue(now)
    }


async def compare_history(both: "Both") -> None:
    for user in PEOPLE:
        for purpose in PURPOSES:
            history = await asking.consent_history(both.service, user, purpose)
            assert list(map(both.consent, history)) == both.oracle.consent_history(user, purpose), (user, purpose)


async def compare_consent(both: "Both", scenario: Scenario, known_at: int) -> None:
    asked = questions(scenario)
    for user in PEOPLE:
        for purpose, text in zip(asked.purposes, asked.ats[::4], strict=False):
            at = known_at if text is None else asking.moment(text)
            assert at is not None
            found = await asking.consent_of(both.service, user, purpose, at, known_at)
            assert both.consent(found) == both.oracle.consent(user, purpose, at, known_at), (user, purpose, text)


async def compare_notices(service: Service, oracle: Oracle, now: int, known_at: int) -> None:
    for (key, version), (recorded, _) in oracle.policies.items():
        if recorded > known_at:
            continue
        for at in (now, EARLIER):
            question = (key, version, at, known_at)
            assert await asking.notice_coverage(service, *question) == oracle.notice_coverage(*question), question
            assert await asking.to_be_served(service, *question) == oracle.to_be_served(*question), question


async def compare_answers(service: Service, oracle: Oracle, scenario: Scenario, known_at: int, *, now: bool) -> None:
    asked = questions(scenario)
    for user in PEOPLE:
        found = await person_usage.user_usage(service, user, known_at)
        assert str(found.verdict) == oracle.user_usage(user, known_at), user
    evaluator = await asking.Evaluator.read(service, asked.posts)
    # All at once: questions that wait for each other share a statement.
    usages = await asyncio.gather(*(asking.post_usage(service, post, known_at) for post in asked.posts))
    for number, (post, (usage, at_use)) in enumerate(zip(asked.posts, usages, strict=True)):
        expected = oracle.post_usage(post, known_at)
        uses = sorted(expected.uses, key=repr)
        wanted = PostUsage(expected.verdict, uses, expected.held_in, expected.undocumented)
        assert usage == wanted, post
        for use, reasons in at_use.items():
            assert reasons == oracle.eligibility_at_use(post, use, known_at).reasons, (post, use)
        for purpose in asked.purposes:
            for text in asked.ats:
                at = known_at if text is None else asking.moment(text)
                reasons = oracle.eligibility(post, purpose, at, known_at).reasons
                assert evaluator.reasons(post, purpose, at, known_at) == reasons, (post, purpose, text)
        if now:
            purpose = asked.purposes[number % len(asked.purposes)]
            found = await asking.reasons(service, post, purpose, known_at, known_at)
            assert found == oracle.eligibility(post, purpose, known_at, known_at).reasons or not oracle.describes(post)
