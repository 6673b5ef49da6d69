"""`consentline erasure …` as processes of their own: carried out, killed, gone on with, and looked for."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, LiteralString

import pytest

from consentline.embedded import Server
from consentline.graph.session import Tx
from consentline.usecases import doctor, erasures, recipients
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS, SECRET
from tests.integration.arrange import ask_erasure, erase, record, user
from tests.integration.leaving import ANA, ERASURE, HER_KEYS, HER_OBJECTION, POSTS, arrange, told

COMMAND = str(Path(sys.executable).with_name("consentline"))
CHECKOUT = Path(__file__).resolve().parents[2]
Done = "subprocess.CompletedProcess[str]"
Command = Callable[..., Done]
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def environment(neo4j_server: Server, tmp_path: Path) -> dict[str, str]:
    """That of a command on the test's graph, with a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    return os.environ | {
        "CONSENTLINE_HOME": str(home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
    }


@pytest.fixture
def command(service: Service, environment: dict[str, str], tmp_path: Path) -> Command:
    """Run `consentline erasure` over an empty graph, in a folder of its own."""
    return lambda *arguments: call([COMMAND, "erasure", *arguments], environment, tmp_path)


def call(arguments: list[str], environment: dict[str, str], folder: Path) -> Done:
    return subprocess.run(
        arguments, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=180
    )


def test_an_erasure_is_carried_out_and_listed(service: Service, run: Run, command: Command) -> None:
    run(arrange(service))
    run(recipients.record(service, recipients.RecordRecipient("d", "lab", "A laboratory")))
    run(ask_erasure(service, ERASURE, ANA))
    run(ask_erasure(service, "later", "ben", run(service.now())))

    done = command("confirm", ERASURE)

    assert (done.returncode, done.stderr) == (0, "")
    report = json.loads(done.stdout)
    assert {
        name: report[name]
        for name in ("key", "status", "erased", "modelVersions", "datasetVersions", "recipients", "limits")
    } == {
        "key": ERASURE,
        "status": "DONE",
        "erased": {
            "posts": 6,
            "changes": 2,
            "depictions": 2,
            "facts": 4,
            "states": 1,
            "notices": 1,
            "objections": 1,
            "depicting": 1,
        },
        "modelVersions": ["g:1", "m:1", "m:tuned"],
        "datasetVersions": ["clean:1", "d:1", "d:2"],
        "recipients": [{"dataset": "d", "key": "lab", "name": "A laboratory"}],
        "limits": ["MODEL_WEIGHTS", "COPIES", "BACKUPS", "DATABASE_FILES"],
    }
    assert command("confirm", ERASURE).stdout == done.stdout
    listed = [json.loads(line) for line in command("list").stdout.splitlines()]
    assert [(each["key"], each["status"]) for each in listed] == [
        (PSEUDONYMS.of("Erasure", ERASURE), "DONE"),
        ("later", "REQUESTED"),
    ]
    (only,) = command("list", "--status", "REQUESTED").stdout.splitlines()
    assert json.loads(only)["key"] == "later"
    assert command("resume").stdout == "0 carried out\n"


def test_a_confirmation_that_is_refused_says_so(service: Service, run: Run, command: Command) -> None:
    missing = command("confirm", "none")
    assert (missing.returncode, missing.stdout) == (1, "")
    assert "[ERASURE_NOT_FOUND]" in missing.stderr
    assert "[KEY_RESERVED]" in command("confirm", PSEUDONYMS.of("Erasure", "e")).stderr
    run(ask_erasure(service))
    run(erasures.reject_erasure(service, "e", grounds="not identified", decided_at=None))
    assert "[ERASURE_WRONG_STATE]" in command("confirm", "e").stderr


