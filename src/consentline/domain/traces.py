"""Finding keys in text: as words of their own, not as parts of longer ones."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Trace(NamedTuple):
    """A key that was found, and where."""

    key: str
    place: str


class Traces:
    """Finds keys in text where no letter, digit, `_`, `-` or `@` adjoins them: "ana" is not in "banana"."""

    def __init__(self, keys: Iterable[str]) -> None:
        self.keys = tuple(sorted(set(keys), key=len, reverse=True))
        either = "|".join(re.escape(key) for key in self.keys)
        self._text = re.compile(rf"(?<![\w@-])(?:{either})(?![\w@-])") if self.keys else None

    def of(self, text: str) -> Iterator[str]:
        """The keys in the text, each as often as it occurs."""
        if self._text is not None:
            yield from (match[0] for match in self._text.finditer(text))
