"""graphql-core's executor, with what all runs of one operation have in common worked out once.

The algorithms of the specification stay graphql-core's: which fields are asked, how variables, arguments and values are
coerced, how objects and lists are completed, how errors propagate. Kept for an operation are its collected fields with
their definitions; left out is what a field that only reads its view has no use for: arguments, and a description of
where it stands.
"""

# graphql-core's generics are open: what it gives is partially unknown.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping, Sequence
from inspect import iscoroutinefunction
from types import CoroutineType
from typing import Any, Generic, NamedTuple, TypeAlias, TypeGuard, TypeVar, cast

from graphql import (
    DirectiveNode,
    DocumentNode,
    ExecutionResult,
    Executor,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLID,
    GraphQLObjectType,
    GraphQLResolveInfo,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    Visitor,
    default_field_resolver,
    default_type_resolver,
    get_named_type,
    get_nullable_type,
    get_variable_values,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_object_type,
    visit,
)
from graphql.execution.collect_fields import CollectedFields, FieldDetailsList, FragmentDetails, collect_fields
from graphql.execution.executor import CollectedErrors
from graphql.execution.get_variable_signature import get_variable_signature
from graphql.execution.values import VariableValues, VariableValueSource
from graphql.pyutils import Path, gather_with_cancel
from graphql.utilities import coerce_input_value

from consentline.gql.limits import fragments_of

_MOST_ERRORS = 20
_SHOWN_AS_THEY_ARE = {GraphQLString.name: str, GraphQLID.name: str, GraphQLBoolean.name: bool}
"""Leaf types whose values of these classes graphql-core shows as they are."""

T = TypeVar("T")
_Fields: TypeAlias = dict[str, FieldDetailsList]


class Plain(Generic[T]):
    """The resolver of a field that reads its view and needs neither arguments nor context."""

    __slots__ = ("read",)

    def __init__(self, read: Callable[[Any], T]) -> None:
        """`read` is no coroutine function."""
        assert not iscoroutinefunction(read)  # noqa: S101 - nobody would await it
        self.read = read

    def __call__(self, source: Any, _info: GraphQLResolveInfo[Any], **_arguments: Any) -> T:
        """Resolve as graphql-core asks for it."""
        return self.read(source)


class _Where(NamedTuple):
    """As much of a field's place as graphql-core names when a value is missing."""

    parent_type: GraphQLObjectType
    field_name: str


class _Step(NamedTuple):
    """One field of a selection: how it is read when that is plain, and how a leaf is shown.

    A leaf's value of the class `shown_as_it_is` needs no showing.
    """

    name: str
    details: FieldDetailsList
    field_type: Any
    where: Any
    read: Callable[[Any], Any] | None = None
    show: Callable[[Any], Any] | None = None
    shown_as_it_is: type[Any] | None = None
    object_type: GraphQLObjectType | None = None


class _Steps(NamedTuple):
    """The steps of a selection; `leaves` are these, too, when each is a plain leaf.

    Held together with the fields, whose id would be given to others otherwise.
    """

    fields: _Fields
    steps: tuple[_Step, ...]
    leaves: tuple[tuple[str, Callable[[Any], Any], Callable[[Any], Any], type[Any] | None, _Step], ...] | None


class _Object(NamedTuple):
    """What views of one class are at one place of a document: their type, and what is asked of them there."""

    details: FieldDetailsList
    object_type: GraphQLObjectType
    fields: _Fields


