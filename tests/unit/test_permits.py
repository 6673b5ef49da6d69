import base64
import hashlib
import hmac
import json
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from consentline.domain.access import Role
from consentline.domain.datasets import Coverage, DatasetVersion, VersionRef, VersionStatus
from consentline.domain.errors import UnauthenticatedError
from consentline.domain.instants import from_datetime
from consentline.domain.training import RunStatus, TrainingRun
from consentline.permits import (
    TYPE,
    Permit,
    PermitError,
    Signer,
    lifetime_of,
    new_private_pem,
    private_key,
    public_key,
    thumbprint,
    verify,
)
from consentline.web.auth import authenticate, issue_token

PRIVATE = new_private_pem()
HOUR = timedelta(hours=1)
SIGNER = Signer(PRIVATE, HOUR)
PUBLIC = SIGNER.public_pem
KID = thumbprint(private_key(PRIVATE).public_key())
STARTED = datetime(2026, 11, 2, 10, 30, 0, 250, tzinfo=UTC)
MALFORMED = "it is not a permit: three parts in base64url, joined by dots"
CLAIMS = "its claims are not those of a permit"
SIGNATURE = "its signature does not fit"


def version(dataset: str, number: int, digest: str | None = "sha256:00") -> DatasetVersion:
    return DatasetVersion(
        dataset=dataset,
        number=number,
        coverage=Coverage.COMPLETE,
        status=VersionStatus.SEALED,
        registered_at=0,
        manifest_digest=digest,
    )


def running(**changed: Any) -> TrainingRun:
    run = TrainingRun(
        key="r1",
        status=RunStatus.RUNNING,
        purpose="AI_TRAINING",
        inputs=(VersionRef("gb", 2), VersionRef("a:b", 1)),
        started_from=("llama:3",),
        produced=None,
        started_at=from_datetime(STARTED),
        ended_at=None,
        recorded_at=0,
        gated=True,
        authorized_at=0,
    )
    return replace(run, **changed)


def permit(signer: Signer = SIGNER) -> str:
    token = signer(running(), [version("gb", 2), version("a:b", 1, "sha256:11")])
    assert token is not None
    return token


def later(**by: float) -> datetime:
    return datetime.now(UTC) + timedelta(**by)


def refusal(token: str, public: str = PUBLIC, now: datetime | None = None) -> tuple[str, str]:
    with pytest.raises(PermitError) as raised:
        verify(token, public, later() if now is None else now)
    return raised.value.code, raised.value.message


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def claims(**changed: Any) -> dict[str, Any]:
    whole = json.loads(decoded(permit().split(".")[1])) | changed
    return {name: value for name, value in whole.items() if value is not ...}


def signed(payload: Any, **headers: Any) -> str:
    """A JWS by our key that says whatever is wanted."""
    header = {"alg": "EdDSA", "typ": TYPE, "kid": KID} | headers
    kept = {name: value for name, value in header.items() if value is not ...}
    signing_input = f"{encoded(json.dumps(kept).encode())}.{encoded(json.dumps(payload).encode())}"
    return f"{signing_input}.{encoded(private_key(PRIVATE).sign(signing_input.encode()))}"


# ---- what a permit says ---------------------------------------------------------------------------------------------


def test_a_permit_says_what_the_gate_let_start() -> None:
    found = verify(permit(), PUBLIC, later())

    assert (found.iss, found.run, found.purpose) == ("consentline", "r1", "AI_TRAINING")
    assert [(each.dataset, each.number, each.manifest_digest) for each in found.inputs] == [
        ("gb", 2, "sha256:00"),
        ("a:b", 1, "sha256:11"),
    ]
    assert found.started_from == ("llama:3",)
    assert datetime.fromisoformat(found.started_at) == STARTED
    assert found.started_at.endswith("Z")
    assert found.exp - found.iat == 3600 == lifetime_of(permit())
    assert abs(found.iat - datetime.now(UTC).timestamp()) < 5


