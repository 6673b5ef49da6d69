"""What the oracle answers."""

from dataclasses import dataclass
from datetime import date

from tests.oracle.facts import CauseId, NodeId, PathStep, VersionId


@dataclass(frozen=True)
class Use:
    model_version: str | None
    relation: str
    training_run: str
    dataset_version: VersionId
    used_at: int
    path: tuple[PathStep, ...]

    @property
    def reached(self) -> NodeId:
        """The model version, or the run that produced none, at the end of the path."""
        return self.path[-1][2]


@dataclass(frozen=True)
class PostUsage:
    verdict: str
    uses: list[Use]
    held_in: list[VersionId]
    undocumented: list[VersionId]


@dataclass(frozen=True)
class Eligibility:
    reasons: list[str]
    policy: tuple[str, int] | None

    @property
    def eligible(self) -> bool:
        return not self.reasons


@dataclass(frozen=True)
class Consent:
    """Dated from the fact that put it in place, of several such facts from the earliest."""

    status: str
    lawful_basis: str | None
    valid_from: int | None = None
    recorded_at: int | None = None


@dataclass(frozen=True)
class OpenFlag:
    causes: dict[CauseId, int]  # to the number of distinct posts
    affected_posts: int
    due_at: int
    raised_at: int
    status: str = "OPEN"
    number: int = 0  # how many flags of the model version came before, each the previous one of the next


@dataclass(frozen=True)
class ResolvedFlag:
    model_version: str
    raised_at: int
    resolved_at: int
    resolution: str
    justification: str | None
    replacement: str | None = None
    number: int = 0


@dataclass(frozen=True)
class ObjectionAnswer:
    status: str
    due_at: int
    affected_post_count: int
    possible_versions: list[VersionId]
    extended_to: int | None = None

    def overdue(self, now: int) -> bool:
        return self.status == "PENDING" and now > (self.due_at if self.extended_to is None else self.extended_to)


@dataclass(frozen=True)
class ErasureAnswer:
    status: str  # REQUESTED, REFUSED, or DONE once it is confirmed
    due_at: int


@dataclass(frozen=True)
class NoticeCoverage:
    """Of the people whom a policy governs; those served include those who saw it and whose window is open."""

    served: int
    seen: int
    window_open: int
    not_served: int
    served_by_day: dict[date, int]
    seen_by_day: dict[date, int]
