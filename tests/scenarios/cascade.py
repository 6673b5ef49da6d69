"""What makes models be trained again besides objections: causes of every kind, erasures, and the life of flags."""

from typing import Any

from tests.scenarios.gate import GateTeller
from tests.scenarios.story import KnownVersion
from tests.scenarios.world import FUTURE, GRID, RECENT

PLACES = ("GB", "GB-SCT", "AU", "IE")


class CascadeTeller(GateTeller):
    """What comes after the posts were used."""

    def tell_causes(self) -> None:
        for tell_it in (
            *(self.tell_deletion, self.tell_narrowing, self.tell_minor),
            *(self.tell_withdrawn_consent, self.tell_expired_assessment),
        ):
            if self.chance(12 if self.tidy else 35):
                tell_it([])
        if self.chance(20 if self.tidy else 30):
            self.tell_erasure()

    # -- causes --

    def members(self) -> list[str]:
        """Posts that a version holds."""
        return sorted(set().union(*(version.members for version in self.story.versions))) or list(self.posts)

    def tell_deletion(self, after: list[int]) -> int:
        deletion = {"kind": "post_deleted", "post": self.one(self.members())}
        return self.story.add(deletion | {"valid_from": self.moment_or_recent(40)}, after)

    def tell_narrowing(self, after: list[int]) -> int:
        narrowed = self.between(1, 4)
        change = {"kind": "visibility", "post": self.one(self.members())}
        narrower = {"visibility": self.one(("FRIENDS", "PRIVATE")), "valid_from": GRID[narrowed].isoformat()}
        told = self.story.add(change | narrower, after)
        if self.chance(35):
            wider = {"visibility": "PUBLIC", "valid_from": self.moment_or_recent(30, narrowed)}
            told = self.story.add(change | wider, after)
        return told

    def tell_minor(self, after: list[int]) -> int:
        """Perhaps known to be older again from some time on."""
        person = {"kind": "user", "key": self.one(self.people)}
        young = {"adult_from": self.one(("2024-02-15", "2031-01-01")), "valid_from": self.moment(2)}
        told = self.story.add(person | young, after)
        if self.chance(25):
            told = self.story.add(person | {"adult_from": "1990-05-17", "valid_from": RECENT.isoformat()}, after)
        return told

    def tell_withdrawn_consent(self, after: list[int]) -> int:
        """Under a policy whose basis it is; one withdrawal may be followed by a consent anew."""
        purpose = "ADS" if self.tidy or self.chance(40) else "AI_TRAINING"
        if self.chance(85):
            key = f"consent-{len(self.story.facts)}"
            policy = self.policy(key, 1, self.one(("GB", *PLACES)), purpose, begins=self.between(0, 4))
            self.story.add(policy | {"lawful_basis": "CONSENT"}, after)
        told, begins = -1, self.between(0, 4)
        for person in self.some(self.people, least=1, most=2):
            consent = {"kind": "consent", "user": person, "purpose": purpose}
            told = self.story.add(consent | {"status": "WITHDRAWN", "valid_from": GRID[begins].isoformat()}, after)
            if self.chance(25):
                given = {"status": "GIVEN", "valid_from": self.moment_or_recent(30, begins)}
                self.story.add(consent | given, after)
        return told

    def tell_expired_assessment(self, after: list[int]) -> int:
        """Perhaps succeeded by a version that has a new one."""
        purpose = "ADS" if self.tidy or self.chance(40) else "AI_TRAINING"
        key, begins = f"assessed-{len(self.story.facts)}", self.between(0, 4)
        policy = self.policy(key, 1, self.one(("GB", *PLACES)), purpose, begins)
        policy |= {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia-1"}
        expires = self.moment_or_recent(30, begins)
        told = self.story.add(policy | {"assessment_expires": expires}, after)
        if self.chance(25):
            again = {"version": 2, "effective_from": expires, "assessment": "dpia-2"}
            self.story.add(policy | again, after)
        return told

    # -- erasures --

    def tell_erasure(self) -> None:
        person = "zoe" if self.chance(4) else self.one(self.people[: 2 if self.tidy else 4])
        received = self.moment_or_recent(60)
        request = {"key": "erasure-1", "user": person, "receivedAt": received}
        requested = self.story.add(("requestErasure", request))
        if self.disputed and self.chance(15):
            other = {"key": "erasure-1", "user": self.one(self.people)} if self.chance(50) else {"key": "erasure-2"}
            self.story.add(("requestErasure", {**request, **other}), [requested])
        if self.chance(15 if self.disputed else 30):
            self.tell_rejection(requested)
        if not self.disputed or not self.chance(75):
            return
        after = [requested, *self.facts_about_posts(75)]
        confirmed = self.story.add(("confirmErasure", {"key": "erasure-1"}), after)
        for _ in range(self.between(0, 3)):
            self.tell_of_the_erased(person, confirmed)
        if self.chance(50):
            self.tell_late_use([confirmed])
        if self.chance(15):
            self.story.add(("confirmErasure", {"key": "erasure-1"}), [confirmed])
        if self.chance(15):
            self.story.add(("requestErasure", {**request, "key": "erasure-3"}), [confirmed])
        if self.chance(5):
            self.story.add(("confirmErasure", {"key": "erasure-9"}), [confirmed])

    def tell_rejection(self, requested: int) -> None:
        given = {"key": "erasure-1", "grounds": "not identified"}
        if self.disputed and self.chance(20):
            given |= {"grounds": ""} if self.chance(50) else {"decidedAt": GRID[0].isoformat()}
        rejected = self.story.add(("rejectErasure", given), [requested])
        if self.disputed and self.chance(30):
            other = {"key": "erasure-2", "user": self.one(self.people), "receivedAt": RECENT.isoformat()}
            self.story.add(("requestErasure", other), [rejected])

    def tell_of_the_erased(self, person: str, confirmed: int) -> None:
        """What names the person or a post of theirs again: refused, but for manifests and depictions."""
        theirs = [post for post, author in self.authors().items() if author == person] or list(self.posts[:1])
        post, other = self.one(theirs), self.one(self.posts)
        moment = self.moment_or_recent(30)
        consent = {"kind": "consent", "user": person, "purpose": "AI_TRAINING", "status": "GIVEN"}
        objection = {"key": f"late-{confirmed}", "user": person, "receivedAt": moment}
        decision = {"key": "objection-1", "uphold": self.chance(40), "decidedAt": RECENT.isoformat()}
        again = (
            {"kind": "user", "key": person, "jurisdiction": "GB", "adult_from": "1990-05-17"},
            self.post(post) | {"author": person},
            self.post(post),
            self.post(other) | {"author": person},
            self.post(other) | {"depicts": [person]},
            self.post(other) | {"depicts": [person]},
            consent | {"valid_from": moment},
            {"kind": "visibility", "post": post, "visibility": "PUBLIC", "valid_from": moment},
            {"kind": "post_deleted", "post": post, "valid_from": moment},
            {"kind": "post_author", "post": post, "author": self.one(self.people), "reason": "found out"},
            {"kind": "post_author", "post": other, "author": person, "reason": "found out"},
            ("fileObjection", objection),
            ("decideObjection", decision | {"grounds": "overriding interest in safety"}),
            ("decideObjection", decision | {"grounds": "overriding interest in safety"}),
            ("withdrawObjection", {"key": "objection-1"}),
        )
        self.story.add(self.one(again), [confirmed])

    def tell_late_use(self, after: list[int]) -> None:
        """A version or a run that is recorded after it, of the past."""
        held = self.some(self.posts, least=1, most=4)
        version = self.register("late", {"coverage": "COMPLETE", "posts": held}, []) if self.chance(50) else None
        read = version or self.one(self.story.readable())
        self.tell_extra_run(f"late-run-{len(self.story.facts)}", read, after)

    def tell_extra_run(self, key: str, version: KnownVersion, after: list[int]) -> str | None:
        """The model version that it made."""
        model = self.free_model()
        given: dict[str, Any] = {
            "run": key,
            "inputs": [{"dataset": version.dataset, "number": version.number}],
            "startedAt": self.moment(1),
        }
        if self.chance(50):
            given["purpose"] = self.one(("AI_TRAINING", "AI_TRAINING", "ADS"))
        if model is not None:
            given |= {"model": model[0], "version": model[1]}
        ready = [] if version.ready is None else [version.ready]
        fact = self.story.add(("recordTraining", given), [*after, *ready])
        if model is None:
            return None
        self.story.models[":".join(model)] = fact
        return ":".join(model)

    # -- flags --

    def tell_flags(self) -> None:
        models = sorted(self.story.models)
        for model in self.some(models, least=1, most=2) if models else ():
            self.tell_life(model)
        if self.chance(5):
            self.story.add(("acknowledgeFlag", {"modelVersion": "m9:9"}))

    def tell_life(self, model: str) -> None:
        """Taken up, planned, resolved, and perhaps caused again."""
        created = self.story.models[model]
        told = [created, *(range(len(self.story.facts)) if self.chance(60) else ())]
        after = list(told)
        if self.chance(35):
            after = [self.story.add(("acknowledgeFlag", {"modelVersion": model}), after)]
        if self.chance(35):
            planned = FUTURE if self.chance(85) else GRID[5]
            given = {"modelVersion": model, "plannedFor": planned.isoformat()}
            after = [self.story.add(("scheduleRetraining", given), after)]
        if self.chance(30):
            self.tell_serving(model, told)
        for _ in range(2 if self.chance(30) else 1):
            after = [self.tell_resolution(model, after)]
            if self.chance(60):
                cause = self.one(
                    (
                        *(self.tell_deletion, self.tell_narrowing, self.tell_minor),
                        *(self.tell_withdrawn_consent, self.tell_expired_assessment),
                    )
                )
                after = [cause(after)]

    def tell_serving(self, model: str, after: list[int]) -> None:
        feature = self.one(("advertising", "feed"))
        served = self.story.add(("serveFeature", {"feature": feature, "modelVersion": model}), after)
        if self.chance(50):
            other, created = self.one(sorted(self.story.models.items()))
            self.story.add(("serveFeature", {"feature": feature, "modelVersion": other}), [served, created])

    def tell_resolution(self, model: str, after: list[int]) -> int:
        given: dict[str, Any] = {"modelVersion": model}
        given["resolution"] = self.one(("RETRAINED", "RETRAINED", "RETIRED", "NOT_REQUIRED", "NOT_REQUIRED"))
        if given["resolution"] == "RETRAINED":
            replacement, after = self.tell_replacement(after)
            given |= {} if replacement is None else {"replacement": replacement}
        if given["resolution"] == "NOT_REQUIRED" and not self.chance(10):
            given["justification"] = " " if self.chance(5) else "a research model that nobody uses"
        resolved = self.story.add(("resolveFlag", given), after)
        if self.chance(15):
            self.story.add(("resolveFlag", given), [resolved])
        if self.chance(10):
            served = {"feature": "feed", "modelVersion": model}
            self.story.add(("serveFeature", served), [resolved])
        return resolved

    def tell_replacement(self, after: list[int]) -> tuple[str | None, list[int]]:
        """Trained on a few posts or none, or any model version; or none, or one that nobody knows."""
        if self.chance(60):
            few = self.some(self.posts, most=2 if self.chance(50) else 0)
            version = self.register("remedy", {"coverage": "COMPLETE", "posts": few}, [])
            if version is not None:
                replacement = self.tell_extra_run(f"remedy-{len(self.story.facts)}", version, [])
                if replacement is not None:
                    return replacement, [*after, self.story.models[replacement]]
        if self.chance(90):
            model, created = self.one(sorted(self.story.models.items()))
            return model, [*after, created]
        return self.one((None, "m9:9")), after
