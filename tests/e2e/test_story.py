"""The demo story through the front door: everything in graph_seed/answers.json, and loading it twice."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from neo4j import Record

from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.graph.session import Tx
from consentline.story import FrontDoor, load_story
from tests.conftest import Api

SEED = Path(__file__).resolve().parents[2] / "graph_seed"
STORY: dict[str, Any] = json.loads((SEED / "story.json").read_text(encoding="utf-8"))
ANSWERS: dict[str, Any] = json.loads((SEED / "answers.json").read_text(encoding="utf-8"))
FILES = [step["ingest"] for step in STORY["steps"] if "ingest" in step]

NODES = "MATCH (n) RETURN 'node ' + elementId(n) AS id, labels(n) AS labels, properties(n) AS properties"
RELATIONSHIPS = """
MATCH (a)-[r]->(b)
RETURN 'relationship ' + elementId(r) AS id, type(r) AS type, elementId(a) AS begin, elementId(b) AS end,
       properties(r) AS properties
"""


@dataclass(frozen=True)
class Loaded:
    """The story in the graph, and the way in by which it came there."""

    api: Api
    door: FrontDoor
    accepted: int


@pytest.fixture(scope="module")
def story(module_api: Api) -> Iterator[Loaded]:
    """The story loaded once; the tests before `after_the_demo` only read."""
    headers = {"authorization": f"Bearer {module_api.token()}"}
    with httpx.Client(base_url=module_api.url, headers=headers, timeout=60) as client:
        door = FrontDoor(client)
        yield Loaded(module_api, door, load_story(door, SEED))


def lines(file: str) -> int:
    return len((SEED / file).read_text(encoding="utf-8").splitlines())


def name_of(node: dict[str, Any]) -> str:
    """A node as the answers write it: a dataset version as "dataset:number", all else by key."""
    return f"{node['dataset']['key']}:{node['number']}" if "number" in node else node["key"]


def each(part: str, of: str) -> pytest.MarkDecorator:
    """A test for each answer of a part, named by its field `of`."""
    return pytest.mark.parametrize("answer", [pytest.param(answer, id=answer[of]) for answer in ANSWERS[part]])


def test_every_record_of_the_story_is_taken(story: Loaded) -> None:
    assert story.accepted == sum(lines(file) for file in FILES)


USAGE = """
query ($post: String!) {
  postUsage(post: $post) {
    postKey verdict complete
    heldIn { number dataset { key } }
    undocumented { number dataset { key } }
    uses(first: 100) {
      totalCount
      edges { node {
        relation modelVersion { key } trainingRun { key } datasetVersion { number dataset { key } }
        eligibilityAtUse { reasons }
        path { relation to {
          ... on DatasetVersion { number dataset { key } } ... on TrainingRun { key } ... on ModelVersion { key }
        } }
      } }
    }
  }
}
"""


def uses_of(door: FrontDoor, post: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The usage of a post, and its uses by the model version (or the failed run) that each path ends at."""
    usage = door.ask(USAGE, {"post": post})["postUsage"]
    uses = [edge["node"] for edge in usage["uses"]["edges"]]
    assert usage["uses"]["totalCount"] == len(uses)
    return usage, {name_of(use["path"][-1]["to"]): use for use in uses}


@each("usage", "post")
def test_was_it_used(story: Loaded, answer: dict[str, Any]) -> None:
    usage, uses = uses_of(story.door, answer["post"])

    assert (usage["postKey"], usage["verdict"], usage["complete"]) == (answer["post"], answer["verdict"], True)
    models = {reached: use for reached, use in uses.items() if use["modelVersion"] is not None}
    assert all(use["modelVersion"]["key"] == reached for reached, use in models.items())
    assert list(models) == answer["modelVersions"]
    assert {reached: use["relation"] for reached, use in models.items()} == answer["relations"]
    runs = {reached: use["relation"] for reached, use in uses.items() if use["modelVersion"] is None}
    assert runs == answer["failedRuns"]
    assert [name_of(version) for version in usage["heldIn"]] == answer["heldIn"]
    assert [name_of(version) for version in usage["undocumented"]] == answer["undocumented"]
    paths = {
        reached: [f"{step['relation']} {name_of(step['to'])}" for step in use["path"]] for reached, use in uses.items()
    }
    assert {reached: paths[reached] for reached in answer.get("paths", {})} == answer.get("paths", {})
    for reached, use in uses.items():
        assert paths[reached][:2] == [
            f"HELD_IN {name_of(use['datasetVersion'])}",
            f"CONSUMED_BY {use['trainingRun']['key']}",
        ]


@each("violations", "run")
def test_what_could_not_be_used_when_it_was(story: Loaded, answer: dict[str, Any]) -> None:
    for post, reasons in answer["posts"].items():
        _, uses = uses_of(story.door, post)
        read = {
            (use["trainingRun"]["key"], name_of(use["datasetVersion"])): use["eligibilityAtUse"]["reasons"]
            for use in uses.values()
        }
        assert read[answer["run"], answer["datasetVersion"]] == reasons, post


