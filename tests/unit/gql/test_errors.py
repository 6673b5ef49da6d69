"""Errors carry a code, and never what the client sent."""

import asyncio
import json
import logging
from typing import Any

import pytest

from consentline.domain.access import Principal, Role
from consentline.domain.errors import DatabaseUnavailableError
from consentline.domain.pseudonyms import Pseudonyms
from consentline.gql.context import Context
from consentline.gql.cursors import Cursors
from consentline.gql.execution import Answer, Engine, Operation
from consentline.gql.nodes import load_node
from consentline.gql.schema import build_schema
from consentline.logs import JsonFormatter
from consentline.usecases.service import Service

SECRET = "facebook-user-4711"
ENGINE = Engine(build_schema())


class NoGraph:
    """Stands where a graph would: these operations are refused before one is reached."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def read(self, _work: Any) -> Any:
        raise self._error


def ask(query: str, variables: dict[str, Any] | None = None, error: Exception | None = None, **more: Any) -> Answer:
    graph: Any = NoGraph(error or AssertionError("the graph was reached"))
    context = Context(
        Service(graph, graph, Pseudonyms(b"s")), Principal(Role.ADMIN, "t"), Cursors("s"), load_node, "request-1"
    )
    return asyncio.run(ENGINE.run(Operation(query, more.get("name"), variables), context))


def codes(answer: Answer) -> set[str]:
    return {error["extensions"]["code"] for error in answer.errors}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "{",
        f'{{ post(key: "{SECRET}) {{ key }} }}',
        f'{{ post(key: "a" "{SECRET}") {{ key }} }}',
        f'{{ post {{ key }} }} "{SECRET}"',
        f"{{ post(key: 12{SECRET}) {{ key }} }}",
        f'{{ post(key: "\\uX{SECRET}") {{ key }} }}',
        f"{{ post }} {SECRET}",
        "{ a " * 6000,
    ],
)
def test_a_document_that_cannot_be_parsed(query: str) -> None:
    answer = ask(query)

    assert codes(answer) == {"GRAPHQL_PARSE_FAILED"}
    assert not answer.ran
    assert SECRET not in json.dumps(answer.body())


@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ post { key } }",
        f'{{ objections(first: "{SECRET}") {{ totalCount }} }}',
        f'{{ retrainingFlags(status: "{SECRET}") {{ totalCount }} }}',
        "{ retrainingFlags(status: FACEBOOK_USER_4711) { totalCount } }",
        f'{{ post(key: {{ a: "{SECRET}" }}) {{ key }} }}',
        f'{{ postUsage(post: "a", knownAt: "{SECRET}") {{ verdict }} }}',
        f'mutation {{ recordTraining(input: {{ run: "{SECRET}" }}) {{ trainingRun {{ key }} }} }}',
        f'mutation {{ withdrawObjection(input: ["{SECRET}"]) {{ objection {{ key }} }} }}',
    ],
)
def test_a_document_that_the_schema_does_not_allow(query: str) -> None:
    answer = ask(query)

    assert codes(answer) == {"GRAPHQL_VALIDATION_FAILED"}
    assert not answer.ran
    assert SECRET not in json.dumps(answer.body())
    assert "FACEBOOK_USER_4711" not in json.dumps(answer.body())


@pytest.mark.parametrize(
    "value",
    [
        None,
        SECRET,
        {"key": SECRET},
        {"key": SECRET, "user": 4711, "receivedAt": "2026-01-01T00:00:00Z"},
        {"key": SECRET, "user": SECRET, "receivedAt": SECRET},
        {"key": SECRET, "user": SECRET, "receivedAt": "2026-01-01T00:00:00"},
        {"key": SECRET, "user": SECRET, "receivedAt": "2026-01-01T00:00:00Z", "purposes": [[SECRET]]},
    ],
)
def test_variables_that_do_not_fit(value: Any) -> None:
    query = "mutation ($input: FileObjectionInput!) { fileObjection(input: $input) { objection { key } } }"

    answer = ask(query, {"input": value})

    assert codes(answer) == {"BAD_USER_INPUT"}
    assert not answer.ran
    assert SECRET not in json.dumps(answer.body())


def test_a_time_without_an_offset_is_named() -> None:
    query = 'query ($at: DateTime) { postUsage(post: "a", knownAt: $at) { verdict } }'

    answer = ask(query, {"at": "2026-01-01T00:00:00"})

    assert answer.errors[0]["message"] == "Variable '$at' has invalid value: DateTime has no offset"


@pytest.mark.parametrize("name", [None, SECRET])
def test_which_operation_is_meant(name: str | None) -> None:
    answer = ask("query A { __typename } query B { __typename }", name=name)

    assert codes(answer) == {"OPERATION_NOT_FOUND"}
    assert answer.errors[0]["message"] == "name one operation of the document"


def test_an_error_of_ours_keeps_its_code_and_message() -> None:
    answer = ask('{ post(key: "a") { key } }', error=DatabaseUnavailableError("the database cannot be reached"))

    assert answer.errors[0]["message"] == "the database cannot be reached"
    assert codes(answer) == {"DATABASE_UNAVAILABLE"}
    assert answer.data == {"post": None}


def test_a_fault_of_ours_is_logged_without_values_and_answered_without_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR, "consentline.gql"):
        answer = ask(f'{{ post(key: "{SECRET}") {{ key }} }}', error=RuntimeError(f"cannot read {SECRET}"))

    error = answer.errors[0]
    assert error["message"] == "internal error"
    assert error["extensions"] == {"code": "INTERNAL", "requestId": "request-1"}
    line = JsonFormatter().format(caplog.records[0])
    assert SECRET not in line
    assert json.loads(line)["error"][0] == "builtins.RuntimeError"
    assert json.loads(line)["request_id"] == "request-1"


def test_a_subscription_over_plain_http_is_refused() -> None:
    answer = ask("subscription { objectionChanged { key } }")

    assert codes(answer) == {"SUBSCRIPTION_TRANSPORT"}
    assert "text/event-stream" in answer.errors[0]["message"]
