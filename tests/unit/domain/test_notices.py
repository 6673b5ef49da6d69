from dataclasses import dataclass, field
from datetime import date
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consentline.domain.consent import ServedNotice
from consentline.domain.errors import InvalidInputError, NotFoundError
from consentline.domain.instants import ALWAYS, DAY, EVER, Instant, to_datetime
from consentline.domain.notices import (
    NoticeCoverage,
    NoticeDay,
    NoticeQuestion,
    NoticeTally,
    coverage_of,
    find_policy,
    served_since,
    settled_since,
)
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.policies import Policy
from tests.unit.domain.factories import AI, NOW, RECORDED, at, dated, person, policy

ADS = "ADS"
WINDOW = 30
GB = policy("gb", objection_window_days=WINDOW)
SCT = policy("gb-sct", jurisdiction="GB-SCT")


def question(asked: Policy = GB, *others: Policy, when: Instant = NOW, known: Instant = EVER) -> NoticeQuestion:
    return NoticeQuestion(asked, (asked, *others), when, known)


def notice(
    served: Instant,
    seen: Instant | None = None,
    purpose: str = AI,
    recorded: Instant = RECORDED,
    seen_recorded: Instant | None = None,
) -> ServedNotice:
    return ServedNotice(purpose, served, recorded, seen, recorded if seen_recorded is None else seen_recorded)


def moved(*places: tuple[str | None, Instant], recorded: Instant = RECORDED) -> PersonFacts:
    return PersonFacts("ana", tuple(Dated(place, since, recorded) for place, since in places))


def figures(found: NoticeCoverage) -> tuple[int, int, int, int, int]:
    return found.people, found.served, found.seen, found.window_open, found.not_served


NOBODY, UNSERVED = (0, 0, 0, 0, 0), (1, 0, 0, 0, 1)
SERVED, SEEN, OPEN, OPEN_AND_SEEN = (1, 1, 0, 0, 0), (1, 1, 1, 0, 0), (1, 1, 0, 1, 0), (1, 1, 1, 1, 0)
LONG_AGO = NOW - 200 * DAY


@dataclass(frozen=True)
class Case:
    """One person, and what they add to people, served, seen, window open, not served."""

    name: str
    who: PersonFacts
    expected: tuple[int, int, int, int, int]
    asked: NoticeQuestion = field(default_factory=question)


def case(name: str, expected: tuple[int, int, int, int, int], *notices: ServedNotice, **asked: Any) -> Case:
    return Case(name, person(notices=notices), expected, question(**asked))


REACHED = (
    case("never served", UNSERVED),
    case("served, and the window is over", SERVED, notice(LONG_AGO)),
    case("served and seen", SEEN, notice(LONG_AGO, LONG_AGO + 1)),
    case("the window ends a microsecond later", OPEN, notice(NOW - WINDOW * DAY + 1)),
    case("the window ends now", SERVED, notice(NOW - WINDOW * DAY)),
    case("served now", OPEN, notice(NOW)),
    case("served and seen now", OPEN_AND_SEEN, notice(NOW, NOW)),
    case("served later", UNSERVED, notice(NOW + 1, NOW + 1)),
    case("seen later", OPEN, notice(NOW - 1, NOW + 1)),
    case("the window counts from the first of two", SERVED, notice(NOW), notice(LONG_AGO)),
    case("the second of two was seen", SEEN, notice(LONG_AGO), notice(NOW - 1, NOW)),
    case("seen in advance of a notice served later", SERVED, notice(LONG_AGO), notice(NOW + 1, NOW - 1)),
    case("a notice of another purpose", UNSERVED, notice(LONG_AGO, LONG_AGO, ADS)),
    case("another purpose was seen", SERVED, notice(LONG_AGO), notice(LONG_AGO, LONG_AGO, ADS)),
    case("served, but not known then", UNSERVED, notice(LONG_AGO, recorded=RECORDED + 1), known=RECORDED),
    case("seen, but that was not known then", SERVED, notice(LONG_AGO, LONG_AGO, seen_recorded=RECORDED + 1),
         known=RECORDED),
    case("seen, as was known since then", SEEN, notice(LONG_AGO, LONG_AGO, seen_recorded=RECORDED + 1),
         known=RECORDED + 1),
    case("seen, of a serving not known then", SERVED, notice(LONG_AGO), notice(LONG_AGO, NOW, recorded=RECORDED + 1),
         known=RECORDED),
)  # fmt: skip


