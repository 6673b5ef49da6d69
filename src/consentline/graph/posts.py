"""Posts and the people tied to them, read with every fact and both its times."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, LiteralString, TypeAlias

from msgspec import Struct

from consentline.domain.consent import Consent, ConsentFact, ServedNotice
from consentline.domain.datasets import Membership
from consentline.domain.erasures import ErasureFacts, ErasureStatus, ErasureTransition
from consentline.domain.instants import Instant
from consentline.domain.objections import ObjectionFacts, ObjectionStatus, Transition
from consentline.domain.paging import Page, PageRequest, page_from
from consentline.domain.people import Dated, PersonFacts
from consentline.domain.posts import Description, KeptUse, Link, PostFacts, PostKind, Visibility
from consentline.graph.facts import Rows
from consentline.graph.session import Tx
from consentline.graph.upper import Now

_KINDS = {kind.value: kind for kind in PostKind}


class PostSummary(Struct, frozen=True):
    """A post as it stands; every fact but the key is None while it is known by key only.

    A struct: a list makes a hundred of them, at a sixth of what a frozen dataclass costs.
    """

    key: str
    author: str | None = None
    platform: str | None = None
    kind: PostKind | None = None
    published_at: Instant | None = None
    deleted_at: Instant | None = None
    erased_at: Instant | None = None


@dataclass(frozen=True, slots=True)
class PostForUsage:
    """What "was this post used?" needs to know: one consistent reading of clock, revision, post and memberships.

    `post` carries the author's jurisdictions only, and of an erased post nothing; `recorded` tells whether it stands in
    the graph at all, `stored` under which key.
    """

    now: Now
    recorded: bool
    stored: str
    post: PostFacts
    memberships: tuple[Membership, ...]


# The keys of a post are sought one after the other, as they are listed: its own first. What becomes a digest in between
# is found by it; the other way round it would be missed by both.
FOR_USAGE: LiteralString = """
MATCH (r:Revision {name: 'lineage'})
WITH r, datetime.realtime() AS now
UNWIND $asked AS keys
CALL (keys) {
  UNWIND keys AS key
  OPTIONAL MATCH (p:Post {key: key})
  RETURN head(collect(p)) AS p
}
WITH r, now, collect([
  CASE WHEN p IS NULL THEN NULL
       ELSE [p.platform, p.kind, p.published_at, p.visibility, p.described_at] END,
  p.key,
  p.erased_at,
  [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]],
  [(p)-[a:AUTHORED_BY]->(u:User) | [u.key, a.recorded_at, a.until, u.erased_at,
    [(u)-[:KNOWN]->(f:UserFact {field: 'jurisdiction'}) | [f.value, f.valid_from, f.recorded_at]]]]
]) AS posts
RETURN now.epochSeconds * 1000000 + now.microsecond AS instant, r.value, r.first_recorded_at, posts
"""


async def for_usage(tx: Tx, asked: Sequence[Sequence[str]]) -> list[PostForUsage]:
    """Clock, revision, and each post's facts and memberships, in the order asked, in one small statement.

    Of each post the key asked about, by which the answer calls it, and others under which it may be stored. A post that
    is not found may be about to be erased at this instant: see `usecases/suppression.surely`.
    """
    # In the order of the statement: looking columns up by name costs more than everything else here.
    instant, revision, first_recorded_at, rows = (await tx.get(FOR_USAGE, asked=asked)).values()
    now = Now(instant, revision, first_recorded_at)
    return [_for_usage(now, keys[0], row) for keys, row in zip(asked, rows, strict=True)]


# One row for all: the driver's cost is per record.
FACTS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
RETURN collect([
  p.key,
  [p.platform, p.kind, p.published_at, p.visibility, p.described_at],
  p.special_category,
  [(p)-[:CHANGED]->(c:PostChange) | [c.field, c.value, c.valid_from, c.recorded_at]],
  [(p)-[a:AUTHORED_BY]->(u:User) | [u.key, a.recorded_at, a.until]],
  [(p)-[d:DEPICTS]->(u:User) | [u.key, d.recorded_at, d.until, coalesce(d.settled, false)]],
  p.minor_at_use,
  p.erased_at,
  [i IN range(0, size(coalesce(p.used_by, [])) - 1) |
    [p.used_by[i], p.used_reasons[i], p.used_policies[i], p.used_violating[i]]]
]) AS rows
"""

