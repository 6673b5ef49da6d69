"""Eligibility of many posts at one time: what depends on the person alone is evaluated once a person.

No rule is written a second time: every share of the answer comes from `evaluate()` itself, asked about a post that is
faultless in everything else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple, TypeAlias, TypeVar

from consentline.domain.eligibility import Eligibility, Reason, evaluate
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.people import Dated, PersonFacts, adult_from_at
from consentline.domain.policies import Policy
from consentline.domain.posts import Description, Link, PostFacts, PostKind, Visibility
from consentline.domain.recheck import day_begins, next_change

K = TypeVar("K")
V = TypeVar("V")

PlainPost: TypeAlias = tuple[str, str, str, Instant, str, bool | None]
"""Key, platform, kind, published_at, visibility and special category of a described post that only its `post` record
speaks of: nothing about it changed, it depicts nobody, and its author was never corrected."""

_MOST_PEOPLE = 50_000
_ORDER = tuple(Reason)
_BIT = {reason: 1 << position for position, reason in enumerate(_ORDER)}
_MINOR = _BIT[Reason.MINOR_AT_PUBLICATION]
_LATEST = day_begins(date.max)
"""Nobody is a minor at a publication then."""


class _Memo(dict[K, V]):
    """Values worked out when first asked for."""

    def __init__(self, work: Callable[[K], V]) -> None:
        super().__init__()
        self._work = work

    def __missing__(self, key: K) -> V:
        value = self[key] = self._work(key)
        return value


class _Share(NamedTuple):
    """What stands against every post of a person on a platform; published before `adult_from`, it is a minor's."""

    bits: int
    adult_from: Instant


@dataclass(slots=True)
class _Known:
    """What was worked out for a person, by platform; `anywhere` where neither policy nor objection names platforms."""

    person: PersonFacts
    anywhere: _Share | None = None
    shares: dict[str, _Share] = field(default_factory=dict[str, _Share])
    changes: dict[str, Instant | None] = field(default_factory=dict[str, Instant | None])


class Evaluator:
    """Answers as `evaluate()` and `next_change()` do for one purpose, `at` and `known_at`, fast for many posts.

    What it remembers of a person holds for that very `PersonFacts`, and takes bounded memory.
    """

    def __init__(self, policies: Iterable[Policy], purpose: str, at: Instant, known_at: Instant = EVER) -> None:
        self._policies = tuple(policy for policy in policies if policy.purpose == purpose)
        self._in_force = tuple(policy for policy in self._policies if policy.in_force(at, known_at))
        self._purpose = purpose
        self._at = at
        self._known_at = known_at
        self._people: dict[str, _Known] = {}
        self._own = _Memo(self._own_bits)
        self._named = _Memo(_reasons)

    def reasons(self, post: PostFacts) -> tuple[Reason, ...]:
        """Every reason why the post may not be used, as `evaluate()` lists them."""
        plain = self._plain(post)
        return self._ask(post).reasons if plain is None else self.of_author(*plain)[0]

    def next_change(self, post: PostFacts) -> Instant | None:
        """When time alone may change the answer, as `next_change()` tells for `at` with all facts known."""
        plain = self._plain(post)
        if plain is None:
            return next_change(post, self._policies, self._purpose, self._at)
        return self.changes_of_author(*plain)[0]

    def of_author(self, author: PersonFacts, posts: Sequence[PlainPost]) -> list[tuple[Reason, ...]]:
        """The reasons of each of the author's posts, in order."""
        known = self._know(author)
        shares, own, named = known.shares, self._own, self._named
        found: list[tuple[Reason, ...]] = []
        for _, platform, kind, published_at, visibility, special in posts:
            share = shares.get(platform) or self._share(known, platform)
            bits = share.bits | own[kind, visibility, special]
            if published_at < share.adult_from:
                bits |= _MINOR
            found.append(named[bits])
        return found

    def changes_of_author(self, author: PersonFacts, posts: Sequence[PlainPost]) -> list[Instant | None]:
        """When time alone may change the answer for each of the author's posts, in order; all facts known."""
        known = self._know(author)
        changes = known.changes
        return [changes[post[1]] if post[1] in changes else self._change(known, post[1]) for post in posts]

    def _plain(self, post: PostFacts) -> tuple[PersonFacts, list[PlainPost]] | None:
        """The author and the post itself when only its `post` record speaks of it; None for others."""
        if (
            post.erased_since is not None
            or post.depicted
            or post.visibilities
            or post.deletions
            or len(post.authors) != 1
        ):
            return None
        described, author = post.described(self._known_at), post.author(self._known_at)
        if described is None or author is None or post.authors[0].until is not None:
            return None
        special = post.is_special_category(self._known_at)
        fields = (described.platform, described.kind, described.published_at, described.visibility, special)
        return author, [(post.key, *fields)]

    def _know(self, person: PersonFacts) -> _Known:
        known = self._people.get(person.key)
        if known is None or known.person is not person:
            if len(self._people) >= _MOST_PEOPLE:
                self._people.clear()
            known = self._people[person.key] = _Known(person)
        return known

    def _share(self, known: _Known, platform: str) -> _Share:
        share = known.anywhere
        if share is None:
            found = self._ask(_faultless(known.person, platform))
            adult_from = adult_from_at(known.person, self._at, self._known_at)
            share = _Share(_bits(found.reasons), ALWAYS if adult_from is None else day_begins(adult_from))
            if not (found.policy and found.policy.platforms) and not any(
                objection.platforms for objection in known.person.objections
            ):
                known.anywhere = share
        known.shares[platform] = share
        return share

    def _change(self, known: _Known, platform: str) -> Instant | None:
        if platform not in known.changes:
            post = _faultless(known.person, platform)
            known.changes[platform] = next_change(post, self._policies, self._purpose, self._at)
        return known.changes[platform]

    def _own_bits(self, given: tuple[str, str, bool | None]) -> int:
        """What stands against a post whoever wrote it: what is added to a faultless one of somebody unknown."""
        kind, visibility, special = given
        nobody = _faultless(PersonFacts(""), "")
        such = _faultless(PersonFacts(""), "", PostKind(kind), Visibility(visibility), bool(special))
        return _bits(self._ask(such).reasons) & ~_bits(self._ask(nobody).reasons)

    def _ask(self, post: PostFacts) -> Eligibility:
        return evaluate(post, self._in_force, purpose=self._purpose, at=self._at, known_at=self._known_at)


def _faultless(
    author: PersonFacts,
    platform: str,
    kind: PostKind = PostKind.POST,
    visibility: Visibility = Visibility.PUBLIC,
    special: bool = False,
) -> PostFacts:
    """A post against which nothing stands but what is given."""
    return PostFacts(
        key="",
        description=Description(platform, kind, _LATEST, visibility, ALWAYS),
        authors=(Link(author, ALWAYS),),
        special_category=(Dated(special, ALWAYS, ALWAYS),),
    )


def _bits(reasons: Iterable[Reason]) -> int:
    return sum(_BIT[reason] for reason in reasons)


def _reasons(bits: int) -> tuple[Reason, ...]:
    return tuple(reason for reason in _ORDER if bits & _BIT[reason])
