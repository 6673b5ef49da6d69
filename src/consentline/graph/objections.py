"""Objections, their history, and the posts in their scope."""

from collections.abc import Sequence
from typing import Any, LiteralString

from consentline.domain.causes import ScopedPosts
from consentline.domain.consent import ConsentStatus
from consentline.domain.datasets import Membership
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection, ObjectionEvent, ObjectionEventKind, ObjectionStatus
from consentline.graph.session import Tx

MOVE: LiteralString = """
MATCH (o:Objection {key: $key})-[:FILED_BY]->(u:User)
SET o.status = $status, o.decided_at = coalesce($decided_at, o.decided_at), o.grounds = coalesce($grounds, o.grounds),
    o.deadline = null
CREATE (o)-[:BECAME]->(:Transition {
  status: $status, at: $at, recorded_at: $recorded_at, by: $by, grounds: $grounds
})
WITH u, o
UNWIND o.purposes AS purpose
CREATE (u)-[:SAID]->(:ConsentState {
  purpose: purpose, status: $consent, valid_from: $at, recorded_at: $recorded_at, objection: o.key
})
"""

_CONSENT = {
    ObjectionStatus.UPHELD: ConsentStatus.OBJECTED,
    ObjectionStatus.REFUSED: ConsentStatus.OBJECTION_REFUSED,
    ObjectionStatus.WITHDRAWN: ConsentStatus.OBJECTION_WITHDRAWN,
}


async def move(
    tx: Tx,
    key: str,
    status: ObjectionStatus,
    *,
    at: Instant,
    recorded_at: Instant,
    by: str,
    decided_at: Instant | None = None,
    grounds: str | None = None,
) -> None:
    """Append a transition, valid from `at`, and what it means for the person's consent states."""
    await tx.rows(
        MOVE,
        key=key,
        status=status,
        at=at,
        recorded_at=recorded_at,
        by=by,
        decided_at=decided_at,
        grounds=grounds,
        consent=_CONSENT[status],
    )


EXTEND: LiteralString = """
MATCH (o:Objection {key: $key})
SET o.extended_to = $extended_to, o.deadline = $extended_to, o.extended_at = $recorded_at, o.extended_by = $by,
    o.extension_reason = $reason
"""


async def extend(tx: Tx, key: str, *, extended_to: Instant, reason: str | None, recorded_at: Instant, by: str) -> None:
    """Record the one extension of the period; `due_at` stays."""
    await tx.rows(EXTEND, key=key, extended_to=extended_to, reason=reason, recorded_at=recorded_at, by=by)


FIND: LiteralString = """
UNWIND $keys AS key
MATCH (o:Objection {key: key})-[:FILED_BY]->(u:User)
RETURN collect([o.key, u.key, o.status, o.purposes, o.platforms, o.channel, o.received_at, o.recorded_at, o.due_at,
  o.extended_to, o.decided_at, o.grounds, o.recorded_by, o.extended_at, o.extended_by, o.extension_reason,
  o.affected_posts,
  [(o)-[:BECAME]->(t:Transition) | [t.status, t.at, t.recorded_at, t.by, t.grounds]]]) AS rows
"""


async def find(tx: Tx, keys: Sequence[str]) -> Objection | None:
    """The objection stored under one of the keys, as it stands."""
    found = await find_all(tx, keys)
    return found[0] if found else None


async def get(tx: Tx, key: str) -> Objection:
    """The objection, which is recorded, as it stands."""
    (objection,) = await find_all(tx, [key])
    return objection


async def find_all(tx: Tx, keys: Sequence[str]) -> list[Objection]:
    """The objections of these keys that are recorded, as they stand, in no order."""
    return [_objection(row) for row in (await tx.get(FIND, keys=list(keys)))["rows"]]


OF_PEOPLE: LiteralString = """
UNWIND $people AS key
MATCH (:User {key: key})<-[:FILED_BY]-(o:Objection)
RETURN collect(o.key) AS keys
"""


async def of_people(tx: Tx, people: Sequence[str]) -> list[Objection]:
    """Every objection that the people ever filed."""
    return await find_all(tx, (await tx.get(OF_PEOPLE, people=list(people)))["keys"])


