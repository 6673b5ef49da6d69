"""The members of a version as a stream, however many there are."""

from collections.abc import AsyncGenerator

from consentline.domain.datasets import Coverage, DatasetVersion, VersionRef, VersionStatus
from consentline.domain.errors import StateError
from consentline.graph import builds
from consentline.graph.session import Tx
from consentline.usecases import counts
from consentline.usecases.datasets import get_version
from consentline.usecases.service import Service


async def stream_members(service: Service, ref: VersionRef) -> AsyncGenerator[list[str]]:
    """Every member of a version, in pages of some shards each, in no order; nothing is locked.

    It is one consistent reading as long as the version's members stand still. Those of a SEALED version always do:
    later versions end intervals after it and begin new ones.
    """
    after: str | None = None
    while True:
        page, after = await service.graph.read(lambda tx, after=after: builds.members_page(tx, ref, after))
        yield page
        if after is None:
            return


async def stream_shards(service: Service, ref: VersionRef) -> AsyncGenerator[tuple[str, list[str]]]:
    """The dataset's Shards that hold members of a version, by key, each with these; see `stream_members`."""
    after: str | None = None
    while True:
        page, after = await service.graph.read(lambda tx, after=after: builds.shards_page(tx, ref, after))
        for shard, posts in page:
            if posts:
                yield shard, posts
        if after is None:
            return


async def stream_ineligible(tx: Tx, ref: VersionRef, purpose: str) -> AsyncGenerator[list[str]]:
    """The members that were ineligible for the purpose when they were last judged, in pages; in no order."""
    after: str | None = None
    while True:
        page, after = await builds.ineligible_page(tx, ref, purpose, after)
        yield page
        if after is None:
            return


async def check_export(service: Service, ref: VersionRef, purpose: str, *, allow_ineligible: bool) -> DatasetVersion:
    """The version, when its members may be handed out for the purpose.

    Raises:
        NotFoundError: it is not recorded.
        StateError: it is not SEALED, has no manifest, or holds members that may not be used now.
    """
    version = get_version(await service.lineage(), ref)
    if version.status is not VersionStatus.SEALED:
        raise StateError(
            f"{ref} is {version.status}; only a SEALED version is exported", code="VERSION_NOT_SEALED", path=("number",)
        )
    if version.coverage is not Coverage.COMPLETE:
        raise StateError(f"{ref} has no manifest of members", code="VERSION_NOT_COMPLETE", path=("number",))
    count = 0 if allow_ineligible else await counts.ineligible_count(service, ref, purpose) or 0
    if count:
        raise StateError(
            f"{count:,} of the {version.post_count:,} members of {ref} may not be used for {purpose} now; build the"
            " next version, or hand them out all the same (--allow-ineligible)",
            code="INELIGIBLE_MEMBERS",
            path=("number",),
        )
    return version
