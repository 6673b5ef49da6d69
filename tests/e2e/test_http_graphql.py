"""The graph over HTTP: entities, ids, pages, roles, mutations."""

import json
from itertools import pairwise
from typing import Any

import pytest

from consentline.gql.ids import NodeId, NodeKind, encode_id
from tests.conftest import Api
from tests.e2e.counting import statements_of

REGISTER = """
mutation ($input: RegisterDatasetVersionInput!) {
  registerDatasetVersion(input: $input) {
    datasetVersion { id number status coverage postCount manifestDigest sealedAt dataset { id key title } }
    userErrors { code message path }
  }
}
"""
TRAIN = """
mutation ($input: RecordTrainingInput!) {
  recordTraining(input: $input) {
    trainingRun { id key status purpose startedAt endedAt produced { id key trainedBy { key } } inputs { number } }
    userErrors { code message path }
  }
}
"""
DERIVE = """
mutation ($input: DeriveModelInput!) {
  deriveModelVersion(input: $input) { modelVersion { key trainedBy { key } } userErrors { code message path } }
}
"""
SERVE = """
mutation ($input: ServeFeatureInput!) {
  serveFeature(input: $input) { modelVersion { key features } userErrors { code message path } }
}
"""
OBJECT = """
mutation ($input: FileObjectionInput!) {
  fileObjection(input: $input) {
    objection {
      id key status purposes platforms receivedAt dueAt overdue affectedPostCount user { key }
      flags { totalCount edges { node { id status causeCount affectedPostCount modelVersion { key } } } }
    }
    userErrors { code message path }
  }
}
"""
RECEIVED = "2026-11-02T10:00:00Z"


def post(key: str, author: str, platform: str = "FACEBOOK") -> str:
    return json.dumps(
        {
            "kind": "post",
            "key": key,
            "author": author,
            "platform": platform,
            "post_kind": "POST",
            "visibility": "PUBLIC",
            "published_at": "2024-01-01T00:00:00Z",
        }
    )


@pytest.fixture
def story(api: Api) -> Api:
    """Two people's posts in a dataset that trained a model, one derived from it, and a feature that this serves."""
    user = {"kind": "user", "key": "u1", "jurisdiction": "GB", "adult_from": "2000-01-01"}
    answer = api.ingest(json.dumps(user), post("p1", "u1"), post("p2", "u1"), post("p3", "u2"))
    assert (answer["accepted"], answer["rejected"]) == (4, 0), answer
    change(api, REGISTER, dataset="d", title="A dataset", coverage="COMPLETE", posts=["p1", "p2", "p3"])
    change(
        api,
        TRAIN,
        run="r1",
        inputs=[{"dataset": "d", "number": 1}],
        startedAt="2025-01-01T00:00:00Z",
        endedAt="2025-02-01T00:00:00Z",
        purpose="AI_TRAINING",
        model="m",
        version="1",
    )
    change(api, DERIVE, model="m", version="tuned", **{"from": ["m:1"]}, kind="FINE_TUNE")
    change(api, SERVE, feature="ads", modelVersion="m:tuned")
    return api


def change(api: Api, mutation: str, role: str = "admin", **fields: Any) -> dict[str, Any]:
    """The payload of a mutation that is not refused."""
    (payload,) = api.data(mutation, {"input": fields}, role).values()
    assert payload["userErrors"] == []
    return payload


def refusal(api: Api, mutation: str, **fields: Any) -> tuple[str, list[str] | None]:
    """The code and path of the one refusal of a mutation, whose entity is null."""
    (payload,) = api.data(mutation, {"input": fields}).values()
    (error,) = payload["userErrors"]
    assert error["message"]
    assert [value for name, value in payload.items() if name != "userErrors"] == [None]
    return error["code"], error["path"]


def error_codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer["errors"]}


USAGE = """
query ($post: String!, $first: Int! = 50, $after: String) {
  postUsage(post: $post) {
    postKey verdict explanation complete knownAt
    uses(first: $first, after: $after) {
      totalCount
      pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges {
        cursor
        node {
          relation usedAt
          modelVersion { key } trainingRun { key } datasetVersion { number dataset { key } }
          eligibilityAtUse { eligible reasons at knownAt policy { key } }
          path { relation from { __typename id } to { __typename id } }
        }
      }
    }
    heldIn { number } undocumented { number }
  }
}
"""


