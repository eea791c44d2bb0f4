"""What every request passes on its way in, and every answer on its way out.

In: the host it asks for, the site it comes from, the size of its body and the time that takes. Out: headers by which a
browser loads nothing from elsewhere, runs no script but the page's own files, and shows the page in no other.
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


class RefusedError(Exception):
    """A request that goes no further."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


class Gate:
    """ASGI middleware.

    Args:
        app: what is behind it.
        limits: ``body`` and ``arriving`` hold here.
        hosts: names that a request may ask for; None: any.
    """

    def __init__(self, app: ASGIApp, limits: LimitsConfig, hosts: frozenset[str] | None) -> None:
        self.app, self.limits, self.hosts = app, limits, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        try:
            self._check(scope["path"], Headers(scope=scope))
            body = await asyncio.wait_for(self._body(receive), self.limits.arriving)
        except TimeoutError:
            await _refuse(answer, 408, f"the request did not arrive within {self.limits.arriving:g} seconds")
            return
        except RefusedError as refused:
            await _refuse(answer, refused.status, refused.detail)
            return
        parts: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return parts.pop() if parts else await receive()

        await self.app(scope, replay, answer)

    def _check(self, path: str, headers: Headers) -> None:
        """Hold what can be seen before the body."""
        if self.hosts is not None and _hostname(headers.get("host", "")) not in self.hosts:
            raise RefusedError(403, "this page does not go by that host name: start it with names=[NAME] to allow it")
        # A link of another site may lead to the page. What computes is for the page alone: a frame of another site
        # navigates too, and other ports of this machine are the "same site".
        led_here = headers.get("sec-fetch-mode") == "navigate" and not path.startswith("/api/")
        if headers.get("sec-fetch-site") in ("cross-site", "same-site") and not led_here:
            raise RefusedError(403, "other sites may not ask here")
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self.limits.body:
            raise RefusedError(413, self._too_large())

    async def _body(self, receive: Receive) -> bytes:
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":  # the client is gone
                raise RefusedError(400, "the request broke off")
            part: bytes = message.get("body", b"")
            body += part
            if len(body) > self.limits.body:
                raise RefusedError(413, self._too_large())
            if not message.get("more_body", False):
                return body

    def _too_large(self) -> str:
        return f"a request may have {self.limits.body:,} bytes: send less at a time"


def _hostname(host: str) -> str | None:
    """The name in a ``Host`` header, without its port; None where it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


async def _refuse(send: Send, status: int, detail: str) -> None:
    body = json.dumps({"detail": detail}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    # What is left of the body is not read: the connection cannot be used again.
    await send({"type": "http.response.start", "status": status, "headers": [*headers, (b"connection", b"close")]})
    await send({"type": "http.response.body", "body": body})
