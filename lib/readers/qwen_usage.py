"""Qwen Code's token counts as model calls, each with an identity that all its copies share.

Every call of a session and of its subagents is reported in the session's own file, as a
telemetry record. An answer repeats the usage of its call: in the session's file right behind
the telemetry record, in a subagent's file with the round it was made in, which the telemetry
names too. Requests of the CLI itself (compaction, memory) are in the telemetry only. Older
versions write no telemetry, and the answers count. Response ids identify nothing: some local
servers draw them from a few hundred numbers.
"""

from typing import Any

import msgspec

from lib.model import FileState, Request
from lib.readers import drift, genai, vocabulary
from lib.readers.values import as_count, as_object, as_word

AGENT = "qwen"
MISSING_MODEL = "missing_model"
_MAXIMUM_UNANSWERED = 8


class Reported(msgspec.Struct):
    """A call of the session's own thread that the telemetry told, and no answer repeated yet."""

    uuid: str
    at: int | None
    model: str | None
    prompt: int


class Counting(msgspec.Struct, omit_defaults=True):
    """How far a file's calls are counted. Part of what is kept between two readings."""

    unanswered: list[Reported] = []
    rounds: int = 0
    """Answers with usage so far, in a subagent's file."""
    last_key: str | None = None
    flags: set[str] = set()
    context_tokens: int | None = None


class Ledger:
    """Turns usage into requests, given whose they are."""

    def __init__(self, counting: Counting, file: FileState) -> None:
        self.counting = counting
        self._file = file
        self.requests: dict[str, Request] = {}
        self.session_key = ""
        self.rank = ""
        self.rank_of_reports = ""
        """For calls of subagents that have files of their own."""
        self.subagent: tuple[str, str] | None = None
        """Session id and own id, in a subagent's file."""

    def reported(self, event: dict[str, Any], uuid: str, at: int | None) -> None:
        """An `api_response` event. Raises Unreadable when a count is impossible."""
        usage = genai.usage_of(
            genai.Counts(
                event.get("input_token_count"),
                event.get("output_token_count"),
                event.get("cached_content_token_count"),
                event.get("thoughts_token_count"),
                event.get("tool_token_count"),
                event.get("total_token_count"),
            ),
            thoughts_inside=True,
        )
        model = genai.repeated_word(event.get("model"))
        if as_word(event.get("subagent_id")) is not None:
            call = as_word(event.get("prompt_id")) or uuid
            self._add(_round_key(call, usage), usage, at, model, self.rank_of_reports)
            return
        reported = Reported(uuid, at, model, usage.input + usage.cached)
        self.counting.unanswered = [*self.counting.unanswered, reported][-_MAXIMUM_UNANSWERED:]
        self._add(f"{AGENT}:{uuid}", usage, at, model, self.rank)

    def answered(
        self, record: dict[str, Any], uuid: str, at: int | None, model: str | None
    ) -> bool:
        """An answer. Answers whether it has a call's usage.

        Raises Unreadable when a count is impossible.
        """
        given = as_object(record.get("usageMetadata"))
        if not given:
            return False
        drift.note_fields(self._file, "usage", given, vocabulary.GENAI_USAGE)
        usage = genai.usage_of(
            genai.Counts(
                given.get("promptTokenCount"),
                given.get("candidatesTokenCount"),
                given.get("cachedContentTokenCount"),
                given.get("thoughtsTokenCount"),
                given.get("toolUsePromptTokenCount"),
                given.get("totalTokenCount"),
            ),
            thoughts_inside=True,
        )
        self.counting.context_tokens = usage.context
        if self.subagent is not None:
            # Rounds count from 1 in the answers and from 0 in the telemetry.
            place = (as_count(record.get("agentRound")) or self.counting.rounds + 1) - 1
            self.counting.rounds += 1
            session_id, own_id = self.subagent
            key = _round_key(f"{session_id}#{own_id}#{place}", usage)
            self._add(key, usage, at, model, self.rank)
            return True
        known = self._report_of(record, usage)
        if known is None:
            self._add(f"{AGENT}:{uuid}", usage, at, model, self.rank)
        else:
            self._add(f"{AGENT}:{known.uuid}", usage, known.at, known.model or model, self.rank)
        return True

    def _report_of(self, record: dict[str, Any], usage: genai.Usage) -> Reported | None:
        """The report of the call that this answer ends; those before it have no answer."""
        waiting = self.counting.unanswered
        for place in reversed(range(len(waiting))):
            known = waiting[place]
            behind = record.get("parentUuid") == known.uuid
            if behind or known.prompt == usage.input + usage.cached:
                self.counting.unanswered = waiting[place + 1 :]
                return known
        return None

    def _add(
        self, key: str, usage: genai.Usage, at: int | None, model: str | None, rank: str
    ) -> None:
        counting, file = self.counting, self._file
        file.usage_records += 1
        file.repeated_records += key == counting.last_key
        counting.last_key = key
        if model is None:
            counting.flags.add(MISSING_MODEL)
        if not usage.adds_up:
            counting.flags.add(genai.TOTAL_MISMATCH)
        genai.keep_fuller(
            self.requests, genai.request(key, usage, at, model, (self.session_key, rank))
        )


def _round_key(call: str, usage: genai.Usage) -> str:
    # A subagent that is resumed counts its rounds anew.
    return f"{AGENT}:{call}:{usage.input}-{usage.output}-{usage.cached}-{usage.thoughts}"
