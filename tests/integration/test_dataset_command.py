"""`consentline dataset build|diff|export` as processes of their own."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from consentline.domain.datasets import Coverage, VersionRef, manifest_digest
from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases import builds
from consentline.usecases.builds import BuildVersion
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run
from tests.integration.arrange import erase, file, policy, post, publish, record, register, user, withdraw_version

COMMAND = str(Path(sys.executable).with_name("consentline"))
Start = Callable[..., "subprocess.Popen[bytes]"]
Call = Callable[..., tuple[int, str, str]]

NO_CODE = "is not an upper-case code: A to Z, 0 to 9 and _, at most 64 characters"
NO_JURISDICTION = "is not a code of ISO 3166-1 (GB) or 3166-2 (GB-SCT); the United Kingdom is GB"
KEYS = sorted(["p1", "p2", 'quo"te', "ünï", "\U0001f600"])


@pytest.fixture
def start(service: Service, neo4j_server: Server, settings: Settings, tmp_path: Path) -> Start:
    """Start the command on the test server's empty graph, in a folder of its own."""
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
    }

    def begin(*arguments: str, **more: Any) -> "subprocess.Popen[bytes]":
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen([COMMAND, "dataset", *arguments], cwd=tmp_path, env=environment, **pipes | more)

    return begin


@pytest.fixture
def call(start: Start) -> Call:
    def finish(*arguments: str) -> tuple[int, str, str]:
        process = start(*arguments)
        out, err = process.communicate(timeout=180)
        return process.returncode, out.decode(), err.decode()

    return finish


def arrange(run: Run[Any], service: Service, keys: Sequence[str] = KEYS) -> None:
    """Posts of ana that may be used, and one of ben, who objects."""
    run(record(service, policy(notice_required=False, assessment="dpia-1"), user("ana"), user("ben")))
    run(record(service, *map(post, keys), post("ben's", "ben", platform="THREADS")))
    run(file(service, user="ben"))


# ---- build ----------------------------------------------------------------------------------------------------------


def test_build_seals_the_next_version_and_tells_what_was_left_out(run: Run[Any], service: Service, call: Call) -> None:
    arrange(run, service)
    status, out, err = call("build", "d", "--title", "The data")

    assert (status, err) == (0, "")
    assert out.splitlines() == [
        f"d:1 is SEALED with 5 posts, {manifest_digest(KEYS)}",
        "left out, by reason:",
        "  OBJECTION_PENDING                         1",
    ]
    assert run(service.lineage()).titles == {"d": "The data"}


def test_build_takes_a_selection(run: Run[Any], service: Service, call: Call) -> None:
    arrange(run, service)
    chosen = [
        "--jurisdiction",
        "GB",
        "--jurisdiction",
        "IE",
        "--platform",
        "FACEBOOK",
        "--from",
        "2024-01-01T00:00:00Z",
    ]
    more = ["--before", "2024-01-02T00:00:00+02:00", "--as-of", "2026-11-01T00:00:00Z", "--purpose", "AI_TRAINING"]
    status, out, _ = call("build", "d", *chosen, *more)
    build = run(service.lineage()).versions[VersionRef("d", 1)].build

    assert (status, len(out.splitlines())) == (0, 1)
    assert str(build) == (
        "built for AI_TRAINING, of GB, IE, on FACEBOOK, from 2024-01-01T00:00:00+00:00,"
        " before 2024-01-01T22:00:00+00:00, as of 2026-11-01T00:00:00+00:00"
    )


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["d", "--from", "2024-01-01"], "error [TIME_WITHOUT_OFFSET]: --from has no offset: write 2024-01-01Z for UTC"),
        (["d", "--as-of", "soon"], "error [INVALID_TIME]: --as-of is a time such as 2025-01-01T00:00:00Z"),
        (["d", "--platform", "facebook"], f"error [INVALID_VALUE]: --platform {NO_CODE}"),
        (["d", "--jurisdiction", "UK"], f"error [INVALID_JURISDICTION]: --jurisdiction {NO_JURISDICTION}"),
        (["d", "--purpose", "ai_training"], f"error [INVALID_VALUE]: --purpose {NO_CODE}"),
        (["", "--purpose", "x"], "error [KEY_EMPTY]: DATASET is empty"),
        (["d", "--as-of", "2999-01-01T00:00:00Z"], "error [AS_OF_IN_FUTURE]: asOf lies in the future"),
    ],
    ids=["no offset", "no time", "no platform", "no jurisdiction", "no purpose", "no dataset", "the future"],
)
def test_build_refuses_what_it_cannot_read(call: Call, arguments: list[str], told: str) -> None:
    assert call("build", *arguments) == (1, "", f"{told}\n")


