"""The schema: strawberry's types, guarded by role, with resolvers that cost as little as a plain call."""

import logging
from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction, signature
from operator import attrgetter
from typing import Any, cast

import strawberry
from graphql import (
    GraphQLError,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    Undefined,
    get_named_type,  # pyright: ignore[reportUnknownVariableType] - its generics are open
    is_abstract_type,
    is_leaf_type,
    print_schema,
)
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext, Info
from strawberry.types.arguments import StrawberryArgument
from strawberry.types.base import StrawberryMaybe
from strawberry.types.field import StrawberryField
from strawberry.types.fields.resolver import StrawberryResolver

from consentline.gql import enums
from consentline.gql.access import action_of
from consentline.gql.audit import audited_mutation, audited_query, noting
from consentline.gql.executor import Plain
from consentline.gql.mutations import Mutation
from consentline.gql.queries import Query
from consentline.gql.scalars import DATE_TIME, DateTime
from consentline.gql.subscriptions import Subscription
from consentline.gql.types.eligibility import Policy
from consentline.gql.types.lineage import Feature

_LOG = logging.getLogger("consentline.gql")

__all__ = ["ApiSchema", "build_schema", "enums", "export"]


class ApiSchema(strawberry.Schema):
    """Strawberry's schema; `core` is what requests are executed on, see `gql/execution.py`."""

    def __init__(self) -> None:
        super().__init__(  # pyright: ignore[reportUnknownMemberType] - strawberry's generics are open
            query=Query,
            mutation=Mutation,
            subscription=Subscription,
            types=[Feature, Policy],
            config=StrawberryConfig(scalar_map={DateTime: DATE_TIME}),
        )
        self.core: GraphQLSchema = self._schema
        name_of = self.config.name_converter.from_argument
        for type_ in self.core.type_map.values():
            if isinstance(type_, GraphQLInterfaceType) and type_.resolve_type is not None:
                type_.resolve_type = _remembering(type_.resolve_type)
            if isinstance(type_, GraphQLInputObjectType):
                _leave_out_null_defaults(type_.fields.values())
            elif isinstance(type_, GraphQLObjectType) and not type_.name.startswith("__"):
                # A view is what its class says; asking again for each object is strawberry's default.
                type_.is_type_of = None
                for field in type_.fields.values():
                    _leave_out_null_defaults(field.args.values())
                    field.resolve = _direct(field, name_of) or field.resolve
        _note_people(self.core)
        for root in (self.core.query_type, self.core.mutation_type, self.core.subscription_type):
            for name, field in root.fields.items() if root else ():
                _guard(self.core, f"{root}.{name}", name, field)

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Log that there were errors, never what they hold: strawberry would log the values of variables."""
        _LOG.warning("%d errors", len(errors))


def build_schema() -> ApiSchema:
    """The public schema; every root field is guarded by the action that it declares.

    Raises:
        TypeError: a root field declares none.
    """
    return ApiSchema()


def export(schema: ApiSchema) -> str:
    """The SDL, as committed in schema/schema.graphql."""
    return print_schema(schema.core) + "\n"


def _leave_out_null_defaults(values: Any) -> None:
    """Optional means may be left out: `= null` says nothing more, and would be a default that may never change."""
    for value in values:
        if value.default_value is None:
            value.default_value = Undefined


def _direct(field: GraphQLField, name_of: Callable[[StrawberryArgument], str]) -> Callable[..., Any] | None:
    """A plain call instead of strawberry's where nothing is to be converted for the resolver; None elsewhere."""
    definition: StrawberryField | None = field.extensions.get("strawberry-definition")
    if definition is None or definition.extensions or definition.is_subscription:
        return None
    resolver = cast("StrawberryResolver[Any] | None", definition.base_resolver)
    if resolver is None:
        return Plain(attrgetter(definition.python_name))
    function = cast("Callable[..., Any]", resolver.wrapped_func)
    parameters = signature(function).parameters
    if list(parameters) == ["self"] and not iscoroutinefunction(function):
        return Plain(function)
    if any(isinstance(each.type, StrawberryMaybe) for each in definition.arguments):
        return None
    if not all(is_leaf_type(get_named_type(_type_of(each))) for each in field.args.values()):
        return None
    names = {name_of(each): each.python_name for each in definition.arguments}
    return _call(function, definition, names, tells_place="info" in parameters)


def _remembering(resolve_type: Callable[..., Any]) -> Callable[..., Any]:
    """How the type of a view is found, once for each class of views."""
    names: dict[type, Any] = {}

    def resolve(value: Any, info: GraphQLResolveInfo[Any], abstract_type: Any) -> Any:
        kind = cast("type[Any]", type(value))  # pyright: ignore[reportUnnecessaryCast] - it is partially unknown
        found = names.get(kind)
        if found is None:
            found = resolve_type(value, info, abstract_type)
            if isinstance(found, str):
                names[kind] = found
        return found

    return resolve


def _type_of(argument: Any) -> Any:
    """The argument's type; graphql-core's own annotation is open in its generics."""
    return argument.type


def _call(
    function: Callable[..., Any], definition: StrawberryField, names: Mapping[str, str], *, tells_place: bool
) -> Callable[..., Any]:
    """A resolver that takes its arguments, leaves or lists of leaves, as graphql-core coerced them."""

    def resolve(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        given = {names[name]: value for name, value in arguments.items()}
        if tells_place:
            given["info"] = Info(_raw_info=info, _field=definition)
        return function(source, **given)

    return resolve


def people_types(core: GraphQLSchema) -> frozenset[str]:
    """The names of the types whose views are records of people: those with `whose_record`."""
    return frozenset(name for name, type_ in core.type_map.items() if hasattr(_origin(type_), "whose_record"))


def _origin(type_: GraphQLNamedType) -> type | None:
    definition = type_.extensions.get("strawberry-definition")
    return getattr(definition, "origin", None)


def _note_people(core: GraphQLSchema) -> None:
    """Have every field note whom it shows, also those that may answer with anything."""
    people = people_types(core)
    for type_ in core.type_map.values():
        for field in type_.fields.values() if isinstance(type_, GraphQLObjectType) else ():
            named = cast("GraphQLNamedType", get_named_type(field.type))
            if field.resolve is not None and (named.name in people or is_abstract_type(named)):
                field.resolve = noting(field.resolve)


def _guard(core: GraphQLSchema, path: str, name: str, field: GraphQLField) -> None:
    action = action_of(field)
    if action is None:
        raise TypeError(f"{path} declares no action: whoever may ask it must be said")
    if field.subscribe is not None:
        field.subscribe = audited_query(field.subscribe, action, name)
    elif field.resolve is not None:
        is_change = core.mutation_type is not None and core.mutation_type.fields.get(name) is field
        field.resolve = (audited_mutation if is_change else audited_query)(field.resolve, action, name)
