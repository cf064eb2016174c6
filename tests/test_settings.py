"""Where things are, as the environment says."""

from pathlib import Path

import pytest

from lib.settings import settings


def test_without_configuration_everything_has_a_place() -> None:
    found = settings({})
    assert found.store_url == f"sqlite:///{found.data_folder / 'quarterdeck.db'}"
    assert "@" in found.machine


def test_what_the_environment_names_counts() -> None:
    url = "postgresql+psycopg://host/name"
    found = settings({"QUARTERDECK_STORE_URL": url, "QUARTERDECK_DATA_FOLDER": "/data"})
    assert (found.store_url, found.data_folder) == (url, Path("/data"))
    assert found.lock_path != settings({"QUARTERDECK_DATA_FOLDER": "/data"}).lock_path


@pytest.mark.parametrize(
    ("name", "shown"), [("mine", "mine"), ("café", "café"), ("caf\udce9", "caf\\xe9")]
)
def test_the_name_of_a_machine_is_always_text(name: str, shown: str) -> None:
    assert settings({"QUARTERDECK_MACHINE": name}).machine == shown
