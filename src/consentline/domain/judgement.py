"""What the gate remembers of a member: for which purposes it may not be used, and until when that holds by itself."""

from collections.abc import Iterable
from typing import NamedTuple

from consentline.domain.evaluation import Evaluator
from consentline.domain.instants import Instant
from consentline.domain.policies import Policy
from consentline.domain.posts import PostFacts


class Judgement(NamedTuple):
    """`ineligible` lists purposes, sorted; before `recheck_at` (None: never) nothing changes without a new fact."""

    ineligible: tuple[str, ...]
    recheck_at: Instant | None


def purposes_of(policies: Iterable[Policy]) -> tuple[str, ...]:
    """The purposes that any policy speaks of, sorted: for every other purpose no post may be used at all."""
    return tuple(sorted({policy.purpose for policy in policies}))


class Judge:
    """Judges posts at one instant, as known now, for every purpose that a policy speaks of."""

    def __init__(self, policies: Iterable[Policy], at: Instant) -> None:
        policies = tuple(policies)
        self._evaluators = {purpose: Evaluator(policies, purpose, at) for purpose in purposes_of(policies)}

    def judge(self, post: PostFacts) -> Judgement:
        """For which purposes the post may not be used, and when that may change by time alone."""
        ineligible = tuple(purpose for purpose, each in self._evaluators.items() if each.reasons(post))
        changes = [change for each in self._evaluators.values() if (change := each.next_change(post)) is not None]
        return Judgement(ineligible, min(changes, default=None))
