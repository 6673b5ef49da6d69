"""Objections on their way into the graph: what they rest on is read without locks, and compared when they are written.

One statement writes everything, holding the people's guards and the upper graph's for that and the commit. Many may be
filed together: each costs its own marks and causes, all together one lock, one look at each flag and one commit.
"""

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString, NamedTuple

from consentline.domain.audit import AuditEntry
from consentline.domain.causes import ScopedPosts
from consentline.domain.datasets import Membership
from consentline.domain.events import NewEvent
from consentline.domain.flags import Cause
from consentline.domain.instants import Instant
from consentline.domain.objections import Objection
from consentline.domain.people import PersonFacts
from consentline.domain.tallies import BLOCK
from consentline.graph import audit, outbox
from consentline.graph.causes import Demand
from consentline.graph.facts import RacedError
from consentline.graph.posts import dated
from consentline.graph.rows import Rows
from consentline.graph.session import Tx

MOST_POSTS = 500
"""How many are read without a lock and again under it; where somebody has more, each is read once, as it is marked."""


@dataclass(frozen=True, slots=True)
class Claimant:
    """A person as recorded: where they live, and what they wrote that is or was a member, grouped.

    `depicted`: some post of somebody else depicts them; `state` is all that, to be compared with what is recorded then.
    Of who has `many` posts none is read: reading them twice would cost more than a lock.
    """

    person: PersonFacts
    depicted: bool
    many: bool
    written: tuple[ScopedPosts, ...]
    state: list[Any] | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What objections rest on, as of about a revision of the upper graph; people who are not recorded are absent.

    `existing` are those of the objections' keys that are recorded; `recipients`: somebody is to be told what becomes of
    posts.
    """

    revision: str
    instant: Instant
    claimants: Mapping[str, Claimant]
    existing: frozenset[str]
    recipients: bool


# A list with a null in it equals nothing.
_JURISDICTIONS: LiteralString = """COLLECT {
  MATCH (u)-[:KNOWN]->(f:UserFact) WHERE f.field = 'jurisdiction'
  RETURN [coalesce(f.value, ''), f.valid_from, f.recorded_at] ORDER BY f.recorded_at, f.valid_from, f.value
}"""
_DEPICTED: LiteralString = "EXISTS { (u)<-[d:DEPICTS]-() WHERE d.until IS NULL }"

SEE: LiteralString = (
    """
MATCH (r:Revision {name: 'lineage'})
WITH r.value AS revision
UNWIND $people AS key
OPTIONAL MATCH (u:User {key: key})
WITH revision, u, CASE WHEN u IS NULL THEN NULL ELSE [u.key, """
    + _DEPICTED
    + ", "
    + _JURISDICTIONS
    + """, CASE WHEN COUNT { (u)<-[:AUTHORED_BY]-() } <= $most THEN COLLECT {
  MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
  WHERE a.until IS NULL AND p.described_at IS NOT NULL
  WITH p.platform AS platform, [(p)-[m:IN_SHARD]->() | [m.dataset, m.from_version, m.to_version]] AS memberships, a, p
  WITH platform, memberships, count(*) AS posts, max(a.recorded_at) AS linked, max(p.described_at) AS described
  RETURN [platform, memberships, posts, linked, described]
} END] END AS person
WITH revision, collect(person) AS people
WITH revision, people, datetime.realtime() AS now
RETURN revision, people, now.epochSeconds * 1000000 + now.microsecond AS instant,
  COLLECT { UNWIND $objections AS key MATCH (o:Objection {key: key}) RETURN o.key } AS existing,
  EXISTS {
    MATCH (n:Recipient) USING INDEX n:Recipient(dataset, key) WHERE n.dataset >= '' AND n.key >= ''
  } AS recipients
"""
)


async def see(tx: Tx, people: Collection[str], objections: Collection[str]) -> Seen:
    """What the people's objections rest on, as it is recorded."""
    row = await tx.get(SEE, people=Rows(sorted(people)), objections=list(objections), most=MOST_POSTS)
    return Seen(
        revision=row["revision"],
        instant=row["instant"],
        claimants={key: _claimant(key, *rest) for key, *rest in row["people"]},
        existing=frozenset(row["existing"]),
        recipients=row["recipients"],
    )


