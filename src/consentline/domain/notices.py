"""Notice coverage of a policy: whom it governs, and which of them were served a notice, saw it, may still object."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from consentline.domain.consent import first_served
from consentline.domain.errors import InvalidInputError, NotFoundError
from consentline.domain.instants import DAY, Instant, utc_day
from consentline.domain.people import PersonFacts, jurisdiction_at
from consentline.domain.policies import Policy, governing

MOST_DAYS = 366


@dataclass(frozen=True, slots=True)
class NoticeDay:
    """How many people were first served a notice on a UTC day, and how many first saw one."""

    day: date
    served: int
    seen: int


@dataclass(frozen=True, slots=True)
class NoticeQuestion:
    """A version of a policy at a time, as known at a time, beside all policies that may govern in its stead."""

    policy: Policy
    policies: tuple[Policy, ...]
    at: Instant
    known_at: Instant

    def governs(self, jurisdiction: str | None) -> bool:
        """Whether exactly this policy governs people of the jurisdiction for its purpose."""
        found = governing(self.policies, jurisdiction, self.policy.purpose, self.at, self.known_at)
        return found is not None and (found.key, found.version) == (self.policy.key, self.policy.version)

    def concerns(self, person: PersonFacts) -> bool:
        """Whether exactly this policy governs the person."""
        return self.governs(jurisdiction_at(person, self.at, self.known_at))


@dataclass(frozen=True, slots=True)
class NoticeCoverage:
    """Figures of the people whom a policy governs; `served` includes `seen` and `window_open`.

    `served_on` and `seen_on` count people by the UTC day of their first serving, and of their first seeing.
    """

    question: NoticeQuestion
    people: int
    served: int
    seen: int
    window_open: int
    served_on: Mapping[date, int]
    seen_on: Mapping[date, int]

    @property
    def not_served(self) -> int:
        """Those whom no notice of the purpose reached."""
        return self.people - self.served

    def by_day(self, days: int) -> list[NoticeDay]:
        """The days up to the one of `at`, oldest first, those on which nothing happened included.

        Raises:
            InvalidInputError: OUT_OF_RANGE, when `days` lies outside 1 to 366.
        """
        if not 1 <= days <= MOST_DAYS:
            raise InvalidInputError(f"days is between 1 and {MOST_DAYS}", code="OUT_OF_RANGE", path=("days",))
        last = utc_day(self.question.at).toordinal()
        listed = (date.fromordinal(each) for each in range(max(last - days, 0) + 1, last + 1))
        return [NoticeDay(day, self.served_on.get(day, 0), self.seen_on.get(day, 0)) for day in listed]


@dataclass(slots=True)
class NoticeTally:
    """Counts people one by one; what it holds grows with the days on which they were reached, not with them."""

    question: NoticeQuestion
    people: int = 0
    window_open: int = 0
    _served: Counter[date] = field(default_factory=Counter[date])
    _seen: Counter[date] = field(default_factory=Counter[date])

    def add(self, person: PersonFacts) -> None:
        """Count a person whom the policy governs."""
        self.people += 1
        served_at = served_since(person, self.question)
        if served_at is None:
            return
        self._served[utc_day(served_at)] += 1
        if served_at + self.question.policy.objection_window_days * DAY > self.question.at:
            self.window_open += 1
        seen_at = seen_since(person, self.question)
        if seen_at is not None:
            self._seen[utc_day(seen_at)] += 1

    def coverage(self) -> NoticeCoverage:
        """The figures of everybody counted so far."""
        return NoticeCoverage(
            question=self.question,
            people=self.people,
            served=self._served.total(),
            seen=self._seen.total(),
            window_open=self.window_open,
            served_on=self._served,
            seen_on=self._seen,
        )


def coverage_of(people: Iterable[PersonFacts], question: NoticeQuestion) -> NoticeCoverage:
    """The coverage of a policy over people, whoever governs them; each may stand there once only."""
    tally = NoticeTally(question)
    for person in people:
        if question.concerns(person):
            tally.add(person)
    return tally.coverage()


def served_since(person: PersonFacts, question: NoticeQuestion) -> Instant | None:
    """When the person was first served a notice of the policy's purpose; None when not by `at`."""
    return first_served(person.notices, question.policy.purpose, question.at, question.known_at)


def seen_since(person: PersonFacts, question: NoticeQuestion) -> Instant | None:
    """When the person first saw one of the notices served by `at`; None when not by `at`."""
    return min(
        (
            notice.seen_at
            for notice in person.notices
            if notice.purpose == question.policy.purpose
            and notice.recorded_at <= question.known_at
            and notice.served_at <= question.at
            and notice.seen_at is not None
            and notice.seen_at <= question.at
            and notice.seen_recorded_at is not None
            and notice.seen_recorded_at <= question.known_at
        ),
        default=None,
    )


def settled_since(person: PersonFacts, at: Instant, known_at: Instant) -> Instant | None:
    """The valid time of the one fact that tells where the person is at `at`; None when none does.

    Whoever meets a person by each jurisdiction ever recorded for them counts them once, at that fact.
    """
    return max(
        (each.valid_from for each in person.jurisdictions if each.recorded_at <= known_at and each.valid_from <= at),
        default=None,
    )


def find_policy(policies: Iterable[Policy], key: str, version: int, known_at: Instant) -> Policy:
    """The version of the policy.

    Raises:
        NotFoundError: POLICY_NOT_FOUND, when it was not recorded by `known_at`.
    """
    for policy in policies:
        if (policy.key, policy.version) == (key, version) and policy.recorded_at <= known_at:
            return policy
    raise NotFoundError("no such version of the policy is recorded", code="POLICY_NOT_FOUND", path=("policy",))
