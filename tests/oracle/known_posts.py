"""What was known of posts at a moment: what they are, and why they may not be used."""

from collections.abc import Iterable

from tests.oracle.answers import Eligibility
from tests.oracle.facts import REASONS, RESTRICTIVE, Description, Objection, Policy, Said, Selection
from tests.oracle.known_people import KnownPeople, covers_place, covers_platform
from tests.oracle.ledger import Ledger
from tests.oracle.times import ALWAYS, DAY, utc_day


class KnownPosts(KnownPeople):
    """Posts, and which of them may be used."""

    def __init__(self, facts: Ledger, known_at: int | None = None) -> None:
        super().__init__(facts, known_at)
        self._answers: dict[tuple[str, str, int], Eligibility] = {}

    def description(self, post: str) -> Description | None:
        said = self.facts.descriptions.get(post)
        return None if said is None or said.recorded_at > self.known_at else said.value

    def described_posts(self) -> list[str]:
        return [post for post in self.facts.descriptions if self.description(post) is not None]

    def author(self, post: str) -> str | None:
        if post in self.facts.erased_posts:
            return self.facts.erased_posts[post]
        description = self.description(post)
        if description is None:
            return None
        corrections = self.about(self.facts.corrections, post)
        return corrections[-1].value[0] if corrections else description.author

    def depicts(self, post: str) -> frozenset[str]:
        said = self.about(self.facts.depictions, post)
        return said[-1].value if said else frozenset()

    def depicted_others(self, post: str) -> frozenset[str]:
        return self.depicts(post) - {self.author(post)}

    def special_category(self, post: str) -> bool:
        said = self.about(self.facts.special_categories, post)
        return said[-1].value if said else False

    def deleted(self, post: str, at: int) -> bool:
        return any(fact.valid_from <= at for fact in self.about(self.facts.deletions, post))

    def visibility(self, post: str, at: int) -> str | None:
        """None: nothing is known of it at that time."""
        said = self.about(self.facts.visibilities, post)
        description = self.description(post)
        if description is not None:
            at = max(at, description.published_at)
            said.append(Said(post, description.visibility, description.published_at, ALWAYS))
        past = [fact for fact in said if fact.valid_from <= at]
        if not past:
            return None
        newest = max(fact.valid_from for fact in past)
        return max((fact.value for fact in past if fact.valid_from == newest), key=RESTRICTIVE.index)

    def eligibility(self, post: str, purpose: str, at: int) -> Eligibility:
        question = (post, purpose, at)
        if question not in self._answers:
            self._answers[question] = self._eligibility(post, purpose, at)
        return self._answers[question]

    def ineligible(self, posts: Iterable[str], purpose: str, at: int) -> set[str]:
        return {post for post in posts if self.eligibility(post, purpose, at).reasons}

    def picked(self, selection: Selection, as_of: int) -> list[str]:
        """The described posts that a build chooses among; what is unknown is not picked."""
        return [post for post in self.described_posts() if self._is_picked(post, selection, as_of)]

    def _is_picked(self, post: str, selection: Selection, as_of: int) -> bool:
        description, author = self.description(post), self.author(post)
        assert description is not None
        assert author is not None
        place, published = self.jurisdiction(author, as_of), description.published_at
        named = selection.jurisdictions
        return (
            (not named or (place is not None and any(covers_place(each, place) for each in named)))
            and covers_platform(selection.platforms, description.platform)
            and (selection.published_from is None or selection.published_from <= published)
            and (selection.published_before is None or published < selection.published_before)
        )

    def _eligibility(self, post: str, purpose: str, at: int) -> Eligibility:
        description, author = self.description(post), self.author(post)
        if post in self.facts.erased_posts or self.facts.is_erased(author):
            return Eligibility(["ERASED"], None)
        reasons = set()
        policy = None
        if self.deleted(post, at):
            reasons.add("POST_DELETED")
        if self.visibility(post, at) not in ("PUBLIC", None):
            reasons.add("NOT_PUBLIC_NOW")
        if description is None or author is None:
            reasons |= {"JURISDICTION_UNKNOWN", "AGE_UNKNOWN"}
        else:
            jurisdiction = self.jurisdiction(author, at)
            policy = self.policy(jurisdiction, purpose, at)
            if jurisdiction is None:
                reasons.add("JURISDICTION_UNKNOWN")
            elif policy is None:
                reasons.add("JURISDICTION_NOT_COVERED")
            else:
                reasons |= self._reasons_of_policy(policy, post, author, description, at)
            reasons |= self._reasons_of_any_jurisdiction(post, author, description, purpose, at)
        in_order = [reason for reason in REASONS if reason in reasons]
        return Eligibility(in_order, None if policy is None else (policy.key, policy.version))

    def _reasons_of_any_jurisdiction(
        self, post: str, author: str, description: Description, purpose: str, at: int
    ) -> set[str]:
        reasons = set()
        if description.kind == "PRIVATE_MESSAGE":
            reasons.add("PRIVATE_MESSAGE")
        if self.visibility(post, description.published_at) != "PUBLIC":
            reasons.add("NOT_PUBLIC_AT_PUBLICATION")
        if self.special_category(post):
            reasons.add("SPECIAL_CATEGORY")
        adult_from = self.adult_from(author, at)
        if adult_from is None:
            reasons.add("AGE_UNKNOWN")
        else:
            if utc_day(description.published_at) < adult_from:
                reasons.add("MINOR_AT_PUBLICATION")
            if utc_day(at) < adult_from:
                reasons.add("MINOR_NOW")
        if self.erasures(author, at):
            reasons.add("ERASURE_PENDING")
        restrictions = self.restrictions(author, description.platform, purpose, at)
        if "PENDING" in restrictions:
            reasons.add("OBJECTION_PENDING")
        if "UPHELD" in restrictions:
            reasons.add("OBJECTED")
        return reasons

    def _reasons_of_policy(self, policy: Policy, post: str, author: str, description: Description, at: int) -> set[str]:
        reasons = self._reasons_of_notice(policy, author, at) | self._reasons_of_basis(policy, author, at)
        if policy.platforms and description.platform not in policy.platforms:
            reasons.add("PLATFORM_NOT_IN_SCOPE")
        for person in self.depicted_others(post) if policy.protects_depicted else ():
            objects = self.restrictions(person, description.platform, policy.purpose, at) & {"PENDING", "UPHELD"}
            if objects or self.erasures(person, at):
                reasons.add("THIRD_PARTY_OBJECTED")
            if self.is_minor(person, description, at):
                reasons.add("THIRD_PARTY_MINOR")
        return reasons

    def is_minor(self, person: str, description: Description, at: int) -> bool:
        """Known to be, at publication or at that time."""
        adult_from = self.adult_from(person, at)
        return adult_from is not None and min(utc_day(description.published_at), utc_day(at)) < adult_from

    def _reasons_of_notice(self, policy: Policy, author: str, at: int) -> set[str]:
        if not policy.notice_required:
            return set()
        served_at = self.first_served(author, policy.purpose)
        if served_at is None or served_at > at:
            return {"NOTICE_NOT_SERVED"}
        return {"OBJECTION_WINDOW_OPEN"} if served_at + policy.objection_window_days * DAY > at else set()

    def _reasons_of_basis(self, policy: Policy, author: str, at: int) -> set[str]:
        if policy.lawful_basis == "CONSENT":
            status = self.consent_status(author, policy.purpose, at)
            return {None: {"CONSENT_MISSING"}, "WITHDRAWN": {"CONSENT_WITHDRAWN"}, "GIVEN": set()}[status]
        if policy.assessment is None:
            return {"ASSESSMENT_MISSING"}
        expires = policy.assessment_expires
        return {"ASSESSMENT_EXPIRED"} if expires is not None and expires <= at else set()

    def posts_in_scope(self, objection: Objection) -> dict[str, str]:
        """Each described post that the objection concerns, with the kind of cause that its use is."""
        user, platforms = objection.filing.user, objection.filing.platforms
        scope = {}
        for post in self.described_posts():
            description = self.description(post)
            if description is None or not covers_platform(platforms, description.platform):
                continue
            if self.author(post) == user:
                scope[post] = "OBJECTION"
            elif user in self.depicts(post):
                scope[post] = "THIRD_PARTY_OBJECTED"
        return scope

    def flags_past_use(self, objection: Objection, post: str, purpose: str) -> bool:
        author, received_at = self.author(post), objection.filing.received_at
        jurisdiction = None if author is None else self.jurisdiction(author, received_at)
        policy = self.policy(jurisdiction, purpose, received_at)
        return policy is None or policy.flags_past_use
