"""Counting a dataset's ineligible members without counting them: differences at version numbers.

An ineligible post adds 1 at the version in which an interval of its membership begins and takes 1 away where it ends; a
version's count is the sum up to its number. So a fact about a post costs the same in a dataset of 20 versions and of
1,000.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from consentline.domain.concerns import Concern
from consentline.domain.datasets import Membership
from consentline.domain.holdings import HoldingKey, canonical


class Member(NamedTuple):
    """A post that is, or was, a member: its judgement as it is counted, and its memberships."""

    ineligible: tuple[str, ...] = ()
    concerns: tuple[Concern, ...] = ()
    memberships: tuple[Membership, ...] = ()


BLOCK = 64
"""For how many versions one node keeps the differences: a fact writes short lists, however many versions there are."""


class TallyKey(NamedTuple):
    """What is counted: members of a dataset that may not be used for a purpose."""

    dataset: str
    purpose: str


class Differences:
    """What a transaction changes about the counts, gathered before it is written."""

    def __init__(self) -> None:
        self._at: defaultdict[TallyKey, defaultdict[int, int]] = defaultdict(lambda: defaultdict(int))
        self._held: defaultdict[HoldingKey, int] = defaultdict(int)

    def replace(self, before: Member, after: Member) -> None:
        """A post that was judged so in some versions is judged otherwise, or in others."""
        for member, posts in ((before, -1), (after, 1)):
            self.add(member.ineligible, member.memberships, posts)
            for concern in member.concerns:
                if concern.policy is not None:
                    self._held[HoldingKey(concern.policy, canonical(member.memberships))] += posts

    def add(self, purposes: Collection[str], memberships: Iterable[Membership], posts: int) -> None:
        """So many posts with these memberships became ineligible for the purposes; fewer than 0: eligible again."""
        if not purposes:
            return
        for dataset, from_version, to_version in memberships:
            for purpose in purposes:
                at = self._at[TallyKey(dataset, purpose)]
                at[from_version] += posts
                if to_version is not None:
                    at[to_version] -= posts

    def changes(self) -> dict[TallyKey, dict[int, int]]:
        """The differences by version number, without those that cancel out."""
        found = {key: {number: by for number, by in at.items() if by} for key, at in self._at.items()}
        return {key: at for key, at in found.items() if at}

    def holdings(self) -> dict[HoldingKey, int]:
        """By how many posts the holdings change, without those that cancel out."""
        return {key: posts for key, posts in self._held.items() if posts and key.memberships}


def in_blocks(changes: Mapping[int, int]) -> dict[int, list[int]]:
    """Changes by version number as what they add to the differences of each block, from the first on."""
    found: defaultdict[int, list[int]] = defaultdict(lambda: [0] * BLOCK)
    for number, by in changes.items():
        block, offset = divmod(number - 1, BLOCK)
        found[block][offset] += by
    return dict(sorted(found.items()))


def joined(blocks: Mapping[int, Sequence[int]]) -> list[int]:
    """The differences of blocks, in one list: at index i that of version i + 1."""
    nothing = [0] * BLOCK
    return [by for block in range(max(blocks, default=-1) + 1) for by in blocks.get(block, nothing)]


def count_at(deltas: Sequence[int], number: int) -> int:
    """The count of a version: the sum of the differences up to its number."""
    return sum(deltas[:number])
