"""The GraphQL over HTTP audit of graphql-http (npm) against the real server."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Api
from tests.node_tools import NODE

AUDITS = 61
NOT_OFFERED = {
    "5A70": "MAY accept application/x-www-form-urlencoded formatted GET requests",
    "D6D5": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting"
    " application/graphql-response+json",
    "6A70": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json",
}
"""Only POST is answered: a person's key in a URL would be written down by every log on its way."""


@pytest.fixture(scope="module")
def results(node_tools: Path, module_api: Api) -> list[dict[str, Any]]:
    address = {"AUDIT_URL": f"{module_api.url}/graphql", "AUDIT_TOKEN": module_api.token()}
    done = subprocess.run(
        ["node", str(node_tools / "audit.mjs")],
        env=os.environ | address,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_audit_was_made(results: list[dict[str, Any]]) -> None:
    assert len(results) == AUDITS
    assert len({result["id"] for result in results}) == AUDITS


def test_every_audit_passes_but_the_optional_ones_of_get(results: list[dict[str, Any]]) -> None:
    missed = {result["id"]: result["name"] for result in results if result["status"] != "ok"}

    assert missed == NOT_OFFERED


def test_no_registry_is_named_in_what_is_committed() -> None:
    lock = json.loads((NODE / "package-lock.json").read_text(encoding="utf-8"))

    assert all("resolved" not in package for package in lock["packages"].values())
