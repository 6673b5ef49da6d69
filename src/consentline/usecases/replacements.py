"""What stands against a model version that is to replace a flagged one: posts of the flag's causes in its upstream."""

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from itertools import islice
from typing import NamedTuple

from consentline.domain.datasets import Membership
from consentline.domain.flags import CauseKind, FlagCause, RetrainingFlag
from consentline.domain.lineage import Lineage
from consentline.domain.replacement import Offence, offences
from consentline.graph import causes, holdings, posts, violations
from consentline.graph.session import Tx
from consentline.usecases.affected import named_posts
from consentline.usecases.broad_causes import BROAD, policy_of, posts_of
from consentline.usecases.service import Service

MOST_OFFENCES = 5
"""How many posts that stand against a replacement are looked for."""
_POSTS_AT_ONCE = 1000


async def named_offences(tx: Tx, lineage: Lineage, flag: RetrainingFlag, replacement: str) -> list[Offence]:
    """Posts of the flag's causes, but for the broad ones, that stand against the replacement; some of them."""
    found = [each for each in await causes.of_flag(tx, flag.uid, None) if each.cause.kind not in BROAD]
    affected = await named_posts(tx, lineage, flag, found)
    keys, offending = sorted(affected), list[Offence]()
    for begin in range(0, len(keys), _POSTS_AT_ONCE):
        batch = {key: affected[key] for key in keys[begin : begin + _POSTS_AT_ONCE]}
        offending += await _offences(tx, lineage, replacement, batch, MOST_OFFENCES - len(offending))
        if len(offending) >= MOST_OFFENCES:
            break
    return offending


class Broad(NamedTuple):
    """The broad causes of a flag and, by revision and counts of changes, the state that their posts are in."""

    causes: tuple[FlagCause, ...]
    revision: str
    touched: tuple[int, ...]


async def broad_causes(tx: Tx, lineage: Lineage, uid: str) -> Broad:
    """The broad causes of a flag: as long as it is the same, so are their posts."""
    found = (each.cause for each in await causes.of_flag(tx, uid, None))
    broad = tuple(
        sorted((cause for cause in found if cause.kind in BROAD), key=lambda cause: (cause.kind, cause.source))
    )
    runs = await violations.of_runs(tx, [each.source.key for each in broad if each.kind is CauseKind.VIOLATION])
    policies = await holdings.touched(tx, [policy_of(each) for each in broad if each.kind is not CauseKind.VIOLATION])
    touched = (
        runs[each.source.key].touched if each.kind is CauseKind.VIOLATION else policies[policy_of(each)]
        for each in broad
    )
    return Broad(broad, lineage.revision, tuple(touched))


async def broad_offences(
    service: Service, lineage: Lineage, flag: RetrainingFlag, broad: Broad, replacement: str
) -> list[Offence]:
    """Posts of the broad causes that stand against the replacement, some of them; read outside any lock."""
    datasets, offending = sorted(lineage.numbers), list[Offence]()

    async def judge(tx: Tx, keys: Sequence[str]) -> list[Offence]:
        held = await violations.memberships(tx, keys, datasets)
        return await _offences(tx, lineage, replacement, held, MOST_OFFENCES - len(offending))

    for cause in broad.causes:
        async with aclosing(posts_of(service, lineage, flag.model_version, cause)) as pages:
            async for page in pages:
                for begin in range(0, len(page), _POSTS_AT_ONCE):
                    keys = page[begin : begin + _POSTS_AT_ONCE]
                    offending += await service.graph.read(lambda tx, keys=keys: judge(tx, keys))
                    if len(offending) >= MOST_OFFENCES:
                        return offending
    return offending


async def _offences(
    tx: Tx, lineage: Lineage, replacement: str, held: Mapping[str, tuple[Membership, ...]], most: int
) -> list[Offence]:
    facts = await posts.facts(tx, sorted(held))
    asked = ((facts[key], held[key]) for key in sorted(held))
    return list(islice(offences(lineage, replacement, asked), most))
