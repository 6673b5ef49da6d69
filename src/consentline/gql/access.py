"""Which action each root field needs. Deny by default: a field without one keeps the schema from being built."""

from collections.abc import Callable
from typing import Any

from graphql import GraphQLField, GraphQLResolveInfo

from consentline.domain.access import Action

_KEY = "action"


def needs(action: Action) -> dict[str, Action]:
    """The metadata of a root field that only roles with this action may ask."""
    return {_KEY: action}


def action_of(field: GraphQLField) -> Action | None:
    """The action that a field declares, if any."""
    definition = field.extensions.get("strawberry-definition")
    return None if definition is None else definition.metadata.get(_KEY)


def guarded(resolve: Callable[..., Any], action: Action) -> Callable[..., Any]:
    """The resolver, for bearers whose role allows the action; nothing is read for others."""

    def resolve_when_allowed(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        info.context.require(action)
        return resolve(source, info, **arguments)

    return resolve_when_allowed
