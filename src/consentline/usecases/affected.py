"""The posts that the causes of a flag concern, counted once each.

Most causes concern few posts, which are named and compared. Of a broad cause only those are looked for that others name
too; where there are several broad ones, all are listed.
"""

from collections.abc import Mapping, Sequence
from contextlib import aclosing

from consentline.domain.causes import CauseFinder, Reach, claim_of, claim_of_erasure
from consentline.domain.concerns import OF_AUTHORS, OF_POSTS
from consentline.domain.datasets import Membership
from consentline.domain.flags import CauseKind, RetrainingFlag, SourceKind
from consentline.domain.lineage import Lineage
from consentline.domain.pseudonyms import is_digest
from consentline.graph import causes, concerns, erasures, objections, posts, upper, violations
from consentline.graph.causes import HeldCause
from consentline.graph.session import Tx
from consentline.usecases.broad_causes import BROAD, count_of, posts_of
from consentline.usecases.service import Service

Named = Mapping[str, tuple[Membership, ...]]
"""Posts by key, each with its memberships."""


async def affected_post_count(service: Service, flag: RetrainingFlag, kind: CauseKind | None) -> int:
    """How many distinct posts the causes of the kind (of all kinds) concern."""

    async def work(tx: Tx) -> int:
        found = await causes.of_flag(tx, flag.uid, kind)
        if _adds_up(found):
            return sum(each.cause.posts for each in found)
        lineage = await service.lineages.at((await upper.now(tx)).revision)
        affected = set(await named_posts(tx, lineage, flag, found))
        forgotten = _forgotten(found)
        match [each.cause for each in found if each.cause.kind in BROAD]:
            case []:
                return len(affected) + forgotten
            case [broad]:
                known = await count_of(tx, lineage, flag.model_version, broad, affected)
                return len(affected) + forgotten + broad.posts - known
            case several:
                for each in several:
                    async with aclosing(posts_of(service, lineage, flag.model_version, each)) as pages:
                        async for page in pages:
                            affected.update(page)
                return len(affected) + forgotten

    return await service.graph.read(work)


def _adds_up(found: Sequence[HeldCause]) -> bool:
    """Whether no post can be concerned twice: there is one cause, or they are of the posts of different authors."""
    if len(found) == 1:
        return True
    people = [each.claimant or each.cause.source.key for each in found]
    by_author = OF_AUTHORS | {CauseKind.OBJECTION, CauseKind.ERASURE}
    return all(each.cause.kind in by_author for each in found) and len(set(people)) == len(people)


def _forgotten(found: Sequence[HeldCause]) -> int:
    """How many posts are counted of causes that erased people gave and of which it is not known any more which.

    The erasure, where it is a cause too, names all of theirs.
    """
    named = {each.claimant for each in found if each.cause.kind is CauseKind.ERASURE}
    most: dict[str, int] = {}
    for cause, _ in found:
        key = cause.source.key
        if cause.kind in OF_AUTHORS and is_digest(key) and key not in named:
            most[key] = max(cause.posts, most.get(key, 0))
    return sum(most.values())


async def named_posts(tx: Tx, lineage: Lineage, flag: RetrainingFlag, found: Sequence[HeldCause]) -> Named:
    """The posts that the causes concern, but for the broad ones."""
    kinds = {each.cause.kind for each in found}
    affected: dict[str, tuple[Membership, ...]] = {}
    if kinds & OF_POSTS:
        keys = sorted({each.cause.source.key for each in found if each.cause.kind in OF_POSTS})
        affected |= await violations.memberships(tx, keys, sorted(lineage.numbers))
    if kinds & OF_AUTHORS:
        affected |= await _of_authors(tx, lineage, flag, found)
    if any(each.claimant is not None for each in found):
        affected |= await _of_claims(tx, lineage, flag, found)
    return affected


async def _of_claims(tx: Tx, lineage: Lineage, flag: RetrainingFlag, found: Sequence[HeldCause]) -> Named:
    people = sorted({each.claimant for each in found if each.claimant is not None})
    # A cause counts as it did when it was recorded, also on a flag that was resolved before the objection was.
    filed, requested = await objections.of_people(tx, people), await erasures.of_people(tx, people)
    claims = {claim.source: claim for claim in (*map(claim_of, filed), *map(claim_of_erasure, requested))}
    scoped = await objections.scoped_posts(tx, people, named=True)
    authors = await posts.person_facts(tx, sorted({group.author for group in scoped}))
    finder = CauseFinder(lineage.policies, authors, Reach(lineage))
    return {
        key: group.memberships
        for group in scoped
        for cause, _ in found
        if (claim := claims.get(cause.source)) is not None
        and group.kind(claim) is cause.kind
        and flag.model_version in finder.models(claim, group)
        for key in group.keys
    }


async def _of_authors(tx: Tx, lineage: Lineage, flag: RetrainingFlag, found: Sequence[HeldCause]) -> Named:
    reach = Reach(lineage)
    wanted = {(each.cause.source, each.cause.kind) for each in found if each.cause.source.kind is SourceKind.USER}
    groups = await concerns.of_authors(tx, {source.key for source, _ in wanted}, named=True)
    return {
        key: group.memberships
        for group in groups
        for kind, models in group.causes(reach).items()
        if (group.source, kind) in wanted and flag.model_version in models
        for key in group.keys
    }
