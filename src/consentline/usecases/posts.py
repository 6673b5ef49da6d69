"""Posts as they stand, and whether they may be used."""

from collections.abc import Sequence

from msgspec.structs import replace

from consentline.domain.codes import check_purpose
from consentline.domain.eligibility import Eligibility, evaluate
from consentline.domain.instants import Instant
from consentline.domain.posts import PostFacts, Visibility
from consentline.graph import posts, upper
from consentline.graph.posts import PostSummary as Post
from consentline.graph.session import Tx
from consentline.usecases.service import Service, known_or_now
from consentline.usecases.suppression import surely

__all__ = ["Post", "eligibility", "find_post", "find_posts", "visibility"]


async def find_post(service: Service, key: str) -> Post | None:
    """The post as it stands; None when nothing names it."""
    return (await find_posts(service, [key])).get(key)


async def find_posts(service: Service, keys: Sequence[str]) -> dict[str, Post]:
    """The posts as they stand, in one statement, or in two where some are not recorded under their own keys.

    What nothing names is absent.
    """

    async def work(tx: Tx) -> dict[str, Post]:
        found = await posts.summaries(tx, keys)
        missing = {key: service.pseudonyms.either("Post", key) for key in keys if key not in found}
        if missing:
            late = await posts.summaries(tx, [each for either in missing.values() for each in either])
            for key, either in missing.items():
                for stored in either:
                    if stored in late:
                        found[key] = replace(late[stored], key=key)
        return found

    return await service.graph.read(work)


async def visibility(service: Service, key: str, at: Instant | None, known_at: Instant | None) -> Visibility | None:
    """Who could see the post at `at`, as known at `known_at`; None when nothing says.

    Raises:
        InvalidInputError: `known_at` lies in the future.
    """

    async def work(tx: Tx) -> Visibility | None:
        now = (await upper.now(tx)).instant
        asked = known_or_now(known_at, now)
        facts = next(iter((await posts.facts(tx, service.pseudonyms.either("Post", key))).values()), None)
        if facts is None or facts.erased_since is not None:
            return None
        return facts.visibility_at(now if at is None else at, asked)

    return await service.graph.read(work)


async def eligibility(
    service: Service, key: str, purpose: str, at: Instant | None, known_at: Instant | None
) -> Eligibility | None:
    """Whether the post may be used, with every reason why not; None when nothing named it by `known_at`.

    Raises:
        InvalidInputError: `known_at` lies in the future, or the purpose is no code.
    """
    check_purpose(purpose, "purpose")
    keys = service.pseudonyms.either("Post", key)

    async def work(tx: Tx) -> Eligibility | None:
        [found] = await posts.for_usage(tx, [keys])
        asked = known_or_now(known_at, found.now.instant)
        lineage = await service.lineages.at(found.now.revision)
        # It may have been erased since.
        facts = next(iter((await posts.facts(tx, keys)).values()), PostFacts(key))
        if not (facts.named(asked) or lineage.holding(found.memberships, asked)):
            return None
        return evaluate(
            facts,
            lineage.policies,
            purpose=purpose,
            at=found.now.instant if at is None else at,
            known_at=asked,
        )

    return await surely(service, work, lambda found: found is not None)
