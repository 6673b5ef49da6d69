"""Carrying confirmed erasures out, in batches: stopped at any moment, the same call goes on.

    confirm   one transaction: the person counts as erased, their key is a digest, and nothing of theirs is loaded
    posts     what is kept of each use as codes, then the post's key and everything else of it
    depicting posts of others: at which uses the person was a minor; the ties stay
    person    facts, consent states, notices, the texts of objections
    done      the erasure's own key

What was kept rests on the facts as known at the confirmation, whenever it comes to be written; answers given in between
are those given afterwards.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from consentline.domain.at_use import keep, minor_at_use
from consentline.domain.datasets import Coverage, Membership
from consentline.domain.erasures import Erased, Erasure, ErasureStatus
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.posts import PostFacts
from consentline.domain.training import TrainingRun
from consentline.graph import counts as stored
from consentline.graph import erasing, erasures, posts, upper, violations
from consentline.graph.facts import lock_people
from consentline.graph.session import Tx
from consentline.usecases import counts, events
from consentline.usecases.causes import reconcile
from consentline.usecases.service import Service
from consentline.usecases.suppression import repeated

POSTS_AT_ONCE = 500
"""How many posts one transaction erases."""
_LISTED = 50_000
FACTS_AT_ONCE = 5_000
"""How many facts about the person one transaction forgets."""


async def carry_out_all(service: Service) -> int:
    """Go on with every erasure that was confirmed and is not done, and answer how many these were."""
    unfinished = await service.graph.read(erasures.unfinished)
    for key in unfinished:
        await carry_out(service, key)
    return len(unfinished)


async def carry_out(service: Service, key: str) -> None:
    """Erase what is left of a confirmed erasure, by its stored key; of one that is done nothing is."""
    erasure = await service.graph.read(lambda tx: erasures.find(tx, [key]))
    if erasure is None or erasure.status is not ErasureStatus.CONFIRMED:
        return
    work = _Work(service, erasure)
    await work.erase_posts()
    await work.settle_depicting()
    await work.forget_person()
    await work.finish()


class _Work:
    """One erasure being carried out; of two that carry out the same each does what the other left."""

    def __init__(self, service: Service, erasure: Erasure) -> None:
        self._service = service
        self._erasure = erasure
        self._user = erasure.user
        self._confirmed_at = erasure.since(ErasureStatus.CONFIRMED) or 0

    async def erase_posts(self) -> None:
        """Everything of the posts that the person wrote but what is kept of their uses."""
        while True:
            left = await self._service.graph.read(lambda tx: erasing.posts_left(tx, self._user, _LISTED))
            for begin in range(0, len(left), POSTS_AT_ONCE):
                batch = left[begin : begin + POSTS_AT_ONCE]
                await self._in_transaction(lambda tx, lineage, batch=batch: self._erase_batch(tx, lineage, batch))
            if not left:
                return

    async def _erase_batch(self, tx: Tx, lineage: Lineage, keys: Sequence[str]) -> Erased:
        facts = await posts.facts(tx, keys)
        theirs = {key: each for key, each in facts.items() if self._wrote(each)}
        reading = _Reading(lineage, self._confirmed_at)
        held = await stored.tracked(tx, theirs)
        kept = {
            key: [
                keep(each, lineage.policies, run, self._confirmed_at)
                for run in (reading.of(held[key].memberships) if key in held else ())
            ]
            for key, each in theirs.items()
        }
        found = await erasing.erase_posts(tx, self._service.pseudonyms, kept, self._confirmed_at)
        now = await upper.recording_time(tx)
        digests = [self._service.pseudonyms.of("Post", key) for key in held]
        concerned = await counts.settle(tx, self._service, digests, now)
        # A count under way reads posts by the keys that they had.
        await violations.change(tx, {use.run: 0 for uses in kept.values() for use in uses})
        # Whom the posts depicted has fewer posts to object to.
        people = {link.person.key for each in theirs.values() for link in each.depicted if link.until is None}
        concerned.people |= people - {self._user}
        await reconcile(tx, self._service, lineage, now, concerned)
        return Erased(posts=found.posts, changes=found.changes, depictions=found.depictions)

    def _wrote(self, post: PostFacts) -> bool:
        return post.erased_at is None and any(
            link.until is None and link.person.key == self._user for link in post.authors
        )

    async def settle_depicting(self) -> None:
        """What the person was to uses of posts that depict them; and when these are to be judged again."""
        while True:
            left = await self._service.graph.read(lambda tx: erasing.depicting_left(tx, self._user, POSTS_AT_ONCE))
            if not left:
                return
            await self._in_transaction(lambda tx, lineage, left=left: self._settle_batch(tx, lineage, left))

    async def _settle_batch(self, tx: Tx, lineage: Lineage, keys: Sequence[str]) -> Erased:
        facts = await posts.facts(tx, keys)
        reading = _Reading(lineage, self._confirmed_at)
        held = await stored.tracked(tx, facts)
        minors = {
            key: [
                run.key
                for run in (reading.of(held[key].memberships) if key in held else ())
                if minor_at_use(each, lineage.policies, run)
            ]
            for key, each in facts.items()
        }
        await erasing.settle_depicting(tx, self._user, minors)
        # The stored instant may be the person's birthday.
        now = await upper.recording_time(tx)
        concerned = await counts.settle(tx, self._service, held, now)
        if concerned:
            await reconcile(tx, self._service, lineage, now, concerned)
        return Erased(depicting=len(facts))

    async def forget_person(self) -> None:
        """What was known of the person, what they were told and said, and the texts of their objections."""
        user, pseudonyms = self._user, self._service.pseudonyms

        async def facts(tx: Tx, _: Lineage) -> Erased:
            return Erased(facts=await erasing.forget_facts(tx, user, FACTS_AT_ONCE))

        async def states(tx: Tx, _: Lineage) -> Erased:
            return Erased(states=await erasing.forget_states(tx, user, FACTS_AT_ONCE))

        async def notices(tx: Tx, _: Lineage) -> Erased:
            return Erased(notices=await erasing.forget_notices(tx, user, FACTS_AT_ONCE))

        async def objections(tx: Tx, _: Lineage) -> Erased:
            return Erased(objections=await erasing.erase_objections(tx, pseudonyms, user, FACTS_AT_ONCE))

        steps = {"facts": facts, "states": states, "notices": notices, "objections": objections}
        while left := await self._service.graph.read(lambda tx: erasing.left_of_person(tx, user)):
            await self._in_transaction(steps[left[0]])

    async def finish(self) -> None:
        """The erasure is done; its own key, and those of others that were refused, become digests."""

        async def work(tx: Tx, _: Lineage) -> Erased:
            now = await upper.recording_time(tx)
            await erasures.move(tx, self._erasure.key, ErasureStatus.DONE, at=now, recorded_at=now, by=None)
            await events.erasure_changed(tx, self._service, replace(self._erasure, status=ErasureStatus.DONE), now)
            await erasing.erase_erasures(tx, self._service.pseudonyms, self._user)
            return Erased()

        await self._in_transaction(work)

    async def _in_transaction(self, work: Callable[[Tx, Lineage], Awaitable[Erased]]) -> Erased:
        """Run a step under the person's guard and the upper graph's, and count what it erased; none once it is done."""

        async def step(tx: Tx) -> Erased:
            await lock_people(tx, self._service.pseudonyms, [self._user])
            lineage = await self._service.lineages.at(await upper.lock(tx), tx)
            standing = await erasures.find(tx, [self._erasure.key])
            if standing is None or standing.status is not ErasureStatus.CONFIRMED:
                return Erased()
            more = await work(tx, lineage)
            if more != Erased():
                await erasures.add_erased(tx, self._erasure.key, more)
            return more

        return await repeated(lambda: self._service.graph.write(step))


class _Reading:
    """The started runs, recorded by the confirmation, that read posts of COMPLETE inputs."""

    def __init__(self, lineage: Lineage, confirmed_at: Instant) -> None:
        self._found: dict[tuple[Membership, ...], tuple[TrainingRun, ...]] = {}
        self._reading: defaultdict[str, list[tuple[int, TrainingRun]]] = defaultdict(list)
        for run in lineage.runs.values():
            if run.started(confirmed_at):
                for ref in run.inputs:
                    if lineage.versions[ref].coverage is Coverage.COMPLETE:
                        self._reading[ref.dataset].append((ref.number, run))

    def of(self, memberships: tuple[Membership, ...]) -> tuple[TrainingRun, ...]:
        """The runs that read a post with these memberships, by key."""
        if memberships not in self._found:
            runs = {
                run.key: run
                for membership in memberships
                for number, run in self._reading.get(membership.dataset, ())
                if membership.holds(number)
            }
            self._found[memberships] = tuple(runs[key] for key in sorted(runs))
        return self._found[memberships]
