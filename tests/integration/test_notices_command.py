"""`consentline notices coverage|export` as a process of its own: figures, files, refusals."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from consentline.embedded import Server
from consentline.settings import Settings
from consentline.usecases.service import Service
from tests.conftest import Run
from tests.integration.arrange import policy, record, user

COMMAND = str(Path(sys.executable).with_name("consentline"))
Command = Callable[..., "subprocess.CompletedProcess[str]"]
AT = "2026-11-01T00:00:00Z"


@pytest.fixture
def command(run: Run[Any], service: Service, neo4j_server: Server, settings: Settings, tmp_path: Path) -> Command:
    """Run `consentline notices` over three people, of whom one was served a notice, in a folder of its own."""
    notice = {"kind": "notice", "key": "n", "version": 1, "purpose": "AI_TRAINING", "channel": "IN_APP"}
    served = {"kind": "notice_served", "user": "ana", "notice": "n", "version": 1, "served_at": "2026-10-30T00:00:00Z"}
    people = [user(key, jurisdiction="GB") for key in ("ana", "ben", "cai")]
    told = (policy(objection_window_days=30), notice | {"published_at": AT}, *people, served | {"seen_at": AT})
    run(record(service, *told))
    environment = os.environ | {
        "CONSENTLINE_HOME": str(settings.home),
        "CONSENTLINE_NEO4J_URI": neo4j_server.uri,
        "CONSENTLINE_NEO4J_USER": neo4j_server.user,
        "CONSENTLINE_NEO4J_PASSWORD": neo4j_server.password,
    }

    def call(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [COMMAND, "notices", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return call


def listed(text: str) -> tuple[list[str], dict[str, Any]]:
    *people, last = (json.loads(line) for line in text.splitlines())
    return sorted(each["user"] for each in people), last


def test_the_figures_are_json(command: Command) -> None:
    done = command("coverage", "gb", "1", "--at", "2026-11-01T01:00:00+01:00", "--days", "3")

    told = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert told.pop("knownAt").endswith("Z")
    assert told == {
        "policy": "gb",
        "version": 1,
        "at": AT,
        "people": 3,
        "served": 1,
        "seen": 1,
        "windowOpen": 1,
        "notServed": 2,
        "byDay": [
            {"day": "2026-10-30", "served": 1, "seen": 0},
            {"day": "2026-10-31", "served": 0, "seen": 0},
            {"day": "2026-11-01", "served": 0, "seen": 1},
        ],
    }


def test_the_campaign_goes_to_standard_output(command: Command) -> None:
    done = command("export", "gb", "1")

    assert (done.returncode, done.stderr) == (0, "")
    assert listed(done.stdout) == (["ben", "cai"], {"end": True, "people": 2})


def test_the_campaign_goes_to_a_file_that_appears_whole(command: Command, tmp_path: Path) -> None:
    (tmp_path / "campaign.ndjson").write_text("of an earlier run")

    done = command("export", "gb", "1", "-o", "campaign.ndjson", "--at", "2026-10-29T00:00:00Z")

    assert (done.returncode, done.stdout, done.stderr) == (0, "campaign.ndjson: 3 people are still to be served\n", "")
    found = listed((tmp_path / "campaign.ndjson").read_text())
    assert found == (["ana", "ben", "cai"], {"end": True, "people": 3})
    assert [path.name for path in tmp_path.iterdir()] == ["campaign.ndjson"]


UNKNOWN = "error [POLICY_NOT_FOUND]: no such version of the policy is recorded\n"


def test_what_cannot_be_answered_is_told_in_one_line(command: Command, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("of an earlier run")

    refused = {
        ("coverage", "x", "1"): UNKNOWN,
        ("export", "gb", "2", "-o", "kept"): UNKNOWN,
        ("export", "gb", "1", "--at", "now"): (
            "error [INVALID_TIME]: --at is not a time such as 2025-01-01T00:00:00Z\n"
        ),
        ("coverage", "gb", "1", "--at", "2026-01-01"): (
            "error [TIME_WITHOUT_OFFSET]: --at has no offset: write Z or +01:00 after the time\n"
        ),
        ("export", "gb", "1", "-o", "nowhere/file"): (
            "error [FILE_UNWRITABLE]: nowhere/file cannot be written: No such file or directory\n"
        ),
    }
    for arguments, told in refused.items():
        done = command(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", told)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept", "of an earlier run")]
