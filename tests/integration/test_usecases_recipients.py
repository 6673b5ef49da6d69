"""Recipients of a dataset: told by their own webhook of what becomes of the posts that they were handed (Art. 19)."""

from collections.abc import Iterator
from typing import Any

import pytest

from consentline.dispatch.courier import Terms
from consentline.dispatch.worker import Worker
from consentline.domain.access import Role
from consentline.domain.errors import NotFoundError
from consentline.domain.events import EventKind
from consentline.domain.recipients import MOST_POSTS
from consentline.usecases import erasures, objections, recipients, verification, webhooks
from consentline.usecases.recipients import RecordRecipient
from consentline.usecases.service import Service
from consentline.usecases.webhooks import RegisterWebhook
from tests.conftest import PSEUDONYMS, Run
from tests.integration.arrange import allow, ask_erasure, decide, file, post, publish, record
from tests.receivers import Receiver, receiving

TERMS = Terms(timeout=2, allow_private=True)


@pytest.fixture
def lab() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


async def send(service: Service) -> None:
    await Worker(service, TERMS).run(once=True)


async def handed_on(service: Service, lab: Receiver) -> str:
    """Three posts of ana in two datasets, of which one was handed on; the secret of its recipient's webhook."""
    await allow(service, "ana", "ben")
    await record(service, post("p1"), post("p2"), post("p3"), post("of-ben", "ben", depicts=["ana"]))
    await publish(service, "shared", "p1", "p2", "of-ben")
    await publish(service, "kept", "p2", "p3")
    _, secret = await webhooks.register(
        service, RegisterWebhook("lab", lab.url, Role.ML, kinds=(EventKind.DATA_RESTRICTED,))
    )
    assert secret is not None
    await recipients.record(service, RecordRecipient("shared", "lab", "a laboratory", "lab"))
    return secret


def told(lab: Receiver) -> list[tuple[str, str, list[str]]]:
    """What came: the type, what it is about, and the posts."""
    return [(each.type, each.payload["data"]["ground"], each.payload["data"]["posts"]) for each in lab.messages]


def test_a_recipient_is_told_of_an_objection_and_of_its_end(run: Run[Any], service: Service, lab: Receiver) -> None:
    async def work() -> None:
        secret = await handed_on(service, lab)
        await file(service, "o", "ana")
        await send(service)
        await decide(service, "o", uphold=False, grounds="compelling")
        await send(service)

        mine = ["of-ben", "p1", "p2"]
        assert told(lab) == [
            ("data.restricted", "OBJECTION", mine),
            ("data.released", "OBJECTION", mine),
        ]
        data = lab.messages[0].verified(secret)["data"]
        assert {name: data[name] for name in ("recipient", "dataset", "reference", "part", "parts")} == {
            "recipient": "lab",
            "dataset": "shared",
            "reference": PSEUDONYMS.of("Objection", "o"),
            "part": 1,
            "parts": 1,
        }
        assert lab.messages[1].payload["data"]["reference"] == data["reference"]
        assert all(b"ana" not in each.body for each in lab.messages)

    run(work())


@pytest.mark.parametrize("ending", ["upheld", "withdrawn"])
def test_what_is_upheld_stays_restricted_and_what_is_withdrawn_does_not(
    run: Run[Any], service: Service, lab: Receiver, ending: str
) -> None:
    async def work() -> None:
        await handed_on(service, lab)
        await file(service, "o", "ana")
        if ending == "upheld":
            await decide(service, "o", uphold=True)
        else:
            await objections.withdraw_objection(service, "o")
        await send(service)

        released = [] if ending == "upheld" else ["data.released"]
        assert lab.types() == ["data.restricted", *released]

    run(work())


def test_a_recipient_is_told_of_an_erasure_by_keys_that_the_graph_does_not_hold_any_more(
    run: Run[Any], service: Service, lab: Receiver
) -> None:
    async def work() -> None:
        await handed_on(service, lab)
        await ask_erasure(service, "e", "ana")
        await erasures.confirm_erasure(service, "e")
        await send(service)

        assert told(lab) == [
            ("data.restricted", "ERASURE", ["of-ben", "p1", "p2"]),
            ("data.erased", "ERASURE", ["p1", "p2"]),
        ]
        assert await verification.find_traces(service, ["ana", "p1", "p2", "e"]) == []

    run(work())


