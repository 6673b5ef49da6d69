"""Webhooks: registered, disabled and read; their deliveries listed and sent again."""

import uuid
from dataclasses import dataclass

from consentline.domain.access import Role
from consentline.domain.errors import ConflictError, NotFoundError, StateError
from consentline.domain.events import EventKind
from consentline.domain.paging import Page, PageRequest
from consentline.domain.webhooks import (
    Delivery,
    DeliveryStatus,
    Webhook,
    WebhookStatus,
    check_kinds,
    check_url,
    key_check,
    signing_secret,
)
from consentline.graph import deliveries, delivery_lists, upper, webhooks
from consentline.graph.session import Tx
from consentline.usecases.audit import decide
from consentline.usecases.service import Service

_CLOSED_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class RegisterWebhook:
    """Where to tell what: no kind named means all that the role may see, no model version means all."""

    key: str
    url: str
    role: Role = Role.ML
    kinds: tuple[EventKind, ...] = ()
    model: str | None = None

    def same_as(self, webhook: Webhook) -> bool:
        """Whether the recorded webhook says the same."""
        kinds = check_kinds(self.role, self.kinds)
        mine = (self.url, self.role, kinds, self.model)
        return mine == (webhook.url, webhook.role, webhook.kinds, webhook.model)


async def register(service: Service, command: RegisterWebhook) -> tuple[Webhook, str | None]:
    """Register a webhook that is told of what happens from now on; repeating it changes nothing.

    Answers it with the secret that its deliveries are signed with, None when it was registered before: nobody is shown
    a secret twice.

    Raises:
        InvalidInputError: the URL cannot be sent to, or a kind may not be seen by the role.
        ConflictError: the key stands for another webhook, or for one that was disabled.
    """
    check_url(command.url, allow_private=service.private_webhooks)
    kinds = check_kinds(command.role, command.kinds)
    uid = f"wh_{uuid.uuid4().hex}"

    async def work(tx: Tx) -> Webhook:
        wanted = Webhook(
            uid=uid,
            key=command.key,
            url=command.url,
            role=command.role,
            kinds=kinds,
            model=command.model,
            status=WebhookStatus.ACTIVE,
            registered_at=await upper.recording_time(tx),
            disabled_at=None,
            position=0,
            key_check=key_check(service.pseudonyms, uid),
        )
        webhook = await webhooks.register(tx, wanted)
        if webhook.uid != uid and not (command.same_as(webhook) and webhook.status is WebhookStatus.ACTIVE):
            raise ConflictError(
                "a webhook of this key is recorded with other content, or is disabled",
                code="WEBHOOK_CONFLICT",
                path=("key",),
            )
        return webhook

    webhook = await decide(service, work)
    return webhook, signing_secret(service.pseudonyms, uid) if webhook.uid == uid else None


async def disable(service: Service, key: str) -> Webhook:
    """Serve a webhook no more: what was still to be sent is dropped. Repeating it finishes what was left.

    A delivery under way may still arrive.

    Raises:
        NotFoundError: there is no such webhook.
    """

    async def work(tx: Tx) -> Webhook:
        webhook = _get(await webhooks.lock(tx, key))
        if webhook.status is not WebhookStatus.DISABLED:
            await webhooks.end(tx, webhook.uid, WebhookStatus.DISABLED, await upper.recording_time(tx))
        return webhook

    webhook = await decide(service, work)
    await close(service, webhook, DeliveryStatus.DROPPED, "WEBHOOK_DISABLED")
    return _get(await find(service, key))


async def close(service: Service, webhook: Webhook, status: DeliveryStatus, error: str) -> None:
    """End what was still to be sent to a webhook that is served no more."""

    async def work(tx: Tx) -> int:
        await webhooks.lock(tx, webhook.key)
        now = await upper.recording_time(tx)
        return await deliveries.close(tx, webhook.uid, status, error, now, _CLOSED_AT_ONCE)

    while await service.graph.write(work) == _CLOSED_AT_ONCE:
        pass


async def find(service: Service, key: str) -> Webhook | None:
    """The webhook as it stands."""
    return await service.graph.read(lambda tx: webhooks.find(tx, key))


async def of_deliveries(service: Service, found: list[Delivery]) -> dict[str, Webhook]:
    """The webhooks that the deliveries go to, by uid."""
    return await service.graph.read(lambda tx: webhooks.of_uids(tx, {each.webhook for each in found}))


async def list_webhooks(service: Service, request: PageRequest) -> Page[Webhook]:
    """Webhooks by their key."""
    return await service.graph.read(lambda tx: webhooks.page(tx, request))


async def list_deliveries(
    service: Service, key: str, status: DeliveryStatus | None, request: PageRequest
) -> Page[Delivery]:
    """The deliveries to a webhook, the newest event first.

    Raises:
        NotFoundError: there is no such webhook.
    """

    async def work(tx: Tx) -> Page[Delivery]:
        webhook = _get(await webhooks.find(tx, key))
        return await delivery_lists.page_of_webhook(tx, webhook.uid, status, request)

    return await service.graph.read(work)


async def list_dead_letters(service: Service, request: PageRequest) -> Page[Delivery]:
    """What was given up, to whatever webhook, the newest event first."""
    return await service.graph.read(lambda tx: delivery_lists.page_of_status(tx, DeliveryStatus.DEAD, request))


async def find_delivery(service: Service, delivery: str) -> Delivery | None:
    """The delivery as it stands."""
    return await service.graph.read(lambda tx: delivery_lists.find(tx, delivery))


async def replay(service: Service, delivery: str) -> Delivery:
    """Send a delivery again, with the same id, as the next of its lane; one that is still to be sent stays as it is.

    Raises:
        NotFoundError: there is no such delivery (any more).
        StateError: its webhook is disabled.
    """

    async def work(tx: Tx) -> Delivery:
        found = await delivery_lists.find(tx, delivery)
        if found is None:
            raise NotFoundError("there is no such delivery", code="DELIVERY_NOT_FOUND", path=("delivery",))
        (webhook,) = (await webhooks.of_uids(tx, [found.webhook])).values()
        standing = _get(await webhooks.lock(tx, webhook.key))
        if standing.status is not WebhookStatus.ACTIVE:
            raise StateError(
                f"the webhook {standing.key} is {standing.status}", code="WEBHOOK_NOT_ACTIVE", path=("delivery",)
            )
        await deliveries.replay(tx, delivery, await upper.recording_time(tx))
        return await delivery_lists.find(tx, delivery) or found

    return await decide(service, work)


def _get(webhook: Webhook | None) -> Webhook:
    if webhook is None:
        raise NotFoundError("there is no such webhook", code="WEBHOOK_NOT_FOUND", path=("key",))
    return webhook
