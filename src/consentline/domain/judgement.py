"""What is remembered of a member: for which purposes it may not be used, what concerns its users, and until when."""

from collections.abc import Collection, Iterable
from typing import NamedTuple

from consentline.domain.concerns import Concern, concerns_of
from consentline.domain.eligibility import Reason
from consentline.domain.evaluation import Evaluator
from consentline.domain.instants import EVER, Instant
from consentline.domain.people import PersonFacts
from consentline.domain.policies import Policy
from consentline.domain.posts import PostFacts


class Judgement(NamedTuple):
    """`ineligible` lists purposes, sorted; before `recheck_at` (None: never) nothing changes without a new fact."""

    ineligible: tuple[str, ...]
    concerns: tuple[Concern, ...]
    recheck_at: Instant | None


def purposes_of(policies: Iterable[Policy]) -> tuple[str, ...]:
    """The purposes that any policy speaks of, sorted: for every other purpose no post may be used at all."""
    return tuple(sorted({policy.purpose for policy in policies}))


_NO_PURPOSE = ("",)
"""What posts are evaluated for where no policy speaks of any purpose: some concerns rest on no policy."""


class Judge:
    """Judges posts at one instant, as known now, for every purpose that a policy speaks of.

    `evaluators` are those of `purposes`, in order; both hold a purpose of no name where no policy speaks of any.
    """

    def __init__(self, policies: Iterable[Policy], at: Instant) -> None:
        self._policies = tuple(policies)
        self._at = at
        self._named = purposes_of(self._policies)
        self.purposes = self._named or _NO_PURPOSE
        self.evaluators = tuple(Evaluator(self._policies, purpose, at) for purpose in self.purposes)

    def judge(self, post: PostFacts) -> Judgement:
        """For which purposes the post may not be used, what concerns it, and when that may change by time alone."""
        reasons = tuple(each.reasons(post) for each in self.evaluators)
        changes = [change for each in self.evaluators if (change := each.next_change(post)) is not None]
        return self.judgement(reasons, min(changes, default=None), post.author(EVER), post)

    def judgement(
        self,
        reasons: Collection[Collection[Reason]],
        recheck_at: Instant | None,
        author: PersonFacts | None,
        post: PostFacts | None = None,
    ) -> Judgement:
        """What the reasons by purpose amount to; `post` only where more than its `post` record speaks of it."""
        by_purpose = dict(zip(self.purposes, reasons, strict=True))
        return Judgement(
            ineligible=tuple(purpose for purpose in self._named if by_purpose[purpose]),
            concerns=concerns_of(by_purpose, author, self._policies, self._at, post),
            recheck_at=recheck_at,
        )
