"""How many posts that a policy with an expired assessment governs have which memberships.

All of it is written under the upper graph's guard.
"""

import hashlib
from collections.abc import Collection, Mapping
from typing import LiteralString

import orjson

from consentline.domain.datasets import Membership
from consentline.domain.holdings import HoldingKey, closed
from consentline.domain.policies import PolicyRef
from consentline.graph.session import Tx

# The memberships are found by their digest: an index takes no text of any length.
CHANGE: LiteralString = """
UNWIND $rows AS row
MERGE (h:Holding {policy: row[0], version: row[1], digest: row[2]})
ON CREATE SET h.memberships = row[3], h.posts = 0
SET h.posts = h.posts + row[4]
WITH h WHERE h.posts = 0
DELETE h
"""


async def change(tx: Tx, changes: Mapping[HoldingKey, int]) -> None:
    """Add to the numbers of posts; what nobody has any more is gone."""
    if not changes:
        return
    rows: list[list[str | int]] = []
    for (policy, memberships), posts in changes.items():
        text = orjson.dumps([list(each) for each in memberships])
        rows.append([*policy, hashlib.sha256(text).hexdigest(), text.decode(), posts])
    await tx.rows(CHANGE, rows=sorted(rows))


OF_POLICIES: LiteralString = """
UNWIND $policies AS policy
MATCH (h:Holding {policy: policy[0], version: policy[1]})
WHERE h.digest >= ''
RETURN collect([h.policy, h.version, h.memberships, h.posts]) AS rows
"""


async def of_policies(tx: Tx, policies: Collection[PolicyRef]) -> dict[PolicyRef, dict[HoldingKey, int]]:
    """The holdings of each of the policies."""
    found: dict[PolicyRef, dict[HoldingKey, int]] = {policy: {} for policy in policies}
    for key, version, text, posts in (await tx.get(OF_POLICIES, policies=[list(each) for each in sorted(found)]))[
        "rows"
    ]:
        policy = PolicyRef(key, version)
        memberships = tuple(Membership(*each) for each in orjson.loads(text))
        found[policy][HoldingKey(policy, memberships)] = posts
    return found


async def close_all(tx: Tx, policies: Collection[PolicyRef], dataset: str, number: int) -> None:
    """Every member of the dataset's newest content leaves at `number`."""
    for holdings in (await of_policies(tx, policies)).values():
        await change(tx, closed(holdings, dataset, number))


TOUCH: LiteralString = """
UNWIND $policies AS policy
MATCH (p:Policy {key: policy[0], version: policy[1]})
SET p.touched = coalesce(p.touched, 0) + 1
"""


async def touch(tx: Tx, policies: Collection[PolicyRef]) -> None:
    """Something may have changed about posts that the policies concern."""
    if policies:
        await tx.rows(TOUCH, policies=[list(each) for each in sorted(policies)])


TOUCHED: LiteralString = """
UNWIND $policies AS policy
MATCH (p:Policy {key: policy[0], version: policy[1]})
RETURN collect([p.key, p.version, coalesce(p.touched, 0)]) AS rows
"""


async def touched(tx: Tx, policies: Collection[PolicyRef]) -> dict[PolicyRef, int]:
    """How often something may have changed about the posts that each of the policies concerns."""
    if not policies:
        return {}
    rows = (await tx.get(TOUCHED, policies=[list(each) for each in sorted(policies)]))["rows"]
    return {PolicyRef(key, version): times for key, version, times in rows}
