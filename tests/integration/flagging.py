"""What the tests of causes and flags read: causes as they stand, and flags in the order in which they were raised."""

from typing import Any

from consentline.domain.flags import RetrainingFlag
from consentline.domain.paging import PageRequest
from consentline.graph import causes as graph_causes
from consentline.graph.session import Tx
from consentline.usecases import flags
from consentline.usecases.service import Service
from tests.integration.asking import source_name

Causes = dict[str, dict[tuple[str, str], int]]
"""By model version: the standing causes of its open flag by source and kind, with how many posts each concerns."""


async def open_causes(service: Service) -> Causes:
    """Every open flag with its causes."""
    found: Causes = {}
    for flag in await every_flag(service):
        if flag.resolution is None:

            async def read(tx: Tx, uid: str = flag.uid) -> list[graph_causes.HeldCause]:
                return await graph_causes.of_flag(tx, uid, None)

            held = await service.graph.read(read)
            found[flag.model_version] = {
                (source_name(each.cause.source), str(each.cause.kind)): each.cause.posts for each in held
            }
    return found


async def every_flag(service: Service, model: str | None = None) -> list[RetrainingFlag]:
    """The flags of a model version, or of all, in the order in which they were raised."""
    page = await flags.list_flags(service, None, model, PageRequest(100))
    assert not page.has_next
    return list(page.items)


async def only_flag(service: Service, model: str) -> RetrainingFlag:
    """The one flag that the model version ever had."""
    (flag,) = await every_flag(service, model)
    return flag


def deleted(post: str, since: str = "2025-06-01T00:00:00Z") -> dict[str, Any]:
    return {"kind": "post_deleted", "post": post, "valid_from": since}


def shown(post: str, visibility: str, since: str = "2025-06-01T00:00:00Z") -> dict[str, Any]:
    return {"kind": "visibility", "post": post, "visibility": visibility, "valid_from": since}


def said(person: str, status: str, since: str = "2025-06-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    return {"kind": "consent", "user": person, "status": status, "purpose": "AI_TRAINING", "valid_from": since} | more
