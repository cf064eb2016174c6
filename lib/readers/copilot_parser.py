"""One reading of one `events.jsonl` of Copilot: lines in, facts out.

A record is `{type,data,id,parentId,timestamp,agentId?}`. Subagents write into their parent's
file: since 1.0.102 with an `agentId`, before that with the `parentToolCallId` that started
them. Each becomes a session of its own, with its own calls.
"""

import re
from pathlib import Path
from typing import Any

import msgspec

from lib.model import SUBSCRIPTION, FileFacts, FileState, Session, owner_rank
from lib.readers import copilot_events, copilot_files, copilot_usage, drift, vocabulary
from lib.readers.copilot_events import AGENT, Actor
from lib.readers.copilot_usage import Counting, Ledger
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_money,
    as_object,
    as_text,
    as_time,
    as_word,
    decode_object,
    path_name,
)

OPENERS = tuple(
    f'{{"type":"{group}'.encode()
    for group in (
        "abort",
        "assistant.",
        "hook.",
        "permission.",
        "session.",
        "subagent.",
        "system.",
        "tool.",
        "user.",
    )
)
"""First bytes of a record, as objects within one do not begin."""

_FACTLESS = re.compile(
    rb'\{"type":"(?:system\.message|system\.notification|hook\.start|hook\.end|hook\.progress'
    rb'|assistant\.reasoning|session\.usage_checkpoint|session\.binary_asset)","data":\{'
)
"""Records without facts, the system prompt of every turn among them."""
_RECORD = b'{"type":"'
_CLOSING_BRACE = ord("}")
_MAIN = ""
_MAXIMUM_SUBAGENTS = 64
"""So many are kept; the oldest ones are over."""
_ANNOUNCES = (1, 0, 95)
"""The first version known to keep a lock file for every session that it has open."""
_ANNOUNCING_HOSTS = (None, "github/cli")


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    actors: dict[str, Actor]
    """By agent id; the main agent's is empty."""
    counting: Counting
    agent_of_call: dict[str, str] = {}
    """Tool call to the subagent that it started, for versions without agent ids."""
    title: str | None = None
    begun: bool = False
    uses_todos: bool = False


