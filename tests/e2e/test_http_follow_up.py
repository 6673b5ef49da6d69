"""Following up: more time for an objection, and the life of a flag until it is proven done."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentline.domain.clock import EXTENDED_MONTHS, due_at
from consentline.domain.instants import from_datetime
from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.gql.scalars import format_instant
from tests.conftest import Api
from tests.e2e.operations import (
    CONTROL,
    DERIVE,
    LONG,
    OBJECT,
    REGISTER,
    TRAIN,
    change,
    load_small_story,
    post,
    record,
    told,
)

EXTEND = """mutation ($input: ExtendObjectionInput!) {
  extendObjection(input: $input) {
    objection { key status dueAt extendedTo overdue flags { edges { node { dueAt } } } }
    userErrors { code message path }
  }
}"""
SCHEDULE = """mutation ($input: ScheduleRetrainingInput!) {
  scheduleRetraining(input: $input) { flag { id status resolution } userErrors { code message path } } }"""
RESOLVE = """mutation ($input: ResolveFlagInput!) {
  resolveFlag(input: $input) {
    flag { id status resolution justification replacement { key } modelVersion { key status } }
    userErrors { code message path }
  }
}"""
ACKNOWLEDGE = """mutation ($input: AcknowledgeFlagInput!) {
  acknowledgeFlag(input: $input) { flag { id status } userErrors { code message path } } }"""
DECIDE = """mutation ($input: DecideObjectionInput!) {
  decideObjection(input: $input) { objection { status } userErrors { code message path } } }"""

RECEIVED = datetime.now(UTC) - timedelta(days=1)
STARTED = "2025-06-01T00:00:00Z"
NOT_AN_ID = ("BAD_ID", "this is not the id of a retraining flag", ["flag"])
NO_FLAG = ("FLAG_NOT_FOUND", "there is no such flag", ["flag"])
RESOLVED = ("FLAG_WRONG_STATE", "the flag is RESOLVED already", ["flag"])
TEXT = "x" * 4001


@pytest.fixture
def story(api: Api) -> Api:
    """The small story, in which every post could be used; the author of p1 and p2 objected yesterday."""
    rules = {"key": "gb", "version": 1, "jurisdiction": "GB", "purpose": "AI_TRAINING", "notice_required": False}
    basis = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia", "effective_from": "2020-01-01T00:00:00Z"}
    api.ingest(record("policy", **rules, **basis), record("user", key="u2", jurisdiction="GB", adult_from="2000-01-01"))
    load_small_story(api)
    change(api, OBJECT, key="o1", user="u1", receivedAt=RECEIVED.isoformat())
    return api


def flags(api: Api, status: str = "OPEN") -> dict[str, str]:
    """The ids of the flags of a status, by model version."""
    query = "query ($s: FlagStatus) { retrainingFlags(status: $s) { edges { node { id modelVersion { key } } } } }"
    edges = api.data(query, {"s": status})["retrainingFlags"]["edges"]
    return {edge["node"]["modelVersion"]["key"]: edge["node"]["id"] for edge in edges}


def train(api: Api, version: str, dataset: str, number: int = 1) -> str:
    """A further version of m, trained on one dataset version."""
    inputs = [{"dataset": dataset, "number": number}]
    change(api, TRAIN, run=f"run-{version}", inputs=inputs, startedAt=STARTED, model="m", version=version)
    return f"m:{version}"


def due(months: int) -> str:
    return format_instant(due_at(from_datetime(RECEIVED), "GB", None, months=months))


def test_an_objection_gets_more_time_once_and_its_flags_with_it(story: Api) -> None:
    objection = change(story, EXTEND, "compliance", key="o1", reason="many requests")["objection"]

    assert objection == {
        "key": "o1",
        "status": "PENDING",
        "dueAt": due(1),
        "extendedTo": due(EXTENDED_MONTHS),
        "overdue": False,
        "flags": {"edges": [{"node": {"dueAt": due(EXTENDED_MONTHS)}}] * 2},
    }
    assert story.data('{ objection(key: "o1") { extendedTo } }')["objection"]["extendedTo"] == due(EXTENDED_MONTHS)
    again = ("OBJECTION_ALREADY_EXTENDED", "the period was extended before", ["key"])
    assert told(story, EXTEND, key="o1", reason="even more") == again


@pytest.mark.parametrize("reason", ["", "  \n"])
def test_an_extension_states_its_reason(story: Api, reason: str) -> None:
    refusal = ("REASON_REQUIRED", "an extension states its reason", ["reason"])

    assert told(story, EXTEND, key="o1", reason=reason) == refusal
    assert story.data('{ objection(key: "o1") { extendedTo } }')["objection"] == {"extendedTo": None}


def test_an_extension_that_is_not_possible(story: Api) -> None:
    change(story, OBJECT, key="late", user="u2", receivedAt="2025-01-06T10:00:00Z")
    change(story, OBJECT, key="decided", user="u2", receivedAt=RECEIVED.isoformat())
    change(story, DECIDE, key="decided", uphold=True)

    assert told(story, EXTEND, key="nothing", reason="r") == (
        "OBJECTION_NOT_FOUND",
        "there is no such objection",
        ["key"],
    )
    assert told(story, EXTEND, key="late", reason="r") == ("DEADLINE_PASSED", "the first deadline has passed", ["key"])
    assert told(story, EXTEND, key="decided", reason="r") == (
        "OBJECTION_ALREADY_DECIDED",
        "the objection is UPHELD already",
        ["key"],
    )
    assert told(story, EXTEND, key="o1", reason=TEXT) == (
        "TEXT_TOO_LONG",
        "reason has more than 4000 characters",
        ["reason"],
    )


def test_a_retraining_is_planned_and_planned_anew(story: Api) -> None:
    flag = flags(story)["m:1"]
    change(story, ACKNOWLEDGE, flag=flag)

    planned = change(story, SCHEDULE, "ml", flag=flag, plannedFor="2999-01-01T00:00:00Z")["flag"]
    anew = change(story, SCHEDULE, "ml", flag=flag, plannedFor="2998-01-01T00:00:00Z")["flag"]

    assert planned == anew == {"id": flag, "status": "SCHEDULED", "resolution": None}
    assert flags(story, "SCHEDULED") == {"m:1": flag}
    assert told(story, ACKNOWLEDGE, flag=flag) == ("FLAG_WRONG_STATE", "the flag is SCHEDULED already", ["flag"])


def test_a_plan_that_is_not_possible(story: Api) -> None:
    flag = flags(story)["m:1"]

    assert told(story, SCHEDULE, flag=flag, plannedFor="2020-01-01T00:00:00Z") == (
        "PLANNED_IN_PAST",
        "plannedFor lies in the past",
        ["plannedFor"],
    )
    assert flags(story, "SCHEDULED") == {}
    change(story, RESOLVE, flag=flag, resolution="NOT_REQUIRED", justification="never deployed")
    assert told(story, SCHEDULE, flag=flag, plannedFor="2999-01-01T00:00:00Z") == RESOLVED


@pytest.mark.parametrize(
    ("mutation", "fields"),
    [
        (ACKNOWLEDGE, {}),
        (SCHEDULE, {"plannedFor": "2999-01-01T00:00:00Z"}),
        (RESOLVE, {"resolution": "NOT_REQUIRED", "justification": "j"}),
    ],
    ids=["acknowledge", "schedule", "resolve"],
)
def test_what_is_no_flag(api: Api, mutation: str, fields: dict[str, Any]) -> None:
    for each in ("", "nonsense", encode_id(NodeId(NodeKind.MODEL_VERSION, "m:1"))):
        assert told(api, mutation, flag=each, **fields) == NOT_AN_ID
    unknown = encode_id(NodeId(NodeKind.RETRAINING_FLAG, "nothing"))
    assert told(api, mutation, flag=unknown, **fields) == NO_FLAG


def test_retrained_without_what_was_objected_to(story: Api) -> None:
    change(story, REGISTER, dataset="clean", coverage="COMPLETE", posts=["p3"])
    replacement, flag = train(story, "2", "clean"), flags(story)["m:1"]

    resolved = change(story, RESOLVE, "ml", flag=flag, resolution="RETRAINED", replacement=replacement)["flag"]

    assert resolved == {
        "id": flag,
        "status": "RESOLVED",
        "resolution": "RETRAINED",
        "justification": None,
        "replacement": {"key": "m:2"},
        "modelVersion": {"key": "m:1", "status": "ACTIVE"},
    }
    assert flags(story).keys() == {"m:tuned"}
    assert told(story, RESOLVE, flag=flag, resolution="RETRAINED", replacement=replacement) == RESOLVED


def test_a_replacement_that_used_an_affected_post_is_refused_with_the_path(story: Api) -> None:
    change(story, DERIVE, model="m", version="distilled", **{"from": ["m:1"]}, kind="DISTILLATION")
    flag = flags(story)["m:1"]

    refusal = told(story, RESOLVE, flag=flag, resolution="RETRAINED", replacement="m:distilled")

    paths = "; ".join(f"{post} -> d:1 -> r1 -> m:1 -> m:distilled" for post in ("p1", "p2"))
    assert refusal == (
        "REPLACEMENT_NOT_CLEAN",
        f"m:distilled is not clean of the affected posts: {paths}",
        ["replacement"],
    )
    assert flags(story)["m:1"] == flag


def test_a_replacement_that_cannot_rule_an_affected_post_out_is_refused_with_the_version(story: Api) -> None:
    change(story, REGISTER, dataset="dump", coverage="UNDOCUMENTED")
    replacement = train(story, "3", "dump")

    refusal = told(story, RESOLVE, flag=flags(story)["m:1"], resolution="RETRAINED", replacement=replacement)

    assert refusal == (
        "REPLACEMENT_NOT_CLEAN",
        "m:3 is not clean of the affected posts: p1 may be held in dump:1; p2 may be held in dump:1",
        ["replacement"],
    )


def test_retired_once_it_serves_nothing(story: Api) -> None:
    open_flags = flags(story)

    assert told(story, RESOLVE, flag=open_flags["m:tuned"], resolution="RETIRED") == (
        "MODEL_IN_SERVICE",
        "m:tuned still serves ads",
        ["resolution"],
    )
    retired = change(story, RESOLVE, "compliance", flag=open_flags["m:1"], resolution="RETIRED")["flag"]

    assert (retired["resolution"], retired["modelVersion"]) == ("RETIRED", {"key": "m:1", "status": "RETIRED"})
    assert story.data('{ modelVersion(key: "m:1") { status } }')["modelVersion"] == {"status": "RETIRED"}


def test_not_required_for_a_reason(story: Api) -> None:
    flag = flags(story)["m:1"]
    for justification in (None, "", " "):
        assert told(story, RESOLVE, flag=flag, resolution="NOT_REQUIRED", justification=justification) == (
            "JUSTIFICATION_REQUIRED",
            "NOT_REQUIRED states its justification",
            ["justification"],
        )

    resolved = change(story, RESOLVE, "service", flag=flag, resolution="NOT_REQUIRED", justification="lost")["flag"]

    assert (resolved["resolution"], resolved["justification"], resolved["replacement"]) == (
        "NOT_REQUIRED",
        "lost",
        None,
    )


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        (
            {"resolution": "RETRAINED"},
            ("REPLACEMENT_REQUIRED", "RETRAINED, and only that, names a replacement", ["replacement"]),
        ),
        (
            {"resolution": "RETIRED", "replacement": "m:tuned"},
            ("REPLACEMENT_REQUIRED", "RETRAINED, and only that, names a replacement", ["replacement"]),
        ),
        (
            {"resolution": "NOT_REQUIRED", "replacement": "m:tuned", "justification": "j"},
            ("REPLACEMENT_REQUIRED", "RETRAINED, and only that, names a replacement", ["replacement"]),
        ),
        (
            {"resolution": "RETRAINED", "replacement": "m:1"},
            ("REPLACEMENT_REQUIRED", "a model version does not replace itself", ["replacement"]),
        ),
        (
            {"resolution": "RETRAINED", "replacement": "m:9"},
            ("MODEL_VERSION_NOT_FOUND", "model version m:9 is not recorded", ["replacement"]),
        ),
        ({"resolution": "RETRAINED", "replacement": ""}, ("KEY_EMPTY", "replacement is empty", ["replacement"])),
        (
            {"resolution": "RETRAINED", "replacement": LONG},
            ("KEY_TOO_LONG", "replacement has 257 characters, more than 256", ["replacement"]),
        ),
        (
            {"resolution": "RETRAINED", "replacement": CONTROL},
            (
                "KEY_CONTROL_CHARACTER",
                "replacement holds the character U+0007, which no key may",
                ["replacement"],
            ),
        ),
        (
            {"resolution": "NOT_REQUIRED", "justification": TEXT},
            ("TEXT_TOO_LONG", "justification has more than 4000 characters", ["justification"]),
        ),
    ],
)
def test_a_resolution_that_is_not_possible_changes_nothing(
    story: Api, fields: dict[str, Any], refusal: tuple[str, str, list[str]]
) -> None:
    flag = flags(story)["m:1"]

    assert told(story, RESOLVE, flag=flag, **fields) == refusal
    assert flags(story)["m:1"] == flag


def test_a_new_cause_after_the_end_of_a_flag_raises_a_new_one(story: Api) -> None:
    ended = flags(story)["m:1"]
    change(story, RESOLVE, flag=ended, resolution="NOT_REQUIRED", justification="never deployed")

    story.ingest(post("p4", "u2"))
    change(story, OBJECT, key="o2", user="u2", receivedAt=RECEIVED.isoformat())

    raised = flags(story)["m:1"]
    assert raised != ended
    query = "query ($id: ID!) { node(id: $id) { ... on RetrainingFlag { causeCount affectedPostCount } } }"
    assert story.data(query, {"id": raised})["node"] == {"causeCount": 1, "affectedPostCount": 1}
