"""What the records of one transcript add up to: the session and its model calls."""

import msgspec

from lib.model import FileState, Request, Session, owner_rank
from lib.readers import drift
from lib.readers.claude_code_known import RECORD_TYPES
from lib.readers.claude_code_records import AGENT, Record, Usage, object_in
from lib.readers.claude_code_state import Pending, State
from lib.readers.claude_code_tools import MATTERING_RESULTS
from lib.readers.claude_code_turn import TurnState
from lib.readers.claude_code_usage import (
    Call,
    Calls,
    attribution,
    call_id,
    keep_best,
    repeated_word,
)
from lib.readers.values import (
    TITLE_LENGTH,
    as_count,
    as_money,
    as_object,
    as_text,
    as_time,
    as_tokens,
    as_word,
)

_SYNTHETIC = "<synthetic>"
_UNATTRIBUTED = (None,) * 5
_REGISTERED_SINCE = (2, 1, 139)


class Transcript:
    """The facts of one transcript, moved on record by record."""

    def __init__(self, state: State, file: FileState):
        self.state = state
        self.calls = Calls(state)
        self._file = file
        self._session = state.session
        self._turn = TurnState(state, file)
        self._context: Usage | None = None
        """What the session's context is to be computed from, once, see `facts`."""
        self._ranks: dict[int, str] = {}
        self._stamp = b""
        """The newest time of the results that were only glanced at."""
        self._said: tuple[object, ...] | None = None
        """What the last record said of its session, and how far that made it a copy."""
        self._copied = 0
        self._version: object = None
        self._branch: object = None

    def apply(self, record: Record) -> None:
        """Take in one record.

        Raises Unreadable when its usage can't be believed; everything else in it then counts.
        """
        kind = record.type
        if kind == "assistant":
            at = as_time(record.timestamp)
            self._assistant(record, at, self._observe(record, at))
            if record.cost_usd is not None and record.message is not None:
                self.calls.reported(record.message.id, as_money(record.cost_usd))
        elif kind in ("user", "system"):
            at = as_time(record.timestamp)
            self._observe(record, at)
            if self._is_side(record):
                return
            if kind == "system":
                self._settle_context()
                self._turn.system(record, at)
            else:
                for tool_use_id, pending in self._turn.user(record, at):
                    self._use_result(record, tool_use_id, pending, at)
        elif kind == "progress":
            self._observe(record, as_time(record.timestamp))
            self._nested(record)
        elif kind == "cost-state":
            self._turn.end(as_money(record.total_cost_usd))
        elif kind == "attachment" and not self._is_side(record):
            self._turn.attachment(object_in(record.attachment))
        else:
            drift.check(self._file, "record type", kind, RECORD_TYPES)
            self._titles(record)

    def saw_result(self, tool_use_id: str, stamp: bytes) -> None:
        """Take in a tool result of which nothing but its arrival matters.

        `stamp` is its time as the CLI writes times, so that the greatest is the newest.
        """
        if self.state.first_at is None:
            self._saw_time(as_time(stamp.decode()))
        elif stamp > self._stamp:
            self._stamp = stamp
        self._turn.result(tool_use_id)

    def name_subagent(self, title: str) -> None:
        """Give a subagent the title that its parent gave it."""
        self.state.titles["meta"] = title

    def facts(self) -> Session | None:
        """The session as the records so far tell it; None when they tell of none."""
        session, state = self._session, self.state
        if not state.seen:
            return None
        self._turn.settle()
        self.calls.settle()
        self._settle_context()
        self._saw_time(as_time(self._stamp.decode()))
        if self._turn.last_text is not None:
            session.last_message = as_text(self._turn.last_text)
        session.flags = sorted(state.flags)
        prompt_line = next(iter((session.first_prompt or "").splitlines()), None)
        titles = [state.titles.get(kind) for kind in ("custom", "ai", "agent", "meta", "summary")]
        title = next(filter(None, titles), None) or as_text(prompt_line, TITLE_LENGTH)
        started_at = session.started_at or state.first_at
        return msgspec.structs.replace(session, title=title, started_at=started_at)

    def _observe(self, record: Record, at: int | None) -> int:
        """Take in what every record says; return how far it is a copy."""
        said = (
            record.session_id,
            record.request_session_id,
            record.is_sidechain,
            record.git_branch,
            record.version,
            record.session_kind,
            record.cwd,
            record.entrypoint,
        )
        # Nearly every record says the same of its session as the one before.
        if said != self._said:
            self._said = None
            copied = self._observe_new(record, at)
            session = self._session
            if copied == 2 or session.started_at is not None:
                self._said, self._copied = said, copied
            return copied
        # As `_saw_time` does, without a call for each of a million records.
        newest = self._session.last_activity_at
        if at is None or newest is None:
            self._saw_time(at)
        elif at > newest:
            self._session.last_activity_at = at
        return self._copied

    def _observe_new(self, record: Record, at: int | None) -> int:
        state, session = self.state, self._session
        if not state.seen:
            self._first_record(record)
        self._saw_time(at)
        if session.project_path is None:
            session.project_path = as_word(record.cwd)
        if record.git_branch != self._branch:
            self._branch = record.git_branch
            session.branch = as_word(record.git_branch) or session.branch
        if record.version != self._version:
            self._version = record.version
            self._saw_version(as_word(record.version))
        if session.entrypoint is None:
            session.entrypoint = as_word(record.entrypoint)
        if record.session_kind == "bg":
            state.flags.add("background_requests_not_recorded")
        return self._how_copied(record, at)

    def _first_record(self, record: Record) -> None:
        state, session = self.state, self._session
        state.seen = True
        if state.own_id is None:
            # A subagent's file of older versions lies beside its parent's and names it inside.
            state.own_id = as_word(record.session_id)
            if state.own_id is not None:
                session.parent_key = f"{AGENT}:{state.own_id}"
                session.key = f"{session.parent_key}/{session.session_id}"

    def _saw_time(self, at: int | None) -> None:
        if at is None:
            return
        state, session = self.state, self._session
        if state.first_at is None:
            state.first_at = at
            self._ranks.clear()
        if session.last_activity_at is None or at > session.last_activity_at:
            session.last_activity_at = at

    def _saw_version(self, version: str | None) -> None:
        if version is None:
            return
        self._session.agent_version = version
        numbers = version.split("-")[0].split(".")
        if all(number.isdecimal() and len(number) < 9 for number in numbers):
            known = tuple(int(number) for number in numbers) >= _REGISTERED_SINCE
            # Sandboxed desktop sessions run in a machine of their own, with its own registry.
            elsewhere = "local-agent-mode-sessions" in self._session.source_path
            self._session.registered = known and not elsewhere

    def _how_copied(self, record: Record, at: int | None) -> int:
        """0 for a main call, 1 for a subagent's, 2 for a record that names another session."""
        own_id, session = self.state.own_id, self._session
        for named in (record.request_session_id, record.session_id):
            if named != own_id and isinstance(named, str) and own_id is not None:
                if session.forked_from is None and session.parent_key is None:
                    session.forked_from = f"{AGENT}:{as_word(named)}"
                # What follows the last copy is this session's own beginning.
                session.started_at = None
                return 2
        if session.started_at is None:
            session.started_at = at
        return 1 if session.parent_key is not None or record.is_sidechain is True else 0

    def _rank(self, copied: int) -> str:
        rank = self._ranks.get(copied)
        if rank is None:
            rank = owner_rank(copied, self.state.first_at, self._session.key)
            self._ranks[copied] = rank
        return rank

    def _is_side(self, record: Record) -> bool:
        return record.is_sidechain is True and self._session.parent_key is None

    def _titles(self, record: Record) -> None:
        for kind, value in (
            ("custom", record.custom_title),
            ("ai", record.ai_title),
            ("agent", record.agent_name),
            ("summary", record.summary),
        ):
            if (title := as_text(value, TITLE_LENGTH)) is not None:
                self.state.titles[kind] = title

    def _use_result(
        self, record: Record, tool_use_id: str, pending: Pending, at: int | None
    ) -> None:
        if pending.name not in MATTERING_RESULTS:
            return
        result = object_in(record.tool_use_result)
        if pending.name == "WebSearch":
            self._count_searches(tool_use_id, as_count(result.get("searchCount")), at, pending)
            return
        tasks = self.state.tasks
        created = as_word(as_object(result.get("task")).get("id"))
        updated = as_word(result.get("taskId"))
        status = as_object(result.get("statusChange")).get("to")
        if pending.name == "TaskCreate" and created is not None:
            tasks[created] = False
        elif updated is not None and status == "deleted":
            tasks.pop(updated, None)
        elif updated is not None and status is not None:
            tasks[updated] = status == "completed"
        self._session.todo_done, self._session.todo_total = sum(tasks.values()), len(tasks)

    def _count_searches(
        self, tool_use_id: str, searches: int | None, at: int | None, pending: Pending
    ) -> None:
        """A search is a call of its own to another model; only the number of them is recorded."""
        if not searches:
            return
        self.state.flags.add("web_search_tokens_not_recorded")
        key = self._session.key
        request = Request(
            key=f"{AGENT}:{tool_use_id}",
            session_key=key,
            owner_rank=self._rank(pending.copied),
            at=at,
            model=self._session.model,
            web_search_requests=searches,
        )
        keep_best(self.calls.requests, request)
        self.calls.count(1, repeats=False)

    def _assistant(self, record: Record, at: int | None, copied: int) -> None:
        if record.is_aborted_mid_stream or record.stream_cut_cause:
            self.state.flags.add("stream_cut")
        side = record.is_sidechain is True and self._session.parent_key is None
        if record.is_api_error_message:
            if not side:
                self._turn.failure(record, at)
            return
        message = record.message
        if message is None or message.model == _SYNTHETIC:
            return
        if self.calls.repeats(message, at, copied):
            if not side:
                self._turn.answer(message, self.state.last_call, at, copied)
                self._context = message.usage
            return
        usage, model = message.usage, repeated_word(message.model)
        call = None
        if usage is not None:
            call = call_id((message.id, record.request_id, record.uuid), at, model, usage)
        if not side:
            self._turn.answer(message, call, at, copied)
            self._follow_model(model)
        if usage is None or call is None:
            return
        rank = self._ranks.get(copied) or self._rank(copied)
        self.calls.take(Call(call, usage, model, at, rank, _attribution(record)))
        if call == message.id:
            self.calls.newest_said = (call, message.model, copied)
        if not side:
            self._context = usage

    def _follow_model(self, model: str | None) -> None:
        session = self._session
        if model is not None and model != session.model:
            session.model = model
            session.context_window = 1_000_000 if "[1m]" in model else None

    def _settle_context(self) -> None:
        if self._context is not None:
            self._session.context_tokens = _context(self._context)
            self._context = None

    def _nested(self, record: Record) -> None:
        """A subagent's call, reported to its parent by versions that kept no file for it."""
        nested = record.data.message if record.data is not None else None
        message = nested.message if nested is not None else None
        if nested is None or message is None or message.usage is None:
            return
        if message.model != _SYNTHETIC:
            at, model = as_time(nested.timestamp), repeated_word(message.model)
            ids = (message.id, nested.request_id, nested.uuid)
            call = call_id(ids, at, model, message.usage)
            self.calls.take(Call(call, message.usage, model, at, self._rank(3)))


def _attribution(record: Record) -> str | None:
    said = (
        record.attribution_agent,
        record.attribution_skill,
        record.attribution_plugin,
        record.attribution_mcp_server,
        record.attribution_mcp_tool,
    )
    return None if said == _UNATTRIBUTED else attribution(*said)


def _context(usage: Usage) -> int:
    """Tokens that the model had before it when it had answered."""
    return (
        as_tokens(usage.input_tokens)
        + as_tokens(usage.cache_read_input_tokens)
        + as_tokens(usage.cache_creation_input_tokens)
        + as_tokens(usage.output_tokens)
    )
