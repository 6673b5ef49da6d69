"""All that was known at a moment, and what the rules say about it: the gate, and reasons at a use."""

from collections.abc import Iterable

from tests.oracle.answers import Eligibility
from tests.oracle.facts import REASONS, Reading, ReasonCount, VersionId
from tests.oracle.known_causes import KnownCauses

SAMPLES = 5


class AsKnown(KnownCauses):
    """The facts recorded up to a moment, and the rules over them."""

    # -- the gate --

    def ineligible_count(self, key: VersionId, purpose: str, now: int) -> int | None:
        version = self.versions.get(key)
        if version is None or version.coverage != "COMPLETE":
            return None
        return len(self.ineligible(version.members, purpose, now))

    def refusals(self, inputs: Iterable[VersionId], purpose: str, now: int) -> list[ReasonCount]:
        """Why a run may not read these inputs now."""
        refusals: list[ReasonCount] = []
        for key in sorted(inputs):
            version = self.versions.get(key)
            if version is None or version.withdrawn_at is not None or version.coverage != "COMPLETE":
                refusals.append((key, None, 0, ()))
            if self.flagged_generators(key, purpose, now):
                refusals.append((key, None, 0, ()))
            posts_by_reason: dict[str, list[str]] = {}
            for post in sorted(self.members([key])) if version is not None else ():
                for reason in self.eligibility(post, purpose, now).reasons:
                    posts_by_reason.setdefault(reason, []).append(post)
            for reason, posts in posts_by_reason.items():
                refusals.append((key, reason, len(posts), tuple(posts[:SAMPLES])))
        return refusals

    def checks_flags(self, purpose: str, now: int) -> bool:
        """Unless policies of the purpose are in force and all of them say that flagged bases are no matter."""
        policies = self.in_force(purpose, now)
        return not policies or any(policy.gate_flagged_bases for policy in policies)

    def flagged_bases(self, models: Iterable[str], purpose: str, now: int) -> set[str]:
        """Those of them that have an open flag, where the gate asks for it."""
        return set(models) & self.facts.open_flags() if self.checks_flags(purpose, now) else set()

    def flagged_generators(self, key: VersionId, purpose: str, now: int) -> set[str]:
        """Of the version and of everything that it is derived from."""
        version = self.facts.versions[key]
        found = self.flagged_bases(version.generated_by, purpose, now)
        return found.union(*(self.flagged_generators(each, purpose, now) for each in version.derived_from))

    # -- uses --

    def eligibility_at_use(self, post: str, run: Reading) -> Eligibility:
        """When the run started: as known when a gated start was recorded, else as known at this moment."""
        if (post, run.key) in self.facts.kept_uses:
            return self.facts.kept_uses[(post, run.key)]
        known = AsKnown(self.facts, run.recorded_at) if run.gated else self
        found = known.eligibility(post, run.purpose or "AI_TRAINING", run.started_at)
        if (post, run.key) not in self.facts.kept_minors or "ERASED" in found.reasons:
            return found
        reasons = {*found.reasons, "THIRD_PARTY_MINOR"}
        return Eligibility([reason for reason in REASONS if reason in reasons], found.policy)
