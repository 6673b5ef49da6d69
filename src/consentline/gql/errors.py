"""Every error as GraphQL answers show it: mapped here and nowhere else.

    ConsentlineError                its own code and message
    syntax, limits of the document  GRAPHQL_PARSE_FAILED, GRAPHQL_VALIDATION_FAILED
    variables and arguments         BAD_USER_INPUT
    which operation to run          OPERATION_NOT_FOUND
    anything else                   INTERNAL: logged with a trace and without values, answered without details

Messages of graphql-core repeat what the client sent, and that may be a person's key; here they do not.
"""

import logging
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias, cast

from graphql import GraphQLError, GraphQLSyntaxError, ValueNode, VariableNode, print_ast

from consentline.domain.errors import ConsentlineError, RefusedError

_LOG = logging.getLogger("consentline.gql")

FormattedError: TypeAlias = dict[str, Any]

_ECHOES = (
    (re.compile(r",? (?:found|but got):? .*", re.DOTALL), "."),
    (re.compile(r"(cannot represent [^:]*): .*", re.DOTALL), r"\1"),
    (re.compile(r"Value '.*' does not exist in", re.DOTALL), "The value does not exist in"),
    (re.compile(r"(Unexpected [\w<>]+|Invalid character|escape sequence)\b.*", re.DOTALL), r"\1."),
)
_NO_DETAILS = "A value does not fit its type"


def syntax_error(error: GraphQLSyntaxError) -> FormattedError:
    """A document that cannot be parsed."""
    return _formatted(_without_echo(error.message), "GRAPHQL_PARSE_FAILED", error)


def validation_error(error: GraphQLError) -> FormattedError:
    """A document that the schema, or a limit, does not allow."""
    message = _without_echo(error.message)
    literals = (
        node for node in error.nodes or () if isinstance(node, ValueNode) and not isinstance(node, VariableNode)
    )
    if any(print_ast(node).strip('"') in message for node in literals):
        message = _NO_DETAILS
    return _formatted(message, (error.extensions or {}).get("code", "GRAPHQL_VALIDATION_FAILED"), error)


def request_error(error: GraphQLError, variables: Mapping[str, Any] | None) -> FormattedError:
    """What keeps a valid document from being run: its variables, or which of its operations is meant."""
    if not error.message.startswith("Variable"):
        return _formatted("name one operation of the document", "OPERATION_NOT_FOUND", error)
    message = _without_echo(error.message)
    if any(value in message for value in _strings(variables) if len(value) > 2):
        message = _NO_DETAILS
    return _formatted(message, "BAD_USER_INPUT", error)


def field_error(error: GraphQLError, request_id: str) -> FormattedError:
    """What a field answers with instead of a value."""
    cause = error.original_error
    if isinstance(cause, ConsentlineError):
        formatted = _formatted(cause.message, cause.code, error)
        if isinstance(cause, RefusedError) and cause.path:
            formatted["extensions"]["argument"] = ".".join(cause.path)
        return formatted
    if isinstance(cause, GraphQLError | None) and error.message.startswith("Argument"):
        return _formatted("an argument does not fit its type", "BAD_USER_INPUT", error)
    return internal_error(cause or error, request_id, error)


def plain_error(error: ConsentlineError) -> FormattedError:
    """What keeps the whole answer back."""
    return _formatted(error.message, error.code, None)


def internal_error(cause: BaseException, request_id: str, error: GraphQLError | None = None) -> FormattedError:
    """A fault of ours: the trace goes to the log, a request id to the client."""
    field = ".".join(str(part) for part in (error.path if error else None) or ())
    _LOG.error("internal error in %s", field or "the request", exc_info=cause, extra={"request_id": request_id})
    formatted = _formatted("internal error", "INTERNAL", error)
    formatted["extensions"]["requestId"] = request_id
    return formatted


def _formatted(message: str, code: str, error: GraphQLError | None) -> FormattedError:
    formatted: FormattedError = {"message": message}
    if error is not None and error.locations:
        formatted["locations"] = [{"line": each.line, "column": each.column} for each in error.locations]
    if error is not None and error.path is not None:
        formatted["path"] = error.path
    formatted["extensions"] = {"code": code}
    return formatted


def _without_echo(message: str) -> str:
    for pattern, replacement in _ECHOES:
        message = pattern.sub(replacement, message)
    return message


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in cast("Mapping[str, Any]", value).values():
            yield from _strings(each)
    elif isinstance(value, list):
        for each in cast("list[Any]", value):
            yield from _strings(each)