def _claimant(key: str, depicted: bool, jurisdictions: list[list[Any]], written: list[list[Any]] | None) -> Claimant:
    person = PersonFacts(key, jurisdictions=dated([[value or None, *times] for value, *times in jurisdictions]))
    if written is None:
        return Claimant(person, depicted, many=True, written=(), state=None)
    groups = (
        ScopedPosts(
            person=key,
            depicting=False,
            author=key,
            platform=platform,
            memberships=tuple(Membership(*each) for each in memberships),
            posts=posts,
        )
        for platform, memberships, posts, *_ in written
        if memberships
    )
    posts, linked, described = zip(*(each[2:] for each in written), strict=True) if written else ((0,), (0,), (0,))
    state = [depicted, jurisdictions, [sum(posts), max(linked), max(described)]]
    return Claimant(person, depicted, many=False, written=tuple(groups), state=state)


class Filed(NamedTuple):
    """An objection to be written, as it was decided by what was seen of the person (their `state`).

    `restricts` are the purposes for which their posts become ineligible. Its `recorded_at` is not known yet. Without a
    `state` the person's guard was held when they were seen, and their posts are restricted already.
    """

    objection: Objection
    by: str
    state: list[Any] | None
    restricts: Sequence[str]
    causes: Mapping[Cause, Demand]
    event: NewEvent


# All is given in one map: the database would plan anew for each size of each list.
# The guards are taken in their order, and then what was seen is compared with what is recorded. Which sealed versions
# hold a post changes with the revision only; what a person wrote, with its number or the last time of a record of it.
_LOCK: LiteralString = (
    """
UNWIND $given.rows AS row
MATCH (u:User {key: row.user})
SET u.guard = true
WITH count(*) AS people
WHERE people = size($given.rows)
MATCH (r:Revision {name: 'lineage'})
SET r.guard = randomUUID()
WITH r, datetime.realtime() AS moment
WHERE r.value = $given.revision AND NOT EXISTS { UNWIND $given.keys AS key MATCH (:Objection {key: key}) }
CALL (r) {
  UNWIND $given.rows AS row
  MATCH (u:User {key: row.user})
  CALL (row, u) {
    WITH row, u WHERE row.state IS NULL
    RETURN [] AS posts
    UNION ALL
    WITH row, u WHERE row.state IS NOT NULL
    OPTIONAL MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
    WHERE a.until IS NULL AND p.described_at IS NOT NULL
    WITH row, u, [count(p), coalesce(max(a.recorded_at), 0), coalesce(max(p.described_at), 0)] AS written,
         collect(p) AS posts
    WHERE row.state = ["""
    + _DEPICTED
    + ", "
    + _JURISDICTIONS
    + """, written]
    RETURN posts
  }
  RETURN collect([row, posts]) AS found
}
WITH r, moment.epochSeconds * 1000000 + moment.microsecond AS now, found
WHERE size(found) = size($given.rows)
FOREACH (_ IN CASE WHEN r.first_recorded_at IS NULL THEN [1] ELSE [] END | SET r.first_recorded_at = now)
"""
)

_CREATE: LiteralString = """
CALL (now) {
  UNWIND $given.rows AS row
  MATCH (u:User {key: row.user})
  CREATE (o:Objection {
    key: row.key, status: 'PENDING', purposes: row.purposes, platforms: row.platforms, channel: row.channel,
    received_at: row.received_at, recorded_at: now, recorded_by: row.by, due_at: row.due_at, deadline: row.due_at
  })-[:FILED_BY]->(u)
  FOREACH (purpose IN row.purposes | CREATE (u)-[:SAID]->(:ConsentState {
    purpose: purpose, status: 'OBJECTION_PENDING', objection: row.key, recorded_at: now,
    valid_from: CASE WHEN row.received_at < now THEN row.received_at ELSE now END
  }))
}
"""

