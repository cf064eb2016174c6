"""The words everything else is written in.

Facts are what was observed: a `Session` as one transcript tells it, a `Request` (one
model call), `Evidence` about a live process, a `FileState` (how far a file was read).
Status, sections and money are derived from them elsewhere, by pure functions.

All times are integer milliseconds since the Unix epoch, UTC. All structs are
`msgspec.Struct`, because hundreds of thousands of them are made in one scan.
"""

from typing import Literal

import msgspec

Process = Literal["alive", "suspended", "dead", "unknown"]
"""Whether the process behind a session exists. `suspended` is stopped by SIGSTOP."""

Turn = Literal[
    "running",
    "waiting",
    "retrying",
    "rate_limited",
    "idle",
    "failed",
    "stopped",
    "pending",
    "unknown",
]
"""What the session's newest turn is doing. `idle`: it was answered to the end.
`stopped`: the user interrupted it. `retrying`: an API error is being retried.
`pending`: the session was created and waits to be started."""

ErrorClass = Literal[
    "api",
    "rate_limit",
    "authentication",
    "tool",
    "test",
    "permission",
    "context_overflow",
    "own_limit",
    "killed",
    "timeout",
    "crash",
    "unknown",
]

MAXIMUM_TOKENS = 10**12
"""A token count above this in one record is implausible; the record is skipped and counted."""


NO_LOCAL_TOKENS = "no_local_tokens"
"""Flag of a session whose agent keeps its token counts elsewhere: they are not known, never 0."""

SUBSCRIPTION = "subscription"
"""Flag of a session whose calls count against the limits of a plan: its cost is what the API
would have charged."""


DELETED = "deleted_on_server"
"""Flag of a session that its LeanSpec server has no longer."""


