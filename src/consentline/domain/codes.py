"""Codes of open sets, as callers write them: platforms, purposes and jurisdictions.

A code that is written otherwise than elsewhere matches nothing: an objection against "facebook" would restrict no post
on FACEBOOK, and a version drawn from "UK" would rule out everybody in GB. So what can be no code is refused wherever
it comes in; whether a code is the right one nobody can tell.
"""

import re
from functools import cache, lru_cache
from importlib import resources

from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import check_key

LONGEST_CODE = 64
"""In characters."""

_CODE = re.compile(r"[A-Z0-9_]+", re.ASCII)
_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
_USER_ASSIGNED = frozenset({"XK"})  # Kosovo: in use everywhere, though ISO 3166-1 leaves the code to its users


@lru_cache(4096)
def is_code(value: str) -> bool:
    """Whether the value can be the code of a platform or a purpose: upper case, digits and underscores."""
    return len(value) <= LONGEST_CODE and _CODE.fullmatch(value) is not None


@lru_cache(4096)
def is_jurisdiction(value: str) -> bool:
    """Whether the value is a country of ISO 3166-1 (alpha-2), or has the form of a subdivision of one (ISO 3166-2).

    "UK" and "EU" are reserved and no countries. Subdivisions come and go several times a year: they are not looked up.
    """
    return _JURISDICTION.fullmatch(value) is not None and value[:2] in _countries()


def check_platform(value: str, *path: str) -> str:
    """Return the code of a platform as it is; the path leads to it.

    Raises:
        InvalidInputError: INVALID_VALUE; a code of `check_key` where it could be no key either.
    """
    return _check_code(value, path)


def check_purpose(value: str, *path: str) -> str:
    """Return the code of a purpose as it is; the path leads to it.

    Raises:
        InvalidInputError: INVALID_VALUE; a code of `check_key` where it could be no key either.
    """
    return _check_code(value, path)


def check_jurisdiction(value: str, *path: str) -> str:
    """Return the code of a jurisdiction as it is; the path leads to it.

    Raises:
        InvalidInputError: INVALID_JURISDICTION.
    """
    if not is_jurisdiction(value):
        hint = "; the United Kingdom is GB" if value.upper().startswith("UK") else ""
        message = f"{path[-1]} is not a code of ISO 3166-1 (GB) or 3166-2 (GB-SCT){hint}"
        raise InvalidInputError(message, code="INVALID_JURISDICTION", path=path)
    return value


def _check_code(value: str, path: tuple[str, ...]) -> str:
    if not is_code(check_key(value, *path)):
        message = f"{path[-1]} is not an upper-case code: A to Z, 0 to 9 and _, at most {LONGEST_CODE} characters"
        raise InvalidInputError(message, code="INVALID_VALUE", path=path)
    return value


@cache
def _countries() -> frozenset[str]:
    """Officially assigned codes, from the table that comes with the time zones."""
    table = resources.files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    rows = (line.split("\t") for line in table.splitlines() if not line.startswith("#"))
    return frozenset(row[0] for row in rows) | _USER_ASSIGNED
