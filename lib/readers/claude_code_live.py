"""Live Claude Code sessions: `<config>/sessions/<pid>.json`, one file a process.

Written since 2.1.139 by every session, print mode included, on each change of status; its age
says nothing. Removed at a clean exit and on SIGTERM, left behind by SIGKILL, so a file counts
only while its pid belongs to the process that wrote it: `procStart` is field 22 of
`/proc/<pid>/stat`. The `.key` files beside hold tokens and are never opened.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from lib import processes
from lib.model import Evidence, Turn
from lib.plain_file import NotPlainError, open_plain
from lib.processes import ProcessFact
from lib.readers.claude_code_records import AGENT
from lib.readers.values import (
    TITLE_LENGTH,
    Unreadable,
    as_count,
    as_text,
    as_time,
    as_word,
    decode_object,
)

SOURCE = "claude-registry"

_REGISTRY_FILE = re.compile(r"([1-9][0-9]{0,9})\.json")
_MAXIMUM_FILE = 1 << 16
_TURNS: Mapping[object, Turn] = {
    "busy": "running",
    "idle": "idle",
    "shell": "idle",
    "waiting": "waiting",
}
_DOMAIN = re.compile(r"linux:([0-9a-f]*):(pid:\[\d+\])")
_NO_MACHINE = re.compile("0*")
_START_BEFORE_MS = 120_000
_START_AFTER_MS = 2_000


def config_folders(environ: Mapping[str, str]) -> list[Path]:
    """Claude Code's own folders: those that CLAUDE_CONFIG_DIR lists, else the usual two."""
    home = home_folder(environ)
    listed = [part.strip() for part in environ.get("CLAUDE_CONFIG_DIR", "").split(",")]
    if any(listed):
        return list(dict.fromkeys(_expanded(part, home) for part in listed if part))
    xdg = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    return [home / ".claude", xdg / "claude"]


def home_folder(environ: Mapping[str, str]) -> Path:
    """The home folder that `environ` names, else the user's."""
    return Path(environ.get("HOME") or Path.home())


def live(environ: Mapping[str, str], now: int) -> Iterator[Evidence]:
    """Every session with a live process, and those whose process can't be seen from here.

    Raises OSError when a registry, or at the end when a file of one, is there and can't be read:
    silence would look like death.
    """
    problem: OSError | None = None
    for folder in config_folders(environ):
        try:
            names = os.listdir(folder / "sessions")
        except (FileNotFoundError, NotADirectoryError):
            continue
        for name in names:
            if not _REGISTRY_FILE.fullmatch(name):
                continue
            try:
                evidence = _evidence(folder / "sessions" / name, now)
            except OSError as error:
                problem = error
                continue
            if evidence is not None:
                yield evidence
    if problem is not None:
        raise problem


def _evidence(path: Path, now: int) -> Evidence | None:
    """What one registry file proves now; None for one that is left over, partial or junk."""
    try:
        with open_plain(path) as file:
            claim = decode_object(file.read(_MAXIMUM_FILE))
    except (FileNotFoundError, NotPlainError, Unreadable):
        return None
    except PermissionError:
        if os.stat(path).st_uid == os.getuid():
            raise
        # As `sudo claude` leaves: another user's process.
        return None
    session_id = as_word(claim.get("sessionId"))
    if session_id is None:
        return None
    evidence = Evidence(
        session_key=f"{AGENT}:{session_id}",
        source=SOURCE,
        agent=AGENT,
        session_id=session_id,
        observed_at=now,
        project_path=as_word(claim.get("cwd")),
        title=_given_name(claim),
        started_at=as_time(claim.get("startedAt")),
    )
    process = _writer(path, claim)
    if process is None:
        return evidence if _is_elsewhere(claim.get("pidDomain")) else None
    pid = process.pid
    status = claim.get("status")
    evidence.pid, evidence.process_started = pid, process.started
    evidence.process = "suspended" if process.suspended else "alive"
    evidence.turn = _TURNS.get(status) if isinstance(status, str) else None
    evidence.detail = _detail(claim)
    evidence.since = as_time(claim.get("statusUpdatedAt")) or as_time(claim.get("updatedAt"))
    evidence.turn_limit = _turn_limit(pid, process.started)
    return evidence


def _detail(claim: dict[str, Any]) -> str | None:
    if claim.get("status") == "waiting":
        return as_text(claim.get("waitingFor"), TITLE_LENGTH)
    return "a shell runs in the background" if claim.get("status") == "shell" else None


def _given_name(claim: dict[str, Any]) -> str | None:
    """The session's name if somebody chose it; derived ones are a folder's name and a number."""
    chosen = claim.get("nameSource") in ("user", "peer")
    return as_text(claim.get("name"), TITLE_LENGTH) if chosen else None


def _writer(path: Path, claim: dict[str, Any]) -> ProcessFact | None:
    """The live process that wrote the file. Its pid stands in the file and is the file's name."""
    for pid in dict.fromkeys([as_count(claim.get("pid")), int(path.stem)]):
        process = processes.look(pid) if pid else None
        if process is not None and _is_writer(process, claim):
            return process
    return None


def _is_writer(process: ProcessFact, claim: dict[str, Any]) -> bool:
    """Whether this process wrote the file, rather than a later one with the same pid."""
    mark = claim.get("procStart")
    if mark is not None and sys.platform.startswith("linux"):
        return str(mark) == process.started
    started_at = as_time(claim.get("startedAt"))
    if started_at is None:
        return False
    return started_at - _START_BEFORE_MS <= process.created_ms <= started_at + _START_AFTER_MS


def _is_elsewhere(domain: object) -> bool:
    """Whether the pid counts on another machine or in another pid namespace than ours."""
    theirs = _DOMAIN.fullmatch(domain) if isinstance(domain, str) else None
    machine, namespace = _own_domain()
    if theirs is None:
        return False
    # Many containers have no machine id; a namespace tells them apart all the same.
    if namespace is not None and theirs[2] != namespace:
        return True
    return machine is not None and theirs[1] != machine and not _NO_MACHINE.fullmatch(theirs[1])


@cache
def _own_domain() -> tuple[str | None, str | None]:
    """Our machine's id and pid namespace; None for what can't be known."""
    try:
        machine = Path("/etc/machine-id").read_text(encoding="ascii").strip() or None
    except (OSError, ValueError):
        machine = None
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = None
    return machine, namespace


@lru_cache(maxsize=1024)
def _turn_limit(pid: int, started: str) -> int | None:  # noqa: ARG001 - tells a reused pid
    """The `--max-turns` that the process was started with, looked up once."""
    arguments = processes.arguments(pid)
    for number, argument in enumerate(arguments):
        name, _, value = argument.partition("=")
        if name == "--max-turns":
            value = value or next(iter(arguments[number + 1 : number + 2]), "")
            return int(value) if re.fullmatch("[0-9]{1,6}", value) else None
    return None


def _expanded(folder: str, home: Path) -> Path:
    return home / folder[2:] if folder.startswith("~/") else Path(folder)
