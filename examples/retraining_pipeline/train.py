"""The training job, as `consentline train-guard` runs it: it starts only with a permit, and reads only its members."""

import argparse
import json
import os
import sys
from pathlib import Path

from examples.retraining_pipeline.classifier import train
from examples.retraining_pipeline.platform_posts import read_posts


def main() -> None:
    """Train on exactly the exported members and print, as JSON, which shards were trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=Path, required=True, help="what `consentline dataset export` wrote")
    parser.add_argument("--posts", type=Path, required=True, help="the platform's posts, with their text")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--into", type=Path, required=True, help="the model's folder; it must not exist")
    parser.add_argument("--previous", type=Path, help="the model whose unchanged shards are taken over")
    given = parser.parse_args()
    if not os.environ.get("CONSENTLINE_PERMIT"):
        sys.exit("no permit: run this by `consentline train-guard`")
    posts = read_posts(given.posts)
    members = [posts[json.loads(line)["post"]] for line in given.members.read_text(encoding="utf-8").splitlines()]
    trained = train(members, given.shards, given.into, given.previous)
    sys.stdout.write(json.dumps({"trained": trained.trained, "kept": trained.kept}) + "\n")


if __name__ == "__main__":
    main()
