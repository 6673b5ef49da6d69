"""A page of a list that can grow, by keyset: the position of the last item seen, never an offset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")
S = TypeVar("S")

Position: TypeAlias = tuple[str | int, ...]
"""What a list is sorted by, so that the next page begins after it."""


@dataclass(frozen=True, slots=True)
class PageRequest:
    """The first `first` items (1 to 100) after the position `after`."""

    first: int = 50
    after: Position | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, each with its position; `total` counts the whole list."""

    items: tuple[T, ...]
    positions: tuple[Position, ...]
    has_next: bool
    has_previous: bool
    total: int


def page_of(items: Sequence[T], position: Callable[[T], Position], request: PageRequest) -> Page[T]:
    """A page of a list held in memory and sorted by `position`."""
    rest = items if request.after is None else [item for item in items if position(item) > request.after]
    chosen = tuple(rest[: request.first])
    return Page(
        items=chosen,
        positions=tuple(position(item) for item in chosen),
        has_next=len(rest) > len(chosen),
        has_previous=request.after is not None and len(rest) < len(items),
        total=len(items),
    )


def page_from(fetched: Sequence[T], position: Callable[[T], Position], request: PageRequest, total: int) -> Page[T]:
    """A page of what a store answered when asked for one item more than `request.first`."""
    chosen = tuple(fetched[: request.first])
    return Page(
        items=chosen,
        positions=tuple(position(item) for item in chosen),
        has_next=len(fetched) > len(chosen),
        has_previous=request.after is not None,
        total=total,
    )
