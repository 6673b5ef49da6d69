"""`consentline train-guard` as a team uses it: real processes, real signals, the real service behind real sockets."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from consentline.embedded import Server
from consentline.permits import Signer, verify
from consentline.settings import Settings
from tests.conftest import Api, serving
from tests.e2e.gated import D1, Relay, load_usable_data, policy, relaying, standing, start_run
from tests.e2e.operations import OBJECT, TRAIN, change

COMMAND = (sys.executable, "-m", "consentline", "train-guard")
OPTIONS = ("--run", "r", "--input", "d:1", "--model", "m", "--version", "1")
COMPLETED = ("COMPLETED", None, "m:1")


def python(program: str) -> tuple[str, ...]:
    return sys.executable, "-c", textwrap.dedent(program)


TAKE_TERMINAL = python("""
    import fcntl, os, sys, termios
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.execv(sys.argv[1], sys.argv[1:])
""")


@dataclass
class Guard:
    """Starts guards over d:1 in a folder of their own; without a terminal, so that signals are only ours."""

    url: str
    token: str
    folder: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list[subprocess.Popen[str]])

    def begin(
        self, *command: str, options: tuple[str, ...] = (), terminal: int | None = None, **more: str
    ) -> subprocess.Popen[str]:
        wrapper = () if terminal is None else TAKE_TERMINAL
        mine = {name: value for name, value in os.environ.items() if not name.startswith("CONSENTLINE_")}
        mine |= {
            "CONSENTLINE_HOME": str(self.folder / "home"),
            "CONSENTLINE_TOKEN": self.token,
            "CONSENTLINE_URL": self.url,
            "TMPDIR": str(self.folder),
        }
        process = subprocess.Popen(
            [*wrapper, *COMMAND, *OPTIONS, *options, "--", *command],
            env=mine | more,
            cwd=self.folder,
            stdin=subprocess.PIPE if terminal is None else terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(process)
        return process

    def __call__(self, *command: str, options: tuple[str, ...] = (), **more: str) -> "Done":
        return end(self.begin(*command, options=options, **more))

    @property
    def ran(self) -> bool:
        """Whether the command of `MARK` was run."""
        return (self.folder / "ran").exists()


@dataclass(frozen=True)
class Done:
    """How a guard ended, and what it and its command said."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What the guard said, line by line."""
        assert all(line.startswith("train-guard: ") for line in self.err.splitlines()), self.err
        return [line.removeprefix("train-guard: ") for line in self.err.splitlines()]


MARK = ("touch", "ran")


def end(process: subprocess.Popen[str]) -> Done:
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture(autouse=True)
def _heard() -> Iterator[None]:
    """What is started here hears signals, also when the tests themselves ignore them (nohup, a script's background)."""
    deaf = [each for each in (signal.SIGINT, signal.SIGHUP) if signal.getsignal(each) is signal.SIG_IGN]
    for each in deaf:
        signal.signal(each, signal.SIG_DFL)
    yield
    for each in deaf:
        signal.signal(each, signal.SIG_IGN)


@pytest.fixture
def story(api: Api) -> Api:
    load_usable_data(api)
    return api


@pytest.fixture
def guard(story: Api, tmp_path: Path) -> Iterator[Guard]:
    started = Guard(story.url, story.token("ml"), tmp_path)
    yield started
    for each in started.processes:
        if each.poll() is None:
            os.killpg(each.pid, signal.SIGKILL)
            each.wait(30)
        for stream in (each.stdin, each.stdout, each.stderr):
            if stream is not None:
                stream.close()


@pytest.fixture
def relay(story: Api, guard: Guard) -> Iterator[Relay]:
    with relaying(story.url) as found:
        guard.url = found.url
        yield found


# ---- the life of a run ----------------------------------------------------------------------------------------------

LOOK = python("""
    import json, os, stat, sys
    path = os.environ["CONSENTLINE_PERMIT"]
    print(json.dumps({
        "permit": open(path).read(),
        "modes": [stat.S_IMODE(os.stat(each).st_mode) for each in (path, os.path.dirname(path))],
        "path": path,
        "run": os.environ["CONSENTLINE_RUN"],
        "inputs": json.loads(os.environ["CONSENTLINE_INPUTS"]),
        "names": sorted(name for name in os.environ if name.startswith("CONSENTLINE_")),
        "stdin": sys.stdin.read(),
    }))
""")


