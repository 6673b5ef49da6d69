"""Webhooks over the API: registered by who may, with a secret that is shown once; deliveries listed and made again."""

from collections.abc import Iterator
from typing import Any

import pytest

from consentline.dispatch.courier import Terms
from consentline.dispatch.worker import Worker
from consentline.domain.webhooks import Schedule
from consentline.gql.ids import NodeId, NodeKind, encode_id
from tests.conftest import Api
from tests.e2e.operations import OBJECT, change, error_codes, load_small_story, pages, refusal, told
from tests.receivers import Answer, Receiver, receiving

WEBHOOK = "id key url role kinds modelVersion status registeredAt disabledAt"
REGISTER = f"""mutation ($input: RegisterWebhookInput!) {{
  registerWebhook(input: $input) {{ webhook {{ {WEBHOOK} }} secret userErrors {{ code message path }} }} }}"""
DISABLE = f"""mutation ($input: DisableWebhookInput!) {{
  disableWebhook(input: $input) {{ webhook {{ {WEBHOOK} }} userErrors {{ code message path }} }} }}"""
DELIVERY = "id eventId kind status attempts createdAt nextAttemptAt finishedAt responseStatus error webhook { key }"
REPLAY = f"""mutation ($input: ReplayDeliveryInput!) {{
  replayDelivery(input: $input) {{ delivery {{ {DELIVERY} }} userErrors {{ code message path }} }} }}"""
DELIVERIES = f"""query ($webhook: String!, $status: DeliveryStatus, $after: String) {{
  deliveries(webhook: $webhook, status: $status, first: 2, after: $after) {{
    edges {{ cursor node {{ {DELIVERY} }} }}
    pageInfo {{ hasNextPage hasPreviousPage startCursor endCursor }} totalCount }} }}"""
DEAD = DELIVERIES.replace("$webhook: String!, $status: DeliveryStatus, ", "").replace(
    "deliveries(webhook: $webhook, status: $status, ", "deadLetters("
)
FLAG_KINDS = [f"FLAG_{each}" for each in ("RAISED", "JOINED", "CHANGED", "ACKNOWLEDGED", "SCHEDULED", "RESOLVED")]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def send(api: Api, attempts: int = 1) -> None:
    terms = Terms(timeout=1, schedule=Schedule(attempts=attempts, first_seconds=60), allow_private=True)
    api.run(Worker(api.service, terms).run(once=True))


def test_a_webhook_is_registered_and_its_secret_is_shown_once(api: Api, receiver: Receiver) -> None:
    load_small_story(api)
    answer = change(api, REGISTER, "service", key="hook", url=receiver.url)

    webhook = answer["webhook"]
    assert answer["secret"].startswith("whsec_")
    assert webhook["registeredAt"].endswith("Z")
    assert {name: webhook[name] for name in webhook if name not in ("id", "registeredAt")} == {
        "key": "hook",
        "url": receiver.url,
        "role": "ML",
        "kinds": FLAG_KINDS,
        "modelVersion": None,
        "status": "ACTIVE",
        "disabledAt": None,
    }
    assert change(api, REGISTER, key="hook", url=receiver.url) == {"webhook": webhook, "secret": None, "userErrors": []}
    change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    send(api)
    assert receiver.types()
    assert all(each.verified(answer["secret"]) for each in receiver.messages)


def test_a_flag_that_is_told_of_can_be_taken_up_by_its_id(api: Api, receiver: Receiver) -> None:
    load_small_story(api)
    change(api, REGISTER, key="hook", url=receiver.url, kinds=["FLAG_JOINED"], modelVersion="m:1")
    change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    send(api)

    (message,) = receiver.messages
    flag = message.payload["data"]["flag"]
    acknowledge = "mutation ($flag: ID!) { acknowledgeFlag(input: {flag: $flag}) { flag { modelVersion { key } } } }"
    assert api.data(acknowledge, {"flag": flag})["acknowledgeFlag"]["flag"] == {"modelVersion": {"key": "m:1"}}


