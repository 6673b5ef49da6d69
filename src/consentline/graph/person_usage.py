"""A person's posts as far as their use is concerned: grouped for counting, or one by one in pages."""

from collections.abc import Sequence
from typing import Any, LiteralString, NamedTuple

from consentline.domain.datasets import Membership
from consentline.domain.instants import Instant
from consentline.domain.people import PersonFacts
from consentline.domain.posts import Description, Link, PostFacts, PostKind, Visibility
from consentline.graph.session import Tx


class PostGroup(NamedTuple):
    """Posts that no rule of use can tell apart; `example` stands for each of them, `posts` counts them."""

    example: PostFacts
    memberships: tuple[Membership, ...]
    posts: int


GROUPS: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.recorded_at <= $known_at AND coalesce(a.until, 9223372036854775807) > $known_at
  AND p.described_at <= $known_at
WITH p, [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]] AS memberships,
     size([t IN $thresholds WHERE t <= p.published_at]) AS since
WITH p.platform AS platform, since, memberships, min(p.published_at) AS published_at, count(*) AS posts
WITH collect([platform, published_at, memberships, posts]) AS rows
RETURN rows, EXISTS { MATCH (:User {key: $user}) } AS stands
"""

# Nothing is left of their posts but where they are members; those whose turn is still to come are asked about alike.
# A post that was taken for theirs at `known_at` and is somebody else's since stands as it is.
GROUPS_OF_ERASED: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE (a.until IS NULL AND (p.erased_at IS NOT NULL OR p.described_at IS NOT NULL))
   OR (a.recorded_at <= $known_at AND a.until > $known_at AND p.described_at <= $known_at)
WITH p, count(CASE WHEN a.until IS NULL THEN 1 END) > 0 AS theirs
WITH p, CASE WHEN theirs THEN null ELSE p END AS known,
     [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]] AS memberships
WITH memberships, known.platform AS platform, known.published_at AS published,
     size([t IN $thresholds WHERE t <= known.published_at]) AS since
WITH platform, since, memberships, min(published) AS published_at, count(*) AS posts
RETURN collect([platform, published_at, memberships, posts]) AS rows
"""


async def groups(
    tx: Tx, person: PersonFacts, known_at: Instant, thresholds: Sequence[Instant]
) -> list[PostGroup] | None:
    """The described posts that the person was believed to have written, by platform, memberships and publication.

    Two publications are told apart only when one of the `thresholds` lies between them. None when nobody is stored
    under the person's key: they were never recorded, or their erasure was confirmed since their facts were read.
    """
    if person.erased_at is not None:
        rows = (await tx.get(GROUPS_OF_ERASED, user=person.key, known_at=known_at, thresholds=list(thresholds)))["rows"]
    else:
        row = await tx.get(GROUPS, user=person.key, known_at=known_at, thresholds=list(thresholds))
        if not row["stands"]:
            return None
        rows = row["rows"]
    return [
        PostGroup(_facts("", person, platform, published_at), _memberships(memberships), posts)
        for platform, published_at, memberships, posts in rows
    ]


PAGE: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.recorded_at <= $known_at AND coalesce(a.until, 9223372036854775807) > $known_at
  AND p.described_at <= $known_at AND p.key > $after
WITH p ORDER BY p.key LIMIT $most
RETURN collect([p.key, p.platform, p.published_at,
  [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]]]) AS rows
"""

PAGE_OF_ERASED: LiteralString = """
MATCH (:User {key: $user})<-[a:AUTHORED_BY]-(p:Post)
WHERE p.key > $after
  AND ((a.until IS NULL AND (p.erased_at IS NOT NULL OR p.described_at IS NOT NULL))
    OR (a.recorded_at <= $known_at AND a.until > $known_at AND p.described_at <= $known_at))
WITH p, count(CASE WHEN a.until IS NULL THEN 1 END) > 0 AS theirs ORDER BY p.key LIMIT $most
WITH p, CASE WHEN theirs THEN null ELSE p END AS known
RETURN collect([p.key, known.platform, known.published_at,
  [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]]]) AS rows
"""


async def page(tx: Tx, person: PersonFacts, known_at: Instant, after: str, most: int) -> list[PostGroup]:
    """The next posts by key, each a group of its own."""
    if person.erased_at is not None:
        rows = (await tx.get(PAGE_OF_ERASED, user=person.key, known_at=known_at, after=after, most=most))["rows"]
    else:
        rows = (await tx.get(PAGE, user=person.key, known_at=known_at, after=after, most=most))["rows"]
    return [
        PostGroup(_facts(key, person, platform, published_at), _memberships(memberships), 1)
        for key, platform, published_at, memberships in rows
    ]


def _facts(key: str, person: PersonFacts, platform: str | None, published_at: Instant | None) -> PostFacts:
    """What usage asks of a post: its platform, its publication and its author; of an erased one nothing is left."""
    if platform is None or published_at is None:
        return PostFacts(key)
    description = Description(platform, PostKind.POST, published_at, Visibility.PUBLIC, recorded_at=0)
    return PostFacts(key, description, authors=(Link(person, recorded_at=0),))


def _memberships(rows: list[list[Any]]) -> tuple[Membership, ...]:
    return tuple(Membership(*row) for row in rows)
