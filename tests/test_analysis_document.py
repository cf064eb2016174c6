"""The document on analysis: its code runs, and prints what stands there."""

import contextlib
import io
import re
from pathlib import Path
from typing import Any

import pytest

TOP = Path(__file__).parent.parent
DOCUMENT = TOP / "docs" / "analysis.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def run(code: str, names: dict[str, Any]) -> str:
    """What a block of code prints. `names` are those of the blocks before it."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, DOCUMENT.name, "exec"), names)  # noqa: S102
    return "\n".join(line.rstrip() for line in printed.getvalue().splitlines())


def test_every_block_of_code_prints_what_stands_below_it(
    golden_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUARTERDECK_STORE_URL", golden_url)
    blocks = BLOCK.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert {kind for kind, _ in blocks} == {"python", "text"}
    names: dict[str, Any] = {}
    printed = ""
    for kind, text in blocks:
        if kind == "python":
            assert not printed, f"not shown: {printed}"
            printed = run(text, names)
        else:
            assert printed == text.rstrip("\n")
            printed = ""
    names["store"].close()
    assert len([kind for kind, _ in blocks if kind == "text"]) > 5


def test_the_readme_links_to_it() -> None:
    assert "(docs/analysis.md)" in (TOP / "README.md").read_text(encoding="utf-8")
