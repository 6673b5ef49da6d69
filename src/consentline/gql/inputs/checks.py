"""Bounds of what callers write into inputs."""

from collections.abc import Iterable

from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import check_key

_LONGEST_TEXT = 4_000


def checked_key(value: str | None, field: str) -> str | None:
    """The key, checked, if there is one."""
    return None if value is None else check_key(value, field)


def checked_keys(values: Iterable[str] | None, field: str) -> tuple[str, ...]:
    """The keys, each checked; none when the field was left out."""
    return tuple(check_key(value, field) for value in values or ())


def checked_text(value: str | None, field: str) -> str | None:
    """Text for people, within bounds; it may hold what a key may not.

    Raises:
        InvalidInputError: TEXT_TOO_LONG.
    """
    if value is not None and len(value) > _LONGEST_TEXT:
        raise InvalidInputError(
            f"{field} has more than {_LONGEST_TEXT} characters", code="TEXT_TOO_LONG", path=(field,)
        )
    return value
