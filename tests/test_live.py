"""News of live sources: at once where it matters, on a second look where it is doubtful."""

import subprocess
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lib import processes
from lib.live import CONFIRM_MS, Observer, announced
from lib.model import Evidence, FileFacts, FileState, Session
from tests.trees import at_ms

NOW = at_ms(0)


class Told:
    """A reader whose live source says what the test tells it to say."""

    AGENT: str = "claude-code"
    LABEL: str = "Claude Code"
    VERSION: int = 1
    PROGRAMS = frozenset({"no-such-program"})
    CANNOT_KNOW: Mapping[str, str] = {}
    SERVERS: frozenset[str] = frozenset()

    def __init__(self, *claims: Evidence) -> None:
        self.claims = claims

    def roots(self, environ: Mapping[str, str]) -> list[Path]:
        return []

    def is_session_file(self, path: Path) -> bool:
        return False

    def read(self, path: Path, previous: FileState | None) -> FileFacts:
        raise NotImplementedError

    def live(self, environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
        return self.claims


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(["sleep", "60"])
    yield process
    process.kill()
    process.wait()


def a_claim(**facts: Any) -> Evidence:
    known: dict[str, Any] = {
        "session_key": "claude-code:s1",
        "source": "claude-registry",
        "agent": "claude-code",
        "session_id": "s1",
        "process": "alive",
        "turn": "running",
    }
    return Evidence(**(known | facts))


def an_observer(reader: Told, *known: Evidence) -> Observer:
    return Observer([reader], {}, "here", known)


def observe(observer: Observer, now: int) -> list[tuple[str, str | None]]:
    claims = observer.observe(now)
    observer.remember(claims)
    return [(claim.process, claim.turn) for claim in claims]


def test_an_unchanged_claim_is_no_news() -> None:
    observer = an_observer(Told(a_claim()))
    assert observe(observer, NOW) == [("alive", "running")]
    assert observe(observer, NOW + 1) == []


def test_waiting_is_news_at_once() -> None:
    reader = Told(a_claim())
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = (a_claim(turn="waiting", detail="permission prompt"),)
    assert observe(observer, NOW + 1) == [("alive", "waiting")]


def test_running_to_idle_is_news_only_if_it_lasts() -> None:
    reader = Told(a_claim())
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = (a_claim(turn="idle"),)
    assert observe(observer, NOW + 1) == []
    reader.claims = (a_claim(),)
    assert observe(observer, NOW + 2) == []
    reader.claims = (a_claim(turn="idle"),)
    assert observe(observer, NOW + CONFIRM_MS) == []
    assert observe(observer, NOW + 2 * CONFIRM_MS) == [("alive", "idle")]


def test_a_clock_that_is_set_back_delays_by_no_more_than_one_wait() -> None:
    reader = Told(a_claim())
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = (a_claim(turn="idle"),)
    observe(observer, NOW)
    past = NOW - 86_400_000
    assert observe(observer, past) == []
    assert observe(observer, past + CONFIRM_MS) == [("alive", "idle")]


def test_a_gone_process_is_dead_at_once(agent: "subprocess.Popen[bytes]") -> None:
    fact = processes.look(agent.pid)
    assert fact is not None
    reader = Told(a_claim(pid=agent.pid, process_started=fact.started))
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = ()
    assert observe(observer, NOW + 1) == []
    agent.kill()
    agent.wait()
    assert observe(observer, NOW + 2) == [("dead", None)]
    assert observe(observer, NOW + 3) == []


def test_a_claim_that_stays_away_ends_though_its_process_lives(
    agent: "subprocess.Popen[bytes]",
) -> None:
    fact = processes.look(agent.pid)
    assert fact is not None
    reader = Told(a_claim(pid=agent.pid, process_started=fact.started))
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = ()
    assert observe(observer, NOW + 1) == []
    assert observe(observer, NOW + 1 + CONFIRM_MS) == [("dead", None)]


def test_a_reused_pid_is_not_the_same_process(agent: "subprocess.Popen[bytes]") -> None:
    reader = Told(a_claim(pid=agent.pid, process_started="1"))
    observer = an_observer(reader)
    observe(observer, NOW)
    reader.claims = ()
    assert observe(observer, NOW + 1) == [("dead", None)]


def test_what_another_machine_claimed_is_not_ours_to_end() -> None:
    observer = an_observer(Told(), a_claim(machine="there"))
    assert observe(observer, NOW + 10 * CONFIRM_MS) == []


def test_a_claim_known_from_before_a_restart_ends_if_nobody_makes_it_anymore() -> None:
    observer = an_observer(Told(), a_claim(machine="here"))
    assert observe(observer, NOW) == [("dead", None)]


def test_only_silent_sessions_in_mid_turn_are_judged_by_the_process_table() -> None:
    observer = an_observer(Told())
    sessions = [
        Session(key="a", agent="claude-code", session_id="a", turn="running"),
        Session(key="b", agent="claude-code", session_id="b", turn="running", registered=True),
        Session(key="c", agent="claude-code", session_id="c", turn="idle"),
        Session(key="d", agent="other", session_id="d", turn="running"),
    ]
    claims = observer.judge_unannounced(sessions, NOW)
    assert [(claim.session_key, claim.process) for claim in claims] == [("a", "dead")]
    observer.remember(claims)
    assert observer.judge_unannounced(sessions, NOW) == []


def test_an_announced_session_carries_what_the_source_knows() -> None:
    session = announced(a_claim(project_path="/p", title="mine", started_at=NOW))
    assert (session.project_path, session.title, session.started_at) == ("/p", "mine", NOW)
    assert session.registered


def test_a_live_source_that_can_not_be_asked_leaves_unknown_and_not_dead() -> None:
    reader = Told(a_claim())
    observer = an_observer(reader)
    session = Session(key="a", agent="claude-code", session_id="a", turn="running", registered=True)

    def refuse(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
        raise PermissionError(13, "Permission denied")

    reader.live = refuse
    observe(observer, NOW)
    claims = observer.judge_unannounced([session], NOW)
    assert [claim.process for claim in claims] == ["unknown"]
    observer.remember(claims)
    del reader.live
    observe(observer, NOW)
    assert [claim.process for claim in observer.judge_unannounced([session], NOW)] == ["dead"]


def test_what_a_live_source_told_before_it_failed_counts(caplog: pytest.LogCaptureFixture) -> None:
    reader = Told()
    observer = an_observer(reader)

    def tell_and_fail(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
        yield a_claim()
        raise PermissionError(13, "Permission denied")

    reader.live = tell_and_fail
    assert observe(observer, NOW) == [("alive", "running")]
    assert observe(observer, NOW + 1_000) == []
    assert list(observer.errors) == ["claude-code"]
    assert len(caplog.records) == 1


def test_when_a_process_went_is_known_only_where_it_was_watched() -> None:
    reader = Told(a_claim())
    watching = an_observer(reader)
    observe(watching, NOW)
    reader.claims = ()
    [noticed] = watching.observe(NOW + 1_000)
    assert (noticed.process, noticed.since) == ("dead", NOW + 1_000)
    [found] = an_observer(Told(), a_claim(machine="here", since=NOW - 5)).observe(NOW)
    assert (found.process, found.since) == ("dead", None)
    observe(slow := an_observer(Told(a_claim())), NOW)
    slow._readers = (Told(),)
    assert [claim.since for claim in slow.observe(NOW + 3_600_000)] == [None]


def test_a_process_that_goes_while_its_source_can_not_be_asked_is_dead(
    agent: "subprocess.Popen[bytes]",
) -> None:
    fact = processes.look(agent.pid)
    assert fact is not None
    reader = Told(
        a_claim(pid=agent.pid, process_started=fact.started),
        a_claim(session_key="claude-code:elsewhere", process="unknown", turn=None, pid=1),
    )
    observer = an_observer(reader)
    observe(observer, NOW)

    def refuse(environ: Mapping[str, str], now: int) -> Iterable[Evidence]:
        raise PermissionError(13, "Permission denied")

    reader.live = refuse
    assert observe(observer, NOW + 10 * CONFIRM_MS) == []
    agent.kill()
    agent.wait()
    assert observe(observer, NOW + 11 * CONFIRM_MS) == [("dead", None)]


@pytest.mark.parametrize("turned", [1, -1])
def test_of_two_claims_for_a_session_the_one_of_a_live_process_counts(turned: int) -> None:
    claims = (a_claim(), a_claim(process="unknown", turn=None))
    assert observe(an_observer(Told(*claims[::turned])), NOW) == [("alive", "running")]


@pytest.mark.parametrize(
    ("servers", "judged"), [(frozenset({"sleep"}), "unknown"), (frozenset({"nothing"}), "dead")]
)
def test_where_one_process_works_in_many_folders_none_is_taken_for_dead_while_it_lives(
    agent: "subprocess.Popen[bytes]", servers: frozenset[str], judged: str
) -> None:
    assert processes.look(agent.pid) is not None
    reader = Told()
    reader.SERVERS = servers
    session = Session(
        key="a",
        agent="claude-code",
        session_id="a",
        turn="running",
        project_path="/home/dev/elsewhere",
        last_activity_at=time.time_ns() // 10**6,
    )
    [claim] = an_observer(reader).judge_unannounced([session], NOW)
    assert claim.process == judged
