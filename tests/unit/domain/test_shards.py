import random
from collections import Counter, defaultdict

from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.shards import Placement, bits_for, families, place, shard_key

KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)
POSTS = st.dictionaries(KEYS, st.sampled_from(["ana", "ben", "cleo", "dora", "émile"]), max_size=60)


@given(posts=POSTS, bits=st.integers(0, 40))
def test_posts_of_one_author_have_one_family(posts: dict[str, str], bits: int) -> None:
    family_of = families("d", posts.items(), bits)

    by_author: defaultdict[str, set[str]] = defaultdict(set)
    for post, author in posts.items():
        by_author[author].add(family_of[post])
    assert family_of.keys() == posts.keys()
    assert all(len(each) == 1 for each in by_author.values())


@given(posts=POSTS, bits=st.integers(0, 6), size=st.integers(1, 5), seed=st.randoms())
def test_placing_is_deterministic_whatever_the_order(
    posts: dict[str, str], bits: int, size: int, seed: random.Random
) -> None:
    shuffled = list(posts.items())
    seed.shuffle(shuffled)

    once = place(families("d", posts.items(), bits), {}, size)
    again = place(families("d", shuffled, bits), {}, size)

    assert once == again


@given(batches=st.lists(POSTS, max_size=5), bits=st.integers(0, 3), size=st.integers(1, 7))
def test_no_shard_ever_takes_more_posts_than_its_size_however_many_batches_come(
    batches: list[dict[str, str]], bits: int, size: int
) -> None:
    placed: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for batch in batches:
        family_of = families("d", batch.items(), bits)
        for placement in place(family_of, placed, size):
            held[placement.shard] += 1
        placed.update(family_of.values())

    assert max(held.values(), default=0) <= size
    assert held.total() == sum(len(batch) for batch in batches)


@given(posts=POSTS, bits=st.integers(0, 3), size=st.integers(1, 7))
def test_a_link_begins_only_when_the_one_before_is_full(posts: dict[str, str], bits: int, size: int) -> None:
    family_of = families("d", posts.items(), bits)
    held = Counter(placement.shard for placement in place(family_of, {}, size))

    for family, count in Counter(family_of.values()).items():
        links, rest = divmod(count, size)
        expected = {shard_key(family, link): size for link in range(links)}
        expected |= {shard_key(family, links): rest} if rest else {}
        assert {shard: taken for shard, taken in held.items() if shard.rpartition("/")[0] == family} == expected


def test_every_post_is_placed_once_in_the_order_of_its_key() -> None:
    family_of = {"b": "f", "a": "f", "c": "f"}

    assert place(family_of, {"f": 1}, 2) == [
        Placement("a", "f/0"),
        Placement("b", "f/1"),
        Placement("c", "f/1"),
    ]


def test_families_of_two_datasets_are_different() -> None:
    assert set(families("d", [("p", "ana")], 3).values()).isdisjoint(families("e", [("p", "ana")], 3).values())


def test_a_finer_dataset_divides_families_and_never_mixes_them() -> None:
    authors = [(f"p{number}", f"author{number}") for number in range(500)]
    coarse, fine = families("d", authors, 3), families("d", authors, 5)

    parents: defaultdict[str, set[str]] = defaultdict(set)
    for post, family in fine.items():
        parents[family].add(coarse[post])
    assert all(len(each) == 1 for each in parents.values())
    assert len(set(coarse.values())) == 8
    assert len(set(fine.values())) == 32


@given(posts=st.integers(0, 10**9), size=st.integers(1, 10**6))
def test_there_are_as_many_families_as_full_shards_or_up_to_twice_as_many(posts: int, size: int) -> None:
    full = -(-posts // size)

    assert 2 ** bits_for(posts, size) >= full
    assert bits_for(posts, size) == 0 or 2 ** (bits_for(posts, size) - 1) < full


def test_a_small_dataset_has_one_family() -> None:
    assert [bits_for(posts, 1000) for posts in (0, 1, 1000, 1001, 2000, 2001)] == [0, 0, 0, 1, 1, 2]
    assert set(families("d", [("p", "ana"), ("q", "ben")], 0).values()) == {"d/0/0"}
