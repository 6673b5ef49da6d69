"""`consentline notices coverage|export`: whom the notices of a policy reached, and whom they have yet to reach."""

from pathlib import Path
from typing import Annotated

import typer

from consentline.cli_errors import reported
from consentline.settings import Settings

# What costs time to import is imported by the command that needs it.

notices_app = typer.Typer(
    name="notices",
    help="Whom the notices of a policy reached, and whom they have yet to reach.",
    no_args_is_help=True,
)

Policy = Annotated[str, typer.Argument(help="The policy's key.", metavar="POLICY")]
Version = Annotated[int, typer.Argument(help="The version within the key.", metavar="VERSION")]
ValidTime = Annotated[
    str | None, typer.Option("--at", metavar="TIME", help="When, in ISO 8601 with an offset.  [default: now]")
]


@notices_app.command("coverage")
def coverage(
    policy: Policy,
    version: Version,
    at: ValidTime = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How many days up to TIME to list.")] = 30,
) -> None:
    """Count whom POLICY governs: served, seen, still within their days to object, not served; as JSON."""
    from consentline.cli_notices import run_coverage

    with reported():
        typer.echo(run_coverage(Settings.load(), policy, version, at, days))


@notices_app.command("export")
def export(
    policy: Policy,
    version: Version,
    at: ValidTime = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file, not standard output.")
    ] = None,
) -> None:
    """List the people whom POLICY governs and no notice of its purpose has reached, as NDJSON.

    The last line says how many they are. FILE appears whole or not at all.
    """
    from consentline.cli_notices import run_export

    with reported():
        run_export(Settings.load(), policy, version, at, output)
