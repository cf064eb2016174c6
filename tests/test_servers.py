"""Where LeanSpec servers are configured, what wins, and that no secret gets out."""

import json
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lib import servers
from lib.servers import (
    SERVERS_VARIABLE,
    TOKEN_VARIABLE,
    Configured,
    ServerSetting,
    base_url,
    configured,
    remove,
    save,
    settings_path,
    stamp,
)
from lib.settings import Settings

SECRET = "hunter2-hunter2"


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings("sqlite://", tmp_path / "data", "me@here")


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def read(config: Settings, environ: dict[str, str]) -> Configured:
    return configured(config, environ, config.data_folder.parent / "project")


def write_secrets(config: Settings, text: str | bytes, where: str = "project") -> None:
    path = config.data_folder.parent / where / ".streamlit" / "secrets.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())


def write_settings(config: Settings, content: Any) -> None:
    settings_path(config).parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps({"servers": content})
    settings_path(config).write_text(text, encoding="utf-8", errors="surrogateescape")


def a_server(url: str = "http://localhost:3333", **more: Any) -> ServerSetting:
    fields: dict[str, Any] = {"url": url, "name": "local", **more}
    return ServerSetting(**fields)


def test_without_configuration_there_is_no_server(
    config: Settings, environ: dict[str, str]
) -> None:
    assert read(config, environ) == Configured([], [])


def test_each_source_is_read_and_the_later_wins_at_one_url(
    config: Settings, environ: dict[str, str]
) -> None:
    save(config, a_server("http://a", name="saved a"))
    save(config, a_server("http://b", name="saved b"))
    write_secrets(config, '[[leanspec.servers]]\nurl = "http://c"\nname = "home c"', "home")
    write_secrets(
        config,
        f"""
        [database]
        password = "else"
        [[leanspec.servers]]
        url = "http://b/"
        token = "{SECRET}"
        [[leanspec.servers]]
        url = "http://c"
        name = "project c"
        on = false
        """,
    )
    environ[SERVERS_VARIABLE] = "HTTPS://D:443/, http://a"
    assert read(config, environ) == Configured(
        [
            ServerSetting(url="http://a", name="a", source="environment"),
            ServerSetting(url="http://b", name="b", token=SECRET, source="secrets"),
            ServerSetting(url="http://c", name="project c", on=False, source="secrets"),
            ServerSetting(url="https://d", name="d", source="environment"),
        ],
        [],
    )


def test_the_environment_takes_json_and_a_token_for_those_without_one(
    config: Settings, environ: dict[str, str]
) -> None:
    environ[TOKEN_VARIABLE] = f"{SECRET}\n"
    environ[SERVERS_VARIABLE] = json.dumps(
        ["http://a", {"url": "http://b", "name": "B", "token": "own", "on": False}]
    )
    assert read(config, environ).servers == [
        ServerSetting(url="http://a", name="a", token=SECRET, source="environment"),
        ServerSetting(url="http://b", name="B", token="own", on=False, source="environment"),
    ]


@pytest.mark.parametrize(
    ("typed", "url"),
    [
        (" http://LocalHost:3333/ ", "http://localhost:3333"),
        ("http://h:80", "http://h"),
        ("https://h:80/", "https://h:80"),
        ("https://h/Lean/spec//", "https://h/Lean/spec"),
        ("http://[::1]:3333", "http://[::1]:3333"),
    ],
)
def test_one_server_has_one_url(typed: str, url: str) -> None:
    assert base_url(typed) == url


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "localhost:3333",
        "ftp://h",
        "http://",
        "http:///path",
        "http://h:99999",
        "http://h:port",
        "http://[::1",
        f"http://me:{SECRET}@h",
        f"http://h/?token={SECRET}",
        f"http://h/#{SECRET}",
        f"http://h/\n{SECRET}",
        f"http://h/ {SECRET}",
        f"http://h\\{SECRET}",
        f"http://h/{SECRET * 200}",
    ],
)
def test_what_is_no_url_is_told_without_repeating_it(typed: str) -> None:
    with pytest.raises(ValueError, match=r"\w+ .*\.$") as caught:
        base_url(typed)
    assert SECRET not in str(caught.value)


