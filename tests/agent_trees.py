"""Small session files of every agent, for tests that need trees of all of them.

A maker writes one session of `calls` below a home folder, with copies where its agent makes
them: content blocks of one answer, forks, archives, subagents. It answers what should come of
it, each call counted once.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.readers import (
    codex_rollouts,
    copilot_records,
    cursor_records,
    droid_records,
    goose_records,
    kimi_records,
    opencode_records,
    pi_records,
    qwen_records,
)
from tests.readers.json_lines import Json, moment, moment_ms, write
from tests.traps import claude, said


class Call(NamedTuple):
    """One model call: kinds of tokens that don't overlap, but that `output` has `reasoning`."""

    fresh: int
    read: int
    output: int
    reasoning: int = 0

    @property
    def total(self) -> int:
        """All its tokens."""
        return self.fresh + self.read + self.output


class Sums(NamedTuple):
    """What calls come to."""

    requests: int = 0
    fresh: int = 0
    read: int = 0
    output: int = 0

    def plus(self, other: "Sums") -> "Sums":
        """Both together."""
        return Sums._make(one + two for one, two in zip(self, other, strict=True))


def whole(calls: Sequence[Call], requests: int | None = None) -> Sums:
    """The sums of `calls`, which stand as so many; None: each as one."""
    made = len(calls) if requests is None else requests
    return Sums(made, *(sum(getattr(call, kind) for call in calls) for kind in Sums._fields[1:]))


Maker = Callable[[Path, int, str, Sequence[Call]], Sums]
"""From a home folder, the session's number there, a model's name and its calls."""


def uuid(number: int, kind: int = 0) -> str:
    return f"{number:08x}-{kind:04x}-4000-8000-000000000000"


