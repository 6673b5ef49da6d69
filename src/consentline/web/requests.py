"""Around every request: its id, its log line, and the answer when something failed."""

import logging
import re
import secrets
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOG = logging.getLogger("consentline.access")
_SANE = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HEADER = b"x-request-id"


class RequestLog:
    """Gives each request an id (the caller's `X-Request-ID` when it is harmless), echoes it, and logs one line.

    The line names the route, never the URL: a query string may hold a person's key.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = next((value.decode("latin-1") for name, value in scope["headers"] if name == _HEADER), "")
        request_id = given if _SANE.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        status = 500
        begin = time.perf_counter()

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (_HEADER, request_id.encode())]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        finally:
            if _LOG.isEnabledFor(logging.INFO):
                principal = state.get("principal")
                fields = {
                    "request_id": request_id,
                    "method": scope["method"],
                    "route": state.get("route", "-"),
                    "status": status,
                    "ms": round((time.perf_counter() - begin) * 1000, 2),
                    "role": None if principal is None else principal.role.value,
                    "token_id": None if principal is None else principal.token_id,
                }
                # Made by hand: who called is the same for all of them.
                _LOG.handle(_LOG.makeRecord(_LOG.name, logging.INFO, __file__, 0, "request", (), None, extra=fields))
