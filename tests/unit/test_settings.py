import os
import stat
import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from consentline.domain.errors import SettingsError
from consentline.graph.session import Graph
from consentline.permits import Signer, new_private_pem
from consentline.settings import Settings

SECRET = "a secret of the operator, of 32 bytes or more"
PERMIT_KEY = new_private_pem()


@pytest.fixture(autouse=True)
def _environment_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CONSENTLINE_"):
            monkeypatch.delenv(name)


def set_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"CONSENTLINE_{name}", value)


def refusal_of(monkeypatch: pytest.MonkeyPatch, **values: str) -> SettingsError:
    set_variables(monkeypatch, **values)
    with pytest.raises(SettingsError) as raised:
        Settings.load()
    return raised.value


# ---- what the variables say -----------------------------------------------------------------------------------------


def test_nothing_needs_to_be_set() -> None:
    settings = Settings.load()

    assert settings.neo4j_uri is None
    assert settings.token_secret is None
    assert settings.pseudonym_secret is None
    assert (settings.host, settings.port) == ("127.0.0.1", 8000)
    assert settings.home.is_absolute()


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(
        monkeypatch,
        HOME=str(tmp_path),
        NEO4J_URI="neo4j+s://graph.example:7687",
        NEO4J_USER="consentline",
        NEO4J_PASSWORD="pass",
        NEO4J_DATABASE="lineage",
        NEO4J_PORT="7688",
        NEO4J_HEAP="512m",
        NEO4J_PAGECACHE="3g",
        NEO4J_LINGER_SECONDS="0",
        CACHE=str(tmp_path / "cache"),
        MAVEN_URL="https://maven.example",
        TOKEN_SECRET=SECRET,
        HOST="0.0.0.0",  # noqa: S104 - read, not bound
        PORT="0",
        ESTABLISHMENT="IE",
        TRANSACTION_TIMEOUT_SECONDS="0.5",
        MAX_BODY_BYTES="1024",
        SHARD_SIZE="1",
        WEBHOOK_ALLOW_PRIVATE="true",
        WEBHOOK_TIMEOUT_SECONDS="1.5",
        WEBHOOK_AT_ONCE="2",
        WEBHOOK_ATTEMPTS="3",
        WEBHOOK_BACKOFF_SECONDS="0.1",
        EVENT_RETENTION_DAYS="7",
        WORKERS="4",
        INTROSPECTION="true",
        TRUSTED_DOCUMENTS=str(tmp_path / "documents.json"),
        TRUSTED_DOCUMENTS_ONLY="true",
        RATE_LIMIT_PER_SECOND="0.5",
        RATE_LIMIT_BURST="10",
        PSEUDONYM_SECRET=SECRET[::-1],
        PERMIT_KEY=PERMIT_KEY,
        PERMIT_LIFETIME_SECONDS="60",
        URL="https://consentline.example/there",
        TOKEN="a bearer",
        SWEEP_SECONDS="5",
    )

    found = Settings.load().model_dump()

    assert {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in found.items()} == {
        "home": tmp_path,
        "neo4j_uri": "neo4j+s://graph.example:7687",
        "neo4j_user": "consentline",
        "neo4j_password": "pass",
        "neo4j_database": "lineage",
        "neo4j_port": 7688,
        "neo4j_heap": "512m",
        "neo4j_pagecache": "3g",
        "neo4j_linger_seconds": 0,
        "cache": tmp_path / "cache",
        "maven_url": "https://maven.example",
        "token_secret": SECRET,
        "host": "0.0.0.0",  # noqa: S104
        "port": 0,
        "establishment": "IE",
        "transaction_timeout_seconds": 0.5,
        "max_body_bytes": 1024,
        "shard_size": 1,
        "webhook_allow_private": True,
        "webhook_timeout_seconds": 1.5,
        "webhook_at_once": 2,
        "webhook_attempts": 3,
        "webhook_backoff_seconds": 0.1,
        "event_retention_days": 7,
        "workers": 4,
        "introspection": True,
        "trusted_documents": tmp_path / "documents.json",
        "trusted_documents_only": True,
        "rate_limit_per_second": 0.5,
        "rate_limit_burst": 10,
        "pseudonym_secret": SECRET[::-1],
        "permit_key": PERMIT_KEY,
        "permit_lifetime_seconds": 60,
        "url": "https://consentline.example/there",
        "token": "a bearer",
        "sweep_seconds": 5,
    }


