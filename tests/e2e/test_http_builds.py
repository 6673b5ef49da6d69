"""Building a dataset version over HTTP: what it answers, how far it is, and why it is refused."""

from datetime import datetime
from typing import Any

import pytest

from consentline.usecases import builds
from consentline.usecases.builds import BuildVersion
from tests.conftest import Api
from tests.e2e.operations import LONG, OBJECT, RECEIVED, REGISTER, change, error_codes, post, record

VERSION = """number status coverage postCount manifestDigest sealedAt dataset { key title }
  buildProgress { examined taken updatedAt } excluded { reason count }"""
BUILD = f"""
mutation ($input: BuildDatasetVersionInput!) {{
  buildDatasetVersion(input: $input) {{
    datasetVersion {{ {VERSION} }} excluded {{ reason count }} userErrors {{ code message path }}
  }}
}}
"""
READ = f'query ($number: Int!) {{ datasetVersion(dataset: "d", number: $number) {{ {VERSION} }} }}'


@pytest.fixture
def story(api: Api) -> Api:
    """Three posts of an adult in Scotland, two of a minor, one of somebody in France, under a policy for GB."""
    policy = record(
        "policy",
        key="gb",
        version=1,
        jurisdiction="GB",
        purpose="AI_TRAINING",
        lawful_basis="LEGITIMATE_INTERESTS",
        effective_from="2020-01-01T00:00:00Z",
        notice_required=False,
        assessment="dpia-1",
    )
    people = (("ana", "GB-SCT", "1990-01-01"), ("kid", "GB", "2030-01-01"), ("fra", "FR", "1990-01-01"))
    users = (record("user", key=key, jurisdiction=place, adult_from=day) for key, place, day in people)
    posts = (("p1", "ana"), ("p2", "ana"), ("p3", "ana"), ("k1", "kid"), ("k2", "kid"), ("f1", "fra"))
    platforms = {"p3": "THREADS"}
    answer = api.ingest(policy, *users, *(post(key, who, platforms.get(key, "FACEBOOK")) for key, who in posts))
    assert answer["rejected"] == 0, answer
    return api


def refused(api: Api, **fields: Any) -> tuple[str, str, list[str]]:
    """The code, message and path of the one refusal of a build, of which nothing came."""
    payload = api.data(BUILD, {"input": fields})["buildDatasetVersion"]
    (error,) = payload["userErrors"]
    assert (payload["datasetVersion"], payload["excluded"]) == (None, [])
    return error["code"], error["message"], error["path"]


def test_a_version_is_built_from_what_may_be_used(story: Api) -> None:
    payload = change(story, BUILD, "ml", dataset="d", title="A dataset")
    version = payload["datasetVersion"]

    excluded = [
        {"reason": "JURISDICTION_NOT_COVERED", "count": 1},
        {"reason": "MINOR_AT_PUBLICATION", "count": 2},
        {"reason": "MINOR_NOW", "count": 2},
    ]
    assert payload["excluded"] == version["excluded"] == excluded
    assert (version["number"], version["status"], version["coverage"], version["postCount"]) == (
        1,
        "SEALED",
        "COMPLETE",
        3,
    )
    assert version["dataset"] == {"key": "d", "title": "A dataset"}
    assert version["manifestDigest"].startswith("sha256:")
    progress = version["buildProgress"]
    assert (progress["examined"], progress["taken"]) == (6, 3)
    assert datetime.fromisoformat(progress["updatedAt"]) <= datetime.fromisoformat(version["sealedAt"])
    assert story.data(READ, {"number": 1}, "auditor")["datasetVersion"] == version
    held = story.data('{ datasetVersion(dataset: "d", number: 1) { a: contains(post: "p1") b: contains(post: "k1") } }')
    assert held["datasetVersion"] == {"a": True, "b": False}


def test_a_selection_narrows_it_and_the_next_build_has_what_changed(story: Api) -> None:
    selection = {
        "jurisdictions": ["GB"],
        "platforms": ["FACEBOOK"],
        "publishedFrom": "2024-01-01T00:00:00Z",
        "publishedBefore": "2025-01-01T00:00:00Z",
    }
    asked = {"dataset": "d", "selection": selection, "asOf": "2026-01-01T00:00:00Z", "purpose": "AI_TRAINING"}
    first = change(story, BUILD, **asked)
    change(story, OBJECT, key="o1", user="ana", receivedAt=RECEIVED)
    second = change(story, BUILD, **asked)

    assert (first["datasetVersion"]["postCount"], second["datasetVersion"]["postCount"]) == (2, 0)
    assert {"reason": "OBJECTION_PENDING", "count": 2} in second["excluded"]
    diff = story.data('{ datasetVersionDiff(dataset: "d", from: 1, to: 2) { addedCount removedCount } }')
    assert diff["datasetVersionDiff"] == {"addedCount": 0, "removedCount": 2}
    assert story.data(READ, {"number": 1})["datasetVersion"]["excluded"] == first["excluded"]


def test_a_build_under_way_shows_how_far_it_is_and_keeps_others_out(story: Api) -> None:
    story.run(builds._open(story.service, BuildVersion("d")))

    version = story.data(READ, {"number": 1})["datasetVersion"]
    code, message, path = refused(story, dataset="d")

    assert (version["status"], version["postCount"], version["sealedAt"]) == ("BUILDING", None, None)
    progress = version["buildProgress"]
    assert (progress["examined"], progress["taken"], version["excluded"]) == (0, 0, [])
    assert (code, path) == ("BUILD_RUNNING", ["dataset"])
    assert "d:1 is being built" in message
    assert refused(story, dataset="d", purpose="ADVERTISING")[0] == "VERSION_BUILDING"
    lines = (record("member", dataset="d", version=1, post="p1"), record("seal", dataset="d", version=1))
    assert [error["code"] for error in story.ingest(*lines)["errors"]] == ["VERSION_BEING_BUILT"] * 2


def test_a_version_that_was_registered_has_no_build(story: Api) -> None:
    change(story, REGISTER, dataset="d", coverage="COMPLETE", posts=["p1"])

    version = story.data(READ, {"number": 1})["datasetVersion"]

    assert (version["buildProgress"], version["excluded"]) == (None, [])


REFUSED: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "a future day": ({"asOf": "2999-01-01T00:00:00Z"}, "AS_OF_IN_FUTURE", ["asOf"]),
    "no time": (
        {"selection": {"publishedFrom": "2025-01-01T00:00:00Z", "publishedBefore": "2025-01-01T00:00:00Z"}},
        "EMPTY_SELECTION",
        ["selection"],
    ),
    "no dataset": ({"dataset": ""}, "KEY_EMPTY", ["dataset"]),
    "no purpose": ({"purpose": " "}, "KEY_EMPTY", ["purpose"]),
    "a long platform": ({"selection": {"platforms": [LONG]}}, "KEY_TOO_LONG", ["selection", "platforms"]),
    "a long title": ({"title": "x" * 4_001}, "TEXT_TOO_LONG", ["title"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_built_is_refused_by_a_code(api: Api, name: str) -> None:
    fields, code, path = REFUSED[name]

    assert refused(api, **{"dataset": "d"} | fields)[::2] == (code, path)
    assert api.data('{ dataset(key: "d") { id } }') == {"dataset": None}


@pytest.mark.parametrize("role", ["compliance", "service", "auditor"])
def test_who_may_not_write_lineage_builds_nothing(api: Api, role: str) -> None:
    assert error_codes(api.graphql(BUILD, {"input": {"dataset": "d"}}, role)) == {"FORBIDDEN"}
