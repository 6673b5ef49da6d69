"""Keyword factories of the domain's values, so that a test says only what it is about.

What they make without being told otherwise was recorded at `RECORDED`, and a `post` by an adult of GB under a `policy`
that demands nothing more may be used.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import Any, TypeVar

from consentline.domain.consent import Consent, ConsentFact, ServedNotice
from consentline.domain.datasets import Coverage, DatasetVersion, Selection, VersionRef, VersionStatus
from consentline.domain.erasures import ErasureFacts, ErasureStatus, ErasureTransition
from consentline.domain.instants import ALWAYS, Instant, from_datetime
from consentline.domain.lineage import Kind, Lineage, Node
from consentline.domain.objections import Objection, ObjectionFacts, ObjectionStatus, Transition
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.policies import LawfulBasis, Policy
from consentline.domain.posts import Description, Link, PostFacts, PostKind, Visibility
from consentline.domain.training import (
    Derivation,
    DerivationKind,
    ModelStatus,
    ModelVersion,
    RunStatus,
    Serving,
    TrainingRun,
)

T = TypeVar("T")

AI = "AI_TRAINING"


def at(text: str) -> Instant:
    """The instant of a time or of a day's beginning; UTC where it names no offset."""
    moment = datetime.fromisoformat(text)
    return from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


PUBLISHED = at("2024-01-01")
RECORDED = at("2025-01-01")
NOW = at("2026-01-01")


# ---- people and posts -----------------------------------------------------------------------------------------------


def dated(value: T, since: Instant = ALWAYS, recorded: Instant = RECORDED) -> Dated[T]:
    return Dated(value, since, recorded)


def person(
    key: str = "ana",
    *,
    jurisdiction: str | None = "GB",
    adult_from: date | None = date(2000, 1, 1),
    objections: Sequence[ObjectionFacts] = (),
    erasures: Sequence[ErasureFacts] = (),
    notices: Sequence[ServedNotice] = (),
    consents: Sequence[ConsentFact] = (),
) -> PersonFacts:
    return PersonFacts(
        key=key,
        jurisdictions=(dated(jurisdiction),),
        adult_from=(dated(adult_from),),
        objections=tuple(objections),
        erasures=tuple(erasures),
        notices=tuple(notices),
        consents=tuple(consents),
    )


def post(
    key: str = "p",
    *,
    author: PersonFacts | None = None,
    depicts: Sequence[PersonFacts] = (),
    platform: str = "FACEBOOK",
    kind: PostKind = PostKind.POST,
    visibility: Visibility = Visibility.PUBLIC,
    published: Instant = PUBLISHED,
    recorded: Instant = RECORDED,
    **facts: Any,
) -> PostFacts:
    return PostFacts(
        key=key,
        description=Description(platform, kind, published, visibility, recorded),
        authors=(Link(author or person(), recorded),),
        depicted=tuple(Link(each, recorded) for each in depicts),
        **facts,
    )


def objection(
    *transitions: Transition,
    purposes: Sequence[str] = (AI,),
    platforms: Sequence[str] = (),
    received: Instant = PUBLISHED,
    recorded: Instant = RECORDED,
) -> ObjectionFacts:
    return ObjectionFacts("objection", tuple(purposes), tuple(platforms), received, recorded, transitions)


def became(status: ObjectionStatus, since: Instant = PUBLISHED, recorded: Instant = RECORDED) -> Transition:
    return Transition(status, since, recorded)


def erasure(
    *transitions: ErasureTransition, received: Instant = PUBLISHED, recorded: Instant = RECORDED
) -> ErasureFacts:
    return ErasureFacts(received, recorded, transitions)


def turned(status: ErasureStatus, since: Instant = PUBLISHED, recorded: Instant = RECORDED) -> ErasureTransition:
    return ErasureTransition(status, since, recorded)


def filed(
    key: str = "objection",
    user: str = "ana",
    *,
    status: ObjectionStatus = ObjectionStatus.PENDING,
    purposes: Sequence[str] = (AI,),
    platforms: Sequence[str] = (),
    received: Instant = PUBLISHED,
    due: Instant = NOW,
    extended_to: Instant | None = None,
) -> Objection:
    return Objection(
        key=key,
        user=user,
        status=status,
        purposes=tuple(purposes),
        platforms=tuple(platforms),
        channel=None,
        received_at=received,
        recorded_at=RECORDED,
        due_at=due,
        extended_to=extended_to,
        decided_at=None,
        grounds=None,
    )


def served(since: Instant = PUBLISHED, purpose: str = AI, recorded: Instant = RECORDED) -> ServedNotice:
    return ServedNotice(purpose, since, recorded)


