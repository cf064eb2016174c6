"""Short names of sessions."""

import re

_TIMED_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def short_id(session_id: str) -> str:
    """So much of a session's id as tells it from the others of its day."""
    name = session_id.rsplit("/", 1)[-1]
    # A version 7 UUID begins with the time: sessions of one minute begin alike.
    return name[-8:] if _TIMED_UUID.fullmatch(name) else name[:8]
