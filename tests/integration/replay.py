"""Replays a scenario of `tests/scenarios` into the product, step by step, and tells what came of each."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.errors import RefusedError
from consentline.domain.flags import FlagResolution
from consentline.domain.paging import PageRequest
from consentline.domain.training import DerivationKind
from consentline.usecases import builds, datasets, erasures, flags, gate, objections, training
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from tests.oracle import ACCEPTED, REFUSED, UNCHANGED, Step, micros
from tests.scenarios import AT_AUTHORISATION


@dataclass(frozen=True)
class Applied:
    """What came of a step in the oracle's words; repeated operations count as accepted."""

    outcome: str
    code: str | None = None
    refusals: frozenset[Any] = frozenset()  # of an authorisation
    started_at: int | None = None  # of a start
    excluded: Mapping[str, int] = field(default_factory=dict)  # of a build
    post_count: int | None = None
    affected: int | None = None  # of a request for erasure: the posts that it concerns
    message: str = ""  # of a refusal


async def apply(service: Service, step: Step) -> Applied:
    """Apply one step."""
    if isinstance(step, Mapping):
        return Applied((await apply_records(service, [step]))[0])
    name, given = step
    try:
        return await OPERATIONS[name](service, given) or Applied(ACCEPTED)
    except RefusedError as error:
        return Applied(REFUSED, error.code, message=str(error))