@pytest.mark.parametrize("case", REACHED, ids=lambda case: case.name)
def test_what_reached_a_person(case: Case) -> None:
    assert figures(coverage_of([case.who], case.asked)) == case.expected


def place(name: str, who: PersonFacts, *, governed: bool, asked: NoticeQuestion | None = None) -> Case:
    return Case(name, who, UNSERVED if governed else NOBODY, asked or question())


LATER = policy("gb", 2, effective_from=NOW + 1)
ENDED = policy("gb", effective_until=NOW)
GOVERNED = (
    place("in the country", person(jurisdiction="GB"), governed=True),
    place("in a subdivision without a policy", person(jurisdiction="GB-SCT"), governed=True),
    place("in one with a policy", person(jurisdiction="GB-SCT"), governed=False, asked=question(GB, SCT)),
    place("asked of that policy", person(jurisdiction="GB-SCT"), governed=True, asked=question(SCT, GB)),
    place("the subdivision's does not reach the country", person(), governed=False, asked=question(SCT)),
    place("another country", person(jurisdiction="FR"), governed=False),
    place("a country whose code begins alike", person(jurisdiction="GBX"), governed=False),
    place("explicitly unknown", person(jurisdiction=None), governed=False),
    place("never recorded", PersonFacts("ana"), governed=False),
    place("moved away", moved(("GB", ALWAYS), ("FR", NOW)), governed=False),
    place("about to move away", moved(("GB", ALWAYS), ("FR", NOW + 1)), governed=True),
    place("moved here", moved(("FR", ALWAYS), ("GB", NOW)), governed=True),
    place("now unknown", moved(("GB", ALWAYS), (None, NOW)), governed=False),
    place("back from a subdivision", moved(("GB", 0), ("GB-SCT", 1), ("GB", 2)), governed=True),
    place("the move is not known yet", moved(("GB", ALWAYS), recorded=RECORDED + 1), governed=False,
          asked=question(known=RECORDED)),
    place("not in force yet", person(), governed=False, asked=question(LATER)),
    place("a later version does not matter yet", person(), governed=True, asked=question(GB, LATER)),
    place("ended", person(), governed=False, asked=question(ENDED)),
    place("another version governs", person(), governed=False, asked=question(GB, policy("gb", 2))),
    place("another key governs", person(), governed=False, asked=question(GB, policy("uk"))),
    place("a policy of another purpose", person(), governed=True, asked=question(GB, policy("gb", 2, purpose=ADS))),
    place("the policy is not known yet", person(), governed=False, asked=question(known=RECORDED - 1)),
)  # fmt: skip


@pytest.mark.parametrize("case", GOVERNED, ids=lambda case: case.name)
def test_whom_a_policy_governs(case: Case) -> None:
    assert figures(coverage_of([case.who], case.asked)) == case.expected


def test_the_days_of_the_first_serving_and_of_the_first_seeing() -> None:
    first, second, third = at("2025-12-30T23:59:59"), at("2025-12-31"), at("2026-01-01")
    people = [
        person("ana", notices=[notice(second, third), notice(first, second)]),
        person("ben", notices=[notice(second)]),
        person("cai", notices=[notice(LONG_AGO, LONG_AGO)]),
        person("dee"),
    ]

    found = coverage_of(people, question()).by_day(3)

    assert found == [
        NoticeDay(date(2025, 12, 30), served=1, seen=0),
        NoticeDay(date(2025, 12, 31), served=1, seen=1),
        NoticeDay(date(2026, 1, 1), served=0, seen=0),
    ]


