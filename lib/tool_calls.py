"""From the entries of one session to its tool calls and to what they say of its health.

Pure: the same entries give the same facts, whoever reads them and when.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from typing import NamedTuple

from lib.entries import Entry
from lib.model import Session, owner_rank
from lib.model_analysis import Analysis, ToolCall, ToolOutcome
from lib.readers.wording import error_class

MEANING = 1
"""Raised when the meaning of these facts changes; transcripts are then read anew."""
MOST_CALLS = 50_000
"""Tool calls of one session that are kept, the first of them."""

LONGEST_NAME = 100
"""Characters of a tool's, server's or model's name, and of an id, that are kept as they are."""

_RANDOM = re.compile(r"[0-9A-Za-z]{12,}")
_FEWEST_SIGNS = 5


class Told(NamedTuple):
    """What a session's transcript comes to."""

    calls: list[ToolCall]
    analysis: Analysis
    """Without `mark` and `analysed_at`, which tell of the reading."""


def told_by(session: Session, entries: Iterable[Entry]) -> Told:
    """The tool calls and the health of a session, by its entries from the first on."""
    tally = Tally(session)
    tally.take(entries)
    return tally.told()


def is_unique(call_id: str) -> bool:
    """Whether an id is of the kind that no two calls share: a long random part is in it.

    `toolu_01A09q90qw90lq917835lq9` and `call_a1b2…` are; `Read:0` is given once in each session.
    """
    return any(
        len(set(part)) >= _FEWEST_SIGNS and any(sign.isdigit() for sign in part)
        for part in _RANDOM.findall(call_id)
    )


class Tally:
    """The entries of one session, taken as they are read."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._rank = owner_rank(_distance(session), session.started_at, session.key)
        self._calls: dict[str, ToolCall] = {}
        self._open: dict[str | None, str] = {}
        """Keys of calls without a result, by their ids."""
        self._named: dict[str, int] = {}
        """How often an id or time was given that says too little by itself."""
        self._analysis = Analysis(session_key=session.key, mark="", analysed_at=0)
        self._newest_hash: str | None = None
        self._failed_tools = 0
        self._failed_models = 0
        self._asked_at: int | None = None
        """Since when the model is asked."""

    def take(self, entries: Iterable[Entry]) -> None:
        """Take entries, in their order."""
        for entry in entries:
            match entry.kind:
                case "tool_call":
                    self._call(entry)
                case "tool_result":
                    self._result(entry)
                case "prompt":
                    self._prompt(entry)
                case "answer" | "reasoning":
                    self._answered(entry)
                case "error":
                    self._error(entry)
                case _:
                    pass

    def told(self) -> Told:
        """What all that was taken comes to."""
        self._analysis.error_streak = self._failed_tools + self._failed_models
        return Told(list(self._calls.values()), self._analysis)

    def _call(self, entry: Entry) -> None:
        self._failed_models, self._asked_at = 0, None
        key = self._key_of(entry)
        if key in self._calls:
            return  # The same record again.
        self._note_repetition(entry)
        if len(self._calls) >= MOST_CALLS:
            self._analysis.complete = False
            return
        self._calls[key] = ToolCall(
            key=key,
            session_key=self._session.key,
            owner_rank=self._rank,
            at=entry.at,
            tool=(entry.tool or "tool")[:LONGEST_NAME],
            mcp_server=(entry.mcp_server or "")[:LONGEST_NAME] or None,
            model=(entry.model or self._session.model or "")[:LONGEST_NAME] or None,
            outcome="pending",
            input_hash=entry.input_hash,
        )
        self._open[entry.call_id] = key

    def _key_of(self, entry: Entry) -> str:
        session, name = self._session, entry.call_id
        if name is not None and len(name) > LONGEST_NAME:
            name = blake2b(name.encode("utf-8", "replace")).hexdigest()[:LONGEST_NAME]
        if name is not None and is_unique(name):
            return f"{session.agent}:{name}"
        if entry.at is None:
            base = f"{session.key} {name or ''}"
        else:
            base = f"{session.agent}:{name or ''}@{entry.at}:{entry.input_hash or ''}"
            if name is not None:
                return base
        count = self._named[base] = self._named.get(base, 0) + 1
        return f"{base} {count}"

    def _note_repetition(self, entry: Entry) -> None:
        known = self._analysis
        if entry.input_hash is not None and entry.input_hash == self._newest_hash:
            known.repeats += 1
        else:
            known.repeats = 1
            known.repeated_tool = entry.tool
            self._newest_hash = entry.input_hash
            self._progress(entry)
        if known.repeats > known.most_repeats:
            known.most_repeats, known.most_repeated_tool = known.repeats, entry.tool

    def _result(self, entry: Entry) -> None:
        self._asked_at = entry.at
        key = self._open.pop(entry.call_id, None)
        if key is None:
            return
        call = self._calls[key]
        call.outcome = _outcome(entry)
        call.exit_status = entry.exit_status
        call.result_characters = entry.characters
        if entry.at is not None and call.at is not None and entry.at >= call.at:
            call.duration_ms = entry.at - call.at
        if call.outcome == "failed":
            self._failed_tools += 1
        elif call.outcome != "denied":
            self._failed_tools = 0
        if self._analysis.repeats <= 1:
            self._progress(entry)

    def _prompt(self, entry: Entry) -> None:
        known = self._analysis
        known.repeated_tool, known.repeats, self._newest_hash = None, 0, None
        self._failed_tools = self._failed_models = 0
        self._asked_at = entry.at
        self._progress(entry)

    def _answered(self, entry: Entry) -> None:
        self._failed_models, self._asked_at = 0, None
        if entry.kind == "answer":
            self._progress(entry)

    def _error(self, entry: Entry) -> None:
        known = self._analysis
        self._failed_models += 1
        if error_class(f"{entry.title}: {entry.text[:2_000]}") == "rate_limit":
            known.rate_limits += 1
        if not entry.retries:
            return
        known.api_retries += entry.retries
        waited = entry.wait_ms or 0
        known.api_retry_ms += waited
        if self._asked_at is not None and entry.at is not None:
            known.api_retry_ms += max(0, entry.at - self._asked_at)
        self._asked_at = None if entry.at is None else entry.at + waited

    def _progress(self, entry: Entry) -> None:
        if entry.at is not None:
            self._analysis.progress_at = max(entry.at, self._analysis.progress_at or 0)


def _distance(session: Session) -> int:
    """How far a session is from those that made the calls in it, see `owner_rank`."""
    if session.forked_from is not None:
        return 2
    return 1 if session.parent_key is not None else 0


def _outcome(entry: Entry) -> ToolOutcome:
    if entry.denied:
        return "denied"
    if entry.failed is not None:
        return "failed" if entry.failed else "ok"
    return "unknown" if entry.exit_status is None else "ok"
