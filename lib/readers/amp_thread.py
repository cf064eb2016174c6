"""From the document of one Amp thread to facts.

A message is `{role,content[…]}`; an answer has a `state`, a tool's result is a block of the user's
message behind it, with `run.status`. Seen in the command line's program 0.0.1767830505 (January
2026), which writes this document; what other tools read of it agrees.
"""

from pathlib import Path
from typing import Any

from lib.model import NO_LOCAL_TOKENS, FileState, Request, Session
from lib.readers import drift, vocabulary
from lib.readers.amp_usage import AGENT, NO_REASONING, Beside, Ledger
from lib.readers.values import (
    NOT_AN_OBJECT,
    TITLE_LENGTH,
    Unreadable,
    as_folder,
    as_list,
    as_object,
    as_text,
    as_time,
    as_tokens,
    as_word,
    path_name,
)
from lib.readers.wording import call_text, error_class
from lib.specs import note_touched_by

_BRANCH = "refs/heads/"
_MAXIMUM_PENDING = 64
_DONE = frozenset({"done", "error", "cancelled", "rejected-by-user"})


def tell(
    path: Path, thread: dict[str, Any], beside: Beside, state: FileState
) -> tuple[Session, list[Request]]:
    """Facts of the thread in `path`. Counts what was read into `state`."""
    session = _described(path, thread)
    ledger = Ledger(session, thread, beside, state)
    conversation = _Conversation(session, ledger)
    messages = as_list(thread.get("messages"))
    for index, message in enumerate(messages):
        state.records += 1
        if isinstance(message, dict):
            drift.check(state, "role", message.get("role"), vocabulary.AMP_ROLES)
            conversation.take(as_object(message), index)
        else:
            state.skipped[NOT_AN_OBJECT] = state.skipped.get(NOT_AN_OBJECT, 0) + 1
    if not messages:
        session.flags.append(NO_LOCAL_TOKENS)
    ledger.others()
    requests = list(ledger.requests.values())
    moments = [session.last_activity_at, *(request.at for request in requests)]
    session.last_activity_at = max((at for at in moments if at is not None), default=None)
    session.flags = sorted(set(session.flags))
    return session, requests


def _described(path: Path, thread: dict[str, Any]) -> Session:
    own = path_name(path.stem)
    parent = as_word(thread.get("mainThreadID"))
    origin = as_word(thread.get("originThreadID"))
    environment = as_object(as_object(thread.get("env")).get("initial"))
    tree = as_object(next(iter(as_list(environment.get("trees"))), None))
    platform = as_object(environment.get("platform"))
    branch = as_word(as_object(tree.get("repository")).get("ref"))
    started = as_time(thread.get("created"))
    return Session(
        key=f"{AGENT}:{own}",
        agent=AGENT,
        session_id=own,
        parent_key=f"{AGENT}:{parent}" if parent and parent != own else None,
        forked_from=f"{AGENT}:{origin}" if origin and origin != own else None,
        source_path=path_name(path),
        project_path=as_folder(tree.get("uri")),
        branch=branch.removeprefix(_BRANCH) if branch else None,
        title=as_text(thread.get("title"), TITLE_LENGTH),
        agent_version=as_word(platform.get("clientVersion")),
        entrypoint=as_word(platform.get("client")),
        started_at=started,
        last_activity_at=started,
        flags=[NO_REASONING],
    )


