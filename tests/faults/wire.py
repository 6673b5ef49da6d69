"""The wire between a service and its database, with a trap on it: at the n-th thing that passes, something happens."""

import contextlib
import socket
import threading
from collections.abc import Callable


class Trap:
    """Springs at the `number`-th chunk after it was set, before or after that chunk is passed on; and only once."""

    def __init__(self, number: int, spring: Callable[[], None], *, before: bool) -> None:
        self.number = number
        self.before = before
        self._sprung = False
        self._spring = spring
        self._lock = threading.Lock()

    def spring(self) -> None:
        """Do it, if it is not done yet."""
        with self._lock:
            if not self._sprung:
                self._spring()
                self._sprung = True

    def has_sprung(self) -> bool:
        """Whether it is done; while it is being done, this waits for it."""
        with self._lock:
            return self._sprung


class Wire:
    """Forwards connections on loopback to a port; what passes in either direction is counted in chunks.

    A statement and its answer are a chunk each, so the number of a chunk is a point within a transaction: before or
    after a statement, before or after the commit arrives, before or after its answer does.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._trap: Trap | None = None
        self._passed = 0
        threading.Thread(target=self._accept, name="wire", daemon=True).start()

    def set(self, trap: Trap) -> None:
        """Count from here on."""
        with self._lock:
            self._trap, self._passed = trap, 0

    def clear(self) -> int:
        """Take the trap away; how much has passed since it was set."""
        with self._lock:
            self._trap = None
            return self._passed

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()
                continue
            for source, target in ((client, server), (server, client)):
                source.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(1 << 16):
                trap = self._next()
                if trap is not None and trap.before:
                    trap.spring()
                target.sendall(data)
                if trap is not None and not trap.before:
                    trap.spring()
        except OSError:
            pass
        finally:
            for each in (source, target):
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            source.close()

    def _next(self) -> Trap | None:
        with self._lock:
            self._passed += 1
            return self._trap if self._trap is not None and self._passed == self._trap.number else None
