"""Natural keys as callers give them: any text that a log line, a URL and a file can carry without harm."""

import unicodedata

from consentline.domain.errors import InvalidInputError
from consentline.domain.pseudonyms import PREFIX

LONGEST_KEY = 256
"""In characters (code points)."""

_REFUSED_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def check_key(value: str, *path: str) -> str:
    """Return the key as it is, to which the path leads: it is never trimmed, folded or normalised.

    Raises:
        InvalidInputError: KEY_EMPTY (nothing but white space), KEY_TOO_LONG, KEY_CONTROL_CHARACTER (a control
            character, a line separator or a lone surrogate) or KEY_RESERVED; its path is the one given.
    """
    check_not_reserved(value, *path)
    if value.isascii() and value.isprintable() and 0 < len(value) <= LONGEST_KEY and value[0] != " ":
        return value
    field = path[-1]
    if not value or value.isspace():
        raise InvalidInputError(f"{field} is empty", code="KEY_EMPTY", path=path)
    if len(value) > LONGEST_KEY:
        message = f"{field} has {len(value)} characters, more than {LONGEST_KEY}"
        raise InvalidInputError(message, code="KEY_TOO_LONG", path=path)
    for character in value:
        if unicodedata.category(character) in _REFUSED_CATEGORIES:
            message = f"{field} holds the character U+{ord(character):04X}, which no key may"
            raise InvalidInputError(message, code="KEY_CONTROL_CHARACTER", path=path)
    return value


def check_not_reserved(value: str, *path: str) -> None:
    """Return unless the key begins as the digests of erased keys do: nobody asks, or records anything, by a digest.

    Raises:
        InvalidInputError: KEY_RESERVED; its path is the one given.
    """
    if value.startswith(PREFIX):
        message = f"{path[-1]} begins with {PREFIX}, which no key may"
        raise InvalidInputError(message, code="KEY_RESERVED", path=path)
