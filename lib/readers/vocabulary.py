"""Kinds of records, words and fields that the agents with plain records are known to write.

Most of them hold no facts for this software; they are listed so that what is new shows (see
`lib.readers.drift`). Claude Code's and Codex's stand in modules of their own.
"""

from lib.readers.drift import words

COPILOT_EVENTS = words(
    """
    abort assistant.intent assistant.message assistant.message_delta assistant.reasoning
    assistant.reasoning_delta assistant.streaming_delta assistant.turn_end assistant.turn_start
    assistant.usage auto_mode_switch.completed auto_mode_switch.requested capabilities.changed
    command.completed command.execute command.queued commands.changed elicitation.completed
    elicitation.requested exit_plan_mode.completed exit_plan_mode.requested
    external_tool.completed external_tool.requested hook.end hook.progress hook.start
    mcp.oauth_completed mcp.oauth_required mcp.tools.list_changed model.call_failure
    pending_messages.modified permission.completed permission.requested sampling.completed
    sampling.requested session.background_tasks_changed session.binary_asset
    session.compaction_complete session.compaction_start session.context_changed
    session.custom_agents_updated session.error session.extensions_loaded session.handoff
    session.idle session.import_legacy session.info session.mcp_server_status_changed
    session.mcp_servers_loaded session.mode_changed session.model_change
    session.permissions_changed session.plan_changed session.remote_steerable_changed
    session.resume session.schedule_cancelled session.schedule_created session.shutdown
    session.skills_loaded session.snapshot_rewind session.start session.task_complete
    session.title_changed session.todos_changed session.tools_updated session.truncation
    session.usage_checkpoint session.usage_info session.usage_record session.warning
    session.workspace_file_changed skill.invoked subagent.completed subagent.configured
    subagent.deselected subagent.failed subagent.selected subagent.started system.message
    system.notification tool.execution_complete tool.execution_partial_result
    tool.execution_progress tool.execution_start tool.user_requested user.message
    user_input.completed user_input.requested
    """
)
COPILOT_FIELDS = words("agentId data ephemeral id parentId timestamp type")
COPILOT_USAGE = words(
    """
    accounting aiCreditsStatus apiCallId apiEndpoint availableToolCount byokKind
    cacheDetailsReported cacheReadTokens cacheWriteTokens contentFilterTriggered copilotUsage cost
    customToolCallCount duration finishReason frontierSource initiator inputTokens
    interTokenLatencyMs interactionId interactionType isAuto isByok maxPromptTokens model
    modelDisplayName modelProvider numToolCalls orphanToolCallCount outputTokens outputTtftMs
    parentToolCallId providerCallId providerType quotaSnapshots reasoningEffort reasoningTokens
    requestBodyBytes requestBodyEncoding requestBodyWireBytes rte serviceRequestId
    timeToFirstTokenMs toolCounts toolTokenCount totalNanoAiu transport ttftMs
    unmatchedToolResultCount
    """
)
COPILOT_SHUTDOWNS = words("error routine")

QWEN_RECORDS = words("assistant system tool_result user")
QWEN_SUBTYPES = words(
    """
    agent_bootstrap agent_launch_prompt at_command attribution_snapshot
    chat_compression chat_record_metadata compaction cron custom_title file_history_snapshot
    goal_status hook mid_turn_user_message notification parent_session rewind
    session_artifact_event session_artifact_snapshot session_organization slash_command
    turn_result ui_telemetry vision_bridge
    """
)
QWEN_FIELDS = words(
    """
    agentColor agentId agentName agentRound agentRunId compressionInfo contextWindowSize cwd
    forkedFrom gitBranch isSidechain message model parentUuid provenance sessionId subtype
    systemPayload timestamp toolCallResult type usageMetadata uuid version
    """
)
GENAI_USAGE = words(
    """
    cacheTokensDetails cachedContentTokenCount candidatesTokenCount candidatesTokensDetails
    promptTokenCount promptTokensDetails serviceTier thoughtsTokenCount toolUsePromptTokenCount
    toolUsePromptTokensDetails totalTokenCount trafficType
    """
)

GEMINI_MESSAGES = words("assistant error gemini info model user warning")
GEMINI_FIELDS = words(
    """
    content displayContent id kind model thoughts timestamp tokens toolCalls type
    """
)
GEMINI_TOKENS = words("cached input output thoughts tool total")
GEMINI_STATUSES = words("awaiting_approval cancelled error executing scheduled success validating")

