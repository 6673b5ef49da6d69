"""`consentline permit key|verify`: hand out the key that checks permits, and check one, without any service."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from consentline.cli_errors import reported
from consentline.domain.datasets import VersionRef
from consentline.domain.errors import InvalidInputError
from consentline.settings import Settings

# Cryptography is imported by the command that needs it.

permit_app = typer.Typer(
    name="permit",
    help="Permits of training runs: what a job shows to prove that the gate let its run start.",
    no_args_is_help=True,
)


@permit_app.command("key")
def print_key() -> None:
    """Print the public key of this service in PEM, for everybody who checks permits."""
    with reported():
        typer.echo(_public_pem(Settings.load()), nl=False)


@permit_app.command("verify")
def check(
    file: Annotated[str, typer.Argument(help="A file with a permit, or - for standard input.", metavar="FILE")],
    public: Annotated[
        Path | None,
        typer.Option("--key", help="The service's public key.  [default: of this home's key]", metavar="PEM_FILE"),
    ] = None,
    run: Annotated[str | None, typer.Option(help="It must be for this run.")] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option("--input", help="Its run must read this version; repeat it for more.", metavar="DATASET:NUMBER"),
    ] = None,
) -> None:
    """Check a permit offline and print its claims as JSON; exits with 1 when it is not good now, and for this."""
    from consentline.permits import verify

    with reported():
        wanted = parse_versions(inputs or [])
        pem = _kept_public_pem(Settings.load()) if public is None else _read(public)
        permit = verify(_read_permit(file), pem, datetime.now(UTC))
        if run is not None:
            permit.require_run(run)
        permit.require_inputs(wanted)
        typer.echo(msgspec.json.format(msgspec.json.encode(permit)).decode())


def parse_versions(texts: list[str]) -> tuple[VersionRef, ...]:
    """Dataset versions as options name them.

    Raises:
        InvalidInputError: one is not DATASET:NUMBER.
    """
    found: list[VersionRef] = []
    for text in texts:
        dataset, _, number = text.rpartition(":")
        if not dataset or not (number.isascii() and number.isdecimal()) or int(number) < 1:
            raise InvalidInputError("--input is DATASET:NUMBER, such as gb-posts:3", code="INVALID_INPUT")
        found.append(VersionRef(dataset, int(number)))
    return tuple(found)


def _public_pem(settings: Settings) -> str:
    from consentline.permits import Signer

    return Signer(settings.signing_key(), settings.permit_lifetime).public_pem


def _kept_public_pem(settings: Settings) -> str:
    """The public key of this home; to check with one that was made for the occasion would help nobody.

    Raises:
        InvalidInputError: PERMIT_KEY, when there is none.
    """
    if not settings.has_signing_key:
        raise InvalidInputError("no key is kept here: name one with --key PEM_FILE", code="PERMIT_KEY")
    return _public_pem(settings)


def _read_permit(file: str) -> str:
    return (sys.stdin.read() if file == "-" else _read(Path(file))).strip()


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInputError(f"{path} is not text", code="INVALID_INPUT") from None
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}", code="FILE_NOT_FOUND") from None
