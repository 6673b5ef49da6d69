"""Fetching and verifying jars over real HTTP, from a Maven repository on loopback that can misbehave."""

import hashlib
import os
import random
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import Artifact, ArtifactList, encode_artifacts, load_artifacts
from consentline.embedded.fetch import fetch_jars, jars_folder
from consentline.embedded.model import Progress, report_nothing
from consentline.settings import Settings

FETCH = """
import sys
from pathlib import Path
from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import decode_artifacts
from consentline.embedded.fetch import fetch_jars
from consentline.embedded.model import report_nothing
try:
    fetch_jars(Path(sys.argv[1]), decode_artifacts(sys.stdin.buffer.read()), maven_url=sys.argv[2],
               report=report_nothing)
except EmbeddedError as error:
    print(error.code, error.message)
"""


@dataclass
class Mirror:
    """A Maven repository: its files by path, what it was asked for, and the answers that it gives instead, in turn."""

    url: str
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    instead: dict[str, list[Callable[[BaseHTTPRequestHandler, bytes], None]]] = field(default_factory=dict)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            path = self.path.removeprefix("/maven/")
            repository.asked.append(path)
            body = repository.files.get(path, b"")
            turns = repository.instead.get(path, [])
            answer = turns.pop(0) if turns else (send if path in repository.files else not_found)
            answer(self, body)

        def log_message(self, *_):
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, *_):
            """Say nothing when a client goes away in the middle."""

    with Server(("127.0.0.1", 0), Handler) as server:
        repository = Mirror(url=f"http://127.0.0.1:{server.server_address[1]}/maven/")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield repository
        server.shutdown()
        thread.join()


