"""How a record of Codex begins, by which it is known what to do with the line before decoding it.

Most records hold no facts: outputs of tools, reasoning, world states. What the CLI writes in
another way, or will write, matches nothing here.
"""

import re

OPENER = b'{"timestamp":'
"""First bytes of a record."""
HEAD = re.compile(
    rb'\{"timestamp":"(20\d\d-[01]\d-[0-3]\dT[0-2]\d:[0-5]\d:[0-6]\d\.\d{3}Z)",'
    rb'(?:"ordinal":\d+,)?"type":"([^"]+","payload":(\{(?:"type":"[^"]+")?))'
)
"""First bytes of a record as the CLI writes it: its time, its kind with its payload's, and where
the payload begins.
"""
ITEM_WITHOUT_FACTS = re.compile(
    rb',"thread_id":"[\w-]*","turn_id":"[\w-]*","item":'
    rb'\{"type":"(?!(?:UserMessage|AgentMessage)")\w+"'
)
OUTPUT_ID = re.compile(rb'(?:,"id":"[\w.:-]*")?,"call_id":"([\w.:-]+)"')

CALLS = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
OUTPUTS = frozenset({"function_call_output", "custom_tool_call_output"})

NO_FACTS, OUTPUT, ITEM_DONE, MESSAGE = range(4)


def _heads(kind: str, names: str, action: int) -> dict[bytes, int]:
    return {f'{kind}","payload":{{"type":"{name}"'.encode(): action for name in names.split()}


ACTIONS: dict[bytes, int] = {
    b'world_state","payload":{': NO_FACTS,
    b'compacted","payload":{': NO_FACTS,
    **_heads("response_item", " ".join(OUTPUTS), OUTPUT),
    **_heads("event_msg", "item_completed", ITEM_DONE),
    **_heads("response_item", "message", MESSAGE),
    **_heads(
        "response_item",
        "reasoning agent_message web_search_call tool_search_call tool_search_output "
        "image_generation_call compaction context_compaction ghost_snapshot",
        NO_FACTS,
    ),
    **_heads(
        "event_msg",
        "agent_reasoning agent_reasoning_raw_content agent_reasoning_section_break "
        "exec_command_begin exec_command_end exec_command_output_delta patch_apply_begin "
        "patch_apply_end mcp_tool_call_begin mcp_tool_call_end web_search_end "
        "view_image_tool_call context_compacted turn_diff",
        NO_FACTS,
    ),
}
"""Kinds that need no decoding. Any other is decoded, so that only what is known is passed over."""
TOKEN_COUNT = b'event_msg","payload":{"type":"token_count"'
USAGE_RECORD = b'token_usage_record","payload":{'
HEADS_OF_CALLS = [f'response_item","payload":{{"type":"{name}"'.encode() for name in CALLS]
CLOSING_BRACE = ord("}")
