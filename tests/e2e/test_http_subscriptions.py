"""Subscriptions over WebSocket and as server-sent events: told in order, resumed, refused, and ended with a reason."""

import socket
import time
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from consentline import app
from consentline.domain.events import EventKind, NewEvent
from consentline.embedded import Server
from consentline.gql.ids import decode_id
from consentline.graph import outbox
from consentline.settings import Settings
from consentline.usecases.feed import Feed
from consentline.web import sockets, streams
from tests.conftest import Api, serving
from tests.e2e.following import FLAGS, OBJECTIONS, connected, streaming, token
from tests.e2e.operations import OBJECT, change, error_codes, load_small_story

RECEIVED = "2026-11-02T10:00:00Z"
DECIDE = """mutation ($input: DecideObjectionInput!) {
  decideObjection(input: $input) { objection { id } userErrors { code message path } } }"""
RESOLVE = """mutation ($input: ResolveFlagInput!) {
  resolveFlag(input: $input) { flag { id } userErrors { code message path } } }"""
DISTINCT = {"Accept": "text/event-stream"}


@pytest.fixture
def story(api: Api) -> Api:
    """Two model versions that used the posts of u1; one flag of each is open already."""
    load_small_story(api)
    return api


def file(api: Api, key: str) -> None:
    change(api, OBJECT, key=key, user="u1", receivedAt=RECEIVED)


# ---- what is told ---------------------------------------------------------------------------------------------------


def test_flags_are_told_over_websocket_as_they_change(story: Api) -> None:
    with connected(story.url) as client:
        client.init({"Authorization": f"Bearer {token('ml')}"})
        client.subscribe("all", FLAGS)
        file(story, "o1")
        first, second = client.next("all"), client.next("all")

    told = [each["data"]["retrainingFlagChanged"] for each in (first, second)]
    assert {each["modelVersion"]["key"] for each in told} == {"m:1", "m:tuned"}
    assert {each["status"] for each in told} == {"OPEN"}
    event = first["extensions"]["event"]
    assert event["id"].startswith("evt_")
    assert event["kind"] == "FLAG_JOINED"
    assert event["at"].endswith("Z")
    assert first["extensions"]["cost"] > 0


def test_objections_are_told_as_an_event_stream_as_they_change(story: Api) -> None:
    with streaming(story.url, OBJECTIONS, bearer=token("compliance")) as stream:
        file(story, "o1")
        change(story, DECIDE, key="o1", uphold=True)
        first, second = stream.next(), stream.next()

    assert first.event == second.event == "next"
    assert first.data["data"]["objectionChanged"]["key"] == "o1"
    assert first.data["data"]["objectionChanged"]["user"] == {"key": "u1"}
    assert second.data["data"]["objectionChanged"]["status"] == "UPHELD"
    assert [each.data["extensions"]["event"]["kind"] for each in (first, second)] == [
        "OBJECTION_FILED",
        "OBJECTION_UPHELD",
    ]
    assert [first.id, second.id] == [each.data["extensions"]["event"]["id"] for each in (first, second)]


def test_only_what_was_asked_about_is_told(story: Api) -> None:
    with connected(story.url, bearer=token()) as client, streaming(story.url, OBJECTIONS, {"key": "o2"}) as stream:
        client.init()
        client.subscribe("tuned", FLAGS, model="m:tuned")
        file(story, "o1")
        file(story, "o2")
        answers = [client.next("tuned") for _ in range(2)]
        assert stream.next().data["data"]["objectionChanged"]["key"] == "o2"

    assert {each["data"]["retrainingFlagChanged"]["modelVersion"]["key"] for each in answers} == {"m:tuned"}


