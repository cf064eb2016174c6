"""Which Cline sessions have a live process: each session's own file names it.

The file says `running` for ever after a kill, so the pid must still belong to a process that is
older than the session.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from lib import processes
from lib.model import Evidence
from lib.readers.cline_session import AGENT
from lib.readers.documents import read_beside
from lib.readers.values import TITLE_LENGTH, as_count, as_object, as_text, as_time, as_word

SOURCE = "cline-session-file"

_CLOCK_MS = 2_000
"""The time of boot, and with it that of a process, is known to about a second."""


class _Known(NamedTuple):
    mark: tuple[int, int]
    content: dict[str, Any] | None
    """None for a session that ended."""


_known: dict[str, _Known] = {}
"""What each file said when it was last read, so that a look every second stays cheap."""


def live(root: Path, now: int) -> Iterator[Evidence]:
    """Every session below `root` with a live process."""
    try:
        names = os.listdir(root)
    except OSError:
        return
    for name in names:
        content = _running(root / name / f"{name}.json")
        if content is not None:
            evidence = _evidence(name, content, now)
            if evidence is not None:
                yield evidence


def _running(path: Path) -> dict[str, Any] | None:
    """What the file of a session says that has not ended; None for any other."""
    key = str(path)
    try:
        status = os.stat(key)
    except OSError:
        _known.pop(key, None)
        return None
    mark = (status.st_size, status.st_mtime_ns)
    known = _known.get(key)
    if known is not None and known.mark == mark:
        return known.content
    content = read_beside(path)
    ended = not content or content.get("ended_at") is not None
    _known[key] = _Known(mark, None if ended else content)
    return _known[key].content


def _evidence(session_id: str, content: dict[str, Any], now: int) -> Evidence | None:
    pid, started_at = as_count(content.get("pid")), as_time(content.get("started_at"))
    process = processes.look(pid) if pid else None
    if process is None or started_at is None or process.created_ms > started_at + _CLOCK_MS:
        return None
    return Evidence(
        session_key=f"{AGENT}:{session_id}",
        source=SOURCE,
        agent=AGENT,
        session_id=session_id,
        observed_at=now,
        process="suspended" if process.suspended else "alive",
        pid=process.pid,
        process_started=process.started,
        project_path=as_word(content.get("cwd")),
        title=as_text(as_object(content.get("metadata")).get("title"), TITLE_LENGTH),
        started_at=started_at,
    )
