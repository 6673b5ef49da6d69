"""Recipients of datasets: recorded, listed, and told of what becomes of posts that they were handed (Art. 19)."""

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

from consentline.domain.errors import NotFoundError
from consentline.domain.events import EventKind, NewEvent
from consentline.domain.pseudonyms import is_digest
from consentline.domain.recipients import Ground, Recipient, notices
from consentline.domain.sealing import Seal
from consentline.domain.webhooks import WebhookStatus
from consentline.graph import objections, recipients, upper, webhooks
from consentline.graph.session import Tx
from consentline.usecases.audit import decide
from consentline.usecases.service import Service


@dataclass(frozen=True, slots=True)
class RecordRecipient:
    """To whom a dataset was handed on, and by which webhook they are told."""

    dataset: str
    key: str
    name: str
    webhook: str | None = None


async def record(service: Service, command: RecordRecipient) -> Recipient:
    """Record a recipient, who is told of what happens from now on; recorded again, the name and webhook are the new.

    Raises:
        NotFoundError: there is no such dataset, or no such webhook that is served.
    """

    async def work(tx: Tx) -> Recipient:
        await upper.lock(tx)
        if command.webhook is not None:
            webhook = await webhooks.find(tx, command.webhook)
            if webhook is None or webhook.status is not WebhookStatus.ACTIVE:
                raise NotFoundError("there is no such webhook", code="WEBHOOK_NOT_FOUND", path=("webhook",))
        now = await upper.recording_time(tx)
        wanted = Recipient(command.dataset, command.key, command.name, command.webhook, now)
        recorded = await recipients.record(tx, wanted)
        if recorded is None:
            raise NotFoundError("there is no such dataset", code="DATASET_NOT_FOUND", path=("dataset",))
        # Who looked for recipients without the guard looks again.
        await upper.mark_changed(tx)
        return recorded

    return await decide(service, work)


async def of_dataset(service: Service, dataset: str) -> list[Recipient]:
    """The recipients of a dataset, by key."""
    return await service.graph.read(lambda tx: recipients.of_dataset(tx, dataset))


async def notices_of(
    tx: Tx,
    service: Service,
    kind: EventKind | None,
    ground: Ground,
    reference: str,
    user: str,
    platforms: Collection[str],
) -> list[NewEvent]:
    """What recipients are told when a claim of a person changes, about the posts of datasets that they were handed.

    Those that the person wrote, and that depict them; of the platforms named, or of all. Nothing once the person was
    erased: the keys under which posts were handed on are gone, and the erasure was told.
    """
    if kind is None or is_digest(user):
        return []
    everybody = await recipients.list_all(tx)
    if not everybody:
        return []
    posts: defaultdict[str, set[str]] = defaultdict(set)
    # Posts of others that depict the person are not erased: they stay restricted.
    depicting = kind is not EventKind.DATA_ERASED
    for group in await objections.scoped_posts(tx, [user], named=True):
        if group.depicting and not depicting:
            continue
        if not platforms or group.platform is None or group.platform in platforms:
            for membership in group.memberships:
                posts[membership.dataset].update(group.keys)
    seal = Seal(service.pseudonyms)
    return [
        event
        for each in everybody
        if each.dataset in posts
        for event in notices(kind, each, ground, reference, posts[each.dataset], seal)
    ]
