"""Generated records are valid, the same for the same seed, skewed as in life, and cost no memory."""

import hashlib
import io
import json
import tracemalloc
from collections import Counter
from datetime import UTC, date, datetime
from typing import Any

import pytest

from consentline.domain.errors import InvalidInputError
from consentline.generation import KINDS, generate_records, write

# Of shared records contract: (required, optional) fields of each kind that is generated.
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "policy": (
        {"key", "version", "jurisdiction", "purpose", "lawful_basis", "effective_from"},
        {"notice_required", "objection_window_days", "platforms", "assessment", "assessment_expires"},
    ),
    "notice": ({"key", "version", "purpose", "channel", "published_at"}, set()),
    "user": ({"key"}, {"jurisdiction", "adult_from", "valid_from"}),
    "notice_served": ({"user", "notice", "version", "served_at"}, {"seen_at"}),
    "consent": ({"user", "purpose", "status", "valid_from"}, set()),
    "post": (
        {"key", "author", "platform", "post_kind", "visibility", "published_at"},
        {"depicts", "special_category"},
    ),
    "visibility": ({"post", "visibility", "valid_from"}, set()),
    "post_deleted": ({"post", "valid_from"}, set()),
    "objection": ({"key", "user", "received_at"}, {"purposes", "platforms"}),
}
TIMES = ("published_at", "valid_from", "served_at", "seen_at", "received_at", "effective_from", "assessment_expires")
NEWEST = datetime(2026, 11, 2, tzinfo=UTC)


def records(posts: int, seed: int, **options: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in generate_records(posts, seed, **options)]


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [record for record in found if record["kind"] == kind]


def test_same_posts_and_seed_give_the_same_bytes_for_ever() -> None:
    digest = hashlib.sha256(b"".join(generate_records(5_000, 7))).hexdigest()

    assert digest == "c34cfc279122861b2cc426740fbbcd45b9ecf1a5e7370d8816f87a312fe11d7c"


def test_another_seed_gives_other_posts_under_other_keys() -> None:
    one, other = ({record["key"]: record for record in of_kind(records(500, seed), "post")} for seed in (1, 2))

    assert not one.keys() & other.keys()
    assert [post["published_at"] for post in one.values()] != [post["published_at"] for post in other.values()]


@pytest.mark.parametrize("posts", [0, 1, 19, 999, 1_000, 1_001, 2_500])
def test_as_many_posts_as_asked_for_each_with_its_own_key(posts: int) -> None:
    keys = [record["key"] for record in of_kind(records(posts, 3), "post")]

    assert len(keys) == posts
    assert len(set(keys)) == posts


def test_writing_gives_the_bytes_of_the_records_and_reports_the_posts_done() -> None:
    out, reported = io.BytesIO(), list[int]()

    write(2_345, 4, out, reported.append)

    assert out.getvalue() == b"".join(generate_records(2_345, 4))
    assert reported == sorted(reported)
    assert reported[-1] == 2_345


def test_only_keeps_the_lines_of_those_kinds_unchanged() -> None:
    everything = list(generate_records(3_000, 5))

    for kind in KINDS:
        kept = [line for line in everything if json.loads(line)["kind"] == kind]
        assert list(generate_records(3_000, 5, only=[kind])) == kept
    assert list(generate_records(3_000, 5, only=KINDS)) == everything


def test_every_record_has_the_fields_of_its_kind_and_no_others() -> None:
    found = records(20_000, 6)

    assert {record["kind"] for record in found} == set(KINDS)
    for record in found:
        required, optional = FIELDS[record["kind"]]
        fields = record.keys() - {"kind"}
        assert required <= fields <= required | optional, record


def test_every_time_has_an_offset_and_no_happening_lies_ahead() -> None:
    for record in records(20_000, 6):
        for field in TIMES:
            if field in record:
                moment = datetime.fromisoformat(record[field])
                assert moment.utcoffset() is not None
                assert moment < NEWEST or field in {"effective_from", "assessment_expires"}
        if "adult_from" in record:
            assert date.fromisoformat(record["adult_from"]).year >= 1985


def test_values_are_of_the_enums() -> None:
    for record in records(20_000, 8):
        assert record.get("visibility", "PUBLIC") in {"PUBLIC", "FRIENDS", "PRIVATE"}
        assert record.get("post_kind", "POST") in {"POST", "COMMENT", "PHOTO", "VIDEO", "PRIVATE_MESSAGE"}
        assert record.get("status", "GIVEN") in {"GIVEN", "WITHDRAWN"}
        if record.get("post_kind") == "PRIVATE_MESSAGE":
            assert record["visibility"] == "PRIVATE"


def test_what_follows_a_post_names_it_and_happens_after_its_publication() -> None:
    published: dict[str, datetime] = {}

    for record in records(20_000, 9):
        if record["kind"] == "post":
            published[record["key"]] = datetime.fromisoformat(record["published_at"])
        elif record["kind"] in {"visibility", "post_deleted"}:
            assert datetime.fromisoformat(record["valid_from"]) >= published[record["post"]]


def test_nearly_all_people_are_described_before_their_first_post() -> None:
    described: set[str] = set()
    total = known = 0

    for record in records(40_000, 10):
        if record["kind"] == "user":
            described.add(record["key"])
        elif record["kind"] == "post":
            total += 1
            known += record["author"] in described

    assert 0.95 * total < known < total


def test_notices_served_name_the_notice_that_is_generated() -> None:
    found = records(5_000, 11)
    notices = {(record["key"], record["version"]) for record in of_kind(found, "notice")}

    assert {(record["notice"], record["version"]) for record in of_kind(found, "notice_served")} <= notices


def test_nobody_is_described_twice_in_contradiction() -> None:
    facts = [(record["key"], record.get("valid_from")) for record in of_kind(records(60_000, 12), "user")]

    assert len(facts) == len(set(facts))


def test_few_authors_write_much_and_all_the_others_little() -> None:
    people = 5_000

    written = Counter(record["author"] for record in of_kind(records(100_000, 13, people=people), "post"))

    busiest = sum(count for _, count in written.most_common(people // 100))
    assert 0.08 < busiest / 100_000 < 0.5
    assert max(written.values()) < 1_000
    assert len(written) > 0.9 * people


def test_proportions_are_those_of_a_platform() -> None:
    count = Counter(record["kind"] for record in records(100_000, 14, people=10_000))

    assert count["post"] > 0.8 * count.total()
    assert 1_000 < count["post_deleted"] < 4_000
    assert 1_000 < count["visibility"] < 4_000
    assert count["objection"] == 10


def test_memory_does_not_grow_with_the_number_of_lines() -> None:
    stream = generate_records(400_000, 15)
    for _ in range(30_000):
        next(stream)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(200_000):
            next(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak - before < 2_000_000


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ({"posts": -1, "seed": 1}, ("posts",)),
        ({"posts": 1, "seed": -1}, ("seed",)),
        ({"posts": 1, "seed": 1, "people": 0}, ("people",)),
        ({"posts": 1, "seed": 1, "only": ["posts"]}, ("only",)),
    ],
)
def test_what_cannot_be_generated_is_refused_by_name(arguments: dict[str, Any], path: tuple[str, ...]) -> None:
    with pytest.raises(InvalidInputError) as refused:
        next(generate_records(**arguments))

    assert refused.value.code == "INVALID_INPUT"
    assert refused.value.path == path
