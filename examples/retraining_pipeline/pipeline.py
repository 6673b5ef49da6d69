"""Train through the gate, and follow a retraining flag to its end."""

import json
import sys
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

    def train(self, version: str, previous: str | None = None) -> dict[str, Any]:
        """Build the dataset's next version of what may be used now, and train on it through the gate.

        The answer says which shards were trained and which were taken over from the previous version.
        """
        selection = {"jurisdictions": ["GB"], "platforms": [PLATFORM]}
        built = self.api.ask(BUILD, input={"dataset": DATASET, "selection": selection})["buildDatasetVersion"]
        number = built["datasetVersion"]["number"]
        members = self.folder / f"members-{number}.ndjson"
        consentline("dataset", "export", DATASET, str(number), "-o", str(members))
        job = [sys.executable, "-m", "examples.retraining_pipeline.train"]
        job += ["--members", str(members), "--posts", str(self.posts), "--shards", str(self.shards)]
        job += ["--into", str(self.model(version))]
        job += [] if previous is None else ["--previous", str(self.model(previous))]
        guard = ["train-guard", "--run", f"{MODEL}-{version}", "--input", f"{DATASET}:{number}"]
        guard += ["--model", MODEL, "--version", version, "--", *job]
        printed = consentline(*guard, CONSENTLINE_URL=self.url, CONSENTLINE_TOKEN=self.token)
        trained = next(json.loads(line) for line in printed.splitlines() if line.startswith("{"))
        excluded = {each["reason"]: each["count"] for each in built["excluded"]}
        return {"dataset": f"{DATASET}:{number}", "excluded": excluded, **trained}

    def serve(self, version: str) -> None:
        """Have the feature served by a model version."""
        self.api.ask(SERVE, input={"feature": FEATURE, "modelVersion": f"{MODEL}:{version}"})

    def follow(self, flag: str) -> dict[str, Any]:
        """Follow a flag to its end: acknowledge it, retrain what its causes touched, replace, resolve.

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
        trained = self.train(new, previous=old)
        self.serve(new)
        resolved = self.api.ask(
            RESOLVE, input={"flag": flag, "resolution": "RETRAINED", "replacement": f"{MODEL}:{new}"}
        )
        return {**trained, "model": f"{MODEL}:{new}", **resolved["resolveFlag"]["flag"]}