def test_build_refuses_while_another_build_is_at_work(run: Run[Any], service: Service, call: Call) -> None:
    run(builds._open(service, BuildVersion("d")))
    status, out, err = call("build", "d")

    assert (status, out) == (1, "")
    assert err.startswith("error [BUILD_RUNNING]: d:1 is being built")


def _read(terminal: int) -> bytes:
    """What was written to a terminal; nothing once its other end is closed."""
    try:
        return os.read(terminal, 65_536)
    except OSError:
        return b""


def taken_by(process: "subprocess.Popen[bytes]", run: Run[Any], service: Service) -> int:
    """How many posts a build had taken when it was first seen to have taken some."""
    deadline = time.monotonic() + 120
    taken = 0
    while not taken and process.poll() is None and time.monotonic() < deadline:
        progress = run(builds.find_progress(service, VersionRef("d", 1)))
        taken = 0 if progress is None else progress.taken
    return taken


LEASE_ENDED = "MATCH (v:DatasetVersion {dataset: 'd', number: 1}) SET v.build_lease_until = 0"
"""What half a minute without the build that was killed does."""


def test_a_build_that_is_killed_is_finished_by_the_same_command(
    run: Run[Any], service: Service, start: Start, call: Call
) -> None:
    keys = [f"p{number:05}" for number in range(6000)]
    arrange(run, service, keys)
    process = start("build", "d")
    taken = taken_by(process, run, service)
    process.kill()
    process.communicate(timeout=60)

    assert (process.returncode, 0 < taken < 6000) == (-signal.SIGKILL, True)
    assert "error [BUILD_RUNNING]: d:1 is being built" in call("build", "d")[2]
    run(service.graph.write(lambda tx: tx.rows(LEASE_ENDED)))
    status, out, _ = call("build", "d")
    assert (status, out.splitlines()[0]) == (0, f"d:1 is SEALED with 6,000 posts, {manifest_digest(keys)}")


def test_a_build_that_is_stopped_gives_its_version_back(
    run: Run[Any], service: Service, start: Start, call: Call
) -> None:
    keys = [f"p{number:05}" for number in range(6000)]
    arrange(run, service, keys)
    terminal, err = pty.openpty()
    process = start("build", "d", stderr=err)
    os.close(err)
    shown: list[bytes] = []
    reading = threading.Thread(target=lambda: shown.extend(iter(lambda: _read(terminal), b"")))
    reading.start()
    taken = taken_by(process, run, service)
    process.terminate()
    process.communicate(timeout=60)
    reading.join(60)
    os.close(terminal)

    assert (process.returncode, 0 < taken < 6000) == (130, True)
    assert b"building d" in b"".join(shown)
    status, out, _ = call("build", "d")
    assert (status, out.splitlines()[0]) == (0, f"d:1 is SEALED with 6,000 posts, {manifest_digest(keys)}")


# ---- diff -----------------------------------------------------------------------------------------------------------


def test_diff_counts_and_lists(run: Run[Any], service: Service, call: Call) -> None:
    run(publish(service, "d", "a", "b", "c"))
    run(publish(service, "d", "b", "c", 'd"'))

    assert call("diff", "d", "1", "2") == (0, "d:1 -> d:2: 1 added, 1 removed\n", "")
    status, out, err = call("diff", "d", "2", "1", "--keys")
    assert (status, err) == (0, "d:2 -> d:1: 1 added, 1 removed\n")
    assert [json.loads(line) for line in out.splitlines()] == [
        {"change": "added", "post": "a"},
        {"change": "removed", "post": 'd"'},
    ]
    assert call("diff", "d", "1", "9") == (1, "", "error [VERSION_NOT_FOUND]: dataset version d:9 is not recorded\n")


