"""Which LeanSpec servers there are: from the settings page, the secrets file, the environment.

Three sources, later ones win where they name the same URL:

1. `servers.json` in the data folder, readable by its owner only, which the settings page writes:
   `{"servers": [{"url": …, "name": …, "token": …, "on": true}, …]}`
2. Streamlit's `secrets.toml`, in `~/.streamlit` and then in the project's `.streamlit`: a list of
   `[[leanspec.servers]]` with the same fields
3. `QUARTERDECK_LEANSPEC_SERVERS`: URLs with blanks or commas between them, or a JSON list of URLs
   and objects with those fields. `QUARTERDECK_LEANSPEC_TOKEN` goes to those of them without one

Only `url` is needed. An entry that can't be used is told of and left out, the others work. No
message holds any part of an entry: what stands in the wrong place may be a token.
"""

import contextlib
import fcntl
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar
from urllib.parse import urlsplit

import msgspec

from lib.plain_file import open_plain
from lib.settings import PROJECT_FOLDER, Settings

SERVERS_VARIABLE = "QUARTERDECK_LEANSPEC_SERVERS"
TOKEN_VARIABLE = "QUARTERDECK_LEANSPEC_TOKEN"  # noqa: S105 - a name

LONGEST_URL = 2000
LONGEST_NAME = 100
LONGEST_TOKEN = 4000
_LARGEST_FILE = 1_000_000
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LINE = re.compile(r"\(at (line \d+, column \d+|end of document)\)$")
_SPACES = re.compile(r"[\s,]+")

Value = TypeVar("Value")
Source = Literal["settings", "secrets", "environment"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSetting:
    """One LeanSpec server as somebody configured it."""

    url: str
    """As `base_url` gives it."""
    name: str
    token: str | None = field(default=None, repr=False)
    """What is sent as `Authorization: Bearer …`. Never shown, never logged."""
    on: bool = True
    source: Source = "settings"


class Configured(NamedTuple):
    """What the configuration says, and what of it can't be used."""

    servers: list[ServerSetting]
    """One a URL, also those that are off."""
    problems: list[str]
    """In words for whoever wrote it."""


class _Entry(msgspec.Struct):
    """An entry as it is written, in every source."""

    url: str
    name: str | None = None
    token: str | None = None
    on: bool = True


class _Servers(msgspec.Struct):
    """The settings file, or the table of `secrets.toml` that concerns us."""

    servers: list[Any]


class _SecretsFile(msgspec.Struct):
    leanspec: _Servers = msgspec.field(default_factory=lambda: _Servers([]))


def configured(
    config: Settings, environ: Mapping[str, str], project: Path = PROJECT_FOLDER
) -> Configured:
    """All servers of all sources. Never raises: what can't be used is among the problems."""
    servers: dict[str, ServerSetting] = {}
    problems: list[str] = []
    sources: list[tuple[Source, str, Callable[[], list[Any]]]] = [
        ("settings", str(settings_path(config)), partial(_saved, settings_path(config))),
        *[("secrets", str(path), partial(_secret, path)) for path in _secrets(environ, project)],
        ("environment", SERVERS_VARIABLE, partial(_named, environ)),
    ]
    for source, place, read in sources:
        try:
            entries = read()
        except ValueError as error:
            problems.append(f"{place}: {error}")
            continue
        for number, entry in enumerate(entries, 1):
            try:
                setting = setting_of(entry, source)
            except ValueError as error:
                problems.append(f"{place}, entry {number}: {error}")
                continue
            servers[setting.url] = setting
            if set(entry) - set(_Entry.__struct_fields__):
                known = ", ".join(_Entry.__struct_fields__)
                problems.append(f"{place}, entry {number}: only these fields count: {known}.")
    return Configured(list(servers.values()), problems)


def stamp(
    config: Settings, environ: Mapping[str, str], project: Path = PROJECT_FOLDER
) -> tuple[tuple[int, int, int] | None, ...]:
    """Something that differs as soon as `configured` may, for three looks at the file system."""
    return tuple(map(_stamp, [settings_path(config), *_secrets(environ, project)]))


def settings_path(config: Settings) -> Path:
    """The file that the settings page writes."""
    return config.data_folder / "servers.json"


def save(config: Settings, setting: ServerSetting, replaces: str | None = None) -> None:
    """Write one server into the settings file, in the place of the one at the URL `replaces`.

    Raises ValueError when the setting or the file can't be used, OSError when writing fails.
    The file then is as it was.
    """
    entry = {"url": setting.url, "name": setting.name, "token": setting.token, "on": setting.on}
    url = setting_of(entry).url
    with _changing(config) as entries:
        urls = [_url(one) for one in entries]
        taken = [number for number, one in enumerate(urls) if one in (url, replaces or url)]
        place = taken[0] if taken else len(entries)
        kept = [one for number, one in enumerate(entries) if number not in taken]
        entries[:] = [*kept[:place], entry, *kept[place:]]


def turn(config: Settings, url: str, *, on: bool) -> None:
    """Switch the server at `url` on or off. Raises as `save`, also when it is there no more."""
    with _changing(config) as entries:
        found = [one for one in entries if _url(one) == url]
        if not found:
            raise ValueError("It was removed meanwhile.")
        for entry in found:
            entry["on"] = on


def remove(config: Settings, url: str) -> None:
    """Take the server at `url` out of the settings file. Raises as `save`."""
    with _changing(config) as entries:
        entries[:] = [one for one in entries if _url(one) != url]


def base_url(text: str) -> str:
    """The URL of a server as it is compared and called: no slash at its end, host in small letters.

    Raises ValueError, in words for whoever typed it and without what was typed.
    """
    text = text.strip()
    if len(text) > LONGEST_URL:
        raise ValueError(f"A URL has at most {LONGEST_URL:,} characters.")
    if not text.isprintable() or " " in text or "\\" in text:
        raise ValueError("There is a character in the URL that none may have.")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("The host or port in the URL is none.") from None
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("A URL starts with http:// or https://.")
    if not parts.hostname:
        raise ValueError("The URL names no host.")
    if "@" in parts.netloc:
        raise ValueError("A user or password does not belong into the URL; there is a token.")
    if parts.query or parts.fragment:
        raise ValueError("The URL must end before any ? or #.")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    known = port is None or port == _DEFAULT_PORTS[parts.scheme]
    return f"{parts.scheme}://{host}{'' if known else f':{port}'}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Whether a host of a URL is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def default_name(url: str) -> str:
    """What a server is called that was given no name."""
    return url.partition("://")[2][:LONGEST_NAME]


def setting_of(entry: Any, source: Source = "settings") -> ServerSetting:
    """An entry as somebody wrote it, checked. Raises ValueError without anything it holds."""
    try:
        written = msgspec.convert(entry, _Entry)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}.") from None
    url = base_url(written.url)
    name = (written.name or "").strip() or default_name(url)
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise ValueError(f"A name is one line of at most {LONGEST_NAME} characters.")
    token = (written.token or "").strip() or None
    if token and (len(token) > LONGEST_TOKEN or not re.fullmatch(r"[!-~]+", token)):
        raise ValueError(
            f"A token has at most {LONGEST_TOKEN:,} characters, only ASCII and no blanks."
        )
    return ServerSetting(url=url, name=name, token=token, on=written.on, source=source)


