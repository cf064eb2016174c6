"""Rules of the code base that no linter knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

TOP = Path(__file__).parent.parent
FOLDERS = ("lib", "pages", "tests", "benchmarks")
MODULES = sorted(
    [TOP / "dashboard.py", *(path for folder in FOLDERS for path in (TOP / folder).rglob("*.py"))]
)
IMPORTED_WITHOUT_STREAMLIT = """
import importlib, pkgutil, sys, lib
for module in pkgutil.walk_packages(lib.__path__, "lib."):
    if not module.name.startswith(("lib.ui", "lib.migrations")):
        importlib.import_module(module.name)
sys.exit("streamlit" in sys.modules)
"""


def name_of(path: Path) -> str:
    return path.relative_to(TOP).as_posix()


def longest_allowed(path: Path) -> int:
    if path == TOP / "dashboard.py":
        return 80
    return 150 if path.parent == TOP / "pages" else 400


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_stays_short_enough_to_be_read(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < longest_allowed(path)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_imports_a_page(path: Path) -> None:
    imported: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")
    assert not {name for name in imported if name.split(".")[0] in {"pages", "dashboard"}}


@pytest.mark.parametrize("path", sorted((TOP / "lib/readers").glob("*.py")), ids=name_of)
def test_a_reader_opens_an_agents_files_only_where_no_pipe_can_make_it_wait(path: Path) -> None:
    opened = [
        ast.unparse(call.args[0])
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and ast.unparse(call.func) in ("open", "os.open")
    ]
    assert not [place for place in opened if not place.startswith("f'/proc/")]


def test_everything_but_the_page_runs_without_streamlit() -> None:
    command = [sys.executable, "-c", IMPORTED_WITHOUT_STREAMLIT]
    result = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_every_requirement_is_pinned_and_names_no_registry(name: str) -> None:
    lines = (TOP / name).read_text(encoding="utf-8").splitlines()
    requirements = [line for line in lines if line and not line.startswith("#")]
    pinned = re.compile(r'[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][0-9.]*(; sys_platform [!=]= "\w+")?')
    loose = [line for line in requirements if not pinned.fullmatch(line)]
    assert loose in ([], ["-r requirements.txt"])
