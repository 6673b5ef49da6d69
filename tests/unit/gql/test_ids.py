import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consentline.domain.errors import InvalidInputError
from consentline.gql.ids import NodeId, NodeKind, decode_id, encode_id

KEYS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


@given(kind=st.sampled_from(NodeKind), key=KEYS, number=st.integers(min_value=0))
def test_an_id_leads_back_to_what_it_stands_for(kind: NodeKind, key: str, number: int) -> None:
    assert decode_id(encode_id(NodeId(kind, key, number))) == NodeId(kind, key, number)


def test_the_kind_is_part_of_the_id() -> None:
    assert encode_id(NodeId(NodeKind.POST, "a")) != encode_id(NodeId(NodeKind.USER, "a"))


def encoded(text: bytes) -> str:
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not base64!",
        "é",
        encoded(b"Post"),
        encoded(b"Post:0"),
        encoded(b"Nothing:0:a"),
        encoded(b"Post:x:a"),
        encoded(b"Post:00:a"),
        encoded(b"Post:0:\xff"),
        encoded(b"Post:0:a") + "=",
        encoded(b"Post:0:ab") + "==",
        encoded(b"Post:0:a")[:4] + " " + encoded(b"Post:0:a")[4:],
        encoded(b"Post:0:abc")[:-1] + chr(ord(encoded(b"Post:0:abc")[-1]) + 1),
        encoded("Post:0:\u00bf\u00be?>".encode()).replace("-", "+").replace("_", "/"),
        "\x00",
    ],
)
def test_what_is_no_id_of_ours_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        decode_id(text)

    assert raised.value.code == "BAD_ID"
