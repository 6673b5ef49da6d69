from dataclasses import dataclass

import pytest

from consentline.domain.access import Action, Principal, Role
from consentline.domain.errors import ForbiddenError


@dataclass(frozen=True)
class Rights:
    role: Role
    actions: frozenset[Action]


RIGHTS = (
    Rights(Role.ML, frozenset({Action.READ_LINEAGE, Action.WRITE_LINEAGE, Action.FOLLOW_FLAGS})),
    Rights(
        Role.COMPLIANCE,
        frozenset(
            {
                Action.READ_LINEAGE,
                Action.READ_PEOPLE,
                Action.WRITE_OBJECTIONS,
                Action.FOLLOW_FLAGS,
                Action.READ_DELIVERIES,
            }
        ),
    ),
    Rights(
        Role.SERVICE,
        frozenset(
            {
                Action.READ_LINEAGE,
                Action.READ_PEOPLE,
                Action.WRITE_OBJECTIONS,
                Action.FOLLOW_FLAGS,
                Action.INGEST,
                Action.EXPORT_CAMPAIGNS,
                Action.READ_DELIVERIES,
                Action.MANAGE_WEBHOOKS,
            }
        ),
    ),
    Rights(
        Role.AUDITOR, frozenset({Action.READ_LINEAGE, Action.READ_PEOPLE, Action.READ_DELIVERIES, Action.READ_AUDIT})
    ),
    Rights(Role.ADMIN, frozenset(Action) - {Action.READ_AUDIT}),
)


def test_every_role_is_judged_here() -> None:
    assert {rights.role for rights in RIGHTS} == set(Role)


@pytest.mark.parametrize("rights", RIGHTS, ids=lambda rights: str(rights.role))
def test_a_role_may_do_what_its_work_needs_and_nothing_else(rights: Rights) -> None:
    principal = Principal(rights.role, "token")

    assert {action for action in Action if principal.may(action)} == rights.actions


def test_an_auditor_changes_nothing() -> None:
    changing = {
        Action.WRITE_LINEAGE,
        Action.WRITE_OBJECTIONS,
        Action.FOLLOW_FLAGS,
        Action.INGEST,
        Action.MANAGE_WEBHOOKS,
    }

    assert not any(Principal(Role.AUDITOR, "token").may(action) for action in changing)


def test_machine_learning_sees_no_people() -> None:
    assert not Principal(Role.ML, "token").may(Action.READ_PEOPLE)


def test_what_a_role_may_do_is_let_through() -> None:
    Principal(Role.AUDITOR, "token").require(Action.READ_PEOPLE)


def test_what_a_role_may_not_do_is_refused_by_name() -> None:
    with pytest.raises(ForbiddenError) as raised:
        Principal(Role.ML, "token").require(Action.READ_PEOPLE)

    assert raised.value.code == "FORBIDDEN"
    assert raised.value.message == "the role ml may not read people"
