"""Reading the audit: by whom, by what, page by page; and that it names nobody."""

from typing import Any, LiteralString

import pytest

from consentline.domain.access import Role
from consentline.graph.session import Tx
from tests.conftest import Api
from tests.e2e.audited import BLOCKED, TERMS, Entry, Since, blocking, digest, stored
from tests.e2e.operations import OBJECT, change, error_codes, load_small_story, only_error, post

ASK = """
query ($operation: String, $role: String, $tokenId: String, $subject: String, $outcome: String, $from: DateTime,
       $to: DateTime, $first: Int! = 50, $after: String) {
  auditEntries(operation: $operation, role: $role, tokenId: $tokenId, subject: $subject, outcome: $outcome,
               from: $from, to: $to, first: $first, after: $after) {
    edges { cursor node {
      uid at role tokenId requestId operation outcome subjects subjectCount counts { name count } digest intact
    } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}
"""
NAMES = ("u1", "u2", "p1", "p3", "facebook:zoë", "grounds of hers")


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    """Two people's records were loaded, changed and read, by four roles."""
    api = module_api
    load_small_story(api)
    api.ingest(post("p9", "facebook:zoë"))
    change(api, OBJECT, "compliance", key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    decide = """mutation ($input: DecideObjectionInput!) { decideObjection(input: $input) { userErrors { code } } }"""
    change(api, decide, "service", key="o", uphold=False, grounds="grounds of hers")
    api.data('{ user(key: "u1") { key } }', role="compliance")
    api.data('{ user(key: "u2") { key } objections { edges { node { key } } } }', role="auditor")
    api.data('{ post(key: "p9") { author { key } } }', role="compliance")
    api.graphql('{ user(key: "u1") { key } }', role="ml")
    return api


def ask(api: Api, **wanted: Any) -> list[dict[str, Any]]:
    """The entries but for those of asking."""
    connection = api.data(ASK, wanted, "auditor")["auditEntries"]
    return [edge["node"] for edge in connection["edges"] if edge["node"]["operation"] != "auditEntries"]


def told(entries: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(each["operation"], each["outcome"], each["role"]) for each in entries]


U1 = [
    ("user", "FORBIDDEN", "ml"),
    ("user,objections", "READ", "auditor"),
    ("user", "READ", "compliance"),
    ("decideObjection", "ACCEPTED", "service"),
    ("fileObjection", "ACCEPTED", "compliance"),
]


def test_everything_that_happened_to_a_persons_record_the_newest_first(story: Api) -> None:
    found = ask(story, subject="u1")

    assert told(found) == U1
    assert [each["at"] for each in found] == sorted((each["at"] for each in found), reverse=True)
    assert all(digest("User", "u1") in each["subjects"] and each["intact"] for each in found)


def test_the_same_about_any_key_of_any_kind(story: Api) -> None:
    assert told(ask(story, subject="o")) == [each for each in U1 if each[:2] not in {("user", "READ"), U1[0][:2]}]
    assert told(ask(story, subject="facebook:zoë")) == [("post", "READ", "compliance")]
    assert told(ask(story, subject="d:1")) == [("registerDatasetVersion", "ACCEPTED", "admin")]
    assert told(ask(story, subject="m:tuned")) == [
        ("serveFeature", "ACCEPTED", "admin"),
        ("deriveModelVersion", "ACCEPTED", "admin"),
    ]
    assert ask(story, subject="nobody") == []


def test_every_filter_narrows_and_they_go_together(story: Api) -> None:
    assert told(ask(story, operation="objections")) == [U1[1]]
    assert {each[0] for each in told(ask(story, role="compliance"))} == {"user", "fileObjection", "post"}
    assert told(ask(story, outcome="FORBIDDEN")) == [U1[0]]
    assert told(ask(story, subject="u1", role="compliance", outcome="READ")) == [U1[2]]
    assert told(ask(story, subject="u1", operation="user", role="auditor")) == [U1[1]]
    assert told(ask(story, role="compliance", outcome="ACCEPTED")) == [U1[4]]
    (by_ml,) = ask(story, role="ml")
    assert told(ask(story, tokenId=by_ml["tokenId"])) == [U1[0]]
    assert ask(story, tokenId=by_ml["tokenId"], operation="objections") == []
    assert ask(story, operation="fileObjection", outcome="READ") == []


def test_a_time_has_a_beginning_and_an_end_that_lies_outside(story: Api) -> None:
    first, second = (ask(story, subject="u1")[number]["at"] for number in (4, 3))

    assert told(ask(story, subject="u1", **{"from": first, "to": second})) == [U1[4]]
    assert told(ask(story, subject="u1", **{"from": second})) == U1[:4]
    assert ask(story, **{"from": first, "to": first}) == []
    for wanted in ({"role": "compliance"}, {"outcome": "ACCEPTED"}, {"operation": "fileObjection"}, {}):
        assert told(ask(story, **wanted, **{"from": first, "to": second})) == [U1[4]]


@pytest.mark.parametrize("wanted", [{}, {"subject": "u1"}, {"role": "admin"}, {"outcome": "ACCEPTED"}, {"first": 2}])
def test_pages_follow_each_other_without_gaps(story: Api, wanted: dict[str, Any]) -> None:
    def page(after: str | None) -> dict[str, Any]:
        return story.data(ASK, {"to": until, "first": 2, "after": after} | wanted, "auditor")["auditEntries"]

    until = "2999-01-01T00:00:00Z"
    until = story.data(ASK, wanted, "auditor")["auditEntries"]["edges"][0]["node"]["at"]
    everything = story.data(ASK, {"to": until} | wanted | {"first": 100}, "auditor")["auditEntries"]["edges"]
    found: list[str] = []
    after = None
    while True:
        connection = page(after)
        info = connection["pageInfo"]
        assert info["hasPreviousPage"] is (after is not None)
        found += [edge["node"]["uid"] for edge in connection["edges"]]
        if not info["hasNextPage"]:
            break
        after = info["endCursor"]

    assert found == [edge["node"]["uid"] for edge in everything]
    assert len(set(found)) == len(found) > 2


def test_a_cursor_is_good_for_its_own_filter_only(story: Api) -> None:
    cursor = story.data(ASK, {"subject": "u1", "first": 1}, "auditor")["auditEntries"]["pageInfo"]["endCursor"]

    answer = story.graphql(ASK, {"subject": "u2", "after": cursor}, "auditor")

    assert only_error(answer)[:2] == ("BAD_CURSOR", "after is not a cursor of this list")


def test_reading_the_audit_is_entered(story: Api) -> None:
    since = Since(story)

    story.data(ASK, {"subject": "u1"}, "auditor")
    story.data(ASK, {}, "auditor")

    about, nobody = since.entries()
    assert about[:3] == nobody[:3] == ("auditEntries", "READ", "auditor")
    assert digest("User", "u1") in about.subjects
    assert nobody.subjects == frozenset()


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.AUDITOR])
def test_nobody_else_may_read_the_audit_and_trying_is_entered(story: Api, role: Role) -> None:
    since = Since(story)

    answer = story.graphql(ASK, {"subject": "u1"}, role)

    assert only_error(answer) == ("FORBIDDEN", f"the role {role} may not read the audit", ["auditEntries"])
    assert since.only()[:3] == ("auditEntries", "FORBIDDEN", role.value)


