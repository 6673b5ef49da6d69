"""`consentline backfill`: the graph that `ingest` makes, node for node, and only into an empty database."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, LiteralString

import pytest

from consentline import embedded
from consentline.connection import connected
from consentline.embedded.home import Neo4jHome
from consentline.generation import generate_records
from consentline.graph.session import Tx
from consentline.settings import Settings
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run
from tests.integration.test_ingest_command import Start, finish, start

__all__ = ["start"]

COMMAND = str(Path(sys.executable).with_name("consentline"))
POSTS = 100_000


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home that no other test uses; its server ends with the module."""
    found = Settings(home=tmp_path_factory.mktemp("backfill"), neo4j_uri=None, neo4j_heap="512m", neo4j_pagecache="64m")
    yield found
    embedded.stop(found)


@pytest.fixture(autouse=True)
def one_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both loads make the same digests."""
    monkeypatch.setenv("CONSENTLINE_PSEUDONYM_SECRET", SECRET)


def environment(home: Settings, **changes: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_NEO4J")}
    memory = {"CONSENTLINE_NEO4J_HEAP": home.neo4j_heap, "CONSENTLINE_NEO4J_PAGECACHE": home.neo4j_pagecache}
    return inherited | {"CONSENTLINE_HOME": str(home.home), "CONSENTLINE_CACHE": str(home.cache)} | memory | changes


def backfill(home: Settings, *arguments: str, **changes: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [COMMAND, "backfill", *arguments],
        env=environment(home, **changes),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr


def line(kind: str, **fields: Any) -> bytes:
    return json.dumps({"kind": kind} | fields).encode() + b"\n"


def post(key: str, author: str, **more: Any) -> bytes:
    said = {"platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC", "published_at": "2024-01-01T00:00:00Z"}
    return line("post", key=key, author=author, **(said | more))


EARLY = [
    post("p1", "ann", depicts=["bob", "bob", "cy"]),
    post('a "quoted", key', 'd\'arcy, "esq"', special_category=True),
    post("päst\\n", "ünal", depicts=[]),
    line("visibility", post="p1", visibility="FRIENDS", valid_from="2024-02-01T00:00:00Z"),
    line("visibility", post="unseen", visibility="PRIVATE", valid_from="2024-02-01T00:00:00+02:00"),
    line("post_deleted", post="unseen", valid_from="2024-03-01T00:00:00Z"),
    line("user", key="ann", jurisdiction="GB", adult_from="1999-01-01"),
    line("user", key="ann", jurisdiction=None, valid_from="2024-05-01T00:00:00Z"),
    line("user", key="eve", jurisdiction="GB"),
    line("user", key="nobody said anything of"),
    line("consent", user="eve", purpose="AI_TRAINING", status="GIVEN", valid_from="2024-01-01T00:00:00Z"),
    line("notice_served", user="ann", notice="n", version=2, served_at="2024-04-01T00:00:00Z"),
    line("objection", key="o1", user="ann", received_at="2024-05-01T00:00:00Z", purposes=["AI_TRAINING"]),
]
LATE = [
    *EARLY[:4],
    EARLY[6],
    post("p1", "bob"),
    post("p1", "ann", depicts=["cy"], special_category=True, content_digest="sha256:" + "a" * 64),
    line("user", key="eve", jurisdiction="IE", adult_from="2000-01-01"),
    line("user", key="eve", adult_from="2001-01-01"),
    line("user", key="fay", jurisdiction="IE"),
    line("post_author", post="p1", author="fay", reason="an appeal"),
    line("notice", key="n", version=2, purpose="AI_TRAINING", channel="IN_APP", published_at="2024-03-01T00:00:00Z"),
    line(
        "notice_served",
        user="ann",
        notice="n",
        version=2,
        served_at="2024-04-01T00:00:00Z",
        seen_at="2024-04-02T00:00Z",
    ),
    line(
        "notice_served",
        user="ann",
        notice="n",
        version=2,
        served_at="2024-04-01T00:00:00Z",
        seen_at="2024-04-03T00:00Z",
    ),
    line("member", dataset="none", version=1, post="p1"),
    b"\n",
    b'{"kind": "post", "key": "\xff"}\n',
]


NODES: LiteralString = """
MATCH (n) WHERE NOT (n:Migration OR n:AuditEntry OR n:AuditTerm)
RETURN labels(n)[0] AS label, properties(n) AS properties
"""
RELATIONSHIPS: LiteralString = """
MATCH (a)-[r]->(b)
RETURN labels(a)[0] AS source_label, properties(a) AS source, type(r) AS type, properties(r) AS properties,
       labels(b)[0] AS target_label, properties(b) AS target
