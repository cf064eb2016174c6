"""What a project is called: short, and told apart from others."""

from typing import Any

import pandas as pd


def project_names(paths: "pd.Series[Any]") -> "pd.Series[Any]":
    """The last part of each path; with its parent where two projects would share a name."""
    unique = [path for path in paths.dropna().unique() if isinstance(path, str)]
    parts = {path: [part for part in path.replace("\\", "/").split("/") if part] for path in unique}
    taken: dict[str, int] = {}
    for words in parts.values():
        name = "".join(words[-1:])
        taken[name] = taken.get(name, 0) + 1
    names = {
        path: "/".join(words[-2:] if taken["".join(words[-1:])] > 1 else words[-1:]) or path
        for path, words in parts.items()
    }
    return paths.map(names)
