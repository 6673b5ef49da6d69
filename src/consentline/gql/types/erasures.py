"""Erasures as the API shows them, and the report of one."""

import strawberry

from consentline.domain import erasures
from consentline.domain.audit import Subject, subjects_of
from consentline.domain.erasures import ErasureLimit, ErasureStatus
from consentline.domain.pseudonyms import is_digest
from consentline.gql.context import Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.lineage import Dataset, DatasetVersion, ModelVersion, dataset_version, model_version
from consentline.gql.types.node import Node
from consentline.gql.types.people import User
from consentline.usecases import erasure_reports
from consentline.usecases import erasures as erasure_cases
from consentline.usecases.erasure_reports import Residue


@strawberry.type(description="What was erased so far, by kind.")
class ErasedCounts:
    """Counts of what is gone."""

    value: strawberry.Private[erasures.Erased]

    @strawberry.field(description="Posts: their keys became digests, everything else of them is gone.")
    def posts(self) -> int:
        """Posts of the person."""
        return self.value.posts

    @strawberry.field(description="Changes of these posts: visibility, deletions, special category.")
    def post_changes(self) -> int:
        """Changes of posts."""
        return self.value.changes

    @strawberry.field(description="Whom these posts depicted.")
    def depictions(self) -> int:
        """Depictions of others, and of the person."""
        return self.value.depictions

    @strawberry.field(description="What was known of the person: where they live, from when they are adult.")
    def facts(self) -> int:
        """Facts about the person."""
        return self.value.facts

    @strawberry.field(description="Consent that the person gave or withdrew.")
    def consent_states(self) -> int:
        """Consent states."""
        return self.value.states

    @strawberry.field(description="Notices that reached the person.")
    def notices_served(self) -> int:
        """Servings of notices."""
        return self.value.notices

    @strawberry.field(description="Objections of the person whose key and texts are gone; what they covered is kept.")
    def objections(self) -> int:
        """Objections."""
        return self.value.objections


@strawberry.type(
    description="What was erased, where it could not be, and whose recipients are to be told (Art. 19). What is kept is"
    " pseudonymised and stays personal data, for suppression and accountability (Art. 17(3)(b), (e))."
)
class ErasureReport:
    """The report of an erasure, as it stands."""

    erasure: strawberry.Private[erasures.Erasure]
    residue: strawberry.Private[Residue]

    @strawberry.field(description="What is gone.")
    def erased(self) -> ErasedCounts:
        """Counts by kind."""
        return ErasedCounts(value=self.erasure.erased)

    @strawberry.field(
        description="Posts of others that depict the person. They stay, and out of use, as if an objection were upheld."
    )
    def depicting_post_count(self) -> int:
        """Posts of others."""
        return self.erasure.erased.depicting

    @strawberry.field(
        description="The model versions that used posts of the person: their weights may still tell of them."
    )
    def model_versions(self) -> list[ModelVersion]:
        """By key."""
        return [model_version(self.residue.lineage, key) for key in self.residue.model_versions]

    @strawberry.field(
        description="The dataset versions that hold the erased posts, as digests. Copies outside hold the keys."
    )
    def dataset_versions(self) -> list[DatasetVersion]:
        """By dataset and number."""
        return [dataset_version(self.residue.lineage, ref) for ref in self.residue.held_in]

    @strawberry.field(
        description="The datasets whose recipients are told of the erasure (Art. 19): those with a webhook by notices."
    )
    def datasets(self) -> list[Dataset]:
        """By key."""
        lineage = self.residue.lineage
        return [Dataset(lineage=lineage, key=key) for key in self.residue.datasets]

    @strawberry.field(description="Where the system cannot erase, and somebody has to.")
    def limits(self) -> list[ErasureLimit]:
        """As they apply."""
        return list(self.residue.limits)


@strawberry.type(description="A person's request for erasure (UK GDPR Art. 17), and what came of it.")
class Erasure(Node):
    """An erasure as it stands."""

    value: strawberry.Private[erasures.Erasure]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.ERASURE, self.value.key)

    def whose_record(self) -> tuple[Subject, ...]:
        """Whose record this is."""
        return subjects_of(self.value)

    @strawberry.field(description="The caller's own key; in lists, the digest that stands for it once it is done.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The person; null once erased.")
    def user(self) -> User | None:
        """The person."""
        return None if is_digest(self.value.user) else User(key=self.value.user)

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> ErasureStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="When it reached the controller: from then on it stops use.")
    def received_at(self) -> DateTime:
        """The receipt."""
        return instant(self.value.received_at)

    @strawberry.field(description="The end of the statutory month, fixed at intake; see docs.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="Whether the deadline passed before it was refused or done.")
    async def overdue(self, info: Info) -> bool:
        """Whether it is overdue now."""
        return self.value.overdue(await info.context.now())

    @strawberry.field(description="When it was confirmed: from then on the person counts as erased. Null until then.")
    def confirmed_at(self) -> DateTime | None:
        """The confirmation."""
        return instant_or_none(self.value.since(ErasureStatus.CONFIRMED))

    @strawberry.field(description="When everything was erased; null until then.")
    def completed_at(self) -> DateTime | None:
        """The end."""
        return instant_or_none(self.value.since(ErasureStatus.DONE))

    @strawberry.field(description="When the person was told that it was refused; null unless it was.")
    def refused_at(self) -> DateTime | None:
        """The refusal."""
        return instant_or_none(self.value.since(ErasureStatus.REFUSED))

    @strawberry.field(description="Why it was refused; null unless it was.")
    def grounds(self) -> str | None:
        """The grounds."""
        return self.value.grounds

    @strawberry.field(
        description="How many recorded posts it concerns: written by the person, or depicting them; once it is"
        " confirmed, as they were then."
    )
    async def affected_post_count(self, info: Info) -> int:
        """The number of posts."""
        return await erasure_cases.affected_post_count(info.context.service, self.value)

    @strawberry.field(
        description="What was erased, where it could not be, and who is to be told; null until confirmed."
    )
    async def report(self, info: Info) -> ErasureReport | None:
        """The report."""
        if self.value.status not in erasures.ERASED:
            return None
        residue = await erasure_reports.residue(info.context.service, self.value)
        return ErasureReport(erasure=self.value, residue=residue)