def test_its_header_and_claims_are_these_and_no_others() -> None:
    header, payload, _ = permit().split(".")

    assert json.loads(decoded(header)) == {"alg": "EdDSA", "typ": "consentline-permit+jwt", "kid": KID}
    names = {"iss", "iat", "exp", "jti", "run", "purpose", "inputs", "startedFrom", "startedAt"}
    assert json.loads(decoded(payload)).keys() == names
    assert json.loads(decoded(payload))["inputs"][0].keys() == {"dataset", "number", "manifestDigest"}


def test_two_permits_of_a_run_are_told_apart() -> None:
    first, second = (verify(permit(), PUBLIC, later()).jti for _ in range(2))

    assert first != second


@pytest.mark.parametrize("status", [each for each in RunStatus if each is not RunStatus.RUNNING])
def test_only_a_running_run_gets_one(status: RunStatus) -> None:
    assert SIGNER(running(status=status), [version("gb", 2)]) is None


@pytest.mark.parametrize("without", [{"gated": False}, {"started_at": None}, {"purpose": None}])
def test_only_a_run_that_passed_the_gate_gets_one(without: dict[str, Any]) -> None:
    assert SIGNER(running(**without), [version("gb", 2)]) is None


def test_a_key_is_named_by_its_thumbprint() -> None:
    """RFC 8037, appendix A.3."""
    x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"

    assert thumbprint(Ed25519PublicKey.from_public_bytes(decoded(x))) == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"


def test_openssl_agrees_that_the_signature_fits(tmp_path: Path) -> None:
    """Whoever checks permits needs nothing of ours."""
    signing_input, _, signature = permit().rpartition(".")
    (tmp_path / "key.pem").write_text(PUBLIC)
    (tmp_path / "input").write_text(signing_input)
    (tmp_path / "signature").write_bytes(decoded(signature))

    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-in", "input"]
    done = subprocess.run([*command, "-sigfile", "signature"], cwd=tmp_path, capture_output=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, b"Signature Verified Successfully")


# ---- what is none ---------------------------------------------------------------------------------------------------


def test_every_changed_byte_is_noticed() -> None:
    token = permit()
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    ends = {position for position, letter in enumerate(token) if letter == "."}

    for position, letter in enumerate(token):
        # The next letter differs in the last bit: at the end of a part that bit may mean nothing.
        others = ("A", "!") if position in ends else (alphabet[alphabet.index(letter) ^ 1], "!", ".", "=", "é", " ")
        for other in others:
            code, _ = refusal(token[:position] + other + token[position + 1 :])
            assert code in {"PERMIT_INVALID", "PERMIT_OTHER_KEY"}, (position, other)


def test_every_missing_or_further_byte_is_noticed() -> None:
    token = permit()

    for position in range(len(token)):
        assert refusal(token[:position] + token[position + 1 :])[0] in {"PERMIT_INVALID", "PERMIT_OTHER_KEY"}
        assert refusal(token[:position] + "=" + token[position:]) == ("PERMIT_INVALID", MALFORMED)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_a_part_of_another_permit_does_not_fit(part: int) -> None:
    mine, theirs = permit().split("."), permit().split(".")
    mixed = [*mine[:part], theirs[part], *mine[part + 1 :]]

    if part == 0:  # The header is the same for all permits of a key.
        assert verify(".".join(mixed), PUBLIC, later()).run == "r1"
    else:
        assert refusal(".".join(mixed)) == ("PERMIT_INVALID", SIGNATURE)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        ".",
        "..",
        "...",
        "a.b.c",
        "e30.e30.",
        "bnVsbA.e30.AA",
        "W10.e30.AA",
        "é.é.é",
        "e30.e30.AA.AA",
        "\0.\0.\0",
    ],
)
def test_what_is_no_jws_at_all(token: str) -> None:
    code, message = refusal(token)

    assert code == "PERMIT_INVALID"
    assert message in (MALFORMED, f"it is not a permit: its type is not {TYPE}")


def test_what_is_too_long_or_too_deep() -> None:
    deep = encoded(b'{"a":' + b"[" * 100_000)

    assert refusal(f"{deep}.e30.AA") == ("PERMIT_INVALID", MALFORMED)
    assert refusal(permit() + "A" * 1024 * 1024) == ("PERMIT_INVALID", MALFORMED)


def test_without_a_signature() -> None:
    header, payload, _ = permit().split(".")

    assert refusal(f"{header}.{payload}.") == ("PERMIT_INVALID", SIGNATURE)


