"""Cells, checkpoints, and what deletions cost: the formulas of docs/plans.md against training that is simulated."""

import hashlib
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.sisa import Training, deletion_costs, one_deletion_costs
from consentline.domain.errors import InvalidInputError
from consentline.domain.sharding import (
    POSITIONS,
    AssignedBy,
    Cell,
    CellRange,
    Checkpoint,
    ShardedTraining,
    Sharding,
    check_sharding,
    everything,
    expected_cost,
    expected_shards,
    first_slices,
    format_position,
    parse_position,
    position_of_key,
    retrainings,
    slice_cost,
)
from consentline.domain.shards import families, position_of_shard, shard_key

SIZES = st.integers(1, 6)
CELLS = st.builds(Cell, SIZES, SIZES)


def checkpoint(shard: int, slice_: int) -> Checkpoint:
    return Checkpoint(Cell(shard, slice_), f"s3://bucket/{shard}/{slice_}")


# ---- which post lies where ------------------------------------------------------------------------------------------


def test_a_posts_position_is_what_anybody_computes_from_its_key() -> None:
    assert position_of_key("é:1") == int(hashlib.sha256("é:1".encode()).hexdigest()[:16], 16)


@given(shards=SIZES, slices=SIZES)
def test_without_ranges_positions_are_split_evenly_shard_by_shard(shards: int, slices: int) -> None:
    sharding = Sharding(shards, slices)
    cells = [Cell(shard, slice_) for shard in range(1, shards + 1) for slice_ in range(1, slices + 1)]

    begins = [-(-POSITIONS * number // len(cells)) for number in range(len(cells))]

    assert [sharding.cell_at(begin) for begin in begins] == cells
    assert [sharding.cell_at(begin - 1) for begin in [*begins[1:], POSITIONS]] == cells


def test_ranges_give_the_positions_from_each_begin_to_the_next() -> None:
    ranges = (CellRange(0, Cell(2, 1)), CellRange(10, Cell(1, 3)), CellRange(2**63, Cell(2, 1)))
    sharding = Sharding(2, 3, ranges=ranges)

    found = [sharding.cell_at(position) for position in (0, 9, 10, 2**63 - 1, 2**63, POSITIONS - 1)]

    assert found == [(2, 1), (2, 1), (1, 3), (1, 3), (2, 1), (2, 1)]


@given(author=st.text(min_size=1, max_size=5), bits=st.integers(0, 16), finer=st.integers(0, 16))
def test_an_author_keeps_their_place_while_the_dataset_grows(author: str, bits: int, finer: int) -> None:
    dataset = "a/b"  # a slash in its key, too
    (coarse,) = families(dataset, [("p", author)], bits).values()
    (fine,) = families(dataset, [("p", author)], bits + finer).values()

    begin, end = position_of_shard(shard_key(coarse, 0)), position_of_shard(shard_key(coarse, 7))

    assert begin == end
    assert begin <= position_of_shard(shard_key(fine, 3)) < begin + 2 ** (64 - bits)


def test_by_the_datasets_shards_all_of_an_author_lies_in_one_cell() -> None:
    sharding = Sharding(4, 2, AssignedBy.DATASET_SHARD)

    assert sharding.cell_of("any", "d/3/0/0") == (1, 1)
    assert sharding.cell_of("other", "d/3/0/9") == (1, 1)
    assert sharding.cell_of("any", "d/3/5/0") == (3, 2)


def test_where_a_posts_key_became_a_digest_only_the_datasets_shard_still_tells_its_cell() -> None:
    erased = f"hmac-sha256:{'0' * 64}"

    assert Sharding(4, 2).cell_of(erased, "d/3/5/0") is None
    assert Sharding(4, 2, AssignedBy.DATASET_SHARD).cell_of(erased, "d/3/5/0") == (3, 2)


@given(st.integers(0, POSITIONS - 1))
def test_positions_are_written_as_sixteen_digits(position: int) -> None:
    assert parse_position(format_position(position)) == position


@pytest.mark.parametrize("text", ["", "0", "00000000000000000", "000000000000000G", "0x00000000000000", "É" * 16])
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="16 lower-case hexadecimal digits") as refused:
        parse_position(text)
    assert (refused.value.code, refused.value.path) == ("SHARDING_RANGES", ("sharding", "ranges"))


# ---- checkpoints ----------------------------------------------------------------------------------------------------


@given(
    st.sets(CELLS, max_size=12),
    st.dictionaries(CELLS, st.integers(1, 3), max_size=6),
)
def test_training_resumes_from_the_last_checkpoint_that_rests_on_nothing_that_goes(
    saved: set[Cell], leaving: dict[Cell, int]
) -> None:
    training = ShardedTraining(Sharding(6, 6), tuple(checkpoint(*cell) for cell in saved))

    found = {each.shard: each for each in retrainings(training, leaving)}

    def valid(cell: Cell) -> bool:
        return not any(each.shard == cell.shard and each.slice <= cell.slice for each in leaving)

    assert found.keys() == {cell.shard for cell in leaving}
    for shard, each in found.items():
        still_good = [cell for cell in saved if cell.shard == shard and valid(cell)]
        assert (each.resume and each.resume.cell) == max(still_good, default=None)
        assert each.from_slice == (max(still_good).slice if still_good else 0) + 1
        assert each.first_slice == min(cell.slice for cell in leaving if cell.shard == shard)
        assert each.posts == sum(count for cell, count in leaving.items() if cell.shard == shard)
        assert each.cost == slice_cost(each.from_slice, 6)
    doomed = {each.cell for each in training.resting_on(first_slices(leaving))}
    assert doomed == {cell for cell in saved if not valid(cell)}


def test_what_no_shard_keeps_to_itself_begins_every_shard_anew() -> None:
    training = ShardedTraining(Sharding(2, 3), (checkpoint(1, 1), checkpoint(2, 3)))

    assert [(each.shard, each.resume, each.from_slice, each.cost) for each in everything(training)] == [
        (1, None, 1, 1.0),
        (2, None, 1, 1.0),
    ]


# ---- what it costs --------------------------------------------------------------------------------------------------


@given(st.integers(1, 40))
def test_from_the_first_slice_a_shard_costs_all_and_from_the_last_its_longest_stage(slices: int) -> None:
    assert slice_cost(1, slices) == 1
    assert slice_cost(slices, slices) == pytest.approx(2 / (slices + 1))
    mean = sum(slice_cost(each, slices) for each in range(1, slices + 1)) / slices
    assert mean == pytest.approx(2 / 3 + 1 / (3 * slices))  # the paper's average


@given(st.integers(1, 50), st.integers(0, 200))
def test_without_slices_a_run_costs_the_shards_that_are_hit(shards: int, deletions: int) -> None:
    assert expected_cost(shards, 1, deletions) == pytest.approx(expected_shards(shards, deletions) / shards)


@given(st.integers(1, 50), st.integers(1, 50))
def test_one_deletion_costs_the_average_slice_of_one_shard(shards: int, slices: int) -> None:
    assert expected_cost(shards, slices, 1) == pytest.approx((2 / 3 + 1 / (3 * slices)) / shards)


@pytest.mark.parametrize("slices", [1, 4, 10])
def test_a_deletion_costs_what_simulated_training_visits_again(slices: int) -> None:
    training = Training(shards=5, slices=slices, points=400, epochs=3)

    found = one_deletion_costs(training)

    assert found == pytest.approx({each: slice_cost(each, slices) for each in range(1, slices + 1)})


@pytest.mark.parametrize(("shards", "slices", "deletions"), [(5, 1, 3), (8, 4, 1), (8, 4, 10), (20, 10, 40)])
def test_deletions_cost_on_average_what_the_formulas_say(shards: int, slices: int, deletions: int) -> None:
    """Seeded; the averages of 2,000 draws lie within four of their standard errors, about 3 % at most."""
    training = Training(shards=shards, slices=slices, points=shards * slices * 50, epochs=1)

    found = deletion_costs(training, deletions, rounds=2_000, random=Random(7))  # noqa: S311 - a simulation

    assert found.agrees(expected_shards(shards, deletions), expected_cost(shards, slices, deletions))
    assert found.cost_error < 0.02


# ---- what can be recorded -------------------------------------------------------------------------------------------

REFUSED = [
    (Sharding(0, 1), (), "SHARDING_SIZE", "shards", "at most 10000"),
    (Sharding(1, 0), (), "SHARDING_SIZE", "shards", "from 1 up"),
    (Sharding(101, 100), (), "SHARDING_SIZE", "shards", "at most 10000"),
    (Sharding(1, 1, ranges=(CellRange(1, Cell(1, 1)),)), (), "SHARDING_RANGES", "ranges", "begin at position 0"),
    (Sharding(1, 1, ranges=(CellRange(0, Cell(1, 1)),) * 2), (), "SHARDING_RANGES", "ranges", "ascend"),
    (Sharding(2, 1, ranges=(CellRange(0, Cell(3, 1)),)), (), "CELL_OUT_OF_RANGE", "ranges", "no slice 1 of shard 3"),
    (Sharding(2, 1), (checkpoint(1, 2),), "CELL_OUT_OF_RANGE", "checkpoints", "no slice 2 of shard 1"),
    (Sharding(2, 1), (checkpoint(0, 1),), "CELL_OUT_OF_RANGE", "checkpoints", "no slice 1 of shard 0"),
    (Sharding(2, 1), (checkpoint(1, 1),) * 2, "CHECKPOINT_REPEATED", "checkpoints", "one checkpoint"),
    (Sharding(2, 1), (Checkpoint(Cell(1, 1), ""),), "CHECKPOINT_REFERENCE", "checkpoints", "1 to 2000"),
    (Sharding(2, 1), (Checkpoint(Cell(1, 1), "x" * 2001),), "CHECKPOINT_REFERENCE", "checkpoints", "1 to 2000"),
    (Sharding(2, 1), (Checkpoint(Cell(1, 1), "a\nb"),), "CHECKPOINT_REFERENCE", "checkpoints", "printable"),
    (Sharding(2, 1), (Checkpoint(Cell(1, 1), "a", "md5:1"),), "CHECKPOINT_REFERENCE", "checkpoints", "64 lower-case"),
]


@pytest.mark.parametrize(("sharding", "checkpoints", "code", "field", "message"), REFUSED)
def test_what_cannot_be_a_sharding_is_refused(
    sharding: Sharding, checkpoints: tuple[Checkpoint, ...], code: str, field: str, message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message) as refused:
        check_sharding(ShardedTraining(sharding, checkpoints))

    assert (refused.value.code, refused.value.path) == (code, ("sharding", field))


def test_the_largest_sharding_can_be_recorded() -> None:
    sharding = Sharding(100, 100, ranges=(CellRange(0, Cell(1, 1)), CellRange(POSITIONS - 1, Cell(100, 100))))

    saved = Checkpoint(Cell(100, 100), "x" * 2000, f"sha256:{'0' * 64}")
    check_sharding(ShardedTraining(sharding, (saved,)))
    check_sharding(None)


@given(st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=40, unique=True), SIZES, SIZES)
def test_every_post_lies_in_one_cell_of_its_run(posts: list[str], shards: int, slices: int) -> None:
    counts = Counter(Sharding(shards, slices).cell_of(each, "d/0/0/0") for each in posts)

    assert None not in counts
    assert {cell for cell in counts if cell is not None} <= {
        Cell(shard, slice_) for shard in range(1, shards + 1) for slice_ in range(1, slices + 1)
    }
