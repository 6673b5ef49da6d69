"""Retraining plans over HTTP and on the command line: told in full, in pages, and to whom they may be."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentline.embedded import Server
from consentline.settings import Settings
from tests.conftest import Api
from tests.e2e.gated import MUTATION, policy
from tests.e2e.operations import DERIVE, OBJECT, REGISTER, TRAIN, change, error_codes, pages, post, record, refusal

RECORD = MUTATION % ("RecordSharding", "recordSharding", "trainingRun { key }")
SHARDING = """query ($run: String!) { trainingRun(key: $run) { sharding {
  shards slices assignedBy ranges { from shard slice }
  checkpoints(first: 1) { totalCount edges { node { runKey shard slice uri digest } } } } } }"""
DIGEST = f"sha256:{'d' * 64}"
SHARDED = {
    "shards": 1,
    "slices": 2,
    "assignedBy": "DATASET_SHARD",
    "ranges": [{"from": "0" * 16, "shard": 1, "slice": 2}],
    "checkpoints": [
        {"shard": 1, "slice": 1, "uri": "s3://m/1", "digest": DIGEST},
        {"shard": 1, "slice": 2, "uri": "s3://m/2"},
    ],
}
PLAN = """
query ($model: String, $by: DateTime, $first: Int! = 50, $after: String) {
  retrainingPlan(modelVersion: $model, by: $by) {
    modelVersion { key } by plannedAt affectedPostCount laterFlagCount
    levels { number modelVersions { key } }
    deadlines { dueAt overdue modelVersions { key } }
    saving { retrainings retrainingsOneByOne cost costOneByOne }
    retired { key }
    unproductiveRuns { key status }
    checkpointsToDelete { totalCount edges { node { runKey shard slice uri digest } } }
    cannotRuleOut {
      datasetVersion { number dataset { key } } trainingRuns { key } modelVersions { key } postCount objectionCount
    }
    steps(first: $first, after: $after) {
      totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
      edges { cursor node {
        modelVersion { key } level neededBy overdue early requiredBy { key } method trainingRun { key }
        flag { dueAt causeCount }
        bases { modelVersion { key } relation choice instead { key } }
        inputs {
          datasetVersion { number dataset { key } } choice successor { number } affectedPostCount ineligibleCount
          shards { totalCount edges { node { key affectedPostCount } } }
        }
        sharding {
          shards slices wholeBecause expectedShards cost
          retrained { edges { node {
            shard firstSlice postCount resumeFrom { runKey shard slice uri digest } fromSlice cost
          } } }
        }
        eventCount affectedPostCount cost costOneByOne
        posts { totalCount edges { node { key author { key } } } }
        obstacles { kind datasetVersion { number dataset { key } } postCount }
      } }
    }
  }
}
"""
OBJECTED = "2026-11-02T10:00:00Z"
DUE = "2026-12-02T23:59:59Z"


@pytest.fixture
def story(api: Api) -> Api:
    """m:1 was trained on d:1 in two slices, m:2 distilled from it; a base of it read what nothing is known of."""
    people = (record("user", key=key, jurisdiction="GB", adult_from="1990-01-01") for key in ("u1", "u2"))
    api.ingest(policy(), *people, post("p1", "u1"), post("p2", "u1"), post("p3", "u2"))
    change(api, REGISTER, dataset="d", coverage="COMPLETE", posts=["p1", "p2", "p3"])
    change(api, REGISTER, dataset="blind", coverage="UNDOCUMENTED")
    ran = {"startedAt": "2025-01-01T00:00:00Z", "purpose": "AI_TRAINING"}
    base = change(api, TRAIN, run="r0", inputs=[{"dataset": "blind", "number": 1}], model="base", version="1", **ran)
    assert base["trainingRun"]["key"] == "r0"
    read = {"inputs": [{"dataset": "d", "number": 1}], "startedFrom": ["base:1"]}
    change(api, TRAIN, run="r1", model="m", version="1", **read, **ran, sharding=SHARDED)
    change(api, TRAIN, run="failed", **read, **ran)
    change(api, DERIVE, model="m", version="2", **{"from": ["m:1"]}, kind="DISTILLATION")
    change(api, OBJECT, key="o", user="u1", receivedAt=OBJECTED)
    return api


def plan(api: Api, role: str = "admin", **variables: Any) -> dict[str, Any]:
    return api.data(PLAN, variables, role)["retrainingPlan"]


STEP_ONE = {
    "modelVersion": {"key": "m:1"},
    "level": 1,
    "neededBy": DUE,
    "early": False,
    "requiredBy": [{"key": "m:2"}],
    "method": "RETRAIN",
    "trainingRun": {"key": "r1"},
    "flag": {"dueAt": DUE, "causeCount": 1},
    "bases": [
        {
            "modelVersion": {"key": "base:1"},
            "relation": "STARTED_FROM",
            "choice": "KEEP",
            "instead": {"key": "base:1"},
        }
    ],
    "inputs": [
        {
            "datasetVersion": {"number": 1, "dataset": {"key": "d"}},
            "choice": "BUILD",
            "successor": None,
            "affectedPostCount": 2,
            "ineligibleCount": 2,
            "shards": {"totalCount": 1, "edges": [{"node": {"key": "d/0/0/0", "affectedPostCount": 2}}]},
        }
    ],
    "sharding": {
        "shards": 1,
        "slices": 2,
        "wholeBecause": None,
        "expectedShards": 1.0,
        "cost": pytest.approx(2 / 3),
        "retrained": {
            "edges": [
                {
                    "node": {
                        "shard": 1,
                        "firstSlice": 2,
                        "postCount": 2,
                        "resumeFrom": {"runKey": "r1", **SHARDED["checkpoints"][0]},
                        "fromSlice": 2,
                        "cost": pytest.approx(2 / 3),
                    }
                }
            ]
        },
    },
    "eventCount": 1,
    "affectedPostCount": 2,
    "cost": pytest.approx(2 / 3),
    "costOneByOne": pytest.approx(2 / 3),
    "obstacles": [
        {
            "kind": "CANNOT_RULE_OUT",
            "datasetVersion": {"number": 1, "dataset": {"key": "blind"}},
            "postCount": 2,
        }
    ],
}


def test_a_plan_tells_everything_that_it_takes(story: Api) -> None:
    found = plan(story)

    first, second = (edge["node"] for edge in found.pop("steps")["edges"])
    posts = first.pop("posts")
    assert first.pop("overdue") is second["overdue"]
    assert first == STEP_ONE
    assert [edge["node"]["key"] for edge in posts["edges"]] == ["p1", "p2"]
    assert (second["modelVersion"], second["level"], second["method"]) == ({"key": "m:2"}, 2, "DERIVE")
    assert (second["trainingRun"], second["sharding"], second["inputs"]) == (None, None, [])
    assert [each["kind"] for each in second["obstacles"]] == ["NO_RUN_RECORDED"]
    assert found.pop("plannedAt") > OBJECTED
    assert found["deadlines"][0].pop("overdue") is second["overdue"]
    assert found == {
        "modelVersion": None,
        "by": None,
        "affectedPostCount": 2,
        "laterFlagCount": 0,
        "levels": [
            {"number": 1, "modelVersions": [{"key": "m:1"}]},
            {"number": 2, "modelVersions": [{"key": "m:2"}]},
        ],
        "deadlines": [{"dueAt": DUE, "modelVersions": [{"key": "m:1"}, {"key": "m:2"}]}],
        "saving": {
            "retrainings": 2,
            "retrainingsOneByOne": 2,
            "cost": pytest.approx(5 / 3),
            "costOneByOne": pytest.approx(5 / 3),
        },
        "retired": [],
        "unproductiveRuns": [{"key": "failed", "status": "FAILED"}],
        "checkpointsToDelete": {
            "totalCount": 1,
            "edges": [{"node": {"runKey": "r1", "digest": None, **SHARDED["checkpoints"][1]}}],
        },
        "cannotRuleOut": [
            {
                "datasetVersion": {"number": 1, "dataset": {"key": "blind"}},
                "trainingRuns": [{"key": "r0"}],
                "modelVersions": [{"key": "base:1"}, {"key": "m:1"}, {"key": "m:2"}],
                "postCount": 2,
                "objectionCount": 1,
            }
        ],
    }


def test_it_comes_in_pages_for_one_model_version_and_for_what_is_due(story: Api) -> None:
    found = pages(story, PLAN, {"first": 1}, "retrainingPlan", "steps")
    assert [[step["modelVersion"]["key"] for step in page] for page in found] == [["m:1"], ["m:2"]]

    one = plan(story, model="m:1", by=DUE)
    assert (one["modelVersion"], one["by"], one["steps"]["totalCount"]) == ({"key": "m:1"}, DUE, 1)
    none = plan(story, by="2026-12-02T23:59:58Z")
    assert (none["steps"]["totalCount"], none["laterFlagCount"], none["levels"]) == (0, 2, [])
    assert story.data(PLAN, {"model": "x:1"})["retrainingPlan"] is None
    cursor = plan(story, first=1)["steps"]["pageInfo"]["endCursor"]
    assert error_codes(story.graphql(PLAN, {"model": "m:1", "after": cursor})) == {"BAD_CURSOR"}


@pytest.mark.parametrize("role", ["ml", "compliance", "service", "auditor", "admin"])
def test_who_may_see_flags_sees_plans_and_only_who_may_see_people_sees_authors(story: Api, role: str) -> None:
    found = plan(story, role)

    (node, _) = (edge["node"] for edge in found["steps"]["edges"])
    author = None if role == "ml" else {"key": "u1"}
    assert [edge["node"] for edge in node["posts"]["edges"]] == [{"key": key, "author": author} for key in ("p1", "p2")]
    assert "u1" not in json.dumps({name: value for name, value in found.items() if name != "steps"})


def test_without_a_token_nothing_is_told(story: Api) -> None:
    answer = story.post("/graphql", None, json={"query": PLAN})

    assert (answer.status_code, error_codes(answer.json())) == (401, {"TOKEN_MISSING"})


def test_how_a_run_was_sharded_is_recorded_and_shown(story: Api) -> None:
    later = {"shard": 1, "slice": 1, "uri": "s3://m/other"}

    change(story, RECORD, "ml", run="failed", sharding={"shards": 3, "slices": 1})
    shown = [story.data(SHARDING, {"run": run})["trainingRun"]["sharding"] for run in ("r1", "failed", "r0")]

    assert shown[0] == SHARDED | {
        "checkpoints": {
            "totalCount": 2,
            "edges": [{"node": {"runKey": "r1", **SHARDED["checkpoints"][0]}}],
        }
    }
    assert (shown[1]["shards"], shown[1]["assignedBy"], shown[1]["ranges"]) == (3, "POST_KEY", [])
    assert shown[2] is None
    whole = ["sharding", "checkpoints"]
    assert refusal(story, RECORD, run="x", sharding=SHARDED) == ("RUN_NOT_FOUND", ["run"])
    assert refusal(story, RECORD, run="r1", sharding=SHARDED | {"slices": 3}) == ("SHARDING_CONFLICT", ["sharding"])
    conflicting = SHARDED | {"checkpoints": [later]}
    assert refusal(story, RECORD, run="r1", sharding=conflicting) == ("CHECKPOINT_CONFLICT", whole)
    misplaced = [{"from": "zz", "shard": 1, "slice": 1}]
    ranges = ["sharding", "ranges"]
    assert refusal(story, RECORD, run="r0", sharding=SHARDED | {"ranges": misplaced}) == ("SHARDING_RANGES", ranges)
    assert refusal(story, RECORD, run="r0", sharding=SHARDED | {"shards": 0}) == (
        "SHARDING_SIZE",
        ["sharding", "shards"],
    )
    forbidden = story.graphql(RECORD, {"input": {"run": "r0", "sharding": SHARDED}}, "auditor")
    assert error_codes(forbidden) == {"FORBIDDEN"}


# ---- the command ----------------------------------------------------------------------------------------------------

COMMAND = str(Path(sys.executable).with_name("consentline"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def command(story: Api, neo4j_server: Server, settings: Settings) -> Command:
    """Run `consentline plan` over the story."""
    assert story.url
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
    }

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        called = [COMMAND, "plan", *arguments]
        return subprocess.run(called, env=environment, capture_output=True, text=True, check=False, timeout=120)

    return call


TEXT = """\
Retraining plan for all open flags, as of {at}
2 model versions in 2 levels, 2 posts to leave out
2 retrainings instead of 2 one by one; estimated cost 1.67 full runs instead of 1.67

