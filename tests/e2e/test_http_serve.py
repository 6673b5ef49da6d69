"""The command line as a person uses it: a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from consentline import __version__
from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def environment(settings: Settings, neo4j_server: Server, tmp_path: Path) -> dict[str, str]:
    """The test server by its address, and a home without anything in it."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
    return mine | {
        "CONSENTLINE_HOME": str(tmp_path / "home"),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_TOKEN_SECRET": SECRET,
    }


def command_line(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "consentline", *arguments]


@pytest.fixture
def consentline(environment: dict[str, str]) -> Command:
    def run_command(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command_line(*arguments), env=environment | more, capture_output=True, text=True, timeout=120, check=False
        )

    return run_command


@pytest.fixture
def served(environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`consentline serve` on a free port, and its address."""
    process = subprocess.Popen(
        command_line("serve", "--port", "0"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    try:
        yield process, line.split()[1].removesuffix("/graphql")
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(30)
        process.stdout.close()


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal_and_leaves_in_order(
    served: tuple[subprocess.Popen[str], str], consentline: Command, ending: signal.Signals
) -> None:
    process, url = served
    token = consentline("token", "--role", "admin", "--expires", "2h").stdout
    assert token.count("\n") == 1

    assert httpx.get(f"{url}/readyz", timeout=30).json() == {"status": "ready"}
    headers = {"Authorization": f"Bearer {token.strip()}"}
    answer = httpx.post(f"{url}/graphql", json={"query": "{ __typename }"}, headers=headers, timeout=30)
    assert answer.json()["data"] == {"__typename": "Query"}
    process.send_signal(ending)

    assert process.wait(20) == 0


def test_a_request_under_way_is_finished_before_the_end(
    served: tuple[subprocess.Popen[str], str], consentline: Command
) -> None:
    process, url = served
    token = consentline("token", "--role", "service").stdout.strip()

    def slowly() -> Iterator[bytes]:
        yield b'{"kind": "user", "key": "u1"}\n'
        process.send_signal(signal.SIGTERM)
        time.sleep(1)
        yield b'{"kind": "user", "key": "u2"}\n'

    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"}
    answer = httpx.post(f"{url}/ingest", content=slowly(), headers=headers, timeout=30)

    assert answer.json()["rejected"] == 0
    assert answer.json()["accepted"] + answer.json()["unchanged"] == 2
    assert process.wait(20) == 0


def test_several_workers_serve_and_leave_in_order(environment: dict[str, str], consentline: Command) -> None:
    command = command_line("serve", "--port", "0", "--workers", "2")
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().split()[1].removesuffix("/graphql")
            token = consentline("token", "--role", "admin").stdout.strip()
            body, headers = {"query": "{ __typename }"}, {"Authorization": f"Bearer {token}"}
            answers = [httpx.post(f"{url}/graphql", json=body, headers=headers, timeout=30) for _ in range(20)]
            process.send_signal(signal.SIGTERM)
            status = process.wait(30)
        finally:
            if process.poll() is None:
                process.kill()

    assert {answer.status_code for answer in answers} == {200}
    assert status == 0


def test_a_taken_port_is_told_in_one_line(consentline: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = consentline("serve", "--port", str(taken.getsockname()[1]))

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("error [PORT_TAKEN]: cannot listen on 127.0.0.1:")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("CONSENTLINE_NEO4J_URI", "http://example"),
        ("CONSENTLINE_TOKEN_SECRET", "short"),
        ("CONSENTLINE_PORT", "many"),
        ("CONSENTLINE_MAX_BODY_BYTES", "0"),
    ],
)
def test_a_wrong_setting_is_named_and_its_value_is_not_repeated(
    consentline: Command, variable: str, value: str
) -> None:
    done = consentline("token", "--role", "ml", **{variable: value})

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error [SETTINGS]: {variable}: ")


def test_a_server_without_a_password_is_told(consentline: Command, environment: dict[str, str]) -> None:
    del environment["CONSENTLINE_NEO4J_PASSWORD"]

    done = consentline("migrate")

    assert done.returncode == 1
    assert done.stderr.startswith("error [SETTINGS]: CONSENTLINE_NEO4J_PASSWORD: ")


def test_a_database_that_cannot_be_reached_is_told(consentline: Command) -> None:
    done = consentline(
        "migrate", CONSENTLINE_NEO4J_URI="bolt://127.0.0.1:1", CONSENTLINE_TRANSACTION_TIMEOUT_SECONDS="1"
    )

    assert (done.returncode, done.stderr) == (1, "error [DATABASE_UNAVAILABLE]: the database cannot be reached\n")


def test_migrating_names_what_is_applied(consentline: Command) -> None:
    done = consentline("migrate")

    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == "0001_keys_and_indexes.cypher"


def test_a_graph_of_a_newer_version_is_told_in_one_line(consentline: Command, run: Run[None], service: Service) -> None:
    run(service.graph.run_schema("CREATE (:Migration {name: '9999_future.cypher', digest: 'x'})"))
    try:
        done = consentline("serve", "--port", "0")
    finally:
        run(service.graph.run_schema("MATCH (m:Migration {name: '9999_future.cypher'}) DELETE m"))

    assert done.returncode == 1
    assert done.stderr.startswith("error [MIGRATION_MISSING]: the graph records migration 9999_future.cypher")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("expires", ["0h", "2", "h", "-1h", "1y", "367d", "1.5h", ""])
def test_a_lifetime_that_is_none_is_refused(consentline: Command, expires: str) -> None:
    done = consentline("token", "--role", "ml", "--expires", expires)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error [INVALID_INPUT]: --expires is a duration")


def test_the_schema_is_exported_and_checked(consentline: Command, tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    printed = consentline("export-schema").stdout

    assert consentline("export-schema", "--output", str(file)).returncode == 0
    assert file.read_text(encoding="utf-8") == printed
    assert consentline("export-schema", "--check", str(file)).returncode == 0
    file.write_text("# changed", encoding="utf-8")
    drifted = consentline("export-schema", "--check", str(file))
    assert drifted.returncode == 1
    assert drifted.stderr.startswith("error [SCHEMA_DRIFT]: ")


def test_records_are_generated_as_a_stream_that_may_be_left(environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {sys.executable} -m consentline generate --posts 100000 | head -n 5"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.stdout.count("\n") == 5
    assert done.stderr == ""


def test_the_version(consentline: Command) -> None:
    assert consentline("--version").stdout == f"consentline {__version__}\n"


@pytest.mark.parametrize(
    "command", ["serve", "worker", "token", "export-schema", "migrate", "ingest", "generate", "demo", "neo4j"]
)
def test_every_command_explains_itself(consentline: Command, command: str) -> None:
    done = consentline(command, "--help")

    assert done.returncode == 0
    assert "Usage: " in done.stdout