@pytest.mark.parametrize("place", ["IE", "GB", "GB-ENG", "GB-WLS", "GB-SCT", "GB-NIR", "DE-BY", "US-CA", "NZ"])
def test_the_establishment_is_a_place_whose_holidays_are_known(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    set_variables(monkeypatch, ESTABLISHMENT=place)

    assert Settings.load().establishment == place


@pytest.mark.parametrize("scheme", ["neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"])
@pytest.mark.parametrize("place", ["localhost", "localhost:7687", "10.0.0.1:1", "[::1]:7687"])
def test_every_scheme_of_the_driver_is_taken(monkeypatch: pytest.MonkeyPatch, scheme: str, place: str) -> None:
    set_variables(monkeypatch, NEO4J_URI=f"{scheme}://{place}")

    assert Settings.load().neo4j_uri == f"{scheme}://{place}"


# ---- what is wrong --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    name: str
    value: str
    telling: str = ""
    hidden: str = ""


WRONG = (
    Wrong("NEO4J_URI", "http://graph.example", "must be a URI such as neo4j://host:7687"),
    Wrong("NEO4J_URI", "graph.example:7687", "must be a URI"),
    Wrong("NEO4J_URI", "bolt://", "must be a URI"),
    Wrong("NEO4J_URI", "bolt://:7687", "must be a URI"),
    Wrong("NEO4J_URI", "bolt://[nowhere]:7687", hidden="nowhere"),
    Wrong("NEO4J_URI", "bolt://me:hunter2@ex\u2100mple:7687", hidden="hunter2"),
    Wrong("NEO4J_URI", "bolt://graph.example:notaport", hidden="notaport"),
    Wrong("NEO4J_URI", "bolt://graph.example:70000", hidden="70000"),
    Wrong("NEO4J_PORT", "70001", "less than or equal to 65535"),
    Wrong("NEO4J_PORT", "0", "greater than or equal to 1"),
    Wrong("NEO4J_PORT", "seven", "valid integer"),
    Wrong("NEO4J_HEAP", "2gigs", "match pattern"),
    Wrong("NEO4J_HEAP", "007g", "match pattern"),
    Wrong("NEO4J_PAGECACHE", "777", "match pattern"),
    Wrong("NEO4J_LINGER_SECONDS", "-77", "greater than or equal to 0"),
    Wrong("NEO4J_LINGER_SECONDS", "nan"),
    *(
        Wrong("ESTABLISHMENT", value, "must be the ISO 3166 code of a country or subdivision")
        for value in ("Ireland", "ie", "UK", "GBR", "ZZ", "GB-SCO", "GB-", "-", "IE-D", "FR-Zone A", "")
    ),
    Wrong("TOKEN_SECRET", "hunter2-hunter2-hunter2-hunter2", "at least 32 bytes"),
    Wrong("TOKEN_SECRET", "", "at least 32 bytes"),
    Wrong("PSEUDONYM_SECRET", "hunter2-hunter2", "at least 32 bytes"),
    Wrong("PORT", "70001", "less than or equal to 65535"),
    Wrong("PORT", "-77", "greater than or equal to 0"),
    Wrong("PORT", "80a", "valid integer"),
    Wrong("PERMIT_KEY", "hunter2-hunter2", "must be the PEM of an Ed25519 private key"),
    Wrong("PERMIT_KEY", "", "must be the PEM of an Ed25519 private key"),
    Wrong("PERMIT_KEY", Signer(PERMIT_KEY, timedelta(1)).public_pem, "must be the PEM of an Ed25519 private key"),
    Wrong("PERMIT_LIFETIME_SECONDS", "0", "greater than or equal to 1"),
    Wrong("PERMIT_LIFETIME_SECONDS", "86401", "less than or equal to 86400"),
    Wrong("URL", "nowhere:8000", "must be the address of a service"),
    Wrong("URL", "http://", "must be the address of a service"),
    Wrong("URL", "ftp://consentline.example", "must be the address of a service"),
    Wrong("URL", "https://consentline.example/?token=hunter2", hidden="hunter2"),
    Wrong("URL", "https://me:hunter2@consentline.example", "CONSENTLINE_TOKEN", hidden="hunter2"),
    Wrong("URL", "https://[nowhere]:80", hidden="nowhere"),
    Wrong("TRANSACTION_TIMEOUT_SECONDS", "0.0", "greater than 0"),
    Wrong("TRANSACTION_TIMEOUT_SECONDS", "inf"),
    Wrong("TRANSACTION_TIMEOUT_SECONDS", "nan"),
    Wrong("TRANSACTION_TIMEOUT_SECONDS", "3601", "less than or equal to 3600"),
    Wrong("MAX_BODY_BYTES", "777", "greater than or equal to 1024"),
    Wrong("SHARD_SIZE", "-77", "greater than or equal to 1"),
    Wrong("SHARD_SIZE", "7.7", "valid integer"),
    Wrong("WEBHOOK_ALLOW_PRIVATE", "hunter2", "valid boolean"),
    Wrong("WEBHOOK_TIMEOUT_SECONDS", "-77", "greater than 0"),
    Wrong("WEBHOOK_AT_ONCE", "-77", "greater than or equal to 1"),
    Wrong("WEBHOOK_ATTEMPTS", "777", "less than or equal to 100"),
    Wrong("WEBHOOK_BACKOFF_SECONDS", "-77", "greater than or equal to 0"),
    Wrong("EVENT_RETENTION_DAYS", "-77", "greater than or equal to 1"),
)


@pytest.mark.parametrize("case", WRONG, ids=lambda case: f"{case.name}={case.value.partition(chr(10))[0]}")
def test_a_wrong_variable_is_named_and_its_value_is_not_repeated(monkeypatch: pytest.MonkeyPatch, case: Wrong) -> None:
    error = refusal_of(monkeypatch, **{case.name: case.value})

    assert error.code == "SETTINGS"
    assert error.message.startswith(f"CONSENTLINE_{case.name}: ")
    assert case.telling in error.message
    assert not any(part in error.message for part in (case.value, case.hidden) if part)
    assert error.__cause__ is None
    assert error.__suppress_context__


def test_every_wrong_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {
        "NEO4J_URI": "http://hunter2",
        "NEO4J_PORT": "hunter2",
        "NEO4J_HEAP": "hunter2",
        "NEO4J_PAGECACHE": "hunter2",
        "NEO4J_LINGER_SECONDS": "hunter2",
        "TOKEN_SECRET": "hunter2",
        "PORT": "hunter2",
        "TRANSACTION_TIMEOUT_SECONDS": "hunter2",
        "MAX_BODY_BYTES": "hunter2",
        "SHARD_SIZE": "hunter2",
    }

    message = refusal_of(monkeypatch, **values, HOST="right").message

    assert {part.split(":")[0] for part in message.split("; ")} == {f"CONSENTLINE_{name}" for name in values}
    assert "hunter2" not in message


def test_a_secret_of_exactly_32_bytes_is_long_enough_however_few_its_characters(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    set_variables(monkeypatch, TOKEN_SECRET="é" * 16)

    assert Settings.load().signing_secret() == "é" * 16


def test_secrets_are_not_shown_with_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, TOKEN_SECRET=SECRET, NEO4J_PASSWORD="hunter2", TOKEN=SECRET, PERMIT_KEY=PERMIT_KEY)

    shown = f"{Settings.load()!r} {Settings.load()} {Settings.load().model_dump_json()}"

    assert SECRET not in shown
    assert "PRIVATE KEY" not in shown
    assert "hunter2" not in shown


def test_a_password_in_the_uri_is_refused_without_repeating_it(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, NEO4J_URI="bolt://neo4j:hunter2@graph.example")

    with pytest.raises(SettingsError) as raised:
        Graph.connect(Settings.load().neo4j_uri or "", "neo4j", "pass", "neo4j", 30)

    assert raised.value.message.startswith("CONSENTLINE_NEO4J_URI: ")
    assert "hunter2" not in raised.value.message


# ---- the signing secret ---------------------------------------------------------------------------------------------


def settings_of(home: Path) -> Settings:
    return Settings(home=home)


def test_the_configured_secret_is_taken_and_none_is_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(monkeypatch, TOKEN_SECRET=SECRET)

    assert settings_of(tmp_path / "home").signing_secret() == SECRET
    assert not (tmp_path / "home").exists()


def test_a_secret_is_made_once_and_kept(tmp_path: Path) -> None:
    home = tmp_path / "not" / "there" / "yet"

    secret = settings_of(home).signing_secret()

    assert len(secret.encode()) >= 32
    assert settings_of(home).signing_secret() == secret
    assert [path.name for path in home.iterdir()] == ["token-secret"]
    assert settings_of(tmp_path / "other").signing_secret() != secret


def test_the_secret_of_pseudonyms_is_the_configured_one_or_made_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = settings_of(tmp_path).digest_secret()
    assert settings_of(tmp_path).digest_secret() == made
    assert [path.name for path in tmp_path.iterdir()] == ["pseudonym-secret"]

    set_variables(monkeypatch, PSEUDONYM_SECRET=SECRET)
    assert settings_of(tmp_path).digest_secret() == SECRET


def test_the_secret_is_readable_by_its_owner_only(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        settings_of(tmp_path).signing_secret()
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "token-secret").stat().st_mode) == 0o600


