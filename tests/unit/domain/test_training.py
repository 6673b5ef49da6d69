import pytest

from consentline.domain.errors import InvalidInputError
from consentline.domain.training import model_version_key
from tests.unit.domain.factories import NOW, RECORDED, run, serving


def test_a_model_version_is_named_by_its_model_and_version() -> None:
    assert model_version_key("llama-uk", "2") == "llama-uk:2"
    assert model_version_key("family:llama", "2") == "family:llama:2"


def test_a_version_with_a_colon_is_refused_for_its_key_could_be_read_in_two_ways() -> None:
    with pytest.raises(InvalidInputError) as raised:
        model_version_key("llama", "uk:2")

    assert (raised.value.code, raised.value.path) == ("VERSION_WITH_COLON", ("version",))
    assert "colon" in raised.value.message


def test_a_key_that_becomes_too_long_is_refused() -> None:
    with pytest.raises(InvalidInputError) as raised:
        model_version_key("m" * 255, "2")

    assert (raised.value.code, raised.value.path) == ("KEY_TOO_LONG", ("version",))
    assert model_version_key("m" * 254, "2")


def test_a_run_has_started_when_its_start_is_known() -> None:
    assert run(recorded=NOW).started(NOW)
    assert not run(recorded=NOW).started(NOW - 1)
    assert not run(started=None).started(NOW)


def test_a_product_is_known_from_when_it_was_recorded() -> None:
    produced = run(produced="m:1", produced_recorded=NOW)

    assert produced.product(NOW) == "m:1"
    assert produced.product(NOW - 1) is None
    assert run().product(NOW) is None


def test_a_feature_is_served_from_an_instant_until_another() -> None:
    until_now = serving("f", "m:1", RECORDED, NOW)

    assert until_now.holds(RECORDED)
    assert until_now.holds(NOW - 1)
    assert not until_now.holds(RECORDED - 1)
    assert not until_now.holds(NOW)
    assert serving("f", "m:1", RECORDED).holds(NOW)
