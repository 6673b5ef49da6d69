"""Finding keys in text: as words, wherever they stand."""

import pytest

from consentline.domain.traces import Traces


@pytest.mark.parametrize(
    "text",
    [
        "ana",
        '{"user": "ana"}',
        "ana:1",
        "of ana.",
        "ana/1",
        "post:ana",
        "ana,ben",
        "ana\n",
        "(ana)",
        "ana?",
        "anabana ana",
    ],
)
def test_a_key_is_found_as_a_word(text: str) -> None:
    assert list(Traces(["ana"]).of(text)) == ["ana"]


@pytest.mark.parametrize("text", ["banana", "ana-7", "ana_7", "ana7", "ana@x", "Ana", "", "änana", "anaä"])
def test_a_key_is_not_found_within_a_longer_word(text: str) -> None:
    assert list(Traces(["ana"]).of(text)) == []


def test_of_keys_that_hold_each_other_the_longest_is_found() -> None:
    assert list(Traces(["fb:1", "fb", "fb:1:2"]).of("fb:1:2 fb:1 fb")) == ["fb:1:2", "fb:1", "fb"]


def test_what_means_something_in_patterns_is_a_key_like_any_other() -> None:
    assert list(Traces(["a.*(b", "$"]).of("x a.*(b y $")) == ["a.*(b", "$"]


@pytest.mark.parametrize(
    "text", ['{"k": "zo\\u00eb \\"q\\""}', '{"k": "zoë \\"q\\""}', "/u/zo%C3%AB%20%22q%22?", 'zoë "q"']
)
def test_a_key_is_found_as_json_and_addresses_write_it(text: str) -> None:
    traces = Traces(['zoë "q"'])
    assert list(traces.of(text)) == ['zoë "q"']
    assert any(form in text for form in traces.forms)


def test_no_keys_are_found_nowhere() -> None:
    assert list(Traces([]).of("ana")) == []