# ---- killed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_anywhere_it_is_gone_on_with_and_nothing_is_left(
    service: Service, run: Run, command: Command, environment: dict[str, str], tmp_path: Path, seed: int
) -> None:
    run(arrange(service))
    run(ask_erasure(service, ERASURE, ANA))
    before = run(told(service))
    dice = random.Random(seed)  # noqa: S311 - a seed, not a secret
    # The confirmation, then one of the steps that are left; each killed before, inside or after its transaction.
    killed = [(ERASURE, 1)] + [("-", dice.randint(1, 3)) for _ in range(3)]

    for key, point in killed:
        where = dice.choice(["before", "inside", "after"])
        dying = call([sys.executable, "-m", "tests.integration.dying", key, str(point), where], environment, CHECKOUT)
        if key == ERASURE and where != "after":
            # The confirmation itself was not committed: nothing is to be gone on with yet.
            again = [sys.executable, "-m", "tests.integration.dying", key, "2", "after"]
            assert call(again, environment, CHECKOUT).returncode == -signal.SIGKILL
        assert dying.returncode == -signal.SIGKILL, (seed, key, point, where, dying.stderr)
        now = run(told(service))
        assert (now.usages, now.at_use, now.counts) == (before.usages, before.at_use, before.counts)

    done = command("resume")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 carried out\n", "")
    assert run(told(service)) == before
    keys = tmp_path / "posts"
    keys.write_text("".join(f"{key}\n" for key in (*POSTS, HER_OBJECTION, ERASURE)))
    verified = command("verify", ANA, "--posts-file", str(keys))
    assert (verified.returncode, verified.stdout) == (0, ""), verified.stdout
    assert run(doctor.examine(service)) == []


# ---- looked for ----------------------------------------------------------------------------------


PLANTS: dict[str, LiteralString] = {
    ":User 0, property key": "CREATE (:User {key: $key})",
    ":Event 0, property details": "CREATE (:Event {id: 'e', details: '{\"who\": [\"' + $key + '\"]}'})",
    ":Refusal 0, property posts": "CREATE (:Refusal {uid: 'r', posts: ['another', $key]})",
    ":Left:Over 0, property why": "CREATE (:Left:Over {why: 'asked by ' + $key + '.'})",
    "[:SERVED] 0, property by": "MATCH (u:User {key: 'ben'}), (n:Notice) CREATE (u)-[:SERVED {by: $key}]->(n)",
    "[:IN_SHARD] 0, property keys": "CREATE (:Post {key: 'p'})-[:IN_SHARD {keys: [$key]}]->(:Shard {key: 's'})",
}


@pytest.mark.parametrize("place", PLANTS)
def test_a_key_that_is_left_in_the_graph_is_found(service: Service, run: Run, command: Command, place: str) -> None:
    run(arrange(service))
    run(erase(service, ERASURE, ANA))

    async def plant(tx: Tx) -> None:
        await tx.rows(PLANTS[place], key=ANA)

    run(service.graph.write(plant))
    found = command("verify", ANA)

    (line,) = found.stdout.splitlines()
    what, _, name = place.partition(" 0, ")
    assert line.startswith(f"{ANA}: {what} "), line
    assert line.endswith(name), line
    assert (found.returncode, found.stderr) == (2, "1 places hold the key\n")


def test_before_an_erasure_every_place_is_found_and_after_it_none(
    service: Service, run: Run, command: Command, tmp_path: Path
) -> None:
    run(arrange(service))
    run(ask_erasure(service, ERASURE, ANA))
    keys = tmp_path / "posts"
    keys.write_text("".join(f"{key}\n" for key in (*HER_KEYS[1:], ERASURE)))

    found = command("verify", ANA, "--posts-file", str(keys))
    assert found.returncode == 2
    assert {line.partition(": ")[0] for line in found.stdout.splitlines()} == {*HER_KEYS, ERASURE}
    assert {line.partition(": ")[2].partition(" ")[0] for line in found.stdout.splitlines()} == {
        ":User",
        ":Post",
        ":Objection",
        ":Erasure",
        ":ConsentState",
    }

    assert command("confirm", ERASURE).returncode == 0
    clean = command("verify", ANA, "--posts-file", str(keys))
    assert (clean.returncode, clean.stdout) == (0, "")
    assert clean.stderr == f"nothing holds any of the {len(HER_KEYS) + 1} keys\n"


