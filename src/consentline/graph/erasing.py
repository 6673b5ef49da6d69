"""Carrying an erasure out: keys become digests, everything else of the person goes, a bounded batch at a time.

Everything here is written under the person's guard and the upper graph's. What is left to do is what is not done yet:
after a crash at any point the same calls go on.
"""

from collections.abc import Mapping, Sequence
from typing import LiteralString, NamedTuple

from consentline.domain.instants import Instant
from consentline.domain.posts import KeptUse
from consentline.domain.pseudonyms import PREFIX, Pseudonyms
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

FREEZE_OBJECTIONS: LiteralString = """
MATCH (u:User {key: $user})<-[:FILED_BY]-(o:Objection)
CALL (u, o) {
  CALL (u) {
    MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
    WHERE a.until IS NULL
    RETURN p
    UNION
    MATCH (u)<-[d:DEPICTS]-(p:Post)
    WHERE d.until IS NULL
    RETURN p
  }
  WITH o, p
  WHERE p.described_at IS NOT NULL AND (size(o.platforms) = 0 OR p.platform IN o.platforms)
  RETURN count(p) AS posts
}
SET o.affected_posts = posts
"""

CONFIRM: LiteralString = """
MATCH (u:User {key: $user})
SET u.key = $digest, u.erased_at = $now
WITH u
MATCH (e:Erasure {key: $erasure})-[:REQUESTED_BY]->(u)
SET e.affected_posts = $affected
"""


async def confirm(tx: Tx, pseudonyms: Pseudonyms, erasure: str, user: str, *, affected: int, now: Instant) -> None:
    """Let the digest stand for the person from now on, and keep how many posts the erasure and objections concern."""
    await tx.rows(FREEZE_OBJECTIONS, user=user)
    digest = pseudonyms.of("User", user)
    await tx.rows(CONFIRM, user=user, digest=digest, erasure=erasure, affected=affected, now=now)


POSTS: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL AND p.erased_at IS NULL
WITH p.key AS key LIMIT $most
RETURN collect(key) AS posts
"""


async def posts_left(tx: Tx, user: str, most: int) -> list[str]:
    """Some of the posts that the person is believed to have written and that are not erased yet; sorted."""
    return sorted((await tx.get(POSTS, user=user, most=most))["posts"])


class ErasedPosts(NamedTuple):
    """How many posts were erased, and with them how many changes of them and depictions of people."""

    posts: int
    changes: int
    depictions: int


# A post that no record described never was counted as the person's: it is not tied to them any more.
ERASE_POSTS: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row.key})
CALL (p) {
  OPTIONAL MATCH (p)-[:CHANGED]->(c:PostChange)
  WITH collect(c) AS found
  FOREACH (c IN found | DETACH DELETE c)
  RETURN size(found) AS changes
}
CALL (p) {
  OPTIONAL MATCH (p)-[d:DEPICTS]->(:User)
  WITH collect(d) AS found
  FOREACH (d IN found | DELETE d)
  RETURN size(found) AS depictions
}
CALL (p) {
  OPTIONAL MATCH (p)-[a:AUTHORED_BY]->(:User)
  WITH p, collect(a) AS found
  WITH found, [a IN found WHERE a.until IS NULL AND p.described_at IS NOT NULL] AS kept
  FOREACH (a IN [a IN found WHERE NOT a IN kept] | DELETE a)
  FOREACH (a IN kept | SET a = {})
  RETURN size(found) AS ties
}
CALL (p) {
  OPTIONAL MATCH (p)-[m:IN_SHARD]->(:Shard)
  REMOVE m.recheck_at
  RETURN count(m) AS memberships
}
SET p = {
  key: row.digest, erased_at: $at, ineligible: p.ineligible, concerns: p.concerns,
  used_by: row.used_by, used_reasons: row.used_reasons, used_policies: row.used_policies,
  used_violating: row.used_violating
}
RETURN count(p) AS posts, sum(changes) AS changes, sum(depictions) AS depictions
"""


async def erase_posts(
    tx: Tx, pseudonyms: Pseudonyms, posts: Mapping[str, Sequence[KeptUse]], confirmed_at: Instant
) -> ErasedPosts:
    """Leave of each post the digest of its key, its memberships, who wrote it, and what is kept of its uses."""
    rows = [
        {
            "key": key,
            "digest": pseudonyms.of("Post", key),
            "used_by": [use.run for use in kept],
            "used_reasons": [" ".join(use.reasons) for use in kept],
            "used_policies": ["" if use.policy is None else f"{use.policy[0]}:{use.policy[1]}" for use in kept],
            "used_violating": [use.violates for use in kept],
        }
        for key, kept in sorted(posts.items())
    ]
    row = await tx.get(ERASE_POSTS, rows=Rows(rows), at=confirmed_at)
    return ErasedPosts(row["posts"], row["changes"], row["depictions"])


DEPICTING: LiteralString = """
MATCH (:User {key: $user})<-[d:DEPICTS]-(p:Post)
WHERE d.until IS NULL AND d.settled IS NULL
WITH p.key AS key LIMIT $most
RETURN collect(key) AS posts
"""

SETTLE_DEPICTING: LiteralString = """
UNWIND $rows AS row
MATCH (p:Post {key: row[0]})
SET p.minor_at_use = CASE WHEN size(row[1]) = 0 THEN p.minor_at_use
  ELSE coalesce(p.minor_at_use, []) + [run IN row[1] WHERE NOT run IN coalesce(p.minor_at_use, [])] END
WITH p
MATCH (p)-[d:DEPICTS]->(u:User)
WHERE u.key = $user AND d.until IS NULL
SET d.settled = true
"""


