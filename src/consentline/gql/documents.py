"""Trusted documents: the operations that an operator has registered, by id; a client may send the id alone.

The file is what Relay's and Apollo's compilers write: a JSON object of ids and documents. Nothing is registered by a
request ("automatic persisted queries" would let anybody do so).
"""

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from consentline.domain.errors import ForbiddenError, InvalidInputError, NotFoundError, SettingsError

_FILE = "CONSENTLINE_TRUSTED_DOCUMENTS"


class TrustedDocuments:
    """The registered documents; `only`: every other one is refused."""

    def __init__(self, documents: Mapping[str, str] | None = None, *, only: bool = False) -> None:
        self._documents = dict(documents or {})
        self._digests = {_digest(text): text for text in self._documents.values()}
        self._only = only

    @classmethod
    def load(cls, path: Path | None, *, only: bool) -> "TrustedDocuments":
        """The documents of a file, none without one.

        Raises:
            SettingsError: it cannot be read, or is no object of ids and documents; or `only` without a file, which
                would refuse everything.
        """
        if path is None:
            if only:
                raise SettingsError(f"{_FILE}: is required with {_FILE}_ONLY")
            return cls()
        try:
            found = orjson.loads(path.read_bytes())
        except OSError as error:
            raise SettingsError(f"{_FILE}: cannot be read: {error.strerror}") from None
        except orjson.JSONDecodeError:
            raise SettingsError(f"{_FILE}: is not JSON") from None
        documents = cast("dict[str, Any]", found) if isinstance(found, dict) else None
        if documents is None or not all(isinstance(each, str) for each in documents.values()):
            raise SettingsError(f"{_FILE}: is not an object of ids and documents")
        return cls(documents, only=only)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Each id with its document."""
        return iter(self._documents.items())

    def text(self, query: str | None, document_id: str | None, extensions: Mapping[str, Any]) -> str:
        """The document that a request means: by its text, its `documentId`, or Apollo's `extensions.persistedQuery`.

        Raises:
            InvalidInputError: BAD_REQUEST, when it names none, two, or a digest that is not its text's.
            NotFoundError: PERSISTED_QUERY_NOT_FOUND, when nothing is registered under the id or digest.
            ForbiddenError: DOCUMENT_NOT_TRUSTED, when only registered documents are run and this is none.
        """
        digest = _persisted(extensions)
        if document_id is not None:
            if query is not None or digest is not None:
                raise _bad_request("send query or documentId, not both")
            return _registered(self._documents.get(document_id))
        if query is None:
            if digest is None:
                raise _bad_request("query is missing")
            # Compilers that name documents by their digest, and clients that send the digest of any registered one.
            return _registered(self._digests.get(digest) or self._documents.get(digest))
        if digest is not None and digest != _digest(query):
            raise _bad_request("extensions.persistedQuery.sha256Hash is not the digest of query")
        if self._only and _digest(query) not in self._digests:
            raise ForbiddenError("only registered documents are run here", code="DOCUMENT_NOT_TRUSTED")
        return query


def _persisted(extensions: Mapping[str, Any]) -> str | None:
    persisted = extensions.get("persistedQuery")
    if persisted is None:
        return None
    if not isinstance(persisted, dict):
        raise _bad_request("extensions.persistedQuery is not an object")
    fields = cast("dict[str, Any]", persisted)
    digest = fields.get("sha256Hash")
    if fields.get("version") != 1 or not isinstance(digest, str):
        raise _bad_request("extensions.persistedQuery is version 1 with a sha256Hash")
    return digest.lower()


def _registered(text: str | None) -> str:
    if text is None:
        raise NotFoundError("PersistedQueryNotFound: no such document is registered", code="PERSISTED_QUERY_NOT_FOUND")
    return text


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _bad_request(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="BAD_REQUEST")
