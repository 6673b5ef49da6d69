"""Relay ids: opaque to clients, kind and key to us."""

import base64
import binascii
from enum import StrEnum
from typing import NamedTuple

from consentline.domain.errors import InvalidInputError
from consentline.domain.keys import check_not_reserved


class NodeKind(StrEnum):
    """The types that implement `Node`, by their GraphQL name."""

    USER = "User"
    POST = "Post"
    POLICY = "Policy"
    DATASET = "Dataset"
    DATASET_VERSION = "DatasetVersion"
    TRAINING_RUN = "TrainingRun"
    MODEL_VERSION = "ModelVersion"
    FEATURE = "Feature"
    OBJECTION = "Objection"
    ERASURE = "Erasure"
    RETRAINING_FLAG = "RetrainingFlag"
    WEBHOOK = "Webhook"
    DELIVERY = "Delivery"


class NodeId(NamedTuple):
    """What an id stands for; `number` is that of a dataset version or the version of a policy, else 0."""

    kind: NodeKind
    key: str
    number: int = 0


def encode_id(node: NodeId) -> str:
    """The id that clients see: base64url without padding."""
    text = f"{node.kind}:{node.number}:{node.key}"
    return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()


def decode_id(text: str) -> NodeId:
    """What a client's id stands for, whether it is recorded or not.

    Raises:
        InvalidInputError: BAD_ID, when it is none of ours.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        kind, number, key = raw.split(":", 2)
        node = NodeId(NodeKind(kind), key, int(number))
    except (ValueError, binascii.Error):
        raise _bad_id() from None
    if encode_id(node) != text:
        raise _bad_id()
    return node


_OF_PEOPLE = frozenset({NodeKind.USER, NodeKind.POST, NodeKind.OBJECTION, NodeKind.ERASURE})


def asked_id(text: str) -> NodeId:
    """What a client asks about by an id, as `decode_id`.

    Raises:
        InvalidInputError: BAD_ID; or KEY_RESERVED, when it stands for something erased, which is asked about by the key
            that it had.
    """
    node = decode_id(text)
    if node.kind in _OF_PEOPLE:
        check_not_reserved(node.key, "id")
    return node


def _bad_id() -> InvalidInputError:
    return InvalidInputError("this is not an id that the API gave out", code="BAD_ID", path=("id",))
