"""People, their posts and their objections. Whoever may not read people sees posts without their author."""

from datetime import date

import strawberry

from consentline.domain import objections
from consentline.domain.access import Action
from consentline.domain.audit import Subject, SubjectKind, subjects_of
from consentline.domain.errors import NotFoundError
from consentline.domain.judgement import purposes_of
from consentline.domain.objections import ObjectionEventKind, ObjectionStatus
from consentline.domain.posts import PostKind, Visibility
from consentline.domain.pseudonyms import is_digest
from consentline.gql.arguments import AI_TRAINING, After, At, First, KnownAt, Purpose
from consentline.gql.context import Info
from consentline.gql.ids import NodeId, NodeKind
from consentline.gql.scalars import DateTime, instant, instant_or_none
from consentline.gql.types.eligibility import ConsentState, Eligibility
from consentline.gql.types.lineage import DatasetVersion, RetrainingFlag, dataset_version
from consentline.gql.types.node import Node
from consentline.gql.types.paging import Connection, connect, listing_of
from consentline.gql.types.usage import PostUsage
from consentline.usecases import consent as consent_cases
from consentline.usecases import flags as flag_cases
from consentline.usecases import objections as objection_cases
from consentline.usecases import people as people_cases
from consentline.usecases import posts as post_cases
from consentline.usecases import usage as usage_cases


@strawberry.type(description="A person who posts. No name, e-mail or address is ever stored.")
class User(Node):
    """A person by their key; what else is known is read when it is asked for."""

    key: str = strawberry.field(description='The caller\'s own key ("facebook:123").')

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.USER, self.key)

    def whose_record(self) -> list[Subject]:
        """Whose record this is."""
        return [Subject(SubjectKind.USER, self.key)]

    @strawberry.field(description='ISO 3166-1 alpha-2 or 3166-2 ("GB", "GB-SCT"); null = unknown.')
    async def jurisdiction(self, info: Info) -> str | None:
        """Where the person lives now."""
        user = await info.context.user(self.key)
        return None if user is None else user.jurisdiction

    @strawberry.field(description="A day from which the person is known to be adult; null = unknown.")
    async def adult_from(self, info: Info) -> date | None:
        """Treated as a birth date: only for roles that may read people."""
        info.context.require(Action.READ_PEOPLE)
        user = await info.context.user(self.key)
        return None if user is None else user.adult_from

    @strawberry.field(description="When their erasure was confirmed; null unless it was.")
    async def erased_at(self, info: Info) -> DateTime | None:
        """The erasure."""
        user = await info.context.user(self.key)
        return None if user is None else instant_or_none(user.erased_at)

    @strawberry.field(description="Where the person stands for a purpose, over all their objections.")
    async def consent(
        self, info: Info, purpose: Purpose = AI_TRAINING, at: At = None, known_at: KnownAt = None
    ) -> ConsentState:
        """The person's standing at a time, as known at a time."""
        state = await consent_cases.find_consent(info.context.service, self.key, purpose, at, known_at)
        return ConsentState(value=state)

    @strawberry.field(
        description="What the person was told and said about a purpose, by valid time: notices, objections, consent."
    )
    async def consent_history(
        self, info: Info, purpose: Purpose = AI_TRAINING, first: First = 50, after: After = None
    ) -> Connection[ConsentState]:
        """A page of the history, as known now."""
        listing = listing_of("User.consentHistory", purpose, self.key)
        request = info.context.cursors.request(listing, first, after)
        page = await consent_cases.list_consent_history(info.context.service, self.key, purpose, request)
        return connect(info.context.cursors, listing, page, lambda state: ConsentState(value=state))

    @strawberry.field(description="The recorded posts that the person wrote, by key.")
    async def posts(self, info: Info, first: First = 50, after: After = None) -> Connection["Post"]:
        """A page of the person's posts."""
        listing = f"User.posts:{self.key}"
        request = info.context.cursors.request(listing, first, after)
        page = await people_cases.list_posts(info.context.service, self.key, request)
        return connect(info.context.cursors, listing, page, lambda post: Post(value=post))

    @strawberry.field(description="The person's objections, by the time of receipt.")
    async def objections(self, info: Info, first: First = 50, after: After = None) -> Connection["Objection"]:
        """A page of the person's objections."""
        listing = f"User.objections:{self.key}"
        request = info.context.cursors.request(listing, first, after)
        page = await people_cases.list_objections_of(info.context.service, self.key, request)
        return connect(info.context.cursors, listing, page, lambda objection: Objection(value=objection))


