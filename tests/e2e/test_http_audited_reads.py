"""The audit of readings: whoever sees a person's record is entered, or sees nothing."""

import pytest
from graphql import GraphQLObjectType, get_named_type

from consentline.domain.access import Action, Role
from consentline.gql.access import action_of
from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.gql.schema import build_schema, people_types
from tests.conftest import Api
from tests.e2e.audited import BLOCKED, Entry, Since, blocking, digest
from tests.e2e.counting import statements_of
from tests.e2e.operations import ERASE, OBJECT, change, error_codes, load_small_story

CORE = build_schema().core
assert CORE.query_type is not None
QUERIES = CORE.query_type.fields

U1, U2 = digest("User", "u1"), digest("User", "u2")
O1, E2 = digest("Objection", "o"), digest("Erasure", "e")

# What shows a person's record, by a document over the story, and whose it is.
READS: dict[str, tuple[str, set[str]]] = {
    "Query.user": ('{ user(key: "u1") { key jurisdiction } }', {U1}),
    "Query.userUsage": ('{ userUsage(user: "u1") { verdict } }', {U1}),
    "Query.objection": ('{ objection(key: "o") { status } }', {U1, O1}),
    "Query.erasure": ('{ erasure(key: "e") { status } }', {U2, E2}),
    "Erasure.user": ('{ erasure(key: "e") { user { key } } }', {U2, E2}),
    "Objection.user": ('{ objection(key: "o") { user { key } } }', {U1, O1}),
    "ObjectionEdge.node": ("{ objections { edges { node { key } } } }", {U1, O1}),
    "ErasureEdge.node": ("{ erasures { edges { node { key } } } }", {U2, E2}),
    "Post.author": ('{ post(key: "p3") { author { key } } }', {U2}),
    "FlagCause.source": (
        "{ retrainingFlags { edges { node { causes(kind: OBJECTION) { edges { node { source { id } } } } } } } }",
        {U1, O1},
    ),
    "Query.node": ("query ($user: ID!) { node(id: $user) { __typename } }", {U1}),
    "Query.nodes": ("query ($user: ID!, $objection: ID!) { nodes(ids: [$user, $objection]) { id } }", {U1, O1}),
}
IN_PAYLOADS = {"ErasurePayload.erasure", "ObjectionPayload.objection"}
"""Shown by a mutation, whose own entry is about them."""
OF_STRUCTURE = {"LineageStep.from", "LineageStep.to", "LineageGraph.nodes"}
"""May answer with anything that has an id, of which nodes of the lineage are nobody."""
OF_SUBSCRIPTIONS = {"Subscription.objectionChanged"}
FIGURES = {
    "noticeCoverage": "counts of people",
    "objectionFigures": "counts of objections",
    "trainingFigures": "counts of runs",
    "trainingRefusals": "runs, versions and counts",
}
"""What needs a role that may read people, and shows nobody's record."""


@pytest.fixture(scope="module")
def story(module_api: Api) -> Api:
    """u1 objects, u2 asked for erasure."""
    load_small_story(module_api)
    change(module_api, OBJECT, key="o", user="u1", receivedAt="2026-11-02T10:00:00Z")
    change(module_api, ERASE, key="e", user="u2", receivedAt="2026-11-02T10:00:00Z")
    return module_api


@pytest.fixture(scope="module")
def ids(story: Api) -> dict[str, str]:
    data = story.data('{ user(key: "u1") { id } objection(key: "o") { id } }')
    return {"user": data["user"]["id"], "objection": data["objection"]["id"]}


def showing() -> set[str]:
    """Every field of the schema that returns, or may return, a person's record."""
    people = people_types(CORE) | {"Node"}
    return {
        f"{type_.name}.{name}"
        for type_ in CORE.type_map.values()
        if isinstance(type_, GraphQLObjectType)
        for name, field in type_.fields.items()
        if get_named_type(field.type).name in people
    }


def test_every_field_that_shows_a_person_is_tried_here() -> None:
    assert showing() == set(READS) | IN_PAYLOADS | OF_SUBSCRIPTIONS | OF_STRUCTURE
    about_people = {name for name, field in QUERIES.items() if action_of(field) is Action.READ_PEOPLE}
    shown = {name.removeprefix("Query.") for name in READS} | {"objections", "erasures"}
    assert about_people - shown == set(FIGURES)


def test_the_records_of_people_are_these() -> None:
    assert people_types(CORE) == {"User", "Objection", "Erasure", "UserUsage"}


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ML])
@pytest.mark.parametrize("field", READS)
def test_whoever_sees_a_persons_record_leaves_one_entry(
    story: Api, ids: dict[str, str], field: str, role: Role
) -> None:
    document, whose = READS[field]
    since = Since(story)

    story.data(document, ids, role)

    entry = since.only()
    assert entry.operation == document.partition("{ ")[2].split()[0].partition("(")[0]
    assert entry[1:] == ("READ", role.value, frozenset(whose))


