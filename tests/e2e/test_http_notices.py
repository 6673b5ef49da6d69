"""Notice coverage for whoever may see figures; the campaign as a stream for whoever sends notices."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any, LiteralString
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.types import Message

from consentline.domain.datasets import DatasetVersion
from consentline.domain.training import TrainingRun
from consentline.embedded import Server
from consentline.gql.documents import TrustedDocuments
from consentline.gql.execution import Engine
from consentline.gql.schema import build_schema
from consentline.settings import Settings
from consentline.usecases import notices
from consentline.usecases.feed import Feed
from consentline.usecases.service import Service
from consentline.web.endpoint import Endpoint
from consentline.web.rates import Rates
from consentline.web.routes import build_routes
from tests.conftest import SECRET, Api, connect
from tests.e2e.operations import only_error, record
from tests.e2e.proxy import Proxy, proxied

AT = "2026-11-01T00:00:00Z"
AI = "AI_TRAINING"


def policy(key: str = "gb", **more: Any) -> str:
    given = {"version": 1, "jurisdiction": "GB", "purpose": AI, "lawful_basis": "LEGITIMATE_INTERESTS"}
    return record("policy", key=key, **given | {"effective_from": "2020-01-01T00:00:00Z"} | more)


def notice() -> str:
    return record("notice", key="n", version=1, purpose=AI, channel="IN_APP", published_at="2026-01-01T00:00:00Z")


def served(user: str, when: str, **more: str) -> str:
    return record("notice_served", user=user, notice="n", version=1, served_at=when, **more)


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    """Six people, of whom three were served a notice, and one lives where nothing governs."""
    users = [record("user", key=key, jurisdiction="GB") for key in ("ana", "ben", "cai", "dee", "eli")]
    told = module_api.ingest(
        policy(objection_window_days=30),
        policy("soon", effective_from="2026-12-01T00:00:00Z", jurisdiction="FR"),
        notice(),
        *users,
        record("user", key="fay", jurisdiction="FR"),
        served("ana", "2026-10-30T12:00:00Z", seen_at="2026-10-31T12:00:00Z"),
        served("ben", "2026-10-30T13:00:00Z"),
        served("cai", "2026-01-01T00:00:00Z", seen_at="2026-01-01T00:00:00Z"),
    )
    assert told["rejected"] == 0, told
    return module_api


COVERAGE = """
query ($policy: String! = "gb", $version: Int! = 1, $at: DateTime, $knownAt: DateTime, $days: Int! = 3) {
  noticeCoverage(policy: $policy, version: $version, at: $at, knownAt: $knownAt) {
    policy { key version } at people served seen windowOpen notServed byDay(days: $days) { day served seen }
  }
}
"""

# ---- coverage -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["compliance", "service", "auditor", "admin"])
def test_the_figures_for_roles_that_may(story: Api, role: str) -> None:
    assert story.data(COVERAGE, {"at": AT}, role)["noticeCoverage"] == {
        "policy": {"key": "gb", "version": 1},
        "at": AT,
        "people": 5,
        "served": 3,
        "seen": 2,
        "windowOpen": 2,
        "notServed": 2,
        "byDay": [
            {"day": "2026-10-30", "served": 2, "seen": 0},
            {"day": "2026-10-31", "served": 0, "seen": 1},
            {"day": "2026-11-01", "served": 0, "seen": 0},
        ],
    }


def test_machine_learning_sees_no_figures(story: Api) -> None:
    answer = story.graphql(COVERAGE, {}, "ml")

    assert only_error(answer) == ("FORBIDDEN", "the role ml may not read people", ["noticeCoverage"])


@pytest.mark.parametrize(
    "asked", [{"policy": "x"}, {"version": 2}, {"knownAt": "2020-01-01T00:00:00Z"}], ids=lambda asked: str(asked)
)
def test_a_policy_that_is_not_recorded_is_null(story: Api, asked: dict[str, Any]) -> None:
    assert story.data(COVERAGE, asked) == {"noticeCoverage": None}


def test_thirty_days_are_listed_when_none_are_asked_for(story: Api) -> None:
    query = '{ noticeCoverage(policy: "gb", version: 1) { at knownAt byDay { day } } }'

    found = story.data(query)["noticeCoverage"]

    assert len(found["byDay"]) == 30
    assert found["at"] == found["knownAt"]


@pytest.mark.parametrize("days", [0, 367])
def test_days_out_of_range_are_refused(story: Api, days: int) -> None:
    answer = story.graphql(COVERAGE, {"days": days})

    assert only_error(answer) == ("OUT_OF_RANGE", "days is between 1 and 366", ["noticeCoverage", "byDay"])
    assert answer["errors"][0]["extensions"]["argument"] == "days"


def test_a_future_recorded_time_is_refused(story: Api) -> None:
    answer = story.graphql(COVERAGE, {"knownAt": "2999-01-01T00:00:00Z"})

    assert only_error(answer) == ("KNOWN_AT_IN_FUTURE", "knownAt lies in the future", ["noticeCoverage"])


# ---- the campaign ---------------------------------------------------------------------------------------------------

CAMPAIGN = "/notices/campaign"
BODY = {"policy": "gb", "version": 1}


def refused(response: httpx.Response) -> tuple[int, str, str]:
    (error,) = response.json()["errors"]
    return response.status_code, error["extensions"]["code"], error["message"]


def lines(response: httpx.Response) -> list[dict[str, Any]]:
    assert (response.status_code, response.headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in response.text.splitlines()]


@pytest.mark.parametrize("role", ["service", "admin"])
def test_the_campaign_for_roles_that_may(story: Api, role: str) -> None:
    *people, last = lines(story.post(CAMPAIGN, role, json=BODY))

    assert sorted(each["user"] for each in people) == ["dee", "eli"]
    assert last == {"end": True, "people": 2}


def test_a_campaign_ahead_of_a_policy(story: Api) -> None:
    asked = {"policy": "soon", "version": 1}

    assert lines(story.post(CAMPAIGN, json=asked)) == [{"end": True, "people": 0}]
    ahead = lines(story.post(CAMPAIGN, json=asked | {"at": "2026-12-01T01:00:00+01:00"}))
    assert ahead == [{"user": "fay"}, {"end": True, "people": 1}]


@pytest.mark.parametrize("role", ["ml", "compliance", "auditor"])
def test_roles_that_may_not_see_the_list(story: Api, role: str) -> None:
    answer = story.post(CAMPAIGN, role, json=BODY)

    assert refused(answer) == (403, "FORBIDDEN", f"the role {role} may not export notice campaigns")


def test_a_token_is_needed(story: Api) -> None:
    late = {"Authorization": f"Bearer {story.token('service', timedelta(hours=-1))}"}

    missing = refused(story.post(CAMPAIGN, None, json=BODY))
    expired = refused(story.post(CAMPAIGN, None, json=BODY, headers=late))

    assert missing == (401, "TOKEN_MISSING", "send a token: Authorization: Bearer …")
    assert expired == (401, "TOKEN_EXPIRED", "the token has expired")


BAD_BODIES: dict[str, tuple[bytes, str, str]] = {
    "not JSON": (b"{", "BAD_REQUEST", "the body is not JSON in UTF-8"),
    "not UTF-8": (b'{"policy":"\xff"}', "BAD_REQUEST", "the body is not JSON in UTF-8"),
    "an array": (b"[]", "BAD_REQUEST", "the body is not an object with a policy and its version"),
    "no policy": (b'{"version":1}', "BAD_REQUEST", "policy is missing, or is not a string"),
    "a number": (b'{"policy":1,"version":1}', "BAD_REQUEST", "policy is missing, or is not a string"),
    "no version": (b'{"policy":"gb"}', "BAD_REQUEST", "version is missing, or is not an integer"),
    "text": (b'{"policy":"gb","version":"1"}', "BAD_REQUEST", "version is missing, or is not an integer"),
    "a truth": (b'{"policy":"gb","version":true}', "BAD_REQUEST", "version is missing, or is not an integer"),
    "a time that is a number": (b'{"policy":"gb","version":1,"at":1}', "BAD_REQUEST", "at is not a string"),
    "another field": (
        b'{"policy":"gb","version":1,"role":"x"}',
        "BAD_REQUEST",
        "the body has a field that is none of at, policy, version",
    ),
    "no time": (
        b'{"policy":"gb","version":1,"at":"now"}',
        "INVALID_TIME",
        "at is not a time such as 2025-01-01T00:00:00Z",
    ),
    "no offset": (
        b'{"policy":"gb","version":1,"at":"2026-01-01T00:00:00"}',
        "TIME_WITHOUT_OFFSET",
        "at has no offset: write Z or +01:00 after the time",
    ),
    "an unknown policy": (
        b'{"policy":"x","version":1}',
        "POLICY_NOT_FOUND",
        "no such version of the policy is recorded",
    ),
    "an unknown version": (
        b'{"policy":"gb","version":2}',
        "POLICY_NOT_FOUND",
        "no such version of the policy is recorded",
    ),
}


@pytest.mark.parametrize(("body", "code", "message"), BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_asks_for_nothing_is_refused(story: Api, body: bytes, code: str, message: str) -> None:
    answer = story.post(CAMPAIGN, "service", content=body, headers={"Content-Type": "application/json"})

    assert refused(answer) == (400, code, message)


def test_other_content_is_refused(story: Api) -> None:
    text = story.post(CAMPAIGN, content=b"{}", headers={"Content-Type": "text/plain"})
    large = story.post(CAMPAIGN, content=b" " * 20_000, headers={"Content-Type": "application/json"})
    read = story.client.get(CAMPAIGN, headers={"Authorization": f"Bearer {story.token()}"})

    assert refused(text) == (415, "UNSUPPORTED_MEDIA_TYPE", "send application/json")
    assert refused(large) == (413, "BODY_TOO_LARGE", "the body has more than 16384 bytes")
    assert refused(read)[:2] == (405, "METHOD_NOT_ALLOWED")


# ---- long streams ---------------------------------------------------------------------------------------------------

MANY, SOME, SHARED = 25_000, 5_000, 500

CROWD: LiteralString = """
UNWIND range($begin, $begin + 4999) AS i
CREATE (:User {key: 'crowd' + i})-[:KNOWN]->(:UserFact {
  field: 'jurisdiction', value: ['GB', 'GB-ENG'][i % 2], valid_from: 0, recorded_at: i / $shared})
