"""The life of a retraining flag: raised and joined by causes, taken up, planned, resolved."""

from tests.oracle.facts import ACCEPTED, ANY, UNCHANGED, CauseId, Flag, Record
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal, refuse
from tests.oracle.times import due_at, micros
from tests.oracle.training import features_of

Demanded = dict[str, dict[CauseId, set[str]]]


def follow(ledger: Ledger, now: int) -> None:
    """Bring the flags to what the facts of this moment demand; those left without a cause are resolved."""
    demanded = AsKnown(ledger).demanded_flags(now)
    forget_what_changed(ledger, demanded, now)
    for model_version in sorted({*demanded, *ledger.open_flags()}):
        causes = {
            cause: frozenset(posts)
            for cause, posts in demanded.get(model_version, {}).items()
            if (model_version, cause) not in ledger.answered
        }
        flag = ledger.open_flag(model_version)
        if flag is not None and not causes:
            flag.causes = {}
            end(flag, "NOT_REQUIRED", "causes withdrawn", now)
        elif causes:
            due = min(cause_due_at(ledger, model_version, cause) for cause in causes)
            if flag is None:
                raised = ledger.flags_raised.setdefault(model_version, [])
                flag = Flag(model_version, len(raised), now, causes, due)
                raised.append(flag)
            flag.causes, flag.due_at = causes, due


def forget_what_changed(ledger: Ledger, demanded: Demanded, now: int) -> None:
    """A cause that an earlier resolution answered is a new one once it has more posts, or comes back."""
    standing = {
        (model_version, cause): len(posts) for model_version, each in demanded.items() for cause, posts in each.items()
    }
    for cause, fewest in list(ledger.answered.items()):
        if cause not in standing:
            del ledger.answered[cause]
        elif standing[cause] > fewest:
            del ledger.answered[cause]
            del ledger.standing[cause]
        else:
            ledger.answered[cause] = standing[cause]
    ledger.standing = {cause: ledger.standing.get(cause, now) for cause in standing}


def cause_due_at(ledger: Ledger, model_version: str, cause: CauseId) -> int:
    """A cause without a statutory period is due one month after it was recorded."""
    key, kind = cause
    if (model_version, cause) in ledger.frozen:
        return ledger.frozen[(model_version, cause)].due_at
    if kind in ("OBJECTION", "THIRD_PARTY_OBJECTED") and key in ledger.objections:
        return ledger.objections[key].deadline
    if kind in ("ERASURE", "THIRD_PARTY_OBJECTED"):
        return ledger.erasures[key].due_at
    return due_at(ledger.standing[(model_version, cause)], None, ledger.establishment)


def end(flag: Flag, resolution: str, justification: str | None, now: int) -> None:
    flag.status, flag.resolution, flag.justification, flag.resolved_at = "RESOLVED", resolution, justification, now


# ---- what people do about a flag; a step names the last one of a model version --------------------------------------


def acknowledge(ledger: Ledger, given: Record, now: int) -> str:
    flag = found(ledger, given)
    if flag.status == "ACKNOWLEDGED":
        return UNCHANGED
    refuse({"FLAG_WRONG_STATE": flag.status != "OPEN"})
    flag.status = "ACKNOWLEDGED"
    return ACCEPTED


def schedule(ledger: Ledger, given: Record, now: int) -> str:
    flag, planned_for = found(ledger, given), micros(given["plannedFor"])
    refuse({"FLAG_WRONG_STATE": flag.status == "RESOLVED", ANY: planned_for < now})
    if flag.planned_for == planned_for:
        return UNCHANGED
    flag.status, flag.planned_for = "SCHEDULED", planned_for
    return ACCEPTED


def resolve(ledger: Ledger, given: Record, now: int) -> str:
    flag, resolution = found(ledger, given), given["resolution"]
    replacement, justification = given.get("replacement"), given.get("justification", "").strip() or None
    refuse({"FLAG_WRONG_STATE": flag.status == "RESOLVED"})
    if resolution == "RETRAINED":
        needs_remedy(ledger, flag, replacement)
    refuse(
        {
            "MODEL_IN_SERVICE": resolution == "RETIRED" and features_of(ledger, flag.model_version, now),
            "JUSTIFICATION_REQUIRED": resolution == "NOT_REQUIRED" and justification is None,
        }
    )
    if resolution == "RETIRED":
        ledger.retired.add(flag.model_version)
    if resolution == "RETRAINED":
        flag.replacement = replacement
    for cause, posts in flag.causes.items():
        ledger.answered[(flag.model_version, cause)] = len(posts)
    end(flag, resolution, justification, now)
    return ACCEPTED


def needs_remedy(ledger: Ledger, flag: Flag, replacement: str | None) -> None:
    """A replacement whose own upstream did not use any affected post and rules them all out."""
    refuse(
        {
            "REPLACEMENT_REQUIRED": replacement is None or replacement == flag.model_version,
            "MODEL_VERSION_NOT_FOUND": replacement is not None and replacement not in ledger.models,
        }
    )
    known = AsKnown(ledger)
    offences = {post: known.offence(str(replacement), post) for post in flag.affected_posts}
    ledger.offending = {post: offence for post, offence in offences.items() if offence is not None}
    refuse({"REPLACEMENT_NOT_CLEAN": ledger.offending})


def found(ledger: Ledger, given: Record) -> Flag:
    raised = ledger.flags_raised.get(given["modelVersion"])
    if not raised:
        raise Refusal("FLAG_NOT_FOUND")
    return raised[-1]


OPERATIONS = {"acknowledgeFlag": acknowledge, "scheduleRetraining": schedule, "resolveFlag": resolve}