def test_was_this_post_used(story: Api) -> None:
    usage = story.data(USAGE, {"post": "p1"}, "ml")["postUsage"]

    assert (usage["verdict"], usage["complete"], usage["postKey"]) == ("USED", True, "p1")
    uses = [edge["node"] for edge in usage["uses"]["edges"]]
    assert [(use["modelVersion"]["key"], use["relation"]) for use in uses] == [
        ("m:1", "TRAINED_ON"),
        ("m:tuned", "DERIVED_MODEL"),
    ]
    assert uses[0]["usedAt"] == "2025-01-01T00:00:00Z"
    assert uses[0]["datasetVersion"] == {"number": 1, "dataset": {"key": "d"}}
    assert [step["relation"] for step in uses[1]["path"]] == ["HELD_IN", "CONSUMED_BY", "PRODUCED", "DERIVED"]
    ends = [(step["from"], step["to"]) for step in uses[1]["path"]]
    assert all(before[1] == after[0] for before, after in pairwise(ends))
    assert ends[0][0] == {"__typename": "Post", "id": encode_id(NodeId(NodeKind.POST, "p1"))}
    assert uses[0]["eligibilityAtUse"]["reasons"] == ["JURISDICTION_NOT_COVERED"]
    assert uses[0]["eligibilityAtUse"]["at"] == "2025-01-01T00:00:00Z"
    assert uses[0]["eligibilityAtUse"]["knownAt"] == usage["knownAt"]
    assert usage["heldIn"] == [{"number": 1}]


def test_a_post_that_nothing_names_has_an_answer_too(story: Api) -> None:
    usage = story.data(USAGE, {"post": "never recorded"})["postUsage"]

    assert (usage["verdict"], usage["uses"]["totalCount"]) == ("NOT_USED", 0)
    assert usage["uses"]["pageInfo"]["startCursor"] is None


def test_a_known_at_in_the_future_is_refused(story: Api) -> None:
    answer = story.graphql('{ postUsage(post: "p1", knownAt: "2999-01-01T00:00:00Z") { verdict } }')

    assert error_codes(answer) == {"KNOWN_AT_IN_FUTURE"}
    assert answer["errors"][0]["extensions"]["argument"] == "knownAt"


def test_pages_follow_each_other(story: Api) -> None:
    first = story.data(USAGE, {"post": "p1", "first": 1})["postUsage"]["uses"]
    second = story.data(USAGE, {"post": "p1", "first": 1, "after": first["pageInfo"]["endCursor"]})
    second = second["postUsage"]["uses"]

    assert (first["pageInfo"]["hasNextPage"], first["pageInfo"]["hasPreviousPage"]) == (True, False)
    assert (second["pageInfo"]["hasNextPage"], second["pageInfo"]["hasPreviousPage"]) == (False, True)
    assert first["totalCount"] == second["totalCount"] == 2
    assert [edge["node"]["modelVersion"]["key"] for edge in first["edges"] + second["edges"]] == ["m:1", "m:tuned"]
    assert first["edges"][0]["cursor"] == first["pageInfo"]["endCursor"]


@pytest.mark.parametrize("first", [0, -1, 101])
def test_a_page_has_between_1_and_100_items(story: Api, first: int) -> None:
    assert error_codes(story.graphql(USAGE, {"post": "p1", "first": first})) == {"FIRST_OUT_OF_RANGE"}


def test_a_cursor_of_another_list_or_of_nobody_is_refused(story: Api) -> None:
    cursor = story.data(USAGE, {"post": "p1"})["postUsage"]["uses"]["pageInfo"]["endCursor"]

    for after in (cursor[:-1] + ("A" if cursor[-1] != "A" else "B"), "nonsense", ""):
        assert error_codes(story.graphql(USAGE, {"post": "p1", "after": after})) == {"BAD_CURSOR"}
    assert error_codes(story.graphql(USAGE, {"post": "p2", "after": cursor})) == {"BAD_CURSOR"}


