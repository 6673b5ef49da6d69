"""Keyed digests that stand for natural keys: who has the key can ask, who browses what is stored finds nobody.

This is pseudonymisation, not anonymisation (UK GDPR Art. 4(5)): what stands under a digest stays personal data until
the secret is destroyed.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass, field

PREFIX = "hmac-sha256:"
"""What every digest begins with; no natural key may (`domain/keys.py`)."""
_DIGEST = re.compile(re.escape(PREFIX) + "[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Digests natural keys under a secret that lies outside the database (HMAC-SHA-256, RFC 2104)."""

    _secret: bytes = field(repr=False)
    _keyed: hmac.HMAC = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Prepare the key once: copies of it cost a tenth of preparing it for each digest."""
        object.__setattr__(self, "_keyed", hmac.new(self._secret, digestmod=hashlib.sha256))

    def of(self, label: str, key: str) -> str:
        """The digest of a key of one kind of thing ("User", "Post"): the same each time, another for another kind."""
        digest = self._keyed.copy()
        digest.update(f"{label}\x00{key}".encode())
        return PREFIX + digest.hexdigest()

    def derived(self, purpose: str) -> bytes:
        """32 bytes for one purpose, independent of every other's and of digests (HKDF-SHA-256, RFC 5869, no salt)."""
        extracted = hmac.new(bytes(32), self._secret, hashlib.sha256).digest()
        return hmac.new(extracted, f"{purpose}\x01".encode(), hashlib.sha256).digest()

    @property
    def check(self) -> str:
        """A value by which the same secret is known again, and from which it cannot be found."""
        return self.of("Secret", "check")

    def either(self, label: str, key: str) -> list[str]:
        """The keys under which something may be stored: its own, and the digest that stands for it once erased."""
        return [key, self.of(label, key)]


def is_digest(key: str) -> bool:
    """Whether this is a digest already: what stands for an erased person's key."""
    return _DIGEST.fullmatch(key) is not None
