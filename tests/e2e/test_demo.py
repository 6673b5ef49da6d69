"""`consentline demo` as a person runs it: a process with an embedded Neo4j of its own, ended by Ctrl-C or killed."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from consentline.embedded.home import Neo4jHome
from consentline.embedded.processes import Process, is_running, wait_gone
from tests.conftest import SECRET

FIRST_SECONDS = 300
GONE_SECONDS = 20
FLAGGED = re.compile(r"^  (\S+) \(serves (.+)\): OPEN, due \S+, causes: (\d+), posts: (\d+)$", re.MULTILINE)
LAST_LINE = "Serving until Ctrl-C."


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return taken.getsockname()[1]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A home without anything in it, a free port, and jars from the cache that all homes share."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith(("CONSENTLINE_", "PYTHON"))}
    return mine | {
        "CONSENTLINE_HOME": str(tmp_path_factory.mktemp("demo") / "home"),
        "CONSENTLINE_PORT": str(free_port()),
        "CONSENTLINE_NEO4J_HEAP": "768m",
        "CONSENTLINE_NEO4J_PAGECACHE": "128m",
        "CONSENTLINE_TOKEN_SECRET": SECRET,
    }


def consentline(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "consentline", *arguments]


@dataclass
class Demo:
    """A demo that serves: what it printed, and how long that took."""

    process: subprocess.Popen[str]
    printed: str
    java: Process

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@contextmanager
def demo(environment: dict[str, str], seconds: float) -> Generator[Demo]:
    with subprocess.Popen(
        consentline("demo"), env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        too_late = threading.Timer(seconds, process.kill)
        too_late.start()
        try:
            printed: list[str] = []
            while not printed or printed[-1].strip() != LAST_LINE:
                printed.append(process.stdout.readline())
                assert printed[-1], f"the demo ended: {printed} {process.stderr.read()}"
            too_late.cancel()
            state = Neo4jHome(Path(environment["CONSENTLINE_HOME"])).read_state()
            assert state is not None
            assert state.java is not None
            assert is_running(state.java)
            status = subprocess.run(
                consentline("neo4j", "status"), env=environment, capture_output=True, text=True, timeout=60, check=True
            )
            assert f"pid     {state.java.pid}" in status.stdout
            yield Demo(process, "".join(printed), state.java)
        finally:
            too_late.cancel()
            if process.poll() is None:
                process.kill()


def line_with(printed: str, beginning: str) -> str:
    (line,) = (line for line in printed.splitlines() if line.startswith(beginning))
    return line


def shown_by(demo: Demo, environment: dict[str, str]) -> None:
    """Assert what a person must see, and that it can be used as it is printed."""
    address = f"http://127.0.0.1:{environment['CONSENTLINE_PORT']}/graphql"
    assert line_with(demo.printed, "Address").split() == ["Address", address]
    token = line_with(demo.printed, "Token").split()[1]
    answer = httpx.post(
        address, json={"query": "{ __typename }"}, headers={"authorization": f"Bearer {token}"}, timeout=60
    )
    assert answer.json()["data"] == {"__typename": "Query"}
    assert line_with(demo.printed, "USED").startswith("USED  Used by 5 model versions")
    assert "llama-uk:1  TRAINED_ON, read 2024-12-02T09:00:00Z; could be used then under gb-ai-training v1" in (
        demo.printed
    )
    assert line_with(demo.printed, "objection:demo-1 is PENDING: to be answered by 2026-12-22T23:59:59Z; 6 posts")
    assert line_with(demo.printed, "Retraining flags").endswith(": 5")
    assert set(FLAGGED.findall(demo.printed)) == {
        ("ads-ranker-gb:1", "advertising", "1", "1"),
        ("llama-uk-mini:1", "no feature", "18", "20"),
        ("llama-uk:1", "no feature", "18", "20"),
        ("llama-uk:2", "recommendations", "20", "21"),
        ("moderation-gb:1", "moderation", "18", "20"),
    }


def answer_to_the_printed_curl(demo: Demo) -> dict[str, object]:
    assert shutil.which("curl"), "curl is needed: the demo prints a line for it"
    line = line_with(demo.printed, "curl ")
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


def test_the_demo_shows_what_it_promises_and_leaves_in_order(environment: dict[str, str]) -> None:
    with demo(environment, FIRST_SECONDS) as first:
        assert re.search(r"\(\d{3,} new records;", first.printed)
        shown_by(first, environment)
        answer = answer_to_the_printed_curl(first)
        ended = first.end(signal.SIGINT)

    assert answer["data"]["postUsage"]["verdict"] == "USED"  # pyright: ignore
    assert ended == 0
    assert wait_gone(first.java, GONE_SECONDS)
    state = Neo4jHome(Path(environment["CONSENTLINE_HOME"])).read_state()
    assert state is not None
    assert wait_gone(state.supervisor, GONE_SECONDS)


def test_a_second_demo_reuses_the_data_and_leaves_nothing_even_when_it_is_killed(environment: dict[str, str]) -> None:
    with demo(environment, FIRST_SECONDS) as second:
        assert "(0 new records;" in second.printed
        shown_by(second, environment)
        ended = second.end(signal.SIGKILL)

    assert ended == -signal.SIGKILL
    assert wait_gone(second.java, GONE_SECONDS)
