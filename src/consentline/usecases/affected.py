"""The posts that the causes of a flag concern: counted once each, and looked for upstream of a replacement."""

from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import aclosing
from itertools import islice
from typing import NamedTuple

from consentline.domain.causes import CauseFinder, ScopedPosts, claim_of
from consentline.domain.flags import CauseKind, RetrainingFlag
from consentline.domain.lineage import Lineage
from consentline.domain.replacement import Offence, offences
from consentline.graph import causes, objections, posts, upper, violations
from consentline.graph.causes import HeldCause
from consentline.graph.session import Tx
from consentline.usecases.service import Service
from consentline.usecases.violations import violating, violating_of, violating_posts

_POSTS_AT_ONCE = 1000
MOST_OFFENCES = 5
"""How many posts that stand against a replacement are looked for."""


async def affected_post_count(service: Service, flag: RetrainingFlag, kind: CauseKind | None) -> int:
    """How many distinct posts the causes concern.

    Posts of different authors are different, so counts of one kind add up unless somebody has two causes; only then,
    and where a run's violations come in, are the posts themselves compared. Those of a single run are never listed.
    """

    async def work(tx: Tx) -> int:
        found = await causes.of_flag(tx, flag.uid, kind)
        runs = _runs(found)
        of_objections = [each for each in found if each.cause.kind is not CauseKind.VIOLATION]
        if not runs and _adds_up(of_objections):
            return sum(each.cause.posts for each in of_objections)
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        groups = await _affected_groups(tx, lineage, flag, of_objections)
        affected = {key for group in groups for key in group.keys}
        match [each.cause for each in found if each.cause.kind is CauseKind.VIOLATION]:
            case []:
                return len(affected)
            case [single]:
                return len(affected) + single.posts - await violating_of(tx, lineage, single.source.key, affected)
            case _:
                return len(affected | await violating_posts(service, lineage, runs))

    return await service.graph.read(work)


def _adds_up(found: Sequence[HeldCause]) -> bool:
    by_person = Counter(each.claimant for each in found)
    return all(each.cause.kind is CauseKind.OBJECTION and by_person[each.claimant] == 1 for each in found)


def _runs(found: Sequence[HeldCause]) -> list[str]:
    return sorted(each.cause.source.key for each in found if each.cause.kind is CauseKind.VIOLATION)


async def _affected_groups(
    tx: Tx, lineage: Lineage, flag: RetrainingFlag, found: Sequence[HeldCause]
) -> list[ScopedPosts]:
    """The posts that causes by objection concern, named, in groups; the same post may be in several."""
    people = sorted({each.claimant for each in found if each.claimant is not None})
    if not people:
        return []
    # A cause counts as it did when it was recorded, also on a flag that was resolved before the objection was.
    claims = {claim.source: claim for claim in map(claim_of, await objections.of_people(tx, people))}
    scoped = await objections.scoped_posts(tx, people, named=True)
    finder = CauseFinder(lineage, await posts.person_facts(tx, sorted({group.author for group in scoped})))
    return [
        group
        for group in scoped
        for cause, _ in found
        if (claim := claims.get(cause.source)) is not None
        and group.kind(claim) is cause.kind
        and flag.model_version in finder.models(claim, group)
    ]


async def offences_by_objection(tx: Tx, lineage: Lineage, flag: RetrainingFlag, replacement: str) -> list[Offence]:
    """Posts of the flag's causes by objection that stand against the replacement, some of them."""
    held = await causes.of_flag(tx, flag.uid, None)
    found = [each for each in held if each.cause.kind is not CauseKind.VIOLATION]
    groups = await _affected_groups(tx, lineage, flag, found)
    memberships = {key: group.memberships for group in groups for key in group.keys}
    keys = sorted(memberships)
    offending: list[Offence] = []
    for begin in range(0, len(keys), _POSTS_AT_ONCE):
        facts = await posts.facts(tx, keys[begin : begin + _POSTS_AT_ONCE])
        asked = [(facts[key], memberships[key]) for key in keys[begin : begin + _POSTS_AT_ONCE]]
        offending.extend(islice(offences(lineage, replacement, asked), MOST_OFFENCES - len(offending)))
        if len(offending) >= MOST_OFFENCES:
            break
    return offending


class Violations(NamedTuple):
    """The runs whose violations a flag has as causes, and by revision and counts of changes the state they are in."""

    runs: tuple[str, ...]
    revision: str
    touched: tuple[int, ...]


async def violations_of(tx: Tx, lineage: Lineage, uid: str) -> Violations:
    """What of the flag's causes is VIOLATION: as long as it is the same, the runs' posts are."""
    runs = _runs(await causes.of_flag(tx, uid, CauseKind.VIOLATION))
    states = await violations.of_runs(tx, runs)
    return Violations(tuple(runs), lineage.revision, tuple(states[run].touched for run in runs))


async def offences_by_violation(
    service: Service, lineage: Lineage, runs: Collection[str], replacement: str
) -> list[Offence]:
    """Posts that could not be used when the runs read them and that stand against the replacement, some of them."""
    datasets = sorted(lineage.numbers)
    offending: list[Offence] = []

    async def judge(tx: Tx, keys: Sequence[str]) -> list[Offence]:
        facts = await posts.facts(tx, keys)
        held = await violations.memberships(tx, keys, datasets)
        asked = [(facts[key], held[key]) for key in keys]
        return list(islice(offences(lineage, replacement, asked), MOST_OFFENCES - len(offending)))

    for run in runs:
        async with aclosing(violating(service, lineage, run)) as pages:
            async for page in pages:
                for begin in range(0, len(page), _POSTS_AT_ONCE):
                    keys = page[begin : begin + _POSTS_AT_ONCE]
                    offending += await service.graph.read(lambda tx, keys=keys: judge(tx, keys))
                    if len(offending) >= MOST_OFFENCES:
                        return offending
    return offending
