"""The whole story in one command: train, object, be told, retrain one shard, prove it.

    python -m examples.retraining_pipeline.run

It starts `consentline serve` and `consentline worker` on loopback, on the database of the CONSENTLINE_* variables (the
embedded one when none is named), and ends both. Everything that it loads is invented.
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from examples.retraining_pipeline.api import Api, consentline
from examples.retraining_pipeline.classifier import predict
from examples.retraining_pipeline.pipeline import DATASET, MODEL, Pipeline
from examples.retraining_pipeline.platform_posts import Post, records, write_posts
from examples.retraining_pipeline.receiver import Receiver, receiving

AUTHORS, POSTS_EACH = 40, 8
LOOPBACK = {"CONSENTLINE_WEBHOOK_ALLOW_PRIVATE": "true"}
"""Webhooks on loopback, where we listen; in production they are https URLs of the public internet."""
SMALL = {"CONSENTLINE_SHARD_SIZE": "20"}
"""So that the few posts lie in more of the dataset's Shards than the classifier has; see docs/plans.md."""
_PATIENCE = 60.0

REGISTER = """mutation Register($input: RegisterWebhookInput!) {
  registerWebhook(input: $input) { secret userErrors { code message } } }"""
OBJECT = """mutation Somebody($input: FileObjectionInput!) {
  fileObjection(input: $input) {
    objection { status dueAt affectedPostCount flags { edges { node { modelVersion { key } } } } }
    userErrors { code message }
  }
}"""
USED = """query Used($post: String!) {
  postUsage(post: $post) { verdict uses { edges { node { modelVersion { key } } } } } }"""
FLAGS = """query Flags { retrainingFlags { edges { node { status resolution modelVersion { key } } } } }"""


def main() -> None:
    """Tell the story."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, help="keep posts, exports and models here  [default: a temporary one]")
    parser.add_argument("--seed", type=int, default=1, help="of the invented posts")
    given = parser.parse_args()
    with ExitStack() as running:
        folder = given.folder or Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        receiver = running.enter_context(receiving())
        url = running.enter_context(served(folder))
        token = consentline("token", "--role", "admin", "--expires", "1h").strip()
        api = Api(url, token)
        running.callback(api.close)
        running.enter_context(worked(folder))
        tell(Pipeline(api, url, token, folder), receiver, given.seed)


def tell(pipeline: Pipeline, receiver: Receiver, seed: int) -> None:
    """Load, train, object, and follow the flag that comes."""
    now = datetime.now(UTC)
    posts = write_posts(pipeline.posts, seed=seed, authors=AUTHORS, posts_each=POSTS_EACH, now=now)
    consentline(
        "ingest", "-", "--no-progress", lines=(json.dumps(each).encode() + b"\n" for each in records(posts, now))
    )
    wanted = {"key": "topics-pipeline", "url": receiver.address, "role": "ML", "kinds": ["FLAG_RAISED"]}
    answer = pipeline.api.ask(REGISTER, input=wanted)
    receiver.trust(answer["registerWebhook"]["secret"])
    say(f"1. Loaded {len(posts)} posts of {AUTHORS} people; their text stays in {pipeline.posts.name}.")

    built = pipeline.build()
    first = pipeline.train(built, "1")
    pipeline.serve("1")
    say(f"2. Trained {MODEL}:1 on {DATASET}:{built.number} through the gate: shards {first['trained']}.")

    person = posts[0].author
    filed = {"key": f"objection:{person}", "user": person, "receivedAt": datetime.now(UTC).isoformat()}
    objection = pipeline.api.ask(OBJECT, input=filed)["fileObjection"]["objection"]
    flagged = [edge["node"]["modelVersion"]["key"] for edge in objection["flags"]["edges"]]
    say(f"3. {person} objects: {objection['affectedPostCount']} posts stop being usable at once; flagged: {flagged}.")

    event = awaited(receiver)
    say(f"4. The webhook tells of it, signed: {event['type']} for {event['data']['modelVersion']}.")

    second = pipeline.follow(event["data"]["flag"])
    say(f"5. Built {DATASET}:{second['built'].number} without them: {second['built'].excluded}.")
    say(f"6. The plan names the shards: {second['trained']} trained, {second['kept']} kept: {second['cost']} of a run.")
    say(f"7. Replaced by {second['model']}: the flag is {second['status']} as {second['resolution']}.")

    used = pipeline.api.ask(USED, post=posts[0].key)["postUsage"]
    models = sorted(edge["node"]["modelVersion"]["key"] for edge in used["uses"]["edges"])
    say(f"8. Was {posts[0].key} used? {used['verdict']}: by {models}, and by no later version.")
    unseen = write_posts(pipeline.folder / "unseen.ndjson", seed=seed + 1, authors=AUTHORS, posts_each=4, now=now)
    right = [share_right(pipeline.model(version), unseen) for version in ("1", "2")]
    say(f"9. Topics told right on unseen posts: {right[0]:.0%} before, {right[1]:.0%} after.")


def share_right(model: Path, posts: list[Post]) -> float:
    """The share of posts whose topic the model tells."""
    told = predict(model, [post.text for post in posts])
    return sum(topic == post.topic for topic, post in zip(told, posts, strict=True)) / len(posts)


def awaited(receiver: Receiver) -> dict[str, Any]:
    """The next event of the webhook."""
    try:
        return receiver.events.get(timeout=_PATIENCE)
    except queue.Empty:
        sys.exit("no webhook came; see worker.log")


def say(text: str) -> None:
    """Tell a step."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def served(folder: Path) -> Generator[str]:
    """The address of a service of our own."""
    with process(folder, "serve", "--port", "0", **LOOPBACK, **SMALL) as service:
        words = service.stdout.readline().split() if service.stdout else []
        if len(words) < 2:
            sys.exit("the service did not start; see serve.log")
        url = words[1].removesuffix("/graphql")
        deadline = time.monotonic() + _PATIENCE
        while httpx.get(f"{url}/readyz", timeout=30).status_code != 200:
            if time.monotonic() > deadline:
                sys.exit("the service did not become ready; see serve.log")
            time.sleep(0.2)
        yield url


@contextmanager
def worked(folder: Path) -> Generator[None]:
    """A worker that delivers what happens, for as long as the block lasts."""
    with process(folder, "worker", **LOOPBACK):
        yield


@contextmanager
def process(folder: Path, *arguments: str, **environment: str) -> Generator[subprocess.Popen[str]]:
    """A command of Consentline's until the block ends; what it logs goes to a file."""
    with (folder / f"{arguments[0]}.log").open("w", encoding="utf-8") as log:
        command = [sys.executable, "-m", "consentline", *arguments]
        running = subprocess.Popen(command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            yield running
        finally:
            running.terminate()
            running.communicate(timeout=60)


if __name__ == "__main__":
    main()
