"""Many posts at once for the evaluation of their eligibility, in pages that take one statement each.

A page tells apart what costs differently to judge: *plain* posts, of which only the `post` record speaks; *bare* ones,
known by their keys only; and *other* ones, about which something changed, that depict people, or whose author was
corrected. Facts about the first two lie in the page; those of the others are read with `graph/posts.facts`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, LiteralString, NamedTuple

from consentline.domain.concerns import Concern
from consentline.domain.evaluation import PlainPost
from consentline.domain.instants import Instant
from consentline.domain.judgement import Judgement
from consentline.domain.people import PersonFacts
from consentline.domain.posts import PostFacts
from consentline.graph import posts
from consentline.graph.session import Tx

_OTHERS_AT_ONCE = 2_000
_MOST_PEOPLE = 50_000


@dataclass(slots=True)
class PostPage:
    """Posts with everything that their eligibility rests on; `stored` only where it was asked for."""

    plain: list[tuple[PersonFacts, list[PlainPost]]] = field(default_factory=list[tuple[PersonFacts, list[PlainPost]]])
    bare: list[str] = field(default_factory=list[str])
    others: list[PostFacts] = field(default_factory=list[PostFacts])
    stored: dict[str, Judgement] = field(default_factory=dict[str, Judgement])


class People:
    """The facts of people as they were first read, so that nobody is read again for every page; bounded memory."""

    def __init__(self) -> None:
        self._known: dict[str, PersonFacts] = {}

    async def facts(self, tx: Tx, keys: Sequence[str]) -> dict[str, PersonFacts]:
        """Everything recorded of the people, by key."""
        known = {key: self._known[key] for key in keys if key in self._known}
        missing = [key for key in keys if key not in known]
        if missing:
            found = await posts.person_facts(tx, missing)
            if len(self._known) > _MOST_PEOPLE:
                self._known.clear()
            # Of two pages that read a person at once the first counts: what was worked out for it is kept.
            known |= {key: self._known.setdefault(key, each) for key, each in found.items()}
        return known


class Sized(NamedTuple):
    """A shard or a person by key, with the number of posts that reading it may bring."""

    key: str
    posts: int


SHARDS: LiteralString = """
MATCH (s:Shard)
USING INDEX s:Shard(key)
WHERE s.key > $after AND s.key < $end AND s.dataset = $dataset
WITH s ORDER BY s.key LIMIT $most
RETURN collect([s.key, s.size]) AS shards
"""


async def shards(tx: Tx, dataset: str, after: str | None, most: int) -> list[Sized]:
    """The dataset's shards by key, after one of them or from the first, and how many intervals each holds."""
    begin, end = f"{dataset}/", f"{dataset}0"  # "0" follows "/"
    row = await tx.get(SHARDS, dataset=dataset, after=after or begin, end=end, most=most)
    return [Sized(*each) for each in row["shards"]]


OF_VERSION: LiteralString = """
UNWIND $shards AS shard
MATCH (:Shard {key: shard})<-[m:IN_SHARD]-(p:Post)
WHERE m.from_version <= $number AND coalesce(m.to_version, 9223372036854775807) > $number
OPTIONAL MATCH (p)-[:AUTHORED_BY]->(u:User)
WITH p, u, CASE
  WHEN p.erased_at IS NOT NULL OR u.erased_at IS NOT NULL THEN 2
  WHEN p.described_at IS NULL THEN CASE WHEN EXISTS { (p)-[:CHANGED]->() } THEN 2 ELSE 1 END
  WHEN EXISTS { (p)-[:CHANGED|DEPICTS]->() } OR COUNT { (p)-[:AUTHORED_BY]->() } <> 1 THEN 2
  ELSE 0 END AS sort
WITH u,
  collect(CASE sort WHEN 0 THEN [p.key, p.platform, p.kind, p.published_at, p.visibility, p.special_category] END)
    AS plain,
  collect(CASE sort WHEN 1 THEN p.key END) AS bare,
  collect(CASE sort WHEN 2 THEN p.key END) AS others
RETURN collect([u.key, plain, bare, others]) AS authors
"""


async def of_version(tx: Tx, people: People, shard_keys: Sequence[str], number: int) -> PostPage:
    """The members of a version of the dataset that lie in the shards."""
    row = await tx.get(OF_VERSION, shards=list(shard_keys), number=number)
    return await _page(tx, people, row["authors"])


OF_DATASET: LiteralString = """
UNWIND $shards AS shard
MATCH (:Shard {key: shard})<-[m:IN_SHARD]-(p:Post)
WHERE NOT EXISTS {
  MATCH (p)-[newer:IN_SHARD]->(:Shard)
  WHERE newer.dataset = $dataset AND newer.from_version > m.from_version
}
OPTIONAL MATCH (p)-[:AUTHORED_BY]->(u:User)
WITH p, u, m.recheck_at AS recheck_at, CASE
  WHEN p.erased_at IS NOT NULL OR u.erased_at IS NOT NULL THEN 2
  WHEN p.described_at IS NULL THEN CASE WHEN EXISTS { (p)-[:CHANGED]->() } THEN 2 ELSE 1 END
  WHEN EXISTS { (p)-[:CHANGED|DEPICTS]->() } OR COUNT { (p)-[:AUTHORED_BY]->() } <> 1 THEN 2
  ELSE 0 END AS sort
WITH u,
  collect(CASE sort WHEN 0 THEN [p.key, p.platform, p.kind, p.published_at, p.visibility, p.special_category] END)
    AS plain,
  collect(CASE sort WHEN 1 THEN p.key END) AS bare,
  collect(CASE sort WHEN 2 THEN p.key END) AS others,
  collect([p.key, p.ineligible, p.concerns, recheck_at]) AS stored
RETURN collect([u.key, plain, bare, others, stored]) AS authors
"""


