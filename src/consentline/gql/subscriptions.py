"""What can be followed: events of the outbox, each told as what it tells of stands when it is told."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

import strawberry

from consentline.domain.access import Action
from consentline.domain.errors import NotImplementedYetError
from consentline.domain.events import OF_FLAGS, OF_OBJECTIONS, Event, needed_for
from consentline.gql.access import needs
from consentline.gql.context import Context, Info
from consentline.gql.scalars import format_instant
from consentline.gql.types.lineage import RetrainingFlag, flag_view
from consentline.gql.types.people import Objection
from consentline.usecases import flags
from consentline.usecases.feed import Wants

_After = Annotated[
    str | None,
    strawberry.argument(
        description="The id of the event that was got last (`extensions.event.id`): what followed it is told first."
        " Left out: only what happens from now on."
    ),
]
_View = Callable[[Context, Event], Awaitable[Any]]


class EventMark(NamedTuple):
    """Which event an answer tells of: its id, what happened, and when."""

    id: str
    kind: str
    at: str

    @classmethod
    def of(cls, event: Event) -> "EventMark":
        """The mark of an event."""
        return cls(event.id, event.kind.name, format_instant(event.at))


@dataclass(frozen=True, slots=True)
class Changes:
    """What a subscription tells of: events from after `begun` on, and how what they tell of is read."""

    name: str
    begun: str | None
    events: AsyncGenerator[Event]
    read: _View

    def __aiter__(self) -> AsyncGenerator[Event]:
        """The events."""
        return self.events

    async def view(self, context: Context, event: Event) -> Any:
        """What an event tells of, as it stands now; None when it is not there any more.

        Raises:
            ForbiddenError: the bearer's role may not be told of it.
        """
        context.require(needed_for(event.kind))
        return await self.read(context, event)


@strawberry.type(
    description="What can be followed, over WebSocket (graphql-transport-ws) or as text/event-stream. Every event is"
    " told at least once, in order, and named in `extensions.event`."
)
class Subscription:
    """The root of subscriptions."""

    @strawberry.subscription(
        description="Each flag when it is raised or changes, as it stands when it is told.",
        metadata=needs(Action.READ_LINEAGE),
    )
    async def retraining_flag_changed(
        self,
        info: Info,
        model_version: Annotated[
            str | None, strawberry.argument(description="Only of this model version. Left out: of all.")
        ] = None,
        after: _After = None,
    ) -> AsyncGenerator[RetrainingFlag]:
        """The events of flags."""

        def wants(event: Event) -> bool:
            return event.kind in OF_FLAGS and model_version in (None, event.model)

        return await _changes(info, after, wants, _flag)

    @strawberry.subscription(
        description="Each objection when it is filed or changes, as it stands when it is told.",
        metadata=needs(Action.READ_PEOPLE),
    )
    async def objection_changed(
        self,
        info: Info,
        key: Annotated[str | None, strawberry.argument(description="Only this one. Left out: all.")] = None,
        after: _After = None,
    ) -> AsyncGenerator[Objection]:
        """The events of objections."""
        # Once the person was erased it stands under its digest.
        keys = None if key is None else (key, info.context.service.pseudonyms.of("Objection", key))

        def wants(event: Event) -> bool:
            return event.kind in OF_OBJECTIONS and (keys is None or event.objection in keys)

        return await _changes(info, after, wants, _objection)


async def _changes(info: Info, after: str | None, wants: Wants, read: _View) -> Any:
    """The changes that are wanted, from the last event that the client got on.

    Raises:
        ConsentlineError: see `Feed.begin`.
    """
    context = info.context
    if context.feed is None:
        raise NotImplementedYetError("subscriptions cannot be followed here")
    place = await context.feed.begin(context.after or after)
    return Changes(info.field_name, place.event, context.feed.follow(place, wants), read)


async def _flag(context: Context, event: Event) -> RetrainingFlag | None:
    flag = None if event.flag is None else await flags.find_flag(context.service, event.flag)
    return None if flag is None else await flag_view(context, flag)


async def _objection(context: Context, event: Event) -> Objection | None:
    objection = None if event.objection is None else await context.objection(event.objection)
    return None if objection is None else Objection(value=objection)
