"""The logs of running LeanSpec sessions as they come, by websocket: one thread for all servers.

`@leanspec/http-server` 0.2.28 sends a session's last 100 lines first, then every new one. When
the session is over it closes without a close frame, often without its `complete` message, and it
never answers a ping: none of that is an error. Polling goes on whatever happens here.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Collection
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from lib.servers import is_loopback

Payload = dict[str, Any]
OPEN_SECONDS = 10.0
AGAIN_SECONDS = 5.0
"""Until a stream that broke off is opened anew."""
LARGEST_MESSAGE = 4 * 1024 * 1024


class Stream(NamedTuple):
    """The log of one session on one server."""

    url: str
    session_id: str


class Listener(NamedTuple):
    """Who is told of a server's streams, in the thread of `Streams`."""

    token: str | None
    opened: Callable[[str], None]
    """A session's log starts anew: its last lines follow."""
    heard: Callable[[str, Payload], None]
    """A line came: `{"type": "log", "level", "message", "timestamp"}`, or what a runner sent by the
    Agent Client Protocol."""
    closed: Callable[[str], None]


class _Connect(connect):
    """A connection that follows no redirect: the token is for this server only."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


class Streams:
    """Listens to the logs of the sessions that are wanted, until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Stream, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="leanspec-streams", daemon=True)
        self._thread.start()

    def want(self, url: str, session_ids: Collection[str], listener: Listener) -> None:
        """Listen to these sessions of a server and to no others of it. Returns at once."""
        wanted = frozenset(session_ids)
        self._loop.call_soon_threadsafe(self._want, url, wanted, listener)

    def close(self) -> None:
        """Stop listening, and wait until nobody is told anything any more."""
        asyncio.run_coroutine_threadsafe(self._cancel(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        self._loop.run_forever()

    def _want(self, url: str, wanted: frozenset[str], listener: Listener) -> None:
        for stream in [one for one in self._tasks if one.url == url]:
            if stream.session_id not in wanted:
                self._end(self._tasks.pop(stream))
        for session_id in wanted:
            stream = Stream(url, session_id)
            if stream not in self._tasks:
                self._tasks[stream] = self._loop.create_task(_follow(stream, listener))

    def _end(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)
        task.cancel()

    async def _cancel(self) -> None:
        for task in self._tasks.values():
            self._end(task)
        await asyncio.gather(*self._ending, return_exceptions=True)


async def _follow(stream: Stream, listener: Listener) -> None:
    """Listen until it is cancelled; a stream that ends is opened again after a while."""
    while True:
        with contextlib.suppress(OSError, WebSocketException):
            await _listen(stream, listener)
        listener.closed(stream.session_id)
        await asyncio.sleep(AGAIN_SECONDS)


async def _listen(stream: Stream, listener: Listener) -> None:
    headers = {"Authorization": f"Bearer {listener.token}"} if listener.token else None
    local = is_loopback(urlsplit(stream.url).hostname or "")
    connection = _Connect(
        _address(stream),
        additional_headers=headers,
        proxy=None if local else True,
        open_timeout=OPEN_SECONDS,
        ping_interval=None,
        # The server reads nothing, so it would not answer.
        close_timeout=0,
        max_size=LARGEST_MESSAGE,
    )
    async with connection as messages:
        listener.opened(stream.session_id)
        async for message in messages:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeError, RecursionError):
                payload = msgspec.json.decode(message, type=Payload)
                listener.heard(stream.session_id, payload)


def _address(stream: Stream) -> str:
    scheme, rest = stream.url.split("://", 1)
    secure = "wss" if scheme == "https" else "ws"
    return f"{secure}://{rest}/api/sessions/{quote(stream.session_id, safe='')}/stream"
