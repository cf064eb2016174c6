"""What a project is called: short, and told apart from others."""

from collections.abc import Iterable
from typing import Any

import pandas as pd


def project_names(paths: "pd.Series[Any]") -> "pd.Series[Any]":
    """The last part of each path; with as many more as tell it from all others, or all of it."""
    unique = [path for path in paths.dropna().unique() if isinstance(path, str)]
    parts = {path: [part for part in path.replace("\\", "/").split("/") if part] for path in unique}
    names: dict[str, str] = {}
    waiting = parts
    length = 1
    while waiting:
        taken: dict[str, int] = {}
        for words in waiting.values():
            name = "/".join(words[-length:])
            taken[name] = taken.get(name, 0) + 1
        done: dict[str, str] = {}
        for path, words in waiting.items():
            name = "/".join(words[-length:])
            if taken[name] == 1 and name:
                done[path] = name
            elif length >= len(words):
                done[path] = path
        names |= done
        waiting = {path: words for path, words in waiting.items() if path not in done}
        length += 1
    return paths.map(names)


def called(name: str, known: Iterable[str]) -> list[str]:
    """Which of the `known` names a name means that was given to a project earlier.

    `api` becomes `work/api` when another `api` appears: then it means every project of that name.
    """
    names = list(known)
    if name in names:
        return [name]
    longer = [one for one in names if one.endswith(f"/{name}")]
    return longer or [one for one in names if name.endswith(f"/{one}")]
