"""Copies of calls in forks, subagents and archives: each call once, with its first maker."""

import json
from pathlib import Path
from typing import Any

import pytest

from lib.readers import codex
from tests.readers.codex_rollouts import (
    CHILD,
    PARENT,
    SIBLING,
    TURN_1,
    TURN_2,
    TURN_3,
    Json,
    context,
    count,
    event,
    line,
    meta,
    read_all,
    tokens,
    told,
    usage,
    write,
)


def turn(turn_id: str | None, second: int, *counts: Json) -> list[Json]:
    mark: dict[str, Any] = {} if turn_id is None else {"turn_id": turn_id}
    return [event("task_started", second, **mark), context(second=second, **mark), *counts]


FIRST = count(usage(100, 0, 10), usage(100, 0, 10))
SECOND = count(usage(300, 0, 20), usage(200, 0, 10))
OWN = count(usage(600, 0, 30), usage(300, 0, 10))


@pytest.mark.parametrize("with_turn_ids", [True, False])
class TestCopies:
    def history(self, with_turn_ids: bool, second: int = 0) -> list[Json]:
        ids = (TURN_1, TURN_2) if with_turn_ids else (None, None)
        copied = [*turn(ids[0], second, FIRST), *turn(ids[1], second, SECOND)]
        return [{**record, "timestamp": line("", {}, second)["timestamp"]} for record in copied]

    def fork(self, folder: Path, thread: str, with_turn_ids: bool, *own: Json, **more: Any) -> Path:
        records = [
            meta(thread, 60, forked_from_id=PARENT, **more),
            meta(PARENT, 60),
            *self.history(with_turn_ids, 60),
            *turn(TURN_3.replace("3", thread[9]) if with_turn_ids else None, 61, *own),
        ]
        return write(folder, thread, records)

    def test_x04_a_replayed_history_is_its_parents(self, tmp_path: Path, with_turn_ids: bool):
        parent = write(tmp_path, PARENT, [meta(PARENT), *self.history(with_turn_ids)])
        fork = self.fork(tmp_path, CHILD, with_turn_ids, OWN)
        calls = read_all(fork, parent)
        owners = sorted((call.input_tokens, call.session_key) for call in calls.values())
        assert owners == [
            (100, f"codex:{PARENT}"),
            (200, f"codex:{PARENT}"),
            (300, f"codex:{CHILD}"),
        ]

    def test_siblings_share_the_history_of_a_parent_that_is_gone(
        self, tmp_path: Path, with_turn_ids: bool
    ):
        source = {"subagent": {"thread_spawn": {"parent_thread_id": PARENT, "depth": 1}}}
        one = self.fork(tmp_path, CHILD, with_turn_ids, OWN, source=source)
        two = self.fork(tmp_path, SIBLING, with_turn_ids)
        calls = read_all(one, two)
        assert sorted(call.input_tokens for call in calls.values()) == [100, 200, 300]
        shared = [call.session_key for call in calls.values() if call.input_tokens < 300]
        assert shared == [f"codex:{SIBLING}"] * 2

    def test_a_fork_of_a_fork_shares_with_both(self, tmp_path: Path, with_turn_ids: bool):
        fork = self.fork(tmp_path, CHILD, with_turn_ids, OWN)
        history = [json.loads(text) for text in fork.read_text().splitlines()[1:]]
        records = [meta(SIBLING, 90, forked_from_id=CHILD), meta(CHILD, 90), *history]
        grandchild = write(tmp_path, SIBLING, records)
        parent = write(tmp_path, PARENT, [meta(PARENT), *self.history(with_turn_ids)])
        assert len(read_all(parent, fork, grandchild)) == 3

    def test_a_copied_history_without_its_metas_is_its_origins(
        self, tmp_path: Path, with_turn_ids: bool
    ):
        parent = write(tmp_path, PARENT, [meta(PARENT), *self.history(with_turn_ids)])
        records = [meta(CHILD, 60, forked_from_id=PARENT), *self.history(with_turn_ids, 60)]
        assert len(read_all(parent, write(tmp_path, CHILD, records))) == 2

    def test_x13_an_archived_copy_adds_nothing(self, tmp_path: Path, with_turn_ids: bool):
        archive = tmp_path / "archived_sessions"
        archive.mkdir()
        records = [meta(PARENT), *self.history(with_turn_ids)]
        assert len(read_all(write(tmp_path, PARENT, records), write(archive, PARENT, records))) == 2

    def test_sessions_of_equal_numbers_stay_two(self, tmp_path: Path, with_turn_ids: bool):
        other = [*turn(SIBLING if with_turn_ids else None, 0, FIRST), *turn(CHILD, 0, SECOND)]
        one = write(tmp_path, PARENT, [meta(PARENT), *self.history(with_turn_ids)])
        two = write(tmp_path, SIBLING, [meta(SIBLING), *other])
        assert len(read_all(one, two)) == 4

    def test_subagents_that_begin_empty_stay_apart(self, tmp_path: Path, with_turn_ids: bool):
        paths = [
            write(
                tmp_path,
                thread,
                [
                    meta(thread, parent_thread_id=PARENT),
                    *turn(thread if with_turn_ids else None, 1, FIRST),
                ],
            )
            for thread in (CHILD, SIBLING)
        ]
        assert len(read_all(*paths)) == 2


