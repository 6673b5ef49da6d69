"""Dataset versions: what they hold, or what can be said of it."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import NamedTuple

from consentline.domain.codes import is_code, is_jurisdiction
from consentline.domain.eligibility import Reason
from consentline.domain.instants import Instant, to_datetime
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
    """What a DECLARED version was drawn from; a criterion left empty excludes nothing.

    Nor does one of a version registered before it was refused, that names what is no code ("facebook", "UK"): whatever
    it was meant to say, it must not turn "we do not know" into "not used".
    """

    jurisdictions: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    published_from: Instant | None = None
    published_before: Instant | None = None

    def covers_person(self, person: PersonFacts | None, known_at: Instant) -> bool:
        """Whether the declared jurisdictions cannot rule the person out (other criteria aside)."""
        if person is None or not self.jurisdictions or not all(map(is_jurisdiction, self.jurisdictions)):
            return True
        ever = jurisdictions_ever(person, known_at)
        if ever is None:
            return True
        return any(covers(mine, theirs) or covers(theirs, mine) for mine in self.jurisdictions for theirs in ever)

    def covers(self, post: PostFacts, known_at: Instant) -> bool:
        """Whether the selection cannot rule the post out; an unknown fact never can."""
        description = post.described(known_at)
        if description is not None:
            if self._rules_out_platform(description.platform):
                return False
            if self.published_from is not None and description.published_at < self.published_from:
                return False
            if self.published_before is not None and description.published_at >= self.published_before:
                return False
        return self.covers_person(post.author(known_at), known_at)

    def _rules_out_platform(self, platform: str) -> bool:
        told = bool(self.platforms) and all(map(is_code, self.platforms)) and is_code(platform)
        return told and platform not in self.platforms


@dataclass(frozen=True, slots=True)
class Build:
    """What a built version was made from: the posts of a selection that may be used for `purpose`, at `as_of` and now.

    `as_of` None: when it was built. `excluded` counts, per reason and in the order of reasons, what was left out; it is
    empty until the version is sealed.
    """

    purpose: str
    as_of: Instant | None
    selection: Selection
    excluded: tuple[tuple[Reason, int], ...] = ()

    def __str__(self) -> str:
        chosen = self.selection
        times = (("from", chosen.published_from), ("before", chosen.published_before), ("as of", self.as_of))
        parts = [
            f"built for {self.purpose}",
            *(
                f"{name} {', '.join(each)}"
                for name, each in (("of", chosen.jurisdictions), ("on", chosen.platforms))
                if each
            ),
            *(f"{name} {to_datetime(each).isoformat()}" for name, each in times if each is not None),
        ]
        return ", ".join(parts)


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
    build: Build | None = None

    @property
    def being_built(self) -> bool:
        """Whether a build is making it, or was interrupted: nobody else may change its members or seal it."""
        return self.build is not None and self.status is VersionStatus.BUILDING

    @property
    def ref(self) -> VersionRef:
        """Dataset and number."""
        return VersionRef(self.dataset, self.number)

    def known(self, known_at: Instant) -> bool:
        """Whether the version was sealed by `known_at`; before that it is in no answer."""
        return self.sealed_at is not None and self.sealed_at <= known_at

    def declares(self, post: PostFacts, known_at: Instant) -> bool:
        """Whether what the version says of its selection, if anything, cannot rule the post out."""
        return self.selection is None or self.selection.covers(post, known_at)

    def declares_person(self, person: PersonFacts | None, known_at: Instant) -> bool:
        """Whether what it says of its selection, if anything, cannot rule out a post of the person."""
        return self.selection is None or self.selection.covers_person(person, known_at)


def manifest_digest(sorted_keys: Iterable[str]) -> str:
    """`sha256:` over the member keys in code point order, UTF-8, each followed by a line feed."""
    digest = ManifestDigest()
    digest.update(sorted_keys)
    return str(digest)


class ManifestDigest:
    """The digest of a manifest that comes in pieces, and how many keys it counted."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.count = 0

    def update(self, sorted_keys: Iterable[str]) -> None:
        """Add the next keys; a few thousand at a time are hashed at once."""
        keys = iter(sorted_keys)
        while chunk := list(islice(keys, 8192)):
            self._digest.update("\n".join([*chunk, ""]).encode())
            self.count += len(chunk)

    def __str__(self) -> str:
        return f"sha256:{self._digest.hexdigest()}"
