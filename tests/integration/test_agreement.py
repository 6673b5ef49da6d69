"""The product and the oracle agree, whatever was recorded in whatever order, now and as known before."""

import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from consentline.usecases import consent, person_usage
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration import replay
from tests.oracle import Oracle, PostUsage
from tests.scenarios import PEOPLE, Scenario, questions, scenarios

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
    oracle = Oracle()
    moments: list[int] = []
    for number, step in enumerate(scenario.steps):
        outcome = await replay.apply(service, step)
        moments.append(await service.now())
        expected = oracle.apply(step, moments[-1])
        if not isinstance(step, Mapping):
            expected = replay.ACCEPTED if expected == replay.UNCHANGED else expected
        assert outcome == expected, f"step {number}: {step}"
    if not moments:
        return
    await compare_answers(service, oracle, scenario, moments[-1], now=True)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 2], now=False)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 4], now=False)
    found, wanted = await replay.open_flags(service), oracle.flags()
    assert found == {model: dataclasses.replace(flag, raised_at=0) for model, flag in wanted.items()}
    resolved = sorted((flag.model_version, flag.resolution, flag.justification) for flag in oracle.resolved_flags)
    assert await replay.resolved_flags(service) == resolved
    for key in oracle.objections:
        assert await replay.objection(service, key) == oracle.objection(key), key


async def compare_answers(service: Service, oracle: Oracle, scenario: Scenario, known_at: int, *, now: bool) -> None:
    asked = questions(scenario)
    for user in PEOPLE:
        found = await person_usage.user_usage(service, user, known_at)
        assert str(found.verdict) == oracle.user_usage(user, known_at), user
        for purpose, text in zip(asked.purposes, asked.ats[::4], strict=False):
            at = known_at if text is None else replay.moment(text)
            state = await consent.find_consent(service, user, purpose, at, known_at)
            wanted_state = oracle.consent(user, purpose, at, known_at)
            assert (state.status, state.lawful_basis) == (wanted_state.status, wanted_state.lawful_basis), user
    evaluator = await replay.Evaluator.read(service, asked.posts)
    for number, post in enumerate(asked.posts):
        expected = oracle.post_usage(post, known_at)
        uses = sorted(expected.uses, key=repr)
        wanted = PostUsage(expected.verdict, uses, expected.held_in, expected.undocumented)
        assert await replay.post_usage(service, post, known_at) == wanted, post
        for purpose in asked.purposes:
            for text in asked.ats:
                at = known_at if text is None else replay.moment(text)
                reasons = oracle.eligibility(post, purpose, at, known_at).reasons
                assert evaluator.reasons(post, purpose, at, known_at) == reasons, (post, purpose, text)
        if now:
            purpose = asked.purposes[number % len(asked.purposes)]
            found = await replay.reasons(service, post, purpose, known_at, known_at)
            assert found == oracle.eligibility(post, purpose, known_at, known_at).reasons or not oracle.describes(post)
