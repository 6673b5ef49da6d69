"""What stands against a member now and flags whatever used it: of the post itself, of its author, of a policy.

Concerns are told from present facts alone, whoever used the post; they are kept beside a member's judgement, so that a
fact writes the difference and a new use finds them without evaluating anybody. Objections and erasures are not among
them: those are claims of people, see causes.py.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from consentline.domain.causes import ForPurposes, Reach, any_run
from consentline.domain.datasets import Membership
from consentline.domain.eligibility import Reason
from consentline.domain.flags import Cause, CauseKind, Source, SourceKind
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.policies import Policy, PolicyRef, governing
from consentline.domain.posts import PostFacts, Visibility
from consentline.domain.training import TrainingRun
from consentline.domain.usage import ReadBy

Period = tuple[Instant, Instant]
"""From an instant up to another, which lies outside it."""

OF_POSTS = frozenset({CauseKind.POST_DELETED, CauseKind.VISIBILITY_NARROWED})
OF_AUTHORS = frozenset({CauseKind.MINOR, CauseKind.CONSENT_WITHDRAWN})
"""The kinds whose source is the post, and those whose source is its author; ASSESSMENT_EXPIRED points to a policy."""

_MINOR = frozenset({Reason.MINOR_AT_PUBLICATION, Reason.MINOR_NOW})
_CONCERNING = _MINOR | {
    Reason.POST_DELETED,
    Reason.NOT_PUBLIC_NOW,
    Reason.CONSENT_WITHDRAWN,
    Reason.ASSESSMENT_EXPIRED,
}


class Concern(NamedTuple):
    """One of them; its text is what is stored.

    `purpose` is that of CONSENT_WITHDRAWN, `policy` that of ASSESSMENT_EXPIRED. `public`, of
    VISIBILITY_NARROWED, are the periods in which the post was public, or may have been; None: it was when published,
    which counts for every use.
    """

    kind: CauseKind
    purpose: str = ""
    policy: PolicyRef | None = None
    public: tuple[Period, ...] | None = None

    def __str__(self) -> str:
        if self.policy is not None:
            return f"{self.kind} {self.policy.version} {self.policy.key}"
        if self.public is not None:
            return " ".join([self.kind, *(f"{begin} {end}" for begin, end in self.public)])
        return f"{self.kind} {self.purpose}" if self.purpose else str(self.kind)

    @classmethod
    def parse(cls, text: str) -> "Concern":
        """The concern of a stored text."""
        name, _, rest = text.partition(" ")
        kind = CauseKind(name)
        match kind:
            case CauseKind.CONSENT_WITHDRAWN:
                return cls(kind, purpose=rest)
            case CauseKind.ASSESSMENT_EXPIRED:
                version, _, key = rest.partition(" ")
                return cls(kind, policy=PolicyRef(key, int(version)))
            case _:
                times = [int(each) for each in rest.split()]
                return cls(kind, public=tuple(zip(times[::2], times[1::2], strict=True)) if times else None)


@dataclass(frozen=True, slots=True)
class StartedWithin:
    """The runs that started in one of the periods."""

    periods: tuple[Period, ...]

    def __call__(self, run: TrainingRun) -> bool:
        """Whether the run counts."""
        return run.started_at is not None and any(begin <= run.started_at < end for begin, end in self.periods)


def concerns_of(
    reasons: Mapping[str, Collection[Reason]],
    author: PersonFacts | None,
    policies: Collection[Policy],
    at: Instant,
    post: PostFacts | None = None,
) -> tuple[Concern, ...]:
    """The concerns of a post that has these reasons now, by purpose; sorted by their texts, all facts known.

    `post` may be left out where only its `post` record speaks of it: its visibility never changed.
    """
    found: set[Concern] = set()
    every = set[Reason]().union(*reasons.values())
    if every.isdisjoint(_CONCERNING):
        return ()
    if Reason.POST_DELETED in every:
        found.add(Concern(CauseKind.POST_DELETED))
    if Reason.NOT_PUBLIC_NOW in every and post is not None:
        found.update(_narrowed(post, at))
    if every & _MINOR:
        found.add(Concern(CauseKind.MINOR))
    for purpose, each in reasons.items():
        if Reason.CONSENT_WITHDRAWN in each:
            found.add(Concern(CauseKind.CONSENT_WITHDRAWN, purpose=purpose))
        if Reason.ASSESSMENT_EXPIRED in each and author is not None:
            policy = governing(policies, jurisdiction_at(author, at, EVER), purpose, at, EVER)
            if policy is not None:
                found.add(Concern(CauseKind.ASSESSMENT_EXPIRED, policy=policy.ref))
    return tuple(sorted(found, key=str))


def _narrowed(post: PostFacts, at: Instant) -> Iterable[Concern]:
    description = post.described(EVER)
    if description is not None and post.visibility_at(description.published_at, EVER) is Visibility.PUBLIC:
        return [Concern(CauseKind.VISIBILITY_NARROWED)]
    # What nothing says of a post that no record describes may have been public.
    changes = [ALWAYS] if description is None else []
    changes += sorted({fact.valid_from for fact in post.visibilities if fact.valid_from <= at})
    periods: list[Period] = []
    for begin, end in pairwise([*changes, at]):
        public = post.visibility_at(begin, EVER) in (Visibility.PUBLIC, None)
        if public and (description is None or begin >= description.published_at):
            periods.append((begin, end))
    return [Concern(CauseKind.VISIBILITY_NARROWED, public=_joined(periods))] if periods else []


def _joined(periods: Iterable[Period]) -> tuple[Period, ...]:
    joined: list[Period] = []
    for begin, end in periods:
        if joined and joined[-1][1] == begin:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return tuple(joined)


@dataclass(frozen=True, slots=True)
class ConcernedPosts:
    """Members with the same concerns and memberships, and one source of them: the post itself, or its author.

    `posts` counts them; `keys` names them where they were asked for.
    """

    source: Source
    concerns: tuple[Concern, ...]
    memberships: tuple[Membership, ...]
    posts: int = 1
    keys: tuple[str, ...] = ()

    def causes(self, reach: Reach) -> dict[CauseKind, frozenset[str]]:
        """The model versions that used the posts under each kind of concern that the source gives."""
        kinds = OF_POSTS if self.source.kind is SourceKind.POST else OF_AUTHORS
        found: defaultdict[CauseKind, frozenset[str]] = defaultdict(frozenset)
        for concern in self.concerns:
            if concern.kind in kinds:
                found[concern.kind] |= reach.models(self.memberships, _filter(concern))
        return found


def _filter(concern: Concern) -> ReadBy:
    if concern.kind is CauseKind.CONSENT_WITHDRAWN:
        return ForPurposes(frozenset({concern.purpose}))
    return any_run if concern.public is None else StartedWithin(concern.public)


def counted(reach: Reach, groups: Iterable[ConcernedPosts]) -> dict[Cause, int]:
    """The number of distinct posts of each cause that the groups give; no two of them share a post and a source."""
    counts: defaultdict[Cause, int] = defaultdict(int)
    for group in groups:
        for kind, models in group.causes(reach).items():
            for model in models:
                counts[Cause(model, group.source, kind)] += group.posts
    return dict(counts)
