"""The entries of a log of Kimi Code or of the older Kimi CLI. Records: `kimi_code`, `kimi_cli`."""

from pathlib import Path
from typing import Any

from lib.entries import CallTokens, Each, Entry, Reading
from lib.readers.entry_lines import read_lines
from lib.readers.entry_tools import (
    Calls,
    as_status,
    decoded,
    error,
    notice,
    retry,
    said,
    texts_in,
    told_value,
)
from lib.readers.values import as_object, as_text, as_time, as_tokens, as_word

_MIRRORED = "event"
_CODE_COUNTS = ("inputOther", "output", "inputCacheRead", "inputCacheCreation")
_CLI_COUNTS = ("input_other", "output", "input_cache_read", "input_cache_creation")


def entries(
    path: Path,
    session_key: str,  # noqa: ARG001 - the shape
    limit: int,
    each: Each | None = None,
) -> Reading:
    """See `EntrySource`: entries of a log. Raises OSError."""
    return read_lines(path, lambda: _Records().take, limit, each)


class _Records:
    def __init__(self) -> None:
        self._calls = Calls()
        self._newest: Entry | None = None
        """The newest entry of the model in this step, which bears the tokens of its call."""
        self._counted: tuple[str | None, CallTokens] | None = None
        """Model and tokens of a call that were told before its entries."""
        self._models: dict[str, str] = {}
        """Models by the names that the configuration gives them."""

    def take(self, record: dict[str, Any]) -> list[Entry]:
        """The entries of one record, of either program."""
        if isinstance(record.get("message"), dict):
            message = as_object(record["message"])
            at = as_time(record.get("timestamp"))
            return self._of_cli(message.get("type"), as_object(message.get("payload")), at)
        if record.get("kind") == _MIRRORED:
            return []
        return self._of_code(record, as_time(record.get("time")))

    def _of_code(self, record: dict[str, Any], at: int | None) -> list[Entry]:
        match record.get("type"):
            case "turn.prompt" | "turn.steer":
                return said("prompt", texts_in(record.get("input")), at)
            case "context.append_loop_event":
                return self._step(as_object(record.get("event")), at)
            case "llm.request":
                alias, model = as_word(record.get("modelAlias")), as_word(record.get("model"))
                if alias and model:
                    self._models[alias] = model
                return []
            case "usage.record":
                named = as_word(record.get("model"))
                model = self._models.get(named or "", named)
                self._count(as_object(record.get("usage")), _CODE_COUNTS, model)
                return []
            case "turn.step.retrying":
                text = record.get("errorMessage") or record.get("errorName")
                return [retry(text, at)]
            case "turn.ended":
                return _ended(record, at)
            case "interaction.request":
                wanted = as_text(as_object(record.get("request")).get("toolName"), 200)
                asked = f"The user is asked: {wanted}" if wanted else "The user is asked"
                return [notice(asked, at)]
            case _:
                return []

    def _step(self, event: dict[str, Any], at: int | None) -> list[Entry]:
        match event.get("type"):
            case "step.begin":
                self._newest = self._counted = None
                return []
            case "content.part":
                return self._of_model(_part(as_object(event.get("part")), at))
            case "tool.call":
                call = (event.get("toolCallId"), event.get("name"), event.get("args"), at)
                return self._of_model([self._calls.call(*call)])
            case "tool.result":
                return [self._result(event.get("toolCallId"), as_object(event.get("result")), at)]
            case _:
                return []

    def _of_cli(self, kind: object, payload: dict[str, Any], at: int | None) -> list[Entry]:
        match kind:
            case "StepBegin":
                self._newest = self._counted = None
                return []
            case "TurnBegin" | "SteerInput":
                return said("prompt", texts_in(payload.get("user_input")), at)
            case "ContentPart":
                return self._of_model(_part(payload, at))
            case "ToolCall":
                function = as_object(payload.get("function"))
                arguments = decoded(function.get("arguments"))
                call = self._calls.call(payload.get("id"), function.get("name"), arguments, at)
                return self._of_model([call])
            case "ToolResult":
                value = as_object(payload.get("return_value"))
                return [self._result(payload.get("tool_call_id"), value, at)]
            case "StatusUpdate":
                self._count(as_object(payload.get("token_usage")), _CLI_COUNTS, None)
                return []
            case "StepRetry":
                text = payload.get("error_message") or payload.get("error_type")
                return [retry(text, at)]
            case "StepInterrupted":
                return [notice("The step was interrupted", at, level="warning")]
            case _:
                return []

    def _result(self, call_id: object, value: dict[str, Any], at: int | None) -> Entry:
        output = value.get("output") or value.get("message") or ""
        text = texts_in(output) if isinstance(output, list) else told_value(output)
        failed = value.get("isError", value.get("is_error"))
        return self._calls.result(
            call_id,
            text,
            at,
            failed=failed if isinstance(failed, bool) else None,
            exit_status=as_status(value.get("exitCode")),
        )

    def _of_model(self, found: list[Entry]) -> list[Entry]:
        for one in found:
            self._newest = one
            if self._counted is not None:
                one.model, one.tokens = self._counted
                self._counted = self._newest = None
        return found

    def _count(self, usage: dict[str, Any], names: tuple[str, ...], model: str | None) -> None:
        """Give a call's tokens to the newest entry of the model, or to the next one."""
        given, output, read, written = (as_tokens(usage.get(name)) for name in names)
        if not (given or output or read or written):
            return
        counted = CallTokens(input=given, output=output, cache_read=read, cache_write=written)
        if self._newest is None:
            self._counted = (model, counted)
            return
        self._newest.model, self._newest.tokens = model, counted
        self._newest = None


def _part(part: dict[str, Any], at: int | None) -> list[Entry]:
    match part.get("type"):
        case "text":
            return said("answer", part.get("text"), at)
        case "think":
            return said("reasoning", part.get("think"), at)
        case _:
            return []


def _ended(record: dict[str, Any], at: int | None) -> list[Entry]:
    match record.get("reason"):
        case "failed":
            failure = as_object(record.get("error"))
            return [error(failure.get("message") or failure.get("code"), at, "The turn failed")]
        case "blocked":
            return [error("A hook refused the prompt.", at, "The turn failed")]
        case "cancelled":
            return [notice("Interrupted by the user", at, level="warning")]
        case _:
            return []
