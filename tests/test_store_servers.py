"""The LeanSpec servers in the store."""

from lib.model import ServerProject, ServerRow, ServerRunner
from lib.store import Store


def test_the_servers_of_a_machine_are_replaced_as_a_whole(store: Store) -> None:
    other = ServerRow(machine="there", url="http://b", name="b", state="unreachable", error="no")
    row = ServerRow(
        machine="here",
        url="http://a",
        name="a",
        state="ok",
        version="0.2.28",
        projects=[ServerProject(id="p", name="P", path="/w/p")],
        runners=[ServerRunner(id="claude", name="Claude Code", available=True)],
        default_runner="claude",
        sessions=3,
        checked_at=2,
        seen_at=1,
    )
    store.save_servers("here", [ServerRow(machine="here", url="http://old", name="old"), row])
    store.save_servers("there", [other])
    store.save_servers("here", [row])
    assert store.servers() == [row, other]
    store.save_servers("here", [])
    assert store.servers() == [other]


def test_servers_go_with_their_machine(store: Store) -> None:
    row = ServerRow(machine="here", url="http://a", name="a")
    store.save_servers("here", [row])
    store.save_servers("there", [ServerRow(machine="there", url="http://a", name="a")])
    store.remove_machine("there")
    assert store.servers() == [row]
