"""Deliveries to webhooks: signed, in the order of each model version, again until they arrive or are given up."""

import asyncio
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest

from consentline.dispatch.courier import Terms
from consentline.dispatch.worker import Worker
from consentline.domain.access import Role
from consentline.domain.errors import ConflictError, InvalidInputError, NotFoundError, StateError
from consentline.domain.events import EventKind, NewEvent
from consentline.domain.paging import PageRequest
from consentline.domain.webhooks import Delivery, DeliveryStatus, Schedule, Webhook, WebhookStatus, signing_secret
from consentline.graph import outbox
from consentline.graph.session import Tx
from consentline.usecases import dispatch, retention, webhooks
from consentline.usecases.service import Service
from consentline.usecases.webhooks import RegisterWebhook
from tests.conftest import PSEUDONYMS, Run
from tests.integration.arrange import allow, decide, file, post, publish, record, train
from tests.integration.snapshots import Refused, assert_refused, assert_unchanged
from tests.receivers import Answer, Message, Receiver, receiving

TERMS = Terms(timeout=0.5, schedule=Schedule(attempts=3, first_seconds=0.02), allow_private=True)
LATER = Terms(timeout=0.5, schedule=Schedule(attempts=3, first_seconds=60), allow_private=True)
PAGE = PageRequest(first=100)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


async def register(service: Service, url: str, key: str = "hook", **more: Any) -> tuple[Webhook, str]:
    webhook, secret = await webhooks.register(service, RegisterWebhook(key, url, **more))
    assert secret is not None
    return webhook, secret


async def tell(service: Service, *models: str) -> None:
    """An event of a flag of each model version, in this order."""
    events = [NewEvent(EventKind.FLAG_CHANGED, f"model:{model}", {"status": "OPEN"}, model=model) for model in models]
    await service.graph.write(lambda tx: outbox.append(tx, events, 1_700_000_000_000_000))


async def send(service: Service, terms: Terms = TERMS) -> Worker:
    """A worker that sends what can be sent now."""
    worker = Worker(service, terms)
    await worker.run(once=True)
    return worker


async def send_all(service: Service, terms: Terms = TERMS, key: str = "hook") -> None:
    """Send until nothing is left to be tried."""
    deadline = time.monotonic() + 30
    while await deliveries(service, DeliveryStatus.PENDING, key) or not await deliveries(service, key=key):
        await send(service, terms)
        assert time.monotonic() < deadline


async def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:  # noqa: ASYNC110 - what is waited for happens in threads
        await asyncio.sleep(0.01)
    assert condition(), "it did not happen in time"


async def deliveries(service: Service, status: DeliveryStatus | None = None, key: str = "hook") -> list[Delivery]:
    """The deliveries to a webhook, the oldest event first."""
    return list((await webhooks.list_deliveries(service, key, status, PAGE)).items)[::-1]


# ---- what is sent ---------------------------------------------------------------------------------------------------


def test_an_objection_reaches_the_webhooks_that_may_know_of_it(run: Run[Any], service: Service) -> None:
    async def work(ml: Receiver, compliance: Receiver) -> None:
        await allow(service, "ana")
        await record(service, post("p"))
        await publish(service, "d", "p")
        await train(service, "r", "d:1", produced="m:1")
        _, secret = await register(service, ml.url, "ml")
        _, other = await register(service, compliance.url, "compliance", role=Role.COMPLIANCE)
        objection = await file(service, "o")
        await decide(service, "o", uphold=True)

        await send(service)

        assert ml.types() == ["retraining_flag.raised"]
        assert sorted(compliance.types()) == ["objection.filed", "objection.upheld", "retraining_flag.raised"]
        payload = ml.messages[0].verified(secret)
        filed = next(each for each in compliance.messages if each.type == "objection.filed")
        assert filed.verified(other)["data"]["objection"] == objection.key
        assert set(payload) == {"type", "timestamp", "data"}
        assert payload["data"]["modelVersion"] == "m:1"
        assert payload["data"]["dueAt"].endswith("Z")
        assert all(b"ana" not in each.body for each in (*ml.messages, *compliance.messages))

    with receiving() as ml, receiving() as compliance:
        run(work(ml, compliance))


