"""The server: a listening socket, and uvicorn with limits on connections."""

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import Mapping
from functools import partial
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from seq2seq.errors import ConfigError
from seq2seq.serving.app import create_app
from seq2seq.serving.config import LimitsConfig, ServeConfig
from seq2seq.system.device import share_freed_memory
from seq2seq.translation.translator import Translator

KEEP_ALIVE = 5
"""Seconds until a connection without a request is closed."""

GRACE_SECONDS = 1.0
"""Time that a new connection has for its request, whatever the number of connections, up to …"""

GRACE_FACTOR = 4
"""… so many times ``limits.connections``."""

SHUTDOWN_SECONDS = 3
"""Time for unfinished responses when the server stops."""

MAX_UNSENT_BYTES = 32_000_000
"""Most bytes of responses that clients have not read; above, the connections of the oldest are closed."""

SWITCH_INTERVAL = 0.0005
"""Seconds after which Python switches threads."""


def listen(config: ServeConfig) -> socket.socket:
    """Open a listening socket.

    Raises:
        ConfigError: the address is not one of this machine, or the port is in use.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"cannot listen on host={config.host} port={config.port} ({error.strerror or error}): choose another port, "
            f"or port=0 for any free one"
        ) from None
    # Connections inherit this option. asyncio sets it on sockets that it opens itself only. Without it, the body of a
    # response waits 40 ms for the client to acknowledge the head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def page_url(config: ServeConfig, listening: socket.socket) -> str:
    """Return the address of the page for a browser."""
    host = config.host if config.local else socket.gethostname() if config.names else config.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


class Connection(H11Protocol):
    """A connection with time limits, which makes room for others while it is idle.

    uvicorn itself only limits the time between two requests.
    """

    def __init__(self, *args: Any, limits: LimitsConfig, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self._cycle: object = None
        self._timeout: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether no response is being computed: there is no complete request, or the response is complete."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    @property
    def unsent(self) -> int:
        """Bytes of responses that the client has not read."""
        return self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Close surplus connections after a grace period, since some of a crowd may be about to send a request."""
        super().connection_made(transport)
        self._close_after(self.limits.arriving)
        self._close_surplus(GRACE_FACTOR * self.limits.connections)
        self.loop.call_later(GRACE_SECONDS, self._close_surplus, self.limits.connections)

    def _close_surplus(self, limit: int) -> None:
        """Close the oldest idle connections, as far as needed for less than ``limit`` connections."""
        surplus = max(0, len(self.connections) - limit + 1)
        idle = sorted((other for other in self._all() if other.idle), key=lambda other: other.started)
        for other in idle[:surplus]:
            other.close()

    def data_received(self, data: bytes) -> None:
        """Start the time limit of the response after a complete head. At capacity, uvicorn responds with 503."""
        busy = sum(not other.idle for other in self._all())
        self.limit_concurrency = 0 if busy >= self.limits.connections - 1 else None  # uvicorn also counts idle ones
        super().data_received(data)
        if self.cycle is not self._cycle:
            self._cycle = self.cycle
            self._close_after(self.limits.arriving + 2 * self.limits.seconds)

    def on_response_complete(self) -> None:
        """Start the time limit of the next head, or of the client for reading the rest of the response."""
        super().on_response_complete()
        if self.unsent or not self.transport.is_closing():
            self._close_after(self.limits.seconds if self.unsent else self.limits.arriving)
        slow = sorted((other for other in self._all() if other.unsent), key=lambda other: other.started)
        while sum(other.unsent for other in slow) > MAX_UNSENT_BYTES:
            slow.pop(0).close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit."""
        super().connection_lost(exc)
        if self._timeout is not None:
            self._timeout.cancel()

    def close(self) -> None:
        """Close the connection without sending the rest."""
        self.connections.discard(self)  # so that it no longer counts
        self.transport.abort()

    def _all(self) -> list["Connection"]:
        return [other for other in self.connections if isinstance(other, Connection)]

    def _close_after(self, seconds: float) -> None:
        if self._timeout is not None:
            self._timeout.cancel()
        self.started = self.loop.time()
        self._timeout = self.loop.call_later(seconds, self.close)


class Server(uvicorn.Server):
    """A uvicorn server that shuts down without waiting for tasks or clients."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all tasks, so that every waiting client receives a response, and then all connections."""
        self.config.app.state.close()  # type: ignore[union-attr]
        connections = [other for other in self.server_state.connections if isinstance(other, Connection)]
        for connection in connections:
            if connection.idle and not connection.unsent:
                connection.close()
        for connection in connections:
            connection.loop.call_later(SHUTDOWN_SECONDS / 2, connection.transport.abort)
        # uvicorn logs errors about clients that do not read their responses; these are expected here.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def create_server(app: FastAPI, config: ServeConfig) -> Server:
    """Return the server; its ``run(sockets=[…])`` blocks until it is stopped."""
    return Server(
        uvicorn.Config(
            app,
            http=partial(Connection, limits=config.limits),  # type: ignore[arg-type]
            ws="none",
            access_log=False,
            log_level="error",  # otherwise every malformed request is logged
            server_header=False,
            proxy_headers=False,
            backlog=config.limits.connections,  # connections accepted in one iteration of the event loop
            h11_max_incomplete_event_size=16384,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
    )


def serve(translators: Mapping[str, Translator], config: ServeConfig, listening: socket.socket) -> None:
    """Serve until Ctrl-C."""
    share_freed_memory()
    app = create_app(translators, config.limits, config.hosts)
    # Drawing is Python code, and each step of a translation in parallel releases the interpreter many times. With the
    # default interval, it would wait 5 ms each time to get it back.
    sys.setswitchinterval(SWITCH_INTERVAL)
    with listening, contextlib.suppress(KeyboardInterrupt):
        create_server(app, config).run(sockets=[listening])
