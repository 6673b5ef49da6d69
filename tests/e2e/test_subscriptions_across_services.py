"""Subscriptions at several service processes: all are told of the same, and one goes on where another was killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from consentline.domain.events import EventKind, NewEvent
from consentline.embedded import Server
from consentline.gql.ids import decode_id
from consentline.graph import outbox
from consentline.usecases import flags
from tests.conftest import SECRET, Api
from tests.e2e.following import FLAGS, Stream, connected, streaming, token
from tests.e2e.operations import OBJECT, change, load_small_story

Tell = Callable[[int], list[str]]


@contextmanager
def served(
    neo4j_server: Server, home: Path, *arguments: str, **more: str
) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`consentline serve` on a free port, and its address."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
    environment = mine | {
        "CONSENTLINE_HOME": str(home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_TOKEN_SECRET": SECRET,
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
        **more,
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "consentline", "serve", "--port", "0", *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = process.stdout.readline().split()[1].removesuffix("/graphql")
        until_ready(url)
        yield process, url
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(30)
        process.stdout.close()


def until_ready(url: str) -> None:
    deadline = time.monotonic() + 60
    while httpx.get(f"{url}/readyz").status_code != 200:
        assert time.monotonic() < deadline, "it is not ready"
        time.sleep(0.1)


@pytest.fixture
def tell(api: Api) -> Tell:
    """Write so many events of a flag that is there; answer their ids."""
    load_small_story(api)
    objection = change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")["objection"]
    uid = decode_id(objection["flags"]["edges"][0]["node"]["id"]).key
    flag = api.run(flags.find_flag(api.service, uid))
    assert flag is not None
    event = NewEvent(EventKind.FLAG_CHANGED, "model:x", model=flag.model_version, flag=uid)

    def write(count: int) -> list[str]:
        before = api.run(api.service.graph.read(outbox.last))[0]
        for _ in range(count):
            api.run(api.service.graph.write(lambda tx: outbox.append(tx, [event], round(time.time() * 1_000_000))))
        told = api.run(api.service.graph.read(lambda tx: outbox.after(tx, before, count)))
        return [each.id for each in told.events]

    return write


def test_each_of_several_workers_tells_everybody_of_everything(
    neo4j_server: Server, tmp_path: Path, tell: Tell
) -> None:
    with served(neo4j_server, tmp_path, "--workers", "2") as (_, url), ExitStack() as stack:
        streams = [stack.enter_context(streaming(url, FLAGS)) for _ in range(8)]
        clients = [stack.enter_context(connected(url, bearer=token())) for _ in range(4)]
        for each in clients:
            each.init()
            each.subscribe("1", FLAGS)
        expected = tell(30)
        for stream in streams:
            stream.kinds(30)
            assert stream.ids == expected
        for each in clients:
            assert [each.next("1")["extensions"]["event"]["id"] for _ in range(30)] == expected


def test_a_client_goes_on_at_another_service_when_its_own_was_killed(
    neo4j_server: Server, tmp_path: Path, api: Api, tell: Tell
) -> None:
    seen: list[str] = []
    with served(neo4j_server, tmp_path) as (process, url):
        with streaming(url, FLAGS) as stream:
            expected = tell(10)
            stream.kinds(5)
            process.send_signal(signal.SIGKILL)
            read_on(stream)
            seen += stream.ids
            assert 5 <= len(seen) <= 10
        process.wait(10)
    expected += tell(10)
    with streaming(api.url, FLAGS, last=seen[-1]) as stream:
        stream.kinds(20 - len(seen))
        seen += stream.ids
    assert seen == expected


def read_on(stream: Stream) -> None:
    """Read what was on its way when the connection was lost."""
    try:
        while True:
            stream.next()
    except (httpx.TransportError, StopIteration, RuntimeError):
        pass


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_service_that_is_told_to_stop_does_not_wait_for_who_follows(
    neo4j_server: Server, tmp_path: Path, tell: Tell, workers: str
) -> None:
    with (
        served(neo4j_server, tmp_path, "--workers", workers) as (process, url),
        streaming(url, FLAGS) as stream,
        connected(url, bearer=token()) as client,
    ):
        client.init()
        client.subscribe("1", FLAGS)
        tell(1)
        stream.kinds(1)
        client.next("1")
        begun = time.monotonic()
        process.terminate()
        assert list(stream.blocks) == []
        code, _ = client.closed()
        assert process.wait(30) == 0
        assert time.monotonic() < begun + 8

    assert code == 1012


def test_the_clients_of_the_protocols_authors_follow(api: Api, tell: Tell, node_tools: Path) -> None:
    environment = os.environ | {"GRAPHQL_URL": f"{api.url}/graphql", "TOKEN": token(), "QUERY": FLAGS, "COUNT": "3"}
    with subprocess.Popen(
        ["node", "follow.mjs"],
        cwd=node_tools,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "begun\n"
        expected = tell(3)
        out, err = client.communicate(timeout=60)

    assert client.returncode == 0, err
    assert out.splitlines() == expected * 2


def test_a_message_beyond_what_is_read_closes_the_connection(neo4j_server: Server, tmp_path: Path) -> None:
    settings = {"CONSENTLINE_MAX_BODY_BYTES": "100000"}
    with served(neo4j_server, tmp_path, **settings) as (_, url), connected(url, bearer=token()) as client:
        client.init()
        client.connection.send("x" * 200_000)
        code, _ = client.closed()

    assert code == 1009
