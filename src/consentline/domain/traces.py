"""Finding keys in text: as words of their own, not as parts of longer ones, also as JSON and addresses write them."""

import json
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple
from urllib.parse import quote


class Trace(NamedTuple):
    """A key that was found, and where."""

    key: str
    place: str


class Traces:
    """Finds keys in text where no letter, digit, `_`, `-` or `@` adjoins them: "ana" is not in "banana"."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = tuple(sorted(set(keys)))
        self._keys = {form: key for key in self.keys for form in _forms(key)}
        either = "|".join(re.escape(form) for form in self.forms)
        self._text = re.compile(rf"(?<![\w@-])(?:{either})(?![\w@-])") if self._keys else None

    @property
    def forms(self) -> list[str]:
        """What text with one of the keys contains, the longest first."""
        return sorted(self._keys, key=len, reverse=True)

    def of(self, text: str) -> Iterator[str]:
        """The keys in the text, each as often as it occurs."""
        if self._text is not None:
            yield from (self._keys[match[0]] for match in self._text.finditer(text))


def _forms(key: str) -> Iterator[str]:
    """As it is, within JSON with and without escapes of what is not ASCII, and within an address."""
    yield quote(key, safe="")
    yield json.dumps(key)[1:-1]
    yield json.dumps(key, ensure_ascii=False)[1:-1]
    yield key