PI_ENTRIES = words(
    """
    branch_summary compaction custom custom_message label message model_change session
    session_info thinking_level_change
    """
)
PI_ROLES = words("assistant bashExecution branchSummary compactionSummary custom toolResult user")
PI_USAGE = words("cacheRead cacheWrite cacheWrite1h cost input output reasoning totalTokens")

DROID_RECORDS = words(
    """
    agent_turn_outcome compaction_state message session_end session_start todo_state
    """
)
DROID_TOKENS = words(
    """
    cacheCreationTokens cacheReadTokens factoryCredits inputTokens outputTokens thinkingTokens
    """
)

OPENCODE_ROLES = words("assistant user")
OPENCODE_FINISHES = words("content-filter error length max_tokens other stop tool-calls unknown")
OPENCODE_TOKENS = words("cache input output reasoning total")

CLINE_ROLES = words("assistant system tool user")
CLINE_STATUSES = words("aborted canceled cancelled completed failed idle running")
CLINE_METRICS = words(
    """
    cacheReadTokens cacheWriteTokens cost inputTokens outputTokens reasoningTokens totalCost
    """
)

GOOSE_BLOCKS = words(
    """
    actionRequired conversationCompacted error frontendToolRequest image reasoning
    redactedThinking systemNotification text thinking toolConfirmationRequest toolInputDelta
    toolRequest toolResponse
    """
)
GOOSE_ROLES = words("assistant user")
GOOSE_COST_SOURCES = words("carried_forward estimated provider_reported")

KIMI_CODE_RECORDS = words(
    """
    config.update context.append_loop_event context.append_message context.apply_compaction
    context.clear context.undo context.update_token_count cron.add cron.cursor cron.delete
    file_history.checkpoint file_history.tracked forked full_compaction.begin
    full_compaction.cancel full_compaction.complete goal.clear goal.create goal.update
    interaction.request interaction.resolved interruptionReminder.recorded llm.request
    llm.tools_snapshot mcp.tools_discovered metadata micro_compaction.apply
    permission.record_approval_result permission.rules.add permission.set_mode plan.revision
    plan_mode.cancel plan_mode.enter plan_mode.exit plugin.session_start profile.bind
    prompt.aborted prompt.completed prompt.steered runtime.set_binding subagent.cancelled
    subagent.completed subagent.failed subagent.spawned subagent.started subagent.suspended
    swarm_mode.enter swarm_mode.exit task.started task.terminated task.waitDelivered
    token_counting.measured token_counting.rebased token_counting.truncated
    token_counting.turn_recorded tools.register_user_tool tools.reset_active_tools
    tools.set_active_tools tools.unregister_user_tool tools.update_store tower.inbox.sent
    tower_mode.enter tower_mode.exit turn.cancel turn.ended turn.prompt turn.steer
    turn.step.interrupted turn.step.retrying usage.record
    """
)
KIMI_CODE_USAGE = words("inputCacheCreation inputCacheRead inputOther output")
KIMI_CODE_REASONS = words("blocked cancelled completed failed")
KIMI_CLI_MESSAGES = words(
    """
    ApprovalRequest ApprovalRequestResolved ApprovalResponse BtwBegin BtwEnd CompactionBegin
    CompactionEnd ContentPart HookRequest HookResolved HookResponse HookTriggered MCPLoadingBegin
    MCPLoadingEnd Notification PlanDisplay QuestionRequest QuestionResponse StatusUpdate
    SteerInput StepBegin StepInterrupted StepRetry SubagentEvent ToolCall ToolCallPart
    ToolCallRequest ToolResult TurnBegin TurnEnd
    """
)
KIMI_CLI_USAGE = words("input_cache_creation input_cache_read input_other output")

AMP_ROLES = words("assistant info user")
AMP_USAGE = words(
    """
    cacheCreationInputTokens cacheReadInputTokens credits creditsSinceLastUserMessage inputTokens
    maxInputTokens model outputTokens thinkingBudget timestamp totalInputTokens
    """
)

CURSOR_ROLES = words("assistant system tool user")
CURSOR_STATUSES = words("aborted cancelled completed error generating none")
