"""Facts of people, rules and posts."""

from typing import Any

from tests.scenarios.story import Dice
from tests.scenarios.world import ADULT_FROM, FUTURE, GRID, JURISDICTIONS, PLATFORMS, PURPOSES


class FactsTeller(Dice):
    """Who there is, what governs them, what they posted."""

    # -- people --

    def tell_people(self) -> None:
        for person in self.people:
            if self.chance(5):
                continue  # known by key alone
            home = "GB" if self.tidy or self.chance(60) else self.one(JURISDICTIONS[:4])
            first = {"kind": "user", "key": person, "jurisdiction": home}
            if self.tidy or self.chance(90):
                first["adult_from"] = ADULT_FROM[0] if self.chance(90 if self.tidy else 70) else self.one(ADULT_FROM)
            self.story.add(first)
            if self.chance(10 if self.tidy else 30):
                self.tell_move(person)
            if self.chance(10):
                adult = {"adult_from": self.one(ADULT_FROM), "valid_from": GRID[1].isoformat()}
                self.story.add({"kind": "user", "key": person, **adult})

    def tell_move(self, person: str) -> None:
        moved = {"kind": "user", "key": person, "jurisdiction": self.one(JURISDICTIONS)}
        self.story.add(moved | {"valid_from": self.moment_or_recent(20, 1)})

    # -- rules --

    def tell_rules(self) -> None:
        self.story.add(self.lenient_policy() if self.tidy else self.policy("gb-ai", 1, "GB", "AI_TRAINING", begins=0))
        for number in range(1, 1 + self.between(0 if self.tidy else 1, 2 if self.tidy else 3)):
            jurisdiction = self.one(("AU", "GB-SCT", "IE") if self.tidy else ("GB", "GB-SCT", "AU", "IE"))
            purpose = self.one(("AI_TRAINING", "AI_TRAINING", "ADS"))
            again = self.chance(10 if self.tidy else 30)
            key, version = ("gb-ai", number + 1) if again else (f"policy-{number}", self.between(1, 2))
            self.story.add(self.policy(key, version, jurisdiction, purpose, begins=self.between(0, 3)))
        for purpose in ("AI_TRAINING", *self.some(("ADS",))):
            for version in range(1, 2 + self.chance(20)):
                self.tell_notice(purpose, version)
        for person in self.some(self.people, most=2):
            self.tell_consents(person)

    def tell_notice(self, purpose: str, version: int) -> None:
        text = {"notice": f"notice-{purpose}".lower(), "version": version}
        notice = {"kind": "notice", "key": text["notice"], "version": version, "purpose": purpose}
        self.story.add(notice | {"channel": "in-app", "published_at": GRID[0].isoformat()})
        for person in self.some(self.people, least=2, most=4):
            moment = self.moment_or_recent(10, most=2)
            served = {"kind": "notice_served", "user": person, **text, "served_at": moment}
            if self.chance(40):
                served["seen_at"] = self.moment_or_recent(100 if moment.startswith("2026") else 20, 3)
            self.story.add(served)

    def tell_consents(self, person: str) -> None:
        consent = {"kind": "consent", "user": person, "purpose": self.one(PURPOSES[:2])}
        for status in self.some(("GIVEN", "WITHDRAWN"), least=1):
            self.story.add(consent | {"status": status, "valid_from": self.moment_or_recent(15)})

    def lenient_policy(self) -> dict[str, Any]:
        """Under which most posts may be used."""
        policy: dict[str, Any] = {
            "kind": "policy",
            "key": "gb-ai",
            "version": 1,
            "jurisdiction": "GB",
            "purpose": "AI_TRAINING",
            "lawful_basis": "LEGITIMATE_INTERESTS",
            "effective_from": GRID[0].isoformat(),
            "notice_required": False,
            "assessment": "dpia-7",
            "flags_past_use": self.chance(75),
            "gate_flagged_bases": self.chance(50),
        }
        if self.chance(30):
            policy["assessment_expires"] = FUTURE.isoformat()
        if self.chance(30):
            policy["protects_depicted"] = False
        return policy

    def policy(self, key: str, version: int, jurisdiction: str, purpose: str, begins: int) -> dict[str, Any]:
        policy: dict[str, Any] = {
            "kind": "policy",
            "key": key,
            "version": version,
            "jurisdiction": jurisdiction,
            "purpose": purpose,
            "lawful_basis": "CONSENT" if self.chance(20) else "LEGITIMATE_INTERESTS",
            "effective_from": GRID[begins].isoformat(),
        }
        if self.chance(20):
            policy["effective_until"] = FUTURE.isoformat() if self.chance(30) else self.moment(begins + 1)
        if self.chance(40):
            policy["notice_required"] = self.chance(50)
        if self.chance(75):
            policy["objection_window_days"] = self.one((0, 30, 45, 60))
        if self.chance(20):
            policy["platforms"] = self.some(PLATFORMS, least=1, most=2)
        if self.chance(85):
            policy["assessment"] = "dpia-7"
            if self.chance(30):
                policy["assessment_expires"] = FUTURE.isoformat() if self.chance(30) else self.moment(begins)
        for name in ("protects_depicted", "flags_past_use", "gate_flagged_bases"):
            if self.chance(35):
                policy[name] = self.chance(50)
        if self.disputed and self.chance(8):
            policy["objection_absolute"] = True
        return policy

    # -- posts --

    def tell_posts(self) -> None:
        for post in self.described:
            self.story.add(self.post(post))
        for post in self.some(self.posts, most=1 if self.tidy else 3):
            change = {"kind": "visibility", "post": post, "visibility": self.one(("PUBLIC", "FRIENDS", "PRIVATE"))}
            self.story.add(change | {"valid_from": self.moment_or_recent(15)})
        for post in self.some(self.posts, most=1 if self.tidy else 2):
            self.story.add({"kind": "post_deleted", "post": post, "valid_from": self.moment_or_recent(15)})
        for post in self.some(self.posts, most=1):
            self.story.add(self.correction(post, "mistaken identity"))

    def post(self, key: str) -> dict[str, Any]:
        post: dict[str, Any] = {
            "kind": "post",
            "key": key,
            "author": self.one(self.people),
            "platform": key.split(":")[0].upper(),
            "post_kind": self.one(("POST", "COMMENT", "PHOTO", "VIDEO")),
            "visibility": "PUBLIC",
            "published_at": self.moment(most=3) if self.chance(80) else self.moment(),
        }
        if self.chance(2 if self.tidy else 6):
            post["post_kind"] = "PRIVATE_MESSAGE"
        if self.chance(4 if self.tidy else 12):
            post["visibility"] = self.one(("FRIENDS", "PRIVATE"))
        if self.chance(20 if self.tidy else 35):
            post["depicts"] = self.some(self.people, least=1, most=2)
        if self.chance(3 if self.tidy else 8):
            post["special_category"] = True
        return post

    def correction(self, post: str, reason: str) -> dict[str, Any]:
        return {"kind": "post_author", "post": post, "author": self.one((*self.people, "zoe")), "reason": reason}
