"""Entries of Goose's sessions, in its database and in its older files."""

from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lib.readers import goose
from lib.readers.entries import ENTRY_SOURCES
from tests.readers import goose_records as records
from tests.readers.json_lines import anything, lines_of, places, replaced

TOLD = [
    ("prompt", "Fix it"),
    ("answer", "Done."),
    ("tool_call", "command: make"),
    ("tool_result", "ok"),
]
MESSAGES = [
    records.message("user", 1, records.text("Fix it")),
    records.message("assistant", 2, records.text("Done."), records.tool(command="make")),
    records.message("user", 3, records.response()),
]


def test_a_session_is_told_by_its_rows_alone(tmp_path: Path) -> None:
    database = records.Database(tmp_path)
    for number in (1, 2):
        session = database.session(number)
        database.say(session, "user", 1, records.text("Fix it"))
        database.say(session, "user", 1, records.text("secret"), userVisible=False)
        database.say(session, "assistant", 2, records.text("Done."), records.tool(command="make"))
        database.say(session, "user", 3, records.response())
    facts = goose.read(database.path, None)
    told = [session for session in (facts.session, *facts.more_sessions) if session]
    assert len(told) == 2
    for session in told:
        found = ENTRY_SOURCES["goose"].entries(database.path, session.key, 100)
        assert [(entry.kind, entry.text) for entry in found.entries] == TOLD
        assert (found.entries[-1].tool, found.entries[-1].failed) == ("shell", False)
        assert found.entries[0].at == records.NOON * 1000 + 1000
        assert ENTRY_SOURCES["goose"].entries(database.path, session.key, 1).earlier


def test_an_older_file_is_told(tmp_path: Path) -> None:
    path = records.old_file(tmp_path, [records.header(), *MESSAGES])
    found = ENTRY_SOURCES["goose"].entries(path, "goose:x", 100)
    assert [(entry.kind, entry.text) for entry in found.entries] == TOLD
    assert found.skipped == 0


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_value_at_any_place_of_a_message_is_read(tmp_path: Path, data: st.DataObject) -> None:
    changed = replaced(
        MESSAGES, data.draw(st.sampled_from(places(MESSAGES)[1:])), data.draw(anything)
    )
    path = tmp_path / "s.jsonl"
    path.write_bytes(lines_of(record for record in changed if isinstance(record, dict)))
    found = ENTRY_SOURCES["goose"].entries(path, "goose:x", 100)
    assert not [skip for skip in found.skips if skip.reason.startswith("unexpected")]