ENTITIES = """
{
  user(key: "u1") {
    id key jurisdiction adultFrom
    posts(first: 1) { totalCount pageInfo { hasNextPage endCursor } edges { node { key author { key } } } }
    objections { totalCount }
  }
  post(key: "p1") {
    id platform kind publishedAt deletedAt visibility author { id } eligibility { eligible reasons } usage { verdict }
  }
  dataset(key: "d") { id title versions { totalCount edges { node { id } } } }
  datasetVersion(dataset: "d", number: 1) {
    id status coverage postCount manifestDigest derivedFrom { id } generatedBy { id }
    yes: contains(post: "p1") no: contains(post: "x")
  }
  trainingRun(key: "r1") { id startedFrom { id } produced { id } }
  modelVersion(key: "m:tuned") { id model version status features flags { totalCount } }
  eligibility(post: "p1") { eligible policy { id } }
  lineage(kind: MODEL_VERSION, key: "m:tuned", direction: UPSTREAM) {
    complete nodes { __typename id } edges { relation from to }
  }
}
"""


def test_everything_recorded_is_found(story: Api) -> None:
    found = story.data(ENTITIES)

    assert (found["user"]["jurisdiction"], found["user"]["adultFrom"]) == ("GB", "2000-01-01")
    assert found["user"]["posts"]["totalCount"] == 2
    assert found["user"]["posts"]["pageInfo"]["hasNextPage"] is True
    assert found["user"]["posts"]["edges"] == [{"node": {"key": "p1", "author": {"key": "u1"}}}]
    assert found["post"]["author"]["id"] == found["user"]["id"]
    assert (found["post"]["publishedAt"], found["post"]["visibility"]) == ("2024-01-01T00:00:00Z", "PUBLIC")
    assert found["post"]["usage"] == {"verdict": "USED"}
    assert found["dataset"]["versions"]["edges"][0]["node"]["id"] == found["datasetVersion"]["id"]
    assert found["datasetVersion"]["postCount"] == 3
    assert (found["datasetVersion"]["yes"], found["datasetVersion"]["no"]) == (True, False)
    assert found["modelVersion"]["features"] == ["ads"]
    lineage = found["lineage"]
    assert lineage["complete"] is True
    assert {node["__typename"] for node in lineage["nodes"]} == {
        "Post",
        "DatasetVersion",
        "TrainingRun",
        "ModelVersion",
    }
    ids = {node["id"] for node in lineage["nodes"]}
    assert all({edge["from"], edge["to"]} <= ids for edge in lineage["edges"])


@pytest.mark.parametrize(
    "field",
    [
        'user(key: "x") { id }',
        'post(key: "x") { id }',
        'dataset(key: "x") { id }',
        'datasetVersion(dataset: "d", number: 99) { id }',
        'trainingRun(key: "x") { id }',
        'modelVersion(key: "x") { id }',
        'objection(key: "x") { id }',
        'eligibility(post: "x") { eligible }',
        'lineage(kind: FEATURE, key: "x", direction: UPSTREAM) { complete }',
    ],
)
def test_what_is_not_recorded_is_null(story: Api, field: str) -> None:
    assert list(story.data(f"{{ {field} }}").values()) == [None]


NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"


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
    objection = change(api, OBJECT, key="o1", user="u1", receivedAt=RECEIVED)["objection"]
    found = api.data(ENTITIES)
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
        "RetrainingFlag": objection["flags"]["edges"][0]["node"]["id"],
    }


def test_anything_is_found_again_by_its_id(story: Api) -> None:
    ids = every_id(story)
    assert ids.keys() == set(NodeKind)

    found = story.data(NODES, {"ids": list(ids.values())})["nodes"]

    assert found == [{"__typename": kind, "id": each} for kind, each in ids.items()]
    one = story.data("query ($id: ID!) { node(id: $id) { __typename id } }", {"id": ids["Feature"]})
    assert one["node"] == {"__typename": "Feature", "id": ids["Feature"]}