def _secrets(environ: Mapping[str, str], project: Path) -> list[Path]:
    home = Path(environ.get("HOME") or Path.home())
    return [folder / ".streamlit" / "secrets.toml" for folder in (home, project)]


def _saved(path: Path) -> list[Any]:
    """What stands in the settings file. Raises ValueError."""
    content = _content(path)
    if content is None:
        return []
    return _json(content, _Servers).servers


def _secret(path: Path) -> list[Any]:
    """What stands under `[[leanspec.servers]]`. Raises ValueError."""
    content = _content(path)
    if content is None:
        return []
    try:
        table = tomllib.loads(content.decode())
    except UnicodeDecodeError:
        raise ValueError("This file is no UTF-8.") from None
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        # The rest of the message may quote the file.
        where = _LINE.search(str(error))
        raise ValueError(f"This file is no valid TOML{f' {where[0]}' if where else ''}.") from None
    try:
        return msgspec.convert(table, _SecretsFile).leanspec.servers
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}; servers stand under [[leanspec.servers]].") from None


def _named(environ: Mapping[str, str]) -> list[Any]:
    """What the environment names. Raises ValueError."""
    text = environ.get(SERVERS_VARIABLE, "").strip()
    token = environ.get(TOKEN_VARIABLE)
    if text[:1] in ("[", "{"):
        entries = _json(text.encode(errors="replace"), list[Any])
    else:
        entries = [url for url in _SPACES.split(text) if url]
    whole = [{"url": entry} if isinstance(entry, str) else entry for entry in entries]
    return [{"token": token, **entry} if isinstance(entry, dict) else entry for entry in whole]


def _json(content: bytes, kind: type[Value]) -> Value:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise ValueError(f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("This is no valid JSON.") from None


def _content(path: Path) -> bytes | None:
    """The content of a file, None when there is none. Raises ValueError."""
    try:
        with open_plain(path) as file:
            content = file.read(_LARGEST_FILE + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(
            f"This file can't be read: {error.strerror or type(error).__name__}."
        ) from None
    if len(content) > _LARGEST_FILE:
        raise ValueError("This file is too large.")
    return content


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


def _url(entry: Any) -> str | None:
    """The URL of an entry, None of one that has none."""
    try:
        return base_url(entry["url"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None


@contextlib.contextmanager
def _changing(config: Settings) -> Generator[list[Any]]:
    """The entries of the settings file, to be changed in place; written when the block ends.

    One changes at a time, and whoever reads meanwhile finds the old file or the new one. Entries
    that can't be used stay as they are. Raises ValueError when the file can't be read.
    """
    config.data_folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = settings_path(config)
    with open(path.with_suffix(".lock"), "a", encoding="utf-8") as lock:
        fcntl.flock(lock.fileno(), fcntl.LOCK_EX)
        entries = _saved(path)
        yield entries
        # mkstemp makes a file that only its owner may read.
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(descriptor, "wb") as file:
                file.write(msgspec.json.format(msgspec.json.encode({"servers": entries})))
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
