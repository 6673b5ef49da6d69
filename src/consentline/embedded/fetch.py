"""Fetching the server's jars once, in parallel, and never trusting one that was not verified.

Safe against being killed at any point: a jar appears under its name only after its size and SHA-256 were checked, and
every start checks all of them again (0.2 s), so a truncated or altered file is fetched again.
"""

import errno
import hashlib
import threading
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from filelock import FileLock, Timeout
from jgo.constants import MAVEN_CENTRAL_URL

from consentline.domain.errors import EmbeddedError
from consentline.embedded.artifacts import Artifact, ArtifactList, is_intact
from consentline.embedded.model import Progress, Report, Stage

CONNECTIONS = 8
ATTEMPTS = 3
_TIMEOUT = httpx.Timeout(30, connect=15)
_ELSEWHERE = (
    "Set CONSENTLINE_MAVEN_URL to a Maven repository that can be reached (a mirror),"
    " or CONSENTLINE_NEO4J_URI to a Neo4j of your own; nothing is fetched then."
)


class _DamagedError(Exception):
    """What arrived is not the jar that the list names; the message says how it differs."""


def jars_folder(cache: Path, artifacts: ArtifactList) -> Path:
    """Return where the jars of this server version are cached."""
    return cache.expanduser().resolve() / f"neo4j-{artifacts.neo4j}"


def fetch_jars(cache: Path, artifacts: ArtifactList, *, maven_url: str | None, report: Report) -> Path:
    """Return the folder that holds every jar of the list, verified; fetch what is missing or damaged.

    Two calls at once, in any processes, fetch once. `maven_url` defaults to Maven Central.

    Raises:
        EmbeddedError: EMBEDDED_FETCH_FAILED, EMBEDDED_CHECKSUM, EMBEDDED_DISK_FULL or EMBEDDED_CACHE.
    """
    folder = jars_folder(cache, artifacts)
    base_url = _base_url(maven_url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with held(FileLock(folder / ".lock"), report):
            _complete(folder, artifacts, base_url=base_url, report=report)
    except OSError as error:
        raise _disk_error(error, folder) from error
    return folder


def _base_url(maven_url: str | None) -> str:
    address = (maven_url or MAVEN_CENTRAL_URL).rstrip("/")
    try:
        parsed = httpx.URL(address)
    except httpx.InvalidURL:
        parsed = httpx.URL()
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise EmbeddedError(
            "CONSENTLINE_MAVEN_URL is not the http:// or https:// address of a Maven repository.",
            code="EMBEDDED_FETCH_FAILED",
        )
    return address


@contextmanager
def held(lock: FileLock, report: Report) -> Generator[None]:
    """Hold the lock inside the block, reporting that it is waited for when another process has it."""
    try:
        lock.acquire(timeout=0)
    except Timeout:
        report(Progress("wait"))
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _complete(folder: Path, artifacts: ArtifactList, *, base_url: str, report: Report) -> None:
    missing = _damaged(folder, artifacts, report)
    if not missing:
        return
    _remove_parts(folder)
    try:
        _fetch_all(missing, folder, base_url=base_url, report=report)
    finally:
        _remove_parts(folder)


def _remove_parts(folder: Path) -> None:
    """Remove what a fetch that failed or was killed left half-way; nobody else writes here while the lock is held."""
    for part in folder.glob("*.part"):
        part.unlink(missing_ok=True)


def _fetch_all(missing: Sequence[Artifact], folder: Path, *, base_url: str, report: Report) -> None:
    stop = threading.Event()
    meter = _Meter(report, "fetch", sum(artifact.size for artifact in missing))
    with (
        httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, limits=httpx.Limits(max_connections=CONNECTIONS)
        ) as client,
        ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="fetch") as pool,
    ):
        futures = [
            pool.submit(_fetch_one, client, f"{base_url}/{artifact.path}", artifact, folder, meter, stop)
            for artifact in missing
        ]
        _await_all(futures, stop)


def _damaged(folder: Path, artifacts: ArtifactList, report: Report) -> Sequence[Artifact]:
    """Return the jars that are missing or not intact."""
    meter = _Meter(report, "verify", artifacts.total_bytes)

    def check(artifact: Artifact) -> bool:
        intact = is_intact(artifact, folder / artifact.filename)
        meter.add(artifact.size)
        return intact

    with ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="verify") as pool:
        verdicts = list(pool.map(check, artifacts.artifacts))
    return [artifact for artifact, intact in zip(artifacts.artifacts, verdicts, strict=True) if not intact]


