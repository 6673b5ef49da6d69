"""A classifier of topics in shards: one small model for the authors of each, that vote.

Sharded, isolated, sliced and aggregated training (SISA) as in Bourtoule et al., "Machine Unlearning" (2021), with one
slice a shard: what an author wrote touches one shard, and only that is trained again when it may not be used any more.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from examples.retraining_pipeline.platform_posts import TOPICS, Post

_MANIFEST = "shards.json"


def shard_of(author: str, shards: int) -> int:
    """The shard in which everything that an author wrote is trained."""
    return int.from_bytes(hashlib.sha256(author.encode()).digest()[:8], "big") % shards


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of a training: the shards that were trained, and those taken over as they were."""

    trained: tuple[int, ...]
    kept: tuple[int, ...]


def train(posts: Collection[Post], shards: int, folder: Path, previous: Path | None = None) -> Trained:
    """Train the shards whose posts are not those of the previous model, and take the others over.

    A shard is told by a digest of its sorted post keys, so whatever changed in it has it trained anew.
    """
    by_shard: defaultdict[int, list[Post]] = defaultdict(list)
    for post in posts:
        by_shard[shard_of(post.author, shards)].append(post)
    manifest = {str(shard): _digest(by_shard[shard]) for shard in range(shards)}
    before = _manifest(previous)
    folder.mkdir(parents=True)
    kept = tuple(shard for shard in range(shards) if before.get(str(shard)) == manifest[str(shard)])
    for shard in range(shards):
        if previous is not None and shard in kept:
            _file(folder, shard).write_bytes(_file(previous, shard).read_bytes())
        else:
            joblib.dump(_fit(by_shard[shard]), _file(folder, shard))
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    return Trained(tuple(shard for shard in range(shards) if shard not in kept), kept)


def predict(folder: Path, texts: Sequence[str]) -> list[str]:
    """The topic of each text, by the mean of what the shards hold likely."""
    models = [joblib.load(path) for path in sorted(folder.glob("*.joblib"))]
    topics = sorted(TOPICS)
    likely = np.mean([_likely(model, texts, topics) for model in models], axis=0)
    return [topics[each] for each in likely.argmax(axis=1)]


def _likely(model: Pipeline, texts: Sequence[str], topics: Sequence[str]) -> np.ndarray:
    """What a shard holds likely, nothing for a topic that it never saw."""
    columns = {topic: column for column, topic in enumerate(model.classes_)}
    likely = model.predict_proba(texts)
    return np.stack([likely[:, columns[topic]] if topic in columns else np.zeros(len(texts)) for topic in topics], 1)


def _fit(posts: list[Post]) -> Pipeline:
    """The order of the posts is that of their keys, and nothing is drawn: the same posts give the same model."""
    ordered = sorted(posts, key=lambda post: post.key)
    model = make_pipeline(HashingVectorizer(n_features=2**12), LogisticRegression())
    return model.fit([post.text for post in ordered], [post.topic for post in ordered])


def _digest(posts: Collection[Post]) -> str:
    return hashlib.sha256("\n".join(sorted(post.key for post in posts)).encode()).hexdigest()


def _manifest(folder: Path | None) -> Mapping[str, str]:
    return {} if folder is None else json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))


def _file(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:02}.joblib"
