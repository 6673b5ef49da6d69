from collections.abc import Callable
from dataclasses import dataclass

import pytest

from consentline.domain.errors import InvalidInputError, RefusedError, StateError
from consentline.domain.flags import (
    FlagResolution,
    FlagStatus,
    RetrainingFlag,
    check_acknowledgement,
    check_resolution,
    check_scheduling,
)
from tests.unit.domain.factories import NOW, RECORDED

OPEN, ACKNOWLEDGED = FlagStatus.OPEN, FlagStatus.ACKNOWLEDGED
SCHEDULED, RESOLVED = FlagStatus.SCHEDULED, FlagStatus.RESOLVED
RETRAINED, RETIRED = FlagResolution.RETRAINED, FlagResolution.RETIRED
NOT_REQUIRED = FlagResolution.NOT_REQUIRED


def flag(status: FlagStatus = OPEN) -> RetrainingFlag:
    return RetrainingFlag("uid", "m:1", status, None, RECORDED, NOW, None, None)


def resolve(
    resolution: FlagResolution,
    status: FlagStatus = OPEN,
    *,
    replacement: str | None = None,
    justification: str | None = None,
    serves: tuple[str, ...] = (),
) -> None:
    check_resolution(flag(status), resolution, replacement=replacement, justification=justification, serves=serves)


@dataclass(frozen=True)
class Refusal:
    name: str
    attempt: Callable[[], None]
    error: type[RefusedError]
    code: str
    path: tuple[str, ...]
    telling: str


WRONG_STATE = (StateError, "FLAG_WRONG_STATE", ("flag",))
REPLACEMENT = (InvalidInputError, "REPLACEMENT_REQUIRED", ("replacement",))
JUSTIFICATION = (InvalidInputError, "JUSTIFICATION_REQUIRED", ("justification",), "states its justification")
REFUSALS = (
    Refusal("acknowledged when scheduled", lambda: check_acknowledgement(flag(SCHEDULED)), *WRONG_STATE, "SCHEDULED"),
    Refusal("acknowledged when resolved", lambda: check_acknowledgement(flag(RESOLVED)), *WRONG_STATE, "RESOLVED"),
    Refusal("scheduled when resolved", lambda: check_scheduling(flag(RESOLVED), NOW, NOW), *WRONG_STATE, "RESOLVED"),
    Refusal(
        "scheduled in the past",
        lambda: check_scheduling(flag(), NOW - 1, NOW),
        InvalidInputError,
        "PLANNED_IN_PAST",
        ("plannedFor",),
        "in the past",
    ),
    Refusal("resolved again", lambda: resolve(RETIRED, RESOLVED), *WRONG_STATE, "RESOLVED already"),
    Refusal("retrained into nothing", lambda: resolve(RETRAINED), *REPLACEMENT, "names a replacement"),
    Refusal("retrained into itself", lambda: resolve(RETRAINED, replacement="m:1"), *REPLACEMENT, "replace itself"),
    Refusal("retired for a replacement", lambda: resolve(RETIRED, replacement="m:2"), *REPLACEMENT, "only that"),
    Refusal(
        "not required, with a replacement",
        lambda: resolve(NOT_REQUIRED, replacement="m:2", justification="none"),
        *REPLACEMENT,
        "only that",
    ),
    Refusal("not required, without a word", lambda: resolve(NOT_REQUIRED), *JUSTIFICATION),
    Refusal("not required, with a blank", lambda: resolve(NOT_REQUIRED, justification=" \n"), *JUSTIFICATION),
    Refusal(
        "retired in service",
        lambda: resolve(RETIRED, serves=("ads", "feed")),
        StateError,
        "MODEL_IN_SERVICE",
        ("resolution",),
        "m:1 still serves ads, feed",
    ),
)


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_a_step_that_a_flag_may_not_take_is_refused(case: Refusal) -> None:
    with pytest.raises(case.error) as raised:
        case.attempt()

    assert raised.value.code == case.code
    assert raised.value.path == case.path
    assert case.telling in raised.value.message


@pytest.mark.parametrize("status", [OPEN, ACKNOWLEDGED, SCHEDULED])
def test_a_flag_that_is_not_resolved_may_be_planned_for_and_resolved(status: FlagStatus) -> None:
    check_scheduling(flag(status), NOW, NOW)
    resolve(RETRAINED, status, replacement="m:2")
    resolve(RETIRED, status)
    resolve(NOT_REQUIRED, status, justification="a false alarm")


@pytest.mark.parametrize("status", [OPEN, ACKNOWLEDGED])
def test_an_open_flag_is_acknowledged_once_or_again(status: FlagStatus) -> None:
    check_acknowledgement(flag(status))
