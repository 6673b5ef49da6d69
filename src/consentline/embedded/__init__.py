"""The loopback Neo4j that is used when no URI is configured: fetched, started, shared and stopped by us.

    settings  ->  running_server()  ->  lifecycle  ->  fetch       the jars, verified
                                                   ->  supervisor  a process of its own  ->  java  Neo4j Community

It needs the extra `embedded`; this module can be imported without it, and says so when it is used.
"""

import importlib
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from consentline.domain.errors import EmbeddedError
from consentline.embedded.model import Progress, Report, Server, Status
from consentline.embedded.progress import console_progress
from consentline.settings import Settings

__all__ = [
    "Progress",
    "Report",
    "Server",
    "Status",
    "console_progress",
    "offline",
    "running_server",
    "start",
    "status",
    "stop",
]


@contextmanager
def running_server(settings: Settings, *, report: Report | None = None) -> Generator[Server]:
    """A lease on the loopback Neo4j of `settings.home`: fetched, started and ready when this enters.

    It is released when the block ends; the server ends soon after the last lease, also when its holder was killed.

    Raises:
        EmbeddedError: it cannot be fetched or started; the code says which, the message what to do.
    """
    with _lifecycle().running_server(settings, report=report) as server:
        yield server


def offline(settings: Settings, *, report: Report | None = None) -> AbstractContextManager[Any]:
    """Hold the stopped database of `settings.home`, to import into it; see `importer.OfflineDatabase`.

    Raises:
        EmbeddedError: EMBEDDED_IN_USE when another command uses it; as `running_server`.
    """
    return _imported("importer").offline(settings, report=report)


def start(settings: Settings, *, report: Report | None = None) -> Server:
    """Start the server of `settings.home`, or find it running, and keep it up until `stop`.

    Raises:
        EmbeddedError: as `running_server`.
    """
    return _lifecycle().start(settings, report=report)


def stop(settings: Settings) -> bool:
    """Stop the server of `settings.home`, also under commands that use it; return whether there was one."""
    return _lifecycle().stop(settings)


def status(settings: Settings) -> Status:
    """Return what is known of the server of `settings.home`; starts nothing."""
    return _lifecycle().status(settings)


def _lifecycle() -> Any:
    return _imported("lifecycle")


def _imported(name: str) -> Any:
    """Return a module that does the work, imported at first use.

    What it imports is optional (the extra), and neither the supervisor nor a command with a Neo4j of its own should
    wait for it.

    Raises:
        EmbeddedError: EMBEDDED_NOT_INSTALLED or EMBEDDED_NOT_SUPPORTED.
    """
    try:
        return importlib.import_module(f"consentline.embedded.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("consentline"):
            raise
        if error.name == "fcntl":
            raise EmbeddedError(
                "The embedded Neo4j runs on Linux and macOS. Set CONSENTLINE_NEO4J_URI to a Neo4j of your own.",
                code="EMBEDDED_NOT_SUPPORTED",
            ) from error
        raise EmbeddedError(
            f'The embedded Neo4j needs {error.name}, which is not installed: pip install "consentline[embedded]".'
            " Or set CONSENTLINE_NEO4J_URI to a Neo4j of your own.",
            code="EMBEDDED_NOT_INSTALLED",
        ) from error
