"""Composition of the application: a service on a database, prepared, warm and served over HTTP."""

import asyncio
import logging
import signal
import threading
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from types import FrameType

from starlette.applications import Starlette
from starlette.types import ASGIApp

from consentline.chores import keep_doing, pruning, sweeping
from consentline.connection import compose, prepare
from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError, SettingsError
from consentline.domain.lineage import Kind
from consentline.domain.paging import PageRequest
from consentline.embedded import Server
from consentline.gql.documents import TrustedDocuments
from consentline.gql.execution import Engine
from consentline.gql.schema import build_schema
from consentline.graph import migrations
from consentline.permits import Signer
from consentline.settings import Settings
from consentline.usecases import erasing, flags, lineage, objections, people, posts, usage
from consentline.usecases.feed import Feed
from consentline.usecases.service import Service
from consentline.web.endpoint import Endpoint
from consentline.web.rates import Rates
from consentline.web.routes import build_routes

_LOG = logging.getLogger("consentline.app")
_RETRY_SECONDS = 1.0


class Preparation:
    """Migrating and warming up, again and again until it worked; `check` says what is missing."""

    def __init__(self) -> None:
        self._service: Service | None = None
        self._missing: ConsentlineError | None = DatabaseUnavailableError("the service is starting")

    async def attempt(self, service: Service) -> bool:
        """Prepare once, and answer whether the database was there.

        Raises:
            MigrationError: waiting would not help.
            SettingsError: likewise.
        """
        self._service = service
        try:
            await prepare(service)
            await warm_up(service)
        except DatabaseUnavailableError as error:
            self._missing = error
            return False
        self._missing = None
        return True

    async def until_done(self, service: Service) -> bool:
        """Prepare until it worked, and answer whether it did: waiting does not always help."""
        try:
            while not await self.attempt(service):  # noqa: ASYNC110 - nobody tells when the database is back
                await asyncio.sleep(_RETRY_SECONDS)
        except ConsentlineError as error:
            self._missing = error
            _LOG.error("not ready: %s", error.code)
            return False
        return True

    async def check(self) -> None:
        """Return when the database is reachable and migrated.

        Raises:
            ConsentlineError: what keeps the service from its work.
        """
        if self._missing is not None or self._service is None:
            raise self._missing or DatabaseUnavailableError("the service is starting")
        recorded = await self._service.graph.read(migrations.applied)
        migrations.check(migrations.load_migrations(), recorded, complete=True)


async def resume(service: Service) -> None:
    """Go on with erasures that a process that stopped had begun to carry out; what else was left the sweep finds."""
    while True:
        try:
            await erasing.carry_out_all(service)
        except DatabaseUnavailableError:
            await asyncio.sleep(_RETRY_SECONDS)
        else:
            return


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


def trusted_documents(settings: Settings, engine: Engine) -> TrustedDocuments:
    """The documents that the operator registered, each tried against the schema.

    Raises:
        SettingsError: the file cannot be used, or holds a document that could not be run.
    """
    documents = TrustedDocuments.load(settings.trusted_documents, only=settings.trusted_documents_only)
    for name, text in documents:
        errors = engine.check(text)
        if errors:
            raise SettingsError(f"CONSENTLINE_TRUSTED_DOCUMENTS: {name}: {errors[0]['message']}")
    return documents


def create_app(settings: Settings, server: Server) -> ASGIApp:
    """The application on a database; its lifespan prepares it, and goes on trying while the database is away."""
    preparation = Preparation()
    engine = Engine(build_schema(), help_clients=settings.introspection)
    documents = trusted_documents(settings, engine)
    service = compose(settings, server)
    feed = Feed(service)

    async def afterwards(prepared: bool) -> None:
        if prepared or await preparation.until_done(service):
            await resume(service)
            await keep_doing(
                [sweeping(service, settings.sweep_seconds), pruning(service, settings.event_retention_days)]
            )

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncGenerator[None]:
        background: asyncio.Task[None] | None = None
        try:
            prepared = await preparation.attempt(service)
            if not prepared:
                _LOG.warning("the database cannot be reached yet")
            background = asyncio.create_task(afterwards(prepared))
            with _before_stopping(feed.close):
                yield
        finally:
            feed.close()
            if background is not None:
                background.cancel()
            await service.graph.close()

    endpoint = Endpoint(
        service=service,
        engine=engine,
        documents=documents,
        rates=Rates(settings.rate_limit_per_second, settings.rate_limit_burst),
        secret=settings.signing_secret(),
        sign_permit=Signer(settings.signing_key(), settings.permit_lifetime),
        max_body_bytes=settings.max_body_bytes,
        feed=feed,
    )
    return build_routes(endpoint, preparation.check, lifespan)


@contextmanager
def _before_stopping(act: Callable[[], None]) -> Generator[None]:
    """Act as soon as the server is told to stop: it waits for answers to end, and those of subscriptions never do."""
    loop = asyncio.get_running_loop()
    before = {
        each: signal.getsignal(each)
        for each in (signal.SIGTERM, signal.SIGINT)
        if threading.current_thread() is threading.main_thread()
    }

    def stop(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(act)
        handler = before[signal.Signals(number)]
        if callable(handler):
            handler(number, frame)

    for each in before:
        signal.signal(each, stop)
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)
