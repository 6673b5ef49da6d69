"""A way to the database that can be cut and mended, so that it goes away without anything else noticing."""

import contextlib
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager


class Proxy:
    """Forwards connections on loopback to a port until it is cut."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._up = True
        self._cut_at: bytes | None = None
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Drop every connection and answer no new one."""
        with self._lock:
            self._up = False
            for each in self._open:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            self._open.clear()

    def cut_at(self, text: bytes) -> None:
        """Cut as soon as a connection sends this text, before it arrives."""
        self._cut_at = text

    def mend(self) -> None:
        """Forward connections again."""
        with self._lock:
            self._up = True
            self._cut_at = None

    def close(self) -> None:
        """Stop for good."""
        self.cut()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if not self._up:
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._target))
                self._open |= {client, server}
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                if self._cut_at is not None and self._cut_at in data:
                    self.cut()
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            for each in (source, target):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            source.close()


@contextmanager
def proxied(target: int) -> Generator[Proxy]:
    """A proxy to a port of loopback for as long as the block lasts."""
    proxy = Proxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
