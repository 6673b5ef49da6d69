"""`consentline erasure list|confirm|resume|verify`: people's erasures, carried out and checked."""

from pathlib import Path
from typing import Annotated

import typer

from consentline.cli_errors import reported
from consentline.domain.erasures import ErasureStatus
from consentline.settings import Settings

# What costs time to import is imported by the command that needs it.

erasure_app = typer.Typer(
    name="erasure",
    help="People's erasures (Art. 17): which there are, carrying them out, and whether anything is left.",
    no_args_is_help=True,
)


@erasure_app.command("list")
def list_(
    status: Annotated[ErasureStatus | None, typer.Option(help="Only of this status.  [default: all]")] = None,
) -> None:
    """List erasures by the time of receipt, as NDJSON; one that is done by the digest of its key."""
    from consentline.cli_erasure import run_list

    with reported():
        run_list(Settings.load(), status)


@erasure_app.command("confirm")
def confirm(key: Annotated[str, typer.Argument(help="The erasure's key.", metavar="KEY")]) -> None:
    """Carry an erasure out, now that the person was identified, and print what was erased.

    Stopped at any moment, it is finished by running it again.
    """
    from consentline.cli_erasure import run_confirm

    with reported():
        typer.echo(run_confirm(Settings.load(), key))


@erasure_app.command("resume")
def resume() -> None:
    """Go on with erasures that were confirmed and did not come to their end; a service does so when it starts."""
    from consentline.cli_erasure import run_resume

    with reported():
        typer.echo(run_resume(Settings.load()))


@erasure_app.command("verify")
def verify(
    key: Annotated[str, typer.Argument(help="The key of the person who was erased.", metavar="KEY")],
    posts_file: Annotated[
        str | None,
        typer.Option(
            "--posts-file", help="The keys of their posts, one a line, or - for standard input.", metavar="FILE"
        ),
    ] = None,
    paths: Annotated[
        list[Path] | None,
        typer.Option("--path", help="Look into this file or folder, too: exports, rejects, logs; repeat it for more."),
    ] = None,
) -> None:
    """Look for KEY in every property, name and index of the graph, and in the files of CONSENTLINE_HOME.

    Exits with 0 when nothing holds it, with 2 when something does: each place is printed. The graph does not know the
    keys of erased posts any more: name them to look for them. What the database's own files hold of what was deleted is
    not looked for: see docs/operations.md.
    """
    from consentline.cli_erasure import run_verify

    with reported():
        status = run_verify(Settings.load(), key, posts_file, paths or [])
    raise typer.Exit(status)
