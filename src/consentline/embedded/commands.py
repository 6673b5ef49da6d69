"""`consentline neo4j start|stop|status`: the embedded Neo4j by hand."""

from collections.abc import Generator
from contextlib import contextmanager

import typer

from consentline import embedded
from consentline.domain.errors import EmbeddedError, SettingsError
from consentline.settings import Settings

# As systemd's and LSB's `status`: 3 is "not running".
EXIT_STOPPED = 3

neo4j_app = typer.Typer(
    name="neo4j",
    help=(
        "The Neo4j that runs on loopback when CONSENTLINE_NEO4J_URI is not set. Commands that need it start it and"
        " it ends after them; `start` keeps it up."
    ),
    no_args_is_help=True,
)


@neo4j_app.command("start")
def start() -> None:
    """Start the embedded Neo4j of this home, or find it running, and keep it up until `stop`.

    The first start fetches it (180 MB, kept for all homes). Exits with 1 when it cannot be started.
    """
    with _reported():
        settings = Settings.load()
        with embedded.console_progress() as report:
            server = embedded.start(settings, report=report)
        typer.echo(f"running at {server.uri}, user {server.user}")
        typer.echo(f"password in {embedded.status(settings).home / 'password'}")


@neo4j_app.command("stop")
def stop() -> None:
    """Stop the embedded Neo4j of this home, also under commands that are using it.

    Everything committed is kept. Exits with 0 also when none was running.
    """
    with _reported():
        typer.echo("stopped" if embedded.stop(Settings.load()) else "not running")


@neo4j_app.command("status")
def status() -> None:
    """Print the state of the embedded Neo4j of this home; starts nothing.

    Exits with 0 while it is running, starting or stopping, with 3 when it is not running.
    """
    with _reported():
        found = embedded.status(Settings.load())
    typer.echo(found.state)
    rows = {"port": found.port, "pid": found.pid, "home": found.home, "version": found.version, "error": found.error}
    for name, value in rows.items():
        if value is not None:
            typer.echo(f"{name:8}{value}")
    if found.kept:
        typer.echo("kept up until `consentline neo4j stop`")
    if found.state in ("stopped", "failed"):
        raise typer.Exit(EXIT_STOPPED)


@contextmanager
def _reported() -> Generator[None]:
    """Print an expected error as one line on standard error and exit with 1."""
    try:
        yield
    except (EmbeddedError, SettingsError) as error:
        typer.echo(f"{error.code}: {error.message}", err=True)
        raise typer.Exit(1) from error
