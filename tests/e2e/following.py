"""Clients of subscriptions: server-sent events over httpx, and graphql-transport-ws over websockets."""

import json
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from consentline.domain.access import Role
from consentline.web.auth import issue_token
from tests.conftest import SECRET

HOUR = timedelta(hours=1)
FLAGS = """subscription ($model: String, $after: String) {
  retrainingFlagChanged(modelVersion: $model, after: $after) { status modelVersion { key } affectedPostCount } }"""
OBJECTIONS = """subscription ($key: String, $after: String) {
  objectionChanged(key: $key, after: $after) { key status user { key } } }"""


def token(role: str = "admin", lifetime: timedelta = HOUR) -> str:
    return issue_token(SECRET, Role(role), lifetime)


@dataclass(frozen=True)
class Block:
    """One block of an event stream: an event, or only an id, or only a comment."""

    event: str | None = None
    id: str | None = None
    data: Any = None


@dataclass
class Stream:
    """An event stream as it comes; blocks without an event are left out."""

    begun: str | None
    blocks: Iterator[Block]
    last: str | None = None
    ids: list[str] = field(default_factory=list[str])

    def next(self) -> Block:
        """The next event."""
        block = next(block for block in self.blocks if block.event is not None)
        if block.id is not None:
            self.last = block.id
            self.ids.append(block.id)
        return block

    def kinds(self, count: int) -> list[str]:
        """What the next events tell of."""
        return [self.next().data["extensions"]["event"]["kind"] for _ in range(count)]


def parse(lines: Iterator[str]) -> Iterator[Block]:
    """The blocks of an event stream, by the HTML standard's rules as far as they matter here."""
    fields: dict[str, str] = {}
    for line in lines:
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
            continue
        data = fields.get("data")
        yield Block(fields.get("event"), fields.get("id"), json.loads(data) if data else None)
        fields = {}


@contextmanager
def streaming(
    url: str, query: str, variables: dict[str, Any] | None = None, *, bearer: str | None = None, last: str | None = None
) -> Generator[Stream]:
    """A subscription as server-sent events, begun."""
    headers = {"Accept": "text/event-stream", "Authorization": f"Bearer {bearer or token()}"}
    if last is not None:
        headers["Last-Event-ID"] = last
    body = {"query": query, "variables": variables}
    with (
        httpx.Client(timeout=30) as client,
        client.stream("POST", f"{url}/graphql", json=body, headers=headers) as response,
    ):
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].partition(";")[0] == "text/event-stream"
        blocks = parse(response.iter_lines())
        begun = next(blocks).id
        yield Stream(begun, blocks, begun)


class Socket:
    """A connection that speaks graphql-transport-ws."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.event: str | None = None

    def send(self, **message: Any) -> None:
        """Send one message."""
        self.connection.send(json.dumps(message))

    def receive(self) -> dict[str, Any]:
        """The next message."""
        return json.loads(self.connection.recv(timeout=30))

    def init(self, payload: dict[str, Any] | None = None) -> None:
        """Begin; the acknowledgement names the last event."""
        self.send(type="connection_init", payload=payload)
        answer = self.receive()
        assert answer["type"] == "connection_ack"
        self.event = answer["payload"]["event"]

    def subscribe(self, id_: str, query: str, **variables: Any) -> None:
        """Ask to be told, from the event on that the acknowledgement named unless `after` is given."""
        variables.setdefault("after", self.event)
        self.send(type="subscribe", id=id_, payload={"query": query, "variables": variables})

    def next(self, id_: str) -> dict[str, Any]:
        """The next answer of a subscription."""
        message = self.receive()
        assert (message["type"], message["id"]) == ("next", id_), message
        return message["payload"]

    def error(self, id_: str) -> dict[str, Any]:
        """Why a subscription ended."""
        message = self.receive()
        assert (message["type"], message["id"]) == ("error", id_), message
        (error,) = message["payload"]
        return error

    def closed(self) -> tuple[int, str]:
        """With which code and reason the connection was closed; nothing comes before that."""
        with pytest.raises(ConnectionClosed) as caught:
            self.connection.recv(timeout=30)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code, caught.value.rcvd.reason


@contextmanager
def connected(url: str, *protocols: str, bearer: str | None = None, **more: Any) -> Generator[Socket]:
    """A connection whose handshake was accepted."""
    headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
    address = url.replace("http://", "ws://") + "/graphql"
    wanted = [Subprotocol(each) for each in protocols or ("graphql-transport-ws",)]
    with connect(address, subprotocols=wanted, additional_headers=headers, proxy=None, **more) as connection:
        yield Socket(connection)
