"""The graph over HTTP: entities, ids, pages, roles; every test reads the one story of the module."""

from itertools import pairwise

import pytest

from consentline.gql.ids import NodeId, NodeKind, encode_id
from tests.conftest import Api
from tests.e2e.counting import statements_of
from tests.e2e.operations import CONTROL, ENTITIES, LONG, NODES, error_codes, load_small_story


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    load_small_story(module_api)
    return module_api


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
        'datasetVersionDiff(dataset: "d", from: 1, to: 99) { addedCount }',
        'datasetVersionDiff(dataset: "d", from: 99, to: 1) { addedCount }',
        'datasetVersionDiff(dataset: "x", from: 1, to: 1) { addedCount }',
        'trainingRun(key: "x") { id }',
        'modelVersion(key: "x") { id }',
        'objection(key: "x") { id }',
        'eligibility(post: "x") { eligible }',
        'lineage(kind: FEATURE, key: "x", direction: UPSTREAM) { complete }',
    ],
)
def test_what_is_not_recorded_is_null(story: Api, field: str) -> None:
    assert list(story.data(f"{{ {field} }}").values()) == [None]


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
    'user(key: "u1") { consent { status } }',
    'user(key: "u1") { consentHistory { totalCount } }',
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


@pytest.mark.parametrize("key", [LONG, "", CONTROL, "\u0000", "<script>"])
def test_any_key_may_be_asked_about(story: Api, key: str) -> None:
    query = """query ($k: String!) { post(key: $k) { id } user(key: $k) { id } postUsage(post: $k) { verdict } }"""

    assert story.data(query, {"k": key}) == {"post": None, "user": None, "postUsage": {"verdict": "NOT_USED"}}


AUDITED = 1
"""The entry of whose records an answer shows, however many: of p1's author, for u1; d:1 differs in nothing from d:1."""

COSTS = {
    "{ __typename }": 0,
    '{ postUsage(post: "p1") { verdict uses { edges { node { modelVersion { key } trainingRun { key } } } } } }': 1,
    '{ postUsage(post: "p1") { uses { edges { node { eligibilityAtUse { reasons } } } } } }': 3,
    '{ dataset(key: "d") { versions { edges { node { dataset { title } generatedBy { key } } } } } }': 1,
    '{ a: modelVersion(key: "m:1") { trainedBy { inputs { number } } } b: trainingRun(key: "r1") { key } }': 1,
    '{ a: post(key: "p1") { key author { key } } b: post(key: "p1") { platform } }': 1 + AUDITED,
    '{ lineage(kind: MODEL_VERSION, key: "m:tuned", direction: UPSTREAM) { nodes { id } edges { from } } }': 3,
    '{ userUsage(user: "u1") { verdict usedPostCount modelVersions { key } } }': 3 + AUDITED,
    '{ userUsage(user: "u1") { posts { edges { node { postKey uses { totalCount } } } } } }': 4 + AUDITED,
    '{ user(key: "u1") { consent { status } } }': 4 + AUDITED,
    '{ user(key: "u1") { consentHistory { totalCount } } }': 5 + AUDITED,
    '{ datasetVersionDiff(dataset: "d", from: 1, to: 1) { addedCount removedCount } }': 5,
    '{ datasetVersionDiff(dataset: "d", from: 1, to: 1) { added { edges { node { key author { key } } } } } }': 4,
}


@pytest.mark.parametrize("document", COSTS)
def test_an_operation_costs_few_statements(story: Api, document: str) -> None:
    """Counted on a service of the test's own, over the same graph."""
    assert statements_of(story, document) == COSTS[document]