def send(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


def not_found(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_error(404)


def unavailable(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_error(503)


def send_other_bytes(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    send(handler, bytes(reversed(body)))


def send_too_much(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    send(handler, body * 2)


def send_complete_half(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    send(handler, body[: len(body) // 2])


def break_off(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body[: len(body) // 2])
    handler.close_connection = True


def send_slowly(handler: BaseHTTPRequestHandler, body: bytes) -> None:
    time.sleep(0.5)
    send(handler, body)


def publish(mirror: Mirror, count: int = 12, *, size: int = 200_000) -> ArtifactList:
    """Put so many jars of random bytes into the repository and return their list."""
    source = random.Random(7)  # noqa: S311 (bytes to tell apart)
    artifacts: list[Artifact] = []
    for number in range(count):
        content = source.randbytes(size + number)
        sha256 = hashlib.sha256(content).hexdigest()
        jar = Artifact(group="org.example", artifact=f"jar-{number}", version="1", size=len(content), sha256=sha256)
        mirror.files[jar.path] = content
        artifacts.append(jar)
    return ArtifactList(neo4j="test", artifacts=tuple(artifacts))


def fetch(cache: Path, artifacts: ArtifactList, mirror: Mirror) -> Path:
    return fetch_jars(cache, artifacts, maven_url=mirror.url, report=report_nothing)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def published(mirror: Mirror) -> dict[str, bytes]:
    return {path.rpartition("/")[2]: content for path, content in mirror.files.items()}


def test_everything_is_fetched_once_and_never_again(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)

    folder = fetch(tmp_path, artifacts, mirror)
    assert fetch(tmp_path, artifacts, mirror) == folder

    assert contents(folder) == published(mirror)
    assert sorted(mirror.asked) == sorted(mirror.files)


def test_progress_counts_the_bytes_of_a_known_total(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)
    reports: list[Progress] = []

    fetch_jars(tmp_path, artifacts, maven_url=mirror.url, report=reports.append)

    fetched = [report for report in reports if report.stage == "fetch"]
    assert {report.total for report in fetched} == {artifacts.total_bytes}
    assert fetched[0].done == 0
    assert fetched[-1].done == artifacts.total_bytes
    assert reports[0] == Progress("verify", 0, artifacts.total_bytes)


@pytest.mark.parametrize("content", [b"", b"cut", None], ids=["empty", "truncated", "missing"])
def test_a_damaged_jar_and_only_that_is_fetched_again(tmp_path: Path, mirror: Mirror, content: bytes | None):
    artifacts = publish(mirror)
    folder = fetch(tmp_path, artifacts, mirror)
    damaged = artifacts.artifacts[3]
    mirror.asked.clear()
    (folder / damaged.filename).unlink()
    if content is not None:
        (folder / damaged.filename).write_bytes(content)

    fetch(tmp_path, artifacts, mirror)

    assert mirror.asked == [damaged.path]
    assert contents(folder) == published(mirror)


def test_one_flipped_bit_is_noticed(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)
    folder = fetch(tmp_path, artifacts, mirror)
    path = folder / artifacts.artifacts[0].filename
    path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])

    fetch(tmp_path, artifacts, mirror)

    assert contents(folder) == published(mirror)


@pytest.mark.parametrize("failure", [send_other_bytes, send_too_much, send_complete_half, break_off, unavailable])
def test_a_passing_failure_is_asked_again(tmp_path: Path, mirror: Mirror, failure: Callable[..., None]):
    artifacts = publish(mirror)
    path = artifacts.artifacts[5].path
    mirror.instead[path] = [failure, failure]

    folder = fetch(tmp_path, artifacts, mirror)

    assert mirror.asked.count(path) == 3
    assert contents(folder) == published(mirror)


@dataclass(frozen=True)
class Lasting:
    answer: Callable[[BaseHTTPRequestHandler, bytes], None]
    code: str
    message: str
    asked: int


@pytest.mark.parametrize(
    "case",
    [
        Lasting(not_found, "EMBEDDED_FETCH_FAILED", "HTTP 404 for org.example:jar-5:1", 1),
        Lasting(unavailable, "EMBEDDED_FETCH_FAILED", "HTTP 503 for org.example:jar-5:1", 3),
        Lasting(send_other_bytes, "EMBEDDED_CHECKSUM", "another SHA-256 than the one that was committed", 3),
        Lasting(send_complete_half, "EMBEDDED_CHECKSUM", "100,002 bytes instead of 200,005", 3),
        Lasting(send_too_much, "EMBEDDED_CHECKSUM", "more than the 200,005 bytes", 3),
        Lasting(break_off, "EMBEDDED_FETCH_FAILED", "cannot be reached", 3),
    ],
    ids=lambda case: case.answer.__name__,
)
def test_a_lasting_failure_keeps_nothing_damaged_and_says_what_to_do(tmp_path: Path, mirror: Mirror, case: Lasting):
    artifacts = publish(mirror)
    bad = artifacts.artifacts[5]
    mirror.instead[bad.path] = [case.answer] * 3

    with pytest.raises(EmbeddedError) as raised:
        fetch(tmp_path, artifacts, mirror)

    assert raised.value.code == case.code
    assert case.message in raised.value.message
    assert "CONSENTLINE_MAVEN_URL" in raised.value.message
    assert "CONSENTLINE_NEO4J_URI" in raised.value.message
    assert mirror.asked.count(bad.path) == case.asked
    kept = contents(jars_folder(tmp_path, artifacts))
    assert bad.filename not in kept
    assert kept.items() <= published(mirror).items()
    # Once the repository is well again, the next call completes what is missing.
    mirror.instead.clear()
    assert contents(fetch(tmp_path, artifacts, mirror)) == published(mirror)


def test_no_network_says_what_could_not_be_reached_and_what_to_do(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{closed.getsockname()[1]}/maven"

        with pytest.raises(EmbeddedError, match=r"127\.0\.0\.1 cannot be reached .*CONSENTLINE_NEO4J_URI") as raised:
            fetch_jars(tmp_path, artifacts, maven_url=nobody, report=report_nothing)

    assert raised.value.code == "EMBEDDED_FETCH_FAILED"


@pytest.mark.parametrize("url", ["no address", "ftp://127.0.0.1/maven", "http://[::1", "https://", "x"])
def test_a_repository_address_that_is_none_is_an_embedded_error(tmp_path: Path, mirror: Mirror, url: str):
    artifacts = publish(mirror, 1)

    with pytest.raises(EmbeddedError, match="CONSENTLINE_MAVEN_URL") as raised:
        fetch_jars(tmp_path, artifacts, maven_url=url, report=report_nothing)

    assert raised.value.code == "EMBEDDED_FETCH_FAILED"


def test_two_processes_at_once_fetch_once(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)
    mirror.instead = {path: [send_slowly] for path in mirror.files}
    children = [start_fetch(tmp_path, artifacts, mirror) for _ in range(2)]

    assert [child.wait(30) for child in children] == [0, 0]

    for child in children:
        assert child.stdout is not None
        assert child.stdout.read() == b""
        child.stdout.close()
    assert sorted(mirror.asked) == sorted(mirror.files)
    assert contents(jars_folder(tmp_path, artifacts)) == published(mirror)


def test_kill_9_half_way_leaves_only_whole_jars_and_the_next_call_completes(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror, 40)
    mirror.instead = {path: [send_slowly] for path in mirror.files}
    with start_fetch(tmp_path, artifacts, mirror) as child:
        while len(mirror.asked) < 12:
            time.sleep(0.01)
        os.kill(child.pid, signal.SIGKILL)
    kept = {name: content for name, content in contents(jars_folder(tmp_path, artifacts)).items() if "part" not in name}
    assert 0 < len(kept) < 40
    assert kept.items() <= published(mirror).items()

    mirror.instead.clear()
    mirror.asked.clear()

    assert contents(fetch(tmp_path, artifacts, mirror)) == published(mirror)
    assert len(mirror.asked) == 40 - len(kept)


def test_a_full_disk_is_named_and_nothing_half_written_is_kept(tmp_path: Path, mirror: Mirror):
    artifacts = publish(mirror)
    # The kernel refuses to let a file grow: what writing meets on a full disk, without one.
    limit = 100_000
    with start_fetch(
        tmp_path, artifacts, mirror, before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    ) as child:
        output, _ = child.communicate(timeout=30)

    code, _, message = output.decode().partition(" ")
    assert code == "EMBEDDED_DISK_FULL"
    assert "CONSENTLINE_CACHE" in message
    assert not [name for name in contents(jars_folder(tmp_path, artifacts)) if name.endswith(".jar")]


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path, mirror: Mirror):
    (tmp_path / "file").touch()

    with pytest.raises(EmbeddedError, match="CONSENTLINE_CACHE") as raised:
        fetch(tmp_path / "file", publish(mirror, 1), mirror)

    assert raised.value.code == "EMBEDDED_CACHE"


def test_a_damaged_jar_of_the_real_server_is_fetched_again_from_a_mirror(tmp_path: Path, mirror: Mirror):
    artifacts = load_artifacts()
    settings = Settings.load()
    real = fetch_jars(settings.cache, artifacts, maven_url=settings.maven_url, report=report_nothing)
    cache = tmp_path / "cache"
    jars_folder(cache, artifacts).mkdir(parents=True)
    for artifact in artifacts.artifacts:
        link_or_copy(real / artifact.filename, jars_folder(cache, artifacts) / artifact.filename)
    damaged = next(artifact for artifact in artifacts.artifacts if artifact.artifact == "neo4j-kernel")
    mirror.files[damaged.path] = (real / damaged.filename).read_bytes()
    path = jars_folder(cache, artifacts) / damaged.filename
    path.unlink()
    path.write_bytes(mirror.files[damaged.path][:-1])

    fetch(cache, artifacts, mirror)

    assert mirror.asked == [damaged.path]
    assert path.read_bytes() == mirror.files[damaged.path]


def link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        target.write_bytes(source.read_bytes())


def start_fetch(
    cache: Path, artifacts: ArtifactList, mirror: Mirror, *, before: Callable[[], None] | None = None
) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", FETCH, cache, mirror.url],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=before,
    )
    assert child.stdin is not None
    child.stdin.write(encode_artifacts(artifacts))
    child.stdin.close()
    child.stdin = None
    return child
