"""Causes of retraining flags: brought in line with what the rules demand, by what is recorded.

Every fact that can make or unmake a model version a user of a post that somebody claims or that concerns whatever used
it, or change how many posts a run must not have read, calls this in its own transaction. Causes are computed from the
facts as they stand, so flags never depend on the order in which the facts were recorded.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from consentline.domain.causes import CauseFinder, Reach, ScopedPosts, live_claims
from consentline.domain.clock import due_at
from consentline.domain.concerns import counted
from consentline.domain.flags import Cause, CauseKind, Source, SourceKind
from consentline.domain.holdings import used
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.policies import PolicyRef
from consentline.domain.pseudonyms import is_digest
from consentline.domain.violations import models_made_from, models_reading, models_tainted, read_datasets
from consentline.graph import causes, concerns, counts, erasures, holdings, objections, posts, upper, violations
from consentline.graph.causes import Demand, Standing, Unsettled
from consentline.graph.session import Tx
from consentline.usecases import events
from consentline.usecases.service import Service

T = TypeVar("T", str, Source)

_AT_ONCE = 500


def _nothing() -> set[str]:
    return set()


@dataclass(slots=True)
class Concerned:
    """What gives the causes that are to be brought in line.

    `people` by their objections and erasures, `authors` by what they are or said, `posts` by what became of them,
    `policies` by their assessments, `runs` by what they must not have read. What the people wrote, and what depicts
    them, is read unless it is `scoped`.
    """

    people: set[str] = field(default_factory=_nothing)
    authors: set[str] = field(default_factory=_nothing)
    posts: set[str] = field(default_factory=_nothing)
    policies: set[PolicyRef] = field(default_factory=set[PolicyRef])
    runs: set[str] = field(default_factory=_nothing)
    scoped: Sequence[ScopedPosts] | None = None

    def __bool__(self) -> bool:
        return bool(self.people or self.authors or self.posts or self.policies or self.runs)

    def update(self, other: "Concerned") -> None:
        """Take in what another step concerns."""
        self.people |= other.people
        self.authors |= other.authors
        self.posts |= other.posts
        self.policies |= other.policies
        self.runs |= other.runs


async def reconcile_people(tx: Tx, service: Service, people: Collection[str], now: Instant) -> None:
    """Bring flags in line with what these people claim, as their objections and erasures now stand.

    To be called in the transaction in which claims of theirs changed; the caller holds the upper graph's guard.
    """
    lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
    await reconcile(tx, service, lineage, now, Concerned(people=set(people)))


async def reconcile_everyone(tx: Tx, service: Service, now: Instant) -> None:
    """Bring flags in line with every live claim; the caller holds the upper graph's guard.

    For structural facts. Claims that are no longer live dropped their causes when they were decided or withdrawn.
    """
    await reconcile_people(tx, service, await claimants(tx), now)


async def claimants(tx: Tx) -> set[str]:
    """Everybody who has an objection that is pending or upheld, or of whom an erasure stands."""
    return {*await objections.live_objectors(tx), *await erasures.live_people(tx)}


async def reconcile(
    tx: Tx,
    service: Service,
    lineage: Lineage,
    now: Instant,
    concerned: Concerned,
    *,
    judged: Collection[str] = (),
    changed: Collection[str] = (),
) -> None:
    """Bring flags in line with the causes of what is concerned, as one step; the caller holds the upper graph's guard.

    `changed` are model versions whose flags this transaction changed already and told nobody of.

    What is demanded is put before what is not is dropped: a flag that loses one cause and gains another stays open. So
    does one whose causes are all gone while anything upstream is to be judged yet; it is settled when that is done: of
    the `judged` model versions it is. What people, and their posts, gave before they were erased stays as it was.
    """
    unsettled, reach = Unsettled(set(), []), Reach(lineage)
    for people in _batches(concerned.people):
        unsettled.update(await _put_of_people(tx, lineage, reach, people, concerned.scoped, now))
    for sources in _batches(
        [Source(SourceKind.POST, post) for post in concerned.posts if not is_digest(post)]
        + [Source(SourceKind.USER, author) for author in concerned.authors if not is_digest(author)]
    ):
        unsettled.update(await _put_of_concerns(tx, service, reach, sources, now))
    if concerned.policies:
        unsettled.update(await _put_of_policies(tx, service, lineage, reach, concerned.policies, now))
    if concerned.runs:
        unsettled.update(await _put_of_runs(tx, service, lineage, concerned.runs, now))
    changed = unsettled.models | set(changed)
    unsettled.models.update(judged)
    undecided = await _undecided(tx, lineage, now) if unsettled.dropped or judged else frozenset[str]()
    await causes.settle(tx, unsettled, undecided, now)
    await events.flags_settled(tx, changed, unsettled.models, now)


def _batches(given: Collection[T]) -> list[list[T]]:
    ordered = sorted(given)
    return [ordered[begin : begin + _AT_ONCE] for begin in range(0, len(ordered), _AT_ONCE)]


async def _undecided(tx: Tx, lineage: Lineage, now: Instant) -> frozenset[str]:
    """The model versions of which something upstream is to be judged yet."""
    behind = await counts.behind(tx, read_datasets(lineage), now)
    return models_reading(lineage, behind).union(
        *(models_tainted(lineage, run) for run in await violations.unjudged(tx)),
        *(models_made_from(lineage, model) for model in await concerns.unsettled(tx)),
    )


async def _put_of_people(
    tx: Tx, lineage: Lineage, reach: Reach, people: list[str], scoped: Sequence[ScopedPosts] | None, now: Instant
) -> Unsettled:
    # What somebody erased had caused stays as it was, but for the erasure itself: see decisions/0009.
    filed = await objections.of_people(tx, [person for person in people if not is_digest(person)])
    requested = await erasures.of_people(tx, people)
    sources = [Source(SourceKind.OBJECTION, objection.key) for objection in filed]
    sources += [Source(SourceKind.ERASURE, erasure.key) for erasure in requested]
    standing = await causes.of_sources(tx, sources)
    claims = live_claims(filed, requested)
    if scoped is None:
        scoped = await objections.scoped_posts(tx, sorted({claim.person for claim in claims}))
    authors = await posts.person_facts(tx, sorted({group.author for group in scoped}))
    finder = CauseFinder(lineage.policies, authors, reach)
    wanted = {
        Cause(model, claim.source, kind): Demand(count, claim.deadline)
        for claim in claims
        for (model, kind), count in finder.causes(claim, scoped).items()
    }
    return await causes.put(tx, wanted, standing, now)


async def _put_of_concerns(tx: Tx, service: Service, reach: Reach, sources: list[Source], now: Instant) -> Unsettled:
    standing = await causes.of_sources(tx, sources)
    groups = await concerns.of_posts(tx, [each.key for each in sources if each.kind is SourceKind.POST])
    groups += await concerns.of_authors(tx, [each.key for each in sources if each.kind is SourceKind.USER])
    return await _put(tx, service, counted(reach, groups), standing, now)


async def _put_of_policies(
    tx: Tx, service: Service, lineage: Lineage, reach: Reach, policies: Collection[PolicyRef], now: Instant
) -> Unsettled:
    standing = await causes.of_sources(tx, [Source(SourceKind.POLICY, *policy) for policy in policies])
    purposes = {policy.ref: policy.purpose for policy in lineage.policies}
    found = {
        Cause(model, Source(SourceKind.POLICY, *policy), CauseKind.ASSESSMENT_EXPIRED): count
        for policy, held in (await holdings.of_policies(tx, policies)).items()
        for model, count in used(reach, held, purposes[policy]).items()
    }
    return await _put(tx, service, found, standing, now)


async def _put_of_runs(tx: Tx, service: Service, lineage: Lineage, runs: Collection[str], now: Instant) -> Unsettled:
    standing = await causes.of_sources(tx, [Source(SourceKind.TRAINING_RUN, run) for run in runs])
    found = {
        Cause(model, Source(SourceKind.TRAINING_RUN, run), CauseKind.VIOLATION): state.violations
        for run, state in (await violations.of_runs(tx, runs)).items()
        if state.violations
        for model in models_tainted(lineage, run)
    }
    return await _put(tx, service, found, standing, now)


async def _put(tx: Tx, service: Service, found: dict[Cause, int], standing: list[Standing], now: Instant) -> Unsettled:
    """Put causes without a statutory period: due one month after they were recorded, by nobody's jurisdiction."""
    due = {each.cause: each.demand.due_at for each in standing if not each.resolved}
    first_due = due_at(now, None, service.establishment)
    wanted = {cause: Demand(count, due.get(cause, first_due)) for cause, count in found.items()}
    return await causes.put(tx, wanted, standing, now)
