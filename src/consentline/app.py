"""Composition: settings to a service, and a service to an application. Everything is tied together here."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress

from starlette.applications import Starlette
from starlette.types import ASGIApp

from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError, SettingsError
from consentline.domain.lineage import Kind
from consentline.domain.paging import PageRequest
from consentline.embedded import Report, Server, running_server
from consentline.graph import migrations
from consentline.graph.session import Graph
from consentline.graph.upper import LineageCache
from consentline.settings import Settings
from consentline.usecases import flags, lineage, objections, people, posts, usage
from consentline.usecases.service import Service
from consentline.web.routes import build_routes

_LOG = logging.getLogger("consentline.app")
_RETRY_SECONDS = 1.0


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
    service = _service(settings, server)
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
            await migrations.migrate(service.graph)
            yield service


class Preparation:
    """Migrating and warming up, again and again until it worked; `check` says what is missing."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._missing: ConsentlineError | None = DatabaseUnavailableError("the service is starting")

    async def attempt(self, service: Service) -> bool:
        """Prepare once, and answer whether the database was there.

        Raises:
            MigrationError: waiting would not help.
        """
        self._service = service
        try:
            await migrations.migrate(service.graph)
            await warm_up(service)
        except DatabaseUnavailableError as error:
            self._missing = error
            return False
        self._missing = None
        return True

    async def until_done(self, service: Service) -> None:
        """Prepare until it worked."""
        try:
            while not await self.attempt(service):  # noqa: ASYNC110 - nobody tells when the database is back
                await asyncio.sleep(_RETRY_SECONDS)
        except ConsentlineError as error:
            self._missing = error
            _LOG.error("not ready: %s", error.code)

    async def check(self) -> None:
        """Return when the database is reachable and migrated.

        Raises:
            ConsentlineError: what keeps the service from its work.
        """
        if self._missing is not None or self._service is None:
            raise self._missing or DatabaseUnavailableError("the service is starting")
        recorded = await self._service.graph.read(migrations.applied)
        migrations.check(migrations.load_migrations(), recorded, complete=True)


async def warm_up(service: Service) -> None:
    """Run what requests run most once: a statement's first run costs up to seconds of planning."""
    nothing, request = "", PageRequest(1)
    answer = await usage.post_usage(service, nothing, None)
    await usage.eligibilities_at_use(service, answer, answer.usage.uses)
    await posts.find_post(service, nothing)
    await posts.eligibility(service, nothing, "AI_TRAINING", None, None)
    await people.find_user(service, nothing)
    await people.list_posts(service, nothing, request)
    await objections.find_objection(service, nothing)
    await objections.list_objections(service, None, None, request)
    await flags.list_flags(service, None, None, request)
    with suppress(ConsentlineError):
        await lineage.lineage(service, Kind.POST, nothing, upstream=True, max_depth=1, max_nodes=1, known_at=None)


def create_app(settings: Settings, server: Server) -> ASGIApp:
    """The application on a database; its lifespan prepares it, and goes on trying while the database is away."""
    preparation = Preparation()
    service = _service(settings, server)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        retrying: asyncio.Task[None] | None = None
        try:
            if not await preparation.attempt(service):
                _LOG.warning("the database cannot be reached yet")
                retrying = asyncio.create_task(preparation.until_done(service))
            yield
        finally:
            if retrying is not None:
                retrying.cancel()
            await service.graph.close()

    return build_routes(
        service,
        secret=settings.signing_secret(),
        max_body_bytes=settings.max_body_bytes,
        check_ready=preparation.check,
        lifespan=lifespan,
    )


def _service(settings: Settings, server: Server) -> Service:
    graph = Graph.connect(
        server.uri, server.user, server.password, settings.neo4j_database, settings.transaction_timeout_seconds
    )
    return Service(
        graph=graph,
        lineages=LineageCache(graph),
        establishment=settings.establishment,
        shard_size=settings.shard_size,
    )
