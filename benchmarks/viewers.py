"""Viewers of a running dashboard without browsers, which would take the CPU that is measured.

Each does what a browser does: it asks for the page, for a look at the board each second, and for
the whole page every five seconds, and reads what comes.
"""

import asyncio
import contextlib
import threading
from collections.abc import Generator

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from benchmarks.measure import CommandError

BEAT_SECONDS = 5


class Viewer:
    """One connection. `looks`: how many runs of the script it has seen the end of."""

    def __init__(self, url: str) -> None:
        self.looks = 0
        self._url = url
        self._fragment = ""
        self._page = ""

    async def watch(self) -> None:
        """Look until cancelled."""
        address = f"{self._url.replace('http', 'ws', 1)}/_stcore/stream"
        async with connect(
            address,
            subprotocols=[Subprotocol("streamlit")],
            origin=Origin(self._url),
            max_size=None,
            ping_interval=None,
        ) as connection:
            beating = asyncio.create_task(self._beat(connection))
            try:
                async for data in connection:
                    self._read(data)
            finally:
                beating.cancel()

    def _read(self, data: str | bytes) -> None:
        message = ForwardMsg()
        message.ParseFromString(data if isinstance(data, bytes) else data.encode())
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._page = message.new_session.page_script_hash
        elif kind == "auto_rerun":
            self._fragment = message.auto_rerun.fragment_id
        elif kind == "script_finished":
            self.looks += 1

    async def _beat(self, connection: ClientConnection) -> None:
        second = 0
        while True:
            message = BackMsg()
            message.rerun_script.page_script_hash = self._page
            if second % BEAT_SECONDS and self._fragment:
                message.rerun_script.fragment_id = self._fragment
                message.rerun_script.is_auto_rerun = True
            await connection.send(message.SerializeToString())
            second += 1
            await asyncio.sleep(1)


class Viewers:
    """As many viewers as asked for, in a thread of their own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._known: list[tuple[Viewer, asyncio.Task[None]]] = []
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def come(self, wanted: int) -> None:
        """Let more come until there are `wanted`."""

        async def begin() -> None:
            viewer = Viewer(self._url)
            self._known.append((viewer, asyncio.create_task(viewer.watch())))

        while len(self._known) < wanted:
            asyncio.run_coroutine_threadsafe(begin(), self._loop).result()

    def looks(self) -> int:
        """How many runs all have seen the end of. Raises CommandError when one is gone."""
        for _, task in self._known:
            if task.done():
                raise CommandError(f"a viewer ended: {task.exception()}")
        return sum(viewer.looks for viewer, _ in self._known)

    def leave(self) -> None:
        """Let all go."""

        async def end() -> None:
            for _, task in self._known:
                task.cancel()
            await asyncio.gather(*(task for _, task in self._known), return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextlib.contextmanager
def viewers_of(url: str) -> Generator[Viewers]:
    """Viewers of the dashboard at `url`, none at first; all leave when the block ends."""
    viewers = Viewers(url)
    try:
        yield viewers
    finally:
        viewers.leave()
