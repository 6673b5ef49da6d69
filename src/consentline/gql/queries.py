"""What can be asked."""

import asyncio
from typing import Annotated, Any

import strawberry

from consentline.domain.access import Action
from consentline.domain.audit import AuditFilter, possible_subjects
from consentline.domain.datasets import VersionRef
from consentline.domain.erasures import ErasureStatus
from consentline.domain.errors import ConsentlineError, InvalidInputError, NotFoundError
from consentline.domain.flags import FlagStatus
from consentline.domain.lineage import Kind
from consentline.domain.objections import ObjectionOrder, ObjectionStatus
from consentline.domain.reports import Period
from consentline.gql.access import needs
from consentline.gql.arguments import AI_TRAINING, After, At, First, KnownAt, Purpose, asked
from consentline.gql.context import Context, Info
from consentline.gql.deliveries import DeliveryQueries
from consentline.gql.enums import LineageDirection
from consentline.gql.ids import NodeId, NodeKind, asked_id
from consentline.gql.scalars import DateTime
from consentline.gql.types.audit import AuditEntryConnection
from consentline.gql.types.differences import DatasetVersionDiff
from consentline.gql.types.eligibility import Eligibility
from consentline.gql.types.erasures import Erasure
from consentline.gql.types.lineage import (
    Dataset,
    DatasetVersion,
    ModelVersion,
    RetrainingFlag,
    TrainingRun,
    dataset_version,
    list_flags,
    model_version,
    training_run,
)
from consentline.gql.types.node import Node
from consentline.gql.types.notices import NoticeCoverage
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.people import Objection, Post, User, post_view
from consentline.gql.types.plans import RetrainingPlan
from consentline.gql.types.reports import ObjectionFigures, RecordedRefusal, TrainingFigures
from consentline.gql.types.usage import LineageGraph, PostUsage, UserUsage
from consentline.usecases import audit as audit_cases
from consentline.usecases import erasures as erasure_cases
from consentline.usecases import lineage as lineage_cases
from consentline.usecases import notices as notice_cases
from consentline.usecases import objections as objection_cases
from consentline.usecases import person_usage as person_cases
from consentline.usecases import plans as plan_cases
from consentline.usecases import posts as post_cases
from consentline.usecases import reports as report_cases
from consentline.usecases import usage as usage_cases
from consentline.usecases.service import known_or_now

_MOST_IDS = 100
_AUDIT = needs(Action.READ_AUDIT)
_LINEAGE = needs(Action.READ_LINEAGE)
_PEOPLE = needs(Action.READ_PEOPLE)

_Id = Annotated[strawberry.ID, strawberry.argument(name="id", description="An id that the API gave out.")]
_Ids = Annotated[list[strawberry.ID], strawberry.argument(description="At most 100 ids that the API gave out.")]
_Post = Annotated[str, strawberry.argument(description="The post's key, recorded or not.")]
_User = Annotated[str, strawberry.argument(description="The person's key.")]
_Dataset = Annotated[str, strawberry.argument(description="The dataset's key.")]
_Number = Annotated[int, strawberry.argument(description="The version's number, from 1 up.")]
_From = Annotated[int, strawberry.argument(name="from", description="The number of the version compared with.")]
_To = Annotated[int, strawberry.argument(description="The number of the version that is compared.")]
_Key = Annotated[str, strawberry.argument(description="The caller's own key.")]
_Begin = Annotated[DateTime, strawberry.argument(name="from", description="The beginning of the period.")]
_End = Annotated[DateTime, strawberry.argument(description="The end of the period, which lies outside it.")]
_Kind = Annotated[Kind, strawberry.argument(description="What the key is of.")]
_NodeKey = Annotated[str, strawberry.argument(description='The key; of a dataset version "dataset:number".')]
_Direction = Annotated[LineageDirection, strawberry.argument(description="Which way.")]
_MaxDepth = Annotated[int, strawberry.argument(description="How many steps away at most.")]
_MaxNodes = Annotated[int, strawberry.argument(description="How many nodes at most.")]
_Status = Annotated[ObjectionStatus | None, strawberry.argument(description="Only of this status. Left out: all.")]
_Overdue = Annotated[
    bool | None, strawberry.argument(description="Only those past their deadline, or only the others. Left out: all.")
]
_Order = Annotated[
    ObjectionOrder,
    strawberry.argument(name="orderBy", description="What they are sorted by; URGENCY lists PENDING ones."),
]
_ErasureStatus = Annotated[ErasureStatus | None, strawberry.argument(description="Only of this status. Left out: all.")]
_FlagStatus = Annotated[FlagStatus | None, strawberry.argument(description="Only of this status. Left out: all.")]
_Policy = Annotated[str, strawberry.argument(description="The policy's key.")]
_PolicyVersion = Annotated[int, strawberry.argument(description="The version within the key.")]
_Operation = Annotated[
    str | None, strawberry.argument(description="Only of this mutation, root field or command. Left out: all.")
]
_Role = Annotated[str | None, strawberry.argument(description='Only of this role; "operator" at a shell.')]
_TokenId = Annotated[str | None, strawberry.argument(description="Only by the token of this id.")]
_Subject = Annotated[
    str | None,
    strawberry.argument(
        description="Only about what has this natural key: a person's, a post's, an objection's, a run's, … It is"
        " digested before the search, and stands nowhere."
    ),
]
_EntryOutcome = Annotated[str | None, strawberry.argument(description="Only with this outcome: ACCEPTED, FORBIDDEN, …")]
_Since = Annotated[DateTime | None, strawberry.argument(name="from", description="Written then or later.")]
_Until = Annotated[DateTime | None, strawberry.argument(name="to", description="Written before then.")]
_PlannedModel = Annotated[
    str | None, strawberry.argument(description="Only for this model version. Left out: for all with an open flag.")
]
_By = Annotated[
    DateTime | None,
    strawberry.argument(
        description="Only for flags that are due by then, with what they wait for, whenever that is due. Left out: all."
    ),
]
_Model = Annotated[str | None, strawberry.argument(description="Only of this model version. Left out: of all.")]