"""


async def gather(api: Api, people: int) -> None:
    """People whom no notice reached; 500 of them share a recorded time."""
    for begin in range(0, people, 5_000):
        arguments = {"begin": begin, "shared": SHARED}
        await api.service.graph.write(lambda tx, arguments=arguments: tx.rows(CROWD, **arguments))


@pytest.fixture
def crowd(api: Api) -> Api:
    """More people than a page holds."""
    api.ingest(policy())
    api.run(gather(api, SOME))
    return api


def test_a_long_stream_arrives_whole(api: Api) -> None:
    api.ingest(policy())
    api.run(gather(api, MANY))
    headers = {"Authorization": f"Bearer {api.token('service')}"}
    people: set[str] = set()

    with api.client.stream("POST", CAMPAIGN, json=BODY, headers=headers) as answer:
        told = (json.loads(line) for line in answer.iter_lines())
        last = next(each for each in told if not people.add(each.get("user", "")) and "end" in each)

    assert "content-length" not in answer.headers
    assert last == {"end": True, "people": MANY}
    assert len(people - {""}) == MANY


class Client:
    """A client of the application without a socket between: it decides when it takes a piece, and when it leaves."""

    def __init__(self, api: Api, service: Service) -> None:
        self.service = service
        endpoint = Endpoint(
            service=service,
            secret=SECRET,
            sign_permit=_no_permits,
            engine=Engine(build_schema()),
            documents=TrustedDocuments(),
            rates=Rates(None, 1),
            max_body_bytes=4096,
            feed=Feed(service),
        )
        self._app = build_routes(endpoint, _never_asked)
        self._token = api.token("service")
        self._left = asyncio.Event()
        self._asked = False
        self.pieces: list[bytes] = []

    async def ask(self) -> None:
        """Ask for the campaign, and take what comes until there is no more."""
        headers = [(b"authorization", f"Bearer {self._token}".encode()), (b"content-type", b"application/json")]
        scope = {"type": "http", "method": "POST", "path": CAMPAIGN, "headers": headers, "query_string": b""}
        await self._app(scope, self._receive, self._send)

    def leave(self) -> None:
        """Close the connection."""
        self._left.set()

    async def taken(self) -> None:
        """What happens with each piece before the next one is wanted."""

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": json.dumps(BODY).encode(), "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            self.pieces.append(message["body"])
            await self.taken()


def _no_permits(run: TrainingRun, inputs: Sequence[DatasetVersion]) -> None:
    raise AssertionError


async def _never_asked() -> None:
    raise AssertionError


class Leaving(Client):
    async def taken(self) -> None:
        self.leave()
        await asyncio.Event().wait()


def test_a_client_that_goes_away_ends_the_reading(crowd: Api) -> None:
    async def scenario() -> tuple[int, int]:
        await crowd.service.lineage()
        client = Leaving(crowd, crowd.service)
        before = crowd.service.graph.statements
        await client.ask()
        return len(client.pieces), crowd.service.graph.statements - before

    # The question, the audit entry of its beginning, and one page.
    assert crowd.run(scenario()) == (1, 3)


class Slow(Client):
    """Takes the first piece, and looks what is read meanwhile."""

    read_meanwhile = 0

    async def taken(self) -> None:
        if len(self.pieces) == 1:
            before = self.service.graph.statements
            await asyncio.sleep(0.5)
            self.read_meanwhile = self.service.graph.statements - before


def test_no_more_is_read_than_the_client_takes(crowd: Api) -> None:
    async def scenario() -> Slow:
        client = Slow(crowd, crowd.service)
        await client.ask()
        return client

    client = crowd.run(scenario())

    assert client.read_meanwhile == 0
    assert len(client.pieces) >= SOME / (notices.PAGE + SHARED)
    assert max(piece.count(b"\n") for piece in client.pieces) <= notices.PAGE + SHARED
    assert sum(piece.count(b"\n") for piece in client.pieces) == SOME + 1


# ---- the database goes away -----------------------------------------------------------------------------------------


@pytest.fixture
def proxy(neo4j_server: Server) -> Iterator[Proxy]:
    port = urlsplit(neo4j_server.uri).port
    assert port is not None
    with proxied(port) as proxy:
        yield proxy


@pytest.fixture
def behind(crowd: Api, settings: Settings, neo4j_server: Server, proxy: Proxy) -> Iterator[Service]:
    """A service whose way to the database can be cut."""
    server = Server(f"bolt://127.0.0.1:{proxy.port}", neo4j_server.user, neo4j_server.password)
    graph = connect(settings, server)
    yield Service(graph, type(crowd.service.lineages)(graph), crowd.service.pseudonyms)
    crowd.run(graph.close())


def test_a_database_that_goes_away_meanwhile_is_told_in_the_last_line(
    crowd: Api, behind: Service, proxy: Proxy
) -> None:
    class Cutting(Client):
        async def taken(self) -> None:
            proxy.cut()

    async def scenario() -> Cutting:
        client = Cutting(crowd, behind)
        await client.ask()
        return client

    first, *rest = crowd.run(scenario()).pieces

    assert first.startswith(b'{"user":')
    assert [json.loads(each) for each in rest] == [
        {"end": False, "code": "DATABASE_UNAVAILABLE", "message": "the database cannot be reached"}
    ]


def test_a_database_that_is_away_from_the_start_has_a_status(crowd: Api, behind: Service, proxy: Proxy) -> None:
    proxy.cut()

    async def scenario() -> Client:
        client = Client(crowd, behind)
        await client.ask()
        return client

    (only,) = crowd.run(scenario()).pieces

    assert json.loads(only)["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
