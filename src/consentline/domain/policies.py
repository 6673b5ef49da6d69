"""Policies: the rules of one jurisdiction for one purpose, by version, and which of them governs."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from consentline.domain.instants import Instant


class LawfulBasis(StrEnum):
    """The ground in Art. 6(1) on which a policy rests: (f) or (a)."""

    LEGITIMATE_INTERESTS = "LEGITIMATE_INTERESTS"
    CONSENT = "CONSENT"


class PolicyRef(NamedTuple):
    """A policy by its key and the version within it."""

    key: str
    version: int


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of the rules of a jurisdiction for a purpose."""

    key: str
    version: int
    jurisdiction: str
    purpose: str
    lawful_basis: LawfulBasis
    effective_from: Instant
    recorded_at: Instant
    notice_required: bool = True
    objection_window_days: int = 0
    platforms: tuple[str, ...] = ()
    assessment: str | None = None
    assessment_expires: Instant | None = None
    protects_depicted: bool = True
    flags_past_use: bool = True
    objection_absolute: bool = False
    gate_flagged_bases: bool = True
    effective_until: Instant | None = None

    @property
    def ref(self) -> PolicyRef:
        """Key and version."""
        return PolicyRef(self.key, self.version)

    def assessment_expired(self, at: Instant) -> bool:
        """Whether it rests on an assessment that has expired at `at`; an expiry at t has expired at t."""
        return (
            self.lawful_basis is LawfulBasis.LEGITIMATE_INTERESTS
            and self.assessment is not None
            and self.assessment_expires is not None
            and self.assessment_expires <= at
        )

    def in_force(self, at: Instant, known_at: Instant) -> bool:
        """Effective at `at` and not ended, as known at `known_at`; an end at t has ended at t."""
        return (
            self.recorded_at <= known_at
            and self.effective_from <= at
            and (self.effective_until is None or at < self.effective_until)
        )


def governing(
    policies: Iterable[Policy], jurisdiction: str | None, purpose: str, at: Instant, known_at: Instant
) -> Policy | None:
    """The policy that governs a person of `jurisdiction` for `purpose`; None when no policy covers them.

    A subdivision with none in force falls back to its country. Over all keys: the latest effective_from, then the
    highest version, then the greater key.
    """
    if jurisdiction is None:
        return None
    in_force = [policy for policy in policies if policy.purpose == purpose and policy.in_force(at, known_at)]
    for place in dict.fromkeys((jurisdiction, jurisdiction.split("-", 1)[0])):
        found = [policy for policy in in_force if policy.jurisdiction == place]
        if found:
            return max(found, key=lambda policy: (policy.effective_from, policy.version, policy.key))
    return None
