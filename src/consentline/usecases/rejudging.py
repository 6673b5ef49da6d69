"""What every fact about a member sets off: its judgement, the counts, and the violations of runs that read it.

A writer of facts begins before it writes and ends afterwards, in its one transaction and under the upper graph's guard:

    rejudging = await of_people(tx, service, people, since)
    … write the facts …
    await rejudging.end(tx, service, now)

Posts that never were members need neither the guard nor a judgement, which keeps loading them cheap.
"""

from collections.abc import Collection
from dataclasses import dataclass, field, replace

from consentline.domain.concerns import OF_AUTHORS
from consentline.domain.instants import Instant
from consentline.graph import concerns, counts, upper
from consentline.graph.facts import RacedError
from consentline.graph.session import Tx
from consentline.usecases import violations
from consentline.usecases.causes import Concerned
from consentline.usecases.counts import settle
from consentline.usecases.service import Service

MOST_AT_ONCE = 20_000
"""How many members' judgements one transaction of several facts changes; a batch that concerns more is halved."""


class BatchTooLargeError(Exception):
    """The facts of a batch concern more members than one transaction should judge; halve it."""


@dataclass(frozen=True, slots=True)
class Rejudging:
    """Posts that are or were members, and how runs stood to them before the facts.

    `authors` are those of the posts that gave causes by what they are or said; a correction gives theirs to others.
    """

    posts: tuple[str, ...] = ()
    before: violations.Before = field(default_factory=violations.Before)
    authors: frozenset[str] = frozenset()

    async def end(self, tx: Tx, service: Service, now: Instant, people: Collection[str] = ()) -> None:
        """Judge the posts by the facts as they are now written, and bring flags in line.

        `people` are those whose objections the facts concern: with them the guard is held, whatever the posts.
        """
        concerned = Concerned(people=set(people), authors=set(self.authors))
        if self.posts:
            concerned.update(await settle(tx, service, self.posts, now))
        if self.authors:
            concerned.authors.update(await concerns.authors(tx, self.posts))
        if self.posts or people:
            lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
            await violations.end(tx, service, lineage, self.before, now, concerned)


async def begin(tx: Tx, service: Service, posts: Collection[str], since: Instant) -> Rejudging:
    """Note how the posts stand before facts about them, the earliest of them valid from `since`; the guard is held."""
    if not posts:
        return Rejudging()
    lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
    ordered = sorted(posts)
    return Rejudging(tuple(ordered), await violations.begin(tx, lineage, ordered, since))


async def of_people(
    tx: Tx, service: Service, people: Collection[str], since: Instant, *, alone: bool = True
) -> Rejudging:
    """Begin for the members that the people wrote, or that depict them, and take the guard where there are any.

    The caller holds the people's locks, without which none of their posts becomes a member.

    Raises:
        BatchTooLargeError: they are too many, and the facts are not `alone` in their transaction.
    """
    posts = await counts.tracked_of_people(tx, people) if people else []
    if len(posts) > MOST_AT_ONCE and not alone:
        raise BatchTooLargeError
    if posts:
        await upper.lock(tx)
    return await begin(tx, service, posts, since)


async def take_guard(tx: Tx, posts: Collection[str]) -> bool:
    """Take the upper graph's guard when one of the posts is a member, before the posts themselves are locked."""
    guarded = bool(await counts.tracked(tx, posts))
    if guarded:
        await upper.lock(tx)
    return guarded


async def of_posts(tx: Tx, service: Service, posts: Collection[str], since: Instant, *, guarded: bool) -> Rejudging:
    """Begin for those of the posts that are members; the caller holds the posts' locks.

    Raises:
        RacedError: one of them became a member before its lock was had, and the guard is not held; repeat.
    """
    tracked = await counts.tracked(tx, posts)
    if tracked and not guarded:
        raise RacedError
    rejudging = await begin(tx, service, tracked, since)
    if not any(concern.kind in OF_AUTHORS for each in tracked.values() for concern in each.concerns):
        return rejudging
    return replace(rejudging, authors=frozenset(await concerns.authors(tx, tracked)))
