"""The demo story is well formed by itself: what loading it gives is checked against the database elsewhere."""

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from graphql import parse

SEED = Path(__file__).parents[2] / "graph_seed"

# Of shared records contract: (required, optional) fields.
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "user": ({"key"}, {"jurisdiction", "adult_from", "valid_from"}),
    "post": (
        {"key", "author", "platform", "post_kind", "visibility", "published_at"},
        {"depicts", "special_category", "content_digest"},
    ),
    "visibility": ({"post", "visibility", "valid_from"}, set()),
    "post_author": ({"post", "author", "reason"}, set()),
    "post_deleted": ({"post", "valid_from"}, set()),
    "policy": (
        {"key", "version", "jurisdiction", "purpose", "lawful_basis", "effective_from"},
        {
            "notice_required",
            "objection_window_days",
            "platforms",
            "assessment",
            "assessment_expires",
            "protects_depicted",
            "flags_past_use",
            "objection_absolute",
            "gate_flagged_bases",
            "effective_until",
        },
    ),
    "notice": ({"key", "version", "purpose", "channel", "published_at"}, {"content_digest"}),
    "notice_served": ({"user", "notice", "version", "served_at"}, {"seen_at"}),
    "consent": ({"user", "purpose", "status", "valid_from"}, set()),
    "objection": ({"key", "user", "received_at"}, {"purposes", "platforms", "channel"}),
    "member": ({"dataset", "version", "post"}, set()),
    "member_removed": ({"dataset", "version", "post"}, set()),
    "seal": ({"dataset", "version"}, set()),
}
TIME_FIELDS = {
    "published_at",
    "valid_from",
    "served_at",
    "seen_at",
    "received_at",
    "effective_from",
    "effective_until",
    "assessment_expires",
}
REASONS = [
    "JURISDICTION_UNKNOWN",
    "JURISDICTION_NOT_COVERED",
    "PLATFORM_NOT_IN_SCOPE",
    "PRIVATE_MESSAGE",
    "NOT_PUBLIC_AT_PUBLICATION",
    "NOT_PUBLIC_NOW",
    "AGE_UNKNOWN",
    "MINOR_AT_PUBLICATION",
    "MINOR_NOW",
    "NOTICE_NOT_SERVED",
    "OBJECTION_WINDOW_OPEN",
    "OBJECTION_PENDING",
    "OBJECTED",
    "CONSENT_MISSING",
    "CONSENT_WITHDRAWN",
    "POST_DELETED",
    "ERASURE_PENDING",
    "ERASED",
    "THIRD_PARTY_OBJECTED",
    "THIRD_PARTY_MINOR",
    "SPECIAL_CATEGORY",
    "ASSESSMENT_MISSING",
    "ASSESSMENT_EXPIRED",
]
UNRECORDED = {"facebook:post-1999", "facebook:post-0000"}  # in a manifest only; nowhere at all

STORY: dict[str, Any] = json.loads((SEED / "story.json").read_text(encoding="utf-8"))
ANSWERS: dict[str, Any] = json.loads((SEED / "answers.json").read_text(encoding="utf-8"))


def lines(file: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (SEED / file).read_text(encoding="utf-8").splitlines()]


def loaded() -> Iterator[dict[str, Any]]:
    """Every record, in the order in which the story loads them."""
    for step in STORY["steps"]:
        if "ingest" in step:
            yield from lines(step["ingest"])


def inputs(operation: str) -> list[dict[str, Any]]:
    name = f"operations/{operation}.graphql"
    return [step["variables"]["input"] for step in STORY["steps"] if step.get("mutation") == name]


POSTS = {record["key"]: record for record in loaded() if record["kind"] == "post"}
OBJECTIONS = {record["key"] for record in loaded() if record["kind"] == "objection"} | {
    filed["key"] for filed in inputs("file_objection")
}
MODELS = {
    f"{made['model']}:{made['version']}"
    for made in inputs("record_training") + inputs("derive_model_version")
    if "model" in made
}
RUNS = {made["run"] for made in inputs("record_training")}
VIOLATIONS = {answer["run"]: set(answer["posts"]) for answer in ANSWERS["violations"]}
VERSIONS = {f"{made['dataset']}:{made['number']}" for made in inputs("register_dataset_version")}


def test_every_step_names_one_file_that_exists_and_every_file_is_named() -> None:
    named = {step.get("ingest") or step["mutation"] for step in STORY["steps"]}
    present = {path.relative_to(SEED).as_posix() for path in SEED.rglob("*") if path.suffix in {".ndjson", ".graphql"}}

    assert named == present
    assert all(("ingest" in step) != ("mutation" in step) for step in STORY["steps"])


