"""Changing the graph over HTTP: roles, refusals, and what is found afterwards."""

import json

import pytest

from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.usecases import dispatch
from tests.conftest import Api
from tests.e2e.gated import load_usable_data
from tests.e2e.operations import (
    CONTROL,
    DERIVE,
    ENTITIES,
    ERASE,
    LONG,
    NODES,
    OBJECT,
    RECEIVED,
    REGISTER,
    SERVE,
    TRAIN,
    change,
    error_codes,
    load_small_story,
    make_models,
    refusal,
)

HOOK = """mutation ($input: RegisterWebhookInput!) {
  registerWebhook(input: $input) { webhook { id } userErrors { code message path } } }"""


@pytest.fixture
def story(api: Api) -> Api:
    load_small_story(api)
    return api


def every_id(api: Api) -> dict[str, str]:
    """The id of one thing of every kind."""
    policy = {
        "kind": "policy",
        "key": "gb",
        "version": 1,
        "jurisdiction": "GB",
        "purpose": "AI_TRAINING",
        "lawful_basis": "LEGITIMATE_INTERESTS",
        "effective_from": "2024-01-01T00:00:00Z",
    }
    api.ingest(json.dumps(policy))
    webhook = change(api, HOOK, key="hook", url="http://127.0.0.1:9/")["webhook"]
    objection = change(api, OBJECT, key="o1", user="u1", receivedAt=RECEIVED)["objection"]
    queue_deliveries(api)
    (delivery, *_) = api.data('{ deliveries(webhook: "hook") { edges { node { id } } } }')["deliveries"]["edges"]
    found = api.data(ENTITIES)
    erasure = change(api, ERASE, key="e1", user="u2", receivedAt=RECEIVED)["erasure"]
    downstream = api.data(
        '{ lineage(kind: MODEL_VERSION, key: "m:tuned", direction: DOWNSTREAM) { nodes { __typename id } } }'
    )
    ids = {node["__typename"]: node["id"] for node in downstream["lineage"]["nodes"]}
    return ids | {
        "User": found["user"]["id"],
        "Post": found["post"]["id"],
        "Dataset": found["dataset"]["id"],
        "DatasetVersion": found["datasetVersion"]["id"],
        "TrainingRun": found["trainingRun"]["id"],
        "ModelVersion": found["modelVersion"]["id"],
        "Policy": found["eligibility"]["policy"]["id"],
        "Objection": objection["id"],
        "Erasure": erasure["id"],
        "RetrainingFlag": objection["flags"]["edges"][0]["node"]["id"],
        "Webhook": webhook["id"],
        "Delivery": delivery["node"]["id"],
    }


def queue_deliveries(api: Api) -> None:
    """What a worker does before it sends anything."""
    (lease,) = api.run(dispatch.take(api.service, 1, 60))
    api.run(dispatch.step(api.service, lease, 60, [], [], 1))


def test_anything_is_found_again_by_its_id(story: Api) -> None:
    ids = every_id(story)
    assert ids.keys() == set(NodeKind)

    found = story.data(NODES, {"ids": list(ids.values())})["nodes"]

    assert found == [{"__typename": kind, "id": each} for kind, each in ids.items()]
    one = story.data("query ($id: ID!) { node(id: $id) { __typename id } }", {"id": ids["Feature"]})
    assert one["node"] == {"__typename": "Feature", "id": ids["Feature"]}


