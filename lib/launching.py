"""Starting a session on a LeanSpec server: what can be chosen, and the request that comes of it."""

import contextlib
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from lib.leanspec import Client, LeanSpecError
from lib.model import Action, ServerProject, ServerRow
from lib.servers import ServerSetting
from lib.spec_text import Spec, from_server
from lib.specs import is_spec_name

ANSWER_SECONDS = 5.0
"""How long each question to a server may take while somebody looks at the form."""
LONGEST_PROMPT = 100_000
MODES = {
    "autonomous": "Autonomous: it works to the end",
    "guided": "Guided: it asks on its way",
}


class Offer(msgspec.Struct, kw_only=True):
    """What a project on a server has to choose from."""

    specs: list[Spec] = []
    """Without their text, the newest first."""
    specs_error: str | None = None
    runners: dict[str, str] = {}
    """Names of those that can be started, by id."""
    default_runner: str | None = None
    runners_error: str | None = None


class Choice(NamedTuple):
    """What somebody chose."""

    project: ServerProject
    specs: list[str]
    runner: str
    mode: str
    prompt: str


def ask(setting: ServerSetting, row: ServerRow, project: ServerProject) -> Offer:
    """Ask a server what it has for a project. Never raises: the offer tells what failed."""
    offer = known(row)
    try:
        with Client(setting.url, setting.token, ANSWER_SECONDS) as client:
            runners = client.runners(project.path)
            offer.default_runner = runners.default
            offer.runners = {one.id: one.name or one.id for one in runners.runners if one.available}
            offer.specs, offer.specs_error = _specs(client, project, setting.url)
    except LeanSpecError as error:
        # The second question is not asked where the first had no answer: somebody waits.
        offer.runners_error = offer.specs_error = str(error)
    return offer


def known(row: ServerRow) -> Offer:
    """What the daemon has heard of a server, which is nothing of its specs."""
    return Offer(
        runners={one.id: one.name for one in row.runners if one.available},
        default_runner=row.default_runner,
    )


def in_order(rows: Sequence[ServerRow], machine: str) -> list[ServerRow]:
    """The servers that can be chosen: this machine's first, those that answer before others."""
    usable = [row for row in rows if row.state != "off" and row.projects]
    return sorted(usable, key=lambda row: (row.machine != machine, row.state != "ok", row.name))


def server_asked_for(rows: Sequence[ServerRow], asked: str) -> ServerRow | None:
    """The server that a link names, by URL or name."""
    return next((row for row in rows if asked in (row.url, row.name)), None)


def project_asked_for(projects: Sequence[ServerProject], asked: str) -> ServerProject | None:
    """The project that a link names, by id, path or name."""
    fields = ("id", "path", "name")
    found = (one for field in fields for one in projects if getattr(one, field) == asked)
    return next(found, None)


def refusal(choice: Choice, offer: Offer) -> str | None:
    """Why nothing can be started of this choice, in words; None when it can be asked for."""
    if not choice.specs and not choice.prompt.strip():
        return "Choose a spec or write a prompt: a session needs something to work on."
    if choice.runner not in offer.runners or choice.mode not in MODES:
        return "Choose a runner and a mode of those that there are."
    listed = {spec.name for spec in offer.specs}
    wrong = [name for name in choice.specs if name not in listed and not is_spec_name(name)]
    if wrong:
        return "A spec is named like its folder, for instance 042-dark-mode."
    return None


def request(action_id: str, row: ServerRow, choice: Choice, by: str, at: int) -> Action:
    """The action that starts a session of `choice` on a server. `at`: now, in milliseconds."""
    return Action(
        id=action_id,
        at=at,
        kind="create",
        by=by,
        machine=row.machine,
        target=f"{choice.project.name} on {row.name}",
        arguments={
            "server": row.url,
            "project_path": choice.project.path,
            "specs": choice.specs,
            "runner": choice.runner,
            "mode": choice.mode,
            "prompt": choice.prompt.strip() or None,
        },
        updated_at=at,
    )


def _specs(client: Client, project: ServerProject, url: str) -> tuple[list[Spec], str | None]:
    """The specs of a project, and why not all of them."""
    try:
        answers = client.specs(project.id)
    except LeanSpecError as error:
        return [], str(error)
    found: list[Spec] = []
    for answer in answers:
        with contextlib.suppress(ValueError):
            found.append(from_server(answer, url))
    found.sort(key=lambda spec: (-(spec.number or 0), spec.name))
    unreadable = len(answers) - len(found)
    return found, f"{unreadable:,} of them can't be read." if unreadable else None
