"""What was recorded: every fact with its recorded time, and the flags as they were raised and fell away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.answers import OpenFlag, ResolvedFlag
from tests.oracle.facts import (
    ACCEPTED,
    REFUSED,
    UNCHANGED,
    CauseId,
    Objection,
    Policy,
    ReasonCount,
    Record,
    Run,
    Said,
    Version,
    VersionId,
)


class Refusal(Exception):  # noqa: N818, not an error of the oracle
    """The rules forbid it; the product may name any of these codes."""

    def __init__(self, *codes: str) -> None:
        super().__init__(*codes)
        self.codes = frozenset(codes)


@dataclass
class Ledger:
    establishment: str | None = None
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
    servings: list[Said] = field(default_factory=list)  # about: user; value: notice, version
    seen: dict[tuple[Any, ...], int] = field(default_factory=dict)  # user, notice, served_at
    consents: list[Said] = field(default_factory=list)  # about: user; value: purpose, status
    objections: dict[str, Objection] = field(default_factory=dict)
    versions: dict[VersionId, Version] = field(default_factory=dict)
    models: dict[str, int] = field(default_factory=dict)  # to the recorded time
    runs: dict[str, Run] = field(default_factory=dict)
    derivations: dict[tuple[str, str, str], int] = field(default_factory=dict)  # from, to, kind
    features: set[tuple[str, str, int | None]] = field(default_factory=set)
    open_flags: dict[str, OpenFlag] = field(default_factory=dict)
    standing: dict[tuple[str, CauseId], int] = field(default_factory=dict)  # model version, cause: since when recorded
    resolved_flags: list[ResolvedFlag] = field(default_factory=list)
    # of the last step
    codes: frozenset[str] = frozenset()  # why it was refused
    refusals: tuple[ReasonCount, ...] = ()  # of an authorisation
    excluded: Mapping[str, int] = field(default_factory=dict)  # of a build, by reason


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
