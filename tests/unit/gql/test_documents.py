"""Which document a request means, and the file of registered ones."""

import hashlib
from pathlib import Path

import orjson
import pytest

from consentline.domain.errors import ForbiddenError, InvalidInputError, NotFoundError, SettingsError
from consentline.gql.documents import TrustedDocuments

TEXT = "{ __typename }"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()
DOCUMENTS = TrustedDocuments({"typename": TEXT, DIGEST: TEXT})


def persisted(digest: str) -> dict[str, object]:
    return {"persistedQuery": {"version": 1, "sha256Hash": digest}}


def test_a_registered_document_is_named_by_its_id_its_digest_or_its_text() -> None:
    assert DOCUMENTS.text(None, "typename", {}) == TEXT
    assert DOCUMENTS.text(None, None, persisted(DIGEST.upper())) == TEXT
    assert DOCUMENTS.text(TEXT, None, persisted(DIGEST)) == TEXT
    assert TrustedDocuments({"typename": TEXT}, only=True).text(TEXT, None, {}) == TEXT


@pytest.mark.parametrize("documents", [DOCUMENTS, TrustedDocuments()])
@pytest.mark.parametrize("named", [{"document_id": "other"}, {"extensions": persisted("0" * 64)}])
def test_what_is_not_registered_is_not_found(documents: TrustedDocuments, named: dict[str, object]) -> None:
    with pytest.raises(NotFoundError) as raised:
        documents.text(None, **({"document_id": None, "extensions": {}} | named))  # pyright: ignore[reportArgumentType]

    assert raised.value.code == "PERSISTED_QUERY_NOT_FOUND"
    assert raised.value.message == "PersistedQueryNotFound: no such document is registered"


def test_a_request_registers_nothing() -> None:
    other = "{ a }"
    digest = hashlib.sha256(other.encode()).hexdigest()
    assert DOCUMENTS.text(other, None, persisted(digest)) == other

    with pytest.raises(NotFoundError):
        DOCUMENTS.text(None, None, persisted(digest))


def test_a_digest_of_another_text_is_refused() -> None:
    with pytest.raises(InvalidInputError) as raised:
        DOCUMENTS.text("{ a }", None, persisted(DIGEST))

    assert raised.value.code == "BAD_REQUEST"
    assert raised.value.message == "extensions.persistedQuery.sha256Hash is not the digest of query"


def test_only_registered_documents_are_run_where_the_operator_says_so() -> None:
    with pytest.raises(ForbiddenError) as raised:
        TrustedDocuments({"typename": TEXT}, only=True).text("{ a }", None, {})

    assert (raised.value.code, raised.value.message) == (
        "DOCUMENT_NOT_TRUSTED",
        "only registered documents are run here",
    )


def test_the_file_is_an_object_of_ids_and_documents(tmp_path: Path) -> None:
    path = tmp_path / "documents.json"
    path.write_bytes(orjson.dumps({"typename": TEXT}))

    assert list(TrustedDocuments.load(path, only=True)) == [("typename", TEXT)]
    assert list(TrustedDocuments.load(None, only=False)) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "CONSENTLINE_TRUSTED_DOCUMENTS: cannot be read: No such file or directory"),
        ("{", "CONSENTLINE_TRUSTED_DOCUMENTS: is not JSON"),
        ("[]", "CONSENTLINE_TRUSTED_DOCUMENTS: is not an object of ids and documents"),
        ('{"a": 1}', "CONSENTLINE_TRUSTED_DOCUMENTS: is not an object of ids and documents"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "documents.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")

    with pytest.raises(SettingsError) as raised:
        TrustedDocuments.load(path, only=False)

    assert (raised.value.code, raised.value.message) == ("SETTINGS", message)


def test_only_without_a_file_would_refuse_everything() -> None:
    with pytest.raises(SettingsError) as raised:
        TrustedDocuments.load(None, only=True)

    assert raised.value.message == "CONSENTLINE_TRUSTED_DOCUMENTS: is required with CONSENTLINE_TRUSTED_DOCUMENTS_ONLY"