@pytest.mark.parametrize("days", [1, 30, 366])
def test_every_day_up_to_the_one_asked_about_is_listed(days: int) -> None:
    listed = coverage_of([], question()).by_day(days)

    assert len(listed) == days
    assert listed[-1] == NoticeDay(date(2026, 1, 1), 0, 0)
    assert [each.day.toordinal() for each in listed] == list(
        range(listed[0].day.toordinal(), listed[0].day.toordinal() + days)
    )


def test_no_day_lies_before_the_first_of_all() -> None:
    asked = question(when=at("0001-01-02"))

    assert [each.day for each in coverage_of([], asked).by_day(366)] == [date(1, 1, 1), date(1, 1, 2)]


@pytest.mark.parametrize("days", [0, -1, 367])
def test_days_out_of_range_are_refused(days: int) -> None:
    with pytest.raises(InvalidInputError) as raised:
        coverage_of([], question()).by_day(days)

    assert (raised.value.code, raised.value.message) == ("OUT_OF_RANGE", "days is between 1 and 366")
    assert raised.value.path == ("days",)


def test_a_policy_is_found_by_key_and_version() -> None:
    second = policy("gb", 2)

    assert find_policy([GB, second, SCT], "gb", 2, RECORDED) is second


@pytest.mark.parametrize(("key", "version", "known"), [("x", 1, EVER), ("gb", 2, EVER), ("gb", 1, RECORDED - 1)])
def test_a_policy_that_is_not_recorded_is_refused(key: str, version: int, known: Instant) -> None:
    with pytest.raises(NotFoundError) as raised:
        find_policy([GB], key, version, known)

    assert raised.value.code == "POLICY_NOT_FOUND"
    assert raised.value.message == "no such version of the policy is recorded"
    assert raised.value.path == ("policy",)


# ---- against the rules, written once more ---------------------------------------------------------------------------

EARLY, LATE = 0, 1
"""When facts are recorded; most questions are asked as known late."""


def some_story(seed: int) -> tuple[list[PersonFacts], NoticeQuestion]:
    """People who move and are reached, and a question about one of a few policies; dense, so that much is met."""
    chance = Random(seed)  # noqa: S311 - nothing is kept secret by it

    def moment() -> Instant:
        return NOW + chance.randint(-4, 2) * 10 * DAY

    def recorded() -> Instant:
        return chance.choice((EARLY, EARLY, EARLY, LATE))

    def someone(number: int) -> PersonFacts:
        since = {ALWAYS, *(moment() for _ in range(chance.randint(0, 2)))} - {chance.choice((ALWAYS, EVER, EVER, EVER))}
        places = ("GB", "GB", "GB-SCT", "GB-ENG", "FR", None)
        placed = tuple(Dated(chance.choice(places), each, recorded()) for each in since)
        purposes = (AI, AI, ADS)
        notices = tuple(
            ServedNotice(
                chance.choice(purposes), moment(), recorded(), chance.choice((None, moment(), moment())), recorded()
            )
            for _ in range(chance.randint(0, 3))
        )
        return PersonFacts(f"u{number}", placed, notices=notices)

    policies = {
        (key, version): policy(
            key,
            version,
            chance.choice(("GB", "GB", "GB-SCT")),
            purpose=chance.choice((AI, AI, AI, ADS)),
            objection_window_days=chance.choice((0, 10, 25)),
            effective_from=moment() - 20 * DAY,
            effective_until=chance.choice((None, None, moment())),
            recorded_at=recorded(),
        )
        for key, version in ((chance.choice("ab"), chance.randint(1, 2)) for _ in range(chance.randint(1, 3)))
    }
    listed = tuple(policies.values())
    asked = NoticeQuestion(chance.choice(listed), listed, moment(), chance.choice((EARLY, LATE, LATE)))
    return [someone(number) for number in range(chance.randint(1, 8))], asked


