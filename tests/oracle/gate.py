"""The gate: runs are authorised, started, and end as completed, failed or cancelled."""

from tests.oracle.datasets import references
from tests.oracle.facts import ACCEPTED, ANY, REFUSED, UNCHANGED, Record, Run
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal, refuse
from tests.oracle.times import DAY, micros


def authorize(ledger: Ledger, given: Record, now: int) -> str:
    key, inputs = given["run"], references(given["inputs"])
    started_from, purpose = frozenset(given.get("startedFrom", ())), given.get("purpose", "AI_TRAINING")
    recorded = ledger.runs.get(key)
    refuse(
        {
            "INPUT_REQUIRED": not inputs,
            "VERSION_NOT_FOUND": not inputs <= set(ledger.versions),
            "MODEL_VERSION_NOT_FOUND": not started_from <= set(ledger.models),
            "RUN_CONFLICT": recorded is not None
            and (recorded.inputs, recorded.started_from, recorded.purpose) != (inputs, started_from, purpose),
        }
    )
    if recorded is not None and recorded.status != "AUTHORIZED":
        return UNCHANGED
    known = AsKnown(ledger)
    refuse({"BASE_FLAGGED": known.flagged_bases(started_from, purpose, now)})
    ledger.refusals = tuple(known.refusals(inputs, purpose, now))
    if ledger.refusals:
        return REFUSED
    if recorded is not None:
        return UNCHANGED
    ledger.runs[key] = Run(key, inputs, started_from, purpose, gated=True, status="AUTHORIZED", authorized_at=now)
    return ACCEPTED


def start(ledger: Ledger, given: Record, now: int) -> str:
    run = found(ledger, given)
    started_at = micros(given["startedAt"]) if "startedAt" in given else now
    if run.status == "RUNNING" and ("startedAt" not in given or run.started_at == started_at):
        return UNCHANGED
    needs_state(run, "AUTHORIZED")
    known, purpose = AsKnown(ledger), run.purpose or "AI_TRAINING"
    versions = [ledger.versions[each] for each in run.inputs]
    refuse(
        {
            "STARTED_AT_OUT_OF_RANGE": not (run.authorized_at or 0) <= started_at <= now,
            "VERSION_WITHDRAWN": any(version.withdrawn_at is not None for version in versions),
            "INELIGIBLE_MEMBERS": any(known.ineligible(version.members, purpose, now) for version in versions),
            "BASE_FLAGGED": known.flagged_bases(run.started_from, purpose, now)
            or any(known.flagged_generators(each, purpose, now) for each in run.inputs),
        }
    )
    run.status, run.started_at, run.start_recorded_at = "RUNNING", started_at, now
    return ACCEPTED


def complete(ledger: Ledger, given: Record, now: int) -> str:
    run, produced = found(ledger, given), f"{given['model']}:{given['version']}"
    if run.status == "COMPLETED" and run.produced == produced:
        return UNCHANGED
    needs_state(run, "RUNNING")
    ended_at = end_of(run, given, now)
    refuse({"MODEL_VERSION_EXISTS": produced in ledger.models})
    run.status, run.ended_at, run.produced, run.produced_recorded_at = "COMPLETED", ended_at, produced, now
    ledger.models[produced] = now
    return ACCEPTED


def fail(ledger: Ledger, given: Record, now: int) -> str:
    recorded = ledger.runs.get(given["run"])
    refuse(
        {
            "REASON_REQUIRED": not given.get("reason"),
            "RUN_NOT_FOUND": recorded is None,
            "RUN_WRONG_STATE": recorded is not None and recorded.status not in ("RUNNING", "FAILED"),
        }
    )
    run = found(ledger, given)
    if run.status == "FAILED":
        return UNCHANGED
    run.status, run.ended_at = "FAILED", end_of(run, given, now)
    return ACCEPTED


def cancel(ledger: Ledger, given: Record, now: int) -> str:
    run = found(ledger, given)
    if run.status == "CANCELLED":
        return UNCHANGED
    needs_state(run, "AUTHORIZED")
    run.status = "CANCELLED"
    return ACCEPTED


def found(ledger: Ledger, given: Record) -> Run:
    if given["run"] not in ledger.runs:
        raise Refusal("RUN_NOT_FOUND")
    return ledger.runs[given["run"]]


def needs_state(run: Run, status: str) -> None:
    refuse({"RUN_WRONG_STATE": run.status != status})


def end_of(run: Run, given: Record, now: int) -> int:
    """Not before the start, and at most a day ahead of the clock; the rules give the refusal no code."""
    ended_at = micros(given["endedAt"]) if "endedAt" in given else now
    refuse({ANY: ended_at < (run.started_at or 0) or ended_at > now + DAY})
    return ended_at


OPERATIONS = {
    "authorizeTraining": authorize,
    "startTraining": start,
    "completeTraining": complete,
    "failTraining": fail,
    "cancelTraining": cancel,
}
