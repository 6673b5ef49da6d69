"""Relay ids: opaque to clients, kind and key to us."""

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


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_+/", b"+/==")
_KINDS = {kind.value: kind for kind in NodeKind}


def encode_id(node: NodeId) -> str:
    """The id that clients see: base64url without padding."""
    return _base64(f"{node.kind.value}:{node.number}:{node.key}".encode()).translate(_TO_URL).decode()


def decode_id(text: str) -> NodeId:
    """What a client's id stands for, whether it is recorded or not.

    Raises:
        InvalidInputError: BAD_ID, when it is none of ours.
    """
    try:
        encoded = text.encode("ascii").translate(_FROM_URL)
        raw = binascii.a2b_base64(encoded + b"==")
        kind, digits, key = raw.decode().split(":", 2)
        node = NodeId(_KINDS[kind], key, 0 if digits == "0" else _number(digits))
    except (ValueError, KeyError):
        raise _bad_id() from None
    # One id for one node: nothing that the decoder skips, no bits beyond the last byte.
    if _base64(raw) != encoded:
        raise _bad_id()
    return node


def _number(digits: str) -> int:
    number = int(digits)
    if str(number) != digits:
        raise ValueError(digits)
    return number


def _base64(raw: bytes) -> bytes:
    return binascii.b2a_base64(raw, newline=False).rstrip(b"=")


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