@strawberry.type(
    description="A post. Its text is never stored. The nullable facts are null when it is known by key only (a manifest"
    " named it), or erased."
)
class Post(Node):
    """A post as it stands."""

    value: strawberry.Private[post_cases.Post]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.POST, self.value.key)

    @strawberry.field(description='The caller\'s own key ("facebook:123").')
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="Who wrote it; also null for roles that may not see people.")
    def author(self, info: Info) -> User | None:
        """The author, for those who may know."""
        if self.value.author is None or not info.context.may(Action.READ_PEOPLE):
            return None
        return User(key=self.value.author)

    @strawberry.field(description="Where it was posted, an upper-case code: FACEBOOK, INSTAGRAM, THREADS, …")
    def platform(self) -> str | None:
        """The platform."""
        return self.value.platform

    @strawberry.field(description="What sort of thing it is.")
    def kind(self) -> PostKind | None:
        """The kind."""
        return self.value.kind

    @strawberry.field(description="When it was published.")
    def published_at(self) -> DateTime | None:
        """The publication."""
        return instant_or_none(self.value.published_at)

    @strawberry.field(description="When it was deleted; null while it is not.")
    def deleted_at(self) -> DateTime | None:
        """The earliest recorded deletion."""
        return instant_or_none(self.value.deleted_at)

    @strawberry.field(description="When the erasure of its author was confirmed; null unless it was.")
    def erased_at(self) -> DateTime | None:
        """The erasure."""
        return instant_or_none(self.value.erased_at)

    @strawberry.field(description="Who may see it; before its publication, as it was published.")
    async def visibility(self, info: Info, at: At = None, known_at: KnownAt = None) -> Visibility | None:
        """The visibility at a time."""
        return await post_cases.visibility(info.context.service, self.value.key, at, known_at)

    @strawberry.field(description="Whether it may be used for a purpose.")
    async def eligibility(
        self, info: Info, purpose: Purpose = AI_TRAINING, at: At = None, known_at: KnownAt = None
    ) -> Eligibility:
        """The answer with all its reasons."""
        answer = await post_cases.eligibility(info.context.service, self.value.key, purpose, at, known_at)
        if answer is None:
            raise NotFoundError("the post is not recorded any more", path=("key",))
        return Eligibility(value=answer)

    @strawberry.field(description="Whether and how it was used.")
    async def usage(self, info: Info, known_at: KnownAt = None) -> PostUsage:
        """As `postUsage` of its key."""
        return PostUsage(answer=await usage_cases.post_usage(info.context.service, self.value.key, known_at))


def post_view(post: post_cases.Post | None) -> Post | None:
    """The post as clients see it, when there is one."""
    return None if post is None else Post(value=post)


@strawberry.type(description="What happened to an objection: who, when and why.")
class ObjectionEvent:
    """One step of an objection's life."""

    value: strawberry.Private[objections.ObjectionEvent]

    @strawberry.field(description="What happened.")
    def kind(self) -> ObjectionEventKind:
        """The kind."""
        return self.value.kind

    @strawberry.field(description="When: received, the person was told, the period was extended, it was taken back.")
    def at(self) -> DateTime:
        """Valid time."""
        return instant(self.value.at)

    @strawberry.field(description="When the system learned it.")
    def recorded_at(self) -> DateTime:
        """Recorded time."""
        return instant(self.value.recorded_at)

    @strawberry.field(description='By the role of whom; "record" when it was loaded, null where that was not kept.')
    def by(self) -> str | None:
        """A role."""
        return self.value.by

    @strawberry.field(description="The grounds of the decision, or why more time was needed.")
    def reason(self) -> str | None:
        """The reason."""
        return self.value.reason


