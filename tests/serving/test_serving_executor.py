"""The executor: batches, streams, capacity and cancellation."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from queue import SimpleQueue
from types import SimpleNamespace

import pytest
from server_tools import FakeTranslator, translators
from translators import SENTENCES

from seq2seq.errors import ConfigError, DataError
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.executor import TranslationExecutor
from seq2seq.serving.limits import BatchKey, TooLargeError
from seq2seq.serving.scheduler import BusyError, CancelledError, ClosedError
from seq2seq.translation.types import Request, Translation

LIMITS = LimitsConfig()
TEXTS = [f"{text} {number}" for number in range(8) for text in SENTENCES]


class RecordingTranslator(FakeTranslator):
    """A translator that records every call, and blocks while `free` is not set."""

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
        return [Translation(request.text, request.text.upper(), 0.0, 0.0) for request in requests]

    def stream(self, text, *, beam_size, prefix):
        for length in range(1, len(text) + 1):
            assert self.free.wait(30)
            self.on_step()
            yield Translation(text, text[:length], 0.0, 0.0)


def occupy(executor, translator):
    """Keep the executor busy with a request, so that others queue."""
    translator.free.clear()
    executor.translate(BatchKey("one"), [Request("first")])
    assert translator.begun.wait(30)


def test_results_of_32_clients_equal_those_of_single_requests():
    loaded = translators()
    alone = {(run, text): each.translate(text, beam_size=2) for run, each in loaded.items() for text in TEXTS}

    def client(number):
        run = ["attends", "context"][number % 2]
        texts = TEXTS[number:] + TEXTS[:number]
        return [
            (run, text, executor.translate(BatchKey(run, 2), [Request(text)]).future.result(60)[0])
            for text in texts[:6]
        ]

    with TranslationExecutor(loaded, LIMITS) as executor, ThreadPoolExecutor(32) as clients:
        results = [result for each in clients.map(client, range(32)) for result in each]
    assert len(results) == 32 * 6
    for run, text, translation in results:
        expected = alone[run, text]
        assert (translation.source, translation.text, translation.tokens) == (text, expected.text, expected.tokens)
        assert translation.score == pytest.approx(expected.score, abs=1e-5)


def test_queued_requests_share_a_batch_of_limited_size():
    translator = RecordingTranslator()
    with TranslationExecutor({"one": translator}, replace(LIMITS, sentences=4, batch=4)) as executor:
        occupy(executor, translator)
        pending = [executor.translate(BatchKey("one"), [Request(name)]) for name in "abc"]
        pending += [executor.translate(BatchKey("one"), [Request("d"), Request("e")])]
        pending += [executor.translate(BatchKey("one", beam_size=3), [Request("f")])]
        translator.free.set()
        assert [[translation.text for translation in each.future.result(30)] for each in pending] == [
            ["A"],
            ["B"],
            ["C"],
            ["D", "E"],
            ["F"],
        ]
    assert translator.calls == [["first"], ["a", "b", "c"], ["f"], ["d", "e"]], "the smaller batch is first"


def test_a_failing_request_does_not_affect_others_in_its_batch():
    translator = RecordingTranslator()
    with TranslationExecutor({"one": translator}, LIMITS) as executor:
        occupy(executor, translator)
        pending = {name: executor.translate(BatchKey("one"), [Request(name)]) for name in ("a", "wrong", "b")}
        translator.free.set()
        assert [pending[name].future.result(30)[0].text for name in "ab"] == ["A", "B"]
        with pytest.raises(DataError, match="wrong is wrong"):
            pending["wrong"].future.result(30)
        with pytest.raises(ZeroDivisionError):
            executor.translate(BatchKey("one"), [Request("broken")]).future.result(30)
        assert executor.translate(BatchKey("one"), [Request("c")]).future.result(30)[0].text == "C", (
            "the thread continues"
        )


def test_a_full_queue_is_an_error_and_cancelled_requests_are_skipped():
    translator = RecordingTranslator()
    with TranslationExecutor({"one": translator}, replace(LIMITS, waiting=2)) as executor:
        occupy(executor, translator)
        kept, dropped = (executor.translate(BatchKey("one"), [Request(name)]) for name in "ab")
        with pytest.raises(BusyError, match="full with 2 sentences"):
            executor.translate(BatchKey("one"), [Request("c")])
        dropped.cancel()
        with pytest.raises(CancelledError):
            dropped.future.result(30)
        translator.free.set()
        assert kept.future.result(30)[0].text == "A"
        assert executor.translate(BatchKey("one"), [Request("d")]).future.result(30)[0].text == "D"
    assert translator.calls == [["first"], ["a"], ["d"]]
    with pytest.raises(BusyError):
        executor.translate(BatchKey("one"), [Request("late")])


def test_queued_requests_fail_when_the_executor_closes():
    translator = RecordingTranslator()
    with TranslationExecutor({"one": translator}, LIMITS) as executor:
        occupy(executor, translator)
        waiting = executor.translate(BatchKey("one"), [Request("a")])
        executor.close()
        with pytest.raises(ClosedError):
            waiting.future.result(30)
        translator.free.set()


def start_stream(executor, key, text):
    items = SimpleQueue()
    return items, executor.stream(key, Request(text), lambda item, last: items.put((item, last)))


def received(items):
    """What grew, and key it ended."""
    parts, last = [], False
    while not last:
        item, last = items.get(timeout=30)
        parts.append(item)
    return parts[:-1], parts[-1]


def test_concurrent_streams_end_with_the_translations():
    loaded = translators()
    with TranslationExecutor(loaded, LIMITS) as executor:
        streams = {text: start_stream(executor, BatchKey("attends", 1), text)[0] for text in SENTENCES}
        beside = executor.translate(BatchKey("attends", 1), [Request(SENTENCES[0])])
        for text, items in streams.items():
            parts, end = received(items)
            assert end.text == loaded["attends"].translate(text, beam_size=1).text
            assert end.source == text
            assert all(end.tokens[: len(part.tokens)] == part.tokens for part in parts)
        assert beside.future.result(30)[0].text == loaded["attends"].translate(SENTENCES[0], beam_size=1).text


def test_a_stream_ends_when_cancelled_and_when_it_fails():
    translator = RecordingTranslator()
    with TranslationExecutor({"one": translator, **translators()}, replace(LIMITS, streams=1)) as executor:
        translator.free.clear()
        items, cancel = start_stream(executor, BatchKey("one"), "abcdef")
        with pytest.raises(BusyError, match="already streaming 1 translation:"):
            start_stream(executor, BatchKey("one"), "other")
        cancel()
        translator.free.set()
        while True:  # until the first stream has ended
            try:
                again, _ = start_stream(executor, BatchKey("attends", beam_size=0), "text")
                break
            except BusyError:
                continue
        parts, end = received(again)
        assert parts == []
        assert isinstance(end, ConfigError)
        assert items.qsize() <= 2


def test_a_large_model_has_smaller_batches_and_fewer_phrases():
    """A step takes no longer with a large model, since other requests cannot run within it."""
    large = with_products(RecordingTranslator(), 500_000_000)
    with TranslationExecutor({"one": large}, LIMITS) as executor:
        pending = executor.translate(BatchKey("one", beam_size=2), [Request("a"), Request("b"), Request("c")])
        assert len(pending.future.result(30)) == 3
        with pytest.raises(TooLargeError, match=r"30 hypotheses.*limit of this model is 16: use fewer phrases"):
            executor.translate(BatchKey("one", beam_size=2), [Request("a", "", tuple(map(str, range(14))))])
    assert large.calls == [["a", "b"], ["c"]]


def test_long_sentences_of_wide_models_have_smaller_batches():
    wide = with_products(RecordingTranslator(), 1000)
    wide.ensemble.width = 50_000
    with TranslationExecutor({"one": wide}, LIMITS) as executor:
        pending = executor.translate(BatchKey("one"), [Request("a" * 12), Request("b" * 8), Request("c")])
        assert len(pending.future.result(30)) == 3
        with pytest.raises(TooLargeError, match="21 tokens, the limit is 20"):
            executor.translate(BatchKey("one"), [Request("a" * 21)])
    assert wide.calls == [["a" * 12, "b" * 8], ["c"]]


def test_a_model_with_a_large_recurrent_state_has_smaller_batches():
    matrices = with_products(RecordingTranslator(), 1000)
    matrices.ensemble.state_size = 2_500_000
    with TranslationExecutor({"one": matrices}, LIMITS) as executor:
        pending = executor.translate(BatchKey("one", beam_size=2), [Request("a"), Request("b"), Request("c")])
        assert len(pending.future.result(30)) == 3
    assert matrices.calls == [["a", "b"], ["c"]]


def with_products(translator, products):
    translator.ensemble = SimpleNamespace(**{**vars(FakeTranslator.ensemble), "products": products})
    return translator
