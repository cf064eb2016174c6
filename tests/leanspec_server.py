"""A real LeanSpec server of the tests' own, with a project and runners that do as they are told."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import httpx
import msgspec
import psutil

from lib.leanspec import Client
from lib.leanspec_answers import ServerSession
from tests.system_tools import leanspec_server

START_SECONDS = 90
RUNNER = Path(__file__).with_name("leanspec_runner.py")
SPEC = """\
---
status: {status}
priority: high
tags: [board, live]
created: 2026-01-05
depends_on: [{dependencies}]
---

# {title}

## Overview

Shows {title}.

## Plan

- [x] first step
- [ ] second step
"""


class LeanSpecServer:
    """A server in its own folder, with its own home and a port that stays over restarts.

    Runners: `scripted` and, speaking ACP, `scripted-acp`; see `tests.leanspec_runner` for what
    a prompt can make them do.
    """

    def __init__(self, folder: Path, token: str | None = None):
        self.token = token
        self.folder = folder
        self.project = self.add_project("harbour")
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._server: subprocess.Popen[bytes] | None = None
        self._children: list[psutil.Process] = []

    def start(self) -> None:
        """Start it, and wait until it answers."""
        program = leanspec_server()
        home = self.folder / "home"
        home.mkdir(exist_ok=True)
        environ = {**os.environ, "HOME": str(home), "NO_COLOR": "1"}
        environ.pop("LEANSPEC_API_KEY", None)
        if self.token is not None:
            environ["LEANSPEC_API_KEY"] = self.token
        port = ["--port", str(self.port)]
        run = [str(program), *port, "--project", str(self.project), "--no-open"]
        with open(self.folder / "log", "ab") as log:
            self._server = subprocess.Popen(run, env=environ, stdout=log, stderr=log)
        self.wait_for(self._answers)
        if not (self.project / ".lean-spec" / "runners.json").exists():
            self.register_runners(self.project)

    def kill(self) -> None:
        """End the server at once, as a crash does. What it runs stays."""
        if self._server is not None:
            self._children += psutil.Process(self._server.pid).children(recursive=True)
            self._server.kill()
            self._server.wait()
            self._server = None

    def suspend(self) -> None:
        """Stop it from answering; its port stays open."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        """Let it answer again."""
        assert self._server is not None
        self._server.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Kill it and start it anew, on the same database and port."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End the server and all that it has run."""
        self.kill()
        for child in self._children:
            if child.is_running():
                child.kill()

    def client(self) -> Client:
        """A client with the right token, to be closed by the caller."""
        return Client(self.url, self.token)

    def add_project(self, name: str) -> Path:
        """Make a project's folder with three specs; the first is registered by itself."""
        project = self.folder / name
        specs = {"001-lighthouse": "", "002-mooring": "001-lighthouse", "003-tide-table": ""}
        for number, (spec, needed) in enumerate(specs.items()):
            status = ("complete", "in-progress", "planned")[number]
            title = spec[4:].replace("-", " ").capitalize()
            path = project / "specs" / spec / "README.md"
            path.parent.mkdir(parents=True)
            text = SPEC.format(status=status, dependencies=needed, title=title)
            path.write_text(text, encoding="utf-8")
        return project

    def register_project(self, name: str) -> Path:
        """Make one more project with its runners, and tell the server of it."""
        project = self.add_project(name)
        self.post("/api/projects", {"path": str(project)})
        self.register_runners(project)
        return project

    def register_runners(self, project: Path) -> None:
        """Give a project its two runners."""
        runner = {"command": sys.executable, "args": [str(RUNNER)]}
        for key, name in (("scripted", "Scripted"), ("scripted-acp", "Scripted (ACP)")):
            body = {"id": key, "name": name, **runner}
            whole = {"projectPath": str(project), "scope": "project", "runner": body}
            self.post("/api/runners", whole)
        # The protocol can't be set over HTTP.
        path = project / ".lean-spec" / "runners.json"
        runners = msgspec.json.decode(path.read_bytes())
        runners["runners"]["scripted-acp"]["protocol"] = "acp"
        path.write_bytes(msgspec.json.encode(runners))

    def post(self, path: str, body: object) -> None:
        """Ask for something that the app's own client has no use for."""
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        httpx.post(self.url + path, json=body, headers=headers).raise_for_status()

    def run(
        self, prompt: str, *, runner: str = "scripted", project: Path | None = None
    ) -> ServerSession:
        """Create and start a session, and wait until the server has started it.

        The log tells, not the status: an ACP session may stay `pending` though it runs.
        """
        with self.client() as client:
            made = client.create(str(project or self.project), ["002-mooring"], prompt, runner).id

            def is_started() -> bool:
                lines = client.logs(made)
                return any(line.message.startswith("Session started") for line in lines)

            client.start(made)
            self.wait_for(lambda: is_started() or client.session(made).status == "failed")
            if is_started():
                return client.session(made)
            client.delete(made)
        # One in twenty ACP sessions fails while 0.2.28 is still starting it.
        return self.run(prompt, runner=runner, project=project)

    def wait_for_status(self, session_id: str, *statuses: str) -> ServerSession:
        """The session as soon as its status is one of `statuses`."""
        found: list[ServerSession] = []

        def reached() -> bool:
            with self.client() as client:
                found.append(client.session(session_id))
            return found[-1].status in statuses

        self.wait_for(reached)
        return found[-1]

    def process_of(self, session_id: str) -> psutil.Process:
        """The runner's process of a session."""
        found: list[str] = []

        def told() -> bool:
            with self.client() as client:
                for line in client.logs(session_id):
                    found.extend(re.findall(r"^pid (\d+)$", line.message))
            return bool(found)

        self.wait_for(told)
        return psutil.Process(int(found[0]))

    def wait_for(self, reached: Callable[[], bool]) -> None:
        """Wait until something is so; fails with the server's log after a while."""
        deadline = time.monotonic() + START_SECONDS
        while not reached():
            if time.monotonic() > deadline:
                raise AssertionError((self.folder / "log").read_text(errors="replace")[-4000:])
            time.sleep(0.05)

    def _answers(self) -> bool:
        assert self._server is not None
        if self._server.poll() is not None:
            raise AssertionError((self.folder / "log").read_text(errors="replace"))
        try:
            return httpx.get(f"{self.url}/health").is_success
        except httpx.TransportError:
            return False


@contextmanager
def running_server(folder: Path, token: str | None = None) -> Generator[LeanSpecServer]:
    """A server that runs until the block ends, in a folder that is made for it."""
    folder.mkdir(parents=True, exist_ok=True)
    server = LeanSpecServer(folder, token)
    try:
        server.start()
        yield server
    finally:
        server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