def test_a_key_that_is_left_in_a_spool_is_found(command: Command, environment: dict[str, str], tmp_path: Path) -> None:
    home = Path(environment["CONSENTLINE_HOME"])
    (home / "spool").mkdir()
    (home / "spool" / "members.ndjson").write_text('{"post": "other"}\n{"post": "ana-9"}\n{"post": "xana-9"}\n')
    (home / "neo4j").mkdir()
    (home / "neo4j" / "store").write_text("ana-9")
    exported = tmp_path / "exports"
    exported.mkdir()
    (exported / "rejects.ndjson").write_text('{"line": "{\\"key\\": \\"\\u0061na-9\\"}"}\n')
    with gzip.open(exported / "members.ndjson.gz", "wt") as file:
        file.write('{"post": "ana-9"}\n')
    parquet = pytest.importorskip("pyarrow.parquet")
    arrow = pytest.importorskip("pyarrow")
    parquet.write_table(arrow.table({"post": ["other", "ana-9"]}), exported / "members.parquet")
    (exported / "clean.txt").write_text("banana-9 ana-90\n")

    found = command("verify", "ana-9", "--path", str(exported))

    assert found.returncode == 2
    assert set(found.stdout.splitlines()) == {
        f"ana-9: {home}/spool/members.ndjson, line 2",
        f"ana-9: {exported}/rejects.ndjson, line 1",
        f"ana-9: {exported}/members.ndjson.gz, line 1",
        f"ana-9: {exported}/members.parquet, line 2",
    }


def test_a_key_that_json_escapes_is_found(service: Service, run: Run, command: Command) -> None:
    async def plant(tx: Tx) -> None:
        await tx.rows("CREATE (:Event {id: 'e', details: $details})", details=json.dumps({"who": 'zoë "q"'}))

    run(service.graph.write(plant))

    assert ":Event " in command("verify", 'zoë "q"').stdout


def test_a_key_in_a_name_that_outlives_what_had_it_is_found(service: Service, run: Run, command: Command) -> None:
    run(record(service, user("ben")))

    async def plant(tx: Tx) -> None:
        await tx.rows("CREATE (n:`left-of-zoe` {`of-zoe`: 1}) REMOVE n.`of-zoe`")

    run(service.graph.write(plant))

    assert "the name of a label: left-of-zoe" in command("verify", "left-of-zoe").stdout
    assert "the name of a property: of-zoe" in command("verify", "of-zoe").stdout


def test_what_cannot_be_looked_into_is_told(command: Command, tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    for arguments, code in (
        (["--path", str(tmp_path / "none")], "FILE_NOT_FOUND"),
        (["--posts-file", str(tmp_path / "none")], "FILE_NOT_FOUND"),
        (["--path", str(tmp_path / "cut.gz")], "FILE_UNREADABLE"),
    ):
        done = command("verify", "ana-9", *arguments)
        assert (done.returncode, f"[{code}]" in done.stderr) == (1, True), done.stderr
    assert "[KEY_RESERVED]" in command("verify", PSEUDONYMS.of("User", "ana")).stderr


def test_another_secret_is_refused_once_somebody_is_erased(
    service: Service, run: Run, environment: dict[str, str], tmp_path: Path
) -> None:
    other = environment | {"CONSENTLINE_PSEUDONYM_SECRET": "another secret, that is long enough too"}
    assert call([COMMAND, "erasure", "list"], other, tmp_path).returncode == 0

    run(erase(service))

    refused = call([COMMAND, "erasure", "list"], other, tmp_path)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "CONSENTLINE_PSEUDONYM_SECRET: is not the secret under which the digests in this graph" in refused.stderr
    assert call([COMMAND, "erasure", "list"], environment, tmp_path).returncode == 0
