"""Bearer tokens: JWTs signed with the service's secret (HS256, RFC 7519), naming a role."""

import secrets
import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

import jwt
from starlette.requests import Request

from consentline.domain.access import Principal, Role
from consentline.domain.audit import Actor
from consentline.domain.errors import UnauthenticatedError

_ALGORITHM = "HS256"
_AUDIENCE = _ISSUER = "consentline"
_REQUIRED = ["exp", "iat", "iss", "aud", "jti", "role"]


def issue_token(secret: str, role: Role, lifetime: timedelta) -> str:
    """A token for a bearer of `role`, good for `lifetime` from now."""
    now = datetime.now(UTC)
    claims = {
        "iss": _ISSUER,
        "aud": _AUDIENCE,
        "iat": now,
        "exp": now + lifetime,
        "jti": secrets.token_hex(8),
        "role": role.value,
    }
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def actor_of(request: Request, principal: Principal) -> Actor:
    """The bearer, as the audit entries of the request name them."""
    return Actor(principal.role.value, principal.token_id, request.state.request_id)


def authenticate(header: str | None, secret: str) -> Principal:
    """The bearer of the token in an `Authorization` header.

    Raises:
        UnauthenticatedError: as `bearer_of`.
    """
    return bearer_of(header, secret).principal


class Bearer(NamedTuple):
    """Whom a token names, and until when it is good (POSIX time)."""

    principal: Principal
    expires_at: float


def bearer_of(header: str | None, secret: str) -> Bearer:
    """The bearer of the token in an `Authorization` header, and until when it is good.

    Raises:
        UnauthenticatedError: TOKEN_MISSING, TOKEN_EXPIRED or TOKEN_INVALID (anything else that is wrong with it).
    """
    scheme, _, token = (header or "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise UnauthenticatedError("send a token: Authorization: Bearer …", code="TOKEN_MISSING")
    bearer = _verified(token.strip(), secret)
    if bearer.expires_at <= time.time():
        raise _expired()
    return bearer


@lru_cache(maxsize=1000)
def _verified(token: str, secret: str) -> Bearer:
    """Whom a token names: its signature is checked once, and whether it has expired at each use."""
    try:
        claims = jwt.decode(
            token,
            secret,
            algorithms=[_ALGORITHM],
            audience=_AUDIENCE,
            issuer=_ISSUER,
            # Whether it was issued before now is no matter of trust, and clocks that step would make it one.
            options={"require": _REQUIRED, "verify_iat": False},
        )
        return Bearer(Principal(Role(claims["role"]), str(claims["jti"])), float(claims["exp"]))
    except jwt.ExpiredSignatureError:
        raise _expired() from None
    except (jwt.InvalidTokenError, ValueError):
        raise UnauthenticatedError("the token is not one of ours", code="TOKEN_INVALID") from None


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError("the token has expired", code="TOKEN_EXPIRED")
