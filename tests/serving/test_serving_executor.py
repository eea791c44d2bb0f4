"""One thread that translates for all."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from server_tools import Fake, translators
from translators import SENTENCES

from seq2seq.errors import ConfigError, DataError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.size import How
from seq2seq.serving.turns import BusyError, ClosedError, StoppedError
from seq2seq.serving.worker import Worker
from seq2seq.translation.types import Request, Translation

LIMITS = LimitsConfig()
QUESTIONS = [f"{text} {number}" for number in range(8) for text in SENTENCES]


class Recorded(Fake):
    """A translator of which every call is written down, and that waits where it is told to."""

    def __init__(self):
        self.calls, self.free = [], threading.Event()
        self.begun = threading.Event()
        self.free.set()

    def translate(self, requests, *, beam_size, n_best, attention):
        self.begun.set()
        assert self.free.wait(30)
        self.on_step()
        self.calls.append([request.text for request in requests])
        for request in requests:
            if "wrong" in request.text:
                raise DataError(f"{request.text} is wrong")
            if "broken" in request.text:
                raise ZeroDivisionError
        return [Translation(one.text, one.text.upper(), 0.0, 0.0) for one in requests]

    def stream(self, text, *, beam_size, prefix):
        for length in range(1, len(text) + 1):
            assert self.free.wait(30)
            self.on_step()
            yield Translation(text, text[:length], 0.0, 0.0)


def held(worker, recorded):
    """The worker busy with a question of its own, so that others gather."""
    recorded.free.clear()
    worker.translate(How("one"), [Request("first")])
    assert recorded.begun.wait(30)


def test_answers_under_32_clients_are_those_of_one_by_one():
    own = translators()
    alone = {(run, text): one.translate(text, beam_size=2) for run, one in own.items() for text in QUESTIONS}

    def client(number):
        run = ["attends", "context"][number % 2]
        texts = QUESTIONS[number:] + QUESTIONS[:number]
        return [(run, text, worker.translate(How(run, 2), [Request(text)]).answer.result(60)[0]) for text in texts[:6]]

    with Worker(own, LIMITS) as worker, ThreadPoolExecutor(32) as clients:
        found = [one for answers in clients.map(client, range(32)) for one in answers]
    assert len(found) == 32 * 6
    for run, text, answer in found:
        wanted = alone[run, text]
        assert (answer.source, answer.text, answer.pieces) == (text, wanted.text, wanted.pieces)
        assert answer.score == pytest.approx(wanted.score, abs=1e-5)


def test_what_waits_together_is_translated_together_and_no_more_than_a_batch():
    recorded = Recorded()
    with Worker({"one": recorded}, replace(LIMITS, sentences=4, batch=4)) as worker:
        held(worker, recorded)
        asked = [worker.translate(How("one"), [Request(name)]) for name in "abc"]
        asked += [worker.translate(How("one"), [Request("d"), Request("e")])]
        asked += [worker.translate(How("one", beam_size=3), [Request("f")])]
        recorded.free.set()
        assert [[one.text for one in one_asked.answer.result(30)] for one_asked in asked] == [
            ["A"],
            ["B"],
            ["C"],
            ["D", "E"],
            ["F"],
        ]
    assert recorded.calls == [["first"], ["a", "b", "c"], ["f"], ["d", "e"]], "the smaller first"


def test_a_question_that_cannot_be_answered_spoils_no_other():
    recorded = Recorded()
    with Worker({"one": recorded}, LIMITS) as worker:
        held(worker, recorded)
        asked = {name: worker.translate(How("one"), [Request(name)]) for name in ("a", "wrong", "b")}
        recorded.free.set()
        assert [asked[name].answer.result(30)[0].text for name in "ab"] == ["A", "B"]
        with pytest.raises(DataError, match="wrong is wrong"):
            asked["wrong"].answer.result(30)
        with pytest.raises(ZeroDivisionError):
            worker.translate(How("one"), [Request("broken")]).answer.result(30)
        assert worker.translate(How("one"), [Request("c")]).answer.result(30)[0].text == "C", "the thread goes on"


def test_too_much_is_refused_and_what_is_cancelled_is_not_done():
    recorded = Recorded()
    with Worker({"one": recorded}, replace(LIMITS, waiting=2)) as worker:
        held(worker, recorded)
        kept, dropped = (worker.translate(How("one"), [Request(name)]) for name in "ab")
        with pytest.raises(BusyError, match="2 sentences are waiting"):
            worker.translate(How("one"), [Request("c")])
        dropped.stop()
        with pytest.raises(StoppedError):
            dropped.answer.result(30)
        recorded.free.set()
        assert kept.answer.result(30)[0].text == "A"
        assert worker.translate(How("one"), [Request("d")]).answer.result(30)[0].text == "D"
    assert recorded.calls == [["first"], ["a"], ["d"]]
    with pytest.raises(BusyError):
        worker.translate(How("one"), [Request("late")])


def test_what_still_waits_at_the_end_is_told_so():
    recorded = Recorded()
    with Worker({"one": recorded}, LIMITS) as worker:
        held(worker, recorded)
        waiting = worker.translate(How("one"), [Request("a")])
        worker.close()
        with pytest.raises(ClosedError):
            waiting.answer.result(30)
        recorded.free.set()


def followed(worker, how, text):
    items = SimpleQueue()
    return items, worker.follow(how, Request(text), lambda item, last: items.put((item, last)))


def drained(items):
    """What grew, and how it ended."""
    found, last = [], False
    while not last:
        item, last = items.get(timeout=30)
        found.append(item)
    return found[:-1], found[-1]


def test_streams_take_turns_and_end_as_translations():
    own = translators()
    with Worker(own, LIMITS) as worker:
        watched = {text: followed(worker, How("attends", 1), text)[0] for text in SENTENCES}
        beside = worker.translate(How("attends", 1), [Request(SENTENCES[0])])
        for text, items in watched.items():
            found, end = drained(items)
            assert end.text == own["attends"].translate(text, beam_size=1).text
            assert end.source == text
            assert all(end.pieces[: len(one.pieces)] == one.pieces for one in found)
        assert beside.answer.result(30)[0].text == own["attends"].translate(SENTENCES[0], beam_size=1).text


def test_a_stream_ends_when_nobody_listens_and_when_it_fails():
    recorded = Recorded()
    with Worker({"one": recorded, **translators()}, replace(LIMITS, streams=1)) as worker:
        recorded.free.clear()
        items, stop = followed(worker, How("one"), "abcdef")
        with pytest.raises(BusyError, match="1 translations are shown"):
            followed(worker, How("one"), "other")
        stop()
        recorded.free.set()
        while True:  # until its place is free
            try:
                again, _ = followed(worker, How("attends", beam_size=0), "text")
                break
            except BusyError:
                continue
        found, end = drained(again)
        assert found == []
        assert isinstance(end, ConfigError)
        assert items.qsize() <= 2


def test_a_large_model_takes_fewer_at_a_time_and_fewer_phrases():
    """However large it is, a step takes no longer: nobody else has a turn within one."""
    large = replace_products(Recorded(), 500_000_000)
    with Worker({"one": large}, LIMITS) as worker:
        asked = worker.translate(How("one", beam_size=2), [Request("a"), Request("b"), Request("c")])
        assert len(asked.answer.result(30)) == 3
        with pytest.raises(TooLargeError, match=r"30 hypotheses, each for every phrase.*at most 16: ask for fewer"):
            worker.translate(How("one", beam_size=2), [Request("a", "", tuple(map(str, range(14))))])
    assert large.calls == [["a", "b"], ["c"]]


def test_long_sentences_of_wide_models_are_read_a_few_at_a_time():
    wide = replace_products(Recorded(), 1000)
    wide.together.width = 50_000
    with Worker({"one": wide}, LIMITS) as worker:
        asked = worker.translate(How("one"), [Request("a" * 12), Request("b" * 8), Request("c")])
        assert len(asked.answer.result(30)) == 3
        with pytest.raises(TooLargeError, match="21 tokens, and at most 20"):
            worker.translate(How("one"), [Request("a" * 21)])
    assert wide.calls == [["a" * 12, "b" * 8], ["c"]]


def replace_products(recorded, products):
    recorded.together = SimpleNamespace(**{**vars(Fake.together), "products": products})
    return recorded
