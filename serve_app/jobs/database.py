"""Open the database of jobs, SQLite or PostgreSQL, and migrate it."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Protocol, Self, TypeVar

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from deployments.errors import ConfigurationError, JobTableError

_DRIVERS: Final = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}
_CONNECT_S: Final = 10
_BUSY_S: Final = 30
_PRAGMA_TRIES: Final = 100
_PRAGMA_WAIT_S: Final = 0.02
_PRAGMAS: Final = (
    f"busy_timeout = {_BUSY_S * 1000}",
    "journal_mode = WAL",
    "foreign_keys = ON",
    "secure_delete = ON",  # zeros over what is deleted
)
_BEGIN: Final = "jobs_begin"  # option of a connection: how SQLite begins a transaction
_FAILURES: Final = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
_MIGRATION_LOCK: Final = 0x6A6F6273  # of PostgreSQL's advisory locks: "jobs"
_HINT: Final = "Write sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME."

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


class Database:
    """The database of jobs. A transaction is written whole or not at all."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._tasks: set[asyncio.Task[Any]] = set()
        self._readers = engine.execution_options(**{_BEGIN: "BEGIN"})
        self.is_postgres = engine.dialect.name == "postgresql"

    @classmethod
    async def open(cls, address: str) -> Self:
        """Connect, and bring the tables to this version; several processes may do so at once.

        Args:
            address: an SQLAlchemy URL of SQLite or PostgreSQL. A file of SQLite is made, mode 0600.

        Raises:
            ConfigurationError: the address is neither, the database does not answer, or a newer
                version of the service has migrated it.
        """
        url = _parse(address)
        try:
            engine = _sqlite(url) if url.drivername.startswith("sqlite") else _postgres(url)
        except OSError as error:
            raise _unusable(url, error) from error
        database = cls(engine)
        try:
            async with engine.begin() as connection:
                await database.lock(connection, _MIGRATION_LOCK, "")
                await connection.run_sync(_migrate)
        except (*_FAILURES, CommandError) as error:
            await engine.dispose()
            raise _unusable(url, error) from error
        except BaseException:
            await engine.dispose()
            raise
        return database

    async def close(self) -> None:
        """Wait for what has begun, and close all connections."""
        while self._tasks:
            await asyncio.wait(self._tasks)
        await self._engine.dispose()

    async def finish(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Run transactions to their end, even if the caller is canceled meanwhile.

        A driver that is interrupted within a statement keeps its connection to SQLite open, and
        locked, until Python collects it.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # nobody else asks where the caller was canceled

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction and commit it at the end; on SQLite nobody else writes meanwhile.

        Raises:
            JobTableError: the database does not answer, or stays locked.
        """
        with _failures_named():
            async with self._engine.begin() as connection:
                yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Begin a transaction that only reads; on SQLite it waits for no writer.

        Raises:
            JobTableError: the database does not answer.
        """
        with _failures_named():
            async with self._readers.connect() as connection:
                yield connection

    async def lock(self, connection: AsyncConnection, kind: int, name: str) -> None:
        """Wait until no other transaction holds this lock, and hold it until the end of this one.

        On SQLite every transaction that writes holds all locks.
        """
        if self.is_postgres:
            await connection.execute(
                text("SELECT pg_advisory_xact_lock(:kind, hashtext(:name))"),
                {"kind": kind, "name": name},
            )

    async def erase_log(self) -> None:
        """Empty the write-ahead log of SQLite, which still has what was deleted.

        PostgreSQL does so by itself: autovacuum, and the recycling of its log.
        """
        if not self.is_postgres:
            with _failures_named():
                async with self._engine.connect() as connection:
                    await connection.execution_options(**{_BEGIN: None})
                    await connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


class _Keeper(Protocol):
    @property
    def database(self) -> Database: ...


_Self = TypeVar("_Self", bound=_Keeper)
_Method = Callable[Concatenate[_Self, _Arguments], Coroutine[Any, Any, _Result]]


def whole(method: "_Method[_Self, _Arguments, _Result]") -> "_Method[_Self, _Arguments, _Result]":
    """Decorate a method that :meth:`Database.finish` is to run."""

    @wraps(method)
    async def run(
        self: _Self, /, *arguments: _Arguments.args, **keywords: _Arguments.kwargs
    ) -> _Result:
        return await self.database.finish(method(self, *arguments, **keywords))

    return run


def _parse(address: str) -> URL:
    try:
        url = make_url(address)
    except ArgumentError as error:
        raise ConfigurationError(
            "jobs_database is no SQLAlchemy URL", hint=_HINT, setting="jobs_database"
        ) from error
    driver = _DRIVERS.get(url.drivername)
    if driver is None or (driver.startswith("sqlite") and not url.database):
        raise ConfigurationError(
            f"jobs_database: found {url.render_as_string(hide_password=True)}, "
            "expected a file of SQLite or a database of PostgreSQL",
            hint=_HINT,
            setting="jobs_database",
        )
    return url.set(drivername=driver)


def _unusable(url: URL, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        f"jobs_database: {url.render_as_string(hide_password=True)} cannot be used: "
        f"{_reason(error)}",
        hint=_HINT,
        setting="jobs_database",
    )


def _reason(error: Exception) -> str:
    """Return the first line of the database's own message, without the statement."""
    cause = error.orig if isinstance(error, DBAPIError) and error.orig else error
    return next(iter(str(cause).splitlines()), type(cause).__name__)


@contextmanager
def _failures_named() -> Iterator[None]:
    """Convert failures of the database to a :class:`JobTableError`."""
    try:
        yield
    except _FAILURES as error:
        raise JobTableError(
            "The database of jobs cannot be used at the moment", private=_reason(error)
        ) from error


def _postgres(url: URL) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,
        pool_pre_ping=True,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _BUSY_S},
    )


def _sqlite(url: URL) -> AsyncEngine:
    """Return an engine that begins transactions itself, so that writers wait for their turn.

    A transaction that reads first and writes later fails if another one wrote in between; hence
    BEGIN IMMEDIATE.
    """
    path = Path(str(url.database))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    engine = create_async_engine(url, hide_parameters=True)

    @event.listens_for(engine.sync_engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # the driver begins nothing
        cursor = connection.cursor()
        for pragma in _PRAGMAS:
            _set(cursor, pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get(_BEGIN, "BEGIN IMMEDIATE")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _set(cursor: Any, pragma: str) -> None:
    """Set a pragma; SQLite waits for no lock while another connection changes the journal."""
    for _ in range(_PRAGMA_TRIES):
        try:
            cursor.execute(f"PRAGMA {pragma}")
        except sqlite3.OperationalError:
            time.sleep(_PRAGMA_WAIT_S)
        else:
            return
    cursor.execute(f"PRAGMA {pragma}")


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", "serve_app.jobs:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
