"""The server: a port of this machine, and uvicorn behind it."""

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
"""Seconds that a connection without a request is kept."""

MOMENT = 1.0
"""Seconds that a new connection has to ask in, however many there are, up to …"""

CROWD = 4
"""… so many times ``limits.connections``."""

CLOSING = 3
"""Seconds that answers under way have when the server is stopped."""

UNTAKEN = 32_000_000
"""Bytes of answers that clients have not taken, at most; beyond them the oldest are thrown away."""

SWITCHING = 0.0005
"""Seconds after which a thread of Python lets another go on."""


def bound(config: ServeConfig) -> socket.socket:
    """A socket that listens where the settings say.

    Raises:
        ConfigError: the address is none of this machine's, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        raise ConfigError(
            f"host={config.host} port={config.port} cannot be listened at ({error.strerror or error}): choose "
            f"another port, or port=0 for any that is free"
        ) from None
    # Connections inherit it. asyncio sets it on its own sockets alone; without it an answer, being head and body, would
    # wait 40 ms for the client to acknowledge the head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(config: ServeConfig, listening: socket.socket) -> str:
    """Where a browser on this machine finds the page."""
    host = config.host if config.local else socket.gethostname() if config.names else config.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


class Connection(H11Protocol):
    """A connection that neither waits for its client for ever nor keeps a place that another needs.

    uvicorn itself has a time limit between two requests only.
    """

    def __init__(self, *args: Any, limits: LimitsConfig, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.limits = limits
        self._asked: object = None
        self._late: asyncio.TimerHandle | None = None

    @property
    def waits_for_client(self) -> bool:
        """Whether nothing is computed for it: it sends no request, or has not sent all of it, or takes no answer."""
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

    @property
    def untaken(self) -> int:
        """Bytes of answers that the client has not taken."""
        return self.transport.get_write_buffer_size()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make room for it, in a moment: of a crowd that comes at once, one may be about to ask."""
        super().connection_made(transport)
        self._end_after(self.limits.arriving)
        self._keep(CROWD * self.limits.connections)
        self.loop.call_later(MOMENT, self._keep, self.limits.connections)

    def _keep(self, number: int) -> None:
        """Leave less than so many connections, if that costs only those that wait for their clients; oldest first."""
        surplus = max(0, len(self.connections) - number + 1)
        idle = sorted((one for one in self._all() if one.waits_for_client), key=lambda one: one.began)
        for one in idle[:surplus]:
            one.end()

    def data_received(self, data: bytes) -> None:
        """Once there is a whole head, the answer has its time; or it is 503, where as many are being worked on."""
        busy = sum(not one.waits_for_client for one in self._all())
        self.limit_concurrency = 0 if busy >= self.limits.connections - 1 else None  # uvicorn counts idle ones too
        super().data_received(data)
        if self.cycle is not self._asked:
            self._asked = self.cycle
            self._end_after(self.limits.arriving + 2 * self.limits.seconds)

    def on_response_complete(self) -> None:
        """The next head has its time, and the client to take what it has not taken."""
        super().on_response_complete()
        if self.untaken or not self.transport.is_closing():
            self._end_after(self.limits.seconds if self.untaken else self.limits.arriving)
        slow = sorted((one for one in self._all() if one.untaken), key=lambda one: one.began)
        while sum(one.untaken for one in slow) > UNTAKEN:
            slow.pop(0).end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        super().connection_lost(exc)
        if self._late is not None:
            self._late.cancel()

    def end(self) -> None:
        """Close it, whatever has not been sent."""
        self.connections.discard(self)  # it takes no place from now on
        self.transport.abort()

    def _all(self) -> list["Connection"]:
        return [one for one in self.connections if isinstance(one, Connection)]

    def _end_after(self, seconds: float) -> None:
        if self._late is not None:
            self._late.cancel()
        self.began = self.loop.time()
        self._late = self.loop.call_later(seconds, self.end)


class Server(uvicorn.Server):
    """uvicorn's, which does not wait for work or clients when it is stopped."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End all work, so that whoever waits has an answer; then every connection."""
        self.config.app.state.close()  # type: ignore[union-attr]
        connections = [one for one in self.server_state.connections if isinstance(one, Connection)]
        for one in connections:
            if one.waits_for_client and not one.untaken:
                one.end()
        for one in connections:
            one.loop.call_later(CLOSING / 2, one.transport.abort)
        # What uvicorn says of clients that take no answer is no news: they are not waited for.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def server_of(app: FastAPI, config: ServeConfig) -> Server:
    """What answers; ``run(sockets=[…])`` blocks until it is stopped."""
    return Server(
        uvicorn.Config(
            app,
            http=partial(Connection, limits=config.limits),  # type: ignore[arg-type]
            ws="none",
            access_log=False,
            log_level="error",  # not a line for each request that is none
            server_header=False,
            proxy_headers=False,
            backlog=config.limits.connections,  # accepted in one round of the loop, at most
            h11_max_incomplete_event_size=16384,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=CLOSING,
        )
    )


def serve(translators: Mapping[str, Translator], config: ServeConfig, listening: socket.socket) -> None:
    """Answer until Ctrl-C."""
    share_freed_memory()
    app = create_app(translators, config.limits, config.hosts)
    # A picture is drawn in Python, beside translations that hand over to it many times in a step: by default each of
    # these would wait 5 ms to go on.
    sys.setswitchinterval(SWITCHING)
    with listening, contextlib.suppress(KeyboardInterrupt):
        server_of(app, config).run(sockets=[listening])
