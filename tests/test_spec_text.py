"""What a spec says, from Markdown and from a server's answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lib.spec_text import (
    LONGEST_FRONTMATTER,
    LONGEST_TEXT,
    MOST_NAMES,
    SubSpec,
    depends_on,
    from_markdown,
    from_server,
    task_counts,
)

WHOLE = """---
status: in-progress
created: '2025-12-12'
priority: critical
tags:
- architecture
- v1.10
- 1.10
depends_on:
- 159-memory-layer
- 148-desktop-app
parent: 221-integration
created_at: 2025-12-12T07:50:22.373Z
updated_at: 2026-02-04T03:26:07.163915Z
assignee: null
---
# Orchestration Platform

- [x] one
  - [X] two
- [ ] three
* [ ] no task of LeanSpec's
"""


def test_frontmatter_title_and_tasks_are_told() -> None:
    spec = from_markdown("168-orchestration", WHOLE, "/app/specs")
    assert (spec.number, spec.title) == (168, "Orchestration Platform")
    assert (spec.status, spec.priority) == ("in-progress", "critical")
    assert spec.tags == ["architecture", "v1.10", "1.10"]
    assert (spec.parent, spec.depends_on) == (
        "221-integration",
        ["159-memory-layer", "148-desktop-app"],
    )
    assert (spec.created, spec.updated) == ("2025-12-12", "2026-02-04")
    assert (spec.tasks_done, spec.tasks_total) == (2, 3)
    assert spec.text.startswith("# Orchestration Platform")
    assert spec.problems == []


@pytest.mark.parametrize("list_", ["[ui, 'api']", "ui, api", '["ui", "api"]', "\n- ui\n- api"])
def test_a_list_may_be_written_in_any_of_leanspecs_ways(list_: str) -> None:
    raw = f"---\nstatus: draft\ntags: {list_}\n---\n"
    assert from_markdown("001-a", raw, "").tags == ["ui", "api"]


@pytest.mark.parametrize(
    ("head", "reason"),
    [
        ("status: [", "expected the node content"),
        ("just words", "no names with values"),
        ("", "no names with values"),
        ("a: *nothing", "undefined alias"),
        ("tags: &a [x, *a]", "recursive"),
        ("a: " + "[" * 5_000, "Its frontmatter can't be read"),
        ("a: " + "x" * LONGEST_FRONTMATTER, "longer than"),
    ],
)
def test_a_bad_frontmatter_is_told_and_the_text_is_still_shown(head: str, reason: str) -> None:
    spec = from_markdown("001-a", f"---\n{head}\n---\n# Still here\n", "")
    assert len(spec.problems) == 1
    assert reason in spec.problems[0]
    assert (spec.title, spec.status) == ("Still here", None)
    assert "Still here" in spec.text


def test_a_file_without_frontmatter_is_shown_whole_with_a_word_on_it() -> None:
    for raw in ("# Title\ntext", "---\nno end of it\n# Title\ntext"):
        spec = from_markdown("001-a", raw, "")
        assert spec.text == raw
        assert "no frontmatter" in spec.problems[0]


def test_a_frontmatter_makes_no_objects_and_runs_nothing() -> None:
    raw = "---\nstatus: !!python/object/apply:os.getcwd []\ntags: [&a x, *a, y]\n---\n"
    spec = from_markdown("001-a", raw, "")
    assert spec.status is None
    assert spec.tags == ["x", "y"]


def test_a_text_too_long_is_cut_and_says_so() -> None:
    spec = from_markdown("001-a", "---\nstatus: draft\n---\n" + "x" * LONGEST_TEXT, "")
    assert len(spec.text) < LONGEST_TEXT
    assert "first 200,000 characters" in spec.problems[0]


def test_terminal_sequences_are_gone() -> None:
    spec = from_markdown("001-a", "---\nstatus: \x1b[31mdraft\n---\n# A\x1b[0m title\n", "")
    assert "\x1b" not in f"{spec}"
    assert spec.title == "A title"


def test_what_a_spec_depends_on_can_be_told_alone() -> None:
    assert depends_on(WHOLE) == ["159-memory-layer", "148-desktop-app"]
    assert depends_on("no frontmatter") == depends_on("---\n[\n---\n") == []


def test_a_servers_answer_tells_the_same() -> None:
    spec = from_server(
        {
            "specName": "168-orchestration",
            "title": "Orchestration Platform",
            "status": "in-progress",
            "priority": None,
            "tags": ["ui"],
            "contentMd": "# Orchestration Platform\n\n- [x] one\n- [ ] two",
            "createdAt": "2025-12-12T07:50:22.373Z",
            "updatedAt": None,
            "dependsOn": ["159-memory-layer"],
            "requiredBy": ["244-ui"],
            "subSpecs": [{"name": "Design", "file": "DESIGN.md", "content": "# Design"}, 7],
        },
        "http://localhost:3000",
    )
    assert (spec.name, spec.title, spec.status) == (
        "168-orchestration",
        "Orchestration Platform",
        "in-progress",
    )
    assert (spec.priority, spec.created, spec.updated) == (None, "2025-12-12", None)
    assert (spec.depends_on, spec.required_by) == (["159-memory-layer"], ["244-ui"])
    assert (spec.tasks_done, spec.tasks_total) == (1, 2)
    assert spec.sub_specs == [SubSpec("DESIGN.md", "# Design")]


@pytest.mark.parametrize("answer", [None, [], {}, {"specName": 7}, "<html>"])
def test_an_answer_without_a_spec_is_refused(answer: object) -> None:
    with pytest.raises(ValueError, match="names no spec"):
        from_server(answer, "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
FIELDS = ["specName", "title", "status", "tags", "contentMd", "createdAt", "dependsOn", "subSpecs"]


@given(st.dictionaries(st.sampled_from(FIELDS), json_values))
def test_fields_of_any_type_from_a_server_cost_nothing_else(told: dict[str, object]) -> None:
    spec = from_server({**told, "specName": "168-a"}, "")
    assert (spec.name, spec.number) == ("168-a", 168)
    assert 0 <= spec.tasks_done <= spec.tasks_total


@given(st.text(), st.text())
def test_any_text_between_fences_gives_a_spec(head: str, body: str) -> None:
    spec = from_markdown("001-a", f"---\n{head}\n---\n{body}", "")
    assert len(spec.tags) <= MOST_NAMES
    assert spec.title


@given(st.lists(st.booleans()))
def test_tasks_add_up(done: list[bool]) -> None:
    text = "\n".join(f"- [{'x' if one else ' '}] task" for one in done)
    assert task_counts(text) == (sum(done), len(done))


def test_a_task_is_one_line_and_empty_lines_take_no_time() -> None:
    assert task_counts("-\n[x]\ndone") == (0, 0)
    assert task_counts("a" + "\n" * 200_000 + "- [x] b") == (1, 1)
