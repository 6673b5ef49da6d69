"""May this post be used? Every reason why not, by one pure function that fails closed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.consent import Consent, first_served, last_said
from consentline.domain.erasures import ERASED, ErasureStatus
from consentline.domain.instants import DAY, Instant, utc_day
from consentline.domain.objections import ObjectionStatus
from consentline.domain.people import PersonFacts, adult_from_at, jurisdiction_at
from consentline.domain.policies import LawfulBasis, Policy, governing
from consentline.domain.posts import Description, PostFacts, PostKind, Visibility


class Reason(StrEnum):
    """Why a post may not be used, in the order in which answers list them."""

    JURISDICTION_UNKNOWN = "JURISDICTION_UNKNOWN"
    JURISDICTION_NOT_COVERED = "JURISDICTION_NOT_COVERED"
    PLATFORM_NOT_IN_SCOPE = "PLATFORM_NOT_IN_SCOPE"
    PRIVATE_MESSAGE = "PRIVATE_MESSAGE"
    NOT_PUBLIC_AT_PUBLICATION = "NOT_PUBLIC_AT_PUBLICATION"
    NOT_PUBLIC_NOW = "NOT_PUBLIC_NOW"
    AGE_UNKNOWN = "AGE_UNKNOWN"
    MINOR_AT_PUBLICATION = "MINOR_AT_PUBLICATION"
    MINOR_NOW = "MINOR_NOW"
    NOTICE_NOT_SERVED = "NOTICE_NOT_SERVED"
    OBJECTION_WINDOW_OPEN = "OBJECTION_WINDOW_OPEN"
    OBJECTION_PENDING = "OBJECTION_PENDING"
    OBJECTED = "OBJECTED"
    CONSENT_MISSING = "CONSENT_MISSING"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    POST_DELETED = "POST_DELETED"
    ERASURE_PENDING = "ERASURE_PENDING"
    ERASED = "ERASED"
    THIRD_PARTY_OBJECTED = "THIRD_PARTY_OBJECTED"
    THIRD_PARTY_MINOR = "THIRD_PARTY_MINOR"
    SPECIAL_CATEGORY = "SPECIAL_CATEGORY"
    ASSESSMENT_MISSING = "ASSESSMENT_MISSING"
    ASSESSMENT_EXPIRED = "ASSESSMENT_EXPIRED"


_ORDER = {reason: position for position, reason in enumerate(Reason)}


@dataclass(frozen=True, slots=True)
class Eligibility:
    """The answer for one post, purpose, valid time and recorded time; eligible when there is no reason."""

    reasons: tuple[Reason, ...]
    policy: Policy | None
    at: Instant
    known_at: Instant

    @property
    def eligible(self) -> bool:
        """Whether nothing stands against the use."""
        return not self.reasons


@dataclass(frozen=True, slots=True)
class _Question:
    purpose: str
    at: Instant
    known_at: Instant


def evaluate(
    post: PostFacts, policies: Iterable[Policy], *, purpose: str, at: Instant, known_at: Instant
) -> Eligibility:
    """All reasons why the post may not be used for `purpose` at `at`, as known at `known_at`; unknown is a reason.

    Of an erased post, and of one whose author as known then was erased, ERASED alone: facts that are gone cannot say
    what else held.
    """
    author = post.author(known_at)
    if post.erased_since is not None or (author is not None and author.erased_at is not None):
        return Eligibility((Reason.ERASED,), None, at, known_at)
    return evaluate_facts(post, policies, purpose=purpose, at=at, known_at=known_at)


def evaluate_facts(
    post: PostFacts, policies: Iterable[Policy], *, purpose: str, at: Instant, known_at: Instant
) -> Eligibility:
    """As `evaluate()`, by what is recorded whether or not it is to be erased: for uses that came before."""
    question = _Question(purpose, at, known_at)
    found = set(_of_the_key(post, question))
    policy: Policy | None = None
    description, author = post.described(known_at), post.author(known_at)
    if description is None or author is None:
        found |= {Reason.JURISDICTION_UNKNOWN, Reason.AGE_UNKNOWN}
    else:
        found.update(_of_the_post(post, description, question))
        found.update(_of_age(author, description, question))
        found.update(_of_objections(author, description.platform, question))
        found.update(_of_erasures(author, question))
        jurisdiction = jurisdiction_at(author, at, known_at)
        policy = governing(policies, jurisdiction, purpose, at, known_at)
        if policy is not None:
            found.update(_of_the_policy(policy, description, author, question))
            if policy.protects_depicted:
                found.update(_of_depicted(post.depicted_others(known_at), description, question))
        elif jurisdiction is None:
            found.add(Reason.JURISDICTION_UNKNOWN)
        else:
            found.add(Reason.JURISDICTION_NOT_COVERED)
    return Eligibility(in_order(found), policy, at, known_at)


def _of_the_key(post: PostFacts, question: _Question) -> Iterator[Reason]:
    """What can be known of a post that no record describes."""
    deleted_at = post.deleted_at(question.known_at)
    if deleted_at is not None and deleted_at <= question.at:
        yield Reason.POST_DELETED
    if post.visibility_at(question.at, question.known_at) not in (None, Visibility.PUBLIC):
        yield Reason.NOT_PUBLIC_NOW


def _of_the_post(post: PostFacts, description: Description, question: _Question) -> Iterator[Reason]:
    if description.kind is PostKind.PRIVATE_MESSAGE:
        yield Reason.PRIVATE_MESSAGE
    if post.visibility_at(description.published_at, question.known_at) is not Visibility.PUBLIC:
        yield Reason.NOT_PUBLIC_AT_PUBLICATION
    if post.is_special_category(question.known_at):
        yield Reason.SPECIAL_CATEGORY


def _of_age(author: PersonFacts, description: Description, question: _Question) -> Iterator[Reason]:
    adult_from = adult_from_at(author, question.at, question.known_at)
    if adult_from is None:
        yield Reason.AGE_UNKNOWN
        return
    if utc_day(description.published_at) < adult_from:
        yield Reason.MINOR_AT_PUBLICATION
    if utc_day(question.at) < adult_from:
        yield Reason.MINOR_NOW


def _of_objections(person: PersonFacts, platform: str, question: _Question) -> Iterator[Reason]:
    # What is decided of the objection of somebody erased changes nothing any more.
    known_at = question.known_at if person.erased_at is None else min(question.known_at, person.erased_at)
    for objection in person.objections:
        if objection.covers(question.purpose, platform):
            status = objection.status_at(question.at, known_at)
            if status is ObjectionStatus.PENDING:
                yield Reason.OBJECTION_PENDING
            elif status is ObjectionStatus.UPHELD:
                yield Reason.OBJECTED


def _of_erasures(person: PersonFacts, question: _Question) -> Iterator[Reason]:
    for erasure in person.erasures:
        status = erasure.status_at(question.at, question.known_at)
        if status is ErasureStatus.REQUESTED:
            yield Reason.ERASURE_PENDING
        elif status in ERASED:
            yield Reason.ERASED


def _of_the_policy(
    policy: Policy, description: Description, author: PersonFacts, question: _Question
) -> Iterator[Reason]:
    if policy.platforms and description.platform not in policy.platforms:
        yield Reason.PLATFORM_NOT_IN_SCOPE
    if policy.notice_required:
        served_at = first_served(author.notices, question.purpose, question.at, question.known_at)
        if served_at is None:
            yield Reason.NOTICE_NOT_SERVED
        elif served_at + policy.objection_window_days * DAY > question.at:
            yield Reason.OBJECTION_WINDOW_OPEN
    if policy.lawful_basis is LawfulBasis.CONSENT:
        said = last_said(author.consents, question.purpose, question.at, question.known_at)
        if said is None:
            yield Reason.CONSENT_MISSING
        elif said.status is Consent.WITHDRAWN:
            yield Reason.CONSENT_WITHDRAWN
    elif policy.assessment is None:
        yield Reason.ASSESSMENT_MISSING
    elif policy.assessment_expired(question.at):
        yield Reason.ASSESSMENT_EXPIRED


def _of_depicted(people: Iterable[PersonFacts], description: Description, question: _Question) -> Iterator[Reason]:
    for person in people:
        if any(_of_objections(person, description.platform, question)) or any(_of_erasures(person, question)):
            yield Reason.THIRD_PARTY_OBJECTED
        if person.erased_at is None and is_minor(person, description, question.at, question.known_at):
            yield Reason.THIRD_PARTY_MINOR


def is_minor(person: PersonFacts, description: Description, at: Instant, known_at: Instant) -> bool:
    """Whether the person is known to have been under 18 when the post was published, or to be at `at`."""
    ages = set(_of_age(person, description, _Question("", at, known_at)))
    return bool(ages & {Reason.MINOR_AT_PUBLICATION, Reason.MINOR_NOW})


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons, each once, as answers list them."""
    return tuple(sorted(set(reasons), key=_ORDER.__getitem__))
