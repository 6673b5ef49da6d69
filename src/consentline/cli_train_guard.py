"""The command `consentline train-guard`: a training job between the gate's start and the record of its end.

    authorise ──> start ──> command ──> complete (status 0) or fail
        │           └── a signal, or the command cannot be started: fail
        └── refused: status 3; unreachable: status 4; the command is not run

Once the run was started it never stays RUNNING for a reason that the guard lives to see, unless the gate cannot be
reached for as long as the guard tries; then it says what to send by hand.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import InvalidInputError, SettingsError
from consentline.domain.training import model_version_key
from consentline.gate_client import (
    CANCEL,
    COMPLETE,
    FAIL,
    GateClient,
    GateError,
    GateRefusedError,
    GateUnavailableError,
    Standing,
    as_request,
)
from consentline.guarded import PermitFile, Renewal, Signals, say
from consentline.settings import Settings, check_url

REFUSED, UNREACHABLE, NOT_RECORDED, NOT_EXECUTABLE, NOT_FOUND = 3, 4, 5, 126, 127
_MOST_RECHECKS = 3
_PAUSES = (1.0, 3.0)
_LONGEST_PAUSE = 30.0
# The job has its permit; what can change records, or sign, is not for it.
_WITHHELD = ("CONSENTLINE_TOKEN", "CONSENTLINE_TOKEN_SECRET", "CONSENTLINE_PERMIT_KEY", "CONSENTLINE_NEO4J_PASSWORD")


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be run, under which run, and what it makes of what."""

    run: str
    inputs: tuple[VersionRef, ...]
    started_from: tuple[str, ...]
    purpose: str
    model: str
    version: str
    command: tuple[str, ...]
    permit_file: Path | None = None
    resume: bool = False
    finish_timeout: float = 300


def run_guard(settings: Settings, url: str | None, job: Job) -> int:
    """Run the job when the gate lets it start; its exit status, or one of this module's.

    Raises:
        ConsentlineError: nothing was started: no token or a bad one, a wrong address, a permit file that cannot be
            written, a gate that answers something else.
    """
    if settings.token is None:
        raise SettingsError("CONSENTLINE_TOKEN: is required: a bearer's token of the role ml")
    try:
        check_url(url if url is not None else settings.url)
    except ValueError as error:
        raise InvalidInputError(f"--url {error}", code="INVALID_INPUT") from None
    model_version_key(job.model, job.version)
    gate = GateClient(url if url is not None else settings.url, settings.token.get_secret_value())
    with Signals() as signals, PermitFile(job.permit_file) as file:
        return _Guard(gate, job, signals, file).run()


