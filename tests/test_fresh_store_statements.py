"""What a first scan writes with is what the tables say."""

from lib.fresh_store import STATEMENTS_PATH
from lib.fresh_store_statements import encoded


def test_the_kept_statements_are_those_of_the_tables() -> None:
    """Where this fails: `python -m lib.fresh_store_statements` writes the file anew."""
    assert STATEMENTS_PATH.read_bytes() == encoded()