def test_a_stream_goes_on_after_the_last_event_id(story: Api) -> None:
    with streaming(story.url, FLAGS) as stream:
        begun = stream.begun
        file(story, "o1")
        stream.kinds(1)
        last = stream.last
        seen = list(stream.ids)
    file(story, "o2")
    with streaming(story.url, FLAGS, last=last) as stream:
        assert stream.begun == last
        stream.kinds(3)
        seen += stream.ids
    with streaming(story.url, FLAGS, last=begun) as stream:
        stream.kinds(4)
        assert stream.ids == seen
    # The header is of the connection that was lost, and later than what the operation began with.
    with streaming(story.url, FLAGS, {"after": begun}, last=seen[1]) as stream:
        stream.kinds(2)
        assert stream.ids == seen[2:]
    assert len(set(seen)) == 4


def test_a_connection_goes_on_after_the_event_that_was_got_last(story: Api) -> None:
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.subscribe("1", FLAGS)
        file(story, "o1")
        seen = [client.next("1")["extensions"]["event"]["id"]]
    file(story, "o2")
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.subscribe("2", FLAGS, after=seen[0])
        seen += [client.next("2")["extensions"]["event"]["id"] for _ in range(3)]
        client.subscribe("3", FLAGS, after="evt_0")
        again = [client.next("3")["extensions"]["event"]["id"] for _ in range(5)]
    assert [each for each in again if each in seen] == seen[: len([each for each in again if each in seen])]
    assert len(set(seen)) == 4


def test_subscriptions_of_one_connection_end_by_themselves(story: Api) -> None:
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.subscribe("flags", FLAGS, model="m:1")
        client.subscribe("objections", OBJECTIONS)
        client.send(type="complete", id="flags")
        client.send(type="complete", id="nothing")
        client.send(type="ping")
        assert client.receive() == {"type": "pong"}
        client.send(type="pong")
        file(story, "o1")
        assert client.next("objections")["data"]["objectionChanged"]["key"] == "o1"
        client.subscribe("flags", FLAGS, model="m:1")
        assert client.next("flags")["extensions"]["event"]["kind"] == "FLAG_JOINED"


def test_while_nothing_happens_there_are_signs_of_life(story: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "_BEAT_SECONDS", 0.05)
    with streaming(story.url, FLAGS) as stream:
        assert [next(stream.blocks).event for _ in range(3)] == [None, None, None]
        file(story, "o1")
        assert stream.kinds(1) == ["FLAG_JOINED"]


# ---- what is refused ------------------------------------------------------------------------------------------------


