"""How many members of a version may not be used now: kept by events, made exact again where time or a policy passed.

Every fact about a member calls `settle` in its own transaction (see `usecases/rejudging.py`), so a count is exact
without evaluating anybody. What changes by time alone, or by a new policy, is judged again by `refresh`, outside any
lock but for the posts whose judgement did change. See design.md, "Guard nodes", and decisions/0007.
"""

from collections.abc import Collection, Sequence

from consentline.domain.causes import ScopedPosts
from consentline.domain.codes import check_purpose
from consentline.domain.concerns import OF_AUTHORS, OF_POSTS, Concern
from consentline.domain.datasets import Coverage, VersionRef, VersionStatus
from consentline.domain.instants import EVER, Instant
from consentline.domain.judgement import Judge, Judgement, purposes_of
from consentline.domain.lineage import Lineage
from consentline.domain.objections import Objection
from consentline.domain.policies import PolicyRef
from consentline.domain.posts import PostFacts
from consentline.domain.tallies import Differences, Member
from consentline.domain.violations import models_reading
from consentline.graph import counts, holdings, posts, upper
from consentline.graph.counts import StoredCount
from consentline.graph.session import Tx
from consentline.usecases import evaluation
from consentline.usecases.causes import Concerned, reconcile
from consentline.usecases.service import Service

_POSTS_AT_ONCE = 1000

Standing = StoredCount
"""A version's count of ineligible members, and whether it is exact."""


async def settle(tx: Tx, service: Service, keys: Collection[str], now: Instant) -> Concerned:
    """Judge posts again, those of them that are or were members, and bring the counts in line; the guard is held.

    Answers what this concerns, for the caller to reconcile.
    """
    lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
    judging = Judge(lineage.policies, now)
    differences, concerned, touched = Differences(), Concerned(), set[PolicyRef]()
    ordered = sorted(keys)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        standing = await counts.tracked(tx, ordered[begin : begin + _POSTS_AT_ONCE])
        judgements: dict[str, Judgement] = {}
        for key, facts in (await posts.facts(tx, list(standing))).items():
            before, judged = standing[key], judging.judge(facts)
            differences.replace(before, Member(judged.ineligible, judged.concerns, before.memberships))
            concerned.update(concerned_by(facts, before.concerns, judged.concerns))
            touched.update(each.policy for each in (*before.concerns, *judged.concerns) if each.policy is not None)
            judgements[key] = judged
        await counts.write_judgements(tx, judgements)
    await counts.change(tx, differences)
    await holdings.touch(tx, touched)
    return concerned


def concerned_by(post: PostFacts, before: Collection[Concern], after: Collection[Concern]) -> Concerned:
    """Whose causes change with the concerns of a member."""
    changed = set(before) ^ set(after)
    kinds = {concern.kind for concern in changed}
    author = post.author(EVER)
    return Concerned(
        posts={post.key} if kinds & OF_POSTS else set(),
        authors={author.key} if kinds & OF_AUTHORS and author is not None else set(),
        policies={concern.policy for concern in changed if concern.policy is not None},
    )


async def restrict(tx: Tx, lineage: Lineage, objection: Objection, now: Instant, *, named: bool) -> list[ScopedPosts]:
    """Count the members that the objector wrote, in the scope of a new objection, as ineligible; the guard is held.

    They are not judged: nothing else about them can make up for the objection. That keeps an objection cheap for
    somebody with many posts. Answers everything in datasets that they wrote, with the keys only when `named`. What
    depicts them, and an objection that holds from later, is left to `settle_after`.
    """
    purposes = sorted(set(objection.purposes) & set(purposes_of(lineage.policies)))
    if objection.received_at > now:
        purposes = []
    differences = Differences()
    scoped: list[ScopedPosts] = []
    for fresh, written in await counts.restrict(tx, objection.user, objection.platforms, purposes, named=named):
        differences.add(fresh, written.memberships, written.posts)
        scoped.append(written)
    await counts.change(tx, differences)
    return scoped


async def settle_after(tx: Tx, service: Service, objection: Objection, now: Instant) -> Concerned:
    """Judge what `restrict` left, once the objection is recorded; the guard is held."""
    if objection.received_at > now:
        left = await counts.tracked_of_people(tx, [objection.user])
    else:
        left = await counts.tracked_depicting(tx, objection.user)
    return await settle(tx, service, left, now)