def test_a_webhook_is_told_of_its_model_version_and_its_kinds_only(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        await register(service, receiver.url, model="m:1", kinds=(EventKind.FLAG_CHANGED,))
        await tell(service, "m:1", "m:2", "m:1")
        raised = NewEvent(EventKind.FLAG_RAISED, "model:m:1", model="m:1")
        await service.graph.write(lambda tx: outbox.append(tx, [raised], 1))
        await send(service)

        assert [each.sequence for each in receiver.messages] == [1, 3]

    run(work())


def test_a_webhook_is_told_of_what_happens_after_it_was_registered(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        await tell(service, "m:1")
        await register(service, receiver.url)
        await tell(service, "m:1")
        await send(service)

        assert [each.sequence for each in receiver.messages] == [2]

    run(work())


def test_a_message_that_was_changed_on_its_way_does_not_verify(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    from standardwebhooks import WebhookVerificationError

    async def work() -> None:
        _, secret = await register(service, receiver.url)
        await tell(service, "m:1")
        await send(service)

        (message,) = receiver.messages
        forged = Message("", message.headers, message.body.replace(b"m:1", b"m:2"), 0, 0)
        with pytest.raises(WebhookVerificationError):
            forged.verified(secret)
        with pytest.raises(WebhookVerificationError):
            message.verified(signing_secret(PSEUDONYMS, "another"))

    run(work())


# ---- order ----------------------------------------------------------------------------------------------------------


def test_events_of_a_model_version_are_sent_one_after_the_other_and_others_at_once(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, *["m:1", "m:2", "m:3"] * 10)
        receiver.behave = lambda _number, _message: Answer(after=0.02)
        await send(service)

        by_model: dict[str, list[Message]] = {}
        for each in receiver.messages:
            by_model.setdefault(each.payload["data"]["modelVersion"], []).append(each)
        assert {model: len(found) for model, found in by_model.items()} == {"m:1": 10, "m:2": 10, "m:3": 10}
        for found in by_model.values():
            assert [each.sequence for each in found] == sorted(each.sequence for each in found)
            assert all(a.answered <= b.begun for a, b in pairwise(found))
        assert receiver.most_at_once > 1

    run(work())


def test_what_fails_holds_back_its_own_model_version_and_no_other(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        def refuse_the_first_of_one(_number: int, message: Message) -> Answer:
            return Answer(500 if message.sequence == 1 else 200)

        receiver.behave = refuse_the_first_of_one
        await register(service, receiver.url)
        await tell(service, "m:1", "m:1", "m:2", "m:2")
        await send_all(service)

        sequence = [each.sequence for each in receiver.messages]
        assert sequence.count(1) == 3
        assert sequence.index(2) > max(number for number, each in enumerate(sequence) if each == 1)
        assert [each for each in sequence if each > 2] == [3, 4]
        found = await deliveries(service)
        assert [each.status for each in found] == ["DEAD", "DELIVERED", "DELIVERED", "DELIVERED"]
        assert (found[0].attempts, found[0].response, found[0].error) == (3, 500, "REJECTED")

    run(work())


def test_two_workers_send_nothing_out_of_order_and_nothing_twice(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        for number in range(4):
            await register(service, f"{receiver.url}/{number}", f"hook-{number}")
        workers = [Worker(service, TERMS) for _ in range(2)]
        running = [asyncio.create_task(each.run()) for each in workers]
        for _ in range(15):
            await tell(service, "m:1", "m:2")
        await until(lambda: len(receiver.messages) >= 120)
        for each in workers:
            each.stop()
        await asyncio.gather(*running)

        lanes: dict[tuple[str, str], list[Message]] = {}
        for each in receiver.messages:
            lanes.setdefault((each.path, each.payload["data"]["modelVersion"]), []).append(each)
        assert len(lanes) == 8
        for found in lanes.values():
            assert [each.sequence for each in found] == sorted({each.sequence for each in found})
            assert len(found) == 15
            assert all(a.answered <= b.begun for a, b in pairwise(found))
        assert sum(each.tally["delivered"] for each in workers) == 120

    run(work())


def test_a_webhook_is_held_by_one_worker_at_a_time(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, "m:1")
        taken = await asyncio.gather(*(dispatch.take(service, 10, 30) for _ in range(8)))
        (lease,) = [lease for leases in taken for lease in leases]

        assert await dispatch.take(service, 10, 30) == []
        await dispatch.release(service, lease)
        (again,) = await dispatch.take(service, 10, 30)
        with pytest.raises(dispatch.LeaseLostError):
            await dispatch.step(service, lease, 30, [], [], 1)
        assert len((await dispatch.step(service, again, 30, [], [], 1)).due) == 1

    run(work())


def test_a_lease_that_ended_is_taken_over_and_what_was_not_recorded_is_sent_again(
    run: Run[Any], service: Service
) -> None:
    async def work() -> None:
        await register(service, "http://127.0.0.1:9/")
        await tell(service, "m:1", "m:1")
        (lost,) = await dispatch.take(service, 10, 0.2)
        (due,) = (await dispatch.step(service, lost, 0.2, [], [], 8)).due
        await asyncio.sleep(0.3)

        (taken,) = await dispatch.take(service, 10, 30)
        (again,) = (await dispatch.step(service, taken, 30, [], [], 8)).due

        assert again == due
        done = dispatch.Attempt(due.id, 1, DeliveryStatus.DELIVERED, 200)
        with pytest.raises(dispatch.LeaseLostError):
            await dispatch.step(service, lost, 30, [done], [], 8)
        assert [each.status for each in await deliveries(service)] == ["PENDING", "PENDING"]

    run(work())


def test_a_lease_of_a_clock_that_was_set_back_is_void(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await register(service, "http://127.0.0.1:9/")
        await tell(service, "m:1")
        await dispatch.take(service, 10, 3600)

        assert await dispatch.take(service, 10, 3601) == []
        assert len(await dispatch.take(service, 10, 30)) == 1

    run(work())


# ---- endpoints that misbehave ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "response", "error"),
    [
        (Answer(500), 500, "REJECTED"),
        (Answer(404), 404, "REJECTED"),
        (Answer(302, headers={"location": "/elsewhere"}), 302, "REDIRECTED"),
        (Answer(after=1.0), None, "TIMED_OUT"),
        (Answer(hang_up=True), None, "CONNECTION_LOST"),
    ],
    ids=["500", "404", "redirect", "hang", "close"],
)
def test_what_did_not_arrive_is_sent_again_with_the_same_id(
    run: Run[Any], service: Service, receiver: Receiver, answer: Answer, response: int | None, error: str
) -> None:
    async def work() -> None:
        receiver.behave = lambda number, _message: answer if number == 0 else Answer()
        _, secret = await register(service, receiver.url)
        await tell(service, "m:1")
        await send(service, Terms(timeout=0.5, schedule=Schedule(3, 1.0), allow_private=True))
        (failed,) = await deliveries(service)
        await send_all(service)

        assert (failed.status, failed.attempts, failed.response, failed.error) == ("PENDING", 1, response, error)
        assert len(set(receiver.ids())) == 1
        assert len({each.body for each in receiver.messages}) == 1
        assert len({each.path for each in receiver.messages}) == 1
        assert receiver.messages[-1].verified(secret)
        (delivered,) = await deliveries(service)
        assert (delivered.status, delivered.attempts, delivered.error) == ("DELIVERED", 2, None)

    run(work())


def test_a_body_that_is_endless_or_cut_short_does_not_matter(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        answers = [Answer(body=b"x" * 10_000_000), Answer(body=b"x" * 1000, cut_short=True), Answer()]
        receiver.behave = lambda number, _message: answers[number]
        await register(service, receiver.url)
        await tell(service, "m:1", "m:1", "m:1")
        await send(service)

        assert [each.status for each in await deliveries(service)] == ["DELIVERED"] * 3
        assert len(receiver.messages) == 3

    run(work())


def test_a_receiver_that_asks_for_time_gets_it(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        receiver.behave = lambda _number, _message: Answer(503, headers={"retry-after": "3600"})
        await register(service, receiver.url)
        await tell(service, "m:1")
        await send(service)

        (delivery,) = await deliveries(service)
        assert delivery.next_attempt_at is not None
        assert 3590 < (delivery.next_attempt_at - await service.now()) / 1_000_000 <= 3600

    run(work())


def test_an_endpoint_that_is_gone_is_told_nothing_more(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        receiver.behave = lambda _number, _message: Answer(410)
        await register(service, receiver.url)
        await tell(service, "m:1", "m:1", "m:1")
        await send(service)
        await tell(service, "m:1")
        await send(service)

        assert len(receiver.messages) == 1
        webhook = await webhooks.find(service, "hook")
        assert webhook is not None
        assert webhook.status is WebhookStatus.GONE
        found = await deliveries(service)
        assert [(each.status, each.error) for each in found] == [("DEAD", "ENDPOINT_GONE")] * 3

    run(work())


def test_an_endpoint_that_hangs_does_not_hold_up_another(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work(slow: Receiver) -> None:
        await register(service, slow.url, "slow")
        await register(service, receiver.url)
        await tell(service, *(f"m:{number}" for number in range(40)))
        worker = Worker(service, TERMS)
        begun = time.monotonic()
        running = asyncio.create_task(worker.run())
        await until(lambda: len(receiver.messages) >= 40)
        seconds = time.monotonic() - begun
        worker.stop()
        await running

        assert len(receiver.messages) == 40
        assert len(slow.messages) < 40
        assert seconds < 10

    with receiving(lambda _number, _message: Answer(after=0.45)) as slow:
        run(work(slow))


def test_a_private_address_is_not_sent_to_unless_it_is_allowed(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await register(service, receiver.url.replace("127.0.0.1", "localhost"), "named")
        await tell(service, "m:1")
        await send(service, Terms(timeout=0.5, schedule=Schedule(attempts=1)))

        assert receiver.messages == []
        for key in ("hook", "named"):
            (delivery,) = await deliveries(service, key=key)
            assert (delivery.status, delivery.response, delivery.error) == ("DEAD", None, "ADDRESS_REFUSED")

    run(work())


# ---- stopping -------------------------------------------------------------------------------------------------------


def test_a_worker_that_is_stopped_records_what_is_under_way_and_begins_nothing(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        receiver.behave = lambda _number, _message: Answer(after=0.3)
        await register(service, receiver.url)
        await tell(service, *["m:1", "m:2"] * 20)
        worker = Worker(service, TERMS)
        running = asyncio.create_task(worker.run())
        await until(lambda: receiver.seen >= 2)
        worker.stop()
        await running

        sent = len(receiver.messages)
        assert sent < 40
        assert len(await deliveries(service, DeliveryStatus.DELIVERED)) == sent
        assert len(await dispatch.take(service, 10, 30)) == 1

    run(work())


def test_a_worker_without_the_secret_of_a_webhook_sends_it_nothing(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    from dataclasses import replace

    from consentline.domain.pseudonyms import Pseudonyms

    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, "m:1")
        await send(replace(service, pseudonyms=Pseudonyms(b"another secret of thirty-two bytes")))
        assert receiver.messages == []

        await send(service)
        assert len(receiver.messages) == 1

    run(work())


# ---- dead letters, replay, disabling --------------------------------------------------------------------------------


def test_a_dead_letter_is_sent_again_when_it_is_asked_for(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        receiver.behave = lambda number, _message: Answer(500 if number < 3 else 200)
        await register(service, receiver.url)
        await tell(service, "m:1", "m:1")
        await send_all(service)
        (dead,) = (await webhooks.list_dead_letters(service, PAGE)).items

        queued = await webhooks.replay(service, dead.id)
        await assert_unchanged(service, webhooks.replay(service, dead.id))
        await send_all(service)

        assert (queued.status, queued.attempts) == ("PENDING", 0)
        assert [each.sequence for each in receiver.messages] == [1, 1, 1, 2, 1]
        assert len(set(receiver.ids())) == 2
        assert (await webhooks.list_dead_letters(service, PAGE)).items == ()

    run(work())


def test_a_replay_waits_for_what_stands_in_its_lane(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, "m:1")
        await send(service)
        (first,) = await deliveries(service)
        receiver.behave = lambda number, _message: Answer(500 if number == 1 else 200)
        await tell(service, "m:1", "m:1")
        await send(service, Terms(timeout=0.5, schedule=Schedule(3, 0.3), allow_private=True))
        replayed = await webhooks.replay(service, first.id)
        await send_all(service)

        assert replayed.next_attempt_at is None
        assert [each.sequence for each in receiver.messages] == [1, 2, 2, 1, 3]

    run(work())


def test_a_webhook_that_is_disabled_is_told_nothing_more(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        receiver.behave = lambda _number, _message: Answer(500)
        await register(service, receiver.url)
        await tell(service, "m:1", "m:1")
        await send(service, LATER)

        disabled = await webhooks.disable(service, "hook")
        await assert_unchanged(service, webhooks.disable(service, "hook"))
        await tell(service, "m:1")
        await send(service)

        assert (disabled.status, disabled.disabled_at is None) == (WebhookStatus.DISABLED, False)
        assert len(receiver.messages) == 1
        found = await deliveries(service)
        assert [(each.status, each.error) for each in found] == [
            ("DROPPED", "REJECTED"),
            ("DROPPED", "WEBHOOK_DISABLED"),
        ]
        refused = Refused(StateError, "WEBHOOK_NOT_ACTIVE", ("delivery",), "hook is DISABLED")
        await assert_refused(service, webhooks.replay(service, found[0].id), refused)

    run(work())


def test_a_webhook_is_registered_once(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        webhook, secret = await register(service, "http://127.0.0.1:9/a")

        again = await assert_unchanged(service, webhooks.register(service, RegisterWebhook("hook", webhook.url)))

        assert again == (webhook, None)
        assert secret == signing_secret(PSEUDONYMS, webhook.uid)
        assert secret.startswith("whsec_")
        assert webhook.kinds == tuple(EventKind)[:6]

    run(work())


async def taken(service: Service) -> None:
    await register(service, "http://127.0.0.1:9/a")
    other = RegisterWebhook("hook", "http://127.0.0.1:9/b")
    refused = Refused(ConflictError, "WEBHOOK_CONFLICT", ("key",), "with other content")
    await assert_refused(service, webhooks.register(service, other), refused)
    await webhooks.disable(service, "hook")
    same = RegisterWebhook("hook", "http://127.0.0.1:9/a")
    await assert_refused(service, webhooks.register(service, same), refused)


async def hidden(service: Service) -> None:
    command = RegisterWebhook("hook", "http://127.0.0.1:9/", kinds=(EventKind.OBJECTION_FILED,))
    refused = Refused(InvalidInputError, "EVENT_NOT_VISIBLE", ("kinds",), "ml may not be told of OBJECTION_FILED")
    await assert_refused(service, webhooks.register(service, command), refused)


async def unknown(service: Service) -> None:
    refused = Refused(NotFoundError, "WEBHOOK_NOT_FOUND", ("key",), "no such webhook")
    await assert_refused(service, webhooks.disable(service, "nothing"), refused)
    await assert_refused(service, webhooks.list_deliveries(service, "nothing", None, PAGE), refused)
    refused = Refused(NotFoundError, "DELIVERY_NOT_FOUND", ("delivery",), "no such delivery")
    await assert_refused(service, webhooks.replay(service, "nothing"), refused)


@pytest.mark.parametrize("case", [taken, hidden, unknown])
def test_what_is_refused_changes_nothing(run: Run[Any], service: Service, case: Any) -> None:
    run(case(service))


def test_deliveries_come_in_pages(run: Run[Any], service: Service) -> None:
    async def work() -> None:
        await register(service, "http://127.0.0.1:9/")
        await register(service, "http://127.0.0.1:9/", "other")
        await tell(service, *["m:1", "m:2"] * 5)
        await send(service, Terms(timeout=0.5, schedule=Schedule(attempts=1), allow_private=True))

        async def pages(read: Any) -> list[int]:
            found: list[int] = []
            request = PageRequest(first=3)
            while True:
                page = await read(request)
                found += [each.position for each in page.items]
                assert page.total == len(await read_all(read))
                if not page.has_next:
                    return found
                request = PageRequest(3, page.positions[-1])

        async def read_all(read: Any) -> list[Delivery]:
            return list((await read(PAGE)).items)

        newest = list(range(10, 0, -1))
        assert await pages(lambda request: webhooks.list_deliveries(service, "hook", None, request)) == newest
        dead = DeliveryStatus.DEAD
        assert await pages(lambda request: webhooks.list_deliveries(service, "hook", dead, request)) == newest
        both = [number for number in newest for _ in range(2)]
        assert await pages(lambda request: webhooks.list_dead_letters(service, request)) == both
        page = await webhooks.list_webhooks(service, PageRequest(first=1))
        assert ([each.key for each in page.items], page.has_next, page.total) == (["hook"], True, 2)
        page = await webhooks.list_webhooks(service, PageRequest(1, page.positions[-1]))
        assert ([each.key for each in page.items], page.has_next) == (["other"], False)

    run(work())


# ---- retention ------------------------------------------------------------------------------------------------------


async def kept(service: Service) -> list[int]:
    """The positions of the events that are kept."""
    rows = await service.graph.read(
        lambda tx: tx.rows("MATCH (e:Event) RETURN e.position AS position ORDER BY position")
    )
    return [row["position"] for row in rows]


def test_old_events_are_pruned_once_everybody_was_told(run: Run[Any], service: Service, receiver: Receiver) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, "m:1", "m:2")
        assert await retention.prune(service, 1) == 0
        await send(service)
        recent = NewEvent(EventKind.FLAG_CHANGED, "model:m:1", model="m:1")
        now = await service.now()
        await service.graph.write(lambda tx: outbox.append(tx, [recent], now))

        assert await retention.prune(service, 1) == 2
        assert await kept(service) == [3]
        assert [each.position for each in await deliveries(service)] == []

    run(work())


def test_dead_letters_keep_their_events_until_their_webhook_is_disabled(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        receiver.behave = lambda _number, message: Answer(500 if message.sequence == 1 else 200)
        await register(service, receiver.url)
        await tell(service, "m:1", "m:2", "m:3")
        await send_all(service)

        assert await retention.prune(service, 1) == 1
        assert await kept(service) == [1, 3]
        await webhooks.disable(service, "hook")
        assert await retention.prune(service, 1) == 1
        assert await kept(service) == [3]

    run(work())


def test_events_that_nobody_wants_are_pruned_by_their_age_alone_but_for_the_last(
    run: Run[Any], service: Service
) -> None:
    async def work() -> None:
        await tell(service, *["m:1"] * 1500)

        assert await retention.prune(service, 1) == 1499
        assert await kept(service) == [1500]

    run(work())


def test_a_database_restored_to_an_earlier_state_is_followed(
    run: Run[Any], service: Service, receiver: Receiver
) -> None:
    async def work() -> None:
        await register(service, receiver.url)
        await tell(service, *["m:1"] * 5)
        await send(service)

        async def restore(tx: Tx) -> None:
            await tx.rows("MATCH (e:Event) WHERE e.position > 2 DETACH DELETE e")
            await tx.rows("MATCH (r:Revision) SET r.events = 2")

        await service.graph.write(restore)
        (lease,) = await dispatch.take(service, 1, 30) or [None]
        assert lease is None
        await tell(service, "m:2")
        await tell(service, *["m:2"] * 3)
        await send(service)

        assert [each.sequence for each in receiver.messages][5:] == [6]

    run(work())
