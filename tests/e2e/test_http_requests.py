"""What /graphql answers to requests that are not what it expects: each with its status and its code."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from tests.conftest import Api

JSON = {"Content-Type": "application/json"}
TYPENAME = b'{"query": "{ __typename }"}'


def code_of(response: httpx.Response) -> str:
    (error,) = response.json()["errors"]
    assert error["message"]
    return error["extensions"]["code"]


def test_an_operation_is_answered(api: Api) -> None:
    response = api.post("/graphql", json={"query": "{ __typename }"})

    answer = {"data": {"__typename": "Query"}, "extensions": {"cost": 0}}
    assert (response.status_code, response.json()) == (200, answer)
    assert response.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/graphql", "/ingest"])
def test_without_a_token_it_is_401(api: Api, path: str) -> None:
    response = api.post(path, None, content=TYPENAME, headers=JSON)

    assert (response.status_code, code_of(response)) == (401, "TOKEN_MISSING")
    assert response.headers["www-authenticate"] == 'Bearer realm="consentline"'


@pytest.mark.parametrize("path", ["/graphql", "/ingest"])
def test_an_expired_token_is_401(api: Api, path: str) -> None:
    headers = {"Authorization": f"Bearer {api.token('admin', timedelta(seconds=-5))}"}

    response = api.client.post(path, content=TYPENAME, headers=JSON | headers)

    assert (response.status_code, code_of(response)) == (401, "TOKEN_EXPIRED")
    assert 'error="invalid_token"' in response.headers["www-authenticate"]


@pytest.mark.parametrize("path", ["/graphql", "/ingest"])
def test_a_forged_token_is_401(api: Api, path: str) -> None:
    head, _, signature = api.token("ml").rpartition(".")
    headers = {"Authorization": f"Bearer {head}.{signature[::-1]}"}

    response = api.client.post(path, content=TYPENAME, headers=JSON | headers)

    assert (response.status_code, code_of(response)) == (401, "TOKEN_INVALID")


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b'"{ __typename }"', b"5", b"[]", b'[{"query": "{ __typename }"}]', b"{}"]
)
def test_a_body_that_is_not_json_or_not_an_object_is_400(api: Api, body: bytes) -> None:
    response = api.post("/graphql", content=body, headers=JSON)

    assert (response.status_code, code_of(response)) == (400, "BAD_REQUEST")


@pytest.mark.parametrize("content_type", ["text/plain", "application/graphql", "multipart/form-data; boundary=x"])
def test_a_wrong_content_type_is_415(api: Api, content_type: str) -> None:
    response = api.post("/graphql", content=TYPENAME, headers={"Content-Type": content_type})

    assert (response.status_code, code_of(response)) == (415, "UNSUPPORTED_MEDIA_TYPE")


def test_no_content_type_is_415(api: Api) -> None:
    assert api.post("/graphql", content=TYPENAME).status_code == 415


def test_an_announced_body_that_is_too_large_is_413(api: Api) -> None:
    response = api.post("/graphql", content=b" " * (16 * 1024 * 1024 + 1), headers=JSON)

    assert (response.status_code, code_of(response)) == (413, "BODY_TOO_LARGE")


def test_a_streamed_body_that_is_too_large_is_413(api: Api) -> None:
    response = api.post("/graphql", content=(b" " * 65536 for _ in range(300)), headers=JSON)

    assert (response.status_code, code_of(response)) == (413, "BODY_TOO_LARGE")


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_only_post_is_allowed(api: Api, method: str) -> None:
    response = api.client.request(method, "/graphql", params={"query": "{ __typename }"})

    assert (response.status_code, code_of(response)) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["allow"] == "POST"


def test_there_is_no_page_in_the_browser(api: Api) -> None:
    assert api.client.get("/graphql", headers={"Accept": "text/html"}).status_code == 405


def test_an_unknown_route_is_404(api: Api) -> None:
    response = api.client.get("/nothing")

    assert (response.status_code, code_of(response)) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{ nothing }"}, "GRAPHQL_VALIDATION_FAILED"),
        ({"query": "query ($k: String!) { post(key: $k) { key } }", "variables": {"k": 5}}, "BAD_USER_INPUT"),
        ({"query": "query A { __typename } query B { __typename }"}, "OPERATION_NOT_FOUND"),
        ({"query": "{ a" * 400 + "}" * 400}, "GRAPHQL_PARSE_FAILED"),
        ({"query": "{" + " __typename" * 6000 + "}"}, "GRAPHQL_PARSE_FAILED"),
    ],
)
@pytest.mark.parametrize(("accept", "status"), [("application/json", 200), ("application/graphql-response+json", 400)])
def test_a_refused_operation_has_the_status_of_its_media_type(
    api: Api, body: dict[str, Any], code: str, accept: str, status: int
) -> None:
    response = api.post("/graphql", json=body, headers={"Accept": accept})

    assert response.status_code == status
    assert response.headers["content-type"].startswith(accept)
    assert code in {error["extensions"]["code"] for error in response.json()["errors"]}
    assert "data" not in response.json()


def test_a_document_nested_beyond_the_limit_is_refused(api: Api) -> None:
    inner = "dataset { versions { edges { node { " * 4 + "number" + "}}}}" * 4

    answer = api.graphql(f'{{ datasetVersion(dataset: "a", number: 1) {{ {inner} }} }}')

    assert answer["errors"][0]["extensions"]["code"] == "TOO_DEEP"


def test_a_document_nested_beyond_the_stack_is_refused(api: Api) -> None:
    answer = api.graphql("{a" * 2400 + "}" * 2400)

    assert answer["errors"][0]["extensions"]["code"] == "GRAPHQL_PARSE_FAILED"


def test_a_client_that_takes_neither_type_is_406(api: Api) -> None:
    response = api.post("/graphql", json={"query": "{ __typename }"}, headers={"Accept": "text/html"})

    assert (response.status_code, code_of(response)) == (406, "NOT_ACCEPTABLE")


def test_a_request_id_of_the_caller_is_echoed(api: Api) -> None:
    response = api.client.get("/healthz", headers={"X-Request-ID": "trace-42.a_B"})

    assert response.headers["x-request-id"] == "trace-42.a_B"


@pytest.mark.parametrize("given", [None, "", "a b", "x" * 65, "<script>", "é".encode()])
def test_a_request_without_a_sane_id_gets_one(api: Api, given: str | bytes | None) -> None:
    headers: dict[str, Any] = {} if given is None else {"X-Request-ID": given}

    first, second = (api.client.get("/healthz", headers=headers).headers["x-request-id"] for _ in range(2))

    assert first != second
    assert len(first) == 16
