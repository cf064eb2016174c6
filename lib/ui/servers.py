"""LeanSpec servers as the pages show them."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

from lib.servers import SERVERS_VARIABLE, ServerSetting, Source

STATES = {
    "ok": "🟢 connected",
    "connecting": "⚪ not asked yet",
    "unreachable": "❌ unreachable",
    "refused": "🔒 token missing or wrong",
    "no-leanspec": "❌ no LeanSpec server",
    "off": "⏸️ off",
}
SOURCES: dict[Source, str] = {
    "settings": "",
    "secrets": "Set in .streamlit/secrets.toml; change it there.",
    "environment": f"Set by {SERVERS_VARIABLE}, which the daemon reads when it starts.",
}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+\-.!|~$:&])")


def plain(text: str) -> str:
    """Foreign text for a place where Streamlit takes Markdown."""
    return _MARKDOWN.sub(r"\\\1", text)


def counted(number: int, word: str) -> str:
    """`1 project`, `2 projects`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def ago(milliseconds: int) -> str:
    """How long ago something was, to one unit."""
    seconds = max(0, milliseconds // 1000)
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds // size} {unit} ago"
    return f"{seconds} s ago"


def lasted(milliseconds: float) -> str:
    """How long something took, as cards say it: `41s`, `6m 09s`, `2h 05m`."""
    minutes, seconds = divmod(int(milliseconds) // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:,}h {minutes:02}m"
    return f"{minutes}m {seconds:02}s" if minutes else f"{seconds}s"


def travels_open(setting: ServerSetting) -> bool:
    """Whether the token goes unencrypted over a network."""
    parts = urlsplit(setting.url)
    if setting.token is None or parts.scheme == "https" or parts.hostname == "localhost":
        return False
    try:
        return not ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return True
