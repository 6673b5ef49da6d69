"""POST /notices/campaign: the people still to be served a notice of a policy's purpose, as a stream of lines.

Once the answer has begun its status cannot change: a fault is told in a last line with `"end": false`, and a stream
without any last line was cut off.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, NamedTuple, cast

import orjson
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from consentline.domain.access import Action
from consentline.domain.errors import ConsentlineError, ForbiddenError, InvalidInputError
from consentline.domain.instants import Instant, parse_instant
from consentline.usecases import audit, notices
from consentline.usecases.service import Service
from consentline.web.auth import actor_of, authenticate
from consentline.web.bodies import read_body
from consentline.web.graphql import check_content_type
from consentline.web.ingest import NDJSON

_MOST_BYTES = 16 * 1024
_FIELDS = {"policy", "version", "at"}


class CampaignEndpoint:
    """Streams a campaign to the bearer of a token whose role may."""

    def __init__(self, service: Service, secret: str) -> None:
        self._service = service
        self._secret = secret

    async def __call__(self, request: Request) -> Response:
        """A line `{"user": …}` a person, then `{"end": true, "people": …}`; read from the graph as the client takes it.

        Raises:
            ConsentlineError: no valid token or role, no such policy, it cannot be audited, or the database cannot be
                reached.
        """
        request.state.route = "/notices/campaign"
        principal = request.state.principal = authenticate(request.headers.get("authorization"), self._secret)
        actor = actor_of(request, principal)
        if not principal.may(Action.EXPORT_CAMPAIGNS):
            await audit.enter(self._service, actor, "exportCampaign", ForbiddenError.code)
        principal.require(Action.EXPORT_CAMPAIGNS)
        check_content_type(request.headers.get("content-type"))
        asked = parse_campaign(await read_body(request, _MOST_BYTES))
        question = await notices.ask(self._service, asked.policy, asked.version, asked.at)
        lines = notices.campaign_lines(self._service, question, actor)
        # What keeps it from beginning still has a status of its own.
        return StreamingResponse(_told(await anext(lines), lines), media_type=NDJSON)


class Campaign(NamedTuple):
    """What a body asks for; `at` is None for now."""

    policy: str
    version: int
    at: Instant | None


def parse_campaign(body: bytes) -> Campaign:
    """What a body asks for.

    Raises:
        InvalidInputError: BAD_REQUEST, INVALID_TIME or TIME_WITHOUT_OFFSET, saying which part is wrong.
    """
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise _bad_request("the body is not JSON in UTF-8") from None
    if not isinstance(request, dict):
        raise _bad_request("the body is not an object with a policy and its version")
    fields = cast("dict[str, Any]", request)
    if fields.keys() - _FIELDS:
        raise _bad_request(f"the body has a field that is none of {', '.join(sorted(_FIELDS))}")
    policy, version, at = fields.get("policy"), fields.get("version"), fields.get("at")
    if not isinstance(policy, str):
        raise _bad_request("policy is missing, or is not a string")
    if not isinstance(version, int) or isinstance(version, bool):
        raise _bad_request("version is missing, or is not an integer")
    if at is not None and not isinstance(at, str):
        raise _bad_request("at is not a string")
    return Campaign(policy, version, None if at is None else parse_instant(at, "at"))


async def _told(first: bytes, lines: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(lines):
        try:
            yield first
            async for each in lines:
                yield each
        except ConsentlineError as error:
            yield orjson.dumps({"end": False, "code": error.code, "message": error.message}) + b"\n"


def _bad_request(message: str) -> InvalidInputError:
    return InvalidInputError(message, code="BAD_REQUEST")
