"""A classifier of topics in shards: one small model for the authors of each, that vote.

Sharded, isolated, sliced and aggregated training (SISA) as in Bourtoule et al., "Machine Unlearning" (2021), with one
slice a shard: what an author wrote touches one shard, and only that is trained again when it may not be used any more.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import joblib
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from examples.retraining_pipeline.platform_posts import TOPICS, Post

_MANIFEST = "shards.json"
_POSITIONS = 2**64


def shard_at(position: int, shards: int) -> int:
    """The shard, from 1 up, of what lies at a position of the dataset: positions are split evenly (docs/plans.md)."""
    return position * shards // _POSITIONS + 1


def train(
    by_shard: Mapping[int, Collection[Post]], folder: Path, again: Collection[int], previous: Path | None
) -> None:
    """Train the shards `again`, and take the others over from the previous model.

    Raises:
        ValueError: a shard that is to be taken over was trained on other posts than it holds now.
    """
    manifest = {str(shard): _digest(posts) for shard, posts in by_shard.items()}
    before = {} if previous is None else json.loads((previous / _MANIFEST).read_text(encoding="utf-8"))
    for shard in by_shard.keys() - set(again):
        if before.get(str(shard)) != manifest[str(shard)]:
            raise ValueError(f"shard {shard} was trained on other posts: it cannot be taken over")
    folder.mkdir(parents=True)
    for shard, posts in by_shard.items():
        if previous is None or shard in again:
            joblib.dump(_fit(posts), _file(folder, shard))
        else:
            _file(folder, shard).write_bytes(_file(previous, shard).read_bytes())
    (folder / _MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


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


def _fit(posts: Collection[Post]) -> Pipeline:
    """The order of the posts is that of their keys, and nothing is drawn: the same posts give the same model."""
    ordered = sorted(posts, key=lambda post: post.key)
    model = make_pipeline(HashingVectorizer(n_features=2**12), LogisticRegression())
    return model.fit([post.text for post in ordered], [post.topic for post in ordered])


def _digest(posts: Collection[Post]) -> str:
    return hashlib.sha256("\n".join(sorted(post.key for post in posts)).encode()).hexdigest()


def _file(folder: Path, shard: int) -> Path:
    return folder / f"shard-{shard:02}.joblib"