async def apply_records(service: Service, records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Ingest records through the front door; the outcome of one, or of several only whether each was refused."""

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(record).encode() + b"\n" for record in records)

    rejected: set[int] = set()
    summary = await ingest(service, lines(), on_reject=lambda rejection: rejected.add(rejection.line))
    if len(records) == 1:
        return [REFUSED if rejected else ACCEPTED if summary.accepted else UNCHANGED]
    return [REFUSED if number in rejected else "taken" for number in range(1, len(records) + 1)]


def _at(given: Mapping[str, Any], name: str) -> int | None:
    return None if given.get(name) is None else micros(given[name])


def _refs(given: Mapping[str, Any], name: str) -> tuple[VersionRef, ...]:
    return tuple(VersionRef(ref["dataset"], ref["number"]) for ref in given.get(name) or ())


def _selection(declared: Mapping[str, Any] | None) -> Selection | None:
    if declared is None:
        return None
    return Selection(
        jurisdictions=tuple(declared.get("jurisdictions") or ()),
        platforms=tuple(declared.get("platforms") or ()),
        published_from=_at(declared, "publishedFrom"),
        published_before=_at(declared, "publishedBefore"),
    )


async def _register(service: Service, given: Mapping[str, Any]) -> None:
    command = datasets.RegisterVersion(
        dataset=given["dataset"],
        number=given.get("number"),
        title=given.get("title"),
        coverage=Coverage(given["coverage"]),
        posts=None if given.get("posts") is None else tuple(given["posts"]),
        selection=_selection(given.get("declaredSelection")),
        based_on=given.get("basedOn"),
        derived_from=_refs(given, "derivedFrom"),
        generated_by=tuple(given.get("generatedBy") or ()),
    )
    await datasets.register_version(service, command)


async def _withdraw_version(service: Service, given: Mapping[str, Any]) -> None:
    await datasets.withdraw_version(service, VersionRef(given["dataset"], given["number"]), given["reason"])


async def _record_training(service: Service, given: Mapping[str, Any]) -> None:
    command = training.RecordTraining(
        run=given["run"],
        inputs=_refs(given, "inputs"),
        started_from=tuple(given.get("startedFrom") or ()),
        started_at=micros(given["startedAt"]),
        ended_at=_at(given, "endedAt"),
        purpose=given.get("purpose"),
        model=given.get("model"),
        version=given.get("version"),
    )
    await training.record_training(service, command)


async def _derive(service: Service, given: Mapping[str, Any]) -> None:
    command = training.DeriveModel(
        given["model"], given["version"], tuple(given["from"]), DerivationKind(given["kind"]), _at(given, "at")
    )
    await training.derive_model(service, command)


async def _serve(service: Service, given: Mapping[str, Any]) -> None:
    await training.serve_feature(service, given["feature"], given["modelVersion"], _at(given, "from"))


async def _file(service: Service, given: Mapping[str, Any]) -> None:
    command = objections.FileObjection(
        key=given["key"],
        user=given["user"],
        received_at=micros(given["receivedAt"]),
        purposes=tuple(given.get("purposes", ("AI_TRAINING",))),
        platforms=tuple(given.get("platforms") or ()),
        channel=given.get("channel"),
    )
    await objections.file_objection(service, command)


async def _withdraw(service: Service, given: Mapping[str, Any]) -> None:
    await objections.withdraw_objection(service, given["key"])


async def _extend(service: Service, given: Mapping[str, Any]) -> None:
    await objections.extend_objection(service, given["key"], given["reason"])


async def _decide(service: Service, given: Mapping[str, Any]) -> None:
    await objections.decide_objection(
        service,
        given["key"],
        uphold=given["uphold"],
        grounds=given.get("grounds"),
        decided_at=_at(given, "decidedAt"),
    )


async def _build(service: Service, given: Mapping[str, Any]) -> Applied:
    command = builds.BuildVersion(
        dataset=given["dataset"],
        title=given.get("title"),
        purpose=given.get("purpose", "AI_TRAINING"),
        selection=_selection(given.get("selection")),
        as_of=_at(given, "asOf"),
    )
    built = await builds.build(service, command)
    excluded = {str(reason): count for reason, count in built.excluded.items()}
    return Applied(ACCEPTED, excluded=excluded, post_count=built.version.post_count)


async def _authorize(service: Service, given: Mapping[str, Any]) -> Applied:
    command = gate.AuthorizeTraining(
        run=given["run"],
        inputs=_refs(given, "inputs"),
        started_from=tuple(given.get("startedFrom") or ()),
        purpose=given.get("purpose", "AI_TRAINING"),
    )
    answer = await gate.authorize(service, command)
    assert (answer.run is None) == bool(answer.refusals)
    refusals = frozenset(
        (tuple(each.version), None if each.reason is None else str(each.reason), each.count, tuple(each.sample_posts))
        for each in answer.refusals
    )
    return Applied(REFUSED if refusals else ACCEPTED, refusals=refusals)


async def _start(service: Service, given: Mapping[str, Any]) -> Applied:
    started_at = None
    if given.get("startedAt") == AT_AUTHORISATION:
        run = (await service.lineage()).runs.get(given["run"])
        started_at = None if run is None else run.authorized_at
    else:
        started_at = _at(given, "startedAt")
    return Applied(ACCEPTED, started_at=(await gate.start(service, given["run"], started_at)).started_at)


async def _complete(service: Service, given: Mapping[str, Any]) -> None:
    command = gate.CompleteTraining(given["run"], given["model"], given["version"], _at(given, "endedAt"))
    await gate.complete(service, command)


async def _fail(service: Service, given: Mapping[str, Any]) -> None:
    await gate.fail(service, given["run"], _at(given, "endedAt"), given["reason"])


async def _cancel(service: Service, given: Mapping[str, Any]) -> None:
    await gate.cancel(service, given["run"])


async def _flag(service: Service, given: Mapping[str, Any]) -> str:
    """The last flag of the model version; an id that nothing has when there is none."""
    page = await flags.list_flags(service, None, given["modelVersion"], PageRequest(first=100))
    last = max(page.items, key=lambda flag: flag.raised_at, default=None)
    return "none" if last is None else last.uid


async def _acknowledge(service: Service, given: Mapping[str, Any]) -> None:
    await flags.acknowledge(service, await _flag(service, given))


async def _schedule(service: Service, given: Mapping[str, Any]) -> None:
    await flags.schedule(service, await _flag(service, given), micros(given["plannedFor"]))


async def _resolve(service: Service, given: Mapping[str, Any]) -> None:
    await flags.resolve(
        service,
        await _flag(service, given),
        FlagResolution(given["resolution"]),
        replacement=given.get("replacement"),
        justification=given.get("justification"),
    )


async def _request_erasure(service: Service, given: Mapping[str, Any]) -> Applied:
    command = erasures.RequestErasure(given["key"], given["user"], micros(given["receivedAt"]))
    erasure = await erasures.request_erasure(service, command)
    return Applied(ACCEPTED, affected=await erasures.affected_post_count(service, erasure))


async def _confirm_erasure(service: Service, given: Mapping[str, Any]) -> None:
    await erasures.confirm_erasure(service, given["key"])


async def _reject_erasure(service: Service, given: Mapping[str, Any]) -> None:
    decided_at = _at(given, "decidedAt")
    await erasures.reject_erasure(service, given["key"], grounds=given.get("grounds") or "", decided_at=decided_at)


OPERATIONS = {
    "registerDatasetVersion": _register,
    "withdrawDatasetVersion": _withdraw_version,
    "recordTraining": _record_training,
    "deriveModelVersion": _derive,
    "serveFeature": _serve,
    "fileObjection": _file,
    "withdrawObjection": _withdraw,
    "decideObjection": _decide,
    "extendObjection": _extend,
    "buildDatasetVersion": _build,
    "authorizeTraining": _authorize,
    "startTraining": _start,
    "completeTraining": _complete,
    "failTraining": _fail,
    "cancelTraining": _cancel,
    "acknowledgeFlag": _acknowledge,
    "scheduleRetraining": _schedule,
    "resolveFlag": _resolve,
    "requestErasure": _request_erasure,
    "confirmErasure": _confirm_erasure,
    "rejectErasure": _reject_erasure,
}
