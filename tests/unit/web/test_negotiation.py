import pytest

from consentline.domain.errors import InvalidInputError
from consentline.gql.documents import TrustedDocuments
from consentline.gql.execution import Operation
from consentline.web.bodies import UnsupportedMediaTypeError
from consentline.web.graphql import GRAPHQL_JSON, JSON, accepted, check_content_type, parse_operation


@pytest.mark.parametrize(
    ("header", "chosen"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL_JSON, GRAPHQL_JSON),
        (f"{GRAPHQL_JSON}, {JSON};q=0.9", GRAPHQL_JSON),
        (f"{JSON};q=0.5, {GRAPHQL_JSON};q=0.4", JSON),
        (f"{GRAPHQL_JSON}; charset=utf-8, application/json; charset=utf-8", GRAPHQL_JSON),
        ("text/html, */*;q=0.1", JSON),
    ],
)
def test_the_answer_has_the_type_that_the_client_prefers(header: str | None, chosen: str) -> None:
    assert accepted(header) == chosen


@pytest.mark.parametrize("header", ["text/html", f"{JSON};q=0", "nonsense;q=x", ""])
def test_a_client_that_takes_neither_type_is_told(header: str) -> None:
    with pytest.raises(UnsupportedMediaTypeError) as raised:
        accepted(header)

    assert raised.value.code == "NOT_ACCEPTABLE"


@pytest.mark.parametrize("header", [JSON, "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"'])
def test_json_in_utf8_is_read(header: str) -> None:
    check_content_type(header)


@pytest.mark.parametrize("header", [None, "", "text/plain", "application/graphql", "application/json; charset=latin-1"])
def test_anything_else_is_not(header: str | None) -> None:
    with pytest.raises(UnsupportedMediaTypeError):
        check_content_type(header)


def test_an_operation_with_everything() -> None:
    body = b'{"query": "{a}", "operationName": "A", "variables": {"x": 1}, "extensions": {}}'

    assert parse_operation(body, TrustedDocuments()) == Operation("{a}", "A", {"x": 1})


def test_null_is_as_good_as_absent() -> None:
    body = b'{"query": "{a}", "operationName": null, "variables": null, "extensions": null}'

    assert parse_operation(body, TrustedDocuments()) == Operation("{a}")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is not JSON in UTF-8"),
        (b"{", "the body is not JSON in UTF-8"),
        (b'{"query": "\xff"}', "the body is not JSON in UTF-8"),
        (b'{"query": "\\ud800"}', "the body is not JSON in UTF-8"),
        (b'{"query": NaN}', "the body is not JSON in UTF-8"),
        (b'[{"query": "{a}"}]', "the body is not an object with a query; batches are not supported"),
        (b'"{a}"', "the body is not an object with a query; batches are not supported"),
        (b"null", "the body is not an object with a query; batches are not supported"),
        (b"{}", "query is missing"),
        (b'{"query": 5}', "query is not a string"),
        (b'{"documentId": 5}', "documentId is not a string"),
        (b'{"documentId": "a", "query": "{a}"}', "send query or documentId, not both"),
        (b'{"extensions": {"persistedQuery": 1}}', "extensions.persistedQuery is not an object"),
        (b'{"extensions": {"persistedQuery": {}}}', "extensions.persistedQuery is version 1 with a sha256Hash"),
        (b'{"query": "{a}", "operationName": 5}', "operationName is not a string"),
        (b'{"query": "{a}", "variables": [1]}', "variables is not an object"),
        (b'{"query": "{a}", "variables": "x"}', "variables is not an object"),
        (b'{"query": "{a}", "extensions": 1}', "extensions is not an object"),
    ],
)
def test_a_body_without_an_operation_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        parse_operation(body, TrustedDocuments())

    assert (raised.value.code, raised.value.message) == ("BAD_REQUEST", message)
