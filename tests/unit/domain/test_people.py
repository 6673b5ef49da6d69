from dataclasses import dataclass
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.instants import ALWAYS
from consentline.domain.people import (
    Dated,
    PersonFacts,
    adult_from_at,
    covers,
    jurisdiction_at,
    jurisdictions_ever,
    value_at,
)
from tests.unit.domain.factories import NOW, RECORDED, at, dated, person

MOVED = at("2025-06-01")


def moves(*facts: Dated[str | None]) -> PersonFacts:
    return PersonFacts("ana", jurisdictions=facts)


@dataclass(frozen=True)
class Place:
    name: str
    person: PersonFacts
    expected: str | None
    at: int = NOW
    known_at: int = NOW


PLACES = (
    Place("nothing is recorded", moves(), None),
    Place("always, at the beginning of time", moves(dated("GB")), "GB", at=ALWAYS),
    Place("moved from an instant, at that instant", moves(dated("GB"), dated("IE", MOVED)), "IE", at=MOVED),
    Place("moved from an instant, just before it", moves(dated("GB"), dated("IE", MOVED)), "GB", at=MOVED - 1),
    Place("recorded at an instant, known then", moves(dated("GB")), "GB", known_at=RECORDED),
    Place("recorded at an instant, known before it", moves(dated("GB")), None, known_at=RECORDED - 1),
    Place("the move is not known yet", moves(dated("GB"), dated("IE", MOVED, NOW + 1)), "GB"),
    Place("unknown from an instant on", moves(dated("GB"), dated(None, MOVED)), None, at=MOVED),
    Place("known before it was unknown", moves(dated("GB"), dated(None, MOVED)), "GB", at=MOVED - 1),
    Place("recorded later, valid earlier", moves(dated("IE", MOVED), dated("GB", ALWAYS, RECORDED + 1)), "IE"),
)


@pytest.mark.parametrize("case", PLACES, ids=lambda case: case.name)
def test_the_jurisdiction_is_the_one_valid_then_as_known_then(case: Place) -> None:
    assert jurisdiction_at(case.person, case.at, case.known_at) == case.expected


def test_adulthood_is_read_like_every_other_fact() -> None:
    facts = PersonFacts("ana", adult_from=(dated(date(2030, 1, 1)), dated(date(2020, 1, 1), MOVED)))

    assert adult_from_at(facts, MOVED, NOW) == date(2020, 1, 1)
    assert adult_from_at(facts, MOVED - 1, NOW) == date(2030, 1, 1)
    assert adult_from_at(person(adult_from=None), NOW, NOW) is None


@given(
    facts=st.lists(st.builds(Dated, st.integers(), st.integers(0, 5), st.integers(0, 5)), max_size=6),
    later=st.lists(st.builds(Dated, st.integers(), st.integers(0, 5), st.integers(6, 9)), max_size=6),
    moment=st.integers(-1, 6),
)
def test_a_fact_learned_later_never_changes_what_was_known(
    facts: list[Dated[int]], later: list[Dated[int]], moment: int
) -> None:
    assert value_at([*facts, *later], moment, 5) == value_at(facts, moment, 5)


def test_every_jurisdiction_ever_recorded_counts_whenever_it_was_valid() -> None:
    moved = moves(dated("GB"), dated("IE", NOW + 1), dated("GB-SCT", MOVED))

    assert jurisdictions_ever(moved, NOW) == {"GB", "IE", "GB-SCT"}


def test_what_is_recorded_later_was_not_ever_recorded() -> None:
    moved = moves(dated("GB"), dated("IE", MOVED, NOW + 1))

    assert jurisdictions_ever(moved, NOW) == {"GB"}
    assert jurisdictions_ever(moved, NOW + 1) == {"GB", "IE"}


@pytest.mark.parametrize(
    "unknown",
    [
        moves(),
        moves(dated(None)),
        moves(dated("GB"), dated(None, MOVED)),
        moves(dated("GB", ALWAYS, NOW + 1)),
        moves(dated("GB"), dated("UK", MOVED)),
    ],
    ids=["nothing recorded", "recorded as unknown", "unknown once", "recorded later", "recorded as what is none"],
)
def test_an_unknown_jurisdiction_excludes_none(unknown: PersonFacts) -> None:
    assert jurisdictions_ever(unknown, NOW) is None


@dataclass(frozen=True)
class Cover:
    wider: str
    narrower: str
    expected: bool


@pytest.mark.parametrize(
    "case",
    [
        Cover("GB", "GB", expected=True),
        Cover("GB", "GB-SCT", expected=True),
        Cover("GB-SCT", "GB-SCT", expected=True),
        Cover("GB-SCT", "GB", expected=False),
        Cover("GB-SCT", "GB-ENG", expected=False),
        Cover("GB", "IE", expected=False),
        Cover("GB-S", "GB-SCT", expected=False),
    ],
    ids=lambda case: f"{case.wider} {case.narrower}",
)
def test_a_country_covers_its_subdivisions_and_nothing_covers_more_than_itself(case: Cover) -> None:
    assert covers(case.wider, case.narrower) is case.expected
