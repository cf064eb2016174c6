"""Databases as Cursor's command line and its editor are known to write them, for tests."""

import json
import sqlite3
from contextlib import closing
from hashlib import md5
from pathlib import Path

from tests.readers.json_lines import Json, moment, moment_ms

CHAT = "0f0e0d0c-1111-4222-8333-444455556666"
COMPOSER = "aaaabbbb-1111-4222-8333-444455556666"
FOLDER = "/home/dev/alpha"


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def user(words: str = "Fix it", second: float = 1) -> Json:
    query = f"<user_query>\n{words}\n</user_query>"
    return {"role": "user", "content": [text(query)], "createdAt": moment_ms(second)}


def injected(folder: str = FOLDER) -> Json:
    words = f"<user_info>\nOS Version: linux\nWorkspace Path: {folder}\n</user_info>"
    return {"role": "user", "content": words}


def answer(*blocks: Json, second: float = 2, model: str = "composer-2.5") -> Json:
    return {
        "role": "assistant",
        "content": list(blocks) or [text("Done.")],
        "createdAt": moment_ms(second),
        "providerOptions": {"cursor": {"modelName": model}},
    }


def tool(name: str = "Shell", call: str = "c1", **given: object) -> Json:
    return {"type": "tool-call", "toolCallId": call, "toolName": name, "args": given}


def result(call: str = "c1", second: float = 3) -> Json:
    block = {"type": "tool-result", "toolCallId": call, "toolName": "Shell", "result": "ok"}
    return {"role": "tool", "content": [block], "createdAt": moment_ms(second)}


def chat(
    folder: Path,
    messages: list[Json | bytes],
    record: Json | None = None,
    beside: Json | None = None,
    *,
    in_hexadecimal: bool = True,
) -> Path:
    """A session of the command line: `messages` that are bytes are written as they are."""
    name = md5(FOLDER.encode(), usedforsecurity=False).hexdigest()
    path = folder / "chats" / name / CHAT / "store.db"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    known = {"agentId": CHAT, "name": "New Agent", "createdAt": moment_ms(0)}
    told = json.dumps(known | (record or {}))
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE blobs (id TEXT PRIMARY KEY, data BLOB)")
        connection.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT)")
        value = told.encode().hex() if in_hexadecimal else told
        connection.execute("INSERT INTO meta VALUES ('0', ?)", (value,))
        for number, message in enumerate(messages):
            data = message if isinstance(message, bytes) else json.dumps(message).encode()
            connection.execute("INSERT INTO blobs VALUES (?, ?)", (f"{number:064x}", data))
    if beside is not None:
        (path.parent / "meta.json").write_text(json.dumps(beside))
    return path


class Editor:
    """The editor's database, written by a connection of its own a step."""

    def __init__(self, folder: Path):
        self.path = folder / "Cursor" / "User" / "globalStorage" / "state.vscdb"
        self.path.parent.mkdir(parents=True)
        self.run("CREATE TABLE cursorDiskKV (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")
        self.run("CREATE TABLE ItemTable (key TEXT UNIQUE ON CONFLICT REPLACE, value BLOB)")

    def run(self, statement: str, *values: object) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement, values)

    def put(self, key: str, value: object) -> None:
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.run("INSERT INTO cursorDiskKV VALUES (?, ?)", key, data)

    def bubble(self, number: int, kind: int, session: str = COMPOSER, **more: object) -> None:
        """A message (1 the user's, 2 the model's) or a call."""
        known: Json = {"type": kind, "createdAt": moment(number)}
        self.put(f"bubbleId:{session}:b{number}", known | more)

    def session(self, *kinds: int, session: str = COMPOSER, **more: object) -> None:
        """A session whose bubbles are of these kinds, from `b1` on."""
        headers = [{"bubbleId": f"b{number}", "type": kind} for number, kind in enumerate(kinds, 1)]
        known: Json = {
            "_v": 10,
            "composerId": session,
            "name": "Repair",
            "status": "completed",
            "createdAt": moment_ms(0),
            "lastUpdatedAt": moment_ms(2),
            "modelConfig": {"modelName": "claude-4.5-opus-high-thinking"},
            "fullConversationHeadersOnly": headers,
        }
        self.put(f"composerData:{session}", known | more)
