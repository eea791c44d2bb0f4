"""The application: unexpected errors, threads, and the time limit."""

import threading
from dataclasses import replace

from server_tools import SMALL, FakeTranslator, serving

from seq2seq.serving.config import ServeConfig
from seq2seq.translation.types import Translation


class BrokenTranslator(FakeTranslator):
    """A translator whose errors contain a path."""

    def translate(self, *_, **__):
        raise OSError("/secret/path")

    def stream(self, *_, **__):
        yield Translation("a", "b", 0.0, 0.0)
        raise OSError("/secret/path")


def test_unexpected_errors_reveal_nothing_and_the_server_continues(caplog):
    with serving({"one": BrokenTranslator()}) as client:
        for _ in range(2):
            reply = client.post("/api/translate", sentences=["a"])
            assert reply.status == 500
            assert b"secret" not in reply.body
            *_, (name, error) = client.events(text="a")
            assert name == "error"
            assert "secret" not in error["detail"]


def test_threads_end_with_the_server():
    before = threading.active_count()
    with serving() as client:
        assert client.post("/api/translate", sentences=["Wir."]).status == 200
        assert client.post("/api/trace", text="Wir.").status == 200
    assert threading.active_count() <= before


def test_a_slow_response_is_503():
    release = threading.Event()

    class SlowTranslator(FakeTranslator):
        def translate(self, *_, **__):
            release.wait(30)
            return [Translation("a", "b", 0.0, 0.0)]

    with serving({"one": SlowTranslator()}, ServeConfig(port=0, limits=replace(SMALL, seconds=0.3))) as client:
        reply = client.post("/api/translate", sentences=["a"])
        release.set()
        assert reply.status == 503
        assert reply.detail == "there was no result within 0.3 seconds: send less text"
