"""Replays a scenario of `tests/scenarios.py` into the product, step by step, and asks it what the oracle is asked."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from consentline.domain.datasets import Coverage, Selection, VersionRef
from consentline.domain.eligibility import evaluate
from consentline.domain.errors import RefusedError
from consentline.domain.flags import FlagStatus
from consentline.domain.lineage import Kind, Lineage, Node
from consentline.domain.paging import PageRequest
from consentline.domain.posts import PostFacts
from consentline.domain.training import DerivationKind
from consentline.graph import flags as graph_flags
from consentline.graph import posts as graph_posts
from consentline.graph.session import Tx
from consentline.usecases import datasets, flags, objections, posts, training, usage
from consentline.usecases.ingest import ingest
from consentline.usecases.service import Service
from tests.oracle import ObjectionAnswer, OpenFlag, PostUsage, Step, Use, micros

ACCEPTED, UNCHANGED, REFUSED = "accepted", "unchanged", "refused"


async def apply(service: Service, step: Step) -> str:
    """Apply one step and tell what came of it in the oracle's words; repeated operations count as accepted."""
    if isinstance(step, Mapping):
        return (await apply_records(service, [step]))[0]
    name, given = step
    try:
        await OPERATIONS[name](service, given)
    except RefusedError:
        return REFUSED
    return ACCEPTED


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


async def _decide(service: Service, given: Mapping[str, Any]) -> None:
    await objections.decide_objection(
        service,
        given["key"],
        uphold=given["uphold"],
        grounds=given.get("grounds"),
        decided_at=_at(given, "decidedAt"),
    )


OPERATIONS = {
    "registerDatasetVersion": _register,
    "withdrawDatasetVersion": _withdraw_version,
    "recordTraining": _record_training,
    "deriveModelVersion": _derive,
    "serveFeature": _serve,
    "fileObjection": _file,
    "withdrawObjection": _withdraw,
    "decideObjection": _decide,
}


def _node(node: Node) -> tuple[Any, ...]:
    if node.kind is Kind.DATASET_VERSION:
        return (str(node.kind), node.key, node.number)
    return (str(node.kind), node.key)


async def post_usage(service: Service, post: str, known_at: int | None) -> PostUsage:
    """The product's answer in the oracle's form."""
    answer = await usage.post_usage(service, post, known_at)
    uses = [
        Use(
            model_version=use.model_version,
            relation=str(use.relation),
            training_run=use.training_run,
            dataset_version=tuple(use.dataset_version),
            used_at=use.used_at,
            path=tuple((str(edge.step), _node(edge.source), _node(edge.target)) for edge in use.path),
        )
        for use in answer.usage.uses
    ]
    return PostUsage(
        verdict=str(answer.usage.verdict),
        uses=sorted(uses, key=repr),
        held_in=[tuple(ref) for ref in answer.usage.held_in],
        undocumented=[tuple(ref) for ref in answer.usage.undocumented],
    )


async def reasons(service: Service, post: str, purpose: str, at: int | None, known_at: int) -> list[str] | None:
    """Why the post may not be used, asked as a client asks; None when nothing names it."""
    found = await posts.eligibility(service, post, purpose, at, known_at)
    return None if found is None else [str(reason) for reason in found.reasons]


class Evaluator:
    """Asks many questions about a few posts from one reading of their facts."""

    def __init__(self, lineage: Lineage, facts: Mapping[str, PostFacts]) -> None:
        self._lineage = lineage
        self._facts = facts

    @classmethod
    async def read(cls, service: Service, keys: Sequence[str]) -> "Evaluator":
        """Read everything that is recorded of the posts."""
        facts = await service.graph.read(lambda tx: graph_posts.facts(tx, keys))
        return cls(await service.lineage(), facts)

    def reasons(self, post: str, purpose: str, at: int, known_at: int) -> list[str]:
        """Why the post may not be used, by the product's rules on its own reading of the facts."""
        facts = self._facts.get(post) or PostFacts(post)
        found = evaluate(facts, self._lineage.policies, purpose=purpose, at=at, known_at=known_at)
        return [str(reason) for reason in found.reasons]


async def open_flags(service: Service) -> dict[str, OpenFlag]:
    """The open flags by model version, in the oracle's form."""
    found: dict[str, OpenFlag] = {}
    page = await flags.list_flags(service, FlagStatus.OPEN, None, PageRequest(first=100))
    for flag in page.items:

        async def causes(tx: Tx, uid: str = flag.uid) -> list[graph_flags.FlagCause]:
            return await graph_flags.causes_of(tx, uid, None)

        standing = await service.graph.read(causes)
        found[flag.model_version] = OpenFlag(
            causes={(cause.objection, str(cause.kind)): cause.posts for cause in standing},
            affected_posts=await flags.affected_post_count(service, flag, None),
            due_at=flag.due_at,
            raised_at=0,
        )
    return found


async def resolved_flags(service: Service) -> list[tuple[str, str, str | None]]:
    """Model version, resolution and justification of every resolved flag, sorted."""
    page = await flags.list_flags(service, FlagStatus.RESOLVED, None, PageRequest(first=100))
    return sorted((flag.model_version, str(flag.resolution), flag.justification) for flag in page.items)


async def objection(service: Service, key: str) -> ObjectionAnswer:
    """The objection as it stands, in the oracle's form."""
    found = await objections.find_objection(service, key)
    assert found is not None
    versions = await objections.possible_versions(service, found)
    return ObjectionAnswer(
        status=str(found.status),
        due_at=found.due_at,
        affected_post_count=await objections.affected_post_count(service, found),
        possible_versions=[tuple(version.ref) for version in versions],
    )


def moment(text: str | None) -> int | None:
    """The instant of a question; None stands for now."""
    return None if text is None else micros(text)