@strawberry.type(description="What can be asked. Each field needs a role that may; for others it is FORBIDDEN.")
class Query(DeliveryQueries):
    """The root of queries: one use case each."""

    @strawberry.field(description="Anything by its id; null when it is not recorded.", metadata=_LINEAGE)
    async def node(self, info: Info, node: _Id) -> Node | None:
        """One node, by the access rules of its kind."""
        return await info.context.load_node(info.context, asked_id(node))

    @strawberry.field(
        description="Many things by their ids, in the same order; null for what is not recorded.", metadata=_LINEAGE
    )
    async def nodes(self, info: Info, ids: _Ids) -> list[Node | None]:
        """Each node, by the access rules of its kind; one that fails is an error of its own."""
        if len(ids) > _MOST_IDS:
            raise InvalidInputError(f"at most {_MOST_IDS} ids", code="TOO_MANY_IDS", path=("ids",))
        found = [_decoded(each) for each in ids]
        posts = [each for each in found if isinstance(each, NodeId) and each.kind is NodeKind.POST]
        read = await info.context.read_posts(each.key for each in posts)
        # No task for each post; others are read side by side.
        loaded: dict[NodeId | ConsentlineError, Any] = {each: post_view(read[each.key]) for each in posts}
        rest = [each for each in dict.fromkeys(found) if each not in loaded]
        loaded.update(zip(rest, await asyncio.gather(*(_load(info.context, each) for each in rest)), strict=True))
        return [loaded[each] for each in found]

    @strawberry.field(description="A person; null when nothing names them.", metadata=_PEOPLE)
    async def user(self, info: Info, key: _Key) -> User | None:
        """A person by their key."""
        return None if await info.context.user(asked(key, "key")) is None else User(key=key)

    @strawberry.field(description="A post; null when nothing names it.", metadata=_LINEAGE)
    async def post(self, info: Info, key: _Key) -> Post | None:
        """A post by its key."""
        return post_view(await info.context.post(asked(key, "key")))

    @strawberry.field(description="A dataset; null when it is not recorded.", metadata=_LINEAGE)
    async def dataset(self, info: Info, key: _Key) -> Dataset | None:
        """A dataset by its key."""
        lineage = await info.context.lineage()
        return Dataset(lineage=lineage, key=key) if key in lineage.titles else None

    @strawberry.field(description="A dataset version; null when it is not recorded.", metadata=_LINEAGE)
    async def dataset_version(self, info: Info, dataset: _Dataset, number: _Number) -> DatasetVersion | None:
        """A version by its dataset's key and its number."""
        lineage, ref = await info.context.lineage(), VersionRef(dataset, number)
        return dataset_version(lineage, ref) if ref in lineage.versions else None

    @strawberry.field(
        description="What changed from one version of a dataset to another; null when one of them is not recorded.",
        metadata=_LINEAGE,
    )
    async def dataset_version_diff(
        self, info: Info, dataset: _Dataset, from_: _From, to: _To
    ) -> DatasetVersionDiff | None:
        """Two versions; what lies between them is read when it is asked for."""
        lineage, begin, end = await info.context.lineage(), VersionRef(dataset, from_), VersionRef(dataset, to)
        return DatasetVersionDiff(begin=begin, end=end) if {begin, end} <= lineage.versions.keys() else None

    @strawberry.field(description="A training run; null when it is not recorded.", metadata=_LINEAGE)
    async def training_run(self, info: Info, key: _Key) -> TrainingRun | None:
        """A run by its key."""
        lineage = await info.context.lineage()
        return training_run(lineage, key) if key in lineage.runs else None

    @strawberry.field(description="A model version; null when it is not recorded.", metadata=_LINEAGE)
    async def model_version(self, info: Info, key: _Key) -> ModelVersion | None:
        """A model version by its key, "model:version"."""
        lineage = await info.context.lineage()
        return model_version(lineage, key) if key in lineage.models else None

    @strawberry.field(description="An objection; null when it is not recorded.", metadata=_PEOPLE)
    async def objection(self, info: Info, key: _Key) -> Objection | None:
        """An objection by its key."""
        objection = await info.context.objection(asked(key, "key"))
        return None if objection is None else Objection(value=objection)

    @strawberry.field(description="An erasure; null when it is not recorded.", metadata=_PEOPLE)
    async def erasure(self, info: Info, key: _Key) -> Erasure | None:
        """An erasure by its key."""
        erasure = await info.context.erasure(asked(key, "key"))
        return None if erasure is None else Erasure(value=erasure)

    @strawberry.field(
        description="Was this post used? A post never recorded and in no manifest is NOT_USED or UNKNOWN, never an"
        " error.",
        metadata=_LINEAGE,
    )
    async def post_usage(self, info: Info, post: _Post, known_at: KnownAt = None) -> PostUsage:
        """One statement, and a walk in memory."""
        return PostUsage(answer=await usage_cases.post_usage(info.context.service, asked(post, "post"), known_at))

    @strawberry.field(description="Was anything that this person posted used?", metadata=_PEOPLE)
    async def user_usage(self, info: Info, user: _User, known_at: KnownAt = None) -> UserUsage:
        """Counted in groups; the posts themselves are read when they are asked for."""
        answer = await person_cases.user_usage(info.context.service, asked(user, "user"), known_at)
        return UserUsage(answer=answer, asked=known_at)

    @strawberry.field(
        description="May this post be used? With every reason why not; null when nothing names the post.",
        metadata=_LINEAGE,
    )
    async def eligibility(
        self, info: Info, post: _Post, purpose: Purpose = AI_TRAINING, at: At = None, known_at: KnownAt = None
    ) -> Eligibility | None:
        """The answer with all its reasons."""
        answer = await post_cases.eligibility(info.context.service, asked(post, "post"), purpose, at, known_at)
        return None if answer is None else Eligibility(value=answer)

    @strawberry.field(
        description="What something was made from, or what was made from it: the recorded structure. Whether a post was"
        " used is postUsage's answer. Null when the key is not recorded.",
        metadata=_LINEAGE,
    )
    async def lineage(
        self,
        info: Info,
        kind: _Kind,
        key: _NodeKey,
        direction: _Direction,
        max_depth: _MaxDepth = 20,
        max_nodes: _MaxNodes = 1000,
        known_at: KnownAt = None,
    ) -> LineageGraph | None:
        """Breadth first, within bounds."""
        try:
            answer = await lineage_cases.lineage(
                info.context.service,
                kind,
                asked(key, "key") if kind is Kind.POST else key,
                upstream=direction is LineageDirection.UPSTREAM,
                max_depth=max_depth,
                max_nodes=max_nodes,
                known_at=known_at,
            )
        except NotFoundError:
            return None
        return LineageGraph(answer=answer)

    @strawberry.field(description="Objections, by the time of receipt or by urgency.", metadata=_PEOPLE)
    async def objections(
        self,
        info: Info,
        status: _Status = None,
        overdue: _Overdue = None,
        order_by: _Order = ObjectionOrder.RECEIVED,
        first: First = 50,
        after: After = None,
    ) -> Connection[Objection]:
        """A page of objections."""
        context, listing = info.context, f"objections:{status or ''}:{'' if overdue is None else overdue}:{order_by}"
        request = context.cursors.request(listing, first, after)
        page = await objection_cases.list_objections(context.service, status, overdue, request, order_by)
        return connect(context.cursors, listing, page, lambda objection: Objection(value=objection))

    @strawberry.field(description="Erasures, by the time of receipt.", metadata=_PEOPLE)
    async def erasures(
        self, info: Info, status: _ErasureStatus = None, first: First = 50, after: After = None
    ) -> Connection[Erasure]:
        """A page of erasures."""
        context, listing = info.context, f"erasures:{status or ''}"
        request = context.cursors.request(listing, first, after)
        page = await erasure_cases.list_erasures(context.service, status, request)
        return connect(context.cursors, listing, page, lambda erasure: Erasure(value=erasure))

    @strawberry.field(description="Retraining flags, by the time they were raised.", metadata=_LINEAGE)
    async def retraining_flags(
        self,
        info: Info,
        status: _FlagStatus = None,
        model_version: _Model = None,
        first: First = 50,
        after: After = None,
    ) -> Connection[RetrainingFlag]:
        """A page of flags."""
        return await list_flags(info.context, status, model_version, first, after)

    @strawberry.field(
        description="What open flags demand together: which model versions must be retrained, in which order, from what"
        " and by when. Null when the model version is not recorded.",
        metadata=_LINEAGE,
    )
    async def retraining_plan(
        self, info: Info, model_version: _PlannedModel = None, by: _By = None
    ) -> RetrainingPlan | None:
        """Made anew each time; it reads the affected posts."""
        try:
            answer = await plan_cases.make_plan(info.context.service, model_version, by)
        except NotFoundError:
            return None
        return RetrainingPlan(answer=answer)

    @strawberry.field(
        description="Whom the notices of a policy reached, in figures: everybody whom it governs is read, page by page."
        " Null when no such version is recorded.",
        metadata=_PEOPLE,
    )
    async def notice_coverage(
        self, info: Info, policy: _Policy, version: _PolicyVersion, at: At = None, known_at: KnownAt = None
    ) -> NoticeCoverage | None:
        """One pass over the people."""
        service = info.context.service
        try:
            question = await notice_cases.ask(service, policy, version, at, known_at)
        except NotFoundError:
            return None
        return NoticeCoverage(value=await notice_cases.coverage(service, question))

    @strawberry.field(description="Figures about objections, for a period.", metadata=_PEOPLE)
    async def objection_figures(
        self, info: Info, from_: _Begin, to: _End, known_at: KnownAt = None
    ) -> ObjectionFigures:
        """Each is counted when it is asked for."""
        period = Period(from_, to)
        if known_at is not None:
            known_or_now(known_at, await info.context.now())
        return ObjectionFigures(period=period, asked_at=known_at)

    @strawberry.field(description="Figures about the training gate, for a period.", metadata=_PEOPLE)
    def training_figures(self, from_: _Begin, to: _End) -> TrainingFigures:
        """Each is counted when it is asked for."""
        return TrainingFigures(period=Period(from_, to))

    @strawberry.field(
        description="What stood against the runs that the gate refused in a period, by time.", metadata=_PEOPLE
    )
    async def training_refusals(
        self, info: Info, from_: _Begin, to: _End, first: First = 50, after: After = None
    ) -> Connection[RecordedRefusal]:
        """A page of what was refused."""
        context, listing = info.context, f"trainingRefusals:{from_}:{to}"
        request = context.cursors.request(listing, first, after)
        page = await report_cases.list_refusals(context.service, Period(from_, to), request)
        return connect(context.cursors, listing, page, lambda refusal: RecordedRefusal(value=refusal))

    @strawberry.field(
        description="The audit, the newest entry first: who changed what, and who saw whose record. For auditors only;"
        " asking is entered, too.",
        metadata=_AUDIT,
    )
    async def audit_entries(
        self,
        info: Info,
        operation: _Operation = None,
        role: _Role = None,
        token_id: _TokenId = None,
        subject: _Subject = None,
        outcome: _EntryOutcome = None,
        since: _Since = None,
        until: _Until = None,
        first: First = 50,
        after: After = None,
    ) -> AuditEntryConnection:
        """A page of entries."""
        context, wanted = info.context, AuditFilter(operation, role, token_id, outcome, subject, since, until)
        listing = listing_of("auditEntries", *("" if each is None else f"={each}" for each in wanted.given()))
        request = context.cursors.request(listing, first, after)
        context.reads.consult(() if subject is None else possible_subjects(subject))
        page = await audit_cases.list_entries(context.service, wanted, request)
        return AuditEntryConnection(context=context, listing=listing, page=page)


def _decoded(text: str) -> NodeId | ConsentlineError:
    try:
        return asked_id(text)
    except ConsentlineError as error:
        return error


async def _load(context: Context, node: NodeId | ConsentlineError) -> Any:
    """The node, or its error in its place of the list."""
    if isinstance(node, ConsentlineError):
        return node
    try:
        return await context.load_node(context, node)
    except ConsentlineError as error:
        return error
