"""Subscriptions over WebSocket: the protocol graphql-transport-ws of github.com/enisdenjo/graphql-ws, nothing older.

The token comes with the handshake (`Authorization`) or as `Authorization` in the payload of connection_init; the
acknowledgement's payload names the last event. Only subscriptions are run. The connection is closed with

    4400 a message that is none        4401 subscribe before connection_init     4403 no token, or not good any more
    4406 another subprotocol           4408 no connection_init in time           4409 an id that is in use
    4429 a second connection_init      1013 the client takes nothing any more: come again with the last id
"""

import asyncio
import logging
import secrets
import time
from typing import Any, cast

import orjson
from starlette.websockets import WebSocket, WebSocketDisconnect

from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError, UnauthenticatedError
from consentline.gql.context import Context
from consentline.gql.errors import FormattedError, internal_error
from consentline.gql.execution import Answer, Following
from consentline.usecases.feed import FeedClosedError
from consentline.web.auth import Bearer, authenticate, bearer_of
from consentline.web.endpoint import Endpoint
from consentline.web.graphql import operation_of

_LOG = logging.getLogger("consentline.access")
PROTOCOL = "graphql-transport-ws"
_INIT_SECONDS = 10.0
_SEND_SECONDS = 30.0
_MOST_SUBSCRIPTIONS = 100
_LONGEST_ID = 256


class _ClosedError(Exception):
    """The connection is to be closed, with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class SubscriptionSocket:
    """Serves the subscriptions of one connection at a time for the bearer of a token."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    async def __call__(self, socket: WebSocket) -> None:
        """Serve until either side closes."""
        if PROTOCOL not in socket.scope.get("subprotocols", []):
            # Accepted first: of a handshake that is refused a browser learns nothing.
            await socket.accept()
            await socket.close(4406, "Subprotocol not acceptable")
            return
        await socket.accept(PROTOCOL)
        await _Connection(self._endpoint, socket).serve()


