from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.tallies import BLOCK, count_at, in_blocks, joined

changes = st.dictionaries(st.integers(1, 5 * BLOCK), st.integers(-5, 5), max_size=12)


@given(changes, st.integers(1, 6 * BLOCK))
def test_a_version_s_count_is_the_sum_of_the_changes_up_to_it(changes: dict[int, int], number: int) -> None:
    deltas = joined(in_blocks(changes))

    assert count_at(deltas, number) == sum(by for version, by in changes.items() if version <= number)


def test_a_change_writes_the_blocks_that_it_lies_in() -> None:
    found = in_blocks({1: 2, BLOCK: -1, 3 * BLOCK + 1: 4})

    assert {block: {i: by for i, by in enumerate(each) if by} for block, each in found.items()} == {
        0: {0: 2, BLOCK - 1: -1},
        3: {0: 4},
    }
    assert all(len(each) == BLOCK for each in found.values())
