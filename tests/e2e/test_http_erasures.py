"""Erasures over HTTP: asked for and followed, by those who may."""

from typing import Any

import pytest

from tests.conftest import Api
from tests.e2e.operations import (
    CONTROL,
    LONG,
    REGISTER,
    TRAIN,
    change,
    error_codes,
    load_small_story,
    only_error,
    record,
)

RECEIVED = "2026-03-03T10:00:00Z"
REQUEST = """
mutation ($input: RequestErasureInput!) {
  requestErasure(input: $input) {
    erasure { id key status receivedAt dueAt overdue affectedPostCount user { key } }
    affectedPostCount
    userErrors { code message path }
  }
}
"""
ERASURE = "query ($key: String!) { erasure(key: $key) { key status user { key } } }"


@pytest.fixture
def story(api: Api) -> Api:
    """Two people's posts that nothing stands against, in a dataset that trained a model."""
    rules = {"key": "gb", "version": 1, "jurisdiction": "GB", "purpose": "AI_TRAINING", "notice_required": False}
    basis = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia", "effective_from": "2020-01-01T00:00:00Z"}
    api.ingest(record("policy", **rules, **basis), record("user", key="u2", jurisdiction="GB", adult_from="2000-01-01"))
    load_small_story(api)
    return api


def ask(api: Api, role: str = "admin", **fields: Any) -> dict[str, Any]:
    return change(api, REQUEST, role, **({"key": "e1", "user": "u1", "receivedAt": RECEIVED} | fields))


@pytest.mark.parametrize("role", ["compliance", "service", "admin"])
def test_a_request_restricts_at_once_and_is_found_again(story: Api, role: str) -> None:
    payload = ask(story, role)

    erasure = payload["erasure"]
    assert {name: value for name, value in erasure.items() if name not in ("id", "overdue")} == {
        "key": "e1",
        "status": "REQUESTED",
        "receivedAt": RECEIVED,
        "dueAt": "2026-04-06T22:59:59Z",
        "affectedPostCount": 2,
        "user": {"key": "u1"},
    }
    assert payload["affectedPostCount"] == 2
    asked = story.data(
        """query ($id: ID!) {
          erasure(key: "e1") { id } node(id: $id) { ... on Erasure { key } }
          eligibility(post: "p1") { reasons } datasetVersion(dataset: "d", number: 1) { ineligibleCount }
        }""",
        {"id": erasure["id"]},
        "auditor",
    )
    assert asked == {
        "erasure": {"id": erasure["id"]},
        "node": {"key": "e1"},
        "eligibility": {"reasons": ["ERASURE_PENDING"]},
        "datasetVersion": {"ineligibleCount": 2},
    }
    assert ask(story, role) == payload


def test_who_may_not_ask_for_it_is_told_so_and_nothing_is_written(story: Api) -> None:
    for role in ("ml", "auditor"):
        answer = story.graphql(REQUEST, {"input": {"key": "e1", "user": "u1", "receivedAt": RECEIVED}}, role)
        assert only_error(answer)[0] == "FORBIDDEN"

    assert story.data(ERASURE, {"key": "e1"}) == {"erasure": None}


def test_machine_learning_reads_no_erasure(story: Api) -> None:
    node = ask(story)["erasure"]["id"]

    for document, variables in ((ERASURE, {"key": "e1"}), ("query ($id: ID!) { node(id: $id) { id } }", {"id": node})):
        assert error_codes(story.graphql(document, variables, "ml")) == {"FORBIDDEN"}


@pytest.mark.parametrize(
    ("fields", "code", "path"),
    [
        ({"user": "u2"}, "ERASURE_CONFLICT", ["key"]),
        ({"receivedAt": "2026-03-03T10:00:01Z"}, "ERASURE_CONFLICT", ["key"]),
        ({"key": "e2", "user": "u2", "receivedAt": "2100-01-01T00:00:00Z"}, "TIME_IN_FUTURE", ["receivedAt"]),
        ({"key": "e2"}, "ERASURE_STANDING", ["user"]),
        ({"key": LONG}, "KEY_TOO_LONG", ["key"]),
        ({"key": ""}, "KEY_EMPTY", ["key"]),
        ({"user": CONTROL}, "KEY_CONTROL_CHARACTER", ["user"]),
    ],
)
def test_a_refused_request_names_the_field(story: Api, fields: dict[str, Any], code: str, path: list[str]) -> None:
    ask(story)

    given = {"key": "e1", "user": "u1", "receivedAt": RECEIVED} | fields
    payload = story.data(REQUEST, {"input": given})["requestErasure"]

    (error,) = payload["userErrors"]
    assert (error["code"], error["path"], bool(error["message"])) == (code, path, True)
    assert (payload["erasure"], payload["affectedPostCount"]) == (None, 0)


def test_a_run_that_read_the_posts_after_the_receipt_is_a_violation(story: Api) -> None:
    change(story, REGISTER, dataset="x", coverage="COMPLETE", posts=["p3"])
    late = {"inputs": [{"dataset": "d", "number": 1}], "startedAt": "2026-03-04T10:00:00Z"}
    change(story, TRAIN, run="r2", model="m", version="2", **late)

    ask(story)

    query = """{ retrainingFlags(modelVersion: "m:2") { edges { node {
      causeCount(kind: VIOLATION) affectedPostCount(kind: VIOLATION) } } } }"""
    (edge,) = story.data(query)["retrainingFlags"]["edges"]
    assert edge["node"] == {"causeCount": 1, "affectedPostCount": 2}