def test_roles(api: Api, receiver: Receiver) -> None:
    change(api, REGISTER, key="hook", url=receiver.url)

    for role in ("ml", "compliance", "auditor"):
        answer = api.graphql(REGISTER, {"input": {"key": "other", "url": receiver.url}}, role)
        assert error_codes(answer) == {"FORBIDDEN"}
        assert error_codes(api.graphql(DISABLE, {"input": {"key": "hook"}}, role)) == {"FORBIDDEN"}
        assert error_codes(api.graphql(REPLAY, {"input": {"delivery": "x"}}, role)) == {"FORBIDDEN"}
    listed = "{ webhooks { edges { node { key url } } } }"
    for role, url in (("compliance", None), ("auditor", None), ("service", receiver.url), ("admin", receiver.url)):
        assert api.data(listed, role=role)["webhooks"]["edges"] == [{"node": {"key": "hook", "url": url}}]
    for query in (listed, '{ deliveries(webhook: "hook") { totalCount } }', "{ deadLetters { totalCount } }"):
        assert error_codes(api.graphql(query, role="ml")) == {"FORBIDDEN"}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"key": ""}, ("KEY_EMPTY", "key is empty", ["key"])),
        ({"url": "ftp://hooks.example/"}, ("WEBHOOK_URL", "url does not begin with https://", ["url"])),
        (
            {"url": "https://user:hidden@hooks.example/"},
            ("WEBHOOK_URL", "url holds a user, a password or a fragment", ["url"]),
        ),
        (
            {"kinds": ["OBJECTION_FILED"]},
            ("EVENT_NOT_VISIBLE", "the role ml may not be told of OBJECTION_FILED", ["kinds"]),
        ),
        ({"modelVersion": ""}, ("KEY_EMPTY", "modelVersion is empty", ["modelVersion"])),
    ],
)
def test_what_cannot_be_registered(api: Api, fields: dict[str, Any], expected: tuple[str, str, list[str]]) -> None:
    answer = api.data(REGISTER, {"input": {"key": "hook", "url": "http://127.0.0.1:9/"} | fields})["registerWebhook"]

    assert (answer["webhook"], answer["secret"]) == (None, None)
    assert [(each["code"], each["message"], each["path"]) for each in answer["userErrors"]] == [expected]
    assert api.data("{ webhooks { totalCount } }") == {"webhooks": {"totalCount": 0}}


def test_deliveries_are_listed_and_dead_ones_made_again(api: Api, receiver: Receiver) -> None:
    load_small_story(api)
    registered = api.data(REGISTER, {"input": {"key": "hook", "url": receiver.url, "role": "COMPLIANCE"}})
    assert registered["registerWebhook"]["userErrors"] == []
    receiver.behave = lambda number, _message: Answer(500 if number == 0 else 200)
    change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    send(api)

    found = [each for page in pages(api, DELIVERIES, {"webhook": "hook"}, "deliveries") for each in page]
    assert sorted(each["kind"] for each in found) == ["FLAG_JOINED", "FLAG_JOINED", "OBJECTION_FILED"]
    (dead,) = [each for page in pages(api, DEAD, {}, "deadLetters", role="auditor") for each in page]
    assert dead == next(each for each in found if each["status"] == "DEAD")
    assert (dead["attempts"], dead["responseStatus"], dead["error"], dead["nextAttemptAt"]) == (
        1,
        500,
        "REJECTED",
        None,
    )
    delivered = api.data(DELIVERIES, {"webhook": "hook", "status": "DELIVERED"})["deliveries"]
    assert delivered["totalCount"] == 2

    replayed = change(api, REPLAY, delivery=dead["id"])["delivery"]
    assert (replayed["status"], replayed["attempts"], replayed["error"]) == ("PENDING", 0, None)
    send(api)

    node = api.data(f"query ($id: ID!) {{ node(id: $id) {{ ... on Delivery {{ {DELIVERY} }} }} }}", {"id": dead["id"]})
    assert (node["node"]["status"], node["node"]["eventId"]) == ("DELIVERED", dead["eventId"])
    assert receiver.ids().count(dead["eventId"]) == 2
    assert api.data("{ deadLetters { totalCount } }") == {"deadLetters": {"totalCount": 0}}