async def depicting_left(tx: Tx, user: str, most: int) -> list[str]:
    """Some of the posts that depict the person and that were not gone through yet; sorted."""
    return sorted((await tx.get(DEPICTING, user=user, most=most))["posts"])


async def settle_depicting(tx: Tx, user: str, minors: Mapping[str, Sequence[str]]) -> None:
    """Keep of posts that depict the person at the uses by which runs they were a minor; the ties stay."""
    await tx.rows(SETTLE_DEPICTING, user=user, rows=Rows([[key, list(runs)] for key, runs in sorted(minors.items())]))


LEFT_OF_PERSON: LiteralString = """
MATCH (u:User {key: $user})
RETURN CASE WHEN EXISTS { (u)-[:KNOWN]->(:UserFact) } THEN ['facts'] ELSE [] END
  + CASE WHEN EXISTS { (u)-[:SAID]->(s:ConsentState) WHERE s.objection IS NULL } THEN ['states'] ELSE [] END
  + CASE WHEN EXISTS { (u)-[:SERVED]->(:Notice) } THEN ['notices'] ELSE [] END
  + CASE WHEN EXISTS { (u)<-[:FILED_BY]-(o:Objection) WHERE NOT o.key STARTS WITH $prefix }
      THEN ['objections'] ELSE [] END AS left
"""


async def left_of_person(tx: Tx, user: str) -> list[str]:
    """What is recorded of the person and not erased yet: facts, states, notices, objections."""
    return (await tx.get(LEFT_OF_PERSON, user=user, prefix=PREFIX))["left"]


FORGET_FACTS: LiteralString = """
MATCH (:User {key: $user})-[:KNOWN]->(f:UserFact)
WITH f LIMIT $most
DETACH DELETE f
RETURN count(*) AS forgotten
"""

FORGET_STATES: LiteralString = """
MATCH (:User {key: $user})-[:SAID]->(s:ConsentState)
WHERE s.objection IS NULL
WITH s LIMIT $most
DETACH DELETE s
RETURN count(*) AS forgotten
"""

FORGET_NOTICES: LiteralString = """
MATCH (:User {key: $user})-[s:SERVED]->(:Notice)
WITH s LIMIT $most
DELETE s
RETURN count(*) AS forgotten
"""


async def forget_facts(tx: Tx, user: str, most: int) -> int:
    """Delete some of what was known of the person, and answer how much."""
    return (await tx.get(FORGET_FACTS, user=user, most=most))["forgotten"]


async def forget_states(tx: Tx, user: str, most: int) -> int:
    """Delete some of the consent that the person gave or withdrew, and answer how much."""
    return (await tx.get(FORGET_STATES, user=user, most=most))["forgotten"]


async def forget_notices(tx: Tx, user: str, most: int) -> int:
    """Delete that some notices reached the person, and answer how many."""
    return (await tx.get(FORGET_NOTICES, user=user, most=most))["forgotten"]


OBJECTIONS: LiteralString = """
MATCH (:User {key: $user})<-[:FILED_BY]-(o:Objection)
WHERE NOT o.key STARTS WITH $prefix
WITH o.key AS key LIMIT $most
RETURN collect(key) AS keys
"""

ERASE_OBJECTIONS: LiteralString = """
UNWIND $rows AS row
MATCH (o:Objection {key: row[0]})-[:FILED_BY]->(u:User)
SET o.key = row[1]
REMOVE o.channel, o.grounds, o.extension_reason
WITH o, u, row
CALL (o) {
  MATCH (o)-[:BECAME]->(t:Transition)
  REMOVE t.grounds
}
CALL (u, row) {
  MATCH (u)-[:SAID]->(s:ConsentState)
  WHERE s.objection = row[0]
  SET s.objection = row[1]
}
"""


async def erase_objections(tx: Tx, pseudonyms: Pseudonyms, user: str, most: int) -> int:
    """Leave of some of the person's objections what they covered and what became of them; answer of how many."""
    keys: list[str] = (await tx.get(OBJECTIONS, user=user, prefix=PREFIX, most=most))["keys"]
    if keys:
        await tx.rows(ERASE_OBJECTIONS, rows=[[key, pseudonyms.of("Objection", key)] for key in sorted(keys)])
    return len(keys)


ERASURES: LiteralString = """
MATCH (:User {key: $user})<-[:REQUESTED_BY]-(e:Erasure)
WHERE NOT e.key STARTS WITH $prefix
RETURN collect(e.key) AS keys
"""

ERASE_ERASURES: LiteralString = """
UNWIND $rows AS row
MATCH (e:Erasure {key: row[0]})
SET e.key = row[1]
WITH e
OPTIONAL MATCH (e)-[:BECAME]->(t:Transition)
REMOVE t.grounds
"""


async def erase_erasures(tx: Tx, pseudonyms: Pseudonyms, user: str) -> None:
    """Let digests stand for the keys of the person's erasures, too: this one, and those that were refused before."""
    keys: list[str] = (await tx.get(ERASURES, user=user, prefix=PREFIX))["keys"]
    await tx.rows(ERASE_ERASURES, rows=[[key, pseudonyms.of("Erasure", key)] for key in sorted(keys)])