@pytest.mark.parametrize(
    "algorithm", ["none", "None", "nOnE", "HS256", "RS256", "eddsa", "Ed25519", "", None, 5, ["EdDSA"]]
)
def test_another_algorithm(algorithm: Any) -> None:
    assert refusal(signed(claims(), alg=algorithm)) == ("PERMIT_INVALID", "it is not signed with EdDSA")


def test_the_public_key_is_no_secret_of_an_hmac() -> None:
    """The classic confusion: HS256 with the public key, which everybody has, as the secret."""
    header = encoded(json.dumps({"alg": "HS256", "typ": TYPE, "kid": KID}).encode())
    signing_input = f"{header}.{encoded(json.dumps(claims(run='forged')).encode())}"
    mac = hmac.new(PUBLIC.encode(), signing_input.encode(), hashlib.sha256).digest()

    assert refusal(f"{signing_input}.{encoded(mac)}") == ("PERMIT_INVALID", "it is not signed with EdDSA")


def test_an_unsigned_one() -> None:
    header = encoded(json.dumps({"alg": "none", "typ": TYPE, "kid": KID}).encode())

    assert refusal(f"{header}.{encoded(json.dumps(claims()).encode())}.") == (
        "PERMIT_INVALID",
        "it is not signed with EdDSA",
    )


@pytest.mark.parametrize("kind", [..., None, "JWT", "", "consentline-permit", "CONSENTLINE-PERMIT+JWT", 5])
def test_another_type(kind: Any) -> None:
    assert refusal(signed(claims(), typ=kind)) == ("PERMIT_INVALID", f"it is not a permit: its type is not {TYPE}")


def test_a_bearer_token_is_no_permit_and_a_permit_no_bearer_token() -> None:
    secret = "a secret for tests, of 32 bytes or more"

    assert refusal(issue_token(secret, Role.ADMIN, HOUR))[0] == "PERMIT_INVALID"
    with pytest.raises(UnauthenticatedError) as raised:
        authenticate(f"Bearer {permit()}", secret)
    assert raised.value.code == "TOKEN_INVALID"


def test_the_permit_of_another_key() -> None:
    other = Signer(new_private_pem(), HOUR)

    assert refusal(permit(), other.public_pem) == (
        "PERMIT_OTHER_KEY",
        f"it was not signed with this key ({thumbprint(public_key(other.public_pem))})",
    )


def test_another_key_under_our_name() -> None:
    forger = private_key(new_private_pem())
    signing_input = permit().rpartition(".")[0]

    assert refusal(f"{signing_input}.{encoded(forger.sign(signing_input.encode()))}") == ("PERMIT_INVALID", SIGNATURE)


@pytest.mark.parametrize("kid", [..., None, "", "x", 5])
def test_a_permit_names_its_key(kid: Any) -> None:
    assert refusal(signed(claims(), kid=kid))[0] == "PERMIT_OTHER_KEY"


@pytest.mark.parametrize("name", ["crit", "b64", "jku", "jwk", "x5u", "cty"])
def test_a_header_that_says_more(name: str) -> None:
    assert refusal(signed(claims(), **{name: ["exp"]})) == (
        "PERMIT_INVALID",
        "its header says more than a permit's does",
    )


@pytest.mark.parametrize("name", ["iss", "iat", "exp", "jti", "run", "purpose", "inputs", "startedFrom", "startedAt"])
@pytest.mark.parametrize("value", [..., None, {"a": 1}, True])
def test_claims_that_are_missing_or_of_another_type(name: str, value: Any) -> None:
    assert refusal(signed(claims(**{name: value}))) == ("PERMIT_INVALID", CLAIMS)


@pytest.mark.parametrize(
    "changed", [{"iss": "another"}, {"exp": 5}, {"exp": 1e12}, {"inputs": [{"dataset": "d"}]}, {"iat": 10**30}]
)
def test_claims_that_are_wrong(changed: dict[str, Any]) -> None:
    assert refusal(signed(claims(**changed))) == ("PERMIT_INVALID", CLAIMS)


