"""`consentline ingest` as a process of its own: files in every form, rejects, statuses, memory, two at once."""

import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, LiteralString

import pytest

from consentline.embedded import Server
from consentline.generation import generate_records
from consentline.graph.session import Tx
from consentline.settings import Settings
from consentline.usecases.service import Service
from tests.conftest import Run

COMMAND = str(Path(sys.executable).with_name("consentline"))
Start = Callable[[Sequence[str]], "subprocess.Popen[bytes]"]


@pytest.fixture
def start(service: Service, neo4j_server: Server, settings: Settings, tmp_path: Path) -> Start:
    """Start the command on the test server's empty graph, in a folder of its own."""
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
    }

    def begin(arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [COMMAND, "ingest", *arguments],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return begin


def finish(process: "subprocess.Popen[bytes]", given: bytes = b"") -> tuple[int, str, str]:
    out, err = process.communicate(given, timeout=120)
    return process.returncode, out.decode(), err.decode()


def post(key: str, author: str = "ann", **more: Any) -> bytes:
    record = {"kind": "post", "key": key, "author": author, "platform": "FACEBOOK", "post_kind": "POST"}
    return json.dumps(record | {"visibility": "PUBLIC", "published_at": "2024-01-01T00:00:00Z"} | more).encode() + b"\n"


COUNT: LiteralString = """
MATCH (p:Post) WITH count(p) AS posts
OPTIONAL MATCH (:Post)-[a:AUTHORED_BY]->() WITH posts, count(a) AS authors
OPTIONAL MATCH ()-[k:KNOWN]->() WITH posts, authors, count(k) AS facts
OPTIONAL MATCH ()-[s:SERVED]->() WITH posts, authors, facts, count(s) AS served
OPTIONAL MATCH ()-[c:CHANGED]->() WITH posts, authors, facts, served, count(c) AS changes
OPTIONAL MATCH ()-[d:DEPICTS]->() WITH posts, authors, facts, served, changes, count(d) AS depicted
RETURN [posts, authors, facts, served, changes, depicted] AS counts
"""


def counts(run: Run[Any], service: Service) -> list[int]:
    async def work(tx: Tx) -> list[int]:
        return (await tx.get(COUNT))["counts"]

    return run(service.graph.read(work))


def test_good_lines_load_and_bad_ones_go_to_a_file_beside(
    run: Run[Any], service: Service, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "a.ndjson").write_bytes(post("p") + b'{"kind":"post","key":"q"}\n' + post("p", "eve") + post("r"))
    status, out, err = finish(start(["a.ndjson"]))
    rejects = [json.loads(line) for line in (tmp_path / "a.ndjson.rejects.ndjson").read_text().splitlines()]

    assert status == 2
    assert "2 accepted, 0 unchanged, 2 rejected" in out
    assert "a.ndjson.rejects.ndjson" in err
    assert [(each["line"], each["code"], each["field"]) for each in rejects] == [
        (2, "MISSING_FIELD", "author"),
        (3, "CONFLICT", "author"),
    ]
    assert rejects[0]["record"] == '{"kind":"post","key":"q"}'
    assert counts(run, service)[:2] == [2, 2]


def test_a_clean_file_leaves_no_file_of_rejects_and_ends_well(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(post("p"))
    (tmp_path / "a.ndjson.rejects.ndjson").write_text("of an earlier run")
    assert finish(start(["a.ndjson"]))[0] == 0
    assert not (tmp_path / "a.ndjson.rejects.ndjson").exists()


def test_standard_input_and_gzip_by_their_first_bytes(start: Start, tmp_path: Path) -> None:
    packed = gzip.compress(post("p")) + gzip.compress(post("q"))
    (tmp_path / "plain.name").write_bytes(packed)
    assert "2 accepted" in finish(start(["plain.name"]))[1]
    assert "1 accepted, 2 unchanged" in finish(start(["-"]), gzip.compress(post("p") + post("q") + post("r")))[1]
    status, out, _ = finish(start(["-"]), post("s") + b"{\n")
    assert (status, "1 accepted, 0 unchanged, 1 rejected" in out) == (2, True)
    assert (tmp_path / "stdin.rejects.ndjson").exists()


def test_a_truncated_gzip_loads_what_is_there_and_says_so(start: Start, tmp_path: Path) -> None:
    packed = gzip.compress(b"".join(post(f"p{number}") for number in range(5000)))
    (tmp_path / "a.gz").write_bytes(packed[: len(packed) // 2])
    status, out, err = finish(start(["a.gz"]))
    assert status == 2
    assert " 0 accepted" not in out
    assert "cannot be read to its end" in err


def test_a_file_cut_off_in_the_middle_is_finished_by_running_it_again(
    run: Run[Any], service: Service, start: Start, tmp_path: Path
) -> None:
    whole = b"".join(generate_records(2000, 3))
    (tmp_path / "a.ndjson").write_bytes(whole[: len(whole) * 2 // 3])
    first, _, _ = finish(start(["a.ndjson"]))
    (tmp_path / "a.ndjson").write_bytes(whole)
    second, out, _ = finish(start(["a.ndjson"]))
    third, again, _ = finish(start(["a.ndjson"]))

    assert (first, second, third) == (2, 0, 0)
    assert " 0 unchanged" not in out
    assert ": 0 accepted" in again
    assert counts(run, service)[:2] == [2000, 2000]


def test_csv_rows_are_records_of_one_kind(run: Run[Any], service: Service, start: Start, tmp_path: Path) -> None:
    with (tmp_path / "a.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["key", "author", "platform", "post_kind", "visibility", "published_at", "depicts"])
        rows.writerow(["p", "ann", "FACEBOOK", "POST", "PUBLIC", "2024-01-01T00:00:00Z", "bob;cid"])
        rows.writerow(["line\nfeed", "ann", "FACEBOOK", "POST", "PUBLIC", "2024-01-01T00:00:00Z", ""])
        rows.writerow(["q", "ann", "FACEBOOK", "POST", "PUBLIC", "2024-01-01", ""])
        rows.writerow(["r", "ann", "FACEBOOK", "POST", "PUBLIC", "2024-01-01T00:00:00Z", '["a;b"]', "more"])
        rows.writerow(["s", "ann", "FACEBOOK", "POST", "PUBLIC", "2024-01-01T00:00:00Z", '["a;b"]'])
    (tmp_path / "users.csv").write_bytes(b"key,jurisdiction,adult_from\nann,GB,null\nbob,,2010-01-01\n\xff,GB,\n")
    status, out, _ = finish(start(["--kind", "post", "a.csv"]))
    rejects = [json.loads(line) for line in (tmp_path / "a.csv.rejects.ndjson").read_text().splitlines()]

    assert status == 2
    assert "2 accepted, 0 unchanged, 3 rejected" in out
    assert [(each["line"], each["code"]) for each in rejects] == [
        (4, "KEY_CONTROL_CHARACTER"),
        (5, "TIME_WITHOUT_OFFSET"),
        (6, "UNKNOWN_FIELD"),
    ]
    assert "2 accepted, 0 unchanged, 1 rejected" in finish(start(["--kind", "user", "users.csv"]))[1]
    assert counts(run, service)[2] == 3
    assert counts(run, service)[5] == 3


def test_a_missing_file_is_named_before_anything_is_read(start: Start, tmp_path: Path) -> None:
    (tmp_path / "a.ndjson").write_bytes(post("p"))
    status, out, err = finish(start(["a.ndjson", "nowhere.ndjson"]))
    assert (status, out) == (1, "")
    assert "FILE_NOT_FOUND" in err
    assert "nowhere.ndjson" in err


def _held(process: "subprocess.Popen[bytes]") -> int:
    """The most memory that the process held so far (Linux), or what it holds now."""
    path = Path(f"/proc/{process.pid}/status")
    if path.exists():
        return int(next(line.split()[1] for line in path.read_text().splitlines() if line.startswith("VmHWM:"))) * 1024
    return (
        int(subprocess.run(["ps", "-o", "rss=", "-p", str(process.pid)], capture_output=True, check=True).stdout) * 1024
    )


def test_a_line_of_200_megabytes_is_refused_with_flat_memory_and_the_rest_goes_on(start: Start) -> None:
    process = start(["-"])
    assert process.stdin is not None
    process.stdin.write(post("p"))
    process.stdin.write(b'{"kind":"user","key":"')
    for _ in range(200):
        process.stdin.write(b"x" * 1_000_000)
    process.stdin.write(b'"}\n')
    process.stdin.flush()
    peak = _held(process)
    status, out, _ = finish(process, post("q"))

    assert status == 2
    assert "2 accepted, 0 unchanged, 1 rejected" in out
    assert peak < 150_000_000


def test_two_processes_that_load_the_same_file_leave_one_graph(
    run: Run[Any], service: Service, start: Start, tmp_path: Path
) -> None:
    (tmp_path / "alone.ndjson").write_bytes(b"".join(generate_records(15_000, 5)))
    both = [start(["alone.ndjson"]), start(["alone.ndjson"])]
    answers = [finish(process) for process in both]
    found = counts(run, service)
    once, out, _ = finish(start(["alone.ndjson"]))

    assert [status for status, _, _ in answers] == [0, 0], answers
    assert (once, ": 0 accepted" in out) == (0, True)
    assert counts(run, service) == found
    assert found[:2] == [15_000, 15_000]


def test_an_interrupt_writes_what_was_read_and_says_what_to_do(
    run: Run[Any], service: Service, start: Start, tmp_path: Path
) -> None:
    process = start(["-"])
    assert process.stdin is not None
    process.stdin.write(post("p") + b'{"kind":"like"}\n' + post("q")[:40])
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not (tmp_path / "stdin.rejects.ndjson").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    status = process.wait(timeout=20)
    _, out, err = finish(process)
    assert status == 130
    assert "1 accepted, 0 unchanged, 1 rejected" in out
    assert counts(run, service)[0] == 1
    assert "run the same command again" in err
    assert "Traceback" not in err
