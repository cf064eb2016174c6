"""The real app in a real browser: `app` runs it on a home folder of its own, `page` looks at it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.system_tools import chromium

TOP = Path(__file__).parent.parent.parent
START_SECONDS = 60
STOP_SECONDS = 20
PATIENCE_MS = 20_000
"""How long a look or a click waits for what it needs: that it comes is promised, not how soon."""
CHROMIUM_ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
]


class App(NamedTuple):
    """A running dashboard. Agents' files written below `home` are what it shows."""

    url: str
    home: Path
    environ: dict[str, str]
    """What the app was started with; the same for a daemon or report on its store."""
    log: Path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of a module; raises MissingTool when there is none.

    Not for longer: as long as Playwright runs, nothing else in this thread can use asyncio.
    """
    arguments = [*CHROMIUM_ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium(), headless=True, args=arguments
        )
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab with clipboard rights; an error in the page's scripts fails the test."""
    errors: list[str] = []
    context = browser.new_context(
        viewport={"width": 1400, "height": 1000},
        permissions=["clipboard-read", "clipboard-write"],
    )
    context.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    tab = context.new_page()
    tab.on("pageerror", lambda error: errors.append(str(error)))
    yield tab
    context.close()
    assert errors == []


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of `app`; fill it before asking for `app` to have files at its start."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def app(home: Path, tmp_path: Path) -> Iterator[App]:
    """The dashboard on a free port, with the daemon that it starts; both end with the test."""
    environ = _environment(home, tmp_path)
    log = tmp_path / "app.log"
    app = App(f"http://127.0.0.1:{_free_port()}", home, environ, log)
    server = serve(app)
    try:
        yield app
    finally:
        stop_all(environ)
        server.wait(STOP_SECONDS)
    assert "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")


def serve(app: App) -> "subprocess.Popen[bytes]":
    """Start the dashboard, and wait until it answers."""
    command = [sys.executable, "-m", "streamlit", "run", "dashboard.py"]
    port = urlsplit(app.url).port
    options = [f"--server.port={port}", "--server.address=127.0.0.1", "--server.headless=true"]
    with app.log.open("ab") as output:
        server = subprocess.Popen(
            command + options, cwd=TOP, env=app.environ, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        _wait_until_healthy(server, app.url, app.log)
    except BaseException:
        server.kill()
        server.wait()
        raise
    return server


def _environment(home: Path, folder: Path) -> dict[str, str]:
    data = folder / "quarterdeck"
    data.mkdir()
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local/share"),
        "XDG_STATE_HOME": str(home / ".local/state"),
        "QUARTERDECK_DATA_FOLDER": str(data),
        "QUARTERDECK_STORE_URL": f"sqlite:///{data / 'store.db'}",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"{url}/_stcore/health", timeout=1).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"the app did not start:\n{log.read_text(errors='replace')}")


def stop_all(environ: dict[str, str]) -> None:
    """End every process that was started with this environment, detached ones too."""
    mark = "QUARTERDECK_DATA_FOLDER"
    ours = [one for one in psutil.process_iter() if _variable(one, mark) == environ[mark]]
    for process in ours:
        _signal(process, terminate=True)
    _, alive = psutil.wait_procs(ours, timeout=STOP_SECONDS)
    for process in alive:
        _signal(process, terminate=False)


def _variable(process: psutil.Process, name: str) -> str | None:
    try:
        return process.environ().get(name)
    except (psutil.Error, OSError):
        return None


def _signal(process: psutil.Process, *, terminate: bool) -> None:
    try:
        process.terminate() if terminate else process.kill()
    except psutil.NoSuchProcess:
        return
