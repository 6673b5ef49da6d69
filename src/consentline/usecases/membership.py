"""Posts joining and leaving the version of a dataset that is being made, under the locks that this takes.

A post becomes a member only while its people's guards, the upper graph's and the dataset's are held, and its own lock:
so whoever records a fact about a person or a post either sees the membership or is seen by the judgement made here.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from consentline.domain.errors import DatabaseUnavailableError
from consentline.domain.judgement import Judge, Judgement
from consentline.domain.lineage import Lineage
from consentline.domain.tallies import Differences, Member
from consentline.graph import counts, facts, members, posts, upper
from consentline.graph.facts import RacedError
from consentline.graph.members import DatasetGuard
from consentline.graph.session import Tx
from consentline.graph.suppression import SuppressedError, erased_posts
from consentline.usecases.audit import decide
from consentline.usecases.causes import Concerned, reconcile
from consentline.usecases.counts import concerned_by
from consentline.usecases.service import Service

T = TypeVar("T")

_MOST_REPETITIONS = 20
_POSTS_AT_ONCE = 10_000


class Locked(NamedTuple):
    """What a transaction about members holds: the upper graph as it stands, and the dataset's guard.

    `erased` are the digests that stand for those of its posts that were erased, by the keys that they had: a manifest
    still names them, so that no use is hidden.
    """

    lineage: Lineage
    guard: DatasetGuard
    erased: Mapping[str, str] = MappingProxyType({})

    def stored(self, posts: Iterable[str]) -> list[str]:
        """The keys under which the posts are stored, in order."""
        return [self.erased.get(post, post) for post in posts]


def _allow(_lineage: Lineage) -> None:
    pass


async def in_members_transaction(
    service: Service,
    dataset: str,
    posts: Collection[str],
    work: Callable[[Tx, Locked], Awaitable[T]],
    check: Callable[[Lineage], None] = _allow,
    *,
    create: bool = True,
    outcome: Callable[[T], str | None] | None = None,
) -> T:
    """Run `work` in one transaction that holds every lock under which the posts may join or leave.

    `check` is asked under the upper graph's guard, before the dataset or a post is created; what it raises ends it.
    Unrecorded posts are created (known by key only) unless they can only leave. With an `outcome` it is the transaction
    that decides, see `decide`.

    Raises:
        DatabaseUnavailableError: other writers kept changing who is tied to the posts; nothing was written.
    """
    ordered = sorted(set(posts))

    async def in_transaction(tx: Tx) -> T:
        return await work(tx, await lock_members(tx, service, dataset, ordered, check, create=create))

    for _ in range(_MOST_REPETITIONS):
        try:
            if outcome is not None:
                return await decide(service, in_transaction, outcome)
            return await service.graph.write(in_transaction)
        except (RacedError, SuppressedError):
            continue
    raise DatabaseUnavailableError("other writers keep changing what these members rest on; nothing was changed")


async def lock_members(
    tx: Tx,
    service: Service,
    dataset: str,
    posts: Sequence[str],
    check: Callable[[Lineage], None] = _allow,
    *,
    create: bool = True,
) -> Locked:
    """Take the locks in their order: people, the upper graph, the dataset, the posts (sorted).

    Raises:
        RacedError: somebody was tied to one of the posts meanwhile; this transaction cannot go on.
        SuppressedError: one of the posts, or somebody tied to one, was erased meanwhile; likewise.
    """
    erased = await erased_posts(tx, service.pseudonyms, posts)
    posts = sorted({erased.get(post, post) for post in posts})
    tied = await members.tied_people(tx, posts)
    await facts.lock_people(tx, service.pseudonyms, tied)
    lineage = await service.lineages.at(await upper.lock(tx), tx)
    check(lineage)
    guard = await members.lock_dataset(tx, dataset)
    await (facts.ensure_posts(tx, service.pseudonyms, posts) if create else facts.lock_posts(tx, posts))
    if not await members.tied_people(tx, posts) <= tied:
        raise RacedError
    return Locked(lineage, guard, erased)


async def take(tx: Tx, service: Service, locked: Locked, number: int, posts: Collection[str]) -> set[str]:
    """Begin intervals at `number` for the posts that are not members now, and answer which these were."""
    dataset = locked.guard.key
    guard = locked.guard
    taken = set[str]()
    ordered = sorted(posts)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        standing = await members.candidates(tx, dataset, ordered[begin : begin + _POSTS_AT_ONCE])
        absent = sorted(post for post, each in standing.items() if not each.open)
        returning = [post for post in absent if standing[post].ended == number]
        fresh = [standing[post] for post in absent if standing[post].ended != number]
        before = await counts.tracked(tx, absent)
        await members.reopen(tx, dataset, number, returning)
        guard = await members.add(tx, guard, number, fresh, service.shard_size)
        await _judge(tx, service, locked.lineage, absent, before)
        taken.update(absent)
    return taken


async def drop(tx: Tx, locked: Locked, number: int, posts: Collection[str]) -> set[str]:
    """End at `number` the intervals of those posts that are members now, and answer which these were."""
    dataset = locked.guard.key
    dropped = set[str]()
    ordered = sorted(posts)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        standing = await members.candidates(tx, dataset, ordered[begin : begin + _POSTS_AT_ONCE])
        present = sorted(post for post, each in standing.items() if each.open)
        before = await counts.tracked(tx, present)
        await members.remove(tx, dataset, number, present)
        differences = Differences()
        after = await counts.tracked(tx, present)
        for key, each in before.items():
            now_held = after[key].memberships if key in after else ()
            differences.replace(each, each._replace(memberships=now_held))
        await counts.change(tx, differences)
        dropped.update(present)
    return dropped


async def _judge(tx: Tx, service: Service, lineage: Lineage, keys: Sequence[str], before: Mapping[str, Member]) -> None:
    """Judge posts that joined, and count them; `before` tells how those stood that were members before.

    No run has read the version that they join: only what was judged anew of members before can change a flag.
    """
    after, now = await counts.tracked(tx, keys), (await upper.now(tx)).instant
    judging, judgements = Judge(lineage.policies, now), dict[str, Judgement]()
    differences, concerned = Differences(), Concerned()
    for key, post in (await posts.facts(tx, list(after))).items():
        judged = judgements[key] = judging.judge(post)
        standing = before.get(key, Member())
        differences.replace(standing, Member(judged.ineligible, judged.concerns, after[key].memberships))
        if key in before:
            concerned.update(concerned_by(post, standing.concerns, judged.concerns))
    await counts.write_judgements(tx, judgements)
    await counts.change(tx, differences)
    if concerned:
        await reconcile(tx, service, lineage, now, concerned)