def test_a_command_runs_under_a_run_with_a_permit(story: Api, guard: Guard, settings: Settings) -> None:
    secrets = {"CONSENTLINE_TOKEN_SECRET": "x" * 32, "CONSENTLINE_PERMIT_KEY": settings.signing_key()}
    process = guard.begin(*LOOK, CONSENTLINE_NEO4J_PASSWORD="x", **secrets)
    out, err = process.communicate("what the job reads", timeout=120)

    done = Done(process.returncode, out, err)
    seen = json.loads(done.out)
    permit = verify(seen["permit"], Signer(settings.signing_key(), settings.permit_lifetime).public_pem, now())
    assert done.status == 0
    assert (permit.run, [each.ref for each in permit.inputs]) == ("r", [("d", 1)])
    assert (seen["run"], seen["inputs"], seen["stdin"]) == ("r", [D1], "what the job reads")
    assert seen["modes"] == [0o600, 0o700]
    assert seen["names"] == [f"CONSENTLINE_{name}" for name in ("HOME", "INPUTS", "PERMIT", "RUN", "URL")], (
        "neither the token nor any other secret reaches the job"
    )
    assert not Path(seen["path"]).parent.exists()
    assert standing(story) == COMPLETED
    assert done.lines == ["run r is authorised to read d:1", "run r is RUNNING", "run r is COMPLETED with m:1"]


def now() -> datetime:
    return datetime.now(UTC)


def test_the_end_is_when_the_command_ended(story: Api, guard: Guard) -> None:
    assert guard("sleep", "1.5").status == 0

    found = story.data('{ trainingRun(key: "r") { startedAt endedAt } }')["trainingRun"]
    seconds = datetime.fromisoformat(found["endedAt"]) - datetime.fromisoformat(found["startedAt"])
    assert 1.4 < seconds.total_seconds() < 30


def test_a_base_and_a_purpose_are_those_of_the_run(story: Api, guard: Guard) -> None:
    change(story, TRAIN, run="r0", inputs=[D1], startedAt="2025-01-01T00:00:00Z", model="base", version="7")

    done = guard(*MARK, options=("--from", "base:7", "--purpose", "AI_TRAINING"))

    found = story.data('{ trainingRun(key: "r") { purpose startedFrom { key } } }')["trainingRun"]
    assert (done.status, found) == (0, {"purpose": "AI_TRAINING", "startedFrom": [{"key": "base:7"}]})


def test_a_command_that_fails_fails_the_run(story: Api, guard: Guard) -> None:
    done = guard("sh", "-c", "exit 7")

    assert done.status == 7
    assert standing(story) == ("FAILED", "exit status 7", None)
    assert done.lines[-1] == "run r is FAILED: exit status 7"


def test_a_command_that_is_killed_fails_the_run(story: Api, guard: Guard) -> None:
    assert guard("sh", "-c", "kill -KILL $$").status == 137
    assert standing(story) == ("FAILED", "signal 9", None)


@pytest.mark.parametrize(
    ("command", "status", "reason"),
    [
        ("./not-there", 127, "the command cannot be started: No such file or directory"),
        ("./plain", 126, "the command cannot be started: Permission denied"),
    ],
)
def test_a_command_that_cannot_be_started_fails_the_run(
    story: Api, guard: Guard, command: str, status: int, reason: str
) -> None:
    (guard.folder / "plain").write_text("no program")

    assert guard(command).status == status
    assert standing(story) == ("FAILED", reason, None)


def test_options_of_the_command_are_its_own(story: Api, guard: Guard) -> None:
    done = guard("echo", "--run", "other", "--", "--help")

    assert (done.status, done.out) == (0, "--run other -- --help\n")
    assert standing(story) == COMPLETED


# ---- signals --------------------------------------------------------------------------------------------------------

LISTEN = python("""
    import signal, sys, time
    def told(number, frame):
        print("got", number, flush=True)
        sys.exit(9)
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(each, told)
    print("ready", flush=True)
    time.sleep(60)
""")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_goes_to_the_command_which_decides(story: Api, guard: Guard, number: signal.Signals) -> None:
    process = guard.begin(*LISTEN)
    assert read_line(process) == "ready"

    process.send_signal(number)
    done = end(process)

    assert (done.status, done.out) == (9, f"got {number.value}\n")
    assert standing(story) == ("FAILED", "exit status 9", None)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_a_signal_ends_fails_the_run(story: Api, guard: Guard, number: signal.Signals) -> None:
    process = guard.begin("sh", "-c", "echo ready; exec sleep 60")
    assert read_line(process) == "ready"

    process.send_signal(number)

    assert end(process).status == 128 + number
    assert standing(story) == ("FAILED", f"signal {number.value}", None)


