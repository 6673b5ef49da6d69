"""Erasures over HTTP: asked for, decided and followed, by those who may."""

from typing import Any

import pytest

from consentline.usecases import recipients
from tests.conftest import Api
from tests.e2e.operations import (
    CONTROL,
    LONG,
    OBJECT,
    REGISTER,
    TRAIN,
    change,
    error_codes,
    load_small_story,
    only_error,
    post,
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


CONFIRM = """
mutation ($input: ConfirmErasureInput!) {
  confirmErasure(input: $input) {
    erasure {
      id key status user { key } confirmedAt completedAt overdue affectedPostCount
      report {
        erased { posts postChanges depictions facts consentStates noticesServed objections }
        depictingPostCount limits
        modelVersions { key } datasetVersions { number dataset { key } } datasets { key recipients { name webhook } }
      }
    }
    affectedPostCount
    userErrors { code message path }
  }
}
"""
REJECT = """
mutation ($input: RejectErasureInput!) {
  rejectErasure(input: $input) {
    erasure { key status refusedAt grounds user { key } report { limits } confirmedAt completedAt }
    affectedPostCount
    userErrors { code message path }
  }
}
"""
LIST = """query ($status: ErasureStatus, $after: String) {
  erasures(status: $status, first: 1, after: $after) {
    totalCount pageInfo { endCursor hasNextPage } edges { node { key status user { key } } }
  }
}"""


@pytest.mark.parametrize("role", ["compliance", "service", "admin"])
def test_a_confirmed_erasure_reports_what_is_gone_and_what_is_left_to_do(story: Api, role: str) -> None:
    deleted = record("post_deleted", post="p1", valid_from="2026-02-02T00:00:00Z")
    assert story.ingest(deleted)["accepted"] == 1
    handed_on = recipients.RecordRecipient("d", "lab", "A laboratory")
    story.run(recipients.record(story.service, handed_on))
    ask(story)

    payload = change(story, CONFIRM, role, key="e1")

    erasure = payload["erasure"]
    assert (erasure["key"], erasure["status"], erasure["user"], erasure["overdue"]) == ("e1", "DONE", None, False)
    assert erasure["confirmedAt"] <= erasure["completedAt"]
    assert erasure["affectedPostCount"] == payload["affectedPostCount"] == 2
    assert erasure["report"] == {
        "erased": {
            "posts": 2,
            "postChanges": 1,
            "depictions": 0,
            "facts": 2,
            "consentStates": 0,
            "noticesServed": 0,
            "objections": 0,
        },
        "depictingPostCount": 0,
        "limits": ["MODEL_WEIGHTS", "COPIES", "BACKUPS", "DATABASE_FILES"],
        "modelVersions": [{"key": "m:1"}, {"key": "m:tuned"}],
        "datasetVersions": [{"number": 1, "dataset": {"key": "d"}}],
        "datasets": [{"key": "d", "recipients": [{"name": "A laboratory", "webhook": None}]}],
    }
    assert change(story, CONFIRM, role, key="e1") == payload
    assert story.data(ERASURE, {"key": "e1"}) == {"erasure": {"key": "e1", "status": "DONE", "user": None}}


def test_whoever_has_a_key_of_the_erased_still_gets_a_true_answer(story: Api) -> None:
    asked = """{
      postUsage(post: "p1") {
        verdict uses { totalCount edges { node { modelVersion { key } relation } } } heldIn { number }
      }
      userUsage(user: "u1") { verdict }
      datasetVersion(dataset: "d", number: 1) { ineligibleCount contains(post: "p1") postCount }
    }"""
    ask(story)
    before = story.data(asked)

    change(story, CONFIRM, key="e1")

    assert story.data(asked) == before
    now = story.data("""{
      eligibility(post: "p1") { eligible reasons policy { id } }
      post(key: "p1") { key platform publishedAt author { key } visibility erasedAt }
      user(key: "u1") { key jurisdiction adultFrom erasedAt posts { edges { node { key } } } }
    }""")
    assert now["eligibility"] == {"eligible": False, "reasons": ["ERASED"], "policy": None}
    erased_at = now["post"].pop("erasedAt")
    nothing = {"platform": None, "publishedAt": None, "author": None, "visibility": None}
    assert now["post"] == {"key": "p1"} | nothing
    assert erased_at == now["user"]["erasedAt"] is not None
    assert (now["user"]["key"], now["user"]["jurisdiction"], now["user"]["adultFrom"]) == ("u1", None, None)
    keys = [edge["node"]["key"] for edge in now["user"]["posts"]["edges"]]
    assert len(keys) == 2
    assert all(key.startswith("hmac-sha256:") for key in keys)


def test_nobody_asks_by_a_digest(story: Api) -> None:
    ask(story)
    change(story, CONFIRM, key="e1")
    page = story.data('{ user(key: "u1") { posts { edges { node { id key } } } } }')["user"]["posts"]["edges"]
    node, digest = page[0]["node"]["id"], page[0]["node"]["key"]
    for query in (
        "post(key: $key) { id }",
        "user(key: $key) { id }",
        "objection(key: $key) { id }",
        "erasure(key: $key) { id }",
        "postUsage(post: $key) { verdict }",
        "userUsage(user: $key) { verdict }",
        "eligibility(post: $key) { eligible }",
        "lineage(kind: POST, key: $key, direction: DOWNSTREAM) { complete }",
        'datasetVersion(dataset: "d", number: 1) { contains(post: $key) }',
    ):
        answer = story.graphql(f"query ($key: String!) {{ {query} }}", {"key": digest})
        assert error_codes(answer) == {"KEY_RESERVED"}, query
    answer = story.graphql("query ($id: ID!) { node(id: $id) { id } }", {"id": node})
    assert error_codes(answer) == {"KEY_RESERVED"}
    for kind, fields in (("user", {"key": digest}), ("post_deleted", {"post": digest, "valid_from": RECEIVED})):
        answer = story.ingest(record(kind, **fields))
        assert [each["code"] for each in answer["errors"]] == ["KEY_RESERVED"]
    given = {"input": {"key": "e2", "user": digest, "receivedAt": RECEIVED}}
    (error,) = story.data(REQUEST, given)["requestErasure"]["userErrors"]
    assert (error["code"], error["path"]) == ("KEY_RESERVED", ["user"])
    (error,) = story.data(CONFIRM, {"input": {"key": digest}})["confirmErasure"]["userErrors"]
    assert (error["code"], error["path"]) == ("KEY_RESERVED", ["key"])


def test_what_names_the_erased_is_refused_line_by_line(story: Api) -> None:
    ask(story)
    change(story, CONFIRM, key="e1")

    answer = story.ingest(
        record("user", key="u1", jurisdiction="GB"),
        record("user", key="u3", jurisdiction="FR"),
        post("p1", "u1"),
        post("p9", "u1"),
        post("p8", "u2"),
        record("post_deleted", post="p2", valid_from="2026-02-02T00:00:00Z"),
    )

    assert (answer["accepted"], answer["rejected"]) == (2, 4)
    told = [(each["line"], each["code"], each["field"]) for each in answer["errors"]]
    assert told == [(1, "ERASED", "key"), (3, "ERASED", "author"), (4, "ERASED", "author"), (6, "ERASED", "post")]
    given = {"input": {"key": "o9", "user": "u1", "receivedAt": RECEIVED}}
    (error,) = story.data(OBJECT, given)["fileObjection"]["userErrors"]
    assert (error["code"], error["path"]) == ("ERASED", ["user"])
    given = {"input": {"key": "e9", "user": "u1", "receivedAt": RECEIVED}}
    (error,) = story.data(REQUEST, given)["requestErasure"]["userErrors"]
    assert (error["code"], error["path"]) == ("ERASED", ["user"])


def test_a_rejected_erasure_lifts_the_restriction_and_can_be_asked_for_again(story: Api) -> None:
    ask(story)

    payload = change(story, REJECT, "compliance", key="e1", grounds="not identified", decidedAt="2026-03-20T00:00:00Z")

    assert payload["erasure"] == {
        "key": "e1",
        "status": "REFUSED",
        "refusedAt": "2026-03-20T00:00:00Z",
        "grounds": "not identified",
        "user": {"key": "u1"},
        "report": None,
        "confirmedAt": None,
        "completedAt": None,
    }
    found = story.data("""{ now: eligibility(post: "p1") { reasons }
      then: eligibility(post: "p1", at: "2026-03-10T00:00:00Z") { reasons }
      datasetVersion(dataset: "d", number: 1) { ineligibleCount } }""")
    assert found["now"] == {"reasons": []}
    assert found["then"] == {"reasons": ["ERASURE_PENDING"]}
    assert found["datasetVersion"] == {"ineligibleCount": 0}
    assert ask(story, key="e2")["erasure"]["status"] == "REQUESTED"


@pytest.mark.parametrize(
    ("mutation", "fields", "code", "path"),
    [
        ("confirmErasure", {"key": "none"}, "ERASURE_NOT_FOUND", ["key"]),
        ("confirmErasure", {"key": "refused"}, "ERASURE_WRONG_STATE", ["key"]),
        ("rejectErasure", {"key": "none", "grounds": "g"}, "ERASURE_NOT_FOUND", ["key"]),
        ("rejectErasure", {"key": "refused", "grounds": "g"}, "ERASURE_WRONG_STATE", ["key"]),
        ("rejectErasure", {"key": "done", "grounds": "g"}, "ERASURE_WRONG_STATE", ["key"]),
        ("rejectErasure", {"key": "e1", "grounds": " "}, "GROUNDS_REQUIRED", ["grounds"]),
        ("rejectErasure", {"key": "e1", "grounds": "x" * 4001}, "TEXT_TOO_LONG", ["grounds"]),
        (
            "rejectErasure",
            {"key": "e1", "grounds": "g", "decidedAt": "2026-03-02T00:00:00Z"},
            "DECIDED_AT_OUT_OF_RANGE",
            ["decidedAt"],
        ),
        (
            "rejectErasure",
            {"key": "e1", "grounds": "g", "decidedAt": "2100-01-01T00:00:00Z"},
            "DECIDED_AT_OUT_OF_RANGE",
            ["decidedAt"],
        ),
    ],
)
def test_a_refused_decision_names_the_field(
    story: Api, mutation: str, fields: dict[str, Any], code: str, path: list[str]
) -> None:
    ask(story, key="refused")
    change(story, REJECT, key="refused", grounds="not identified")
    ask(story, key="done", user="u2")
    change(story, CONFIRM, key="done")
    ask(story)

    payload = story.data({"confirmErasure": CONFIRM, "rejectErasure": REJECT}[mutation], {"input": fields})[mutation]

    (error,) = payload["userErrors"]
    assert (error["code"], error["path"], bool(error["message"])) == (code, path, True)
    assert (payload["erasure"], payload["affectedPostCount"]) == (None, 0)


def test_erasures_are_listed_by_receipt_page_by_page(story: Api) -> None:
    ask(story, key="later", user="u2", receivedAt="2026-03-04T00:00:00Z")
    ask(story, key="first")
    change(story, CONFIRM, key="first")

    first = story.data(LIST, {}, "auditor")["erasures"]
    (node,) = [edge["node"] for edge in first["edges"]]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (2, True)
    assert (node["status"], node["user"]) == ("DONE", None)
    assert node["key"].startswith("hmac-sha256:")
    second = story.data(LIST, {"after": first["pageInfo"]["endCursor"]})["erasures"]
    assert [edge["node"]["key"] for edge in second["edges"]] == ["later"]
    for status, count in (("REQUESTED", 1), ("CONFIRMED", 0), ("DONE", 1), ("REFUSED", 0)):
        assert story.data(LIST, {"status": status})["erasures"]["totalCount"] == count, status
    assert error_codes(story.graphql(LIST, {}, "ml")) == {"FORBIDDEN"}
    answer = story.graphql(LIST, {"status": "DONE", "after": first["pageInfo"]["endCursor"]})
    assert error_codes(answer) == {"BAD_CURSOR"}
