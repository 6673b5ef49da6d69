"""POST /graphql: GraphQL over HTTP (the working draft of graphql.github.io/graphql-over-http), one operation a request.

A subscription is answered as `text/event-stream`, see `web/streams.py`.

An answer of `application/json` has status 200 whatever its errors, as the draft says for that type; one of
`application/graphql-response+json` has 400 when the operation was refused before it ran. In both, an operation that got
nothing because the database cannot be reached, or its audit entry not be written, has 503.
"""

from typing import Any, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response

from consentline.domain.errors import InvalidInputError
from consentline.gql.context import Context
from consentline.gql.documents import TrustedDocuments
from consentline.gql.errors import internal_error
from consentline.gql.execution import Answer, Operation
from consentline.web.auth import Bearer, authenticate, bearer_of
from consentline.web.bodies import UnsupportedMediaTypeError, read_body
from consentline.web.endpoint import Endpoint
from consentline.web.rates import RateLimitedError
from consentline.web.streams import EVENT_STREAM, EventStream, only_streams, takes_streams

JSON = "application/json"
GRAPHQL_JSON = "application/graphql-response+json"
_UNAVAILABLE = {"DATABASE_UNAVAILABLE", "AUDIT_UNAVAILABLE"}


class GraphQLEndpoint:
    """Answers one operation a request for the bearer of a token."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, request: Request) -> Response:
        """The answer to one request.

        Raises:
            ConsentlineError: no valid token, or no operation in the body; mapped in `web/errors.py`.
        """
        endpoint = self._endpoint
        request.state.route = "/graphql"
        bearer = bearer_of(request.headers.get("authorization"), endpoint.secret)
        principal = request.state.principal = bearer.principal
        accept = request.headers.get("accept")
        media_type = JSON if only_streams(accept) else accepted(accept)
        check_content_type(request.headers.get("content-type"))
        operation = parse_operation(await read_body(request, endpoint.max_body_bytes), endpoint.documents)
        if takes_streams(accept) and endpoint.engine.follows(operation):
            return await self._follow(request, operation, bearer)
        if only_streams(accept):
            message = f"only subscriptions are answered as {EVENT_STREAM}"
            raise UnsupportedMediaTypeError(message, code="NOT_ACCEPTABLE")
        request_id: str = request.state.request_id
        try:
            answer = await endpoint.engine.run(
                operation, endpoint.context(principal, request_id), endpoint.admit(principal)
            )
        except RateLimitedError:
            raise
        except Exception as fault:
            answer = Answer(errors=[internal_error(fault, request_id)], ran=False)
            return _response(answer, media_type, 500)
        return _response(answer, media_type, _status(answer, media_type))

    async def _follow(self, request: Request, operation: Operation, bearer: Bearer) -> Response:
        """The events of a subscription for as long as the token is good; what keeps it from beginning has 400."""
        endpoint = self._endpoint
        header, after = request.headers.get("authorization"), request.headers.get("last-event-id")
        request_id: str = request.state.request_id

        def renew() -> Context:
            return endpoint.context(authenticate(header, endpoint.secret), request_id, after or None)

        following = await endpoint.engine.follow(operation, renew, endpoint.admit(bearer.principal))
        if isinstance(following, Answer):
            return _response(following, JSON, max(_status(following, JSON), 400))
        return EventStream(following, expires_at=bearer.expires_at, request_id=request_id)


def parse_operation(body: bytes, documents: TrustedDocuments) -> Operation:
    """The operation that a body describes, its document among the registered ones where it is named by id.

    Raises:
        InvalidInputError: BAD_REQUEST, saying which part is wrong.
        ConsentlineError: as `TrustedDocuments.text`.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _bad_request("the body is not JSON in UTF-8") from None
    if not isinstance(request, dict):
        raise _bad_request("the body is not an object with a query; batches are not supported")
    return operation_of(cast("dict[str, Any]", request), documents)


def operation_of(fields: dict[str, Any], documents: TrustedDocuments) -> Operation:
    """The operation that the parameters of a request describe.

    Raises:
        InvalidInputError: BAD_REQUEST, saying which part is wrong.
        ConsentlineError: as `TrustedDocuments.text`.
    """
    query, name, variables = fields.get("query"), fields.get("operationName"), fields.get("variables")
    document_id, extensions = fields.get("documentId"), fields.get("extensions")
    if query is not None and not isinstance(query, str):
        raise _bad_request("query is not a string")
    if document_id is not None and not isinstance(document_id, str):
        raise _bad_request("documentId is not a string")
    if name is not None and not isinstance(name, str):
        raise _bad_request("operationName is not a string")
    if variables is not None and not isinstance(variables, dict):
        raise _bad_request("variables is not an object")
    if extensions is not None and not isinstance(extensions, dict):
        raise _bad_request("extensions is not an object")
    text = documents.text(query, document_id, cast("dict[str, Any]", extensions or {}))
    return Operation(text, name or None, cast("dict[str, Any] | None", variables))


def check_content_type(header: str | None) -> None:
    """Return when the body claims to be JSON in UTF-8.

    Raises:
        UnsupportedMediaTypeError: it claims to be something else, or nothing.
    """
    media_type, _, parameters = (header or "").partition(";")
    charset = parameters.strip().lower().replace('"', "")
    if media_type.strip().lower() != JSON or charset not in ("", "charset=utf-8"):
        raise UnsupportedMediaTypeError(f"send {JSON}")


def accepted(header: str | None) -> str:
    """The type to answer with: the one that the client prefers of the two, JSON when it has no preference.

    Raises:
        UnsupportedMediaTypeError: NOT_ACCEPTABLE, when it takes neither.
    """
    if header is None or header == JSON:
        return JSON
    wanted = {JSON: 0.0, GRAPHQL_JSON: 0.0}
    for item in header.split(","):
        media_type, *parameters = [part.strip().lower() for part in item.split(";")]
        quality = next((_quality(each) for each in parameters if each.startswith("q=")), 1.0)
        for offered in wanted if media_type in ("*/*", "application/*") else {media_type} & wanted.keys():
            wanted[offered] = max(wanted[offered], quality)
    # Of two that are as welcome, the newer type only when the client names it.
    preferred = GRAPHQL_JSON if GRAPHQL_JSON in header.lower() else JSON
    best = max(wanted, key=lambda each: (wanted[each], each == preferred))
    if wanted[best] <= 0:
        raise UnsupportedMediaTypeError(f"answers are {JSON} or {GRAPHQL_JSON}", code="NOT_ACCEPTABLE")
    return best


def _quality(parameter: str) -> float:
    try:
        return float(parameter.removeprefix("q="))
    except ValueError:
        return 0.0


def _status(answer: Answer, media_type: str) -> int:
    codes = {error["extensions"]["code"] for error in answer.errors}
    if answer.data is None and codes and codes <= _UNAVAILABLE:
        return 503
    return 400 if not answer.ran and media_type == GRAPHQL_JSON else 200


def _response(answer: Answer, media_type: str, status: int) -> Response:
    headers = {"retry-after": "1"} if status == 503 else None
    content_type = media_type if media_type == JSON else f"{media_type}; charset=utf-8"
    return Response(orjson.dumps(answer.body()), status, headers, content_type)


def _bad_request(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="BAD_REQUEST")
