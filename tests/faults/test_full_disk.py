"""A full disk, for everything that a command writes beside the database: it says so, and leaves nothing half-written.

`/dev/full` has no space left, and RLIMIT_FSIZE makes the kernel refuse what goes beyond it: both to real processes.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentline.domain.audit import AuditFilter
from consentline.domain.paging import PageRequest
from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases import audit
from consentline.usecases.doctor import examine
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run
from tests.integration.arrange import policy, post, publish, record, user
from tests.integration.snapshots import snapshot

Command = Callable[..., "subprocess.CompletedProcess[str]"]

KEYS = [f"p{number:05}" for number in range(3000)]
COMMAND = ("-m", "consentline")
_SPOOLING = """
from consentline.member_files import SortedKeys
SortedKeys.__init__.__defaults__ = (1000,)
from consentline.cli import main
main()
"""
SPOOLING = ("-c", _SPOOLING)
"""The command, with so few keys in memory that it sorts the others in temporary files."""


@pytest.fixture
def command(service: Service, run: Run[Any], neo4j_server: Server, settings: Settings, tmp_path: Path) -> Command:
    """Run `consentline` on 3,000 members and 400 people to be served, in a folder of its own."""
    people = [user(f"u{number:03}") for number in range(400)]
    run(record(service, policy(assessment="dpia"), user("ana"), *people, *map(post, KEYS)))
    run(publish(service, "d", *KEYS))
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "TMPDIR": str(tmp_path),
    }

    def call(
        *arguments: str, most: int | None = None, how: tuple[str, ...] = COMMAND, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        def limit() -> None:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            if most is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

        given: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "timeout": 180}
        line = [sys.executable, *how, *arguments]
        return subprocess.run(line, cwd=tmp_path, env=environment, preexec_fn=limit, check=False, **given | more)

    return call


EXPORTS = {
    "the members of a version": (("dataset", "export", "d", "1", "--allow-ineligible"), "exportDataset"),
    "a campaign": (("notices", "export", "gb", "1"), "exportCampaign"),
    "a report": (("report", "compliance", "--from", "2026-01-01", "--to", "2026-02-01"), None),
}


@pytest.mark.parametrize(("arguments", "operation"), EXPORTS.values(), ids=list(EXPORTS))
def test_a_file_that_a_full_disk_does_not_take_is_not_there(
    command: Command, tmp_path: Path, arguments: tuple[str, ...], operation: str | None, service: Service, run: Run[Any]
) -> None:
    (tmp_path / "out.json.part").symlink_to("/dev/full")

    full = command(*arguments, "-o", "out.json")

    assert (full.returncode, full.stdout) == (1, "")
    assert full.stderr == "error [FILE_UNWRITABLE]: out.json cannot be written: No space left on device\n"
    assert list(tmp_path.iterdir()) == []
    limited = command(*arguments, "-o", "out.json", most=100)
    assert limited.stderr == "error [FILE_UNWRITABLE]: out.json cannot be written: File too large\n"
    assert list(tmp_path.iterdir()) == []
    if operation is not None:
        entries = run(audit.list_entries(service, AuditFilter(operation=operation), PageRequest(10))).items
        assert {each.outcome for each in entries} <= {"STARTED", "READ", "FILE_UNWRITABLE"}
    assert command(*arguments, "-o", "out.json").returncode == 0
    assert (tmp_path / "out.json").stat().st_size > 100


def test_standard_output_that_leads_to_a_full_disk_says_so(command: Command) -> None:
    with Path("/dev/full").open("wb") as full:
        for arguments in (EXPORTS["the members of a version"][0], EXPORTS["a campaign"][0]):
            done = command(*arguments, stdout=full)

            assert done.returncode == 1
            assert done.stderr == (
                "error [FILE_UNWRITABLE]: standard output cannot be written: No space left on device\n"
            )


def test_members_that_find_no_room_for_sorting_are_not_exported(command: Command, tmp_path: Path) -> None:
    arguments = EXPORTS["the members of a version"][0]

    done = command(*arguments, most=4000, how=SPOOLING)

    assert (done.returncode, done.stdout) == (1, "")
    message = f"error [FILE_UNWRITABLE]: a temporary file in {tmp_path} cannot be written: File too large\n"
    assert done.stderr == message
    assert list(tmp_path.iterdir()) == []
    sorted_in_files = command(*arguments, how=SPOOLING)
    assert sorted_in_files.returncode == 0
    assert [json.loads(line)["post"] for line in sorted_in_files.stdout.splitlines()] == KEYS


def test_a_load_whose_rejects_find_no_room_stops_and_a_second_one_finishes_it(
    command: Command, tmp_path: Path, service: Service, run: Run[Any]
) -> None:
    good = [json.dumps(user(f"late{number:04}")) for number in range(2000)]
    lines = [each for line in good for each in (line, '{"kind": "nonsense"}')]
    (tmp_path / "records.ndjson").write_text("\n".join(lines) + "\n")

    stopped = command("ingest", "records.ndjson", most=200)

    rejects = next(iter({each.name for each in tmp_path.iterdir()} - {"records.ndjson"}), None)
    assert (stopped.returncode, rejects) == (1, None)
    assert stopped.stderr.startswith("error [FILE_UNWRITABLE]: records.ndjson.")
    assert stopped.stderr.endswith(" cannot be written: File too large\n")
    done = command("ingest", "records.ndjson")
    assert "2,000 rejected" in done.stdout
    nodes = run(snapshot(service)).nodes
    assert sum(count for node, count in nodes.items() if node.label == "User" and "late" in str(node)) == 2000
    assert run(examine(service)) == []
