"""Running documents: each is parsed and validated once, then run by graphql-core on the schema.

Strawberry's own entry point wraps every request in extensions that we do not use; running the cached document directly
costs a third of it.
"""

from collections import OrderedDict
from collections.abc import AsyncIterable, Awaitable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from types import CoroutineType
from typing import Any, TypeGuard

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSyntaxError,
    OperationType,
    execute,  # pyright: ignore[reportUnknownVariableType] - its generics are open
    get_operation_ast,
    parse,
    specified_rules,
    subscribe,  # pyright: ignore[reportUnknownVariableType] - its generics are open
    validate,
)

from consentline.gql.context import Context
from consentline.gql.errors import FormattedError, field_error, request_error, syntax_error, validation_error
from consentline.gql.limits import MAX_TOKENS, DepthLimit
from consentline.gql.schema import ApiSchema

_RULES = (*specified_rules, DepthLimit)
_MOST_DOCUMENTS = 500
_LONGEST_KEPT = 20_000
_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class Operation:
    """What a client asks: a document, which of its operations, and the variables."""

    query: str
    name: str | None = None
    variables: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of an operation; `ran` is false when it was refused before any field was asked."""

    data: dict[str, Any] | None = None
    errors: list[FormattedError] = field(default_factory=list[FormattedError])
    ran: bool = True

    def body(self) -> dict[str, Any]:
        """The answer's JSON object (GraphQL specification, section 7)."""
        if not self.ran:
            return {"errors": self.errors}
        return {"errors": self.errors, "data": self.data} if self.errors else {"data": self.data}


class Engine:
    """Runs operations on a schema and remembers the documents that were valid."""

    def __init__(self, schema: ApiSchema) -> None:
        self._schema = schema.core
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()

    async def run(self, operation: Operation, context: Context) -> Answer:
        """The answer to an operation; every error is in it, none is raised."""
        document = self._documents.get(operation.query)
        if document is None:
            document = self._load(operation.query)
            if isinstance(document, Answer):
                return document
        else:
            self._documents.move_to_end(operation.query)
        result = await self._execute(document, operation, context)
        if result.data is None and result.errors and all(error.path is None for error in result.errors):
            return Answer(errors=[request_error(each, operation.variables) for each in result.errors], ran=False)
        return Answer(result.data, [field_error(each, context.request_id) for each in result.errors or ()])

    def _load(self, query: str) -> DocumentNode | Answer:
        try:
            document = parse(query, max_tokens=MAX_TOKENS, no_location=False)
        except GraphQLSyntaxError as error:
            return Answer(errors=[syntax_error(error)], ran=False)
        except RecursionError:
            return Answer(errors=[_too_deep()], ran=False)
        try:
            errors = validate(self._schema, document, _RULES, max_errors=_MOST_ERRORS)
        except RecursionError:
            return Answer(errors=[_too_deep()], ran=False)
        if errors:
            return Answer(errors=[validation_error(error) for error in errors], ran=False)
        if len(query) <= _LONGEST_KEPT:
            self._documents[query] = document
            if len(self._documents) > _MOST_DOCUMENTS:
                self._documents.popitem(last=False)
        return document

    async def _execute(self, document: DocumentNode, operation: Operation, context: Context) -> ExecutionResult:
        variables = None if operation.variables is None else dict(operation.variables)
        node = get_operation_ast(document, operation.name)
        if node is not None and node.operation is OperationType.SUBSCRIPTION:
            stream = subscribe(
                self._schema, document, None, context, variables, operation.name, max_coercion_errors=_MOST_ERRORS
            )
            if isawaitable(stream):
                stream = await stream
            if isinstance(stream, ExecutionResult):
                return stream
            raise TypeError("a subscription needs a stream")
        result = execute(
            self._schema,
            document,
            None,
            context,
            variables,
            operation.name,
            max_coercion_errors=_MOST_ERRORS,
            is_awaitable=_is_awaitable,
            is_async_iterable=_is_async_iterable,
        )
        return await result if isawaitable(result) else result


def _is_awaitable(value: Any) -> TypeGuard[Awaitable[Any]]:
    """Whether a resolver's value is to be awaited: ours are coroutines or plain values, nothing else."""
    return type(value) is CoroutineType


def _is_async_iterable(_value: Any) -> TypeGuard[AsyncIterable[Any]]:
    return False


def _too_deep() -> FormattedError:
    return validation_error(GraphQLError("the document nests too deep", extensions={"code": "TOO_DEEP"}))
