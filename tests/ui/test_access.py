"""Who may see the board, and who may act."""

import pytest

from lib.ui.access import PUBLIC_VARIABLE, decide

LOCAL = {"Host": "localhost:8501"}


@pytest.mark.parametrize("address", [None, "127.0.0.1", "127.8.8.8", "::1"])
@pytest.mark.parametrize("host", ["localhost:8501", "127.0.0.1:8501", "[::1]:8501", "LOCALHOST"])
def test_the_person_at_the_machine_may_act(address: str | None, host: str) -> None:
    assert decide(address, {"Host": host}, {}).level == "act"


@pytest.mark.parametrize("address", ["192.168.1.7", "172.17.0.1", "2001:db8::1", "nonsense"])
def test_nobody_else_sees_anything(address: str) -> None:
    assert decide(address, LOCAL, {}).level == "refused"


@pytest.mark.parametrize("host", ["evil.example:8501", "localhost.evil.example", "10.0.0.1"])
def test_a_foreign_name_for_this_machine_is_refused(host: str) -> None:
    assert decide(None, {"host": host}, {}).level == "refused"


@pytest.mark.parametrize(
    "header", ["X-Forwarded-For", "x-real-ip", "FORWARDED", "Via", "X-Forwarded-Proto"]
)
def test_a_proxy_may_stand_for_anyone_and_is_refused(header: str) -> None:
    assert decide(None, {**LOCAL, header: "127.0.0.1"}, {}).level == "refused"


def test_a_refusal_says_why() -> None:
    assert "192.168.1.7" in decide("192.168.1.7", LOCAL, {}).reason


@pytest.mark.parametrize("address", [None, "127.0.0.1", "192.168.1.7"])
def test_a_public_board_is_seen_by_all_and_worked_by_nobody(address: str | None) -> None:
    public = {PUBLIC_VARIABLE: "1"}
    assert decide(address, {"Host": "board.example"}, public).level == "look"


def test_only_the_exact_word_makes_a_board_public() -> None:
    assert decide("192.168.1.7", LOCAL, {PUBLIC_VARIABLE: "0"}).level == "refused"
