import time

import pytest
from graphql import GraphQLError, parse, validate

from consentline.gql.limits import MAX_DEPTH, MAX_TOKENS, DepthLimit, depth_of
from consentline.gql.schema import build_schema


def nested(depth: int) -> str:
    return "{ a " * depth + "}" * depth


@pytest.mark.parametrize(
    ("document", "depth"),
    [
        ("{ a }", 1),
        ("{ a { b { c } } d }", 3),
        ("{ ... { a { ... { b } } } }", 2),
        ("{ a { ...F } } fragment F on A { b { ...G } } fragment G on B { c }", 3),
        ("query A { a } query B { a { b } }", 2),
        ("{ ...Missing }", 0),
    ],
)
def test_depth_counts_fields_through_fragments(document: str, depth: int) -> None:
    assert depth_of(parse(document)) == depth


def test_a_fragment_that_spreads_itself_is_deeper_than_any_limit() -> None:
    assert depth_of(parse("{ ...F } fragment F on A { a { ...F } }")) > MAX_DEPTH


def test_fragments_that_each_spread_the_next_twice_cost_no_more_than_they_are_long() -> None:
    chain = "".join(f"fragment F{n} on A {{ a {{ ...F{n + 1} }} b {{ ...F{n + 1} }} }} " for n in range(200))
    document = parse(f"{{ ...F0 }} {chain} fragment F200 on A {{ c }}", max_tokens=MAX_TOKENS)

    began = time.perf_counter()
    depth = depth_of(document)

    assert depth == 201
    assert time.perf_counter() - began < 1


def test_a_document_deeper_than_the_limit_is_refused() -> None:
    inner = "dataset { versions { edges { node { " * 4 + "number" + " }}}}" * 4
    document = parse(f'{{ datasetVersion(dataset: "a", number: 1) {{ {inner} }} }}')

    errors: list[GraphQLError] = validate(build_schema().core, document, (DepthLimit,))

    assert [error.message for error in errors] == [f"fields nest deeper than {MAX_DEPTH}"]
