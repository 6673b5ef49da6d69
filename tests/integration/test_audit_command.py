"""What commands at a shell leave in the audit, and `consentline audit verify`."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, LiteralString

import pytest

from consentline.domain.audit import AuditEntry, AuditFilter
from consentline.domain.datasets import manifest_digest
from consentline.domain.paging import PageRequest
from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases import audit
from consentline.usecases.service import Service
from tests.conftest import SECRET, Run
from tests.integration.arrange import policy, post, user

COMMAND = str(Path(sys.executable).with_name("consentline"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]

RECORDS = [
    policy(notice_required=False, assessment="dpia"),
    user("ana"),
    post("p1"),
]


@pytest.fixture
def command(service: Service, neo4j_server: Server, settings: Settings, tmp_path: Path) -> Command:
    """Run `consentline` on the graph, in a folder of its own."""
    assert service.graph
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_PSEUDONYM_SECRET": SECRET,
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
    }

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [COMMAND, *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


@pytest.fixture
def loaded(command: Command, tmp_path: Path) -> Command:
    """The records are loaded."""
    (tmp_path / "records.ndjson").write_text("\n".join(map(json.dumps, RECORDS)))
    done = command("ingest", "records.ndjson")
    assert done.returncode == 0, done.stderr
    return command


def entries(service: Service, run: Run[Any]) -> list[AuditEntry]:
    """Every entry, the oldest first; all of them by whoever is at the shell."""
    found = run(audit.list_entries(service, AuditFilter(), PageRequest(100))).items[::-1]
    assert {(each.actor.role, each.actor.token_id) for each in found} == {("operator", "cli")}
    assert all(each.intact(service.pseudonyms) for each in found)
    return list(found)


def told(found: list[AuditEntry]) -> list[tuple[str, str, dict[str, int], str | None]]:
    return [(each.operation, each.outcome, dict(each.counts), each.digest) for each in found]


def test_a_load_leaves_an_entry_when_it_begins_and_one_with_counts_and_digest(
    loaded: Command, service: Service, run: Run[Any], tmp_path: Path
) -> None:
    assert loaded
    began, ended = entries(service, run)

    digest = hashlib.sha256((tmp_path / "records.ndjson").read_bytes()).hexdigest()
    counts = {"accepted": 3, "unchanged": 0, "rejected": 0}
    assert told([began, ended]) == [
        ("ingest", "STARTED", {}, None),
        ("ingest", "ACCEPTED", counts, f"sha256:{digest}"),
    ]
    assert began.actor == ended.actor


def test_a_build_its_export_and_a_difference_are_entered(
    loaded: Command, service: Service, run: Run[Any], tmp_path: Path
) -> None:
    before = len(entries(service, run))
    for arguments in (
        ("dataset", "build", "d"),
        ("dataset", "export", "d", "1", "-o", "keys.ndjson"),
        ("dataset", "diff", "d", "1", "1"),
        ("dataset", "diff", "d", "1", "1", "--keys"),
        ("notices", "export", "gb", "1", "-o", "people.ndjson"),
    ):
        done = loaded(*arguments)
        assert done.returncode == 0, done.stderr

    found = entries(service, run)[before:]

    assert told(found) == [
        ("buildDatasetVersion", "ACCEPTED", {}, None),
        ("exportDataset", "STARTED", {}, None),
        ("exportDataset", "READ", {"posts": 1}, manifest_digest(["p1"])),
        ("exportDifference", "STARTED", {}, None),
        ("exportDifference", "READ", {"posts": 0}, None),
        ("exportCampaign", "STARTED", {}, None),
        ("exportCampaign", "READ", {"people": 1}, None),
    ]
    built = {service.pseudonyms.of("Dataset", "d"), service.pseudonyms.of("DatasetVersion", "d:1")}
    assert all(set(each.subjects) == built for each in found[:5])
    assert (tmp_path / "people.ndjson").exists()


def test_what_is_refused_at_a_shell_is_entered_with_its_code(loaded: Command, service: Service, run: Run[Any]) -> None:
    before = len(entries(service, run))

    assert loaded("dataset", "export", "none", "1").returncode == 1
    assert loaded("dataset", "build", "d", "--as-of", "2999-01-01T00:00:00Z").returncode == 1

    assert [each[:2] for each in told(entries(service, run)[before:])] == [
        ("exportDataset", "STARTED"),
        ("exportDataset", "VERSION_NOT_FOUND"),
        ("buildDatasetVersion", "AS_OF_IN_FUTURE"),
    ]


CHANGE: LiteralString = "MATCH (e:AuditEntry {outcome: 'STARTED'}) SET e.token_id = 'another'"
TAKE_OUT: LiteralString = "MATCH (e:AuditEntry {outcome: 'STARTED'}) DELETE e"


def test_a_verification_says_that_all_is_well(loaded: Command, service: Service, run: Run[Any]) -> None:
    done = loaded("audit", "verify")

    assert (done.returncode, done.stdout) == (0, "3 entries of 2 processes: 0 changed, 0 missing\n")
    assert told(entries(service, run))[-1][:2] == ("verifyAudit", "READ")


def test_a_verification_names_what_was_changed(loaded: Command, service: Service, run: Run[Any]) -> None:
    uid = entries(service, run)[0].uid
    run(service.graph.write(lambda tx: tx.rows(CHANGE)))

    done = loaded("audit", "verify")

    assert done.returncode == 1
    assert done.stdout == f"3 entries of 2 processes: 1 changed, 0 missing\nchanged: {uid}\n"


def test_a_verification_counts_what_is_missing(loaded: Command, service: Service, run: Run[Any]) -> None:
    process = entries(service, run)[0].uid.partition("-")[0]
    run(service.graph.write(lambda tx: tx.rows(TAKE_OUT)))

    done = loaded("audit", "verify")

    assert done.returncode == 1
    assert done.stdout == f"2 entries of 2 processes: 0 changed, 1 missing\nmissing: 1 of process {process}\n"
