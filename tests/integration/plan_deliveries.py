"""Webhooks and deliveries, called once in each of the graphs of `plan_graphs`; see `plan_operations`."""

from consentline.domain.access import Role
from consentline.domain.events import EventKind, NewEvent
from consentline.domain.paging import PageRequest
from consentline.domain.webhooks import DeliveryStatus
from consentline.graph import outbox
from consentline.usecases import dispatch, recipients, retention, webhooks
from consentline.usecases.dispatch import Attempt
from consentline.usecases.recipients import RecordRecipient
from consentline.usecases.webhooks import RegisterWebhook
from tests.integration.plan_operations import Caller

PAGE = PageRequest(first=20)
LEASE = 60.0


async def deliver(caller: Caller) -> None:
    """A webhook from its registration to its end, with an attempt of every outcome, and what people look at."""
    call, size = caller.call, caller.size
    hook, lost = f"{size}-hook", f"{size}-lost"
    command = RegisterWebhook(hook, "https://hooks.example/", Role.COMPLIANCE)
    await call("register_webhook", webhooks.register, command)
    await call("record_recipient", recipients.record, RecordRecipient("side", f"{size}-lab", "a laboratory", hook))
    await call("recipients_of_dataset", recipients.of_dataset, "side")
    # What follows in the larger graph must not do more than in the smaller one because of who was recorded here.
    await caller.service.graph.write(lambda tx: tx.rows("MATCH (r:Recipient) DETACH DELETE r"))
    await call("find_webhook", webhooks.find, hook)
    await call("list_webhooks", webhooks.list_webhooks, PageRequest(first=1))
    await tell(caller, 40)
    (lease,) = await call("take", dispatch.take, 10, LEASE)
    await call("step(queue)", dispatch.step, lease, LEASE, [], [], 8)
    due = (await call("step(due)", dispatch.step, lease, LEASE, [], [], 8)).due
    outcomes = [DeliveryStatus.DELIVERED, DeliveryStatus.DEAD, DeliveryStatus.PENDING]
    attempts = [Attempt(each.id, 1, outcomes[number % 3], 500, None, 1) for number, each in enumerate(due)]
    await call("step(record)", dispatch.step, lease, LEASE, attempts, [], 8)
    await call("release", dispatch.release, lease)
    await call("list_deliveries", webhooks.list_deliveries, hook, None, PAGE)
    await call("list_deliveries(DEAD)", webhooks.list_deliveries, hook, DeliveryStatus.DEAD, PAGE)
    dead = (await call("list_dead_letters", webhooks.list_dead_letters, PAGE)).items
    await call("replay", webhooks.replay, dead[0].id)
    await call("of_deliveries", webhooks.of_deliveries, [dead[0]])
    await call("disable", webhooks.disable, hook)
    command = RegisterWebhook(lost, "https://hooks.example/")
    await webhooks.register(caller.service, command)
    await tell(caller, 10)
    (lease,) = await dispatch.take(caller.service, 10, LEASE)
    await dispatch.step(caller.service, lease, LEASE, [], [], 8)
    await call("give_up", dispatch.give_up, lease)
    await call("prune", retention.prune, 500)
    await call("last_event", lambda service: service.graph.read(outbox.last))
    await call("find_position", lambda service: service.graph.read(lambda tx: outbox.find_position(tx, "evt_500")))


async def tell(caller: Caller, count: int) -> None:
    """Events, in lanes of two each."""
    lanes = [f"model:{number // 2}" for number in range(count)]
    events = [NewEvent(EventKind.FLAG_CHANGED, each, {}, model=each) for each in lanes]
    now = await caller.service.now()
    await caller.service.graph.write(lambda tx: outbox.append(tx, events, now))