COUNT = python("""
    import signal, sys, time
    got = []
    signal.signal(signal.SIGINT, lambda number, frame: got.append(number))
    print("ready", flush=True)
    while not got:
        time.sleep(0.1)
    time.sleep(1)
    sys.exit(10 + len(got))
""")


def test_what_is_typed_reaches_the_command_once(story: Api, guard: Guard) -> None:
    """Ctrl-C goes to every process in the foreground: the guard must not send it a second time."""
    keyboard, terminal = pty.openpty()
    try:
        process = guard.begin(*COUNT, terminal=terminal)
        assert read_line(process) == "ready"

        os.write(keyboard, b"\x03")

        assert end(process).status == 11
        assert standing(story) == ("FAILED", "exit status 11", None)
    finally:
        os.close(terminal)
        os.close(keyboard)


def test_what_is_sent_reaches_the_command_of_a_terminal_too(story: Api, guard: Guard) -> None:
    keyboard, terminal = pty.openpty()
    try:
        process = guard.begin("sh", "-c", "echo ready; exec sleep 60", terminal=terminal)
        assert read_line(process) == "ready"

        process.send_signal(signal.SIGTERM)

        assert end(process).status == 143
    finally:
        os.close(terminal)
        os.close(keyboard)
    assert standing(story) == ("FAILED", "signal 15", None)


