"""Codex rollouts, as version 0.169.0 and the 0.4x line before it wrote them.

Current files hold a `token_usage_record` for each response and a `token_count` that repeats
it; old files hold only `token_count`s with running totals, some of them written twice without
a new call. A current fork points to its parent's history and goes on with its totals; an old
fork copies the parent's records under new times.
"""

import json
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.tree_parts import Call, Chance, Clock, Truth

AGENT = "codex"
CURRENT_MODELS = ("gpt-5.5",)
OLD_MODELS = ("gpt-5-codex", "gpt-5.1-codex")
_CONTEXT_LIMIT = 220_000


@dataclass
class CodexFile:
    """One rollout in the making: `records` are its lines, `size` their characters."""

    chance: Chance
    clock: Clock
    truth: Truth
    session_id: str
    cwd: str
    branch: str
    model: str
    current: bool
    root: str | None = None
    """The session that started this one as a subagent."""
    records: list[str] = field(default_factory=list[str])
    size: int = 0
    totals: Counter[str] = field(default_factory=Counter[str])
    """Usage of the thread so far, its parent's included."""
    context: int = 0
    """Tokens in the context of the next call."""
    ordinal: int = 0
    """Number of the next record in the thread."""
    _turn_totals: Counter[str] = field(default_factory=Counter[str])
    _turn: str = ""

    def __post_init__(self) -> None:
        self.context = self.chance.randint(6_000, 12_000)
        self._started = self.clock.tick(0.01)

    def write(self, target: int) -> None:
        """Add turns until the file has about `target` characters."""
        if not self.records:
            self._meta("")
        while True:
            self._start_turn()
            for _ in range(self.chance.randint(1, 16)):
                self._call(last=False)
                if self.size >= target:
                    break
            self._call(last=True)
            turn = f'"turn_id":"{self._turn}"'
            self._add("event_msg", f'"type":"task_complete",{turn},"last_agent_message":"Done."')
            if self.size >= target:
                return

    def fork(self, other: "CodexFile") -> None:
        """Begin as a fork of `other`: by reference (current) or by copied records (old)."""
        if self.current:
            self.ordinal = other.ordinal
            self._meta(
                f'"forked_from_id":"{other.session_id}",'
                f'"forked_from_ordinal_exclusive":{other.ordinal},'
                f'"history_base":{{"thread_id":"{other.session_id}","end_ordinal_exclusive":'
                f'{other.ordinal},"end_byte_offset":{other.size}}},'
            )
        else:
            self._meta(f'"forked_from_id":"{other.session_id}",')
            for record in other.records:
                now = self.clock.tick(0.01)
                self.records.append(f'{{"timestamp":"{now}{record[38:]}')
                self.size += len(record)
                if '"type":"token_count"' in record[:110]:
                    self.truth.count(AGENT, "copied_records")
        self.totals, self.context = other.totals.copy(), other.context

    def _add(self, kind: str, payload: str, seconds: float = 1.0) -> None:
        ordinal = f'"ordinal":{self.ordinal},' if self.current else ""
        record = (
            f'{{"timestamp":"{self.clock.tick(seconds)}",{ordinal}"type":"{kind}",'
            f'"payload":{{{payload}}}}}\n'
        )
        self.ordinal += 1
        self.records.append(record)
        self.size += len(record)

    def _meta(self, origin: str) -> None:
        text = self.chance.text
        if not self.current:
            self._add(
                "session_meta",
                f'"id":"{self.session_id}",{origin}"timestamp":"{self._started}",'
                f'"cwd":"{self.cwd}","originator":"codex_cli_rs","cli_version":"0.46.0",'
                f'"instructions":"{text(3000)}","source":"cli","git":{{"commit_hash":'
                f'"{self.chance.hex(40)}","branch":"{self.branch}"}}',
            )
            return
        source, parent = '"exec"', ""
        if self.root:
            parent = f'"parent_thread_id":"{self.root}",'
            source = (
                f'{{"subagent":{{"thread_spawn":{{"parent_thread_id":"{self.root}","depth":1,'
                '"agent_path":null,"agent_nickname":"Pasteur","agent_role":null}}}'
            )
        self._add(
            "session_meta",
            f'"account_scoped":true,"session_id":"{self.root or self.session_id}",'
            f'"id":"{self.session_id}",{parent}{origin}"timestamp":"{self._started}",'
            f'"cwd":"{self.cwd}","runtime_workspace_roots":["{self.cwd}"],'
            f'"originator":"codex_exec","cli_version":"0.169.0","source":{source},'
            f'"thread_source":"{"subagent" if self.root else "user"}","model_provider":"openai",'
            f'"base_instructions":"{text(9000)}","history_mode":"paginated","git":'
            f'{{"commit_hash":"{self.chance.hex(40)}","branch":"{self.branch}"}}',
        )
        self._add("world_state", f'"full":true,"state":{{"host_skills":"{text(6000)}"}}')

    def _start_turn(self) -> None:
        chance, prompt = self.chance, self.chance.phrase()
        self._turn = chance.uuid()
        self._turn_totals.clear()
        turn = f'"turn_id":"{self._turn}"'
        if self.current:
            self._add(
                "event_msg",
                f'"type":"task_started",{turn},"root_turn_id":"{self._turn}",'
                f'"started_at":{int(self.clock.seconds)},"model_context_window":258400',
                seconds=60,
            )
        self._add(
            "turn_context",
            f'{turn},"cwd":"{self.cwd}","approval_policy":"never","sandbox_policy":'
            f'{{"type":"danger-full-access"}},"model":"{self.model}","effort":"medium"',
        )
        self._add(
            "response_item",
            f'"type":"message","id":"msg_{chance.uuid()}","role":"user",'
            f'"content":[{{"type":"input_text","text":"{prompt}"}}]',
        )
        if self.current:
            self._item("UserMessage", f'"content":[{{"type":"text","text":"{prompt}"}}]')
        else:
            self._add("event_msg", f'"type":"user_message","message":"{prompt}","kind":"plain"')

    def _item(self, kind: str, body: str) -> None:
        self._add(
            "event_msg",
            f'"type":"item_completed","thread_id":"{self.session_id}","turn_id":"{self._turn}",'
            f'"item":{{"type":"{kind}","id":"{self.chance.uuid()}",{body}}}',
        )

    def _next_call(self) -> Call:
        chance = self.chance
        if self.context > _CONTEXT_LIMIT:
            self.context = chance.randint(20_000, 40_000)
        new = chance.size(1500, 1.0, 60_000)
        output = chance.size(350, 1.0, 32_000)
        reasoning = output // 2 if chance.random() < 0.6 else 0
        call = Call(new, output, 0, 0, self.context // 128 * 128, reasoning)
        self.context += new
        return call

    def _call(self, *, last: bool) -> None:
        """One response: reasoning, then a tool call with its output or the last message."""
        chance, call = self.chance, self._next_call()
        self.truth.call(AGENT, self.model, call)
        usage: Counter[str] = Counter(_usage(call))
        self.totals.update(usage)
        self._turn_totals.update(usage)
        self._reason()
        tool = f"call_{chance.hex(24)}"
        if last:
            self._say(chance.text(chance.size(500, 0.8, 8000)))
        else:
            arguments = f'{{\\"cmd\\": \\"{chance.phrase()}\\"}}'
            self._add(
                "response_item",
                f'"type":"function_call","id":"fc_{chance.hex(24)}","name":"exec_command",'
                f'"arguments":"{arguments}","call_id":"{tool}"',
            )
        if self.current:
            self.truth.count(AGENT, "usage_records")
            self._add(
                "token_usage_record",
                f'"thread_id":"{self.session_id}","turn_id":"{self._turn}",'
                f'"session_id":"{self.root or self.session_id}","root_turn_id":"{self._turn}",'
                f'"response_id":"resp_{chance.hex(40)}","usage":{_json(usage)},'
                f'"turn_token_usage":{_json(self._turn_totals)},'
                f'"thread_token_usage":{_json(self.totals)}',
            )
        if not last:
            self._output(tool)
        for _ in range(1 if self.current or chance.random() < 0.8 else 2):
            self._token_count(usage)

    def _reason(self) -> None:
        summary = self.chance.phrase()
        if self.current:
            self._item("Reasoning", f'"summary_text":["{summary}"],"raw_content":[]')
        else:
            self._add("event_msg", f'"type":"agent_reasoning","text":"{summary}"')
        secret = self.chance.noise(self.chance.size(1200, 0.6, 8000))
        self._add(
            "response_item",
            f'"type":"reasoning","id":"rs_{self.chance.hex(32)}","summary":[{{"type":'
            f'"summary_text","text":"{summary}"}}],"content":null,"encrypted_content":"{secret}"',
        )

    def _say(self, text: str) -> None:
        if self.current:
            self._item("AgentMessage", f'"content":[{{"type":"Text","text":"{text}"}}]')
        else:
            self._add("event_msg", f'"type":"agent_message","message":"{text}"')
        self._add(
            "response_item",
            f'"type":"message","status":"completed","id":"msg_{self.chance.hex(24)}",'
            f'"role":"assistant","content":[{{"type":"output_text","text":"{text}"}}]',
        )

    def _output(self, tool: str) -> None:
        text = self.chance.text(self.chance.size(1700, 1.35, 60_000))
        if self.current:
            self._item(
                "CommandExecution",
                f'"command":["/bin/bash","-lc","make"],"cwd":"file://{self.cwd}",'
                f'"status":"completed","aggregated_output":"{text}","exit_code":0',
            )
        self._add(
            "response_item",
            f'"type":"function_call_output","call_id":"{tool}","output":"{text}"',
        )

    def _token_count(self, usage: Counter[str]) -> None:
        self.truth.count(AGENT, "token_counts")
        self._add(
            "event_msg",
            f'"type":"token_count","info":{{"total_token_usage":{_json(self.totals)},'
            f'"last_token_usage":{_json(usage)},"model_context_window":258400}},'
            '"rate_limits":{"primary":{"used_percent":12.0,"window_minutes":300,'
            '"resets_in_seconds":9000},"secondary":null}',
        )


def _usage(call: Call) -> dict[str, int]:
    """A call as OpenAI counts: `input_tokens` includes what was cached."""
    read = call.input + call.cache_read
    return {
        "input_tokens": read,
        "cached_input_tokens": call.cache_read,
        "cache_write_input_tokens": 0,
        "output_tokens": call.output,
        "reasoning_output_tokens": call.reasoning,
        "total_tokens": read + call.output,
    }


def _json(usage: Counter[str]) -> str:
    return json.dumps(usage, separators=(",", ":"))
