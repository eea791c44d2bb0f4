"""Checks of every request and security headers of every response.

Requests: the host name, the site of origin, the size of the body, and the time for receiving it. Responses: headers by
which a browser loads nothing from other sites, runs only the page's own scripts, and embeds the page in no other.
"""

import asyncio
import json
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seq2seq.serving.config import LimitsConfig

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class RejectedError(Exception):
    """A request that does not reach the application."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class SecurityMiddleware:
    """ASGI middleware.

    Args:
        app: the application.
        limits: ``body`` and ``arriving`` apply here.
        hosts: allowed host names; None: any.
    """

    def __init__(self, app: ASGIApp, limits: LimitsConfig, hosts: frozenset[str] | None) -> None:
        self.app, self.limits, self.hosts = app, limits, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or reject it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._check_head(scope["path"], Headers(scope=scope))
            body = await asyncio.wait_for(self._read_body(receive), self.limits.arriving)
        except TimeoutError:
            detail = f"the request was not received within {self.limits.arriving:g} seconds: send it again"
            await _send_error(send_with_headers, 408, detail)
            return
        except RejectedError as error:
            await _send_error(send_with_headers, error.status, error.detail)
            return
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return messages.pop() if messages else await receive()

        await self.app(scope, replay, send_with_headers)

    def _check_head(self, path: str, headers: Headers) -> None:
        """Check host, origin and the announced size, before the body is read."""
        if self.hosts is not None and _hostname(headers.get("host", "")) not in self.hosts:
            raise RejectedError(403, "this host name is not allowed: start the server with names=[NAME]")
        # Links of other sites may open the page. The API is for the page only: frames of other sites navigate too, and
        # other ports of this machine count as the same site.
        opens_page = headers.get("sec-fetch-mode") == "navigate" and not path.startswith("/api/")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not opens_page:
            raise RejectedError(403, "requests from other sites are not allowed")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.limits.body:
            raise RejectedError(413, self._too_large())

    async def _read_body(self, receive: Receive) -> bytes:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                raise RejectedError(400, "the client disconnected")
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > self.limits.body:
                raise RejectedError(413, self._too_large())
            if not message.get("more_body", False):
                return body

    def _too_large(self) -> str:
        return f"the body is larger than {self.limits.body:,} bytes: send less at a time"


def _hostname(host: str) -> str | None:
    """Return the name in a ``Host`` header without the port; None: the header is invalid."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _send_error(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # The rest of the body is not read, so the connection cannot be reused.
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
