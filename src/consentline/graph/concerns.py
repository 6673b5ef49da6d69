"""The members that concern whatever used them, by source; and the model versions whose use of them is new.

All of it is written under the upper graph's guard.
"""

from collections.abc import Collection, Sequence
from typing import Any, LiteralString

from consentline.domain.concerns import Concern, ConcernedPosts
from consentline.domain.datasets import Membership
from consentline.domain.flags import Source, SourceKind
from consentline.graph.facts import Rows
from consentline.graph.session import Tx

OF_POSTS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})
WHERE p.concerns IS NOT NULL
RETURN collect([p.key, p.concerns, [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]], 1,
  [p.key]]) AS rows
"""


async def of_posts(tx: Tx, posts: Collection[str]) -> list[ConcernedPosts]:
    """Those of the posts that concern what used them."""
    if not posts:
        return []
    rows = (await tx.get(OF_POSTS, posts=Rows(sorted(posts))))["rows"]
    return [_concerned(SourceKind.POST, row) for row in rows]


OF_AUTHORS: LiteralString = """
UNWIND $people AS key
MATCH (u:User {key: key})<-[a:AUTHORED_BY]-(p:Post)
WHERE a.until IS NULL AND p.concerns IS NOT NULL
  AND any(concern IN p.concerns WHERE concern = 'MINOR' OR concern STARTS WITH 'CONSENT_WITHDRAWN ')
WITH u, p, [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]] AS memberships
WITH u.key AS person, p.concerns AS concerns, memberships, count(*) AS posts,
     CASE WHEN $named THEN collect(p.key) ELSE [] END AS keys
RETURN collect([person, concerns, memberships, posts, keys]) AS rows
"""


async def of_authors(tx: Tx, people: Collection[str], *, named: bool = False) -> list[ConcernedPosts]:
    """The people's posts that concern what used them for what their authors are or said, grouped.

    The posts' keys are listed only when `named`.
    """
    if not people:
        return []
    rows = (await tx.get(OF_AUTHORS, people=Rows(sorted(people)), named=named))["rows"]
    return [_concerned(SourceKind.USER, row) for row in rows]


def _concerned(kind: SourceKind, row: Sequence[Any]) -> ConcernedPosts:
    source, concerns, memberships, posts, keys = row
    return ConcernedPosts(
        source=Source(kind, source),
        concerns=tuple(Concern.parse(each) for each in concerns),
        memberships=tuple(Membership(*each) for each in memberships),
        posts=posts,
        keys=tuple(keys),
    )


OF_DATASETS: LiteralString = """
UNWIND $datasets AS dataset
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, concerned)
WHERE m.dataset = dataset AND m.concerned = true
  AND NOT EXISTS { (p)-[a:AUTHORED_BY]->(u:User) WHERE a.until IS NULL AND u.erased_at IS NOT NULL }
RETURN collect(DISTINCT p.key) AS posts
"""


async def of_datasets(tx: Tx, datasets: Collection[str]) -> list[str]:
    """The posts that are or were members and concern what used them, but for what a policy concerns; sorted.

    What somebody erased gave reaches nothing more.
    """
    return sorted((await tx.get(OF_DATASETS, datasets=sorted(datasets)))["posts"])


OF_SHARDS: LiteralString = """
UNWIND $shards AS shard
MATCH (:Shard {key: shard})<-[:IN_SHARD]-(p:Post)
WHERE $concern IN p.concerns
WITH DISTINCT p
RETURN collect([p.key, [(p)-[m:IN_SHARD]->(:Shard) | [m.dataset, m.from_version, m.to_version]]]) AS rows
"""


async def of_shards(tx: Tx, shards: Sequence[str], concern: Concern) -> dict[str, tuple[Membership, ...]]:
    """The posts of the shards that have the concern, with their memberships."""
    rows = (await tx.get(OF_SHARDS, shards=list(shards), concern=str(concern)))["rows"]
    return {key: tuple(Membership(*each) for each in held) for key, held in rows}


AUTHORS: LiteralString = """
UNWIND $posts AS key
MATCH (p:Post {key: key})-[a:AUTHORED_BY]->(u:User)
WHERE a.until IS NULL
  AND any(concern IN p.concerns WHERE concern = 'MINOR' OR concern STARTS WITH 'CONSENT_WITHDRAWN ')
RETURN collect(DISTINCT u.key) AS people
"""


async def authors(tx: Tx, posts: Collection[str]) -> list[str]:
    """The authors, as believed now, of those posts that concern what used them for what their authors are or said."""
    return (await tx.get(AUTHORS, posts=Rows(sorted(posts))))["people"]


MARK: LiteralString = """
MATCH (m:ModelVersion {key: $model})
SET m.unsettled = randomUUID()
"""


async def mark_unsettled(tx: Tx, model: str) -> None:
    """The model version's upstream is new: the members that concern it are to be found yet."""
    await tx.rows(MARK, model=model)


UNSETTLED: LiteralString = """
MATCH (m:ModelVersion)
USING INDEX m:ModelVersion(unsettled)
WHERE m.unsettled >= ''
RETURN collect([m.key, m.unsettled]) AS rows
"""


async def unsettled(tx: Tx) -> dict[str, str]:
    """The model versions whose upstream is new, each with its mark, which a newer one replaces."""
    return dict((await tx.get(UNSETTLED))["rows"])


SETTLED: LiteralString = """
MATCH (m:ModelVersion {key: $model, unsettled: $mark})
REMOVE m.unsettled
"""


async def mark_settled(tx: Tx, model: str, mark: str) -> None:
    """Every member that concerns the model version was found, unless it was marked anew meanwhile."""
    await tx.rows(SETTLED, model=model, mark=mark)
