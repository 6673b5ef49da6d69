"""Objections; facts whose order matters, some that the rules refuse, and repeats."""

from typing import Any

from tests.oracle import Step
from tests.scenarios.cascade import CascadeTeller
from tests.scenarios.story import Story
from tests.scenarios.world import AHEAD, GRID, JURISDICTIONS, PLATFORMS, PURPOSES, RECENT

NEVER_TWICE = {
    *("decideObjection", "withdrawObjection", "extendObjection", "buildDatasetVersion"),
    *("acknowledgeFlag", "scheduleRetraining", "resolveFlag", "serveFeature", "rejectErasure"),
}


class Teller(CascadeTeller):
    """Makes up a whole story."""

    def tell(self) -> Story:
        self.tell_people()
        self.tell_rules()
        self.tell_posts()
        self.tell_lineage()
        for number in range(1, 1 + self.between(0 if self.tidy else 1, 2 if self.tidy else 4)):
            self.tell_objection(f"objection-{number}")
        self.tell_causes()
        if self.disputed:
            self.tell_gate()
            self.tell_flags()
            self.tell_disputes()
        self.tell_repeats()
        return self.story

    # -- objections --

    def tell_objection(self, key: str) -> None:
        received, recent = self.between(0, 4), self.chance(15)
        record: dict[str, Any] = {
            "key": key,
            "user": "zoe" if self.chance(4) else self.one(self.people[: 2 if self.tidy else 3]),
        }
        if self.chance(40):
            record["purposes"] = self.some(PURPOSES, least=1, most=2)
        if self.chance(25):
            record["platforms"] = self.some(PLATFORMS, least=1, most=2)
        ahead = self.chance(6)
        received_at = (AHEAD if ahead else RECENT if recent else GRID[received]).isoformat()
        if self.chance(50):
            filed = self.story.add({"kind": "objection", **record, "received_at": received_at})
        else:
            filed = self.story.add(("fileObjection", {**record, "receivedAt": received_at}))
        if self.chance(60 if recent else 8):
            extension = {"key": key, "reason": "" if self.chance(5) else "many at once"}
            extended = self.story.add(("extendObjection", extension), [filed])
            if self.disputed and self.chance(20):
                self.story.add(("extendObjection", {**extension, "reason": "still many"}), [extended])
        fate = (
            "pending"
            if recent and self.chance(60)
            else self.one(("pending", "pending", "upheld", "upheld", "refused", "withdrawn"))
        )
        if fate == "withdrawn":
            withdrawn = self.story.add(("withdrawObjection", {"key": key}), [filed])
            if self.disputed and self.chance(20):
                self.story.add(("decideObjection", self.decision(key, True, received, recent)), [withdrawn])
        elif fate != "pending":
            upheld = fate == "upheld"
            self.story.add(("decideObjection", self.decision(key, upheld, received, recent)), [filed])
            if self.disputed and self.chance(20):
                self.story.add(("decideObjection", self.decision(key, not upheld, received, recent)), [filed])

    def decision(self, key: str, uphold: bool, received: int, recent: bool) -> dict[str, Any]:
        earliest = 0 if self.disputed and self.chance(10) else received
        decided_at = self.moment_or_recent(100 if recent else 10, earliest)
        decision = {"key": key, "uphold": uphold, "decidedAt": decided_at}
        if not uphold and not (self.disputed and self.chance(5)):
            decision["grounds"] = "overriding interest in safety"
        return decision

    # -- disputes and repeats --

    def tell_disputes(self) -> None:
        """Facts whose order matters, and some that the rules refuse."""
        story = self.story
        for post in self.some(self.described, most=1):
            story.add(self.correction(post, "another account"))
        resent = [fact for fact in story.facts if is_record(fact.step, "post")]
        for fact in [resent[index] for index in self.some(range(len(resent)), most=2)]:
            again = {**fact.step, "depicts": self.some(self.people, least=1, most=2)}
            if "special_category" in fact.step and self.chance(50):
                again["special_category"] = False
            story.add(again)
        rare = {
            self.tell_other_post: 15,
            self.tell_other_jurisdiction: 15,
            self.tell_late_member: 15,
            self.tell_contradiction: 30,
            self.tell_use_of_the_unusable: 30,
            self.tell_unknown_names: 15,
        }
        for tell_it, percent in rare.items():
            if self.chance(percent):
                tell_it()

    def tell_other_post(self) -> None:
        """Of another author or time under the same key."""
        self.story.add(self.post(self.one(self.described)))

    def tell_other_jurisdiction(self) -> None:
        """Perhaps another one from the same time on."""
        people = [fact.step for fact in self.story.facts if is_record(fact.step, "user")]
        if people:
            self.story.add({**self.one(people), "jurisdiction": self.one(JURISDICTIONS)})

    def tell_late_member(self) -> None:
        complete = [version for version in self.story.readable() if version.coverage == "COMPLETE"]
        version = self.one(complete)
        record = {"kind": "member", "dataset": version.dataset, "version": version.number, "post": self.one(self.posts)}
        self.story.add(record, [version.ready])

    def tell_contradiction(self) -> None:
        """An operation again under its key, with other content."""
        contents = {
            "registerDatasetVersion": {"coverage": "COMPLETE", "posts": [self.posts[0], "threads:p10"]},
            "recordTraining": {"startedAt": GRID[0].isoformat()},
            "fileObjection": {"platforms": ["FACEBOOK", "THREADS"], "channel": "post"},
        }
        said = [(number, fact.step) for number, fact in enumerate(self.story.facts) if not isinstance(fact.step, dict)]
        number, (name, given) = self.one([(number, step) for number, step in said if step[0] in contents])
        other = {**given, **contents[name]}
        if name == "registerDatasetVersion":
            registered = {version.registered: version.number for version in self.story.versions}
            other = {"dataset": given["dataset"], "number": registered[number], **contents[name]}
        self.story.add((name, other), [number])

    def tell_use_of_the_unusable(self) -> None:
        """A derivation of a withdrawn version, and a run and a successor of a version that was never sealed."""
        story = self.story
        for number, fact in enumerate(list(story.facts)):
            if isinstance(fact.step, tuple) and fact.step[0] == "withdrawDatasetVersion":
                upstream = {name: fact.step[1][name] for name in ("dataset", "number")}
                given = {"dataset": "late", "coverage": "UNDOCUMENTED", "derivedFrom": [upstream]}
                story.add(("registerDatasetVersion", given), [number])
        for version in story.versions:
            if version.ready is None:
                inputs = [{"dataset": version.dataset, "number": version.number}]
                run = {"run": "run-7", "inputs": inputs, "startedAt": GRID[2].isoformat()}
                successor = {"dataset": version.dataset, "coverage": "COMPLETE", "posts": []}
                story.add(("recordTraining", run), [version.registered])
                story.add(("registerDatasetVersion", successor), [version.registered])

    def tell_unknown_names(self) -> None:
        run = {"run": "run-8", "startedAt": self.moment()}
        nowhere = {"dataset": "nowhere", "number": 1}
        unknown = (
            ("recordTraining", {**run, "inputs": [nowhere]}),
            ("recordTraining", {**run, "inputs": [nowhere], "startedFrom": ["m9:9"]}),
            ("deriveModelVersion", {"model": "m9", "version": "2", "from": ["m9:1"], "kind": "ADAPTER"}),
            ("registerDatasetVersion", {"dataset": "nowhere", "coverage": "UNDOCUMENTED", "derivedFrom": [nowhere]}),
            ("registerDatasetVersion", {"dataset": "nowhere", "coverage": "UNDOCUMENTED", "generatedBy": ["m9:1"]}),
            ("registerDatasetVersion", {"dataset": "nowhere", "coverage": "COMPLETE", "basedOn": 7}),
            ("withdrawDatasetVersion", {"dataset": "nowhere", "number": 1, "reason": "none"}),
            ("withdrawObjection", {"key": "objection-9"}),
            ("extendObjection", {"key": "objection-9", "reason": "many at once"}),
            ("startTraining", {"run": "gated-9"}),
            ("completeTraining", {"run": "gated-9", "model": "m9", "version": "1"}),
            ("failTraining", {"run": "gated-9", "reason": "unknown"}),
            ("cancelTraining", {"run": "gated-9"}),
            ("authorizeTraining", {"run": "gated-9", "inputs": [nowhere]}),
            {"kind": "seal", "dataset": "nowhere", "version": 1},
            {"kind": "member", "dataset": "nowhere", "version": 1, "post": self.posts[0]},
        )
        self.story.add(self.one(unknown))

    def tell_repeats(self) -> None:
        """Some facts a second time, which changes nothing (what a later fact undid is done again)."""
        repeatable = [number for number, fact in enumerate(self.story.facts) if is_repeatable(fact.step, self.disputed)]
        for number in self.some(repeatable, most=3):
            fact = self.story.facts[number]
            self.story.add(fact.step, [*fact.after, number])


def is_record(step: Step, kind: str) -> bool:
    return isinstance(step, dict) and step["kind"] == kind


def is_repeatable(step: Step, disputed: bool) -> bool:
    if isinstance(step, dict):
        return disputed or step["kind"] not in ("member", "member_removed")
    name, given = step
    if name == "registerDatasetVersion":
        return "number" in given  # without one it is a further version
    return name not in NEVER_TWICE
