"""The whole graph as sets of nodes and relationships, to say what was written and that nothing was."""

from collections import Counter
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from consentline.domain.errors import RefusedError
from consentline.graph.session import Tx
from consentline.usecases.service import Service

NODES = """
MATCH (n) WHERE NOT n:Migration
RETURN elementId(n) AS id, labels(n) AS labels, properties(n) AS properties
"""
RELATIONSHIPS = """
MATCH (a)-[r]->(b)
RETURN elementId(a) AS source, type(r) AS type, properties(r) AS properties, elementId(b) AS target
"""

Properties = frozenset[tuple[str, Any]]


@dataclass(frozen=True)
class Node:
    """A node by its label and properties; guards are left out: taking a lock is no change."""

    label: str
    properties: Properties

    def __getitem__(self, name: str) -> Any:
        return dict(self.properties).get(name)

    @property
    def name(self) -> str:
        """Label and natural key; nodes that have none are told apart by what they say."""
        match self.label:
            case "DatasetVersion":
                return f"{self.label} {self['dataset']}:{self['number']}"
            case "RetrainingFlag":
                return f"{self.label} {self['model']} {self['status']}"
            case "ConsentState" | "Transition":
                return f"{self.label} {self['status']}"
            case "UserFact" | "PostChange":
                return f"{self.label} {self['field']} {self['value']}"
            case "Sharding":
                return f"{self.label} {self['run']}"
            case "Checkpoint":
                return f"{self.label} {self['run']} {self['shard']}/{self['slice']}"
            case "Event":
                return f"{self.label} {self['kind']}"
            case "Revision":
                return f"{self.label} {self['name']}"
            case _:
                return f"{self.label} {self['key']}"


@dataclass(frozen=True)
class Relationship:
    """A relationship by its ends, type and properties."""

    source: Node
    type: str
    target: Node
    properties: Properties

    def __getitem__(self, name: str) -> Any:
        return dict(self.properties).get(name)


@dataclass(frozen=True)
class Snapshot:
    """What the graph holds, with how often: two equal relationships are not one."""

    nodes: Counter[Node]
    relationships: Counter[Relationship]

    def names(self) -> set[str]:
        """The name of every node."""
        return {node.name for node in self.nodes}

    def shape(self) -> set[tuple[str, str, str]]:
        """Every relationship by the names of its ends and its type."""
        return {(each.source.name, each.type, each.target.name) for each in self.relationships}

    def labelled(self, label: str) -> list[Node]:
        """The nodes of a label."""
        return [node for node in self.nodes.elements() if node.label == label]

    def typed(self, name: str) -> list[Relationship]:
        """The relationships of a type."""
        return [each for each in self.relationships.elements() if each.type == name]


async def snapshot(service: Service) -> Snapshot:
    """The graph as it is, but for the migrations."""

    async def work(tx: Tx) -> Snapshot:
        nodes = {
            row["id"]: Node(":".join(sorted(row["labels"])), _frozen(row["properties"])) for row in await tx.rows(NODES)
        }
        relationships = [
            Relationship(nodes[row["source"]], row["type"], nodes[row["target"]], _frozen(row["properties"]))
            for row in await tx.rows(RELATIONSHIPS)
        ]
        return Snapshot(Counter(nodes.values()), Counter(relationships))

    return await service.graph.read(work)


def _frozen(properties: Mapping[str, Any]) -> Properties:
    return frozenset(
        (name, tuple(value) if isinstance(value, list) else value)
        for name, value in properties.items()
        if name != "guard"
    )


@dataclass(frozen=True)
class Refused:
    """How something is refused: the error, its stable code, the path into the input, and what the message tells."""

    error: type[RefusedError]
    code: str
    path: tuple[str, ...]
    telling: str

    def check(self, found: object) -> None:
        """Assert that this is the refusal."""
        assert isinstance(found, self.error), found
        assert (found.code, found.path) == (self.code, self.path)
        assert self.telling in found.message


async def assert_refused(service: Service, attempt: Awaitable[Any], expected: Refused) -> None:
    """Assert that the attempt is refused so, and that the graph is as it was before."""
    before = await snapshot(service)
    with pytest.raises(RefusedError) as raised:
        await attempt
    expected.check(raised.value)
    assert_same(before, await snapshot(service))


async def assert_unchanged(service: Service, attempt: Awaitable[Any]) -> Any:
    """Assert that the attempt leaves the graph as it was, and return what it answers."""
    before = await snapshot(service)
    answer = await attempt
    assert_same(before, await snapshot(service))
    return answer


def assert_same(before: Snapshot, after: Snapshot) -> None:
    """Assert that nothing was written, and show what was."""
    assert (after.nodes - before.nodes, before.nodes - after.nodes) == (Counter(), Counter())
    assert after.shape() == before.shape()
    assert after.relationships == before.relationships
