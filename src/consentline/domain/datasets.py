"""Dataset versions: what they hold, or what can be said of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentline.domain.instants import Instant
from consentline.domain.people import PersonFacts, covers, jurisdictions_ever
from consentline.domain.posts import PostFacts


class Coverage(StrEnum):
    """How much is known of what a version holds."""

    COMPLETE = "COMPLETE"
    DECLARED = "DECLARED"
    UNDOCUMENTED = "UNDOCUMENTED"


class VersionStatus(StrEnum):
    """BUILDING while members are recorded; SEALED is immutable; WITHDRAWN may not be used again."""

    BUILDING = "BUILDING"
    SEALED = "SEALED"
    WITHDRAWN = "WITHDRAWN"


class VersionRef(NamedTuple):
    """A dataset version by its dataset's key and its number, from 1 up."""

    dataset: str
    number: int

    def __str__(self) -> str:
        return f"{self.dataset}:{self.number}"


class Membership(NamedTuple):
    """A post is in the COMPLETE, sealed versions `from_version` ≤ n < `to_version` (None: no end) of `dataset`."""

    dataset: str
    from_version: int
    to_version: int | None

    def holds(self, number: int) -> bool:
        """Whether the interval contains the version number."""
        return self.from_version <= number and (self.to_version is None or number < self.to_version)


@dataclass(frozen=True, slots=True)
class Selection:
    """What a DECLARED version was drawn from; a criterion left empty excludes nothing."""

    jurisdictions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    published_from: Instant | None = None
    published_before: Instant | None = None

    def covers_person(self, person: PersonFacts | None, known_at: Instant) -> bool:
        """Whether the declared jurisdictions cannot rule the person out (other criteria aside)."""
        if not self.jurisdictions or person is None:
            return True
        ever = jurisdictions_ever(person, known_at)
        if ever is None:
            return True
        return any(covers(mine, theirs) or covers(theirs, mine) for mine in self.jurisdictions for theirs in ever)

    def covers(self, post: PostFacts, known_at: Instant) -> bool:
        """Whether the selection cannot rule the post out; an unknown fact never can."""
        description = post.described(known_at)
        if description is not None:
            if self.platforms and description.platform not in self.platforms:
                return False
            if self.published_from is not None and description.published_at < self.published_from:
                return False
            if self.published_before is not None and description.published_at >= self.published_before:
                return False
        return self.covers_person(post.author(known_at), known_at)


@dataclass(frozen=True, slots=True)
class DatasetVersion:
    """One version as recorded; `post_count` and `manifest_digest` stand only for sealed COMPLETE ones."""

    dataset: str
    number: int
    coverage: Coverage
    status: VersionStatus
    registered_at: Instant
    sealed_at: Instant | None = None
    withdrawn_at: Instant | None = None
    post_count: int | None = None
    manifest_digest: str | None = None
    selection: Selection | None = None
    derived_from: tuple[VersionRef, ...] = ()
    generated_by: tuple[str, ...] = ()

    @property
    def ref(self) -> VersionRef:
        """Dataset and number."""
        return VersionRef(self.dataset, self.number)

    def known(self, known_at: Instant) -> bool:
        """Whether the version was sealed by `known_at`; before that it is in no answer."""
        return self.sealed_at is not None and self.sealed_at <= known_at


def manifest_digest(sorted_keys: Iterable[str]) -> str:
    """`sha256:` over the member keys in code point order, UTF-8, each followed by a line feed."""
    digest = hashlib.sha256()
    for key in sorted_keys:
        digest.update(key.encode())
        digest.update(b"\n")
    return f"sha256:{digest.hexdigest()}"
