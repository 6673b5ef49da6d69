"""Random people, posts and policies whose every fact begins or ends on a small grid of instants.

Nothing about eligibility can change between two neighbours of `MOMENTS`, so asking at each of them, and right before
it, is asking at all times. A world is made up by a generator of random numbers whose seed Hypothesis draws.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from random import Random
from typing import TypeVar

from hypothesis import strategies as st

from consentline.domain.consent import Consent, ConsentFact, ServedNotice
from consentline.domain.erasures import ErasureFacts, ErasureStatus, ErasureTransition
from consentline.domain.instants import ALWAYS, DAY, EVER, Instant, utc_day
from consentline.domain.objections import ObjectionFacts, ObjectionStatus, Transition
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.posts import Description, Link, PostFacts, PostKind, Visibility
from tests.unit.domain.factories import AI, at

T = TypeVar("T")

BEGIN = at("2026-03-01")
GRID = [BEGIN + half * DAY // 2 for half in range(13)]
LONGEST_WINDOW = 3
MOMENTS = [BEGIN + half * DAY // 2 + step for half in range(-2, 24) for step in (-1, 0)] + [at("9999-12-31")]
KNOWN = [EVER, EVER, *GRID]

PURPOSES = (AI, "ADS")
PLATFORMS = ("FACEBOOK", "THREADS")
JURISDICTIONS = ("GB", "GB", "GB-SCT", "IE", None)
BIRTHDAYS = [date(1990, 1, 1), date(1990, 1, 1), date.max, None, *(utc_day(BEGIN) + timedelta(n) for n in range(7))]
DECIDED = (ObjectionStatus.UPHELD, ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN)


class World:
    """Makes up what is recorded; `policies` and `people` are the same for all its posts."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.policies = self.several(self.policy, 3)
        self.people = [self.person(key) for key in ("ana", "ben")]

    def one(self, values: Sequence[T]) -> T:
        return self._random.choice(values)

    def chance(self, percent: int) -> bool:
        return self._random.randrange(100) < percent

    def several(self, make: Callable[[], T], most: int = 2) -> tuple[T, ...]:
        return tuple(make() for _ in range(self._random.randint(0, most)))

    def some(self, values: Sequence[str], least: int = 0) -> tuple[str, ...]:
        return tuple(self._random.sample(values, self._random.randint(least, len(values))))

    def moment(self) -> Instant:
        return self.one(GRID)

    def beginning(self) -> Instant:
        return ALWAYS if self.chance(40) else self.moment()

    def recorded(self) -> Instant:
        return ALWAYS if self.chance(70) else self.moment()

    def dated(self, values: Sequence[T], since: Callable[[], Instant]) -> Callable[[], Dated[T]]:
        return lambda: Dated(self.one(values), since(), self.recorded())

    def policy(self) -> Policy:
        return Policy(
            key=self.one(["one", "other"]),
            version=self.one([1, 2]),
            jurisdiction=self.one(["GB", "GB", "GB-SCT", "IE"]),
            purpose=self.one([AI, AI, "ADS"]),
            lawful_basis=self.one(list(LawfulBasis)),
            effective_from=self.beginning(),
            recorded_at=self.recorded(),
            notice_required=self.chance(50),
            objection_window_days=self._random.randint(0, LONGEST_WINDOW),
            platforms=() if self.chance(60) else self.some(PLATFORMS),
            assessment=self.one([None, "dpia", "dpia"]),
            assessment_expires=self.moment() if self.chance(30) else None,
            protects_depicted=self.chance(70),
            effective_until=self.moment() if self.chance(30) else None,
        )

    def person(self, key: str) -> PersonFacts:
        return PersonFacts(
            key=key,
            jurisdictions=self.several(self.dated(JURISDICTIONS, self.beginning), 3),
            adult_from=self.several(self.dated(BIRTHDAYS, self.beginning), 3),
            objections=self.several(self.objection) if self.chance(50) else (),
            erasures=self.several(self.erasure) if self.chance(25) else (),
            notices=self.several(lambda: ServedNotice(self.one(PURPOSES), self.moment(), self.recorded())),
            consents=self.several(
                lambda: ConsentFact(self.one(PURPOSES), self.one(list(Consent)), self.moment(), self.recorded())
            ),
        )

    def objection(self) -> ObjectionFacts:
        return ObjectionFacts(
            key="objection",
            purposes=self.some(PURPOSES, least=1),
            platforms=self.some(PLATFORMS),
            received_at=self.moment(),
            recorded_at=self.recorded(),
            transitions=self.several(lambda: Transition(self.one(DECIDED), self.moment(), self.recorded())),
        )

    def erasure(self) -> ErasureFacts:
        ends = (ErasureStatus.REFUSED, ErasureStatus.CONFIRMED)
        return ErasureFacts(
            received_at=self.moment(),
            recorded_at=self.recorded(),
            transitions=self.several(lambda: ErasureTransition(self.one(ends), self.moment(), self.recorded()), 1),
        )

    def description(self) -> Description:
        return Description(
            platform=self.one(PLATFORMS),
            kind=self.one([PostKind.POST, *PostKind]),
            published_at=self.moment(),
            visibility=self.one([Visibility.PUBLIC, *Visibility]),
            recorded_at=self.recorded(),
        )

    def plain_post(self, author: PersonFacts) -> PostFacts:
        """One of which only its `post` record speaks."""
        description, said = self.description(), self.one([None, False, True])
        since = description.recorded_at
        special = () if said is None else (Dated(said, since, since),)
        return PostFacts("plain", description, (Link(author, since),), special_category=special)

    def post(self) -> PostFacts:
        """One of somebody, about which anything may be recorded."""
        author = self.one(self.people)
        if self.chance(40):
            return self.plain_post(author)
        corrected_at = self.moment()
        corrected = (Link(author, self.recorded(), until=corrected_at), Link(self.one(self.people), corrected_at))
        return PostFacts(
            key="post",
            description=None if self.chance(15) else self.description(),
            authors=self.one([(), (Link(author, self.recorded()),), (Link(author, ALWAYS),), corrected]),
            depicted=self.several(
                lambda: Link(self.one(self.people), self.recorded(), self.moment() if self.chance(20) else None)
            ),
            visibilities=self.several(self.dated(list(Visibility), self.moment)),
            deletions=self.several(self.dated([None], self.moment)) if self.chance(40) else (),
            special_category=self.several(self.dated([False, True], self.beginning)) if self.chance(30) else (),
        )


worlds = st.integers(0, 2**64 - 1).map(lambda seed: World(Random(seed)))  # noqa: S311, nothing secret


def neighbours(after: Instant, until: Instant | None) -> list[Instant]:
    """The moments that lie after one instant and before another."""
    return [moment for moment in MOMENTS if moment > after and (until is None or moment < until)]
