"""Transactions on the graph: timeouts, retries and errors in one place."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, LiteralString, TypeVar

from neo4j import AsyncDriver, AsyncGraphDatabase, AsyncManagedTransaction, AsyncSession, Query, Record, unit_of_work
from neo4j.exceptions import AuthError, ConfigurationError, DriverError, Neo4jError

from consentline.domain.errors import ConsentlineError, DatabaseUnavailableError, SettingsError

T = TypeVar("T")

_SCHEMA_ATTEMPTS = 12
_OUT_OF_TIME = ("TransactionTimedOut", "LockAcquisitionTimeout", "LockClientStopped", "TransactionTerminated")
_GONE = (
    "ClientError.Transaction",
    "DatabaseUnavailable",
    "DatabaseNotFound",
    "NotALeader",
    "Transient",
    "General",
    "Security",
)


class UnwrittenError(Exception):
    """One statement did not write what it should, or nobody knows."""


class Tx:
    """Where statements run: inside a managed transaction, or each as a transaction of its own."""

    def __init__(
        self, runner: AsyncManagedTransaction | AsyncSession, timeout: float, count: Callable[[], None]
    ) -> None:
        self._runner = runner
        self._timeout = timeout
        self._count = count

    async def rows(self, query: LiteralString, /, **parameters: Any) -> list[Record]:
        """Every row of the statement's answer."""
        self._count()
        if isinstance(self._runner, AsyncSession):
            result = await self._runner.run(Query(query, timeout=self._timeout), parameters)
        else:
            result = await self._runner.run(query, parameters)
        return [record async for record in result]

    async def find(self, query: LiteralString, /, **parameters: Any) -> Record | None:
        """The first row, or None."""
        rows = await self.rows(query, **parameters)
        return rows[0] if rows else None

    async def get(self, query: LiteralString, /, **parameters: Any) -> Record:
        """The first row of a statement that always answers one."""
        return (await self.rows(query, **parameters))[0]


class Graph:
    """The graph behind a driver; every transaction goes through `read` or `write`.

    `statements` counts what was sent, so that tests can bound the cost of a request.
    """

    def __init__(self, driver: AsyncDriver, database: str, timeout_seconds: float) -> None:
        self._driver = driver
        self._database = database
        self._timeout = timeout_seconds
        self.statements = 0

    @classmethod
    def connect(cls, uri: str, user: str, password: str, database: str, timeout_seconds: float) -> "Graph":
        """A graph whose server is reached when the first transaction needs it.

        Raises:
            SettingsError: the URI or the credentials cannot be used.
        """
        try:
            driver: AsyncDriver = AsyncGraphDatabase.driver(  # pyright: ignore[reportUnknownMemberType] - **config
                uri,
                auth=(user, password),
                max_transaction_retry_time=timeout_seconds,
                connection_acquisition_timeout=min(timeout_seconds, 15),
                connection_timeout=5,
                notifications_min_severity="OFF",
                user_agent="consentline",
            )
        except (ConfigurationError, ValueError):
            # The driver's message repeats the URI, in which a password may stand.
            raise SettingsError("CONSENTLINE_NEO4J_URI: cannot be used by the Neo4j driver") from None
        return cls(driver, database, timeout_seconds)

    async def read(self, work: Callable[[Tx], Awaitable[T]], *, unbounded: bool = False) -> T:
        """Run `work`, each of whose statements is a read transaction of its own: one round trip each.

        An `unbounded` one may take as long as it needs, for what reads everything.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or a statement ran out of time.
        """
        # A task of its own: a statement resumes the driver several times, each through all that awaits it.
        return await asyncio.ensure_future(self._read(work, 0 if unbounded else self._timeout))

    async def _read(self, work: Callable[[Tx], Awaitable[T]], seconds: float) -> T:
        with _mapped_errors():
            async with self._session("READ") as session:
                return await work(Tx(session, seconds, self._count))

    async def write(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work` in one write transaction; transient faults repeat it as a whole, so it keeps no state outside.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or the transaction ran out of time.
        """

        @unit_of_work(timeout=self._timeout)
        async def in_transaction(tx: AsyncManagedTransaction) -> T:
            return await work(Tx(tx, self._timeout, self._count))

        with _mapped_errors():
            async with self._session("WRITE") as session:
                return await session.execute_write(in_transaction)

    async def write_at_once(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """As `write_once`, for who does the same in a transaction where this fails, and finds what is written already.

        Raises:
            UnwrittenError: it fails, or its answer was lost, as it need not in a transaction that is repeated.
            DatabaseUnavailableError: the server cannot be reached, or the statement ran out of time.
        """
        try:
            return await self.write_once(work)
        except Neo4jError as error:
            raise UnwrittenError from error
        except DatabaseUnavailableError as error:
            if isinstance(error.__cause__, Neo4jError | DriverError) and error.__cause__.is_retryable():
                raise UnwrittenError from error
            raise

    async def write_once(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run `work`, whose one statement is a write transaction of its own: one round trip, and not repeated.

        Raises:
            DatabaseUnavailableError: the server cannot be reached, or the statement ran out of time. Where only the
                answer to the commit was lost, it is committed all the same.
        """
        with _mapped_errors():
            async with self._session("WRITE") as session:
                return await work(Tx(session, self._timeout, self._count))

    async def run_schema(self, statement: LiteralString) -> None:
        """Run one idempotent schema statement in a transaction of its own.

        Two processes that create the same at once may wait for each other, or find it made meanwhile: it is repeated.
        """
        with _mapped_errors():
            for attempt in range(_SCHEMA_ATTEMPTS):
                try:
                    async with self._session("WRITE") as session:
                        await (await session.run(statement)).consume()
                except Neo4jError as error:
                    made = "AlreadyExists" in (error.code or "")
                    if attempt + 1 == _SCHEMA_ATTEMPTS or not (made or error.is_retryable()):
                        raise
                    await asyncio.sleep(random.uniform(0.1, 0.5) * (attempt + 1))  # noqa: S311 - spreads the retries
                else:
                    return

    def _session(self, access: str) -> AsyncSession:
        return self._driver.session(  # pyright: ignore[reportUnknownMemberType] - the driver's **config is untyped
            database=self._database, default_access_mode=access
        )

    async def close(self) -> None:
        """Return the connections."""
        await self._driver.close()

    def _count(self) -> None:
        self.statements += 1


@contextmanager
def _mapped_errors() -> Generator[None]:
    """Driver and server faults as ours; what is a bug in our Cypher stays what it is."""
    try:
        yield
    except ConsentlineError:
        raise
    except AuthError as error:
        raise DatabaseUnavailableError("the database refused the configured user or password") from error
    except Neo4jError as error:
        code = error.code or ""
        if any(part in code for part in _OUT_OF_TIME):
            raise DatabaseUnavailableError("the database did not answer in time; nothing was changed") from error
        if "OutOfMemory" in code:
            raise DatabaseUnavailableError(
                "the transaction needs more memory than the database grants one; nothing was changed"
            ) from error
        if error.is_retryable() or any(part in code for part in _GONE):
            raise DatabaseUnavailableError("the database cannot serve this now; try again") from error
        raise
    except (DriverError, OSError) as error:
        raise DatabaseUnavailableError("the database cannot be reached") from error