def _await_all(futures: Sequence[Future[None]], stop: threading.Event) -> None:
    try:
        for future in as_completed(futures):
            future.result()
    except BaseException:
        # Also on Ctrl-C: what is under way ends at its next piece, the rest is never begun.
        stop.set()
        for future in futures:
            future.cancel()
        raise


def _fetch_one(
    client: httpx.Client, url: str, artifact: Artifact, folder: Path, meter: "_Meter", stop: threading.Event
) -> None:
    for attempt in range(1, ATTEMPTS + 1):
        part = folder / f"{artifact.filename}.part"
        received = 0
        try:
            for count in _download(client, url, artifact, part):
                received += count
                meter.add(count)
                if stop.is_set():
                    return
        except (httpx.HTTPError, _DamagedError) as error:
            part.unlink(missing_ok=True)
            meter.add(-received)
            if attempt == ATTEMPTS or _is_final(error):
                raise _fetch_error(error, url, artifact) from error
        else:
            part.replace(folder / artifact.filename)
            return


def _download(client: httpx.Client, url: str, artifact: Artifact, part: Path) -> Iterator[int]:
    """Write the body of `url` to `part`, yielding the size of each piece; ends only when it is the jar of the list."""
    digest = hashlib.sha256()
    size = 0
    with client.stream("GET", url) as response, part.open("wb") as file:
        response.raise_for_status()
        for chunk in response.iter_bytes(1 << 16):
            size += len(chunk)
            if size > artifact.size:
                raise _DamagedError(f"more than the {artifact.size:,} bytes that it should have")
            digest.update(chunk)
            file.write(chunk)
            yield len(chunk)
    if size != artifact.size:
        raise _DamagedError(f"{size:,} bytes instead of {artifact.size:,}")
    if digest.hexdigest() != artifact.sha256:
        raise _DamagedError("another SHA-256 than the one that was committed")


def _is_final(error: Exception) -> bool:
    """Whether asking the same server again within moments would be pointless."""
    return isinstance(error, httpx.HTTPStatusError) and error.response.status_code in (401, 403, 404, 407, 410)


def _fetch_error(error: Exception, url: str, artifact: Artifact) -> EmbeddedError:
    host = urlsplit(url).hostname
    name = f"{artifact.group}:{artifact.artifact}:{artifact.version}"
    if isinstance(error, _DamagedError):
        return EmbeddedError(
            f"{host} answered {name} with {error}, {ATTEMPTS} times. It was not kept. {_ELSEWHERE}",
            code="EMBEDDED_CHECKSUM",
        )
    if isinstance(error, httpx.HTTPStatusError):
        reason = f"{host} answered HTTP {error.response.status_code} for {name}."
    else:
        reason = f"The jars of Neo4j cannot be fetched: {host} cannot be reached ({error or type(error).__name__})."
    return EmbeddedError(f"{reason} {_ELSEWHERE}", code="EMBEDDED_FETCH_FAILED")


def _disk_error(error: OSError, folder: Path) -> EmbeddedError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return EmbeddedError(
            f"No space is left for the jars of Neo4j in {folder} ({error.strerror})."
            " Free some, or set CONSENTLINE_CACHE to a folder on another disk.",
            code="EMBEDDED_DISK_FULL",
        )
    return EmbeddedError(
        f"The jars of Neo4j cannot be kept in {folder} ({error.strerror or error})."
        " Set CONSENTLINE_CACHE to a folder that can be written.",
        code="EMBEDDED_CACHE",
    )


class _Meter:
    """Counts bytes from several threads and reports the sum."""

    def __init__(self, report: Report, stage: Stage, total: int) -> None:
        self._report = report
        self._stage: Stage = stage
        self._total = total
        self._done = 0
        self._lock = threading.Lock()
        report(Progress(stage, 0, total))

    def add(self, count: int) -> None:
        """Count so many more bytes; negative when they have to be fetched again."""
        with self._lock:
            self._done += count
            self._report(Progress(self._stage, self._done, self._total))