def post(api: Api, query: str, bearer: str, variables: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
    given = DISTINCT | {"Authorization": f"Bearer {bearer}"} | headers
    return api.client.post("/graphql", json={"query": query, "variables": variables}, headers=given)


def test_people_are_told_of_to_roles_that_may_read_them(story: Api) -> None:
    answer = post(story, OBJECTIONS, token("ml"))
    assert (answer.status_code, error_codes(answer.json())) == (400, {"FORBIDDEN"})
    assert answer.json()["errors"][0]["message"] == "the role ml may not read people"
    with connected(story.url, bearer=token("ml")) as client:
        client.init()
        client.subscribe("people", OBJECTIONS)
        error = client.error("people")
        assert (error["extensions"]["code"], error["message"]) == ("FORBIDDEN", "the role ml may not read people")
        client.subscribe("flags", FLAGS)
        file(story, "o1")
        assert client.next("flags")["extensions"]["event"]["kind"] == "FLAG_JOINED"


def test_without_a_token_nothing_is_told(story: Api) -> None:
    for bearer, code in (("nonsense", "TOKEN_INVALID"), (token(lifetime=timedelta(seconds=-1)), "TOKEN_EXPIRED")):
        answer = post(story, FLAGS, bearer)
        assert (answer.status_code, error_codes(answer.json())) == (401, {code})
        with connected(story.url) as client:
            client.send(type="connection_init", payload={"Authorization": f"Bearer {bearer}"})
            assert client.closed() == (4403, code)
    with connected(story.url) as client:
        client.send(type="connection_init")
        assert client.closed() == (4403, "TOKEN_MISSING")


def test_a_token_that_expires_ends_what_is_followed(story: Api) -> None:
    short = token("ml", timedelta(seconds=8))
    with connected(story.url, bearer=short) as client, streaming(story.url, FLAGS, bearer=short) as stream:
        client.init()
        client.subscribe("1", FLAGS)
        file(story, "o1")
        client.next("1")
        client.next("1")
        stream.kinds(2)
        assert client.closed() == (4403, "TOKEN_EXPIRED")
        last = stream.next()
        assert (last.event, last.id, error_codes(last.data)) == ("next", None, {"TOKEN_EXPIRED"})
        assert last.data["errors"][0]["message"] == "the token has expired"
        assert stream.next().event == "complete"
    file(story, "o2")
    with streaming(story.url, FLAGS, bearer=token("ml"), last=stream.last) as stream:
        assert stream.kinds(2) == ["FLAG_JOINED", "FLAG_JOINED"]


def test_what_is_not_kept_cannot_be_followed(story: Api) -> None:
    answer = post(story, FLAGS, token(), {"after": "evt_nothing"})
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["extensions"]["code"], error["extensions"]["argument"]) == ("EVENT_NOT_KEPT", "after")
    assert error["message"] == "what followed this event is not kept any more"
    answer = post(story, FLAGS, token(), **{"Last-Event-ID": "evt_nothing"})
    assert error_codes(answer.json()) == {"EVENT_NOT_KEPT"}
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.subscribe("1", FLAGS, after="evt_nothing")
        assert client.error("1")["extensions"]["code"] == "EVENT_NOT_KEPT"


@pytest.mark.parametrize("protocols", [("graphql-ws",), ("nonsense", "graphql-ws")])
def test_the_legacy_protocol_is_refused(story: Api, protocols: tuple[str, ...]) -> None:
    with connected(story.url, *protocols, bearer=token()) as client:
        assert client.connection.subprotocol is None
        assert client.closed() == (4406, "Subprotocol not acceptable")


def test_the_newer_protocol_is_chosen_of_two(story: Api) -> None:
    with connected(story.url, "graphql-ws", "graphql-transport-ws", bearer=token()) as client:
        assert client.connection.subprotocol == "graphql-transport-ws"
        client.init()


SUBSCRIBE = '{"type": "subscribe", "id": "1", "payload": {"query": "subscription { retrainingFlagChanged { id } }"}}'
INIT = '{"type": "connection_init"}'
NO_TYPE = (4400, "Invalid message: of no known type")
NO_ID = (4400, "Invalid message: subscribe needs an id and a payload")
CLOSED: dict[str, tuple[list[str | bytes], tuple[int, str]]] = {
    "no JSON": ([INIT, "{"], (4400, "Invalid message: not JSON")),
    "no object": ([INIT, "[1]"], (4400, "Invalid message: not an object")),
    "bytes": ([INIT, b"{}"], (4400, "Invalid message: not a text of allowed length")),
    "no type": ([INIT, "{}"], NO_TYPE),
    "the legacy protocol's start": ([INIT, '{"type": "start", "id": "1"}'], NO_TYPE),
    "a type that is no text": ([INIT, '{"type": 1}'], NO_TYPE),
    "no id": ([INIT, '{"type": "subscribe", "payload": {}}'], NO_ID),
    "no payload": ([INIT, '{"type": "subscribe", "id": "1"}'], NO_ID),
    "an endless id": ([INIT, f'{{"type": "subscribe", "id": "{"1" * 257}", "payload": {{}}}}'], NO_ID),
    "too early": ([SUBSCRIBE], (4401, "Unauthorized")),
    "twice": ([INIT, INIT], (4429, "Too many initialisation requests")),
    "an id in use": ([INIT, SUBSCRIBE, SUBSCRIBE], (4409, "Subscriber already exists")),
}


