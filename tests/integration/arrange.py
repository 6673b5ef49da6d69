"""Stories told to the product: keyword factories of records and of the use cases that tests need over and over."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from consentline.domain.datasets import Coverage, DatasetVersion, Selection, VersionRef
from consentline.domain.erasures import Erasure
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection
from consentline.domain.training import DerivationKind, ModelVersion, TrainingRun
from consentline.usecases import datasets, erasures, members, objections, training
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from tests.oracle import micros

AI = "AI_TRAINING"
PUBLISHED = "2024-01-01T00:00:00Z"
STARTED = micros("2025-01-01T00:00:00Z")
RECEIVED = micros("2026-03-03T10:00:00Z")


def ref(text: str) -> VersionRef:
    """A dataset version by "dataset:number"."""
    dataset, _, number = text.rpartition(":")
    return VersionRef(dataset, int(number))


def refs(*texts: str) -> tuple[VersionRef, ...]:
    return tuple(ref(text) for text in texts)


# ---- records --------------------------------------------------------------------------------------------------------


def post(key: str, author: str = "ana", **more: Any) -> dict[str, Any]:
    given = {"platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC", "published_at": PUBLISHED}
    return {"kind": "post", "key": key, "author": author} | given | more


def user(key: str = "ana", **more: Any) -> dict[str, Any]:
    return {"kind": "user", "key": key, "jurisdiction": "GB-ENG", "adult_from": "1990-01-01"} | more


def policy(**more: Any) -> dict[str, Any]:
    given = {"key": "gb", "version": 1, "jurisdiction": "GB", "purpose": AI, "lawful_basis": "LEGITIMATE_INTERESTS"}
    return {"kind": "policy", "effective_from": "2020-01-01T00:00:00Z"} | given | more


async def allow(service: Service, *people: str, **more: Any) -> None:
    """Nothing stands against the use of these people's posts: a policy without a notice, and adults whom it covers."""
    await record(service, policy(notice_required=False, assessment="dpia", **more), *(user(key) for key in people))


async def record(service: Service, *records: dict[str, Any]) -> None:
    """Ingest records of which none may be refused."""

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(each).encode() + b"\n" for each in records)

    await ingest(service, lines(), on_reject=lambda rejection: pytest.fail(rejection.message))


# ---- use cases ------------------------------------------------------------------------------------------------------


async def publish(service: Service, dataset: str, *posts: str, **more: Any) -> DatasetVersion:
    """The next version of a dataset, COMPLETE with these posts."""
    return await register(service, dataset, posts=posts, **more)


async def register(
    service: Service,
    dataset: str,
    coverage: Coverage = Coverage.COMPLETE,
    *,
    derived_from: Sequence[str] = (),
    **more: Any,
) -> DatasetVersion:
    command = datasets.RegisterVersion(dataset, coverage, derived_from=refs(*derived_from), **more)
    return await datasets.register_version(service, command)


async def declare(service: Service, dataset: str, *, derived_from: Sequence[str] = (), **criteria: Any) -> None:
    """The next version of a dataset, DECLARED with a selection of these criteria."""
    await register(service, dataset, Coverage.DECLARED, derived_from=derived_from, selection=Selection(**criteria))


async def add(service: Service, version: str, *posts: str) -> list[members.Outcome]:
    return await members.add_members(service, ref(version), posts)


async def remove(service: Service, version: str, *posts: str) -> list[members.Outcome]:
    return await members.remove_members(service, ref(version), posts)


async def seal(service: Service, version: str) -> bool:
    return await members.seal_version(service, ref(version))


async def withdraw_version(service: Service, version: str, reason: str = "a mistake") -> DatasetVersion:
    return await datasets.withdraw_version(service, ref(version), reason)


async def train(
    service: Service,
    run: str,
    *inputs: str,
    produced: str | None = None,
    started_at: Instant = STARTED,
    **more: Any,
) -> TrainingRun:
    """A run as it happened; without `produced` ("model:version") it failed."""
    model, version = (None, None) if produced is None else produced.rsplit(":", 1)
    command = training.RecordTraining(run, refs(*inputs), started_at, model=model, version=version, **more)
    return await training.record_training(service, command)


async def derive(service: Service, made: str, *bases: str, **more: Any) -> ModelVersion:
    model, version = made.rsplit(":", 1)
    kind = more.pop("kind", DerivationKind.FINE_TUNE)
    return await training.derive_model(service, training.DeriveModel(model, version, bases, kind, **more))


async def serve(service: Service, feature: str, model: str, since: Instant | None = None) -> ModelVersion:
    return await training.serve_feature(service, feature, model, since)


async def file(
    service: Service, key: str = "o", user: str = "ana", received_at: Instant = RECEIVED, **more: Any
) -> Objection:
    command = objections.FileObjection(key, user, received_at, **more)
    return (await objections.file_objection(service, command))[0]


async def decide(
    service: Service, key: str = "o", *, uphold: bool, grounds: str | None = None, decided_at: Instant | None = None
) -> Objection:
    return await objections.decide_objection(service, key, uphold=uphold, grounds=grounds, decided_at=decided_at)


async def ask_erasure(service: Service, key: str = "e", user: str = "ana", received_at: Instant = RECEIVED) -> Erasure:
    return await erasures.request_erasure(service, erasures.RequestErasure(key, user, received_at))


async def erase(service: Service, key: str = "e", user: str = "ana", received_at: Instant = RECEIVED) -> Erasure:
    """Ask for the erasure of a person, and carry it out."""
    await ask_erasure(service, key, user, received_at)
    return await erasures.confirm_erasure(service, key)
