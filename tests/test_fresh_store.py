"""A store that is filled without SQLAlchemy is the same store."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from lib.fresh_store import FreshStore
from lib.model import DaemonRow, Event, Evidence, FileState, Request, Session, Skip, SourceRow
from lib.store import Store, StoreError
from lib.store_rows import Batch, FactStore
from tests.trees import Claude

TOP = Path(__file__).parent.parent
ODD_TEXT = "a\0b \x1a caf\u00e9 \udc80"


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def fresh(path: Path) -> FreshStore:
    opened = FreshStore.open(url_of(path))
    assert opened is not None
    return opened


def a_session(number: int = 1, text: str = ODD_TEXT) -> Session:
    return Session(
        key=f"agent:{number}",
        agent="agent",
        session_id=str(number),
        machine="here",
        source_path="/s",
        title=text,
        flags=["odd"],
        registered=True,
    )


def a_call(key: str, number: int, output: int) -> Request:
    return Request(
        key=key,
        session_key=f"agent:{number}",
        owner_rank=f"{number}",
        at=None,
        model=ODD_TEXT,
        output_tokens=output,
    )


def a_claim(process: str) -> Evidence:
    return Evidence(
        session_key="agent:2",
        source="registry",
        agent="agent",
        session_id="2",
        machine="here",
        observed_at=5,
        process="dead" if process == "dead" else "alive",
    )


def fill(store: FactStore) -> list[bool]:
    """Writes that meet rows which are there, and rows that were not; what each call answered."""
    state = FileState(
        path="/s", agent="agent", machine="here", device=2**64 - 1, fingerprint=b"\0\xff"
    )
    state.skipped, state.skips = {"not JSON": 1}, [Skip(line=3, reason="not JSON")]
    first = Batch(files=[state], sessions=[a_session(), a_session(2)])
    first.requests = [a_call("a", 1, 5), a_call("a", 2, 9), a_call("b", 2, 0)]
    later = Batch(evidence=[a_claim("alive")], requests=[a_call("b", 1, 7)])
    later.events = [Event(at=7, session_key="agent:2", kind="running")]
    answers = [store.write(batch) for batch in (first, first, later, Batch())]
    answers.append(store.write(Batch(evidence=[a_claim("dead")])))
    row = DaemonRow(machine="here", pid=1, process_started=ODD_TEXT, started_at=1, beat_at=1)
    for phase in ("scanning", "stopped"):
        row.phase = phase
        store.save_daemon(row)
    store.save_sources([])
    source = SourceRow(machine="here", agent="agent", root="/", state="ok", checked_at=1)
    store.save_sources([source])
    store.save_sources([source])
    return answers


def contents(path: Path) -> list[str]:
    connection = sqlite3.connect(path)
    found = sorted(connection.iterdump())
    connection.close()
    return found


def test_it_has_the_tables_of_any_new_store(tmp_path: Path) -> None:
    Store.open(url_of(tmp_path / "any.db")).close()
    fresh(tmp_path / "fresh.db").close()
    assert contents(tmp_path / "fresh.db") == contents(tmp_path / "any.db")
    connection = sqlite3.connect(tmp_path / "fresh.db")
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()


def test_the_same_facts_make_the_same_rows(tmp_path: Path) -> None:
    slow, quick = Store.open(url_of(tmp_path / "any.db")), fresh(tmp_path / "fresh.db")
    assert fill(quick) == fill(slow) == [True, False, True, False, True]
    slow.close()
    quick.close()
    found = contents(tmp_path / "fresh.db")
    assert found == contents(tmp_path / "any.db")
    assert sum(line.startswith("INSERT INTO") for line in found) > 10


def test_a_store_that_is_there_is_left_to_the_other_way_of_opening(tmp_path: Path) -> None:
    url = url_of(tmp_path / "store.db")
    Store.open(url).close()
    assert FreshStore.open(url) is None
    (tmp_path / "notes.db").write_text("notes")
    assert FreshStore.open(url_of(tmp_path / "notes.db")) is None
    assert (tmp_path / "notes.db").read_text() == "notes"


@pytest.mark.parametrize(
    "url", ["postgresql+psycopg://h/d", "sqlite://", "sqlite:///:memory:", "sqlite:///a?mode=ro"]
)
def test_only_a_plain_file_is_made(url: str) -> None:
    assert FreshStore.open(url) is None


def test_a_place_that_can_not_be_written_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="could not be opened"):
        FreshStore.open(url_of(tmp_path / "file" / "store.db"))


def test_of_several_that_open_it_at_once_one_makes_it(tmp_path: Path) -> None:
    code = "import sys; from lib.fresh_store import *; print(FreshStore.open(sys.argv[1]) is None)"
    command = [sys.executable, "-c", code, url_of(tmp_path / "store.db")]
    processes = [
        subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    answers = sorted(process.communicate()[0].strip() for process in processes)
    assert answers == ["False", "True", "True", "True"]


def test_its_files_are_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "data" / "store.db"
    store = fresh(path)
    store.write(Batch(sessions=[a_session()]))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(one.stat().st_mode) for one in path.parent.iterdir()} == {0o600}
    store.close()


def test_a_full_disk_refuses_the_whole_batch_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = fresh(path)
    store.write(Batch(sessions=[a_session(0)]))
    store._connection.execute("PRAGMA max_page_count = 70")
    with pytest.raises(StoreError, match="full"):
        store.write(Batch(sessions=[a_session(number, "x" * 1000) for number in range(1, 500)]))
    store._connection.execute("PRAGMA max_page_count = 100000")
    assert store.write(Batch(sessions=[a_session(1)]))
    store.close()
    opened = Store.open(url_of(path))
    assert [row.key for row in opened.sessions()] == ["agent:0", "agent:1"]
    assert opened.version() == 2
    opened.close()


def test_others_read_and_write_it_at_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = fresh(path)
    other = Store.open(url_of(path))
    store.write(Batch(sessions=[a_session(1)]))
    other.dismiss("agent:1", 5)
    store.write(Batch(sessions=[a_session(2)]))
    assert {row.key: row.version for row in other.sessions()} == {"agent:1": 2, "agent:2": 3}
    other.close()
    store.close()


def test_a_first_scan_imports_no_database_toolkit_and_a_second_one_finds_it_done(
    tmp_path: Path,
) -> None:
    Claude(tmp_path, "s1").prompt("hello").say("hi")
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "QUARTERDECK_DATA_FOLDER": str(tmp_path / "data"),
    }
    command = [sys.executable, "-X", "importtime", "-m", "lib.daemon", "--once"]
    first, second = (
        subprocess.run(command, cwd=TOP, env=environ, capture_output=True, text=True, check=True)
        for _ in range(2)
    )
    assert "sqlalchemy" not in first.stderr
    assert "sqlalchemy" in second.stderr
    store = Store.open(url_of(tmp_path / "data" / "quarterdeck.db"))
    assert (store.version(), store.counts().requests) == (1, 1)
    store.close()
