"""A PostgreSQL server of the tests' own, and a fresh database on it for each test."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg

from tests.system_tools import postgres_folder

_START_SECONDS = 60
_numbers = count(1)


@contextmanager
def postgres_server() -> Generator[Path]:
    """Run a server that listens on a socket in the folder that is yielded, and nowhere else.

    Its order of words is a language's, not that of code points, as on many a real server.
    """
    programs = postgres_folder()
    folder = Path(tempfile.mkdtemp(prefix="quarterdeck-postgres-"))
    # PostgreSQL refuses to run as root.
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)
    data = folder / "data"
    setup = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    language = ["--locale-provider=icu", "--icu-locale=en-US", "--locale=C.UTF-8"]
    run = [programs / "postgres", "-D", data, "-k", folder, "-h", "", "-F"]
    try:
        subprocess.run(
            [programs / "initdb", "-D", data, *setup, *language],
            user=user,
            cwd=folder,
            check=True,
            capture_output=True,
        )
        with open(folder / "log", "wb") as log:
            server = subprocess.Popen(run, user=user, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(server, folder)
            yield folder
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(_START_SECONDS)
    finally:
        shutil.rmtree(folder)


def new_database(folder: Path) -> str:
    """Make an empty database; return its URL for the store."""
    name = f"quarterdeck_{next(_numbers)}"
    with psycopg.connect(host=str(folder), user="postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}".encode())
    return f"postgresql+psycopg://postgres@/{name}?host={folder}"


def _wait_for(server: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(folder), user="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "log").read_text()) from None
            time.sleep(0.05)
        else:
            return
