"""What an operator may set of the endpoint: registered documents, introspection, rates."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from consentline.app import create_app
from consentline.domain.access import Role
from consentline.domain.errors import SettingsError
from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases.service import Service
from consentline.web.auth import issue_token
from tests.conftest import SECRET, serving

REGISTERED = "query Registered($key: String!) { post(key: $key) { key } }"
DIGEST = hashlib.sha256(REGISTERED.encode()).hexdigest()


class Asking:
    """A client of an application with settings of its own."""

    def __init__(self, url: str) -> None:
        self._address = f"{url}/graphql"
        self._headers = {"authorization": f"Bearer {issue_token(SECRET, Role.ML, timedelta(hours=1))}"}

    def __call__(self, **body: Any) -> httpx.Response:
        return httpx.post(self._address, json=body, headers=self._headers, timeout=60)


@contextmanager
def set_to(settings: Settings, server: Server, **changed: Any) -> Iterator[Asking]:
    with serving(settings.model_copy(update=changed), server) as url:
        yield Asking(url)


def errors(answer: httpx.Response) -> list[tuple[str, str]]:
    return [(each["extensions"]["code"], each["message"]) for each in answer.json()["errors"]]


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({"registered": REGISTERED}))
    return path


def test_registered_documents_are_run_by_id_and_all_others_are_refused(
    settings: Settings, neo4j_server: Server, service: Service, documents: Path
) -> None:
    assert service.graph is not None
    variables = {"key": "p"}
    nobody = {"data": {"post": None}, "extensions": {"cost": 1}}
    with set_to(settings, neo4j_server, trusted_documents=documents, trusted_documents_only=True) as ask:
        by_id = ask(documentId="registered", variables=variables)
        by_digest = ask(extensions={"persistedQuery": {"version": 1, "sha256Hash": DIGEST}}, variables=variables)
        by_text = ask(query=REGISTERED, variables=variables)
        unknown = ask(documentId="unregistered")
        other = ask(query="{ __typename }")

    assert [each.json() for each in (by_id, by_digest, by_text)] == [nobody] * 3
    assert unknown.status_code == 400
    assert errors(unknown) == [("PERSISTED_QUERY_NOT_FOUND", "PersistedQueryNotFound: no such document is registered")]
    assert other.status_code == 403
    assert errors(other) == [("DOCUMENT_NOT_TRUSTED", "only registered documents are run here")]


def test_a_registered_document_that_could_not_be_run_keeps_the_service_from_starting(
    settings: Settings, neo4j_server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({"wrong": "{ nothing }"}))

    with pytest.raises(SettingsError) as raised:
        create_app(settings.model_copy(update={"trusted_documents": path}), neo4j_server)

    assert raised.value.message.startswith("CONSENTLINE_TRUSTED_DOCUMENTS: wrong: ")


def test_introspection_and_suggestions_are_answered_only_where_the_operator_says_so(
    settings: Settings, neo4j_server: Server, service: Service
) -> None:
    assert service.graph is not None
    introspection, misspelt = "{ __schema { queryType { name } } }", '{ postUsag(post: "p") { verdict } }'
    with set_to(settings, neo4j_server, introspection=False) as ask:
        silent = [ask(query=introspection), ask(query=misspelt)]
    with set_to(settings, neo4j_server, introspection=True) as ask:
        helpful = [ask(query=introspection), ask(query=misspelt)]

    assert errors(silent[0])[0][0] == "GRAPHQL_VALIDATION_FAILED"
    assert "postUsage" not in silent[1].text
    assert helpful[0].json()["data"] == {"__schema": {"queryType": {"name": "Query"}}}
    assert "postUsage" in helpful[1].text


def test_who_asks_for_too_much_is_told_when_to_come_back(
    settings: Settings, neo4j_server: Server, service: Service
) -> None:
    assert service.graph is not None
    with set_to(settings, neo4j_server, rate_limit_per_second=0.01, rate_limit_burst=1.5) as ask:
        served = [ask(query="{ __typename }").status_code for _ in range(2)]
        refused = ask(query="{ __typename }")

    assert served == [200, 200]
    assert refused.status_code == 429
    assert 45 <= int(refused.headers["retry-after"]) <= 50
    assert errors(refused)[0][0] == "RATE_LIMITED"
