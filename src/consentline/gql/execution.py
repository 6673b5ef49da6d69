"""Running documents: each is parsed, validated and planned once, then run on the schema by `gql/executor.py`.

Strawberry's own entry point wraps every request in extensions that we do not use; running the cached document directly
costs a third of it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field, replace
from inspect import isawaitable
from typing import Any, NamedTuple, cast

from graphql import (
    DocumentNode,
    ExecutionResult,
    GraphQLError,
    GraphQLSchema,
    GraphQLSyntaxError,
    NoSchemaIntrospectionCustomRule,
    OperationType,
    create_source_event_stream,  # pyright: ignore[reportUnknownVariableType] - its generics are open
    get_operation_ast,
    parse,
    specified_rules,
    validate,
)

from consentline.domain.errors import AuditUnavailableError
from consentline.domain.events import Event
from consentline.gql.context import Context
from consentline.gql.cost import Reckoning
from consentline.gql.errors import (
    FormattedError,
    field_error,
    plain_error,
    request_error,
    syntax_error,
    validation_error,
)
from consentline.gql.executor import Plan, is_awaitable
from consentline.gql.limits import Limits, limit_rule
from consentline.gql.schema import ApiSchema
from consentline.gql.subscriptions import Changes, EventMark

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
    """What came of an operation; `ran` is false when it was refused before any field was asked.

    `event` is what an answer of a subscription tells of.
    """

    data: dict[str, Any] | None = None
    errors: list[FormattedError] = field(default_factory=list[FormattedError])
    ran: bool = True
    cost: int | None = None
    event: EventMark | None = None

    def body(self) -> dict[str, Any]:
        """The answer's JSON object (GraphQL specification, section 7); `extensions.cost` is what was reckoned."""
        body: dict[str, Any] = {"errors": self.errors} if self.errors or not self.ran else {}
        if self.ran:
            body["data"] = self.data
        extensions: dict[str, Any] = {} if self.cost is None else {"cost": self.cost}
        if self.event is not None:
            extensions["event"] = self.event._asdict()
        if extensions:
            body["extensions"] = extensions
        return body


class Following(NamedTuple):
    """A subscription: the id of the event after which it begins, when that is known, and its answers."""

    begun: str | None
    answers: AsyncGenerator[Answer]


class _Document:
    """A valid document: what its operations cost, and how each that was asked for is run."""

    def __init__(self, schema: GraphQLSchema, node: DocumentNode) -> None:
        self.node = node
        self.reckoning = Reckoning(schema, node)
        self._schema = schema
        self._plans: dict[str | None, Plan | None] = {}

    def plan(self, name: str | None) -> Plan | None:
        """How the operation of a name is run, or the only one; None when none or several are meant."""
        if name not in self._plans:
            operation = get_operation_ast(self.node, name)
            if operation is None:
                return None
            self._plans[name] = Plan(self._schema, self.node, operation)
        return self._plans[name]


class _Prepared(NamedTuple):
    """An operation that may be run, and what that costs."""

    plan: Plan
    cost: int