async def standing(tx: Tx, lineage: Lineage, ref: VersionRef, purpose: str, now: Instant) -> Standing:
    """The count of a sealed COMPLETE version; under the guard it is final.

    For a purpose that no policy speaks of, no member may be used.
    """
    if purpose not in purposes_of(lineage.policies):
        return Standing(lineage.versions[ref].post_count or 0, exact=True)
    return await counts.standing(tx, ref.dataset, ref.number, purpose, now)


async def refresh(service: Service, refs: Collection[VersionRef], purpose: str) -> None:
    """Judge again the members of the versions' datasets that time or a policy may have changed, in batches.

    Takes no lock but for the posts whose judgement changed. Events that come meanwhile keep the counts themselves.
    """
    for dataset in sorted({ref.dataset for ref in refs}):
        unjudged = await service.graph.read(lambda tx, dataset=dataset: counts.unjudged(tx, dataset))
        await _refresh(service, dataset, whole=purpose in unjudged)


async def refresh_datasets(service: Service, datasets: Collection[str]) -> None:
    """Judge again the members of those of the datasets that time or any policy may have changed, in batches.

    As `refresh` does; flags follow. Stopped at any moment it is finished by calling it again.
    """

    async def behind(tx: Tx) -> list[str]:
        return await counts.behind(tx, datasets, (await upper.now(tx)).instant)

    for dataset in await service.graph.read(behind) if datasets else ():
        unjudged = await service.graph.read(lambda tx, dataset=dataset: counts.unjudged(tx, dataset))
        await _refresh(service, dataset, whole=bool(unjudged))


async def _refresh(service: Service, dataset: str, *, whole: bool) -> None:
    """Judge the whole dataset, or what is due of it, and settle the flags that waited for that."""
    if whole:
        await _judge_dataset(service, dataset)
    some = False
    while await _judge_due(service, dataset):
        some = True
    if not (whole or some):
        return

    async def settle_flags(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        judged = models_reading(lineage, [dataset])
        if judged:
            await reconcile(tx, service, lineage, await upper.recording_time(tx), Concerned(), judged=judged)

    await service.graph.write(settle_flags)


async def _judge_dataset(service: Service, dataset: str) -> None:
    """Judge every post that is or was a member, and take the marks away unless another policy came meanwhile."""
    lineage = await service.lineage()
    async for page in evaluation.of_dataset(service, lineage, dataset, at=await service.now()):
        changed = [each.post for each in page if each.changed]
        for begin in range(0, len(changed), _POSTS_AT_ONCE):
            await _settle_under_guard(service, changed[begin : begin + _POSTS_AT_ONCE])

    async def unmark(tx: Tx) -> None:
        now = await service.lineages.at(await upper.lock(tx), tx)
        if now.policies == lineage.policies:
            await counts.mark_judged(tx, dataset)

    await service.graph.write(unmark)


async def _judge_due(service: Service, dataset: str) -> bool:
    """Judge a batch of the members that are due; whether there may be more."""

    async def read(tx: Tx) -> list[str]:
        return await counts.due(tx, dataset, (await upper.now(tx)).instant, _POSTS_AT_ONCE)

    due = await service.graph.read(read)
    if due:
        await _settle_under_guard(service, due)
    return bool(due)


async def _settle_under_guard(service: Service, keys: Sequence[str]) -> None:
    async def work(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        now = await upper.recording_time(tx)
        concerned = await settle(tx, service, keys, now)
        if concerned:
            await reconcile(tx, service, lineage, now, concerned)

    await service.graph.write(work)


async def ineligible_count(service: Service, ref: VersionRef, purpose: str) -> int | None:
    """How many members of the version may not be used now; None unless it is COMPLETE and sealed.

    Where the stored count may be behind, the members are evaluated; nothing is written.

    Raises:
        InvalidInputError: the purpose is no code.
    """
    check_purpose(purpose, "purpose")

    async def read(tx: Tx) -> Standing | None:
        now = await upper.now(tx)
        lineage = await service.lineages.at(now.revision)
        version = lineage.versions[ref]
        if version.coverage is not Coverage.COMPLETE or version.status is VersionStatus.BUILDING:
            return None
        return await standing(tx, lineage, ref, purpose, now.instant)

    found = await service.graph.read(read)
    if found is None or found.exact:
        return None if found is None else found.count
    lineage = await service.lineage()
    count = 0
    async for page in evaluation.of_version(service, lineage, ref, purpose=purpose, at=await service.now()):
        count += sum(bool(each.reasons) for each in page)
    return count
