"""A start against what takes its ground away, 1,000 times, over HTTP and against two service processes on one graph.

In every round a run is authorised; then one process is told to start it while the other is told of an objection, or of
consent taken back, each after a random delay. Whichever commits first wins. After a start that won, the members could
be used as known at its commit, and the run is a use; otherwise it was refused, is still AUTHORIZED, and is no use. Both
processes count the members that may not be used exactly. Everything else is an inconsistency, and there must be none.
"""

import asyncio
import json
import random
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from bench.processes import server
from bench.results import record
from consentline.connection import open_service
from consentline.domain.access import Role
from consentline.domain.datasets import Coverage
from consentline.embedded import console_progress, running_server
from consentline.settings import Settings
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.ingest import ingest
from consentline.web.auth import issue_token

ROUNDS = 1_000
PEOPLE = 40
POSTS_EACH = 3
PORTS = (18241, 18242)
MOST_DELAY = 0.02
PURPOSE = "AI_TRAINING"
REFUSALS = {"INELIGIBLE_MEMBERS", "RECHECK_NEEDED"}

AUTHORIZE = """mutation ($run: String!) {
  authorizeTraining(input: {run: $run, inputs: [{dataset: "races", number: 1}]}) {
    trainingRun { status } refusals { reason count } userErrors { code } } }"""
START = "mutation ($run: String!) { startTraining(input: {run: $run}) { trainingRun { status } userErrors { code } } }"
FAIL = """mutation ($run: String!) {
  failTraining(input: {run: $run, reason: "the round is over"}) { trainingRun { status } userErrors { code } } }"""
CANCEL = (
    "mutation ($run: String!) { cancelTraining(input: {run: $run}) { trainingRun { status } userErrors { code } } }"
)
OBJECT = """mutation ($key: String!, $user: String!, $at: DateTime!) {
  fileObjection(input: {key: $key, user: $user, receivedAt: $at}) { objection { status } userErrors { code } } }"""
WITHDRAW = """mutation ($key: String!) {
  withdrawObjection(input: {key: $key}) { objection { status } userErrors { code } } }"""
STATE = """query ($run: String!, $post: String!) {
  trainingRun(key: $run) { status startedAt }
  datasetVersion(dataset: "races", number: 1) { ineligibleCount }
  eligibility(post: $post) { reasons }
  postUsage(post: $post) { verdict }
  lineage(kind: TRAINING_RUN, key: $run, direction: UPSTREAM, maxDepth: 1) { edges { relation } }
}"""
AT_START = """query ($post: String!, $at: DateTime!, $known: DateTime!) {
  eligibility(post: $post, at: $at, knownAt: $known) { eligible } }"""


@dataclass
class Outcome:
    """What came of the rounds; `won` counts them by kind and by what committed first."""

    won: Counter[str] = field(default_factory=Counter[str])
    refusals: Counter[str] = field(default_factory=Counter[str])
    inconsistencies: list[str] = field(default_factory=list[str])


def main() -> None:
    """Run the rounds, print and record what came of them."""
    with tempfile.TemporaryDirectory(prefix="consentline-bench-") as folder:
        home = Path(folder)
        settings = Settings(home=home / "home")
        with console_progress() as report, running_server(settings, report=report) as neo4j, ExitStack() as stack:
            asyncio.run(_prepare(settings))
            environment = {
                "CONSENTLINE_HOME": str(settings.home),
                "CONSENTLINE_NEO4J_URI": neo4j.uri,
                "CONSENTLINE_NEO4J_USER": neo4j.user,
                "CONSENTLINE_NEO4J_PASSWORD": neo4j.password,
            }
            for port in PORTS:
                serve = ["consentline", "serve", "--port", str(port)]
                ready = f"http://127.0.0.1:{port}/healthz"
                stack.enter_context(server(serve, environment, ready, home / f"service-{port}.log"))
            token = issue_token(settings.signing_secret(), Role.ADMIN, timedelta(hours=2))
            begin = time.perf_counter()
            try:
                outcome = asyncio.run(_rounds(token))
            except RuntimeError:
                for log in sorted(home.glob("*.log")):
                    print(f"== {log.name}", *log.read_text().splitlines()[-40:], sep="\n")
                raise
            seconds = time.perf_counter() - begin
    starts = outcome.won["objection: start"] + outcome.won["consent: start"]
    refused = ROUNDS - starts
    print(f"{ROUNDS} rounds in {seconds:.0f} s: {starts} starts won, {refused} were refused {dict(outcome.refusals)}")
    print(f"inconsistencies: {len(outcome.inconsistencies)}  goal 0: {'MISSED' if outcome.inconsistencies else 'met'}")
    for each in outcome.inconsistencies[:10]:
        print(f"  {each}")
    record(
        "gate-races",
        {
            "rounds": ROUNDS,
            "processes": len(PORTS),
            "seconds": seconds,
            "starts_won": starts,
            "objections_won": outcome.won["objection: objection"],
            "withdrawals_won": outcome.won["consent: consent"],
            "refusals": dict(outcome.refusals),
            "inconsistencies": len(outcome.inconsistencies),
            "goal": {"inconsistencies": 0},
        },
    )


