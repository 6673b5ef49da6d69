"""POST /ingest: records as a stream, recorded as they arrive; the stream waits for the graph."""

import hashlib
from bisect import insort
from collections.abc import AsyncGenerator, AsyncIterable, Callable

from starlette.requests import Request
from starlette.responses import Response

from consentline.domain.access import Action
from consentline.domain.errors import ForbiddenError
from consentline.usecases import audit
from consentline.usecases.ingest import Progress, Rejection, ingest
from consentline.usecases.service import Service
from consentline.web.auth import actor_of, authenticate
from consentline.web.bodies import UnsupportedMediaTypeError, inflate
from consentline.web.errors import JsonResponse

NDJSON = "application/x-ndjson"
_MOST_ERRORS = 100


class IngestEndpoint:
    """Records a stream of lines for the bearer of a token whose role may."""

    def __init__(self, service: Service, secret: str) -> None:
        self._service = service
        self._secret = secret

    async def __call__(self, request: Request) -> Response:
        """How many lines were recorded, unchanged and rejected, with the first 100 rejections.

        Raises:
            ConsentlineError: no valid token or role, not such a stream, it cannot be audited, or the database went
                away; the lines recorded until then stay, and sending the whole again finishes it.
        """
        request.state.route = "/ingest"
        principal = request.state.principal = authenticate(request.headers.get("authorization"), self._secret)
        actor = actor_of(request, principal)
        if not principal.may(Action.INGEST):
            await audit.enter(self._service, actor, "ingest", ForbiddenError.code)
        principal.require(Action.INGEST)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != NDJSON:
            raise UnsupportedMediaTypeError(f"send {NDJSON}")
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise UnsupportedMediaTypeError("send it as it is, or with gzip")
        received = hashlib.sha256()
        stream = _told(request.stream(), received.update)
        chunks = inflate(stream) if encoding == "gzip" else stream
        first: list[Rejection] = []

        def keep(rejection: Rejection) -> None:
            # Told as they are found, which is not always the order of the lines.
            insort(first, rejection, key=_line)
            del first[_MOST_ERRORS:]

        async with audit.lasting(self._service, actor, "ingest") as told:

            def count(progress: Progress) -> None:
                told.counts = progress.counts()

            summary = await ingest(self._service, chunks, on_reject=keep, report=count)
            told.digest = f"sha256:{received.hexdigest()}"
        return JsonResponse(
            {
                "accepted": summary.accepted,
                "unchanged": summary.unchanged,
                "rejected": summary.rejected,
                "errors": [
                    {"line": each.line, "field": each.field, "code": each.code, "message": each.message}
                    for each in first
                ],
            }
        )


async def _told(chunks: AsyncIterable[bytes], tell: Callable[[bytes], None]) -> AsyncGenerator[bytes]:
    """The chunks as they come, each told on the way."""
    async for chunk in chunks:
        tell(chunk)
        yield chunk


def _line(rejection: Rejection) -> int:
    return rejection.line
