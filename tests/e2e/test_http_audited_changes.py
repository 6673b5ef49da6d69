"""The audit of changes: a mutation is entered together with what it changed, and a refusal by itself."""

from typing import Any

import pytest

from consentline.gql.schema import build_schema
from tests.conftest import Api
from tests.e2e.audited import (
    ACCEPTED,
    BLOCKED,
    SUBJECTS,
    Entry,
    Since,
    blocking,
    digest,
    minimal_input,
    mutation,
)
from tests.e2e.operations import OBJECT, change, error_codes, load_small_story
from tests.integration.snapshots import Node, snapshot

CORE = build_schema().core
assert CORE.mutation_type is not None
MUTATIONS = CORE.mutation_type.fields


def test_every_mutation_that_is_built_is_tried_here() -> None:
    assert set(ACCEPTED) == set(MUTATIONS)


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_mutation_leaves_one_entry_about_what_it_concerns_and_so_does_its_repetition(api: Api, name: str) -> None:
    fields = ACCEPTED[name](api)
    document, since = mutation(name, MUTATIONS[name]), Since(api)

    assert api.data(document, {"input": fields})[name] == {"userErrors": []}

    entry = since.only()
    assert entry[:3] == (name, "ACCEPTED", "admin")
    assert entry.subjects >= SUBJECTS.get(name, {digest("ModelVersion", "m:1")})
    since = Since(api)
    refused = [error["code"] for error in api.data(document, {"input": fields})[name]["userErrors"]]
    assert since.only()[:3] == (name, *(refused or ["ACCEPTED"]), "admin")


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_that_names_nothing_leaves_one_entry_with_what_came_of_it(api: Api, name: str) -> None:
    since = Since(api)

    answer = api.graphql(mutation(name, MUTATIONS[name]), {"input": minimal_input(MUTATIONS[name])})

    if "errors" in answer:
        (outcome,) = error_codes(answer)
    else:
        outcome = next((error["code"] for error in answer["data"][name]["userErrors"]), "ACCEPTED")
    assert since.only()[:3] == (name, outcome, "admin")


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_that_the_role_may_not_leaves_one_entry(module_api: Api, name: str) -> None:
    api, since = module_api, Since(module_api)

    answer = api.graphql(mutation(name, MUTATIONS[name]), {"input": minimal_input(MUTATIONS[name])}, "auditor")

    assert error_codes(answer) == {"FORBIDDEN"}
    assert since.only()[:3] == (name, "FORBIDDEN", "auditor")


@pytest.mark.parametrize("name", ACCEPTED)
def test_a_change_whose_entry_cannot_be_written_does_not_happen(api: Api, name: str) -> None:
    """Both are one transaction: where the entry is refused by the database, so is the change."""
    fields = ACCEPTED[name](api)
    since, before = Since(api), graph(api)

    with blocking(api):
        document = {"query": mutation(name, MUTATIONS[name]), "variables": {"input": fields}}
        response = api.post("/graphql", json=document, headers=BLOCKED)

    assert (response.status_code, error_codes(response.json())) == (503, {"AUDIT_UNAVAILABLE"})
    assert response.json()["data"] is None
    assert since.only()[:2] == (name, "AUDIT_UNAVAILABLE")
    if name == "buildDatasetVersion":
        # What was built before its seal is seen by nobody, and the same call goes on with it.
        query = '{ datasetVersion(dataset: "built", number: 1) { status postCount } }'
        assert api.data(query)["datasetVersion"] == {"status": "BUILDING", "postCount": None}
    else:
        assert graph(api) == before


def graph(api: Api) -> tuple[dict[Node, int], Any]:
    """Everything but the audit."""
    found = api.run(snapshot(api.service))
    nodes = {node: count for node, count in found.nodes.items() if not node.label.startswith("Audit")}
    return nodes, found.relationships


def test_a_refusal_whose_entry_cannot_be_written_is_not_told(api: Api) -> None:
    fields = ACCEPTED["fileObjection"](api)
    change(api, OBJECT, **fields)
    document = {"query": OBJECT, "variables": {"input": fields | {"user": "u2"}}}

    with blocking(api):
        response = api.post("/graphql", json=document, headers=BLOCKED)

    assert (response.status_code, error_codes(response.json())) == (503, {"AUDIT_UNAVAILABLE"})
    assert response.json()["data"] is None
    assert "OBJECTION_CONFLICT" not in response.text


def test_each_mutation_of_a_request_leaves_its_own_entry(api: Api) -> None:
    load_small_story(api)
    since = Since(api)

    api.data(
        """mutation {
          a: serveFeature(input: {feature: "feed", modelVersion: "m:1"}) { userErrors { code } }
          b: serveFeature(input: {feature: "feed", modelVersion: "none"}) { userErrors { code } }
          cancelTraining(input: {run: "none"}) { userErrors { code } }
        }"""
    )

    assert [entry[:2] for entry in since.entries()] == [
        ("serveFeature", "ACCEPTED"),
        ("serveFeature", "MODEL_VERSION_NOT_FOUND"),
        ("cancelTraining", "RUN_NOT_FOUND"),
    ]


def test_what_the_gate_refuses_is_entered_as_refused(api: Api) -> None:
    load_small_story(api)
    since = Since(api)
    document = """mutation { authorizeTraining(input: {run: "r9", inputs: [{dataset: "d", number: 1}]}) {
      refusals { count } userErrors { code } } }"""

    assert api.data(document, role="ml")["authorizeTraining"]["refusals"]
    assert since.only() == Entry(
        "authorizeTraining", "TRAINING_REFUSED", "ml", frozenset({digest("TrainingRun", "r9")})
    )


def test_the_payload_of_a_mutation_shows_whom_its_own_entry_is_about(api: Api) -> None:
    load_small_story(api)
    since = Since(api)

    change(api, OBJECT, "compliance", key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")

    about = frozenset({digest("User", "u1"), digest("Objection", "o")})
    assert since.only() == Entry("fileObjection", "ACCEPTED", "compliance", about)
