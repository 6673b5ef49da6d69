from collections.abc import Callable
from dataclasses import dataclass

import pytest

from consentline.domain.errors import InvalidInputError, RefusedError, StateError
from consentline.domain.instants import DAY
from consentline.domain.objections import (
    ObjectionFacts,
    ObjectionStatus,
    check_decision,
    check_extension,
    check_receipt,
    check_scope,
    check_withdrawal,
)
from tests.unit.domain.factories import AI, NOW, PUBLISHED, RECORDED, became, filed, objection

PENDING, UPHELD = ObjectionStatus.PENDING, ObjectionStatus.UPHELD
REFUSED, WITHDRAWN = ObjectionStatus.REFUSED, ObjectionStatus.WITHDRAWN
DECIDED = PUBLISHED + DAY


@dataclass(frozen=True)
class Scope:
    name: str
    objection: ObjectionFacts
    expected: bool
    purpose: str = AI
    platform: str = "FACEBOOK"


@pytest.mark.parametrize(
    "case",
    [
        Scope("no platform named means all", objection(), expected=True),
        Scope("a platform that it names", objection(platforms=["THREADS", "FACEBOOK"]), expected=True),
        Scope("a platform that it does not name", objection(platforms=["THREADS"]), expected=False),
        Scope("one of its purposes", objection(purposes=["ADS", AI]), expected=True),
        Scope("another purpose", objection(purposes=["ADS"]), expected=False),
        Scope("its platform for another purpose", objection(purposes=["ADS"], platforms=["FACEBOOK"]), expected=False),
    ],
    ids=lambda case: case.name,
)
def test_an_objection_covers_the_platforms_and_purposes_that_it_names(case: Scope) -> None:
    assert case.objection.covers(case.purpose, case.platform) is case.expected


@dataclass(frozen=True)
class Life:
    name: str
    objection: ObjectionFacts
    expected: ObjectionStatus | None
    at: int = NOW
    known_at: int = NOW


LIVES = (
    Life("received at an instant, at that instant", objection(), PENDING, at=PUBLISHED),
    Life("received at an instant, just before it", objection(), None, at=PUBLISHED - 1),
    Life("recorded at an instant, known then", objection(), PENDING, known_at=RECORDED),
    Life("recorded at an instant, known before it", objection(), None, known_at=RECORDED - 1),
    Life("upheld", objection(became(UPHELD, DECIDED)), UPHELD),
    Life("told at an instant, at that instant", objection(became(REFUSED, DECIDED)), REFUSED, at=DECIDED),
    Life("told at an instant, just before it", objection(became(REFUSED, DECIDED)), PENDING, at=DECIDED - 1),
    Life("the decision is not known yet", objection(became(REFUSED, DECIDED, NOW + 1)), PENDING),
    Life("the decision is known from an instant on", objection(became(REFUSED, DECIDED, NOW)), REFUSED),
    Life("withdrawn", objection(became(WITHDRAWN, DECIDED)), WITHDRAWN),
    Life("told as it was received", objection(became(UPHELD, PUBLISHED)), UPHELD, at=PUBLISHED),
)


@pytest.mark.parametrize("case", LIVES, ids=lambda case: case.name)
def test_an_objection_is_pending_from_receipt_until_the_person_was_told(case: Life) -> None:
    assert case.objection.status_at(case.at, case.known_at) == case.expected


@dataclass(frozen=True)
class Late:
    name: str
    now: int
    expected: bool
    status: ObjectionStatus = PENDING
    extended_to: int | None = None


@pytest.mark.parametrize(
    "case",
    [
        Late("on the last second", NOW, expected=False),
        Late("after it", NOW + 1, expected=True),
        Late("extended", NOW + 1, expected=False, extended_to=NOW + DAY),
        Late("past the extension", NOW + DAY + 1, expected=True, extended_to=NOW + DAY),
        Late("upheld", NOW + 1, expected=False, status=UPHELD),
        Late("refused", NOW + 1, expected=False, status=REFUSED),
        Late("withdrawn", NOW + 1, expected=False, status=WITHDRAWN),
    ],
    ids=lambda case: case.name,
)
def test_only_what_is_undecided_after_its_period_is_overdue(case: Late) -> None:
    found = filed(status=case.status, due=NOW, extended_to=case.extended_to)

    assert found.overdue(case.now) is case.expected


@dataclass(frozen=True)
class Refusal:
    name: str
    attempt: Callable[[], None]
    error: type[RefusedError]
    code: str
    path: tuple[str, ...]
    telling: str


def decide(
    status: ObjectionStatus = PENDING,
    *,
    uphold: bool = False,
    grounds: str | None = "compelling",
    decided_at: int = NOW,
    absolute: bool = False,
) -> None:
    check_decision(
        filed(status=status), uphold=uphold, grounds=grounds, decided_at=decided_at, now=NOW, absolute=absolute
    )