def test_a_bad_entry_is_told_of_with_its_place_and_the_others_work(
    config: Settings, environ: dict[str, str]
) -> None:
    write_settings(
        config,
        [
            {"url": "http://a"},
            {"url": SECRET},
            {"token": SECRET},
            {"url": "http://b", "token": [SECRET]},
            {"url": "http://c", "token": f"{SECRET} {SECRET}"},
            {"url": "http://d", "name": f"{SECRET}\n{SECRET}"},
            {"url": "http://e", "on": SECRET},
            {"url": "http://f", SECRET: 1},
            SECRET,
            None,
        ],
    )
    found = read(config, environ)
    assert [server.url for server in found.servers] == ["http://a", "http://f"]
    places = [problem.split(":")[0] for problem in found.problems]
    assert places == [f"{settings_path(config)}, entry {number}" for number in range(2, 11)]
    assert SECRET not in repr(found)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '{"servers": {}}',
        '"' + SECRET,
        f'{{"servers": [{SECRET}]}}',
        "[" * 100_000,
        "\udcff",
        "x" * 1_000_001,
    ],
    ids=lambda text: str(text)[:20].encode("ascii", "replace").decode(),
)
def test_a_settings_file_that_cannot_be_used_stops_nothing_else(
    content: str, config: Settings, environ: dict[str, str]
) -> None:
    write_settings(config, content)
    environ[SERVERS_VARIABLE] = "http://a"
    found = read(config, environ)
    assert [server.url for server in found.servers] == ["http://a"]
    assert [problem.split(": ")[0] for problem in found.problems] == [str(settings_path(config))]
    assert SECRET not in found.problems[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'a = "{SECRET}', r"\(at end of document\)"),
        (f"\n\na = {SECRET}", r"\(at line 3, column 5\)"),
        (f'leanspec = "{SECRET}"', r"\[\[leanspec.servers\]\]"),
        ('[leanspec]\nurl = "http://a"', r"\[\[leanspec.servers\]\]"),
        ('[leanspec.servers]\nurl = "http://a"', r"\[\[leanspec.servers\]\]"),
        (b"\xff", "UTF-8"),
    ],
)
def test_secrets_that_cannot_be_used_are_told_of_with_their_place(
    text: str | bytes, told: str, config: Settings, environ: dict[str, str]
) -> None:
    write_secrets(config, text)
    found = read(config, environ)
    assert found.servers == []
    (problem,) = found.problems
    assert re.search(told, problem)
    assert SECRET not in problem


def test_what_is_no_file_does_not_hang_and_is_told_of(
    config: Settings, environ: dict[str, str]
) -> None:
    settings_path(config).mkdir(parents=True)
    folder = config.data_folder.parent / "project" / ".streamlit"
    folder.mkdir(parents=True)
    os.mkfifo(folder / "secrets.toml")
    assert len(read(config, environ).problems) == 2


def test_a_saved_server_comes_back_and_only_its_owner_may_read_it(
    config: Settings, environ: dict[str, str]
) -> None:
    saved = a_server(token=SECRET)
    save(config, saved)
    assert read(config, environ) == Configured([saved], [])
    assert stat.S_IMODE(settings_path(config).stat().st_mode) == 0o600
    assert stat.S_IMODE(config.data_folder.stat().st_mode) == 0o700


def test_saving_makes_a_file_private_that_was_not(config: Settings) -> None:
    write_settings(config, [])
    settings_path(config).chmod(0o644)
    save(config, a_server(token=SECRET))
    assert stat.S_IMODE(settings_path(config).stat().st_mode) == 0o600


def test_an_edited_server_keeps_its_place_and_is_there_once(
    config: Settings, environ: dict[str, str]
) -> None:
    for url in ("http://a", "http://b", "http://c"):
        save(config, a_server(url))
    save(config, a_server("http://c", on=False), replaces="http://b")
    save(config, a_server("http://a", name="new"))
    assert [(server.url, server.name, server.on) for server in read(config, environ).servers] == [
        ("http://a", "new", True),
        ("http://c", "local", False),
    ]
    remove(config, "http://a")
    assert [server.url for server in read(config, environ).servers] == ["http://c"]


def test_what_could_not_be_understood_survives_a_change(config: Settings) -> None:
    write_settings(config, ["kept", {"url": "http://a"}, {"later": 1}])
    remove(config, "http://a")
    save(config, a_server("http://b"))
    kept = json.loads(settings_path(config).read_bytes())["servers"]
    assert [one if isinstance(one, str) else next(iter(one)) for one in kept] == [
        "kept",
        "later",
        "url",
    ]


