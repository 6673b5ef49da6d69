"""Writing policies and notices."""

from collections.abc import Collection, Sequence
from typing import Any, LiteralString

from consentline.domain.instants import Instant
from consentline.graph.session import Tx

RuleKey = tuple[str, int]
"""Key and version of a policy or a notice."""

POLICIES: LiteralString = """
UNWIND $keys AS key
MATCH (p:Policy {key: key[0], version: key[1]})
RETURN collect(properties(p)) AS rows
"""

ADD_POLICIES: LiteralString = """
UNWIND $rows AS row
CREATE (p:Policy)
SET p = row, p.recorded_at = $now
"""


async def policies(tx: Tx, keys: Collection[RuleKey]) -> dict[RuleKey, dict[str, Any]]:
    """The properties of the policy versions that are recorded already."""
    rows = (await tx.get(POLICIES, keys=[list(key) for key in sorted(keys)]))["rows"]
    return {(row["key"], row["version"]): row for row in rows}


async def add_policies(tx: Tx, rows: Sequence[dict[str, Any]], now: Instant) -> None:
    """Write policy versions that are not recorded yet; the caller holds the upper graph's guard."""
    await tx.rows(ADD_POLICIES, rows=rows, now=now)


LOCK_NOTICES: LiteralString = """
UNWIND $keys AS key
MERGE (n:Notice {key: key[0], version: key[1]})
SET n.guard = true
REMOVE n.guard
"""

NOTICES: LiteralString = """
UNWIND $keys AS key
MATCH (n:Notice {key: key[0], version: key[1]})
WHERE n.described_at IS NOT NULL
RETURN collect([n.key, n.version, n.purpose, n.channel, n.published_at, n.digest]) AS rows
"""

DESCRIBE_NOTICES: LiteralString = """
UNWIND $rows AS row
MATCH (n:Notice {key: row[0], version: row[1]})
SET n.purpose = row[2], n.channel = row[3], n.published_at = row[4], n.digest = row[5], n.described_at = $now
"""


async def lock_notices(tx: Tx, keys: Collection[RuleKey]) -> None:
    """Lock notices in key order; one that was never recorded is created, known by key only."""
    await tx.rows(LOCK_NOTICES, keys=[list(key) for key in sorted(keys)])


async def notices(tx: Tx, keys: Collection[RuleKey]) -> dict[RuleKey, list[Any]]:
    """Purpose, channel, published_at and digest of the notices that are described already."""
    rows = (await tx.get(NOTICES, keys=[list(key) for key in sorted(keys)]))["rows"]
    return {(row[0], row[1]): row[2:] for row in rows}


async def describe_notices(tx: Tx, new: dict[RuleKey, list[Any]], now: Instant) -> None:
    """Give notices that were known by key only their description."""
    await tx.rows(DESCRIBE_NOTICES, rows=[[*key, *content] for key, content in new.items()], now=now)


SERVED_PURPOSES: LiteralString = """
UNWIND $keys AS key
MATCH (n:Notice {key: key[0], version: key[1]})
WHERE EXISTS { (n)<-[:SERVED]-(:User) }
RETURN collect(DISTINCT n.purpose) AS purposes
"""


async def served_purposes(tx: Tx, keys: Collection[RuleKey]) -> set[str]:
    """The purposes of those of the notices that reached anybody."""
    return set((await tx.get(SERVED_PURPOSES, keys=[list(key) for key in sorted(keys)]))["purposes"])
