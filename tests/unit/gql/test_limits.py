import time
from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, parse, validate

from consentline.gql.cost import Reckoning
from consentline.gql.limits import Extent, Limits, extent_of, limit_rule
from consentline.gql.schema import build_schema

SCHEMA = build_schema().core
LIMITS = Limits()


@pytest.mark.parametrize(
    ("document", "extent"),
    [
        ("{ a }", Extent(1, 1, 0, 0)),
        ("{ a { b { c } } d }", Extent(3, 4, 0, 0)),
        ("{ ... { a { ... { b } } } }", Extent(2, 2, 0, 0)),
        ("{ a { ...F } } fragment F on A { b { ...G } } fragment G on B { c }", Extent(3, 3, 0, 0)),
        ("query A { x: a } query B { a { b } }", Extent(2, 2, 1, 0)),
        ("{ ...Missing }", Extent(0, 0, 0, 0)),
        ("{ x: a @skip(if: true) { y: b @include(if: true) } }", Extent(2, 2, 2, 2)),
        ("query @x { a ...F @y } fragment F on A { z: b }", Extent(1, 2, 1, 2)),
    ],
)
def test_an_extent_counts_through_fragments(document: str, extent: Extent) -> None:
    assert extent_of(parse(document)) == extent


def test_a_fragment_that_spreads_itself_is_beyond_any_limit() -> None:
    assert extent_of(parse("{ ...F } fragment F on A { a { ...F } }")).depth > LIMITS.depth


def bomb(length: int) -> str:
    """Fragments of which each spreads the next one twice."""
    chain = "".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }} " for n in range(length))
    return f'{{ ...F0 }} {chain} fragment F{length} on Query {{ a: node(id: "x") {{ id }} }}'


def test_sixty_chained_double_spreads_are_measured_as_fast_as_they_are_read() -> None:
    document = parse(bomb(60))

    began = time.perf_counter()
    extent = extent_of(document)
    errors = validate(SCHEMA, document, (limit_rule(LIMITS),))

    assert extent.fields == 2 * 2**60
    assert time.perf_counter() - began < 1
    assert [(error.message, (error.extensions or {})["code"]) for error in errors] == [
        (f"fields: {'more'} where at most 1000 are allowed", "TOO_MANY_FIELDS"),
        (f"aliases: {'more'} where at most 50 are allowed", "TOO_MANY_ALIASES"),
    ]


@pytest.mark.parametrize(
    ("document", "message", "code"),
    [
        ("{ a " * 16 + "}" * 16, "depth: 16 where at most 15 are allowed", "TOO_DEEP"),
        ("{" + " a" * 1001 + "}", "fields: 1001 where at most 1000 are allowed", "TOO_MANY_FIELDS"),
        ("{" + " x: a" * 51 + "}", "aliases: 51 where at most 50 are allowed", "TOO_MANY_ALIASES"),
        ("{ a" + " @x" * 51 + "}", "directives: 51 where at most 50 are allowed", "TOO_MANY_DIRECTIVES"),
    ],
)
def test_a_document_beyond_a_limit_is_refused_with_the_figure_and_the_limit(
    document: str, message: str, code: str
) -> None:
    errors: list[GraphQLError] = validate(SCHEMA, parse(document), (limit_rule(LIMITS),))

    assert [(error.message, (error.extensions or {})["code"]) for error in errors] == [(message, code)]


def cost(document: str, variables: dict[str, Any] | None = None) -> int:
    parsed = parse(document)
    (operation,) = (each for each in parsed.definitions if isinstance(each, OperationDefinitionNode))
    return Reckoning(SCHEMA, parsed).cost(operation, variables)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ('{ postUsage(post: "p") { verdict } }', 1),
        ('{ postUsage(post: "p") { uses(first: 7) { edges { node { usedAt } } } } }', 1 + 1 + 7 * (1 + 1)),
        ('{ postUsage(post: "p") { uses { edges { node { usedAt } } } } }', 1 + 1 + 50 * (1 + 1)),
        ('{ postUsage(post: "p") { heldIn { number dataset { key } } } }', 1 + 1 + 10 * 1),
        (
            '{ a: postUsage(post: "p") { verdict } ...F } fragment F on Query { objection(key: "o") { user { key } } }',
            3,
        ),
        ('{ __typename __schema { types { name } } postUsage(post: "p") { __typename } }', 1),
        ('mutation { withdrawObjection(input: {key: "o"}) { objection { key } } }', 1 + 1 + 10),
        ('{ node(id: "x") { ... on User { posts(first: 3) { totalCount edges { cursor } } } } }', 1 + 1 + 3 * 1),
    ],
)
def test_an_operation_costs_the_objects_that_it_may_read(document: str, expected: int) -> None:
    assert cost(document) == expected


def test_first_may_be_a_variable_or_its_default() -> None:
    document = 'query ($n: Int! = 5) { user(key: "u") { posts(first: $n) { edges { node { key } } } } }'

    assert cost(document) == 1 + 1 + 5 * 2
    assert cost(document, {"n": 100}) == 1 + 1 + 100 * 2


def test_a_reckoning_that_rests_on_no_variable_is_kept_and_one_that_does_is_not() -> None:
    document = parse('query ($n: Int!) { user(key: "u") { posts(first: $n) { edges { cursor } } } }')
    reckoning = Reckoning(SCHEMA, document)
    (operation,) = (each for each in document.definitions if isinstance(each, OperationDefinitionNode))

    assert [reckoning.cost(operation, {"n": n}) for n in (1, 10)] == [3, 12]


def test_a_bomb_is_reckoned_as_fast_as_it_is_read() -> None:
    began = time.perf_counter()

    assert cost(bomb(60)) == 2**60
    assert time.perf_counter() - began < 1
