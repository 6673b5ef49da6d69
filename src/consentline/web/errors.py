"""Every error as HTTP answers show it: mapped here and nowhere else."""

import logging
from collections.abc import Mapping
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from consentline.domain.errors import (
    AuditUnavailableError,
    ConsentlineError,
    DatabaseUnavailableError,
    ForbiddenError,
    MigrationError,
    NotImplementedYetError,
    RefusedError,
    UnauthenticatedError,
)
from consentline.web.bodies import BodyTooLargeError, UnsupportedMediaTypeError
from consentline.web.rates import RateLimitedError

_LOG = logging.getLogger("consentline.web")

_STATUS: tuple[tuple[type[ConsentlineError], int], ...] = (
    (UnauthenticatedError, 401),
    (ForbiddenError, 403),
    (BodyTooLargeError, 413),
    (UnsupportedMediaTypeError, 415),
    (RateLimitedError, 429),
    (RefusedError, 400),
    (NotImplementedYetError, 501),
    (DatabaseUnavailableError, 503),
    (AuditUnavailableError, 503),
    (MigrationError, 503),
)
_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


class JsonResponse(Response):
    """A JSON answer, encoded by orjson."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        """The encoded body."""
        return orjson.dumps(content)


def status_of(error: ConsentlineError) -> int:
    """The HTTP status of an error of ours."""
    if error.code == "NOT_ACCEPTABLE":
        return 406
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def refusal(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JsonResponse:
    """An answer that is only an error, in the form of a GraphQL error."""
    return JsonResponse({"errors": [{"message": message, "extensions": {"code": code}}]}, status, headers=headers)


def of_ours(_request: Request, error: Exception) -> Response:
    """Answer with an error of ours."""
    if not isinstance(error, ConsentlineError):
        raise error
    status = status_of(error)
    headers: dict[str, str] = {}
    if status == 401:
        # RFC 6750, section 3: what to send, and what was wrong with what was sent.
        invalid = ', error="invalid_token"' if error.code != "TOKEN_MISSING" else ""
        headers["WWW-Authenticate"] = f'Bearer realm="consentline"{invalid}'
    if status == 503:
        headers["Retry-After"] = "1"
    if isinstance(error, RateLimitedError):
        # RFC 6585, section 4.
        headers["Retry-After"] = str(error.retry_after)
    return refusal(status, error.code, error.message, headers)


def of_starlette(_request: Request, error: Exception) -> Response:
    """Answer with an error of the framework: no such route, wrong method, too large."""
    if not isinstance(error, HTTPException):
        raise error
    code = _CODES.get(error.status_code, f"HTTP_{error.status_code}")
    return refusal(error.status_code, code, error.detail, error.headers)


def of_fault(request: Request, error: Exception) -> Response:
    """Answer to a fault of ours, without details: they are in the log, under the request id."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    _LOG.error("internal error", exc_info=error, extra={"request_id": request_id})
    return JsonResponse(
        {"errors": [{"message": "internal error", "extensions": {"code": "INTERNAL", "requestId": request_id}}]}, 500
    )
