"""What `consentline erasure list|confirm|resume|verify` do."""

import asyncio
import gzip
import importlib
import json
import sys
from collections.abc import AsyncGenerator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from consentline.connection import open_service
from consentline.domain.audit import OPERATOR, READ, Subject, SubjectKind
from consentline.domain.erasures import Erasure, ErasureStatus
from consentline.domain.errors import ConsentlineError, InvalidInputError
from consentline.domain.instants import to_datetime
from consentline.domain.keys import check_key
from consentline.domain.paging import PageRequest
from consentline.domain.traces import Trace, Traces
from consentline.settings import Settings
from consentline.usecases import erasing, erasures, recipients
from consentline.usecases.audit import enter, entering, lasting, operator
from consentline.usecases.erasure_reports import residue
from consentline.usecases.service import Service
from consentline.usecases.verification import find_traces

FOUND = 2
_ERASURES_AT_ONCE = 100
_STANDARD_INPUT = "-"
_DATABASE = "neo4j"
"""Below the home: the embedded database's own files, which hold what was deleted until they are used again."""


def run_list(settings: Settings, status: ErasureStatus | None) -> None:
    """Print the erasures, a line of JSON each.

    Raises:
        ConsentlineError: the database cannot be reached.
    """

    async def work() -> None:
        async with open_service(settings) as service, lasting(service, operator(), "erasures", outcome=READ) as told:
            listed = 0
            async for erasure in _all(service, status):
                print(json.dumps(_listed(erasure)))  # noqa: T201 - a command's answer
                listed += 1
            told.counts = {"erasures": listed}

    asyncio.run(work())


async def _all(service: Service, status: ErasureStatus | None) -> AsyncGenerator[Erasure]:
    request = PageRequest(_ERASURES_AT_ONCE)
    while True:
        page = await erasures.list_erasures(service, status, request)
        for erasure in page.items:
            yield erasure
        if not page.has_next:
            return
        request = PageRequest(_ERASURES_AT_ONCE, page.positions[-1])


def _listed(erasure: Erasure) -> dict[str, str]:
    return {
        "key": erasure.key,
        "status": erasure.status.value,
        "receivedAt": to_datetime(erasure.received_at).isoformat(),
        "dueAt": to_datetime(erasure.due_at).isoformat(),
    }


def run_confirm(settings: Settings, key: str) -> str:
    """Carry an erasure out, and answer its report as JSON.

    Raises:
        ConsentlineError: there is none, it was refused, or the database cannot be reached.
    """

    async def work() -> str:
        about = [Subject(SubjectKind.ERASURE, check_key(key, "KEY"))]
        async with open_service(settings) as service:
            async with entering(service, operator(), "confirmErasure", about):
                erasure = await erasures.confirm_erasure(service, key, by=OPERATOR)
            left = await residue(service, erasure)
            told = [each for ref in left.datasets for each in await recipients.of_dataset(service, ref)]
        report: dict[str, Any] = {
            **_listed(erasure),
            "erased": asdict(erasure.erased),
            "modelVersions": list(left.model_versions),
            "datasetVersions": [str(ref) for ref in left.held_in],
            "recipients": [{"dataset": each.dataset, "key": each.key, "name": each.name} for each in told],
            "limits": [limit.value for limit in left.limits],
        }
        return json.dumps(report, indent=2)

    return asyncio.run(work())


def run_resume(settings: Settings) -> str:
    """Go on with what was confirmed, and say how many erasures that were.

    Raises:
        ConsentlineError: the database cannot be reached.
    """

    async def work() -> int:
        async with open_service(settings) as service:
            return await erasing.carry_out_all(service)

    return f"{asyncio.run(work())} carried out"


def run_verify(settings: Settings, key: str, posts_file: str | None, paths: Iterable[Path]) -> int:
    """Print where the keys were found; the exit status: 0 for nowhere, else 2.

    Raises:
        ConsentlineError: a file cannot be read, or the database cannot be reached.
    """
    keys = [check_key(key, "KEY"), *_post_keys(posts_file)]

    async def work() -> list[Trace]:
        about = [Subject(SubjectKind.USER, key), *(Subject(SubjectKind.POST, post) for post in keys[1:])]
        async with open_service(settings) as service:
            await enter(service, operator(), "verifyErasure", READ, about)
            return await find_traces(service, keys)

    found = asyncio.run(work())
    traces = Traces(keys)
    for path in [settings.home, *paths]:
        found.extend(_in_files(traces, path, skipped=settings.home / _DATABASE))
    for trace in found:
        print(f"{trace.key}: {trace.place}")  # noqa: T201 - a command's answer
    told = f"{len(found):,} places hold" if found else "nothing holds"
    print(f"{told} {'the key' if len(keys) == 1 else f'any of the {len(keys):,} keys'}", file=sys.stderr)  # noqa: T201
    return FOUND if found else 0


def _post_keys(name: str | None) -> list[str]:
    if name is None:
        return []
    try:
        text = sys.stdin.read() if name == _STANDARD_INPUT else Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InvalidInputError(f"{name} cannot be read", code="FILE_NOT_FOUND", path=("--posts-file",)) from None
    return [check_key(line, "--posts-file") for line in text.splitlines() if line]


def _in_files(traces: Traces, path: Path, *, skipped: Path) -> Iterator[Trace]:
    """The places in a file, or in all files below a folder but for those of the database.

    Raises:
        InvalidInputError: there is no such file or folder.
    """
    if not path.exists():
        raise InvalidInputError(f"there is no file {path}", code="FILE_NOT_FOUND", path=("--path",))
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    for file in files:
        if skipped in file.parents:
            continue
        for number, line in enumerate(_lines(file), 1):
            for key in traces.of(line):
                yield Trace(key, f"{file}, line {number}")


def _lines(file: Path) -> Iterator[str]:
    """What a file holds, as text; JSON is read so that escapes hide nothing.

    Raises:
        ConsentlineError: it cannot be read.
    """
    try:
        if file.suffix == ".parquet":
            yield from _parquet(file)
            return
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as lines:
            for line in lines:
                text = line.decode(errors="replace")
                yield f"{text} {_unescaped(text)}" if "\\" in text else text
    except (OSError, EOFError) as error:
        raise ConsentlineError(f"{file} cannot be read: {error}", code="FILE_UNREADABLE") from None


def _unescaped(text: str) -> str:
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return ""


def _parquet(file: Path) -> Iterator[str]:
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise ConsentlineError(
            f"{file} is Parquet: pip install 'consentline[parquet]' to look into it", code="PARQUET_NOT_INSTALLED"
        ) from None
    for batch in parquet.ParquetFile(file).iter_batches():
        for row in batch.to_pylist():
            yield json.dumps(row, ensure_ascii=False, default=str)
