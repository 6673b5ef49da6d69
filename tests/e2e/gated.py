"""What tests of the gate's clients share: data that may be trained on, and a relay that can meddle with requests."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from tests.conftest import Api
from tests.e2e.operations import REGISTER, change, post, record

RUN = "trainingRun { key status startedAt endedAt failReason produced { key } permit }"
MUTATION = """mutation ($input: %sInput!) { %s(input: $input) { %s userErrors { code message path } } }"""
AUTHORIZE = MUTATION % ("AuthorizeTraining", "authorizeTraining", RUN)
START = MUTATION % ("StartTraining", "startTraining", f"permit {RUN}")
COMPLETE = MUTATION % ("CompleteTraining", "completeTraining", f"permit {RUN}")
FIND = f"query ($run: String!) {{ {RUN.replace('trainingRun', 'trainingRun(key: $run)')} }}"

D1 = {"dataset": "d", "number": 1}


def policy(version: int = 1) -> str:
    """A policy under which adults' public posts may be used without a notice."""
    return record(
        "policy",
        key="gb",
        version=version,
        jurisdiction="GB",
        purpose="AI_TRAINING",
        lawful_basis="LEGITIMATE_INTERESTS",
        notice_required=False,
        assessment="dpia",
        effective_from="2020-01-01T00:00:00Z",
    )


def load_usable_data(api: Api) -> None:
    """d:1 holds two posts of u1 and one of u2; all may be used."""
    people = (record("user", key=key, jurisdiction="GB", adult_from="1990-01-01") for key in ("u1", "u2"))
    answer = api.ingest(policy(), *people, post("p1", "u1"), post("p2", "u1"), post("p3", "u2"))
    assert answer["rejected"] == 0, answer
    change(api, REGISTER, dataset="d", title="A dataset", coverage="COMPLETE", posts=["p1", "p2", "p3"])


def start_run(api: Api, run: str = "r") -> str:
    """Start a run over d:1; its permit."""
    change(api, AUTHORIZE, run=run, inputs=[D1])
    permit = change(api, START, run=run)["permit"]
    assert isinstance(permit, str)
    return permit


def find_run(api: Api, run: str = "r", role: str = "admin") -> dict[str, Any] | None:
    """The run as the API shows it."""
    return api.data(FIND, {"run": run}, role)["trainingRun"]


def standing(api: Api, run: str = "r") -> tuple[str, str | None, str | None] | None:
    """Status, reason of failure, and the key of the product."""
    found = find_run(api, run)
    return None if found is None else (found["status"], found["failReason"], (found["produced"] or {}).get("key"))


@dataclass
class Relay:
    """Hands requests on to the real service; `before` and `after` run around each, told its operation's name.

    What they answer with False is dropped there: the request before it arrives, or the service's answer to it.
    """

    target: str
    url: str = ""
    before: Callable[[str], bool | None] = lambda _name: None
    after: Callable[[str], bool | None] = lambda _name: None
    names: list[str] = field(default_factory=list[str])


@contextmanager
def relaying(target: str) -> Generator[Relay]:
    """A relay to the service at the address."""
    relay = Relay(target)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            name = json.loads(body)["query"].split()[1].partition("(")[0]
            relay.names.append(name)
            if relay.before(name) is False:
                return
            headers = {each: self.headers[each] for each in ("Authorization", "Content-Type", "Accept")}
            answer = httpx.post(f"{relay.target}{self.path}", content=body, headers=headers, timeout=60)
            if relay.after(name) is False:
                return
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the signature of the library
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    relay.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield relay
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
