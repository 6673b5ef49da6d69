"""Running statements under PROFILE: each is executed as it stands, and the plan that did it is kept."""

import re
from collections.abc import Awaitable, Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeVar

from neo4j import AsyncManagedTransaction, AsyncSession, Query, Record

from consentline.graph.session import Graph, Tx

T = TypeVar("T")

SCANS = frozenset(
    {
        "AllNodesScan",
        "NodeByLabelScan",
        "UnionNodeByLabelsScan",
        "IntersectionNodeByLabelsScan",
        "SubtractionNodeByLabelsScan",
        "DirectedAllRelationshipsScan",
        "UndirectedAllRelationshipsScan",
        "DirectedRelationshipTypeScan",
        "UndirectedRelationshipTypeScan",
        "DirectedUnionRelationshipTypesScan",
        "UndirectedUnionRelationshipTypesScan",
    }
)
"""Operators that read a whole label, a whole relationship type or the whole graph."""

_NAMES = re.compile(r"[:|&](\w+)")


class Operator(NamedTuple):
    """One operator of a plan: what it did, and the labels and relationship types that it and those below it name."""

    name: str
    details: str
    hits: int
    rows: int
    labels: frozenset[str]

    def __str__(self) -> str:
        return f"{self.name}({self.details}) {self.hits} hits, {self.rows} rows"


@dataclass(frozen=True, slots=True)
class Profile:
    """The plan by which a statement was executed, root first."""

    statement: str
    operators: tuple[Operator, ...]

    @property
    def hits(self) -> int:
        """The database hits of the whole statement."""
        return sum(operator.hits for operator in self.operators)

    def offences(self, growing: frozenset[str]) -> list[Operator]:
        """The operators that read all of what grows, or that pair it with something without a relationship.

        A scan that names no label reads everything.
        """
        return [
            operator
            for operator in self.operators
            if (operator.name in SCANS and (not operator.labels or operator.labels & growing))
            or (operator.name == "CartesianProduct" and operator.labels & growing)
        ]


@dataclass(slots=True)
class Operation:
    """Everything that one call of a use case sent, in order."""

    name: str
    profiles: list[Profile] = field(default_factory=list[Profile])

    @property
    def hits(self) -> int:
        """The database hits of the whole operation."""
        return sum(profile.hits for profile in self.profiles)

    def hits_without(self, statements: frozenset[str]) -> int:
        """The database hits of everything but these statements."""
        return sum(profile.hits for profile in self.profiles if profile.statement not in statements)


class ProfilingGraph(Graph):
    """A graph that executes every statement under PROFILE and keeps the plans of the operation under way."""

    _operation = Operation("")

    @contextmanager
    def operation(self, name: str) -> Generator[Operation]:
        """Collect what is sent while the block runs."""
        self._operation = Operation(name)
        yield self._operation
        self._operation = Operation("")

    async def read(self, work: Callable[[Tx], Awaitable[T]], *, unbounded: bool = False) -> T:
        """As `Graph.read`."""
        return await super().read(lambda tx: work(_ProfilingTx(tx, self._operation)), unbounded=unbounded)

    async def write_once(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """As `Graph.write_once`."""
        return await super().write_once(lambda tx: work(_ProfilingTx(tx, self._operation)))

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """As `Graph.write`."""
        return await super().write(lambda tx: work(_ProfilingTx(tx, self._operation)))


class _ProfilingTx(Tx):
    def __init__(self, tx: Tx, operation: Operation) -> None:
        self._runner: AsyncManagedTransaction | AsyncSession = tx._runner
        self._timeout: float = tx._timeout
        self._count: Callable[[], None] = tx._count
        self._operation = operation

    async def rows(self, query: str, /, **parameters: Any) -> list[Record]:
        self._count()
        text: Any = f"PROFILE {query}"
        if isinstance(self._runner, AsyncSession):
            text = Query(text, timeout=self._timeout)
        result = await self._runner.run(text, parameters)
        rows = [record async for record in result]
        plan = (await result.consume()).profile
        assert plan is not None, "the server sent no profile"
        self._operation.profiles.append(Profile(query, tuple(_operators(plan))))
        return rows


def _operators(plan: Mapping[str, Any]) -> Iterator[Operator]:
    details = str(plan.get("args", {}).get("Details", ""))
    below = [list(_operators(child)) for child in plan.get("children", ())]
    labels = frozenset(_NAMES.findall(details)).union(*(each.labels for operators in below for each in operators))
    name = plan["operatorType"].partition("@")[0]
    yield Operator(name, details, plan.get("dbHits", 0), plan.get("rows", 0), labels)
    for operators in below:
        yield from operators
