"""May this post be used? Every reason why not, by one pure function that fails closed."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.consent import Consent, first_served, last_said
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
    """All reasons why the post may not be used for `purpose` at `at`, as known at `known_at`; unknown is a reason."""
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
    return Eligibility(tuple(sorted(found, key=_ORDER.__getitem__)), policy, at, known_at)


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
    for objection in person.objections:
        if objection.covers(question.purpose, platform):
            status = objection.status_at(question.at, question.known_at)
            if status is ObjectionStatus.PENDING:
                yield Reason.OBJECTION_PENDING
            elif status is ObjectionStatus.UPHELD:
                yield Reason.OBJECTED


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
        if any(_of_objections(person, description.platform, question)):
            yield Reason.THIRD_PARTY_OBJECTED
        ages = set(_of_age(person, description, question))
        if ages & {Reason.MINOR_AT_PUBLICATION, Reason.MINOR_NOW}:
            yield Reason.THIRD_PARTY_MINOR
