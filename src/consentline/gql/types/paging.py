"""Relay connections over pages: edges, cursors and page info."""

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import strawberry

from consentline.domain.paging import Page, Position
from consentline.gql.cursors import Cursors

T = TypeVar("T")
S = TypeVar("S")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """Where a page lies in its list."""

    has_next_page: bool = strawberry.field(description="Whether more follows after the last item.")
    has_previous_page: bool = strawberry.field(description="Whether anything stands before the first item.")
    start_cursor: str | None = strawberry.field(description="The cursor of the first item; null on an empty page.")
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item, for the next `after`; null on an empty page."
    )


@strawberry.type(description="One item of a page.")
class Edge(Generic[T]):
    """One item of a page with its place in the list."""

    cursors: strawberry.Private[Cursors]
    listing: strawberry.Private[str]
    position: strawberry.Private[Position]
    node: T = strawberry.field(description="The item.")

    @strawberry.field(description="Its place in the list, for `after`; opaque, and good for this list only.")
    def cursor(self) -> str:
        """The sealed position."""
        return self.cursors.encode(self.listing, self.position)


@strawberry.type(description="A page of a list that can grow, by keyset: what is added meanwhile shifts nothing.")
class Connection(Generic[T]):
    """A page whose items are turned into views when they are asked for."""

    cursors: strawberry.Private[Cursors]
    listing: strawberry.Private[str]
    page: strawberry.Private[Page[Any]]
    view: strawberry.Private[Callable[[Any], Any]]

    @strawberry.field(description="The items of the page.")
    def edges(self) -> list[Edge[T]]:
        """Each item with its position."""
        return edges_of(self.cursors, self.listing, self.page, self.view)

    @strawberry.field(description="Where the page lies.")
    def page_info(self) -> PageInfo:
        """Sealed positions of both ends."""
        return page_info_of(self.cursors, self.listing, self.page)

    @strawberry.field(description="How many items the whole list has.")
    def total_count(self) -> int:
        """The length of the list."""
        return self.page.total


def edges_of(cursors: Cursors, listing: str, page: Page[S], view: Callable[[S], T]) -> list[Edge[T]]:
    """The items of a page with their positions."""
    return [
        Edge(cursors=cursors, listing=listing, position=position, node=view(item))
        for item, position in zip(page.items, page.positions, strict=True)
    ]


def page_info_of(cursors: Cursors, listing: str, page: Page[Any]) -> PageInfo:
    """Where a page lies, its ends as cursors."""
    ends = page.positions[:1] + page.positions[-1:]
    sealed = [cursors.encode(listing, position) for position in ends] or [None, None]
    return PageInfo(
        has_next_page=page.has_next, has_previous_page=page.has_previous, start_cursor=sealed[0], end_cursor=sealed[-1]
    )


def listing_of(name: str, *arguments: str) -> str:
    """What cursors are bound to: a list and the arguments that tell it from others, which may hold any text."""
    return ":".join([name, *(f"{len(each)}:{each}" for each in arguments)])


def connect(cursors: Cursors, listing: str, page: Page[S], view: Callable[[S], T]) -> Connection[T]:
    """The connection of a page of the list named `listing`."""
    return Connection(cursors=cursors, listing=listing, page=page, view=view)
