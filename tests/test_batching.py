"""A stream in chunks and batches."""

from translators import translator

from seq2seq import batching
from seq2seq.batching import BATCH_PIECES, batches
from seq2seq.search import Method, SearchConfig
from seq2seq.translation import Request


def test_phrases_go_apart_blank_text_nowhere_and_samples_in_smaller_batches():
    requests = [Request("a"), Request("b", phrases=("x",)), Request(""), Request("c", prefix="y")]
    assert list(batches(requests, [[5], [6, 7], [], [8]], SearchConfig())) == [[0, 3], [1]]
    many, pieces = [Request("a")] * 2000, [[5] * 11] * 2000
    usual = list(batches(many, pieces, SearchConfig()))
    assert max(map(len, usual)) == BATCH_PIECES // 12
    drawing = SearchConfig(method=Method.minimum_bayes_risk, samples=32)
    assert max(map(len, batches(many, pieces, drawing))) == BATCH_PIECES // 4 // 12


def test_a_stream_comes_in_order_whatever_its_chunks(monkeypatch):
    texts = ["Wir.", "", "Wo ist der Mann?", "Das Haus."] * 2
    wanted = translator().translate(texts)
    monkeypatch.setattr(batching, "CHUNK", 3)
    assert [one.text for one in translator().translate(texts)] == [one.text for one in wanted]
    assert [one.source for one in wanted] == texts
