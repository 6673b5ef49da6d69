import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.datasets import Membership, Selection, VersionRef, VersionStatus, manifest_digest
from consentline.domain.people import PersonFacts
from consentline.domain.posts import PostFacts
from tests.unit.domain.factories import NOW, PUBLISHED, RECORDED, dated, person, post, version


@dataclass(frozen=True)
class Holding:
    membership: Membership
    versions: Sequence[int]


@pytest.mark.parametrize(
    "case",
    [
        Holding(Membership("d", 1, None), [1, 2, 3, 4]),
        Holding(Membership("d", 3, None), [3, 4]),
        Holding(Membership("d", 1, 3), [1, 2]),
        Holding(Membership("d", 2, 3), [2]),
        Holding(Membership("d", 2, 2), []),
    ],
    ids=lambda case: f"{case.membership.from_version} to {case.membership.to_version}",
)
def test_a_membership_holds_from_its_first_version_to_before_its_last(case: Holding) -> None:
    assert [number for number in range(5) if case.membership.holds(number)] == case.versions


def moved(*places: str | None) -> PersonFacts:
    """A person for whom all these jurisdictions were recorded, each from another day on."""
    return PersonFacts("ana", jurisdictions=tuple(dated(place, day) for day, place in enumerate(places)))


@dataclass(frozen=True)
class Covers:
    name: str
    selection: Selection
    expected: bool
    post: PostFacts = field(default_factory=post)
    known_at: int = NOW


GB, SCT = Selection(jurisdictions=("GB",)), Selection(jurisdictions=("GB-SCT",))
SELECTIONS = (
    Covers("no criterion", Selection(), expected=True),
    Covers("the platform", Selection(platforms=("THREADS", "FACEBOOK")), expected=True),
    Covers("another platform", Selection(platforms=("THREADS",)), expected=False),
    Covers("published on the first instant", Selection(published_from=PUBLISHED), expected=True),
    Covers("published just before it", Selection(published_from=PUBLISHED + 1), expected=False),
    Covers("published on the end", Selection(published_before=PUBLISHED), expected=False),
    Covers("published just before the end", Selection(published_before=PUBLISHED + 1), expected=True),
    Covers("what is no platform's code", Selection(platforms=("facebook",)), expected=True),
    Covers("what is no platform's code beside one", Selection(platforms=("THREADS", "FACEBOOK ")), expected=True),
    Covers("a post of what is no platform's code", Selection(platforms=("THREADS",)), True, post(platform="FACEBOOK ")),
    Covers("what is no jurisdiction", Selection(jurisdictions=("UK",)), expected=True),
    Covers("what is no jurisdiction beside one", Selection(jurisdictions=("IE", "gb")), expected=True),
    Covers("a person of what is no jurisdiction", GB, True, post(author=person(jurisdiction="UK"))),
    Covers("the jurisdiction", GB, expected=True),
    Covers("another jurisdiction", Selection(jurisdictions=("IE", "FR")), expected=False),
    Covers("one of its jurisdictions", Selection(jurisdictions=("IE", "GB")), expected=True),
    Covers("a country covers its subdivision", GB, True, post(author=person(jurisdiction="GB-SCT"))),
    Covers("a subdivision cannot rule out its country", SCT, True, post(author=person(jurisdiction="GB"))),
    Covers("a subdivision rules out another", SCT, False, post(author=person(jurisdiction="GB-ENG"))),
    Covers("any place ever lived in", GB, True, post(author=moved("GB", "IE"))),
    Covers("any place to be lived in", GB, True, post(author=moved("IE", "GB"))),
    Covers("none of the places ever lived in", GB, False, post(author=moved("FR", "IE"))),
    Covers("a place that was unknown once", GB, True, post(author=moved("IE", None))),
    Covers("a place never recorded", GB, True, post(author=PersonFacts("ana"))),
    Covers("a place recorded later", GB, True, post(author=person(jurisdiction="IE")), RECORDED - 1),
    Covers("a post never described", Selection(("IE",), ("THREADS",), NOW, NOW + 1), True, PostFacts("p")),
    Covers("a post described later", Selection(platforms=("THREADS",)), True, known_at=RECORDED - 1),
    Covers("one criterion rules out, whatever the others", Selection(("GB",), ("THREADS",)), expected=False),
    Covers("all criteria met", Selection(("GB",), ("FACEBOOK",), PUBLISHED, PUBLISHED + 1), expected=True),
)


@pytest.mark.parametrize("case", SELECTIONS, ids=lambda case: case.name)
def test_a_declared_selection_covers_what_it_cannot_rule_out(case: Covers) -> None:
    assert case.selection.covers(case.post, case.known_at) is case.expected


@pytest.mark.parametrize("criteria", [("GB",), ("IE",), ("UK",), ()], ids=["GB", "IE", "UK", "none"])
def test_a_person_is_covered_by_the_declared_jurisdictions_alone(criteria: tuple[str, ...]) -> None:
    selection = Selection(criteria, ("THREADS",), NOW, NOW + 1)

    assert selection.covers_person(person(jurisdiction="GB"), NOW) is (criteria != ("IE",))
    assert selection.covers_person(None, NOW)


def test_the_digest_is_sha_256_over_the_keys_each_followed_by_a_line_feed() -> None:
    expected = hashlib.sha256("a\nb\né\n".encode()).hexdigest()

    assert manifest_digest(["a", "b", "é"]) == f"sha256:{expected}"
    assert manifest_digest([]) == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(
    one=st.sets(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), max_size=4),
    other=st.sets(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), max_size=4),
)
def test_two_manifests_have_one_digest_only_when_they_are_the_same(one: set[str], other: set[str]) -> None:
    assert (manifest_digest(sorted(one)) == manifest_digest(sorted(other))) == (one == other)


def test_a_version_is_known_from_its_seal_on() -> None:
    assert version(sealed=RECORDED).known(RECORDED)
    assert not version(sealed=RECORDED).known(RECORDED - 1)
    assert not version(status=VersionStatus.BUILDING).known(NOW)


def test_versions_are_named_and_sorted_by_dataset_and_number() -> None:
    named = [VersionRef("d", 10), VersionRef("c:1", 2), VersionRef("d", 9)]

    assert [str(each) for each in sorted(named)] == ["c:1:2", "d:9", "d:10"]
    assert version("c:1:2").ref == VersionRef("c:1", 2)