def test_a_webhook_is_disabled_for_good(api: Api, receiver: Receiver) -> None:
    change(api, REGISTER, key="hook", url=receiver.url)

    disabled = change(api, DISABLE, key="hook")["webhook"]

    assert disabled["status"] == "DISABLED"
    assert disabled["disabledAt"].endswith("Z")
    assert change(api, DISABLE, key="hook")["webhook"] == disabled
    conflict = api.data(REGISTER, {"input": {"key": "hook", "url": receiver.url}})["registerWebhook"]["userErrors"]
    assert [each["code"] for each in conflict] == ["WEBHOOK_CONFLICT"]
    found = api.data("query ($id: ID!) { node(id: $id) { __typename id } }", {"id": disabled["id"]})["node"]
    assert found == {"__typename": "Webhook", "id": disabled["id"]}
    listed = f"{{ webhooks {{ edges {{ node {{ {WEBHOOK} deliveries {{ totalCount }} }} }} }} }}"
    ((edge,),) = (api.data(listed)["webhooks"]["edges"],)
    assert edge["node"] == disabled | {"deliveries": {"totalCount": 0}}


def test_what_is_not_there(api: Api) -> None:
    assert refusal(api, DISABLE, key="nothing") == ("WEBHOOK_NOT_FOUND", ["key"])
    no_delivery = encode_id(NodeId(NodeKind.DELIVERY, "nothing"))
    assert refusal(api, REPLAY, delivery=no_delivery) == ("DELIVERY_NOT_FOUND", ["delivery"])
    bad = ("BAD_ID", "this is not the id of a delivery", ["delivery"])
    assert told(api, REPLAY, delivery="nonsense") == bad
    assert told(api, REPLAY, delivery=encode_id(NodeId(NodeKind.WEBHOOK, "hook"))) == bad
    assert error_codes(api.graphql('{ deliveries(webhook: "nothing") { totalCount } }')) == {"WEBHOOK_NOT_FOUND"}
    for kind in (NodeKind.WEBHOOK, NodeKind.DELIVERY):
        query = "query ($id: ID!) { node(id: $id) { id } }"
        assert api.data(query, {"id": encode_id(NodeId(kind, "nothing"))}) == {"node": None}
        forbidden = api.graphql(query, {"id": encode_id(NodeId(kind, "nothing"))}, "ml")
        assert error_codes(forbidden) == {"FORBIDDEN"}


RECIPIENT = """mutation ($input: RecordRecipientInput!) {
  recordRecipient(input: $input) { recipient { key dataset name webhook recordedAt }
    userErrors { code message path } } }"""


def test_recipients_of_a_dataset_are_recorded_by_who_may(api: Api, receiver: Receiver) -> None:
    load_small_story(api)
    change(api, REGISTER, key="hook", url=receiver.url)
    given = {"dataset": "d", "key": "lab", "name": "a laboratory", "webhook": "hook"}

    recorded = change(api, RECIPIENT, "compliance", **given)["recipient"]

    assert recorded.pop("recordedAt").endswith("Z")
    assert recorded == given
    listed = '{ dataset(key: "d") { recipients { key dataset name webhook } } }'
    assert api.data(listed, role="auditor")["dataset"]["recipients"] == [given]
    assert api.data(listed, role="ml")["dataset"]["recipients"] == [given | {"webhook": None}]
    for role in ("ml", "auditor"):
        assert error_codes(api.graphql(RECIPIENT, {"input": given}, role)) == {"FORBIDDEN"}
    assert refusal(api, RECIPIENT, **(given | {"dataset": "x"})) == ("DATASET_NOT_FOUND", ["dataset"])
    assert refusal(api, RECIPIENT, **(given | {"webhook": "x"})) == ("WEBHOOK_NOT_FOUND", ["webhook"])
    assert told(api, RECIPIENT, **(given | {"key": ""})) == ("KEY_EMPTY", "key is empty", ["key"])