class TestTurnIds:
    """A call is known again by its turn, whatever else of the history was copied."""

    def test_a_history_that_lost_its_beginning_is_still_its_parents(self, tmp_path: Path):
        history = [*turn(TURN_1, 1, FIRST), *turn(TURN_2, 2, SECOND)]
        parent = write(tmp_path, PARENT, [meta(PARENT), *history])
        shortened = [meta(CHILD, 60, forked_from_id=PARENT), *turn(TURN_2, 60, SECOND)]
        assert len(read_all(parent, write(tmp_path, CHILD, shortened))) == 2

    def test_a_fork_of_a_fork_that_names_only_the_last(self, tmp_path: Path):
        history = turn(TURN_1, 1, FIRST)
        own = turn(TURN_2, 70, SECOND)
        fork = [meta(CHILD, 60, forked_from_id=PARENT), meta(PARENT, 60), *history, *own]
        again = [meta(SIBLING, 90, forked_from_id=CHILD), *history, *own]
        paths = [write(tmp_path, CHILD, fork), write(tmp_path, SIBLING, again)]
        assert len(read_all(*paths)) == 2

    def test_siblings_of_equal_numbers_stay_two(self, tmp_path: Path):
        history = [meta(PARENT, 60), *turn(TURN_1, 60, FIRST)]
        paths = [
            write(
                tmp_path,
                thread,
                [meta(thread, 60, forked_from_id=PARENT), *history, *turn(own, 61, SECOND)],
            )
            for thread, own in ((CHILD, TURN_2), (SIBLING, TURN_3))
        ]
        assert len(read_all(*paths)) == 3


def test_a_meta_in_mid_file_changes_nothing(tmp_path: Path):
    path = write(tmp_path, PARENT, [meta(PARENT), FIRST, meta(CHILD, 9), SECOND])
    assert all(key.startswith(f"codex:{PARENT}:") for key in read_all(path))


def test_behind_a_damaged_meta_the_next_is_an_ancestors(tmp_path: Path):
    path = write(tmp_path, CHILD, [b'{"timestamp":', meta(PARENT, 60), FIRST])
    facts = codex.read(path, None)
    assert told(facts).key == f"codex:{CHILD}"
    assert facts.requests[0].key.startswith(f"codex:{PARENT}:")


class TestForksThatContinueTotals:
    def test_the_first_call_leaves_out_the_parents(self, tmp_path: Path):
        base = {"thread_id": PARENT, "end_ordinal_exclusive": 43}
        records = [meta(CHILD, history_base=base, forked_from_id=PARENT), context(), SECOND]
        assert tokens(write(tmp_path, CHILD, records)) == [(200, 10, 0, 0)]

    def test_a_share_that_nothing_tells_is_flagged_and_not_counted(self, tmp_path: Path):
        base = {"thread_id": PARENT, "end_ordinal_exclusive": 43}
        records = [
            meta(CHILD, history_base=base),
            context(),
            count(usage(300, 0, 20)),
            count(usage(310, 0, 21)),
        ]
        facts = codex.read(write(tmp_path, CHILD, records), None)
        assert [call.input_tokens for call in facts.requests] == [10]
        assert told(facts).flags == ["unknown_start"]
