"""Traces and pictures."""

import pytest
from server_tools import translators

from seq2seq.errors import DataError
from seq2seq.serving import traces
from seq2seq.serving.config import LimitsConfig
from seq2seq.serving.limits import TooLargeError
from seq2seq.serving.traces import TraceCache, max_trace_values

TRANSLATORS = translators()


def test_steps_have_probabilities_in_descending_order():
    cache = TraceCache(TRANSLATORS, LimitsConfig())
    response = cache.response(cache.trace("attends", "Wir.", None, 2), "attends")
    trace = TRANSLATORS["attends"].trace("Wir.", beam_size=2)
    assert [step.read for step in response.steps] == list(trace.input_tokens)
    for step, expected in zip(response.steps, trace.log_probabilities.exp().tolist(), strict=True):
        assert step.probability == pytest.approx(expected, rel=1e-4)
        probabilities = [alternative.probability for alternative in step.alternatives]
        assert probabilities == sorted(probabilities, reverse=True)
        assert step.probability + sum(probabilities) <= 1 + 1e-5
    assert "tree" in response.pictures
    assert "tree" not in cache.response(cache.trace("attends", "Wir.", "Das", None), "attends").pictures


def test_pictures_are_cached():
    cache, name = TraceCache(TRANSLATORS, LimitsConfig()), "decoder.1.forward.states"
    cached = cache.trace("attends", "Wir.", "Das", None)
    first = cache.picture(cached, name)
    assert first.startswith(b"\x89PNG")
    again = cache.trace("attends", "Wir.", "Das", None)
    assert again is cached
    assert cache.picture(again, name) is first
    with pytest.raises(DataError, match=r"choose one of .*encoder\.1\.forward"):
        cache.picture(cached, "nothing")


def test_a_sentence_with_many_tokens_has_no_pictures():
    cache = TraceCache(TRANSLATORS, LimitsConfig(picture_tokens=30))
    cached = cache.trace("attends", "\N{GRINNING FACE}" * 10, "Das", None)
    assert len(cached.trace.source_tokens) > 30, "ten characters, and many tokens"
    assert cache.response(cached, "attends").pictures == []
    with pytest.raises(TooLargeError, match=r"has 4\d tokens and 0 .* is 30 and"):
        cache.picture(cached, "encoder.1.forward")


def test_the_cache_has_a_limited_size(monkeypatch):
    monkeypatch.setattr("seq2seq.serving.traces.CACHE_BYTES", 1)
    cache = TraceCache(TRANSLATORS, LimitsConfig())
    first, second = (cache.trace("attends", text, "Das", None) for text in ("Wir.", "Das."))
    assert cache.trace("attends", "Das.", "Das", None) is second
    assert cache.trace("attends", "Wir.", "Das", None) is not first


def test_a_trace_that_may_be_too_large_is_an_error_before_its_computation(monkeypatch):
    cache = TraceCache(TRANSLATORS, LimitsConfig())
    trace = cache.trace("attends", "Wir.", "Das", None).trace
    arrays = [array for layer in trace.layers for array in (*layer.gates.values(), layer.hidden, layer.cell)]
    values = sum(array.numel() for array in arrays)
    assert max_trace_values(TRANSLATORS["attends"], "Wir.", "Das") == values
    assert max_trace_values(TRANSLATORS["attends"], "Wir.", None) >= values
    monkeypatch.setattr(traces, "MAX_TRACE_VALUES", values - 1)
    monkeypatch.setattr(type(TRANSLATORS["attends"]), "trace", None)
    with pytest.raises(TooLargeError, match=f"may have {values:,} gate and state values, the limit is {values - 1:,}"):
        TraceCache(TRANSLATORS, LimitsConfig()).trace("attends", "Wir.", "Das", None)


def test_pictures_count_in_the_size_of_the_cache(monkeypatch):
    cache = TraceCache(TRANSLATORS, LimitsConfig())
    first, second = (cache.trace("attends", text, "Das", None) for text in ("Wir.", "Das."))
    monkeypatch.setattr("seq2seq.serving.traces.CACHE_BYTES", first.bytes + second.bytes)
    cache.picture(second, "decoder.1.forward.states")
    assert second.bytes > second.array_bytes
    assert cache.trace("attends", "Das.", "Das", None) is second
    assert cache.trace("attends", "Wir.", "Das", None) is not first
