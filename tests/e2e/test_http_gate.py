"""The gate over HTTP: a run's whole life, what stands against it, every refusal by code, and who may."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.conftest import Api
from tests.e2e.operations import (
    CONTROL,
    LONG,
    OBJECT,
    REGISTER,
    TRAIN,
    change,
    error_codes,
    post,
    record,
    refusal,
    told,
)

RUN = "trainingRun { key status purpose authorizedAt startedAt endedAt failReason produced { key } inputs { number } }"
AUTHORIZE = f"""mutation ($input: AuthorizeTrainingInput!) {{
  authorizeTraining(input: $input) {{
    {RUN}
    refusals {{ datasetVersion {{ number dataset {{ key }} }} reason count samplePosts message }}
    userErrors {{ code message path }}
  }}
}}"""
MUTATION = """mutation ($input: %sInput!) { %s(input: $input) { %s userErrors { code message path } } }"""
START = MUTATION % ("StartTraining", "startTraining", RUN)
COMPLETE = MUTATION % ("CompleteTraining", "completeTraining", RUN)
FAIL = MUTATION % ("FailTraining", "failTraining", RUN)
CANCEL = MUTATION % ("CancelTraining", "cancelTraining", RUN)
WITHDRAW = """mutation ($input: WithdrawDatasetVersionInput!) {
  withdrawDatasetVersion(input: $input) { datasetVersion { status } userErrors { code message path } } }"""
COUNT = """query ($n: Int!, $p: String! = "AI_TRAINING") {
  datasetVersion(dataset: "d", number: $n) { ineligibleCount(purpose: $p) } }"""

D1 = [{"dataset": "d", "number": 1}]
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()
NOT_RECORDED = ("RUN_NOT_FOUND", "run x is not recorded", ["run"])
TEXT = "x" * 4001


@pytest.fixture
def story(api: Api) -> Api:
    """d:1 holds two posts of u1 and one of u2 that may be used."""
    policy = {
        "jurisdiction": "GB",
        "purpose": "AI_TRAINING",
        "lawful_basis": "LEGITIMATE_INTERESTS",
        "notice_required": False,
        "assessment": "dpia",
        "effective_from": "2020-01-01T00:00:00Z",
    }
    people = (record("user", key=key, jurisdiction="GB", adult_from="1990-01-01") for key in ("u1", "u2"))
    posts = (post("p1", "u1"), post("p2", "u1"), post("p3", "u2"))
    answer = api.ingest(record("policy", key="gb", version=1, **policy), *people, *posts)
    assert answer["rejected"] == 0, answer
    change(api, REGISTER, dataset="d", title="A dataset", coverage="COMPLETE", posts=["p1", "p2", "p3"])
    return api


def authorize(api: Api, run: str = "r", **fields: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"inputs": D1} | fields
    return change(api, AUTHORIZE, run=run, **given)


def object_to_it(api: Api, user: str = "u1", key: str = "o1") -> None:
    change(api, OBJECT, key=key, user=user, receivedAt=YESTERDAY)


def refused(api: Api, **fields: Any) -> tuple[str, str, list[str] | None]:
    """The one userError of an authorisation, beside which there are no refusals."""
    payload = api.data(AUTHORIZE, {"input": {"run": "r", "inputs": D1} | fields})["authorizeTraining"]
    (error,) = payload["userErrors"]
    assert (payload["trainingRun"], payload["refusals"]) == (None, [])
    return error["code"], error["message"], error["path"]


def usage(api: Api, key: str = "p1") -> dict[str, Any]:
    query = """query ($p: String!) { postUsage(post: $p) {
      verdict uses { edges { node { modelVersion { key } trainingRun { key status } } } } heldIn { number } } }"""
    return api.data(query, {"p": key})["postUsage"]


# ---- the life of a run ----------------------------------------------------------------------------------------------


def test_a_run_is_authorised_started_and_completed(story: Api) -> None:
    authorized = authorize(story)
    run = authorized["trainingRun"]
    assert authorized["refusals"] == []
    assert (run["key"], run["status"], run["purpose"], run["inputs"]) == (
        "r",
        "AUTHORIZED",
        "AI_TRAINING",
        [{"number": 1}],
    )
    assert run["authorizedAt"] is not None
    assert (run["startedAt"], run["endedAt"], run["failReason"], run["produced"]) == (None, None, None, None)
    assert usage(story) == {"verdict": "NOT_USED", "uses": {"edges": []}, "heldIn": [{"number": 1}]}

    started = change(story, START, "ml", run="r")["trainingRun"]
    assert started["status"] == "RUNNING"
    assert started["startedAt"] > run["authorizedAt"]
    assert change(story, START, run="r", startedAt=started["startedAt"])["trainingRun"] == started
    use = {"modelVersion": None, "trainingRun": {"key": "r", "status": "RUNNING"}}
    assert usage(story)["uses"]["edges"] == [{"node": use}]

    completed = change(story, COMPLETE, "ml", run="r", model="m", version="1")["trainingRun"]
    assert (completed["status"], completed["produced"]) == ("COMPLETED", {"key": "m:1"})
    assert completed["endedAt"] > completed["startedAt"]
    assert change(story, COMPLETE, run="r", model="m", version="1")["trainingRun"] == completed
    use = {"modelVersion": {"key": "m:1"}, "trainingRun": {"key": "r", "status": "COMPLETED"}}
    assert usage(story)["uses"]["edges"] == [{"node": use}]
    assert authorize(story)["trainingRun"] == completed


def test_a_run_fails(story: Api) -> None:
    authorize(story)
    change(story, START, run="r")

    failed = change(story, FAIL, "ml", run="r", reason="out of memory")["trainingRun"]

    assert (failed["status"], failed["failReason"], failed["produced"]) == ("FAILED", "out of memory", None)
    use = {"modelVersion": None, "trainingRun": {"key": "r", "status": "FAILED"}}
    assert usage(story)["uses"]["edges"] == [{"node": use}]
    assert change(story, FAIL, run="r", reason="out of memory")["trainingRun"] == failed


def test_a_run_is_cancelled(story: Api) -> None:
    authorize(story)

    cancelled = change(story, CANCEL, "ml", run="r")["trainingRun"]

    assert (cancelled["status"], cancelled["startedAt"]) == ("CANCELLED", None)
    assert usage(story)["verdict"] == "NOT_USED"
    assert change(story, CANCEL, run="r")["trainingRun"] == cancelled


def test_times_are_taken_as_given(story: Api) -> None:
    authorized_at = authorize(story)["trainingRun"]["authorizedAt"]

    started = change(story, START, run="r", startedAt=authorized_at)["trainingRun"]
    completed = change(story, COMPLETE, run="r", model="m", version="1", endedAt=authorized_at)["trainingRun"]

    assert (started["startedAt"], completed["endedAt"]) == (authorized_at, authorized_at)


def test_a_run_recorded_as_it_happened_was_never_authorised(story: Api) -> None:
    change(story, TRAIN, run="history", inputs=D1, startedAt=YESTERDAY)

    found = story.data('{ trainingRun(key: "history") { status authorizedAt failReason } }')["trainingRun"]

    assert found == {"status": "FAILED", "authorizedAt": None, "failReason": None}


# ---- what stands against a run --------------------------------------------------------------------------------------


def test_what_stands_against_a_run_is_listed(story: Api) -> None:
    change(story, REGISTER, dataset="dump", coverage="UNDOCUMENTED")
    object_to_it(story)

    answer = authorize(story, inputs=[*D1, {"dataset": "dump", "number": 1}])

    assert answer["trainingRun"] is None
    assert answer["refusals"] == [
        {
            "datasetVersion": {"number": 1, "dataset": {"key": "d"}},
            "reason": "OBJECTION_PENDING",
            "count": 2,
            "samplePosts": ["p1", "p2"],
            "message": "2 posts of d:1 may not be used: OBJECTION_PENDING",
        },
        {
            "datasetVersion": {"number": 1, "dataset": {"key": "dump"}},
            "reason": None,
            "count": 0,
            "samplePosts": [],
            "message": "dump:1 has no COMPLETE manifest (it is UNDOCUMENTED)",
        },
    ]
    assert story.data('{ trainingRun(key: "r") { key } }')["trainingRun"] is None


def test_how_many_members_may_not_be_used(story: Api) -> None:
    assert story.data(COUNT, {"n": 1}, role="ml")["datasetVersion"] == {"ineligibleCount": 0}
    assert story.data(COUNT, {"n": 1, "p": "ADS"})["datasetVersion"] == {"ineligibleCount": 3}
    object_to_it(story)
    assert story.data(COUNT, {"n": 1}, role="auditor")["datasetVersion"] == {"ineligibleCount": 2}
    change(story, REGISTER, dataset="d", coverage="UNDOCUMENTED")
    change(story, REGISTER, dataset="d", coverage="COMPLETE")
    assert story.data(COUNT, {"n": 2})["datasetVersion"] == {"ineligibleCount": None}
    assert story.data(COUNT, {"n": 3})["datasetVersion"] == {"ineligibleCount": None}


def test_an_authorisation_that_is_not_possible(story: Api) -> None:
    change(story, TRAIN, run="history", inputs=D1, startedAt=YESTERDAY, purpose="AI_TRAINING")
    conflict = ("RUN_CONFLICT", "run history is recorded with other content", ["run"])

    assert refused(story, inputs=[]) == ("INPUT_REQUIRED", "a run reads at least one dataset version", ["inputs"])
    assert refused(story, inputs=[{"dataset": "d", "number": 7}]) == (
        "VERSION_NOT_FOUND",
        "dataset version d:7 is not recorded",
        ["inputs"],
    )
    assert refused(story, startedFrom=["m:7"]) == (
        "MODEL_VERSION_NOT_FOUND",
        "model version m:7 is not recorded",
        ["startedFrom"],
    )
    assert refused(story, run="history") == conflict


def test_a_flagged_base_checkpoint(story: Api) -> None:
    change(story, TRAIN, run="r0", inputs=D1, startedAt="2025-01-01T00:00:00Z", model="m", version="1")
    change(story, REGISTER, dataset="e", coverage="COMPLETE", posts=["p3"], generatedBy=["m:1"])
    e1 = [{"dataset": "e", "number": 1}]
    authorize(story, "r", inputs=e1, startedFrom=["m:1"])
    object_to_it(story)

    message = "m:1, which has an open retraining flag"
    assert refused(story, run="r2", inputs=e1, startedFrom=["m:1"]) == (
        "BASE_FLAGGED",
        f"the run starts from {message}",
        ["startedFrom"],
    )
    assert told(story, START, run="r") == ("BASE_FLAGGED", f"the run rests on {message}", ["run"])
    (only,) = authorize(story, "r3", inputs=e1)["refusals"]
    assert (only["reason"], only["message"]) == (None, f"e:1 comes of data generated by {message}")


# ---- refusals of a start and of an end ------------------------------------------------------------------------------


def test_a_start_that_is_not_possible(story: Api) -> None:
    authorize(story)
    wrong_time = (
        "STARTED_AT_OUT_OF_RANGE",
        "startedAt does not lie between the authorisation and now",
        ["startedAt"],
    )
    assert told(story, START, run="x") == NOT_RECORDED
    assert told(story, START, run="r", startedAt=YESTERDAY) == wrong_time
    assert told(story, START, run="r", startedAt="2999-01-01T00:00:00Z") == wrong_time
    object_to_it(story)
    assert told(story, START, run="r") == (
        "INELIGIBLE_MEMBERS",
        "2 posts of d:1 may not be used for AI_TRAINING now",
        ["run"],
    )
    change(story, WITHDRAW, dataset="d", number=1, reason="a mistake")
    assert told(story, START, run="r") == ("VERSION_WITHDRAWN", "d:1 is WITHDRAWN", ["run"])
    change(story, CANCEL, run="r")
    assert told(story, START, run="r") == (
        "RUN_WRONG_STATE",
        "run r is CANCELLED; only one that is AUTHORIZED can start",
        ["run"],
    )


def test_a_start_after_a_new_policy(story: Api) -> None:
    authorize(story)
    french = {
        "jurisdiction": "FR",
        "purpose": "AI_TRAINING",
        "lawful_basis": "CONSENT",
        "effective_from": "2020-01-01T00:00:00Z",
    }
    assert story.ingest(json.dumps({"kind": "policy", "key": "fr", "version": 1, **french}))["rejected"] == 0

    assert told(story, START, run="r") == (
        "RECHECK_NEEDED",
        "the members of d:1 are due to be judged again; call authorizeTraining again",
        ["run"],
    )
    assert authorize(story)["trainingRun"]["status"] == "AUTHORIZED"
    assert change(story, START, run="r")["trainingRun"]["status"] == "RUNNING"


def test_an_end_that_is_not_possible(story: Api) -> None:
    wrong = "run r is {}; only one that is {} can {}"
    change(story, TRAIN, run="r0", inputs=D1, startedAt="2025-01-01T00:00:00Z", model="m", version="1")
    authorize(story)
    made = {"model": "m", "version": "2"}
    for mutation, fields in ((COMPLETE, made), (FAIL, {"reason": "x"}), (CANCEL, {})):
        assert told(story, mutation, run="x", **fields) == NOT_RECORDED
    assert told(story, COMPLETE, run="r", **made) == (
        "RUN_WRONG_STATE",
        wrong.format("AUTHORIZED", "RUNNING", "complete"),
        ["run"],
    )
    assert told(story, FAIL, run="r", reason="x") == (
        "RUN_WRONG_STATE",
        wrong.format("AUTHORIZED", "RUNNING", "fail"),
        ["run"],
    )
    change(story, START, run="r")
    assert told(story, CANCEL, run="r") == (
        "RUN_WRONG_STATE",
        wrong.format("RUNNING", "AUTHORIZED", "be cancelled"),
        ["run"],
    )
    early = ("INVALID_INPUT", "the run ended before it started", ["endedAt"])
    ahead = ("TIME_IN_FUTURE", "endedAt lies more than 24 hours ahead", ["endedAt"])
    for mutation, fields in ((COMPLETE, made), (FAIL, {"reason": "x"})):
        assert told(story, mutation, run="r", endedAt=YESTERDAY, **fields) == early
        assert told(story, mutation, run="r", endedAt="2999-01-01T00:00:00Z", **fields) == ahead
    assert told(story, COMPLETE, run="r", model="m", version="1") == (
        "MODEL_VERSION_EXISTS",
        "model version m:1 is recorded already",
        ["version"],
    )
    assert told(story, COMPLETE, run="r", model="m", version="1:2") == (
        "VERSION_WITH_COLON",
        "a version holds no colon",
        ["version"],
    )
    for reason in ("", " \n"):
        assert told(story, FAIL, run="r", reason=reason) == (
            "REASON_REQUIRED",
            "a failure states its reason",
            ["reason"],
        )
    assert told(story, FAIL, run="r", reason=TEXT) == (
        "TEXT_TOO_LONG",
        "reason has more than 4000 characters",
        ["reason"],
    )
    assert story.data('{ trainingRun(key: "r") { status } }')["trainingRun"] == {"status": "RUNNING"}


@pytest.mark.parametrize(
    ("key", "code"), [(LONG, "KEY_TOO_LONG"), ("", "KEY_EMPTY"), (CONTROL, "KEY_CONTROL_CHARACTER")]
)
def test_keys_that_no_key_may_be(story: Api, key: str, code: str) -> None:
    assert refused(story, run=key)[::2] == (code, ["run"])
    assert refused(story, inputs=[{"dataset": key, "number": 1}])[::2] == (code, ["inputs"])
    assert refused(story, startedFrom=[key])[::2] == (code, ["startedFrom"])
    assert refused(story, purpose=key)[::2] == (code, ["purpose"])
    assert refusal(story, START, run=key) == (code, ["run"])
    assert refusal(story, CANCEL, run=key) == (code, ["run"])
    assert refusal(story, FAIL, run=key, reason="x") == (code, ["run"])
    assert refusal(story, COMPLETE, run=key, model="m", version="1") == (code, ["run"])
    assert refusal(story, COMPLETE, run="r", model=key, version="1") == (code, ["model"])
    assert refusal(story, COMPLETE, run="r", model="m", version=key) == (code, ["version"])


# ---- who may --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mutation",
    [
        'authorizeTraining(input: {run: "x", inputs: []})',
        'startTraining(input: {run: "x"})',
        'completeTraining(input: {run: "x", model: "m", version: "1"})',
        'failTraining(input: {run: "x", reason: "r"})',
        'cancelTraining(input: {run: "x"})',
    ],
)
def test_only_those_who_train_pass_the_gate(api: Api, mutation: str) -> None:
    document = f"mutation {{ {mutation} {{ trainingRun {{ id }} userErrors {{ code }} }} }}"
    for role in ("compliance", "service", "auditor"):
        answer = api.graphql(document, role=role)
        assert (error_codes(answer), answer["data"]) == ({"FORBIDDEN"}, None), role
    for role in ("ml", "admin"):
        (payload,) = api.data(document, role=role).values()
        assert [error["code"] for error in payload["userErrors"]] in (["RUN_NOT_FOUND"], ["INPUT_REQUIRED"])
