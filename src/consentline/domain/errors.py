"""The one tree of errors; codes are stable and public, messages are for people and may change.

    ConsentlineError
    ├── RefusedError                the caller's input or the state of the record does not allow it
    │   ├── InvalidInputError       malformed: the value itself is wrong
    │   ├── NotFoundError           names something that is not recorded
    │   ├── ConflictError           contradicts what is recorded already
    │   └── StateError              the thing named is not in a state that allows it
    ├── AccessError
    │   ├── UnauthenticatedError    no token, or not one of ours
    │   └── ForbiddenError          this role may not
    ├── NotImplementedYetError      announced in the schema, not built yet
    ├── DatabaseUnavailableError    the graph cannot be reached now
    ├── AuditUnavailableError       what is to be audited could not be
    ├── MigrationError              the graph's schema is not the one this code expects
    ├── SettingsError               a CONSENTLINE_* variable is wrong
    └── EmbeddedError               the loopback Neo4j cannot be fetched, started or stopped

Nothing here knows HTTP or GraphQL: `gql/errors.py` and `web/errors.py` map the tree once each. A message never holds
a secret; one that quotes a person's key is marked `private` and is not logged.
"""

from collections.abc import Sequence


class ConsentlineError(Exception):
    """The root: every error has a stable `code` and a human `message`."""

    code: str = "INTERNAL"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class RefusedError(ConsentlineError):
    """The request was understood and refused; nothing was changed.

    `path` leads into the caller's input (field names), empty when the whole input is meant.
    """

    code = "REFUSED"

    def __init__(self, message: str, *, code: str | None = None, path: Sequence[str] = ()) -> None:
        super().__init__(message, code=code)
        self.path = tuple(path)


class InvalidInputError(RefusedError):
    """A value is malformed: wrong type, out of range, no offset, too long."""

    code = "INVALID_INPUT"


class NotFoundError(RefusedError):
    """The input names something that is not recorded."""

    code = "NOT_FOUND"


class ConflictError(RefusedError):
    """The input contradicts an immutable fact that is recorded already; the first stays."""

    code = "CONFLICT"


class StateError(RefusedError):
    """The thing named is not in a state that allows this."""

    code = "WRONG_STATE"


class AccessError(ConsentlineError):
    """The caller may not do this."""


class UnauthenticatedError(AccessError):
    """No token, an expired one, or one that we did not sign."""

    code = "UNAUTHENTICATED"


class ForbiddenError(AccessError):
    """The caller's role may not see or do this."""

    code = "FORBIDDEN"


class NotImplementedYetError(ConsentlineError):
    """Announced in the schema and not built yet; never a wrong answer instead."""

    code = "NOT_IMPLEMENTED"


class DatabaseUnavailableError(ConsentlineError):
    """The graph cannot be reached now; the same request may succeed later."""

    code = "DATABASE_UNAVAILABLE"


class AuditUnavailableError(ConsentlineError):
    """The audit entry cannot be written, so what it is about is not answered; the same request may succeed later."""

    code = "AUDIT_UNAVAILABLE"

    def __init__(self) -> None:
        super().__init__("the audit entry cannot be written, so there is no answer")


class MigrationError(ConsentlineError):
    """The graph's schema is not the one that this version of the code expects."""

    code = "MIGRATION"


class SettingsError(ConsentlineError):
    """A CONSENTLINE_* variable is missing or wrong; the message names it."""

    code = "SETTINGS"


class EmbeddedError(ConsentlineError):
    """The loopback Neo4j cannot be fetched, started or stopped."""

    code = "EMBEDDED"
