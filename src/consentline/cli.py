"""The command `consentline`: every way in from a shell. Errors are one line and status 1, never a trace."""

import asyncio
import os
import re
import sys
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consentline import __version__, generation
from consentline.domain.access import Role
from consentline.domain.errors import ConsentlineError, InvalidInputError
from consentline.embedded.commands import neo4j_app
from consentline.settings import Settings

# What costs time to import (the web, the schema, the driver) is imported by the command that needs it.
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=366)

app = typer.Typer(
    name="consentline",
    help="Was this post used, may it be used, and what must be retrained? Data governance with lineage, on Neo4j.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(neo4j_app)


@contextmanager
def _reported() -> Generator[None]:
    """Tell an expected error in one line on standard error, and end with status 1."""
    try:
        yield
    except ConsentlineError as error:
        typer.echo(f"error [{error.code}]: {error.message}", err=True)
        raise typer.Exit(1) from None


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"consentline {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Say what every command shares; the settings are CONSENTLINE_* variables, see the README."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.  [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on.  [default: 8000]")] = None,
) -> None:
    """Serve /graphql, /ingest, /healthz and /readyz until SIGTERM or Ctrl-C.

    Without CONSENTLINE_NEO4J_URI the embedded Neo4j runs as long as this does.
    """
    from consentline.cli_serve import run_server

    with _reported():
        settings = Settings.load()
        run_server(settings, settings.host if host is None else host, settings.port if port is None else port)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the bearer does.")],
    expires: Annotated[str, typer.Option(help="How long it is good for: 30m, 2h, 7d; at most 366d.")] = "1h",
) -> None:
    """Print a bearer token, alone on standard output."""
    from consentline.web.auth import issue_token

    with _reported():
        lifetime = parse_duration(expires)
        typer.echo(issue_token(Settings.load().signing_secret(), role, lifetime))


@app.command("export-schema")
def export_schema(
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Write nothing; fail when this file is not the present schema.")
    ] = None,
) -> None:
    """Print the GraphQL schema in SDL."""
    from consentline.gql.schema import build_schema, export

    with _reported():
        sdl = export(build_schema())
        if check is not None:
            if not check.is_file() or check.read_text(encoding="utf-8") != sdl:
                raise InvalidInputError(
                    f"{check} is not the present schema: consentline export-schema --output {check}",
                    code="SCHEMA_DRIFT",
                )
        elif output is not None:
            output.write_text(sdl, encoding="utf-8")
        else:
            typer.echo(sdl, nl=False)


@app.command()
def migrate() -> None:
    """Bring the graph's constraints and indexes up to date; repeating it changes nothing."""
    from consentline.connection import open_service
    from consentline.graph import migrations

    async def work(settings: Settings) -> list[str]:
        async with open_service(settings) as service:
            recorded = await service.graph.read(migrations.applied)
            return sorted(recorded)

    with _reported():
        for name in asyncio.run(work(Settings.load())):
            typer.echo(name)


@app.command()
def ingest(
    files: Annotated[list[str], typer.Argument(help="Files of records, or - for standard input.", metavar="FILE...")],
    kind: Annotated[str | None, typer.Option(help="What a CSV or Parquet file holds, such as post.")] = None,
    progress: Annotated[bool, typer.Option("--progress/--no-progress", help="Show how far it is.")] = True,
) -> None:
    """Load files of records (NDJSON, gzip): each good line once, however often it is loaded.

    Exits with 2 when lines were rejected; they are in FILE.rejects.ndjson with their reasons.
    """
    from consentline.cli_ingest import run_ingest

    with _reported():
        status = run_ingest(Settings.load(), files, kind, progress)
    raise typer.Exit(status)


@app.command()
def generate(
    posts: Annotated[int, typer.Option(min=0, help="How many posts.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 1,
) -> None:
    """Write realistic records to standard output, as a stream: people, posts, deletions, objections."""
    console = Console(stderr=True)
    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with _reported(), Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=posts)
        try:
            generation.write(posts, seed, sys.stdout.buffer, lambda done: bar.update(task, completed=done))
        except BrokenPipeError:
            # The reader has what it wanted; the interpreter would complain once more when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def demo() -> None:
    """Load the reference case, serve it, and show a question with its answer; until Ctrl-C."""
    from consentline.demo import run_demo

    with _reported():
        run_demo(Settings.load())


def parse_duration(text: str) -> timedelta:
    """A duration such as 30m, 2h or 7d.

    Raises:
        InvalidInputError: it is none, or longer than 366 days.
    """
    match = re.fullmatch(r"([1-9][0-9]{0,8})([smhd])", text.strip())
    duration = timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None
    if duration is None or duration > _LONGEST:
        raise InvalidInputError("--expires is a duration such as 30m, 2h or 7d, at most 366d", code="INVALID_INPUT")
    return duration


def main() -> None:
    """Run the command line."""
    app()
