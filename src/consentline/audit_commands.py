"""`consentline audit verify`: whether the audit is as it was written."""

import typer

from consentline.cli_errors import reported
from consentline.settings import Settings

# What costs time to import is imported by the command that needs it.

audit_app = typer.Typer(
    name="audit", help="The audit: who changed what, and who saw whose record.", no_args_is_help=True
)


@audit_app.callback()
def audit() -> None:
    """Keep `verify` a command of its own."""


@audit_app.command("verify")
def verify() -> None:
    """Check the seal of every entry and that none is missing; exits with 1 when something is wrong.

    A number is missing where an entry was taken out, or could not be written: the log of its process tells of that.
    """
    from consentline.cli_audit import run_verify

    with reported():
        sound = run_verify(Settings.load())
    raise typer.Exit(0 if sound else 1)
