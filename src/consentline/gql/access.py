"""Which action each root field needs. Deny by default: a field without one keeps the schema from being built."""

from graphql import GraphQLField

from consentline.domain.access import Action

_KEY = "action"


def needs(action: Action) -> dict[str, Action]:
    """The metadata of a root field that only roles with this action may ask."""
    return {_KEY: action}


def action_of(field: GraphQLField) -> Action | None:
    """The action that a field declares, if any."""
    definition = field.extensions.get("strawberry-definition")
    return None if definition is None else definition.metadata.get(_KEY)
