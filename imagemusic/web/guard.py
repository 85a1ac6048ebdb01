"""What every request to the page passes first: address, origin, route, size, room on the disk.

    request ──► host ──► origin ──► route ──► size ──► room ──► gradio ──► response + SECURITY_HEADERS

An ASGI middleware without gradio.  Bodies are counted while they are read, as a header may say less than what comes.
"""

import asyncio
import logging
import re
import traceback
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from imagemusic.errors import ConfigError
from imagemusic.web.storage import Storage, StorageFull

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MAX_BODY = 256_000  # bytes of a request that is no upload
MULTIPART_OVERHEAD = 16_000  # bytes around the file of an upload
LOOPBACK = ("127.0.0.1", "localhost", "::1")
EVERYWHERE = ("0.0.0.0", "::")  # addresses to listen on

# What the page and clients of its API send; everything else that gradio offers (recordings, profiles, its own editor)
# is not needed here, and some of it writes files or starts programs.
POSTS = re.compile(r"/(login|gradio_api/(upload|queue/join|call/(v2/)?[\w-]+|reset|cancel|heartbeat/\w+))/?")
NO_GETS = re.compile(r"/(monitoring|gradio_api/(deep_link|proxy=|dev/|profiling|vibe|run-history|stream))")

# gradio's page has inline scripts and builds functions from text; nothing is loaded from another host.
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; object-src 'none'; base-uri 'self'; "
        "form-action 'self'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
}
LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Access:
    """From where the page may be used."""

    hosts: frozenset[str] | None  # names in the Host header; None for all
    origins: frozenset[str] = frozenset()  # beside the page's own

    @classmethod
    def of(cls, listening: str, public_urls: tuple[str, ...] = ()) -> "Access":
        """Return the access of a page that listens on an address and that visitors open at `public_urls`.

        Without a public URL a page on this machine alone answers to the names of this machine, so that no foreign page
        reaches it under a name of its own (DNS rebinding).

        Raises:
            ConfigError: a URL is none.
        """
        parts = [parse_url(url) for url in public_urls]
        origins = frozenset(f"{part.scheme}://{part.netloc}".lower() for part in parts)
        if not public_urls and listening in EVERYWHERE:
            return cls(None)
        return cls(frozenset({*LOOPBACK, listening, *(str(part.hostname) for part in parts)}), origins)

    def refuses(self, headers: dict[str, str], method: str) -> str | None:
        """Return why a request is refused; None where it is not."""
        host = headers.get("host", "")
        if self.hosts is not None and _name_of(host) not in self.hosts:
            return "the page does not answer to this host name"
        origin = headers.get("origin")
        if origin is None or method in ("GET", "HEAD", "OPTIONS"):
            return None
        own = origin.partition("://")[2] == host
        return None if own or origin.lower() in self.origins else "requests from other sites are refused"


def parse_url(url: str) -> Any:
    """Split the URL of a page.

    Raises:
        ConfigError: it is none of http or https, or has more than a host and a path.
    """
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and not (parts.query or parts.fragment)
        fits = fits and parts.username is None and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigError(f"public URL must be like https://music.example or https://example.org/music, got {url!r}")
    return parts


def _name_of(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


class _TooLarge(Exception):
    """A body is longer than it may be."""


class Guard:
    """Refuses requests before they cost anything, and adds headers to the answers."""

    def __init__(
        self, app: App, *, access: Access, max_upload: int, storage: Storage | None = None, root_path: str = ""
    ) -> None:
        """Guard an app; `max_upload` is in bytes, `root_path` what a proxy may leave in front of the routes."""
        self.app, self.access, self.storage, self.root_path = app, access, storage, root_path.rstrip("/")
        self.max_upload = max_upload + MULTIPART_OVERHEAD

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request, or refuse it."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":  # gradio has no websockets
            return None
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        method, path = scope["method"], scope["path"].removeprefix(self.root_path)
        if reason := self.access.refuses(headers, method):
            return await _refuse(send, 403, reason)
        if not self._offers(method, path):
            return await _refuse(send, 404, "there is no such route")
        is_upload = method == "POST" and path.startswith("/gradio_api/upload")
        most = self.max_upload if is_upload else MAX_BODY
        length = headers.get("content-length", "")
        if length and not (length.isascii() and length.isdigit() and int(length) <= most):
            return await _refuse(send, 413, f"more than {most} bytes")
        try:
            need = int(length) if length else most
            room = await asyncio.to_thread(self.storage.reserve, need) if is_upload and self.storage else nullcontext()
        except StorageFull as error:
            return await _refuse(send, 507, str(error))
        with room:
            await self._pass_on(scope, receive, send, most)
        return None

    def _offers(self, method: str, path: str) -> bool:
        if method == "POST":
            return POSTS.fullmatch(path) is not None
        return method in ("GET", "HEAD", "OPTIONS") and NO_GETS.match(path) is None

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        taken, started, too_large = 0, False, False

        async def counted() -> Message:
            nonlocal taken, too_large
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > most:
                too_large = True
                raise _TooLarge
            return message

        async def with_headers(message: Message) -> None:
            nonlocal started
            if too_large and not started:
                return  # what the app makes of the broken body
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [
                    *message.get("headers", ()), *((n.encode(), v.encode()) for n, v in SECURITY_HEADERS.items()),
                ]  # fmt: skip
            await send(message)

        try:
            await self.app(scope, counted, with_headers)
        except Exception as error:
            if not too_large:  # the frames alone: messages of errors quote what was sent
                frames = "".join(traceback.format_tb(error.__traceback__)[-5:])
                LOG.error("%s at %r\n%s", type(error).__name__, scope["path"][:100], frames)
                if not started:
                    await _refuse(send, 500, "internal error")
                return
        if too_large and not started:
            await _refuse(send, 413, f"more than {most} bytes")


async def _refuse(send: Send, status: int, reason: str) -> None:
    """Answer with a status and one line, and close the connection: the body is not read."""
    headers = {"content-type": "text/plain; charset=utf-8", "connection": "close", **SECURITY_HEADERS}
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": f"{reason}\n".encode()})
