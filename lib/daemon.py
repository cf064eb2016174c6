"""The background process that collects: `python -m lib.daemon`.

One lives per store and machine, guarded by a lock that dies with it. It first reads everything,
newest first, then follows: change notices within about a second, a sweep every five seconds as
the safety net (a full one every minute), a look at the live sources every second. It outlives
whatever it reads; what goes wrong is written down where the Machines page shows it.

Exit status: 0 done, 1 failed, 2 bad use.
"""

import argparse
import contextlib
import fcntl
import gc
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator

from lib.fresh_store import FreshStore
from lib.scan import Scan
from lib.settings import PROJECT_FOLDER, Settings, settings
from lib.store_errors import StoreError
from lib.store_rows import FactStore

LOCK_SECONDS = 1.0
FIRST_STEPS_SECONDS = 2.0

_started: list["subprocess.Popen[bytes]"] = []
"""Daemons that this process started: kept, so that one that ended leaves no zombie."""


class AlreadyRunningError(RuntimeError):
    """Another daemon of this store and machine lives."""


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextlib.contextmanager
def sole_daemon(config: Settings, patience: float = 0.0) -> Generator[None]:
    """Hold the lock of this store and machine; wait up to `patience` seconds for it.

    Raises AlreadyRunningError when another process holds it. The lock goes with the process,
    however that ends; the file stays.
    """
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(config.lock_path, "a+", encoding="utf-8") as file:
        deadline = time.monotonic() + patience
        while not (held := _lock(file.fileno())) and time.monotonic() < deadline:
            time.sleep(0.05)
        if not held:
            file.seek(0)
            raise AlreadyRunningError(
                f"A daemon of this store is already running (pid {file.read().strip() or '?'})."
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def is_running(config: Settings) -> bool:
    """Whether a daemon of this store and machine lives."""
    try:
        with sole_daemon(config):
            return False
    except AlreadyRunningError:
        return True


def ensure_running(config: Settings) -> bool:
    """Start a daemon, detached from this process, unless one lives; answer whether it did."""
    if is_running(config):
        return False
    _started[:] = [process for process in _started if process.poll() is None]
    with open(config.log_path, "ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.daemon"],
            cwd=PROJECT_FOLDER,
            env=os.environ
            | {
                "QUARTERDECK_STORE_URL": config.store_url,
                "QUARTERDECK_DATA_FOLDER": str(config.data_folder),
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    _started.append(process)
    return True


def has_ended() -> bool:
    """Whether the daemon that was started last is gone again after a moment."""
    try:
        _started[-1].wait(FIRST_STEPS_SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return True


def run(config: Settings, once: bool, tools: bool = False) -> None:
    """Collect once, with `tools` also from transcripts, or until a signal.

    Raises AlreadyRunningError and StoreError.
    """
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    # What was imported stays: no search for cycles need look at it, here or in a fork.
    gc.freeze()
    # Somebody who only asks whether a daemon lives holds the lock for a moment, too.
    with sole_daemon(config, LOCK_SECONDS):
        fresh = FreshStore.open(config.store_url) if once else None
        if fresh is not None:
            with contextlib.closing(fresh):
                _scan(fresh, config, stopping)
        if fresh is None or tools:
            _with_whole_store(config, stopping, once=once, tools=tools, scanned=fresh is not None)


def _scan(store: FactStore, config: Settings, stopping: threading.Event) -> None:
    scan = Scan(store, config, stopping)
    scan.run()
    scan.close()


def _with_whole_store(
    config: Settings, stopping: threading.Event, *, once: bool, tools: bool, scanned: bool
) -> None:
    # Imported here, as is what the others need: it takes longer than all else of a short scan.
    from lib.store import Store  # noqa: PLC0415

    with contextlib.closing(Store.open(config.store_url)) as store:
        if not once:
            from lib.follower import Follower  # noqa: PLC0415

            Follower(store, config, stopping).run()
            return
        if not scanned:
            _scan(store, config, stopping)
        if tools:
            from lib.analyser import read_all  # noqa: PLC0415

            read_all(store, config.machine, os.environ, stopping.is_set)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit status."""
    parser = argparse.ArgumentParser(prog="python -m lib.daemon", description=__doc__)
    parser.add_argument("--once", action="store_true", help="scan everything once, then exit")
    parser.add_argument(
        "--detach", action="store_true", help="start it in the background unless one lives"
    )
    parser.add_argument(
        "--tools", action="store_true", help="with --once: read the tool calls of transcripts, too"
    )
    options = parser.parse_args(arguments)
    if options.tools and not options.once:
        parser.error("--tools goes with --once; without it the daemon reads them by itself")
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    for chatty in ("alembic", "httpx", "watchfiles"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    config = settings()
    try:
        if options.detach:
            started = ensure_running(config)
            if started and has_ended():
                print(f"The daemon ended at once. {config.log_path} says why.", file=sys.stderr)
                return 1
            print("Daemon started." if started else "Daemon already running.", file=sys.stderr)
        else:
            run(config, options.once, options.tools)
    except (AlreadyRunningError, StoreError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
