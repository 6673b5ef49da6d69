"""The posts that open flags concern, and what without a manifest cannot rule them out: for the retraining plan."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field

from consentline.domain.affected import AffectedPosts, Event, Holding, PlanCause
from consentline.domain.causes import CauseFinder, Claim, Reach, ScopedPosts, claim_of, claim_of_erasure
from consentline.domain.concerns import OF_AUTHORS, OF_POSTS, ConcernedPosts
from consentline.domain.datasets import Coverage, VersionRef
from consentline.domain.flags import Cause, CauseKind, RetrainingFlag, Source, SourceKind
from consentline.domain.instants import ALWAYS, EVER, Instant
from consentline.domain.lineage import Lineage
from consentline.domain.objections import STOPPING
from consentline.domain.people import PersonFacts
from consentline.domain.plan_obstacles import Undecided
from consentline.domain.policies import PolicyRef
from consentline.domain.posts import PostFacts
from consentline.domain.usage import cannot_rule_out, possible_versions
from consentline.domain.violations import models_tainted
from consentline.graph import causes, concerns, erasures, objections, plans, posts
from consentline.graph.session import Tx
from consentline.usecases.broad_causes import governed, runs_under
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


@dataclass(slots=True)
class _Gathered:
    """The causes of the flags, each with who claims something by it, and the posts found of them so far."""

    standing: dict[Cause, str | None] = field(default_factory=dict[Cause, str | None])
    found: defaultdict[str, set[PlanCause]] = field(default_factory=lambda: defaultdict[str, set[PlanCause]](set))

    def add(self, keys: Iterable[str], causes_of_keys: Iterable[Cause]) -> None:
        """Note the posts of those of the causes that the flags have."""
        made = {
            PlanCause(each.model, event_of(each.source, each.kind)) for each in causes_of_keys if each in self.standing
        }
        for key in keys if made else ():
            self.found[key] |= made

    def sources(self, kinds: Collection[CauseKind]) -> list[Source]:
        """The distinct sources of the causes of these kinds, sorted."""
        return sorted({each.source for each in self.standing if each.kind in kinds})


async def affected_posts(service: Service, lineage: Lineage, flags: Sequence[RetrainingFlag]) -> list[AffectedPosts]:
    """The posts that the flags' causes concern, each once, by what they cause and where they lie."""
    gathered = _Gathered()
    for flag in flags:
        held = await service.graph.read(lambda tx, flag=flag: causes.of_flag(tx, flag.uid, None))
        for each in held:
            gathered.standing[Cause(flag.model_version, each.cause.source, each.cause.kind)] = each.claimant
    reach = Reach(lineage)
    await _add_claimed(service, lineage, reach, gathered)
    await _add_concerned(service, reach, gathered)
    await _add_violating(service, lineage, gathered)
    await _add_governed(service, lineage, reach, gathered)
    return await _grouped(service, gathered.found)


async def _add_claimed(service: Service, lineage: Lineage, reach: Reach, gathered: _Gathered) -> None:
    """Add the posts of causes by which somebody claims something: theirs, and those that depict them."""
    people = sorted({person for person in gathered.standing.values() if person is not None})

    async def read(tx: Tx, some: Sequence[str]) -> None:
        by_person = defaultdict[str, list[Claim]](list)
        for claim in (
            *map(claim_of, await objections.of_people(tx, some)),
            *map(claim_of_erasure, await erasures.of_people(tx, some)),
        ):
            by_person[claim.person].append(claim)
        scoped = await objections.scoped_posts(tx, some, named=True)
        authors = await posts.person_facts(tx, sorted({group.author for group in scoped}))
        finder = CauseFinder(lineage.policies, authors, reach)
        for group in scoped:
            for claim in by_person[group.person]:
                kind = group.kind(claim)
                gathered.add(group.keys, (Cause(model, claim.source, kind) for model in finder.models(claim, group)))

    for some in _batches(people, _PEOPLE_AT_ONCE):
        await service.graph.read(lambda tx, some=some: read(tx, some))


async def _add_concerned(service: Service, reach: Reach, gathered: _Gathered) -> None:
    """Add the posts of causes that the posts themselves, or their authors, give."""

    async def of_posts(tx: Tx, some: Sequence[str]) -> list[ConcernedPosts]:
        return await concerns.of_posts(tx, some)

    async def of_authors(tx: Tx, some: Sequence[str]) -> list[ConcernedPosts]:
        return await concerns.of_authors(tx, some, named=True)

    for kinds, read, at_once in ((OF_POSTS, of_posts, _FACTS_AT_ONCE), (OF_AUTHORS, of_authors, _PEOPLE_AT_ONCE)):
        for some in _batches([source.key for source in gathered.sources(kinds)], at_once):
            for group in await service.graph.read(lambda tx, read=read, some=some: read(tx, some)):
                found = group.causes(reach).items()
                gathered.add(
                    group.keys, (Cause(model, group.source, kind) for kind, models in found for model in models)
                )


