"""The posts that open flags concern, and what without a manifest cannot rule them out: for the retraining plan."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from consentline.domain.affected import AffectedPosts, Event, Holding, PlanCause
from consentline.domain.causes import CauseFinder, Claim, ScopedPosts, claim_of
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.flags import Cause, CauseKind, RetrainingFlag, Source, SourceKind
from consentline.domain.instants import EVER
from consentline.domain.lineage import Lineage
from consentline.domain.objections import STOPPING
from consentline.domain.people import PersonFacts
from consentline.domain.plan_obstacles import Undecided
from consentline.domain.posts import PostFacts
from consentline.domain.usage import cannot_rule_out, possible_versions
from consentline.graph import causes, objections, plans, posts
from consentline.graph.session import Tx
from consentline.usecases.service import Service
from consentline.usecases.violations import violating

_PEOPLE_AT_ONCE = 500
_POSTS_AT_ONCE = 10_000
_FACTS_AT_ONCE = 1_000

_TELLING_ITSELF = frozenset({SourceKind.OBJECTION, SourceKind.ERASURE, SourceKind.TRAINING_RUN})
"""Sources that happen once; of the others each kind of cause is an event of its own."""


def event_of(source: Source, kind: CauseKind) -> Event:
    """What happened: a person's objection is one event, whether they wrote the posts or are depicted in them."""
    label = str(source.kind) if source.kind in _TELLING_ITSELF else str(kind)
    return Event(label, f"{source.key} v{source.version}" if source.version else source.key)


async def affected_posts(service: Service, lineage: Lineage, flags: Sequence[RetrainingFlag]) -> list[AffectedPosts]:
    """The posts that the flags' causes concern, each once, by what they cause and where they lie."""
    found: defaultdict[str, set[PlanCause]] = defaultdict(set)
    standing = dict[Cause, str | None]()
    for flag in flags:
        held = await service.graph.read(lambda tx, flag=flag: causes.of_flag(tx, flag.uid, None))
        for each in held:
            cause = Cause(flag.model_version, each.cause.source, each.cause.kind)
            standing[cause] = each.claimant
    await _add_claimed(service, lineage, standing, found)
    await _add_violating(service, lineage, standing, found)
    return await _grouped(service, found)


async def _add_claimed(
    service: Service, lineage: Lineage, standing: dict[Cause, str | None], found: defaultdict[str, set[PlanCause]]
) -> None:
    """Add the posts of causes by which somebody claims something: theirs, and those that depict them."""
    people = sorted({person for person in standing.values() if person is not None})

    async def read(tx: Tx, some: Sequence[str]) -> None:
        claims = [claim_of(objection) for objection in await objections.of_people(tx, some)]
        scoped = await objections.scoped_posts(tx, some, named=True)
        finder = CauseFinder(lineage, await posts.person_facts(tx, sorted({group.author for group in scoped})))
        by_person = defaultdict[str, list[Claim]](list)
        for claim in claims:
            by_person[claim.person].append(claim)
        for group in scoped:
            for claim in by_person[group.person]:
                kind = group.kind(claim)
                _add(
                    found,
                    group.keys,
                    (
                        cause
                        for model in finder.models(claim, group)
                        if (cause := Cause(model, claim.source, kind)) in standing
                    ),
                )

    for begin in range(0, len(people), _PEOPLE_AT_ONCE):
        some = people[begin : begin + _PEOPLE_AT_ONCE]
        await service.graph.read(lambda tx, some=some: read(tx, some))


async def _add_violating(
    service: Service, lineage: Lineage, standing: dict[Cause, str | None], found: defaultdict[str, set[PlanCause]]
) -> None:
    """Add the posts that runs must not have read."""
    of_runs = defaultdict[str, list[Cause]](list)
    for cause in standing:
        if cause.kind is CauseKind.VIOLATION:
            of_runs[cause.source.key].append(cause)
    for run, standing_of_run in sorted(of_runs.items()):
        async with aclosing(violating(service, lineage, run)) as pages:
            async for page in pages:
                _add(found, page, standing_of_run)


