"""What is kept of a store holds only as long as nobody, in any process, writes to it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lib.model import DaemonRow, ServerRow, Session, SourceRow
from lib.model_notes import Budget
from lib.store import Batch, Store, StoreError

TOP = Path(__file__).parent.parent
WRITE = """
import sys
from lib.model import Session
from lib.store import Batch, Store
store = Store.open(sys.argv[1])
store.write(Batch(sessions=[Session(key="agent:2", agent="agent", session_id="2")]))
store.close()
"""


def session(number: int) -> Session:
    return Session(key=f"agent:{number}", agent="agent", session_id=str(number))


def daemon(beat_at: int) -> DaemonRow:
    return DaemonRow(machine="here", pid=1, started_at=1, beat_at=beat_at, phase="following")


def test_a_write_of_the_same_store_is_seen_at_once(store: Store) -> None:
    before = store.version()
    store.write(Batch(sessions=[session(1)]))
    assert store.version() > before


def test_a_write_of_another_process_is_seen_at_once(store: Store, store_url: str) -> None:
    store.write(Batch(sessions=[session(1)]))
    before = store.version()
    assert store.version() == before
    subprocess.run([sys.executable, "-c", WRITE, store_url], cwd=TOP, check=True)
    assert store.version() > before


def test_everything_that_is_kept_follows_what_is_written(store: Store, store_url: str) -> None:
    other = Store.open(store_url)
    budget = Budget(
        id="b", name="All", amount_usd=1.0, period="day", time_zone="UTC", by="me", at=1
    )
    source = SourceRow(machine="here", agent="codex", root="/home/of/codex", state="ok")
    server = ServerRow(machine="here", url="http://localhost:3333", name="one")
    assert (store.daemons(), store.sources(), store.servers()) == ([], [], [])
    assert (store.budgets.listed(), store.budgets.last_event()) == ([], 0)
    other.save_daemon(daemon(beat_at=1))
    other.save_sources([source])
    other.save_servers("here", [server])
    other.budgets.save(budget)
    assert [row.beat_at for row in store.daemons()] == [1]
    assert [row.root for row in store.sources()] == [source.root]
    assert [row.url for row in store.servers()] == [server.url]
    assert store.budgets.listed() == [budget]
    other.save_daemon(daemon(beat_at=2))
    other.budgets.remove("b")
    other.close()
    assert [row.beat_at for row in store.daemons()] == [2]
    assert store.budgets.listed() == []


def test_nothing_is_read_again_while_nobody_writes(file_store: Store) -> None:
    file_store.save_daemon(daemon(beat_at=1))
    first = file_store.daemons()
    assert file_store.daemons() is first
    file_store.save_daemon(daemon(beat_at=1))
    assert file_store.daemons() is not first


def test_a_store_that_was_closed_can_be_read_again(file_store: Store) -> None:
    file_store.save_daemon(daemon(beat_at=1))
    assert len(file_store.daemons()) == 1
    file_store.close()
    file_store.save_daemon(daemon(beat_at=2))
    assert [row.beat_at for row in file_store.daemons()] == [2]


def test_a_store_that_became_unreadable_says_so(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = Store.open(f"sqlite:///{path}")
    store.close()
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError):
        store.version()
    store.close()