class Plan:
    """An operation of a valid document, ready to be run many times."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> None:
        fragments = fragments_of(document)
        self._schema = schema
        self.operation = operation
        self._executor = _PlannedExecutor(
            schema,
            dict(fragments),
            {name: FragmentDetails(node) for name, node in fragments.items()},
            None,
            None,
            operation,
            VariableValues({}, {}),
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            is_awaitable=is_awaitable,
            is_async_iterable=is_async_iterable,
        )
        signatures = [get_variable_signature(schema, each) for each in operation.variable_definitions or ()]
        self._signatures = [each for each in signatures if not isinstance(each, GraphQLError)]
        self._texts = {each.name for each in self._signatures if _is_list_of_texts(each.type)}
        # What @skip and @include leave of a selection depends on the variables of each run.
        self._same_for_all = not _has_conditions(document)

    @property
    def kind(self) -> OperationType:
        """Whether it is a query, a mutation or a subscription."""
        return self.operation.operation

    def executor(
        self, root: Any, context: Any, variables: Mapping[str, Any] | None
    ) -> "Executor[Any] | list[GraphQLError]":
        """What runs the operation once; or what is wrong with the variables."""
        values = self._leaves(variables or {})
        if values is None:
            definitions = self.operation.variable_definitions or ()
            found = get_variable_values(self._schema, definitions, dict(variables or {}), max_errors=_MOST_ERRORS)
            if isinstance(found, list):
                return found
            values = found
        return self._executor.run_of(root, context, values, shared=self._same_for_all)

    def _leaves(self, given: Mapping[str, Any]) -> VariableValues | None:
        """The variables when each is a leaf that was given and fits; None leaves them to graphql-core as a whole."""
        values = VariableValues({}, {})
        for signature in self._signatures:
            value = given.get(signature.name)
            if value is None or not is_leaf_type(get_named_type(signature.type)):
                return None
            # A list of texts is as it should be; graphql-core would look at the type again for each.
            if signature.name in self._texts and type(value) is list and all(type(each) is str for each in value):
                coerced = value
            else:
                coerced = coerce_input_value(value, signature.type)
            if coerced is Undefined:
                return None
            values.sources[signature.name] = VariableValueSource(signature, value)
            values.coerced[signature.name] = coerced
        return values


def _is_list_of_texts(type_: Any) -> bool:
    listed = get_nullable_type(type_)
    return is_list_type(listed) and get_nullable_type(listed.of_type) in (GraphQLString, GraphQLID)


def is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """Whether a resolver's value is to be awaited: ours are coroutines or plain values, nothing else."""
    return type(value) is CoroutineType


def is_async_iterable(_value: Any) -> TypeGuard[AsyncIterable[Any]]:
    """Whether a resolver's value is iterated asynchronously: none of ours is."""
    return False


