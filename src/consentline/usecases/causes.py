"""Causes of retraining flags: brought in line with what the rules demand, by what is recorded.

Every fact that can make or unmake a model version a user of a post in scope of a live objection, or change how many
posts a run must not have read, calls this in its own transaction. Causes are computed from the facts as they stand, so
flags never depend on the order in which the facts were recorded.
"""

from collections.abc import Collection, Sequence

from consentline.domain.causes import CauseFinder, ScopedPosts, live_claims
from consentline.domain.clock import due_at
from consentline.domain.flags import Cause, CauseKind, Source, SourceKind
from consentline.domain.instants import Instant
from consentline.domain.lineage import Lineage
from consentline.domain.pseudonyms import is_digest
from consentline.domain.violations import models_tainted
from consentline.graph import causes, objections, posts, upper, violations
from consentline.graph.causes import Demand, Unsettled
from consentline.graph.session import Tx
from consentline.usecases import events
from consentline.usecases.service import Service

_PEOPLE_AT_ONCE = 500


async def reconcile_people(tx: Tx, service: Service, people: Collection[str], now: Instant) -> None:
    """Bring flags in line with the objections of these people; the caller holds the upper graph's guard."""
    lineage = await service.lineages.at((await upper.now(tx)).revision, tx)
    await reconcile(tx, service, lineage, now, people=people)


async def reconcile_everyone(tx: Tx, service: Service, now: Instant) -> None:
    """Bring flags in line with every live objection; the caller holds the upper graph's guard.

    For structural facts. Objections that are no longer live dropped their causes when they were decided or withdrawn.
    """
    await reconcile_people(tx, service, await objections.live_objectors(tx), now)


async def reconcile(
    tx: Tx,
    service: Service,
    lineage: Lineage,
    now: Instant,
    *,
    people: Collection[str] = (),
    runs: Collection[str] = (),
    counted: Collection[str] = (),
    scoped: Sequence[ScopedPosts] | None = None,
) -> None:
    """Bring flags in line with the objections of these people and the violations of these runs, as one step.

    What is demanded is put before what is not is dropped: a flag that loses one cause and gains another stays open. So
    does one whose causes are all gone while a run upstream is to be counted yet; it is settled when that was `counted`.
    What the people wrote, and what depicts them, is read unless it is `scoped`.
    """
    unsettled = Unsettled(set(), [])
    ordered = sorted(people)
    for begin in range(0, len(ordered), _PEOPLE_AT_ONCE):
        unsettled.update(await _put_of_people(tx, lineage, ordered[begin : begin + _PEOPLE_AT_ONCE], now, scoped))
    if runs:
        unsettled.update(await _put_of_runs(tx, service, lineage, runs, now))
    changed = frozenset(unsettled.models)
    unsettled.models.update(*(models_tainted(lineage, run) for run in counted))
    undecided = set[str]()
    if unsettled.dropped or counted:
        undecided.update(*(models_tainted(lineage, run) for run in await violations.unjudged(tx)))
    await causes.settle(tx, unsettled, undecided, now)
    await events.flags_settled(tx, changed, unsettled.models, now)


async def _put_of_people(
    tx: Tx, lineage: Lineage, people: list[str], now: Instant, scoped: Sequence[ScopedPosts] | None
) -> Unsettled:
    # What somebody erased had caused stays as it was: see decisions/0010.
    filed = await objections.of_people(tx, [person for person in people if not is_digest(person)])
    standing = await causes.of_sources(tx, [Source(SourceKind.OBJECTION, objection.key) for objection in filed])
    claims = live_claims(filed)
    if scoped is None:
        scoped = await objections.scoped_posts(tx, sorted({claim.person for claim in claims}))
    finder = CauseFinder(lineage, await posts.person_facts(tx, sorted({group.author for group in scoped})))
    wanted = {
        Cause(model, claim.source, kind): Demand(count, claim.deadline)
        for claim in claims
        for (model, kind), count in finder.causes(claim, scoped).items()
    }
    return await causes.put(tx, wanted, standing, now)


async def _put_of_runs(tx: Tx, service: Service, lineage: Lineage, runs: Collection[str], now: Instant) -> Unsettled:
    """A cause is due one month after it was first recorded, by the statutory clock without a person's jurisdiction."""
    standing = await causes.of_sources(tx, [Source(SourceKind.TRAINING_RUN, run) for run in runs])
    due = {each.cause: each.demand.due_at for each in standing}
    first_due = due_at(now, None, service.establishment)
    wanted: dict[Cause, Demand] = {}
    for run, state in (await violations.of_runs(tx, runs)).items():
        for model in models_tainted(lineage, run) if state.violations else ():
            cause = Cause(model, Source(SourceKind.TRAINING_RUN, run), CauseKind.VIOLATION)
            wanted[cause] = Demand(state.violations, due.get(cause, first_due))
    return await causes.put(tx, wanted, standing, now)