class _Guard:
    """One job on its way through the gate."""

    def __init__(self, gate: GateClient, job: Job, signals: Signals, file: PermitFile) -> None:
        self._gate = gate
        self._job = job
        self._signals = signals
        self._file = file

    def run(self) -> int:
        try:
            started = self._admit()
        except GateUnavailableError as error:
            say(f"{error.message}; the command is not run")
            return UNREACHABLE
        except GateRefusedError as error:
            say(f"refused [{error.code}]: {error.message}; the command is not run")
            return REFUSED
        return started if isinstance(started, int) else self._supervise(started)

    def _admit(self) -> Standing | int:
        """The started run, or the status to exit with.

        Raises:
            GateError, GateUnavailableError: the run was not started.
        """
        job = self._job
        product = model_version_key(job.model, job.version)
        if not job.resume and self._gate.has_model_version(product):
            raise GateRefusedError(f"model version {product} is recorded already", code="MODEL_VERSION_EXISTS")
        for rechecks in range(_MOST_RECHECKS + 1):
            try:
                status = self._authorize()
                if status is None:
                    return self._start()
            except GateRefusedError as error:
                if error.code != "RECHECK_NEEDED" or rechecks == _MOST_RECHECKS:
                    raise
                say(f"{error.message}; authorising again")
            else:
                return status
        raise AssertionError("the last recheck returns or raises")

    def _authorize(self) -> int | None:
        """None when the run may be started, else the status to exit with."""
        job = self._job
        answer = self._gate.authorize(job.run, job.inputs, job.started_from, job.purpose)
        if not isinstance(answer, Standing):
            for each in answer:
                posts = f" ({', '.join(each.sample_posts)}, …)" if each.sample_posts else ""
                say(f"refused: {each.version}: {each.reason or 'the version itself'}: {each.message}{posts}")
            say(f"run {job.run} is not authorised; the command is not run")
            return REFUSED
        if answer.status != "AUTHORIZED" and not (job.resume and answer.status == "RUNNING"):
            hint = "; --resume goes on with it" if answer.status == "RUNNING" else ""
            say(f"refused: run {job.run} is {answer.status} already{hint}; the command is not run")
            return REFUSED
        if self._signals.last is not None:
            say(f"stopped before the start; run {job.run} stays {answer.status}")
            return 128 + self._signals.last
        say(f"run {job.run} is authorised to read {', '.join(map(str, job.inputs))}")
        return None

    def _start(self) -> Standing:
        """Start the run; when nobody knows whether it was started, leave it ended.

        Raises:
            GateError, GateUnavailableError: it was not started.
        """
        for pause in (*_PAUSES, None):
            try:
                return self._gate.start(self._job.run)
            except GateUnavailableError as error:
                if not error.sent:
                    raise
                if pause is None or self._signals.last is not None:
                    say(f"{error.message}; the run may have been started, ending it")
                    self._give_up()
                    raise
                say(f"{error.message}; asking again")
                self._signals.sleep(pause)
        raise AssertionError("the last pause returns or raises")

    def _give_up(self) -> None:
        """End a run that is AUTHORIZED or RUNNING; after this no start of it can succeed."""
        try:
            self._gate.change(CANCEL, {"run": self._job.run})
        except (GateError, GateUnavailableError):
            self._fail("the start was not answered")

    def _supervise(self, started: Standing) -> int:
        """Run the command under the started run and record its end; the status to exit with."""
        begun = time.monotonic()
        say(f"run {self._job.run} is {started.status}")
        if self._signals.last is not None:
            self._fail(f"signal {self._signals.last} before the command was started")
            return 128 + self._signals.last
        try:
            if started.permit is None:
                raise InvalidInputError("the gate gave no permit", code="PERMIT_INVALID")
            self._file.write(started.permit)
            with Renewal(self._file, started.permit, lambda: self._gate.find_run(self._job.run)):
                try:
                    process = subprocess.Popen(self._job.command, env=self._environment())  # noqa: S603 - what it is for
                except OSError as error:
                    self._fail(f"the command cannot be started: {error.strerror}")
                    return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE
                status = self._signals.run(process)
        except BaseException as error:
            self._fail(f"the guard failed: {type(error).__name__}")
            raise
        ended_at = self._end_of(started, time.monotonic() - begun)
        if status == 0:
            return 0 if self._complete(ended_at) else NOT_RECORDED
        self._fail(f"signal {-status}" if status < 0 else f"exit status {status}", ended_at)
        return 128 - status if status < 0 else status

    def _end_of(self, started: Standing, seconds: float) -> str | None:
        """When the command ended, by the gate's clock: whatever ours says, it lies between the start and now."""
        if started.started_at is None or self._job.resume:
            return None
        return (datetime.fromisoformat(started.started_at) + timedelta(seconds=seconds)).isoformat()

    def _environment(self) -> dict[str, str]:
        mine = {name: value for name, value in os.environ.items() if name not in _WITHHELD}
        return mine | {
            "CONSENTLINE_PERMIT": str(self._file.path),
            "CONSENTLINE_RUN": self._job.run,
            "CONSENTLINE_INPUTS": json.dumps([each._asdict() for each in self._job.inputs], ensure_ascii=False),
        }

    def _complete(self, ended_at: str | None) -> bool:
        job = self._job
        command = {"run": job.run, "model": job.model, "version": job.version, "endedAt": ended_at}
        done = self._record(COMPLETE, command)
        if done:
            say(f"run {job.run} is COMPLETED with {model_version_key(job.model, job.version)}")
        return done

    def _fail(self, reason: str, ended_at: str | None = None) -> None:
        if self._record(FAIL, {"run": self._job.run, "reason": reason, "endedAt": ended_at}):
            say(f"run {self._job.run} is FAILED: {reason}")

    def _record(self, mutation: str, command: dict[str, Any]) -> bool:
        """Record the end, trying again while the gate cannot be reached, until the time is up or a signal comes."""
        until, signals = time.monotonic() + self._job.finish_timeout, self._signals.count
        pause = _PAUSES[0]
        while True:
            try:
                self._gate.change(mutation, command)
            except GateUnavailableError as error:
                left = until - time.monotonic()
                if left > 0 and self._signals.count == signals:
                    say(f"{error.message}; trying again for {left:.0f} s")
                    self._signals.sleep(min(pause, left))
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                say(error.message)
            except GateError as error:
                say(f"refused [{error.code}]: {error.message}")
            else:
                return True
            say(f"the end of run {self._job.run} is NOT recorded; send this to {self._gate.url} with a bearer's token:")
            say(as_request(mutation, command))
            return False
