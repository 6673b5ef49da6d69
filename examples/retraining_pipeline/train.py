"""The training job, as `consentline train-guard` runs it: it starts only with a permit, and reads only its members."""

import argparse
import json
import os
import sys
from pathlib import Path

from examples.retraining_pipeline.classifier import shard_at, train
from examples.retraining_pipeline.platform_posts import Post, read_posts


def main() -> None:
    """Train on exactly the exported members and print, as JSON, which shards were trained, and which are as before."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=Path, required=True, help="of `consentline dataset export --by-shard`")
    parser.add_argument("--posts", type=Path, required=True, help="the platform's posts, with their text")
    parser.add_argument("--shards", type=int, required=True)
    parser.add_argument("--into", type=Path, required=True, help="the model's folder; it must not exist")
    parser.add_argument("--previous", type=Path, help="the model whose other shards are taken over")
    parser.add_argument("--again", type=int, action="append", help="a shard to train; left out: all")
    given = parser.parse_args()
    if not os.environ.get("CONSENTLINE_PERMIT"):
        sys.exit("no permit: run this by `consentline train-guard`")
    posts = read_posts(given.posts)
    by_shard: dict[int, list[Post]] = {shard: [] for shard in range(1, given.shards + 1)}
    for line in given.members.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        by_shard[shard_at(int(told["position"], 16), given.shards)] += [posts[key] for key in told["posts"]]
    again = sorted(by_shard) if given.again is None else given.again
    train(by_shard, given.into, again, given.previous)
    kept = sorted(by_shard.keys() - set(again))
    sys.stdout.write(json.dumps({"trained": again, "kept": kept, "posts": sum(map(len, by_shard.values()))}) + "\n")


if __name__ == "__main__":
    main()
