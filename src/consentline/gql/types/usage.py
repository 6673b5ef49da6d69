""" "Was this post used?" as the API shows it, and the lineage around anything."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import strawberry

from consentline.domain import eligibility, lineage
from consentline.domain.audit import Subject, SubjectKind
from consentline.domain.instants import Instant
from consentline.domain.lineage import Edge, Kind, Lineage, Step
from consentline.domain.paging import Page, page_of
from consentline.domain.usage import Relation, Use, Verdict
from consentline.gql.arguments import After, First
from consentline.gql.context import Context, Info
from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.gql.scalars import DateTime, instant
from consentline.gql.types.eligibility import Eligibility
from consentline.gql.types.lineage import (
    DatasetVersion,
    ModelVersion,
    TrainingRun,
    dataset_version,
    model_version,
    training_run,
    upper_node,
)
from consentline.gql.types.node import Node
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.usecases import person_usage, usage
from consentline.usecases.lineage import LineageAnswer
from consentline.usecases.person_usage import UserUsageAnswer
from consentline.usecases.usage import LISTED, PostUsageAnswer


@strawberry.type(description="One step of a witness path, in the direction of influence.")
class LineageStep:
    """A step whose ends are found when they are asked for."""

    lineage: strawberry.Private[Lineage]
    edge: strawberry.Private[Edge]

    @strawberry.field(description="What kind of step it is.")
    def relation(self) -> Step:
        """The step."""
        return self.edge.step

    @strawberry.field(name="from", description="Where the step begins: the end of the step before.")
    async def from_(self, info: Info) -> Node:
        """The source."""
        return await _node(info.context, self.lineage, self.edge.source)

    @strawberry.field(description="Where the step ends: the beginning of the next.")
    async def to(self, info: Info) -> Node:
        """The target."""
        return await _node(info.context, self.lineage, self.edge.target)


class EligibilitiesAtUse:
    """The eligibility at each use of a page, all read at once when the first of them is asked for."""

    def __init__(self, answer: PostUsageAnswer, uses: Sequence[Use]) -> None:
        self._answer = answer
        self._uses = uses
        self._reading: asyncio.Task[dict[Use, eligibility.Eligibility]] | None = None

    async def of(self, context: Context, use: Use) -> eligibility.Eligibility:
        """The answer for one use of the page."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read(context))
        return (await asyncio.shield(self._reading))[use]

    async def _read(self, context: Context) -> dict[Use, eligibility.Eligibility]:
        answers = await usage.eligibilities_at_use(context.service, self._answer, self._uses)
        return dict(zip(self._uses, answers, strict=True))


@strawberry.type(description="One use of a post: by a model version, or by a started run that produced none.")
class PostUse:
    """A use in the lineage that answered it."""

    lineage: strawberry.Private[Lineage]
    use: strawberry.Private[Use]
    eligibilities: strawberry.Private[EligibilitiesAtUse]

    @strawberry.field(description="The model version that used it; null: the run produced none (it failed).")
    def model_version(self) -> ModelVersion | None:
        """What used the post."""
        key = self.use.model_version
        return None if key is None else model_version(self.lineage, key)

    @strawberry.field(description="The strongest that holds: TRAINED_ON before DERIVED_MODEL before SYNTHETIC_DATA.")
    def relation(self) -> Relation:
        """How it was used."""
        return self.use.relation

    @strawberry.field(description="The run that read the post.")
    def training_run(self) -> TrainingRun:
        """The reading run."""
        return training_run(self.lineage, self.use.training_run)

    @strawberry.field(description="The dataset version through which it was read.")
    def dataset_version(self) -> DatasetVersion:
        """The version that the run read."""
        return dataset_version(self.lineage, self.use.dataset_version)

    @strawberry.field(description="When that run started.")
    def used_at(self) -> DateTime:
        """The start of the reading run."""
        return instant(self.use.used_at)

    @strawberry.field(
        description="Whether it was eligible then: at = usedAt; knownAt = the start's commit for a gated run, else the"
        " usage's own knownAt."
    )
    async def eligibility_at_use(self, info: Info) -> Eligibility:
        """Read once for all uses of the page."""
        return Eligibility(value=await self.eligibilities.of(info.context, self.use))

    @strawberry.field(description="One shortest witness, from the post to the model version (or the run).")
    def path(self) -> list[LineageStep]:
        """The witness path."""
        return [LineageStep(lineage=self.lineage, edge=edge) for edge in self.use.path]


@strawberry.type(description="Whether and how a post was used, as known at a time.")
class PostUsage:
    """An answer about one post."""

    answer: strawberry.Private[PostUsageAnswer]

    @strawberry.field(description="The post's key.")
    def post_key(self) -> str:
        """The key asked about."""
        return self.answer.post_key

    @strawberry.field(description="USED, NOT_USED or UNKNOWN: never a guess.")
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.answer.usage.verdict

    @strawberry.field(description="The verdict in a sentence, for people; it may change.")
    def explanation(self) -> str:
        """The verdict in words."""
        return self.answer.explanation

    @strawberry.field(
        description="One use per model version reached, and one per started run that produced none, by their keys."
    )
    def uses(self, info: Info, first: First = 50, after: After = None) -> Connection[PostUse]:
        """A page of the uses, which are all in memory."""
        answer, cursors = self.answer, info.context.cursors
        listing = f"PostUsage.uses:{answer.post_key}"
        page: Page[Use] = page_of(
            answer.usage.uses,
            lambda use: (use.model_version or "", use.run_reached),
            cursors.request(listing, first, after),
        )
        eligibilities = EligibilitiesAtUse(answer, page.items)
        return connect(
            cursors,
            listing,
            page,
            lambda use: PostUse(lineage=answer.lineage, use=use, eligibilities=eligibilities),
        )

    @strawberry.field(description="The COMPLETE, sealed versions that hold it, used by a run or not.")
    def held_in(self) -> list[DatasetVersion]:
        """The first 1,000 of them."""
        return [dataset_version(self.answer.lineage, ref) for ref in self.answer.usage.held_in[:LISTED]]

    @strawberry.field(description="The versions without a COMPLETE manifest, read by a run, that cannot rule it out.")
    def undocumented(self) -> list[DatasetVersion]:
        """The first 1,000 of them."""
        return [dataset_version(self.answer.lineage, ref) for ref in self.answer.usage.undocumented[:LISTED]]

    @strawberry.field(description="False when heldIn or undocumented was cut at 1,000; the verdict is never cut.")
    def complete(self) -> bool:
        """Whether everything is listed."""
        return self.answer.complete

    @strawberry.field(description="The recorded time of the answer.")
    def known_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.answer.known_at)


