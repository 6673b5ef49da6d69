"""Objections: filed, extended, decided, withdrawn."""

from tests.oracle.facts import ACCEPTED, UNCHANGED, Filing, Objection, Record, Said
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, Refusal, refuse
from tests.oracle.times import due_at, extended_to, micros


def record(ledger: Ledger, record: Record, now: int) -> str:
    renamed = {"received_at": "receivedAt"}
    return file(ledger, {renamed.get(name, name): value for name, value in record.items()}, now)


def file(ledger: Ledger, given: Record, now: int) -> str:
    filing = Filing(
        user=given["user"],
        received_at=micros(given["receivedAt"]),
        purposes=frozenset(given.get("purposes", ["AI_TRAINING"])),
        platforms=frozenset(given.get("platforms", [])),
        channel=given.get("channel"),
    )
    key = given["key"]
    known = ledger.objections.get(key)
    refuse(
        {
            "PURPOSE_REQUIRED": not filing.purposes,
            "MISSING_FIELD": not filing.purposes,  # as a record
            "OBJECTION_CONFLICT": known is not None and known.filing != filing,
            "CONFLICT": known is not None and known.filing != filing,
            "ERASED": ledger.is_erased(filing.user),
        }
    )
    if known is not None:
        return UNCHANGED
    jurisdiction = AsKnown(ledger).jurisdiction(filing.user, filing.received_at)
    due = due_at(filing.received_at, jurisdiction, ledger.establishment)
    ledger.objections[key] = Objection(key, filing, now, jurisdiction, due)
    return ACCEPTED


def decide(ledger: Ledger, given: Record, now: int) -> str:
    objection = found(ledger, given)
    status = "UPHELD" if given["uphold"] else "REFUSED"
    decided_at = micros(given["decidedAt"]) if "decidedAt" in given else now
    decision = Said(given.get("grounds", ""), status, decided_at, now)
    refuse(
        {
            "OBJECTION_ALREADY_DECIDED": objection.withdrawn_at is not None or objection.decision is not None,
            "DECIDED_AT_OUT_OF_RANGE": not objection.filing.received_at <= decided_at <= now,
            "GROUNDS_REQUIRED": status == "REFUSED" and not given.get("grounds"),
            "OBJECTION_ABSOLUTE": status == "REFUSED" and is_absolute(ledger, objection),
        }
    )
    objection.decision = decision
    return ACCEPTED


def is_absolute(ledger: Ledger, objection: Objection) -> bool:
    """Art. 21(3): a policy that governs the person and a purpose of the objection lets none be refused."""
    known, filing = AsKnown(ledger), objection.filing
    jurisdiction = known.jurisdiction(filing.user, filing.received_at)
    policies = [known.policy(jurisdiction, purpose, filing.received_at) for purpose in filing.purposes]
    return any(policy is not None and policy.objection_absolute for policy in policies)


def extend(ledger: Ledger, given: Record, now: int) -> str:
    """Once, by two further months, before the first deadline, and with a reason (Art. 12(3))."""
    filed = ledger.objections.get(given["key"])
    refuse(
        {
            "REASON_REQUIRED": not given.get("reason"),
            "OBJECTION_NOT_FOUND": filed is None,
            "OBJECTION_ALREADY_DECIDED": filed is not None and (filed.withdrawn_at or filed.decision) is not None,
            "OBJECTION_ALREADY_EXTENDED": filed is not None and filed.extended_to is not None,
            "DEADLINE_PASSED": filed is not None and now > filed.due_at,
        }
    )
    objection = found(ledger, given)
    received_at = objection.filing.received_at
    objection.extended_to = extended_to(received_at, objection.jurisdiction, ledger.establishment)
    return ACCEPTED


def withdraw(ledger: Ledger, given: Record, now: int) -> str:
    objection = found(ledger, given)
    refuse({"OBJECTION_ALREADY_DECIDED": objection.decision is not None or objection.withdrawn_at is not None})
    objection.withdrawn_at = now
    return ACCEPTED


def found(ledger: Ledger, given: Record) -> Objection:
    if given["key"] not in ledger.objections:
        raise Refusal("OBJECTION_NOT_FOUND")
    return ledger.objections[given["key"]]


OPERATIONS = {
    "fileObjection": file,
    "decideObjection": decide,
    "extendObjection": extend,
    "withdrawObjection": withdraw,
}
