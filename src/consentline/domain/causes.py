"""Which model versions a person's claim flags, and for how many posts."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from consentline.domain.datasets import Membership
from consentline.domain.erasures import Erasure, ErasureStatus
from consentline.domain.flags import CauseKind, Source, SourceKind
from consentline.domain.instants import EVER, Instant
from consentline.domain.lineage import Lineage
from consentline.domain.objections import STOPPING, Objection
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.policies import Policy, governing
from consentline.domain.training import TrainingRun
from consentline.domain.usage import ReadBy


@dataclass(frozen=True, slots=True)
class Claim:
    """What somebody demands of the posts that they wrote (causes of `kind`), and of those that depict them.

    `purposes` None: every purpose; no platform named: all. Where a policy governs a post's author at `judged_at`, it
    tells whether past use is flagged; `judged_at` None: it is, whatever a policy says.
    """

    source: Source
    person: str
    kind: CauseKind
    deadline: Instant
    purposes: frozenset[str] | None = None
    platforms: tuple[str, ...] = ()
    judged_at: Instant | None = None


def claim_of(objection: Objection) -> Claim:
    """What an objection demands while it stops use."""
    return Claim(
        source=Source(SourceKind.OBJECTION, objection.key),
        person=objection.user,
        kind=CauseKind.OBJECTION,
        deadline=objection.deadline,
        purposes=frozenset(objection.purposes),
        platforms=objection.platforms,
        judged_at=objection.received_at,
    )


def claim_of_erasure(erasure: Erasure) -> Claim:
    """What an erasure demands while it stands: of every platform and purpose, whatever a policy says."""
    return Claim(
        source=Source(SourceKind.ERASURE, erasure.key),
        person=erasure.user,
        kind=CauseKind.ERASURE,
        deadline=erasure.due_at,
    )


def live_claims(filed: Iterable[Objection], requested: Iterable[Erasure] = ()) -> list[Claim]:
    """What stops use demands: objections that are pending or upheld, erasures that were not refused."""
    claims = [claim_of(objection) for objection in filed if objection.status in STOPPING]
    return claims + [claim_of_erasure(erasure) for erasure in requested if erasure.status is not ErasureStatus.REFUSED]


@dataclass(frozen=True, slots=True)
class ScopedPosts:
    """Posts of one author on one platform with the same memberships that `person` wrote, or that depict them.

    `posts` counts them; `keys` names them where they were asked for.
    """

    person: str
    depicting: bool
    author: str
    platform: str | None
    memberships: tuple[Membership, ...]
    posts: int
    keys: tuple[str, ...] = ()

    def kind(self, claim: Claim) -> CauseKind:
        """What the claim is as a cause that concerns these posts."""
        return CauseKind.THIRD_PARTY_OBJECTED if self.depicting else claim.kind


@dataclass(frozen=True, slots=True)
class ForPurposes:
    """The runs of which it is known that they had one of the purposes, or not known that they had another."""

    purposes: frozenset[str]

    def __call__(self, run: TrainingRun) -> bool:
        """Whether the run counts."""
        return run.purpose is None or run.purpose in self.purposes


def any_run(_run: TrainingRun) -> bool:
    """Every run counts."""
    return True


class Reach:
    """Which model versions used posts with given memberships, in one state of the upper graph; each asked once."""

    def __init__(self, lineage: Lineage) -> None:
        self._lineage = lineage
        self._reached: dict[tuple[frozenset[str], ReadBy], frozenset[str]] = {}

    def models(self, memberships: Iterable[Membership], counts: ReadBy) -> frozenset[str]:
        """The model versions that used them in any relation, by reading runs that count; equal filters ask the same.

        It costs the runs that read them, not the versions that hold them.
        """
        readers = frozenset(self._lineage.readers(memberships))
        if (readers, counts) not in self._reached:
            counted = (run for run in readers if counts(self._lineage.runs[run]))
            self._reached[readers, counts] = frozenset[str]().union(*map(self._lineage.models_after, counted))
        return self._reached[readers, counts]


class CauseFinder:
    """Finds the causes that claims give in one state of the upper graph."""

    def __init__(self, policies: Collection[Policy], authors: Mapping[str, PersonFacts], reach: Reach) -> None:
        self._policies = policies
        self._authors = authors
        self._reach = reach

    def causes(self, claim: Claim, scoped: Iterable[ScopedPosts]) -> dict[tuple[str, CauseKind], int]:
        """The number of distinct posts for each (model version, kind of cause).

        Posts are counted once each: no two of `scoped` share one for the same kind.
        """
        counts: defaultdict[tuple[str, CauseKind], int] = defaultdict(int)
        for group in scoped:
            for model in self.models(claim, group):
                counts[model, group.kind(claim)] += group.posts
        return dict(counts)

    def models(self, claim: Claim, group: ScopedPosts) -> frozenset[str]:
        """The model versions that a claim flags for a group of posts."""
        if group.person != claim.person:
            return frozenset()
        if claim.platforms and group.platform not in claim.platforms:
            return frozenset()
        if claim.purposes is None:
            return self._reach.models(group.memberships, any_run)
        purposes = self._flagged_purposes(claim, claim.purposes, group.author)
        return self._reach.models(group.memberships, ForPurposes(purposes)) if purposes else frozenset()

    def _flagged_purposes(self, claim: Claim, purposes: frozenset[str], author: str) -> frozenset[str]:
        """The purposes whose policy flags past use; where none is in force, it does."""
        at = claim.judged_at
        if at is None:
            return purposes
        person = self._authors.get(author)
        jurisdiction = None if person is None else jurisdiction_at(person, at, EVER)
        governors = {purpose: governing(self._policies, jurisdiction, purpose, at, EVER) for purpose in purposes}
        return frozenset(purpose for purpose, policy in governors.items() if policy is None or policy.flags_past_use)
