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


def test_relative_paths_mean_the_same_in_another_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    relative = {"QUARTERDECK_STORE_URL": "sqlite:///a/b.db", "QUARTERDECK_DATA_FOLDER": "data"}
    found = settings(relative)
    assert (found.store_url, found.data_folder) == (
        f"sqlite:///{tmp_path}/a/b.db",
        tmp_path / "data",
    )
    del relative["QUARTERDECK_STORE_URL"]
    assert settings(relative).store_url == f"sqlite:///{tmp_path}/data/quarterdeck.db"


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true"])
def test_a_url_that_names_no_plain_file_stays_as_it_is(url: str) -> None:
    assert settings({"QUARTERDECK_STORE_URL": url}).store_url == url


def test_one_file_has_one_lock_whatever_it_is_called(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    urls = [f"sqlite:///{tmp_path}/{name}/s.db" for name in ("real", "link", "real/../real", "no")]
    locks = [settings({"QUARTERDECK_STORE_URL": url}).lock_path for url in urls]
    assert locks[0] == locks[1] == locks[2] != locks[3]