def test_diff_lists_more_than_a_page(run: Run[Any], service: Service, call: Call) -> None:
    keys = [f"p{number:05}" for number in range(10_001)]
    run(publish(service, "d"))
    run(publish(service, "d", *keys))

    status, out, err = call("diff", "d", "1", "2", "--keys")

    assert (status, err) == (0, "d:1 -> d:2: 10,001 added, 0 removed\n")
    assert [json.loads(line)["post"] for line in out.splitlines()] == keys


# ---- export ---------------------------------------------------------------------------------------------------------


def lines(data: bytes) -> list[str]:
    return [json.loads(line)["post"] for line in data.decode().splitlines()]


def test_export_writes_the_sorted_keys(run: Run[Any], service: Service, call: Call, tmp_path: Path) -> None:
    arrange(run, service)
    call("build", "d")
    told = f"d:1: 5 posts, {manifest_digest(KEYS)}\n"

    status, out, err = call("export", "d", "1")
    assert (status, lines(out.encode()), err) == (0, KEYS, told)
    assert call("export", "d", "1", "-o", "keys.ndjson") == (0, told, "")
    assert call("export", "d", "1", "--output", "keys.parquet") == (0, told, "")
    assert call("export", "d", "1", "--format", "parquet", "-o", "other") == (0, told, "")
    assert lines((tmp_path / "keys.ndjson").read_bytes()) == KEYS
    for name in ("keys.parquet", "other"):
        table = parquet.read_table(tmp_path / name)
        assert (table.column_names, table["post"].to_pylist()) == (["post"], KEYS)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys.ndjson", "keys.parquet", "other"]


def test_an_earlier_version_is_exported_as_it_was(run: Run[Any], service: Service, call: Call) -> None:
    arrange(run, service)
    run(publish(service, "d", "p1", "p2"))
    run(publish(service, "d", "p2"))

    assert lines(call("export", "d", "1")[1].encode()) == ["p1", "p2"]
    assert lines(call("export", "d", "2")[1].encode()) == ["p2"]


def test_an_export_by_shard_tells_where_members_lie(
    run: Run[Any], service: Service, call: Call, tmp_path: Path
) -> None:
    people = [f"user{number}" for number in range(12)]
    small = replace(service, shard_size=4)
    run(record(small, *(post(f"{person}:{number}", person) for person in people for number in range(3))))
    run(publish(small, "d", *(f"{person}:{number}" for person in people for number in range(3))))
    run(publish(small, "d", *(f"{person}:0" for person in people)))

    status, _, err = call("export", "d", "2", "--by-shard", "--allow-ineligible", "-o", "shards.ndjson")

    assert (status, err) == (0, "")
    found = [json.loads(line) for line in (tmp_path / "shards.ndjson").read_text().splitlines()]
    assert [each["shard"] for each in found] == sorted({each["shard"] for each in found})
    assert len(found) > 1
    assert sorted(key for each in found for key in each["posts"]) == sorted(f"{person}:0" for person in people)
    for each in found:
        assert each.keys() == {"shard", "position", "posts"}
        assert each["posts"] == sorted(each["posts"])
        _, bits, prefix, _ = each["shard"].split("/")
        assert int(each["position"], 16) == int(prefix, 16) << (64 - int(bits))
    told = "error [INVALID_INPUT]: an export by Shard is NDJSON\n"
    assert call("export", "d", "2", "--by-shard", "--format", "parquet", "-o", "x") == (1, "", told)
    assert call("export", "d", "2", "--by-shard")[0] == 1
    run(service.graph.write(lambda tx: tx.rows("MATCH (:Post {key: 'user1:0'})-[m:IN_SHARD]->() DELETE m")))
    status, _, err = call("export", "d", "2", "--by-shard", "--allow-ineligible", "-o", "changed")
    assert (status, (tmp_path / "changed").exists()) == (1, False)
    assert err.startswith(
        "error [MANIFEST_DIFFERS]: the 11 members of d:2 are not those of its seal (12 posts, sha256:"
    )


