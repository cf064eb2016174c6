"""Every kind of record, word and field that Codex is known to write (CLI 0.30 to 0.169).

Most of them hold no facts for this software; they are listed so that what is new shows.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from lib.model import FileState
from lib.readers.drift import fields_of, note_fields, words

RECORD_TYPES = words(
    """
    compacted event_msg inter_agent_communication message response_item session_meta
    token_usage_record turn_context world_state
    """
)
EVENTS = words(
    """
    agent_message agent_message_delta agent_reasoning agent_reasoning_delta
    agent_reasoning_raw_content agent_reasoning_raw_content_delta agent_reasoning_section_break
    apply_patch_approval_request background_event collab_agent_interaction_begin
    collab_agent_interaction_end collab_agent_spawn_begin collab_agent_spawn_end
    collab_close_begin collab_close_end collab_resume_begin collab_resume_end
    collab_waiting_begin collab_waiting_end context_compacted deprecation_notice
    dynamic_tool_call_request dynamic_tool_call_response elicitation_request
    entered_review_mode error exec_approval_request exec_command_begin exec_command_end
    exec_command_output_delta exited_review_mode guardian_assessment hook_completed hook_started
    image_generation_begin image_generation_end item_completed item_started
    mcp_startup_complete mcp_startup_update mcp_tool_call_begin mcp_tool_call_end model_reroute
    patch_apply_begin patch_apply_end patch_apply_updated plan_delta plan_update raw_response_item
    request_permissions request_user_input session_configured shutdown_complete
    skills_update_available stream_error sub_agent_activity task_complete task_started
    terminal_interaction
    thread_goal_updated thread_name_updated thread_rolled_back thread_settings_applied
    token_count turn_aborted turn_complete turn_diff turn_started undo_completed undo_started
    user_message view_image_tool_call warning web_search_begin web_search_end
    """
)
ITEMS = words(
    """
    agent_message compaction compaction_summary context_compaction custom_tool_call
    custom_tool_call_output function_call function_call_output ghost_snapshot
    image_generation_call local_shell_call message other reasoning tool_search_call
    tool_search_output web_search_call
    """
)
ABORT_REASONS = words("budget_limited interrupted replaced review_ended")
_RECORD_FIELDS = words(
    """
    id metadata ordinal payload timestamp type
    arguments call_id content encrypted_content name output role status summary
    git instructions record_type
    """
)
_USAGE_FIELDS = words(
    """
    cache_write_input_tokens cached_input_tokens input_tokens output_tokens
    reasoning_output_tokens total_tokens
    """
)
_INFO_FIELDS = words(
    """
    last_token_usage last_usage_includes_reasoning model_context_window total_token_usage
    """
)


def _object(
    name: str, fields: Iterable[str], *, only_these: bool = True, **of_kind: Any
) -> type[msgspec.Struct]:
    """A struct that is decoded where an object has these fields, of any type but `of_kind`."""
    kinds: dict[str, Any] = {**dict.fromkeys(sorted(fields), msgspec.Raw), **of_kind}
    given = [(field, kind | msgspec.UnsetType, msgspec.UNSET) for field, kind in kinds.items()]
    return msgspec.defstruct(name, given, forbid_unknown_fields=only_these, gc=False)


_Usage = _object("_Usage", _USAGE_FIELDS)
_Info = _object("_Info", _INFO_FIELDS, total_token_usage=_Usage | None)
_Payload = _object("_Payload", (), only_these=False, info=_Info | None, usage=_Usage | None)
_known_decoder = msgspec.json.Decoder(_object("_Record", _RECORD_FIELDS, payload=_Payload))


def look_at_fields(file: FileState, line: memoryview) -> None:
    """Count the fields of a record, and of the token counts in it, that are new."""
    try:
        _known_decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        _count_new_fields(file, line)


def _count_new_fields(file: FileState, line: memoryview) -> None:
    record = fields_of(line)
    note_fields(file, "record", record, _RECORD_FIELDS)
    payload = fields_of(record.get("payload"))
    info = fields_of(payload.get("info"))
    note_fields(file, "token count", info, _INFO_FIELDS)
    for usage in (info.get("total_token_usage"), payload.get("usage")):
        if usage is not None:
            note_fields(file, "usage", fields_of(usage), _USAGE_FIELDS)
