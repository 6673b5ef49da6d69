"""What is recorded of a post, with both times of every fact. No text is ever part of it."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.instants import Instant
from consentline.domain.people import Dated, PersonFacts


class PostKind(StrEnum):
    """What sort of thing was posted."""

    POST = "POST"
    COMMENT = "COMMENT"
    PHOTO = "PHOTO"
    VIDEO = "VIDEO"
    PRIVATE_MESSAGE = "PRIVATE_MESSAGE"


class Visibility(StrEnum):
    """Who may see a post, from the widest to the most restrictive."""

    PUBLIC = "PUBLIC"
    FRIENDS = "FRIENDS"
    PRIVATE = "PRIVATE"


_RESTRICTIVENESS = {Visibility.PUBLIC: 0, Visibility.FRIENDS: 1, Visibility.PRIVATE: 2}


@dataclass(frozen=True, slots=True)
class Description:
    """What the `post` record said; `visibility` is as it was when published."""

    platform: str
    kind: PostKind
    published_at: Instant
    visibility: Visibility
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Link:
    """A person's tie to a post (author or depicted), as the system believed from `recorded_at` until `until`.

    `settled`: the person depicted was erased, and what they were to uses of the post is kept as codes on it.
    """

    person: PersonFacts
    recorded_at: Instant
    until: Instant | None = None
    settled: bool = False

    def known(self, known_at: Instant) -> bool:
        """Whether the system believed in the tie at `known_at`."""
        return self.recorded_at <= known_at and (self.until is None or self.until > known_at)


@dataclass(frozen=True, slots=True)
class KeptUse:
    """What is kept of an erased post's use by a run: reasons and policy version as codes, and whether it violated."""

    run: str
    reasons: tuple[str, ...]
    policy: tuple[str, int] | None
    violates: bool


@dataclass(frozen=True, slots=True)
class PostFacts:
    """Everything recorded of a post, unfiltered by any time; `description` is None while it is known by key only.

    `erased_at` is when its author's erasure was confirmed, once it was carried out for this post: then `kept` is all
    that is left. `minor_at_use` names the runs at whose use it depicted a minor who was erased since.
    """

    key: str
    description: Description | None = None
    authors: tuple[Link, ...] = ()
    depicted: tuple[Link, ...] = ()
    visibilities: tuple[Dated[Visibility], ...] = ()
    deletions: tuple[Dated[None], ...] = ()
    special_category: tuple[Dated[bool], ...] = ()
    erased_at: Instant | None = None
    kept: tuple[KeptUse, ...] = ()
    minor_at_use: frozenset[str] = frozenset()

    @property
    def erased_since(self) -> Instant | None:
        """When the erasure of its author was confirmed, carried out for this post already or not."""
        if self.erased_at is not None:
            return self.erased_at
        return next((link.person.erased_at for link in self.authors if link.until is None), None)

    def described(self, known_at: Instant) -> Description | None:
        """The description, if recorded by `known_at`."""
        description = self.description
        return description if description is not None and description.recorded_at <= known_at else None

    def named(self, known_at: Instant) -> bool:
        """Whether any recorded fact but a membership named the key by `known_at`; of an erased one, when is gone."""
        if self.erased_since is not None:
            return True
        described_at = () if self.description is None else (self.description.recorded_at,)
        ties = (link.recorded_at for link in (*self.authors, *self.depicted))
        said = (fact.recorded_at for fact in (*self.visibilities, *self.deletions, *self.special_category))
        return any(recorded_at <= known_at for recorded_at in (*described_at, *ties, *said))

    def author(self, known_at: Instant) -> PersonFacts | None:
        """The author as known at `known_at`; None while the post is not described."""
        if self.described(known_at) is None:
            return None
        return next((link.person for link in self.authors if link.known(known_at)), None)

    def depicted_others(self, known_at: Instant) -> tuple[PersonFacts, ...]:
        """The people other than the author whom the post depicts, as known at `known_at`."""
        author = self.author(known_at)
        return tuple(
            link.person
            for link in self.depicted
            if link.known(known_at) and (author is None or link.person.key != author.key)
        )

    def visibility_at(self, at: Instant, known_at: Instant) -> Visibility | None:
        """Who may see the post at `at`; before its publication, as it was published. None when nothing says.

        Of the facts valid by then the latest; of two valid from the same instant, the more restrictive.
        """
        facts = [fact for fact in self.visibilities if fact.recorded_at <= known_at]
        description = self.described(known_at)
        if description is not None:
            at = max(at, description.published_at)
            facts.append(Dated(description.visibility, description.published_at, description.recorded_at))
        latest = max(
            (fact for fact in facts if fact.valid_from <= at),
            key=lambda fact: (fact.valid_from, _RESTRICTIVENESS[fact.value]),
            default=None,
        )
        return None if latest is None else latest.value

    def deleted_at(self, known_at: Instant) -> Instant | None:
        """The earliest deletion known at `known_at`."""
        return min((fact.valid_from for fact in self.deletions if fact.recorded_at <= known_at), default=None)

    def is_special_category(self, known_at: Instant) -> bool:
        """Whether the post was, at `known_at`, last marked as special category data (Art. 9)."""
        known = [fact for fact in self.special_category if fact.recorded_at <= known_at]
        return bool(known) and max(known, key=lambda fact: fact.recorded_at).value
