"""Recording policies and notices: versions, of which each is immutable."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from consentline.domain.errors import ConflictError
from consentline.domain.instants import Instant, from_datetime
from consentline.domain.lineage import Lineage
from consentline.domain.policies import Policy
from consentline.domain.records import NoticeText, PolicyVersion
from consentline.graph import counts, facts_rules, upper
from consentline.graph.facts_rules import RuleKey
from consentline.graph.session import Tx
from consentline.usecases import violations
from consentline.usecases.flags import reconcile_everyone
from consentline.usecases.members import Outcome
from consentline.usecases.service import Service


async def record_policies(tx: Tx, service: Service, records: Sequence[PolicyVersion]) -> list[Outcome]:
    """Record policy versions; a new one is a structural change and may raise or drop anybody's flags."""
    await upper.lock(tx)
    known = await facts_rules.policies(tx, {(record.key, record.version) for record in records})
    new: list[dict[str, Any]] = []
    outcomes: list[Outcome] = []
    for record in records:
        said = _policy(record)
        recorded = known.get((record.key, record.version))
        if recorded is None:
            known[(record.key, record.version)] = said
            new.append(said)
            outcomes.append(True)
        else:
            differing = next((name for name, value in said.items() if recorded.get(name) != value), None)
            outcomes.append(False if differing is None else _conflict("policy", differing))
    if new:
        now = await upper.recording_time(tx)
        await facts_rules.add_policies(tx, new, now)
        lineage = await service.lineages.at(await upper.mark_changed(tx), tx)
        keys = {(policy["key"], policy["version"]) for policy in new}
        await _judge_later(tx, lineage, [each for each in lineage.policies if (each.key, each.version) in keys])
        await reconcile_everyone(tx, service, now)
    return outcomes


def _policy(record: PolicyVersion) -> dict[str, Any]:
    """The properties of the node but for its recorded time; the defaults are those of records.md."""
    return {
        "key": record.key,
        "version": record.version,
        "jurisdiction": record.jurisdiction,
        "purpose": record.purpose,
        "lawful_basis": record.lawful_basis,
        "effective_from": from_datetime(record.effective_from),
        "effective_until": _instant(record.effective_until),
        "notice_required": _or(record.notice_required, default=True),
        "objection_window_days": record.objection_window_days or 0,
        "platforms": sorted(set(record.platforms or ())),
        "assessment": record.assessment,
        "assessment_expires": _instant(record.assessment_expires),
        "protects_depicted": _or(record.protects_depicted, default=True),
        "flags_past_use": _or(record.flags_past_use, default=True),
        "objection_absolute": _or(record.objection_absolute, default=False),
        "gate_flagged_bases": _or(record.gate_flagged_bases, default=True),
    }


def _instant(moment: datetime | None) -> Instant | None:
    return None if moment is None else from_datetime(moment)


def _or(value: bool | None, *, default: bool) -> bool:
    return default if value is None else value


def _conflict(what: str, field: str) -> ConflictError:
    return ConflictError(f"this version of the {what} is recorded with another {field}; the first stays", path=(field,))


_NOTICE_FIELDS = ("purpose", "channel", "published_at", "content_digest")


async def _judge_later(tx: Tx, lineage: Lineage, policies: Sequence[Policy]) -> None:
    """Have what rests on the policies judged again: members at the next authorisation, started runs after the commit.

    A rule touches everybody: nobody is judged in its own transaction.
    """
    if not policies:
        return
    await counts.mark_unjudged(tx, {policy.purpose for policy in policies})
    await violations.mark_unjudged(tx, lineage, policies)


async def record_notices(tx: Tx, service: Service, records: Sequence[NoticeText]) -> list[Outcome]:
    """Record versions of notices, also of those that were served before they were described."""
    keys: set[RuleKey] = {(record.key, record.version) for record in records}
    await upper.lock(tx)
    await facts_rules.lock_notices(tx, keys)
    known = await facts_rules.notices(tx, keys)
    new: dict[RuleKey, list[Any]] = {}
    outcomes: list[Outcome] = []
    for record in records:
        key = (record.key, record.version)
        said = [record.purpose, record.channel, from_datetime(record.published_at), record.content_digest]
        if key not in known:
            known[key] = new[key] = said
            outcomes.append(True)
            continue
        pairs = zip(_NOTICE_FIELDS, known[key], said, strict=True)
        differing = next((name for name, recorded, value in pairs if recorded != value), None)
        outcomes.append(False if differing is None else _conflict("notice", differing))
    if new:
        await facts_rules.describe_notices(tx, new, await upper.recording_time(tx))
        served = await facts_rules.served_purposes(tx, new)
        lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
        await _judge_later(
            tx, lineage, [each for each in lineage.policies if each.purpose in served and each.notice_required]
        )
    return outcomes
