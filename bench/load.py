"""A bounded load of HTTP requests over a few kept connections, written on plain sockets so that it costs little."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Load:
    """What a load measured: requests, seconds from first to last, and each request's latency."""

    requests: int
    seconds: float
    latencies: tuple[float, ...]

    @property
    def rate(self) -> float:
        """Requests per second."""
        return self.requests / self.seconds

    @property
    def p99(self) -> float:
        """The 99th percentile of the latencies, in seconds."""
        return sorted(self.latencies)[int(len(self.latencies) * 0.99)]


def request(path: str, host: str, token: str, body: bytes) -> bytes:
    """The bytes of one POST request of JSON."""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(port: int, requests: Sequence[bytes], connections: int, count: int) -> Load:
    """Send `count` requests in all over `connections` connections, going round `requests`; every answer must be 200."""
    return asyncio.run(_run(port, requests, connections, count))


async def _run(port: int, requests: Sequence[bytes], connections: int, count: int) -> Load:
    latencies: list[float] = []
    begin = time.perf_counter()
    share = count // connections
    await asyncio.gather(*(_connection(port, requests, number, share, latencies) for number in range(connections)))
    return Load(len(latencies), time.perf_counter() - begin, tuple(latencies))


async def _connection(port: int, requests: Sequence[bytes], number: int, count: int, latencies: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for position in range(count):
        begin = time.perf_counter()
        writer.write(requests[(number * 7919 + position) % len(requests)])
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        length = head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]
        await reader.readexactly(int(length))
        latencies.append(time.perf_counter() - begin)
    writer.close()
    await writer.wait_closed()
