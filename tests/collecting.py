"""Driving a collector over a small home folder, for tests."""

import subprocess
from pathlib import Path

from lib import processes
from lib.collector import Collector
from lib.frame import load_sessions
from lib.readers import READERS
from lib.store import Store
from tests.trees import Claude, Registry, at_ms

NOW = at_ms(600)


def a_collector(store: Store, home: Path) -> Collector:
    return Collector(store, READERS, {"HOME": str(home)}, "here")


def collect(store: Store, home: Path) -> None:
    """One daemon's whole life: scan once, with nothing remembered but what is stored."""
    collector = a_collector(store, home)
    collector.collect(collector.sweep())
    collector.note_gone()


def announce(home: Path, agent: "subprocess.Popen[bytes]", session: Claude) -> Registry:
    fact = processes.look(agent.pid)
    assert fact is not None
    return Registry(home, agent.pid, fact.started, session)


def requests_of(store: Store) -> int:
    return sum(usage.requests for usage in store.usage())


def status_of(store: Store) -> str:
    return load_sessions(store, NOW)["status"].iloc[0]
