"""Was anything of this person used, where do they stand, and how did they come to stand there."""

from typing import Any

import pytest

from consentline.gql.scalars import format_instant
from tests.conftest import Api
from tests.e2e.operations import (
    OBJECT,
    PAGE,
    REGISTER,
    TRAIN,
    change,
    error_codes,
    load_small_story,
    only_error,
    pages,
    post,
    record,
)

USED = ["p1", "p2", "s1", "s2", "s3"]
UNKNOWN = ["x1", "x2"]
NOT_USED = ["n1", "n2", "n3"]
EVERYTHING = sorted([*USED, *UNKNOWN, *NOT_USED])

DECIDE = """mutation ($input: DecideObjectionInput!) {
  decideObjection(input: $input) { objection { status } userErrors { code message path } } }"""
WITHDRAW = """mutation ($input: WithdrawObjectionInput!) {
  withdrawObjection(input: $input) { objection { status } userErrors { code message path } } }"""


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    """u1 moved from AU to GB: posts that were used, that an Australian selection cannot rule out, and neither.

    They were told twice at one instant, objected twice, and consented to something else.
    """
    api = module_api
    load_small_story(api)
    notice = {"channel": "IN_APP", "published_at": "2024-09-01T00:00:00Z"}
    policy = {"purpose": "AI_TRAINING", "lawful_basis": "LEGITIMATE_INTERESTS"}
    answer = api.ingest(
        record("user", key="u1", jurisdiction="AU", valid_from="2020-01-01T00:00:00Z"),
        record("user", key="u1", jurisdiction="GB", valid_from="2024-02-01T00:00:00Z"),
        record("user", key="u3", jurisdiction="GB"),
        record("policy", key="gb", version=1, jurisdiction="GB", effective_from="2024-09-01T00:00:00Z", **policy),
        record("notice", key="a", version=1, purpose="AI_TRAINING", **notice),
        record("notice", key="b", version=1, purpose="AI_TRAINING", **notice),
        record("notice_served", user="u1", notice="a", version=1, served_at="2024-09-10T10:00:00Z"),
        record("notice_served", user="u1", notice="b", version=1, served_at="2024-09-10T10:00:00Z"),
        record("consent", user="u1", purpose="ADS", status="GIVEN", valid_from="2024-11-01T10:00:00Z"),
        record("consent", user="u1", purpose="ADS", status="WITHDRAWN", valid_from="2024-12-01T10:00:00Z"),
        *(post(key, "u1") for key in ("s1", "s2", "s3", *NOT_USED)),
        *(post(key, "u1", "INSTAGRAM") for key in UNKNOWN),
        post("other", "u3"),
    )
    assert answer["rejected"] == 0, answer
    change(api, REGISTER, dataset="d", coverage="COMPLETE", posts=["s1", "s2", "s3"])
    selection = {"jurisdictions": ["AU"], "platforms": ["INSTAGRAM"]}
    change(api, REGISTER, dataset="old", coverage="DECLARED", declaredSelection=selection)
    inputs = [{"dataset": "d", "number": 2}, {"dataset": "old", "number": 1}]
    change(api, TRAIN, run="r2", inputs=inputs, startedAt="2025-03-01T00:00:00Z", model="m", version="2")
    change(api, OBJECT, key="o1", user="u1", receivedAt="2024-10-01T10:00:00Z")
    change(api, DECIDE, key="o1", uphold=False, grounds="compelling", decidedAt="2024-10-20T10:00:00Z")
    change(api, OBJECT, key="o2", user="u1", receivedAt="2026-11-01T10:00:00Z")
    change(api, WITHDRAW, key="o2")
    return api


USAGE = f"""
query ($user: String!, $verdict: UsageVerdict, $first: Int! = 50, $after: String, $knownAt: DateTime) {{
  userUsage(user: $user, knownAt: $knownAt) {{
    userKey verdict usedPostCount knownAt modelVersions {{ key }}
    posts(verdict: $verdict, first: $first, after: $after) {{
      {PAGE}
      edges {{ cursor node {{ postKey verdict uses {{ edges {{ node {{ modelVersion {{ key }} }} }} }} }} }}
    }}
  }}
}}
"""


def test_was_anything_of_this_person_used(story: Api) -> None:
    usage = story.data(USAGE, {"user": "u1"}, "auditor")["userUsage"]

    assert (usage["userKey"], usage["verdict"], usage["usedPostCount"]) == ("u1", "USED", len(USED))
    assert usage["modelVersions"] == [{"key": "m:1"}, {"key": "m:2"}, {"key": "m:tuned"}]
    posts = {edge["node"]["postKey"]: edge["node"] for edge in usage["posts"]["edges"]}
    verdicts = dict.fromkeys(USED, "USED") | dict.fromkeys(UNKNOWN, "UNKNOWN") | dict.fromkeys(NOT_USED, "NOT_USED")
    assert {key: each["verdict"] for key, each in posts.items()} == verdicts
    assert posts["s1"]["uses"]["edges"] == [{"node": {"modelVersion": {"key": "m:2"}}}]


