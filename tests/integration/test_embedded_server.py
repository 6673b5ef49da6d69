"""The embedded Neo4j with real processes: shared, ended when nobody needs it, and found again after any `kill -9`."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from neo4j import Driver, GraphDatabase
from neo4j.exceptions import AuthError, DriverError, Neo4jError
from typer.testing import CliRunner

from consentline import embedded
from consentline.domain.errors import EmbeddedError
from consentline.embedded.commands import neo4j_app
from consentline.embedded.home import Neo4jHome
from consentline.settings import Settings

COMMAND = """
import json, sys
from pathlib import Path
from consentline.embedded import running_server, status
from consentline.settings import Settings
settings = Settings.load()
with running_server(settings) as server:
    found = status(settings)
    print(json.dumps({"uri": server.uri, "port": found.port, "java": found.pid}), flush=True)
    sys.stdin.read()
"""
# How long a server may outlive the last command: the linger time, a turn of the supervisor, a checkpoint.
GONE_SECONDS = 10.0
START_SECONDS = 120.0


@dataclass
class Command:
    """A command that holds a lease; it ends when its standard input does."""

    process: subprocess.Popen[bytes]
    uri: str = ""
    port: int = 0
    java: int = 0

    def await_server(self) -> None:
        assert self.process.stdout is not None
        answer = json.loads(self.process.stdout.readline())
        self.uri, self.port, self.java = answer["uri"], answer["port"], answer["java"]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One home for the module: only its first start makes a database. Whatever runs at the end is stopped."""
    found = make_settings(tmp_path_factory.mktemp("home"))
    yield found
    embedded.stop(found)
    assert servers_of(found) == []


def make_settings(home: Path, **changes: object) -> Settings:
    return Settings.model_validate(
        {"home": home, "neo4j_heap": "512m", "neo4j_pagecache": "64m", "neo4j_linger_seconds": 1.0} | changes
    )


def environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_HEAP": settings.neo4j_heap,
        "CONSENTLINE_NEO4J_PAGECACHE": settings.neo4j_pagecache,
        "CONSENTLINE_NEO4J_LINGER_SECONDS": str(settings.neo4j_linger_seconds),
    }


def start_command(settings: Settings) -> Command:
    return Command(
        subprocess.Popen(
            [sys.executable, "-c", COMMAND],
            env=environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
    )


@contextmanager
def commands(settings: Settings, count: int = 1) -> Generator[list[Command]]:
    """Commands begun at the same moment, each with the server ready."""
    started = [start_command(settings) for _ in range(count)]
    try:
        for command in started:
            command.await_server()
        yield started
    finally:
        for command in started:
            command.process.kill()
            command.process.communicate()


@contextmanager
def connected(settings: Settings, port: int, password: str | None = None) -> Generator[Driver]:
    secret = password or (Neo4jHome(settings.home).read_password() or "")
    with GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=("neo4j", secret)) as driver:
        yield driver


def servers_of(settings: Settings) -> list[int]:
    """The pids of the Java processes that were started from this home, as the system sees them."""
    marker = str(Neo4jHome(settings.home).run / "server.args")
    return [pid for pid, command_line in running_processes() if f"@{marker}" in command_line]


def running_processes() -> Iterator[tuple[int, str]]:
    if sys.platform == "linux":
        # One that ended and was not reaped has an empty command line. procps is not on every machine.
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                yield int(folder.name), (folder / "cmdline").read_text(errors="replace").replace("\0", " ")
    else:
        listed = subprocess.run(["ps", "-axww", "-o", "pid=,args="], capture_output=True, text=True, check=True)
        for line in listed.stdout.splitlines():
            pid, _, command_line = line.strip().partition(" ")
            yield int(pid), command_line


