"""What both of Kimi's logs have in common: one `wire.jsonl` an agent, read as it grows.

Kimi Code (the `kimi` of npm) and the older Kimi CLI (the `kimi` of PyPI) write different
records with the same counts: what came from the cache, what was written to it and the rest of
the input are apart; reasoning is part of the output and not told.
"""

from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lib.model import FileFacts, FileState, Request, Session, owner_rank
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_list,
    as_object,
    as_text,
    as_tokens,
    as_word,
    decode_object,
    path_name,
)
from lib.readers.wording import call_text, error_class, one_line
from lib.specs import note_touched_by

AGENT = "kimi"
MISSING_MODEL = "missing_model"
NO_REASONING = "no_reasoning"

_MAXIMUM_PENDING = 64


class Kept(msgspec.Struct, omit_defaults=True):
    """What is kept between two readings of a file."""

    session: Session
    begun: bool = False
    """A readable record was seen."""
    pending: dict[str, str] = {}
    """Tool calls without result, and what they do."""
    asking: dict[str, str] = {}
    """What the user was asked and has not answered."""
    models: dict[str, str] = {}
    """Names of the configuration to the models that were called under them."""
    model: str | None = None
    """The name that is in use."""
    step: str | None = None
    """The step under way, and so the identity of its calls."""
    step_calls: int = 0
    last_call: str | None = None
    flags: set[str] = set()


class Origin(NamedTuple):
    """Whose a file is, by its path and by the small files beside it."""

    session: Session
    copied_before: int | None = None
    """In a fork: when it was made; what is older was copied from another session."""
    is_sure: bool = True
    """Whether the file that would say so could be read."""


class WireParser:
    """One reading of one log: takes its lines, then tells the facts."""

    def __init__(self, origin: Origin, file: FileState) -> None:
        self.file = file
        self._origin = origin
        if file.reader_state:
            self.kept = msgspec.msgpack.decode(file.reader_state, type=Kept)
            self._refresh(origin.session)
        else:
            self.kept = Kept(origin.session)
        self.session = self.kept.session
        self._requests: dict[str, Request] = {}

    def consume(self, buffer: bytearray, start: int, end: int) -> str | None:
        """Take one line; answer why it yielded no facts, or None."""
        try:
            record = decode_object(bytes(memoryview(buffer)[start:end]))
            self.kept.begun = True
            self.take(record)
        except Unreadable as reason:
            return str(reason)
        return None

    def take(self, record: dict[str, Any]) -> None:
        """Take one record. Raises Unreadable where it yields no facts."""
        raise NotImplementedError

    def finish(self) -> FileFacts:
        """The facts of this reading; what is to be kept goes into the file's state."""
        kept, file = self.kept, self.file
        if not kept.begun:
            return FileFacts(file, None, [])
        file.session_key = kept.session.key
        file.reader_state = msgspec.msgpack.encode(kept)
        told = msgspec.structs.replace(kept.session, flags=sorted({NO_REASONING, *kept.flags}))
        if told.turn == "running":
            told.turn_detail = next(reversed(kept.pending.values()), None)
            if kept.asking:
                told.turn, told.turn_detail = "waiting", next(reversed(kept.asking.values()))
        if told.title is None and told.first_prompt is not None:
            told.title = as_text(" ".join(told.first_prompt.split()), TITLE_LENGTH)
        return FileFacts(file, told, list(self._requests.values()))

    def prompted(self, text: str | None, at: int | None) -> None:
        """A turn begins."""
        session, kept = self.session, self.kept
        session.turns += 1
        session.turn_requests = 0
        session.turn, session.turn_detail, session.turn_started_at = "running", None, at
        session.error_class = session.error_message = None
        session.first_prompt = session.first_prompt or text
        kept.pending.clear()
        kept.asking.clear()

    def goes_on(self) -> None:
        """The newest step yields something: whatever failed before is over."""
        if self.session.turn in ("retrying", "rate_limited", "failed"):
            self.session.turn, self.session.turn_detail = "running", None
            self.session.error_class = self.session.error_message = None

    def retries(self, attempt: object, attempts: object, kind: str | None, status: object) -> None:
        """A call failed and is tried again."""
        session = self.session
        session.turn = "retrying"
        session.error_class = error_class(kind, kind, status)
        session.error_message = kind
        words = f"attempt {attempt} of {attempts}" if isinstance(attempt, int) else "trying again"
        session.turn_detail = one_line(f"{words}: {kind}" if kind else words)

    def calls(self, call_id: str | None, name: object, arguments: object) -> None:
        """A tool is called."""
        note_touched_by(self.session.specs, arguments)
        if call_id and len(self.kept.pending) < _MAXIMUM_PENDING:
            self.kept.pending[call_id] = call_text(as_word(name), arguments)

    def counted_todos(self, todos: object) -> None:
        """The list of to-dos as it is now."""
        states = [as_object(todo).get("status") for todo in as_list(todos)]
        self.session.todo_done, self.session.todo_total = states.count("done"), len(states)

    def count(
        self,
        counts: tuple[object, ...],
        identity: tuple[object, ...],
        at: int | None,
        copied: int = 0,
    ) -> bool:
        """Note a call's tokens, and say whether there are any.

        `counts`: fresh input, output, cache read, cache write. Raises Unreadable when one is
        impossible.
        """
        given, output, read, written = (as_tokens(count) for count in counts)
        if not (given or output or read or written):
            return False
        session, kept = self.session, self.kept
        told = repr((identity, given, output, read, written)).encode("utf-8", "replace")
        key = f"{AGENT}:{blake2b(told, digest_size=12).hexdigest()}"
        self.file.usage_records += 1
        self.file.repeated_records += key == kept.last_call
        kept.last_call = key
        model = kept.models.get(kept.model or "", kept.model)
        session.model = model or session.model
        if model is None:
            kept.flags.add(MISSING_MODEL)
        self._requests[key] = Request(
            key=key,
            session_key=session.key,
            owner_rank=owner_rank(self._copied(copied, at), session.started_at, session.key),
            at=at,
            model=model,
            input_tokens=given,
            output_tokens=output,
            cache_read_tokens=read,
            cache_write_5m_tokens=written,
        )
        return True

    def _copied(self, copied: int, at: int | None) -> int:
        """How far the call is a copy: what a fork took over belongs to whoever made it."""
        border = self._origin.copied_before
        if not self._origin.is_sure or (border is not None and at is not None and at < border):
            return max(copied, 2)
        return max(copied, 1) if self.session.parent_key else copied

    def _refresh(self, told: Session) -> None:
        """Take over what the files beside the log say now."""
        known = self.kept.session
        known.title = told.title or known.title
        known.project_path = told.project_path or known.project_path
        known.forked_from = told.forked_from or known.forked_from
        known.parent_key = told.parent_key or known.parent_key


def session_of(path: Path, session_id: str, agent_id: str | None) -> Session:
    """A session, or an agent within it, known by the name of its folder only."""
    own, part = path_name(session_id), path_name(agent_id) if agent_id else None
    return Session(
        key=f"{AGENT}:{own}/{part}" if part else f"{AGENT}:{own}",
        agent=AGENT,
        session_id=own,
        parent_key=f"{AGENT}:{own}" if part else None,
        source_path=path_name(path),
    )


def text_of(content: object) -> str | None:
    """The words of a prompt: a text, or a list of parts."""
    if isinstance(content, str):
        return as_text(content)
    texts = [as_object(part).get("text") for part in as_list(content)]
    return as_text("\n".join(text for text in texts if isinstance(text, str)))
