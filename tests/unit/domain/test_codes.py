import pytest

from consentline.domain.codes import check_jurisdiction, check_platform, check_purpose, is_code, is_jurisdiction
from consentline.domain.errors import InvalidInputError


@pytest.mark.parametrize("value", ["FACEBOOK", "X", "AI_TRAINING", "9GAG", "_", "A" * 64])
def test_a_code_is_upper_case_letters_digits_and_underscores(value: str) -> None:
    assert is_code(value)
    assert check_platform(value, "platform") == check_purpose(value, "purpose") == value


NO_CODES = ["facebook", "Facebook", "FACEBOOK ", " FACEBOOK", "FACE BOOK", "FACE-BOOK", "A" * 65, "ÉCOLE"]


@pytest.mark.parametrize("value", NO_CODES)
def test_nothing_else_is(value: str) -> None:
    for check in (check_platform, check_purpose):
        with pytest.raises(InvalidInputError, match="where is not an upper-case code: A to Z") as refused:
            check(value, "input", "where")
        assert (refused.value.code, refused.value.path) == ("INVALID_VALUE", ("input", "where"))


@pytest.mark.parametrize(("value", "code"), [("", "KEY_EMPTY"), (" ", "KEY_EMPTY"), ("A\n", "KEY_CONTROL_CHARACTER")])
def test_what_could_be_no_key_is_refused_as_such(value: str, code: str) -> None:
    assert not is_code(value)
    with pytest.raises(InvalidInputError, match="where ") as refused:
        check_platform(value, "input", "where")
    assert (refused.value.code, refused.value.path) == (code, ("input", "where"))


@pytest.mark.parametrize("value", ["GB", "GB-SCT", "US-CA", "FR-971", "IE", "XK", "AU-NSW", "VU"])
def test_a_jurisdiction_is_a_country_of_iso_3166_or_has_the_form_of_its_subdivision(value: str) -> None:
    assert is_jurisdiction(value)
    assert check_jurisdiction(value, "jurisdiction") == value


NO_JURISDICTIONS = [
    "",
    "gb",
    "GB ",
    "GBR",
    "UK",
    "UK-ENG",
    "EU",
    "XX",
    "ZZ",
    "GB-",
    "GB-SCTL",
    "GB_SCT",
    "gb-SCT",
    "EN",
]


@pytest.mark.parametrize("value", NO_JURISDICTIONS)
def test_no_other_text_is_a_jurisdiction(value: str) -> None:
    with pytest.raises(InvalidInputError, match="place is not a code of ISO 3166-1") as refused:
        check_jurisdiction(value, "place")
    assert (refused.value.code, refused.value.path) == ("INVALID_JURISDICTION", ("place",))


def test_who_writes_uk_is_told_what_it_is_called() -> None:
    with pytest.raises(InvalidInputError, match="the United Kingdom is GB"):
        check_jurisdiction("UK", "jurisdiction")