def eventually(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def supervisor_of(settings: Settings) -> int:
    state = Neo4jHome(settings.home).read_state()
    assert state is not None
    return state.supervisor.pid


def answers(settings: Settings, port: int) -> bool:
    try:
        with connected(settings, port) as driver:
            driver.verify_connectivity()
    except (DriverError, Neo4jError):
        return False
    return True


def test_two_starts_at_once_share_one_server_which_kill_9_of_both_ends(settings: Settings):
    with commands(settings, 2) as (first, second):
        assert (first.port, first.java) == (second.port, second.java)
        assert servers_of(settings) == [first.java]

        first.process.kill()
        time.sleep(2.5)
        assert answers(settings, second.port)

        second.process.kill()
        assert eventually(lambda: servers_of(settings) == [], GONE_SECONDS)
    assert eventually(lambda: not is_alive(supervisor_of(settings)), 5)
    assert embedded.status(settings).state == "stopped"


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_the_server_is_on_loopback_and_only_its_own_password_opens_it(settings: Settings):
    with commands(settings) as (command,):
        home = Neo4jHome(settings.home)
        assert command.uri == f"bolt://127.0.0.1:{command.port}"
        assert stat.S_IMODE(home.password_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
        assert not (home.run / "password.args").exists()

        for wrong in ("neo4j", "a wrong password"):
            with pytest.raises(AuthError), connected(settings, command.port, wrong) as driver:
                driver.verify_connectivity()

        assert listening_addresses(command.port) == {"127.0.0.1"}


def listening_addresses(port: int) -> set[str]:
    """Where the port can be reached: loopback, and the machine's own address when it listens on all interfaces."""
    candidates = {"127.0.0.1", socket.gethostbyname(socket.gethostname())}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
        # Nothing is sent: this only asks which address would be used to reach another machine (TEST-NET-1).
        outward.connect(("192.0.2.1", 9))
        candidates.add(outward.getsockname()[0])
    reached: set[str] = set()
    for address in candidates:
        try:
            with socket.create_connection((address, port), timeout=1):
                reached.add(address)
        except OSError:
            continue
    return reached


def test_after_kill_9_of_java_the_supervisor_starts_it_again_where_it_was_and_nothing_is_lost(settings: Settings):
    with commands(settings) as (command,):
        with connected(settings, command.port) as driver:
            driver.execute_query("MERGE (:Kept {key: 'before the kill'})")

        os.kill(command.java, signal.SIGKILL)

        assert eventually(lambda: servers_of(settings) not in ([], [command.java]), 20)
        assert eventually(lambda: answers(settings, command.port), START_SECONDS)
        with connected(settings, command.port) as driver:
            records = driver.execute_query("MATCH (kept:Kept) RETURN kept.key AS key").records
        assert [record["key"] for record in records] == ["before the kill"]
        assert len(servers_of(settings)) == 1


def test_after_kill_9_of_the_supervisor_the_next_start_gives_one_server(settings: Settings):
    with commands(settings) as (orphaned,):
        os.kill(supervisor_of(settings), signal.SIGKILL)

        with commands(settings) as (command,):
            assert servers_of(settings) == [command.java]
            assert command.java != orphaned.java
            # The command that was running finds the database where it was.
            assert command.port == orphaned.port
            assert answers(settings, orphaned.port)


def test_a_first_start_that_was_killed_with_all_its_processes_is_made_good_by_the_next(tmp_path: Path):
    settings = make_settings(tmp_path)
    home = Neo4jHome(tmp_path)
    killed = start_command(settings)
    assert eventually(home.system_database.exists, START_SECONDS)
    state = home.read_state()
    assert state is not None
    assert state.java is not None
    for pid in (state.supervisor.pid, state.java.pid, killed.process.pid):
        os.kill(pid, signal.SIGKILL)
    killed.process.communicate()

    with commands(settings) as (command,):
        assert servers_of(settings) == [command.java]
        with pytest.raises(AuthError), connected(settings, command.port, "neo4j") as driver:
            driver.verify_connectivity()
    assert embedded.stop(settings) or servers_of(settings) == []


def test_start_keeps_the_server_up_until_stop_which_writes_a_checkpoint(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
):
    for name, value in environment(settings).items():
        monkeypatch.setenv(name, value)
    runner = CliRunner()

    started = runner.invoke(neo4j_app, ["start"])
    assert started.exit_code == 0, started.output
    again = runner.invoke(neo4j_app, ["start"])
    assert again.exit_code == 0
    time.sleep(2.5)
    shown = runner.invoke(neo4j_app, ["status"])
    port = embedded.status(settings).port
    assert f"running at bolt://127.0.0.1:{port}, user neo4j" in started.output
    assert str(Neo4jHome(settings.home).password_file) in started.output
    assert shown.exit_code == 0
    assert shown.output.splitlines()[0] == "running"
    assert f"port    {port}" in shown.output
    assert f"pid     {servers_of(settings)[0]}" in shown.output
    assert "kept up until" in shown.output

    began = time.monotonic()
    stopped = runner.invoke(neo4j_app, ["stop"])
    took = time.monotonic() - began

    assert (stopped.exit_code, stopped.output) == (0, "stopped\n")
    assert took < 10
    assert servers_of(settings) == []
    log = Neo4jHome(settings.home).debug_log.read_text()
    assert 'Checkpoint triggered by \\"Database shutdown' in log[-40_000:]
    assert runner.invoke(neo4j_app, ["stop"]).output == "not running\n"
    after = runner.invoke(neo4j_app, ["status"])
    assert after.exit_code == 3
    assert after.output.startswith("stopped\n")


def test_a_port_that_another_process_has_is_named_before_anything_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        settings = make_settings(tmp_path, neo4j_port=port)

        with pytest.raises(EmbeddedError, match=f"Port {port} .*CONSENTLINE_NEO4J_PORT") as raised:
            embedded.start(settings)

        assert raised.value.code == "EMBEDDED_PORT_TAKEN"
        monkeypatch.setenv("CONSENTLINE_HOME", str(tmp_path))
        monkeypatch.setenv("CONSENTLINE_NEO4J_PORT", str(port))
        shown = CliRunner().invoke(neo4j_app, ["start"])
        assert shown.exit_code == 1
        assert "EMBEDDED_PORT_TAKEN" in shown.output
    assert embedded.status(settings).state == "stopped"


def test_no_network_at_the_first_fetch_is_an_error_and_nothing_is_left_running(tmp_path: Path):
    settings = make_settings(tmp_path, cache=tmp_path / "cache", maven_url="http://127.0.0.1:9/maven")

    with pytest.raises(EmbeddedError, match="cannot be reached") as raised, embedded.running_server(settings):
        pass

    assert raised.value.code == "EMBEDDED_FETCH_FAILED"
    assert embedded.status(settings).state == "stopped"


def test_what_keeps_the_server_from_starting_reaches_the_command(settings: Settings, tmp_path: Path):
    # No Java runs with so little: the process ends before it answers.
    starved = make_settings(tmp_path, neo4j_heap="3m")

    with pytest.raises(EmbeddedError, match=r"console\.log") as raised, embedded.running_server(starved):
        pass

    assert raised.value.code == "EMBEDDED_START_FAILED"
    assert embedded.status(starved).state == "failed"
    assert servers_of(starved) == []
