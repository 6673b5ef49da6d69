"""`consentline worker` as an operator runs it: processes of their own, stopped, killed and cut off."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from consentline.domain.events import EventKind, NewEvent
from consentline.domain.paging import PageRequest
from consentline.domain.webhooks import DeliveryStatus
from consentline.embedded import Server
from consentline.graph import outbox
from consentline.usecases import webhooks
from consentline.usecases.service import Service
from consentline.usecases.webhooks import RegisterWebhook
from tests.conftest import SECRET, Run
from tests.e2e.proxy import proxied
from tests.receivers import Answer, Message, Receiver, receiving

Environment = dict[str, str]


@pytest.fixture
def environment(neo4j_server: Server, tmp_path: Path) -> Environment:
    """The test server by its address, and webhooks on loopback."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
    return mine | {
        "CONSENTLINE_HOME": str(tmp_path / "home"),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_TOKEN_SECRET": SECRET,
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
        "CONSENTLINE_WEBHOOK_ALLOW_PRIVATE": "true",
        "CONSENTLINE_WEBHOOK_TIMEOUT_SECONDS": "1",
        "CONSENTLINE_WEBHOOK_BACKOFF_SECONDS": "0.1",
    }


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@contextmanager
def working(environment: Environment, log: Path, *arguments: str) -> Generator[subprocess.Popen[bytes]]:
    """A worker process; killed in the end when it is still there."""
    command = [sys.executable, "-m", "consentline", "worker", *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)


@pytest.fixture
def tell(run: Run[Any], service: Service) -> Callable[..., None]:
    """Write an event of a flag of each model version, in this order."""

    def write(*models: str) -> None:
        events = [NewEvent(EventKind.FLAG_CHANGED, f"model:{each}", model=each) for each in models]
        run(service.graph.write(lambda tx: outbox.append(tx, events, round(time.time() * 1_000_000))))

    return write


@pytest.fixture
def hook(run: Run[Any], service: Service, receiver: Receiver) -> str:
    """The secret of a webhook to the receiver."""
    _, secret = run(webhooks.register(service, RegisterWebhook("hook", receiver.url)))
    return secret


def delivered(run: Run[Any], service: Service) -> int:
    """How many deliveries are recorded as such."""
    request = PageRequest(first=1)
    return run(webhooks.list_deliveries(service, "hook", DeliveryStatus.DELIVERED, request)).total


