"""What tests of the audit share: entries as they are stored, a way to keep them from being written, and inputs."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, LiteralString, NamedTuple

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLList,
    GraphQLNonNull,
    get_named_type,
)

from consentline.graph.session import Tx
from consentline.usecases import dispatch
from tests.conftest import PSEUDONYMS, Api
from tests.e2e.gated import AUTHORIZE, D1, START, load_usable_data
from tests.e2e.operations import ERASE, OBJECT, change, load_small_story

ENTRIES: LiteralString = """
MATCH (e:AuditEntry) RETURN properties(e) AS entry ORDER BY e.at, e.uid
"""
TERMS: LiteralString = """
MATCH (t:AuditTerm) RETURN properties(t) AS term
"""
SEED: LiteralString = """
UNWIND ['ACCEPTED', 'READ', 'STARTED', 'FORBIDDEN', 'OBJECTION_CONFLICT', 'TRAINING_REFUSED'] AS outcome
CREATE (:AuditEntry {uid: 'blocking-' + outcome, request_id: 'blocked', outcome: outcome, at: 0})
"""
BLOCK: LiteralString = """
CREATE CONSTRAINT audit_blocked FOR (e:AuditEntry) REQUIRE (e.request_id, e.outcome) IS UNIQUE
"""
UNSEED: LiteralString = """
MATCH (e:AuditEntry) WHERE e.uid STARTS WITH 'blocking-' DELETE e
"""
UNBLOCK: LiteralString = "DROP CONSTRAINT audit_blocked IF EXISTS"
HOOK = """
mutation ($input: RegisterWebhookInput!) { registerWebhook(input: $input) { userErrors { code message path } } }
"""
ENDPOINT = "http://127.0.0.1:9/"
BLOCKED = {"X-Request-ID": "blocked"}
"""Sent with a request whose entry `blocking` keeps from being written."""


class Entry(NamedTuple):
    """What an entry says, without its times."""

    operation: str
    outcome: str
    role: str
    subjects: frozenset[str]


def digest(kind: str, key: str) -> str:
    """What stands in entries for a key."""
    return PSEUDONYMS.of(kind, key)


def stored(api: Api) -> list[dict[str, Any]]:
    """Every entry as it is stored, by time."""

    async def work(tx: Tx) -> list[dict[str, Any]]:
        return [row["entry"] for row in await tx.rows(ENTRIES)]

    return api.run(api.service.graph.read(work))


class Since:
    """The entries that were written since this was made."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._before = {entry["uid"] for entry in stored(api)}

    def rows(self) -> list[dict[str, Any]]:
        """As they are stored."""
        return [entry for entry in stored(self._api) if entry["uid"] not in self._before]

    def entries(self) -> list[Entry]:
        """What they say."""
        return [
            Entry(each["operation"], each["outcome"], each["role"], frozenset(each["subjects"])) for each in self.rows()
        ]

    def only(self) -> Entry:
        """The one that there is."""
        (entry,) = self.entries()
        return entry


@contextmanager
def blocking(api: Api) -> Generator[None]:
    """Keep the entries of requests with the id "blocked" from being written: a constraint would be violated."""
    for statement in (SEED, BLOCK):
        api.run(api.service.graph.run_schema(statement))
    try:
        yield
    finally:
        for statement in (UNBLOCK, UNSEED):
            api.run(api.service.graph.run_schema(statement))


def minimal_input(field: GraphQLField) -> dict[str, Any]:
    """An input with everything that is required, of values that name nothing."""
    value = _minimal(field.args["input"].type)
    assert isinstance(value, dict)
    return value


def _minimal(type_: GraphQLInputType) -> Any:
    if isinstance(type_, GraphQLNonNull):
        return _minimal(type_.of_type)
    if isinstance(type_, GraphQLList):
        return [_minimal(type_.of_type)]
    if isinstance(type_, GraphQLEnumType):
        return next(iter(type_.values))
    if isinstance(type_, GraphQLInputObjectType):
        required = {name: each for name, each in type_.fields.items() if isinstance(each.type, GraphQLNonNull)}
        return {name: _minimal(each.type) for name, each in required.items()}
    return {"Int": 1, "Boolean": True, "DateTime": "2026-01-01T00:00:00Z"}.get(str(get_named_type(type_)), "nothing")


def mutation(name: str, field: GraphQLField) -> str:
    """The mutation as a document that selects what every payload has."""
    input_type = field.args["input"].type
    return f"mutation ($input: {input_type}) {{ {name}(input: $input) {{ userErrors {{ code }} }} }}"


def _objected(api: Api) -> None:
    load_small_story(api)
    change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")


def _leaving(api: Api) -> None:
    load_small_story(api)
    change(api, ERASE, key="e", user="u1", receivedAt="2026-11-02T10:00:00Z")


def _flag(api: Api) -> str:
    _objected(api)
    flags = api.data('{ retrainingFlags(modelVersion: "m:1") { edges { node { id } } } }')["retrainingFlags"]
    return flags["edges"][0]["node"]["id"]


