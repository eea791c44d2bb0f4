"""The server: a port of this machine, and uvicorn behind it."""

import contextlib
import socket
from collections.abc import Mapping

import uvicorn
from fastapi import FastAPI

from seq2seq.errors import ConfigError
from seq2seq.serving.app import create_app
from seq2seq.serving.config import LOCAL, ServeConfig
from seq2seq.translate import Translator

KEEP_ALIVE = 5
"""Seconds that a connection without a request is kept."""

CLOSING = 3
"""Seconds that answers under way have when the server is stopped."""


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
    host = config.host if config.host in LOCAL else socket.gethostname() if config.names else config.host
    return f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"


def server_of(app: FastAPI, config: ServeConfig) -> uvicorn.Server:
    """What answers; ``run(sockets=[…])`` blocks until it is stopped."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http="h11",
            ws="none",
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=False,
            limit_concurrency=config.limits.connections,
            h11_max_incomplete_event_size=16384,
            timeout_keep_alive=KEEP_ALIVE,
            timeout_graceful_shutdown=CLOSING,
        )
    )


def serve(translators: Mapping[str, Translator], config: ServeConfig, listening: socket.socket) -> None:
    """Answer until Ctrl-C."""
    app = create_app(translators, config.limits, config.hosts)
    with listening, contextlib.suppress(KeyboardInterrupt):
        server_of(app, config).run(sockets=[listening])
