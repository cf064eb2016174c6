"""Client of a LeanSpec server: its projects, runners, sessions and specs, and what it can do.

Written against `@leanspec/http-server` 0.2.28. Whatever answers is not trusted: a call is bounded
in time and size, no redirect leaves the server, the token goes to nobody else and into no
message, and what a server of another version leaves out or adds does no harm.
"""

import asyncio
import ssl
from collections.abc import Coroutine, Mapping, Sequence
from email.utils import parsedate_to_datetime
from time import time_ns
from typing import Any, Literal, Self, TypeVar
from urllib.parse import quote, urlsplit

import httpx
import msgspec

from lib.leanspec_answers import (
    Health,
    LogLine,
    Projects,
    Runners,
    ServerSession,
    Sessions,
    first_line,
    message_of,
    readable,
    whole,
)
from lib.model import ServerProject
from lib.servers import is_loopback

Kind = Literal[
    "unreachable",
    "broken-off",
    "refused",
    "no-leanspec",
    "not-found",
    "rejected",
    "timeout",
    "too-large",
]
Value = TypeVar("Value")

TOTAL_SECONDS = 10.0
"""What one call may take, from the first look-up of the host to the last byte."""
MOST_OFFSET_MS = 100 * 365 * 86_400_000
LARGEST_BODY = 32 * 1024 * 1024
_MOST_REDIRECTS = 3
_FALLBACK: frozenset[Kind] = frozenset({"not-found", "rejected", "too-large"})


class LeanSpecError(Exception):
    """A call that failed: `kind` says how, the text says why, where it can in the server's words.

    `refused`: the token is missing or wrong. `no-leanspec`: something else answers there.
    `rejected`: the server would not or could not do it. `unreachable`: nothing was asked, while
    what was asked by a call that ended as `broken-off` or `timeout` may have been done.
    """

    def __init__(self, kind: Kind, message: str):
        super().__init__(message)
        self.kind: Kind = kind


