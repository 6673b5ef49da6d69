"""The life of an erasure, and when it stops a use."""

from dataclasses import replace

import pytest

from consentline.domain.erasures import (
    Erasure,
    ErasureStatus,
    ErasureTransition,
    check_confirmation,
    check_rejection,
)
from consentline.domain.errors import InvalidInputError, StateError
from consentline.domain.instants import DAY
from tests.unit.domain.factories import NOW, erasure, turned

S = ErasureStatus
RECEIVED = NOW - 10 * DAY
REQUESTED = Erasure("e", "ana", S.REQUESTED, RECEIVED, RECEIVED, due_at=NOW + DAY)


def became(status: ErasureStatus, grounds: str | None = None) -> Erasure:
    return replace(REQUESTED, status=status, history=(ErasureTransition(status, NOW, NOW, "admin", grounds),))


def test_it_is_requested_from_receipt_and_then_what_became_of_it() -> None:
    facts = erasure(turned(S.CONFIRMED, NOW - 5, recorded=NOW - 5), turned(S.DONE, NOW - 3, recorded=NOW - 3))
    assert facts.status_at(facts.received_at - 1, NOW) is None
    assert facts.status_at(facts.received_at, NOW) is S.REQUESTED
    assert facts.status_at(NOW - 5, NOW) is S.CONFIRMED
    assert facts.status_at(NOW, NOW) is S.DONE
    assert facts.status_at(NOW, NOW - 4) is S.CONFIRMED
    assert facts.status_at(NOW, facts.recorded_at - 1) is None


def test_what_was_received_ahead_of_our_clock_holds_from_its_recording() -> None:
    ahead = replace(REQUESTED, received_at=NOW + DAY, recorded_at=NOW)
    assert (ahead.in_force_from, REQUESTED.in_force_from) == (NOW, RECEIVED)


@pytest.mark.parametrize("status", [S.REQUESTED, S.CONFIRMED, S.DONE])
def test_what_stands_can_be_confirmed_again(status: ErasureStatus) -> None:
    check_confirmation(became(status))


def test_what_was_refused_cannot_be_confirmed() -> None:
    with pytest.raises(StateError) as raised:
        check_confirmation(became(S.REFUSED))
    assert (raised.value.code, raised.value.message) == ("ERASURE_WRONG_STATE", "the erasure is REFUSED already")


@pytest.mark.parametrize("status", [S.CONFIRMED, S.DONE, S.REFUSED])
def test_only_what_is_requested_can_be_refused(status: ErasureStatus) -> None:
    with pytest.raises(StateError) as raised:
        check_rejection(became(status), grounds="g", decided_at=NOW, now=NOW)
    assert (raised.value.code, raised.value.message) == ("ERASURE_WRONG_STATE", f"the erasure is {status} already")


@pytest.mark.parametrize("decided_at", [RECEIVED, NOW])
def test_a_refusal_is_told_between_receipt_and_now(decided_at: int) -> None:
    check_rejection(REQUESTED, grounds="not identified", decided_at=decided_at, now=NOW)


@pytest.mark.parametrize(
    ("grounds", "decided_at", "code"),
    [
        (" \n", NOW, "GROUNDS_REQUIRED"),
        ("g", RECEIVED - 1, "DECIDED_AT_OUT_OF_RANGE"),
        ("g", NOW + 1, "DECIDED_AT_OUT_OF_RANGE"),
    ],
)
def test_a_refusal_that_lacks_something_is_refused(grounds: str, decided_at: int, code: str) -> None:
    with pytest.raises(InvalidInputError) as raised:
        check_rejection(REQUESTED, grounds=grounds, decided_at=decided_at, now=NOW)
    assert raised.value.code == code


def test_it_is_overdue_until_everything_is_erased() -> None:
    late = REQUESTED.due_at + 1
    overdue = {status for status in S if became(status).overdue(late)}
    assert overdue == {S.REQUESTED, S.CONFIRMED}
    assert not any(became(status).overdue(REQUESTED.due_at) for status in S)


def test_it_tells_since_when_and_on_which_grounds() -> None:
    refused = became(S.REFUSED, "not identified")
    assert (refused.since(S.REFUSED), refused.grounds) == (NOW, "not identified")
    assert (REQUESTED.since(S.REFUSED), REQUESTED.grounds) == (None, None)
