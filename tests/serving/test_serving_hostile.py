"""Excessive requests, slow clients and idle connections: other clients are client, and memory is bounded."""

import contextlib
import re
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import quote, urlsplit

import pytest
from hostile import attack
from server_tools import SMALL, FakeTranslator, serving

from seq2seq.serving.config import ServeConfig
from seq2seq.serving.server import Connection
from seq2seq.translation.types import Translation

HEAD = b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
"""A request without its body."""
FACE = "\N{GRINNING FACE}"


class EndlessTranslator(FakeTranslator):
    """Translates until it is cancelled."""

    def __init__(self):
        self.started, self.ended = threading.Semaphore(0), threading.Event()

    def translate(self, requests, **_):
        for _ in self.stream():
            pass

    def stream(self, *_, **__):
        try:
            self.on_step()
            self.started.release()
            while True:
                self.on_step()
                yield Translation("a", "b", 0.0, 0.0)
        finally:
            self.ended.set()


def config_with(**limits):
    return ServeConfig(port=0, limits=replace(SMALL, **limits))


def connect(client):
    return socket.create_connection(urlsplit(client.url).netloc.split(":"), timeout=30)


def test_limits_count_tokens():
    text = FACE * 30
    with serving(config=config_with(tokens=100)) as client:
        assert client.post("/api/translate", sentences=["Wir arbeiten."]).status == 200
        for path, fields in {
            "translate": {"sentences": ["Wir.", text]},
            "stream": {"text": text},
            "alternatives": {"text": text},
            "trace": {"text": text},
        }.items():
            reply = client.post(f"/api/{path}", **fields)
            assert (reply.status, "12" in reply.detail, "tokens, the limit is" in reply.detail) == (413, True, True), (
                reply.body
            )
        for constraint in ({"prefix": text}, {"phrases": [FACE * 15, FACE * 15]}):
            reply = client.post("/api/translate", sentences=[{"text": "Wir.", **constraint}])
            assert (reply.status, "a prefix with its phrases" in reply.detail) == (413, True), reply.body
        assert client.get(f"/api/picture?text={quote(text)}&name=tree").status == 413


def test_the_size_of_a_response_is_checked_before_its_computation():
    fake = EndlessTranslator()
    with serving({"one": fake}, config_with(numbers=2000)) as client:
        for more in ({"attention": True}, {"n_best": 6}):
            sentences = [{"text": "a" * 40, "prefix": "b" * 40}]
            reply = client.post("/api/translate", sentences=sentences * (1 if "attention" in more else 8), **more)
            assert reply.status == 413, reply.body
            assert re.search(
                r"the response may have \d,\d{3} tokens and attention weights, the limit is 2,000", reply.detail
            )
        assert not fake.started.acquire(blocking=False)


def test_the_time_limit_ends_the_task():
    for path, fields, status in (("translate", {"sentences": ["a"]}, 503), ("stream", {"text": "a"}, 200)):
        fake = EndlessTranslator()
        with serving({"one": fake}, config_with(seconds=0.3)) as client:
            reply = client.post(f"/api/{path}", **fields)
            assert reply.status == status
            assert b"send less text" in reply.body
            assert fake.ended.wait(30), "the task is cancelled"


@pytest.mark.parametrize(("path", "body"), [("translate", b'{"sentences": ["a"]}'), ("stream", b'{"text": "a"}')])
def test_the_task_of_a_disconnected_client_ends(path, body):
    fake = EndlessTranslator()
    with serving({"one": fake}, config_with(seconds=300)) as client:
        with connect(client) as raw:
            head = f"POST /api/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            raw.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert fake.started.acquire(timeout=30)
            assert not fake.ended.is_set()
        assert fake.ended.wait(30)


def test_other_clients_are_served_during_endless_tasks():
    fake = EndlessTranslator()
    with serving({"one": fake}, config_with(seconds=300)) as client, contextlib.ExitStack() as connections:
        body = b'{"text": "a"}'
        for _ in range(4):
            raw = connections.enter_context(connect(client))
            raw.sendall(b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            raw.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert fake.started.acquire(timeout=30)
        fake.translate = lambda requests, **_: [Translation(request.text, "done", 0.0, 0.0) for request in requests]
        reply = client.post("/api/translate", sentences=["a"])
        assert reply.json["translations"][0]["text"] == "done"
        assert not fake.ended.is_set()


def test_waiting_clients_receive_an_error_when_the_server_stops(caplog):
    fake = EndlessTranslator()
    with ThreadPoolExecutor(2) as clients:
        with serving({"one": fake}, config_with(seconds=300)) as client, connect(client) as incomplete:
            incomplete.sendall(HEAD)
            pending = clients.submit(client.post, "/api/translate", sentences=["a"])
            stream = clients.submit(client.events, text="a")
            assert fake.started.acquire(timeout=30)
            assert fake.started.acquire(timeout=30)
        assert pending.result(30).status == 503
        assert pending.result(30).detail == "the server is shutting down: retry after its restart"
        assert stream.result(30)[-1][0] == "error"
    assert fake.ended.wait(30)
    assert not caplog.records, "no traceback"


@pytest.fixture
def hurried(monkeypatch):
    """A server that waits less for what its connections do."""
    monkeypatch.setattr("seq2seq.serving.server.GRACE_SECONDS", 0.2)
    monkeypatch.setattr("seq2seq.serving.server.SHUTDOWN_SECONDS", 0.6)


@pytest.mark.usefixtures("hurried")
def test_idle_connections_are_closed_for_new_ones():
    with serving(config=config_with(connections=8)) as client, contextlib.ExitStack() as connections:
        for number in range(40):
            raw = connections.enter_context(connect(client))
            if number % 2:
                raw.sendall(HEAD[: 20 + 3 * number])
            if number % 10 == 9:
                assert client.post("/api/translate", sentences=["Wir."]).status == 200


@pytest.mark.usefixtures("hurried")
def test_a_connection_with_a_request_survives_a_crowd(monkeypatch):
    """The event loop is blocked meanwhile, so that all are accepted before anything is read."""
    original, loops = Connection.connection_made, []

    def recording(self, transport):
        loops.append(self.loop)
        original(self, transport)

    monkeypatch.setattr(Connection, "connection_made", recording)
    with serving(config=config_with(connections=8)) as client, contextlib.ExitStack() as connections:
        assert client.post("/api/translate", sentences=["Wir."]).status == 200
        loops[0].call_soon_threadsafe(time.sleep, 0.5)
        requesting = connections.enter_context(connect(client))
        requesting.sendall(b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(30):
            connections.enter_context(connect(client))
        assert b" 200 " in requesting.recv(65536)


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"]
)
def test_an_incomplete_head_is_a_timeout(sent):
    with serving(config=config_with(arriving=0.2)) as client, connect(client) as raw:
        raw.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while raw.recv(65536):
                pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
def test_under_all_attacks_memory_is_bounded_and_others_are_served(tiny_run):
    effect = attack(tiny_run, seconds=40)
    print(effect)
    assert effect.failed == 0, "every request of the ordinary client succeeded"
    assert effect.megabytes <= 300
    assert effect.errors == ""
    assert effect.code in (0, -2)
