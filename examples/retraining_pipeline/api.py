"""The calls of this pipeline to Consentline: GraphQL over HTTP by a bearer, and the command line."""

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import httpx


class RefusedError(Exception):
    """Consentline refused; the message has its code."""


class Api:
    """GraphQL over HTTP."""

    def __init__(self, url: str, token: str) -> None:
        self._client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=60)

    def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        """The data of an operation; a mutation's payload with userErrors is a refusal.

        Raises:
            RefusedError: naming the codes.
        """
        answer = self._client.post("/graphql", json={"query": document, "variables": variables}).json()
        refused = list(answer.get("errors", ()))
        for payload in (answer.get("data") or {}).values():
            refused += payload.get("userErrors", ()) if isinstance(payload, dict) else ()
        if refused:
            raise RefusedError("; ".join(f"{_code(each)}: {each['message']}" for each in refused))
        return answer["data"]

    def close(self) -> None:
        """Leave the connection."""
        self._client.close()


def _code(error: Mapping[str, Any]) -> str:
    return error.get("code") or error.get("extensions", {}).get("code", "")


def consentline(*arguments: str, lines: Iterable[bytes] = (), **environment: str) -> str:
    """What a command prints; its standard input are the lines.

    Raises:
        RefusedError: it failed; with what it said.
    """
    done = subprocess.run(
        [sys.executable, "-m", "consentline", *arguments],
        input=b"".join(lines),
        env=os.environ | environment,
        capture_output=True,
        check=False,
    )
    if done.returncode:
        raise RefusedError(f"consentline {arguments[0]}: {done.stderr.decode().strip()}")
    return done.stdout.decode()
