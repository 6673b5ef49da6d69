"""Permits as the API gives them, and `consentline permit` as whoever checks them uses it."""

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consentline.permits import Signer, new_private_pem, verify
from consentline.settings import Settings
from tests.conftest import Api
from tests.e2e.gated import AUTHORIZE, COMPLETE, D1, FIND, START, find_run, load_usable_data, start_run
from tests.e2e.operations import TRAIN, change

Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def story(api: Api) -> Api:
    load_usable_data(api)
    return api


@pytest.fixture
def consentline(tmp_path: Path) -> Command:
    """The command line with a home of its own: there is no service, and no database."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}

    def run_command(*arguments: str | Path, stdin: str = "", **more: str) -> subprocess.CompletedProcess[str]:
        environment = mine | {"CONSENTLINE_HOME": str(tmp_path / "home")} | more
        command = [sys.executable, "-m", "consentline", "permit", *map(str, arguments)]
        return subprocess.run(
            command, env=environment, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )

    return run_command


@pytest.fixture
def service_key(consentline: Command, settings: Settings, tmp_path: Path) -> Path:
    """The public key as the service's operator hands it out."""
    file = tmp_path / "service.pem"
    file.write_text(consentline("key", CONSENTLINE_HOME=str(settings.home)).stdout)
    return file