def test_an_audit_whose_reading_cannot_be_entered_is_not_read(story: Api) -> None:
    with blocking(story):
        response = story.post("/graphql", "auditor", json={"query": ASK, "variables": {}}, headers=BLOCKED)

    assert (response.status_code, error_codes(response.json())) == (503, {"AUDIT_UNAVAILABLE"})
    assert response.json()["data"] is None


def test_no_entry_holds_a_key_a_text_or_a_token(story: Api) -> None:
    async def terms(tx: Tx) -> list[dict[str, Any]]:
        return [row["term"] for row in await tx.rows(TERMS)]

    rows = stored(story) + story.run(story.service.graph.read(terms))

    texts = [
        text
        for row in rows
        for value in row.values()
        for text in (value if isinstance(value, list) else [value])
        if isinstance(text, str)
    ]
    assert not [text for text in texts if text in NAMES or "eyJ" in text or "zoë" in text or "grounds" in text]


CHANGE: LiteralString = """
MATCH (e:AuditEntry {operation: 'fileObjection'}) SET e.role = 'service' RETURN e.uid AS uid
"""
CHANGE_BACK: LiteralString = """
MATCH (e:AuditEntry {operation: 'fileObjection'}) SET e.role = 'compliance'
"""


def test_an_entry_that_somebody_changed_is_not_intact(story: Api) -> None:
    async def write(tx: Tx, statement: LiteralString) -> None:
        await tx.rows(statement)

    story.run(story.service.graph.write(lambda tx: write(tx, CHANGE)))
    try:
        found = {each["operation"]: each["intact"] for each in ask(story, subject="u1")}
    finally:
        story.run(story.service.graph.write(lambda tx: write(tx, CHANGE_BACK)))

    assert found == {"fileObjection": False, "decideObjection": True, "user": True, "user,objections": True}


def test_an_entry_says_in_which_request_and_by_which_token(story: Api) -> None:
    since = Since(story)

    response = story.post(
        "/graphql", "compliance", json={"query": '{ user(key: "u1") { key } }'}, headers={"X-Request-ID": "mine-1"}
    )

    assert response.headers["x-request-id"] == "mine-1"
    (row,) = since.rows()
    assert row["request_id"] == "mine-1"
    assert len(row["token_id"]) == 16
    assert since.only() == Entry("user", "READ", "compliance", frozenset({digest("User", "u1")}))