_Verdict = Annotated[Verdict | None, strawberry.argument(description="Only posts of this verdict. Left out: all.")]


@strawberry.type(description="Whether and how anything that a person posted was used, as known at a time.")
class UserUsage:
    """An answer about everything that one person wrote; `asked` is the recorded time that the client named."""

    answer: strawberry.Private[UserUsageAnswer]
    asked: strawberry.Private[Instant | None]

    def whose_record(self) -> list[Subject]:
        """Whose record this is."""
        return [Subject(SubjectKind.USER, self.answer.user_key)]

    @strawberry.field(description="The person's key.")
    def user_key(self) -> str:
        """The key asked about."""
        return self.answer.user_key

    @strawberry.field(description="USED if any recorded post is; else UNKNOWN or NOT_USED.")
    def verdict(self) -> Verdict:
        """The verdict."""
        return self.answer.verdict

    @strawberry.field(description="How many recorded posts were used.")
    def used_post_count(self) -> int:
        """The number of posts whose verdict is USED."""
        return self.answer.counts.get(Verdict.USED, 0)

    @strawberry.field(description="The model versions that used any of them, by key.")
    def model_versions(self) -> list[ModelVersion]:
        """What used the person's posts."""
        return [model_version(self.answer.lineage, key) for key in self.answer.model_versions]

    @strawberry.field(
        description="The person's recorded posts, each with its usage, by key. A cursor is good for the verdict and the"
        " knownAt with which it was asked."
    )
    async def posts(
        self, info: Info, verdict: _Verdict = None, first: First = 50, after: After = None
    ) -> Connection[PostUsage]:
        """A page of the posts of one verdict, or of all."""
        context, known_at = info.context, "" if self.asked is None else str(self.asked)
        listing = listing_of("UserUsage.posts", verdict or "", known_at, self.answer.user_key)
        request = context.cursors.request(listing, first, after)
        page = await person_usage.list_post_usages(context.service, self.answer, verdict, request)
        return connect(context.cursors, listing, page, lambda answer: PostUsage(answer=answer))

    @strawberry.field(description="The recorded time of the answer.")
    def known_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.answer.known_at)


@strawberry.type(description="A step between two nodes of a lineage, in the direction of influence.")
class LineageEdge:
    """A step by the ids of its ends."""

    edge: strawberry.Private[Edge]

    @strawberry.field(description="What kind of step it is: an InfluenceStep, or SERVES (model version → feature).")
    def relation(self) -> str:
        """The step's name."""
        return self.edge.step.value

    @strawberry.field(name="from", description="The id of the node where the step begins.")
    def from_(self) -> strawberry.ID:
        """The source's id."""
        return strawberry.ID(encode_id(node_id(self.edge.source)))

    @strawberry.field(description="The id of the node where the step ends.")
    def to(self) -> strawberry.ID:
        """The target's id."""
        return strawberry.ID(encode_id(node_id(self.edge.target)))


@strawberry.type(description="What lies upstream or downstream of something, breadth first.")
class LineageGraph:
    """Nodes and steps, within bounds."""

    answer: strawberry.Private[LineageAnswer]

    @strawberry.field(description="The nodes, beginning with the one asked about.")
    async def nodes(self, info: Info) -> list[Node]:
        """Each node's view; posts are read together."""
        await info.context.read_posts(node.key for node in self.answer.nodes if node.kind is Kind.POST)
        return [await _node(info.context, self.answer.lineage, node) for node in self.answer.nodes]

    @strawberry.field(description="The steps between the nodes.")
    def edges(self) -> list[LineageEdge]:
        """The steps."""
        return [LineageEdge(edge=edge) for edge in self.answer.edges]

    @strawberry.field(description="False when maxDepth or maxNodes cut it.")
    def complete(self) -> bool:
        """Whether nothing was cut."""
        return self.answer.complete

    @strawberry.field(description="The recorded time of the answer.")
    def known_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.answer.known_at)


_KINDS = {
    Kind.POST: NodeKind.POST,
    Kind.DATASET_VERSION: NodeKind.DATASET_VERSION,
    Kind.TRAINING_RUN: NodeKind.TRAINING_RUN,
    Kind.MODEL_VERSION: NodeKind.MODEL_VERSION,
    Kind.FEATURE: NodeKind.FEATURE,
}


def node_id(node: lineage.Node) -> NodeId:
    """The id of a node of the lineage."""
    return NodeId(_KINDS[node.kind], node.key, node.number)


async def _node(context: Context, known: Lineage, node: lineage.Node) -> Node:
    """The view of a node that is known to exist."""
    view = upper_node(known, node)
    return await context.load_node(context, node_id(node)) if view is None else view