"""
_RECORDED = {"recorded_at", "described_at", "seen_recorded_at", "until", "first_recorded_at", "uid"}
_OF_A_LABEL = {"Revision": {"value"}, "Event": {"id", "at"}}


def told(properties: dict[str, Any], label: str) -> str:
    """The properties but for what differs between two loads of one file: when they were recorded, and random ids."""
    own = _RECORDED | _OF_A_LABEL.get(label, set())
    said = {name: "recorded" if name in own else value for name, value in properties.items() if name != "guard"}
    return json.dumps(said, sort_keys=True)


async def contents(service: Service) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str, str]]]:
    """Every node and every relationship with its ends, as often as there is one like it."""

    async def work(tx: Tx) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str, str]]]:
        nodes = Counter((row["label"], told(row["properties"], row["label"])) for row in await tx.rows(NODES))
        relationships = Counter(
            (
                told(row["source"], row["source_label"]),
                row["type"],
                told(row["properties"], row["type"]),
                told(row["target"], row["target_label"]),
            )
            for row in await tx.rows(RELATIONSHIPS)
        )
        return nodes, relationships

    return await service.graph.read(work)


async def contents_of_home(home: Settings) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, str, str, str]]]:
    with embedded.running_server(home) as server:
        async with connected(home, server) as service:
            return await contents(service)


def rejects(file: Path) -> list[tuple[int, str]]:
    """The rejected lines by number, each with its code."""
    told = file.with_name(f"{file.name}.rejects.ndjson").read_text().splitlines()
    return sorted((each["line"], each["code"]) for each in map(json.loads, told))


def test_the_graph_is_the_one_that_ingest_makes(
    run: Run[Any], service: Service, start: Start, home: Settings, tmp_path: Path
) -> None:
    early, late = tmp_path / "early.ndjson", tmp_path / "late.ndjson"
    early.write_bytes(b"".join([*generate_records(POSTS, 11), *EARLY]))
    late.write_bytes(b"".join(LATE))
    status, _, err = finish(start([str(early)]))
    assert status == 0, err
    status, _, err = finish(start([str(late)]))
    assert status == 2, err
    told_by_ingest = rejects(late)

    status, out, err = backfill(home, str(early), str(late))

    assert status == 2, err
    assert rejects(late) == [
        (6, "CONFLICT"),
        (8, "CONFLICT"),
        (14, "CONFLICT"),
        (15, "VERSION_NOT_FOUND"),
        (17, "INVALID_UTF8"),
    ]
    assert rejects(late) == told_by_ingest
    lines = early.read_bytes().count(b"\n") + len(LATE) - 1
    assert out.startswith(f"{lines - 10:,} accepted, 5 unchanged, 5 rejected in ")
    ingested, backfilled = run(contents(service)), run(contents_of_home(home))
    for mine, theirs in zip(backfilled, ingested, strict=True):
        assert (mine - theirs, theirs - mine) == (Counter(), Counter())
    assert ingested[0].total() > POSTS
    assert list((home.home / "backfill").glob("*")) == []

    # It holds something now.
    status, out, err = backfill(home, str(early))
    assert (status, out) == (1, "")
    assert "error [BACKFILL_NOT_EMPTY]: Something is recorded in this database already" in err


def test_killed_in_its_import_it_is_run_again(tmp_path: Path, home: Settings, run: Run[Any]) -> None:
    fresh = home.model_copy(update={"home": tmp_path / "home"})
    file = tmp_path / "posts.ndjson"
    file.write_bytes(b"".join(generate_records(2000, 12)))
    process = subprocess.Popen(
        [COMMAND, "backfill", str(file)], env=environment(fresh), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    marker = Neo4jHome(fresh.home).importing
    while not marker.exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait(30)

    done = subprocess.run(
        [COMMAND, "doctor"], env=environment(fresh), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "error [EMBEDDED_IMPORTING]: A backfill is importing into the database of this home" in done.stderr

    status, _, err = backfill(fresh, str(file))
    assert status == 0, err
    nodes, _ = run(contents_of_home(fresh))
    assert sum(count for (label, _), count in nodes.items() if label == "Post") == 2000
    embedded.stop(fresh)


def test_a_database_in_use_is_left_alone(home: Settings, tmp_path: Path) -> None:
    file = tmp_path / "posts.ndjson"
    file.write_bytes(post("p", "ann"))
    with embedded.running_server(home):
        status, out, err = backfill(home, str(file))

    assert (status, out) == (1, "")
    assert "error [EMBEDDED_IN_USE]: Another command uses the database of this home" in err


def test_a_server_of_ones_own_gets_its_files_written(home: Settings, tmp_path: Path) -> None:
    file, output = tmp_path / "posts.ndjson", tmp_path / "import"
    file.write_bytes(b"".join(EARLY))
    own = {"CONSENTLINE_NEO4J_URI": "bolt://127.0.0.1:1", "CONSENTLINE_NEO4J_PASSWORD": "never asked"}

    refused = backfill(home, str(file), **own)
    written = backfill(home, str(file), "--output", str(output), **own)
    again = backfill(home, str(file), "--output", str(output), **own)

    assert refused[0] == 1
    assert "error [BACKFILL_NEEDS_OUTPUT]: CONSENTLINE_NEO4J_URI names a server of your own" in refused[2]
    assert written[0] == 0, written[2]
    assert f"database import full neo4j --overwrite-destination=true @{output / 'import.args'}" in written[1]
    assert f"consentline ingest {output / 'later.ndjson'}" in written[1]
    assert (output / "later.ndjson").read_bytes() == EARLY[-1]
    assert (output / "consents.csv").read_text().splitlines()[1:] != []
    assert again[0] == 1
    assert f"error [BACKFILL_OUTPUT_NOT_EMPTY]: {output} is not empty" in again[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing.ndjson"], "error [FILE_NOT_FOUND]: there is no file missing.ndjson"),
        (["-", "-"], "error [FILE_REPEATED]: standard input can be read once only"),
        (
            ["-", "--memory", "much", "--output", "{folder}"],
            "error [INVALID_INPUT]: --memory much is not a size such as 4GB",
        ),
    ],
)
def test_wrong_arguments_are_refused(home: Settings, tmp_path: Path, arguments: Sequence[str], message: str) -> None:
    status, out, err = backfill(home, *(each.format(folder=tmp_path / "out") for each in arguments))

    assert (status, out) == (1, "")
    assert message in err
