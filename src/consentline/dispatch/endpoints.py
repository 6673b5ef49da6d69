"""Posting to an endpoint that somebody else chose: only to public addresses, without redirects, within bounds."""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import NamedTuple, TypeAlias

import httpcore
import httpx
from httpcore import SOCKET_OPTION, AnyIOBackend, AsyncNetworkBackend, AsyncNetworkStream

from consentline.domain.addresses import is_public

_MOST_BYTES = 16 * 1024
_KEEP_SECONDS = 5.0

Resolve: TypeAlias = Callable[[str, int], Awaitable[list[str]]]
"""How the addresses of a host are found."""


class HostNotFoundError(Exception):
    """The host has no address now."""


class AddressRefusedError(Exception):
    """The host has no address that may be sent to."""


class Reply(NamedTuple):
    """What came of a request: a status, or a code that tells why there is none; `retry_after` in seconds."""

    status: int | None = None
    error: str | None = None
    retry_after: float | None = None

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken the message."""
        return self.status is not None and 200 <= self.status < 300


async def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(each[4][0]) for each in found))


class CheckedBackend(AsyncNetworkBackend):
    """Looks a host up once and connects to one of the very addresses that it checked: no second look-up can differ."""

    def __init__(self, allow_private: bool, resolve: Resolve = resolve) -> None:
        self._allow_private = allow_private
        self._resolve = resolve
        self._backend: AsyncNetworkBackend = AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        local_address: str | None = None,
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Connect to the first address of the host that may be reached and answers.

        Raises:
            HostNotFoundError: it has none.
            AddressRefusedError: it has none that may.
        """
        try:
            addresses = await self._resolve(host, port)
        except OSError as error:
            raise HostNotFoundError from error
        allowed = [each for each in addresses if self._allow_private or is_public(each)]
        if not allowed:
            raise AddressRefusedError
        for address in allowed[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._backend.connect_tcp(allowed[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the interface of httpcore
        socket_options: Iterable[SOCKET_OPTION] | None = None,
    ) -> AsyncNetworkStream:
        """Never: an endpoint is a host.

        Raises:
            AddressRefusedError: always.
        """
        raise AddressRefusedError

    async def sleep(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)


class Endpoint:
    """One URL and a few kept connections to it; whoever opens it closes it."""

    def __init__(
        self,
        url: str,
        *,
        timeout: float,
        connections: int,
        allow_private: bool,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._url = url
        self._timeout = timeout
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls or httpx.create_ssl_context(),
            max_connections=connections,
            keepalive_expiry=_KEEP_SECONDS,
            network_backend=CheckedBackend(allow_private, resolve),
        )

    async def post(self, headers: Mapping[str, str], body: bytes) -> Reply:
        """Send a message and tell what came of it, within the timeout whatever the receiver does.

        A status of 2xx is an answer whether or not the body follows: no more than 16 KiB of it are read, and only so
        that the connection can be used again.
        """
        reply = Reply(error="TIMED_OUT")
        try:
            async with asyncio.timeout(self._timeout):
                async with self._pool.stream(
                    "POST", self._url, headers=list(headers.items()), content=body
                ) as response:
                    reply = _reply(response)
                    await _drain(response)
        except TimeoutError:
            return reply
        except AddressRefusedError:
            return Reply(error="ADDRESS_REFUSED")
        except HostNotFoundError:
            return Reply(error="HOST_NOT_FOUND")
        except (
            httpcore.TimeoutException,
            httpcore.NetworkError,
            httpcore.ProtocolError,
            ssl.SSLError,
            OSError,
        ) as error:
            return reply if reply.status is not None else Reply(error=_code(error))
        return reply

    async def close(self) -> None:
        """Close the connections."""
        await self._pool.aclose()


async def _drain(response: httpcore.Response) -> None:
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > _MOST_BYTES:
            return


def _reply(response: httpcore.Response) -> Reply:
    if 300 <= response.status < 400:
        return Reply(response.status, "REDIRECTED")
    error = None if 200 <= response.status < 300 else "REJECTED"
    headers = {name.lower(): value for name, value in response.headers}
    return Reply(response.status, error, _retry_after(headers.get(b"retry-after", b"").decode("latin-1")))


def _retry_after(value: str) -> float | None:
    """The seconds that RFC 9110, section 10.2.3, asks for; a date counts from the receiver's own time, and is left."""
    return float(value) if value.isascii() and value.isdigit() and len(value) < 9 else None


def _code(error: Exception) -> str:
    match error:
        case httpcore.TimeoutException():
            return "TIMED_OUT"
        case httpcore.ConnectError() if isinstance(error.__context__, ssl.SSLError) or "SSL" in str(error):
            return "TLS_FAILED"
        case ssl.SSLError():
            return "TLS_FAILED"
        case httpcore.ConnectError():
            return "CONNECT_FAILED"
        case _:
            return "CONNECTION_LOST"
