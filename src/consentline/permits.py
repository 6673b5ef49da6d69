"""Permits: what a training job shows to prove that the gate let its run start, checked offline with a public key.

A permit is a compact JWS (RFC 7515) of JWT claims (RFC 7519), signed with Ed25519 (alg EdDSA, RFC 8037):

    header   alg: EdDSA, typ: consentline-permit+jwt, kid: the RFC 7638 thumbprint of the key
    claims   iss, iat, exp, jti, run, purpose, inputs [{dataset, number, manifestDigest}], startedFrom, startedAt

The type keeps it apart from bearer tokens (RFC 8725, section 3.11): neither is ever taken for the other.
"""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from consentline.domain.datasets import DatasetVersion, VersionRef
from consentline.domain.errors import ConsentlineError
from consentline.domain.instants import to_datetime
from consentline.domain.training import RunStatus, TrainingRun

TYPE = "consentline-permit+jwt"
_ALGORITHM = "EdDSA"
_ISSUER = "consentline"
_LONGEST = 1024 * 1024
# How far the clock of whoever checks may be behind ours.
_SLOW_CLOCK = timedelta(minutes=5)


class PermitError(ConsentlineError):
    """What was presented is no permit, or not one for this."""

    code = "PERMIT_INVALID"


class PermitInput(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A dataset version that the run may read; the digest is that of its sorted member keys."""

    dataset: str
    number: int
    manifest_digest: str | None

    @property
    def ref(self) -> VersionRef:
        """Which version."""
        return VersionRef(self.dataset, self.number)


class Permit(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The claims; `iat` and `exp` are seconds since 1970, `started_at` is ISO 8601."""

    iss: str
    iat: int
    exp: int
    jti: str
    run: str
    purpose: str
    inputs: tuple[PermitInput, ...]
    started_from: tuple[str, ...]
    started_at: str

    def require_run(self, run: str) -> None:
        """Return when the permit is for the run.

        Raises:
            PermitError: PERMIT_OTHER_RUN.
        """
        if self.run != run:
            raise PermitError(f"the permit is for run {self.run}, not for {run}", code="PERMIT_OTHER_RUN")

    def require_inputs(self, wanted: Iterable[VersionRef]) -> None:
        """Return when the permit's run reads all of these.

        Raises:
            PermitError: PERMIT_OTHER_INPUT, naming those that it does not.
        """
        mine = {each.ref for each in self.inputs}
        others = [str(each) for each in wanted if each not in mine]
        if others:
            raise PermitError(
                f"the permit is for {', '.join(str(each.ref) for each in self.inputs)}, not for {', '.join(others)}",
                code="PERMIT_OTHER_INPUT",
            )


class Signer:
    """Signs permits with a private key in PEM."""

    def __init__(self, private_pem: str, lifetime: timedelta) -> None:
        self._key = private_key(private_pem)
        self._lifetime = lifetime
        self._kid = thumbprint(self._key.public_key())

    def __call__(self, run: TrainingRun, inputs: Sequence[DatasetVersion]) -> str | None:
        """A permit, good from now on for the signer's lifetime; None unless the run is RUNNING through the gate."""
        if run.status is not RunStatus.RUNNING or not run.gated or run.purpose is None or run.started_at is None:
            return None
        issued_at = int(datetime.now(UTC).timestamp())
        claims = Permit(
            iss=_ISSUER,
            iat=issued_at,
            exp=issued_at + int(self._lifetime.total_seconds()),
            jti=secrets.token_hex(16),
            run=run.key,
            purpose=run.purpose,
            inputs=tuple(
                PermitInput(dataset=each.ref.dataset, number=each.ref.number, manifest_digest=each.manifest_digest)
                for each in inputs
            ),
            started_from=run.started_from,
            started_at=to_datetime(run.started_at).isoformat().replace("+00:00", "Z"),
        )
        headers = {"typ": TYPE, "kid": self._kid}
        return jwt.encode(msgspec.to_builtins(claims), self._key, algorithm=_ALGORITHM, headers=headers)

    @property
    def public_pem(self) -> str:
        """The key that checks what this one signs, to be handed to whoever checks."""
        public = self._key.public_key()
        return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def verify(token: str, public_pem: str, now: datetime) -> Permit:
    """The claims of a permit that this key signed and that is good at `now`; needs no service.

    Every byte counts: a part that is not base64url as RFC 7515 writes it is refused, though it may mean the same.

    Raises:
        PermitError: PERMIT_OTHER_KEY, PERMIT_EXPIRED, PERMIT_INVALID for all else, PERMIT_KEY when the key is none.
    """
    key = public_key(public_pem)
    header, _ = _parts(token)
    if header.get("typ") != TYPE:
        raise PermitError(f"it is not a permit: its type is not {TYPE}")
    if header.get("alg") != _ALGORITHM:
        raise PermitError(f"it is not signed with {_ALGORITHM}")
    kid = thumbprint(key)
    if header.get("kid") != kid:
        raise PermitError(f"it was not signed with this key ({kid})", code="PERMIT_OTHER_KEY")
    if header.keys() != {"typ", "alg", "kid"}:
        raise PermitError("its header says more than a permit's does")
    try:
        claims = jwt.api_jws.decode(token, key, algorithms=[_ALGORITHM])
        permit = msgspec.json.decode(claims, type=Permit)
    except jwt.InvalidTokenError:
        raise PermitError("its signature does not fit") from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise PermitError("its claims are not those of a permit") from None
    if permit.iss != _ISSUER or permit.exp <= permit.iat:
        raise PermitError("its claims are not those of a permit")
    if permit.iat > (now + _SLOW_CLOCK).timestamp():
        raise PermitError("it is from the future: check the clock of this machine")
    if permit.exp <= now.timestamp():
        expired_at = datetime.fromtimestamp(permit.exp, UTC).isoformat().replace("+00:00", "Z")
        raise PermitError(f"it expired at {expired_at}", code="PERMIT_EXPIRED")
    return permit


def lifetime_of(token: str) -> int:
    """For how many seconds the permit was issued, as it says itself: nothing is verified.

    Raises:
        PermitError: it cannot be read.
    """
    try:
        claims = msgspec.convert(_parts(token)[1], Permit)
    except msgspec.ValidationError:
        raise PermitError("its claims are not those of a permit") from None
    return claims.exp - claims.iat


def new_private_pem() -> str:
    """A private key made at random, in PEM (PKCS #8, not encrypted)."""
    key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def private_key(pem: str) -> Ed25519PrivateKey:
    """The private key of a PEM.

    Raises:
        PermitError: PERMIT_KEY, when it is none, of another kind or encrypted; its text is not repeated.
    """
    try:
        key = load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise PermitError("that is not the PEM of an Ed25519 private key", code="PERMIT_KEY")
    return key


def public_key(pem: str) -> Ed25519PublicKey:
    """The public key of a PEM.

    Raises:
        PermitError: PERMIT_KEY, when it is none or of another kind.
    """
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, Ed25519PublicKey):
        raise PermitError("that is not the PEM of an Ed25519 public key", code="PERMIT_KEY")
    return key


def thumbprint(key: Ed25519PublicKey) -> str:
    """The key's name: the SHA-256 thumbprint of its JWK (RFC 7638; RFC 8037, appendix A.3)."""
    x = _encoded(key.public_bytes(Encoding.Raw, PublicFormat.Raw))
    return _encoded(hashlib.sha256(f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'.encode()).digest())


def _parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The header and the claims of a compact JWS whose three parts are written as RFC 7515 writes them.

    Raises:
        PermitError: it is none.
    """
    parts = token.split(".") if len(token) <= _LONGEST else []
    try:
        decoded = [base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in parts]
        # Decoding ignores stray characters and bits.
        if len(parts) != 3 or [_encoded(each) for each in decoded] != parts:
            raise PermitError("it is not a permit: three parts in base64url, joined by dots")
        header, claims = (msgspec.json.decode(each, type=dict[str, Any]) for each in decoded[:2])
    except (binascii.Error, msgspec.DecodeError, ValueError, RecursionError):
        raise PermitError("it is not a permit: three parts in base64url, joined by dots") from None
    return header, claims


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
