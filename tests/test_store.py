"""What is written comes back, and readers can keep up by the version."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.model import (
    DaemonRow,
    Event,
    Evidence,
    FileState,
    Request,
    Session,
    Skip,
    SourceRow,
)
from lib.store import QUARTER_HOUR, Batch, SessionRow, Store, Usage

NOT_UTF8 = "/home/\udcff\udc80 name\x1a.jsonl"


def session(session_id: str = "a", machine: str = "here", **values: Any) -> Session:
    return Session(
        key=f"agent:{session_id}",
        agent="agent",
        session_id=session_id,
        machine=machine,
        **values,
    )


def call(number: int, session_id: str = "a", **values: Any) -> Request:
    key = f"agent:{session_id}"
    filled: dict[str, Any] = {"owner_rank": f"0{key}", "at": 1, "model": "m", **values}
    return Request(key=f"agent:call {number}", session_key=key, **filled)


def file_state(path: str = "/a.jsonl", machine: str = "here", **values: Any) -> FileState:
    return FileState(path=path, agent="agent", machine=machine, **values)


def claim(session_id: str = "a", machine: str = "here") -> Evidence:
    return Evidence(
        session_key=f"agent:{session_id}",
        source="process-table",
        agent="agent",
        session_id=session_id,
        machine=machine,
        observed_at=1,
    )


def test_a_session_comes_back_as_it_was_written(store: Store) -> None:
    everything = session(
        parent_key="agent:p",
        forked_from="agent:f",
        source_path=NOT_UTF8,
        project_path="/p",
        branch="main",
        title="first line\nsecond ☃ 🟡",
        first_prompt="nul \x00 and \udc00",
        last_message="'; DROP TABLE session; --",
        model="m",
        agent_version="1",
        entrypoint="cli",
        started_at=1,
        last_activity_at=4_102_444_799_999,
        turn="waiting",
        turn_detail="Bash",
        turn_started_at=2,
        ended_cleanly=True,
        error_class="api",
        error_message="e",
        resets_at=3,
        turns=4,
        turn_requests=5,
        todo_done=6,
        todo_total=7,
        context_tokens=8,
        context_window=10**12,
        registered=True,
        flags=["one", "two"],
    )
    store.write(Batch(sessions=[everything]))
    [row] = store.sessions()
    assert row == SessionRow(**msgspec.structs.asdict(everything), version=1)


any_text = st.text(st.characters(), max_size=20)
whole = st.integers(0, 2**63 - 1)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    written=st.builds(
        FileState,
        path=any_text,
        agent=st.just("agent"),
        machine=st.just("here"),
        session_key=st.none() | any_text,
        device=st.integers(0, 2**128 - 1),
        inode=st.integers(0, 2**128 - 1),
        size=whole,
        mtime_ns=st.integers(-(2**63), 2**63 - 1),
        offset=whole,
        line=whole,
        fingerprint=st.binary(max_size=40),
        discarding=st.booleans(),
        reader_version=st.integers(0, 1000),
        reader_state=st.binary(max_size=40),
        records=whole,
        usage_records=whole,
        repeated_records=whole,
        skipped=st.dictionaries(st.text(max_size=5), whole, max_size=3),
        skips=st.lists(st.builds(Skip, whole, st.text(max_size=5)), max_size=3),
        error=st.none() | any_text,
        gone=st.booleans(),
    )
)
def test_a_file_state_comes_back_whatever_the_file_is_called(
    store: Store, written: FileState
) -> None:
    store.write(Batch(files=[written]))
    assert store.file_states("here")[written.path] == written


def test_two_files_never_become_one(store: Store) -> None:
    # The second is what the first looks like in the database.
    names = ["/\udcff", "/\x1adcff", "/\x1a", "/\x1a001a"]
    store.write(Batch(files=[file_state(name) for name in names]))
    assert sorted(store.file_states("here")) == sorted(names)


def test_a_file_belongs_to_its_machine(store: Store) -> None:
    store.write(Batch(files=[file_state(size=1), file_state(machine="there", size=2)]))
    assert {path: state.size for path, state in store.file_states("there").items()} == {
        "/a.jsonl": 2
    }
    assert [(row.machine, row.size) for row in store.files()] == [("here", 1), ("there", 2)]


def test_evidence_comes_back_as_it_was_written(store: Store) -> None:
    written = Evidence(
        session_key="agent:a",
        source="registry",
        agent="agent",
        session_id="a",
        machine="here",
        observed_at=1,
        process="alive",
        turn="running",
        detail="Bash\nls",
        since=2,
        pid=3,
        process_started="mark",
        turn_limit=4,
        project_path="/p",
        title="t",
        started_at=5,
    )
    store.write(Batch(evidence=[written, claim()]))
    assert store.evidence() == [written, claim()]


def test_events_come_in_the_order_of_writing_a_page_at_a_time(store: Store) -> None:
    for at in (3, 1):
        store.write(Batch(events=[Event(at=at + n, session_key="k", kind="log") for n in (0, 1)]))
    first = store.events(limit=3)
    assert [one.at for one in first] == [3, 4, 1]
    assert [one.at for one in store.events(first[-1].id)] == [2]


def test_a_removed_events_number_is_not_given_again(store: Store) -> None:
    store.write(Batch(sessions=[session()], events=[Event(at=1, session_key="agent:a", kind="x")]))
    [old] = store.events()
    store.remove_machine("here")
    store.write(Batch(events=[Event(at=2, session_key="agent:b", kind="x")]))
    [new] = store.events(old.id)
    assert new.at == 2


def test_daemons_and_sources_come_back_and_never_move_the_version(store: Store) -> None:
    daemon = DaemonRow(
        machine="here", pid=1, started_at=2, beat_at=3, last_error=NOT_UTF8, bytes_total=2**40
    )
    source = SourceRow(machine="here", agent="agent", root=NOT_UTF8, state="unreadable", error="e")
    other = SourceRow(machine="there", agent="agent", root="/")
    store.save_daemon(msgspec.structs.replace(daemon, beat_at=1))
    store.save_daemon(daemon)
    store.save_sources([SourceRow(machine="here", agent="agent", root="/old"), other])
    store.save_sources([source])
    store.save_sources([])
    assert store.daemons() == [daemon]
    assert store.sources() == [source, other]
    assert store.version() == 0


@pytest.mark.parametrize(
    "batch",
    [
        Batch(sessions=[session()]),
        Batch(requests=[call(1)]),
        Batch(evidence=[claim()]),
        Batch(sessions=[session()], requests=[call(1)], evidence=[claim()], files=[file_state()]),
    ],
)
def test_the_version_moves_once_and_only_for_what_is_new(store: Store, batch: Batch) -> None:
    assert store.write(batch)
    assert store.version() == 1
    assert not store.write(batch)
    assert store.version() == 1


def test_a_file_read_further_is_news_but_not_to_the_page(store: Store) -> None:
    assert store.write(Batch(files=[file_state(offset=1)]))
    assert store.write(Batch(files=[file_state(offset=2)]))
    assert not store.write(Batch(files=[file_state(offset=2)]))
    assert not store.write(Batch())
    assert store.version() == 0


def test_only_what_changed_since_a_version_is_read_again(store: Store) -> None:
    store.write(
        Batch(
            sessions=[session("a"), session("b")],
            requests=[call(1, "a"), call(2, "b")],
            evidence=[claim("a"), claim("b")],
        )
    )
    version = store.version()
    assert store.sessions(version) == store.evidence(version) == store.usage(version) == []
    store.write(Batch(requests=[call(3, "b", at=2)]))
    assert [row.key for row in store.sessions(version)] == ["agent:b"]
    assert [(row.session_key, row.requests) for row in store.usage(version)] == [("agent:b", 2)]
    assert store.evidence(version) == []


def test_a_dismissal_is_kept_when_the_session_goes_on_and_can_be_undone(store: Store) -> None:
    store.write(Batch(sessions=[session()]))
    store.dismiss("agent:a", 5)
    store.dismiss("agent:a", 6)
    version = store.version()
    store.write(Batch(sessions=[session(turns=1)]))
    assert [row.dismissed_at for row in store.sessions(version)] == [6]
    version = store.version()
    store.undismiss("agent:a")
    assert [row.dismissed_at for row in store.sessions(version)] == [None]


@st.composite
def calls(draw: st.DrawFn) -> list[Request]:
    sizes = st.sampled_from([0, 1, 99, 100, 101, 200, 10**12])
    words = st.sampled_from([None, "x", "y"])
    return [
        call(
            number,
            draw(st.sampled_from("ab")),
            at=draw(st.sampled_from([None, 0, QUARTER_HOUR - 1, QUARTER_HOUR, 1_767_225_600_000])),
            model=draw(words),
            speed=draw(words),
            region=draw(words),
            attribution=draw(words),
            service_tier=draw(words),
            input_tokens=draw(sizes),
            cache_read_tokens=draw(sizes),
            cache_write_5m_tokens=draw(sizes),
            cache_write_1h_tokens=draw(sizes),
            output_tokens=draw(sizes),
            reasoning_tokens=draw(sizes),
            web_search_requests=draw(st.integers(0, 3)),
        )
        for number in range(draw(st.integers(1, 8)))
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(all_calls=calls(), thresholds=st.lists(st.sampled_from([100, 200, 300]), max_size=3))
def test_usage_adds_up_by_everything_that_a_price_depends_on(
    store: Store, all_calls: list[Request], thresholds: list[int]
) -> None:
    store.remove_machine("here")
    store.write(Batch(sessions=[session("a"), session("b")], requests=all_calls))
    expected: dict[tuple[Any, ...], Counter[str]] = {}
    first_sum = Usage._fields.index("requests")
    for one in all_calls:
        prompt = (
            one.input_tokens
            + one.cache_read_tokens
            + one.cache_write_5m_tokens
            + one.cache_write_1h_tokens
        )
        group = (
            one.session_key,
            one.model,
            None if one.at is None else one.at // QUARTER_HOUR,
            sum(prompt > threshold for threshold in thresholds),
            one.service_tier,
            one.speed,
            one.region,
            one.reported_cost_usd is not None,
            one.web_search_requests > 0,
            one.attribution,
        )
        sums = expected.setdefault(group, Counter())
        sums["requests"] += 1
        sums["mismatched_requests"] += one.provider_total is not None
        for name in (*Usage._fields[first_sum + 1 : -2], "reported_cost_usd"):
            sums[name] += getattr(one, name) or 0
    assert sorted(store.usage(0, thresholds), key=repr) == sorted(
        (
            Usage(*group, *(sums[name] for name in Usage._fields[first_sum:]))
            for group, sums in expected.items()
        ),
        key=repr,
    )


def test_a_price_band_begins_above_its_threshold(store: Store) -> None:
    sizes = [99, 100, 101, 200, 201]
    store.write(Batch(requests=[call(size, input_tokens=size) for size in sizes]))
    bands = {row.band: row.requests for row in store.usage(0, [200, 100])}
    assert bands == {0: 2, 1: 2, 2: 1}


def test_sums_are_whole_numbers(store: Store) -> None:
    store.write(Batch(requests=[call(1, input_tokens=2**40), call(2, at=None)]))
    for row in store.usage():
        assert {type(figure) for figure in row[Usage._fields.index("requests") : -1]} == {int}
        assert type(row.reported_cost_usd) is float


def test_counts_say_what_became_of_every_record(store: Store) -> None:
    store.write(
        Batch(
            files=[
                file_state(
                    "/a",
                    records=10,
                    usage_records=6,
                    repeated_records=2,
                    skipped={"not JSON": 1},
                ),
                file_state("/b", records=5, usage_records=3, skipped={"not JSON": 2, "x": 1}),
                file_state("/c"),
            ],
            requests=[call(number) for number in range(5)],
        )
    )
    counts = store.counts()
    assert counts == (15, 9, 2, 5, {"not JSON": 3, "x": 1})
    assert counts.duplicates == {"repeated_record": 2, "copied_call": 2}


def test_an_empty_store_counts_nothing(store: Store) -> None:
    assert store.counts() == (0, 0, 0, 0, {})


def test_a_removed_machine_leaves_nothing_and_readers_are_told_to_start_anew(
    store: Store,
) -> None:
    def everything_of(machine: str, session_id: str) -> None:
        key = f"agent:{session_id}"
        store.write(
            Batch(
                files=[file_state(machine=machine)],
                sessions=[session(session_id, machine)],
                requests=[call(len(session_id), session_id)],
                evidence=[claim(session_id, machine)],
                events=[Event(at=1, session_key=key, kind="started")],
            )
        )
        store.dismiss(key, 1)
        store.save_daemon(DaemonRow(machine=machine, pid=1, started_at=1, beat_at=1))
        store.save_sources([SourceRow(machine=machine, agent="agent", root="/")])

    everything_of("here", "a")
    everything_of("sample", "bb")
    version = store.version()
    assert not store.removed_since(version)
    store.remove_machine("sample")
    assert store.version() > version
    assert store.removed_since(version)
    assert not store.removed_since(store.version())
    assert [row.key for row in store.sessions()] == ["agent:a"]
    assert [row.session_key for row in store.usage()] == ["agent:a"]
    assert [row.session_key for row in store.evidence()] == ["agent:a"]
    assert [row.session_key for row in store.events()] == ["agent:a"]
    assert [row.machine for row in store.files()] == ["here"]
    assert [row.machine for row in store.daemons()] == ["here"]
    assert [row.machine for row in store.sources()] == ["here"]
    everything_of("sample", "bb")
    assert len(store.sessions()) == 2