def said(status: Consent, since: Instant = PUBLISHED, purpose: str = AI, recorded: Instant = RECORDED) -> ConsentFact:
    return ConsentFact(purpose, status, since, recorded)


def policy(key: str = "gb", version: int = 1, jurisdiction: str = "GB", **fields: Any) -> Policy:
    given = {
        "purpose": AI,
        "lawful_basis": LawfulBasis.LEGITIMATE_INTERESTS,
        "effective_from": at("2020-01-01"),
        "recorded_at": RECORDED,
        "notice_required": False,
        "assessment": "dpia-1",
    }
    return Policy(key, version, jurisdiction, **(given | fields))


# ---- the upper graph ------------------------------------------------------------------------------------------------


def ref(text: str) -> VersionRef:
    dataset, _, number = text.rpartition(":")
    return VersionRef(dataset, int(number))


def refs(*texts: str) -> list[VersionRef]:
    return [ref(text) for text in texts]


def version(
    name: str = "d:1",
    coverage: Coverage = Coverage.COMPLETE,
    *,
    status: VersionStatus = VersionStatus.SEALED,
    sealed: Instant | None = RECORDED,
    selection: Selection | None = None,
    derived_from: Iterable[str] = (),
    generated_by: Iterable[str] = (),
) -> DatasetVersion:
    return DatasetVersion(
        *ref(name),
        coverage=coverage,
        status=status,
        registered_at=RECORDED,
        sealed_at=None if status is VersionStatus.BUILDING else sealed,
        selection=selection,
        derived_from=tuple(refs(*derived_from)),
        generated_by=tuple(generated_by),
    )


def declared(name: str = "d:1", derived_from: Iterable[str] = (), **criteria: Any) -> DatasetVersion:
    """A DECLARED version with a selection of these criteria; with none it has no selection at all."""
    selection = Selection(**criteria) if criteria else None
    return version(name, Coverage.DECLARED, selection=selection, derived_from=derived_from)


def undocumented(name: str = "d:1", **more: Any) -> DatasetVersion:
    return version(name, Coverage.UNDOCUMENTED, **more)


def run(
    key: str = "r",
    *inputs: str,
    produced: str | None = None,
    started: Instant | None = RECORDED,
    started_from: Sequence[str] = (),
    purpose: str | None = AI,
    recorded: Instant = RECORDED,
    produced_recorded: Instant | None = None,
    status: RunStatus | None = None,
) -> TrainingRun:
    return TrainingRun(
        key=key,
        status=status or (RunStatus.FAILED if produced is None else RunStatus.COMPLETED),
        purpose=purpose,
        inputs=tuple(refs(*inputs)),
        started_from=tuple(started_from),
        produced=produced,
        started_at=started,
        ended_at=None,
        recorded_at=recorded,
        produced_recorded_at=None if produced is None else produced_recorded or recorded,
    )


def derivation(model: str, base: str, recorded: Instant = RECORDED) -> Derivation:
    return Derivation(model, base, DerivationKind.FINE_TUNE, recorded, recorded)


def serving(feature: str, model: str, since: Instant = RECORDED, until: Instant | None = None) -> Serving:
    return Serving(feature, model, since, until, RECORDED)


def upper(
    *things: DatasetVersion | TrainingRun | Derivation | Serving | Policy, kind: type[Lineage] = Lineage
) -> Lineage:
    """The upper graph of these things; model versions exist by being named."""
    runs = [each for each in things if isinstance(each, TrainingRun)]
    derivations = tuple(each for each in things if isinstance(each, Derivation))
    models = {each.produced for each in runs if each.produced} | {each.model for each in derivations}
    return kind(
        revision="revision",
        versions={each.ref: each for each in things if isinstance(each, DatasetVersion)},
        runs={each.key: each for each in runs},
        models={key: ModelVersion(key, *key.split(":", 1), ModelStatus.ACTIVE, RECORDED) for key in models},
        derivations=derivations,
        servings=tuple(each for each in things if isinstance(each, Serving)),
        policies=tuple(each for each in things if isinstance(each, Policy)),
    )


def node(text: str) -> Node:
    """A node by "post p", "version d:1", "run r", "model m:1" or "feature f"."""
    kind, _, key = text.partition(" ")
    if kind == "version":
        return Node(Kind.DATASET_VERSION, *ref(key))
    kinds = {"post": Kind.POST, "run": Kind.TRAINING_RUN, "model": Kind.MODEL_VERSION, "feature": Kind.FEATURE}
    return Node(kinds[kind], key)