class Parser:
    """One reading of one file of events: takes its lines, then tells the facts."""

    def __init__(self, path: Path, file: FileState) -> None:
        self._path = path
        self._file = file
        self._kept = kept = (
            msgspec.msgpack.decode(file.reader_state, type=Kept)
            if file.reader_state
            else Kept({_MAIN: Actor(_unread(path))}, Counting())
        )
        self._main = kept.actors[_MAIN]
        self._ledger = Ledger(kept.counting, file)
        self._touched: dict[str, Actor] = {}
        file.session_key = self._main.session.key

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        if self._kept.begun and _is_passed_over(buffer, start, end):
            return None
        try:
            self._take(decode_object(bytes(memoryview(buffer)[start:end])))
        except Unreadable as reason:
            return str(reason)
        return None

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, file, session = self._kept, self._file, self._main.session
        if not kept.begun:
            return FileFacts(file, None, [])
        if self._path.parent.name == session.session_id:
            self._look_beside(self._path.parent)
        file.reader_state = msgspec.msgpack.encode(kept)
        told = self._told(self._main)
        told.flags = sorted(self._ledger.flags())
        told.title = kept.title or told.title
        subagents = [self._told(actor) for actor in self._touched.values()]
        return FileFacts(file, told, list(self._ledger.requests.values()), subagents)

    def _look_beside(self, folder: Path) -> None:
        kept, session = self._kept, self._main.session
        workspace = copilot_files.workspace(folder)
        kept.title = as_text(workspace.get("name"), TITLE_LENGTH) or kept.title
        session.entrypoint = as_word(workspace.get("client_name")) or session.entrypoint
        session.registered = (
            session.entrypoint in _ANNOUNCING_HOSTS
            and _version(session.agent_version) >= _ANNOUNCES
        )
        if kept.uses_todos and (counts := copilot_files.todo_counts(folder)) is not None:
            session.todo_done, session.todo_total = counts

    def _told(self, actor: Actor) -> Session:
        told = copilot_events.told(actor)
        told.registered = self._main.session.registered
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        return told

    def _take(self, record: dict[str, Any]) -> None:
        kept = self._kept
        kept.begun = True
        kind, data = as_word(record.get("type")) or "", as_object(record.get("data"))
        drift.check(self._file, "event", record.get("type"), vocabulary.COPILOT_EVENTS)
        drift.note_fields(self._file, "record", record, vocabulary.COPILOT_FIELDS)
        at = as_time(record.get("timestamp"))
        actor = self._actor(record, kind, data)
        for session in (self._main.session, actor.session):
            session.started_at = session.started_at or at
            session.last_activity_at = max(session.last_activity_at or 0, at or 0) or None
        if kind.startswith("session.") and actor is self._main:
            self._of_session(kind, data)
        match kind:
            case "session.usage_record":
                self._used(actor, record, as_object(data.get("usage")), at)
            case "session.shutdown":
                self._main.session.ended_cleanly = True
                self._interrupt_subagents()
                self._shut_down(data, at)
            case _:
                copilot_events.take(actor, kind, data, at)
                self._after(actor, kind, data)

    def _shut_down(self, data: dict[str, Any], at: int | None) -> None:
        session = self._main.session
        session.reported_cost_usd = copilot_usage.cost_usd(data) or session.reported_cost_usd
        if as_money(data.get("totalPremiumRequests")):
            self._kept.counting.flags.add(SUBSCRIPTION)
        how = data.get("shutdownType")
        drift.check(self._file, "shutdown type", how, vocabulary.COPILOT_SHUTDOWNS)
        self._ledger.shutdown(data, at, self._owner(self._main, copied=False))

    def _after(self, actor: Actor, kind: str, data: dict[str, Any]) -> None:
        if kind == "assistant.message":
            self._ledger.answered()
        elif kind == "tool.execution_start" and data.get("toolName") == "sql":
            self._kept.uses_todos = True
        elif kind == "abort" and actor is self._main:
            self._interrupt_subagents()

    def _of_session(self, kind: str, data: dict[str, Any]) -> None:
        session = self._main.session
        if kind in ("session.start", "session.resume"):
            session.ended_cleanly = False
            session.model = as_word(data.get("selectedModel")) or session.model
            session.agent_version = as_word(data.get("copilotVersion")) or session.agent_version
            self._placed(as_object(data.get("context")))
        match kind:
            case "session.start":
                session.started_at = as_time(data.get("startTime")) or session.started_at
                began_as = as_word(data.get("sessionId"))
                if began_as is not None and began_as != session.session_id:
                    session.forked_from = f"{AGENT}:{began_as}"
            case "session.resume":
                copilot_events.interrupted(self._main)
                self._interrupt_subagents()
            case "session.context_changed":
                self._placed(data)
            case "session.title_changed":
                session.title = as_text(data.get("title"), TITLE_LENGTH) or session.title
            case _:
                pass

    def _placed(self, context: dict[str, Any]) -> None:
        session = self._main.session
        session.project_path = as_word(context.get("cwd")) or session.project_path
        session.branch = as_word(context.get("branch")) or session.branch

    def _used(
        self, actor: Actor, record: dict[str, Any], usage: dict[str, Any], at: int | None
    ) -> None:
        session = actor.session
        source = as_word(as_object(usage.get("accounting")).get("sourceSessionId"))
        copied = actor is self._main and source not in (None, session.session_id)
        owner = self._owner(actor, copied=copied)
        drift.note_fields(self._file, "usage", usage, vocabulary.COPILOT_USAGE)
        vector = self._ledger.record(usage, record.get("id"), at, owner)
        session.model = as_word(usage.get("model")) or session.model
        if session.turn == "retrying":
            session.turn, session.turn_detail = "running", None
        if vector is not None:
            session.turn_requests += 1
            session.context_tokens = vector[0] + vector[1]
            session.context_window = as_count(usage.get("maxPromptTokens"))

    def _owner(self, actor: Actor, *, copied: bool) -> tuple[str, str]:
        session = actor.session
        rank = 2 if copied else int(actor is not self._main)
        return session.key, owner_rank(rank, session.started_at, session.key)

    def _actor(self, record: dict[str, Any], kind: str, data: dict[str, Any]) -> Actor:
        """Who an event is of."""
        kept = self._kept
        agent_id = as_word(record.get("agentId"))
        call_id = as_word(data.get("parentToolCallId"))
        if kind.startswith("subagent."):
            call_id = as_word(data.get("toolCallId"))
            if kind == "subagent.started" and call_id is not None:
                kept.agent_of_call[call_id] = agent_id or call_id
        agent_id = agent_id or kept.agent_of_call.get(call_id or "", _MAIN)
        actor = kept.actors.get(agent_id)
        if actor is None:
            actor = kept.actors[agent_id] = self._new_subagent(agent_id, call_id)
            self._forget_the_oldest()
        if kind == "subagent.started" and actor is not self._main:
            self._name(actor.session, data)
        if actor is not self._main:
            self._touched[agent_id] = actor
        return actor

    def _new_subagent(self, agent_id: str, call_id: str | None) -> Actor:
        main = self._main.session
        callers = (actor for actor in self._kept.actors.values() if call_id in actor.pending)
        parent = next(callers, self._main).session
        return Actor(
            Session(
                key=f"{main.key}/{agent_id}",
                agent=AGENT,
                session_id=agent_id,
                parent_key=parent.key,
                source_path=main.source_path,
                project_path=main.project_path,
                branch=main.branch,
                agent_version=main.agent_version,
                turn="running",
            )
        )

    def _name(self, session: Session, data: dict[str, Any]) -> None:
        words = [
            as_text(data.get(name), TITLE_LENGTH)
            for name in ("agentDisplayName", "agentDescription")
        ]
        session.title = as_text(": ".join(word for word in words if word), TITLE_LENGTH)
        session.model = as_word(data.get("model")) or session.model

    def _interrupt_subagents(self) -> None:
        for agent_id, actor in self._subagents():
            copilot_events.interrupted(actor)
            self._touched[agent_id] = actor

    def _subagents(self) -> list[tuple[str, Actor]]:
        return [(name, actor) for name, actor in self._kept.actors.items() if name != _MAIN]

    def _forget_the_oldest(self) -> None:
        kept = self._kept
        for name, _ in self._subagents()[:-_MAXIMUM_SUBAGENTS]:
            del kept.actors[name]
        while len(kept.agent_of_call) > _MAXIMUM_SUBAGENTS:
            del kept.agent_of_call[next(iter(kept.agent_of_call))]


def _is_passed_over(buffer: bytearray, start: int, end: int) -> bool:
    """Whether the line is a record without facts, whole and without another one glued to it."""
    return (
        _FACTLESS.match(buffer, start, end) is not None
        and buffer[end - 1] == _CLOSING_BRACE
        and buffer.rfind(_RECORD, start + 1, end) < 0
    )


def _unread(path: Path) -> Session:
    """A session known by its place only: its folder's name is its id."""
    own = path.parent.name if path.name == "events.jsonl" else path.name.removesuffix(".jsonl")
    own = path_name(own)
    return Session(key=f"{AGENT}:{own}", agent=AGENT, session_id=own, source_path=path_name(path))


def _version(text: str | None) -> tuple[int, ...]:
    """Three numbers; empty where there are none."""
    found = re.match(r"(\d{1,6})\.(\d{1,6})\.(\d{1,6})", text or "")
    return tuple(int(number) for number in found.groups()) if found else ()
