"""Which shard of a dataset a post lies in: bounded groups in which the posts of one author stay together.

Shard-wise retraining (SISA: Bourtoule et al., "Machine Unlearning", 2021) retrains the shards that an objection
touches; with one author in one shard that is about one a dataset.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Placement(NamedTuple):
    """A post and the shard in which it is placed."""

    post: str
    shard: str


def families(dataset: str, posts: Iterable[tuple[str, str]], bits: int) -> dict[str, str]:
    """The shard family of each post, by its key; `posts` pairs a post's key with what it is placed by.

    A post is placed by its author's key, or by its own while the author is unknown. Families are named by the first
    `bits` bits of that key's digest, so every writer of every process finds the same one.
    """
    return {post: f"{dataset}/{bits}/{_prefix(placed_by, bits):x}" for post, placed_by in posts}


def place(family_of: Mapping[str, str], placed: Mapping[str, int], shard_size: int) -> list[Placement]:
    """A shard for each post; `placed` counts how many posts each family took before.

    A family is a chain: the next link begins when a shard holds `shard_size` posts, so no shard grows without bound.
    """
    taken = Counter(placed)
    placements: list[Placement] = []
    for post in sorted(family_of):
        family = family_of[post]
        placements.append(Placement(post, shard_key(family, taken[family] // shard_size)))
        taken[family] += 1
    return placements


def shard_key(family: str, link: int) -> str:
    """The key of one link of a family's chain."""
    return f"{family}/{link}"


def bits_for(posts: int, shard_size: int) -> int:
    """How many bits of the digest name a family in a dataset of so many posts: about one shard a family."""
    return max(0, (-(-posts // shard_size) - 1).bit_length()) if posts else 0


def position_of_shard(key: str) -> int:
    """Where a shard lies among 2**64 positions: where the digests of those placed in it begin.

    It keeps an author's place while a dataset grows: a finer family of theirs lies within the coarser one.
    """
    _, bits, prefix, _ = key.rsplit("/", 3)
    return int(prefix, 16) << (64 - int(bits))


def _prefix(key: str, bits: int) -> int:
    digest = hashlib.blake2b(key.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> (64 - bits) if bits else 0