@pytest.mark.parametrize(
    "answer",
    [pytest.param(one, id=f"{one['post']} {one['purpose']} {one['at']}") for one in ANSWERS["eligibility"]],
)
def test_may_it_be_used(story: Loaded, answer: dict[str, Any]) -> None:
    query = """query ($post: String!, $purpose: String!, $at: DateTime!) {
      eligibility(post: $post, purpose: $purpose, at: $at) { eligible reasons } }"""

    found = story.door.ask(query, {name: answer[name] for name in ("post", "purpose", "at")})["eligibility"]

    assert found == {"eligible": not answer["reasons"], "reasons": answer["reasons"]}


FLAGS = """
{
  retrainingFlags(status: OPEN, first: 100) {
    totalCount
    edges { node {
      modelVersion { key } dueAt causeCount affectedPostCount
      objection: causeCount(kind: OBJECTION) objectionPosts: affectedPostCount(kind: OBJECTION)
      depicted: causeCount(kind: THIRD_PARTY_OBJECTED) depictedPosts: affectedPostCount(kind: THIRD_PARTY_OBJECTED)
      violating: causeCount(kind: VIOLATION) violatingPosts: affectedPostCount(kind: VIOLATION)
      deleted: affectedPostCount(kind: POST_DELETED) narrowed: affectedPostCount(kind: VISIBILITY_NARROWED)
      minors: causeCount(kind: MINOR) minorPosts: affectedPostCount(kind: MINOR)
    } }
  }
}
"""


def expected_flag(answer: dict[str, Any]) -> dict[str, Any]:
    def of(kind: str) -> tuple[int, int]:
        causes = [cause for cause in answer["causes"] if cause["kind"] == kind]
        return len(causes), len({post for cause in causes for post in cause["posts"]})

    (objection, objection_posts), (depicted, depicted_posts) = of("OBJECTION"), of("THIRD_PARTY_OBJECTED")
    (violating, violating_posts), (minors, minor_posts) = of("VIOLATION"), of("MINOR")
    return {
        "modelVersion": {"key": answer["modelVersion"]},
        "dueAt": answer["dueAt"],
        "causeCount": answer["causeCount"],
        "affectedPostCount": answer["affectedPostCount"],
        "objection": objection,
        "objectionPosts": objection_posts,
        "depicted": depicted,
        "depictedPosts": depicted_posts,
        "violating": violating,
        "violatingPosts": violating_posts,
        "deleted": of("POST_DELETED")[1],
        "narrowed": of("VISIBILITY_NARROWED")[1],
        "minors": minors,
        "minorPosts": minor_posts,
    }


def open_flags(door: FrontDoor) -> list[dict[str, Any]]:
    found = door.ask(FLAGS)["retrainingFlags"]
    assert found["totalCount"] == len(found["edges"])
    return sorted((edge["node"] for edge in found["edges"]), key=lambda flag: flag["modelVersion"]["key"])


def test_what_must_be_retrained(story: Loaded) -> None:
    assert open_flags(story.door) == [expected_flag(answer) for answer in ANSWERS["flags"]]


def test_nothing_else_was_ever_flagged(story: Loaded) -> None:
    assert story.door.ask("{ retrainingFlags { totalCount } }")["retrainingFlags"]["totalCount"] == len(
        ANSWERS["flags"]
    )


@each("objections", "objection")
def test_what_an_objection_came_to(story: Loaded, answer: dict[str, Any]) -> None:
    query = """query ($key: String!) { objection(key: $key) {
      status dueAt affectedPostCount possibleVersions { number dataset { key } }
      flags(first: 100) { edges { node { modelVersion { key } } } } } }"""

    found = story.door.ask(query, {"key": answer["objection"]})["objection"]

    assert (found["status"], found["affectedPostCount"]) == (answer["status"], answer["affectedPostCount"])
    assert answer["dueAt"] in (None, found["dueAt"])
    assert sorted(edge["node"]["modelVersion"]["key"] for edge in found["flags"]["edges"]) == answer["flagged"]
    assert [name_of(version) for version in found["possibleVersions"]] == answer["possibleVersions"]


def test_there_are_no_other_objections(story: Loaded) -> None:
    found = story.door.ask("{ objections(first: 100) { edges { node { key } } } }")["objections"]["edges"]

    assert {edge["node"]["key"] for edge in found} == {answer["objection"] for answer in ANSWERS["objections"]}


@each("datasetVersions", "datasetVersion")
def test_what_a_dataset_version_holds(story: Loaded, answer: dict[str, Any]) -> None:
    dataset, _, number = answer["datasetVersion"].rpartition(":")
    query = """query ($dataset: String!, $number: Int!) {
      datasetVersion(dataset: $dataset, number: $number) { status coverage postCount } }"""

    found = story.door.ask(query, {"dataset": dataset, "number": int(number)})["datasetVersion"]

    assert found == {"status": "SEALED", "coverage": answer["coverage"], "postCount": answer["postCount"]}


