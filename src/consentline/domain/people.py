"""What is recorded of a person, with both times of every fact."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from consentline.domain.codes import is_jurisdiction
from consentline.domain.consent import ConsentFact, ServedNotice
from consentline.domain.erasures import ErasureFacts
from consentline.domain.instants import Instant
from consentline.domain.objections import ObjectionFacts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dated(Generic[T]):
    """A value that holds from `valid_from` on, as the system has known since `recorded_at`."""

    value: T
    valid_from: Instant
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class PersonFacts:
    """Everything that eligibility and declared selections can ask of a person, unfiltered by any time.

    `erased_at` is when their erasure was confirmed: from then on their facts are going, and nobody asks them any more.
    """

    key: str
    jurisdictions: tuple[Dated[str | None], ...] = ()
    adult_from: tuple[Dated[date | None], ...] = ()
    objections: tuple[ObjectionFacts, ...] = ()
    erasures: tuple[ErasureFacts, ...] = ()
    notices: tuple[ServedNotice, ...] = ()
    consents: tuple[ConsentFact, ...] = ()
    erased_at: Instant | None = None

    @property
    def left(self) -> "PersonFacts":
        """What is left of the person: of somebody erased their objections, carried out already or not."""
        if self.erased_at is None:
            return self
        return PersonFacts(self.key, objections=self.objections, erasures=self.erasures, erased_at=self.erased_at)


def value_at(facts: Iterable[Dated[T]], at: Instant, known_at: Instant) -> T | None:
    """The value valid at `at` as known at `known_at`; None when no fact says."""
    current: Dated[T] | None = None
    for fact in facts:
        known = fact.recorded_at <= known_at and fact.valid_from <= at
        if known and (current is None or fact.valid_from > current.valid_from):
            current = fact
    return None if current is None else current.value


def jurisdiction_at(person: PersonFacts, at: Instant, known_at: Instant) -> str | None:
    """The person's jurisdiction (ISO 3166-1 alpha-2 or 3166-2); None when unknown."""
    return value_at(person.jurisdictions, at, known_at)


def adult_from_at(person: PersonFacts, at: Instant, known_at: Instant) -> date | None:
    """A day from which the person is known to be adult; None when unknown."""
    return value_at(person.adult_from, at, known_at)


def jurisdictions_ever(person: PersonFacts, known_at: Instant) -> frozenset[str] | None:
    """Every jurisdiction ever recorded for the person, or None when an unknown one cannot be excluded.

    What was recorded before it was refused, and is none of ISO 3166 ("UK"), tells nothing: it is unknown.

    People move, and a declared selection says nothing of when it looked: see design.md, "What counts as use".
    """
    values = [fact.value for fact in person.jurisdictions if fact.recorded_at <= known_at]
    known = frozenset(value for value in values if value is not None and is_jurisdiction(value))
    return known if values and len(known) == len(set(values)) else None


def covers(wider: str, narrower: str) -> bool:
    """Whether one jurisdiction is the other or contains it: "GB" covers "GB-SCT"."""
    return narrower == wider or narrower.startswith(f"{wider}-")
