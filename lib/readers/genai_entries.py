"""What the entries of Gemini CLI and Qwen Code share: Google's shapes of content and usage."""

from typing import Any

from lib.entries import CallTokens, Entry
from lib.readers import genai
from lib.readers.entry_tools import Calls, said, told_value
from lib.readers.values import as_list, as_object


def tokens(counts: genai.Counts, *, thoughts_inside: bool) -> CallTokens | None:
    """The tokens of a call; None where none were counted. Raises Unreadable on absurd counts."""
    usage = genai.usage_of(counts, thoughts_inside=thoughts_inside)
    if not (usage.input or usage.output or usage.cached):
        return None
    return CallTokens(
        input=usage.input,
        output=usage.output,
        cache_read=usage.cached,
        reasoning=usage.thoughts,
    )


def answer(content: object, at: int | None) -> list[Entry]:
    """The thoughts and the words of a model's content."""
    parts = [as_object(part) for part in as_list(content)]
    thoughts = [part.get("text") for part in parts if part.get("thought")]
    thought = "\n".join(text for text in thoughts if isinstance(text, str))
    return [
        *said("reasoning", thought, at),
        *said("answer", genai.text_of(content), at),
    ]


def calls(parts: object, known: Calls, at: int | None) -> list[Entry]:
    """The tool calls among parts."""
    return [
        known.call(call.get("id"), call.get("name"), call.get("args"), at)
        for call in genai.function_parts(parts, "functionCall")
    ]


def response_text(response: object) -> str:
    """What a tool answered."""
    fields: dict[str, Any] = as_object(response)
    told = fields.get("output") or fields.get("error") or fields.get("content")
    if told:
        return told_value(told)
    return told_value(fields) if fields else ""
