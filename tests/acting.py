"""Asking for actions in tests, and a LeanSpec server's sessions to ask for."""

import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from lib import server_actions
from lib.actions import Executor
from lib.collector import now_ms
from lib.model import Action, ActionKind, Session
from lib.servers import ServerSetting
from lib.store import Batch, Store
from lib.store_actions import ActionFilter
from tests.leanspec_server import LeanSpecServer
from tests.test_daemon import until

HERE = "here"


class Desk:
    """A store with an executor at work on it."""

    def __init__(self, store: Store, servers: list[ServerSetting]):
        self.store = store
        self.servers = servers
        self.acted: list[str] = []

    @contextmanager
    def at_work(self) -> Generator[None]:
        stopping = threading.Event()
        executor = Executor(self.store, HERE, lambda: self.servers, stopping, self.acted.append)
        thread = threading.Thread(target=executor.run)
        thread.start()
        yield
        stopping.set()
        thread.join()

    def know(self, session_id: str, server: str | None) -> str:
        """Have the session in the store, as polling brings it there."""
        key = server_actions.key_of(session_id)
        session = Session(
            key=key, agent="leanspec", session_id=session_id, machine=HERE, server=server
        )
        self.store.write(Batch(sessions=[session]))
        return key

    def ask(self, kind: ActionKind, key: str | None, name: str = "1", **values: Any) -> None:
        known: dict[str, Any] = {"at": now_ms(), "by": "me", "machine": HERE, **values}
        self.store.actions.request(Action(id=name, kind=kind, session_key=key, **known))

    def found(self, name: str = "1") -> Action:
        listed = self.store.actions.listed(ActionFilter(), 100)
        return next(one for one in listed if one.id == name)

    def outcome(self, name: str = "1") -> Action:
        """The action as soon as it is known what became of it."""
        until(lambda: self.found(name).state not in ("requested", "running"), 30)
        return self.found(name)

    def do(self, kind: ActionKind, key: str | None, **values: Any) -> Action:
        name = f"{kind} {now_ms()}"
        self.ask(kind, key, name, **values)
        return self.outcome(name)


def a_setting(url: str, on: bool = True) -> ServerSetting:
    return ServerSetting(url=url, name="harbour server", on=on)


def pending(server: LeanSpecServer, prompt: str = "sleep 60") -> str:
    with server.client() as client:
        specs = ["001-lighthouse", "002-mooring"]
        return client.create(str(server.project), specs, prompt, "scripted", "guided").id