class Session(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What one transcript says about one session (or one subagent of it)."""

    key: str
    """`<agent>:<session id>`, for a subagent `<agent>:<session id>/<agent id>`. Globally unique."""
    agent: str
    session_id: str
    parent_key: str | None = None
    forked_from: str | None = None
    """Key of the session that this one was forked from, where the file says so."""
    machine: str = ""
    source_path: str = ""
    project_path: str | None = None
    branch: str | None = None
    title: str | None = None
    first_prompt: str | None = None
    last_message: str | None = None
    model: str | None = None
    """The model of the newest call."""
    agent_version: str | None = None
    entrypoint: str | None = None
    started_at: int | None = None
    last_activity_at: int | None = None
    turn: Turn = "unknown"
    turn_detail: str | None = None
    """The current tool with its argument, what is waited for, or the retry that is under way."""
    turn_started_at: int | None = None
    ended_cleanly: bool = False
    """The agent wrote its end mark after the last turn (a clean exit or a trapped signal)."""
    error_class: ErrorClass | None = None
    error_message: str | None = None
    resets_at: int | None = None
    """When a rate limit ends."""
    turns: int = 0
    """Prompts so far."""
    turn_requests: int = 0
    """Model calls since the last prompt."""
    todo_done: int = 0
    todo_total: int = 0
    context_tokens: int | None = None
    """Tokens in the context of the newest call of the main thread."""
    context_window: int | None = None
    registered: bool = False
    """The agent's version announces its live processes, so that silence means dead."""
    flags: list[str] = []
    """What the files are known to leave out or to be unable to say, as stable short words."""
    specs: list[str] = []
    """Folder names of the specs that its records or its server name: `168-orchestration`."""
    server: str | None = None
    """Base URL of the LeanSpec server that runs the session; None for a local one."""
    runner: str | None = None
    """What the server runs it with: `claude`."""
    mode: str | None = None
    """`guided` or `autonomous`, on a LeanSpec server."""
    protocol: str | None = None
    """How the server talks to the runner: `acp` or `subprocess`."""
    exit_code: int | None = None
    retry_of: str | None = None
    """Key of the session that this one tries again."""
    reported_tokens: int | None = None
    """Tokens of all kinds as the source itself sums them, where it tells no single calls."""
    reported_cost_usd: float | None = None
    """What the agent itself says that the session has cost, where it says so for the whole."""


class Request(msgspec.Struct, kw_only=True, array_like=True):
    """One model call. Token kinds never overlap, except that `output` includes `reasoning`."""

    key: str
    """`<agent>:<id of the call>`: the same for every copy of the call, in whatever file."""
    session_key: str
    owner_rank: str
    """Of the files that hold the call, the one with the smallest rank owns it: `owner_rank`."""
    at: int | None
    model: str | None
    input_tokens: int = 0
    """Without anything cached."""
    output_tokens: int = 0
    """With reasoning."""
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    reasoning_tokens: int = 0
    web_search_requests: int = 0
    service_tier: str | None = None
    speed: str | None = None
    region: str | None = None
    reported_cost_usd: float | None = None
    """What the agent itself says that this call has cost."""
    attribution: str | None = None
    """What made the agent ask, where the record says so: a small JSON object of `agent`, `skill`,
    `plugin`, `mcp_server` and `mcp_tool`, in this order."""
    provider_total: int | None = None
    """The provider's own total, or that of the kinds that it has one for with the others added,
    where it is not the sum of the parts as the record gives them."""


class Evidence(msgspec.Struct, kw_only=True):
    """What a live source (registry file, held lock, process table) says of a session now."""

    session_key: str
    source: str
    """`claude-registry`, `codex-lock`, `process-table`: where the claim comes from."""
    agent: str
    session_id: str
    machine: str = ""
    observed_at: int = 0
    process: Process = "unknown"
    turn: Turn | None = None
    """None where the source speaks of the process only."""
    detail: str | None = None
    since: int | None = None
    """Since when the turn is in this state, where the source knows."""
    pid: int | None = None
    process_started: str | None = None
    """Opaque start mark of the process (see `lib.processes`), to tell a reused pid."""
    turn_limit: int | None = None
    """Model calls after which the process stops by itself (`--max-turns`)."""
    project_path: str | None = None
    title: str | None = None
    started_at: int | None = None


class Skip(msgspec.Struct):
    """A record that could not be read."""

    line: int
    reason: str


class FileState(msgspec.Struct, kw_only=True):
    """How far one file was read, and what came of it. Enough to go on after any interruption."""

    path: str
    agent: str
    machine: str = ""
    session_key: str | None = None
    device: int = 0
    inode: int = 0
    size: int = 0
    mtime_ns: int = 0
    offset: int = 0
    """Bytes consumed: always just behind a complete record, or inside an oversized line."""
    line: int = 0
    """Lines consumed."""
    fingerprint: bytes = b""
    """Hash of the last bytes before `offset`."""
    discarding: bool = False
    """`offset` lies inside a line too long to hold; skip to its end."""
    reader_version: int = 0
    reader_state: bytes = b""
    """The reader's own state, msgpack."""
    records: int = 0
    usage_records: int = 0
    """Records that carried a model call's usage, copies included."""
    repeated_records: int = 0
    """Of those, records that repeat the call of the usage record before them in the same file."""
    skipped: dict[str, int] = {}
    """Unreadable records by reason."""
    skips: list[Skip] = []
    """The first of them, and of what is unknown, with their lines."""
    unknown: dict[str, int] = {}
    """Records, fields and words that the reader does not know, by name: the format has moved."""
    error: str | None = None
    """Why the file as a whole could not be read, at the last try."""
    gone: bool = False
    """The agent deleted the file; its facts stay."""


class FileFacts(msgspec.Struct):
    """What one reading of one file yields, to be written in one transaction."""

    state: FileState
    session: Session | None
    requests: list[Request]
    more_sessions: list[Session] = []
    """Others that the file tells of: subagents, or all but one session of a database."""


def owner_rank(copied: int, started_at: int | None, session_key: str) -> str:
    """Sortable rank of a file's claim to a model call; the smallest wins.

    `copied`: 0 a call in a main transcript, 1 in a subagent's, 2 a record that itself names
    another session as its origin, 3 a nested report of another transcript's call. Then the
    session that began first, then the key, so that the order of reading never matters.
    """
    return f"{copied}{started_at or 10**14:015d}{session_key}"


class Event(msgspec.Struct, kw_only=True):
    """Something that happened to a session, for the feed."""

    id: int = 0
    """Given by the store, in the order of writing; 0 before that."""
    at: int
    session_key: str
    kind: str
    """The status that the session entered: one of `lib.status.StatusName`."""
    detail: str | None = None


class DaemonRow(msgspec.Struct, kw_only=True):
    """The state of one machine's daemon, as it last wrote it itself."""

    machine: str
    pid: int
    process_started: str | None = None
    """Opaque start mark of the process (see `lib.processes`), to tell a reused pid."""
    started_at: int
    beat_at: int
    """When it last showed that it lives."""
    phase: str = "starting"
    files_done: int = 0
    files_total: int = 0
    bytes_done: int = 0
    bytes_total: int = 0
    last_error: str | None = None
    software_version: str | None = None


class SourceRow(msgspec.Struct, kw_only=True):
    """One folder of one agent on one machine, and whether it could be read."""

    machine: str
    agent: str
    root: str
    state: Literal["ok", "absent", "unreadable"] = "ok"
    files: int = 0
    error: str | None = None
    checked_at: int = 0


class ServerProject(msgspec.Struct, kw_only=True):
    """A project that a LeanSpec server knows."""

    id: str
    name: str
    path: str


class ServerRunner(msgspec.Struct, kw_only=True):
    """Something that a LeanSpec server can start a session with."""

    id: str
    name: str
    available: bool | None = None
    """None: the server has not looked."""


class ServerRow(msgspec.Struct, kw_only=True):
    """One LeanSpec server as one machine's daemon last found it."""

    machine: str
    url: str
    """Without a slash at its end; never with a token."""
    name: str
    state: Literal["ok", "connecting", "unreachable", "refused", "no-leanspec", "off"] = (
        "connecting"
    )
    """`refused`: the token is missing or wrong. `no-leanspec`: something else answers there."""
    error: str | None = None
    version: str | None = None
    projects: list[ServerProject] = []
    runners: list[ServerRunner] = []
    default_runner: str | None = None
    sessions: int = 0
    checked_at: int = 0
    """When it was last asked."""
    seen_at: int | None = None
    """When it last answered as it should."""
    retry_at: int | None = None
    """When it is asked again after a failure."""


ActionKind = Literal["pause", "resume", "stop", "start", "retry", "delete", "archive", "create"]
ActionState = Literal["requested", "running", "done", "refused", "failed", "unverified"]
"""`refused`: whoever was asked said no. `unverified`: it was carried out, and its effect did
not show in time or could not be looked at."""


class Action(msgspec.Struct, kw_only=True):
    """Something that a viewer asked to be done, and what became of it. Never deleted."""

    id: str
    """Made by whoever asks; the same id twice is one action."""
    at: int
    kind: ActionKind
    by: str
    """Who asked: the viewer's name, or the machine whose page it was."""
    machine: str
    """Whose daemon has to do it."""
    session_key: str | None = None
    """None for `create`."""
    target: str = ""
    """The session, or the server, in words of that moment."""
    arguments: dict[str, str | list[str] | None] = {}
    """For `create`: `server`, `project_path`, `specs`, `runner`, `mode`, `prompt`."""
    state: ActionState = "requested"
    outcome: str | None = None
    """What became of it, in words; of a refusal the refuser's own."""
    result_key: str | None = None
    """Key of the session that it made."""
    updated_at: int = 0
