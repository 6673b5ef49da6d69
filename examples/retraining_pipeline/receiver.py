"""The pipeline's webhook: what Consentline tells of, verified and put into a queue before it is acknowledged."""

import json
import queue
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

_LONGEST = 64 * 1024


class Receiver:
    """Verified events in the order in which they came, each id once: deliveries are at least once.

    A real pipeline keeps the ids and the queue where they survive a restart, and acknowledges only then.
    """

    def __init__(self) -> None:
        self.events: queue.Queue[dict[str, Any]] = queue.Queue()
        self.address = ""
        self._secret: str | None = None
        self._seen = set[str]()

    def trust(self, secret: str) -> None:
        """From now on take what is signed with this secret, the one that `registerWebhook` answered with."""
        self._secret = secret

    def take(self, body: bytes, headers: dict[str, str]) -> int:
        """The status to answer a delivery with."""
        if self._secret is None:
            return 503
        try:
            event = Webhook(self._secret).verify(body, headers)
        except WebhookVerificationError:
            return 401
        if headers["webhook-id"] not in self._seen:
            self._seen.add(headers["webhook-id"])
            self.events.put(event if isinstance(event, dict) else json.loads(body))
        return 204


@contextmanager
def receiving() -> Generator[Receiver]:
    """A receiver behind a free port of loopback."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers.get("content-length", 0))
            status = 413
            if length <= _LONGEST:
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.take(self.rfile.read(length), headers)
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Say nothing: the story is told by `run.py`."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.address = f"http://127.0.0.1:{server.server_port}/"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()
