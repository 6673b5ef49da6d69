from dataclasses import dataclass

import pytest

from consentline.domain.instants import ALWAYS, DAY
from consentline.domain.people import Dated
from consentline.domain.posts import Description, Link, PostFacts, PostKind, Visibility
from tests.unit.domain.factories import NOW, PUBLISHED, RECORDED, dated, person, post

PUBLIC, FRIENDS, PRIVATE = Visibility.PUBLIC, Visibility.FRIENDS, Visibility.PRIVATE
CHANGED = PUBLISHED + DAY
CORRECTED = RECORDED + DAY


def test_a_post_is_described_from_when_its_record_came() -> None:
    facts = post()

    assert facts.described(RECORDED) == Description("FACEBOOK", PostKind.POST, PUBLISHED, PUBLIC, RECORDED)
    assert facts.described(RECORDED - 1) is None
    assert PostFacts("p").described(NOW) is None


def test_the_author_is_whom_the_last_correction_names() -> None:
    corrected = PostFacts(
        "p",
        description=post().description,
        authors=(Link(person("ana"), RECORDED, until=CORRECTED), Link(person("ben"), CORRECTED)),
    )

    assert corrected.author(CORRECTED) == person("ben")
    assert corrected.author(CORRECTED - 1) == person("ana")
    assert corrected.author(RECORDED - 1) is None


def test_a_correction_takes_effect_with_the_description() -> None:
    undescribed = PostFacts("p", authors=(Link(person("ben"), RECORDED),))

    assert undescribed.author(NOW) is None


def test_people_who_are_depicted_count_while_the_record_names_them_but_for_the_author() -> None:
    facts = PostFacts(
        "p",
        description=post().description,
        authors=(Link(person("ana"), RECORDED),),
        depicted=(
            Link(person("ana"), RECORDED),
            Link(person("ben"), RECORDED, until=CORRECTED),
            Link(person("cleo"), CORRECTED),
        ),
    )

    assert facts.depicted_others(CORRECTED - 1) == (person("ben"),)
    assert facts.depicted_others(CORRECTED) == (person("cleo"),)


def test_who_becomes_the_author_is_no_longer_somebody_else() -> None:
    facts = PostFacts(
        "p",
        description=post().description,
        authors=(Link(person("ana"), RECORDED, until=CORRECTED), Link(person("ben"), CORRECTED)),
        depicted=(Link(person("ana"), RECORDED), Link(person("ben"), RECORDED)),
    )

    assert facts.depicted_others(RECORDED) == (person("ben"),)
    assert facts.depicted_others(CORRECTED) == (person("ana"),)


@dataclass(frozen=True)
class Seen:
    name: str
    expected: Visibility | None
    changes: tuple[Dated[Visibility], ...] = ()
    published_as: Visibility = PUBLIC
    at: int = NOW
    known_at: int = NOW


SEEN = (
    Seen("as published", PUBLIC),
    Seen("before its publication as published", FRIENDS, published_as=FRIENDS, at=PUBLISHED - 1),
    Seen("changed from an instant, at that instant", PRIVATE, (dated(PRIVATE, CHANGED),), at=CHANGED),
    Seen("changed from an instant, just before it", PUBLIC, (dated(PRIVATE, CHANGED),), at=CHANGED - 1),
    Seen("the latest change", PUBLIC, (dated(PUBLIC, CHANGED + 1), dated(PRIVATE, CHANGED))),
    Seen("of two at one instant the narrower", PRIVATE, (dated(PUBLIC, CHANGED), dated(PRIVATE, CHANGED))),
    Seen("friends are narrower than the public", FRIENDS, (dated(FRIENDS, CHANGED), dated(PUBLIC, CHANGED))),
    Seen("changed as it was published: the narrower", PRIVATE, (dated(PRIVATE, PUBLISHED),), at=PUBLISHED),
    Seen("widened as it was published: the narrower", PRIVATE, (dated(PUBLIC, PUBLISHED),), published_as=PRIVATE),
    Seen("changed before its publication: as published", PUBLIC, (dated(PRIVATE, PUBLISHED - 1),)),
    Seen("a change that is not known yet", PUBLIC, (dated(PRIVATE, CHANGED, NOW + 1),)),
    Seen("a change known at an instant, at that instant", PRIVATE, (dated(PRIVATE, CHANGED, NOW),)),
    Seen("not described yet", None, known_at=RECORDED - 1),
    Seen("not described, but changed", PRIVATE, (dated(PRIVATE, CHANGED, ALWAYS),), known_at=RECORDED - 1),
    Seen(
        "not described, and not changed yet",
        None,
        (dated(PRIVATE, CHANGED, ALWAYS),),
        at=CHANGED - 1,
        known_at=RECORDED - 1,
    ),
)


@pytest.mark.parametrize("case", SEEN, ids=lambda case: case.name)
def test_visibility_is_that_of_the_latest_fact_valid_then(case: Seen) -> None:
    for changes in (case.changes, case.changes[::-1]):
        facts = post(visibility=case.published_as, visibilities=changes)
        assert facts.visibility_at(case.at, case.known_at) == case.expected


def test_a_post_is_deleted_from_its_earliest_known_deletion_on() -> None:
    facts = post(deletions=(dated(None, CHANGED), dated(None, CHANGED - 1, NOW)))

    assert facts.deleted_at(NOW) == CHANGED - 1
    assert facts.deleted_at(NOW - 1) == CHANGED
    assert facts.deleted_at(RECORDED - 1) is None


def test_special_category_is_what_was_said_last() -> None:
    facts = post(special_category=(dated(False, NOW, NOW), dated(True, RECORDED, RECORDED)))

    assert facts.is_special_category(NOW) is False
    assert facts.is_special_category(NOW - 1) is True
    assert facts.is_special_category(RECORDED - 1) is False
    assert post().is_special_category(NOW) is False
