"""Which specs a session works on, as far as names tell.

LeanSpec keeps a spec in `specs/<number>-<name>/` and names branches after it (`168-orchestration`,
`feature/168-orchestration`). Several may be meant, and often none is.
"""

import posixpath
import re
from typing import cast
from urllib.parse import unquote, urlencode, urlsplit

from lib.model import Session

README = "README.md"
"""The file that is the spec; any other Markdown beside it belongs to it."""
MOST_SPECS = 8
"""Of a session. Whoever reads through a whole folder of specs works on none of the later ones."""

_NAME = r"\d{2,4}-[a-z0-9][a-z0-9_-]*"
_FLAGS = re.IGNORECASE | re.ASCII
_WHOLE = re.compile(_NAME, _FLAGS)
_IN_BRANCH = re.compile(rf"(?:^|/)({_NAME})$", _FLAGS)
_IN_TEXT = re.compile(rf"(?<![\w-])specs[/\\]+(?:archived[/\\]+)?({_NAME})(?![\w-])", _FLAGS)
_MOST_TEXT = 20_000
_LONGEST_NAME = 120
_LONGEST_ARGUMENT = 2_000
"""Of a tool call: a path or a command. What is longer is the text of a file."""


def is_spec_name(name: str) -> bool:
    """Whether this can be the name of a spec's folder: a number, a dash and plain characters."""
    return len(name) <= _LONGEST_NAME and _WHOLE.fullmatch(name) is not None


def names_in(text: str) -> list[str]:
    """The specs whose folders `text` names (`specs/168-orchestration/…`), in its order."""
    if "specs" not in text:
        return []
    found = (match[1] for match in _IN_TEXT.finditer(text[:_MOST_TEXT]))
    return [name for name in dict.fromkeys(found) if len(name) <= _LONGEST_NAME]


def specs_of(session: Session) -> list[str]:
    """The specs of a session, the one that is most surely meant first.

    On a server those that the server names; else the one that the branch is named after, then
    those in the prompt, then those whose files the session touched.
    """
    branch = _IN_BRANCH.search(session.branch or "")
    named = [branch[1]] if branch is not None else []
    named += names_in(session.first_prompt or "")
    ordered = [*session.specs, *named] if session.server else [*named, *session.specs]
    return [name for name in dict.fromkeys(ordered) if is_spec_name(name)][:MOST_SPECS]


def note_touched(specs: list[str], text: object) -> None:
    """Add to `specs`, of which there are at most `MOST_SPECS`, those whose files `text` names."""
    if isinstance(text, str) and "specs" in text and len(specs) < MOST_SPECS:
        specs.extend(name for name in names_in(text) if name not in specs)
        del specs[MOST_SPECS:]


def note_touched_by(specs: list[str], arguments: object) -> None:
    """As `note_touched`, for the arguments of a tool call; texts that are written don't count."""
    if isinstance(arguments, dict) and len(specs) < MOST_SPECS:
        for value in cast(dict[str, object], arguments).values():
            if isinstance(value, str) and len(value) <= _LONGEST_ARGUMENT:
                note_touched(specs, value)


def page_link(project: str | None, name: str, file: str | None = None) -> str:
    """Address of a spec's page, or of another file of it, relative to our other pages."""
    asked = {"project": project, "spec": name, "file": file}
    return f"spec?{urlencode({key: value for key, value in asked.items() if value})}"


def resolved(target: str, project: str | None, name: str) -> str | None:
    """The page that a relative link in the spec `name` means, if it is one of the specs'.

    `../239-sessions/README.md` is another spec, `TESTING.md` another file of the same.
    """
    path = unquote(urlsplit(target).path)
    if not path or path.startswith("/"):
        return None
    parts = posixpath.normpath(f"specs/{name}/{path}").split("/")
    if len(parts) not in (2, 3) or parts[0] != "specs" or not is_spec_name(parts[1]):
        return None
    file = parts[2] if len(parts) == 3 else README
    if not file.endswith(".md"):
        return None
    return page_link(project, parts[1], None if file == README else file)
