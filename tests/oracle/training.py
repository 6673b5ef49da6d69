"""Runs that happened outside the gate, derivations, and what features serve."""

from tests.oracle.datasets import references
from tests.oracle.facts import ACCEPTED, ANY, UNCHANGED, NodeId, Record, Run, Serving
from tests.oracle.known import AsKnown
from tests.oracle.ledger import Ledger, refuse
from tests.oracle.times import micros, optional_micros


def record(ledger: Ledger, given: Record, now: int) -> str:
    produced = f"{given['model']}:{given['version']}" if "model" in given and "version" in given else None
    run = Run(
        key=given["run"],
        inputs=references(given["inputs"]),
        started_from=frozenset(given.get("startedFrom", ())),
        purpose=given.get("purpose"),
        gated=False,
        status="FAILED" if produced is None else "COMPLETED",
        started_at=micros(given["startedAt"]),
        start_recorded_at=now,
        ended_at=optional_micros(given.get("endedAt")),
        produced=produced,
        produced_recorded_at=None if produced is None else now,
    )
    known = ledger.runs.get(run.key)
    if known is not None and same_recording(known, run):
        return UNCHANGED
    inputs = [ledger.versions.get(each) for each in run.inputs]
    refuse(
        {
            "RUN_CONFLICT": known is not None,
            "INPUT_REQUIRED": not inputs,
            "VERSION_NOT_FOUND": None in inputs,
            "VERSION_BUILDING": any(version is not None and version.sealed_at is None for version in inputs),
            "MODEL_VERSION_NOT_FOUND": not run.started_from <= set(ledger.models),
            "MODEL_VERSION_EXISTS": produced in ledger.models,
            ANY: ("model" in given) != ("version" in given),
        }
    )
    ledger.runs[run.key] = run
    if produced is not None:
        ledger.models[produced] = now
    return ACCEPTED


def same_recording(one: Run, other: Run) -> bool:
    said = [
        (run.gated, run.inputs, run.started_from, run.purpose, run.started_at, run.ended_at, run.produced)
        for run in (one, other)
    ]
    return said[0] == said[1]


def derive(ledger: Ledger, given: Record, now: int) -> str:
    derived = f"{given['model']}:{given['version']}"
    bases = set(given["from"])
    cyclic = any(influences(ledger, ("MODEL_VERSION", derived), ("MODEL_VERSION", base)) for base in bases)
    refuse(
        {
            "BASE_REQUIRED": not bases,
            "MODEL_VERSION_NOT_FOUND": not bases <= set(ledger.models),
            "DERIVATION_CYCLE": cyclic,
        }
    )
    news = {(base, derived, given["kind"]) for base in bases} - set(ledger.derivations)
    if not news:
        return UNCHANGED
    ledger.models.setdefault(derived, now)
    for new in news:
        ledger.derivations[new] = now
    return ACCEPTED


def influences(ledger: Ledger, upstream: NodeId, downstream: NodeId) -> bool:
    """Whether the second can be reached from the first over any edges of influence, or is the first."""
    return downstream == upstream or downstream in AsKnown(ledger).downstream(upstream)


def serve(ledger: Ledger, given: Record, now: int) -> str:
    feature, model_version = given["feature"], given["modelVersion"]
    begins = optional_micros(given.get("from"))
    serving = Serving(feature, model_version, now if begins is None else begins, begins is not None)
    if serving in ledger.servings or (begins is None and serving_now(ledger, feature, now) == model_version):
        return UNCHANGED
    refuse(
        {
            "MODEL_VERSION_NOT_FOUND": model_version not in ledger.models,
            "MODEL_RETIRED": model_version in ledger.retired,
        }
    )
    ledger.servings.append(serving)
    return ACCEPTED


def serving_now(ledger: Ledger, feature: str, now: int) -> str | None:
    """The model version that took the feature over last."""
    begun = [each for each in ledger.servings if each.feature == feature and each.begins <= now]
    latest = max((each.begins for each in begun), default=None)
    return next((each.model_version for each in reversed(begun) if each.begins == latest), None)


def features_of(ledger: Ledger, model_version: str, now: int) -> set[str]:
    features = {each.feature for each in ledger.servings}
    return {feature for feature in features if serving_now(ledger, feature, now) == model_version}


OPERATIONS = {"recordTraining": record, "deriveModelVersion": derive, "serveFeature": serve}
