import base64
import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from consentline.domain.access import Role
from consentline.domain.errors import UnauthenticatedError
from consentline.web.auth import authenticate, issue_token

SECRET = "a secret for tests, of 32 bytes or more"
HOUR = timedelta(hours=1)


def claims(**changed: Any) -> dict[str, Any]:
    now = datetime.now(UTC)
    whole = {"iss": "consentline", "aud": "consentline", "iat": now, "exp": now + HOUR, "jti": "1", "role": "admin"}
    return {name: value for name, value in (whole | changed).items() if value is not None}


def code_of(header: str | None) -> str:
    with pytest.raises(UnauthenticatedError) as raised:
        authenticate(header, SECRET)
    return raised.value.code


@pytest.mark.parametrize("role", Role)
def test_a_token_of_ours_names_its_role(role: Role) -> None:
    assert authenticate(f"Bearer {issue_token(SECRET, role, HOUR)}", SECRET).role is role


def test_two_tokens_are_told_apart() -> None:
    first, second = (authenticate(f"bearer {issue_token(SECRET, Role.ML, HOUR)}", SECRET).token_id for _ in range(2))

    assert first != second


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic YTpi"])
def test_no_token(header: str | None) -> None:
    assert code_of(header) == "TOKEN_MISSING"


def test_an_expired_token() -> None:
    assert code_of(f"Bearer {issue_token(SECRET, Role.ADMIN, timedelta(seconds=-1))}") == "TOKEN_EXPIRED"


def test_a_token_that_was_good_before_expires() -> None:
    header = f"Bearer {issue_token(SECRET, Role.ADMIN, timedelta(seconds=1.2))}"
    authenticate(header, SECRET)

    time.sleep(1.3)

    assert code_of(header) == "TOKEN_EXPIRED"


def test_a_token_that_was_good_under_one_secret_is_refused_under_another() -> None:
    header = f"Bearer {issue_token(SECRET, Role.ADMIN, HOUR)}"
    authenticate(header, SECRET)

    with pytest.raises(UnauthenticatedError) as raised:
        authenticate(header, SECRET[::-1])

    assert raised.value.code == "TOKEN_INVALID"


@pytest.mark.parametrize("missing", ["exp", "iat", "jti", "role", "iss", "aud"])
def test_a_token_without_a_required_claim(missing: str) -> None:
    assert code_of(f"Bearer {jwt.encode(claims(**{missing: None}), SECRET, 'HS256')}") == "TOKEN_INVALID"


@pytest.mark.parametrize("changed", [{"role": "root"}, {"aud": "another"}, {"iss": "another"}, {"role": 5}])
def test_a_token_with_a_wrong_claim(changed: dict[str, Any]) -> None:
    assert code_of(f"Bearer {jwt.encode(claims(**changed), SECRET, 'HS256')}") == "TOKEN_INVALID"


def test_a_token_signed_with_another_secret() -> None:
    assert code_of(f"Bearer {issue_token(SECRET[::-1], Role.ADMIN, HOUR)}") == "TOKEN_INVALID"


def test_a_token_signed_with_another_algorithm() -> None:
    forged = jwt.encode(claims(), SECRET * 2, "HS512")

    assert code_of(f"Bearer {forged}") == "TOKEN_INVALID"


def test_a_token_that_is_not_signed_at_all() -> None:
    def part(value: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    payload = claims(iat=0, exp=2**33)

    assert code_of(f"Bearer {part({'alg': 'none', 'typ': 'JWT'})}.{part(payload)}.") == "TOKEN_INVALID"


@pytest.mark.parametrize("token", ["x", "a.b.c", "é", "a.b.c.d.e"])
def test_what_is_no_token(token: str) -> None:
    assert code_of(f"Bearer {token}") == "TOKEN_INVALID"
