"""Short ways to write the stories that the oracle is asked about: each gives a step, with defaults that make it fit."""

from collections.abc import Sequence
from typing import Any

from tests.oracle import ACCEPTED, REFUSED, Oracle, Step, micros

RECORDING = micros("2026-11-23T09:00:00Z")  # the first step; each further one comes a second later
SECOND = 1_000_000
JAN, FEB, MAR, APR = (f"2024-{month:02}-01T00:00:00Z" for month in (1, 2, 3, 4))
LATER = micros("2026-01-01T00:00:00Z")
AI = "AI_TRAINING"
MID_FEB = "2024-02-15T00:00:00Z"


def told(*steps: Step) -> Oracle:
    oracle = Oracle()
    for number, step in enumerate(steps):
        assert oracle.apply(step, after(number)) == ACCEPTED, step
    return oracle


def after(number: int) -> int:
    """When the step of that number was recorded."""
    return RECORDING + number * SECOND


def user(key: str = "ana", **fields: Any) -> Step:
    return {"kind": "user", "key": key, "jurisdiction": "GB", "adult_from": "1990-01-01"} | fields


def post(key: str = "p1", author: str = "ana", published_at: str = JAN, **fields: Any) -> Step:
    given = {"platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC", "published_at": published_at}
    return {"kind": "post", "key": key, "author": author} | given | fields


def policy(jurisdiction: str = "GB", **fields: Any) -> Step:
    given = {"kind": "policy", "key": "the-policy", "version": 1, "jurisdiction": jurisdiction, "purpose": AI}
    basis = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia-1", "notice_required": False}
    return given | basis | {"effective_from": "2020-01-01T00:00:00Z"} | fields


LAWFUL = (user(), policy())  # posts of ana may be used for AI_TRAINING


def notice(purpose: str = AI) -> Step:
    return {"kind": "notice", "key": "n", "version": 1, "purpose": purpose, "channel": "in-app", "published_at": JAN}


def served(served_at: str, who: str = "ana") -> Step:
    return {"kind": "notice_served", "user": who, "notice": "n", "version": 1, "served_at": served_at}


def consent(status: str, valid_from: str, purpose: str = AI) -> Step:
    return {"kind": "consent", "user": "ana", "purpose": purpose, "status": status, "valid_from": valid_from}


def visibility(value: str, valid_from: str, key: str = "p1") -> Step:
    return {"kind": "visibility", "post": key, "visibility": value, "valid_from": valid_from}


def correction(author: str, key: str = "p1", reason: str = "mistake") -> Step:
    return {"kind": "post_author", "post": key, "author": author, "reason": reason}


def deletion(valid_from: str, key: str = "p1") -> Step:
    return {"kind": "post_deleted", "post": key, "valid_from": valid_from}


def version(dataset: str = "d", posts: Sequence[str] | None = None, coverage: str = "COMPLETE", **fields: Any) -> Step:
    members = {} if posts is None else {"posts": list(posts)}
    return ("registerDatasetVersion", {"dataset": dataset, "coverage": coverage} | members | fields)


def declared(dataset: str = "d", derived_from: Sequence[tuple[str, int]] = (), **selection: Any) -> Step:
    given = {"declaredSelection": selection, "derivedFrom": references(*derived_from)}
    return version(dataset, coverage="DECLARED", **given)


def references(*versions: tuple[str, int]) -> list[dict[str, Any]]:
    return [{"dataset": dataset, "number": number} for dataset, number in versions]


def member(key: str, number: int = 1, kind: str = "member") -> Step:
    return {"kind": kind, "dataset": "d", "version": number, "post": key}


def seal(number: int = 1) -> Step:
    return {"kind": "seal", "dataset": "d", "version": number}


def run(
    key: str = "r1", model: str | None = "m:1", inputs: Sequence[tuple[str, int]] = (("d", 1),), **fields: Any
) -> Step:
    produced = {} if model is None else dict(zip(("model", "version"), model.split(":"), strict=True))
    given = {"run": key, "inputs": references(*inputs), "startedAt": FEB}
    return ("recordTraining", given | produced | fields)


def authorize(key: str = "g1", inputs: Sequence[tuple[str, int]] = (("d", 1),), **fields: Any) -> Step:
    return ("authorizeTraining", {"run": key, "inputs": references(*inputs)} | fields)


