"""What was known of people at a moment: who they are, what they were told, what they said, and the rules over them."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

from tests.oracle.answers import Consent, NoticeCoverage
from tests.oracle.facts import CONSENT_ORDER, Erasure, Objection, Policy, Said
from tests.oracle.ledger import Ledger
from tests.oracle.times import DAY, FOR_EVER, country_of, utc_day

STANDING = {
    "PENDING": "OBJECTION_PENDING",
    "UPHELD": "OBJECTED",
    "REFUSED": "OBJECTION_REFUSED",
    "WITHDRAWN": "OBJECTION_WITHDRAWN",
}


class KnownPeople:
    """The facts recorded up to a moment."""

    def __init__(self, facts: Ledger, known_at: int | None = None) -> None:
        self.facts = facts
        self.known_at = FOR_EVER if known_at is None else known_at

    def about(self, kept: Iterable[Said], about: str) -> list[Said]:
        """In the order in which they were recorded."""
        return [fact for fact in kept if fact.about == about and fact.recorded_at <= self.known_at]

    # -- people --

    def jurisdiction(self, user: str, at: int) -> str | None:
        return latest(self.about(self.facts.jurisdictions, user), at)

    def adult_from(self, user: str, at: int) -> date | None:
        return latest(self.about(self.facts.adulthoods, user), at)

    def jurisdictions_ever(self, user: str) -> set[str | None]:
        """Every value ever recorded, whatever its valid time; None among them is an explicit unknown."""
        return {fact.value for fact in self.about(self.facts.jurisdictions, user)}

    def consent_status(self, user: str, purpose: str, at: int) -> str | None:
        said = self.last_word(user, purpose, at)
        return None if said is None else said.value[1]

    def last_word(self, user: str, purpose: str, at: int) -> Said | None:
        """The latest by valid time; of two from the same time, the withdrawal."""
        said = self.about(self.facts.consents, user)
        past = [fact for fact in said if fact.value[0] == purpose and fact.valid_from <= at]
        return max(past, key=lambda fact: (fact.valid_from, fact.value[1] == "WITHDRAWN"), default=None)

    def servings(self, user: str, purpose: str) -> list[Said]:
        """Of the notices of the purpose, which a `notice` record has described; known when both were recorded."""
        texts = {key for key, (recorded, text) in self.facts.notices.items() if recorded <= self.known_at}
        of_purpose = {key for key in texts if self.facts.notices[key][1]["purpose"] == purpose}
        return [
            Said(user, fact.value, fact.valid_from, max(fact.recorded_at, self.facts.notices[fact.value][0]))
            for fact in self.about(self.facts.notices_served, user)
            if fact.value in of_purpose
        ]

    def first_served(self, user: str, purpose: str) -> int | None:
        """When the person was first served a notice of the purpose."""
        return min((fact.valid_from for fact in self.servings(user, purpose)), default=None)

    def consent(self, user: str, purpose: str, at: int) -> Consent:
        holding: dict[str, list[tuple[int, int]]] = {}
        for objection in self.objections():
            status = self.status(objection, at)
            if status is not None and objection.filing.user == user and purpose in objection.filing.purposes:
                holding.setdefault(STANDING[status], []).append(self.entered(objection, status))
        said = self.last_word(user, purpose, at)
        if said is not None:
            holding[f"CONSENT_{said.value[1]}"] = [(said.valid_from, said.recorded_at)]
        for serving in self.servings(user, purpose):
            if serving.valid_from <= at:
                holding.setdefault("INFORMED", []).append((serving.valid_from, serving.recorded_at))
        basis = self.lawful_basis(user, purpose, at)
        for status in CONSENT_ORDER:
            if status in holding:
                return Consent(status, basis, *min(holding[status]))
        return Consent("UNINFORMED", basis)

    def consent_history(self, user: str, purpose: str) -> list[Consent]:
        """All that the person was told and said, by valid time; each with the lawful basis of then."""
        states: list[tuple[int, int, str]] = []
        for objection in self.objections():
            if objection.filing.user == user and purpose in objection.filing.purposes:
                final = self.status(objection)
                passed = {"PENDING", "PENDING" if final is None else final}
                states += [(*self.entered(objection, status), STANDING[status]) for status in passed]
        for fact in self.about(self.facts.consents, user):
            if fact.value[0] == purpose:
                states.append((fact.valid_from, fact.recorded_at, f"CONSENT_{fact.value[1]}"))
        states += [(fact.valid_from, fact.recorded_at, "INFORMED") for fact in self.servings(user, purpose)]
        return [
            Consent(status, self.lawful_basis(user, purpose, valid_from), valid_from, recorded_at)
            for valid_from, recorded_at, status in sorted(states)
        ]

    def lawful_basis(self, user: str, purpose: str, at: int) -> str | None:
        policy = self.policy(self.jurisdiction(user, at), purpose, at)
        return None if policy is None else policy.lawful_basis

    # -- policies --

    def policy(self, jurisdiction: str | None, purpose: str, at: int) -> Policy | None:
        if jurisdiction is None:
            return None
        known = [policy for recorded, policy in self.facts.policies.values() if recorded <= self.known_at]
        for place in (jurisdiction, country_of(jurisdiction)):
            in_force = [
                policy
                for policy in known
                if (policy.jurisdiction, policy.purpose) == (place, purpose) and is_in_force(policy, at)
            ]
            if in_force:
                return max(in_force, key=lambda policy: (policy.effective_from, policy.version, policy.key))
        return None

    def in_force(self, purpose: str, at: int) -> list[Policy]:
        """Of any jurisdiction: effective, and not ended."""
        known = [policy for recorded, policy in self.facts.policies.values() if recorded <= self.known_at]
        return [policy for policy in known if policy.purpose == purpose and is_in_force(policy, at)]

    def notice_coverage(self, key: str, version: int, at: int) -> NoticeCoverage:
        """Of the people whom exactly this policy governs at that time."""
        _, policy = self.facts.policies[(key, version)]
        governed = self.governed(policy, at)
        first_served, first_seen = dict[str, int](), dict[str, int]()
        for user in governed:
            servings = [fact for fact in self.servings(user, policy.purpose) if fact.valid_from <= at]
            seen = [self.facts.seen.get((user, fact.value, fact.valid_from), (FOR_EVER, FOR_EVER)) for fact in servings]
            seen_by_then = [moment for moment, recorded in seen if moment <= at and recorded <= self.known_at]
            if servings:
                first_served[user] = min(fact.valid_from for fact in servings)
            if seen_by_then:
                first_seen[user] = min(seen_by_then)
        window = policy.objection_window_days * DAY
        return NoticeCoverage(
            served=len(first_served),
            seen=len(first_seen),
            window_open=len([moment for moment in first_served.values() if moment + window > at]),
            not_served=len(governed) - len(first_served),
            served_by_day=dict(Counter(utc_day(moment) for moment in first_served.values())),
            seen_by_day=dict(Counter(utc_day(moment) for moment in first_seen.values())),
        )

    def governed(self, policy: Policy, at: int) -> list[str]:
        """The people whom exactly this policy governs at that time."""
        return [
            user
            for user in sorted({fact.about for fact in self.facts.jurisdictions})
            if self.policy(self.jurisdiction(user, at), policy.purpose, at) == policy
        ]

    def to_be_served(self, key: str, version: int, at: int) -> list[str]:
        """Of those the ones whom no notice of its purpose reached by then."""
        _, policy = self.facts.policies[(key, version)]
        first = {user: self.first_served(user, policy.purpose) for user in self.governed(policy, at)}
        return [user for user, served_at in first.items() if served_at is None or served_at > at]

    # -- objections --

    def objections(self) -> list[Objection]:
        return [each for each in self.facts.objections.values() if each.recorded_at <= self.known_at]

    def status(self, objection: Objection, at: int = FOR_EVER, known_at: int = FOR_EVER) -> str | None:
        """None: neither received nor recorded yet at that time."""
        withdrawn_at, decision, known_at = objection.withdrawn_at, objection.decision, min(known_at, self.known_at)
        if at < objection.in_force_from:
            return None
        if withdrawn_at is not None and withdrawn_at <= known_at and withdrawn_at <= at:
            return "WITHDRAWN"
        if decision is not None and decision.recorded_at <= known_at and decision.valid_from <= at:
            return decision.value
        return "PENDING"

    def ruling(self, objection: Objection, at: int = FOR_EVER) -> str | None:
        """As `status`, but what an erased person's objection came to after the confirmation stops or frees nothing."""
        confirmed = [each.confirmed_at for each in self.facts.erasures.values() if each.user == objection.filing.user]
        last = min((moment for moment in confirmed if moment is not None), default=FOR_EVER)
        return self.status(objection, at, last)

    def erasures(self, user: str | None, at: int = FOR_EVER) -> list[Erasure]:
        """Of the person: requested by then, confirmed or not, and not refused."""
        return [
            each
            for each in self.facts.erasures.values()
            if each.user == user
            and each.recorded_at <= self.known_at
            and min(each.received_at, each.recorded_at) <= at
            and not (each.refusal and each.refusal.recorded_at <= self.known_at and each.refusal.valid_from <= at)
        ]

    def entered(self, objection: Objection, status: str) -> tuple[int, int]:
        """Since when it is, or was, of this status, and when that was recorded."""
        withdrawn_at, decision = objection.withdrawn_at, objection.decision
        if status == "WITHDRAWN" and withdrawn_at is not None:
            return withdrawn_at, withdrawn_at
        if status in ("UPHELD", "REFUSED") and decision is not None:
            return decision.valid_from, decision.recorded_at
        return objection.in_force_from, objection.recorded_at

    def restrictions(self, user: str, platform: str, purpose: str, at: int) -> set[str | None]:
        """The status at that time of each objection of the person that concerns the platform and the purpose."""
        return {
            self.ruling(objection, at)
            for objection in self.objections()
            if objection.filing.user == user
            and purpose in objection.filing.purposes
            and covers_platform(objection.filing.platforms, platform)
        }


def is_in_force(policy: Policy, at: int) -> bool:
    return policy.effective_from <= at and (policy.effective_until is None or at < policy.effective_until)


def latest(said: list[Said], at: int) -> Any:
    """The value valid at that time; None when nothing was said."""
    past = [fact for fact in said if fact.valid_from <= at]
    return max(past, key=lambda fact: fact.valid_from).value if past else None


def covers_platform(named: frozenset[str], platform: str) -> bool:
    return not named or platform in named


def covers_place(one: str, other: str) -> bool:
    """Equal, or the other is a subdivision of the one: "GB" covers "GB-SCT"."""
    return one == other or other.startswith(f"{one}-")


def covers_any(declared: frozenset[str], ever: set[str | None]) -> bool:
    """Whether the declared jurisdictions cannot rule out a person of whom these were recorded."""
    if not declared or not ever or None in ever:
        return True
    return any(covers_place(one, place) or covers_place(place, one) for one in declared for place in ever if place)
