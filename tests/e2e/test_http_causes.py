"""Every kind of cause over HTTP: the fact is recorded, and the flag with that kind and source is there."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Api
from tests.e2e.operations import ERASE, OBJECT, TRAIN, change, load_small_story, record

FLAGS = """{
  retrainingFlags(status: OPEN) {
    edges {
      node {
        modelVersion { key }
        dueAt
        causeCount
        affectedPostCount
        causes {
          edges {
            node {
              kind posts dueAt recordedAt
              source {
                id __typename
                ... on Objection { key } ... on Erasure { key } ... on Post { key } ... on User { key }
                ... on TrainingRun { key } ... on Policy { key version }
              }
            }
          }
        }
      }
    }
  }
}"""
COUNT = '{ datasetVersion(dataset: "d", number: 1) { ineligibleCount(purpose: "AI_TRAINING") } }'
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
RULES: dict[str, Any] = {"jurisdiction": "GB", "purpose": "AI_TRAINING", "notice_required": False}
ASSESSED = {"lawful_basis": "LEGITIMATE_INTERESTS", "assessment": "dpia"}
"""A policy under which every post of the story may be used."""


@dataclass(frozen=True)
class Fact:
    """A fact that makes a cause of `kind`, from `source`, of so many of the story's posts; all of them ineligible."""

    kind: str
    source: tuple[str, str]
    posts: int
    told: Callable[[Api], object]
    basis: dict[str, str] | None = None


def ingest(kind: str, **fields: Any) -> Callable[[Api], object]:
    return lambda api: api.ingest(record(kind, **fields))


def train_early(api: Api) -> None:
    """m:early, trained on d:1 before any rule was in force."""
    inputs = [{"dataset": "d", "number": 1}]
    change(api, TRAIN, run="early", inputs=inputs, startedAt="2019-01-01T00:00:00Z", model="m", version="early")


FACTS = [
    Fact(
        "OBJECTION",
        ("Objection", "o"),
        2,
        lambda api: change(api, OBJECT, key="o", user="u1", receivedAt=YESTERDAY),
    ),
    Fact(
        "THIRD_PARTY_OBJECTED",
        ("Objection", "o"),
        1,
        lambda api: change(api, OBJECT, key="o", user="shown", receivedAt=YESTERDAY),
    ),
    Fact("ERASURE", ("Erasure", "e"), 2, lambda api: change(api, ERASE, key="e", user="u1", receivedAt=YESTERDAY)),
    Fact("POST_DELETED", ("Post", "p1"), 1, ingest("post_deleted", post="p1", valid_from=YESTERDAY)),
    Fact(
        "VISIBILITY_NARROWED",
        ("Post", "p3"),
        1,
        ingest("visibility", post="p3", visibility="FRIENDS", valid_from=YESTERDAY),
    ),
    Fact(
        "MINOR",
        ("User", "u1"),
        2,
        ingest("user", key="u1", jurisdiction="GB", adult_from="2040-01-01", valid_from=YESTERDAY),
    ),
    Fact(
        "CONSENT_WITHDRAWN",
        ("User", "u1"),
        2,
        ingest("consent", user="u1", purpose="AI_TRAINING", status="WITHDRAWN", valid_from=YESTERDAY),
        {"lawful_basis": "CONSENT"},
    ),
    Fact(
        "ASSESSMENT_EXPIRED",
        ("Policy", "gb"),
        3,
        ingest(
            "policy",
            **RULES,
            **ASSESSED,
            key="gb",
            version=2,
            assessment_expires=YESTERDAY,
            effective_from="2020-01-02T00:00:00Z",
        ),
    ),
]


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.kind)
def test_a_recorded_fact_flags_every_model_version_that_used_a_post_of_it(api: Api, fact: Fact) -> None:
    tell_story(api, fact.basis or ASSESSED)
    assert open_flags(api) == {}
    assert api.data(COUNT) == {"datasetVersion": {"ineligibleCount": 0}}

    fact.told(api)

    found = open_flags(api)
    assert found.keys() == {"m:1", "m:tuned"}
    for flag in found.values():
        ((cause,), count) = ([edge["node"] for edge in flag["causes"]["edges"]], flag["causeCount"])
        assert (cause["kind"], cause["posts"], count) == (fact.kind, fact.posts, 1)
        assert (cause["source"]["__typename"], cause["source"]["key"]) == fact.source
        assert (flag["affectedPostCount"], flag["dueAt"]) == (fact.posts, cause["dueAt"])
    assert api.data(COUNT) == {"datasetVersion": {"ineligibleCount": fact.posts}}


def test_a_run_that_read_what_it_must_not_is_flagged_as_it_is_recorded(api: Api) -> None:
    tell_story(api, ASSESSED)

    train_early(api)

    ((model, flag),) = open_flags(api).items()
    (cause,) = (edge["node"] for edge in flag["causes"]["edges"])
    assert (model, cause["kind"], cause["posts"], cause["source"]["key"]) == ("m:early", "VIOLATION", 3, "early")


def test_a_fact_that_is_taken_back_takes_its_flags_along(api: Api) -> None:
    tell_story(api, ASSESSED)
    api.ingest(record("visibility", post="p3", visibility="FRIENDS", valid_from=YESTERDAY))
    assert open_flags(api).keys() == {"m:1", "m:tuned"}

    api.ingest(record("visibility", post="p3", visibility="PUBLIC", valid_from=datetime.now(UTC).isoformat()))

    assert open_flags(api) == {}
    assert api.data(COUNT) == {"datasetVersion": {"ineligibleCount": 0}}


def tell_story(api: Api, basis: dict[str, str]) -> None:
    """The small story, in which every post could be used, and p3 depicts somebody."""
    rules = record("policy", **RULES, **basis, key="gb", version=1, effective_from="2020-01-01T00:00:00Z")
    people = [record("user", key=key, jurisdiction="GB", adult_from="2000-01-01") for key in ("u2", "shown")]
    said = [
        record("consent", user=user, purpose="AI_TRAINING", status="GIVEN", valid_from="2020-01-01T00:00:00Z")
        for user in ("u1", "u2")
    ]
    answer = api.ingest(rules, *people, *said)
    assert answer["rejected"] == 0, answer
    load_small_story(api)
    described = {
        "platform": "FACEBOOK",
        "post_kind": "POST",
        "visibility": "PUBLIC",
        "published_at": "2024-01-01T00:00:00Z",
    }
    assert api.ingest(record("post", key="p3", author="u2", depicts=["shown"], **described))["rejected"] == 0


def open_flags(api: Api) -> dict[str, dict[str, Any]]:
    """By model version."""
    found = [edge["node"] for edge in api.data(FLAGS)["retrainingFlags"]["edges"]]
    by_model = {flag["modelVersion"]["key"]: flag for flag in found}
    assert len(by_model) == len(found)
    return by_model
