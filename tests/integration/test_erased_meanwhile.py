"""Answers about somebody who is being erased at that instant: nothing that is recorded is told not to be."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, LiteralString

import pytest

from consentline.domain.datasets import VersionRef
from consentline.domain.usage import Verdict
from consentline.graph import suppression, upper
from consentline.graph.session import Tx
from consentline.usecases import datasets, person_usage, posts, usage
from consentline.usecases.service import Service
from tests.conftest import PSEUDONYMS
from tests.integration.arrange import AI, post, publish, record, train

Run = Callable[[Coroutine[Any, Any, Any]], Any]
Ask = Callable[[Service], Awaitable[Any]]

RENAME_POST: LiteralString = "MATCH (p:Post {key: $old}) SET p.key = $new"
RENAME_PERSON: LiteralString = "MATCH (u:User {key: $old}) SET u.key = $new"


async def _contains(service: Service) -> bool | None:
    return await datasets.contains(service, (await service.lineage()).versions[VersionRef("d", 1)], "p")


async def _verdict(service: Service) -> Verdict:
    return (await usage.post_usage(service, "p", None)).usage.verdict


async def _verdict_of_person(service: Service) -> Verdict:
    return (await person_usage.user_usage(service, "ana", None)).verdict


async def _is_recorded(service: Service) -> bool:
    return await posts.eligibility(service, "p", AI, None, None) is not None


@pytest.mark.parametrize(
    ("rename", "label", "key", "ask", "answer"),
    [
        (RENAME_POST, "Post", "p", _verdict, Verdict.USED),
        (RENAME_POST, "Post", "p", _contains, True),
        (RENAME_POST, "Post", "p", _is_recorded, True),
        (RENAME_PERSON, "User", "ana", _verdict_of_person, Verdict.USED),
    ],
)
def test_what_neither_its_key_nor_its_digest_leads_to_is_sought_again_when_the_erasure_lets_go(
    service: Service, run: Run, rename: LiteralString, label: str, key: str, ask: Ask, answer: object
) -> None:
    """Neo4j takes a key out of its index before the digest goes in; the instant between is held open here."""

    async def scenario() -> None:
        await record(service, post("p", author="ana"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1")
        await service.graph.write(suppression.begin)
        await service.graph.write(lambda tx: tx.rows(rename, old=key, new="between"))
        guarded, asked = asyncio.Event(), asyncio.Event()

        async def replace_key(tx: Tx) -> None:
            await upper.lock(tx)
            guarded.set()
            await asked.wait()
            await tx.rows(rename, old="between", new=PSEUDONYMS.of(label, key))

        erasing = asyncio.create_task(service.graph.write(replace_key))
        await guarded.wait()
        asking = asyncio.ensure_future(ask(service))
        done, _ = await asyncio.wait([asking], timeout=0.5)
        assert not done
        asked.set()
        await erasing

        assert await asking == answer

    run(scenario())


def test_what_was_never_recorded_waits_for_nobody_while_nobody_was_erased(service: Service, run: Run) -> None:
    async def scenario() -> None:
        guarded, asked = asyncio.Event(), asyncio.Event()

        async def hold(tx: Tx) -> None:
            await upper.lock(tx)
            guarded.set()
            await asked.wait()

        holding = asyncio.create_task(service.graph.write(hold))
        await guarded.wait()
        answer = await asyncio.wait_for(usage.post_usage(service, "nothing", None), 10)
        asked.set()
        await holding

        assert answer.usage.verdict is Verdict.NOT_USED

    run(scenario())
