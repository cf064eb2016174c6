"""What each action does on a LeanSpec server, and how it is seen that it was done.

The server's word that it did something is not enough: it is asked how the session is until the
effect shows. `@leanspec/http-server` 0.2.28 pauses a session by SIGSTOP, resumes it by SIGCONT and
stops it by SIGKILL, each to the runner's own process and not to what that has started; it deletes
a session that runs as well, and stops it with that.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

import msgspec

from lib.leanspec import Client, LeanSpecError
from lib.leanspec_answers import first_line
from lib.leanspec_facts import ENDED, status_of
from lib.leanspec_log import SessionLog
from lib.model import Action, ActionKind, ActionState, Session

EFFECT_SECONDS = 8.0
"""How long an effect may take to show."""
LOOK_SECONDS = 0.2

_ALIVE = frozenset({"running", "paused"})
_STATES: dict[str, ActionState] = {
    "refused": "refused",
    "rejected": "refused",
    "not-found": "refused",
    # It may have been done nevertheless.
    "timeout": "unverified",
    "broken-off": "unverified",
}

Wait = Callable[[float], bool]
"""Waits for so many seconds; answers whether the wait was broken off for good."""


class Outcome(NamedTuple):
    """What became of an action."""

    state: ActionState
    words: str
    result_key: str | None = None


class Creation(msgspec.Struct, kw_only=True):
    """The arguments of `create`. Without a runner the project's default one is taken."""

    server: str
    project_path: str
    specs: list[str] = []
    runner: str | None = None
    mode: str | None = None
    prompt: str | None = None


class _Effect(NamedTuple):
    """An action that changes a session's status."""

    call: Callable[[Client, str], object]
    done: str
    reached: Callable[[str], bool]
    """Whether a status shows the effect."""
    past: Callable[[str], bool] = lambda _: False
    """Whether a status shows that the effect can't come any more."""


_EFFECTS: dict[ActionKind, _Effect] = {
    "start": _Effect(Client.start, "Started", lambda status: status != "pending"),
    "pause": _Effect(
        Client.pause,
        "Paused",
        lambda status: status == "paused",
        lambda status: status not in _ALIVE,
    ),
    "resume": _Effect(Client.resume, "Resumed", lambda status: status != "paused"),
    "stop": _Effect(Client.stop, "Stopped", lambda status: status in ENDED),
}


def carry_out(client: Client, asked: Action, session: Session | None, wait: Wait) -> Outcome:
    """Do what is asked for, on the session of `client`'s server; `create` has none. Never raises
    LeanSpecError.
    """
    try:
        if session is None:
            return _create(client, msgspec.convert(asked.arguments, Creation), wait)
        match asked.kind:
            case "retry":
                return _retry(client, session, wait)
            case "delete":
                return _delete(client, session.session_id)
            case "archive":
                return _archive(client, session.session_id)
            case kind:
                return _changed(client, kind, session.session_id, wait)
    except msgspec.ValidationError as error:
        return Outcome("refused", f"This can't be created: {error}.")
    except LeanSpecError as error:
        return _failed(error)


def key_of(session_id: str) -> str:
    """The key of a server's session."""
    return f"leanspec:{session_id}"


def _changed(client: Client, kind: ActionKind, session_id: str, wait: Wait) -> Outcome:
    effect = _EFFECTS[kind]
    effect.call(client, session_id)
    deadline = monotonic() + EFFECT_SECONDS
    while True:
        try:
            status = _status(client, session_id, kind)
        except LeanSpecError as error:
            return Outcome("unverified", f"How it is now can't be seen: {error}")
        if effect.reached(status):
            return Outcome("done", f"{effect.done}. The server says: {status}.")
        if effect.past(status):
            return Outcome("failed", f"It is {status}.")
        if monotonic() > deadline:
            return Outcome("unverified", f"Still {status} after {EFFECT_SECONDS:g} s.")
        if wait(LOOK_SECONDS):
            return Outcome("unverified", "The daemon was stopped before the effect could show.")


def _status(client: Client, session_id: str, kind: ActionKind) -> str:
    """The server's word for how a session is, where its log does not know better."""
    told, log = client.session(session_id), None
    if kind == "start" and told.status == "pending":
        log = SessionLog()
        for line in client.logs(session_id):
            log.add(line.level, line.message, line.timestamp)
    return first_line(status_of(told, log) or "unknown", 40)


def _delete(client: Client, session_id: str) -> Outcome:
    try:
        status = client.session(session_id).status
    except LeanSpecError as error:
        if error.kind == "not-found":
            return Outcome("done", "The server had deleted it already.")
        raise
    if status in _ALIVE:
        return Outcome("refused", f"It is {status}. Stop it before you delete it.")
    client.delete(session_id)
    try:
        client.session(session_id)
    except LeanSpecError as error:
        if error.kind == "not-found":
            return Outcome("done", "The server has deleted it with its log.")
        return Outcome("unverified", f"Whether it is gone can't be seen: {error}")
    return Outcome("unverified", "The server still has it.")


def _archive(client: Client, session_id: str) -> Outcome:
    path = first_line(client.archive(session_id), 1000)
    if not path:
        return Outcome("unverified", "The server did not say where it has written the log.")
    return Outcome("done", f"The server has written its log to {path}")


def _retry(client: Client, session: Session, wait: Wait) -> Outcome:
    # As the server knows it: what we keep of a prompt may be shortened.
    old = client.session(session.session_id)
    if old.project_path is None:
        return Outcome("refused", "The server does not say which project it belongs to.")
    again = Creation(
        server=client.url,
        project_path=old.project_path,
        specs=old.spec_ids,
        runner=old.runner,
        mode=old.mode,
        prompt=old.prompt,
    )
    return _create(client, again, wait)


def _create(client: Client, wanted: Creation, wait: Wait) -> Outcome:
    made = client.create(
        wanted.project_path,
        wanted.specs,
        wanted.prompt,
        wanted.runner,
        wanted.mode or "autonomous",
    )
    try:
        started = _changed(client, "start", made.id, wait)
    except LeanSpecError as error:
        failed = _failed(error)
        started = failed._replace(words=f"Created, but not started: {failed.words}")
    return started._replace(result_key=key_of(made.id))


def _failed(error: LeanSpecError) -> Outcome:
    return Outcome(_STATES.get(error.kind, "failed"), str(error))
