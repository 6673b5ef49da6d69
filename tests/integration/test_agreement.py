"""The product and the oracle agree, whatever was recorded in whatever order, now and as known before."""

import dataclasses
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from consentline.usecases import consent, person_usage
from consentline.usecases.service import Service
from tests.graphs import wipe
from tests.integration import asking, replay, stored
from tests.integration.replay import Applied
from tests.oracle import ACCEPTED, ANY, CAUSE_KINDS, REFUSED, UNCHANGED, Oracle, PostUsage, Step, instant, micros
from tests.scenarios import PEOPLE, POSTS, PURPOSES, Scenario, questions, scenarios, with_times

EARLIER = micros("2024-03-15T00:00:00Z")  # between servings
COVERED_KINDS = frozenset(CAUSE_KINDS) - {"ERASURE"}  # causes that the product knows
NOT_YET = frozenset({"requestErasure", "confirmErasure", "rejectErasure"})  # steps that are left out
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
    both = Both(service)
    for number, step in enumerate(scenario.steps):
        if isinstance(step, Mapping) or step[0] not in NOT_YET:
            await both.apply(number, step)
    oracle, moments = both.oracle, both.moments
    if not moments:
        return
    await compare_answers(service, oracle, scenario, moments[-1], now=True)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 2], now=False)
    await compare_answers(service, oracle, scenario, moments[len(moments) // 4], now=False)
    await compare_flags(service, oracle)
    await compare_gate(service, oracle, moments[-1])
    await compare_notices(service, oracle, moments[-1])
    await stored.check(service, oracle, moments[-1])


class Both:
    """The product and the oracle, told the same."""

    def __init__(self, service: Service) -> None:
        self.service, self.oracle = service, Oracle(kinds=COVERED_KINDS)
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
        assert {each for each in found.refusals if each[1] is None or each[0] not in unreadable} == wanted, step
        assert found.excluded == oracle.excluded, step
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
            self._may_be_behind.discard(step[1]["run"])
            if outcome != REFUSED:
                self._authorized[step[1]["run"]] = self.moments[-1]


def as_it_happened(step: Step, found: Applied) -> Step:
    """A start without a time with the one that it got."""
    if found.started_at is None or isinstance(step, Mapping):
        return step
    return (step[0], {**step[1], "startedAt": instant(found.started_at).isoformat()})


async def compare_flags(service: Service, oracle: Oracle) -> None:
    found, wanted = await asking.open_flags(service), oracle.flags()
    assert found == {model: dataclasses.replace(flag, raised_at=0) for model, flag in wanted.items()}
    resolved = sorted(
        (flag.model_version, flag.number, flag.resolution, flag.justification, flag.replacement)
        for flag in oracle.resolved_flags
    )
    assert await asking.resolved_flags(service) == resolved
    assert await asking.retired(service) == oracle.retired
    for key in oracle.objections:
        assert await asking.objection(service, key) == oracle.objection(key), key


async def compare_gate(service: Service, oracle: Oracle, now: int) -> None:
    wanted = {
        key: (run.status, run.purpose, run.inputs, run.started_from, run.started_at, run.produced, run.gated)
        for key, run in oracle.runs.items()
    }
    assert await asking.run_states(service) == wanted
    for (version, purpose), count in (await asking.ineligible_counts(service, PURPOSES)).items():
        assert count == oracle.ineligible_count(version, purpose, now), (version, purpose)


async def compare_notices(service: Service, oracle: Oracle, now: int) -> None:
    for key, version in oracle.policies:
        for at in (now, EARLIER):
            found = await asking.notice_coverage(service, key, version, at)
            assert found == oracle.notice_coverage(key, version, at), (key, version, at)


async def compare_answers(service: Service, oracle: Oracle, scenario: Scenario, known_at: int, *, now: bool) -> None:
    asked = questions(scenario)
    for user in PEOPLE:
        found = await person_usage.user_usage(service, user, known_at)
        assert str(found.verdict) == oracle.user_usage(user, known_at), user
        for purpose, text in zip(asked.purposes, asked.ats[::4], strict=False):
            at = known_at if text is None else asking.moment(text)
            state = await consent.find_consent(service, user, purpose, at, known_at)
            wanted_state = oracle.consent(user, purpose, at, known_at)
            assert (state.status, state.lawful_basis) == (wanted_state.status, wanted_state.lawful_basis), user
    evaluator = await asking.Evaluator.read(service, asked.posts)
    for number, post in enumerate(asked.posts):
        expected = oracle.post_usage(post, known_at)
        uses = sorted(expected.uses, key=repr)
        wanted = PostUsage(expected.verdict, uses, expected.held_in, expected.undocumented)
        usage, at_use = await asking.post_usage(service, post, known_at)
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