Level 1
  m:1: repeat r1
    needed by 2026-12-02T23:59:59Z{overdue}
    for 1 event and 2 posts, estimated cost 0.67 instead of 0.67
    starts from base:1: keep it
    reads d:1: 2 posts to leave out, build a version without them; 2 of its members may not be used now
      in the dataset's Shards d/0/0/0 (2)
    1 of 1 shard again (1.0 expected by chance), of 2 slices each
      shard 1: 2 posts from slice 2 on; from slice 2, after s3://m/1
    ! blind:1, read upstream of what is kept, cannot rule out 2 posts: RETRAINED will be refused

Level 2
  m:2: derive again
    needed by 2026-12-02T23:59:59Z{overdue}
    for 1 event and 2 posts, estimated cost 1.00 instead of 1.00
    derives from m:1: what the step of m:1 makes
    ! no run is recorded: the records do not tell what it was trained on

By 2026-12-02T23:59:59Z{overdue}: m:1, m:2
Read affected posts and made nothing, nothing to retrain: failed
Cannot be ruled out: 2 posts of the plan, and posts of whoever filed 1 objection, in blind:1; it reached {reached}
Delete 1 checkpoint:
  r1 shard 1 slice 2: s3://m/2
By the committed records; what weights still hold is not measured.
"""


def test_the_command_tells_it_in_words(command: Command) -> None:
    done = command()

    assert (done.returncode, done.stderr) == (0, "")
    at = done.stdout.splitlines()[0].rpartition(" ")[2]
    assert done.stdout == TEXT.format(at=at, overdue=" (overdue)" if at > DUE else "", reached="base:1, m:1, m:2")


def test_the_command_tells_it_to_programs_as_the_api_does(command: Command, story: Api) -> None:
    done = command("m:1", "--by", "2026-12-02", "--format", "json")

    told = json.loads(done.stdout)
    asked = plan(story, model="m:1")
    (step,) = told["steps"]
    assert (told["modelVersion"], told["by"]) == ("m:1", "2026-12-02T23:59:59.999999Z")
    assert told["saving"] == asked["saving"]
    assert told["checkpointsToDelete"] == [{"run": "r1", "shard": 1, "slice": 2, "uri": "s3://m/2", "digest": None}]
    assert step["posts"] == ["p1", "p2"]
    assert step["sharding"]["retrained"][0]["resumeFrom"]["digest"] == DIGEST
    assert told.keys() - asked.keys() == set()
    assert step.keys() - asked["steps"]["edges"][0]["node"].keys() == {"flagDueAt"}


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["x:1"], "error [MODEL_VERSION_NOT_FOUND]: model version x:1 is not recorded\n"),
        (["--by", "soon"], "error [INVALID_TIME]: --by is not a time such as 2025-01-01T00:00:00Z\n"),
        (
            ["--by", "2026-01-01T00:00:00"],
            "error [TIME_WITHOUT_OFFSET]: --by has no offset: write Z or +01:00 after the time\n",
        ),
        (["--by", "9999-12-31"], "error [INVALID_TIME]: --by lies outside the years 1 to 9999\n"),
    ],
)
def test_what_the_command_cannot_plan_is_one_line(command: Command, arguments: list[str], error: str) -> None:
    done = command(*arguments)

    assert (done.returncode, done.stdout, done.stderr) == (1, "", error)


def test_nothing_to_retrain_is_said(command: Command) -> None:
    done = command("--by", "2000-01-01")

    assert done.stdout.splitlines()[1:2] == ["nothing has to be retrained"]
    assert "Due later: 2 flags" in done.stdout
