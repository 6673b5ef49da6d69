"""One write an answer: on real sockets, with uvicorn."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from consentline.web.transport import Gathering, OneWriteProtocol


class Recorder(asyncio.Transport):
    """A transport that keeps what it was given, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:  # type: ignore[override]
        self.writes.append(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_what_one_turn_writes_leaves_as_one_write() -> None:
    async def work() -> list[bytes]:
        recorder = Recorder()
        transport = Gathering(recorder, asyncio.get_running_loop())
        transport.write(b"head")
        transport.write(b"body")
        await asyncio.sleep(0)
        transport.write(b"next")
        await asyncio.sleep(0)
        return recorder.writes

    assert asyncio.run(work()) == [b"headbody", b"next"]


def test_what_is_held_leaves_before_the_connection_is_closed() -> None:
    async def work() -> Recorder:
        recorder = Recorder()
        transport = Gathering(recorder, asyncio.get_running_loop())
        transport.write(b"last")
        transport.close()
        await asyncio.sleep(0)
        return recorder

    recorder = asyncio.run(work())

    assert recorder.writes == [b"last"]
    assert recorder.closed


def test_nothing_is_written_to_a_connection_that_the_client_closed() -> None:
    async def work() -> list[bytes]:
        recorder = Recorder()
        transport = Gathering(recorder, asyncio.get_running_loop())
        transport.write(b"late")
        recorder.closed = True
        await asyncio.sleep(0)
        return recorder.writes

    assert asyncio.run(work()) == []


async def echo(request: Request) -> Response:
    """The body back."""
    return Response(await request.body())


async def slow(_request: Request) -> Response:
    """Two pieces, one of them later."""

    async def pieces() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.sleep(0.2)
        yield b"second"

    return StreamingResponse(pieces())


async def _served(work: bytes, *, until: bytes) -> bytes:
    app = Starlette(routes=[Route("/echo", echo, methods=["POST"]), Route("/slow", slow)])
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, http=OneWriteProtocol, log_config=None, lifespan="off"))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname()[:2])
        writer.write(work)
        answer = await asyncio.wait_for(reader.readuntil(until), timeout=5)
        writer.close()
        server.should_exit = True
        await serving
        return answer


def test_requests_that_were_sent_at_once_are_answered_in_their_order() -> None:
    def post(body: bytes) -> bytes:
        return b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)

    answer = asyncio.run(_served(post(b"one") + post(b"two!") + post(b"three"), until=b"three"))

    assert answer.count(b"HTTP/1.1 200 OK") == 3
    assert answer.index(b"one") < answer.index(b"two!") < answer.index(b"three")


@pytest.mark.parametrize("until", [b"first", b"second"])
def test_a_stream_leaves_piece_by_piece(until: bytes) -> None:
    answer = asyncio.run(_served(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n", until=until))

    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert (b"second" in answer) == (until == b"second")


def test_a_request_that_is_no_http_is_refused() -> None:
    answer = asyncio.run(_served(b"nonsense\r\n\r\n", until=b"received."))

    assert answer.startswith(b"HTTP/1.1 400")
