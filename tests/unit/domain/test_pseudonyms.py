"""Digests that stand for natural keys."""

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from consentline.domain.pseudonyms import Pseudonyms


def test_a_digest_is_the_hmac_of_the_kind_and_the_key() -> None:
    wanted = hmac.new(b"secret", b"User\x00facebook:1", hashlib.sha256).hexdigest()
    assert Pseudonyms(b"secret").of("User", "facebook:1") == f"hmac-sha256:{wanted}"


def test_another_kind_another_key_and_another_secret_give_another_digest() -> None:
    pseudonyms = Pseudonyms(b"secret")
    digests = {
        pseudonyms.of("User", "a"),
        pseudonyms.of("Post", "a"),
        pseudonyms.of("User", "b"),
        Pseudonyms(b"other").of("User", "a"),
    }
    assert len(digests) == 4


def test_the_secret_is_not_shown() -> None:
    assert "secret" not in repr(Pseudonyms(b"secret"))


def test_keys_derived_for_a_purpose_are_those_of_rfc_5869() -> None:
    secret = b"a secret of thirty-two bytes or more"
    expected = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"some purpose").derive(secret)

    assert Pseudonyms(secret).derived("some purpose") == expected
    assert Pseudonyms(secret).derived("another") != expected
