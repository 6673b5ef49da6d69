"""The oracle itself: steps in, answers out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.oracle import datasets, gate, objections, records, training
from tests.oracle.answers import (
    Consent,
    Eligibility,
    NoticeCoverage,
    ObjectionAnswer,
    OpenFlag,
    PostUsage,
    ResolvedFlag,
    Use,
)
from tests.oracle.facts import ACCEPTED, REFUSED, Record, Run, Step, VersionId
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal
from tests.oracle.times import due_at

RECORDS = {**records.RECORDS, **datasets.RECORDS, "objection": objections.record}
OPERATIONS: dict[str, Callable[[Ledger, Record, int], str]] = {
    **datasets.OPERATIONS,
    **training.OPERATIONS,
    **gate.OPERATIONS,
    **objections.OPERATIONS,
}


@dataclass
class Oracle(Ledger):
    """Every fact with its recorded time, the flags that follow from them, and the answers."""

    def apply(self, step: Step, recorded_at: int) -> str:
        """Record one step at its recorded time; times never go back from step to step."""
        self.codes, self.refusals, self.excluded = frozenset(), (), {}
        try:
            outcome = self._apply(step, recorded_at)
        except Refusal as refusal:
            self.codes = refusal.codes
            return REFUSED
        if outcome == ACCEPTED:
            self._follow_flags(recorded_at)
        return outcome

    def _apply(self, step: Step, now: int) -> str:
        if isinstance(step, Mapping):
            content = {name: value for name, value in step.items() if value is not None or step["kind"] == "user"}
            return RECORDS[step["kind"]](self, content, now)
        name, given = step
        content = {field_name: value for field_name, value in given.items() if value is not None}
        return OPERATIONS[name](self, content, now)

    def _follow_flags(self, now: int) -> None:
        """Bring the open flags to what the facts of this moment demand; those left without a cause are resolved."""
        demanded = AsKnown(self).demanded_flags()
        for model_version in [each for each in self.open_flags if each not in demanded]:
            flag = self.open_flags.pop(model_version)
            resolved = ResolvedFlag(model_version, flag.raised_at, now, "NOT_REQUIRED", "causes withdrawn")
            self.resolved_flags.append(resolved)
        causes = {(model_version, cause) for model_version, each in demanded.items() for cause in each}
        self.standing = {each: self.standing.get(each, now) for each in causes}
        for model_version, posts in demanded.items():
            before = self.open_flags.get(model_version)
            self.open_flags[model_version] = OpenFlag(
                causes={cause: len(used) for cause, used in posts.items()},
                affected_posts=len(set[str]().union(*posts.values())),
                due_at=min(self._cause_due_at(model_version, cause) for cause in posts),
                raised_at=now if before is None else before.raised_at,
            )

    def _cause_due_at(self, model_version: str, cause: tuple[str, str]) -> int:
        """A cause without a statutory period is due one month after it was recorded."""
        key, kind = cause
        if kind == "VIOLATION":
            return due_at(self.standing[(model_version, cause)], None, self.establishment)
        return self.objections[key].deadline

    # -- answers --

    def flags(self) -> dict[str, OpenFlag]:
        """The flag of each model version that has an unresolved one."""
        return dict(self.open_flags)

    def post_usage(self, post: str, known_at: int | None = None) -> PostUsage:
        return AsKnown(self, known_at).post_usage(post)

    def user_usage(self, user: str, known_at: int | None = None) -> str:
        return AsKnown(self, known_at).user_usage(user)

    def eligibility(self, post: str, purpose: str, at: int, known_at: int | None = None) -> Eligibility:
        return AsKnown(self, known_at).eligibility(post, purpose, at)

    def eligibility_at_use(self, post: str, use: Use, known_at: int | None = None) -> Eligibility:
        """When the run started: as known when a gated start was recorded, else as known at the time asked for."""
        run = self.runs[use.training_run]
        known = AsKnown(self, run.start_recorded_at if run.gated else known_at)
        return known.eligibility(post, run.purpose or "AI_TRAINING", use.used_at)

    def consent(self, user: str, purpose: str, at: int, known_at: int | None = None) -> Consent:
        return AsKnown(self, known_at).consent(user, purpose, at)

    def describes(self, post: str, known_at: int | None = None) -> bool:
        """Whether a `post` record has described it."""
        return AsKnown(self, known_at).description(post) is not None

    def ineligible_count(self, version: VersionId, purpose: str, now: int) -> int | None:
        """The members that may not be used now; None without a sealed COMPLETE manifest."""
        return AsKnown(self).ineligible_count(version, purpose, now)

    def run(self, key: str) -> Run:
        return self.runs[key]

    def notice_coverage(self, key: str, version: int, at: int) -> NoticeCoverage:
        return AsKnown(self).notice_coverage(key, version, at)

    def objection(self, key: str) -> ObjectionAnswer:
        objection, known = self.objections[key], AsKnown(self)
        return ObjectionAnswer(
            status=known.status(objection) or "PENDING",
            due_at=objection.due_at,
            affected_post_count=len(known.posts_in_scope(objection)),
            possible_versions=known.possible_versions(objection),
            extended_to=objection.extended_to,
        )