def test_what_is_ignored_stays_ignored(story: Api, guard: Guard) -> None:
    """As under nohup: the guard goes on, and so does its command."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        process = guard.begin("sh", "-c", "echo ready; read line; exit 0")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert read_line(process) == "ready"

    os.killpg(process.pid, signal.SIGHUP)
    out, err = process.communicate("go on\n", timeout=60)

    assert (process.returncode, out, "FAILED" in err) == (0, "", False)
    assert standing(story) == COMPLETED


def test_a_signal_between_start_and_command_leaves_the_run_failed(story: Api, guard: Guard, relay: Relay) -> None:
    started: list[subprocess.Popen[str]] = []

    def interrupt(name: str) -> None:
        if name == "Start":
            started[0].send_signal(signal.SIGINT)
            time.sleep(0.3)

    relay.after = interrupt
    started.append(guard.begin(*MARK))
    done = end(started[0])

    assert (done.status, guard.ran) == (130, False)
    assert standing(story) == ("FAILED", "signal 2 before the command was started", None)


def test_a_signal_before_the_start_leaves_the_run_unstarted(story: Api, guard: Guard, relay: Relay) -> None:
    started: list[subprocess.Popen[str]] = []

    def interrupt(name: str) -> None:
        if name == "Authorize":
            started[0].send_signal(signal.SIGTERM)
            time.sleep(0.3)

    relay.after = interrupt
    started.append(guard.begin(*MARK))
    done = end(started[0])

    assert (done.status, guard.ran, "Start" in relay.names) == (143, False, False)
    assert standing(story) == ("AUTHORIZED", None, None)
    relay.after = lambda _name: None
    assert (guard(*MARK).status, standing(story)) == (0, COMPLETED)


# ---- refused --------------------------------------------------------------------------------------------------------


def test_data_that_may_not_be_used_is_not_trained_on(story: Api, guard: Guard) -> None:
    change(story, OBJECT, key="o1", user="u1", receivedAt="2026-11-02T10:00:00Z")

    done = guard(*MARK)

    assert (done.status, guard.ran, standing(story)) == (3, False, None)
    assert done.lines[0].startswith("refused: d:1: OBJECTION_PENDING: 2 posts of d:1 may not be used")
    assert done.lines[0].endswith("(p1, p2, …)")
    assert done.lines[1:] == ["run r is not authorised; the command is not run"]


def test_an_objection_between_authorisation_and_start_is_not_overtaken(story: Api, guard: Guard, relay: Relay) -> None:
    def object_first(name: str) -> None:
        if name == "Start":
            change(story, OBJECT, key="o1", user="u1", receivedAt="2026-11-02T10:00:00Z")

    relay.before = object_first
    done = guard(*MARK)

    assert (done.status, guard.ran) == (3, False)
    assert done.lines[-1].startswith("refused [INELIGIBLE_MEMBERS]: ")
    assert standing(story) == ("AUTHORIZED", None, None)


@pytest.mark.parametrize(("rounds", "status"), [(3, 0), (4, 3)])
def test_members_that_must_be_judged_again_are_authorised_again_three_times(
    story: Api, guard: Guard, relay: Relay, rounds: int, status: int
) -> None:
    versions = iter(range(2, 2 + rounds))

    def renew_the_policy(name: str) -> None:
        version = next(versions, None) if name == "Start" else None
        if version is not None:
            story.ingest(policy(version))

    relay.before = renew_the_policy
    done = guard(*MARK)

    assert (done.status, relay.names.count("Authorize"), relay.names.count("Start")) == (status, 4, 4)
    assert guard.ran == (status == 0)
    assert done.lines.count("run r is authorised to read d:1") == 4
    if status:
        assert done.lines[-1].startswith("refused [RECHECK_NEEDED]: ")
    else:
        assert standing(story) == COMPLETED


@dataclass(frozen=True)
class Case:
    options: tuple[str, ...]
    code: str
    message: str


CASES = (
    Case(("--input", "d:2"), "VERSION_NOT_FOUND", "d:2"),
    Case(("--from", "m:0"), "MODEL_VERSION_NOT_FOUND", "model version m:0 is not recorded"),
    Case(("--run", "recorded"), "RUN_CONFLICT", "run recorded is recorded with other content"),
    Case(("--model", "base", "--version", "7"), "MODEL_VERSION_EXISTS", "model version base:7 is recorded already"),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_what_the_gate_refuses_is_told_with_its_code(story: Api, guard: Guard, case: Case) -> None:
    change(story, TRAIN, run="recorded", inputs=[D1], startedAt="2025-01-01T00:00:00Z", model="base", version="7")

    done = guard(*MARK, options=case.options)

    assert (done.status, guard.ran, standing(story)) == (3, False, None)
    (line,) = done.lines
    assert line.startswith(f"refused [{case.code}]: ")
    assert case.message in line
    assert line.endswith("; the command is not run")


def test_a_run_that_is_over_is_not_run_again(story: Api, guard: Guard) -> None:
    assert guard("sh", "-c", "exit 1").status == 1

    done = guard(*MARK)

    assert (done.status, guard.ran) == (3, False)
    assert done.lines == ["refused: run r is FAILED already; the command is not run"]


def test_a_run_that_is_running_is_only_taken_over_when_that_is_meant(story: Api, guard: Guard) -> None:
    start_run(story)

    done = guard(*MARK)
    assert (done.status, guard.ran, standing(story)) == (3, False, ("RUNNING", None, None))
    assert done.lines == ["refused: run r is RUNNING already; --resume goes on with it; the command is not run"]

    done = guard(*MARK, options=("--resume",))
    assert (done.status, guard.ran, standing(story)) == (0, True, COMPLETED)


# ---- without the service --------------------------------------------------------------------------------------------


def test_without_a_service_nothing_is_run(guard: Guard) -> None:
    done = guard(*MARK, options=("--url", "http://127.0.0.1:9"))

    assert (done.status, guard.ran) == (4, False)
    (line,) = done.lines
    assert line.startswith("http://127.0.0.1:9/graphql cannot be reached: ")
    assert line.endswith("; the command is not run")


def test_a_start_whose_answer_is_lost_is_asked_for_again(story: Api, guard: Guard, relay: Relay) -> None:
    relay.after = lambda name: name != "Start" or relay.names.count("Start") > 1

    done = guard(*MARK)

    assert (done.status, guard.ran, relay.names.count("Start")) == (0, True, 2)
    assert standing(story) == COMPLETED


def test_a_start_that_is_never_answered_leaves_the_run_failed(story: Api, guard: Guard, relay: Relay) -> None:
    relay.after = lambda name: name != "Start"

    done = guard(*MARK)

    assert (done.status, guard.ran) == (4, False)
    assert standing(story) == ("FAILED", "the start was not answered", None)


def test_a_start_that_never_arrives_leaves_the_run_cancelled(story: Api, guard: Guard, relay: Relay) -> None:
    relay.before = lambda name: name != "Start"

    done = guard(*MARK)

    assert (done.status, guard.ran) == (4, False)
    assert standing(story) == ("CANCELLED", None, None)


@pytest.mark.parametrize("status", [0, 6])
def test_an_end_that_cannot_be_recorded_is_tried_again(story: Api, guard: Guard, relay: Relay, status: int) -> None:
    relay.before = lambda name: name not in ("Complete", "Fail") or len(relay.names) > 6

    done = guard("sh", "-c", f"exit {status}")

    assert done.status == status
    assert standing(story) == (COMPLETED if status == 0 else ("FAILED", "exit status 6", None))
    assert any("; trying again for 2" in line for line in done.lines)


def test_an_end_whose_answer_is_lost_is_recorded_once(story: Api, guard: Guard, relay: Relay) -> None:
    relay.after = lambda name: name != "Fail" or relay.names.count("Fail") > 1

    assert guard("sh", "-c", "exit 6").status == 6
    assert standing(story) == ("FAILED", "exit status 6", None)
    assert relay.names.count("Fail") == 2


@pytest.mark.parametrize(("command", "status"), [("exit 0", 5), ("exit 6", 6)])
def test_an_end_that_is_never_recorded_is_told_so_that_it_can_be_sent_by_hand(
    story: Api, guard: Guard, relay: Relay, command: str, status: int
) -> None:
    relay.before = lambda name: name not in ("Complete", "Fail")

    done = guard("sh", "-c", command, options=("--finish-timeout", "1"))

    assert (done.status, standing(story)) == (status, ("RUNNING", None, None))
    assert done.lines[-2].startswith(f"the end of run r is NOT recorded; send this to {relay.url}/graphql")
    answer = story.post("/graphql", "ml", json=json.loads(done.lines[-1])).json()
    assert "errors" not in answer
    assert standing(story) == (COMPLETED if status == 5 else ("FAILED", "exit status 6", None))


def test_a_signal_ends_the_trying(story: Api, guard: Guard, relay: Relay) -> None:
    started: list[subprocess.Popen[str]] = []

    def interrupt(name: str) -> bool:
        if name == "Complete":
            started[0].send_signal(signal.SIGTERM)
        return name != "Complete"

    relay.before = interrupt
    started.append(guard.begin("true"))
    done = end(started[0])

    assert (done.status, relay.names.count("Complete")) == (5, 1)
    assert json.loads(done.lines[-1])["variables"]["input"]["run"] == "r"


def test_an_end_that_the_gate_refuses_is_told(story: Api, guard: Guard, relay: Relay) -> None:
    def record_another(name: str) -> None:
        if name == "Complete":
            change(story, TRAIN, run="r0", inputs=[D1], startedAt="2025-01-01T00:00:00Z", model="m", version="1")

    relay.before = record_another
    done = guard("true")

    assert (done.status, standing(story)) == (5, ("RUNNING", None, None))
    assert done.lines[-3] == "refused [MODEL_VERSION_EXISTS]: model version m:1 is recorded already"


def test_a_terminal_that_went_away_does_not_keep_the_end_from_being_recorded(story: Api, guard: Guard) -> None:
    process = guard.begin("sh", "-c", "echo ready; read line; exit 0")
    assert read_line(process) == "ready"
    assert process.stderr is not None
    assert process.stdin is not None

    process.stderr.close()
    process.stdin.write("go on\n")
    process.stdin.close()

    assert process.wait(60) == 0
    assert standing(story) == COMPLETED


# ---- the permit -----------------------------------------------------------------------------------------------------

WATCH = python("""
    import os, time
    for _ in range(50):
        print(time.time(), open(os.environ["CONSENTLINE_PERMIT"]).read(), flush=True)
        time.sleep(0.2)
