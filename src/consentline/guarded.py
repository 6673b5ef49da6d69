"""What a guarded command has around it: the signals that it is sent on, and its permit, fresh as long as it runs."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

import typer

from consentline.domain.errors import ConsentlineError, InvalidInputError
from consentline.embedded.home import replace_file
from consentline.gate_client import Standing
from consentline.permits import lifetime_of

_NAMES = ("SIGINT", "SIGQUIT", "SIGHUP", "SIGTERM", "SIGUSR1", "SIGUSR2")
_TYPED = ("SIGINT", "SIGQUIT")
_TICK_SECONDS = 0.1


def say(line: str) -> None:
    """One line on standard error, if anybody is there: a terminal that went away must not end a run unrecorded."""
    with suppress(OSError):
        typer.echo(f"train-guard: {line}", err=True)


class Signals:
    """While entered, signals end nothing: they go to the command while it runs, and else are remembered.

    One that is ignored (nohup, a job in the background) stays ignored, and so it is for the command.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many came."""
        self.last: int | None = None
        """The last that came while the command was not running."""
        self._process: subprocess.Popen[bytes] | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for each in (getattr(signal, name) for name in _NAMES if hasattr(signal, name)):
            if signal.getsignal(each) is not signal.SIG_IGN:
                self._before[each] = signal.signal(each, self._take)
        return self

    def __exit__(self, *_: object) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)

    def run(self, process: subprocess.Popen[bytes]) -> int:
        """Wait for the command's end, handing signals on, also one that came while it was being started."""
        self._process = process
        if self.last is not None:
            process.send_signal(self.last)
        status = process.wait()
        self._process = None
        return status

    def sleep(self, seconds: float) -> None:
        """Wait, but not after a further signal."""
        until, before = time.monotonic() + seconds, self.count
        while self.count == before and time.monotonic() < until:
            time.sleep(_TICK_SECONDS)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        self.count += 1
        if self._process is None:
            self.last = number
        # What is typed goes to the whole group in the foreground, so that the command has it already.
        elif not (signal.Signals(number).name in _TYPED and _in_foreground()):
            with suppress(OSError):
                self._process.send_signal(number)


def _in_foreground() -> bool:
    """Whether keys such as Ctrl-C reach our process group."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


class PermitFile:
    """A file that only its owner can read, replaced whole, and gone at the end; in a folder of its own by default.

    Raises:
        InvalidInputError: PERMIT_FILE, when it cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._folder: Path | None = None
        if path is None:
            self._folder = Path(tempfile.mkdtemp(prefix="consentline-"))
            path = self._folder / "permit.jwt"
        self.path = path.absolute()
        self._lock = threading.Lock()
        self._removed = False

    def __enter__(self) -> Self:
        self.write("")
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._removed = True
            self.path.unlink(missing_ok=True)
            if self._folder is not None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def write(self, permit: str) -> None:
        """Put the permit there, unless the file was removed for good.

        Raises:
            InvalidInputError: PERMIT_FILE.
        """
        with self._lock:
            if not self._removed:
                try:
                    replace_file(self.path, permit.encode())
                except OSError as error:
                    raise InvalidInputError(
                        f"{self.path} cannot be written: {error.strerror}", code="PERMIT_FILE"
                    ) from None


class Renewal:
    """While entered, replaces the permit when half of its time has gone, in a thread of its own."""

    def __init__(self, file: PermitFile, permit: str, find: Callable[[], Standing | None]) -> None:
        self._file = file
        self._find = find
        self._lifetime = lifetime_of(permit)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="renewal", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _work(self) -> None:
        pause = self._lifetime / 2
        while not self._ended.wait(pause):
            try:
                found = self._find()
                if found is None or found.permit is None:
                    if not self._ended.is_set():
                        say(f"the run is {'gone' if found is None else found.status}: its permit is not renewed")
                    return
                self._file.write(found.permit)
            except ConsentlineError as error:
                pause = min(30.0, self._lifetime / 10)
                if not self._ended.is_set():
                    say(f"the permit is not renewed yet [{error.code}]: {error.message}")
            else:
                pause = self._lifetime / 2
