"""Which model versions an objection flags, and for how many posts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from consentline.domain.datasets import Membership, VersionRef
from consentline.domain.flags import CauseKind
from consentline.domain.instants import EVER
from consentline.domain.lineage import Lineage
from consentline.domain.objections import STOPPING, Objection
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.policies import governing
from consentline.domain.training import TrainingRun
from consentline.domain.usage import models_reached


@dataclass(frozen=True, slots=True)
class ScopedPosts:
    """Posts of one author on one platform with the same memberships, by what they make an objection of `person` cause.

    `posts` counts them; `keys` names them where they were asked for.
    """

    person: str
    kind: CauseKind
    author: str
    platform: str
    memberships: tuple[Membership, ...]
    posts: int
    keys: tuple[str, ...] = ()


class CauseFinder:
    """Finds the causes that objections give under one state of the upper graph, walking each distinct holding once."""

    def __init__(self, lineage: Lineage, authors: Mapping[str, PersonFacts]) -> None:
        self._lineage = lineage
        self._authors = authors
        self._reached: dict[tuple[tuple[VersionRef, ...], frozenset[str]], frozenset[str]] = {}

    def causes(self, objection: Objection, scoped: Sequence[ScopedPosts]) -> dict[tuple[str, CauseKind], int]:
        """The number of distinct posts for each (model version, kind of cause); empty when the objection stops nothing.

        Posts are counted once each: no two of `scoped` share one for the same kind.
        """
        counts: defaultdict[tuple[str, CauseKind], int] = defaultdict(int)
        for group in scoped:
            for model in self.models(objection, group):
                counts[model, group.kind] += group.posts
        return dict(counts)

    def models(self, objection: Objection, group: ScopedPosts) -> frozenset[str]:
        """The model versions that an objection flags for a group of posts."""
        if objection.status not in STOPPING or group.person != objection.user:
            return frozenset()
        if objection.platforms and group.platform not in objection.platforms:
            return frozenset()
        purposes = self._flagged_purposes(objection, group.author)
        if not purposes:
            return frozenset()
        held_in = tuple(self._lineage.holding(group.memberships, EVER))
        if (held_in, purposes) not in self._reached:

            def counts(run: TrainingRun) -> bool:
                return run.purpose is None or run.purpose in purposes

            self._reached[held_in, purposes] = models_reached(self._lineage, held_in, EVER, counts)
        return self._reached[held_in, purposes]

    def _flagged_purposes(self, objection: Objection, author: str) -> frozenset[str]:
        """The objection's purposes whose policy flags past use; where none is in force, it does."""
        person = self._authors.get(author)
        at = objection.received_at
        jurisdiction = None if person is None else jurisdiction_at(person, at, EVER)
        governors = {
            purpose: governing(self._lineage.policies, jurisdiction, purpose, at, EVER)
            for purpose in objection.purposes
        }
        return frozenset(purpose for purpose, policy in governors.items() if policy is None or policy.flags_past_use)
