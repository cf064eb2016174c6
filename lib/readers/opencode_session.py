"""From the records of one OpenCode session to its facts, wherever they were kept."""

import re
from typing import NamedTuple, Protocol

from lib.model import Request, Session
from lib.readers.opencode_records import (
    AGENT,
    Message,
    Part,
    SessionRecord,
    Tokens,
    added_up,
    has_wrong_total,
    request_of,
    tokens_in,
)
from lib.readers.opencode_turn import Judgement, judge
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_list,
    as_object,
    as_text,
    as_time,
    as_word,
)

HIDDEN_REQUESTS = "hidden_requests"
UNFINISHED_STEP = "unfinished_step"
TOTAL_MISMATCH = "total_mismatch"
UNKNOWN_LAYOUT = "unknown_layout"

_NO_TITLE = re.compile(r"(New|Child) session - \d{4}-\d\d-\d\dT")


class Source(Protocol):
    """Where the records of a session come from."""

    def parts(self, message_id: str) -> list[Part]:
        """The parts of a message, in order."""
        ...

    def todos(self, session_id: str) -> list[object]:
        """The status of every to-do of the session."""
        ...


class Told(NamedTuple):
    """The facts of one session, and the requests by the id of their message."""

    session: Session
    requests: dict[str, Request]
    skipped: dict[str, str]
    """Message id to the reason why its usage was not counted."""
    judgement: Judgement


def tell(
    record: SessionRecord, messages: list[Message], source: Source, path: str, now: int
) -> Told:
    """All facts of a session. `messages` may come in any order."""
    messages = sorted(messages, key=lambda message: message.order)
    session = _described(record, path)
    requests: dict[str, Request] = {}
    skipped: dict[str, str] = {}
    flags: set[str] = set() if record.parent_id else {HIDDEN_REQUESTS}
    for message in messages:
        if not message.is_assistant:
            continue
        try:
            tokens = _tokens_of(message, source)
        except Unreadable as error:
            skipped[message.id] = str(error)
            continue
        session.model = message.model or session.model
        if tokens is None:
            continue
        requests[message.id] = request_of(message, tokens, record)
        session.context_tokens = tokens.input + tokens.cache_read + tokens.cache_write
        if has_wrong_total(tokens):
            flags.add(TOTAL_MISMATCH)
    newest = [message for message in messages if message.is_assistant][-1:]
    parts = [part for message in newest for part in source.parts(message.id)]
    headless = _is_headless(record.permission)
    judgement = judge(session, messages, parts, now, headless=headless)
    if any(message.is_open and message.id not in requests for message in messages):
        flags.add(UNFINISHED_STEP)
    _tell_prompts(session, messages, requests, source)
    session.last_message = _last_text(messages, parts, source)
    todos = source.todos(record.id)
    session.todo_total, session.todo_done = len(todos), todos.count("completed")
    session.last_activity_at = _last_moment(record, messages, parts)
    session.flags = sorted(flags)
    return Told(session, requests, skipped, judgement)


def _described(record: SessionRecord, path: str) -> Session:
    title = as_text(record.title, TITLE_LENGTH)
    parent = as_word(record.parent_id)
    return Session(
        key=record.key,
        agent=AGENT,
        session_id=record.id,
        parent_key=f"{AGENT}:{parent}" if parent else None,
        source_path=path,
        project_path=as_word(record.directory),
        title=None if title is None or _NO_TITLE.match(title) else title,
        agent_version=as_word(record.version),
        started_at=as_time(record.time_created),
    )


def _tokens_of(message: Message, source: Source) -> Tokens | None:
    """What a message cost: one step's counts, or all steps' of versions with many in a message.

    Those versions wrote no reason why a message ended, and the counts of its last step only.
    """
    tokens = message.tokens()
    if tokens is None or message.finish is not None:
        return tokens
    steps = [
        tokens_in(part.data.get("tokens"))
        for part in source.parts(message.id)
        if part.data.get("type") == "step-finish"
    ]
    return added_up(steps) if len(steps) > 1 else tokens


def _is_headless(permission: object) -> bool:
    """Whether `opencode run` began the session: it forbids questions."""
    if isinstance(permission, list):
        rules = as_list(permission)
        return any(
            as_object(rule).get("permission") == "question"
            and as_object(rule).get("action") == "deny"
            for rule in rules
        )
    return False


def _tell_prompts(
    session: Session, messages: list[Message], requests: dict[str, Request], source: Source
) -> None:
    prompts: list[Message] = []
    for message in messages:
        if not message.is_user:
            continue
        parts = source.parts(message.id)
        if parts and all(_is_made_up(part) for part in parts):
            continue
        prompts.append(message)
        session.first_prompt = session.first_prompt or _text(parts)
    session.turns = len(prompts)
    if prompts:
        last = prompts[-1]
        session.turn_started_at = last.created
        session.turn_requests = sum(
            message.id in requests for message in messages if message.order > last.order
        )


def _is_made_up(part: Part) -> bool:
    """Whether OpenCode wrote it in the user's name, to compact the context and go on."""
    return part.data.get("type") == "compaction" or bool(part.data.get("synthetic"))


def _text(parts: list[Part]) -> str | None:
    """What the user typed. `opencode run` puts its words in quotes."""
    for part in parts:
        if part.data.get("type") == "text" and not part.data.get("synthetic"):
            text = as_text(part.data.get("text"))
            if text is not None:
                inner = text[1:-1]
                quoted = text[0] == text[-1] == '"' and inner.strip()
                return inner.replace('\\"', '"') if quoted else text
    return None


def _last_text(messages: list[Message], newest: list[Part], source: Source) -> str | None:
    answers = [message for message in messages if message.is_assistant][-3:]
    for message in reversed(answers):
        own = newest if message is answers[-1] else source.parts(message.id)
        for part in reversed(own):
            if part.data.get("type") == "text":
                text = as_text(part.data.get("text"))
                if text is not None:
                    return text
    return None


def _last_moment(record: SessionRecord, messages: list[Message], parts: list[Part]) -> int | None:
    """The newest time in the records themselves: a copied row has its own times."""
    moments = [as_time(record.time_created)]
    for message in messages[-3:]:
        moments += [message.created, message.completed]
    for part in parts:
        for times in (part.data.get("time"), as_object(part.data.get("state")).get("time")):
            moments += [as_time(as_object(times).get(name)) for name in ("start", "end")]
    if not messages:
        moments.append(as_time(record.time_updated))
    return max((moment for moment in moments if moment is not None), default=None)
