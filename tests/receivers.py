"""Receivers of webhooks: real HTTP servers on loopback that keep what they got and behave as badly as they are told."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


@dataclass(frozen=True)
class Message:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes
    begun: float
    answered: float

    @property
    def id(self) -> str:
        """The message's id."""
        return self.headers["webhook-id"]

    @property
    def payload(self) -> dict[str, Any]:
        """The body, parsed."""
        return json.loads(self.body)

    @property
    def type(self) -> str:
        """What happened."""
        return self.payload["type"]

    @property
    def sequence(self) -> int:
        """Where the event stands among all."""
        return self.payload["data"]["sequence"]

    def verified(self, secret: str) -> Any:
        """The payload, when the signature is good; by the library that receivers use."""
        return Webhook(secret).verify(self.body, self.headers)


@dataclass(frozen=True)
class Answer:
    """What a receiver does: waits, then answers with a status; or hangs up before, in the middle, or not at all."""

    status: int = 200
    after: float = 0.0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    hang_up: bool = False
    cut_short: bool = False


Behave = Callable[[int, Message], Answer]
"""What to do with a request, by how many came before it."""


class Receiver:
    """What came, and what is to be done with what comes."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.behave: Behave = lambda _number, _message: Answer()
        self.lock = threading.Lock()
        self.seen = 0
        self.at_once = 0
        self.most_at_once = 0
        self.url = ""

    def types(self) -> list[str]:
        """The types of what came, in its order."""
        return [each.type for each in self.messages]

    def ids(self) -> list[str]:
        """The ids of what came, in its order."""
        return [each.id for each in self.messages]

    def wait_for(self, count: int, seconds: float = 20) -> list[Message]:
        """What came, once there are as many."""
        deadline = time.monotonic() + seconds
        while len(self.messages) < count:
            assert time.monotonic() < deadline, f"{len(self.messages)} of {count} messages came"
            time.sleep(0.01)
        return self.messages


def _handler(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            begun = time.monotonic()
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with receiver.lock:
                number = receiver.seen
                receiver.seen += 1
                receiver.at_once += 1
                receiver.most_at_once = max(receiver.most_at_once, receiver.at_once)
            answer = receiver.behave(number, Message(self.path, headers, body, begun, 0.0))
            if answer.after:
                time.sleep(answer.after)
            with receiver.lock:
                receiver.at_once -= 1
                receiver.messages.append(Message(self.path, headers, body, begun, time.monotonic()))
            with suppress(OSError):
                self.answer(answer)

        def answer(self, answer: Answer) -> None:
            if answer.hang_up:
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(answer.body)))
            if answer.cut_short:
                self.end_headers()
                self.wfile.write(answer.body[: len(answer.body) // 2])
                self.close_connection = True
                return
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler


@contextmanager
def receiving(behave: Behave | None = None, *, tls: ssl.SSLContext | None = None) -> Generator[Receiver]:
    """A receiver on a free port of loopback for as long as the block lasts."""
    receiver = Receiver()
    if behave is not None:
        receiver.behave = behave
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(receiver))
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
