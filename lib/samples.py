"""Sample sessions, to see the board before the first real one. They are labelled, and removable.

They live in the store like any other facts, under a machine of their own.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from lib.frame import SAMPLE_MACHINE as MACHINE
from lib.model import Evidence, FileState, Process, Request, Session, Turn
from lib.store import Batch, Store

__all__ = ["MACHINE", "batch", "write"]

MINUTE = 60_000
HOUR = 60 * MINUTE
_SONNET = "claude-sonnet-4-5-20250929"
_OPUS = "claude-opus-4-1-20250805"
_CODEX = "gpt-5-codex"


class Sample(NamedTuple):
    """One sample session, with its times as milliseconds before now."""

    name: str
    agent: str
    model: str
    project: str
    branch: str | None
    title: str
    prompt: str
    started: int
    active: int
    turn: Turn
    calls: int
    process: Process | None = None
    """None: nothing is known of a process, the session has ended."""
    facts: Mapping[str, Any] = MappingProxyType({})
    """More fields of the session."""
    claim: Mapping[str, Any] = MappingProxyType({})
    """More fields of its evidence."""


SAMPLES = (
    Sample(
        "a1b2c3d4",
        "claude-code",
        _SONNET,
        "lean-spec",
        "feature/168-orchestration",
        "Orchestrate runs of several agents",
        "Implement specs/168-orchestration step by step and keep the tests green.",
        13 * MINUTE,
        9_000,
        "running",
        24,
        "alive",
        {
            "turns": 2,
            "todo_done": 6,
            "todo_total": 10,
            "context_tokens": 84_000,
            "last_message": "Tests of task 1 pass. On to task 2.",
            "turn_detail": "Bash: pytest tests/test_runner.py -q",
        },
    ),
    Sample(
        "c3d4e5f6",
        "codex",
        _CODEX,
        "my-app",
        "042-dark-mode",
        "Dark mode for the settings page",
        "Add a dark mode to the settings page, following specs/042-dark-mode.",
        3 * MINUTE,
        4_000,
        "running",
        5,
        "alive",
        {
            "turns": 1,
            "todo_done": 1,
            "todo_total": 4,
            "context_tokens": 34_000,
            "turn_detail": "apply_patch: src/settings/theme.ts",
        },
        {"turn_limit": 20},
    ),
    Sample(
        "e5f6a7b8",
        "claude-code",
        _OPUS,
        "client",
        "089-billing",
        "Move billing to the new API",
        "Move the billing client to the new API.",
        34 * MINUTE,
        6 * MINUTE,
        "waiting",
        31,
        "alive",
        {"turns": 5, "context_tokens": 121_000, "turn_detail": "Bash: git push origin 089-billing"},
        {"turn": "waiting", "detail": "permission"},
    ),
    Sample(
        "0a9b8c7d",
        "claude-code",
        _SONNET,
        "website",
        "main",
        "Rewrite the pricing page",
        "Rewrite the pricing page in plain words.",
        2 * HOUR,
        25 * MINUTE,
        "idle",
        18,
        "alive",
        {"turns": 7, "context_tokens": 61_000, "last_message": "Shall I open a pull request?"},
    ),
    Sample(
        "b7c8d9e0",
        "claude-code",
        _OPUS,
        "lean-spec",
        "main",
        "Review the migration guide",
        "Review docs/migration.md for mistakes.",
        50 * MINUTE,
        11 * MINUTE,
        "rate_limited",
        12,
        "alive",
        {
            "turns": 3,
            "context_tokens": 40_000,
            "error_class": "rate_limit",
            "error_message": "You've reached your usage limit.",
        },
    ),
    Sample(
        "d1e2f3a4",
        "codex",
        _CODEX,
        "my-app",
        "main",
        "Bisect the flaky upload test",
        "Find the commit that made test_upload flaky.",
        70 * MINUTE,
        40 * MINUTE,
        "running",
        9,
        "suspended",
        {"turns": 1, "context_tokens": 58_000, "turn_detail": "shell: git bisect run make test"},
    ),
    Sample(
        "f4a5b6c7",
        "claude-code",
        _SONNET,
        "lean-spec",
        "244-session-ui",
        "Detail page of one session",
        "Build the detail page of specs/244-session-ui.",
        2 * HOUR,
        105 * MINUTE,
        "idle",
        40,
        None,
        {
            "turns": 4,
            "todo_done": 7,
            "todo_total": 7,
            "context_tokens": 97_000,
            "last_message": "All seven tasks are done; 212 tests pass.",
        },
    ),
    Sample(
        "19a0b1c2",
        "claude-code",
        _SONNET,
        "lean-spec",
        "287-agent-runners",
        "Runners for every agent",
        "Make the runner of specs/287-agent-runners work for every agent.",
        130 * MINUTE,
        122 * MINUTE,
        "failed",
        14,
        None,
        {
            "turns": 1,
            "todo_done": 3,
            "todo_total": 8,
            "context_tokens": 71_000,
            "error_class": "test",
            "error_message": "Test assertion failed in agent_test.rs:42\n"
            "\"Expected 'running' but got 'pending'\"\n\n"
            "thread 'agent_test::starts' panicked at tests/agent_test.rs:42:5\n"
            "note: run with `RUST_BACKTRACE=1` to display a backtrace",
        },
    ),
    Sample(
        "2b3c4d5e",
        "codex",
        _CODEX,
        "tools",
        None,
        "Nightly dependency update",
        "Update the dependencies and run the tests.",
        9 * HOUR,
        9 * HOUR - 4 * MINUTE,
        "failed",
        2,
        None,
        {
            "turns": 1,
            "error_class": "authentication",
            "error_message": "401 Unauthorized: the token has expired. Sign in again.",
        },
    ),
    Sample(
        "6f7a8b9c",
        "claude-code",
        "house-model-2",
        "tools",
        "main",
        "Translate the command line help",
        "Translate the help texts to German.",
        5 * HOUR,
        4 * HOUR + 40 * MINUTE,
        "stopped",
        6,
        None,
        {"turns": 2, "last_message": "Translated 14 of 60 texts."},
    ),
)


def batch(now: int) -> Batch:
    """The facts of all samples, as if `now` (ms) were the moment of looking."""
    requests = [call for sample in SAMPLES for call in _requests(sample, now)]
    sessions = [_session(sample, now) for sample in SAMPLES]
    parent = SAMPLES[0]
    helper = _session(parent, now)
    helper.key, helper.parent_key = f"{helper.key}/helper", helper.key
    helper.title, helper.turn, helper.turn_detail = "Look for callers", "idle", None
    helper.todo_done = helper.todo_total = 0
    requests.append(_request(parent, helper.key, "helper", now - 5 * MINUTE, 2))
    file = FileState(
        path="samples",
        agent=parent.agent,
        machine=MACHINE,
        records=len(requests),
        usage_records=len(requests),
    )
    return Batch(
        files=[file],
        sessions=[*sessions, helper],
        requests=requests,
        evidence=[_evidence(sample, now) for sample in SAMPLES if sample.process],
    )


def write(store: Store, now: int) -> None:
    """Put the samples into `store`."""
    store.write(batch(now))


def _session_id(sample: Sample) -> str:
    return f"{sample.name}-0000-4000-8000-000000000000"


def _key(sample: Sample) -> str:
    return f"{sample.agent}:{_session_id(sample)}"


def _session(sample: Sample, now: int) -> Session:
    facts: dict[str, Any] = {
        "flags": ["sample"],
        "resets_at": now + 95 * MINUTE if sample.turn == "rate_limited" else None,
        "turn_requests": sample.calls,
        "turn_started_at": now - sample.started,
        **sample.facts,
    }
    return Session(
        key=_key(sample),
        agent=sample.agent,
        session_id=_session_id(sample),
        machine=MACHINE,
        project_path=f"/samples/{sample.project}",
        branch=sample.branch,
        title=sample.title,
        first_prompt=sample.prompt,
        model=sample.model,
        started_at=now - sample.started,
        last_activity_at=now - sample.active,
        turn=sample.turn,
        registered=sample.process is None,
        **facts,
    )


def _evidence(sample: Sample, now: int) -> Evidence:
    claim: dict[str, Any] = {"since": now - sample.active, **sample.claim}
    return Evidence(
        session_key=_key(sample),
        source="sample",
        agent=sample.agent,
        session_id=_session_id(sample),
        machine=MACHINE,
        observed_at=now,
        process=sample.process or "unknown",
        **claim,
    )


def _requests(sample: Sample, now: int) -> list[Request]:
    length = sample.started - sample.active
    return [
        _request(
            sample,
            _key(sample),
            str(number),
            now - sample.started + length * number // sample.calls,
            number,
        )
        for number in range(sample.calls)
    ]


def _request(sample: Sample, session_key: str, name: str, at: int, number: int) -> Request:
    return Request(
        key=f"{sample.agent}:sample-{sample.name}-{name}",
        session_key=session_key,
        owner_rank="0",
        at=at,
        model=sample.model,
        input_tokens=120 + 40 * number,
        output_tokens=310 + 55 * (number % 7),
        cache_read_tokens=2_000 + 900 * number,
        cache_write_5m_tokens=700,
    )