async def _prepare(settings: Settings) -> None:
    """People who consented, and one dataset of their posts, all of which may be used."""
    people = [f"user:{number}" for number in range(PEOPLE)]
    policy = {"key": "gb", "version": 1, "jurisdiction": "GB", "purpose": PURPOSE, "lawful_basis": "CONSENT"}
    more = {"effective_from": "2020-01-01T00:00:00Z", "notice_required": False}
    records: list[dict[str, Any]] = [{"kind": "policy", **policy, **more}]
    for person in people:
        records.append({"kind": "user", "key": person, "jurisdiction": "GB", "adult_from": "1990-01-01"})
        records.append(_consent(person, "GIVEN", "2024-01-01T00:00:00Z"))
        records += [_post(person, number) for number in range(POSTS_EACH)]

    async def lines() -> AsyncIterator[bytes]:
        yield b"".join(json.dumps(each).encode() + b"\n" for each in records)

    async with open_service(settings) as service:
        summary = await ingest(service, lines(), on_reject=lambda rejection: print(rejection))
        assert summary.rejected == 0
        posts = tuple(f"{person}:{number}" for person in people for number in range(POSTS_EACH))
        await register_version(service, RegisterVersion("races", Coverage.COMPLETE, posts=posts))


def _post(person: str, number: int) -> dict[str, Any]:
    described = {"platform": "FACEBOOK", "post_kind": "POST", "visibility": "PUBLIC"}
    published = {"published_at": "2024-01-01T00:00:00Z"}
    return {"kind": "post", "key": f"{person}:{number}", "author": person, **described, **published}


def _consent(person: str, status: str, since: str) -> dict[str, Any]:
    return {"kind": "consent", "user": person, "purpose": PURPOSE, "status": status, "valid_from": since}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")


def _delay() -> float:
    return random.uniform(0, MOST_DELAY)  # noqa: S311 - spreads the race


class _Process:
    """A service process, spoken to over HTTP."""

    def __init__(self, port: int, token: str) -> None:
        headers = {"authorization": f"Bearer {token}"}
        self.client = httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        answer = (await self.client.post("/graphql", json={"query": document, "variables": variables})).json()
        if "errors" in answer:
            raise RuntimeError(answer["errors"])
        return answer["data"]

    async def change(self, document: str, **variables: Any) -> dict[str, Any]:
        (payload,) = (await self.ask(document, **variables)).values()
        return payload

    async def tell(self, told: dict[str, Any]) -> None:
        headers = {"content-type": "application/x-ndjson"}
        answer = await self.client.post("/ingest", content=json.dumps(told).encode(), headers=headers)
        if answer.json()["rejected"]:
            raise RuntimeError(answer.text)


async def _rounds(token: str) -> Outcome:
    outcome = Outcome()
    processes = [_Process(port, token) for port in PORTS]
    try:
        head_start = 0.0
        for number in range(ROUNDS):
            random.shuffle(processes)
            started = await _round(number, processes[0], processes[1], head_start, outcome)
            # The loser of a round begins a little earlier in the next, so that both orders come up.
            head_start += 0.002 if started else -0.002
    finally:
        for process in processes:
            await process.client.aclose()
    return outcome


async def _round(number: int, one: _Process, other: _Process, head_start: float, outcome: Outcome) -> bool:
    """One race; whether the start won. The start is held back by `head_start` seconds, or the other when negative."""
    run, person = f"run:{number}", f"user:{number % PEOPLE}"
    kind = ("objection", "consent")[number % 2]
    authorized = await one.change(AUTHORIZE, run=run)
    if authorized["refusals"] or authorized["userErrors"]:
        outcome.inconsistencies.append(f"round {number}: all may be used, but the run was refused: {authorized}")
        return False

    async def start() -> dict[str, Any]:
        await asyncio.sleep(_delay() + max(0.0, head_start))
        return await one.change(START, run=run)

    async def take_away() -> None:
        await asyncio.sleep(_delay() + max(0.0, -head_start))
        if kind == "objection":
            payload = await other.change(OBJECT, key=f"objection:{number}", user=person, at=_now())
            assert not payload["userErrors"], payload
        else:
            await other.tell(_consent(person, "WITHDRAWN", _now()))

    payload, _ = await asyncio.gather(start(), take_away())
    codes = {error["code"] for error in payload["userErrors"]}
    outcome.won[f"{kind}: {kind if codes else 'start'}"] += 1
    outcome.refusals.update(codes)
    found = [await _check(process, run, person, codes) for process in (one, other)]
    again = await other.change(AUTHORIZE, run=run)
    if bool(again["refusals"]) is not bool(codes):
        found.append([f"authorised again: {again}"])
    await one.change(CANCEL if codes else FAIL, run=run)
    if kind == "objection":
        await one.change(WITHDRAW, key=f"objection:{number}")
    else:
        await one.tell(_consent(person, "GIVEN", _now()))
    outcome.inconsistencies += [f"round {number} ({kind}): {each}" for some in found for each in some]
    return not codes


async def _check(process: _Process, run: str, person: str, codes: set[str]) -> list[str]:
    """What one process says that does not fit how the race ended."""
    post = f"{person}:0"
    state = await process.ask(STATE, run=run, post=post)
    recorded, used = state["trainingRun"], bool(state["lineage"]["edges"])
    found: list[str] = []
    if not codes <= REFUSALS:
        found.append(f"refused with {codes}")
    if (recorded["status"], used) != (("AUTHORIZED", False) if codes else ("RUNNING", True)):
        found.append(f"{codes or 'started'}, but {recorded}, used: {used}")
    if not state["eligibility"]["reasons"] or state["datasetVersion"]["ineligibleCount"] != POSTS_EACH:
        found.append(f"counted {state['datasetVersion']}, {state['eligibility']}")
    if not codes:
        at = recorded["startedAt"]
        known = await process.ask(AT_START, post=post, at=at, known=at)
        if not known["eligibility"]["eligible"]:
            found.append(f"a member could not be used as known at the start, {at}")
    return found


if __name__ == "__main__":
    main()
