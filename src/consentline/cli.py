"""The command `consentline`: every way in from a shell. Errors are one line and status 1, never a trace."""

import asyncio
import os
import re
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consentline import __version__, generation
from consentline.audit_commands import audit_app
from consentline.cli_errors import reported
from consentline.cli_permit import parse_versions, permit_app
from consentline.dataset_commands import dataset_app
from consentline.domain.access import Role
from consentline.domain.errors import InvalidInputError
from consentline.embedded.commands import neo4j_app
from consentline.erasure_commands import erasure_app
from consentline.notices_commands import notices_app
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
app.add_typer(dataset_app)
app.add_typer(notices_app)
app.add_typer(audit_app)
app.add_typer(permit_app)
app.add_typer(erasure_app)
report_app = typer.Typer(name="report", help="Figures for whoever answers for the processing.", no_args_is_help=True)
app.add_typer(report_app)


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
    workers: Annotated[int | None, typer.Option(min=1, max=256, help="How many processes serve.  [default: 1]")] = None,
) -> None:
    """Serve /graphql, /ingest, /healthz and /readyz until SIGTERM or Ctrl-C.

    Without CONSENTLINE_NEO4J_URI the embedded Neo4j runs as long as this does.
    """
    from consentline.cli_serve import run_server

    with reported():
        settings = Settings.load()
        run_server(
            settings,
            settings.host if host is None else host,
            settings.port if port is None else port,
            workers or settings.workers,
        )


@app.command()
def worker(
    once: Annotated[bool, typer.Option("--once", help="Send what can be sent now, and end.")] = False,
) -> None:
    """Send events to webhooks, and do what has to be done now and then, until SIGTERM or Ctrl-C.

    Any number of workers may run. A signal lets what is under way finish; a second one ends at once.
    """
    from consentline.cli_worker import run_worker

    with reported():
        run_worker(Settings.load(), once=once)


@app.command()
def token(
    role: Annotated[Role, typer.Option(help="What the bearer does.")],
    expires: Annotated[str, typer.Option(help="How long it is good for: 30m, 2h, 7d; at most 366d.")] = "1h",
) -> None:
    """Print a bearer token, alone on standard output."""
    from consentline.web.auth import issue_token

    with reported():
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

    with reported():
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

    with reported():
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

    with reported():
        status = run_ingest(Settings.load(), files, kind, progress)
    raise typer.Exit(status)


@app.command()
def backfill(
    files: Annotated[list[str], typer.Argument(help="Files of records, or - for standard input.", metavar="FILE...")],
    kind: Annotated[str | None, typer.Option(help="What a CSV or Parquet file holds, such as post.")] = None,
    output: Annotated[
        Path | None, typer.Option(help="Write the import files into this empty folder, and load nothing.")
    ] = None,
    memory: Annotated[str, typer.Option(help="What sorting and importing may use, each.")] = "4GB",
    progress: Annotated[bool, typer.Option("--progress/--no-progress", help="Show how far it is.")] = True,
) -> None:
    """Load files of records into an empty database, through Neo4j's offline importer: for hundreds of millions.

    The graph is the one that `ingest` makes. Without CONSENTLINE_NEO4J_URI it is loaded into the embedded Neo4j, which
    nothing else may use meanwhile; for a server of your own, `--output` writes the files and prints what to run.
    """
    from consentline.cli_backfill import run_backfill

    with reported():
        status = run_backfill(Settings.load(), files, kind, output, memory, progress)
    raise typer.Exit(status)


@app.command()
def generate(
    posts: Annotated[int, typer.Option(min=0, help="How many posts.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same records.")] = 1,
) -> None:
    """Write realistic records to standard output, as a stream: people, posts, deletions, objections."""
    console = Console(stderr=True)
    columns = (TextColumn("generating"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with reported(), Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=posts)
        try:
            generation.write(posts, seed, sys.stdout.buffer, lambda done: bar.update(task, completed=done))
        except BrokenPipeError:
            # The reader has what it wanted; the interpreter would complain once more when it flushes.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@report_app.command()
def compliance(
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="The first day (UTC).")],
    end: Annotated[str, typer.Option("--to", metavar="DATE", help="The day (UTC) before which it ends.")],
    form: Annotated[
        Literal["json", "html"] | None,
        typer.Option("--format", help="What to write.  [default: html for a FILE of that name, else json]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="FILE", help="Write to this file, not standard output.")
    ] = None,
) -> None:
    """Report objections, decisions, notices, exclusions and refused runs of a period; each number with its query."""
    from consentline.cli_report import run_report

    with reported():
        text = run_report(Settings.load(), first, end, form, output)
    if text is not None:
        typer.echo(text, nl=False)