async def of_dataset(tx: Tx, people: People, dataset: str, shard_keys: Sequence[str]) -> PostPage:
    """The posts whose newest interval in the dataset lies in the shards, with what is stored of them."""
    row = await tx.get(OF_DATASET, dataset=dataset, shards=list(shard_keys))
    page = await _page(tx, people, row["authors"])
    page.stored = {
        key: Judgement(tuple(ineligible or ()), tuple(map(Concern.parse, concerns or ())), recheck_at)
        for *_, stored in row["authors"]
        for key, ineligible, concerns, recheck_at in stored
    }
    return page


AUTHORS: LiteralString = """
MATCH (u:User)
USING INDEX u:User(key)
WHERE u.key > $after
WITH u ORDER BY u.key LIMIT $most
RETURN collect([u.key, COUNT { (u)<-[:AUTHORED_BY]-() }]) AS people
"""


async def authors(tx: Tx, after: str, most: int) -> list[Sized]:
    """Everybody by key, after one of them ("": from the first), and how many posts name them as their author."""
    return [Sized(*each) for each in (await tx.get(AUTHORS, after=after, most=most))["people"]]


BOUNDS: LiteralString = """
MATCH (:User {key: $person})<-[:AUTHORED_BY]-(p:Post)
WITH p.key AS key ORDER BY key
WITH collect(key) AS keys
RETURN [i IN range($most - 1, size(keys) - 2, $most) | keys[i]] AS bounds
"""


async def bounds(tx: Tx, person: str, most: int) -> list[str]:
    """The post keys that part what names one person as its author into spans of up to `most` posts."""
    return (await tx.get(BOUNDS, person=person, most=most))["bounds"]


class Span(NamedTuple):
    """People, and of their posts those with a key after one bound and up to another; None: no bound."""

    people: tuple[str, ...]
    after: str = ""
    until: str | None = None


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a post itself must be to be picked; no platform named means all."""

    platforms: tuple[str, ...]
    published_from: Instant
    published_before: Instant


OF_PEOPLE: LiteralString = """
UNWIND $people AS author
MATCH (u:User {key: author})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL AND p.described_at IS NOT NULL
  AND p.published_at >= $published_from AND p.published_at < $published_before
  AND (size($platforms) = 0 OR p.platform IN $platforms)
  AND p.key > $after AND ($until IS NULL OR p.key <= $until)
WITH p, u,
  CASE WHEN EXISTS { (p)-[:CHANGED|DEPICTS]->() } OR COUNT { (p)-[:AUTHORED_BY]->() } <> 1 THEN 2 ELSE 0 END AS sort
WITH u,
  collect(CASE sort WHEN 0 THEN [p.key, p.platform, p.kind, p.published_at, p.visibility, p.special_category] END)
    AS plain,
  collect(CASE sort WHEN 2 THEN p.key END) AS others
RETURN collect([u.key, plain, [], others]) AS authors
"""


async def of_people(
    tx: Tx, people: People, span: Span, criteria: Criteria, wanted: Callable[[PersonFacts], bool]
) -> PostPage:
    """The described posts of the span that meet the criteria and whose author, as believed now, is `wanted`."""
    found = [key for key, author in (await people.facts(tx, span.people)).items() if wanted(author)]
    if not found:
        return PostPage()
    row = await tx.get(
        OF_PEOPLE,
        people=found,
        after=span.after,
        until=span.until,
        platforms=list(criteria.platforms),
        published_from=criteria.published_from,
        published_before=criteria.published_before,
    )
    return await _page(tx, people, row["authors"])


async def _page(tx: Tx, people: People, groups: list[list[Any]]) -> PostPage:
    """The page of rows [author, plain, bare, others, …], with the facts of the people and of the other posts."""
    page = PostPage()
    authors = await people.facts(tx, [group[0] for group in groups if group[1]])
    page.plain = [(authors[group[0]], group[1]) for group in groups if group[1] and group[0] in authors]
    page.bare = list({key: None for group in groups for key in group[2]})
    others = {key for group in groups for key in group[3]}
    # The key of an author may have become a digest since the page was read.
    others.update(post[0] for group in groups if group[0] not in authors for post in group[1])
    ordered = sorted(others)
    for begin in range(0, len(ordered), _OTHERS_AT_ONCE):
        found = await posts.facts(tx, ordered[begin : begin + _OTHERS_AT_ONCE], people.facts)
        page.others += found.values()
    return page
