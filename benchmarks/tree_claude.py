"""Claude Code transcripts, as version 2.1.330 and the 2.0 line before it wrote them.

Shapes, key order and proportions were read off files of the real CLI. What a reader has to
see through is there: one record per content block with the same usage (2.0: with partial
output in all but the last), forks that copy records, subagents, nested usage in the
results of subagents, and calls through gateways that give no request id.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from benchmarks.tree_claude_tools import tool_outcome, tool_schemas, tool_use
from benchmarks.tree_parts import Call, Chance, Clock, Truth

AGENT = "claude-code"
CURRENT_MODELS = ("claude-opus-5-5", "claude-opus-5-5", "claude-sonnet-5")
OLD_MODELS = ("claude-sonnet-4-5-20250929", "claude-opus-4-5-20251101", "claude-haiku-4-5-20251001")
MAIN_OVERHEAD = 150_000
SUBAGENT_OVERHEAD = 110_000
"""Bytes of prompt snapshots and request shapes that a current session starts with."""
_CONTEXT_LIMIT = 170_000


class Reply(NamedTuple):
    """What the records of one answer share."""

    message: str
    request: str
    reference: str
    stop: str
    call: Call


@dataclass
class ClaudeFile:
    """One transcript in the making: `records` are its lines, `size` their characters."""

    chance: Chance
    clock: Clock
    truth: Truth
    session_id: str
    cwd: str
    branch: str
    model: str
    current: bool
    agent_id: str | None = None
    gateway: bool = False
    """Calls go through a gateway that gives no request id."""
    records: list[str] = field(default_factory=list[str])
    size: int = 0
    parent: str = "null"
    """Id of the last conversation record, as JSON."""
    context: int = 0
    """Tokens in the context of the last call."""
    _prompt_id: str = ""
    _requests: int = 0

    def __post_init__(self) -> None:
        agent = f'"agentId":"{self.agent_id}",' if self.agent_id else ""
        where = f'"cwd":"{self.cwd}","sessionId":"{self.session_id}"'
        if self.current:
            self._front = agent
            self._back = (
                f',"userType":"external","entrypoint":"cli",{where},"version":"2.1.330",'
                f'"gitBranch":"{self.branch}"}}\n'
            )
        else:
            self._front = (
                f'"userType":"external",{where},"version":"2.0.76",'
                f'"gitBranch":"{self.branch}",{agent}'
            )
            self._back = "}\n"
        self._sidechain = "true" if self.agent_id else "false"
        self.context = self.chance.randint(14_000, 26_000)

    def write(self, target: int, subagents: list[str]) -> None:
        """Add turns until the file has about `target` characters; one call per subagent started."""
        if not self.records and self.current:
            self._open_current()
        elif not self.records:
            self._add(
                f'{{"type":"file-history-snapshot","messageId":"{self.chance.uuid()}",'
                f'"snapshot":{{"messageId":"{self.chance.uuid()}","trackedFileBackups":{{}},'
                f'"timestamp":"{self.clock.tick()}"}},"isSnapshotUpdate":false}}\n'
            )
        pending = list(subagents)
        while True:
            self._prompt()
            for _ in range(self.chance.randint(1, 14)):
                self._call(pending.pop() if pending else None, last=False)
                if self.size >= target and not pending:
                    break
            self._call(None, last=True)
            if self.size >= target and not pending:
                return

    def copy(self, other: "ClaudeFile") -> None:
        """Begin as a fork of `other`: its conversation with this session's id, same message ids."""
        old, new = f'"sessionId":"{other.session_id}"', f'"sessionId":"{self.session_id}"'
        origin = f',"requestSessionId":"{other.session_id}"}}\n'
        for record in other.records:
            if not record.startswith('{"parentUuid"'):
                continue
            copied = record.replace(old, new)
            if '"type":"assistant","uuid"' in copied:
                self.truth.count(AGENT, "copied_records")
                copied = copied[:-2] + origin if self.current else copied
            self._add(copied)
        self.parent, self.context = other.parent, other.context

    def _add(self, record: str) -> None:
        self.records.append(record)
        self.size += len(record)

    def _conversation(self, body: str, uuid: str) -> None:
        self._add(
            f'{{"parentUuid":{self.parent},"isSidechain":{self._sidechain},'
            f"{self._front}{body}{self._back}"
        )
        self.parent = f'"{uuid}"'

    def _attachment(self, kind: str, body: str) -> None:
        uuid = self.chance.uuid()
        self._conversation(
            f'"attachment":{{"type":"{kind}",{body}}},"type":"attachment","uuid":"{uuid}",'
            f'"timestamp":"{self.clock.tick(0.01)}"',
            uuid,
        )

    def _side(self, body: str) -> None:
        agent = f'"agentId":"{self.agent_id}",' if self.agent_id else ""
        self._add(body.replace("@", f'"sessionId":"{self.session_id}",{agent}', 1))

    def _open_current(self) -> None:
        """The records of the prompt's surroundings: the bulk of a short session."""
        text, share = self.chance.text, 0.7 if self.agent_id else 1.0
        for kind, length in (
            ("environment", 900),
            ("deferred_tools_delta", 900),
            ("agent_listing_delta", 3400),
            ("skill_listing", 6000),
            ("session_context", 900),
        ):
            self._attachment(kind, f'"content":"{text(length)}"')
        system = f'"systemPrompt":["{text(int(14_000 * share))}"]'
        self._attachment("prompt_snapshot", system)
        tools = tool_schemas(self.chance, int(1600 * share))
        self._side(
            f'{{"type":"api-request-shape",@"shapeHash":"{self.chance.hex(64)}",'
            f'"timestamp":"{self.clock.tick(0.01)}","version":"2.1.330","shape":'
            f'{{"system":[{{"type":"text","text":"{text(400)}"}}],"tools":[{tools}]}}}}\n'
        )
        for role in ("user", "system"):
            self._side(
                f'{{"type":"api-request-blob",@"hash":"{self.chance.hex(64)}","message":'
                f'{{"role":"{role}","content":[{{"type":"text","text":"{text(900)}"}}]}}}}\n'
            )
        self._attachment("prompt_snapshot", f'{system},"tools":[{tools}]')

    def _prompt(self) -> None:
        uuid, self._prompt_id = self.chance.uuid(), self.chance.uuid()
        text = self.chance.phrase()
        if self.current:
            body = (
                f'"promptId":"{self._prompt_id}","type":"user",'
                f'"message":{{"role":"user","content":"{text}"}},"uuid":"{uuid}",'
                f'"timestamp":"{self.clock.tick(60)}","permissionMode":"default",'
                '"promptSource":"typed","turnOrigin":"human"'
            )
        else:
            body = (
                f'"type":"user","message":{{"role":"user","content":"{text}"}},'
                f'"uuid":"{uuid}","timestamp":"{self.clock.tick(60)}"'
            )
        self._conversation(body, uuid)

    def _next_call(self) -> Call:
        chance = self.chance
        if self.context > _CONTEXT_LIMIT:
            self.context = chance.randint(25_000, 40_000)
        written = chance.size(1400, 1.0, 60_000)
        long = written if chance.random() < 0.6 else 0
        output = chance.size(320, 1.0, 32_000)
        thinking = output // 3 if self.current and chance.random() < 0.4 else 0
        call = Call(chance.randint(2, 12), output, written - long, long, self.context, thinking)
        self.context += written
        return call

    def _call(self, subagent: str | None, *, last: bool) -> None:
        """One model call: a record per content block, then the tool's result unless `last`."""
        chance, call = self.chance, self._next_call()
        self.truth.call(AGENT, self.model, call)
        message, request = f"msg_01{chance.hex(22)}", ""
        if not self.gateway:
            request = f'"requestId":"req_011{chance.hex(20)}",'
        tool = f"toolu_01{chance.hex(22)}"
        name = chance.choice(("Bash", "Read", "Edit")) if subagent is None else "Agent"
        blocks: list[str] = []
        if chance.random() < 0.5:
            signature = chance.noise(chance.size(500, 0.7, 6000))
            blocks.append(f'{{"type":"thinking","thinking":"","signature":"{signature}"}}')
        if last or chance.random() < 0.5:
            said = chance.text(chance.size(300, 0.9, 8000))
            blocks.append(f'{{"type":"text","text":"{said}"}}')
        if not last:
            blocks.append(tool_use(chance, self.cwd, tool, name))
        reference = chance.uuid()
        if self.current:
            self._request(reference)
        self.truth.count(AGENT, "usage_records", len(blocks))
        reply = Reply(message, request, reference, "end_turn" if last else "tool_use", call)
        for index, block in enumerate(blocks):
            self._block(reply, block, index, final=index == len(blocks) - 1)
        if not last:
            self._result(tool, name, subagent)
        elif self.current:
            self._add(f'{{"type":"last-prompt","lastPrompt":"Go on","leafUuid":{self.parent},'
                      f'"sessionId":"{self.session_id}"}}\n')  # fmt: skip

    def _request(self, reference: str) -> None:
        self._requests += 1
        self._side(
            f'{{"type":"api-request",@"id":"{reference}","timestamp":"{self.clock.tick(1)}",'
            f'"version":"2.1.330","querySource":"repl","shapeHash":"{self.chance.hex(64)}",'
            f'"params":{{"model":"{self.model}","max_tokens":128000,"thinking":'
            f'{{"type":"adaptive"}},"note":"{self.chance.noise(420)}"}},"keep":{self._requests},'
            f'"tail":["{self.chance.hex(64)}","{self.chance.hex(64)}"],'
            f'"requestDigest":"{self.chance.hex(64)}"}}\n'
        )

    def _block(self, reply: Reply, block: str, index: int, *, final: bool) -> None:
        uuid, model = self.chance.uuid(), self.model
        message, request, reference, stop, call = reply
        written = call.cache_write_5m + call.cache_write_1h
        counts = (
            f'"input_tokens":{call.input},"cache_creation_input_tokens":{written},'
            f'"cache_read_input_tokens":{call.cache_read},'
        )
        creation = (
            f'"ephemeral_1h_input_tokens":{call.cache_write_1h},'
            f'"ephemeral_5m_input_tokens":{call.cache_write_5m}'
        )
        if self.current:
            attribution = '"attributionAgent":"general-purpose",' if self.agent_id else ""
            body = (
                f'"message":{{"id":"{message}","type":"message","role":"assistant",'
                f'"model":"{model}","content":[{block}],"stop_reason":"{stop}",'
                f'"stop_sequence":null,"usage":{{{counts}"output_tokens":{call.output},'
                f'"output_tokens_details":{{"thinking_tokens":{call.reasoning}}},'
                '"server_tool_use":{"web_search_requests":0,"web_fetch_requests":0},'
                f'"service_tier":"standard","cache_creation":{{{creation}}},"inference_geo":"",'
                '"iterations":[],"speed":"standard","fallback_credit":null},'
                f'"stop_details":null}},"apiBlockIndex":{index},{request}'
                f'"requestRef":"{reference}","requestedModel":"{model}",'
                f'"promptCacheRequested":"5m",{attribution}"type":"assistant","uuid":"{uuid}",'
                f'"timestamp":"{self.clock.tick(3)}","effort":"medium","perTurnEffort":"medium",'
                '"madeBy":"model"'
            )
        else:
            output = call.output if final else min(call.output, self.chance.randint(1, 8))
            ended = f'"{stop}"' if final else "null"
            body = (
                f'"message":{{"model":"{model}","id":"{message}","type":"message",'
                f'"role":"assistant","content":[{block}],"stop_reason":{ended},'
                f'"stop_sequence":null,"usage":{{{counts}"cache_creation":{{{creation}}},'
                f'"output_tokens":{output},"service_tier":"standard"}}}},{request}'
                f'"type":"assistant","uuid":"{uuid}","timestamp":"{self.clock.tick(3)}"'
            )
        self._conversation(body, uuid)

    def _result(self, tool: str, name: str, subagent: str | None) -> None:
        chance, source, uuid = self.chance, self.parent, self.chance.uuid()
        content, outcome = tool_outcome(chance, self.cwd, name, subagent)
        prompt = f'"promptId":"{self._prompt_id}",' if self.current else ""
        ending = f',"sourceToolAssistantUUID":{source}' if self.current else ""
        self._conversation(
            f'{prompt}"type":"user","message":{{"role":"user","content":[{{"tool_use_id":"{tool}",'
            f'"type":"tool_result","content":"{content}","is_error":false}}]}},"uuid":"{uuid}",'
            f'"timestamp":"{self.clock.tick(4)}","toolUseResult":{{{outcome}}}{ending}',
            uuid,
        )