class _Connection:
    """One connection: its token, and the subscriptions that run on it."""

    def __init__(self, endpoint: Endpoint, socket: WebSocket) -> None:
        self._endpoint = endpoint
        self._socket = socket
        self._header: str | None = socket.headers.get("authorization")
        self._bearer: Bearer | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._ending: asyncio.Future[_ClosedError] = asyncio.get_running_loop().create_future()
        self._begun = time.monotonic()
        self._request_id = secrets.token_hex(8)

    async def serve(self) -> None:
        """Answer messages until the connection ends, from whichever side."""
        code = 1006
        reading = asyncio.create_task(self._read())
        try:
            await asyncio.wait({reading, self._ending}, return_when=asyncio.FIRST_COMPLETED)
            closed = self._ending.result() if self._ending.done() else reading.result()
            code = closed.code
            await self._stop()
            async with asyncio.timeout(_SEND_SECONDS):
                await self._socket.close(closed.code, closed.reason)
        except WebSocketDisconnect as gone:
            code = gone.code
        except (TimeoutError, RuntimeError):
            # It takes not even the end; the server drops the connection.
            pass
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._stop()
            self._log(code)

    async def _stop(self) -> None:
        running = list(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _read(self) -> _ClosedError:
        try:
            try:
                async with asyncio.timeout(_INIT_SECONDS):
                    while self._bearer is None:
                        await self._take(await self._receive())
            except TimeoutError:
                return _ClosedError(4408, "Connection initialisation timeout")
            try:
                async with asyncio.timeout(max(0.0, self._bearer.expires_at - time.time())):
                    while True:
                        await self._take(await self._receive())
            except TimeoutError:
                return _ClosedError(4403, "TOKEN_EXPIRED")
        except _ClosedError as closed:
            return closed

    async def _receive(self) -> dict[str, Any]:
        message = await self._socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        text: str | None = message.get("text")
        if text is None or len(text) > self._endpoint.max_body_bytes:
            raise _ClosedError(4400, "Invalid message: not a text of allowed length")
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError:
            raise _ClosedError(4400, "Invalid message: not JSON") from None
        if not isinstance(parsed, dict):
            raise _ClosedError(4400, "Invalid message: not an object")
        return cast("dict[str, Any]", parsed)

    async def _take(self, message: dict[str, Any]) -> None:
        match message.get("type"):
            case "connection_init":
                await self._init(message.get("payload"))
            case "ping":
                await self._send({"type": "pong"})
            case "pong":
                pass
            case "subscribe":
                await self._subscribe(message.get("id"), message.get("payload"))
            case "complete":
                task = self._running.get(cast("str", message.get("id")))
                if task is not None:
                    task.cancel()
            case _:
                raise _ClosedError(4400, "Invalid message: of no known type")

    async def _init(self, payload: Any) -> None:
        if self._bearer is not None:
            raise _ClosedError(4429, "Too many initialisation requests")
        if isinstance(payload, dict):
            given = cast("dict[str, Any]", payload)
            named = next((value for name, value in given.items() if name.lower() == "authorization"), None)
            self._header = named if isinstance(named, str) else self._header
        try:
            self._bearer = bearer_of(self._header, self._endpoint.secret)
        except UnauthenticatedError as error:
            raise _ClosedError(4403, error.code) from None
        try:
            event = (await self._endpoint.feed.begin(None)).event
        except DatabaseUnavailableError:
            event = None
        await self._send({"type": "connection_ack", "payload": {"event": event}})

    async def _subscribe(self, id_: Any, payload: Any) -> None:
        if self._bearer is None:
            raise _ClosedError(4401, "Unauthorized")
        if not isinstance(id_, str) or not 0 < len(id_) <= _LONGEST_ID or not isinstance(payload, dict):
            raise _ClosedError(4400, "Invalid message: subscribe needs an id and a payload")
        if id_ in self._running:
            # The specification repeats the id here; a reason has 123 bytes.
            raise _ClosedError(4409, "Subscriber already exists")
        if len(self._running) >= _MOST_SUBSCRIPTIONS:
            message = f"at most {_MOST_SUBSCRIPTIONS} subscriptions run on one connection"
            await self._error(id_, [{"message": message, "extensions": {"code": "TOO_MANY_SUBSCRIPTIONS"}}])
            return
        task = asyncio.create_task(self._run(id_, cast("dict[str, Any]", payload)))
        self._running[id_] = task
        task.add_done_callback(lambda _task: self._running.pop(id_, None))

    async def _run(self, id_: str, payload: dict[str, Any]) -> None:
        """Follow one subscription to its end; what ends it is told, and the connection goes on."""
        endpoint, bearer = self._endpoint, cast("Bearer", self._bearer)
        following: Answer | Following | None = None
        try:
            following = await endpoint.engine.follow(
                operation_of(payload, endpoint.documents),
                self._renew,
                endpoint.admit(bearer.principal),
            )
            if isinstance(following, Answer):
                await self._error(id_, following.errors)
                return
            async for answer in following.answers:
                await self._send({"type": "next", "id": id_, "payload": answer.body()})
            await self._send({"type": "complete", "id": id_})
        except FeedClosedError as error:
            self._end(_ClosedError(1012, error.code))
        except UnauthenticatedError as error:
            self._end(_ClosedError(4403, error.code))
        except _ClosedError as closed:
            self._end(closed)
        except ConsentlineError as error:
            await self._error(id_, [{"message": error.message, "extensions": {"code": error.code}}])
        except WebSocketDisconnect:
            pass
        except Exception as fault:
            await self._error(id_, [internal_error(fault, self._request_id)])
        finally:
            if isinstance(following, Following):
                await following.answers.aclose()

    def _renew(self) -> Context:
        """A context of its own for each event: the token may have expired meanwhile."""
        return self._endpoint.context(authenticate(self._header, self._endpoint.secret), self._request_id)

    async def _error(self, id_: str, errors: list[FormattedError]) -> None:
        await self._send({"type": "error", "id": id_, "payload": errors})

    async def _send(self, message: dict[str, Any]) -> None:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._socket.send_text(orjson.dumps(message).decode())
        except TimeoutError:
            raise _ClosedError(1013, "TOO_SLOW") from None

    def _end(self, closed: _ClosedError) -> None:
        if not self._ending.done():
            self._ending.set_result(closed)

    def _log(self, code: int) -> None:
        principal = None if self._bearer is None else self._bearer.principal
        _LOG.info(
            "connection",
            extra={
                "request_id": self._request_id,
                "method": "WEBSOCKET",
                "route": "/graphql",
                "status": code,
                "ms": round((time.monotonic() - self._begun) * 1000, 2),
                "role": None if principal is None else principal.role.value,
                "token_id": None if principal is None else principal.token_id,
            },
        )