def start(key: str = "g1", **fields: Any) -> Step:
    return ("startTraining", {"run": key} | fields)


def complete(key: str = "g1", model: str = "g:1", **fields: Any) -> Step:
    return ("completeTraining", {"run": key} | dict(zip(("model", "version"), model.split(":"), strict=True)) | fields)


def fail(key: str = "g1", reason: str = "out of memory", **fields: Any) -> Step:
    return ("failTraining", {"run": key, "reason": reason} | fields)


def cancel(key: str = "g1") -> Step:
    return ("cancelTraining", {"run": key})


def build(dataset: str = "b", **fields: Any) -> Step:
    return ("buildDatasetVersion", {"dataset": dataset} | fields)


def withdraw_version(dataset: str = "d", number: int = 1) -> Step:
    return ("withdrawDatasetVersion", {"dataset": dataset, "number": number, "reason": "licence"})


def derive(model: str, *bases: str) -> Step:
    name, number = model.split(":")
    return ("deriveModelVersion", {"model": name, "version": number, "from": list(bases), "kind": "FINE_TUNE"})


def objection(key: str = "o1", who: str = "ana", received_at: str = MAR, **fields: Any) -> Step:
    return ("fileObjection", {"key": key, "user": who, "receivedAt": received_at} | fields)


def decision(uphold: bool, decided_at: str = APR, key: str = "o1", **fields: Any) -> Step:
    return ("decideObjection", {"key": key, "uphold": uphold, "decidedAt": decided_at, "grounds": "safety"} | fields)


def extension(key: str = "o1", reason: str = "many at once") -> Step:
    return ("extendObjection", {"key": key, "reason": reason})


def withdrawal(key: str = "o1") -> Step:
    return ("withdrawObjection", {"key": key})


def erasure(key: str = "e1", who: str = "ana", received_at: str = "2026-11-20T10:00:00Z") -> Step:
    return ("requestErasure", {"key": key, "user": who, "receivedAt": received_at})


def confirmation(key: str = "e1") -> Step:
    return ("confirmErasure", {"key": key})


def rejection(key: str = "e1", decided_at: str = "2026-11-22T10:00:00Z", **fields: Any) -> Step:
    return ("rejectErasure", {"key": key, "grounds": "not identified", "decidedAt": decided_at} | fields)


def acknowledged(model_version: str = "m:1") -> Step:
    return ("acknowledgeFlag", {"modelVersion": model_version})


def planned(planned_for: str, model_version: str = "m:1") -> Step:
    return ("scheduleRetraining", {"modelVersion": model_version, "plannedFor": planned_for})


def resolution(resolution: str, model_version: str = "m:1", **fields: Any) -> Step:
    return ("resolveFlag", {"modelVersion": model_version, "resolution": resolution} | fields)


NEEDLESS = resolution("NOT_REQUIRED", justification="a research model that nobody uses")


def serving(model_version: str = "m:1", feature: str = "feed", **fields: Any) -> Step:
    return ("serveFeature", {"feature": feature, "modelVersion": model_version} | fields)


def relations(oracle: Oracle, key: str = "p1") -> dict[str | None, str]:
    return {use.model_version: use.relation for use in oracle.post_usage(key).uses}


def reasons(*steps: Step, at: str = "2025-01-01T00:00:00Z", key: str = "p1", purpose: str = AI) -> list[str]:
    return told(*steps).eligibility(key, purpose, micros(at)).reasons


def causes(oracle: Oracle) -> dict[str, dict[tuple[str, str], int]]:
    """What stands against each model version; violations are asked for apart."""
    found: dict[str, dict[tuple[str, str], int]] = {}
    for model_version, flag in oracle.flags().items():
        for (key, kind), posts in flag.causes.items():
            if kind != "VIOLATION":
                found.setdefault(model_version, {})[(key, kind)] = posts
    return found


def violations(oracle: Oracle) -> dict[str, dict[str, int]]:
    """For each model version the runs that violated, with the posts that they could not use."""
    found: dict[str, dict[str, int]] = {}
    for model_version, flag in oracle.flags().items():
        for (key, kind), posts in flag.causes.items():
            if kind == "VIOLATION":
                found.setdefault(model_version, {})[key] = posts
    return found


def refused(oracle: Oracle, step: Step, at: int) -> set[str]:
    """The codes with which the step is refused."""
    assert oracle.apply(step, at) == REFUSED, step
    return set(oracle.codes)