def _add(found: defaultdict[str, set[PlanCause]], keys: Iterable[str], causes_of_keys: Iterable[Cause]) -> None:
    made = {PlanCause(each.model, event_of(each.source, each.kind)) for each in causes_of_keys}
    for key in keys if made else ():
        found[key] |= made


async def _grouped(service: Service, found: dict[str, set[PlanCause]]) -> list[AffectedPosts]:
    groups: defaultdict[tuple[frozenset[PlanCause], tuple[Holding, ...]], list[str]] = defaultdict(list)
    ordered = sorted(found)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        some = ordered[begin : begin + _POSTS_AT_ONCE]
        held = await service.graph.read(lambda tx, some=some: plans.holdings(tx, some))
        for key in some:
            groups[frozenset(found[key]), held.get(key, ())].append(key)
    return [AffectedPosts(of, holdings, tuple(keys)) for (of, holdings), keys in groups.items()]


async def undecided(service: Service, lineage: Lineage, affected: Sequence[AffectedPosts]) -> Undecided:
    """What the versions without a COMPLETE manifest that runs read cannot rule out; nothing is read without any."""
    unclear = [ref for ref in sorted(lineage.consumed(EVER)) if lineage.versions[ref].coverage is not Coverage.COMPLETE]
    if not unclear:
        return Undecided()
    strict = {ref: [0] * len(affected) for ref in unclear}
    possible = {ref: [0] * len(affected) for ref in unclear}
    readers = lineage.consumed(EVER)
    last_start = {ref: max(run.started_at or 0 for run in readers[ref]) for ref in unclear}
    keyed = [(key, number) for number, group in enumerate(affected) for key in group.keys]
    for begin in range(0, len(keyed), _FACTS_AT_ONCE):
        some = keyed[begin : begin + _FACTS_AT_ONCE]
        facts = await service.graph.read(lambda tx, some=some: posts.facts(tx, [key for key, _ in some]))
        for key, number in some:
            post = facts.get(key) or PostFacts(key)
            held = frozenset(lineage.holding([each.membership for each in affected[number].holdings], EVER))
            described = post.described(EVER)
            for ref in unclear:
                if cannot_rule_out(
                    lineage,
                    lineage.versions[ref],
                    EVER,
                    selected=lambda version, post=post: version.declares(post, EVER),
                    held=held.__contains__,
                ):
                    strict[ref][number] += 1
                    # A post that was published after every run that read the version had started is in none of them.
                    possible[ref][number] += described is None or described.published_at <= last_start[ref]
    return Undecided(strict, possible, await _objections(service, lineage))


async def _objections(service: Service, lineage: Lineage) -> dict[VersionRef, int]:
    """How many live objections each version without a COMPLETE manifest may hold a post of."""
    counts = Counter[VersionRef]()
    people = sorted(await service.graph.read(objections.live_objectors))

    async def read(tx: Tx, some: Sequence[str]) -> None:
        facts = await posts.person_facts(tx, some)
        scoped = defaultdict[str, list[ScopedPosts]](list)
        for group in await objections.scoped_posts(tx, some):
            scoped[group.person].append(group)
        for objection in await objections.of_people(tx, some):
            if objection.status not in STOPPING:
                continue
            person = facts.get(objection.user) or PersonFacts(objection.user)
            memberships = [
                membership
                for group in scoped[objection.user]
                if not objection.platforms or group.platform in objection.platforms
                for membership in group.memberships
            ]
            counts.update(
                possible_versions(
                    lineage,
                    EVER,
                    covers_person=lambda version, person=person: version.declares_person(person, EVER),
                    held_in=frozenset(lineage.holding(memberships, EVER)),
                )
            )

    for begin in range(0, len(people), _PEOPLE_AT_ONCE):
        some = people[begin : begin + _PEOPLE_AT_ONCE]
        await service.graph.read(lambda tx, some=some: read(tx, some))
    return dict(counts)