def test_a_request_for_erasure_that_is_refused_releases(run: Run[Any], service: Service, lab: Receiver) -> None:
    async def work() -> None:
        await handed_on(service, lab)
        await ask_erasure(service, "e", "ana")
        await erasures.reject_erasure(service, "e", grounds="an exemption", decided_at=None)
        await send(service)

        assert lab.types() == ["data.restricted", "data.released"]

    run(work())


def test_nobody_else_is_told(run: Run[Any], service: Service, lab: Receiver) -> None:
    async def work(other: Receiver) -> None:
        await handed_on(service, lab)
        await webhooks.register(service, RegisterWebhook("other", other.url, Role.ADMIN, kinds=tuple(EventKind)))
        await recipients.record(service, RecordRecipient("kept", "by-letter", "an archive"))
        await file(service, "o", "ben")
        await send(service)

        assert told(lab) == [("data.restricted", "OBJECTION", ["of-ben"])]
        assert other.types() == ["objection.filed"]

    with receiving() as other:
        run(work(other))


def test_an_objection_narrowed_to_other_platforms_restricts_nothing(
    run: Run[Any], service: Service, lab: Receiver
) -> None:
    async def work() -> None:
        await handed_on(service, lab)
        await file(service, "o", "ana", platforms=("ELSEWHERE",))
        await send(service)

        assert lab.messages == []

    run(work())


def test_very_many_posts_are_told_in_several_notices_in_order(run: Run[Any], service: Service, lab: Receiver) -> None:
    async def work() -> None:
        await allow(service, "ana")
        keys = [f"p{number:04}" for number in range(2 * MOST_POSTS + 1)]
        await record(service, *(post(each) for each in keys))
        await publish(service, "shared", *keys)
        await webhooks.register(service, RegisterWebhook("lab", lab.url))
        await recipients.record(service, RecordRecipient("shared", "lab", "a laboratory", "lab"))
        await file(service, "o", "ana")
        await send(service)

        notices = [each.payload["data"] for each in lab.messages if each.type == "data.restricted"]
        assert [(each["part"], each["parts"]) for each in notices] == [(1, 3), (2, 3), (3, 3)]
        assert [key for each in notices for key in each["posts"]] == keys

    run(work())


def test_a_recipient_recorded_again_has_the_new_name_and_webhook(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await publish(service, "shared", "p")
        first = await recipients.record(service, RecordRecipient("shared", "lab", "a laboratory"))
        await webhooks.register(service, RegisterWebhook("lab", "http://127.0.0.1:9/"))
        again = await recipients.record(service, RecordRecipient("shared", "lab", "the laboratory", "lab"))

        assert (again.name, again.webhook, again.recorded_at) == ("the laboratory", "lab", first.recorded_at)
        assert await recipients.of_dataset(service, "shared") == [again]
        assert await recipients.of_dataset(service, "nothing") == []

    run(work())


def test_what_cannot_be_recorded(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await publish(service, "shared", "p")
        await webhooks.register(service, RegisterWebhook("ended", "http://127.0.0.1:9/"))
        await webhooks.disable(service, "ended")

    run(work())
    for command, code, path in (
        (RecordRecipient("nothing", "lab", "x"), "DATASET_NOT_FOUND", ("dataset",)),
        (RecordRecipient("shared", "lab", "x", "nothing"), "WEBHOOK_NOT_FOUND", ("webhook",)),
        (RecordRecipient("shared", "lab", "x", "ended"), "WEBHOOK_NOT_FOUND", ("webhook",)),
    ):
        with pytest.raises(NotFoundError) as caught:
            run(recipients.record(service, command))
        assert (caught.value.code, caught.value.path) == (code, path)
        assert "there is no such" in caught.value.message
    assert run(recipients.of_dataset(service, "shared")) == []
