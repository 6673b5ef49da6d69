"""What was recorded: every fact with its recorded time, the flags, and what erasures left."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.answers import Eligibility
from tests.oracle.facts import (
    ACCEPTED,
    CAUSE_KINDS,
    REFUSED,
    UNCHANGED,
    CauseId,
    Erasure,
    Flag,
    FrozenCause,
    Objection,
    PathStep,
    Policy,
    ReasonCount,
    Record,
    Run,
    Said,
    Serving,
    Version,
    VersionId,
)


class Refusal(Exception):  # noqa: N818, not an error of the oracle
    """The rules forbid it; the product may name any of these codes."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)


@dataclass(frozen=True)
class Offence:
    """Why a replacement is no remedy for a post: it used it, by this path, or these versions cannot rule it out."""

    path: tuple[PathStep, ...] = ()
    undocumented: tuple[VersionId, ...] = ()


@dataclass
class Ledger:
    establishment: str | None = None
    kinds: frozenset[str] = frozenset(CAUSE_KINDS)  # of the causes that raise flags
    people: dict[str, int] = field(default_factory=dict)  # to the recorded time of the first record
    jurisdictions: list[Said] = field(default_factory=list)
    adulthoods: list[Said] = field(default_factory=list)
    descriptions: dict[str, Said] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    depictions: list[Said] = field(default_factory=list)
    special_categories: list[Said] = field(default_factory=list)
    visibilities: list[Said] = field(default_factory=list)
    corrections: list[Said] = field(default_factory=list)  # value: author, reason
    deletions: list[Said] = field(default_factory=list)
    policies: dict[tuple[str, int], tuple[int, Policy]] = field(default_factory=dict)
    notices: dict[tuple[str, int], tuple[int, Record]] = field(default_factory=dict)
    notices_served: list[Said] = field(default_factory=list)  # about: user; value: notice, version
    seen: dict[tuple[Any, ...], tuple[int, int]] = field(default_factory=dict)  # user, notice, served_at: at, recorded
    consents: list[Said] = field(default_factory=list)  # about: user; value: purpose, status
    objections: dict[str, Objection] = field(default_factory=dict)
    versions: dict[VersionId, Version] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)  # to the recorded time
    runs: dict[str, Run] = field(default_factory=dict)
    derivations: dict[tuple[str, str, str], int] = field(default_factory=dict)  # from, to, kind
    servings: list[Serving] = field(default_factory=list)  # in the order in which they were recorded
    retired: set[str] = field(default_factory=set)
    # flags
    flags_raised: dict[str, list[Flag]] = field(default_factory=dict)  # by model version, in the order of raising
    standing: dict[tuple[str, CauseId], int] = field(default_factory=dict)  # model version, cause: since when recorded
    answered: dict[tuple[str, CauseId], int] = field(default_factory=dict)  # by a resolution: the fewest posts since
    # erasures
    erasures: dict[str, Erasure] = field(default_factory=dict)
    erased_posts: dict[str, str | None] = field(default_factory=dict)  # to the author; None: described by nothing
    frozen: dict[tuple[str, CauseId], FrozenCause] = field(default_factory=dict)  # by model version and cause
    kept_uses: dict[tuple[str, str], Eligibility] = field(default_factory=dict)  # of erased posts, by the run
    kept_lawful: set[tuple[str, str]] = field(default_factory=set)  # those of them that are no violation
    kept_minors: set[tuple[str, str]] = field(default_factory=set)  # post, run: it depicted a minor who was erased
    kept_counts: dict[str, int] = field(default_factory=dict)  # objection or erasure of an erased person: posts
    # of the last step
    codes: frozenset[str] = frozenset()  # why it was refused
    refusals: tuple[ReasonCount, ...] = ()  # of an authorisation
    excluded: Mapping[str, int] = field(default_factory=dict)  # of a build, by reason
    affected: int | None = None  # of a request for erasure: the posts that it concerns
    offending: Mapping[str, Offence] = field(default_factory=dict)  # of a refused replacement, by post

    def open_flag(self, model_version: str) -> Flag | None:
        raised = self.flags_raised.get(model_version)
        return raised[-1] if raised and raised[-1].status != "RESOLVED" else None

    def open_flags(self) -> set[str]:
        """The model versions that have one."""
        return {model_version for model_version in self.flags_raised if self.open_flag(model_version) is not None}

    def is_erased(self, user: str | None) -> bool:
        return user in self.erased_people()

    def erased_people(self) -> set[str]:
        return {each.user for each in self.erasures.values() if each.confirmed_at is not None}


def say(kept: list[Said], about: str, value: Any, valid_from: int, now: int) -> str:
    """One more statement; the same from the same time is no news."""
    if any((fact.about, fact.value, fact.valid_from) == (about, value, valid_from) for fact in kept):
        return UNCHANGED
    kept.append(Said(about, value, valid_from, now))
    return ACCEPTED


def keep_first(kept: dict[Any, tuple[int, Any]], key: Any, content: Any, now: int) -> str:
    """The first content under a natural key stays."""
    if key in kept:
        return UNCHANGED if kept[key][1] == content else REFUSED
    kept[key] = (now, content)
    return ACCEPTED


def refuse(codes: Mapping[str, Any]) -> None:
    """Refuse when any of the conditions holds."""
    broken = [code for code, condition in codes.items() if condition]
    if broken:
        raise Refusal(*broken)