def until(condition: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_once_sends_what_there_is_and_says_what_came_of_it(
    environment: Environment, receiver: Receiver, hook: str, tell: Callable[..., None]
) -> None:
    tell("m:1", "m:2", "m:1")
    command = [sys.executable, "-m", "consentline", "worker", "--once"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)

    assert (done.returncode, done.stdout) == (0, "3 delivered, 0 to be tried again, 0 given up\n")
    assert all(each.verified(hook) for each in receiver.messages)
    assert receiver.url not in done.stderr
    assert '"outcome":"DELIVERED"' in done.stderr


def test_a_worker_that_is_killed_between_sending_and_recording_loses_nothing(
    environment: Environment,
    receiver: Receiver,
    hook: str,
    tell: Callable[..., None],
    tmp_path: Path,
    run: Run[Any],
    service: Service,
) -> None:
    killed: list[str] = []
    with working(environment, tmp_path / "first.log") as first:

        def kill_the_sender(number: int, message: Message) -> Answer:
            if number == 2:
                killed.append(message.id)
                first.send_signal(signal.SIGKILL)
                first.wait(10)
            return Answer()

        receiver.behave = kill_the_sender
        tell(*["m:1"] * 6)
        until(lambda: bool(killed))
    with working(environment, tmp_path / "second.log"):
        until(lambda: delivered(run, service) == 6)

    ids = receiver.ids()
    assert len(set(ids)) == 6
    assert ids.count(killed[0]) == 2
    once = list(dict.fromkeys(ids))
    sequence = {each.id: each.sequence for each in receiver.messages}
    assert [sequence[each] for each in once] == [1, 2, 3, 4, 5, 6]
    assert all(each.verified(hook) for each in receiver.messages)
    bodies = [each.body for each in receiver.messages if each.id == killed[0]]
    assert bodies[0] == bodies[1]


def test_workers_that_are_killed_and_a_receiver_that_misbehaves_lose_nothing_and_keep_the_order(
    environment: Environment,
    receiver: Receiver,
    hook: str,
    tell: Callable[..., None],
    tmp_path: Path,
    run: Run[Any],
    service: Service,
) -> None:
    draw = random.Random(1107)  # noqa: S311 - faults, no secret
    accepted: list[Message] = []
    faults = (Answer(500), Answer(302, headers={"location": "/x"}), Answer(after=1.5), Answer(hang_up=True))

    def misbehave(_number: int, message: Message) -> Answer:
        answer = draw.choice(faults) if draw.random() < 0.2 else Answer(body=b"x" * 100, cut_short=draw.random() < 0.2)
        if answer.status == 200 and not answer.hang_up and not answer.after:
            accepted.append(message)
        return answer

    receiver.behave = misbehave
    attempts = environment | {"CONSENTLINE_WEBHOOK_ATTEMPTS": "100", "CONSENTLINE_WEBHOOK_BACKOFF_SECONDS": "0.01"}
    models = [f"m:{number % 4}" for number in range(80)]
    for number in range(3):
        with working(attempts, tmp_path / "killed.log") as killed:
            tell(*models[number * 20 : number * 20 + 20])
            seen, more = receiver.seen, draw.randrange(5, 15)
            until(lambda seen=seen, more=more: receiver.seen >= seen + more)
            killed.kill()
    tell(*models[60:])
    with working(attempts, tmp_path / "first.log"), working(attempts, tmp_path / "second.log"):
        until(lambda: delivered(run, service) == 80, 90)

    assert all(each.verified(hook) for each in accepted)
    assert {each.sequence for each in accepted} == set(range(1, 81))
    bodies: dict[str, set[bytes]] = {}
    for each in receiver.messages:
        bodies.setdefault(each.id, set()).add(each.body)
    assert all(len(each) == 1 for each in bodies.values())
    for model in set(models):
        first = dict.fromkeys(each.sequence for each in accepted if each.payload["data"]["modelVersion"] == model)
        assert list(first) == sorted(first)


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_lets_what_is_under_way_be_recorded(
    environment: Environment,
    receiver: Receiver,
    hook: str,
    tell: Callable[..., None],
    tmp_path: Path,
    run: Run[Any],
    service: Service,
    ending: signal.Signals,
) -> None:
    assert hook
    receiver.behave = lambda _number, _message: Answer(after=0.5)
    tell(*["m:1", "m:2"] * 10)
    with working(environment, tmp_path / "worker.log") as process:
        until(lambda: receiver.seen >= 2)
        process.send_signal(ending)
        status = process.wait(20)

    assert status == 0
    assert len(receiver.messages) < 20
    assert delivered(run, service) == len(receiver.messages)
    assert (tmp_path / "worker.log").read_text().splitlines()[-1].endswith("0 given up")


def test_of_two_workers_one_takes_over_from_the_other_and_nothing_is_sent_out_of_order(
    environment: Environment,
    receiver: Receiver,
    tell: Callable[..., None],
    tmp_path: Path,
    run: Run[Any],
    service: Service,
) -> None:
    for number in range(6):
        command = RegisterWebhook(f"hook-{number}", f"{receiver.url}/{number}")
        run(webhooks.register(service, command))
    receiver.behave = lambda _number, _message: Answer(after=0.01)
    with working(environment, tmp_path / "first.log") as first:
        tell("m:1", "m:2")
        until(lambda: len(receiver.messages) >= 1)
        with working(environment, tmp_path / "second.log"):
            for number in range(19):
                tell("m:1", "m:2")
                if number == 10:
                    first.send_signal(signal.SIGTERM)
            until(lambda: len({(each.path, each.id) for each in receiver.messages}) == 6 * 40)
        assert first.wait(20) == 0

    lanes: dict[tuple[str, str], list[Message]] = {}
    for each in receiver.messages:
        lanes.setdefault((each.path, each.payload["data"]["modelVersion"]), []).append(each)
    assert len(lanes) == 12
    for found in lanes.values():
        assert [each.sequence for each in found] == sorted({each.sequence for each in found})
        assert all(a.answered <= b.begun for a, b in pairwise(found))


def test_a_database_that_goes_away_is_waited_for(
    environment: Environment,
    receiver: Receiver,
    hook: str,
    tell: Callable[..., None],
    tmp_path: Path,
    neo4j_server: Server,
    run: Run[Any],
    service: Service,
) -> None:
    assert hook
    port = urlsplit(neo4j_server.uri).port
    assert port is not None
    with proxied(port) as proxy:
        environment["CONSENTLINE_NEO4J_URI"] = f"bolt://127.0.0.1:{proxy.port}"
        environment["CONSENTLINE_TRANSACTION_TIMEOUT_SECONDS"] = "2"
        with working(environment, tmp_path / "worker.log"):
            tell("m:1")
            until(lambda: len(receiver.messages) == 1)
            proxy.cut()
            tell("m:1", "m:2")
            time.sleep(3)
            assert len(set(receiver.ids())) == 1
            proxy.mend()
            until(lambda: delivered(run, service) == 3)

    assert len(set(receiver.ids())) == 3
