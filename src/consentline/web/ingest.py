"""POST /ingest: records as a stream, recorded as they arrive; the stream waits for the graph."""

from bisect import insort

from starlette.requests import Request
from starlette.responses import Response

from consentline.domain.access import Action
from consentline.usecases.ingest import Rejection, ingest
from consentline.usecases.service import Service
from consentline.web.auth import authenticate
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
            ConsentlineError: no valid token or role, not such a stream, or the database went away; the lines recorded
                until then stay, and sending the whole again finishes it.
        """
        request.state.route = "/ingest"
        principal = request.state.principal = authenticate(request.headers.get("authorization"), self._secret)
        principal.require(Action.INGEST)
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if media_type != NDJSON:
            raise UnsupportedMediaTypeError(f"send {NDJSON}")
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("identity", "gzip"):
            raise UnsupportedMediaTypeError("send it as it is, or with gzip")
        chunks = inflate(request.stream()) if encoding == "gzip" else request.stream()
        first: list[Rejection] = []

        def keep(rejection: Rejection) -> None:
            # Told as they are found, which is not always the order of the lines.
            insort(first, rejection, key=_line)
            del first[_MOST_ERRORS:]

        summary = await ingest(self._service, chunks, on_reject=keep)
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


def _line(rejection: Rejection) -> int:
    return rejection.line
