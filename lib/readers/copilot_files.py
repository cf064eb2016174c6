"""The small files beside Copilot's events: `workspace.yaml` and the to-dos in `session.db`."""

import json
import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from lib.plain_file import open_plain

_MAXIMUM_WORKSPACE = 1 << 16
_MAXIMUM_DATABASE = 1 << 24
_MAXIMUM_STEPS = 1_000_000
_LINE = re.compile(r"^([a-z_]+):(.*)$", re.MULTILINE)


def workspace(folder: Path) -> dict[str, str]:
    """Names to one-line texts of `workspace.yaml`; empty where there is none to read."""
    try:
        with open_plain(folder / "workspace.yaml") as file:
            text = file.read(_MAXIMUM_WORKSPACE).decode("utf-8", "replace")
    except OSError:
        return {}
    pairs = ((found[1], _scalar(found[2].strip())) for found in _LINE.finditer(text))
    return {name: value for name, value in pairs if value is not None}


def todo_counts(folder: Path) -> tuple[int, int] | None:
    """How many to-dos are done, and how many there are; None where that can't be read.

    A copy of the database and of its log is read, because even a reader of the original would
    hold a lock that the agent might run into. A copy made in mid-write reads as damaged.
    """
    try:
        with tempfile.TemporaryDirectory() as copy:
            for name in ("session.db", "session.db-wal"):
                content = _content(folder / name)
                if content is not None:
                    (Path(copy) / name).write_bytes(content)
            database = Path(copy) / "session.db"
            if not database.exists():
                return None
            with closing(sqlite3.connect(database)) as connection:
                # The table may be anything, such as a view that never ends.
                connection.set_progress_handler(lambda: 1, _MAXIMUM_STEPS)
                query = "SELECT coalesce(sum(status = 'done'), 0), count(*) FROM todos"
                done, total = connection.execute(query).fetchone()
    except (OSError, sqlite3.Error):
        return None
    return int(done), int(total)


def _content(path: Path) -> bytes | None:
    try:
        with open_plain(path) as file:
            content = file.read(_MAXIMUM_DATABASE + 1)
    except FileNotFoundError:
        return None
    if len(content) > _MAXIMUM_DATABASE:
        raise OSError("too large")
    return content


def _scalar(text: str) -> str | None:
    """A plain or quoted YAML scalar; None for anything else."""
    if text.startswith('"'):
        try:
            value = json.loads(text)
        except ValueError:
            return None
        return value if isinstance(value, str) else None
    if text.startswith("'"):
        inside = re.fullmatch(r"'((?:[^']|'')*)'", text)
        return inside[1].replace("''", "'") if inside else None
    return text if text and text[0] not in "|>&*!{[#%@`" else None
