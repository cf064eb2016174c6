"""The programs that tests need and pip does not bring: Chromium and PostgreSQL.

`python -m tests.system_tools` installs what is missing where it can, and fails where it can't,
so that no test is ever left out for want of one.
"""

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
ADVICE = """\
Missing for the tests: {missing}.
  Debian, Ubuntu:  sudo apt-get install chromium postgresql
  macOS:           brew install postgresql@17 && .venv/bin/playwright install chromium"""


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


def _missing() -> list[str]:
    missing: list[str] = []
    for find in (chromium, postgres_folder):
        try:
            find()
        except MissingTool as tool:
            missing.append(str(tool))
    return missing


def _install(packages: list[str]) -> None:
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
