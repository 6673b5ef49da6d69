"""Causes that race: many objections over a thousand versions, and deletions while what they flag comes to be."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, LiteralString

from consentline.domain.datasets import VersionRef
from consentline.graph.session import Tx
from consentline.usecases import counts, doctor
from consentline.usecases.service import Service
from consentline.usecases.sweep import sweep
from tests.graphs import wipe
from tests.integration.arrange import AI, allow, derive, file, post, publish, record, train
from tests.integration.flagging import deleted, every_flag, open_causes

Run = Callable[[Coroutine[Any, Any, Any]], Any]

ROUNDS = 10
PEOPLE = [f"person{number}" for number in range(64)]
POSTS = 3
"""A person's posts: in all thousand versions, in the first half of them, and in a hundred that differ by person."""

# Registering them one by one takes a minute, and makes the same.
THOUSAND_VERSIONS: LiteralString = """
MATCH (d:Dataset {key: 'd'})-[:HAS_VERSION]->(first:DatasetVersion {number: 1})
UNWIND range(2, 1000) AS number
CREATE (d)-[:HAS_VERSION]->(v:DatasetVersion {dataset: 'd', number: number})
SET v += first {.*, number: number, based_on: number - 1, manifest_digest: null}
"""
INTERVALS: LiteralString = """
UNWIND range(0, $people - 1) AS i
MATCH (half:Post {key: 'person' + i + ':1'})-[h:IN_SHARD]->()
MATCH (own:Post {key: 'person' + i + ':2'})-[o:IN_SHARD]->()
SET h.to_version = 501, o.from_version = 1 + 10 * i, o.to_version = 101 + 10 * i
"""
UNJUDGED: LiteralString = """
MATCH (r:Revision) SET r.value = randomUUID()
WITH r MATCH (d:Dataset) SET d.unjudged = [$purpose], d.unjudged_mark = randomUUID()
"""


async def together(*work: Awaitable[Any]) -> None:
    """Run all at once; what one of them raises is raised once all have ended."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result


async def thousand_versions(service: Service) -> None:
    """Sixty-four people's posts in a dataset of a thousand versions, of which runs read five."""
    await allow(service, *PEOPLE)
    keys = [f"{person}:{number}" for person in PEOPLE for number in range(POSTS)]
    await record(service, *(post(key, key.partition(":")[0]) for key in keys))
    await publish(service, "d", *keys)

    async def grow(tx: Tx) -> None:
        await tx.rows(THOUSAND_VERSIONS)
        await tx.rows(INTERVALS, people=len(PEOPLE))
        await tx.rows(UNJUDGED, purpose=AI)

    await service.graph.write(grow)
    await sweep(service)
    for number in (1, 50, 400, 700, 1000):
        await train(service, f"r{number}", f"d:{number}", produced=f"m:{number}")
    await derive(service, "m:tuned", "m:700")


def held_in(number: int) -> Counter[str]:
    """How many posts of each person the version holds."""
    return Counter(
        {
            person: 1 + (number < 501) + (1 + 10 * index <= number < 101 + 10 * index)
            for index, person in enumerate(PEOPLE)
        }
    )


def test_sixty_four_objections_at_once_over_a_thousand_versions_are_counted_exactly(service: Service, run: Run) -> None:
    async def scenario() -> None:
        await thousand_versions(service)
        assert await open_causes(service) == {}

        await together(*(file(service, person, person) for person in PEOPLE))

        for number in (1, 2, 100, 101, 500, 501, 640, 731, 1000):
            found = await counts.ineligible_count(service, VersionRef("d", number), AI)
            assert found == held_in(number).total(), number
        found = await open_causes(service)
        wanted = {f"m:{number}": number for number in (1, 50, 400, 700, 1000)} | {"m:tuned": 700}
        assert found == {
            model: {(person, "OBJECTION"): posts for person, posts in held_in(number).items()}
            for model, number in wanted.items()
        }
        assert len(await every_flag(service)) == len(wanted)
        assert await doctor.examine(service) == []

    run(scenario())


def test_a_deletion_that_races_with_the_record_of_a_run_ends_in_one_flag(service: Service, run: Run) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            await allow(service, "ana")
            await record(service, post("a"), post("b"))
            await publish(service, "d", "a", "b")

            await together(record(service, deleted("a")), train(service, "r", "d:1", produced="m:1"))

            assert await open_causes(service) == {"m:1": {("a", "POST_DELETED"): 1}}
            assert len(await every_flag(service)) == 1

    run(scenario())


def test_a_deletion_that_races_with_the_seal_and_the_run_of_a_version_ends_in_one_flag(
    service: Service, run: Run
) -> None:
    async def scenario() -> None:
        for _ in range(ROUNDS):
            await wipe(service)
            await allow(service, "ana")
            await record(service, post("a"), post("b"))

            async def use() -> None:
                await publish(service, "d", "a", "b")
                await train(service, "r", "d:1", produced="m:1")
                await derive(service, "m:2", "m:1")

            await together(record(service, deleted("a")), use(), record(service, deleted("b")))

            cause = {("a", "POST_DELETED"): 1, ("b", "POST_DELETED"): 1}
            assert await open_causes(service) == {"m:1": cause, "m:2": cause}
            assert await counts.ineligible_count(service, VersionRef("d", 1), AI) == 2

    run(scenario())
