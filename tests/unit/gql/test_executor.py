"""Whatever is asked, the planned executor answers what graphql-core's own does."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import isawaitable
from typing import Any

import pytest
from graphql import (
    ExecutionResult,
    GraphQLError,
    GraphQLField,
    GraphQLObjectType,
    build_schema,
    execute,  # pyright: ignore[reportUnknownVariableType] - its generics are open
    get_operation_ast,
    parse,
)

from consentline.gql.executor import Plain, Plan, is_awaitable

SCHEMA = build_schema(
    """
    type Query {
      shelf: Shelf!
      nobody: Shelf
      broken: Shelf
      late(after: Int = 2): Shelf
      twice(number: Int!, by: Int = 2): Int
      numbers: [Int!]!
      words(of: [String!]!, ids: [ID]): [String]
      things: [Thing]
      sure: [Thing!]
    }
    type Mutation { put(title: String!): Shelf  take(title: String!): Shelf }
    type Shelf {
      name: String!  colour: Colour  missing: String!  fails: String  books: [Book]!  first: Book  any: Thing
    }
    interface Thing { title: String }
    type Book implements Thing { title: String  pages: Int!  late: String  shelf: Shelf!  odd: String! }
    type Record implements Thing { title: String  minutes: Boolean!  late: String }
    enum Colour { RED GREEN }
    """
)


class Shelf:
    """A shelf with books; some of what is asked of it fails."""

    name, colour = "top", "RED"

    @property
    def fails(self) -> str:
        raise ValueError("no")

    @property
    def missing(self) -> None:
        return None

    @property
    def books(self) -> "list[Book | None]":
        return [Book("one", 1), None, Book("two", 2), Book("odd", 3)]

    @property
    def first(self) -> "Book":
        return Book("one", 1)

    @property
    def any(self) -> "Book":
        return Book("one", 1)


@dataclass
class Book:
    """A book."""

    title: str
    pages: int
    shelf: Shelf = field(default_factory=Shelf)

    @property
    def odd(self) -> str | None:
        return None if self.title == "odd" else "even"


@dataclass
class Record:
    """A record; it does not know how long it is."""

    title: str | None
    minutes: Any = None


def things(_source: Any) -> list[Any]:
    return [
        Record("a", True),
        Book("one", 1),
        None,
        Record(None, False),
        Record("no length"),
        Book("two", 2),
        ValueError("no thing"),
        object(),
    ]


def plain(name: str) -> Plain[Any]:
    return Plain(lambda source: getattr(source, name))


async def late_title(source: Book, _info: Any) -> str:
    await asyncio.sleep(0)
    if source.title == "two":
        raise GraphQLError("too late")
    return source.title.upper()


async def late_shelf(_source: Any, _info: Any, after: int) -> Shelf:
    for _ in range(after):
        await asyncio.sleep(0)
    return Shelf()


def fail(_source: Any) -> Any:
    raise ValueError("broken")


PUT: list[str] = []


async def put(_source: Any, _info: Any, title: str) -> Shelf:
    await asyncio.sleep(0.001 if title == "slow" else 0)
    PUT.append(title)
    return Shelf()


def resolve(type_: str, name: str, resolver: Callable[..., Any]) -> None:
    fields: dict[str, GraphQLField] = _fields(type_)
    fields[name].resolve = resolver


def _fields(type_: str) -> dict[str, GraphQLField]:
    found = SCHEMA.get_type(type_)
    assert isinstance(found, GraphQLObjectType)
    return found.fields


for _type in ("Shelf", "Book", "Record"):
    for _name in _fields(_type):
        resolve(_type, _name, plain(_name))
resolve("Book", "late", late_title)
resolve("Record", "late", late_title)
resolve("Query", "shelf", Plain(lambda _source: Shelf()))
resolve("Query", "nobody", Plain(lambda _source: None))
resolve("Query", "broken", Plain(fail))
resolve("Query", "late", late_shelf)
resolve("Query", "twice", lambda _source, _info, number, by: number * by)
resolve("Query", "numbers", Plain(lambda _source: [1, 2, 3]))
resolve("Query", "words", lambda _source, _info, of, ids=(): [*of, *(ids or ())])
resolve("Query", "things", Plain(things))
resolve("Query", "sure", Plain(things))
resolve("Mutation", "put", put)
resolve("Mutation", "take", put)
_thing: Any = SCHEMA.get_type("Thing")
_thing.resolve_type = lambda value, _info, _type: type(value).__name__

QUERIES = [
    "{ shelf { name colour } }",
    "{ a: shelf { x: name y: name } b: shelf { __typename colour } }",
    "{ nobody { name } broken { name } }",
    "{ shelf { fails name } }",
    "{ nobody { missing } late { missing } }",
    "{ shelf { missing } }",
    "{ shelf { books { title pages } } }",
    "{ shelf { books { late title } } late(after: 3) { first { late shelf { name } } } }",
    "{ late { books { odd } } }",
    "{ late { books { late odd } name } }",
    "{ shelf { any { title ... on Book { pages } } } }",
    "{ numbers twice(number: 4) three: twice(number: 1, by: 3) }",
    "{ things { title ... on Record { minutes } ... on Book { pages } } sure { __typename } }",
    "{ things { ... on Record { late title } ... on Book { late shelf { books { late } } } } }",
    "query ($yes: Boolean!) { things { title @skip(if: $yes) ... on Record @include(if: $yes) { minutes } } }",
    "query ($w: [String!]!, $i: [ID]) { words(of: $w, ids: $i) }",
    "query ($n: Int!, $by: Int) { twice(number: $n, by: $by) }",
    "query ($yes: Boolean!) { shelf { name @include(if: $yes) colour @skip(if: $yes) } }",
    (
        "query ($yes: Boolean!) { ...f } fragment f on Query { shelf { ...g @include(if: $yes) colour } } "
        "fragment g on Shelf { books { ... on Book @skip(if: $yes) { title } pages } }"
    ),
    (
        "{ ...f } fragment f on Query { shelf { ...g } } fragment g on Shelf { name first { shelf { ...h } } } "
        "fragment h on Shelf { colour }"
    ),
    '{ __schema { queryType { name } } __type(name: "Book") { fields { name } } shelf { __typename } }',
    'mutation { put(title: "slow") { name } take(title: "fast") { missing } b: put(title: "last") { name } }',
]
VARIABLES = [{}, {"n": 3, "yes": True}, {"n": 4, "by": 5, "yes": False}, {"n": "x", "yes": None}]
VARIABLES += [{"w": [], "i": None}, {"w": ["a", "b"], "i": ["c", 4, None]}, {"w": "a"}, {"w": ["a", 1]}, {"w": [None]}]


async def planned(plan: Plan, variables: dict[str, Any]) -> ExecutionResult:
    executor = plan.executor(None, None, variables)
    if isinstance(executor, list):
        return ExecutionResult(None, executor)
    result: Any = executor.execute_operation()
    return await result if is_awaitable(result) else result


async def usual(query: str, variables: dict[str, Any]) -> ExecutionResult:
    result = execute(SCHEMA, parse(query), None, None, variables)
    return await result if isawaitable(result) else result


@pytest.mark.parametrize("query", QUERIES)
def test_it_answers_what_the_usual_executor_answers_each_time_that_it_is_run(query: str) -> None:
    document = parse(query)
    operation = get_operation_ast(document)
    assert operation is not None
    plan = Plan(SCHEMA, document, operation)

    async def compare() -> None:
        for variables in [*VARIABLES, *VARIABLES]:
            PUT.clear()
            expected = await usual(query, variables)
            order = list(PUT)
            PUT.clear()
            found = await planned(plan, variables)
            assert found.data == expected.data
            assert [each.formatted for each in found.errors or ()] == [each.formatted for each in expected.errors or ()]
            assert order == PUT
            assert list(found.data or ()) == list(expected.data or ())

    asyncio.run(compare())


def test_runs_at_the_same_time_keep_their_errors_and_variables_apart() -> None:
    document = parse("query ($n: Int!) { twice(number: $n) late { books { late } } }")
    operation = get_operation_ast(document)
    assert operation is not None
    plan = Plan(SCHEMA, document, operation)

    async def ask() -> list[ExecutionResult]:
        return await asyncio.gather(*(planned(plan, {"n": number}) for number in range(20)))

    for number, result in enumerate(asyncio.run(ask())):
        assert result.data is not None
        assert result.data["twice"] == 2 * number
        assert len(result.errors or ()) == 1


def test_a_coroutine_function_is_not_plain() -> None:
    async def read(_source: Any) -> str:
        return ""

    with pytest.raises(AssertionError):
        Plain(read)