def test_an_id_of_nothing_recorded_is_null(story: Api) -> None:
    ids = [encode_id(NodeId(kind, "nothing", 1)) for kind in NodeKind]

    assert story.data(NODES, {"ids": ids})["nodes"] == [None] * len(ids)


def test_a_malformed_id_is_an_error_in_its_place(story: Api) -> None:
    post_id = encode_id(NodeId(NodeKind.POST, "p1"))

    answer = story.graphql(NODES, {"ids": [post_id, "nonsense"]})

    assert answer["data"]["nodes"] == [{"__typename": "Post", "id": post_id}, None]
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [(["nodes", 1], "BAD_ID")]
    assert error_codes(story.graphql('{ node(id: "nonsense") { id } }')) == {"BAD_ID"}


def test_at_most_100_ids(story: Api) -> None:
    ids = [encode_id(NodeId(NodeKind.POST, f"x{number}")) for number in range(101)]

    assert error_codes(story.graphql(NODES, {"ids": ids})) == {"TOO_MANY_IDS"}
    assert story.data(NODES, {"ids": ids[:100]})["nodes"] == [None] * 100


PEOPLE_FIELDS = (
    'user(key: "u1") { key }',
    'objection(key: "o1") { key }',
    "objections { totalCount }",
    'userUsage(user: "u1") { verdict }',
    f'node(id: "{encode_id(NodeId(NodeKind.USER, "u1"))}") {{ id }}',
    f'node(id: "{encode_id(NodeId(NodeKind.OBJECTION, "o1"))}") {{ id }}',
)


@pytest.mark.parametrize("field", PEOPLE_FIELDS)
def test_ml_sees_no_people(story: Api, field: str) -> None:
    answer = story.graphql(f"{{ {field} }}", role="ml")

    assert error_codes(answer) == {"FORBIDDEN"}
    assert not answer["data"] or list(answer["data"].values()) == [None]


def test_ml_sees_posts_without_their_author(story: Api) -> None:
    answer = story.data(
        '{ post(key: "p1") { key author { key } } lineage(kind: POST, key: "p1", direction: DOWNSTREAM)'
        " { nodes { __typename ... on Post { key author { key } } } } }",
        role="ml",
    )

    assert answer["post"] == {"key": "p1", "author": None}
    assert answer["lineage"]["nodes"][0] == {"__typename": "Post", "key": "p1", "author": None}


def test_people_in_a_list_of_nodes_are_forbidden_in_their_place(story: Api) -> None:
    ids = [encode_id(NodeId(NodeKind.POST, "p1")), encode_id(NodeId(NodeKind.USER, "u1"))]

    answer = story.graphql(NODES, {"ids": ids}, role="ml")

    assert answer["data"]["nodes"][0]["__typename"] == "Post"
    assert answer["data"]["nodes"][1] is None
    assert error_codes(answer) == {"FORBIDDEN"}