@pytest.mark.parametrize("payload", [[], 5, None, "x", {}])
def test_claims_that_are_none(payload: Any) -> None:
    code, message = refusal(signed(payload))

    assert code == "PERMIT_INVALID"
    assert message == (CLAIMS if payload == {} else MALFORMED)


def test_claims_that_are_added_later_do_not_break_those_who_check() -> None:
    assert verify(signed(claims(tool="another")), PUBLIC, later()).run == "r1"


# ---- when it is good ------------------------------------------------------------------------------------------------


def test_it_is_good_until_it_expires() -> None:
    token = permit()
    found = verify(token, PUBLIC, later())
    end = datetime.fromtimestamp(found.exp, UTC)

    assert verify(token, PUBLIC, end - timedelta(milliseconds=1)) == found
    assert refusal(token, now=end) == ("PERMIT_EXPIRED", f"it expired at {end.isoformat().replace('+00:00', 'Z')}")


def test_a_forged_one_is_not_told_to_be_expired() -> None:
    token = permit()

    assert refusal(token[:-3] + "AAA", now=later(days=1))[0] == "PERMIT_INVALID"


def test_a_clock_that_is_a_little_slow_does_no_harm() -> None:
    assert verify(permit(), PUBLIC, later(minutes=-4)).run == "r1"
    assert refusal(permit(), now=later(minutes=-6)) == (
        "PERMIT_INVALID",
        "it is from the future: check the clock of this machine",
    )


# ---- what it is for -------------------------------------------------------------------------------------------------


def test_it_is_for_its_run() -> None:
    found = verify(permit(), PUBLIC, later())

    found.require_run("r1")
    with pytest.raises(PermitError) as raised:
        found.require_run("r2")

    assert (raised.value.code, raised.value.message) == ("PERMIT_OTHER_RUN", "the permit is for run r1, not for r2")


def test_it_is_for_its_inputs() -> None:
    found = verify(permit(), PUBLIC, later())

    found.require_inputs([])
    found.require_inputs([VersionRef("a:b", 1)])
    found.require_inputs([VersionRef("a:b", 1), VersionRef("gb", 2)])
    with pytest.raises(PermitError) as raised:
        found.require_inputs([VersionRef("gb", 2), VersionRef("gb", 1), VersionRef("c", 2)])

    assert raised.value.code == "PERMIT_OTHER_INPUT"
    assert raised.value.message == "the permit is for gb:2, a:b:1, not for gb:1, c:2"


# ---- keys -----------------------------------------------------------------------------------------------------------


def pem_of(key: Any) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def public_pem_of(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


ENCRYPTED = (
    private_key(PRIVATE).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")).decode()
)
OTHERS = (Ed448PrivateKey.generate(), generate_private_key(SECP256R1()))


@pytest.mark.parametrize(
    "pem",
    ["", "x", PUBLIC, ENCRYPTED, *map(pem_of, OTHERS), PRIVATE[:60]],
    ids=["nothing", "no PEM", "a public key", "an encrypted key", "Ed448", "P-256", "cut off"],
)
def test_what_cannot_sign(pem: str) -> None:
    with pytest.raises(PermitError) as raised:
        Signer(pem, HOUR)

    assert raised.value.code == "PERMIT_KEY"
    assert raised.value.message == "that is not the PEM of an Ed25519 private key"


@pytest.mark.parametrize(
    "pem",
    ["", "x", PRIVATE, *map(public_pem_of, OTHERS), PUBLIC[:60]],
    ids=["nothing", "no PEM", "a private key", "Ed448", "P-256", "cut off"],
)
def test_what_cannot_check(pem: str) -> None:
    assert refusal(permit(), pem) == ("PERMIT_KEY", "that is not the PEM of an Ed25519 public key")


@pytest.mark.parametrize("token", ["", "a.b.c", "e30.e30.AA"])
def test_the_lifetime_of_what_is_no_permit(token: str) -> None:
    with pytest.raises(PermitError) as raised:
        lifetime_of(token)

    assert raised.value.code == "PERMIT_INVALID"


def test_pyjwt_reads_our_permits_as_anybody_would() -> None:
    found = jwt.decode(permit(), PUBLIC, algorithms=["EdDSA"], issuer="consentline")

    assert found["run"] == "r1"
    assert isinstance(verify(permit(), PUBLIC, later()), Permit)
