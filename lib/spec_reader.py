"""Specs on this machine's disk, read from the folder of a project.

A project's path, a spec's name and every link in the folder come from untrusted text: nothing is
opened whose real place lies outside the project's folder of specs, and nothing but plain files.
Where that folder is follows LeanSpec (`leanspec-core`: `storage/project_registry.rs`).
"""

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import yaml

from lib.readers.values import as_object, path_name
from lib.spec_text import LONGEST_TEXT, Spec, SubSpec, body_of, depends_on, from_markdown
from lib.specs import README, is_spec_name

FOLDERS = ("specs", ".lean-spec/specs", "doc/specs", "docs/specs")
"""Where LeanSpec looks, before it looks into the project's configuration."""
MOST_SPECS = 5_000
MOST_SUB_SPECS = 50
_CONFIGURATIONS = (".lean-spec/config.json", ".lean-spec/config.yaml")
_ARCHIVED = "archived"
_MAXIMUM_BYTES = 4 * LONGEST_TEXT
_HEAD_BYTES = 16_384
"""Of the other specs only the beginning is read, to see what they depend on."""


_MOST_HEADS = 40 * _HEAD_BYTES
"""Characters of beginnings that are parsed for one spec: a second or two."""


class SpecError(Exception):
    """Why a spec can't be shown, in words for people."""


def names(project_path: str) -> list[str]:
    """The names of a project's specs, the highest number first; archived ones at the end.

    Raises SpecError when the project has no folder of specs here.
    """
    folder = _specs_folder(project_path)
    archived = folder / _ARCHIVED
    found = [*_names_below(folder), *(_names_below(archived) if archived.is_dir() else ())]
    return list(dict.fromkeys(found))


def read(project_path: str, name: str) -> Spec:
    """The spec `name` of the project in that folder. Raises SpecError when there is none."""
    if not is_spec_name(name):
        raise SpecError(f"“{name[:100]}” can't be the name of a spec.")
    folder = _specs_folder(project_path)
    named = _readme(folder, name)
    if named is None:
        raise SpecError(f"There is no spec “{name}” in {path_name(folder)}.")
    readme = _inside(named, folder)
    spec = from_markdown(name, _text(readme, folder, _MAXIMUM_BYTES), path_name(readme))
    if named.parent.parent.name == _ARCHIVED:
        spec.status = _ARCHIVED
    spec.required_by, unread = _required_by(folder, name)
    if unread:
        spec.problems.append(f"Whether {unread:,} other specs depend on it was not looked at.")
    for path in _other_files(readme.parent):
        try:
            spec.sub_specs.append(
                SubSpec(path_name(path.name), body_of(_text(path, folder, _MAXIMUM_BYTES)))
            )
        except SpecError as error:
            spec.problems.append(str(error))
    return spec


def _specs_folder(project_path: str) -> Path:
    project = _real(Path(project_path)) if os.path.isabs(project_path) else None
    if project is None or not project.is_dir():
        raise SpecError(f"The folder {project_path} is not on this machine.")
    for candidate in (*FOLDERS, *_configured(project)):
        folder = _real(project / candidate)
        if folder is not None and folder.is_dir():
            if not folder.is_relative_to(project):
                raise SpecError(f"{candidate} leads out of {path_name(project)}.")
            return folder
    raise SpecError(f"{path_name(project)} has no folder of specs.")


def _configured(project: Path) -> Iterator[str]:
    """The folders that the project's own configuration names."""
    for name in _CONFIGURATIONS:
        try:
            text = _text(project / name, project, _HEAD_BYTES)
            # The base loader makes nothing but texts, lists and mappings, whatever a tag demands.
            told = json.loads(text) if name.endswith(".json") else yaml.load(text, yaml.BaseLoader)  # noqa: S506
        except (SpecError, ValueError, yaml.YAMLError, RecursionError):
            continue
        settings = as_object(told)
        configured = settings.get("specs_dir", settings.get("specsDir"))
        if isinstance(configured, str):
            yield configured


def _names_below(folder: Path) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            found = [entry.name for entry in entries if is_spec_name(entry.name) and entry.is_dir()]
    except OSError as error:
        raise SpecError(f"{path_name(folder)} can't be read: {error.strerror}.") from None
    return sorted(found, key=lambda name: (-int(name.partition("-")[0]), name))[:MOST_SPECS]


def _readme(folder: Path, name: str) -> Path | None:
    for place in (folder, folder / _ARCHIVED):
        path = place / name / README
        if os.path.lexists(path):
            return path
    return None


def _required_by(folder: Path, name: str) -> tuple[list[str], int]:
    """The specs whose frontmatter says that they depend on `name`, and how many were too much."""
    found: list[str] = []
    room, unread = _MOST_HEADS, 0
    for other in _names_below(folder):
        try:
            head = _text(folder / other / README, folder, _HEAD_BYTES)
        except SpecError:
            continue
        # Most don't, and parsing YAML is what takes time.
        if other == name or name not in head:
            continue
        room -= len(head)
        if room < 0:
            unread += 1
        elif name in depends_on(head):
            found.append(other)
    return found, unread


def _other_files(folder: Path) -> list[Path]:
    try:
        found = [path for path in folder.iterdir() if path.suffix.lower() == ".md"]
    except OSError:
        return []
    others = [path for path in found if path.name != README]
    return sorted(others, key=lambda path: path.name.lower())[:MOST_SUB_SPECS]


def _text(path: Path, within: Path, limit: int) -> str:
    """The first `limit` bytes of a plain file, whose real place must be below `within`."""
    real = _inside(path, within)
    try:
        # What was a plain file a moment ago may be a link or a pipe by now.
        descriptor = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise SpecError(f"{path_name(path)} is no plain file.")
            return file.read(limit).decode("utf-8", "replace")
    except OSError as error:
        raise SpecError(f"{path_name(path)} can't be read: {error.strerror}.") from None


def _inside(path: Path, within: Path) -> Path:
    """The real place of `path`, which must be below the real path `within`."""
    real = _real(path)
    if real is None:
        raise SpecError(f"There is no {path_name(path)}.")
    if not real.is_relative_to(within):
        raise SpecError(f"{path_name(path)} leads out of the folder of specs. It was not read.")
    return real


def _real(path: Path) -> Path | None:
    """The path without links; None where there is nothing, or a ring of links."""
    try:
        return path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):
        return None