def test_export_refuses_what_may_not_be_trained_on(run: Run[Any], service: Service, call: Call, tmp_path: Path) -> None:
    arrange(run, service)
    run(publish(service, "d", "p1", "p2", "ben's"))
    run(register(service, "open"))
    run(register(service, "blind", Coverage.UNDOCUMENTED))
    run(publish(service, "gone", "p1"))
    run(withdraw_version(service, "gone:1"))
    refusals = {
        ("d", "2"): "error [VERSION_NOT_FOUND]: dataset version d:2 is not recorded\n",
        ("open", "1"): "error [VERSION_NOT_SEALED]: open:1 is BUILDING; only a SEALED version is exported\n",
        ("gone", "1"): "error [VERSION_NOT_SEALED]: gone:1 is WITHDRAWN; only a SEALED version is exported\n",
        ("blind", "1"): "error [VERSION_NOT_COMPLETE]: blind:1 has no manifest of members\n",
        ("d", "1"): "error [INELIGIBLE_MEMBERS]: 1 of the 3 members of d:1 may not be used for AI_TRAINING now;"
        " build the next version, or hand them out all the same (--allow-ineligible)\n",
        ("d", "1", "--format", "parquet"): "error [OUTPUT_REQUIRED]: Parquet goes to a file: name it with --output\n",
    }
    for arguments, told in refusals.items():
        assert call("export", *arguments) == (1, "", told)
    status, out, err = call("export", "d", "1", "-o", "no/such/folder")
    assert (status, out) == (1, "")
    assert err.startswith("error [FILE_UNWRITABLE]: no/such/folder cannot be written: ")

    assert call("export", "d", "1", "-o", "keys")[0] == 1
    assert list(tmp_path.iterdir()) == []
    status, out, _ = call("export", "d", "1", "--allow-ineligible")
    assert (status, lines(out.encode())) == (0, ["ben's", "p1", "p2"])


def test_export_notices_members_that_were_changed_behind_the_seal(
    run: Run[Any], service: Service, call: Call, tmp_path: Path
) -> None:
    arrange(run, service)
    run(publish(service, "d", "p1", "p2"))
    (tmp_path / "keys").write_text("of before")
    run(service.graph.write(lambda tx: tx.rows("MATCH (:Post {key: 'p1'})-[m:IN_SHARD]->() DELETE m")))
    status, out, err = call("export", "d", "1", "-o", "keys")

    assert (status, out) == (1, "")
    assert err.startswith("error [MANIFEST_DIFFERS]: the 1 members of d:1 are not those of its seal (2 posts, sha256:")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("keys", "of before")]


def test_export_leaves_out_what_was_erased_and_says_so(run: Run[Any], service: Service, call: Call) -> None:
    arrange(run, service)
    run(publish(service, "d", "p1", "p2", "ben's"))
    run(erase(service, "e", "ben"))
    run(publish(service, "later", "p1", "ben's"))

    for dataset, kept in (("d", ["p1", "p2"]), ("later", ["p1"])):
        assert call("export", dataset, "1")[2].startswith("error [INELIGIBLE_MEMBERS]: 1 of the")
        status, out, err = call("export", dataset, "1", "--allow-ineligible")
        assert (status, lines(out.encode())) == (0, kept)
        assert err == f"{dataset}:1: {len(kept)} posts; 1 that were erased are left out\n"
    run(service.graph.write(lambda tx: tx.rows("MATCH (:Post {key: 'p1'})-[m:IN_SHARD]->() DELETE m")))
    assert "error [MANIFEST_DIFFERS]: the 2 members" in call("export", "d", "1", "--allow-ineligible")[2]


def test_a_reader_that_has_enough_ends_an_export_quietly(run: Run[Any], service: Service, start: Start) -> None:
    keys = [f"p{number:0100}" for number in range(3_000)]
    run(publish(service, "d", *keys))
    with start("export", "d", "1", "--allow-ineligible") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        first = process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()

    assert json.loads(first) == {"post": keys[0]}
    assert "Traceback" not in err