class _Conversation:
    """The messages of a thread, one after the other."""

    def __init__(self, session: Session, ledger: Ledger):
        self._session = session
        self._ledger = ledger
        self._pending: dict[str, str] = {}
        self._asked_at: int | None = session.started_at

    def take(self, message: dict[str, Any], index: int) -> None:
        """Take one message."""
        if message.get("role") == "assistant":
            self._answer(message, index)
        elif message.get("role") == "user":
            self._users(message)

    def _users(self, message: dict[str, Any]) -> None:
        session = self._session
        at = as_time(as_object(message.get("meta")).get("sentAt"))
        self._seen(at)
        blocks = [as_object(block) for block in as_list(message.get("content"))]
        results = [block for block in blocks if block.get("type") == "tool_result"]
        if not results:
            self._pending.clear()
            session.turns += 1
            session.turn_requests = 0
            session.turn_started_at = at
            session.first_prompt = session.first_prompt or _text(message)
            session.error_class = session.error_message = None
        session.turn, waits = "running", None
        for block in results:
            call = as_word(block.get("toolUseID")) or as_word(block.get("tool_use_id")) or ""
            status = as_object(block.get("run")).get("status")
            if status == "blocked-on-user":
                waits = f"permission to run {self._pending.get(call, 'a tool')}"
            elif status is None or (isinstance(status, str) and status in _DONE):
                self._pending.pop(call, None)
        session.turn_detail = next(reversed(self._pending.values()), None)
        if waits is not None:
            session.turn, session.turn_detail = "waiting", waits
        if message.get("interrupted") is True:
            session.turn, session.turn_detail = "stopped", None

    def _answer(self, message: dict[str, Any], index: int) -> None:
        session = self._session
        usage = as_object(message.get("usage"))
        self._seen(self._ledger.answer(message, index, self._asked_at))
        session.model = as_word(usage.get("model")) or session.model
        session.last_message = _text(message) or session.last_message
        session.turn_requests += bool(usage)
        self._context(usage)
        self._pending.clear()
        for block in map(as_object, as_list(message.get("content"))):
            call = as_word(block.get("id"))
            if block.get("type") != "tool_use" or not call:
                continue
            given = as_object(block.get("input"))
            note_touched_by(self._session.specs, given)
            name = as_word(block.get("name"))
            if len(self._pending) < _MAXIMUM_PENDING:
                self._pending[call] = call_text(name, given)
            if name == "todo_write" and isinstance(given.get("todos"), list):
                states = [as_object(todo).get("status") for todo in as_list(given.get("todos"))]
                session.todo_done, session.todo_total = states.count("completed"), len(states)
        self._state(as_object(message.get("state")))

    def _state(self, state: dict[str, Any]) -> None:
        """What the answer's state makes of the turn."""
        session = self._session
        session.turn_detail = session.error_class = session.error_message = None
        match state.get("type"):
            case "streaming":
                session.turn = "running"
            case "complete":
                session.turn = "running" if state.get("stopReason") == "tool_use" else "idle"
            case "cancelled":
                session.turn = "stopped"
            case "error":
                error = as_object(state.get("error"))
                session.error_message = as_text(error.get("message"))
                kind, status = as_word(error.get("type")), error.get("status")
                session.error_class = error_class(session.error_message, kind, status)
                limited = session.error_class == "rate_limit"
                session.turn = "rate_limited" if limited else "failed"
            case _:
                session.turn = "running" if self._pending else "idle"
        if session.turn == "running":
            session.turn_detail = next(reversed(self._pending.values()), None)
        else:
            self._pending.clear()

    def _context(self, usage: dict[str, Any]) -> None:
        session = self._session
        try:
            session.context_tokens = (
                as_tokens(usage.get("totalInputTokens")) or session.context_tokens
            )
            window = as_tokens(usage.get("maxInputTokens"))
        except Unreadable:
            return
        session.context_window = window or session.context_window

    def _seen(self, at: int | None) -> None:
        if at is not None:
            self._asked_at = at
            self._session.last_activity_at = max(self._session.last_activity_at or 0, at)


def _text(message: dict[str, Any]) -> str | None:
    content = message.get("content")
    if isinstance(content, str):
        return as_text(content)
    texts = [as_object(block) for block in as_list(content)]
    words = [block.get("text") for block in texts if block.get("type") == "text"]
    return as_text("\n".join(word for word in words if isinstance(word, str)))
