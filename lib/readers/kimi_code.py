"""One reading of Kimi Code's log (2.1, protocol 1.5): `<session>/agents/<agent>/wire.jsonl`.

A record is `{type,agentId,time,…}`. A turn is `turn.prompt … turn.ended{reason,error?}`; its steps
are `context.append_loop_event` with `step.begin{uuid}`, parts, `tool.call`, `tool.result` and
`step.end`. A call's tokens come once, as `usage.record`, also those of a compaction;
`step.end` and `agent.message.appended` repeat them. While the user is asked there is an
`interaction.request` without its `interaction.resolved`. A fork begins with a copy of its
parent's records, unchanged; `state.json` beside says of whom.
"""

from pathlib import Path
from typing import Any

from lib.model import FileState
from lib.readers import drift, vocabulary
from lib.readers.documents import read_beside
from lib.readers.kimi_wire import AGENT, Origin, WireParser, session_of, text_of
from lib.readers.values import TITLE_LENGTH, as_list, as_object, as_text, as_time, as_word
from lib.readers.wording import call_text, error_class, one_line

OPENERS = (
    b'{"type":"usage.record","agentId":"',
    b'{"type":"context.append_',
    b'{"type":"turn.',
    b'{"type":"interaction.',
)
"""First bytes of a record, as what is quoted within one does not begin."""

_MAIN = "main"
_MIRRORED = "event"
"""`kind` of records that repeat others for the user interface."""


class Parser(WireParser):
    """One reading of one log of Kimi Code."""

    def __init__(self, path: Path, file: FileState) -> None:
        super().__init__(_origin(path), file)

    def take(self, record: dict[str, Any]) -> None:
        """Take one record. Raises Unreadable where it yields no facts."""
        session = self.session
        at = as_time(record.get("time")) or as_time(record.get("created_at"))
        session.started_at = session.started_at or at
        session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        if record.get("kind") == _MIRRORED:
            return
        match record.get("type"):
            case "turn.prompt" | "turn.steer":
                self.prompted(text_of(record.get("input")), at)
            case "turn.ended":
                self._ended(record)
            case "turn.step.retrying":
                kind = as_text(record.get("errorMessage")) or as_word(record.get("errorName"))
                self.retries(
                    record.get("nextAttempt"),
                    record.get("maxAttempts"),
                    kind,
                    record.get("statusCode"),
                )
            case "context.append_loop_event":
                self._step(as_object(record.get("event")))
            case "usage.record":
                self._used(record, at)
            case _:
                self._take_other(record)

    def _take_other(self, record: dict[str, Any]) -> None:
        kept = self.kept
        match record.get("type"):
            case "llm.request":
                alias, model = as_word(record.get("modelAlias")), as_word(record.get("model"))
                kept.model = alias or model or kept.model
                if alias and model:
                    kept.models[alias] = model
            case "profile.bind" | "config.update":
                disclosed = as_object(record.get("environmentDisclosure"))
                folder = as_word(disclosed.get("cwd")) or as_word(record.get("cwd"))
                self.session.project_path = self.session.project_path or folder
                kept.model = as_word(record.get("modelAlias")) or kept.model
            case "interaction.request":
                asked = as_word(record.get("id"))
                if asked and self.session.turn == "running":
                    kept.asking[asked] = _question(record)
            case "interaction.resolved":
                kept.asking.pop(as_word(record.get("id")) or "", None)
            case "tools.update_store" if record.get("key") == "todo":
                self.counted_todos(record.get("value"))
            case kind:
                drift.check(self.file, "record type", kind, vocabulary.KIMI_CODE_RECORDS)

    def _step(self, event: dict[str, Any]) -> None:
        kept, session = self.kept, self.session
        match event.get("type"):
            case "step.begin":
                kept.step, kept.step_calls = as_word(event.get("uuid")), 0
            case "content.part":
                self.goes_on()
                part = as_object(event.get("part"))
                if part.get("type") == "text":
                    session.last_message = as_text(part.get("text")) or session.last_message
            case "tool.call":
                call = as_word(event.get("toolCallId"))
                self.calls(call, event.get("name"), event.get("args"))
            case "tool.result":
                kept.pending.pop(as_word(event.get("toolCallId")) or "", None)
            case _:
                pass

    def _used(self, record: dict[str, Any], at: int | None) -> None:
        kept, session = self.kept, self.session
        kept.model = as_word(record.get("model")) or kept.model
        usage = as_object(record.get("usage"))
        drift.note_fields(self.file, "usage", usage, vocabulary.KIMI_CODE_USAGE)
        names = ("inputOther", "output", "inputCacheRead", "inputCacheCreation")
        counts = tuple(usage.get(name) for name in names)
        identity = (kept.step, kept.step_calls) if kept.step else (at, record.get("agentId"))
        if not self.count(counts, identity, at):
            return
        kept.step_calls += 1
        session.turn_requests += 1
        self.goes_on()
        if record.get("usageScope") == "turn":
            given = (count for name, count in zip(names, counts, strict=True) if name != "output")
            session.context_tokens = sum(count for count in given if isinstance(count, int))

    def _ended(self, record: dict[str, Any]) -> None:
        session, kept = self.session, self.kept
        kept.pending.clear()
        kept.asking.clear()
        session.turn_detail = session.error_class = session.error_message = None
        drift.check(self.file, "reason", record.get("reason"), vocabulary.KIMI_CODE_REASONS)
        match record.get("reason"):
            case "completed":
                session.turn = "idle"
            case "cancelled":
                session.turn = "stopped"
            case "blocked":
                session.turn, session.error_class = "failed", "permission"
                session.error_message = "A hook refused the prompt."
            case "failed":
                error = as_object(record.get("error"))
                code = as_word(error.get("code"))
                session.error_message = as_text(error.get("message")) or code
                status = as_object(error.get("details")).get("statusCode")
                session.error_class = error_class(session.error_message, code, status)
                limited = session.error_class == "rate_limit"
                session.turn = "rate_limited" if limited else "failed"
            case _:
                session.turn = "unknown"


def _question(record: dict[str, Any]) -> str:
    """What the user is asked, on one line."""
    request = as_object(record.get("request"))
    for asked in as_list(request.get("questions")):
        question = one_line(as_object(asked).get("question"))
        if question is not None:
            return question
    if record.get("kind") == "approval":
        display = as_object(request.get("display"))
        shown = {name: display.get(name) for name in display if name not in ("kind", "language")}
        return f"permission to run {call_text(as_word(request.get('toolName')), shown)}"
    return "an answer"


def _origin(path: Path) -> Origin:
    """Whose the log is, by its folder and by the session's `state.json`."""
    folder = path.parent.parent.parent
    own = path.parent.name
    state = read_beside(folder / "state.json")
    session = session_of(path, folder.name, None if own == _MAIN else own)
    session.project_path = as_word(state.get("cwd"))
    custom = as_object(state.get("custom"))
    if session.parent_key is None:
        session.title = as_text(state.get("title"), TITLE_LENGTH)
        source = as_word(state.get("forkedFrom")) or as_word(custom.get("kimi_cli_session_id"))
        session.forked_from = f"{AGENT}:{source}" if source else None
    else:
        above = as_object(as_object(state.get("agents")).get(own)).get("parentAgentId")
        parent = as_word(above)
        if parent not in (None, _MAIN, own):
            session.parent_key = f"{session.parent_key}/{parent}"
    if state.get("forkedFrom") is None:
        return Origin(session, is_sure=bool(state))
    session.started_at = as_time(state.get("createdAt"))
    return Origin(session, copied_before=session.started_at)
