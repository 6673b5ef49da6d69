"""`consentline demo`: the story of graph_seed/ loaded through the front door, one question asked, one objection filed.

What it prints came back over HTTP from the service that it keeps up until Ctrl-C.
"""

import json
import logging
import shlex
import signal
import socket
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from types import FrameType
from typing import Any

import httpx
import uvicorn
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn

from consentline.app import create_app
from consentline.connection import database
from consentline.domain.access import Role
from consentline.domain.errors import ConsentlineError
from consentline.embedded import Server, console_progress
from consentline.packaged import data_folder
from consentline.settings import Settings
from consentline.story import FrontDoor, load_story
from consentline.web.auth import issue_token

QUESTION = """
query WasThisPostUsed($post: String!) {
  postUsage(post: $post) {
    verdict
    explanation
    uses {
      edges {
        node {
          relation
          usedAt
          modelVersion { key }
          trainingRun { key }
          eligibilityAtUse { eligible reasons policy { key version } }
          path { relation to { __typename ... on DatasetVersion { number dataset { key } }
                              ... on TrainingRun { key } ... on ModelVersion { key } } }
        }
      }
    }
  }
}
"""

OBJECTION = """
mutation SomebodyObjects($input: FileObjectionInput!) {
  fileObjection(input: $input) {
    objection {
      key
      status
      dueAt
      affectedPostCount
      flags { edges { node { modelVersion { key features } status dueAt causeCount affectedPostCount } } }
    }
    userErrors { code message }
  }
}
"""

_TOKEN_LIFETIME = timedelta(hours=8)
_READY_SECONDS = 120.0


class DemoError(ConsentlineError):
    """The demo could not be shown; the message says why."""

    code = "DEMO"


def run_demo(settings: Settings) -> None:
    """Load the story, show a question and an objection with their answers, and serve until Ctrl-C.

    Raises:
        ConsentlineError: whatever keeps it from that; nothing is left running.
    """
    console = Console(highlight=False, soft_wrap=True)
    stopped = threading.Event()

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopped.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ExitStack() as running:
        with console_progress() as report:
            server = running.enter_context(database(settings, report))
        address = running.enter_context(_served(settings.model_copy(update={"introspection": True}), server))
        token = issue_token(settings.signing_secret(), Role.ADMIN, _TOKEN_LIFETIME)
        with httpx.Client(base_url=address, headers={"authorization": f"Bearer {token}"}, timeout=60) as client:
            story = json.loads((data_folder("graph_seed") / "story.json").read_text(encoding="utf-8"))
            _show(console, FrontDoor(client), story, address, token)
        console.print("\nServing until Ctrl-C.")
        stopped.wait()
        console.print("Stopping …")


@contextmanager
def _served(settings: Settings, server: Server) -> Generator[str]:
    """The address of the API, served from a thread of this process for as long as the block lasts."""
    listener = _listen(settings)
    config = uvicorn.Config(create_app(settings, server), log_config=None, access_log=False, lifespan="on")
    logging.getLogger("consentline").setLevel(logging.WARNING)
    api = uvicorn.Server(config)
    thread = threading.Thread(target=api.run, kwargs={"sockets": [listener]}, name="api")
    thread.start()
    try:
        address = f"http://{settings.host}:{listener.getsockname()[1]}"
        _wait_until_ready(address, thread)
        yield address
    finally:
        api.should_exit = True
        thread.join()
        listener.close()


def _listen(settings: Settings) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise DemoError(
            f"port {settings.port} on {settings.host} cannot be used ({error.strerror}); set CONSENTLINE_PORT",
            code="PORT_TAKEN",
        ) from None
    return listener


def _wait_until_ready(address: str, thread: threading.Thread) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and thread.is_alive():
        try:
            if httpx.get(f"{address}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    raise DemoError("the service did not become ready", code="NOT_READY")


def _show(console: Console, door: FrontDoor, story: dict[str, Any], address: str, token: str) -> None:
    loaded = _load(console, door)
    console.print(
        f"\n[bold]{escape(story['title'])}[/bold] ({loaded} new records; the story is in graph_seed/README.md)"
    )
    console.print(f"\nAddress  {address}/graphql\nToken    {token}")
    demo = story["demo"]
    console.rule("Was this post used?", align="left")
    console.print(f'postUsage(post: "{demo["post"]}")\n')
    _show_usage(console, door.ask(QUESTION, {"post": demo["post"]})["postUsage"])
    console.rule("Somebody objects", align="left")
    filed = {name: demo[name] for name in ("user", "receivedAt", "purposes", "channel")} | {"key": demo["objection"]}
    console.print(f'fileObjection(user: "{demo["user"]}", purposes: {json.dumps(demo["purposes"])})\n')
    payload = door.ask(OBJECTION, {"input": filed})["fileObjection"]
    if payload["userErrors"]:
        raise DemoError(json.dumps(payload["userErrors"]))
    _show_objection(console, payload["objection"])
    console.rule("Ask more", align="left")
    body = json.dumps({"query": f'{{ postUsage(post: "{demo["post"]}") {{ verdict explanation }} }}'})
    console.print(
        f"curl -s {address}/graphql -H 'content-type: application/json' "
        f"-H 'authorization: Bearer {token}' -d {shlex.quote(body)}",
        markup=False,
    )


def _load(console: Console, door: FrontDoor) -> int:
    columns = (TextColumn("Loading the story"), BarColumn(), TextColumn("{task.completed}/{task.total} steps"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("", total=None)
        return load_story(
            door, data_folder("graph_seed"), lambda done, total: bars.update(task, completed=done, total=total)
        )


def _show_usage(console: Console, usage: dict[str, Any]) -> None:
    console.print(f"[bold]{usage['verdict']}[/bold]  {escape(usage['explanation'])}")
    for edge in usage["uses"]["edges"]:
        use = edge["node"]
        model = "(no model: the run failed)" if use["modelVersion"] is None else use["modelVersion"]["key"]
        then = use["eligibilityAtUse"]
        policy = "no policy" if then["policy"] is None else f"{then['policy']['key']} v{then['policy']['version']}"
        allowed = "could be used" if then["eligible"] else f"could not be used: {', '.join(then['reasons'])}"
        console.print(f"  {model}  {use['relation']}, read {use['usedAt']}; {allowed} then under {policy}")
        steps = " ".join(f"-{step['relation']}-> {_name(step['to'])}" for step in use["path"])
        console.print(f"    post {steps}", markup=False)


def _name(node: dict[str, Any]) -> str:
    if node["__typename"] == "DatasetVersion":
        return f"{node['dataset']['key']}:{node['number']}"
    return str(node["key"])


def _show_objection(console: Console, objection: dict[str, Any]) -> None:
    console.print(
        f"{objection['key']} is [bold]{objection['status']}[/bold]: to be answered by {objection['dueAt']}; "
        f"{objection['affectedPostCount']} posts in its scope may not be used since the same transaction."
    )
    edges = objection["flags"]["edges"]
    console.print(f"Retraining flags that it raised or joined: {len(edges)}")
    for edge in edges:
        flag = edge["node"]
        serving = ", ".join(flag["modelVersion"]["features"]) or "no feature"
        console.print(
            f"  {flag['modelVersion']['key']} (serves {serving}): {flag['status']}, due {flag['dueAt']}, "
            f"causes: {flag['causeCount']}, posts: {flag['affectedPostCount']}",
            markup=False,
        )