def claude_code(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """Two blocks of each answer, the last answer a subagent's, and a fork that copies all else."""
    own, fork = uuid(number), uuid(number, 1)
    answers = [
        said(
            f"msg-{number}-{place}",
            {
                "input_tokens": call.fresh,
                "cache_read_input_tokens": call.read,
                "output_tokens": call.output,
            },
            place + 1,
            model,
        )
        for place, call in enumerate(calls)
    ]
    main, last = answers[:-1], answers[-1:]
    path = claude(home, *(record for record in main for _ in range(2)), session=own)
    claude(home, *main, session=fork)
    told = [{**record, "sessionId": own, "isSidechain": True, "agentId": "a1"} for record in last]
    write(path.with_suffix("") / "subagents" / "agent-a1.jsonl", told)
    return whole(calls)


def codex(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """Totals that grow, each told twice, in a rollout and in its archived copy."""
    thread, sums = f"01a203cc-7c37-7210-936e-{number:012x}", [0, 0, 0, 0]
    records = [codex_rollouts.meta(thread), codex_rollouts.context(model)]
    records.append(codex_rollouts.context(model, turn_id=uuid(number, 7)))
    for place, call in enumerate(calls):
        kinds = (call.fresh + call.read, call.read, call.output, call.reasoning)
        sums = [so_far + kind for so_far, kind in zip(sums, kinds, strict=True)]
        counted = codex_rollouts.count(codex_rollouts.usage(*sums), second=place + 1)
        records += [counted, counted]
    for folder in ("sessions/2026/03/01", "archived_sessions"):
        write(home / ".codex" / folder / f"rollout-2026-03-01T12-00-00-{thread}.jsonl", records)
    return whole([call for call in calls if call.total])


def gemini(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """Each answer written again, as with its tools; thoughts apart from the output."""
    own = uuid(number, 2)
    records: list[Json] = [
        {"sessionId": own, "projectHash": "p", "startTime": moment(0), "kind": "main"}
    ]
    for place, call in enumerate(calls):
        tokens = {
            "input": call.fresh + call.read,
            "cached": call.read,
            "output": call.output - call.reasoning,
            "thoughts": call.reasoning,
            "tool": 0,
            "total": call.total,
        }
        answer = {"id": uuid(number, 1_000 + place), "timestamp": moment(place + 1)}
        answer |= {"type": "gemini", "model": model, "content": "Done.", "tokens": tokens}
        records += [answer, answer | {"toolCalls": []}]
    name = f"session-2026-03-01T12-00-{number:08x}.jsonl"
    write(home / ".gemini/tmp/alpha/chats" / name, records)
    return whole(calls)


def qwen(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """A telemetry record and the answer behind it for each call."""
    own, records = uuid(number, 3), list[Json]()
    for place, call in enumerate(calls):
        given, line = call.fresh + call.read, number * 1_000 + place * 2 + 1
        counts = {"promptTokenCount": given, "candidatesTokenCount": call.output}
        more = {"thoughtsTokenCount": call.reasoning, "cachedContentTokenCount": call.read}
        total = {"totalTokenCount": given + call.output}
        reported = qwen_records.report(
            line,
            given,
            place + 1,
            model=model,
            output_token_count=call.output,
            thoughts_token_count=call.reasoning,
            cached_content_token_count=call.read,
            total_token_count=given + call.output,
        )
        answered = qwen_records.answer(
            line + 1, second=place + 1, model=model, usageMetadata=counts | more | total
        )
        records += [reported | {"sessionId": own}, answered | {"sessionId": own}]
    write(home / ".qwen/projects/-home-dev-alpha/chats" / f"{own}.jsonl", records)
    return whole(calls)


def copilot(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """A usage record for each call, and totals at the end that repeat them."""
    own = uuid(number, 4)
    records = [copilot_records.start(own)]
    for place, call in enumerate(calls):
        records.append(
            copilot_records.used(
                f"{own}-{place}",
                call.fresh + call.read,
                call.output,
                place + 1,
                source=own,
                model=model,
                cacheReadTokens=call.read,
                reasoningTokens=call.reasoning,
            )
        )
    sums = whole(calls)
    totals = copilot_records.metrics(sums.fresh + sums.read, sums.output, sums.read)
    records.append(copilot_records.shutdown(99, 0, **{model: totals}))
    copilot_records.events_file(home / ".copilot", records, own)
    return sums


def pi(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """A session, and a fork that begins with a copy of it."""
    own, fork = uuid(number, 5), uuid(number, 6)
    answers = [
        pi_records.answer(
            place + 1,
            call=f"resp-{number}-{place}",
            used=pi_records.usage(call.fresh, call.output, call.read),
            model=model,
        )
        for place, call in enumerate(calls)
    ]
    folder = home / ".pi" / "agent"
    pi_records.session_file(folder, [pi_records.header(own), *answers], own)
    copy = [pi_records.header(fork, 90, parentSession=f"2026_{own}.jsonl"), *answers]
    pi_records.session_file(folder, copy, fork)
    return whole([call for call in calls if call.total])


def droid(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """The sums of a session; thinking apart from the output."""
    own, sums = uuid(number, 7), whole(calls)
    thinking = sum(call.reasoning for call in calls)
    folder = home / ".factory"
    droid_records.transcript(folder, [droid_records.header(own), droid_records.prompt()], own)
    counts = {
        "inputTokens": sums.fresh,
        "outputTokens": sums.output - thinking,
        "cacheReadTokens": sums.read,
        "cacheCreationTokens": 0,
        "thinkingTokens": thinking,
    }
    droid_records.settings(folder, counts, own, model=model)
    return whole(calls, int(any(call.total for call in calls)))


def opencode(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """A database, or another one of the channel of this number; reasoning apart."""
    name = f"opencode-c{number}.db" if number else "opencode.db"
    folder = home / ".local" / "share" / "opencode"
    database = opencode_records.Database(folder, name, wal=False)
    own = f"ses_{number}"
    database.session(own)
    for place, call in enumerate(calls):
        counted = opencode_records.tokens(
            call.fresh, call.output - call.reasoning, call.read, call.reasoning
        )
        record = opencode_records.answer(
            place + 1 + 100 * number, counted, modelID=model, providerID="anthropic"
        )
        database.message(own, f"msg_{number}_{place}", record)
    database.close()
    return whole([call for call in calls if call.total])


def cline(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """The conversation of a session and its own file, which names the sum of the output."""
    own, sums = f"{number}-cline", whole([call for call in calls if call.total])
    messages = [
        {
            "id": f"{own}-{place}",
            "role": "assistant",
            "content": [{"type": "text", "text": "Done."}],
            "ts": moment_ms(place + 1),
            "modelInfo": {"id": model},
            "metrics": {
                "inputTokens": call.fresh + call.read,
                "outputTokens": call.output,
                "cacheReadTokens": call.read,
                "cacheWriteTokens": 0,
            },
        }
        for place, call in enumerate(calls)
    ]
    folder = home / ".cline" / "data" / "sessions" / own
    about = {"session_id": own, "started_at": moment(0), "status": "completed", "cwd": "/home/dev"}
    usage = {"metadata": {"usage": {"outputTokens": sums.output}}}
    _document(folder / f"{own}.json", about | usage)
    _document(folder / f"{own}.messages.json", {"version": 1, "messages": messages})
    return sums


def amp(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """Answers, the events of the ledger that tell of the same calls, and a fork of the thread."""
    own, fork = (f"T-{uuid(number, kind)}" for kind in (8, 9))
    messages = [
        {
            "role": "assistant",
            "messageId": place,
            "content": [{"type": "text", "text": "Done."}],
            "state": {"type": "complete", "stopReason": "end_turn"},
            "usage": {
                "model": model,
                "inputTokens": call.fresh,
                "outputTokens": call.output,
                "cacheReadInputTokens": call.read,
                "cacheCreationInputTokens": 0,
                "totalInputTokens": call.fresh + call.read,
            },
        }
        for place, call in enumerate(calls)
    ]
    events = [
        {
            "id": f"e-{number}-{place}",
            "timestamp": moment(place + 1),
            "model": model,
            "tokens": {"input": call.fresh, "output": call.output},
            "operationType": "inference",
            "toMessageId": place,
        }
        for place, call in enumerate(calls)
    ]
    thread = {"v": 9, "created": moment_ms(0), "messages": messages}
    threads = home / ".local" / "share" / "amp" / "threads"
    _document(threads / f"{own}.json", thread | {"usageLedger": {"events": events}})
    copied = {"originThreadID": own, "forkPointIndex": len(messages), "created": moment_ms(50)}
    _document(threads / f"{fork}.json", thread | copied)
    return whole([call for call in calls if call.total])


def kimi(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """Steps of Kimi Code's main agent."""
    own = f"session_{uuid(number, 10)}"
    records: list[Json | bytes] = [kimi_records.header(), kimi_records.prompt()]
    for place, call in enumerate(calls):
        step = f"s-{number}-{place}"
        counts = {"given": call.fresh, "output": call.output, "read": call.read}
        records += [
            kimi_records.begin(step, place + 2),
            kimi_records.asked(place + 2, model=model),
            kimi_records.used(place + 2, "turn", "kimi/k2", **counts),
        ]
    kimi_records.wire_file(home / ".kimi-code", records, own)
    return whole([call for call in calls if call.total])


def goose(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """The first session a ledger of its calls beside the sums of them, the others sums only."""
    folder = home / ".local" / "share" / "goose"
    path = folder / "sessions" / "sessions.db"
    database = goose_records.Database.__new__(goose_records.Database)
    database.path = path
    if not path.exists():
        database = goose_records.Database(folder)
    configured = json.dumps({"model_name": model})
    own = database.session(number + 1, model_config_json=configured)
    sums = whole(calls)
    kinds = {"input": sums.fresh + sums.read, "output": sums.output, "cache_read": sums.read}
    kinds["total"] = kinds["input"] + kinds["output"]
    if number == 0:
        for place, call in enumerate(calls):
            database.count(
                own, place + 1, call.fresh + call.read, call.output, call.read, model=model
            )
    database.touch(own, 9, **{f"accumulated_{kind}_tokens": sum_ for kind, sum_ in kinds.items()})
    counted = [call for call in calls if call.total]
    return whole(counted, None if number == 0 else int(bool(counted)))


def cursor(home: Path, number: int, model: str, calls: Sequence[Call]) -> Sums:
    """A chat, which holds no token counts."""
    cursor_records.chat(home / ".cursor", [cursor_records.user(), cursor_records.answer()])
    return Sums()


def _document(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


MAKERS: tuple[Maker, ...] = (
    claude_code,
    codex,
    gemini,
    qwen,
    copilot,
    pi,
    droid,
    opencode,
    cline,
    amp,
    kimi,
    goose,
    cursor,
)