@pytest.mark.parametrize(
    ("user", "verdict"), [("u3", "NOT_USED"), ("u2", "USED"), ("never recorded", "UNKNOWN"), ("", "UNKNOWN")]
)
def test_everybody_has_an_answer(story: Api, user: str, verdict: str) -> None:
    assert story.data(USAGE, {"user": user})["userUsage"]["verdict"] == verdict


@pytest.mark.parametrize("first", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("verdict", "keys"), [(None, EVERYTHING), ("USED", USED), ("UNKNOWN", UNKNOWN), ("NOT_USED", NOT_USED)]
)
def test_a_persons_posts_page_by_page(story: Api, first: int, verdict: str | None, keys: list[str]) -> None:
    asked = {"user": "u1", "verdict": verdict, "first": first}

    found = pages(story, USAGE, asked, "userUsage", "posts")

    assert [[node["postKey"] for node in page] for page in found] == [
        keys[begin : begin + first] for begin in range(0, len(keys), first)
    ]


def test_pages_of_one_moment(story: Api) -> None:
    known_at = story.data(USAGE, {"user": "u1"})["userUsage"]["knownAt"]

    found = pages(story, USAGE, {"user": "u1", "first": 4, "knownAt": known_at}, "userUsage", "posts")

    assert [len(page) for page in found] == [4, 4, 2]
    assert story.data(USAGE, {"user": "u1", "knownAt": known_at})["userUsage"]["knownAt"] == known_at


@pytest.mark.parametrize(
    "other", [{"user": "u2"}, {"verdict": "USED"}, {"knownAt": "2026-01-01T00:00:00Z"}, {"after": "nonsense"}]
)
def test_a_cursor_is_good_for_its_own_question_only(story: Api, other: dict[str, Any]) -> None:
    page = story.data(USAGE, {"user": "u1", "first": 2})["userUsage"]["posts"]
    asked = {"user": "u1", "after": page["pageInfo"]["endCursor"]} | other

    answer = story.graphql(USAGE, asked)

    assert only_error(answer) == ("BAD_CURSOR", "after is not a cursor of this list", ["userUsage", "posts"])
    assert answer["data"] is None


def test_before_anything_was_recorded_nothing_was_used(story: Api) -> None:
    usage = story.data(USAGE, {"user": "u1", "knownAt": "2020-01-01T00:00:00Z"})["userUsage"]

    assert (usage["verdict"], usage["usedPostCount"], usage["modelVersions"]) == ("NOT_USED", 0, [])
    assert (usage["posts"]["totalCount"], usage["knownAt"]) == (0, "2020-01-01T00:00:00Z")


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ('userUsage(user: "u1", knownAt: "2999-01-01T00:00:00Z") { verdict }', ["userUsage"]),
        ('user(key: "u1") { consent(knownAt: "2999-01-01T00:00:00Z") { status } }', ["user", "consent"]),
    ],
)
def test_what_will_be_known_cannot_be_answered(story: Api, field: str, path: list[str]) -> None:
    assert only_error(story.graphql(f"{{ {field} }}")) == ("KNOWN_AT_IN_FUTURE", "knownAt lies in the future", path)


@pytest.mark.parametrize(
    ("field", "root"),
    [
        ('userUsage(user: "u1") { verdict }', "userUsage"),
        ('user(key: "u1") { consent { status } }', "user"),
        ('user(key: "u1") { consentHistory { totalCount } }', "user"),
    ],
)
def test_people_are_not_for_ml(story: Api, field: str, root: str) -> None:
    answer = story.graphql(f"{{ {field} }}", role="ml")

    assert only_error(answer) == ("FORBIDDEN", "the role ml may not read people", [root])
    assert answer["data"] in (None, {root: None})


@pytest.mark.parametrize("first", [0, 101])
def test_a_page_has_between_1_and_100_items(story: Api, first: int) -> None:
    history = f'{{ user(key: "u1") {{ consentHistory(first: {first}) {{ totalCount }} }} }}'

    assert error_codes(story.graphql(USAGE, {"user": "u1", "first": first})) == {"FIRST_OUT_OF_RANGE"}
    assert error_codes(story.graphql(history)) == {"FIRST_OUT_OF_RANGE"}


CONSENT = """
query ($user: String! = "u1", $purpose: String! = "AI_TRAINING", $at: DateTime, $knownAt: DateTime) {
  user(key: $user) {
    consent(purpose: $purpose, at: $at, knownAt: $knownAt) { status purpose lawfulBasis validFrom recordedAt }
  }
}
"""
BASIS = "LEGITIMATE_INTERESTS"


