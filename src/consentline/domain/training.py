"""Training runs, the model versions that they produce, and the features that these serve."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import InvalidInputError
from consentline.domain.instants import Instant
from consentline.domain.keys import check_key


class RunStatus(StrEnum):
    """AUTHORIZED has read nothing yet; CANCELLED never will."""

    AUTHORIZED = "AUTHORIZED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"


class ModelStatus(StrEnum):
    """Whether a model version is still in use."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class DerivationKind(StrEnum):
    """How one model version was made from another."""

    FINE_TUNE = "FINE_TUNE"
    DISTILLATION = "DISTILLATION"
    MERGE = "MERGE"
    QUANTIZATION = "QUANTIZATION"
    ADAPTER = "ADAPTER"


def model_version_key(model: str, version: str) -> str:
    """The key of a model version: "model:version".

    Raises:
        InvalidInputError: `version` holds a colon, so that the key could be read in two ways; or the key is too long.
    """
    if ":" in version:
        raise InvalidInputError("a version holds no colon", code="VERSION_WITH_COLON", path=("version",))
    return check_key(f"{model}:{version}", "version")


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run; `recorded_at` is when its start was recorded, `purpose` None when nobody recorded it.

    `authorized_at` and `fail_reason` are known of gated runs only; one that has not started was recorded when it was
    authorised.
    """

    key: str
    status: RunStatus
    purpose: str | None
    inputs: tuple[VersionRef, ...]
    started_from: tuple[str, ...]
    produced: str | None
    started_at: Instant | None
    ended_at: Instant | None
    recorded_at: Instant
    produced_recorded_at: Instant | None = None
    gated: bool = False
    authorized_at: Instant | None = None
    fail_reason: str | None = None

    def started(self, known_at: Instant) -> bool:
        """Whether the run had read its inputs, as known at `known_at`; failed ones have."""
        return self.started_at is not None and self.recorded_at <= known_at

    def product(self, known_at: Instant) -> str | None:
        """The model version that the run produced, as known at `known_at`."""
        recorded_at = self.produced_recorded_at
        return self.produced if recorded_at is not None and recorded_at <= known_at else None


@dataclass(frozen=True, slots=True)
class Derivation:
    """`model` was made from `base` by `kind`."""

    model: str
    base: str
    kind: DerivationKind
    at: Instant
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A model version; `key` is "model:version"."""

    key: str
    model: str
    version: str
    status: ModelStatus
    recorded_at: Instant


@dataclass(frozen=True, slots=True)
class Serving:
    """`feature` is served by `model_version` from `since` until `until` (None: still)."""

    feature: str
    model_version: str
    since: Instant
    until: Instant | None
    recorded_at: Instant

    def holds(self, at: Instant) -> bool:
        """Whether the feature is served so at `at`."""
        return self.since <= at and (self.until is None or at < self.until)