@pytest.mark.parametrize("case", CLOSED)
def test_what_breaks_the_protocol_closes_the_connection(story: Api, case: str) -> None:
    messages, expected = CLOSED[case]
    with connected(story.url, bearer=token()) as client:
        for each in messages:
            client.connection.send(each)
        if messages[0] == INIT:
            assert client.receive()["type"] == "connection_ack"
        assert client.closed() == expected


def test_who_never_begins_is_sent_away(story: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "_INIT_SECONDS", 0.2)
    with connected(story.url, bearer=token()) as client:
        assert client.closed() == (4408, "Connection initialisation timeout")


REFUSED = {
    "subscription {": "GRAPHQL_PARSE_FAILED",
    "subscription { nonsense }": "GRAPHQL_VALIDATION_FAILED",
    "subscription { retrainingFlagChanged { id } objectionChanged { id } }": "GRAPHQL_VALIDATION_FAILED",
    "subscription ($key: Int!) { objectionChanged(key: $key) { id } }": "GRAPHQL_VALIDATION_FAILED",
    "subscription ($key: String!) { objectionChanged(key: $key) { id } }": "BAD_USER_INPUT",
    "subscription a { retrainingFlagChanged { id } } subscription b { retrainingFlagChanged { id } }": (
        "OPERATION_NOT_FOUND"
    ),
}


@pytest.mark.parametrize("query", REFUSED)
def test_an_operation_that_is_refused_leaves_the_connection(story: Api, query: str) -> None:
    answer = post(story, query, token())
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.send(type="subscribe", id="1", payload={"query": query})
        error = client.error("1")
        client.send(type="ping")
        assert client.receive() == {"type": "pong"}

    assert error["extensions"]["code"] == REFUSED[query]
    assert (answer.status_code, error_codes(answer.json())) in (
        (400, {REFUSED[query]}),
        (406, {"NOT_ACCEPTABLE"}),
    )


@pytest.mark.parametrize("payload", [{}, {"query": 1}, {"query": "{ __typename }", "variables": []}])
def test_a_payload_without_an_operation_is_refused(story: Api, payload: dict[str, Any]) -> None:
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.send(type="subscribe", id="1", payload=payload)
        assert client.error("1")["extensions"]["code"] == "BAD_REQUEST"


def test_queries_and_mutations_go_by_post(story: Api) -> None:
    with connected(story.url, bearer=token()) as client:
        client.init()
        client.send(type="subscribe", id="1", payload={"query": "{ __typename }"})
        error = client.error("1")
        assert error["extensions"]["code"] == "SUBSCRIPTIONS_ONLY"
        assert "by POST" in error["message"]
    answer = post(story, "{ __typename }", token())
    assert (answer.status_code, error_codes(answer.json())) == (406, {"NOT_ACCEPTABLE"})
    assert answer.json()["errors"][0]["message"] == "only subscriptions are answered as text/event-stream"
    both = post(story, "{ __typename }", token(), Accept="text/event-stream, application/json")
    assert both.json()["data"] == {"__typename": "Query"}


def test_a_subscription_is_not_answered_as_json(story: Api) -> None:
    answer = story.post("/graphql", json={"query": FLAGS})
    assert error_codes(answer.json()) == {"SUBSCRIPTION_TRANSPORT"}
    assert "graphql-transport-ws" in answer.json()["errors"][0]["message"]


def test_a_connection_runs_a_bounded_number_of_subscriptions(story: Api) -> None:
    with connected(story.url, bearer=token()) as client:
        client.init()
        for number in range(101):
            client.subscribe(str(number), FLAGS)
        error = client.error("100")
    assert error["extensions"]["code"] == "TOO_MANY_SUBSCRIPTIONS"
    assert "at most 100" in error["message"]


