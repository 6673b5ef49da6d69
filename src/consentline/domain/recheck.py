"""When time alone can change whether a post may be used: windows, expiries, birthdays, facts that hold from later."""

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time

from consentline.domain.instants import DAY, EVER, Instant, from_datetime
from consentline.domain.people import PersonFacts, adult_from_at, jurisdiction_at
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.posts import PostFacts


def next_change(post: PostFacts, policies: Iterable[Policy], purpose: str, after: Instant) -> Instant | None:
    """An instant later than `after` until which evaluate() gives the same reasons for the purpose, all facts known.

    It is the first at which they may differ, not one at which they must; None: they never do without a new fact.
    """
    return min((moment for moment in _moments(post, policies, purpose, after) if moment > after), default=None)


def day_begins(day: date) -> Instant:
    """The instant at which a UTC day begins."""
    return from_datetime(datetime.combine(day, time.min, UTC))


def _moments(post: PostFacts, policies: Iterable[Policy], purpose: str, after: Instant) -> Iterator[Instant]:
    description, author = post.described(EVER), post.author(EVER)
    if post.erased_since is not None:
        return
    yield from (fact.valid_from for fact in post.deletions)
    if description is None or author is None:
        yield from (fact.valid_from for fact in post.visibilities)
        return
    # Before its publication a post has the visibility that it was published with.
    yield from (fact.valid_from for fact in post.visibilities if fact.valid_from > description.published_at)
    yield from _of_age(author, after)
    yield from _of_objections(author, purpose, description.platform)
    yield from _of_erasures(author)
    yield from (fact.valid_from for fact in author.jurisdictions)
    rules = _rules(author, policies, purpose, after)
    for policy in rules:
        yield from _of_policy(policy)
    yield from _of_notices(author, rules, purpose)
    if any(policy.lawful_basis is LawfulBasis.CONSENT for policy in rules):
        yield from (fact.valid_from for fact in author.consents if fact.purpose == purpose)
    if any(policy.protects_depicted for policy in rules):
        for person in post.depicted_others(EVER):
            if person.erased_at is None:
                yield from _of_age(person, after)
            yield from _of_objections(person, purpose, description.platform)
            yield from _of_erasures(person)


def _rules(author: PersonFacts, policies: Iterable[Policy], purpose: str, after: Instant) -> list[Policy]:
    """The policies that can govern the author at `after` or later, as long as they do not move."""
    place = jurisdiction_at(author, after, EVER)
    if place is None:
        return []
    places = (place, place.split("-", 1)[0])
    return [
        policy
        for policy in policies
        if policy.purpose == purpose
        and policy.jurisdiction in places
        and (policy.effective_until is None or policy.effective_until > after)
    ]


def _of_policy(policy: Policy) -> Iterator[Instant]:
    yield policy.effective_from
    if policy.effective_until is not None:
        yield policy.effective_until
    if policy.assessment_expires is not None:
        yield policy.assessment_expires


def _of_notices(author: PersonFacts, rules: Iterable[Policy], purpose: str) -> Iterator[Instant]:
    """The earliest serving counts: when it is made, and when each window after it closes."""
    served_at = min((notice.served_at for notice in author.notices if notice.purpose == purpose), default=None)
    if served_at is not None:
        for policy in rules:
            if policy.notice_required:
                yield served_at
                yield served_at + policy.objection_window_days * DAY


def _of_age(person: PersonFacts, after: Instant) -> Iterator[Instant]:
    yield from (fact.valid_from for fact in person.adult_from)
    adult_from = adult_from_at(person, after, EVER)
    if adult_from is not None:
        yield day_begins(adult_from)


def _of_objections(person: PersonFacts, purpose: str, platform: str) -> Iterator[Instant]:
    for objection in person.objections:
        if objection.covers(purpose, platform):
            yield objection.in_force_from
            yield from (transition.at for transition in objection.transitions)


def _of_erasures(person: PersonFacts) -> Iterator[Instant]:
    for erasure in person.erasures:
        yield erasure.in_force_from
        yield from (transition.at for transition in erasure.transitions)
