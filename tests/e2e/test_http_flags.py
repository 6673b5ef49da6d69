"""A flag's life over HTTP: what was before and after it, when what happened, and what holds it open."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consentline.domain.clock import due_at
from consentline.domain.instants import from_datetime
from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.gql.scalars import format_instant
from tests.conftest import Api
from tests.e2e.counting import statements_of
from tests.e2e.operations import OBJECT, TRAIN, change, load_small_story, only_error, pages, record

ACKNOWLEDGE = """mutation ($input: AcknowledgeFlagInput!) {
  acknowledgeFlag(input: $input) { flag { id } userErrors { code } } }"""
SCHEDULE = """mutation ($input: ScheduleRetrainingInput!) {
  scheduleRetraining(input: $input) { flag { id } userErrors { code } } }"""
RESOLVE = """mutation ($input: ResolveFlagInput!) {
  resolveFlag(input: $input) { flag { id } userErrors { code } } }"""
LIFE = """query ($model: String!) {
  retrainingFlags(modelVersion: $model) {
    edges { node { id status acknowledgedAt plannedFor resolvedAt raisedAt previous { id } next { id } } }
  }
}"""
CAUSES = """query ($model: String!, $kind: FlagCauseKind, $first: Int!, $after: String) {
  modelVersion(key: $model) {
    flags(status: OPEN) {
      edges {
        node {
          causes(kind: $kind, first: $first, after: $after) {
            totalCount pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
            edges {
              cursor
              node {
                kind posts dueAt recordedAt
                source { id __typename ... on Objection { key user { key } } ... on TrainingRun { key } }
              }
            }
          }
        }
      }
    }
  }
}"""
RECEIVED = datetime.now(UTC) - timedelta(days=1)


@pytest.fixture
def story(api: Api) -> Api:
    """The small story, in which every post could be used."""
    rules = {"key": "gb", "version": 1, "jurisdiction": "GB", "purpose": "AI_TRAINING", "notice_required": False}
    basis = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia", "effective_from": "2020-01-01T00:00:00Z"}
    api.ingest(record("policy", **rules, **basis), record("user", key="u2", jurisdiction="GB", adult_from="2000-01-01"))
    load_small_story(api)
    return api


def object_to_use(api: Api, key: str, user: str) -> None:
    change(api, OBJECT, key=key, user=user, receivedAt=RECEIVED.isoformat())


def train_early(api: Api) -> None:
    """m:early, trained on d:1 before any rule was in force."""
    inputs = [{"dataset": "d", "number": 1}]
    change(api, TRAIN, run="r2", inputs=inputs, startedAt="2019-01-01T00:00:00Z", model="m", version="early")


def flags(api: Api, model: str = "m:1") -> list[dict[str, Any]]:
    return [edge["node"] for edge in api.data(LIFE, {"model": model})["retrainingFlags"]["edges"]]


def causes(api: Api, role: str = "admin", kind: str | None = None, model: str = "m:1") -> list[dict[str, Any]]:
    given = {"model": model, "kind": kind, "first": 100, "after": None}
    (flag,) = api.data(CAUSES, given, role)["modelVersion"]["flags"]["edges"]
    return [edge["node"] for edge in flag["node"]["causes"]["edges"]]


def test_a_flag_tells_when_it_was_taken_up_planned_and_resolved(story: Api) -> None:
    object_to_use(story, "o1", "u1")
    (raised,) = flags(story)
    assert (raised["acknowledgedAt"], raised["plannedFor"], raised["resolvedAt"]) == (None, None, None)

    change(story, ACKNOWLEDGE, flag=raised["id"])
    change(story, SCHEDULE, flag=raised["id"], plannedFor="2999-01-01T00:00:00Z")
    change(story, RESOLVE, flag=raised["id"], resolution="NOT_REQUIRED", justification="never deployed")

    (ended,) = flags(story)
    assert ended["plannedFor"] == "2999-01-01T00:00:00Z"
    assert raised["raisedAt"] < ended["acknowledgedAt"] < ended["resolvedAt"]


def test_a_new_cause_after_the_end_of_a_flag_raises_one_that_is_linked_with_it(story: Api) -> None:
    object_to_use(story, "o1", "u1")
    (first,) = flags(story)
    change(story, RESOLVE, flag=first["id"], resolution="NOT_REQUIRED", justification="never deployed")
    object_to_use(story, "o2", "u2")
    second = flags(story)[1]
    change(story, RESOLVE, flag=second["id"], resolution="NOT_REQUIRED", justification="never deployed")
    story.ingest(record("user", key="u3", jurisdiction="GB", adult_from="2000-01-01"))
    story.ingest(record("post_author", post="p3", author="u3", reason="another account"))
    object_to_use(story, "o3", "u3")

    found = flags(story)

    ids = [flag["id"] for flag in found]
    assert [flag["previous"] and flag["previous"]["id"] for flag in found] == [None, *ids[:-1]]
    assert [flag["next"] and flag["next"]["id"] for flag in found] == [*ids[1:], None]
    assert [flag["status"] for flag in found] == ["RESOLVED", "RESOLVED", "OPEN"]


def test_a_flag_names_what_holds_it_open(story: Api) -> None:
    object_to_use(story, "o1", "u1")
    object_to_use(story, "o2", "u2")
    change(story, OBJECT, key="o3", user="u2", receivedAt=RECEIVED.isoformat(), platforms=["THREADS"])
    train_early(story)

    found = causes(story)

    assert [(each["kind"], each["posts"], each["source"]["key"]) for each in found] == [
        ("OBJECTION", 2, "o1"),
        ("OBJECTION", 1, "o2"),
    ]
    assert found[0]["source"] == {
        "id": encode_id(NodeId(NodeKind.OBJECTION, "o1")),
        "__typename": "Objection",
        "key": "o1",
        "user": {"key": "u1"},
    }
    due = format_instant(due_at(from_datetime(RECEIVED), "GB"))
    assert [each["dueAt"] for each in found] == [due, due]
    assert found[0]["recordedAt"] < found[1]["recordedAt"]
    violation = causes(story, kind="VIOLATION", model="m:early")
    assert [(each["posts"], each["source"]["key"]) for each in violation] == [(3, "r2")]
    assert {each["kind"] for each in causes(story, model="m:early")} == {"OBJECTION", "VIOLATION"}


def test_who_may_not_see_people_sees_causes_without_them(story: Api) -> None:
    object_to_use(story, "o1", "u1")
    train_early(story)

    found = {each["kind"]: each for each in causes(story, "ml", model="m:early")}

    assert (found["OBJECTION"]["posts"], found["OBJECTION"]["source"]) == (2, None)
    assert (found["VIOLATION"]["posts"], found["VIOLATION"]["source"]["key"]) == (3, "r2")
    assert {each["source"]["key"] for each in causes(story, "auditor", model="m:early")} == {"o1", "r2"}


def test_causes_come_in_pages(story: Api) -> None:
    for number in range(5):
        object_to_use(story, f"o{number}", "u1")

    fields = ("modelVersion", "flags", "edges", 0, "node", "causes")
    found = pages(story, CAUSES, {"model": "m:1", "kind": None, "first": 2}, *fields)

    assert [[each["source"]["key"] for each in page] for page in found] == [["o0", "o1"], ["o2", "o3"], ["o4"]]
    given = {"model": "m:1", "kind": "VIOLATION", "first": 2, "after": None}
    (flag,) = story.data(CAUSES, given)["modelVersion"]["flags"]["edges"]
    assert (flag["node"]["causes"]["totalCount"], flag["node"]["causes"]["edges"]) == (0, [])
    assert only_error(story.graphql(CAUSES, given | {"first": 101}))[0] == "FIRST_OUT_OF_RANGE"
    assert only_error(story.graphql(CAUSES, given | {"after": "nonsense"}))[0] == "BAD_CURSOR"


def test_a_page_of_causes_costs_a_few_statements(story: Api) -> None:
    for number in range(5):
        object_to_use(story, f"o{number}", "u1")
    query = """{ modelVersion(key: "m:1") { flags { edges { node {
      causes(first: %d) { edges { node { source { id } } } } } } } } }"""

    assert statements_of(story, query % 1) == statements_of(story, query % 5) <= 6
