"""Messages as webhooks get them: JSON, signed per the Standard Webhooks specification."""

from datetime import UTC, datetime
from typing import Any

import orjson
from standardwebhooks import Webhook as Signature

from consentline.domain.events import OF_DATA, OF_ERASURES, OF_FLAGS, Details, Event
from consentline.domain.sealing import Seal
from consentline.gql.ids import NodeId, NodeKind, encode_id
from consentline.gql.scalars import format_instant

_TIMES = frozenset({"raisedAt", "dueAt", "receivedAt", "decidedAt", "plannedFor"})


def body_of(event: Event, seal: Seal) -> bytes:
    """What is told of an event: the same bytes however often it is sent.

    `sequence` grows with every event of the installation, so a receiver can tell an older one that comes later.
    """
    data: dict[str, Any] = {"sequence": event.position, **_about(event), **_written(event.details)}
    if event.kind in OF_DATA:
        data["posts"] = seal.open(data.pop("sealed"))
    return orjson.dumps({"type": event.kind.value, "timestamp": format_instant(event.at), "data": data})


def _about(event: Event) -> dict[str, Any]:
    if event.kind in OF_FLAGS:
        flag = None if event.flag is None else encode_id(NodeId(NodeKind.RETRAINING_FLAG, event.flag))
        return {"flag": flag, "modelVersion": event.model}
    if event.kind in OF_DATA:
        return {}
    if event.kind in OF_ERASURES:
        return {"erasure": event.erasure}
    return {"objection": event.objection}


def _written(details: Details) -> dict[str, Any]:
    return {
        name: format_instant(value) if name in _TIMES and isinstance(value, int) else value
        for name, value in details.items()
    }


def headers_of(event: Event, body: bytes, secret: str) -> dict[str, str]:
    """The headers of one attempt: the event's id, which stays the same, and a signature over it, time and body."""
    now = datetime.now(UTC)
    return {
        "content-type": "application/json",
        "user-agent": "consentline",
        "webhook-id": event.id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Signature(secret).sign(event.id, now, body.decode()),
    }
