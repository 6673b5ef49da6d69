"""Where records come from: files of lines (also gzip), standard input, CSV, Parquet. A chunk of bytes at a time.

Whatever the form, what comes out is lines of JSON, so that every record passes the same checks. Reading blocks; it is
done on a thread of its own, so that a slow source holds nothing else up.
"""

import asyncio
import contextlib
import csv
import gzip
import hashlib
import importlib
import io
import os
import select
import sys
import zlib
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any, cast

import msgspec

from consentline.domain.errors import InvalidInputError
from consentline.domain.records import KINDS

CHUNK = 256 * 1024
STANDARD_INPUT = "-"

_GZIP = b"\x1f\x8b"
_LONGEST_ROW = 1024 * 1024
_NUMBERS = ("version", "objection_window_days")
_LISTS = ("depicts", "purposes", "platforms")
_FLAGS = (
    "special_category",
    "notice_required",
    "protects_depicted",
    "flags_past_use",
    "objection_absolute",
    "gate_flagged_bases",
)
_MAY_BE_UNKNOWN = ("jurisdiction", "adult_from")


class RecordFile:
    """A file of records, or standard input, read as chunks of lines.

    `size` is what the file has in bytes (None: nobody knows), `done` how much of it was read, both as stored; `read` is
    the SHA-256 of that, and `ended` whether it was all. `problem` says what kept the file from being read to its end.
    """

    def __init__(self, name: str, kind: str | None = None) -> None:
        """A file by name, `-` for standard input; `kind` is that of every row of a CSV or Parquet file.

        Raises:
            InvalidInputError: there is no such file, or no such kind.
        """
        self.name = name
        self.size: int | None = None
        self.done = 0
        self.problem: str | None = None
        self.stopped = False
        self.ended = False
        self.read = hashlib.sha256()
        self._kind = kind
        if kind is not None and kind not in KINDS:
            raise InvalidInputError(f"--kind is none of {', '.join(KINDS)}", code="UNKNOWN_KIND", path=("kind",))
        if name != STANDARD_INPUT:
            if not Path(name).is_file():
                raise InvalidInputError(f"there is no file {name}", code="FILE_NOT_FOUND", path=("files",))
            self.size = Path(name).stat().st_size

    @property
    def digest(self) -> str | None:
        """The SHA-256 of the file as stored, once it was read to its end; None when it was not."""
        return f"sha256:{self.read.hexdigest()}" if self.ended and self.problem is None else None

    @property
    def rejects(self) -> Path:
        """Where the lines that are not recorded go."""
        return Path("stdin.rejects.ndjson" if self.name == STANDARD_INPUT else f"{self.name}.rejects.ndjson")

    def stop(self) -> None:
        """Make the chunks end soon, also when standard input keeps waiting."""
        self.stopped = True

    async def chunks(self) -> AsyncGenerator[bytes]:
        """The lines, cut anywhere."""
        pieces = self._read()
        try:
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece
        finally:
            # Cut off in the middle, the thread may still be reading; it ends by itself once it sees the stop.
            self.stop()
            with contextlib.suppress(ValueError):
                pieces.close()

    def _read(self) -> Generator[bytes]:
        name = self.name.lower().removesuffix(".gz")
        try:
            if name.endswith(".parquet"):
                with Path(self.name).open("rb") as file:
                    self.read = hashlib.file_digest(file, "sha256")
                    self.ended = True
                yield from _parquet_rows(self.name, self._kind)
                return
            with io.BufferedReader(_Stored(self), CHUNK) as stored:
                packed = stored.peek(len(_GZIP)).startswith(_GZIP)
                plain: io.BufferedIOBase = gzip.GzipFile(fileobj=stored) if packed else stored
                yield from _csv_rows(plain, self._kind) if name.endswith(".csv") else _pieces(plain)
        except (EOFError, zlib.error, gzip.BadGzipFile, csv.Error) as error:
            if not self.stopped:
                self.problem = f"the file cannot be read to its end: {error}"


def record_files(names: Sequence[str], kind: str | None = None) -> list[RecordFile]:
    """The files of a load by name, of which at most one is standard input.

    Raises:
        InvalidInputError: as `RecordFile`; FILE_REPEATED for standard input named twice.
    """
    files = [RecordFile(name, kind) for name in names]
    if sum(file.name == STANDARD_INPUT for file in files) > 1:
        raise InvalidInputError("standard input can be read once only", code="FILE_REPEATED", path=("files",))
    return files