STORIES = st.integers(0, 2**32).map(some_story)


def where(who: PersonFacts, asked: NoticeQuestion) -> str | None:
    said = sorted(
        (fact.valid_from, fact.value or "")
        for fact in who.jurisdictions
        if fact.valid_from <= asked.at and fact.recorded_at <= asked.known_at
    )
    return said[-1][1] or None if said else None


def governed_by(place: str | None, asked: NoticeQuestion) -> Policy | None:
    if place is None:
        return None
    in_force = [
        each
        for each in asked.policies
        if each.purpose == asked.policy.purpose
        and each.recorded_at <= asked.known_at
        and each.effective_from <= asked.at
        and not (each.effective_until is not None and each.effective_until <= asked.at)
    ]
    here = [each for each in in_force if each.jurisdiction == place]
    here = here or [each for each in in_force if each.jurisdiction == place[:2]]
    ranked = sorted(here, key=lambda each: (each.effective_from, each.version, each.key))
    return ranked[-1] if ranked else None


def by_the_rules(everybody: list[PersonFacts], asked: NoticeQuestion) -> dict[str, Any]:
    counts: dict[str, Any] = {"people": 0, "served": 0, "seen": 0, "open": 0, "not": set(), "days": {}}
    for who in everybody:
        if governed_by(where(who, asked), asked) is not asked.policy:
            continue
        counts["people"] += 1
        reached = [
            each
            for each in who.notices
            if each.purpose == asked.policy.purpose
            and each.recorded_at <= asked.known_at
            and each.served_at <= asked.at
        ]
        if not reached:
            counts["not"].add(who.key)
            continue
        first = min(each.served_at for each in reached)
        seen = sorted(
            each.seen_at
            for each in reached
            if each.seen_at is not None
            and each.seen_at <= asked.at
            and (each.seen_recorded_at or EARLY) <= asked.known_at
        )
        counts["served"] += 1
        counts["open"] += first + asked.policy.objection_window_days * DAY > asked.at
        counts["seen"] += bool(seen)
        for name, moments in (("served", [first]), ("seen", seen[:1])):
            for moment in moments:
                day = (to_datetime(moment).date(), name)
                counts["days"][day] = counts["days"].get(day, 0) + 1
    return counts


@settings(deadline=None, max_examples=500)
@given(story=STORIES)
def test_the_figures_are_those_of_the_rules(story: tuple[list[PersonFacts], NoticeQuestion]) -> None:
    everybody, asked = story
    expected = by_the_rules(everybody, asked)

    found = coverage_of(everybody, asked)
    days = {
        (each.day, name): count
        for each in found.by_day(366)
        for name, count in (("served", each.served), ("seen", each.seen))
        if count
    }

    assert figures(found) == (
        expected["people"], expected["served"], expected["seen"], expected["open"], len(expected["not"])
    )  # fmt: skip
    assert days == expected["days"]
    campaign = {who.key for who in everybody if asked.concerns(who) and served_since(who, asked) is None}
    assert campaign == expected["not"]


@settings(deadline=None, max_examples=500)
@given(story=STORIES)
def test_a_person_met_by_every_fact_that_placed_them_is_counted_once(
    story: tuple[list[PersonFacts], NoticeQuestion],
) -> None:
    everybody, asked = story
    tally = NoticeTally(asked)
    for who in everybody:
        for fact in who.jurisdictions:
            here = fact.recorded_at <= asked.known_at and asked.governs(fact.value)
            if here and settled_since(who, asked.at, asked.known_at) == fact.valid_from:
                tally.add(who)

    assert tally.coverage() == coverage_of(everybody, asked)


def test_somebody_whom_no_fact_places_is_settled_nowhere() -> None:
    late = PersonFacts("ana", (dated("GB", NOW + 1), dated("GB", ALWAYS, RECORDED + 1)))

    assert settled_since(late, NOW, RECORDED) is None
