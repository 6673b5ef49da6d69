"""Many rows as a parameter of a statement."""

from typing import TypeVar

T = TypeVar("T")


class Rows(list[T]):
    """Many rows as a parameter, with a short representation.

    The driver represents every parameter for a debug message, whether anybody reads it or not: half the cost of a
    large batch, and personal keys in a log.
    """

    def __repr__(self) -> str:
        return f"<{len(self)} rows>"
