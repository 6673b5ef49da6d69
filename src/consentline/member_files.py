"""Member keys on their way into files: sorted in bounded memory, written as NDJSON or Parquet, whole or not at all."""

import contextlib
import heapq
import importlib
import os
import sys
import tempfile
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Protocol, Self, TextIO

import msgspec

from consentline.domain.errors import InvalidInputError

_KEPT = 500_000
"""Keys that are held in memory, about 100 bytes each; the others wait in temporary files, sorted."""
_AT_ONCE = 50_000


class SortedKeys:
    """Keys that come in any order and leave in code point order, however many there are."""

    def __init__(self, kept: int = _KEPT) -> None:
        self._kept = kept
        self._keys: list[str] = []
        self._files = ExitStack()
        self._runs: list[TextIO] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._files.close()

    def add(self, keys: Iterable[str]) -> None:
        """Take keys in; a key has no line feed in it.

        Raises:
            InvalidInputError: there is no room for a temporary file.
        """
        self._keys.extend(keys)
        if len(self._keys) >= self._kept:
            with writing(f"a temporary file in {tempfile.gettempdir()}"):
                run = tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115 - the stack closes it
                self._files.callback(_close, run)
                run.writelines(f"{key}\n" for key in sorted(self._keys))
                run.flush()
            self._runs.append(run)
            self._keys = []

    def __iter__(self) -> Iterator[str]:
        for run in self._runs:
            run.seek(0)
        return heapq.merge(*(map(_without_line_feed, run) for run in self._runs), sorted(self._keys))

    def chunks(self) -> Iterator[list[str]]:
        """The keys in order, some at a time."""
        keys = iter(self)
        while chunk := list(islice(keys, _AT_ONCE)):
            yield chunk


def _close(run: TextIO) -> None:
    # What a full disk did not take is of no use to anybody.
    with contextlib.suppress(OSError):
        run.close()


def _without_line_feed(line: str) -> str:
    return line[:-1]


class KeyWriter(Protocol):
    """Where keys are written."""

    def write(self, keys: list[str]) -> None:
        """Append keys."""
        ...

    def close(self) -> None:
        """Write what is due at the end; the file stays open."""
        ...


class NdjsonWriter:
    """A line `{"post":KEY}` a key."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._encode = msgspec.json.Encoder().encode

    def write(self, keys: list[str]) -> None:
        """Append keys."""
        self._file.write(b"".join(b'{"post":%b}\n' % self._encode(key) for key in keys))

    def close(self) -> None:
        """Nothing is due."""


class ParquetWriter:
    """One column, `post`, of strings.

    Raises:
        InvalidInputError: pyarrow is not installed.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._arrow, parquet = import_parquet()
        self._schema = self._arrow.schema([self._arrow.field("post", self._arrow.string(), nullable=False)])
        self._writer = parquet.ParquetWriter(file, self._schema)

    def write(self, keys: list[str]) -> None:
        """Append keys, as a row group."""
        self._writer.write_table(self._arrow.table([self._arrow.array(keys, self._arrow.string())], self._schema))

    def close(self) -> None:
        """Write the footer."""
        self._writer.close()


def import_parquet() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`, which are imported only when they are needed.

    Raises:
        InvalidInputError: they are not installed.
    """
    try:
        return importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        message = "Parquet needs pyarrow, which is not installed: pip install 'consentline[parquet]'"
        raise InvalidInputError(message, code="PARQUET_NOT_INSTALLED", path=("--format",)) from None


@contextmanager
def writing(what: str) -> Generator[None]:
    """Tell that it cannot be written, on a full disk for one.

    Raises:
        InvalidInputError: FILE_UNWRITABLE, with the reason of the system.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        message = f"{what} cannot be written: {error.strerror}"
        raise InvalidInputError(message, code="FILE_UNWRITABLE", path=("--output",)) from None


@contextmanager
def whole_file(path: Path) -> Generator[BinaryIO]:
    """A file that takes its name when the block succeeds; until then it is `path` with `.part` after it.

    Raises:
        InvalidInputError: it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        with writing(str(path)):
            with part.open("wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


@contextmanager
def standard_output() -> Generator[BinaryIO]:
    """Standard output, for as much as its reader wants.

    Raises:
        InvalidInputError: what it leads to cannot be written.
    """
    try:
        with writing("standard output"):
            yield sys.stdout.buffer
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader has what it wanted; the interpreter would complain once more when it flushes.
        _leave_standard_output()
    except InvalidInputError:
        _leave_standard_output()
        raise


def _leave_standard_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