def test_which_features_are_served_by_what(story: Loaded) -> None:
    query = "query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Feature { key servedBy { key features } } } }"
    ids = [encode_id(NodeId(NodeKind.FEATURE, feature)) for feature in ANSWERS["features"]]

    found = story.door.ask(query, {"ids": ids})["nodes"]

    served = {feature["key"]: feature["servedBy"] for feature in found}
    assert {key: [model["key"] for model in models] for key, models in served.items()} == ANSWERS["features"]
    assert all(key in model["features"] for key, models in served.items() for model in models)


@pytest.mark.parametrize(
    ("person", "status"),
    [
        ("amelia", "INFORMED"),
        ("oliver", "OBJECTED"),
        ("priya", "OBJECTED"),
        ("harry", "OBJECTION_REFUSED"),
        ("isla", "OBJECTION_WITHDRAWN"),
        ("noah", "OBJECTION_PENDING"),
        ("jack", "INFORMED"),
        ("ruby", "UNINFORMED"),
        ("leo", "INFORMED"),
        ("aoife", "CONSENT_GIVEN"),
        ("cian", "CONSENT_WITHDRAWN"),
        ("niamh", "UNINFORMED"),
        ("lachlan", "OBJECTION_PENDING"),
        ("ghost", "UNINFORMED"),
    ],
)
def test_where_the_people_of_the_readme_stand(story: Loaded, person: str, status: str) -> None:
    query = "query ($key: String!) { user(key: $key) { consent { status } } }"

    assert story.door.ask(query, {"key": f"facebook:user-{person}"})["user"] == {"consent": {"status": status}}


def test_was_anything_of_this_person_used(story: Loaded) -> None:
    query = """query ($user: String!) { userUsage(user: $user) {
      verdict usedPostCount modelVersions { key } posts(verdict: USED) { edges { node { postKey } } } } }"""

    amelia = story.door.ask(query, {"user": STORY["demo"]["user"]})["userUsage"]
    jarrah = story.door.ask(query, {"user": "facebook:user-jarrah"})["userUsage"]

    used = ["facebook:post-1001", "facebook:post-1002", "instagram:post-2001"]
    assert amelia == {
        "verdict": "USED",
        "usedPostCount": 3,
        "modelVersions": [{"key": flag["modelVersion"]} for flag in ANSWERS["flagsAfterDemo"]],
        "posts": {"edges": [{"node": {"postKey": post}} for post in used]},
    }
    assert (jarrah["verdict"], jarrah["usedPostCount"], jarrah["modelVersions"]) == ("UNKNOWN", 0, [])


def snapshot(api: Api) -> dict[str, dict[str, Any]]:
    """Every node and relationship with its properties, but the audit; the guard of a lock says nothing."""

    def said(row: Record) -> dict[str, Any]:
        properties = {name: value for name, value in row["properties"].items() if name != "guard"}
        return row.data() | {"properties": properties}

    async def work(tx: Tx) -> dict[str, dict[str, Any]]:
        nodes, relationships = await tx.rows(NODES), await tx.rows(RELATIONSHIPS)
        facts = (row for row in nodes if not {"AuditEntry", "AuditTerm"} & set(row["labels"]))
        return {row["id"]: said(row) for row in (*facts, *relationships)}

    return api.run(api.service.graph.read(work))


def test_loading_it_again_changes_nothing(story: Loaded) -> None:
    before = snapshot(story.api)

    assert load_story(story.door, SEED) == 0

    for file in FILES:
        counts = story.door.ingest((SEED / file).read_bytes())
        assert counts == {"accepted": 0, "unchanged": lines(file), "rejected": 0, "errors": []}, file
    after = snapshot(story.api)
    assert {key: row for key, row in after.items() if before.get(key) != row} == {}
    assert after.keys() == before.keys()


@pytest.fixture(scope="module")
def after_the_demo(story: Loaded) -> Loaded:
    """The story once the demo's objection is filed; it stays filed for the tests below."""
    demo = STORY["demo"]
    filed = {name: demo[name] for name in ("user", "receivedAt", "purposes", "channel")} | {"key": demo["objection"]}
    document = (SEED / "operations" / "file_objection.graphql").read_text(encoding="utf-8")
    payload = story.door.ask(document, {"input": filed})["fileObjection"]
    assert payload["userErrors"] == []
    return story


def test_what_must_be_retrained_once_somebody_more_objects(after_the_demo: Loaded) -> None:
    assert open_flags(after_the_demo.door) == [expected_flag(answer) for answer in ANSWERS["flagsAfterDemo"]]


def test_the_demos_post_may_not_be_used_any_more(after_the_demo: Loaded) -> None:
    query = "query ($post: String!, $at: DateTime!) { eligibility(post: $post, at: $at) { reasons } }"
    asked = {"post": STORY["demo"]["post"], "at": f"{STORY['today']}T12:00:00Z"}

    found = after_the_demo.door.ask(query, asked)["eligibility"]

    assert found == {"reasons": ["OBJECTION_PENDING"]}
