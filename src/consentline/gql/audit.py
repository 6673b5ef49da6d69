"""What the API enters into the audit: each mutation, and once a request whose records its answer shows.

Views of people's records have `whose_record`; every field that returns such a view notes it, so that no new field can
show a person unnoticed. What is noted is entered before the answer leaves: `Context.enter_reads`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from inspect import isawaitable
from types import CoroutineType
from typing import Any, cast

from graphql import GraphQLResolveInfo

from consentline.domain.access import Action
from consentline.domain.audit import READ, Actor, AuditEntry, Subject, SubjectKind, possible_subjects
from consentline.domain.errors import ForbiddenError, InvalidInputError
from consentline.gql.ids import decode_id
from consentline.usecases import audit
from consentline.usecases.service import Service

_KINDS = {
    "user": SubjectKind.USER,
    "post": SubjectKind.POST,
    "run": SubjectKind.TRAINING_RUN,
    "modelVersion": SubjectKind.MODEL_VERSION,
    "replacement": SubjectKind.MODEL_VERSION,
    "feature": SubjectKind.FEATURE,
    "dataset": SubjectKind.DATASET,
    "policy": SubjectKind.POLICY,
    "webhook": SubjectKind.WEBHOOK,
}
"""What arguments and fields of inputs name."""
_KINDS_OF_KEYS = {
    "user": SubjectKind.USER,
    "objection": SubjectKind.OBJECTION,
    "objectionChanged": SubjectKind.OBJECTION,
    "fileObjection": SubjectKind.OBJECTION,
    "decideObjection": SubjectKind.OBJECTION,
    "extendObjection": SubjectKind.OBJECTION,
    "withdrawObjection": SubjectKind.OBJECTION,
    "erasure": SubjectKind.ERASURE,
    "requestErasure": SubjectKind.ERASURE,
    "registerWebhook": SubjectKind.WEBHOOK,
    "disableWebhook": SubjectKind.WEBHOOK,
    "recordRecipient": SubjectKind.RECIPIENT,
}
"""What `key` names, by the root field that takes it."""


def asked_about(field: str, arguments: Mapping[str, Any]) -> list[Subject]:
    """What a root field is asked about, by its arguments as the client gave them."""
    given: Mapping[str, Any] = arguments.get("input", arguments)
    return list(_named(field, given))


def _named(field: str, given: Mapping[str, Any]) -> Iterator[Subject]:
    for name, value in given.items():
        if not isinstance(value, str):
            continue
        if name in ("id", "flag", "delivery"):
            yield from _identified(value)
        elif name == "subject":
            yield from possible_subjects(value)
        elif (kind := _KINDS_OF_KEYS.get(field) if name == "key" else _KINDS.get(name)) is not None:
            yield Subject(kind, value)
    if isinstance(given.get("number"), int):
        yield Subject(SubjectKind.DATASET_VERSION, f"{given.get('dataset')}:{given['number']}")
    if isinstance(given.get("version"), str):
        yield Subject(SubjectKind.MODEL_VERSION, f"{given.get('model')}:{given['version']}")


def _identified(text: str) -> Iterator[Subject]:
    try:
        node = decode_id(text)
    except InvalidInputError:
        return
    yield Subject(SubjectKind(node.kind.value), f"{node.key}:{node.number}" if node.number else node.key)


class Reads:
    """Whose records a request is shown, or was refused to see."""

    def __init__(self) -> None:
        self._operations: dict[str, None] = {}
        self._seen: dict[Subject, None] = {}
        self._entered: set[Subject] = set()
        self._refused: list[Subject] | None = None
        self._consulted = False

    def ask(self, operation: str) -> None:
        """A root field is answered."""
        self._operations[operation] = None

    def add(self, subjects: Iterable[Subject]) -> None:
        """The answer shows records of these, or that there are none."""
        self._seen.update(dict.fromkeys(subjects))

    def see(self, value: object) -> None:
        """Note a view, or a list of views, of people's records; of anything else there is nothing to note."""
        for each in cast("list[object]", value) if isinstance(value, list) else (value,):
            whose_record: Callable[[], Iterable[Subject]] | None = getattr(each, "whose_record", None)
            if whose_record is not None:
                self.add(whose_record())

    def consult(self, subjects: Iterable[Subject]) -> None:
        """The audit itself is read; about these, when it was searched for somebody."""
        self._consulted = True
        self.add(subjects)

    def refuse(self, subjects: Iterable[Subject]) -> None:
        """The role may not see what was asked about."""
        self._refused = [*(self._refused or ()), *subjects]

    def leave_out(self, subjects: Iterable[Subject]) -> None:
        """The entry of a mutation is about these: showing them in its payload is part of it."""
        self._entered.update(subjects)

    async def enter(self, service: Service, actor: Actor) -> None:
        """Write what was noted, one entry for all that was seen, in one statement; none when there is nothing.

        Raises:
            AuditUnavailableError: it is not written, and the answer must not leave.
        """
        seen = [each for each in self._seen if each not in self._entered]
        operation = ",".join(self._operations)
        entries: list[AuditEntry] = []
        if seen or self._consulted:
            entries.append(audit.new_entry(service, actor, operation, READ, seen))
        if self._refused is not None:
            entries.append(audit.new_entry(service, actor, operation, ForbiddenError.code, self._refused))
        if entries:
            await audit.write(service, entries)
        self._seen.clear()
        self._refused, self._consulted = None, False


def noting(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """The resolver of a field that may show a person's record."""

    def resolve_and_note(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        value = resolve(source, info, **arguments)
        if isinstance(value, CoroutineType):
            return _noted(info.context.reads, cast("Any", value))
        info.context.reads.see(value)
        return value

    return resolve_and_note


async def _noted(reads: Reads, pending: Any) -> Any:
    value = await pending
    reads.see(value)
    return value


def audited_query(resolve: Callable[..., Any], action: Action, name: str) -> Callable[..., Any]:
    """The resolver of a root field of queries, for bearers whose role allows the action; nothing is read for others."""

    def resolve_when_allowed(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        context = info.context
        context.reads.ask(name)
        if not context.may(action):
            context.reads.refuse(asked_about(name, arguments))
        context.require(action)
        return resolve(source, info, **arguments)

    return resolve_when_allowed


def audited_mutation(resolve: Callable[..., Any], action: Action, name: str) -> Callable[..., Any]:
    """The resolver of a mutation, for bearers whose role allows the action; entered whatever comes of it."""

    async def resolve_and_enter(source: Any, info: GraphQLResolveInfo[Any], **arguments: Any) -> Any:
        context = info.context
        subjects = asked_about(name, arguments)
        async with audit.entering(context.service, context.actor, name, subjects) as waiting:
            context.require(action)
            payload = resolve(source, info, **arguments)
            if isawaitable(payload):
                payload = await payload
            for error in payload.user_errors[:1]:
                waiting.outcome = error.code
        context.reads.ask(name)
        context.reads.leave_out(waiting.subjects)
        return payload

    return resolve_and_enter
