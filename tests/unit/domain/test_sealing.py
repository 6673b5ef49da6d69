"""Keys sealed for a while: only who has the secret reads them."""

import pytest
from cryptography.exceptions import InvalidTag

from consentline.domain.pseudonyms import Pseudonyms
from consentline.domain.sealing import Seal

MINE, OTHER = Pseudonyms(b"a secret of thirty-two bytes or more"), Pseudonyms(b"another secret of thirty-two bytes..")


def test_what_was_sealed_is_opened_and_tells_nothing_before() -> None:
    keys = ["p1", "a key with \u00e9"]
    sealed = Seal(MINE).close(keys)

    assert Seal(MINE).open(sealed) == keys
    assert "p1" not in sealed
    assert Seal(MINE).close(keys) != sealed


def test_another_secret_opens_nothing() -> None:
    with pytest.raises(InvalidTag):
        Seal(OTHER).open(Seal(MINE).close(["p1"]))
