"""Which file a transcript is read from, which is never opened, and when it is read again."""

import os
from pathlib import Path

import pytest

from lib.model import Session
from lib.transcript import Transcript, read_transcript
from tests.trees import Claude


def a_session(home: Path, **more: object) -> tuple[Claude, Session]:
    records = Claude(home, "s1").prompt("Fix it").say("Done.")
    session = Session(
        key="claude-code:s1",
        agent="claude-code",
        session_id="s1",
        machine="here",
        source_path=str(records.path),
    )
    for name, value in more.items():
        setattr(session, name, value)
    return records, session


def read(home: Path, session: Session, known: Transcript | None = None) -> Transcript:
    return read_transcript(session, "here", {"HOME": str(home)}, known=known)


def texts(transcript: Transcript) -> list[str]:
    assert transcript.problem is None
    return [entry.text for entry in transcript.reading.entries]


def test_a_transcript_grows_with_its_file_and_is_read_only_then(tmp_path: Path) -> None:
    records, session = a_session(tmp_path)
    first = read(tmp_path, session)
    assert texts(first) == ["Fix it", "Done."]
    assert read(tmp_path, session, first) is first
    records.prompt("And this")
    second = read(tmp_path, session, first)
    assert texts(second) == ["Fix it", "Done.", "And this"]
    assert read_transcript(session, "here", {"HOME": str(tmp_path)}, 1, second).reading.earlier


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"machine": "dev@laptop"}, "on machine dev@laptop"),
        ({"agent": "unheard-of"}, "Transcripts of unheard-of can't be shown"),
        ({"source_path": ""}, "names no file"),
    ],
)
def test_what_can_not_be_read_here_is_said(
    tmp_path: Path, facts: dict[str, str], words: str
) -> None:
    _, session = a_session(tmp_path, **facts)
    told = read(tmp_path, session)
    assert words in (told.problem or "")
    assert told.reading.entries == []


def test_a_deleted_file_is_gone_and_an_unreadable_one_says_why(tmp_path: Path) -> None:
    records, session = a_session(tmp_path)
    records.path.unlink()
    assert "gone" in (read(tmp_path, session).problem or "")
    records.path.mkdir()
    assert "can't be read" in (read(tmp_path, session).problem or "")


def test_nothing_outside_the_agents_folders_is_opened(tmp_path: Path) -> None:
    home = tmp_path / "home"
    records, session = a_session(home)
    secret = tmp_path / "projects" / "x" / "secret.jsonl"
    secret.parent.mkdir(parents=True)
    secret.write_bytes(records.path.read_bytes())
    link = records.path.with_name("link.jsonl")
    link.symlink_to(secret)
    climbing = f"{records.path.parent}/../../../../projects/x/secret.jsonl"
    other_name = records.path.with_suffix(".txt")
    other_name.write_bytes(records.path.read_bytes())
    for place in (secret, link, climbing, other_name):
        session.source_path = os.fspath(place)
        told = read(home, session)
        assert "outside" in (told.problem or ""), place
        assert told.reading.entries == []


def test_a_home_folder_behind_a_link_is_still_the_home_folder(tmp_path: Path) -> None:
    _, session = a_session(tmp_path / "real")
    (tmp_path / "home").symlink_to(tmp_path / "real")
    session.source_path = session.source_path.replace("/real/", "/home/")
    assert texts(read(tmp_path / "home", session)) == ["Fix it", "Done."]


def test_a_pipe_in_place_of_the_file_is_not_waited_for(tmp_path: Path) -> None:
    records, session = a_session(tmp_path)
    records.path.unlink()
    os.mkfifo(records.path)
    assert "no plain file" in (read(tmp_path, session).problem or "")
