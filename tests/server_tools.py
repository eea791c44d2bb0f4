"""A server of tiny translators in a thread of the test, and a client for it."""

import contextlib
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPResponse
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from translators import translator

from seq2seq import Translator
from seq2seq.model import AttentionKind
from seq2seq.search import SearchConfig
from seq2seq.serving.app import create_app
from seq2seq.serving.config import LimitsConfig, ServeConfig
from seq2seq.serving.server import create_server, listen, page_url

SMALL = LimitsConfig(characters=60, inspected=40, sentences=8, beam_size=6, body=4000)


class FakeTranslator:
    """Replaces a translator: every character is a token, and nothing is searched."""

    search = SearchConfig(beam_size=3)
    ensemble = SimpleNamespace(
        attends=True,
        products=1000,
        state_size=10,
        width=10,
        target=SimpleNamespace(size=100, encode_all=lambda texts: list(map(list, texts))),
        encoded=lambda texts: ([], list(map(list, texts))),
    )
    on_step = None

    def watched(self, on_step):
        self.on_step = on_step
        return self


def translators() -> dict[str, Translator]:
    return {"attends": translator(1), "context": translator(2, attention=AttentionKind.none)}


@dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])


@dataclass(frozen=True)
class Client:
    """Requests to a running server."""

    url: str

    def send(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Reply:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=60)
        connection.request(method, path, body, dict(headers))
        response: HTTPResponse = connection.getresponse()
        reply = Reply(response.status, dict(response.getheaders()), response.read())
        connection.close()
        return reply

    def get(self, path: str, **headers: str) -> Reply:
        return self.send("GET", path, headers=headers)

    def post(self, path: str, **fields: Any) -> Reply:
        return self.send("POST", path, json.dumps(fields).encode(), {"Content-Type": "application/json"})

    def events(self, **fields: Any) -> list[tuple[str, Any]]:
        """Name and data of every event of /api/stream."""
        reply = self.post("/api/stream", **fields)
        assert reply.status == 200, reply.body
        events = [event.split("\n") for event in reply.body.decode().split("\n\n") if event]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in events]


@contextlib.contextmanager
def serving(served: Mapping[str, Translator] | None = None, config: ServeConfig | None = None) -> Iterator[Client]:
    """A server on a free port, by default with small limits."""
    config = config or ServeConfig(port=0, limits=replace(SMALL))
    listening = listen(config)
    app = create_app(translators() if served is None else served, config.limits, config.hosts)
    server = create_server(app, config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield Client(page_url(config, listening))
    finally:
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        server.should_exit = True
        thread.join()
        listening.close()