@pytest.mark.parametrize(
    ("asked", "status", "basis", "valid_from"),
    [
        ({}, "OBJECTION_REFUSED", BASIS, "2024-10-20T10:00:00Z"),
        ({"at": "2026-11-01T12:00:00Z"}, "OBJECTION_PENDING", BASIS, "2026-11-01T10:00:00Z"),
        ({"at": "2025-01-01T00:00:00Z"}, "OBJECTION_REFUSED", BASIS, "2024-10-20T10:00:00Z"),
        ({"at": "2024-10-02T00:00:00Z"}, "OBJECTION_PENDING", BASIS, "2024-10-01T10:00:00Z"),
        ({"at": "2024-09-11T00:00:00Z"}, "INFORMED", BASIS, "2024-09-10T10:00:00Z"),
        ({"at": "2024-09-02T00:00:00Z"}, "UNINFORMED", BASIS, None),
        ({"at": "2024-01-01T00:00:00Z"}, "UNINFORMED", None, None),
        ({"knownAt": "2024-12-01T00:00:00Z"}, "UNINFORMED", None, None),
        ({"purpose": "ADS"}, "CONSENT_WITHDRAWN", None, "2024-12-01T10:00:00Z"),
        ({"purpose": "ADS", "at": "2024-11-20T00:00:00Z"}, "CONSENT_GIVEN", None, "2024-11-01T10:00:00Z"),
        ({"purpose": "NEVER_MENTIONED"}, "UNINFORMED", None, None),
        ({"user": "u3"}, "UNINFORMED", BASIS, None),
    ],
)
def test_where_a_person_stands(
    story: Api, asked: dict[str, str], status: str, basis: str | None, valid_from: str | None
) -> None:
    state = story.data(CONSENT, asked, "compliance")["user"]["consent"]

    assert (state["status"], state["lawfulBasis"], state["validFrom"]) == (status, basis, valid_from)
    assert state["purpose"] == asked.get("purpose", "AI_TRAINING")
    assert (state["recordedAt"] is None) is (valid_from is None)


HISTORY = f"""
query ($user: String! = "u1", $purpose: String! = "AI_TRAINING", $first: Int! = 50, $after: String) {{
  user(key: $user) {{
    consentHistory(purpose: $purpose, first: $first, after: $after) {{
      {PAGE} edges {{ cursor node {{ status purpose lawfulBasis validFrom recordedAt }} }}
    }}
  }}
}}
"""
TOLD_AND_SAID = ["INFORMED", "INFORMED", "OBJECTION_PENDING", "OBJECTION_REFUSED", "OBJECTION_PENDING"]


@pytest.mark.parametrize("first", [1, 2, 5, 50])
def test_how_a_person_came_to_stand_there_page_by_page(story: Api, first: int) -> None:
    found = pages(story, HISTORY, {"first": first}, "user", "consentHistory")

    states = [state for page in found for state in page]
    assert all(len(page) == first for page in found[:-1])
    assert [state["status"] for state in states] == [*TOLD_AND_SAID, "OBJECTION_WITHDRAWN"]
    assert [state["validFrom"] for state in states[:5]] == [
        "2024-09-10T10:00:00Z",
        "2024-09-10T10:00:00Z",
        "2024-10-01T10:00:00Z",
        "2024-10-20T10:00:00Z",
        "2026-11-01T10:00:00Z",
    ]
    assert {(state["purpose"], state["lawfulBasis"]) for state in states} == {("AI_TRAINING", BASIS)}
    assert all(state["recordedAt"] for state in states)


def test_each_purpose_has_a_history_of_its_own(story: Api) -> None:
    (ads,) = pages(story, HISTORY, {"purpose": "ADS"}, "user", "consentHistory")

    assert [state["status"] for state in ads] == ["CONSENT_GIVEN", "CONSENT_WITHDRAWN"]
    assert pages(story, HISTORY, {"purpose": "NEVER_MENTIONED"}, "user", "consentHistory") == [[]]
    assert pages(story, HISTORY, {"user": "u3"}, "user", "consentHistory") == [[]]


@pytest.mark.parametrize("other", [{"purpose": "ADS"}, {"user": "u3"}, {"after": "nonsense"}])
def test_a_cursor_is_good_for_its_own_history_only(story: Api, other: dict[str, str]) -> None:
    page = story.data(HISTORY, {"first": 2})["user"]["consentHistory"]
    asked = {"after": page["pageInfo"]["endCursor"]} | other

    assert only_error(story.graphql(HISTORY, asked)) == (
        "BAD_CURSOR",
        "after is not a cursor of this list",
        ["user", "consentHistory"],
    )


def test_a_notice_described_late_informs_since_it_is_known_what_it_says(api: Api) -> None:
    served = record("notice_served", user="u1", notice="late", version=1, served_at="2024-09-10T10:00:00Z")
    api.ingest(served)
    then = now_of(api)
    described = {"purpose": "AI_TRAINING", "channel": "app", "published_at": "2024-09-01T00:00:00Z"}
    api.ingest(record("notice", key="late", version=1, **described))

    (state,) = pages(api, HISTORY, {}, "user", "consentHistory")[0]

    assert (state["status"], state["validFrom"]) == ("INFORMED", "2024-09-10T10:00:00Z")
    assert state["recordedAt"] > then
    for known_at, status in ((then, "UNINFORMED"), (state["recordedAt"], "INFORMED")):
        found = api.data(CONSENT, {"knownAt": known_at})["user"]["consent"]
        assert found["status"] == status
    assert found["recordedAt"] == state["recordedAt"]


def now_of(api: Api) -> str:
    return format_instant(api.run(api.service.now()))
