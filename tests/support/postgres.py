"""Debian's PostgreSQL, started for the tests: on loopback, without fsync, in a folder that goes."""

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg

WAIT_S = 60


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's newest programs; None where there are none."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parent.parent.name)
    )
    return found[-1].parent if found else None


@contextmanager
def running(programs: Path) -> Iterator[str]:
    """Start a server; give the URL of its database, without the driver."""
    as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="mmpose-postgres-", dir="/tmp"))
    if as_user:
        shutil.chown(folder, "postgres")
    data = folder / "data"

    def run(*command: str) -> None:
        done = subprocess.run(
            [*as_user, str(programs / command[0]), *command[1:]],
            cwd=folder,
            stdout=subprocess.DEVNULL,  # a pipe would stay open as long as the server
            stderr=subprocess.DEVNULL,
            timeout=2 * WAIT_S,
            check=False,
        )
        assert done.returncode == 0, (command, _log(folder))

    try:
        run("initdb", "-D", str(data), "-A", "trust", "-U", "tests", "--no-sync")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = (
            f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories='' "
            "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"
        )
        start = ("-o", options, "-w", "-t", str(WAIT_S), "start")
        run("pg_ctl", "-D", str(data), "-l", str(folder / "log"), *start)
        try:
            yield f"postgresql://tests@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "-D", str(data), "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty(database: str) -> None:
    """Delete all tables; a test that kept a connection open fails here."""

    async def delete() -> None:
        connection = await asyncpg.connect(database)
        try:
            await connection.execute(
                "SET lock_timeout = '20s'; DROP SCHEMA public CASCADE; CREATE SCHEMA public"
            )
        finally:
            await connection.close()

    asyncio.run(delete())


def _log(folder: Path) -> str:
    log = folder / "log"
    return log.read_text() if log.exists() else "no log"