class _Stored(io.RawIOBase):
    """The bytes as stored, counted; they end when the source is stopped."""

    def __init__(self, source: RecordFile) -> None:
        self._source = source
        self._is_file = source.name != STANDARD_INPUT
        self._number = os.open(source.name, os.O_RDONLY) if self._is_file else sys.stdin.fileno()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        while not self._source.stopped:
            if self._is_file or os.name == "nt" or select.select([self._number], [], [], 0.2)[0]:
                data = os.read(self._number, len(buffer))
                buffer[: len(data)] = data
                self._source.done += len(data)
                self._source.read.update(data)
                self._source.ended = not data
                return len(data)
        return 0

    def close(self) -> None:
        if self._is_file and not self.closed:
            os.close(self._number)
        super().close()


def _pieces(file: io.BufferedIOBase) -> Iterator[bytes]:
    # What there is, up to a chunk: a slow pipe is not waited for until it fills one.
    while piece := file.read1(CHUNK):
        yield piece


def _csv_rows(file: io.BufferedIOBase, kind: str | None) -> Iterator[bytes]:
    """The rows as lines of JSON; a blank line stands for the header and each further line of a row.

    So a record's line number is that of the last line of its row.
    """
    text = io.TextIOWrapper(cast("IO[bytes]", file), encoding="utf-8-sig", errors="surrogateescape", newline="")
    csv.field_size_limit(_LONGEST_ROW)
    rows = csv.reader(iter(lambda: text.readline(_LONGEST_ROW), ""))
    header: list[str] = []
    held: list[bytes] = []
    line = 0
    for row in rows:
        held += [b""] * (rows.line_num - line - 1)
        line = rows.line_num
        if not header:
            header = [name.strip() for name in row]
            held.append(b"")
        else:
            held.append(_line({name: _value(name, cell) for name, cell in _cells(header, row)}, kind) if row else b"")
        if len(held) >= 1000:
            yield b"\n".join(held) + b"\n"
            held = []
    if held:
        yield b"\n".join(held) + b"\n"


def _cells(header: list[str], row: list[str]) -> Iterator[tuple[str, str]]:
    for position, cell in enumerate(row):
        if cell:
            yield header[position] if position < len(header) else f"column {position + 1}", cell


def _value(name: str, cell: str) -> Any:
    """A cell as JSON would have it; what does not fit stays text and is refused as such. An empty cell is absent."""
    if name in _MAY_BE_UNKNOWN and cell == "null":
        return None
    if name in _FLAGS and cell.lower() in ("true", "false"):
        return cell.lower() == "true"
    if name in _NUMBERS and cell.isascii() and cell.isdigit() and len(cell) < 20:
        return int(cell)
    if name in _LISTS:
        try:
            return msgspec.json.decode(cell) if cell.startswith("[") else [part.strip() for part in cell.split(";")]
        except msgspec.DecodeError:
            return cell
    return cell


def _parquet_rows(name: str, kind: str | None) -> Iterator[bytes]:
    """The rows as lines of JSON, numbered from 1; a null is an absent field.

    Raises:
        InvalidInputError: pyarrow is not installed, or the file is not Parquet.
    """
    try:
        parquet: Any = importlib.import_module("pyarrow.parquet")
    except ModuleNotFoundError:
        message = f"{name}: Parquet needs pyarrow, which is not installed: pip install pyarrow"
        raise InvalidInputError(message, code="PARQUET_NOT_INSTALLED", path=("files",)) from None
    try:
        file = parquet.ParquetFile(name)
    except ValueError as error:
        message = f"{name} is not a Parquet file: {error}"
        raise InvalidInputError(message, code="PARQUET_UNREADABLE", path=("files",)) from None
    with file:
        for batch in file.iter_batches(1000):
            rows = [{name: cell for name, cell in row.items() if cell is not None} for row in batch.to_pylist()]
            yield b"".join(_line(row, kind) + b"\n" for row in rows)


def _line(record: dict[str, Any], kind: str | None) -> bytes:
    if kind is not None:
        record = {"kind": kind} | record
    try:
        return msgspec.json.encode(record, enc_hook=_plain)
    except UnicodeEncodeError:
        return b"\xff"  # As little UTF-8 as the row was; the record's own checks refuse it.


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, date | datetime) else str(value)