class _PlannedExecutor(Executor[Any]):
    """Runs one operation; what it works out about the operation is shared by its copies."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._root_fields: list[CollectedFields] = []
        self._steps: dict[int, _Steps] = {}
        self._objects: dict[tuple[int, type], _Object] = {}

    def run_of(self, root: Any, context: Any, values: VariableValues, *, shared: bool) -> "_PlannedExecutor":
        """A copy for one run, as `build_per_event_executor` makes them."""
        run = self.__class__.__new__(self.__class__)
        run.__dict__.update(self.__dict__)
        run.root_value = root
        run.context_value = context
        run.collected_errors = CollectedErrors()
        run.variable_values = values
        run.background_futures = set()
        if not shared:
            run._root_fields, run._steps, run._objects, run._relevant_sub_fields = [], {}, {}, {}
        return run

    def execute_operation(self, serially: bool | None = None) -> "Awaitable[ExecutionResult] | ExecutionResult":
        """As graphql-core's, on fields that are collected once."""
        kind = self.operation.operation
        root_type = cast("GraphQLObjectType", self.schema.get_root_type(kind))
        if not self._root_fields:
            found = collect_fields(self.schema, self.fragments, self.variable_values, root_type, self.operation)
            self._root_fields.append(found)
        try:
            result = self.execute_root_grouped_field_set(
                root_type,
                self.root_value,
                self._root_fields[0].grouped_field_set,
                kind is OperationType.MUTATION if serially is None else serially,
                None,
            )
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            return cast("ExecutionResult", self.build_response(None))
        if is_awaitable(result):
            return self._response(result)
        return cast("ExecutionResult", self.build_response(cast("dict[str, Any]", result)))

    async def _response(self, pending: Awaitable[Any]) -> ExecutionResult:
        try:
            data = await pending
        except GraphQLError as error:
            self.collected_errors.add(error, None)
            data = None
        return cast("ExecutionResult", self.build_response(data))

    def execute_fields(
        self,
        parent_type: GraphQLObjectType,
        source_value: Any,
        path: Path | None,
        grouped_field_set: _Fields,
        position_context: Any,
    ) -> Any:
        """As graphql-core's; plain fields are read at once, leaves of them shown at once."""
        planned = self._steps.get(id(grouped_field_set)) or self._planned(parent_type, grouped_field_set)
        if planned.leaves is not None:
            return self._read_leaves(parent_type, source_value, path, planned.leaves)
        results: dict[str, Any] = {}
        pending: list[str] = []
        try:
            for name, details, type_, where, read, show, shown_as_it_is, object_ in planned.steps:
                if read is None:
                    place = Path(path, name, parent_type.name)
                    result = self.execute_field(parent_type, source_value, details, place, position_context)
                    if result is Undefined:
                        continue
                elif show is None:
                    place = Path(path, name, parent_type.name)
                    result = self._complete(read, source_value, type_, object_, details, where, place)
                else:
                    try:
                        value = read(source_value)
                        results[name] = value if type(value) is shown_as_it_is else show(value)
                    except Exception as error:
                        self.handle_field_error(error, type_, details, Path(path, name, parent_type.name))
                        results[name] = None
                    continue
                results[name] = result
                if type(result) is CoroutineType:
                    pending.append(name)
        except Exception:
            if pending:
                self.settle_in_background([results[name] for name in pending])
            raise
        return _all_of(results, pending) if pending else results

    def _read_leaves(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        path: Path | None,
        leaves: Iterable[tuple[str, Callable[[Any], Any], Callable[[Any], Any], type[Any] | None, _Step]],
    ) -> dict[str, Any]:
        """What most objects of a list are: plain leaves, nothing else."""
        results: dict[str, Any] = {}
        for name, read, show, shown_as_it_is, step in leaves:
            try:
                value = read(source)
                results[name] = value if type(value) is shown_as_it_is else show(value)
            except Exception as error:
                self.handle_field_error(error, step.field_type, step.details, Path(path, name, parent_type.name))
                results[name] = None
        return results

    def _complete(
        self,
        read: Callable[[Any], Any],
        source: Any,
        type_: Any,
        object_: GraphQLObjectType | None,
        details: FieldDetailsList,
        where: Any,
        place: Path,
    ) -> Any:
        """The objects that a plain field leads to."""
        try:
            value = read(source)
            if object_ is None or value is None or isinstance(value, Exception):
                completed = self.complete_value(type_, details, where, place, value, None)
            else:
                completed = self.complete_object_value(object_, details, where, place, value, None)
        except Exception as error:
            self.handle_field_error(error, type_, details, place)
            return None
        return self._settled(completed, type_, details, place) if is_awaitable(completed) else completed

    def complete_object_value(
        self,
        return_type: GraphQLObjectType,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        result: Any,
        position_context: Any,
    ) -> Any:
        """As graphql-core's; straight to the fields where nobody asks whether the object is of the type."""
        if return_type.is_type_of is not None:
            return super().complete_object_value(return_type, field_details_list, info, path, result, position_context)
        fields = self.collect_subfields(return_type, field_details_list).grouped_field_set
        self._objects[id(field_details_list), type(result)] = _Object(field_details_list, return_type, fields)
        return self.execute_fields(return_type, result, path, fields, position_context)

    def complete_iterable_value(
        self,
        item_type: Any,
        field_details_list: FieldDetailsList,
        info: Any,
        path: Path,
        items: Iterable[Any],
        position_context: Any,
    ) -> Any:
        """As graphql-core's; items are there, none is awaited or streamed, what they hold may be."""
        results: list[Any] = []
        pending: list[int] = []
        try:
            for index, item in enumerate(items):
                place = Path(path, index, None)
                known = self._objects.get((id(field_details_list), type(item)))
                try:
                    if known is not None:
                        result = self.execute_fields(known.object_type, item, place, known.fields, position_context)
                    else:
                        result = self.complete_value(item_type, field_details_list, info, place, item, position_context)
                except Exception as error:
                    self.handle_field_error(error, item_type, field_details_list, place)
                    result = None
                if type(result) is CoroutineType:
                    pending.append(index)
                    result = self._settled(result, item_type, field_details_list, place)
                results.append(result)
        except Exception:
            if pending:
                self.settle_in_background([results[index] for index in pending])
            raise
        return _all_of(results, pending) if pending else results

    async def _settled(self, pending: Awaitable[Any], type_: Any, details: FieldDetailsList, place: Path) -> Any:
        try:
            return await pending
        except Exception as error:
            self.handle_field_error(error, type_, details, place)
            return None

    def _planned(self, parent_type: GraphQLObjectType, fields: _Fields) -> _Steps:
        steps = tuple(self._step(parent_type, name, details) for name, details in fields.items())
        leaves = [
            (each.name, each.read, each.show, each.shown_as_it_is, each)
            for each in steps
            if each.read is not None and each.show is not None
        ]
        planned = _Steps(fields, steps, tuple(leaves) if len(leaves) == len(steps) else None)
        self._steps[id(fields)] = planned
        return planned

    def _step(self, parent_type: GraphQLObjectType, name: str, details: FieldDetailsList) -> _Step:
        asked = details[0].node.name.value
        field: Any = self.schema.get_field(parent_type, asked)
        where = _Where(parent_type, asked)
        if field is None or not isinstance(field.resolve, Plain):
            return _Step(name, details, None, where)
        read = cast("Callable[[Any], Any]", field.resolve.read)
        required = is_non_null_type(field.type)
        inner = cast("Any", get_nullable_type(field.type))
        if is_leaf_type(inner):
            show = _showing(inner, where, required=required)
            return _Step(name, details, field.type, where, read, show, _SHOWN_AS_THEY_ARE.get(inner.name))
        named: Any = get_named_type(inner)
        if is_leaf_type(named) or (is_object_type(named) and named.is_type_of is None):
            return _Step(name, details, field.type, where, read, object_type=inner if is_object_type(inner) else None)
        return _Step(name, details, None, where)


