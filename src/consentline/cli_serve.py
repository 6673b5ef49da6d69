"""The command `consentline serve`: the application on a socket until a signal ends it."""

import asyncio
import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager, suppress
from types import FrameType

import typer
import uvicorn

from consentline import logs
from consentline.app import create_app
from consentline.connection import connected, database
from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError
from consentline.embedded import Server, console_progress
from consentline.graph import migrations
from consentline.settings import Settings

_GRACE_SECONDS = 10


class ServeError(ConsentlineError):
    """The application cannot be served."""

    code = "SERVE"


def run_server(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT: requests under way are finished, then the database is left.

    Raises:
        ConsentlineError: the port cannot be used, the embedded database cannot be started, or the graph is of another
            version. A configured database that cannot be reached yet is waited for: /readyz says so.
    """
    logs.configure()
    signal.signal(signal.SIGTERM, _interrupt)
    with (
        suppress(KeyboardInterrupt),
        _listening(host, port) as listener,
        console_progress() as report,
        database(settings, report) as server,
    ):
        asyncio.run(_check(settings, server))
        config = uvicorn.Config(
            create_app(settings, server),
            log_config=None,
            access_log=False,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        _Announced(config).run(sockets=[listener])


class _Announced(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so on standard output."""
        await super().startup(sockets)
        for each in sockets or ():
            host, port = each.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            typer.echo(f"Serving http://{shown}:{port}/graphql until Ctrl-C.")


async def _check(settings: Settings, server: Server) -> None:
    """Migrate, so that a graph of another version ends the command with one clear line."""
    async with connected(settings, server) as service:
        with suppress(DatabaseUnavailableError):
            await migrations.migrate(service.graph)


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    """A socket that is bound before anything else is started, so that a taken port is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            raise ServeError(f"cannot listen on {host}:{port}: {error.strerror}", code="PORT_TAKEN") from None
        yield listener


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """End as by Ctrl-C, so that everything that was started is left in order."""
    raise KeyboardInterrupt