def _authorized(api: Api) -> None:
    load_usable_data(api)
    change(api, AUTHORIZE, run="r", inputs=[D1])


def _started(api: Api) -> None:
    _authorized(api)
    change(api, START, run="r")


def _hooked(api: Api) -> None:
    change(api, HOOK, key="hook", url=ENDPOINT)


def _delivery(api: Api) -> dict[str, Any]:
    load_small_story(api)
    _hooked(api)
    change(api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    (lease,) = api.run(dispatch.take(api.service, 1, 60))
    api.run(dispatch.step(api.service, lease, 60, [], [], 1))
    (delivery, *_) = api.data('{ deliveries(webhook: "hook") { edges { node { id } } } }')["deliveries"]["edges"]
    return {"delivery": delivery["node"]["id"]}


def _with(arrange: Callable[[Api], None], **fields: Any) -> Callable[[Api], dict[str, Any]]:
    def prepare(api: Api) -> dict[str, Any]:
        arrange(api)
        return fields

    return prepare


def _following(**fields: Any) -> Callable[[Api], dict[str, Any]]:
    return lambda api: {"flag": _flag(api)} | fields


ACCEPTED: dict[str, Callable[[Api], dict[str, Any]]] = {
    "registerDatasetVersion": _with(load_small_story, dataset="other", coverage="COMPLETE", posts=["p1"]),
    "buildDatasetVersion": _with(load_small_story, dataset="built"),
    "authorizeTraining": _with(load_usable_data, run="r", inputs=[D1]),
    "startTraining": _with(_authorized, run="r"),
    "completeTraining": _with(_started, run="r", model="m", version="1"),
    "failTraining": _with(_started, run="r", reason="no memory"),
    "cancelTraining": _with(_authorized, run="r"),
    "withdrawDatasetVersion": _with(load_small_story, dataset="d", number=1, reason="wrong"),
    "recordTraining": _with(
        load_small_story, run="r2", inputs=[D1], startedAt="2025-03-01T00:00:00Z", model="m", version="2"
    ),
    "recordSharding": _with(load_small_story, run="r1", sharding={"shards": 2, "slices": 2}),
    "deriveModelVersion": _with(load_small_story, model="m", version="small", **{"from": ["m:1"]}, kind="DISTILLATION"),
    "serveFeature": _with(load_small_story, feature="feed", modelVersion="m:1"),
    "fileObjection": _with(load_small_story, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z"),
    "decideObjection": _with(_objected, key="o", uphold=True),
    "extendObjection": _with(_objected, key="o", reason="complex"),
    "withdrawObjection": _with(_objected, key="o"),
    "requestErasure": _with(load_small_story, key="e", user="u1", receivedAt="2026-11-02T10:00:00Z"),
    "confirmErasure": _with(_leaving, key="e"),
    "rejectErasure": _with(_leaving, key="e", grounds="not identified"),
    "recordRecipient": _with(load_small_story, dataset="d", key="lab", name="a laboratory"),
    "registerWebhook": _with(load_small_story, key="hook", url=ENDPOINT),
    "disableWebhook": _with(_hooked, key="hook"),
    "replayDelivery": _delivery,
    "acknowledgeFlag": _following(),
    "scheduleRetraining": _following(plannedFor="2099-01-01T00:00:00Z"),
    "resolveFlag": _following(resolution="NOT_REQUIRED", justification="none"),
}
"""What every mutation accepts, after what has to be there before."""

SUBJECTS: dict[str, set[str]] = {
    "registerDatasetVersion": {digest("Dataset", "other"), digest("DatasetVersion", "other:1")},
    "buildDatasetVersion": {digest("Dataset", "built"), digest("DatasetVersion", "built:1")},
    "withdrawDatasetVersion": {digest("Dataset", "d"), digest("DatasetVersion", "d:1")},
    "recordTraining": {digest("TrainingRun", "r2"), digest("ModelVersion", "m:2")},
    "recordSharding": {digest("TrainingRun", "r1")},
    **{
        name: {digest("User", "u1"), digest("Erasure", "e")}
        for name in ("requestErasure", "confirmErasure", "rejectErasure")
    },
    "recordRecipient": {digest("Recipient", "lab"), digest("Dataset", "d")},
    **{name: {digest("Webhook", "hook")} for name in ("registerWebhook", "disableWebhook")},
    "replayDelivery": set(),
    "deriveModelVersion": {digest("ModelVersion", "m:small")},
    "serveFeature": {digest("Feature", "feed"), digest("ModelVersion", "m:1")},
    "completeTraining": {digest("TrainingRun", "r"), digest("ModelVersion", "m:1")},
    **{name: {digest("TrainingRun", "r")} for name in ("authorizeTraining", "startTraining")},
    **{name: {digest("TrainingRun", "r")} for name in ("failTraining", "cancelTraining")},
    **{
        name: {digest("User", "u1"), digest("Objection", "o")}
        for name in ("fileObjection", "decideObjection", "extendObjection", "withdrawObjection")
    },
}
"""Whom and what the entry of each is about; the flags' have no keys of their own."""
