"""The oracle itself: steps in, answers out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.oracle import datasets, erasure, flags, gate, objections, records, training
from tests.oracle.answers import (
    Consent,
    Eligibility,
    ErasureAnswer,
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

RECORDS = {**records.RECORDS, **datasets.RECORDS, "objection": objections.record}
OPERATIONS: dict[str, Callable[[Ledger, Record, int], str]] = {
    **datasets.OPERATIONS,
    **training.OPERATIONS,
    **gate.OPERATIONS,
    **objections.OPERATIONS,
    **flags.OPERATIONS,
    **erasure.OPERATIONS,
}


@dataclass
class Oracle(Ledger):
    """Every fact with its recorded time, the flags that follow from them, and the answers."""

    def apply(self, step: Step, recorded_at: int) -> str:
        """Record one step at its recorded time; times never go back from step to step."""
        self.codes, self.refusals, self.excluded, self.affected, self.offending = frozenset(), (), {}, None, {}
        try:
            outcome = self._apply(step, recorded_at)
        except Refusal as refusal:
            self.codes = refusal.codes
            return REFUSED
        if outcome == ACCEPTED:
            flags.follow(self, recorded_at)
        return outcome

    def _apply(self, step: Step, now: int) -> str:
        if isinstance(step, Mapping):
            content = {name: value for name, value in step.items() if value is not None or step["kind"] == "user"}
            return RECORDS[step["kind"]](self, content, now)
        name, given = step
        content = {field_name: value for field_name, value in given.items() if value is not None}
        return OPERATIONS[name](self, content, now)

    def sweep(self, now: int) -> None:
        """What time alone brought about."""
        flags.follow(self, now)

    # -- answers --

    def flags(self) -> dict[str, OpenFlag]:
        """The flag of each model version that has an unresolved one."""
        return {
            flag.model_version: OpenFlag(
                causes={cause: len(posts) for cause, posts in flag.causes.items()},
                affected_posts=len(flag.affected_posts),
                due_at=flag.due_at,
                raised_at=flag.raised_at,
                status=flag.status,
                number=flag.number,
            )
            for raised in self.flags_raised.values()
            for flag in raised
            if flag.status != "RESOLVED"
        }

    @property
    def resolved_flags(self) -> list[ResolvedFlag]:
        return [
            ResolvedFlag(
                model_version=flag.model_version,
                raised_at=flag.raised_at,
                resolved_at=flag.resolved_at,
                resolution=flag.resolution,
                justification=flag.justification,
                replacement=flag.replacement,
                number=flag.number,
            )
            for raised in self.flags_raised.values()
            for flag in raised
            if flag.resolved_at is not None and flag.resolution is not None
        ]

    def is_retired(self, model_version: str) -> bool:
        return model_version in self.retired

    def post_usage(self, post: str, known_at: int | None = None) -> PostUsage:
        return AsKnown(self, known_at).post_usage(post)

    def user_usage(self, user: str, known_at: int | None = None) -> str:
        return AsKnown(self, known_at).user_usage(user)

    def eligibility(self, post: str, purpose: str, at: int, known_at: int | None = None) -> Eligibility:
        return AsKnown(self, known_at).eligibility(post, purpose, at)

    def eligibility_at_use(self, post: str, use: Use, known_at: int | None = None) -> Eligibility:
        known = AsKnown(self, known_at)
        return known.eligibility_at_use(post, next(run for run in known.runs if run.key == use.training_run))

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

    def consent_history(self, user: str, purpose: str) -> list[Consent]:
        return AsKnown(self).consent_history(user, purpose)

    def notice_coverage(self, key: str, version: int, at: int, known_at: int | None = None) -> NoticeCoverage:
        return AsKnown(self, known_at).notice_coverage(key, version, at)

    def to_be_served(self, key: str, version: int, at: int, known_at: int | None = None) -> list[str]:
        return AsKnown(self, known_at).to_be_served(key, version, at)

    def objection(self, key: str) -> ObjectionAnswer:
        objection, known = self.objections[key], AsKnown(self)
        return ObjectionAnswer(
            status=known.status(objection) or "PENDING",
            due_at=objection.due_at,
            affected_post_count=self.kept_counts.get(key, len(known.posts_in_scope(objection))),
            possible_versions=known.possible_versions(objection),
            extended_to=objection.extended_to,
        )

    def erasure(self, key: str) -> ErasureAnswer:
        erasure = self.erasures[key]
        status = "REFUSED" if erasure.refusal else "REQUESTED" if erasure.confirmed_at is None else "DONE"
        return ErasureAnswer(status, erasure.due_at)