async def _add_violating(service: Service, lineage: Lineage, gathered: _Gathered) -> None:
    """Add the posts that runs must not have read."""
    for source in gathered.sources({CauseKind.VIOLATION}):
        of_run = [each for each in gathered.standing if each.source == source]
        async with aclosing(violating(service, lineage, source.key)) as pages:
            async for page in pages:
                gathered.add(page, of_run)


async def _add_governed(service: Service, lineage: Lineage, reach: Reach, gathered: _Gathered) -> None:
    """Add the posts that policies govern whose assessment expired."""
    for source in gathered.sources({CauseKind.ASSESSMENT_EXPIRED}):
        policy = PolicyRef(source.key, source.version)
        counts = runs_under(lineage, policy)
        async with aclosing(governed(service, lineage, policy)) as pages:
            async for page in pages:
                for key, memberships in page.items():
                    models = reach.models(memberships, counts)
                    gathered.add([key], (Cause(model, source, CauseKind.ASSESSMENT_EXPIRED) for model in models))


def _batches(keys: Sequence[str], at_once: int) -> Iterator[Sequence[str]]:
    return (keys[begin : begin + at_once] for begin in range(0, len(keys), at_once))


async def _grouped(service: Service, found: dict[str, set[PlanCause]]) -> list[AffectedPosts]:
    groups: defaultdict[tuple[frozenset[PlanCause], tuple[Holding, ...]], list[str]] = defaultdict(list)
    ordered = sorted(found)
    for begin in range(0, len(ordered), _POSTS_AT_ONCE):
        some = ordered[begin : begin + _POSTS_AT_ONCE]
        held = await service.graph.read(lambda tx, some=some: plans.holdings(tx, some))
        for key in some:
            groups[frozenset(found[key]), held.get(key, ())].append(key)
    return [AffectedPosts(of, holdings, tuple(keys)) for (of, holdings), keys in groups.items()]


async def undecided(
    service: Service, lineage: Lineage, affected: Sequence[AffectedPosts], about: Collection[str]
) -> Undecided:
    """What the versions without a COMPLETE manifest that runs read cannot rule out.

    Of those only from which influence reaches one of the model versions; nothing is read without any.
    """
    readers = lineage.consumed(EVER)
    unclear = [
        ref
        for ref in sorted(readers)
        if lineage.versions[ref].coverage is not Coverage.COMPLETE
        and any(not models_tainted(lineage, run.key).isdisjoint(about) for run in readers[ref])
    ]
    if not unclear:
        return Undecided()
    strict = {ref: [0] * len(affected) for ref in unclear}
    possible = {ref: [0] * len(affected) for ref in unclear}
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
    return Undecided(strict, possible, await _objections(service, lineage, frozenset(unclear)))


async def _objections(service: Service, lineage: Lineage, unclear: Collection[VersionRef]) -> dict[VersionRef, int]:
    """How many live objections each of the versions may hold a post of; read in pages."""
    counts = Counter[VersionRef]()

    async def read(tx: Tx, after: tuple[str, Instant, str]) -> tuple[str, Instant, str] | None:
        live, after_them = await plans.live_objections(tx, after, _PEOPLE_AT_ONCE)
        filed = await objections.find_all(tx, live)
        people = sorted({each.user for each in filed})
        facts = await posts.person_facts(tx, people)
        scoped = defaultdict[str, list[ScopedPosts]](list)
        for group in await objections.scoped_posts(tx, people):
            scoped[group.person].append(group)
        for objection in filed:
            person = facts.get(objection.user) or PersonFacts(objection.user)
            memberships = [
                membership
                for group in scoped[objection.user]
                if not objection.platforms or group.platform in objection.platforms
                for membership in group.memberships
            ]
            found = possible_versions(
                lineage,
                EVER,
                covers_person=lambda version, person=person: version.declares_person(person, EVER),
                held_in=frozenset(lineage.holding(memberships, EVER)),
            )
            counts.update(ref for ref in found if ref in unclear)
        return after_them

    for status in sorted(STOPPING):
        after: tuple[str, Instant, str] | None = (status, ALWAYS, "")
        while after is not None:
            after = await service.graph.read(lambda tx, after=after: read(tx, after))
    return dict(counts)
