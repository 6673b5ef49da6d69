"""Which memberships the posts have that a policy with an expired assessment governs.

Such a policy concerns very many posts; what flags rest on is only how many there are of each set of memberships. There
are about as many sets as versions, so that a new use is counted from them without touching a post.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from consentline.domain.causes import ForPurposes, Reach
from consentline.domain.datasets import Membership
from consentline.domain.policies import PolicyRef


class HoldingKey(NamedTuple):
    """A policy, and the memberships that some posts have which it governs."""

    policy: PolicyRef
    memberships: tuple[Membership, ...]


def canonical(memberships: Iterable[Membership]) -> tuple[Membership, ...]:
    """The memberships of a post in the one order in which they are compared."""
    return tuple(sorted(memberships, key=lambda each: each[:2]))


def closed(holdings: Mapping[HoldingKey, int], dataset: str, number: int) -> dict[HoldingKey, int]:
    """By how many posts each holding changes when every member of the dataset's newest content leaves at `number`."""
    changes: defaultdict[HoldingKey, int] = defaultdict(int)
    for key, posts in holdings.items():
        after = tuple(
            each._replace(to_version=number) if each.dataset == dataset and each.to_version is None else each
            for each in key.memberships
        )
        if after != key.memberships:
            changes[key] -= posts
            changes[HoldingKey(key.policy, after)] += posts
    return {key: posts for key, posts in changes.items() if posts}


def used(reach: Reach, holdings: Mapping[HoldingKey, int], purpose: str) -> dict[str, int]:
    """How many of the posts each model version used, by runs for the policy's purpose or for an unknown one."""
    counts: defaultdict[str, int] = defaultdict(int)
    for key, posts in holdings.items():
        for model in reach.models(key.memberships, ForPurposes(frozenset({purpose}))):
            counts[model] += posts
    return dict(counts)
