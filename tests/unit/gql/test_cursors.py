import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.errors import InvalidInputError
from consentline.domain.paging import PageRequest
from consentline.gql.cursors import Cursors

CURSORS = Cursors("a secret of the service, of 32 bytes")
POSITIONS = st.lists(
    st.text(st.characters(exclude_categories=["Cs"])) | st.integers(-(2**63), 2**63 - 1), max_size=3
).map(tuple)


@given(position=POSITIONS)
def test_a_cursor_leads_back_to_its_position(position: tuple[str | int, ...]) -> None:
    assert CURSORS.decode("list", CURSORS.encode("list", position)) == position


def code_of(cursor: str, listing: str = "list", cursors: Cursors = CURSORS) -> str:
    with pytest.raises(InvalidInputError) as raised:
        cursors.decode(listing, cursor)
    return raised.value.code


@pytest.mark.parametrize("text", ["", "a", "not base64!", "é", "AAAA", "A" * 64])
def test_what_is_no_cursor_of_ours_is_refused(text: str) -> None:
    assert code_of(text) == "BAD_CURSOR"


@given(flipped=st.integers(0, 30))
def test_a_cursor_that_was_changed_is_refused(flipped: int) -> None:
    cursor = CURSORS.encode("list", ("a-key-of-some-length", 12))
    changed = cursor[:flipped] + ("A" if cursor[flipped] != "A" else "B") + cursor[flipped + 1 :]

    assert code_of(changed) == "BAD_CURSOR"


def test_a_cursor_is_good_for_its_own_list_only() -> None:
    assert code_of(CURSORS.encode("posts of a", ("x",)), "posts of b") == "BAD_CURSOR"


def test_a_cursor_of_another_secret_is_refused() -> None:
    assert code_of(Cursors("another secret").encode("list", ("x",))) == "BAD_CURSOR"


def test_a_page_without_a_cursor_begins_at_the_start() -> None:
    assert CURSORS.request("list", 10, None) == PageRequest(10, None)


@pytest.mark.parametrize("first", [-1, 0, 101, 2**31 - 1])
def test_a_page_has_between_1_and_100_items(first: int) -> None:
    with pytest.raises(InvalidInputError) as raised:
        CURSORS.request("list", first, None)

    assert raised.value.code == "FIRST_OUT_OF_RANGE"
    assert raised.value.message == "first lies between 1 and 100"
