from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.paging import Page, PageRequest, Position, page_from, page_of


def position(item: int) -> Position:
    return (item,)


def pages(items: list[int], first: int) -> list[Page[int]]:
    """Every page of a list, each asked for after the last item of the one before."""
    found = [page_of(items, position, PageRequest(first))]
    while found[-1].has_next:
        found.append(page_of(items, position, PageRequest(first, found[-1].positions[-1])))
    return found


ITEMS = st.lists(st.integers(), unique=True).map(sorted)
SIZES = st.integers(1, 100)


@given(items=ITEMS, first=SIZES)
def test_pages_partition_the_list(items: list[int], first: int) -> None:
    assert [item for page in pages(items, first) for item in page.items] == items


@given(items=ITEMS, first=SIZES)
def test_every_page_but_the_last_is_full_and_knows_its_neighbours(items: list[int], first: int) -> None:
    found = pages(items, first)

    assert all(len(page.items) == first for page in found[:-1])
    assert len(found[-1].items) <= first
    assert [page.has_next for page in found] == [True] * (len(found) - 1) + [False]
    assert [page.has_previous for page in found] == [False] + [True] * (len(found) - 1)
    assert all(page.total == len(items) for page in found)
    assert all(page.positions == tuple(position(item) for item in page.items) for page in found)


@given(items=ITEMS, first=SIZES)
def test_a_store_that_answers_one_item_more_gives_the_same_pages(items: list[int], first: int) -> None:
    for page in pages(items, first):
        after = None if not page.has_previous else items[items.index(page.items[0]) - 1]
        fetched = [item for item in items if after is None or item > after][: first + 1]
        request = PageRequest(first, None if after is None else position(after))

        assert page_from(fetched, position, request, len(items)) == page


def test_a_list_that_changed_between_two_pages_is_read_on_after_the_last_item_seen() -> None:
    first = page_of([1, 3, 5, 7], position, PageRequest(2))
    second = page_of([0, 1, 2, 4, 5, 7], position, PageRequest(10, first.positions[-1]))

    assert first.items == (1, 3)
    assert second.items == (4, 5, 7)
    assert second.has_previous


def test_a_page_after_items_that_are_gone_has_nothing_before_it() -> None:
    page = page_of([4, 5], position, PageRequest(5, (3,)))

    assert page == Page((4, 5), ((4,), (5,)), has_next=False, has_previous=False, total=2)


def test_an_empty_list_has_one_empty_page() -> None:
    assert page_of([], position, PageRequest()) == Page((), (), False, False, 0)


def test_after_the_end_there_is_nothing_but_what_came_before() -> None:
    page = page_of([1, 2], position, PageRequest(5, (9,)))

    assert page == Page((), (), has_next=False, has_previous=True, total=2)
