"""Builds, and runs that pass the gate or do not."""

from typing import Any

from tests.scenarios.lineage import LineageTeller
from tests.scenarios.story import KnownVersion
from tests.scenarios.world import AT_AUTHORISATION, DATASETS, FUTURE, GRID, PLATFORMS, RECENT


class GateTeller(LineageTeller):
    """What the system itself made of the posts."""

    def tell_gate(self) -> None:
        for number in range(1, 1 + self.between(1, 3)):
            self.tell_gated_run(f"gated-{number}")
            if self.chance(40):
                self.one((self.tell_derivation, self.tell_synthetic))()
        if self.chance(30):
            self.tell_build()

    # -- builds --

    def tell_build(self) -> KnownVersion:
        dataset = "fresh" if self.chance(70) else self.one(DATASETS)
        given: dict[str, Any] = {"dataset": dataset, "purpose": "ADS" if self.chance(10) else "AI_TRAINING"}
        if self.chance(40):
            given["selection"] = self.build_selection()
        if self.chance(30):
            given["asOf"] = FUTURE.isoformat() if self.chance(10) else self.moment_or_recent(30, 3)
        siblings = self.story.of_dataset(dataset)
        after = [version.registered if version.ready is None else version.ready for version in siblings]
        fact = self.story.add(("buildDatasetVersion", given), [*after, *self.facts_about_posts(80)])
        version = KnownVersion(dataset, len(siblings) + 1, "COMPLETE", set(self.described), fact, fact)
        self.story.versions.append(version)
        return version

    def build_selection(self) -> dict[str, Any]:
        selection: dict[str, Any] = {}
        if self.chance(60):
            selection["jurisdictions"] = self.some(("GB", "GB-SCT", "AU", "IE"), least=1, most=2)
        if self.chance(40):
            selection["platforms"] = self.some(PLATFORMS, least=2, most=3)
        if self.chance(30):
            selection["publishedFrom"] = self.moment(0, 2)
        if self.chance(30):
            selection["publishedBefore"] = self.moment(3)
        return selection

    # -- runs --

    def tell_gated_run(self, key: str) -> None:
        inputs = self.gated_inputs()
        given: dict[str, Any] = {
            "run": key,
            "inputs": [{"dataset": version.dataset, "number": version.number} for version in inputs],
        }
        bases = self.some(sorted(self.story.models), least=1, most=1) if self.chance(15) else []
        if bases:
            given["startedFrom"] = bases
        if self.chance(30):
            given["purpose"] = self.one(("AI_TRAINING", "AI_TRAINING", "ADS"))
        after = [fact for version in inputs for fact in (version.registered, version.ready) if fact is not None]
        after += [*(self.story.models[base] for base in bases), *self.facts_about_posts(80)]
        authorized = self.story.add(("authorizeTraining", given), after)
        if self.chance(15):
            other = self.one(
                ({"purpose": "RANKING"}, {"inputs": []}, {"inputs": [{"dataset": "nowhere", "number": 1}]})
            )
            self.story.add(("authorizeTraining", {**given, **other}), [authorized])
        between = self.tell_before_the_start(authorized, inputs)
        if between and self.chance(50):
            between = [self.story.add(("authorizeTraining", given), between)]
        if self.chance(12):
            self.story.add(("cancelTraining", {"run": key}), [authorized])
        if self.chance(90):
            self.tell_start(key, [authorized, *between])

    def gated_inputs(self) -> list[KnownVersion]:
        """One that was built, or holds posts of people who do not object, or any."""
        if self.chance(60):
            inputs = [self.tell_build()]
        elif self.chance(70):
            quiet = [post for post, author in self.authors().items() if author not in self.people[:2]]
            posts = self.some(quiet, least=1) if quiet else []
            registered = self.register(self.one(DATASETS), {"coverage": "COMPLETE", "posts": posts}, [])
            inputs = [registered] if registered is not None else []
        else:
            inputs = []
        others = (
            [] if inputs and self.chance(85) else [version for version in self.story.versions if version not in inputs]
        )
        if others:
            inputs.append(self.one(others))
        return inputs or [self.tell_build()]

    def authors(self) -> dict[str, str]:
        steps = [fact.step for fact in self.story.facts]
        return {step["key"]: step["author"] for step in steps if isinstance(step, dict) and step["kind"] == "post"}

    def facts_about_posts(self, percent: int) -> list[int]:
        """All of them, now and then: what comes after them finds a settled world."""
        if not self.chance(percent):
            return []
        lineage = ("member", "member_removed", "seal")
        return [
            number
            for number, fact in enumerate(self.story.facts)
            if (fact.step["kind"] not in lineage if isinstance(fact.step, dict) else "Objection" in fact.step[0])
        ]

    def tell_before_the_start(self, authorized: int, inputs: list[KnownVersion]) -> list[int]:
        """What may happen between the authorisation and the start."""
        story, told = self.story, list[int]()
        if self.chance(20):
            policy = self.policy("late", self.between(1, 3), "GB", "AI_TRAINING", begins=self.between(0, 4))
            told.append(story.add(policy, [authorized]))
        if self.chance(20):
            objection = {"kind": "objection", "key": f"late-{authorized}", "user": self.one(self.people)}
            received_at = self.moment_or_recent(50)
            told.append(story.add({**objection, "received_at": received_at}, [authorized]))
        if self.chance(15):
            version = self.one(inputs)
            given = {"dataset": version.dataset, "number": version.number, "reason": "a licence ended"}
            told.append(story.add(("withdrawDatasetVersion", given), [authorized, *version.derived]))
        if self.chance(25):
            told.append(self.tell_late_fact([authorized]))
        return told

    def tell_late_fact(self, after: list[int]) -> int:
        """Of a post or its author, valid before now: it changes who could be used then."""
        post, person = self.one(self.described), self.one(self.people)
        moment = self.moment_or_recent(40, 3)
        late: tuple[dict[str, Any], ...] = (
            {"kind": "visibility", "post": post, "visibility": self.one(("PRIVATE", "PUBLIC")), "valid_from": moment},
            {"kind": "post_deleted", "post": post, "valid_from": moment},
            {"kind": "user", "key": person, "jurisdiction": self.one(("GB", "AU", None)), "valid_from": moment},
            {"kind": "user", "key": person, "adult_from": self.one(("1990-05-17", "2031-01-01")), "valid_from": moment},
            {"kind": "consent", "user": person, "purpose": "AI_TRAINING", "status": "WITHDRAWN", "valid_from": moment},
            {"kind": "objection", "key": f"late-{post}", "user": person, "received_at": moment},
            self.policy("past", self.between(1, 2), "GB", "AI_TRAINING", begins=self.between(0, 4)),
        )
        return self.story.add(self.one(late), after)

    def tell_start(self, key: str, after: list[int]) -> None:
        given = {"run": key}
        if self.chance(30):
            given["startedAt"] = AT_AUTHORISATION
        elif self.chance(12):
            given["startedAt"] = self.one((GRID[5], FUTURE)).isoformat()
        started = self.story.add(("startTraining", given), after)
        if self.chance(15):
            self.story.add(("startTraining", {"run": key}), [started])
        if self.chance(40):
            self.tell_late_fact([started])
        self.tell_end(key, started)

    def tell_end(self, key: str, started: int) -> None:
        end = self.one(("completed", "completed", "completed", "failed", "running"))
        model = self.free_model()
        if end == "completed" and model is not None:
            ended = {"run": key, "model": model[0], "version": model[1]}
            if self.chance(10):
                ended["endedAt"] = self.one((GRID[5], RECENT)).isoformat()  # before it started
            completed = self.story.add(("completeTraining", ended), [started])
            self.story.models.setdefault(":".join(model), completed)
            if self.chance(15):
                taken = {"model": "m1", "version": "1"} if self.chance(50) else {}
                self.story.add(("completeTraining", {**ended, **taken}), [completed])
            if self.chance(10):
                self.story.add(("failTraining", {"run": key, "reason": "out of memory"}), [completed])
        elif end == "failed":
            failure = {"run": key, "reason": "" if self.chance(8) else "out of memory"}
            self.story.add(("failTraining", failure), [started])
        if self.chance(8):
            self.story.add(("cancelTraining", {"run": key}), [started])