def test_who_goes_away_is_not_followed_any_more(story: Api) -> None:
    for _ in range(3):
        with streaming(story.url, FLAGS), connected(story.url, bearer=token()) as client:
            client.init()
            client.subscribe("1", FLAGS)
    time.sleep(1)
    before = story.service.graph.statements
    file(story, "o1")
    assert story.service.graph.statements == before


LARGE = f"""subscription ($after: String) {{ retrainingFlagChanged(after: $after) {{
  {" ".join(f"a{number}: justification" for number in range(45))} }} }}"""


@pytest.fixture
def impatient(api: Api, settings: Settings, neo4j_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A service that keeps five events for a follower, and waits half a second for it to take them."""
    made = partial(Feed, room=5, patience=0.5)
    monkeypatch.setattr(app, "Feed", made)
    with serving(settings, neo4j_server) as url:
        yield url


def resolved(api: Api, count: int) -> None:
    """As many events of a flag whose every telling is large, in one transaction."""
    change(api, OBJECT, key="o", user="u1", receivedAt=RECEIVED)
    text = "x" * 4000
    (flag,) = api.data('{ retrainingFlags(modelVersion: "m:1") { edges { node { id } } } }')["retrainingFlags"]["edges"]
    change(api, RESOLVE, flag=flag["node"]["id"], resolution="NOT_REQUIRED", justification=text)
    uid = decode_id(flag["node"]["id"]).key
    events = [NewEvent(EventKind.FLAG_CHANGED, "model:m:1", model="m:1", flag=uid)] * count
    api.run(api.service.graph.write(lambda tx: outbox.append(tx, events, 1_700_000_000_000_000)))


def narrow() -> socket.socket:
    """A client's socket that takes in little before it is read."""
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 128 * 1024)
    return made


def test_a_slow_connection_is_told_so_and_goes_on_with_the_last_id(story: Api, impatient: str) -> None:
    address = urlsplit(impatient)
    with narrow() as mine:
        mine.connect((address.hostname, address.port))
        with connected(impatient, bearer=token(), sock=mine, max_size=None, max_queue=1, compression=None) as client:
            client.init()
            client.subscribe("1", LARGE)
            resolved(story, 100)
            time.sleep(3)
            seen: list[str] = []
            message = client.receive()
            while message["type"] == "next":
                seen.append(message["payload"]["extensions"]["event"]["id"])
                message = client.receive()
            assert (message["type"], message["payload"][0]["extensions"]["code"]) == ("error", "TOO_SLOW")
            assert "follow on after the last one" in message["payload"][0]["message"]
            assert 0 < len(seen) < 100
    with streaming(story.url, FLAGS, last=seen[-1]) as stream:
        stream.kinds(103 - len(seen))
        seen += stream.ids
    with streaming(story.url, FLAGS, {"after": "evt_0"}) as stream:
        stream.kinds(105)
        assert stream.ids[-103:] == seen


def entered(api: Api, operation: str) -> list[tuple[str, int]]:
    """The audit's entries of an operation, the oldest first."""
    query = f'{{ auditEntries(operation: "{operation}") {{ edges {{ node {{ outcome subjectCount }} }} }} }}'
    edges = api.data(query, role="auditor")["auditEntries"]["edges"]
    return [(each["node"]["outcome"], each["node"]["subjectCount"]) for each in reversed(edges)]


def test_each_record_of_a_person_that_is_told_of_is_audited(story: Api) -> None:
    assert post(story, OBJECTIONS, token("ml"), {"key": "o1"}).status_code == 400
    with streaming(story.url, OBJECTIONS, bearer=token("compliance")) as stream, streaming(story.url, FLAGS) as flags:
        file(story, "o1")
        file(story, "o2")
        stream.kinds(2)
        flags.kinds(4)

    # The objection and the person who filed it.
    assert entered(story, "objectionChanged") == [("FORBIDDEN", 1), ("READ", 2), ("READ", 2)]
    assert entered(story, "retrainingFlagChanged") == []
