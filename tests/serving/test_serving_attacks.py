"""Clients that ask for too much, for too long, or not at all: nobody else is kept waiting, and memory is bounded."""

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
from hostile import attacked
from server_tools import SMALL, Fake, serving

from seq2seq.serving.config import ServeConfig
from seq2seq.serving.server import Connection
from seq2seq.translation.types import Translation

HALF = b"POST /api/translate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\n"
"""A request without its body."""
FACE = "\N{GRINNING FACE}"


class Endless(Fake):
    """Translates as long as it may."""

    def __init__(self):
        self.begun, self.ended = threading.Semaphore(0), threading.Event()

    def translate(self, requests, **_):
        for _ in self.stream():
            pass

    def stream(self, *_, **__):
        try:
            self.on_step()
            self.begun.release()
            while True:
                self.on_step()
                yield Translation("a", "b", 0.0, 0.0)
        finally:
            self.ended.set()


def settings(**limits):
    return ServeConfig(port=0, limits=replace(SMALL, **limits))


def connected(served):
    return socket.create_connection(urlsplit(served.url).netloc.split(":"), timeout=30)


def test_what_a_few_characters_become_is_counted_in_tokens():
    text = FACE * 30
    with serving(config=settings(pieces=100)) as served:
        assert served.ask("/api/translate", sentences=["Wir arbeiten."]).status == 200
        for path, question in {
            "translate": {"sentences": ["Wir.", text]},
            "stream": {"text": text},
            "alternatives": {"text": text},
            "trace": {"text": text},
        }.items():
            reply = served.ask(f"/api/{path}", **question)
            assert (reply.status, "12" in reply.detail, "tokens, and at most" in reply.detail) == (413, True, True), (
                reply.body
            )
        for held in ({"prefix": text}, {"phrases": [FACE * 15, FACE * 15]}):
            reply = served.ask("/api/translate", sentences=[{"text": "Wir.", **held}])
            assert (reply.status, "a prefix with its phrases" in reply.detail) == (413, True), reply.body
        assert served.get(f"/api/picture?text={quote(text)}&name=tree").status == 413


def test_an_answer_is_bounded_before_it_is_computed():
    fake = Endless()
    with serving({"one": fake}, settings(numbers=2000)) as served:
        for more in ({"attention": True}, {"n_best": 6}):
            sentences = [{"text": "a" * 40, "prefix": "b" * 40}]
            reply = served.ask("/api/translate", sentences=sentences * (1 if "attention" in more else 8), **more)
            assert reply.status == 413, reply.body
            assert re.search(
                r"the answer may have \d,\d{3} tokens and attention weights, and at most 2,000", reply.detail
            )
        assert not fake.begun.acquire(blocking=False)


def test_the_time_limit_ends_the_work_too():
    for path, question, status in (("translate", {"sentences": ["a"]}, 503), ("stream", {"text": "a"}, 200)):
        fake = Endless()
        with serving({"one": fake}, settings(seconds=0.3)) as served:
            reply = served.ask(f"/api/{path}", **question)
            assert reply.status == status
            assert b"ask for less" in reply.body
            assert fake.ended.wait(30), "nobody waits for it any more"


@pytest.mark.parametrize(("path", "body"), [("translate", b'{"sentences": ["a"]}'), ("stream", b'{"text": "a"}')])
def test_when_the_client_leaves_its_work_ends(path, body):
    fake = Endless()
    with serving({"one": fake}, settings(seconds=300)) as served:
        with connected(served) as raw:
            head = f"POST /api/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            raw.sendall(head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            assert fake.begun.acquire(timeout=30)
            assert not fake.ended.is_set()
        assert fake.ended.wait(30)


def test_beside_endless_works_others_are_answered():
    fake = Endless()
    with serving({"one": fake}, settings(seconds=300)) as served, contextlib.ExitStack() as left:
        body = b'{"text": "a"}'
        for _ in range(4):
            raw = left.enter_context(connected(served))
            raw.sendall(b"POST /api/stream HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n")
            raw.sendall(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        assert fake.begun.acquire(timeout=30)
        fake.translate = lambda requests, **_: [Translation(one.text, "done", 0.0, 0.0) for one in requests]
        reply = served.ask("/api/translate", sentences=["a"])
        assert reply.json["translations"][0]["text"] == "done"
        assert not fake.ended.is_set()


def test_when_the_server_stops_whoever_waits_is_told_so_in_a_line(caplog):
    fake = Endless()
    with ThreadPoolExecutor(2) as clients:
        with serving({"one": fake}, settings(seconds=300)) as served, connected(served) as half:
            half.sendall(HALF)
            asked = clients.submit(served.ask, "/api/translate", sentences=["a"])
            watched = clients.submit(served.events, text="a")
            assert fake.begun.acquire(timeout=30)
            assert fake.begun.acquire(timeout=30)
        assert asked.result(30).status == 503
        assert asked.result(30).detail == "the server is being stopped: ask again once it is back"
        assert watched.result(30)[-1][0] == "error"
    assert fake.ended.wait(30)
    assert not caplog.records, "no traceback"


def test_connections_that_ask_nothing_make_room_for_those_that_do():
    with serving(config=settings(connections=8)) as served, contextlib.ExitStack() as left:
        for number in range(40):
            raw = left.enter_context(connected(served))
            if number % 2:
                raw.sendall(HALF[: 20 + 3 * number])
            if number % 10 == 9:
                assert served.ask("/api/translate", sentences=["Wir."]).status == 200


def test_who_has_asked_stays_when_a_crowd_comes_at_once(monkeypatch):
    """The loop stands still meanwhile, so all are accepted before anything is read."""
    made, loops = Connection.connection_made, []

    def noting(self, transport):
        loops.append(self.loop)
        made(self, transport)

    monkeypatch.setattr(Connection, "connection_made", noting)
    with serving(config=settings(connections=8)) as served, contextlib.ExitStack() as left:
        assert served.ask("/api/translate", sentences=["Wir."]).status == 200
        loops[0].call_soon_threadsafe(time.sleep, 0.5)
        asking = left.enter_context(connected(served))
        asking.sendall(b"GET /api/runs HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(30):
            left.enter_context(connected(served))
        assert b" 200 " in asking.recv(65536)


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost:", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HT"]
)
def test_a_head_that_does_not_arrive_is_not_waited_for(sent):
    with serving(config=settings(arriving=0.2)) as served, connected(served) as raw:
        raw.sendall(sent)
        with contextlib.suppress(ConnectionResetError):
            while raw.recv(65536):
                pass


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads a process's memory from /proc")
def test_under_all_attacks_memory_is_bounded_and_others_are_answered(tiny_run):
    found = attacked(tiny_run, seconds=40)
    print(found)
    assert found.refused == 0, "every question of the one that behaves was answered"
    assert found.megabytes <= 300
    assert found.complaints == ""
    assert found.code in (0, -2)
