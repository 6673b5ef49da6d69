"""Keys sealed for a while: encrypted under a secret that lies outside the database, for what must be told on."""

import base64
import json
import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from consentline.domain.pseudonyms import Pseudonyms

_NONCE_BYTES = 12
_PURPOSE = "keys in notices to recipients"


class Seal:
    """Closes and opens lists of keys (AES-256-GCM, a fresh nonce each)."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._cipher = AESGCM(pseudonyms.derived(_PURPOSE))

    def close(self, keys: Sequence[str]) -> str:
        """The keys, sealed: the text tells nothing but about how long they are."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, json.dumps(list(keys)).encode(), None)).decode()

    def open(self, sealed: str) -> list[str]:
        """The keys that were sealed.

        Raises:
            cryptography.exceptions.InvalidTag: it was changed, or sealed under another secret.
        """
        raw = base64.b64decode(sealed)
        return json.loads(self._cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], None))