class Client:
    """One LeanSpec server, as a context manager. Every method raises LeanSpecError.

    For one thread at a time, and none in which an event loop runs.
    """

    def __init__(self, url: str, token: str | None = None, seconds: float = TOTAL_SECONDS):
        """`url` as `lib.servers.base_url` gives it; `seconds` bounds each call as a whole."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
            raise LeanSpecError("no-leanspec", "This is no URL of a server.")
        if token is not None and not (token.isascii() and token.isprintable()):
            raise LeanSpecError("refused", "The token holds characters that none may have.")
        self.url = url.rstrip("/")
        self.clock_offset_ms: int | None = None
        """How far the server's clock is ahead of ours, to about a second; None if it is unknown."""
        self._token = token
        self.seconds = seconds
        """What one call may take in all; may be set between calls."""
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        headers = {"Accept-Encoding": "gzip"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        try:
            self._http = httpx.AsyncClient(
                headers=headers,
                # Making a TLS context takes longer than a call, and plain HTTP needs none.
                verify=parts.scheme == "https",
                # A proxy has no way to this machine's own loopback.
                trust_env=not is_loopback(parts.hostname),
                timeout=seconds,
            )
        except (OSError, ValueError, ImportError, httpx.InvalidURL):
            # The message may hold the password of a proxy.
            raise LeanSpecError(
                "unreachable",
                f"{self.url} can't be asked: a variable of this machine's environment names a "
                "proxy, or a file of certificates, that can't be used.",
            ) from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        self._runner.run(self._http.aclose())
        self._runner.close()

    def version(self) -> str:
        """The server's version; tells a LeanSpec server from anything else."""
        health = self._run(self._get("/health", Health))
        if health.status != "ok" or not health.version:
            raise LeanSpecError("no-leanspec", self._foreign("its health is none of LeanSpec's"))
        return first_line(health.version, 40)

    def projects(self) -> list[ServerProject]:
        """All projects that are registered there."""
        return [
            ServerProject(id=one.id, name=one.name or one.id, path=one.path)
            for one in self._run(self._get("/api/projects", Projects)).projects
        ]

    def runners(self, project_path: str, *, look: bool = True) -> Runners:
        """What sessions of a project can be run with; without `look` availability is unknown."""
        query = {"projectPath": project_path, "skipValidation": str(not look).lower()}
        return self._run(self._get("/api/runners", Runners, query))

    def sessions(self, projects: Sequence[ServerProject] = ()) -> Sessions:
        """The sessions of all projects; by one call a project where one for all does not work."""
        return self._run(self._sessions(projects))

    def session(self, session_id: str) -> ServerSession:
        """One session as it is now."""
        return self._run(self._get(f"/api/sessions/{_segment(session_id)}", ServerSession))

    def logs(self, session_id: str) -> list[LogLine]:
        """The newest lines of a session's log (the server gives 1,000), oldest first."""
        return self._run(self._get(f"/api/sessions/{_segment(session_id)}/logs", list[LogLine]))

    def specs(self, project_id: str) -> list[dict[str, Any]]:
        """All specs of a project, as the server tells them, without their content."""
        answer = self._object(f"/api/projects/{_segment(project_id)}/specs")
        specs = answer.get("specs")
        return [spec for spec in specs if isinstance(spec, dict)] if isinstance(specs, list) else []

    def spec(self, project_id: str, spec: str) -> dict[str, Any]:
        """One spec with its content."""
        return self._object(f"/api/projects/{_segment(project_id)}/specs/{_segment(spec)}")

    def raw_spec(self, project_id: str, spec: str) -> dict[str, Any]:
        """One spec's file: `content`, `contentHash`, `filePath`."""
        return self._object(f"/api/projects/{_segment(project_id)}/specs/{_segment(spec)}/raw")

    def dependencies(self, project_id: str) -> dict[str, Any]:
        """The specs of a project as `nodes` and `edges`."""
        return self._object(f"/api/projects/{_segment(project_id)}/dependencies")

    def create(
        self,
        project_path: str,
        specs: Sequence[str] = (),
        prompt: str | None = None,
        runner: str | None = None,
        mode: str = "autonomous",
    ) -> ServerSession:
        """Create a session without starting it; the project's default runner if none is named."""
        body = {
            "project_path": project_path,
            "spec_ids": list(specs),
            "prompt": prompt,
            "runner": runner,
            "mode": mode,
        }
        return self._run(self._call("POST", "/api/sessions", ServerSession, body=body))

    def start(self, session_id: str) -> ServerSession:
        """Ask for a pending session to be started. The answer is how it was before."""
        return self._act(session_id, "start")

    def pause(self, session_id: str) -> ServerSession:
        """Freeze a running session."""
        return self._act(session_id, "pause")

    def resume(self, session_id: str) -> ServerSession:
        """Let a paused session go on."""
        return self._act(session_id, "resume")

    def stop(self, session_id: str) -> ServerSession:
        """End a session."""
        return self._act(session_id, "stop")

    def delete(self, session_id: str) -> None:
        """Delete a session with its log, stopping it where it runs; fine when it is gone."""
        self._run(self._exchange("DELETE", f"/api/sessions/{_segment(session_id)}"))

    def archive(self, session_id: str, *, compress: bool = False) -> str:
        """Write a session's log into its project's folder; return the file's path there."""
        path = f"/api/sessions/{_segment(session_id)}/archive"
        answer = self._run(self._call("POST", path, dict[str, Any], body={"compress": compress}))
        return str(answer.get("path", ""))

    def _act(self, session_id: str, verb: str) -> ServerSession:
        path = f"/api/sessions/{_segment(session_id)}/{verb}"
        return self._run(self._call("POST", path, ServerSession))

    def _object(self, path: str) -> dict[str, Any]:
        return self._run(self._get(path, dict[str, Any]))

    async def _sessions(self, projects: Sequence[ServerProject]) -> Sessions:
        path = "/api/sessions"
        try:
            return readable(await self._get(path, list[msgspec.Raw]))
        except LeanSpecError as error:
            if error.kind not in _FALLBACK or not projects:
                raise
            failure = error
        calls = [
            self._get(path, list[msgspec.Raw], {"project_id": project.id}) for project in projects
        ]
        answers = await asyncio.gather(*calls, return_exceptions=True)
        found = [answer for answer in answers if not isinstance(answer, BaseException)]
        if not found:
            raise failure
        sessions = readable([item for answer in found for item in answer])
        return msgspec.structs.replace(sessions, complete=len(found) == len(projects))

    async def _get(
        self, path: str, kind: type[Value], query: Mapping[str, str] | None = None
    ) -> Value:
        return await self._call("GET", path, kind, query=query)

    async def _call(
        self,
        method: str,
        path: str,
        kind: type[Value],
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> Value:
        response, content = await self._exchange(method, path, query=query, body=body)
        try:
            return whole(content, kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise LeanSpecError("no-leanspec", self._foreign(_unlike(response, error))) from None

    async def _exchange(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
    ) -> tuple[httpx.Response, bytes]:
        """One call and its answer, which is no error."""
        try:
            request = self._http.build_request(method, self.url + path, params=query, json=body)
            async with asyncio.timeout(self.seconds):
                response, content = await self._send(request)
        except (TimeoutError, httpx.TimeoutException):
            raise LeanSpecError(
                "timeout", f"No whole answer from {self.url} within {self.seconds:g} s."
            ) from None
        except (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError) as error:
            raise LeanSpecError("broken-off", self._unreachable(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError) as error:
            raise LeanSpecError("unreachable", self._unreachable(error)) from None
        if response.is_error:
            raise self._failure(response, content)
        return response, content

    async def _send(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        for _ in range(_MOST_REDIRECTS + 1):
            asked = time_ns()
            response = await self._http.send(request, stream=True)
            try:
                self._note_clock(response, (asked + time_ns()) // 2_000_000)
                onward = response.next_request
                if onward is None:
                    return response, await self._content(response)
            finally:
                await response.aclose()
            if request.method != "GET" or _origin(onward.url) != _origin(request.url):
                raise LeanSpecError("no-leanspec", self._foreign("it redirects elsewhere"))
            request = onward
        raise LeanSpecError("no-leanspec", self._foreign("it redirects without end"))

    async def _content(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "gzip").lower() not in ("gzip", "identity"):
            # One coding grows a thousandfold at most; one inside another fills any memory.
            raise LeanSpecError("no-leanspec", self._foreign("it packs its answers unasked"))
        content = bytearray()
        async for chunk in response.aiter_bytes():
            content += chunk
            if len(content) > LARGEST_BODY:
                limit = LARGEST_BODY // 1024**2
                message = f"An answer from {self.url} is larger than {limit} MB."
                raise LeanSpecError("too-large", message)
        return bytes(content)

    def _note_clock(self, response: httpx.Response, now: int) -> None:
        try:
            stamp = parsedate_to_datetime(response.headers["date"]).timestamp()
        except (KeyError, ValueError, OverflowError):
            return
        # A stamp says the second only, cut off.
        offset = int(stamp * 1000) + 500 - now
        # No clock is wrong by so much, and nothing can be dated by such an answer.
        self.clock_offset_ms = offset if abs(offset) < MOST_OFFSET_MS else None

    def _failure(self, response: httpx.Response, content: bytes) -> LeanSpecError:
        status = f"{response.status_code} {response.reason_phrase}".strip()
        # Before anything is cut: half a token is half told.
        if self._token:
            content = content.replace(self._token.encode(), "…".encode())
        said = self._without_token(message_of(response.headers.get("content-type", ""), content))
        if response.status_code in (401, 403):
            asked = "does not accept the token" if self._token else "wants a token"
            return LeanSpecError("refused", f"{self.url} {asked} ({said or status}).")
        if response.status_code == 404:
            return LeanSpecError("not-found", said or f"{self.url} knows no such thing ({status}).")
        return LeanSpecError("rejected", said or f"{self.url} answers {status}.")

    def _unreachable(self, error: Exception) -> str:
        cause = _tls_failure(error)
        if cause is not None:
            return f"No TLS connection to {self.url}: {cause}."
        why = first_line(self._without_token(str(error)))
        return f"{self.url} can't be reached: {why or type(error).__name__}."

    def _foreign(self, why: str) -> str:
        return f"What answers at {self.url} is no LeanSpec server: {self._without_token(why)}."

    def _without_token(self, text: str) -> str:
        return text.replace(self._token, "…") if self._token else text

    def _run(self, call: Coroutine[Any, Any, Value]) -> Value:
        return self._runner.run(call)


def _segment(name: str) -> str:
    """`name` as one segment of a path. Raises LeanSpecError for one that leaves its folder."""
    if name in ("", ".", ".."):
        raise LeanSpecError("not-found", f"There is nothing called {name!r}.")
    return quote(name, safe="")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _tls_failure(error: BaseException | None) -> str | None:
    """What the TLS library said, where `error` comes from it."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return first_line(error.verify_message)
        if isinstance(error, ssl.SSLError):
            return first_line(error.reason or str(error)).lower().replace("_", " ")
        error = error.__cause__ or error.__context__
    return None


def _unlike(response: httpx.Response, error: Exception) -> str:
    kind = response.headers.get("content-type", "").partition(";")[0].strip()
    if "json" not in kind:
        return f"it sends {first_line(kind, 60) or 'something'} instead of JSON"
    return first_line(str(error)).rstrip(".")
