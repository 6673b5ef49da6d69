"""All that was known at a moment, and what the rules say about it: flags, violations, the gate."""

from collections.abc import Iterable

from tests.oracle.facts import CauseId, ReasonCount, VersionId
from tests.oracle.known_lineage import KnownLineage

SAMPLES = 5


class AsKnown(KnownLineage):
    """The facts recorded up to a moment, and the rules over them."""

    # -- flags --

    def demanded_flags(self) -> dict[str, dict[CauseId, set[str]]]:
        """For each model version to be retrained: its causes, each with the posts that it used."""
        flags: dict[str, dict[CauseId, set[str]]] = {}
        for objection in self.objections():
            if self.status(objection) not in ("PENDING", "UPHELD"):
                continue
            for post, kind in self.posts_in_scope(objection).items():
                purposes = {each for each in objection.filing.purposes if self.flags_past_use(objection, post, each)}
                for path in self.paths_of_influence(post):
                    end, run = path[-1][2], self.run_that_read(path)
                    if end[0] == "MODEL_VERSION" and purposes and (run.purpose is None or run.purpose in purposes):
                        flags.setdefault(end[1], {}).setdefault((objection.key, kind), set()).add(post)
        for run, posts in self.violations().items():
            for node in self.downstream(("TRAINING_RUN", run)) if posts else ():
                if node[0] == "MODEL_VERSION":
                    flags.setdefault(node[1], {})[(run, "VIOLATION")] = posts
        return flags

    def violations(self) -> dict[str, set[str]]:
        """For each started run: the members of its COMPLETE inputs that it could not use when it started."""
        return {
            run.key: self.ineligible(self.members(run.inputs), run.purpose or "AI_TRAINING", run.started_at)
            for run in self.runs
        }

    def members(self, versions: Iterable[VersionId]) -> set[str]:
        complete = [self.versions[each] for each in versions if self.versions[each].coverage == "COMPLETE"]
        return set[str]().union(*(version.members for version in complete))

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
        return set(models) & set(self.facts.open_flags) if self.checks_flags(purpose, now) else set()

    def flagged_generators(self, key: VersionId, purpose: str, now: int) -> set[str]:
        """Of the version and of everything that it is derived from."""
        version = self.facts.versions[key]
        found = self.flagged_bases(version.generated_by, purpose, now)
        return found.union(*(self.flagged_generators(each, purpose, now) for each in version.derived_from))