def extend(
    status: ObjectionStatus = PENDING, *, reason: str = "complex", now: int = NOW, extended_to: int | None = None
) -> None:
    check_extension(filed(status=status, due=NOW, extended_to=extended_to), reason=reason, now=now)


DECIDED_ALREADY = ("OBJECTION_ALREADY_DECIDED", ("key",))
REFUSALS = (
    Refusal(
        "an objection without a purpose",
        lambda: check_scope((), ()),
        InvalidInputError,
        "PURPOSE_REQUIRED",
        ("purposes",),
        "at least one purpose",
    ),
    Refusal(
        "a purpose that is no code",
        lambda: check_scope((AI, "ai_training"), ()),
        InvalidInputError,
        "INVALID_VALUE",
        ("purposes",),
        "purposes is not an upper-case code",
    ),
    Refusal(
        "a platform that is no code",
        lambda: check_scope((AI,), ("FACEBOOK ",)),
        InvalidInputError,
        "INVALID_VALUE",
        ("platforms",),
        "platforms is not an upper-case code",
    ),
    Refusal(
        "received more than a day ahead",
        lambda: check_receipt(NOW + DAY + 1, NOW),
        InvalidInputError,
        "TIME_IN_FUTURE",
        ("receivedAt",),
        "more than 24 hours ahead",
    ),
    *(
        Refusal(f"decided when {status}", lambda status=status: decide(status), StateError, *DECIDED_ALREADY, status)
        for status in (UPHELD, REFUSED, WITHDRAWN)
    ),
    *(
        Refusal(
            f"withdrawn when {status}",
            lambda status=status: check_withdrawal(filed(status=status)),
            StateError,
            *DECIDED_ALREADY,
            status,
        )
        for status in (UPHELD, REFUSED, WITHDRAWN)
    ),
    *(
        Refusal(
            f"refused with grounds of {grounds!r}",
            lambda grounds=grounds: decide(grounds=grounds),
            InvalidInputError,
            "GROUNDS_REQUIRED",
            ("grounds",),
            "states its grounds",
        )
        for grounds in (None, "", " \t\n")
    ),
    Refusal(
        "refused where the right is absolute",
        lambda: decide(absolute=True),
        StateError,
        "OBJECTION_ABSOLUTE",
        ("uphold",),
        "Art. 21(3)",
    ),
    *(
        Refusal(
            f"told {when}",
            lambda told=told, uphold=uphold: decide(uphold=uphold, decided_at=told),
            InvalidInputError,
            "DECIDED_AT_OUT_OF_RANGE",
            ("decidedAt",),
            "between receivedAt and now",
        )
        for uphold in (True, False)
        for when, told in (("before receipt", PUBLISHED - 1), ("after now", NOW + 1))
    ),
    *(
        Refusal(f"extended when {status}", lambda status=status: extend(status), StateError, *DECIDED_ALREADY, status)
        for status in (UPHELD, REFUSED, WITHDRAWN)
    ),
    *(
        Refusal(
            f"extended for {reason!r}",
            lambda reason=reason: extend(reason=reason),
            InvalidInputError,
            "REASON_REQUIRED",
            ("reason",),
            "states its reason",
        )
        for reason in ("", " \t\n")
    ),
    Refusal(
        "extended twice",
        lambda: extend(extended_to=NOW + DAY),
        StateError,
        "OBJECTION_ALREADY_EXTENDED",
        ("key",),
        "extended before",
    ),
    Refusal(
        "extended after the first deadline",
        lambda: extend(now=NOW + 1),
        StateError,
        "DEADLINE_PASSED",
        ("key",),
        "deadline has passed",
    ),
)


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case.name)
def test_what_the_law_does_not_allow_is_refused(case: Refusal) -> None:
    with pytest.raises(case.error) as raised:
        case.attempt()

    assert raised.value.code == case.code
    assert raised.value.path == case.path
    assert case.telling in raised.value.message


@pytest.mark.parametrize(
    "attempt",
    [
        lambda: check_receipt(NOW + DAY, NOW),
        lambda: check_withdrawal(filed()),
        lambda: decide(uphold=True, grounds=None),
        lambda: decide(uphold=True, absolute=True),
        lambda: decide(),
        lambda: decide(decided_at=PUBLISHED),
        lambda: extend(now=NOW),
    ],
    ids=[
        "received a day ahead of our clock",
        "withdrawn while it is pending",
        "upheld without grounds",
        "upheld where the right is absolute",
        "refused with grounds, told now",
        "told when it was received",
        "extended in the last second of the first deadline",
    ],
)
def test_what_the_law_allows_goes_through(attempt: Callable[[], None]) -> None:
    attempt()