def told(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of a command that refused."""
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr.strip()


# ---- the API --------------------------------------------------------------------------------------------------------


def test_the_start_of_a_run_answers_with_a_permit(story: Api, service_key: Path) -> None:
    change(story, AUTHORIZE, "ml", run="r", inputs=[D1])

    payload = change(story, START, "ml", run="r")

    permit = verify(payload["permit"], service_key.read_text(), datetime.now(UTC))
    digest = story.data('{ datasetVersion(dataset: "d", number: 1) { manifestDigest } }')
    assert (permit.run, permit.purpose, permit.started_from) == ("r", "AI_TRAINING", ())
    assert [(each.ref, each.manifest_digest) for each in permit.inputs] == [
        (("d", 1), digest["datasetVersion"]["manifestDigest"])
    ]
    assert permit.started_at == payload["trainingRun"]["startedAt"]
    assert permit.exp - permit.iat == 3600


def test_a_running_run_gives_a_fresh_permit_at_each_reading(story: Api, service_key: Path) -> None:
    first = start_run(story)

    found = [first, change(story, START, run="r")["permit"], *(find_run(story, role="ml") for _ in range(2))]
    tokens = [each if isinstance(each, str) else (each or {})["permit"] for each in found]

    assert len(set(tokens)) == 4
    assert {verify(each, service_key.read_text(), datetime.now(UTC)).run for each in tokens} == {"r"}


def test_only_a_run_that_is_running_has_a_permit(story: Api) -> None:
    change(story, AUTHORIZE, run="r", inputs=[D1])
    assert find_run(story) is not None
    assert permit_of(story) is None

    change(story, START, run="r")
    assert permit_of(story) is not None

    payload = change(story, COMPLETE, run="r", model="m", version="1")
    assert (payload["permit"], payload["trainingRun"]["permit"], permit_of(story)) == (None, None, None)


def permit_of(api: Api, role: str = "admin") -> str | None:
    found = find_run(api, role=role)
    assert found is not None
    return found["permit"]


def test_a_run_that_never_passed_the_gate_has_none(story: Api) -> None:
    change(story, TRAIN, run="r", inputs=[D1], startedAt="2025-01-01T00:00:00Z", purpose="AI_TRAINING")

    assert permit_of(story) is None


def test_only_who_may_start_runs_sees_a_permit(story: Api) -> None:
    start_run(story)

    seen = {role: permit_of(story, role) is not None for role in ("ml", "admin", "auditor", "compliance", "service")}

    assert seen == {"ml": True, "admin": True, "auditor": False, "compliance": False, "service": False}


def test_a_start_that_is_refused_gives_none(story: Api) -> None:
    payload = story.data(START, {"input": {"run": "r"}})["startTraining"]

    assert (payload["permit"], payload["trainingRun"]) == (None, None)
    assert [error["code"] for error in payload["userErrors"]] == ["RUN_NOT_FOUND"]


def test_permits_are_not_logged(story: Api, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    tokens = [start_run(story), story.data(FIND, {"run": "r"})["trainingRun"]["permit"]]

    assert "request" in caplog.text
    for token in tokens:
        assert not [part for part in token.split(".") if part in caplog.text]


# ---- key ------------------------------------------------------------------------------------------------------------


def test_the_key_is_printed_and_stays_the_same(consentline: Command) -> None:
    first, second = consentline("key"), consentline("key")

    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == second.stdout
    assert first.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert "PRIVATE" not in first.stdout


def test_the_configured_key_is_printed(consentline: Command) -> None:
    configured = new_private_pem()

    first, second = (consentline("key", CONSENTLINE_PERMIT_KEY=configured).stdout for _ in range(2))

    assert first == second != consentline("key").stdout


def test_a_key_that_is_none_is_told(consentline: Command) -> None:
    message = told(consentline("key", CONSENTLINE_PERMIT_KEY="hunter2"))

    assert message.startswith("error [SETTINGS]: CONSENTLINE_PERMIT_KEY: ")
    assert message.endswith("must be the PEM of an Ed25519 private key, not encrypted")


# ---- verify ---------------------------------------------------------------------------------------------------------


def kept(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "permit.jwt"
    file.write_text(text)
    return file


def test_a_permit_of_the_service_is_checked_offline(
    story: Api, consentline: Command, service_key: Path, tmp_path: Path
) -> None:
    token = start_run(story)
    file = kept(tmp_path, token + "\n")

    done = consentline("verify", file, "--key", service_key, "--run", "r", "--input", "d:1")

    assert (done.returncode, done.stderr) == (0, "")
    claims = json.loads(done.stdout)
    assert (claims["run"], [each["dataset"] for each in claims["inputs"]]) == ("r", ["d"])
    assert set(claims) == {
        *("iss", "iat", "exp", "jti"),
        *("run", "purpose", "inputs", "startedFrom", "startedAt"),
    }
    piped = consentline("verify", "-", "--key", service_key, stdin=token)
    assert (piped.returncode, json.loads(piped.stdout)) == (0, claims)
    assert not (tmp_path / "home").exists()


def test_the_service_s_own_machine_needs_no_key_file(
    story: Api, consentline: Command, settings: Settings, tmp_path: Path
) -> None:
    file = kept(tmp_path, start_run(story))

    assert consentline("verify", file, CONSENTLINE_HOME=str(settings.home)).returncode == 0


def test_a_machine_without_a_key_says_so_and_makes_none(consentline: Command, tmp_path: Path) -> None:
    done = consentline("verify", kept(tmp_path, "x"))

    assert told(done) == "error [PERMIT_KEY]: no key is kept here: name one with --key PEM_FILE"
    assert not (tmp_path / "home").exists()


def test_what_the_permit_is_not_for(story: Api, consentline: Command, service_key: Path, tmp_path: Path) -> None:
    file = kept(tmp_path, start_run(story))

    def check(*options: str) -> str:
        return told(consentline("verify", file, "--key", service_key, *options))

    assert check("--run", "r2") == "error [PERMIT_OTHER_RUN]: the permit is for run r, not for r2"
    assert check("--input", "d:1", "--input", "d:2") == "error [PERMIT_OTHER_INPUT]: the permit is for d:1, not for d:2"
    assert check("--input", "d") == "error [INVALID_INPUT]: --input is DATASET:NUMBER, such as gb-posts:3"


def test_what_is_no_permit(story: Api, consentline: Command, service_key: Path, tmp_path: Path) -> None:
    token = start_run(story)
    (tmp_path / "other.pem").write_text(consentline("key").stdout)
    private = tmp_path / "private.pem"
    private.write_text(new_private_pem())
    file = kept(tmp_path, token)

    def check(text: str, key: Any = service_key) -> str:
        return told(consentline("verify", kept(tmp_path, text), "--key", key))

    assert check("x") == "error [PERMIT_INVALID]: it is not a permit: three parts in base64url, joined by dots"
    assert check(token[:-2] + "AA").startswith("error [PERMIT_INVALID]: its signature does not fit")
    assert check(token, tmp_path / "other.pem").startswith("error [PERMIT_OTHER_KEY]: it was not signed with this key")
    assert check(token, private) == "error [PERMIT_KEY]: that is not the PEM of an Ed25519 public key"
    assert check(story.token()).startswith("error [PERMIT_INVALID]: it is not a permit: its type is not")
    missing = told(consentline("verify", tmp_path / "nothing", "--key", service_key))
    assert missing == f"error [FILE_NOT_FOUND]: {tmp_path}/nothing cannot be read: No such file or directory"
    file.write_bytes(b"\xff")
    assert told(consentline("verify", file, "--key", service_key)) == f"error [INVALID_INPUT]: {file} is not text"


def test_an_expired_permit(
    story: Api, consentline: Command, service_key: Path, settings: Settings, tmp_path: Path
) -> None:
    start_run(story)
    lineage = story.run(story.service.lineage())
    token = Signer(settings.signing_key(), timedelta(seconds=1))(lineage.runs["r"], [])
    assert token is not None
    time.sleep(1.1)

    done = consentline("verify", kept(tmp_path, token), "--key", service_key)

    assert told(done).startswith("error [PERMIT_EXPIRED]: it expired at 20")
