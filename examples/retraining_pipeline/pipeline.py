"""Train through the gate, and follow a retraining flag to its end."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from examples.retraining_pipeline.api import Api, consentline
from examples.retraining_pipeline.platform_posts import PLATFORM

DATASET, MODEL, FEATURE = "topics", "topics", "topic-labels"

FLAG = """query Flag($id: ID!) {
  node(id: $id) { ... on RetrainingFlag { status modelVersion { key version } } } }"""
ACKNOWLEDGE = """mutation Acknowledge($input: AcknowledgeFlagInput!) {
  acknowledgeFlag(input: $input) { flag { status } userErrors { code message } } }"""
RESOLVE = """mutation Resolve($input: ResolveFlagInput!) {
  resolveFlag(input: $input) { flag { status resolution } userErrors { code message } } }"""
SERVE = """mutation Serve($input: ServeFeatureInput!) {
  serveFeature(input: $input) { modelVersion { features } userErrors { code message } } }"""
BUILD = """mutation Build($input: BuildDatasetVersionInput!) {
  buildDatasetVersion(input: $input) {
    datasetVersion { number postCount }
    excluded { reason count }
    userErrors { code message }
  }
}"""


RECORD = """mutation Record($input: RecordShardingInput!) {
  recordSharding(input: $input) { trainingRun { key } userErrors { code message } } }"""
PLAN = """query Plan($model: String!) {
  retrainingPlan(modelVersion: $model) { steps(first: 100) { edges { node {
    modelVersion { key } cost
    sharding { retrained(first: 100) { edges { node { shard } } } }
  } } } } }"""


@dataclass(frozen=True, slots=True)
class Build:
    """A version of the dataset, and how many posts were left out of it for which reason."""

    number: int
    excluded: dict[str, int]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Where the pipeline keeps its things: the platform's posts, exports, and a folder for each model version."""

    api: Api
    url: str
    token: str
    folder: Path
    shards: int = 4

    @property
    def posts(self) -> Path:
        """The platform's posts, with their text."""
        return self.folder / "posts.ndjson"

    def model(self, version: str) -> Path:
        """The folder of a model version."""
        return self.folder / "models" / version

    def build(self) -> Build:
        """Build the dataset's next version of what may be used now."""
        selection = {"jurisdictions": ["GB"], "platforms": [PLATFORM]}
        built = self.api.ask(BUILD, input={"dataset": DATASET, "selection": selection})["buildDatasetVersion"]
        excluded = {each["reason"]: each["count"] for each in built["excluded"]}
        return Build(built["datasetVersion"]["number"], excluded)

    def train(
        self, built: Build, version: str, previous: str | None = None, again: Sequence[int] = ()
    ) -> dict[str, Any]:
        """Train on a version of the dataset, through the gate; with `previous` only the shards `again`.

        What comes of it tells Consentline how it was sharded: by the dataset's own Shards, in which each author's posts
        lie together.
        """
        members = self.folder / f"members-{built.number}.ndjson"
        consentline("dataset", "export", DATASET, str(built.number), "--by-shard", "-o", str(members))
        job = [sys.executable, "-m", "examples.retraining_pipeline.train"]
        job += ["--members", str(members), "--posts", str(self.posts), "--shards", str(self.shards)]
        job += ["--into", str(self.model(version))]
        if previous is not None:
            job += ["--previous", str(self.model(previous)), *(f"--again={shard}" for shard in again)]
        run = f"{MODEL}-{version}"
        guard = ["train-guard", "--run", run, "--input", f"{DATASET}:{built.number}"]
        guard += ["--model", MODEL, "--version", version, "--", *job]
        printed = consentline(*guard, CONSENTLINE_URL=self.url, CONSENTLINE_TOKEN=self.token)
        sharding = {"shards": self.shards, "slices": 1, "assignedBy": "DATASET_SHARD"}
        self.api.ask(RECORD, input={"run": run, "sharding": sharding})
        return next(json.loads(line) for line in printed.splitlines() if line.startswith("{"))

    def planned(self, version: str) -> tuple[list[int], float]:
        """The shards that the retraining plan of a model version names, and what they cost as a part of a full run."""
        model = f"{MODEL}:{version}"
        plan = self.api.ask(PLAN, model=model)["retrainingPlan"]
        step = next(each["node"] for each in plan["steps"]["edges"] if each["node"]["modelVersion"]["key"] == model)
        return [edge["node"]["shard"] for edge in step["sharding"]["retrained"]["edges"]], step["cost"]

    def serve(self, version: str) -> None:
        """Have the feature served by a model version."""
        self.api.ask(SERVE, input={"feature": FEATURE, "modelVersion": f"{MODEL}:{version}"})

    def follow(self, flag: str) -> dict[str, Any]:
        """Follow a flag to its end: acknowledge it, build, retrain the shards that the plan names, replace, resolve.

        Consentline refuses the resolution when the replacement's upstream still holds, or cannot rule out, a post of
        a cause. Called again after an interruption with a flag that is resolved, it changes nothing.
        """
        node = self.api.ask(FLAG, id=flag)["node"]
        if node["status"] == "RESOLVED":
            return {"model": node["modelVersion"]["key"], "status": "RESOLVED", "resolution": None}
        if node["status"] == "OPEN":
            self.api.ask(ACKNOWLEDGE, input={"flag": flag})
        old = node["modelVersion"]["version"]
        new = str(int(old) + 1)
        built = self.build()
        # Asked after the build: the plan then knows what it leaves out besides.
        again, cost = self.planned(old)
        trained = self.train(built, new, old, again)
        self.serve(new)
        resolved = self.api.ask(
            RESOLVE, input={"flag": flag, "resolution": "RETRAINED", "replacement": f"{MODEL}:{new}"}
        )
        return {"built": built, "cost": cost, **trained, "model": f"{MODEL}:{new}", **resolved["resolveFlag"]["flag"]}
