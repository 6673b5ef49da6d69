"""Looking for keys in everything that the graph holds: by design the one place that reads all of it."""

from collections.abc import Sequence
from typing import LiteralString, NamedTuple

from consentline.graph.session import Tx

NODES: LiteralString = """
MATCH (n)
WITH n, [name IN keys(n) WHERE any(part IN CASE
    WHEN n[name] IS :: STRING NOT NULL THEN [n[name]]
    WHEN n[name] IS :: LIST<STRING NOT NULL> NOT NULL THEN n[name]
    ELSE [] END
  WHERE any(key IN $keys WHERE part CONTAINS key))] AS names
WHERE size(names) > 0
UNWIND names AS name
RETURN ':' + reduce(all = head(labels(n)), label IN tail(labels(n)) | all + ':' + label) AS what, elementId(n) AS id,
  name, CASE WHEN n[name] IS :: STRING NOT NULL THEN [n[name]] ELSE n[name] END AS parts
"""

RELATIONSHIPS: LiteralString = """
MATCH ()-[r]->()
WITH r, [name IN keys(r) WHERE any(part IN CASE
    WHEN r[name] IS :: STRING NOT NULL THEN [r[name]]
    WHEN r[name] IS :: LIST<STRING NOT NULL> NOT NULL THEN r[name]
    ELSE [] END
  WHERE any(key IN $keys WHERE part CONTAINS key))] AS names
WHERE size(names) > 0
UNWIND names AS name
RETURN '[:' + type(r) + ']' AS what, elementId(r) AS id, name,
  CASE WHEN r[name] IS :: STRING NOT NULL THEN [r[name]] ELSE r[name] END AS parts
"""

LABELS: LiteralString = """
CALL db.labels() YIELD label RETURN collect(label) AS names
"""

TYPES: LiteralString = """
CALL db.relationshipTypes() YIELD relationshipType RETURN collect(relationshipType) AS names
"""

PROPERTIES: LiteralString = """
CALL db.propertyKeys() YIELD propertyKey RETURN collect(propertyKey) AS names
"""

# Other indexes hold values of properties as they are, and nothing of values that are gone.
INDEXES: LiteralString = """
SHOW INDEXES YIELD name, type WHERE type IN ['FULLTEXT', 'VECTOR'] RETURN collect(name) AS names
"""


class Place(NamedTuple):
    """A value in the graph that may hold one of the keys: of what, which property, and its parts."""

    what: str
    id: str
    name: str
    parts: list[str]


async def places(tx: Tx, keys: Sequence[str]) -> list[Place]:
    """Every value of a node or relationship in which one of the keys occurs, as part of whatever word."""
    found = [*await tx.rows(NODES, keys=list(keys)), *await tx.rows(RELATIONSHIPS, keys=list(keys))]
    return [Place(row["what"], row["id"], row["name"], list(row["parts"])) for row in found]


async def names(tx: Tx) -> dict[str, list[str]]:
    """The names of labels, relationship types and properties: they outlive what had them."""
    return {
        "label": (await tx.get(LABELS))["names"],
        "relationship type": (await tx.get(TYPES))["names"],
        "property": (await tx.get(PROPERTIES))["names"],
    }


async def keeping_indexes(tx: Tx) -> list[str]:
    """The indexes of kinds that keep parts of values in a form of their own; we make none."""
    return (await tx.get(INDEXES))["names"]
