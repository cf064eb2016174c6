"""Rollouts that Codex compressed: read like plain ones, whole, and never more than they may be."""

import itertools
from pathlib import Path

import pytest
from backports import zstd

from lib.frame import load_sessions
from lib.model import FileFacts
from lib.readers import codex, codex_entries, compressed
from lib.store import Store
from tests.collecting import NOW, collect
from tests.readers.codex_rollouts import PARENT, context, count, item, meta, told, usage, write
from tests.traps import figures

RECORDS = [
    meta(PARENT),
    context("gpt-5.4"),
    item("message", role="user", content=[{"type": "input_text", "text": "Fix it"}]),
    count(usage(1_000, 400, 50)),
    count(usage(3_000, 2_000, 150, 20), second=5),
]


def packed(folder: Path, *, keep: int | None = None, again: bytes = b"") -> Path:
    """The compressed form of a rollout, of which so many bytes are kept; the plain one is gone."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = write(folder, PARENT, RECORDS)
    path = plain.with_name(plain.name + ".zst")
    path.write_bytes(zstd.compress(plain.read_bytes())[:keep] + again)
    plain.unlink()
    return path


def same(one: FileFacts, other: FileFacts) -> bool:
    ours, theirs = told(one), told(other)
    ours.source_path = theirs.source_path
    return (ours, one.requests) == (theirs, other.requests)


def test_it_tells_what_the_plain_one_tells(tmp_path: Path) -> None:
    plain = codex.read(write(tmp_path, PARENT, RECORDS), None)
    path = packed(tmp_path)
    facts = codex.read(path, None)
    assert same(facts, plain)
    state = facts.state
    assert (state.records, state.usage_records, state.skipped) == (5, 2, {})
    assert state.offset == state.size == path.stat().st_size
    assert same(codex.read(path, state), plain)


def test_several_frames_are_one_file(tmp_path: Path) -> None:
    more = zstd.compress(b'{"timestamp":"2026-03-01T12:00:09.000Z","type":"event_msg"}\n')
    assert codex.read(packed(tmp_path, again=more), None).state.records == 6


@pytest.mark.parametrize("keep", [0, 3, 8, 40, -5])
def test_one_that_ends_too_early_is_told_and_what_can_be_read_counts(
    tmp_path: Path, keep: int
) -> None:
    facts = codex.read(packed(tmp_path, keep=keep), None)
    assert facts.state.skipped == {compressed.CUT_OFF: 1}
    assert facts.state.error is None


def test_a_cut_after_whole_records_leaves_them(tmp_path: Path) -> None:
    path = packed(tmp_path)
    first, second = (zstd.compress(part) for part in halves(path))
    path.write_bytes(first + second[:-6])
    facts = codex.read(path, None)
    assert (len(facts.requests), facts.state.skipped) == (1, {compressed.CUT_OFF: 1})


def halves(path: Path) -> tuple[bytes, bytes]:
    lines = zstd.decompress(path.read_bytes()).splitlines(keepends=True)
    return b"".join(lines[:4]), b"".join(lines[4:])


@pytest.mark.parametrize("content", [b"no zstd at all", b"\x28\xb5\x2f\xfd" + b"\xff" * 40])
def test_what_is_no_zstd_is_told(tmp_path: Path, content: bytes) -> None:
    path = packed(tmp_path)
    path.write_bytes(content)
    assert codex.read(path, None).state.skipped == {compressed.DAMAGED: 1}
    assert codex_entries.entries(path, f"codex:{PARENT}", 10).skipped == 1


def test_a_bomb_is_read_up_to_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compressed, "MAXIMUM_PLAIN", 1 << 20)
    path = packed(tmp_path)
    with path.open("ab") as file:
        for _ in itertools.repeat(None, 8):
            file.write(zstd.compress(b"\n" * (1 << 20)))
    facts = codex.read(path, None)
    assert (len(facts.requests), facts.state.skipped) == (2, {compressed.TOO_LARGE: 1})


def test_a_window_that_memory_should_not_hold_is_refused(tmp_path: Path) -> None:
    parameter = zstd.CompressionParameter
    options = {int(parameter.window_log): 28, int(parameter.enable_long_distance_matching): 1}
    path = packed(tmp_path)
    packer = zstd.ZstdCompressor(options=options)
    path.write_bytes(packer.compress(b"{}\n" * 3) + packer.flush())
    assert codex.read(path, None).state.skipped == {compressed.DAMAGED: 1}


def test_compressing_a_thread_changes_no_figure_and_loses_no_session(
    file_store: Store, tmp_path: Path
) -> None:
    folder = tmp_path / ".codex" / "sessions" / "2026" / "03" / "01"
    folder.mkdir(parents=True)
    write(folder, PARENT, RECORDS)
    collect(file_store, tmp_path)
    before = figures(file_store)
    path = packed(folder)
    collect(file_store, tmp_path)
    assert figures(file_store) == before
    assert list(load_sessions(file_store, NOW)["source_path"]) == [str(path)]
    write(folder, PARENT, [*RECORDS, count(usage(4_000, 2_000, 160, 20), second=9)])
    collect(file_store, tmp_path)
    assert figures(file_store)[0] == before[0] + 1
    assert {Path(file.path).suffix: file.gone for file in file_store.files()} == {
        ".jsonl": False,
        ".zst": True,
    }


def test_its_entries_are_shown(tmp_path: Path) -> None:
    plain = codex_entries.entries(write(tmp_path, PARENT, RECORDS), "", 10)
    packed_ones = codex_entries.entries(packed(tmp_path), "", 10)
    assert [one.text for one in packed_ones.entries] == [one.text for one in plain.entries]
    assert packed_ones.entries