@app.command()
def plan(
    model: Annotated[
        str | None, typer.Argument(help="A model version.  [default: all with an open flag]", metavar="MODEL:VERSION")
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(help="Only for flags due by the end of this day (UTC), or by this time.", metavar="DATE"),
    ] = None,
    form: Annotated[Literal["text", "json"], typer.Option("--format", help="What to write.")] = "text",
) -> None:
    """Plan the retraining that open flags demand: what, in which order, from what, by when, and what batching saves.

    By the committed records: it speaks of these, not of weights. See docs/plans.md.
    """
    from consentline.cli_plan import run_plan

    with reported():
        text = run_plan(Settings.load(), model, by, as_json=form == "json")
    typer.echo(text, nl=False)


@app.command("train-guard", context_settings={"allow_interspersed_args": False})
def train_guard(
    command: Annotated[list[str], typer.Argument(help="The training job.", metavar="-- COMMAND")],
    run: Annotated[str, typer.Option(help="The run's key, of your own making.")],
    inputs: Annotated[
        list[str],
        typer.Option("--input", help="A version that it reads; repeat it for more.", metavar="DATASET:NUMBER"),
    ],
    model: Annotated[str, typer.Option(help="The model of which it makes a version.")],
    version: Annotated[str, typer.Option(help="The name of that version.")],
    started_from: Annotated[
        list[str] | None,
        typer.Option("--from", help="A base checkpoint; repeat it for more.", metavar="MODEL:VERSION"),
    ] = None,
    purpose: Annotated[str, typer.Option(help="What the model is for.")] = "AI_TRAINING",
    url: Annotated[str | None, typer.Option(help="The service.  [default: CONSENTLINE_URL]")] = None,
    permit_file: Annotated[
        Path | None, typer.Option(help="Keep the permit in this file.  [default: a private one]", metavar="FILE")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a run that is RUNNING already.")] = False,
    finish_timeout: Annotated[
        float, typer.Option(min=0, help="For how long to try to record the end.", metavar="SECONDS")
    ] = 300,
) -> None:
    """Ask the gate, start the run, run COMMAND, and record by its status that the run completed or failed.

    The bearer's token is read from CONSENTLINE_TOKEN. COMMAND finds its permit's file in CONSENTLINE_PERMIT, the run
    in CONSENTLINE_RUN and what it may read in CONSENTLINE_INPUTS, but no token. Exits as COMMAND does (128 + N after
    signal N); and without running it with 3 when the gate refuses, with 4 when it cannot be reached; with 5 when
    COMMAND succeeded and that could not be recorded.
    """
    from consentline.cli_train_guard import Job, run_guard

    with reported():
        job = Job(
            run=run,
            inputs=parse_versions(inputs),
            started_from=tuple(started_from or ()),
            purpose=purpose,
            model=model,
            version=version,
            command=tuple(command),
            permit_file=permit_file,
            resume=resume,
            finish_timeout=finish_timeout,
        )
        status = run_guard(Settings.load(), url, job)
    raise typer.Exit(status)


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Examine what is stored: counts, memberships, flags, and what was sealed or started despite an objection.

    Reads everything and changes nothing; exits with 2 when anything is wrong.
    """
    from consentline.cli_doctor import run_doctor

    with reported():
        status = run_doctor(Settings.load(), as_json=as_json)
    raise typer.Exit(status)


@app.command()
def demo() -> None:
    """Load the reference case, serve it, and show a question with its answer; until Ctrl-C."""
    from consentline.demo import run_demo

    with reported():
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