ASK = "from consentline.settings import Settings; print(Settings.load().signing_secret(), flush=True)"


def test_processes_that_ask_at_once_get_one_secret(tmp_path: Path) -> None:
    environment = os.environ | {"CONSENTLINE_HOME": str(tmp_path)}
    processes = [
        subprocess.Popen([sys.executable, "-c", ASK], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]

    answers = [process.communicate(timeout=60)[0].strip() for process in processes]

    assert all(process.returncode == 0 for process in processes)
    assert set(answers) == {(tmp_path / "token-secret").read_text()}


def test_threads_that_ask_at_once_get_one_whole_secret(tmp_path: Path) -> None:
    for number in range(20):
        home = tmp_path / str(number)
        ready = threading.Barrier(8)
        found: list[str] = []

        def ask(home: Path = home, ready: threading.Barrier = ready, found: list[str] = found) -> None:
            settings = settings_of(home)
            ready.wait()
            found.append(settings.signing_secret())

        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(found) == 8
        assert set(found) == {(home / "token-secret").read_text()}
        assert [path.name for path in home.iterdir()] == ["token-secret"]


# ---- the key of permits ---------------------------------------------------------------------------------------------


def test_the_configured_key_of_permits_is_taken_and_none_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    set_variables(monkeypatch, PERMIT_KEY=PERMIT_KEY)

    assert settings_of(tmp_path / "home").signing_key() == PERMIT_KEY
    assert not (tmp_path / "home").exists()


def test_a_key_of_permits_may_be_written_on_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    set_variables(monkeypatch, PERMIT_KEY=PERMIT_KEY.replace("\n", "\\n"))

    assert settings_of(tmp_path).signing_key() == PERMIT_KEY


def test_a_key_of_permits_is_made_once_and_kept_for_its_owner_only(tmp_path: Path) -> None:
    key = settings_of(tmp_path).signing_key()

    assert "PRIVATE KEY" in key
    assert settings_of(tmp_path).signing_key() == key
    assert [path.name for path in tmp_path.iterdir()] == ["permit-key.pem"]
    assert stat.S_IMODE((tmp_path / "permit-key.pem").stat().st_mode) == 0o600


def test_a_kept_key_of_permits_that_is_none_is_told_without_repeating_it(tmp_path: Path) -> None:
    (tmp_path / "permit-key.pem").write_text("hunter2")

    with pytest.raises(SettingsError) as raised:
        settings_of(tmp_path).signing_key()

    assert raised.value.code == "SETTINGS"
    assert raised.value.message == f"{tmp_path}/permit-key.pem: that is not the PEM of an Ed25519 private key"
