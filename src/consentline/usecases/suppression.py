"""What was erased is not recorded again: each record that names it is refused as ERASED, by itself.

Two kinds are not, for that would hide a use: manifests, whose member is the digest then, and posts of others that
depict somebody erased: they depict the digest, and stay out of use for it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from msgspec import structs

from consentline.domain.errors import DatabaseUnavailableError, RefusedError, StateError
from consentline.domain.pseudonyms import Pseudonyms
from consentline.domain.records import (
    AuthorCorrection,
    ConsentSaid,
    Deletion,
    NoticeServed,
    Post,
    Record,
    User,
    VisibilityChange,
)
from consentline.graph import suppression, upper
from consentline.graph.facts import RacedError
from consentline.graph.session import Tx
from consentline.graph.suppression import SuppressedError
from consentline.usecases.service import Service

T = TypeVar("T")

_MOST_REPETITIONS = 20


class _Names(NamedTuple):
    """The fields of a record that name a person, and a post."""

    people: tuple[str, ...] = ()
    posts: tuple[str, ...] = ()


_NAMES: Mapping[type[Record], _Names] = {
    User: _Names(people=("key",)),
    Post: _Names(people=("author",), posts=("key",)),
    VisibilityChange: _Names(posts=("post",)),
    Deletion: _Names(posts=("post",)),
    AuthorCorrection: _Names(people=("author",), posts=("post",)),
    NoticeServed: _Names(people=("user",)),
    ConsentSaid: _Names(people=("user",)),
}


def erased(field: str) -> StateError:
    """The refusal of what names somebody, or a post of somebody, who was erased."""
    return StateError("what was erased is not recorded again (Art. 17)", code="ERASED", path=(field,))


@dataclass(slots=True)
class Erased:
    """The people and posts that a batch turned out to name, and that were erased."""

    people: set[str] = field(default_factory=set[str])
    posts: set[str] = field(default_factory=set[str])

    def __bool__(self) -> bool:
        return bool(self.people or self.posts)

    def add(self, error: SuppressedError) -> None:
        """Take in what a transaction found."""
        self.people |= error.people
        self.posts |= error.posts

    def part(self, pseudonyms: Pseudonyms, records: Sequence[Any]) -> tuple[list[Any], dict[int, RefusedError]]:
        """The records that can be recorded, and the refusals of the others by their position."""
        if not self:
            return list(records), {}
        kept: list[Any] = []
        refused: dict[int, RefusedError] = {}
        for position, record in enumerate(records):
            refusal = self._refusal(record)
            if refusal is not None:
                refused[position] = refusal
            else:
                kept.append(self._stored(pseudonyms, record))
        return kept, refused

    def _refusal(self, record: Record) -> RefusedError | None:
        names = _NAMES.get(type(record), _Names())
        for keys, fields in ((self.posts, names.posts), (self.people, names.people)):
            for name in fields:
                if getattr(record, name) in keys:
                    return erased(name)
        return None

    def _stored(self, pseudonyms: Pseudonyms, record: Record) -> Record:
        """The record with the digests of those whom it depicts and who were erased."""
        if not isinstance(record, Post) or not record.depicts or self.people.isdisjoint(record.depicts):
            return record
        depicts = tuple(pseudonyms.of("User", key) if key in self.people else key for key in record.depicts)
        return structs.replace(record, depicts=depicts)


async def unless_erased(write: Callable[[], Awaitable[T]], field: str) -> T:
    """Run a change about one person, again where others got in between.

    Raises:
        StateError: ERASED; the person was.
        DatabaseUnavailableError: others keep getting in between; nothing was changed.
    """
    for _ in range(_MOST_REPETITIONS):
        try:
            return await write()
        except RacedError:
            continue
        except SuppressedError:
            raise erased(field) from None
    raise busy()


async def repeated(write: Callable[[], Awaitable[T]]) -> T:
    """Run a change about something recorded, again where others (or an erasure) got in between.

    Raises:
        DatabaseUnavailableError: they keep doing so; nothing was changed.
    """
    for _ in range(_MOST_REPETITIONS):
        try:
            return await write()
        except (RacedError, SuppressedError):
            continue
    raise busy()


async def surely(
    service: Service,
    read: Callable[[Tx], Awaitable[T]],
    found: Callable[[T], bool],
    *,
    at_first: Callable[[], Awaitable[T]] | None = None,
) -> T:
    """What is read of something by its own key and by the digest that may stand for it; nothing, only when surely so.

    The commit that puts the digest in the key's place takes the key out of the index before the digest goes in: for an
    instant neither leads there, in whichever order they are sought (measured: 10 of 372,000 questions beside an
    erasure). Whoever erases holds the upper graph's guard until that is over. So where nothing was found, and anybody
    was ever erased, it is sought again under the guard. `at_first` reads the same, the first time.
    """

    async def under_guard(tx: Tx) -> T:
        await upper.lock(tx)
        return await read(tx)

    answer = await (service.graph.read(read) if at_first is None else at_first())
    if found(answer) or not await service.graph.read(suppression.suppressing):
        return answer
    return await service.graph.write(under_guard)


def busy() -> DatabaseUnavailableError:
    """The answer when others keep changing what a transaction rests on."""
    return DatabaseUnavailableError("other writers keep changing what this concerns; nothing was changed")