@pytest.mark.parametrize("field", READS)
def test_nothing_of_an_answer_leaves_that_cannot_be_entered(story: Api, ids: dict[str, str], field: str) -> None:
    document, _ = READS[field]

    with blocking(story):
        response = story.post("/graphql", "compliance", json={"query": document, "variables": ids}, headers=BLOCKED)

    assert response.status_code == 503
    assert response.headers["retry-after"] == "1"
    assert response.json()["data"] is None
    (error,) = response.json()["errors"]
    assert error["extensions"]["code"] == "AUDIT_UNAVAILABLE"
    assert error["message"] == "the audit entry cannot be written, so there is no answer"
    assert not any(key in response.text for key in ("u1", "u2", "GB", "PENDING"))


def test_an_answer_that_shows_nobody_needs_no_audit(story: Api) -> None:
    since = Since(story)
    documents = (
        '{ postUsage(post: "p1") { verdict uses { edges { node { path { from { id } to { id } } } } } } }',
        '{ eligibility(post: "p1") { eligible reasons } }',
        "{ retrainingFlags { edges { node { modelVersion { key } causeCount } } } }",
        '{ post(key: "p1") { key platform } }',
        '{ objectionFigures(from: "2026-01-01T00:00:00Z", to: "2026-12-01T00:00:00Z") { received } }',
    )

    with blocking(story):
        for document in documents:
            response = story.post("/graphql", "compliance", json={"query": document}, headers=BLOCKED)
            assert "errors" not in response.json()

    assert since.entries() == []


def test_that_there_is_no_record_of_somebody_is_entered_as_well(story: Api) -> None:
    since = Since(story)

    data = story.data(
        '{ user(key: "x") { key } objection(key: "y") { key } erasure(key: "z") { key } }', role="compliance"
    )

    assert data == {"user": None, "objection": None, "erasure": None}
    nobody = frozenset({digest("User", "x"), digest("Objection", "y"), digest("Erasure", "z")})
    assert since.only() == Entry("user,objection,erasure", "READ", "compliance", nobody)


def test_a_request_leaves_one_entry_however_many_it_shows(story: Api) -> None:
    since = Since(story)

    story.data(
        """{
          a: user(key: "u1") { posts { edges { node { author { objections { edges { node { key } } } } } } } }
          b: user(key: "u2") { key }
          objections { edges { node { user { key } } } }
        }""",
        role="auditor",
    )

    (row,) = since.rows()
    assert row["operation"] == "user,objections"
    assert (set(row["subjects"]), row["subject_count"]) == ({U1, U2, O1}, 3)


@pytest.mark.parametrize(
    "document",
    [
        '{ user(key: "u1") { key } }',
        '{ userUsage(user: "u1") { verdict } }',
        '{ objection(key: "o") { key } }',
        '{ erasure(key: "e") { key } }',
        "{ objections { totalCount } }",
        "query ($user: ID!) { node(id: $user) { id } }",
    ],
)
def test_machine_learning_sees_no_people_and_its_attempts_are_entered(
    story: Api, ids: dict[str, str], document: str
) -> None:
    since = Since(story)

    answer = story.graphql(document, ids if "$" in document else None, "ml")

    assert error_codes(answer) == {"FORBIDDEN"}
    assert since.only()[1:3] == ("FORBIDDEN", "ml")
    assert since.only().subjects <= {U1, O1, E2}


def test_machine_learning_sees_posts_without_their_author_and_no_day_of_adulthood(story: Api) -> None:
    since = Since(story)

    data = story.data('{ post(key: "p1") { key author { key adultFrom } } }', role="ml")

    assert data == {"post": {"key": "p1", "author": None}}
    assert since.entries() == []


@pytest.mark.parametrize("role", Role)
def test_was_this_post_used_costs_one_statement_whoever_asks(story: Api, role: Role) -> None:
    assert statements_of(story, '{ postUsage(post: "p1") { verdict uses { totalCount } } }', role) == 1


@pytest.mark.parametrize("first", [1, 2])
def test_the_audit_of_a_reading_costs_one_statement_however_many_it_shows(story: Api, first: int) -> None:
    posts = f'user(key: "u1") {{ posts(first: {first}) {{ edges {{ node {{ key %s }} }} }} }}'

    assert statements_of(story, f"{{ {posts % ''} }}") == statements_of(story, f"{{ {posts % 'author { key }'} }}")
    post_ = '{ post(key: "p1") { key %s } }'
    assert statements_of(story, post_ % "author { key }") == statements_of(story, post_ % "") + 1


def test_more_than_an_entry_lists_are_counted(story: Api) -> None:
    pages = [[encode_id(NodeId(NodeKind.USER, f"{page}:{number}")) for number in range(100)] for page in range(6)]
    fields = " ".join(f"p{page}: nodes(ids: ${'abcdef'[page]}) {{ id }}" for page in range(6))
    since = Since(story)

    story.data(
        f"query ({', '.join(f'${name}: [ID!]!' for name in 'abcdef')}) {{ {fields} }}",
        dict(zip("abcdef", pages, strict=True)),
        "auditor",
    )

    (row,) = since.rows()
    assert (len(row["subjects"]), len(set(row["subjects"])), row["subject_count"]) == (500, 500, 600)