LIVE_OBJECTORS: LiteralString = """
UNWIND ['PENDING', 'UPHELD'] AS status
MATCH (o:Objection)-[:FILED_BY]->(u:User)
USING INDEX o:Objection(status, received_at, key)
WHERE o.status = status AND o.received_at >= -9223372036854775808 AND o.key >= ''
RETURN collect(DISTINCT u.key) AS people
"""


async def live_objectors(tx: Tx) -> list[str]:
    """Everybody who has an objection that is pending or upheld."""
    return (await tx.get(LIVE_OBJECTORS))["people"]


SCOPED: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})
CALL (u) {
  WITH u WHERE $written
  MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
  WHERE a.until IS NULL AND (p.described_at IS NOT NULL OR p.erased_at IS NOT NULL)
  RETURN p, false AS depicting, u.key AS author
  UNION ALL
  MATCH (u)<-[d:DEPICTS]-(p:Post)-[a:AUTHORED_BY]->(w:User)
  WHERE d.until IS NULL AND a.until IS NULL AND p.described_at IS NOT NULL AND w <> u AND w.erased_at IS NULL
  RETURN p, true AS depicting, w.key AS author
}
WITH u, depicting, author, p, [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]] AS memberships
WHERE size(memberships) > 0
WITH u.key AS person, depicting, author, p.platform AS platform, memberships, count(*) AS posts,
     CASE WHEN $named THEN collect(p.key) ELSE [] END AS keys
RETURN collect([person, depicting, author, platform, memberships, posts, keys]) AS rows
"""


async def scoped_posts(
    tx: Tx, people: Sequence[str], *, named: bool = False, written: bool = True
) -> list[ScopedPosts]:
    """The described posts that the people wrote (where `written`) or that depict them, and that lie in any dataset.

    They come in groups; the posts' keys are listed only when `named`. Of people who were erased, the erased posts;
    that those depicted others is not known any more.
    """
    rows = (await tx.get(SCOPED, people=sorted(set(people)), named=named, written=written))["rows"]
    return [
        ScopedPosts(
            person=person,
            depicting=depicting,
            author=author,
            platform=platform,
            memberships=tuple(Membership(*each) for each in memberships),
            posts=posts,
            keys=tuple(keys),
        )
        for person, depicting, author, platform, memberships, posts, keys in rows
    ]


AFFECTED: LiteralString = """
MATCH (u:User {key: $user})
CALL (u) {
  MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
  WHERE a.until IS NULL
  RETURN p
  UNION
  MATCH (u)<-[d:DEPICTS]-(p:Post)
  WHERE d.until IS NULL
  RETURN p
}
WITH p
WHERE p.described_at IS NOT NULL AND (size($platforms) = 0 OR p.platform IN $platforms)
RETURN count(p) AS posts
"""


async def affected_post_count(tx: Tx, user: str, platforms: Sequence[str]) -> int:
    """How many described posts on the platforms (none: all) the person wrote, or depict them."""
    return (await tx.get(AFFECTED, user=user, platforms=list(platforms)))["posts"]


def _objection(row: list[Any]) -> Objection:
    key, user, status, purposes, platforms, channel, received, recorded, due, extended, decided, grounds, *past = row
    by, extended_at, extended_by, extension_reason, affected, transitions = past
    history = [ObjectionEvent(ObjectionEventKind.FILED, received, recorded, by)]
    if extended_at is not None:
        kind = ObjectionEventKind.EXTENDED
        history.append(ObjectionEvent(kind, extended_at, extended_at, extended_by, extension_reason))
    history += [ObjectionEvent(ObjectionEventKind(each[0]), *each[1:]) for each in transitions]
    return Objection(
        key=key,
        user=user,
        status=ObjectionStatus(status),
        purposes=tuple(purposes),
        platforms=tuple(platforms),
        channel=channel,
        received_at=received,
        recorded_at=recorded,
        due_at=due,
        extended_to=extended,
        decided_at=decided,
        grounds=grounds,
        history=tuple(history),
        affected=affected,
    )
