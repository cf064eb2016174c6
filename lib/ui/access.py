"""Who may see the page and who may act on it.

Streamlit has no accounts of its own. So without more configuration the page is for the person
at this machine only: a viewer whose connection comes from loopback, to a loopback name (a name
that only resolves to loopback is how a foreign website reaches a local server), through no
proxy. `QUARTERDECK_PUBLIC_READONLY=1` shows the page to everyone, and lets nobody act.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal, NamedTuple

import streamlit as st

PUBLIC_VARIABLE = "QUARTERDECK_PUBLIC_READONLY"
_LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]", "::1"})
_PROXY_HEADERS = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "cf-connecting-ip",
        "fly-client-ip",
        "true-client-ip",
    }
)
_PROXY_PREFIX = "x-forwarded-"


class Access(NamedTuple):
    """What a viewer may do, and why not more."""

    level: Literal["act", "look", "refused"]
    reason: str = ""


def decide(address: str | None, headers: Mapping[str, str], environ: Mapping[str, str]) -> Access:
    """The access of a viewer at `address` (None: Streamlit's word for loopback)."""
    if environ.get(PUBLIC_VARIABLE) == "1":
        return Access("look", "This is a public, read-only board.")
    if address is not None and not _is_loopback(address):
        return Access("refused", f"The connection comes from {address}, not from this machine.")
    for name in headers:
        if name.lower() in _PROXY_HEADERS or name.lower().startswith(_PROXY_PREFIX):
            return Access("refused", f"The connection came through a proxy (header {name}).")
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    if host is not None and _host_name(host) not in _LOCAL_NAMES:
        return Access("refused", f"The page was asked for as {_host_name(host)}, not localhost.")
    return Access("act")


def viewer_access() -> Access:
    """The access of the viewer of the running script."""
    address: object = st.context.ip_address
    # Streamlit's AppTest has no connection and answers with a mock.
    connected = address if isinstance(address, str) else None
    return decide(connected, st.context.headers.to_dict(), os.environ)


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _host_name(host: str) -> str:
    name = host.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0] if name.count(":") == 1 else name
