"""The domain's enums as the API shows them: each value is listed here with what it means."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar, cast

import strawberry
from strawberry.types.enum import StrawberryEnumDefinition

from consentline.domain.access import Role
from consentline.domain.consent import ConsentStatus
from consentline.domain.datasets import Coverage, VersionStatus
from consentline.domain.eligibility import Reason
from consentline.domain.erasures import ErasureLimit, ErasureStatus
from consentline.domain.events import EventKind
from consentline.domain.flags import CauseKind, FlagResolution, FlagStatus
from consentline.domain.gate import GateStep
from consentline.domain.lineage import Kind, Step
from consentline.domain.objections import ObjectionEventKind, ObjectionOrder, ObjectionStatus
from consentline.domain.plan_steps import BaseChoice, BaseRelation, InputChoice, Method, ObstacleKind, WholeBecause
from consentline.domain.policies import LawfulBasis
from consentline.domain.posts import PostKind, Visibility
from consentline.domain.sharding import AssignedBy
from consentline.domain.training import DerivationKind, ModelStatus, RunStatus
from consentline.domain.usage import Relation, Verdict
from consentline.domain.webhooks import DeliveryStatus, WebhookStatus

E = TypeVar("E", bound=StrEnum)


def _expose(enum: type[E], name: str, description: str, values: Mapping[E, str]) -> None:
    """Make a domain enum public under `name`, with the values that are listed and no others."""
    strawberry.enum(enum, name=name, description=description)
    definition = cast("StrawberryEnumDefinition", enum.__strawberry_definition__)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType] - strawberry sets it
    listed = {member.name: text for member, text in values.items()}
    definition.values = [value for value in definition.values if value.name in listed]
    for value in definition.values:
        value.description = listed[value.name]


class LineageDirection(StrEnum):
    """Which way `lineage` walks."""

    UPSTREAM = "UPSTREAM"
    DOWNSTREAM = "DOWNSTREAM"


_expose(
    LineageDirection,
    "LineageDirection",
    "Which way the lineage is followed.",
    {
        LineageDirection.UPSTREAM: "Towards what it was made from.",
        LineageDirection.DOWNSTREAM: "Towards what was made from it.",
    },
)
_expose(
    PostKind,
    "PostKind",
    "What sort of thing was posted.",
    {
        PostKind.POST: "A post of its own.",
        PostKind.COMMENT: "A comment on something else.",
        PostKind.PHOTO: "A photo.",
        PostKind.VIDEO: "A video.",
        PostKind.PRIVATE_MESSAGE: "A private message: never eligible.",
    },
)
_expose(
    Visibility,
    "Visibility",
    "Who may see a post.",
    {
        Visibility.PUBLIC: "Everybody.",
        Visibility.FRIENDS: "The author's friends.",
        Visibility.PRIVATE: "The author only.",
    },
)
_expose(
    LawfulBasis,
    "LawfulBasis",
    "The ground in Art. 6(1) GDPR on which a policy rests.",
    {
        LawfulBasis.LEGITIMATE_INTERESTS: "Art. 6(1)(f): legitimate interests, with a right to object.",
        LawfulBasis.CONSENT: "Art. 6(1)(a): consent, which can be withdrawn.",
    },
)
_expose(
    ConsentStatus,
    "ConsentStatus",
    "Where a person stands for one purpose.",
    {
        ConsentStatus.UNINFORMED: "No notice was served yet.",
        ConsentStatus.INFORMED: "A notice was served, and nothing was said.",
        ConsentStatus.OBJECTION_PENDING: "An objection waits for its decision.",
        ConsentStatus.OBJECTED: "An objection was upheld.",
        ConsentStatus.OBJECTION_REFUSED: "An objection was refused.",
        ConsentStatus.OBJECTION_WITHDRAWN: "An objection was taken back.",
        ConsentStatus.CONSENT_GIVEN: "Consent was given.",
        ConsentStatus.CONSENT_WITHDRAWN: "Consent was withdrawn.",
    },
)
_expose(
    Reason,
    "IneligibilityReason",
    "Why a post may not be used; unknown is a reason.",
    {
        Reason.JURISDICTION_UNKNOWN: "The author's jurisdiction is not known.",
        Reason.JURISDICTION_NOT_COVERED: "No policy is in force for the author's jurisdiction and the purpose.",
        Reason.PLATFORM_NOT_IN_SCOPE: "The policy does not cover the platform.",
        Reason.PRIVATE_MESSAGE: "It is a private message.",
        Reason.NOT_PUBLIC_AT_PUBLICATION: "It was not public when published.",
        Reason.NOT_PUBLIC_NOW: "It is not public at the time asked about.",
        Reason.AGE_UNKNOWN: "The author is not known to be adult.",
        Reason.MINOR_AT_PUBLICATION: "The author was under 18 when it was published.",
        Reason.MINOR_NOW: "The author is under 18 at the time asked about.",
        Reason.NOTICE_NOT_SERVED: "The policy requires a notice, and none was served.",
        Reason.OBJECTION_WINDOW_OPEN: "A notice was served, and the time to object has not passed.",
        Reason.OBJECTION_PENDING: "An objection of the author waits for its decision.",
        Reason.OBJECTED: "An objection of the author was upheld.",
        Reason.CONSENT_MISSING: "The basis is consent, and none was given.",
        Reason.CONSENT_WITHDRAWN: "The basis is consent, and it was withdrawn.",
        Reason.POST_DELETED: "The post was deleted.",
        Reason.ERASURE_PENDING: "The author asked for erasure.",
        Reason.ERASED: "The author was erased.",
        Reason.THIRD_PARTY_OBJECTED: "A person whom it depicts objected.",
        Reason.THIRD_PARTY_MINOR: "A person whom it depicts is or was under 18.",
        Reason.SPECIAL_CATEGORY: "It is special category data (Art. 9).",
        Reason.ASSESSMENT_MISSING: "The policy names no legitimate interests assessment.",
        Reason.ASSESSMENT_EXPIRED: "The legitimate interests assessment has expired.",
    },
)
_expose(
    Coverage,
    "ManifestCoverage",
    "How much is known of what a dataset version holds.",
    {
        Coverage.COMPLETE: "Every member post is recorded.",
        Coverage.DECLARED: "Only the selection criteria are known.",
        Coverage.UNDOCUMENTED: "Nothing is known of what it holds.",
    },
)
_expose(
    VersionStatus,
    "DatasetVersionStatus",
    "The life of a dataset version.",
    {
        VersionStatus.BUILDING: "Members are still being recorded.",
        VersionStatus.SEALED: "Immutable, and may be used.",
        VersionStatus.WITHDRAWN: "Immutable, and may not be used again.",
    },
)
_expose(
    RunStatus,
    "TrainingRunStatus",
    "The life of a training run.",
    {
        RunStatus.AUTHORIZED: "May start; it has read nothing yet.",
        RunStatus.RUNNING: "Has started.",
        RunStatus.COMPLETED: "Has produced a model version.",
        RunStatus.FAILED: "Has started and produced none.",
        RunStatus.CANCELLED: "Was cancelled before it started: no use of anything.",
    },
)
_expose(
    ModelStatus,
    "ModelVersionStatus",
    "The life of a model version.",
    {
        ModelStatus.ACTIVE: "May be used.",
        ModelStatus.RETIRED: "Is not used any more.",
    },
)
_expose(
    DerivationKind,
    "DerivationKind",
    "How one model version was made from another.",
    {
        DerivationKind.FINE_TUNE: "Trained on from the base.",
        DerivationKind.DISTILLATION: "Trained to answer as the base does.",
        DerivationKind.MERGE: "Merged from several.",
        DerivationKind.QUANTIZATION: "The base in lower precision.",
        DerivationKind.ADAPTER: "An adapter on the base.",
    },
)
_expose(
    Verdict,
    "UsageVerdict",
    "Whether a post was used: never a guess.",
    {
        Verdict.USED: "A use is recorded.",
        Verdict.NOT_USED: "No use is recorded, and the records rule one out.",
        Verdict.UNKNOWN: "No use is recorded, and the records cannot rule one out.",
    },
)
_expose(
    Relation,
    "UseRelation",
    "How a model version used a post, the strongest first.",
    {
        Relation.TRAINED_ON: "The run that made this model version read the post.",
        Relation.DERIVED_MODEL: "Derives from, or started from, a model version that used it in any relation.",
        Relation.SYNTHETIC_DATA: "Was trained on data generated by a model version that used it in any relation.",
    },
)
_expose(
    Step,
    "InfluenceStep",
    "One step of influence, named in its direction.",
    {
        Step.HELD_IN: "Post → dataset version that holds it.",
        Step.CONSUMED_BY: "Dataset version → training run that read it.",
        Step.PRODUCED: "Training run → model version that it made.",
        Step.STARTED: "Model version → training run that started from it.",
        Step.DERIVED: "Model version → model version made from it.",
        Step.GENERATED: "Model version → dataset version that it wrote.",
        Step.DERIVED_DATASET: "Dataset version → dataset version made from it.",
    },
)
_expose(
    Kind,
    "LineageKind",
    "What a node of the lineage is.",
    {
        Kind.POST: "A post, by its key.",
        Kind.DATASET_VERSION: 'A dataset version, by "dataset:number".',
        Kind.TRAINING_RUN: "A training run, by its key.",
        Kind.MODEL_VERSION: 'A model version, by "model:version".',
        Kind.FEATURE: "A product feature, by its key.",
    },
)
_expose(
    ObjectionStatus,
    "ObjectionStatus",
    "The life of an objection.",
    {
        ObjectionStatus.PENDING: "Received; the data may not be used meanwhile (Art. 18).",
        ObjectionStatus.UPHELD: "Decided for the person.",
        ObjectionStatus.REFUSED: "Decided against the person, with grounds.",
        ObjectionStatus.WITHDRAWN: "Taken back by the person.",
    },
)
_expose(
    ObjectionEventKind,
    "ObjectionEventKind",
    "What can happen to an objection.",
    {
        ObjectionEventKind.FILED: "It was received and recorded.",
        ObjectionEventKind.EXTENDED: "Its period was extended by two months, with a reason.",
        ObjectionEventKind.UPHELD: "It was decided for the person.",
        ObjectionEventKind.REFUSED: "It was decided against the person, with grounds.",
        ObjectionEventKind.WITHDRAWN: "The person took it back.",
    },
)
_expose(
    GateStep,
    "GateStep",
    "At which step the training gate refused a run.",
    {
        GateStep.AUTHORIZE: "When it was to be authorised; it was not created.",
        GateStep.START: "When it was to start, having been authorised.",
    },
)

_expose(
    ObjectionOrder,
    "ObjectionOrder",
    "What a list of objections is sorted by.",
    {
        ObjectionOrder.RECEIVED: "The time of receipt, the earliest first.",
        ObjectionOrder.URGENCY: "The deadline (extendedTo, else dueAt), the earliest first: of those that are PENDING.",
    },
)
_expose(
    ErasureStatus,
    "ErasureStatus",
    "The life of an erasure.",
    {
        ErasureStatus.REQUESTED: "Received; the data may not be used meanwhile (Art. 18).",
        ErasureStatus.CONFIRMED: "The person was identified; what is theirs is being erased.",
        ErasureStatus.DONE: "What is theirs is erased.",
        ErasureStatus.REFUSED: "Not carried out, with grounds (Art. 12(6), 17(3)).",
    },
)
_expose(
    ErasureLimit,
    "ErasureLimit",
    "Where the system cannot erase, and somebody has to.",
    {
        ErasureLimit.MODEL_WEIGHTS: "Model versions were trained on the posts: see their retraining flags.",
        ErasureLimit.COPIES: "Exports and other copies of dataset versions that held the posts name their keys.",
        ErasureLimit.BACKUPS: "Backups made before hold the person's data until they expire.",
        ErasureLimit.DATABASE_FILES: "Transaction logs, and freed records of the store, hold what was deleted until"
        " they are pruned, or used again.",
    },
)
_expose(
    FlagStatus,
    "FlagStatus",
    "The life of a retraining flag.",
    {
        FlagStatus.OPEN: "Raised, and nobody has taken it up.",
        FlagStatus.ACKNOWLEDGED: "Somebody has taken it up.",
        FlagStatus.SCHEDULED: "A retraining is planned.",
        FlagStatus.RESOLVED: "Done; see its resolution.",
    },
)
_expose(
    FlagResolution,
    "FlagResolution",
    "How a retraining flag was resolved.",
    {
        FlagResolution.RETRAINED: "A replacement was trained without the affected posts.",
        FlagResolution.RETIRED: "The model version is not used any more.",
        FlagResolution.NOT_REQUIRED: "No retraining is needed; the justification says why.",
    },
)
_expose(
    CauseKind,
    "FlagCauseKind",
    "Why a model version was flagged.",
    {
        CauseKind.OBJECTION: "The author of posts that it used objected.",
        CauseKind.ERASURE: "The author of posts that it used asked for erasure.",
        CauseKind.POST_DELETED: "A post that it used was deleted.",
        CauseKind.VISIBILITY_NARROWED: "A post that it used is public no more.",
        CauseKind.MINOR: "The author of posts that it used turned out to be a minor.",
        CauseKind.CONSENT_WITHDRAWN: "The author of posts that it used withdrew consent.",
        CauseKind.ASSESSMENT_EXPIRED: "The assessment on which the use rested expired.",
        CauseKind.THIRD_PARTY_OBJECTED: "A person whom posts that it used depict objected.",
        CauseKind.VIOLATION: "A post that it used was not eligible then.",
    },
)
_expose(
    AssignedBy,
    "ShardAssignment",
    "What of a member tells its position, from 0 to 2^64, in a sharded run.",
    {
        AssignedBy.POST_KEY: "The first 8 bytes of the SHA-256 of the post's key, big-endian.",
        AssignedBy.DATASET_SHARD: "The dataset's Shard that holds it: where the digests of those placed in it begin."
        " All posts of one author lie together, and their place is still known after they were erased.",
    },
)
_expose(
    Role,
    "Role",
    "What a bearer, or the receiver of a webhook, does for a living; it decides what they may see.",
    {
        Role.ML: "Trains models: sees no people.",
        Role.COMPLIANCE: "Answers for the processing.",
        Role.SERVICE: "A program that loads records and files objections.",
        Role.AUDITOR: "Reads and changes nothing.",
        Role.ADMIN: "May do everything.",
    },
)
_expose(
    EventKind,
    "EventKind",
    "What webhooks are told of.",
    {
        EventKind.FLAG_RAISED: "A retraining flag was raised.",
        EventKind.FLAG_JOINED: "A further cause joined an open flag.",
        EventKind.FLAG_CHANGED: "The causes of an open flag changed: its deadline, or the posts that they concern.",
        EventKind.FLAG_ACKNOWLEDGED: "Somebody took a flag up.",
        EventKind.FLAG_SCHEDULED: "The retraining that a flag demands was planned, or planned anew.",
        EventKind.FLAG_RESOLVED: "A flag was resolved.",
        EventKind.OBJECTION_FILED: "An objection was received and recorded.",
        EventKind.OBJECTION_EXTENDED: "An objection's period was extended.",
        EventKind.OBJECTION_UPHELD: "An objection was decided for the person.",
        EventKind.OBJECTION_REFUSED: "An objection was decided against the person.",
        EventKind.OBJECTION_WITHDRAWN: "The person took an objection back.",
        EventKind.ERASURE_REQUESTED: "An erasure was requested: the person's posts may not be used any more.",
        EventKind.ERASURE_REFUSED: "A request for erasure was refused.",
        EventKind.ERASURE_CONFIRMED: "An erasure was confirmed: the person is being erased.",
        EventKind.ERASURE_DONE: "Everything of the person was erased.",
        EventKind.DATA_RESTRICTED: "To a recipient of a dataset: these posts may not be used while the claim stands.",
        EventKind.DATA_RELEASED: "To a recipient of a dataset: the claim restricts these posts no more.",
        EventKind.DATA_ERASED: "To a recipient of a dataset: these posts were erased.",
    },
)
_expose(
    WebhookStatus,
    "WebhookStatus",
    "Whether a webhook is told anything.",
    {
        WebhookStatus.ACTIVE: "It is told.",
        WebhookStatus.DISABLED: "Somebody disabled it.",
        WebhookStatus.GONE: "Its endpoint answered 410: it is told nothing more; what was to be sent is kept as dead"
        " letters.",
    },
)
_expose(
    DeliveryStatus,
    "DeliveryStatus",
    "Where a delivery stands.",
    {
        DeliveryStatus.PENDING: "It is still to be made, for the first time or again.",
        DeliveryStatus.DELIVERED: "The receiver answered with 2xx.",
        DeliveryStatus.DEAD: "It was given up after the last attempt: a dead letter.",
        DeliveryStatus.DROPPED: "Its webhook was disabled before.",
    },
)
_expose(
    Method,
    "PlanMethod",
    "How a model version is made again.",
    {
        Method.RETRAIN: "By repeating the run that made it.",
        Method.DERIVE: "By deriving it again: no run is recorded.",
        Method.REPLACE: "Not at all: its flag can be resolved with a replacement that is there, or that another step"
        " makes.",
        Method.UNRECORDED: "Neither a run nor a derivation is recorded: the records do not tell how.",
    },
)
_expose(
    BaseRelation,
    "PlanBaseRelation",
    "How a model version rests on another.",
    {
        BaseRelation.STARTED_FROM: "Its run started from it.",
        BaseRelation.DERIVED_FROM: "It was derived from it.",
        BaseRelation.GENERATED_INPUT: "It generated what an input holds, or came of.",
        BaseRelation.REPLACED_BY: "Nothing rests on it: its replacement takes its place.",
    },
)
_expose(
    BaseChoice,
    "PlanBaseChoice",
    "What is to stand where a base stood.",
    {
        BaseChoice.KEEP: "The same: it has no open flag and used none of the posts.",
        BaseChoice.REPLACEMENT: "A model version by which a flag of it was resolved as RETRAINED before.",
        BaseChoice.RETRAINED: "What another step of the plan makes.",
    },
)
_expose(
    InputChoice,
    "PlanInputChoice",
    "What is to be read where a dataset version was read.",
    {
        InputChoice.KEEP: "The same version: it holds none of the posts.",
        InputChoice.SUCCESSOR: "A later version that is sealed already, holds none of the posts, and passes the gate as"
        " far as stored counts tell.",
        InputChoice.BUILD: "A version that is to be built without the posts: none is sealed yet.",
        InputChoice.REGENERATE: "Synthetic data that is to be generated again, by what takes the generators' place.",
        InputChoice.UNDOCUMENTED: "Nothing known: it has no COMPLETE manifest, and the gate does not take it.",
    },
)
_expose(
    WholeBecause,
    "PlanWholeReason",
    "Why every shard of a sharded run must be trained anew.",
    {
        WholeBecause.BASE_CHANGES: "All shards began from a base that changes.",
        WholeBecause.SYNTHETIC_INPUT_CHANGES: "What is no post changes: the rule does not tell where it lies.",
        WholeBecause.CELL_UNKNOWN: "The rule is POST_KEY, and the key of an erased post is gone.",
    },
)
_expose(
    ObstacleKind,
    "PlanObstacleKind",
    "What the records leave open.",
    {
        ObstacleKind.NO_RUN_RECORDED: "It was trained, and no run is recorded: what it was trained on is not known.",
        ObstacleKind.NO_ORIGIN_RECORDED: "It has neither a run nor a derivation: it cannot be retrained from records.",
        ObstacleKind.NO_INPUT_RECORDED: "Its run names no input: what it was trained on is not known.",
        ObstacleKind.INPUT_UNDOCUMENTED: "An input has no COMPLETE manifest: what it holds is not known.",
        ObstacleKind.CANNOT_RULE_OUT: "Upstream of what is kept, a version that a run read cannot rule posts out:"
        " resolving as RETRAINED will be refused.",
    },
)