# Nothing is judged: nothing else about the posts can make up for the objection.
_RESTRICT: LiteralString = """
CALL (found) {
  UNWIND found AS each
  WITH each[0] AS row, each[1] AS posts
  UNWIND posts AS p
  WITH p, row WHERE size(row.platforms) = 0 OR p.platform IN row.platforms
  WITH p, [purpose IN row.restricts WHERE NOT purpose IN coalesce(p.ineligible, [])] AS fresh
  WHERE size(fresh) > 0
  MATCH (p)-[m:IN_SHARD]->()
  WITH p, fresh, collect([m.dataset, m.from_version, m.to_version]) AS held
  SET p.ineligible = coalesce(p.ineligible, []) + fresh
  WITH fresh, held
  UNWIND fresh AS purpose
  UNWIND held AS membership
  UNWIND [[membership[1], 1], [membership[2], -1]] AS change
  WITH membership[0] AS dataset, purpose, change[0] - 1 AS number, sum(change[1]) AS by
  WHERE number IS NOT NULL AND by <> 0
  WITH dataset, purpose, number / $given.block AS block, collect([number % $given.block, by]) AS changes
  MERGE (t:TallyBlock {dataset: dataset, purpose: purpose, block: block})
  WITH t, t.deltas AS before, changes
  SET t.deltas = [i IN range(0, $given.block - 1) | coalesce(before[i], 0)
    + reduce(by = 0, each IN changes | by + CASE each[0] WHEN i THEN each[1] ELSE 0 END)]
}
"""

# As causes.py raises flags and settles when they are due.
_FLAG: LiteralString = """
CALL (now) {
  UNWIND $given.flags AS flag
  MATCH (m:ModelVersion {key: flag.model})
  WHERE NOT EXISTS { MATCH (:RetrainingFlag {open_for: flag.model}) }
  WITH m, flag, now, head(COLLECT {
    MATCH (f:RetrainingFlag)
    USING INDEX f:RetrainingFlag(model, raised_at, uid)
    WHERE f.model = flag.model AND f.raised_at >= -9223372036854775808 AND f.uid >= ''
    RETURN f ORDER BY f.model DESC, f.raised_at DESC, f.uid DESC LIMIT 1
  }) AS previous
  MERGE (f:RetrainingFlag {open_for: flag.model})
  ON CREATE SET f.uid = flag.uid, f.model = flag.model, f.status = 'OPEN', f.raised_at = now, f.due_at = flag.due_at
  MERGE (f)-[:FLAGS]->(m)
  FOREACH (_ IN CASE WHEN previous IS NULL THEN [] ELSE [1] END | MERGE (f)-[:FOLLOWS]->(previous))
}
CALL (now) {
  UNWIND $given.flags AS flag
  MATCH (f:RetrainingFlag {open_for: flag.model})
  UNWIND flag.causes AS cause
  MATCH (o:Objection {key: cause[1]})
  CREATE (f)-[:CAUSED_BY {
    uid: randomUUID(), kind: cause[0], posts: cause[2], due_at: cause[3], recorded_at: now, standing_for: f.uid
  }]->(o)
}
CALL (now) {
  UNWIND $given.flags AS flag
  MATCH (f:RetrainingFlag {open_for: flag.model})
  CALL (f) {
    MATCH ()-[c:CAUSED_BY]->()
    USING INDEX c:CAUSED_BY(standing_for, due_at)
    WHERE c.standing_for = f.uid AND c.due_at >= -9223372036854775808
    RETURN c.due_at AS due_at ORDER BY c.standing_for, c.due_at LIMIT 1
  }
  SET f.due_at = due_at, f.joined_at = CASE f.raised_at WHEN now THEN f.joined_at ELSE now END
}
"""

