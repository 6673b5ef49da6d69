"""Cursors of connections: the position of an item, sealed so that only ours are accepted, each for its own list."""

import base64
import binascii
import hashlib
import hmac
from typing import cast

import orjson

from consentline.domain.errors import InvalidInputError
from consentline.domain.paging import PageRequest, Position

MAX_FIRST = 100
_MAC_BYTES = 12


class Cursors:
    """Encodes and decodes cursors under the service's secret; every process with the same secret accepts them."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.blake2b(secret.encode(), person=b"cursor").digest()

    def encode(self, listing: str, position: Position) -> str:
        """The cursor of the item at `position` of the list named `listing`."""
        payload = orjson.dumps(position)
        return base64.urlsafe_b64encode(self._mac(listing, payload) + payload).rstrip(b"=").decode()

    def decode(self, listing: str, cursor: str) -> Position:
        """The position that a cursor of the list named `listing` stands for.

        Raises:
            InvalidInputError: BAD_CURSOR, when we did not make it, or made it for another list.
        """
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise _bad_cursor() from None
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(listing, payload)):
            raise _bad_cursor()
        return tuple(cast("list[str | int]", orjson.loads(payload)))

    def request(self, listing: str, first: int, after: str | None) -> PageRequest:
        """The page that a client asks for.

        Raises:
            InvalidInputError: FIRST_OUT_OF_RANGE or BAD_CURSOR.
        """
        if not 1 <= first <= MAX_FIRST:
            raise InvalidInputError(f"first lies between 1 and {MAX_FIRST}", code="FIRST_OUT_OF_RANGE", path=("first",))
        return PageRequest(first, None if after is None else self.decode(listing, after))

    def _mac(self, listing: str, payload: bytes) -> bytes:
        # The list's name goes in with its length, so that no name and payload can be cut in two ways.
        name = listing.encode()
        text = len(name).to_bytes(4, "big") + name + payload
        return hashlib.blake2b(text, key=self._key, digest_size=_MAC_BYTES).digest()


def _bad_cursor() -> InvalidInputError:
    return InvalidInputError("after is not a cursor of this list", code="BAD_CURSOR", path=("after",))
