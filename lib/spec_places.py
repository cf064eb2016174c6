"""Where the specs of a project are: in its folder on this machine, on a server, or elsewhere.

A path is looked for on this machine's disk only when a session of this very machine lies there,
and a server is asked only when this machine's daemon knows it.
"""

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple, TypeVar

import pandas as pd

from lib import spec_reader
from lib.cards import Row, text
from lib.leanspec import Client, LeanSpecError
from lib.model import ServerRow
from lib.projects import called
from lib.sections import top_level
from lib.servers import configured
from lib.settings import settings
from lib.spec_reader import SpecError
from lib.spec_text import Spec, from_server
from lib.specs import is_spec_name

SERVER_SECONDS = 3.0
"""What a page waits for a server."""
_FRESH_SECONDS = 30

Value = TypeVar("Value")


class Place(NamedTuple):
    """A folder of a project on a machine, or a project of a server."""

    machine: str
    path: str
    server: str | None = None
    """Base URL of the LeanSpec server that knows the project."""
    project_id: str = ""


def places(frame: pd.DataFrame, servers: Iterable[ServerRow], project: str) -> list[Place]:
    """Where the sessions of the project with this short name lie, this machine's folders first."""
    here = settings().machine
    rows = top_level(frame)
    names = called(project, rows["project"].dropna().unique())
    rows = rows[rows["project"].isin(names) & ~rows["sample"]]
    local = rows[rows["server"].isna()]
    pairs = local[["machine", "project_path"]].drop_duplicates().itertuples(index=False)
    folders = [Place(str(machine), str(path)) for machine, path in pairs]
    paths = set(rows["project_path"])
    served = [
        Place(row.machine, one.path, row.url, one.id)
        for row in servers
        for one in row.projects
        if one.path in paths
    ]
    return sorted([*folders, *served], key=lambda place: place.machine != here)


def read(found: Sequence[Place], name: str) -> Spec:
    """The spec from the first of the places that has it. Raises SpecError with what each said."""
    return _first(found, lambda place: _read(place, name))


def names(found: Sequence[Place]) -> list[str]:
    """The specs of the first of the places that has some. Raises SpecError."""
    return _first(found, _names)


def has_spec(row: Row, name: str) -> bool:
    """Whether the spec that a session names can be opened: not if it is known not to be there.

    The branch `168-fix` is named after a spec only where there are specs.
    """
    path = text(row.get("project_path"))
    if row.get("sample"):
        return False
    if path is None or text(row.get("server")) or row["machine"] != settings().machine:
        return True
    return name in _names_lately(path, int(time.monotonic() // _FRESH_SECONDS))


@lru_cache(maxsize=256)
def _names_lately(path: str, _moment: int) -> frozenset[str]:
    try:
        return frozenset(spec_reader.names(path))
    except SpecError:
        return frozenset()


def _first(found: Sequence[Place], look: Callable[[Place], Value]) -> Value:
    reasons: list[str] = []
    for place in found:
        try:
            return look(place)
        except (SpecError, LeanSpecError) as error:
            reasons.append(str(error))
    raise SpecError("\n".join(dict.fromkeys(reasons)) or "No session of this project was seen.")


def _read(place: Place, name: str) -> Spec:
    _must_be_here(place)
    if place.server is None:
        return spec_reader.read(place.path, name)
    if not is_spec_name(name):
        raise SpecError(f"“{name[:100]}” can't be the name of a spec.")
    with _client(place.server) as client:
        answer = client.spec(place.project_id, name)
    try:
        return from_server(answer, place.server)
    except ValueError as error:
        raise SpecError(f"{place.server}: {error}.") from None


def _names(place: Place) -> list[str]:
    _must_be_here(place)
    if place.server is None:
        return spec_reader.names(place.path)
    with _client(place.server) as client:
        answer = client.specs(place.project_id)
    told = (spec.get("specName") for spec in answer)
    return [name for name in told if isinstance(name, str) and is_spec_name(name)]


def _must_be_here(place: Place) -> None:
    if place.machine != settings().machine:
        what = place.server or place.path
        raise SpecError(f"Its specs are at {what} of {place.machine}. Open the board there.")


def _client(url: str) -> Client:
    known = configured(settings(), os.environ).servers
    setting = next((server for server in known if server.url == url), None)
    if setting is not None and not setting.on:
        raise SpecError(f"Its specs are on {setting.name}, which is switched off.")
    return Client(url, setting.token if setting else None, SERVER_SECONDS)