async def _all_of(results: Any, pending: Sequence[Any]) -> Any:
    """The results, a mapping or a list, with those awaited that are pending."""
    if len(pending) == 1:
        results[pending[0]] = await results[pending[0]]
    else:
        found = await gather_with_cancel(*(results[each] for each in pending))
        for each, result in zip(pending, found, strict=True):
            results[each] = result
    return results


def _showing(type_: Any, where: _Where, *, required: bool) -> Callable[[Any], Any]:
    """How values of a leaf type are shown; what a value of an enum is called is looked up once."""
    complete, coerce = Executor.complete_leaf_value, type_.coerce_output_value
    names: dict[Any, Any] = {}
    kept = isinstance(type_, GraphQLEnumType)

    def show(value: Any) -> Any:
        if value is None and not required:
            return None
        if value is None:
            raise TypeError(f"Cannot return null for non-nullable field {where.parent_type}.{where.field_name}.")
        if isinstance(value, Exception):
            raise value
        shown = coerce(value)
        # graphql-core says what is wrong.
        return complete(type_, value) if shown is None or shown is Undefined else shown

    def show_kept(value: Any) -> Any:
        name = names.get(value)
        if name is None and value is not None:
            name = names[value] = show(value)
        return show(None) if name is None else name

    return show_kept if kept else show


class _Conditions(Visitor):
    """Looks for directives that leave fields out."""

    def __init__(self) -> None:
        super().__init__()
        self.found = False

    def enter_directive(self, node: DirectiveNode, *_arguments: Any) -> None:
        """One more directive."""
        self.found = self.found or node.name.value in ("skip", "include")


def _has_conditions(document: DocumentNode) -> bool:
    conditions = _Conditions()
    visit(document, conditions)
    return conditions.found