PEOPLE: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})
RETURN collect([
  u.key,
  u.erased_at,
  [(u)-[:KNOWN]->(f:UserFact) | [f.field, f.value, f.valid_from, f.recorded_at]],
  [(u)-[:SAID]->(s:ConsentState) WHERE s.objection IS NULL
    | [s.purpose, s.status, s.valid_from, s.recorded_at]],
  [(u)-[s:SERVED]->(n:Notice) WHERE n.described_at IS NOT NULL
    | [n.purpose, s.served_at, CASE WHEN n.described_at > s.recorded_at THEN n.described_at ELSE s.recorded_at END,
       s.seen_at, coalesce(s.seen_recorded_at, s.recorded_at)]],
  [(u)<-[:FILED_BY]-(o:Objection) | [o.key, o.purposes, o.platforms, o.received_at, o.recorded_at,
    [(o)-[:BECAME]->(t:Transition) | [t.status, t.at, t.recorded_at, t.grounds]]]],
  [(u)<-[:REQUESTED_BY]-(e:Erasure) | [e.received_at, e.recorded_at,
    [(e)-[:BECAME]->(t:Transition) | [t.status, t.at, t.recorded_at]]]]
]) AS rows
"""


async def person_facts(tx: Tx, keys: Sequence[str]) -> dict[str, PersonFacts]:
    """Everything recorded of the people; unrecorded keys are absent."""
    if not keys:
        return {}
    return {row[0]: _person(row) for row in (await tx.get(PEOPLE, people=Rows(keys)))["rows"]}


ReadPeople: TypeAlias = Callable[[Tx, Sequence[str]], Awaitable[Mapping[str, PersonFacts]]]


async def facts(tx: Tx, posts: Sequence[str], people: ReadPeople = person_facts) -> dict[str, PostFacts]:
    """Everything recorded of the posts, their authors and the people whom they depict; unrecorded keys are absent.

    Two statements, however many posts; `people` tells what is known of people.
    """
    while True:
        rows = (await tx.get(FACTS, posts=Rows(posts)))["rows"]
        tied = sorted({link[0] for row in rows for link in (*row[4], *row[5])})
        known = await people(tx, tied)
        # Somebody's key may have become a digest between the two.
        if all(key in known for key in tied):
            return {row[0]: _post_facts(row, known) for row in rows}


async def person(tx: Tx, keys: Sequence[str]) -> PersonFacts:
    """Everything recorded of one person, stored under one of the keys; of somebody never recorded, nothing."""
    found = await person_facts(tx, keys)
    return next(iter(found.values()), PersonFacts(keys[0]))


# One value tells of the author: the key, or when they were erased.
SUMMARIES: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
RETURN collect([key, p.platform, p.kind, p.published_at, p.erased_at,
  head([(p)-[a:AUTHORED_BY]->(u:User) WHERE a.until IS NULL | coalesce(u.erased_at, u.key)]),
  reduce(first = null, t IN [(p)-[:CHANGED]->(c:PostChange {field: 'deleted'}) | c.valid_from] |
    CASE WHEN first IS NULL OR t < first THEN t ELSE first END)]) AS rows
"""


async def summaries(tx: Tx, keys: Sequence[str]) -> dict[str, PostSummary]:
    """The posts as they stand, by the keys under which they are stored; unrecorded ones are absent."""
    return {row[0]: _summary(*row) for row in (await tx.get(SUMMARIES, posts=keys))["rows"]}


OF_PERSON: LiteralString = """
UNWIND $users AS user
MATCH (u:User {key: user})
WITH head(collect(u)) AS u
MATCH (u)<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL AND (p.described_at IS NOT NULL OR p.erased_at IS NOT NULL)
WITH p.key AS key ORDER BY key
WITH collect(key) AS found
RETURN size(found) AS total, [key IN found WHERE key > $after][..$most] AS keys
"""


async def page_of_person(tx: Tx, users: Sequence[str], request: PageRequest) -> Page[PostSummary]:
    """The described posts that the person is now believed to have written, by key; the erased ones by their digests."""
    after = "" if request.after is None else request.after[0]
    while True:
        row = await tx.get(OF_PERSON, users=users, after=after, most=request.first + 1)
        found = await summaries(tx, row["keys"])
        # A key may have become a digest between the two.
        if len(found) == len(row["keys"]):
            posts = [found[key] for key in row["keys"]]
            return page_from(posts, lambda post: (post.key,), request, row["total"])


