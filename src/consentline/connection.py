"""From settings to a service on a database, the one that they name or the embedded one; without the web."""

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

from consentline.domain.errors import SettingsError
from consentline.domain.pseudonyms import Pseudonyms
from consentline.embedded import Report, Server, running_server
from consentline.graph import migrations, secret
from consentline.graph.session import Graph
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases.service import Service


@contextmanager
def database(settings: Settings, report: Report | None = None) -> Generator[Server]:
    """The database of the settings: the one that they name, else the embedded one for as long as the block lasts.

    It blocks until the embedded one answers; enter it before an event loop runs.

    Raises:
        EmbeddedError: the embedded one cannot be fetched or started.
        SettingsError: a URI without a password.
    """
    if settings.neo4j_uri is None:
        with running_server(settings, report=report) as server:
            yield server
        return
    if settings.neo4j_password is None:
        raise SettingsError("CONSENTLINE_NEO4J_PASSWORD: is required with CONSENTLINE_NEO4J_URI")
    yield Server(settings.neo4j_uri, settings.neo4j_user, settings.neo4j_password.get_secret_value())


@asynccontextmanager
async def connected(settings: Settings, server: Server) -> AsyncGenerator[Service]:
    """A service on the database; nothing is reached before it is used."""
    service = compose(settings, server)
    try:
        yield service
    finally:
        await service.graph.close()


@asynccontextmanager
async def open_service(settings: Settings, report: Report | None = None) -> AsyncGenerator[Service]:
    """A service ready to work: the database found or started, connected and migrated.

    Raises:
        ConsentlineError: whatever keeps it from that.
    """
    with database(settings, report) as server:
        async with connected(settings, server) as service:
            await prepare(service)
            yield service


async def prepare(service: Service) -> None:
    """Bring the graph up to date, and make sure that what was erased is found in it.

    Raises:
        MigrationError: the graph is of another version.
        SettingsError: the digests in it were made under another secret.
        DatabaseUnavailableError: it cannot be reached.
    """
    await migrations.migrate(service.graph)
    await service.graph.read(lambda tx: secret.check(tx, service.pseudonyms))


def compose(settings: Settings, server: Server) -> Service:
    """A service on the database, as the settings have it; whoever asks for it closes its graph."""
    graph = Graph.connect(
        server.uri, server.user, server.password, settings.neo4j_database, settings.transaction_timeout_seconds
    )
    return Service(
        graph=graph,
        lineages=LineageCache(graph),
        pseudonyms=Pseudonyms(settings.digest_secret().encode()),
        establishment=settings.establishment,
        shard_size=settings.shard_size,
        private_webhooks=settings.webhook_allow_private,
    )
