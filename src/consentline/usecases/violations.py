"""VIOLATION causes: members that could not be used when a run started, counted by what every fact changes.

A writer of facts calls `begin` before it writes and `end` afterwards, in its one transaction, under the upper graph's
guard; so a run's count is exact without counting it anew. A run that is new, or whose purpose got a policy, is marked
in its transaction and counted by `judge_runs` after the commit, outside any lock.
"""

from collections.abc import AsyncGenerator, Collection, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from consentline.domain.causes import ScopedPosts
from consentline.domain.instants import EVER, Instant
from consentline.domain.lineage import Lineage
from consentline.domain.policies import Policy
from consentline.domain.violations import (
    Readers,
    Violation,
    concerned_by,
    differences,
    judged_inputs,
    models_tainted,
    question_of,
)
from consentline.graph import posts, upper, violations
from consentline.graph.session import Tx
from consentline.usecases import evaluation
from consentline.usecases.causes import Concerned, reconcile
from consentline.usecases.service import Service

_POSTS_AT_ONCE = 1000
_TRIES_OUTSIDE_THE_LOCK = 3


@dataclass(frozen=True, slots=True)
class Before:
    """How posts stood to the runs that read them, before facts about them were written; false when no run did.

    `readers` are those runs by post.
    """

    since: Instant = EVER
    readers: dict[str, frozenset[str]] = field(default_factory=dict[str, frozenset[str]])
    violations: frozenset[Violation] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.readers)


async def begin(tx: Tx, lineage: Lineage, posts: Sequence[str], since: Instant) -> Before:
    """Judge the posts for every run that read them and started at `since` or later; the guard is held.

    `since` is the earliest instant about which the facts to be written say anything: ALWAYS when they have no valid
    time, and for visibility, which a post has from its publication on whenever a run started.
    """
    runs = Readers(lineage, since)
    if not runs:
        return Before()
    readers = await _readers(tx, runs, posts)
    return Before(since, readers, frozenset(await _judge(tx, lineage, runs, readers)))


async def begin_scoped(tx: Tx, lineage: Lineage, scoped: Iterable[ScopedPosts], since: Instant) -> Before:
    """As `begin`, for posts whose memberships were read already; they are named where a run may have read them."""
    runs = Readers(lineage, since)
    readers = {post: reading for each in scoped if (reading := runs.of(each.memberships)) for post in each.keys}
    return Before(since, readers, frozenset(await _judge(tx, lineage, runs, readers)))


async def _readers(tx: Tx, runs: Readers, posts: Sequence[str]) -> dict[str, frozenset[str]]:
    """The runs that read each of the posts; posts that none read are absent."""
    readers: dict[str, frozenset[str]] = {}
    for start in range(0, len(posts), _POSTS_AT_ONCE):
        held = await violations.memberships(tx, posts[start : start + _POSTS_AT_ONCE], runs.datasets)
        readers |= {post: reading for post, each in held.items() if (reading := runs.of(each))}
    return readers


async def end(
    tx: Tx,
    service: Service,
    lineage: Lineage,
    before: Before,
    now: Instant,
    concerned: Concerned,
    *,
    changed: Collection[str] = (),
) -> None:
    """Judge the posts by the facts as they are now written, and bring counts and flags in line; the guard is held.

    What else the facts concern is brought in line in the same step, so that a flag that loses one cause and gains
    another stays the same; `changed` flags of model versions are told of with it.
    """
    counted = dict[str, int]()
    if before:
        after = await _judge(tx, lineage, Readers(lineage, before.since), before.readers)
        counted = differences(before.violations, after)
        readers = frozenset[str]().union(*before.readers.values())
        await violations.change(tx, {run: counted.get(run, 0) for run in readers})
    concerned.runs.update(counted)
    await reconcile(tx, service, lineage, now, concerned, changed=changed)


async def _judge(tx: Tx, lineage: Lineage, runs: Readers, readers: dict[str, frozenset[str]]) -> set[Violation]:
    found: set[Violation] = set()
    keys = sorted(readers)
    for start in range(0, len(keys), _POSTS_AT_ONCE):
        facts = await posts.facts(tx, keys[start : start + _POSTS_AT_ONCE])
        found |= runs.violations(lineage.policies, facts.values(), readers)
    return found


