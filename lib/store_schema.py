"""The store's tables. A row is a struct of `lib.model`; what a migration added stands at the end.

Times are milliseconds since the epoch, UTC. `version` is the store's version in which a row
last changed. A new database gets these tables at once, an older one by `lib.migrations`; a test
holds the two together.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    Text,
    TypeDecorator,
)
from sqlalchemy.types import TypeEngine

from lib.model import ServerProject, ServerRunner, Skip

SCHEMA = "0002"
"""The newest migration. Four digits, so that a later one compares greater."""

VERSION_TABLE = "quarterdeck_schema"
"""Where alembic keeps which migrations a database has seen."""

_ESCAPE = "\x1a"
_UNSTORABLE = re.compile(r"[\x00\x1a\ud800-\udfff]")
_ESCAPED = re.compile(r"\x1a([0-9a-f]{4})")


def storable(text: str | None) -> str | None:
    """`text` as every database takes it; `original` gives the same text back.

    A path may hold bytes that are no UTF-8, which Python shows as lone surrogates, and an
    error message may hold a NUL. Each becomes U+001A and its four hexadecimal digits, and so
    does U+001A itself.
    """
    if text is None or text.isprintable():
        return text
    return _UNSTORABLE.sub(lambda found: f"{_ESCAPE}{ord(found[0]):04x}", text)


def storable_column(texts: Sequence[str | None]) -> Iterable[str | None]:
    """`storable` of each; quick where none needs it, as in nearly every column of identifiers."""
    joined = "".join(filter(None, texts))
    if joined.isascii() and "\0" not in joined and _ESCAPE not in joined:
        return texts
    return map(storable, texts)


def original(text: str | None) -> str | None:
    """The text that `storable` was given."""
    if text is None or _ESCAPE not in text:
        return text
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


class Words(TypeDecorator[str]):
    """Any Python text. Ordered by code point on every database, whatever its locale."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[str]:
        return Text(collation="C") if dialect.name == "postgresql" else Text()

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return storable(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return original(value)


class Json(TypeDecorator[Any]):
    """A small value as JSON text. `kind` is its type, as msgspec takes it."""

    impl = Text
    cache_ok = True

    def __init__(self, kind: Any):
        super().__init__()
        self.kind = kind
        self._decode: Callable[[str], Any] = msgspec.json.Decoder(kind).decode

    def process_bind_param(self, value: Any, dialect: Dialect) -> str:  # noqa: ARG002
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:  # noqa: ARG002
        return self._decode(value or "null")


class Whole(TypeDecorator[int]):
    """A whole number of any size, as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else str(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        return None if value is None else int(value)


metadata = MetaData()

_IDENTITY = BigInteger().with_variant(Integer(), "sqlite")

store_state = Table(
    "store_state",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", BigInteger, nullable=False),
    # The version in which rows were last deleted: readers that add up changes start anew.
    Column("removed_version", BigInteger, nullable=False),
)

file = Table(
    "file",
    metadata,
    Column("path", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("machine", Words, primary_key=True),
    Column("session_key", Words),
    # Text: file systems hand out 64 and 128 bits without a sign, databases take 63.
    Column("device", Whole, nullable=False),
    Column("inode", Whole, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("offset", BigInteger, nullable=False),
    Column("line", BigInteger, nullable=False),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("discarding", Boolean, nullable=False),
    Column("reader_version", Integer, nullable=False),
    Column("reader_state", LargeBinary, nullable=False),
    Column("records", BigInteger, nullable=False),
    Column("usage_records", BigInteger, nullable=False),
    Column("repeated_records", BigInteger, nullable=False),
    Column("skipped", Json(dict[str, int]), nullable=False),
    Column("skips", Json(list[Skip]), nullable=False),
    Column("error", Words),
    Column("gone", Boolean, nullable=False),
    Column("unknown", Json(dict[str, int]), nullable=False, server_default="{}"),
)

session = Table(
    "session",
    metadata,
    Column("key", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("session_id", Words, nullable=False),
    Column("parent_key", Words),
    Column("forked_from", Words),
    Column("machine", Words, nullable=False),
    Column("source_path", Words, nullable=False),
    Column("project_path", Words),
    Column("branch", Words),
    Column("title", Words),
    Column("first_prompt", Words),
    Column("last_message", Words),
    Column("model", Words),
    Column("agent_version", Words),
    Column("entrypoint", Words),
    Column("started_at", BigInteger),
    Column("last_activity_at", BigInteger),
    Column("turn", Words, nullable=False),
    Column("turn_detail", Words),
    Column("turn_started_at", BigInteger),
    Column("ended_cleanly", Boolean, nullable=False),
    Column("error_class", Words),
    Column("error_message", Words),
    Column("resets_at", BigInteger),
    Column("turns", BigInteger, nullable=False),
    Column("turn_requests", BigInteger, nullable=False),
    Column("todo_done", BigInteger, nullable=False),
    Column("todo_total", BigInteger, nullable=False),
    Column("context_tokens", BigInteger),
    Column("context_window", BigInteger),
    Column("registered", Boolean, nullable=False),
    Column("flags", Json(list[str]), nullable=False),
    # Also moves when the session's requests, evidence or dismissal change.
    Column("version", BigInteger, nullable=False),
    Column("specs", Json(list[str]), nullable=False, server_default="[]"),
    Column("server", Words),
    Column("runner", Words),
    Column("mode", Words),
    Column("protocol", Words),
    Column("exit_code", BigInteger),
    Column("retry_of", Words),
    Column("reported_tokens", BigInteger),
    Column("reported_cost_usd", Double),
    Index("session_version", "version"),
)

request = Table(
    "request",
    metadata,
    Column("key", Words, primary_key=True),
    Column("session_key", Words, nullable=False),
    # Without the session's key at its end, see `lib.store_merge`.
    Column("owner_rank", Words, nullable=False),
    Column("at", BigInteger),
    Column("model", Words),
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("cache_read_tokens", BigInteger, nullable=False),
    Column("cache_write_5m_tokens", BigInteger, nullable=False),
    Column("cache_write_1h_tokens", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("web_search_requests", BigInteger, nullable=False),
    Column("service_tier", Words),
    Column("speed", Words),
    Column("region", Words),
    # Whose copy everything else was taken from; null where it is the owner's.
    Column("content_rank", Words),
    Column("content_session_key", Words),
    # The owner before `version`; its totals changed too.
    Column("previous_session_key", Words),
    Column("version", BigInteger, nullable=False),
    Column("reported_cost_usd", Double),
    Index("request_session_key", "session_key"),
    Index("request_version", "version"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("session_key", Words, primary_key=True),
    Column("source", Words, primary_key=True),
    Column("agent", Words, nullable=False),
    Column("session_id", Words, nullable=False),
    Column("machine", Words, primary_key=True),
    Column("observed_at", BigInteger, nullable=False),
    Column("process", Words, nullable=False),
    Column("turn", Words),
    Column("detail", Words),
    Column("since", BigInteger),
    Column("pid", BigInteger),
    Column("process_started", Words),
    Column("turn_limit", BigInteger),
    Column("project_path", Words),
    Column("title", Words),
    Column("started_at", BigInteger),
    Column("version", BigInteger, nullable=False),
    Index("evidence_version", "version"),
)

event = Table(
    "event",
    metadata,
    Column("id", _IDENTITY, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("session_key", Words, nullable=False),
    Column("kind", Words, nullable=False),
    Column("detail", Words),
    Index("event_session_key", "session_key"),
    # An id is never given twice, also when the newest rows were removed.
    sqlite_autoincrement=True,
)

dismissal = Table(
    "dismissal",
    metadata,
    Column("session_key", Words, primary_key=True),
    Column("at", BigInteger, nullable=False),
)

daemon = Table(
    "daemon",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("pid", BigInteger, nullable=False),
    Column("process_started", Words),
    Column("started_at", BigInteger, nullable=False),
    Column("beat_at", BigInteger, nullable=False),
    Column("phase", Words, nullable=False),
    Column("files_done", BigInteger, nullable=False),
    Column("files_total", BigInteger, nullable=False),
    Column("bytes_done", BigInteger, nullable=False),
    Column("bytes_total", BigInteger, nullable=False),
    Column("last_error", Words),
    Column("software_version", Words),
)

source = Table(
    "source",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("agent", Words, primary_key=True),
    Column("root", Words, primary_key=True),
    Column("state", Words, nullable=False),
    Column("files", BigInteger, nullable=False),
    Column("error", Words),
    Column("checked_at", BigInteger, nullable=False),
)

server = Table(
    "server",
    metadata,
    Column("machine", Words, primary_key=True),
    Column("url", Words, primary_key=True),
    Column("name", Words, nullable=False),
    Column("state", Words, nullable=False),
    Column("error", Words),
    Column("version", Words),
    Column("projects", Json(list[ServerProject]), nullable=False),
    Column("runners", Json(list[ServerRunner]), nullable=False),
    Column("default_runner", Words),
    Column("sessions", BigInteger, nullable=False),
    Column("checked_at", BigInteger, nullable=False),
    Column("seen_at", BigInteger),
    Column("retry_at", BigInteger),
)

action = Table(
    "action",
    metadata,
    Column("id", Words, primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("kind", Words, nullable=False),
    Column("by", Words, nullable=False),
    Column("machine", Words, nullable=False),
    Column("session_key", Words),
    Column("target", Words, nullable=False),
    Column("arguments", Json(dict[str, str | list[str] | None]), nullable=False),
    Column("state", Words, nullable=False),
    Column("outcome", Words),
    Column("result_key", Words),
    Column("updated_at", BigInteger, nullable=False),
    Index("action_state", "machine", "state"),
    Index("action_at", "at"),
)

schema_version = Table(
    VERSION_TABLE,
    # Apart: alembic does not count its own table among those that it compares.
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name=f"{VERSION_TABLE}_pkc"),
)
"""As alembic makes it."""