MUTATIONS: dict[str, tuple[str, set[str]]] = {
    'registerDatasetVersion(input: {dataset: "x", coverage: UNDOCUMENTED})': ("datasetVersion", {"ml"}),
    'buildDatasetVersion(input: {dataset: "x", asOf: "2999-01-01T00:00:00Z"})': ("datasetVersion", {"ml"}),
    'withdrawDatasetVersion(input: {dataset: "x", number: 1, reason: "r"})': ("datasetVersion", {"ml"}),
    'recordTraining(input: {run: "x", inputs: [], startedAt: "2025-01-01T00:00:00Z"})': ("trainingRun", {"ml"}),
    'deriveModelVersion(input: {model: "x", version: "1", from: ["y"], kind: MERGE})': ("modelVersion", {"ml"}),
    'serveFeature(input: {feature: "x", modelVersion: "y"})': ("modelVersion", {"ml"}),
    'fileObjection(input: {key: "x", user: "u", receivedAt: "2026-11-02T10:00:00Z"})': (
        "objection",
        {"compliance", "service"},
    ),
    'decideObjection(input: {key: "x", uphold: true})': ("objection", {"compliance", "service"}),
    'withdrawObjection(input: {key: "x"})': ("objection", {"compliance", "service"}),
    'extendObjection(input: {key: "x", reason: "r"})': ("objection", {"compliance", "service"}),
    'requestErasure(input: {key: "x", user: "u", receivedAt: "2026-11-02T10:00:00Z"})': (
        "erasure",
        {"compliance", "service"},
    ),
    'confirmErasure(input: {key: "x"})': ("erasure", {"compliance", "service"}),
    'rejectErasure(input: {key: "x", grounds: "g"})': ("erasure", {"compliance", "service"}),
    'acknowledgeFlag(input: {flag: "x"})': ("flag", {"ml", "compliance", "service"}),
    'scheduleRetraining(input: {flag: "x", plannedFor: "2099-01-01T00:00:00Z"})': (
        "flag",
        {"ml", "compliance", "service"},
    ),
    'resolveFlag(input: {flag: "x", resolution: RETIRED})': ("flag", {"ml", "compliance", "service"}),
    'registerWebhook(input: {key: "x", url: "http://127.0.0.1:9/"})': ("webhook", {"service"}),
    'disableWebhook(input: {key: "x"})': ("webhook", {"service"}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_each_mutation_is_for_the_roles_that_may(api: Api, mutation: str) -> None:
    entity, allowed = MUTATIONS[mutation]
    for role in ("ml", "compliance", "service", "auditor", "admin"):
        answer = api.graphql(f"mutation {{ {mutation} {{ {entity} {{ id }} userErrors {{ code }} }} }}", role=role)
        if role in allowed | {"admin"}:
            assert "errors" not in answer, (role, answer)
        else:
            assert (error_codes(answer), answer["data"]) == ({"FORBIDDEN"}, None), role


def test_an_objection_raises_flags_and_stops_use(api: Api) -> None:
    load_usable_data(api)
    make_models(api)

    payload = change(api, OBJECT, "compliance", key="o1", user="u1", receivedAt=RECEIVED)

    objection = payload["objection"]
    assert (objection["status"], objection["user"]["key"], objection["affectedPostCount"]) == ("PENDING", "u1", 2)
    assert objection["purposes"] == ["AI_TRAINING"]
    assert objection["platforms"] == []
    assert objection["receivedAt"] == RECEIVED
    flags = [edge["node"] for edge in objection["flags"]["edges"]]
    assert {flag["modelVersion"]["key"] for flag in flags} == {"m:1", "m:tuned"}
    assert {(flag["status"], flag["causeCount"], flag["affectedPostCount"]) for flag in flags} == {("OPEN", 1, 2)}
    reasons = api.data('{ eligibility(post: "p1") { reasons } }')["eligibility"]["reasons"]
    assert reasons == ["OBJECTION_PENDING"]
    assert change(api, OBJECT, "service", key="o1", user="u1", receivedAt=RECEIVED) == payload


def test_a_flag_is_taken_up(story: Api) -> None:
    objection = change(story, OBJECT, key="o1", user="u1", receivedAt=RECEIVED)["objection"]
    flag_id = objection["flags"]["edges"][0]["node"]["id"]
    mutation = """mutation ($input: AcknowledgeFlagInput!) {
      acknowledgeFlag(input: $input) { flag { id status resolution } userErrors { code message path } } }"""

    flag = change(story, mutation, "ml", flag=flag_id)["flag"]

    assert flag == {"id": flag_id, "status": "ACKNOWLEDGED", "resolution": None}
    listed = story.data("{ retrainingFlags(status: ACKNOWLEDGED) { totalCount edges { node { id } } } }", role="ml")
    assert listed["retrainingFlags"] == {"totalCount": 1, "edges": [{"node": {"id": flag_id}}]}
    assert refusal(story, mutation, flag="nonsense") == ("BAD_ID", ["flag"])
    assert refusal(story, mutation, flag=encode_id(NodeId(NodeKind.POST, "p1"))) == ("BAD_ID", ["flag"])


def test_objections_are_listed_decided_and_withdrawn(story: Api) -> None:
    decide = """mutation ($input: DecideObjectionInput!) {
      decideObjection(input: $input) { objection { status decidedAt grounds } userErrors { code message path } } }"""
    withdraw = """mutation ($input: WithdrawObjectionInput!) {
      withdrawObjection(input: $input) { objection { status } userErrors { code message path } } }"""
    for number in range(3):
        received = f"2026-11-0{number + 1}T10:00:00Z"
        change(story, OBJECT, key=f"o{number}", user="u1", receivedAt=received)

    assert refusal(story, decide, key="o0", uphold=False) == ("GROUNDS_REQUIRED", ["grounds"])
    assert change(story, decide, key="o0", uphold=True)["objection"]["status"] == "UPHELD"
    assert change(story, withdraw, key="o1")["objection"]["status"] == "WITHDRAWN"

    listed = story.data("{ objections(first: 2) { totalCount edges { cursor node { key status } } } }")["objections"]
    assert listed["totalCount"] == 3
    assert [edge["node"]["key"] for edge in listed["edges"]] == ["o0", "o1"]
    after = listed["edges"][1]["cursor"]
    rest = story.data(f'{{ objections(first: 2, after: "{after}") {{ edges {{ node {{ key }} }} }} }}')
    assert rest["objections"]["edges"] == [{"node": {"key": "o2"}}]
    pending = story.data("{ objections(status: PENDING) { totalCount } }")["objections"]
    assert pending["totalCount"] == 1
    assert error_codes(story.graphql(f'{{ objections(status: PENDING, after: "{after}") {{ totalCount }} }}')) == {
        "BAD_CURSOR"
    }


@pytest.mark.parametrize(
    ("key", "code"), [(LONG, "KEY_TOO_LONG"), ("", "KEY_EMPTY"), (CONTROL, "KEY_CONTROL_CHARACTER")]
)
def test_keys_that_no_key_may_be(api: Api, key: str, code: str) -> None:
    moment = "2026-11-02T10:00:00Z"
    assert refusal(api, OBJECT, key=key, user="u", receivedAt=moment) == (code, ["key"])
    assert refusal(api, OBJECT, key="o", user=key, receivedAt=moment) == (code, ["user"])
    assert refusal(api, OBJECT, key="o", user="u", receivedAt=moment, platforms=[key]) == (code, ["platforms"])
    assert refusal(api, REGISTER, dataset=key, coverage="UNDOCUMENTED") == (code, ["dataset"])
    assert refusal(api, REGISTER, dataset="d", coverage="COMPLETE", posts=["p", key]) == (code, ["posts"])
    assert refusal(api, TRAIN, run=key, inputs=[], startedAt=moment) == (code, ["run"])
    assert refusal(api, DERIVE, model=key, version="1", kind="MERGE", **{"from": ["a"]}) == (code, ["model"])
    assert refusal(api, SERVE, feature=key, modelVersion="m:1") == (code, ["feature"])
    assert api.data('{ objections { totalCount } dataset(key: "d") { id } }') == {
        "objections": {"totalCount": 0},
        "dataset": None,
    }


@pytest.mark.parametrize("key", ["<img src=x onerror=alert(1)>", "'}) DETACH DELETE n //", "`$key`", "пост 😀"])
def test_html_cypher_and_any_script_in_keys_are_plain_text(api: Api, key: str) -> None:
    change(api, REGISTER, dataset=key, coverage="COMPLETE", posts=[key])

    found = api.data(
        "query ($k: String!) { dataset(key: $k) { id key } datasetVersion(dataset: $k, number: 1)"
        " { contains(post: $k) } post(key: $k) { key } }",
        {"k": key},
    )

    assert found["dataset"]["key"] == found["post"]["key"] == key
    assert found["datasetVersion"]["contains"] is True
    assert api.data(NODES, {"ids": [found["dataset"]["id"]]})["nodes"] == [
        {"__typename": "Dataset", "id": found["dataset"]["id"]}
    ]


def test_refusals_of_the_records(story: Api) -> None:
    started = "2025-01-01T00:00:00Z"
    assert refusal(story, REGISTER, dataset="d", number=1, coverage="COMPLETE", posts=["other"]) == (
        "VERSION_NUMBER_TAKEN",
        ["number"],
    )
    assert refusal(story, TRAIN, run="r2", inputs=[{"dataset": "d", "number": 9}], startedAt=started) == (
        "VERSION_NOT_FOUND",
        ["inputs"],
    )
    code, path = refusal(story, DERIVE, model="m", version="1", kind="MERGE", **{"from": ["m:tuned"]})
    assert (code, path) == ("DERIVATION_CYCLE", ["from"])
    assert refusal(story, OBJECT, key="o", user="u", receivedAt="2999-01-01T00:00:00Z") == (
        "TIME_IN_FUTURE",
        ["receivedAt"],
    )
