"""A version is sealed while others still change its members: its digest tells what it holds."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from consentline.domain.datasets import Coverage, VersionRef, VersionStatus, manifest_digest
from consentline.graph import members as graph_members
from consentline.usecases.datasets import RegisterVersion, register_version
from consentline.usecases.members import add_members, remove_members, seal_version
from consentline.usecases.service import Service

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ROUNDS = 5


def test_a_seal_covers_what_was_taken_before_it_and_nothing_is_taken_after_it(service: Service, run: Run) -> None:
    async def one(number: int) -> None:
        ref = VersionRef("d/e", number)
        await register_version(service, RegisterVersion("d/e", Coverage.COMPLETE, number=number))
        await add_members(service, ref, [f"p{each}" for each in range(300)])
        outcomes, sealed = await asyncio.gather(
            asyncio.gather(*(add_members(service, ref, [f"late{each}"]) for each in range(4))),
            seal_version(service, ref),
        )

        version = (await service.lineage()).versions[ref]
        held = await service.graph.read(lambda tx: graph_members.members(tx, ref.dataset, number))
        assert sealed is True
        assert version.status is VersionStatus.SEALED
        assert held == sorted(held)
        assert (version.post_count, version.manifest_digest) == (len(held), manifest_digest(held))
        taken = [f"late{each}" for each, (outcome,) in enumerate(outcomes) if outcome is True]
        assert [key for key in held if key.startswith("late")] == taken

    async def scenario() -> None:
        for number in range(1, ROUNDS + 1):
            await one(number)

    run(scenario())


def test_datasets_whose_keys_begin_alike_are_sealed_each_by_itself(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for dataset, posts in (("a", ["p1", "p2"]), ("a/b", ["p3"]), ("a0", ["p4"])):
            ref = VersionRef(dataset, 1)
            await register_version(service, RegisterVersion(dataset, Coverage.COMPLETE))
            await add_members(service, ref, [*posts, "gone"])
            await seal_version(service, ref)
            following = VersionRef(dataset, 2)
            await register_version(service, RegisterVersion(dataset, Coverage.COMPLETE, number=2, based_on=1))
            await remove_members(service, following, ["gone"])
            await seal_version(service, following)

            versions = (await service.lineage()).versions
            assert versions[ref].manifest_digest == manifest_digest(sorted([*posts, "gone"]))
            assert versions[following].manifest_digest == manifest_digest(posts)

    run(scenario())