""")


def test_the_permit_never_expires_while_the_command_runs(
    guard: Guard, settings: Settings, neo4j_server: Server
) -> None:
    short = settings.model_copy(update={"permit_lifetime_seconds": 5})
    with serving(short, neo4j_server) as url:
        done = guard(*WATCH, options=("--url", url))

    key = Signer(settings.signing_key(), settings.permit_lifetime).public_pem
    seen = [line.split() for line in done.out.splitlines()]
    permits = [verify(token, key, datetime.fromtimestamp(float(at), UTC)) for at, token in seen]
    assert (done.status, len(permits)) == (0, 50)
    assert len({permit.jti for permit in permits}) >= 3


def test_a_run_that_somebody_else_ended_gets_no_further_permit(
    story: Api, guard: Guard, settings: Settings, neo4j_server: Server
) -> None:
    fail = """mutation ($input: FailTrainingInput!) { failTraining(input: $input) {
      trainingRun { status } userErrors { code } } }"""
    short = settings.model_copy(update={"permit_lifetime_seconds": 1})
    with serving(short, neo4j_server) as url:
        process = guard.begin("sh", "-c", "echo ready; read line; exit 3", options=("--url", url))
        assert read_line(process) == "ready"
        change(story, fail, run="r", reason="stopped by hand")
        time.sleep(2)
        out, err = process.communicate("go on\n", timeout=60)

    assert (process.returncode, out) == (3, "")
    lines = Done(3, out, err).lines
    assert lines.count("the run is FAILED: its permit is not renewed") == 1
    assert "refused [RUN_WRONG_STATE]: run r is FAILED; only one that is RUNNING can fail" in lines
    assert standing(story) == ("FAILED", "stopped by hand", None)


def test_the_permit_can_be_kept_where_the_job_s_other_machines_see_it(guard: Guard) -> None:
    file = guard.folder / "permit.jwt"

    process = guard.begin("sh", "-c", "echo $CONSENTLINE_PERMIT; read line", options=("--permit-file", "permit.jwt"))
    assert read_line(process) == str(file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_text().count(".") == 2
    out, _ = process.communicate("\n", timeout=60)

    assert (process.returncode, out, file.exists()) == (0, "", False)


def test_a_permit_file_that_cannot_be_written_is_told_before_anything_is_asked(story: Api, guard: Guard) -> None:
    done = guard(*MARK, options=("--permit-file", "nowhere/permit.jwt"))

    assert (done.status, guard.ran, standing(story)) == (1, False, None)
    path = guard.folder / "nowhere" / "permit.jwt"
    assert done.err == f"error [PERMIT_FILE]: {path} cannot be written: No such file or directory\n"


# ---- how it is called -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--input", "d"), "INVALID_INPUT", "--input is DATASET:NUMBER, such as gb-posts:3"),
        (("--input", "d:0"), "INVALID_INPUT", "--input is DATASET:NUMBER, such as gb-posts:3"),
        (("--version", "1:2"), "VERSION_WITH_COLON", "a version holds no colon"),
        (("--url", "ftp://x"), "INVALID_INPUT", "--url must be the address of a service"),
    ],
)
def test_options_that_are_wrong(guard: Guard, options: tuple[str, ...], code: str, message: str) -> None:
    done = guard(*MARK, options=options)

    assert (done.status, guard.ran) == (1, False)
    assert done.err.startswith(f"error [{code}]: {message}")


@pytest.mark.parametrize(("role", "code"), [("", "SETTINGS"), ("nobody", "TOKEN_INVALID"), ("auditor", "FORBIDDEN")])
def test_a_bearer_who_may_not(story: Api, guard: Guard, role: str, code: str) -> None:
    token = {"": None, "nobody": "hunter2", "auditor": story.token("auditor")}[role]
    if token is None:
        process = subprocess.run(
            [*COMMAND, *OPTIONS, "--", *MARK],
            env={name: value for name, value in os.environ.items() if name != "CONSENTLINE_TOKEN"},
            cwd=guard.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        done = Done(process.returncode, process.stdout, process.stderr)
    else:
        done = guard(*MARK, CONSENTLINE_TOKEN=token)

    assert (done.status, guard.ran, standing(story)) == (1, False, None)
    assert done.err.startswith(f"error [{code}]: ")
    assert token is None or token not in done.err


def test_what_is_no_consentline(guard: Guard) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"<p/>")

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the signature of the library
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        done = guard(*MARK, options=("--url", url))
        server.shutdown()

    assert (done.status, guard.ran) == (1, False)
    assert done.err == f"error [GATE_ANSWER]: {url}/graphql answered 200, and not as Consentline does\n"


def test_a_wrong_place_of_the_service(guard: Guard, story: Api) -> None:
    done = guard(*MARK, options=("--url", f"{story.url}/elsewhere"))

    assert (done.status, guard.ran, done.err) == (1, False, "error [NOT_FOUND]: Not Found\n")