@strawberry.type(description="A person's objection to the use of their posts (UK GDPR Art. 21).")
class Objection(Node):
    """An objection as it stands."""

    value: strawberry.Private[objections.Objection]

    def node_id(self) -> NodeId:
        """What the id stands for."""
        return NodeId(NodeKind.OBJECTION, self.value.key)

    def whose_record(self) -> tuple[Subject, ...]:
        """Whose record this is."""
        return subjects_of(self.value)

    @strawberry.field(description="The caller's own key.")
    def key(self) -> str:
        """The key."""
        return self.value.key

    @strawberry.field(description="The person who objects; null once erased.")
    def user(self) -> User | None:
        """The person."""
        return None if is_digest(self.value.user) else User(key=self.value.user)

    @strawberry.field(description="Where it stands in its life.")
    def status(self) -> ObjectionStatus:
        """The status."""
        return self.value.status

    @strawberry.field(description="The purposes objected to; at least one.")
    def purposes(self) -> list[str]:
        """The purposes."""
        return list(self.value.purposes)

    @strawberry.field(
        description="Those of its purposes that no recorded policy speaks of: none may be used for them anyway, so they"
        " change nothing, and may be misspelt."
    )
    async def purposes_without_policy(self, info: Info) -> list[str]:
        """Purposes about which somebody should ask."""
        spoken_of = purposes_of((await info.context.lineage()).policies)
        return [purpose for purpose in self.value.purposes if purpose not in spoken_of]

    @strawberry.field(description="The platforms that it concerns; empty = all.")
    def platforms(self) -> list[str]:
        """The platforms."""
        return list(self.value.platforms)

    @strawberry.field(description="When it reached the controller: from then on it stops use.")
    def received_at(self) -> DateTime:
        """The receipt."""
        return instant(self.value.received_at)

    @strawberry.field(description="The end of the statutory month, fixed at intake; see docs.")
    def due_at(self) -> DateTime:
        """The deadline."""
        return instant(self.value.due_at)

    @strawberry.field(description="Whether the deadline, with its extension, passed with the objection undecided.")
    async def overdue(self, info: Info) -> bool:
        """Whether it is overdue now."""
        return self.value.overdue(await info.context.now())

    @strawberry.field(description="The deadline after its one extension by two months; null without one.")
    def extended_to(self) -> DateTime | None:
        """The extended deadline."""
        return instant_or_none(self.value.extended_to)

    @strawberry.field(description="When the person was told the decision; null until then.")
    def decided_at(self) -> DateTime | None:
        """The decision."""
        return instant_or_none(self.value.decided_at)

    @strawberry.field(description="The grounds of the decision; required for a refusal.")
    def grounds(self) -> str | None:
        """The grounds."""
        return self.value.grounds

    @strawberry.field(description="What happened to it, in the order in which it was recorded; it only grows.")
    def history(self) -> list[ObjectionEvent]:
        """Each step of its life."""
        return [ObjectionEvent(value=event) for event in self.value.history]

    @strawberry.field(description="How many recorded posts lie in its scope.")
    async def affected_post_count(self, info: Info) -> int:
        """Posts that the person wrote, and posts that depict them."""
        return await objection_cases.affected_post_count(info.context.service, self.value)

    @strawberry.field(description="The consumed versions that cannot rule the person's posts out: no flag says so.")
    async def possible_versions(self, info: Info) -> list[DatasetVersion]:
        """Versions without a COMPLETE manifest."""
        versions = await objection_cases.possible_versions(info.context.service, self.value)
        refs = [version.ref for version in versions]
        known = await info.context.lineage(versions=refs)
        return [dataset_version(known, ref) for ref in refs]

    @strawberry.field(description="The retraining flags of which it is a cause, by the time they were raised.")
    async def flags(self, info: Info, first: First = 50, after: After = None) -> Connection[RetrainingFlag]:
        """A page of its flags."""
        context, listing = info.context, f"Objection.flags:{self.value.key}"
        request = context.cursors.request(listing, first, after)
        page = await flag_cases.list_flags_of_objection(context.service, self.value.key, request)
        named = [key for flag in page.items for key in (flag.model_version, flag.replacement) if key is not None]
        known = await context.lineage(models=named)
        return connect(context.cursors, listing, page, lambda flag: RetrainingFlag(lineage=known, value=flag))
