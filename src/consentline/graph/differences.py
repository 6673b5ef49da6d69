"""What changed between two versions of a dataset, at the cost of what changed."""

from typing import LiteralString

from consentline.domain.paging import Page, PageRequest, page_from
from consentline.graph.session import Tx

# A post's own memberships are listed and then looked at: as a pattern that names the dataset, a plan made while the
# graph was tiny searched the index of the dataset's memberships again for every post.
JOINED: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, from_version)
WHERE m.dataset = $dataset AND m.from_version > $earlier AND m.from_version <= $later
  AND coalesce(m.to_version, 9223372036854775807) > $later
  AND none(o IN [(p)-[o:IN_SHARD]->(:Shard) | [o.dataset, o.from_version, o.to_version]]
    WHERE o[0] = $dataset AND o[1] <= $earlier AND coalesce(o[2], 9223372036854775807) > $earlier)
WITH p.key AS key ORDER BY key
WITH collect(key) AS keys
RETURN size(keys) AS total, [key IN keys WHERE key > $after][..$most] AS keys
"""

LEFT: LiteralString = """
MATCH (p:Post)-[m:IN_SHARD]->(:Shard)
USING INDEX m:IN_SHARD(dataset, to_version)
WHERE m.dataset = $dataset AND m.to_version > $earlier AND m.to_version <= $later AND m.from_version <= $earlier
  AND none(o IN [(p)-[o:IN_SHARD]->(:Shard) | [o.dataset, o.from_version, o.to_version]]
    WHERE o[0] = $dataset AND o[1] <= $later AND coalesce(o[2], 9223372036854775807) > $later)
WITH p.key AS key ORDER BY key
WITH collect(key) AS keys
RETURN size(keys) AS total, [key IN keys WHERE key > $after][..$most] AS keys
"""


async def joined(tx: Tx, dataset: str, earlier: int, later: int, request: PageRequest) -> Page[str]:
    """The members of version `later` that are not in `earlier`, which has the smaller number; by key."""
    row = await tx.get(JOINED, dataset=dataset, earlier=earlier, later=later, **_after(request))
    return page_from(row["keys"], lambda key: (key,), request, row["total"])


async def left(tx: Tx, dataset: str, earlier: int, later: int, request: PageRequest) -> Page[str]:
    """The members of version `earlier` that are not in `later`, which has the greater number; by key."""
    row = await tx.get(LEFT, dataset=dataset, earlier=earlier, later=later, **_after(request))
    return page_from(row["keys"], lambda key: (key,), request, row["total"])


def _after(request: PageRequest) -> dict[str, str | int]:
    after = "" if request.after is None else request.after[0]
    return {"after": after, "most": request.first + 1}
