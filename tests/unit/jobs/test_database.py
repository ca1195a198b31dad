"""The database of jobs: migrations, addresses that cannot be used, and deletion."""

import asyncio
import random
import sqlite3
import stat
import uuid

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from deployments.errors import ConfigurationError, JobTableError
from serve_app.jobs import database as database_module
from serve_app.jobs.database import Database
from serve_app.jobs.store import JobStore
from serve_app.jobs.tables import metadata
from tests.support.job_tables import Clock, new_job, opened

pytestmark = pytest.mark.anyio


async def test_migrations_make_the_tables_that_the_code_uses(jobs_url):
    database = await Database.open(jobs_url)

    def differences(connection):
        context = MigrationContext.configure(
            connection, opts={"version_table": "jobs_version", "compare_type": True}
        )
        return compare_metadata(context, metadata)

    async with database.write() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_many_may_open_an_empty_database_at_once(jobs_url):
    opening = await asyncio.gather(*(Database.open(jobs_url) for _ in range(8)))
    for database in opening:
        await database.close()


async def test_a_database_of_a_newer_version_is_refused(jobs_url):
    database = await Database.open(jobs_url)
    async with database.write() as connection:
        await connection.exec_driver_sql("UPDATE jobs_version SET version_num = '9999'")
    await database.close()
    with pytest.raises(ConfigurationError, match="9999"):
        await Database.open(jobs_url)


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("nonsense", "no SQLAlchemy URL"),
        ("mysql://root:hunter2@host/jobs", "mysql://root:\\*\\*\\*@host/jobs"),
        ("sqlite://", "sqlite://"),
        ("sqlite:////proc/none/jobs.db", "/proc/none"),
        ("postgresql://ann:hunter2@127.0.0.1:1/jobs", "postgresql"),
    ],
)
async def test_an_address_that_cannot_be_used_is_a_wrong_setting(url, found):
    with pytest.raises(ConfigurationError, match=found) as caught:
        await Database.open(url)
    assert caught.value.facts == {"setting": "jobs_database"}
    assert "hunter2" not in str(caught.value)


async def test_a_file_that_is_no_database_is_a_wrong_setting(tmp_path):
    (tmp_path / "jobs.db").write_bytes(b"not a database" * 1000)
    with pytest.raises(ConfigurationError, match="not a database"):
        await Database.open(f"sqlite:///{tmp_path}/jobs.db")


async def test_files_of_sqlite_are_private(tmp_path):
    url = f"sqlite:///{tmp_path}/new/jobs.db"
    async with opened(url, 1, Clock()) as (store,):
        await store.submit([new_job()], max_queued=1)
        files = list((tmp_path / "new").iterdir())
        assert {path.name for path in files} >= {"jobs.db", "jobs.db-wal"}
        assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


async def test_deleted_jobs_are_in_no_file_of_sqlite(tmp_path):
    secret = "signature=0123456789"

    def holding():
        return [path.name for path in tmp_path.iterdir() if secret.encode() in path.read_bytes()]

    async with opened(f"sqlite:///{tmp_path}/jobs.db", 1, Clock()) as (store,):
        jobs, _ = await store.submit(
            [new_job(source=f"https://a.test/?{secret}") for _ in range(20)], max_queued=20
        )
        assert holding()
        for job in jobs:
            await store.remove(job.id, None)
        assert holding() == []


async def test_a_database_that_stays_locked_is_said(tmp_path, monkeypatch):
    pragmas = ("busy_timeout = 50", *database_module._PRAGMAS[1:])
    monkeypatch.setattr(database_module, "_PRAGMAS", pragmas)
    store = await JobStore.open(f"sqlite:///{tmp_path}/jobs.db")
    with sqlite3.connect(tmp_path / "jobs.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        assert await store.list_jobs(None)  # readers wait for nobody
        with pytest.raises(JobTableError) as caught:
            await store.submit([new_job()], max_queued=1)
    other.close()
    assert caught.value.retryable
    assert (caught.value.private, caught.value.status) == ("database is locked", 503)
    await store.close()


async def test_a_server_that_goes_away_is_said_and_may_come_back(jobs_url):
    """Connections that the server ended are replaced."""
    store = await JobStore.open(jobs_url)
    if store.database.is_postgres:
        await store.list_jobs(None)
        killer = await Database.open(jobs_url)
        async with killer.write() as connection:
            await connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        await killer.close()
    assert (await store.list_jobs(None)).jobs == ()
    await store.close()


async def test_callers_that_are_canceled_leave_nothing_locked(jobs_url):
    """SQLite's driver, interrupted within a statement, would hold the lock of its connection."""
    clock, moments = Clock(), random.Random(5)
    async with asyncio.timeout(120), opened(jobs_url, 1, clock) as (store,):
        await store.submit([new_job()], max_queued=1)
        for number in range(60):
            task = asyncio.create_task(
                store.submit([new_job()], max_queued=1000)
                if number % 2
                else store.claim(f"w{number}", 30)
            )
            await asyncio.sleep(moments.random() * 0.008)
            task.cancel()
            await asyncio.wait({task})
        await store.submit([new_job()], max_queued=1000)
        await store.close()
        async with opened(jobs_url, 1, clock) as (again,):
            kept = {job.id for job in (await again.list_jobs(None, limit=100)).jobs}
            clock.now += 30
            claimed = [job.id async for job in claims(again)]
        assert set(claimed) == kept
        assert len(claimed) == len(kept) >= 2


async def claims(store):
    """Claim one job after another, until there is none."""
    while job := await store.claim(f"late{uuid.uuid4().hex}", 30):
        yield job
