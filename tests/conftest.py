"""What holds for all tests."""

from collections.abc import Generator
from pathlib import Path

import pytest
from hypothesis import settings

from lib.store import Store
from tests import golden, golden_tools
from tests.leanspec_server import LeanSpecServer, running_server
from tests.postgres import new_database, postgres_server

# A busy machine makes a slow example, not a wrong one.
settings.register_profile("quarterdeck", deadline=None)
settings.load_profile("quarterdeck")


@pytest.fixture(scope="session")
def postgres_folder() -> Generator[Path]:
    """Where the socket of a running PostgreSQL server is. It starts when a test first wants it."""
    with postgres_server() as folder:
        yield folder


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty place for a store: once a SQLite file, once a PostgreSQL database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/data/store.db"
    return new_database(request.getfixturevalue("postgres_folder"))


@pytest.fixture
def store(store_url: str) -> Generator[Store]:
    """An empty store, on each database."""
    opened = Store.open(store_url)
    yield opened
    opened.close()


@pytest.fixture
def file_store(tmp_path: Path) -> Generator[Store]:
    """An empty store in a SQLite file, for tests in which the database makes no difference."""
    opened = Store.open(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def golden_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A place with the store of `tests.golden`, of which every figure was worked out by hand."""
    url = f"sqlite:///{tmp_path_factory.mktemp('golden') / 'store.db'}"
    opened = Store.open(url)
    golden.fill(opened)
    golden_tools.fill(opened)
    opened.close()
    return url


@pytest.fixture(scope="session")
def golden_store(golden_url: str) -> Generator[Store]:
    """The same, open. Only read it."""
    opened = Store.open(golden_url)
    yield opened
    opened.close()


@pytest.fixture
def leanspec_server(tmp_path: Path) -> Generator[LeanSpecServer]:
    """A running LeanSpec server with a project."""
    with running_server(tmp_path / "leanspec") as server:
        yield server
