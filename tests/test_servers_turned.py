"""Switching a LeanSpec server on and off."""

import pytest

from lib.servers import remove, save, turn
from lib.settings import Settings
from tests.test_servers import SECRET, a_server, config, environ, read

__all__ = ["config", "environ"]


def test_a_server_is_turned_off_as_it_is_now_and_not_brought_back_by_it(
    config: Settings, environ: dict[str, str]
) -> None:
    one = a_server(token=SECRET)
    save(config, one)
    turn(config, one.url, on=False)
    (found,) = read(config, environ).servers
    assert (found.on, found.token) == (False, SECRET)
    remove(config, one.url)
    with pytest.raises(ValueError, match="removed meanwhile"):
        turn(config, one.url, on=True)
    assert read(config, environ).servers == []
