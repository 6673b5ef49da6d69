"""Who may ask what: roles, and what each of them may do (deny by default)."""

from dataclasses import dataclass
from enum import StrEnum

from consentline.domain.errors import ForbiddenError


class Role(StrEnum):
    """What a token's bearer does for a living."""

    ML = "ml"
    COMPLIANCE = "compliance"
    SERVICE = "service"
    AUDITOR = "auditor"
    ADMIN = "admin"


class Action(StrEnum):
    """What a role may be allowed to do; every field of the API needs exactly one of these."""

    READ_LINEAGE = "read lineage"
    READ_PEOPLE = "read people"
    WRITE_LINEAGE = "write lineage"
    WRITE_OBJECTIONS = "write objections"
    FOLLOW_FLAGS = "follow flags"
    INGEST = "ingest records"
    EXPORT_CAMPAIGNS = "export notice campaigns"
    READ_DELIVERIES = "read deliveries"
    MANAGE_WEBHOOKS = "manage webhooks"
    READ_AUDIT = "read the audit"


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.ML: frozenset({Action.READ_LINEAGE, Action.WRITE_LINEAGE, Action.FOLLOW_FLAGS}),
    Role.COMPLIANCE: frozenset(
        {
            Action.READ_LINEAGE,
            Action.READ_PEOPLE,
            Action.WRITE_OBJECTIONS,
            Action.FOLLOW_FLAGS,
            Action.READ_DELIVERIES,
        }
    ),
    Role.SERVICE: frozenset(
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
    Role.AUDITOR: frozenset({Action.READ_LINEAGE, Action.READ_PEOPLE, Action.READ_DELIVERIES, Action.READ_AUDIT}),
    # Who can change everything does not watch over what was changed.
    Role.ADMIN: frozenset(Action) - {Action.READ_AUDIT},
}


@dataclass(frozen=True, slots=True)
class Principal:
    """The bearer of a verified token."""

    role: Role
    token_id: str

    def may(self, action: Action) -> bool:
        """Whether the role allows the action."""
        return action in _ALLOWED[self.role]

    def require(self, action: Action) -> None:
        """Return when the role allows the action.

        Raises:
            ForbiddenError: when it does not.
        """
        if not self.may(action):
            raise ForbiddenError(f"the role {self.role} may not {action}")