# An open flag's details are those of domain/events.py: flag_event; they are numbers and codes.
_TELL: LiteralString = """
CALL (r, now) {
  SET r.events = coalesce(r.events, 0) + size($given.told) + size($given.flags_told)
  WITH r.events - size($given.told) - size($given.flags_told) AS before, now
  CALL (before, now) {
    UNWIND $given.told AS row
    MATCH (o:Objection {key: row.objection})
    CREATE (:Event {
      id: row.id, position: before + row.number, kind: row.kind, at: now, lane: row.lane, details: row.details
    })-[:TELLS_OF]->(o)
  }
  UNWIND $given.flags_told AS row
  MATCH (f:RetrainingFlag {open_for: row.model})
  CREATE (:Event {
    id: row.id, position: before + row.number, at: now, lane: 'model:' + f.model, model: f.model, flag: f.uid,
    kind: CASE WHEN row.first AND f.raised_at = now THEN 'FLAG_RAISED' ELSE 'FLAG_JOINED' END,
    details: '{"status": "' + f.status + '", "resolution": null, "raisedAt": ' + toString(f.raised_at)
      + ', "dueAt": ' + toString(f.due_at) + ', "plannedFor": ' + coalesce(toString(f.planned_for), 'null')
      + ', "replacement": null}'
  })
}
"""

FILE: LiteralString = (
    _LOCK
    + "WITH r, now, found"
    + _CREATE
    + _RESTRICT
    + _FLAG
    + _TELL
    + "WITH now, $given.entries AS entries CALL (entries) {"
    + audit.APPEND_EACH
    + """}
RETURN now
"""
)


async def file(
    tx: Tx,
    revision: str,
    keys: Collection[str],
    filed: Sequence[Filed],
    entries: Sequence[AuditEntry] = (),
    *,
    tell_flags: bool = True,
) -> Instant:
    """Take the guards, and record objections of different people with all that follows; answers when it was.

    None of the `keys`, under which they are or might be stored, may be recorded. Events of the flags that are raised or
    joined are left to the caller unless `tell_flags`.

    Raises:
        RacedError: one of the keys is, or a person or the upper graph is not as it was seen; nothing was written.
    """
    told, flags_told = _events(filed, flags=tell_flags)
    given = {
        "revision": revision,
        "keys": list(keys),
        "rows": Rows(sorted(map(_row, filed), key=lambda row: row["user"])),
        "flags": Rows(_flags(filed)),
        "block": BLOCK,
        "told": Rows(told),
        "flags_told": Rows(flags_told),
        "entries": Rows(audit.rows_of(entries)),
    }
    row = await tx.find(FILE, given=given)
    if row is None:
        raise RacedError
    return row["now"]


def _row(filed: Filed) -> dict[str, Any]:
    objection = filed.objection
    return {
        "key": objection.key,
        "user": objection.user,
        "state": filed.state,
        "purposes": list(objection.purposes),
        "platforms": list(objection.platforms),
        "channel": objection.channel,
        "received_at": objection.received_at,
        "due_at": objection.due_at,
        "by": filed.by,
        "restricts": list(filed.restricts),
    }


def _events(filed: Sequence[Filed], *, flags: bool) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """What is told of each objection, and then of the flags that it raised or joined, numbered from 1 on."""
    told: list[dict[str, Any]] = []
    flags_told: list[dict[str, Any]] = []
    known = set[str]()
    for each in filed:
        (row,) = outbox.rows_of([each.event])
        told.append(row | {"number": len(told) + len(flags_told) + 1})
        for model in sorted({cause.model for cause in each.causes}) if flags else ():
            number = len(told) + len(flags_told) + 1
            flags_told.append({"id": outbox.new_id(), "number": number, "model": model, "first": model not in known})
            known.add(model)
    return told, flags_told


def _flags(filed: Sequence[Filed]) -> list[dict[str, Any]]:
    """What is to be raised or joined, by model version: when it is due if it is new, and the causes."""
    causes: defaultdict[str, list[tuple[Cause, Demand]]] = defaultdict(list)
    for each in filed:
        for cause, demand in each.causes.items():
            causes[cause.model].append((cause, demand))
    return [
        {
            "model": model,
            "uid": str(uuid.uuid4()),
            "due_at": min(demand.due_at for _, demand in each),
            "causes": [[cause.kind, cause.source.key, *demand] for cause, demand in each],
        }
        for model, each in sorted(causes.items())
    ]