def _for_usage(now: Now, key: str, row: list[Any]) -> PostForUsage:
    described, stored, erased_at, memberships, written = row
    facts = PostFacts(key=key)
    if described is not None and erased_at is None:
        authors = tuple(
            Link(PersonFacts(author, jurisdictions=dated(known), erased_at=author_erased_at), recorded_at, until)
            for author, recorded_at, until, author_erased_at, known in written
        )
        recorded = PostFacts(key=key, description=_description(described), authors=authors)
        facts = facts if recorded.erased_since is not None else recorded
    return PostForUsage(
        now=now,
        recorded=described is not None,
        stored=stored or key,
        post=facts,
        memberships=tuple(Membership(*each) for each in memberships),
    )


def _summary(
    key: str,
    platform: str | None,
    kind: str | None,
    published_at: Instant | None,
    erased_at: Instant | None,
    author: str | Instant | None,
    deleted_at: Instant | None,
) -> PostSummary:
    if erased_at is not None:
        return PostSummary(key, erased_at=erased_at)
    if isinstance(author, int):
        return PostSummary(key, erased_at=author)
    if kind is None:
        return PostSummary(key, deleted_at=deleted_at)
    return PostSummary(key, author, platform, _KINDS[kind], published_at, deleted_at)


def _description(row: list[Any]) -> Description | None:
    platform, kind, published_at, visibility, described_at = row
    if described_at is None:
        return None
    return Description(platform, _KINDS[kind], published_at, Visibility(visibility), described_at)


def _post_facts(row: list[Any], people: Mapping[str, PersonFacts]) -> PostFacts:
    key, described, special_category, changes, authors, depicted, minor_at_use, erased_at, kept = row
    if erased_at is not None:
        return PostFacts(key=key, erased_at=erased_at, kept=tuple(_kept_use(*each) for each in kept))
    description = _description(described)
    special = [Dated(bool(each[1]), each[3], each[3]) for each in changes if each[0] == "special_category"]
    if description is not None and special_category is not None:
        special.append(Dated(special_category, description.recorded_at, description.recorded_at))
    return PostFacts(
        key=key,
        description=description,
        authors=tuple(Link(people[author], recorded_at, until) for author, recorded_at, until in authors),
        depicted=tuple(
            Link(people[person], recorded_at, until, settled) for person, recorded_at, until, settled in depicted
        ),
        visibilities=tuple(Dated(Visibility(each[1]), each[2], each[3]) for each in changes if each[0] == "visibility"),
        deletions=tuple(Dated(None, each[2], each[3]) for each in changes if each[0] == "deleted"),
        special_category=tuple(special),
        minor_at_use=frozenset(minor_at_use or ()),
    )


def _kept_use(run: str, reasons: str, policy: str, violates: bool) -> KeptUse:
    key, _, version = policy.rpartition(":")
    return KeptUse(run, tuple(reasons.split()), (key, int(version)) if policy else None, violates)


def _person(row: list[Any]) -> PersonFacts:
    key, erased_at, facts, consents, notices, objections, erasures = row
    return PersonFacts(
        key=key,
        jurisdictions=dated([fact[1:] for fact in facts if fact[0] == "jurisdiction"]),
        adult_from=tuple(
            Dated(None if value is None else date.fromisoformat(value), valid_from, recorded_at)
            for field, value, valid_from, recorded_at in facts
            if field == "adult_from"
        ),
        objections=tuple(
            ObjectionFacts(
                objection,
                tuple(purposes),
                tuple(platforms),
                received_at,
                recorded_at,
                tuple(map(_transition, transitions)),
            )
            for objection, purposes, platforms, received_at, recorded_at, transitions in objections
        ),
        erasures=tuple(
            ErasureFacts(
                received_at,
                recorded_at,
                tuple(ErasureTransition(ErasureStatus(each[0]), *each[1:]) for each in transitions),
            )
            for received_at, recorded_at, transitions in erasures
        ),
        notices=tuple(ServedNotice(*each) for each in notices),
        consents=tuple(
            ConsentFact(purpose, Consent(status), valid_from, recorded_at)
            for purpose, status, valid_from, recorded_at in consents
        ),
        erased_at=erased_at,
    )


def _transition(row: list[Any]) -> Transition:
    status, at, recorded_at, grounds = row
    return Transition(ObjectionStatus(status), at, recorded_at, grounds)


def dated(rows: Sequence[Sequence[Any]]) -> tuple[Dated[str | None], ...]:
    """Values with their two times, from rows of them."""
    return tuple(Dated(value, valid_from, recorded_at) for value, valid_from, recorded_at in rows)
