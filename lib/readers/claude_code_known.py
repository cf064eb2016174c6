"""Every kind of record, word and field that Claude Code is known to write (CLI 1.0 to 2.1.330).

Most of them hold no facts for this software; they are listed so that what is new shows.
"""

from typing import Any, cast

import msgspec

from lib.model import FileState
from lib.readers.drift import fields_of, note_fields, words

RECORD_TYPES = words(
    """
    agent-color agent-name agent-setting ai-title api-request api-request-blob api-request-shape
    assistant atis-latch attachment attribution-snapshot bridge-session content-replacement
    cost-state custom-title file-history-snapshot last-prompt marble-origami-commit
    marble-origami-snapshot mode permission-mode pr-link progress queue-operation relocated result
    speculation-accept started summary system tag task-summary tools-used user worktree-state
    """
)
SYSTEM_SUBTYPES = words(
    """
    agents_killed api_error api_metrics api_refusal away_summary bridge_status compact_boundary
    error file_snapshot informational init local_command memory_saved microcompact_boundary
    model_refusal_fallback permission_retry scheduled_task_fire stop_hook_summary thinking
    turn_duration
    """
)
BLOCK_TYPES = words(
    """
    advisor_tool_result bash_code_execution_tool_result code_execution_tool_result
    container_upload document fallback image mcp_tool_result mcp_tool_use redacted_thinking
    search_result server_tool_use text text_editor_code_execution_tool_result thinking
    tool_reference tool_result tool_search_tool_result tool_use web_fetch_tool_result
    web_search_tool_result
    """
)
STOP_REASONS = words(
    """
    compaction end_turn max_tokens model_context_window_exceeded pause_turn refusal stop_sequence
    tool_use
    """
)
_RECORD_FIELDS = words(
    """
    advisorModel agentId agentName aiTitle apiBlockIndex apiError apiErrorStatus apiErrorType
    atis attachment attributionAgent attributionMcpServer attributionMcpTool attributionPlugin
    attributionSkill base cacheControl cause commandRun compactMetadata content costUSD
    customTitle cwd data diagnostics durationMs effort entrypoint error errorDetails
    failedHookErrorIndexes failedResponseHadNoToolCall forkedFrom gitBranch hasOutput hash
    hookAdditionalContext hookCount hookErrors hookInfos id imagePasteIds interruptedByShutdown
    interruptedMessageId isAbortedMidStream isApiErrorMessage isCompactSummary isMeta
    isSidechain isSnapshotUpdate isVirtual isVisibleInTranscriptOnly keep lastPrompt leafUuid
    level logicalParentUuid madeBy maxRetries mcpMeta message messageCount messageId
    microcompactMetadata mode operation origin params parentToolUseID parentUuid
    pendingBackgroundAgentCount pendingWorkflowCount perTurnEffort permissionDecision
    permissionMode planContent prNumber prRepository prUrl preventedContinuation
    promptCacheRequested promptId promptSource querySource relocatedCwd rendered
    renderedBesideToolResult renderedRole requestDigest requestId requestRef requestSessionId
    requestedModel retryAttempt retryInMs sandboxed serverClassifierRequest sessionId
    sessionKind session_id shape shapeHash slug snapshot source sourceToolAssistantUUID
    sourceToolUseID stopReason streamCutCause subtype summarizeMetadata summary supersedesUuids
    tail teamName thinkingDisplay thinkingDurationMs thinkingMetadata timestamp todos
    toolDenialKind toolInputStreamMs toolUseID toolUseResult tools turnCompanion turnOrigin
    turnPosition type url userType uuid version
    """
)
_KINDS_LOOKED_AT = ("user", "assistant", "system")
_USAGE_FIELDS = words(
    """
    cache_creation cache_creation_input_tokens cache_deleted_input_tokens
    cache_read_input_tokens fallback_credit inference_geo input_tokens iterations model
    output_tokens output_tokens_details server_tool_use service_tier speed type
    """
)
_PARTS_OF_USAGE = {
    "cache_creation": frozenset({"ephemeral_1h_input_tokens", "ephemeral_5m_input_tokens"}),
    "output_tokens_details": frozenset({"thinking_tokens"}),
    "server_tool_use": frozenset(
        {
            "code_execution_requests",
            "tool_search_requests",
            "web_fetch_requests",
            "web_search_requests",
        }
    ),
}


class _Message(msgspec.Struct, gc=False):
    """The one part of a message whose fields are looked at."""

    usage: dict[str, Any] | None = None


_message_decoder = msgspec.json.Decoder(_Message)


def look_at_fields(file: FileState, kind: object, line: bytearray) -> None:
    """Count the fields of a record of this kind, and of the usage in it, that are new."""
    if kind not in _KINDS_LOOKED_AT:
        return
    record = fields_of(line)
    note_fields(file, "record", record, _RECORD_FIELDS)
    if kind == "assistant":
        usage = _usage_in(record.get("message"))
        note_fields(file, "usage", usage, _USAGE_FIELDS)
        for name, known in _PARTS_OF_USAGE.items():
            if isinstance(part := usage.get(name), dict):
                note_fields(file, name, cast(dict[str, Any], part), known)


def _usage_in(message: bytes | None) -> dict[str, Any]:
    try:
        return _message_decoder.decode(message or b"{}").usage or {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
