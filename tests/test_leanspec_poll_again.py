"""A server is asked again, whatever its answers do."""

import pytest

from lib.leanspec_poll import Poller
from lib.store import Store
from tests.hostile_server import HostileServer, json_of
from tests.test_leanspec_poll import Watch, hostile

__all__ = ["hostile"]


def test_whatever_goes_wrong_with_an_answer_the_server_is_asked_again(
    hostile: HostileServer, file_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile.answer("/api/sessions", json_of([{"id": "one", "status": "running"}]))
    broken = iter([True, True])

    def write_or_break(poller: Poller) -> None:
        if next(broken, False):
            raise OverflowError("int too big")
        write(poller)

    write = Poller._write
    monkeypatch.setattr(Poller, "_write", write_or_break)
    watch = Watch(file_store, hostile.url)
    watch.wait_for_state("unreachable")
    watch.wait_for_status("one", "running")
    watch.close()