class Engine:
    """Runs operations on a schema and remembers the documents that were valid."""

    def __init__(self, schema: ApiSchema, limits: Limits | None = None, *, help_clients: bool = True) -> None:
        """`help_clients`: whether introspection is answered and errors suggest names."""
        self._schema = schema.core
        self._limits = limits or Limits()
        self._help_clients = help_clients
        introspection = () if help_clients else (NoSchemaIntrospectionCustomRule,)
        self._rules = (*specified_rules, *introspection)
        self._limit_rule = limit_rule(self._limits)
        self._documents: OrderedDict[str, _Document] = OrderedDict()

    def check(self, query: str) -> list[FormattedError]:
        """What is wrong with a document, nothing when it may be run; one that may is remembered."""
        document = self._load(query)
        return document.errors if isinstance(document, Answer) else []

    async def run(self, operation: Operation, context: Context, admit: Callable[[int], None] | None = None) -> Answer:
        """The answer to an operation; every error is in it.

        `admit` is told what a valid operation costs before it is run, and may raise to keep it from being run.
        """
        prepared = self._prepare(operation)
        if isinstance(prepared, Answer):
            return prepared
        if prepared.plan.kind is OperationType.SUBSCRIPTION:
            return Answer(errors=[_not_followed()], ran=False)
        if admit is not None:
            admit(prepared.cost)
        try:
            return await self._execute(prepared, operation, context, None)
        except AuditUnavailableError as error:
            # Nothing of the answer leaves.
            return Answer(errors=[plain_error(error)], cost=prepared.cost)

    def follows(self, operation: Operation) -> bool:
        """Whether the operation is a valid subscription."""
        prepared = self._prepare(operation)
        return not isinstance(prepared, Answer) and prepared.plan.kind is OperationType.SUBSCRIPTION

    async def follow(
        self, operation: Operation, renew: Callable[[], Context], admit: Callable[[int], None] | None = None
    ) -> "Answer | Following":
        """The answers of a subscription, one an event; or why there are none.

        Each is of a context of its own, which `renew` makes: it may raise to end the subscription, and so may `admit`,
        which is told what each event costs before it is read. What ends a subscription is raised.
        """
        prepared = self._prepare(operation)
        if isinstance(prepared, Answer):
            return prepared
        if prepared.plan.kind is not OperationType.SUBSCRIPTION:
            return Answer(errors=[_only_followed()], ran=False)
        context = renew()
        if admit is not None:
            admit(0)
        executor = prepared.plan.executor(None, context, operation.variables)
        if isinstance(executor, list):
            return Answer(errors=[request_error(each, operation.variables) for each in executor], ran=False)
        stream = create_source_event_stream(executor)
        if isawaitable(stream):
            stream = await stream
        if isinstance(stream, ExecutionResult):
            await context.enter_reads()
            return Answer(errors=[field_error(each, context.request_id) for each in stream.errors or ()])
        changes = cast("Changes", stream)
        return Following(changes.begun, self._answers(prepared, operation, changes, renew, admit))

    async def _answers(
        self,
        prepared: _Prepared,
        operation: Operation,
        changes: Changes,
        renew: Callable[[], Context],
        admit: Callable[[int], None] | None,
    ) -> AsyncGenerator[Answer]:
        try:
            async for event in changes.events:
                context = renew()
                if admit is not None:
                    admit(prepared.cost)
                # Shielded: a statement that is cancelled takes its connection to the database with it.
                telling = asyncio.ensure_future(self._tell(prepared, operation, context, changes, event))
                answer = await asyncio.shield(telling)
                if answer is not None:
                    yield answer
        finally:
            await changes.events.aclose()

    async def _tell(
        self, prepared: _Prepared, operation: Operation, context: Context, changes: Changes, event: Event
    ) -> Answer | None:
        context.reads.ask(changes.name)
        view = await changes.view(context, event)
        if view is None:
            return None
        return replace(await self._execute(prepared, operation, context, view), event=EventMark.of(event))

    def _prepare(self, operation: Operation) -> _Prepared | Answer:
        document = self._documents.get(operation.query)
        if document is None:
            document = self._load(operation.query)
            if isinstance(document, Answer):
                return document
        else:
            self._documents.move_to_end(operation.query)
        plan = document.plan(operation.name)
        if plan is None:
            return Answer(errors=[request_error(GraphQLError("no such operation"), None)], ran=False)
        cost = document.reckoning.cost(plan.operation, operation.variables)
        if cost > self._limits.cost:
            message = f"the operation may read {cost} objects where at most {self._limits.cost} are allowed"
            too_costly = GraphQLError(message, extensions={"code": "TOO_COSTLY"})
            return Answer(errors=[validation_error(too_costly)], ran=False, cost=cost)
        return _Prepared(plan, cost)

    def _load(self, query: str) -> _Document | Answer:
        try:
            document = parse(query, max_tokens=self._limits.tokens, no_location=False)
        except GraphQLSyntaxError as error:
            return Answer(errors=[syntax_error(error)], ran=False)
        except RecursionError:
            return Answer(errors=[_too_deep()], ran=False)
        try:
            # The limits come first: other rules may take long over what is beyond them.
            errors = validate(self._schema, document, (self._limit_rule,)) or validate(
                self._schema, document, self._rules, _MOST_ERRORS, hide_suggestions=not self._help_clients
            )
        except RecursionError:
            return Answer(errors=[_too_deep()], ran=False)
        if errors:
            return Answer(errors=[validation_error(error) for error in errors], ran=False)
        loaded = _Document(self._schema, document)
        if len(query) <= _LONGEST_KEPT:
            self._documents[query] = loaded
            if len(self._documents) > _MOST_DOCUMENTS:
                self._documents.popitem(last=False)
        return loaded

    async def _execute(self, prepared: _Prepared, operation: Operation, context: Context, root: Any) -> Answer:
        executor = prepared.plan.executor(root, context, operation.variables)
        if isinstance(executor, list):
            return Answer(errors=[request_error(each, operation.variables) for each in executor], ran=False)
        pending = executor.execute_operation()
        result = cast("ExecutionResult", await pending if is_awaitable(pending) else pending)
        await context.enter_reads()
        errors = [field_error(each, context.request_id) for each in result.errors or ()]
        return Answer(result.data, errors, cost=prepared.cost)


def _too_deep() -> FormattedError:
    return validation_error(GraphQLError("the document nests too deep", extensions={"code": "TOO_DEEP"}))


def _not_followed() -> FormattedError:
    message = "follow subscriptions over WebSocket (graphql-transport-ws), or ask for text/event-stream"
    return validation_error(GraphQLError(message, extensions={"code": "SUBSCRIPTION_TRANSPORT"}))


def _only_followed() -> FormattedError:
    message = "only subscriptions are followed; send queries and mutations by POST"
    return validation_error(GraphQLError(message, extensions={"code": "SUBSCRIPTIONS_ONLY"}))
