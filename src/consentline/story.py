"""Loads a story of records and operations (graph_seed/) through the front door: POST /ingest and POST /graphql."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from consentline.domain.errors import ConsentlineError


class StoryError(ConsentlineError):
    """A step of the story was not answered as a story that loads is; the message names the step."""

    code = "STORY"


class FrontDoor:
    """A client of the public API, as anybody with a token would write it."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def ask(self, document: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The `data` of one GraphQL operation.

        Raises:
            StoryError: the answer has errors, or is not GraphQL's.
        """
        response = self._client.post("/graphql", json={"query": document, "variables": dict(variables or {})})
        answer = _body(response)
        if not response.is_success or answer.get("errors"):
            raise StoryError(f"/graphql answered {response.status_code}: {json.dumps(answer.get('errors'))}")
        return answer["data"]

    def ingest(self, records: bytes) -> dict[str, Any]:
        """Counts of what became of the records (NDJSON).

        Raises:
            StoryError: the answer is not 200.
        """
        headers = {"content-type": "application/x-ndjson"}
        response = self._client.post("/ingest", content=records, headers=headers)
        if not response.is_success:
            raise StoryError(f"/ingest answered {response.status_code}: {response.text}")
        return _body(response)


def load_story(door: FrontDoor, folder: Path, report: Callable[[int, int], None] | None = None) -> int:
    """Load every step of `folder`/story.json in order and answer how many records were new; repeating changes nothing.

    `report` is told how many steps of how many are done.

    Raises:
        StoryError: a line or an operation was refused that the story expects to be taken.
    """
    steps = json.loads((folder / "story.json").read_text(encoding="utf-8"))["steps"]
    accepted = 0
    for number, step in enumerate(steps, start=1):
        if "ingest" in step:
            counts = door.ingest((folder / step["ingest"]).read_bytes())
            if counts["rejected"]:
                raise StoryError(f"{step['ingest']}: {json.dumps(counts['errors'])}")
            accepted += counts["accepted"]
        else:
            document = (folder / step["mutation"]).read_text(encoding="utf-8")
            (payload,) = door.ask(document, step["variables"]).values()
            repeated = step.get("onRepeat") == "REFUSED_UNCHANGED"
            if payload["userErrors"] and not repeated:
                raise StoryError(f"step {number}, {step['mutation']}: {json.dumps(payload['userErrors'])}")
        if report is not None:
            report(number, len(steps))
    return accepted


def _body(response: httpx.Response) -> dict[str, Any]:
    try:
        return response.json()
    except ValueError:
        raise StoryError(f"the answer {response.status_code} is not JSON") from None
