"""The file of rejected lines that a load leaves beside its source: each with where it stood and why it was refused."""

import contextlib
from pathlib import Path
from typing import BinaryIO, Self

import msgspec

from consentline.member_files import writing
from consentline.usecases.ingest import Rejection


class _Reject(msgspec.Struct):
    line: int
    field: str | None
    code: str
    message: str
    record: str | None


class Rejects:
    """The file of rejected lines beside the source; there is none when nothing was rejected."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._is_whole = True

    def __enter__(self) -> Self:
        self._path.unlink(missing_ok=True)
        return self

    def write(self, rejection: Rejection) -> None:
        """Append a line, with the reason.

        Raises:
            InvalidInputError: it cannot be written; there is no file then.
        """
        text = None if rejection.text is None else rejection.text.decode(errors="backslashreplace")
        reject = _Reject(rejection.line, rejection.field, rejection.code, rejection.message, text)
        self._is_whole = False
        with writing(str(self._path)):
            if self._file is None:
                self._file = self._path.open("wb")
            self._file.write(msgspec.json.encode(reject) + b"\n")
            # So that a full disk is heard of here.
            self._file.flush()
        self._is_whole = True

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            if not self._is_whole:
                self._path.unlink(missing_ok=True)
