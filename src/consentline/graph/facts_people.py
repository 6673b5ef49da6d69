"""Writing what is said of people, and the notices that reached them."""

from collections.abc import Collection, Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.instants import Instant
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

FACTS: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})-[:KNOWN]->(f:UserFact)
RETURN collect([u.key, f.field, f.valid_from, f.value]) AS rows
"""

ADD_FACTS: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[0]})
CREATE (u)-[:KNOWN]->(:UserFact {field: row[1], valid_from: row[2], value: row[3], recorded_at: $now})
"""

FactKey = tuple[str, str, Instant]
"""Person, field and valid_from: the natural key of what is known of somebody."""


async def facts(tx: Tx, people: Collection[str]) -> dict[FactKey, str | None]:
    """What is recorded of the people, by its natural key; a value of None is an explicit unknown."""
    rows = (await tx.get(FACTS, people=Rows(sorted(people))))["rows"]
    return {(person, name, valid_from): value for person, name, valid_from, value in rows}


async def add_facts(tx: Tx, new: dict[FactKey, str | None], now: Instant) -> None:
    """Append facts about people."""
    await tx.rows(ADD_FACTS, rows=Rows([[*key, value] for key, value in new.items()]), now=now)


WITH_POSTS: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})
WHERE EXISTS { (u)<-[:AUTHORED_BY]-(:Post) }
RETURN count(u) > 0 AS some
"""


async def have_posts(tx: Tx, people: Collection[str]) -> bool:
    """Whether any post was ever tied to one of the people as its author."""
    return (await tx.get(WITH_POSTS, people=Rows(sorted(people))))["some"]


DEPICTED_OBJECTORS: LiteralString = """
UNWIND $people AS key
MATCH (:User {key: key})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL
MATCH (p)-[d:DEPICTS]->(u:User)
WHERE d.until IS NULL
  AND (EXISTS { (u)<-[:FILED_BY]-(o:Objection) WHERE o.status IN ['PENDING', 'UPHELD'] }
       OR EXISTS { (u)<-[:REQUESTED_BY]-(e:Erasure) WHERE e.status <> 'REFUSED' })
RETURN collect(DISTINCT u.key) AS people
"""


async def depicted_objectors(tx: Tx, people: Collection[str]) -> set[str]:
    """Those with a pending or upheld objection, or an erasure, who are depicted in posts of the people."""
    return set((await tx.get(DEPICTED_OBJECTORS, people=Rows(sorted(people))))["people"])


CONSENTS: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})-[:SAID]->(s:ConsentState)
WHERE s.objection IS NULL
RETURN collect([u.key, s.purpose, s.status, s.valid_from]) AS rows
"""

ADD_CONSENTS: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[0]})
CREATE (u)-[:SAID]->(:ConsentState {purpose: row[1], status: row[2], valid_from: row[3], recorded_at: $now})
"""

ConsentKey = tuple[str, str, str, Instant]
"""Person, purpose, status and valid_from: the natural key of what somebody said."""


async def consents(tx: Tx, people: Collection[str]) -> set[ConsentKey]:
    """What the people said, objections aside."""
    rows = (await tx.get(CONSENTS, people=Rows(sorted(people))))["rows"]
    return {(person, purpose, status, valid_from) for person, purpose, status, valid_from in rows}


async def add_consents(tx: Tx, rows: Sequence[ConsentKey], now: Instant) -> None:
    """Append what people said."""
    await tx.rows(ADD_CONSENTS, rows=Rows([list(row) for row in rows]), now=now)


class ServingKey(NamedTuple):
    """The natural key of a notice that reached somebody."""

    user: str
    notice: str
    version: int
    served_at: Instant


SERVINGS: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})-[s:SERVED]->(n:Notice)
RETURN collect([u.key, n.key, n.version, s.served_at, s.seen_at]) AS rows
"""

ADD_SERVINGS: LiteralString = """
UNWIND $rows AS row
MERGE (n:Notice {key: row[1], version: row[2]})
WITH row, n
MATCH (u:User {key: row[0]})
CREATE (u)-[:SERVED {
  served_at: row[3], recorded_at: $now,
  seen_at: row[4], seen_recorded_at: CASE WHEN row[4] IS NULL THEN NULL ELSE $now END
}]->(n)
"""

ADD_SEEN: LiteralString = """
UNWIND $rows AS row
MATCH (u:User {key: row[0]})
WITH u, row[1] AS notice, row[2] AS version, row[3] AS served_at, row[4] AS seen_at
MATCH (u)-[s:SERVED {served_at: served_at}]->(n:Notice)
WHERE n.key = notice AND n.version = version
SET s.seen_at = seen_at, s.seen_recorded_at = $now
"""


async def servings(tx: Tx, people: Collection[str]) -> dict[ServingKey, Instant | None]:
    """The notices that reached the people, each with when it was seen."""
    rows = (await tx.get(SERVINGS, people=Rows(sorted(people))))["rows"]
    return {ServingKey(*row[:4]): row[4] for row in rows}


async def add_servings(tx: Tx, new: dict[ServingKey, Instant | None], now: Instant) -> None:
    """Append notices served; one that no record describes yet is created, known by key only."""
    rows = sorted(([*key, seen_at] for key, seen_at in new.items()), key=lambda row: (row[1], row[2], row[0], row[3]))
    await tx.rows(ADD_SERVINGS, rows=Rows(rows), now=now)


async def add_seen(tx: Tx, seen: dict[ServingKey, Instant], now: Instant) -> None:
    """Complete servings that did not say when the notice was seen."""
    await tx.rows(ADD_SEEN, rows=Rows([[*key, seen_at] for key, seen_at in seen.items()]), now=now)
