"""The application as a whole."""

import threading
from dataclasses import replace

from server_tools import SMALL, Fake, serving

from seq2seq.serving.config import ServeConfig
from seq2seq.translation.types import Translation


class Broken(Fake):
    """A translator that fails, and tells where it lives."""

    def translate(self, *_, **__):
        raise OSError("/secret/path")

    def stream(self, *_, **__):
        yield Translation("a", "b", 0.0, 0.0)
        raise OSError("/secret/path")


def test_an_error_that_nobody_foresaw_tells_nothing_and_stops_nothing(caplog):
    with serving({"one": Broken()}) as served:
        for _ in range(2):
            reply = served.ask("/api/translate", sentences=["a"])
            assert reply.status == 500
            assert b"secret" not in reply.body
            *_, (name, problem) = served.events(text="a")
            assert name == "error"
            assert "secret" not in problem["detail"]


def test_threads_end_with_the_server():
    before = threading.active_count()
    with serving() as served:
        assert served.ask("/api/translate", sentences=["Wir."]).status == 200
        assert served.ask("/api/trace", text="Wir.").status == 200
    assert threading.active_count() <= before


def test_a_slow_answer_is_503():
    release = threading.Event()

    class Slow(Fake):
        def translate(self, *_, **__):
            release.wait(30)
            return [Translation("a", "b", 0.0, 0.0)]

    with serving({"one": Slow()}, ServeConfig(port=0, limits=replace(SMALL, seconds=0.3))) as served:
        reply = served.ask("/api/translate", sentences=["a"])
        release.set()
        assert reply.status == 503
        assert reply.detail == "there was no answer within 0.3 seconds: ask for less"