MUTATIONS: dict[str, tuple[str, set[str]]] = {
    'registerDatasetVersion(input: {dataset: "x", coverage: UNDOCUMENTED})': ("datasetVersion", {"ml"}),
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
    'acknowledgeFlag(input: {flag: "x"})': ("flag", {"ml", "compliance", "service"}),
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


def test_an_objection_raises_flags_and_stops_use(story: Api) -> None:
    payload = change(story, OBJECT, "compliance", key="o1", user="u1", receivedAt=RECEIVED)

    objection = payload["objection"]
    assert (objection["status"], objection["user"]["key"], objection["affectedPostCount"]) == ("PENDING", "u1", 2)
    assert objection["purposes"] == ["AI_TRAINING"]
    assert objection["platforms"] == []
    assert objection["receivedAt"] == RECEIVED
    flags = [edge["node"] for edge in objection["flags"]["edges"]]
    assert {flag["modelVersion"]["key"] for flag in flags} == {"m:1", "m:tuned"}
    assert {(flag["status"], flag["causeCount"], flag["affectedPostCount"]) for flag in flags} == {("OPEN", 1, 2)}
    reasons = story.data('{ eligibility(post: "p1") { reasons } }')["eligibility"]["reasons"]
    assert "OBJECTION_PENDING" in reasons
    assert change(story, OBJECT, "service", key="o1", user="u1", receivedAt=RECEIVED) == payload


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


LONG, CONTROL = "x" * 257, "a\u0007b"


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


@pytest.mark.parametrize("key", [LONG, "", CONTROL, "\u0000", "<script>"])
def test_any_key_may_be_asked_about(api: Api, key: str) -> None:
    query = """query ($k: String!) { post(key: $k) { id } user(key: $k) { id } postUsage(post: $k) { verdict } }"""

    assert api.data(query, {"k": key}) == {"post": None, "user": None, "postUsage": {"verdict": "NOT_USED"}}


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


NOT_IMPLEMENTED = {
    'query { datasetVersionDiff(dataset: "d", from: 1, to: 2) { addedCount } }': "datasetVersionDiff",
    'query { userUsage(user: "u1") { verdict } }': "userUsage",
    'query { user(key: "u1") { consent { status } } }': "User.consent",
    'query { user(key: "u1") { consentHistory { totalCount } } }': "User.consentHistory",
    'query { datasetVersion(dataset: "d", number: 1) { ineligibleCount } }': "ineligibleCount",
    'mutation { buildDatasetVersion(input: {dataset: "d"}) { datasetVersion { id } } }': "buildDatasetVersion",
    'mutation { authorizeTraining(input: {run: "r", inputs: []}) { trainingRun { id } } }': "authorizeTraining",
    'mutation { startTraining(input: {run: "r"}) { trainingRun { id } } }': "startTraining",
    'mutation { completeTraining(input: {run: "r", model: "m", version: "1"}) { trainingRun { id } } }': (
        "completeTraining"
    ),
    'mutation { failTraining(input: {run: "r", reason: "x"}) { trainingRun { id } } }': "failTraining",
    'mutation { cancelTraining(input: {run: "r"}) { trainingRun { id } } }': "cancelTraining",
    'mutation { extendObjection(input: {key: "o", reason: "x"}) { objection { id } } }': "extendObjection",
    'mutation { requestErasure(input: {key: "e", user: "u", receivedAt: "2026-01-01T00:00:00Z"})'
    " { affectedPostCount } }": "requestErasure",
    'mutation { scheduleRetraining(input: {flag: "f", plannedFor: "2027-01-01T00:00:00Z"}) { flag { id } } }': (
        "scheduleRetraining"
    ),
    'mutation { resolveFlag(input: {flag: "f", resolution: RETIRED}) { flag { id } } }': "resolveFlag",
    "subscription { retrainingFlagChanged { id } }": "retrainingFlagChanged",
    "subscription { objectionChanged { id } }": "objectionChanged",
}


@pytest.mark.parametrize("document", NOT_IMPLEMENTED)
def test_what_is_announced_says_so_by_name(story: Api, document: str) -> None:
    answer = story.graphql(document)

    assert error_codes(answer) == {"NOT_IMPLEMENTED"}
    assert NOT_IMPLEMENTED[document] in answer["errors"][0]["message"]


COSTS = {
    "{ __typename }": 0,
    '{ postUsage(post: "p1") { verdict uses { edges { node { modelVersion { key } trainingRun { key } } } } } }': 1,
    '{ postUsage(post: "p1") { uses { edges { node { eligibilityAtUse { reasons } } } } } }': 3,
    '{ dataset(key: "d") { versions { edges { node { dataset { title } generatedBy { key } } } } } }': 1,
    '{ a: modelVersion(key: "m:1") { trainedBy { inputs { number } } } b: trainingRun(key: "r1") { key } }': 1,
    '{ a: post(key: "p1") { key author { key } } b: post(key: "p1") { platform } }': 1,
    '{ lineage(kind: MODEL_VERSION, key: "m:tuned", direction: UPSTREAM) { nodes { id } edges { from } } }': 3,
}


@pytest.mark.parametrize("document", COSTS)
def test_an_operation_costs_few_statements(story: Api, document: str) -> None:
    """Counted on a service of the test's own, over the same graph."""
    assert statements_of(story, document) == COSTS[document]
