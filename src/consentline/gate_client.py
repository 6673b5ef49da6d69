"""The training gate as a client sees it: GraphQL over HTTP, by a bearer who may start runs."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import httpx

from consentline.domain.datasets import VersionRef
from consentline.domain.errors import ConsentlineError

_TIMEOUT_SECONDS = 30.0
# Request Timeout, Too Early, Too Many Requests: of something between us and the gate.
_LATER = (408, 425, 429)
_UNAVAILABLE = ("DATABASE_UNAVAILABLE", "INTERNAL")
_RUN = "trainingRun { status startedAt }"
_ERRORS = "userErrors { code message }"
AUTHORIZE = f"""mutation Authorize($input: AuthorizeTrainingInput!) {{
  authorizeTraining(input: $input) {{
    {_RUN} {_ERRORS}
    refusals {{ reason count samplePosts message datasetVersion {{ number dataset {{ key }} }} }}
  }}
}}"""
START = f"""mutation Start($input: StartTrainingInput!) {{
  startTraining(input: $input) {{ {_RUN} permit {_ERRORS} }}
}}"""
COMPLETE = f"""mutation Complete($input: CompleteTrainingInput!) {{
  completeTraining(input: $input) {{ {_RUN} {_ERRORS} }}
}}"""
FAIL = f"""mutation Fail($input: FailTrainingInput!) {{
  failTraining(input: $input) {{ {_RUN} {_ERRORS} }}
}}"""
CANCEL = f"""mutation Cancel($input: CancelTrainingInput!) {{
  cancelTraining(input: $input) {{ {_RUN} {_ERRORS} }}
}}"""
PERMIT = "query Permit($run: String!) { trainingRun(key: $run) { status permit } }"
PRODUCT = "query Product($key: String!) { modelVersion(key: $key) { key } }"


class GateError(ConsentlineError):
    """The gate refused, or what answered is no gate; the code is the gate's where it gave one."""

    code = "GATE_ANSWER"


class GateRefusedError(GateError):
    """The gate understood and refused: a userError; nothing was changed."""


class GateUnavailableError(ConsentlineError):
    """The gate cannot be reached, or cannot work now; `sent`: it may have done what was asked all the same."""

    code = "GATE_UNAVAILABLE"

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Refusal:
    """What stands against an input."""

    version: VersionRef
    reason: str | None
    count: int
    sample_posts: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a run stands, and its permit when it was asked for and there is one."""

    status: str
    started_at: str | None = None
    permit: str | None = None


class GateClient:
    """Asks the gate at an address; may be used by several threads."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/").removesuffix("/graphql") + "/graphql"
        self._http = httpx.Client(
            timeout=_TIMEOUT_SECONDS, headers={"Authorization": f"Bearer {token}", "Accept": "application/json"}
        )

    def close(self) -> None:
        """Leave the connections."""
        self._http.close()

    def authorize(
        self, run: str, inputs: Sequence[VersionRef], started_from: Sequence[str], purpose: str
    ) -> Standing | tuple[Refusal, ...]:
        """The authorised run, or what stands against it.

        Raises:
            GateRefusedError: for another reason, with its code.
            GateUnavailableError: nobody knows.
        """
        command = {
            "run": run,
            "inputs": [each._asdict() for each in inputs],
            "startedFrom": list(started_from),
            "purpose": purpose,
        }
        payload = self._change(AUTHORIZE, command)
        if payload["trainingRun"] is not None and not payload["refusals"]:
            return _standing(payload)
        return tuple(
            Refusal(
                VersionRef(each["datasetVersion"]["dataset"]["key"], each["datasetVersion"]["number"]),
                each["reason"],
                each["count"],
                tuple(each["samplePosts"]),
                each["message"],
            )
            for each in payload["refusals"]
        )

    def start(self, run: str) -> Standing:
        """The started run with its permit.

        Raises:
            GateRefusedError: with its code.
            GateUnavailableError: nobody knows; asking again is safe.
        """
        return _standing(self._change(START, {"run": run}))

    def change(self, mutation: str, command: dict[str, Any]) -> Standing:
        """The run after COMPLETE, FAIL or CANCEL; asking again is safe.

        Raises:
            GateRefusedError: with its code.
            GateUnavailableError: nobody knows.
        """
        return _standing(self._change(mutation, command))

    def find_run(self, run: str) -> Standing | None:
        """The run with a fresh permit, if it is RUNNING; None when it is not recorded.

        Raises:
            GateError, GateUnavailableError: as ever.
        """
        found = self._ask(PERMIT, {"run": run})["trainingRun"]
        return None if found is None else Standing(found["status"], None, found["permit"])

    def has_model_version(self, key: str) -> bool:
        """Whether the model version is recorded.

        Raises:
            GateError, GateUnavailableError: as ever.
        """
        return self._ask(PRODUCT, {"key": key})["modelVersion"] is not None

    def _change(self, mutation: str, command: dict[str, Any]) -> dict[str, Any]:
        (payload,) = self._ask(mutation, {"input": command}).values()
        for error in payload["userErrors"]:
            raise GateRefusedError(error["message"], code=error["code"])
        return payload

    def _ask(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        try:
            response = self._http.post(self.url, json={"query": query, "variables": variables})
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise GateUnavailableError(f"{self.url} cannot be reached: {error}", sent=False) from None
        except httpx.TransportError as error:
            told = str(error) or type(error).__name__
            raise GateUnavailableError(f"{self.url} did not answer: {told}", sent=True) from None
        data, errors = _answer(response)
        code, message = errors[0] if errors else ("", "")
        if response.status_code >= 500 or response.status_code in _LATER or code in _UNAVAILABLE:
            raise GateUnavailableError(f"{self.url} answered {response.status_code} {code}".rstrip(), sent=True)
        if errors:
            raise GateError(message, code=code)
        if data is None:
            raise GateError(f"{self.url} answered {response.status_code}, and not as Consentline does")
        return data


def as_request(mutation: str, command: dict[str, Any]) -> str:
    """The body that asks for a change, on one line, as it would be sent by hand."""
    return json.dumps({"query": " ".join(mutation.split()), "variables": {"input": command}}, ensure_ascii=False)


def _answer(response: httpx.Response) -> tuple[dict[str, Any] | None, list[tuple[str, str]]]:
    """The data, and the codes and messages of the errors; neither when it is no GraphQL answer."""
    try:
        answer: Any = response.json()
        errors = [(str(each["extensions"]["code"]), str(each["message"])) for each in answer.get("errors", ())]
        data = answer.get("data")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, []
    return (cast("dict[str, Any]", data) if isinstance(data, dict) else None), errors


def _standing(payload: dict[str, Any]) -> Standing:
    run = payload["trainingRun"]
    return Standing(run["status"], run["startedAt"], payload.get("permit"))
