"""How many members of a version may not be used now: kept by events, made exact again where time or a policy passed.

Every fact about a member calls `settle` in its own transaction (see `usecases/rejudging.py`), so a count is exact
without evaluating anybody. What changes by time alone, or by a new policy, is judged again by `refresh`, outside any
lock but for the posts whose judgement did change. See design.md, "Guard nodes", and decisions/0008.
"""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from consentline.domain.causes import ScopedPosts
from consentline.domain.codes import check_purpose
from consentline.domain.concerns import OF_AUTHORS, OF_POSTS, Concern
from consentline.domain.datasets import Coverage, VersionRef, VersionStatus
from consentline.domain.instants import EVER, Instant
from consentline.domain.judgement import Judge, Judgement, purposes_of
from consentline.domain.lineage import Lineage
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
    """Whose causes change with the concerns of a member.

    What an erased post and its author gave stays as it was; only what policies give does not count it any more.
    """
    changed = set(before) ^ set(after)
    policies = {concern.policy for concern in changed if concern.policy is not None}
    if post.erased_since is not None:
        return Concerned(policies=policies)
    kinds = {concern.kind for concern in changed}
    author = post.author(EVER)
    return Concerned(
        posts={post.key} if kinds & OF_POSTS else set(),
        authors={author.key} if kinds & OF_AUTHORS and author is not None else set(),
        policies=policies,
    )


class Restriction(NamedTuple):
    """What a new objection, or an erasure, takes out of use, now at the latest; no platform named means all."""

    user: str
    purposes: Collection[str]
    platforms: Sequence[str]


async def restrict(tx: Tx, lineage: Lineage, made: Restriction, *, named: bool) -> list[ScopedPosts]:
    """Count the members that the person wrote, in the scope of a restriction, as ineligible; the guard is held.

    They are not judged: nothing else about them can make up for the objection. That keeps an objection cheap for
    somebody with many posts. Answers everything in datasets that they wrote, with the keys only when `named`. What
    depicts them is left to `settle_after`.
    """
    purposes = sorted(set(made.purposes) & set(purposes_of(lineage.policies)))
    differences = Differences()
    scoped: list[ScopedPosts] = []
    for fresh, written in await counts.restrict(tx, made.user, made.platforms, purposes, named=named):
        differences.add(fresh, written.memberships, written.posts)
        scoped.append(written)
    await counts.change(tx, differences)
    return scoped


async def settle_after(tx: Tx, service: Service, made: Restriction, now: Instant) -> Concerned:
    """Judge what `restrict` left, once what restricts is recorded; the guard is held."""
    return await settle(tx, service, await counts.tracked_depicting(tx, made.user), now)


async def standing(tx: Tx, lineage: Lineage, ref: VersionRef, purpose: str, now: Instant) -> Standing:
    """The count of a sealed COMPLETE version; under the guard it is final.

    For a purpose that no policy speaks of, no member may be used.
    """
    if purpose not in purposes_of(lineage.policies):
        return Standing(lineage.versions[ref].post_count or 0, exact=True)
    return await counts.standing(tx, ref.dataset, ref.number, purpose, now)


async def refresh(service: Service, refs: Collection[VersionRef], purpose: str) -> None:
    """Judge again the members of the versions' datasets that time or a rule may have changed, in batches.

    Takes no lock but for the posts whose judgement changed. Events that come meanwhile keep the counts themselves; a
    policy, or a notice that is described, marks anew, so that its mark outlives this.
    """
    for dataset in sorted({ref.dataset for ref in refs}):
        await _refresh(service, dataset, purpose)


async def refresh_datasets(service: Service, datasets: Collection[str]) -> None:
    """Judge again the members of those of the datasets that time or any rule may have changed, in batches.

    As `refresh` does; flags follow. Stopped at any moment it is finished by calling it again.
    """

    async def behind(tx: Tx) -> list[str]:
        return await counts.behind(tx, datasets, (await upper.now(tx)).instant)

    for dataset in await service.graph.read(behind) if datasets else ():
        await _refresh(service, dataset)


async def _refresh(service: Service, dataset: str, purpose: str | None = None) -> None:
    """Judge what is due of the dataset, or all of it when it is marked for the purpose (None: for any).

    Then settle the flags that waited for that.
    """
    mark = await service.graph.read(lambda tx: counts.unjudged(tx, dataset))
    if mark is not None and purpose is not None and purpose not in mark.purposes:
        mark = None
    if mark is not None:
        await judge_dataset(service, dataset)
    some = False
    while await _judge_due(service, dataset):
        some = True
    if mark is None and not some:
        return

    async def end(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        if mark is not None:
            await counts.mark_judged(tx, dataset, mark)
        judged = models_reading(lineage, [dataset])
        if judged:
            await reconcile(tx, service, lineage, await upper.recording_time(tx), Concerned(), judged=judged)

    await service.graph.write(end)


async def judge_dataset(service: Service, dataset: str) -> None:
    """Judge every post that is or was a member by what is recorded when it is read; only what changed is written."""
    lineage = await service.lineage()
    async for page in evaluation.of_dataset(service, lineage, dataset, at=await service.now()):
        changed = [each.post for each in page if each.changed]
        for begin in range(0, len(changed), _POSTS_AT_ONCE):
            await _settle_under_guard(service, changed[begin : begin + _POSTS_AT_ONCE])


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
