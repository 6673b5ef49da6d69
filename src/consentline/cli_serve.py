"""The command `consentline serve`: the application on a socket until a signal ends it."""

import asyncio
import gc
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType

import typer
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from consentline import logs
from consentline.app import create_app
from consentline.connection import connected, database, prepare
from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError
from consentline.embedded import Server, console_progress
from consentline.settings import Settings
from consentline.web.transport import OneWriteProtocol

_GRACE_SECONDS = 10


class ServeError(ConsentlineError):
    """The application cannot be served."""

    code = "SERVE"


def run_server(settings: Settings, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT: requests under way are finished, then the database is left.

    Several workers are processes that share the socket and nothing else but the database; one that dies is replaced.

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
        # A mistake in the settings is told here, once, and not by each worker.
        application = _application(settings, server) if workers == 1 else None
        config = uvicorn.Config(
            application or partial(_of_worker, settings, server),
            factory=application is None,
            workers=workers,
            log_config=None,
            access_log=False,
            http=OneWriteProtocol,
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_SECONDS,
            ws_max_size=settings.max_body_bytes,
        )
        if workers == 1:
            _Announced(config).run(sockets=[listener])
        else:
            _Workers(config, sockets=[listener]).run()


def _application(settings: Settings, server: Server) -> ASGIApp:
    application = create_app(settings, server)
    # The schema lives as long as the process and is not looked at again. Cycles are sought when more is alive than some
    # answers, instead of several times in each; often enough for documents that are forgotten, which are cycles.
    gc.freeze()
    gc.set_threshold(10_000, 5, 5)
    return application


def _of_worker(settings: Settings, server: Server) -> ASGIApp:
    """The application of a worker, which is a process of its own."""
    logs.configure()
    return _application(settings, server)


class _Announced(uvicorn.Server):
    """Says where it listens once it does."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so on standard output."""
        await super().startup(sockets)
        _announce(sockets or ())


class _Workers(Multiprocess):
    """Says where they listen once one of them does."""

    def init_processes(self) -> None:
        """Start the workers, then say so on standard output."""
        super().init_processes()
        while not self.should_exit.is_set() and not any(each.is_ready(timeout=1) for each in self.processes):
            self.handle_signals()
            self.keep_subprocess_alive()
        if not self.should_exit.is_set():
            _announce(self.sockets)


def _announce(sockets: Sequence[socket.socket]) -> None:
    for each in sockets:
        host, port = each.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        typer.echo(f"Serving http://{shown}:{port}/graphql until Ctrl-C.")


async def _check(settings: Settings, server: Server) -> None:
    """Migrate, so that a graph of another version ends the command with one clear line."""
    async with connected(settings, server) as service:
        with suppress(DatabaseUnavailableError):
            await prepare(service)


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
