"""What the tests say to the API: operations, records, and how answers are taken apart."""

import json
from typing import Any

from tests.conftest import Api

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
ERASE = """
mutation ($input: RequestErasureInput!) {
  requestErasure(input: $input) { erasure { id } userErrors { code message path } }
}
"""
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
NODES = "query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }"
PAGE = "totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
RECEIVED = "2026-11-02T10:00:00Z"
LONG, CONTROL = "x" * 257, "a\u0007b"


def record(kind: str, **fields: Any) -> str:
    """A line for /ingest."""
    return json.dumps({"kind": kind, **fields})


def post(key: str, author: str, platform: str = "FACEBOOK") -> str:
    return record(
        "post",
        key=key,
        author=author,
        platform=platform,
        post_kind="POST",
        visibility="PUBLIC",
        published_at="2024-01-01T00:00:00Z",
    )


def load_small_story(api: Api) -> None:
    """Two people's posts in a dataset that trained a model, one derived from it, and a feature that this serves."""
    user = {"kind": "user", "key": "u1", "jurisdiction": "GB", "adult_from": "2000-01-01"}
    answer = api.ingest(json.dumps(user), post("p1", "u1"), post("p2", "u1"), post("p3", "u2"))
    assert (answer["accepted"], answer["rejected"]) == (4, 0), answer
    change(api, REGISTER, dataset="d", title="A dataset", coverage="COMPLETE", posts=["p1", "p2", "p3"])
    make_models(api)


def make_models(api: Api) -> None:
    """m:1 trained on d:1, m:tuned derived from it, and the feature "ads" that this serves."""
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


def change(api: Api, mutation: str, role: str = "admin", **fields: Any) -> dict[str, Any]:
    """The payload of a mutation that is not refused."""
    (payload,) = api.data(mutation, {"input": fields}, role).values()
    assert payload["userErrors"] == []
    return payload


def refusal(api: Api, mutation: str, **fields: Any) -> tuple[str, list[str] | None]:
    """The code and path of the one refusal of a mutation, whose entity is null."""
    code, message, path = told(api, mutation, **fields)
    assert message
    return code, path


def told(api: Api, mutation: str, **fields: Any) -> tuple[str, str, list[str] | None]:
    """The code, message and path of the one refusal of a mutation, whose entity is null."""
    (payload,) = api.data(mutation, {"input": fields}).values()
    (error,) = payload["userErrors"]
    assert [value for name, value in payload.items() if name != "userErrors"] == [None]
    return error["code"], error["message"], error["path"]


def error_codes(answer: dict[str, Any]) -> set[str]:
    return {error["extensions"]["code"] for error in answer["errors"]}


def only_error(answer: dict[str, Any]) -> tuple[str, str, list[str | int]]:
    """The code, message and path of the one error of an answer."""
    (error,) = answer["errors"]
    return error["extensions"]["code"], error["message"], error["path"]


def pages(api: Api, query: str, variables: dict[str, Any], *fields: str | int, role: str = "admin") -> list[list[Any]]:
    """The nodes of every page of the connection at `fields`, each page asked for after the end of the one before.

    The query takes `$after`. Asserts what is true of every list: the same total, and ends that say so.
    """
    found: list[list[Any]] = []
    after: str | None = None
    while True:
        connection: Any = api.data(query, variables | {"after": after}, role)
        for field in fields:
            connection = connection[field]
        info = connection["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        found.append([edge["node"] for edge in connection["edges"]])
        if connection["edges"]:
            ends = connection["edges"][0]["cursor"], connection["edges"][-1]["cursor"]
            assert ends == (info["startCursor"], info["endCursor"])
        if not info["hasNextPage"]:
            assert connection["totalCount"] == sum(map(len, found))
            return found
        after = info["endCursor"]
