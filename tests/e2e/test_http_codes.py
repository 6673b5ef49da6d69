"""What can be no code is refused alike wherever it comes in, and what was stored before never rules anything out."""

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.conftest import Api
from tests.e2e.gated import AUTHORIZE, load_usable_data
from tests.e2e.operations import CONTROL, LONG, OBJECT, RECEIVED, REGISTER, TRAIN, change, only_error, refusal

BUILD = """
mutation ($input: BuildDatasetVersionInput!) {
  buildDatasetVersion(input: $input) { datasetVersion { number } userErrors { code message path } }
}
"""
USAGE = '{ postUsage(post: "p1") { verdict undocumented { number } } }'
NO_CODES = ("facebook", "FACEBOOK ", "Facebook", "P" * 65)
NO_JURISDICTIONS = ("gb", "UK", "GB ", "GBR", "")


@dataclass(frozen=True)
class Wrong:
    """What is wrong with an objection, in the words of a record, and how it is refused."""

    code: str
    path: str
    given: dict[str, Any] = field(default_factory=dict[str, Any])


WRONG = (
    *(Wrong("INVALID_VALUE", "platforms", {"platforms": ["THREADS", value]}) for value in NO_CODES),
    *(Wrong("INVALID_VALUE", "purposes", {"purposes": ["AI_TRAINING", value]}) for value in NO_CODES),
    Wrong("PURPOSE_REQUIRED", "purposes", {"purposes": []}),
    Wrong("KEY_EMPTY", "key", {"key": " "}),
    Wrong("KEY_TOO_LONG", "user", {"user": LONG}),
    Wrong("KEY_CONTROL_CHARACTER", "channel", {"channel": CONTROL}),
    Wrong("TIME_IN_FUTURE", "received_at", {"received_at": "2999-01-01T00:00:00Z"}),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: f"{wrong.code}-{wrong.given}"[:60])
def test_a_mutation_refuses_an_objection_as_a_record_is_refused(api: Api, wrong: Wrong) -> None:
    said = {"key": "o", "user": "u", "received_at": RECEIVED} | wrong.given
    (rejected,) = api.ingest(json.dumps({"kind": "objection"} | said))["errors"]
    camel = {"received_at": "receivedAt"}

    answer = refusal(api, OBJECT, **{camel.get(name, name): value for name, value in said.items()})

    assert (rejected["code"], rejected["field"]) == (wrong.code, wrong.path)
    assert answer == (wrong.code, [camel.get(wrong.path, wrong.path)])
    assert api.data('{ objection(key: "o") { key } }') == {"objection": None}


def test_an_objection_that_would_match_nothing_is_not_taken_for_one_that_restricts(api: Api) -> None:
    load_usable_data(api)

    answer = refusal(api, OBJECT, key="o", user="u1", receivedAt=RECEIVED, platforms=["facebook"])
    assert answer == ("INVALID_VALUE", ["platforms"])

    change(api, OBJECT, key="o", user="u1", receivedAt=RECEIVED, platforms=["FACEBOOK"])
    found = api.data('{ eligibility(post: "p1") { reasons } }')
    assert found["eligibility"]["reasons"] == ["OBJECTION_PENDING"]


@pytest.mark.parametrize("mutation", ["registerDatasetVersion", "buildDatasetVersion"])
@pytest.mark.parametrize(
    ("criterion", "value", "code"),
    [
        *(("platforms", value, "INVALID_VALUE") for value in NO_CODES),
        *(("jurisdictions", value, "INVALID_JURISDICTION") for value in NO_JURISDICTIONS),
    ],
)
def test_a_selection_names_codes_only(api: Api, mutation: str, criterion: str, value: str, code: str) -> None:
    selection = {criterion: ["THREADS" if criterion == "platforms" else "IE", value]}
    if mutation == "buildDatasetVersion":
        answer, name = refusal_of_build(api, selection=selection), "selection"
    else:
        answer = refusal(api, REGISTER, dataset="x", coverage="DECLARED", declaredSelection=selection)
        name = "declaredSelection"

    assert answer == (code, [name, criterion])
    assert api.data('{ dataset(key: "x") { key } }') == {"dataset": None}


def refusal_of_build(api: Api, **given: Any) -> tuple[str, list[str] | None]:
    return refusal(api, BUILD, dataset="x", **given)


def test_every_purpose_that_is_written_is_a_code(api: Api) -> None:
    load_usable_data(api)
    wrong = ("INVALID_VALUE", ["purpose"])
    run: dict[str, Any] = {"run": "r", "inputs": [{"dataset": "d", "number": 1}], "purpose": "ai_training"}

    assert refusal_of_build(api, purpose="ai_training") == wrong
    assert refusal(api, TRAIN, **run, startedAt="2025-01-01T00:00:00Z") == wrong
    assert refusal(api, AUTHORIZE, **run) == wrong


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ('eligibility(post: "p1", purpose: "ai_training") { reasons }', ["eligibility"]),
        ('user(key: "u1") { consent(purpose: "ai_training") { status } }', ["user", "consent"]),
        ('user(key: "u1") { consentHistory(purpose: "ads ") { totalCount } }', ["user", "consentHistory"]),
        (
            'datasetVersion(dataset: "d", number: 1) { ineligibleCount(purpose: "a") }',
            ["datasetVersion", "ineligibleCount"],
        ),
    ],
)
def test_a_question_about_what_can_be_no_purpose_has_no_answer(api: Api, query: str, path: list[str]) -> None:
    load_usable_data(api)

    code, message, where = only_error(api.graphql(f"{{ {query} }}"))

    assert (code, where) == ("INVALID_VALUE", path)
    assert message.startswith("purpose is not an upper-case code")


def test_an_objection_says_which_of_its_purposes_no_policy_speaks_of(api: Api) -> None:
    load_usable_data(api)
    purposes = ["AI_TRAINNING", "AI_TRAINING", "ADS"]
    change(api, OBJECT, key="o", user="u1", receivedAt=RECEIVED, purposes=purposes)

    found = api.data('{ objection(key: "o") { purposes purposesWithoutPolicy } }')["objection"]

    assert found == {"purposes": purposes, "purposesWithoutPolicy": ["AI_TRAINNING", "ADS"]}


@pytest.mark.parametrize(
    ("names", "values", "verdict"),
    [
        ("platforms", ["facebook"], "UNKNOWN"),
        ("platforms", ["THREADS", "FACEBOOK "], "UNKNOWN"),
        ("jurisdictions", ["UK"], "UNKNOWN"),
        ("jurisdictions", ["IE", "gb"], "UNKNOWN"),
        ("jurisdictions", ["IE"], "NOT_USED"),
        ("platforms", ["THREADS"], "NOT_USED"),
    ],
)
def test_what_was_stored_before_it_was_refused_rules_nothing_out(
    api: Api, names: str, values: list[str], verdict: str
) -> None:
    load_usable_data(api)
    change(api, REGISTER, dataset="x", coverage="DECLARED", declaredSelection={"jurisdictions": ["IE"]})
    stored = f"MATCH (v:DatasetVersion {{dataset: 'x'}}) SET v.jurisdictions = [], v.{names} = $values"
    api.run(api.service.graph.write(lambda tx: tx.rows(stored, values=values)))
    change(api, TRAIN, run="r", inputs=[{"dataset": "x", "number": 1}], startedAt="2025-01-01T00:00:00Z")

    assert api.data(USAGE)["postUsage"]["verdict"] == verdict
