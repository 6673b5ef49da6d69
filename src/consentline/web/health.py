"""GET /healthz (the process answers) and GET /readyz (it can do its work now)."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from consentline.domain.errors import ConsentlineError
from consentline.web.errors import JsonResponse

_PATIENCE_SECONDS = 5.0


async def alive(request: Request) -> Response:
    """Whoever reads this knows that the process answers."""
    request.state.route = "/healthz"
    return JsonResponse({"status": "ok"})


class Readiness:
    """Asks `check` whether the database is reachable and migrated; what it raises is the reason why not."""

    def __init__(self, check: Callable[[], Awaitable[None]]) -> None:
        self._check = check

    async def __call__(self, request: Request) -> Response:
        """200 when ready, else 503 with the reason."""
        request.state.route = "/readyz"
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self._check()
        except ConsentlineError as error:
            return _not_ready(error.code, error.message)
        except TimeoutError:
            return _not_ready("DATABASE_UNAVAILABLE", "the database did not answer in time")
        return JsonResponse({"status": "ready"})


def _not_ready(code: str, reason: str) -> Response:
    return JsonResponse({"status": "not ready", "code": code, "reason": reason}, 503, headers={"Retry-After": "1"})