def test_a_file_that_is_not_understood_is_never_overwritten(config: Settings) -> None:
    write_settings(config, "precious")
    with pytest.raises(ValueError, match="JSON"):
        save(config, a_server())
    assert settings_path(config).read_text() == "precious"


@pytest.mark.parametrize(
    "wrong", [{"url": "nonsense"}, {"name": "two\nlines"}, {"token": f"{SECRET} ä"}]
)
def test_what_could_not_be_read_again_is_not_saved(wrong: Any, config: Settings) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        save(config, a_server(**wrong))
    assert not settings_path(config).exists()
    assert SECRET not in str(caught.value)


def test_a_change_that_fails_leaves_the_old_file_and_nothing_else(
    config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(config, a_server())
    before = settings_path(config).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(servers.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(config, a_server("http://b"))
    assert settings_path(config).read_bytes() == before
    assert sorted(path.name for path in config.data_folder.iterdir()) == [
        "servers.json",
        "servers.lock",
    ]


def test_changes_at_the_same_time_are_all_kept_and_readers_see_whole_files(
    config: Settings, environ: dict[str, str]
) -> None:
    urls = [f"http://h{number}" for number in range(20)]
    threads = [threading.Thread(target=save, args=(config, a_server(url))) for url in urls]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        assert read(config, environ).problems == []
    assert sorted(server.url for server in read(config, environ).servers) == sorted(urls)


def test_a_stamp_moves_with_every_change_of_a_file(
    config: Settings, environ: dict[str, str]
) -> None:
    project = config.data_folder.parent / "project"
    seen = [stamp(config, environ, project)]
    save(config, a_server())
    seen.append(stamp(config, environ, project))
    save(config, a_server(token="t"))
    seen.append(stamp(config, environ, project))
    write_secrets(config, "[leanspec]")
    seen.append(stamp(config, environ, project))
    write_secrets(config, "", "home")
    seen.append(stamp(config, environ, project))
    assert len(set(seen)) == len(seen)
    assert stamp(config, environ, project) == seen[-1]


def test_a_token_stands_in_no_representation() -> None:
    assert SECRET not in f"{a_server(token=SECRET)!r} {a_server(token=SECRET)}"


@given(st.text())
@example("[" * 100_000)
@example('[1e999, "\\ud800", {"url": 1}]')
def test_no_text_in_the_environment_is_too_much(text: str) -> None:
    config = Settings("sqlite://", Path("/nonexistent"), "me@here")
    environ = {"HOME": "/nonexistent", SERVERS_VARIABLE: text}
    found = configured(config, environ, Path("/nonexistent"))
    for server in found.servers:
        assert base_url(server.url) == server.url


URLS = st.sampled_from(["http://a", "http://a/", "HTTP://A", "https://a:443", "http://b:1"])
ENTRIES = st.lists(
    st.fixed_dictionaries(
        {"url": URLS | st.none() | st.text(max_size=5)},
        optional={
            "name": st.text(max_size=5) | st.integers(),
            "token": st.text(max_size=5) | st.none(),
            "on": st.booleans() | st.none(),
            "more": st.none(),
        },
    )
    | st.text(max_size=5)
    | st.integers(),
    max_size=5,
)


@given(ENTRIES)
def test_every_entry_becomes_a_server_or_a_problem(entries: list[Any]) -> None:
    config = Settings("sqlite://", Path("/nonexistent"), "me@here")
    environ = {"HOME": "/nonexistent", SERVERS_VARIABLE: json.dumps(entries)}
    found = configured(config, environ, Path("/nonexistent"))
    urls = [server.url for server in found.servers]
    assert len(urls) == len(set(urls))
    assert len(found.problems) + len(urls) <= 2 * len(entries)
    for number, entry in enumerate(entries, 1):
        told = any(f"entry {number}:" in problem for problem in found.problems)
        written = entry if isinstance(entry, str) else getattr(entry, "get", {}.get)("url")
        assert told or base_url(str(written)) in urls


def test_only_an_address_of_this_machine_is_loopback() -> None:
    hosts = ("localhost", "127.8.9.10", "::1", "127.harbour.test", "10.0.0.1")
    assert [servers.is_loopback(host) for host in hosts] == [True] * 3 + [False] * 2
