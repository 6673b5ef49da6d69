"""Settings from `CONSENTLINE_*` environment variables, validated once at start."""

import re
import secrets
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Self
from urllib.parse import urlsplit

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from consentline.domain.errors import SettingsError

_JURISDICTION = re.compile(r"[A-Z]{2}(-[A-Z0-9]{1,3})?", re.ASCII)
_SCHEMES = {"neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc"}


class Settings(BaseSettings):
    """What the operator may set; every field is `CONSENTLINE_<NAME>` in upper case.

    `neo4j_uri` unset means the embedded default: a loopback Neo4j of our own under `home`.
    """

    model_config = SettingsConfigDict(env_prefix="CONSENTLINE_", extra="ignore", frozen=True)

    home: Path = Field(default_factory=lambda: Path(platformdirs.user_data_dir("consentline", appauthor=False)))
    neo4j_uri: str | None = None
    neo4j_user: str = "neo4j"
    neo4j_password: SecretStr | None = None
    neo4j_database: str = "neo4j"
    neo4j_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    neo4j_heap: Annotated[str, Field(pattern=r"^[1-9][0-9]*[mg]$")] = "2g"
    neo4j_pagecache: Annotated[str, Field(pattern=r"^[1-9][0-9]*[mg]$")] = "1g"
    neo4j_linger_seconds: Annotated[float, Field(ge=0, le=3600)] = 2.0
    cache: Path = Field(default_factory=lambda: Path(platformdirs.user_cache_dir("consentline", appauthor=False)))
    maven_url: str | None = None
    token_secret: SecretStr | None = None
    pseudonym_secret: SecretStr | None = None
    permit_key: SecretStr | None = None
    permit_lifetime_seconds: Annotated[int, Field(ge=1, le=86400)] = 3600
    url: str = "http://127.0.0.1:8000"
    token: SecretStr | None = None
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    establishment: str | None = None
    transaction_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 30.0
    sweep_seconds: Annotated[float, Field(gt=0, le=86400)] = 60.0
    max_body_bytes: Annotated[int, Field(ge=1024)] = 16 * 1024 * 1024
    workers: Annotated[int, Field(ge=1, le=256)] = 1
    introspection: bool = False
    trusted_documents: Path | None = None
    trusted_documents_only: bool = False
    rate_limit_per_second: Annotated[float, Field(gt=0)] | None = None
    rate_limit_burst: Annotated[float, Field(ge=1)] = 100_000
    shard_size: Annotated[int, Field(ge=1)] = 1000
    webhook_allow_private: bool = False
    webhook_timeout_seconds: Annotated[float, Field(gt=0, le=300)] = 15.0
    webhook_at_once: Annotated[int, Field(ge=1, le=256)] = 8
    webhook_attempts: Annotated[int, Field(ge=1, le=100)] = 10
    webhook_backoff_seconds: Annotated[float, Field(ge=0, le=86400)] = 5.0
    event_retention_days: Annotated[int, Field(ge=1, le=3660)] = 30

    @field_validator("neo4j_uri")
    @classmethod
    def _known_scheme(cls, value: str | None) -> str | None:
        if value is not None:
            _check_uri(value)
        return value

    @field_validator("establishment")
    @classmethod
    def _known_holidays(cls, value: str | None) -> str | None:
        if value is not None:
            # The table of holidays costs time to import, and most commands name no establishment.
            from consentline.domain.clock import keeps_holidays

            if not _JURISDICTION.fullmatch(value) or not keeps_holidays(value):
                raise ValueError("must be the ISO 3166 code of a country or subdivision whose holidays are known")
        return value

    @field_validator("token_secret")
    @classmethod
    def _long_secret(cls, value: SecretStr | None) -> SecretStr | None:
        # RFC 7518 section 3.2: an HS256 key is at least as long as the hash output.
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes (RFC 7518, section 3.2)")
        return value

    @field_validator("pseudonym_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        # RFC 2104 section 3: a key shorter than the hash output weakens the function.
        if value is not None and len(value.get_secret_value().encode()) < 32:
            raise ValueError("must have at least 32 bytes (RFC 2104, section 3)")
        return value

    @field_validator("permit_key")
    @classmethod
    def _signing_key(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        # Cryptography costs time to import, and most commands sign nothing.
        from consentline.permits import PermitError, private_key

        # Files of variables hold no line breaks.
        pem = value.get_secret_value().replace("\\n", "\n")
        try:
            private_key(pem)
        except PermitError:
            raise ValueError("must be the PEM of an Ed25519 private key, not encrypted") from None
        return SecretStr(pem)

    @field_validator("url")
    @classmethod
    def _address(cls, value: str) -> str:
        check_url(value)
        return value

    @classmethod
    def load(cls) -> Self:
        """Read the environment.

        Raises:
            SettingsError: naming each wrong variable; values are not repeated.
        """
        try:
            return cls()
        except ValidationError as error:
            lines = [
                f"CONSENTLINE_{'_'.join(str(part) for part in item['loc'][:1]).upper()}: {item['msg']}"
                for item in error.errors(include_input=False, include_url=False)
            ]
            raise SettingsError("; ".join(lines)) from None

    def signing_secret(self) -> str:
        """The HS256 secret: the one configured, else one made once and kept in `home`, readable by the owner only."""
        if self.token_secret is not None:
            return self.token_secret.get_secret_value()
        return self._kept("token-secret", lambda: secrets.token_urlsafe(48))

    def digest_secret(self) -> str:
        """The secret of the digests that stand for people: the one configured, else one made once and kept in `home`.

        Unlike the others it must never change: with another secret nobody whose key became a digest is found again.
        """
        if self.pseudonym_secret is not None:
            return self.pseudonym_secret.get_secret_value()
        return self._kept("pseudonym-secret", lambda: secrets.token_urlsafe(48))

    def signing_key(self) -> str:
        """The PEM of the key that signs permits: the one configured, else one made once and kept in `home`.

        Raises:
            SettingsError: what is kept there is no such key.
        """
        if self.permit_key is not None:
            return self.permit_key.get_secret_value()
        from consentline.permits import PermitError, new_private_pem, private_key

        pem = self._kept("permit-key.pem", new_private_pem)
        try:
            private_key(pem)
        except PermitError as error:
            raise SettingsError(f"{self.home / 'permit-key.pem'}: {error.message}") from None
        return pem

    @property
    def has_signing_key(self) -> bool:
        """Whether `signing_key` would not make one."""
        return self.permit_key is not None or (self.home / "permit-key.pem").exists()

    @property
    def permit_lifetime(self) -> timedelta:
        """For how long a permit is good."""
        return timedelta(seconds=self.permit_lifetime_seconds)

    def _kept(self, name: str, make: Callable[[], str]) -> str:
        """The text of a file in `home` that only the owner can read, made the first time."""
        self.home.mkdir(parents=True, exist_ok=True)
        path = self.home / name
        if not path.exists():
            # Written whole under another name first: of two commands at once one links its own, both read the same.
            with tempfile.NamedTemporaryFile("w", dir=self.home) as fresh, suppress(FileExistsError):
                fresh.write(make())
                fresh.flush()
                path.hardlink_to(fresh.name)
        return path.read_text(encoding="utf-8")


def check_url(value: str) -> None:
    """Return when a client can send requests there; a message never repeats it, since a password may stand in it.

    Raises:
        ValueError: it cannot.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, None
    if not usable or parts is None or parts.query or parts.fragment:
        raise ValueError("must be the address of a service, such as https://consentline.example")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password; the bearer goes into CONSENTLINE_TOKEN")


def _check_uri(value: str) -> None:
    """Return when the driver can use the URI; a message never repeats it, since a password may stand in it.

    Raises:
        ValueError: it cannot.
    """
    try:
        parts = urlsplit(value)
        usable = parts.scheme in _SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable, parts = False, None
    if not usable or parts is None:
        raise ValueError(f"must be a URI such as neo4j://host:7687, with one of {', '.join(sorted(_SCHEMES))}")
    if parts.username is not None or parts.password is not None:
        raise ValueError("holds a user or password; set CONSENTLINE_NEO4J_USER and CONSENTLINE_NEO4J_PASSWORD instead")