async def mark_unjudged(tx: Tx, lineage: Lineage, policies: Sequence[Policy]) -> None:
    """New policies came: the runs that they concern are to be counted anew by `judge_runs`; the guard is held."""
    await mark_runs(tx, lineage, concerned_by(lineage, policies))


async def mark_runs(tx: Tx, lineage: Lineage, runs: Collection[str]) -> None:
    """Have the runs counted (anew) by `judge_runs`, where it is known what they read; the guard is held."""
    judged = [
        key for key in runs if question_of(lineage.runs[key]) is not None and judged_inputs(lineage, lineage.runs[key])
    ]
    if judged:
        await violations.mark_unjudged(tx, judged)


async def to_be_counted(tx: Tx, lineage: Lineage, models: Collection[str]) -> list[str]:
    """The runs whose influence reaches one of the model versions, and whose violations are to be counted yet."""
    if not models:
        return []
    return [run for run in await violations.unjudged(tx) if not models_tainted(lineage, run).isdisjoint(models)]


async def judge_runs(service: Service, only: Collection[str] | None = None) -> None:
    """Count the violations of the runs that are marked (of these only), and bring flags in line; after the commit.

    Stopped at any moment, or ended in another process meanwhile, it is finished by calling it again.
    """
    marked = await service.graph.read(violations.unjudged)
    for run in marked if only is None else sorted(set(marked) & set(only)):
        for _ in range(_TRIES_OUTSIDE_THE_LOCK):
            if await _judge_run(service, run):
                break
        else:
            await _judge_run_under_guard(service, run)


async def _judge_run(service: Service, run: str) -> bool:
    """Count outside any lock; whether the run is counted, for no fact came in between that may change the count."""
    touched = (await service.graph.read(lambda tx: violations.of_runs(tx, [run])))[run].touched
    count = await _count(service, await service.lineage(), run)

    async def work(tx: Tx) -> bool:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        standing = (await violations.of_runs(tx, [run]))[run]
        if standing.unjudged and standing.touched == touched:
            await _settle(tx, service, lineage, run, count)
            return True
        return not standing.unjudged

    return await service.graph.write(work)


async def _judge_run_under_guard(service: Service, run: str) -> None:
    async def work(tx: Tx) -> None:
        lineage = await service.lineages.at(await upper.lock(tx), tx)
        if (await violations.of_runs(tx, [run]))[run].unjudged:
            await _settle(tx, service, lineage, run, await _count(service, lineage, run))

    await service.graph.write(work)


async def _settle(tx: Tx, service: Service, lineage: Lineage, run: str, count: int) -> None:
    await violations.set_count(tx, run, count)
    now, tainted = await upper.recording_time(tx), models_tainted(lineage, run)
    await reconcile(tx, service, lineage, now, Concerned(runs={run}), judged=tainted)


async def _count(service: Service, lineage: Lineage, run: str) -> int:
    inputs = judged_inputs(lineage, lineage.runs[run])
    if len(inputs) > 1:
        return len(await violating_posts(service, lineage, [run]))
    count = 0
    async with aclosing(violating(service, lineage, run)) as pages:
        async for page in pages:
            count += len(page)
    return count


async def violating(service: Service, lineage: Lineage, run: str) -> AsyncGenerator[list[str]]:
    """The posts that could not be used when the run read them, in pages; one that several inputs hold comes again."""
    question = question_of(lineage.runs[run])
    if question is None:
        return
    for ref in judged_inputs(lineage, lineage.runs[run]):
        found = evaluation.violating(service, lineage, ref, lineage.runs[run], **question._asdict())
        async with aclosing(found) as pages:
            async for page in pages:
                yield page


async def violating_posts(service: Service, lineage: Lineage, runs: Collection[str]) -> set[str]:
    """The distinct posts that could not be used when any of the runs read them."""
    found = set[str]()
    for run in runs:
        async with aclosing(violating(service, lineage, run)) as pages:
            async for page in pages:
                found.update(page)
    return found


async def violating_of(tx: Tx, lineage: Lineage, run: str, keys: Collection[str]) -> int:
    """How many of the posts could not be used when the run read them."""
    runs = Readers(lineage, only=[run])
    return len(await _judge(tx, lineage, runs, await _readers(tx, runs, sorted(keys))))