@pytest.mark.parametrize("path", sorted((SEED / "operations").glob("*.graphql")), ids=lambda path: path.stem)
def test_every_operation_takes_one_input_and_asks_for_user_errors(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    document = parse(text)

    assert len(document.definitions) == 1
    assert "($input: " in text
    assert "userErrors { code message path }" in text


def test_every_record_is_of_a_known_kind_with_its_fields_and_no_others() -> None:
    for record in loaded():
        required, optional = FIELDS[record["kind"]]
        fields = record.keys() - {"kind"}
        assert required <= fields <= required | optional, record


def test_every_time_has_an_offset_and_nothing_happens_after_the_storys_day() -> None:
    ahead = {"effective_from", "effective_until", "assessment_expires"}
    for record in loaded():
        for field in TIME_FIELDS & record.keys():
            moment = datetime.fromisoformat(record[field])
            assert moment.utcoffset() is not None, record
            assert field in ahead or record[field][:10] < STORY["today"], record


def test_a_few_hundred_posts_on_three_platforms_each_recorded_once() -> None:
    keys = [record["key"] for record in loaded() if record["kind"] == "post"]

    assert 300 <= len(keys) <= 400
    assert len(keys) == len(set(keys))
    assert {post["platform"] for post in POSTS.values()} == {"FACEBOOK", "INSTAGRAM", "THREADS"}


def test_facts_about_posts_and_people_name_recorded_ones() -> None:
    people = {record["key"] for record in loaded() if record["kind"] == "user"}
    notices = {(record["key"], record["version"]) for record in loaded() if record["kind"] == "notice"}

    for record in loaded():
        if record["kind"] in {"visibility", "post_deleted", "post_author", "member", "member_removed"}:
            assert record["post"] in POSTS.keys() | {"facebook:post-1999"}, record
        if record["kind"] in {"notice_served", "consent", "objection"}:
            assert record["user"] in people, record
        if record["kind"] == "notice_served":
            assert (record["notice"], record["version"]) in notices
    assert {post["author"] for post in POSTS.values()} - people == {"facebook:user-ghost"}


def test_no_step_names_what_a_later_step_defines() -> None:
    versions: set[str] = set()
    models: set[str] = set()
    objections: set[str] = set()
    for step in STORY["steps"]:
        if "ingest" in step:
            found = lines(step["ingest"])
            objections |= {record["key"] for record in found if record["kind"] == "objection"}
            built = {f"{record['dataset']}:{record['version']}" for record in found if record["kind"] == "seal"}
            assert built <= versions
            continue
        given = step["variables"]["input"]
        refs = {f"{ref['dataset']}:{ref['number']}" for ref in given.get("inputs", []) + given.get("derivedFrom", [])}
        assert refs <= versions, step
        serves = step["mutation"].endswith("serve_feature.graphql")
        sources = [given["modelVersion"]] if serves else given.get("from", [])
        assert {*sources, *given.get("startedFrom", []), *given.get("generatedBy", [])} <= models, step
        if step["mutation"].endswith(("decide_objection.graphql", "withdraw_objection.graphql")):
            assert given["key"] in objections, step
        if "coverage" in given:
            versions.add(f"{given['dataset']}:{given['number']}")
        if "model" in given:
            models.add(f"{given['model']}:{given['version']}")
        if step["mutation"].endswith("file_objection.graphql"):
            objections.add(given["key"])


def test_each_version_of_the_uk_dataset_holds_as_many_posts_as_the_answers_say() -> None:
    expected = {entry["datasetVersion"]: entry["postCount"] for entry in ANSWERS["datasetVersions"]}
    members: dict[int, set[str]] = {0: set()}
    for record in loaded():
        if record["kind"] == "member":
            members.setdefault(record["version"], set(members[record["version"] - 1])).add(record["post"])
        elif record["kind"] == "member_removed":
            members[record["version"]].remove(record["post"])

    for number in (1, 2, 3):
        assert len(members[number]) == expected[f"uk-public:{number}"]
    for made in inputs("register_dataset_version"):
        if "posts" in made:
            assert len(made["posts"]) == expected[f"{made['dataset']}:{made['number']}"]
            assert set(made["posts"]) <= POSTS.keys()
    filtered = next(made for made in inputs("register_dataset_version") if made["dataset"] == "uk-public-filtered")
    assert set(filtered["posts"]) < members[2]


def test_answers_speak_of_what_the_story_holds() -> None:
    for answer in ANSWERS["usage"]:
        assert answer["post"] in POSTS.keys() | UNRECORDED
        assert set(answer["modelVersions"]) == answer["relations"].keys()
        assert answer["relations"].keys() <= MODELS
        assert {*answer["heldIn"], *answer["undocumented"]} <= VERSIONS
        used = bool(answer["modelVersions"] or answer["failedRuns"])
        assert answer["verdict"] == ("USED" if used else "UNKNOWN" if answer["undocumented"] else "NOT_USED")
    for answer in ANSWERS["eligibility"]:
        assert answer["post"] in POSTS.keys() | UNRECORDED
        assert answer["reasons"] == sorted(answer["reasons"], key=REASONS.index)
        assert datetime.fromisoformat(answer["at"]).utcoffset() is not None
    for flag in ANSWERS["flags"]:
        assert flag["modelVersion"] in MODELS
        assert flag["causeCount"] == len(flag["causes"])
        violating = [cause for cause in flag["causes"] if cause["kind"] == "VIOLATION"]
        assert {cause["objection"] for cause in flag["causes"] if "objection" in cause} <= OBJECTIONS
        assert {
            post for cause in flag["causes"] if "post" in cause for post in [cause["post"], *cause["posts"]]
        } <= set(POSTS)
        assert {POSTS[post]["author"] for cause in flag["causes"] if "user" in cause for post in cause["posts"]} == {
            cause["user"] for cause in flag["causes"] if "user" in cause
        }
        assert {cause["run"] for cause in violating} <= RUNS
        assert all(set(cause["posts"]) == VIOLATIONS[cause["run"]] for cause in violating)
        assert flag["affectedPostCount"] == len({post for cause in flag["causes"] for post in cause["posts"]})
        assert {post for cause in flag["causes"] for post in cause["posts"]} <= POSTS.keys()
    assert {answer["objection"] for answer in ANSWERS["objections"]} == OBJECTIONS


def test_the_demos_objection_is_new_and_comes_from_the_author_of_a_used_post() -> None:
    demo = STORY["demo"]

    assert POSTS[demo["post"]]["author"] == demo["user"]
    assert demo["objection"] not in OBJECTIONS
    assert demo["user"] not in {record["user"] for record in loaded() if record["kind"] == "objection"}
    assert next(answer for answer in ANSWERS["usage"] if answer["post"] == demo["post"])["verdict"] == "USED"
