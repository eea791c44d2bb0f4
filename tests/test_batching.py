"""A stream in chunks and batches."""

from translators import translator

from seq2seq.search import Method, SearchConfig
from seq2seq.translation import batching
from seq2seq.translation.batching import BATCH_PIECES, batches, in_stretches
from seq2seq.translation.types import Request


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


LONG = "Wir sehen das Haus. " * 60


def test_the_first_stretch_of_a_long_text_has_its_prefix_and_its_phrases():
    own = translator()
    parts = in_stretches(own.together, Request(LONG, "Das", ("Haus",)))
    assert len(parts) > 1
    assert parts[0] == Request(parts[0].text, "Das", ("Haus",))
    assert all(part == Request(part.text) for part in parts[1:])
    whole = own.translate(LONG, prefix="Das", phrases=["Haus"])
    assert whole.text == " ".join(one.text for one in own.translate(parts))
    assert whole.text.startswith("Das")


def test_a_long_text_is_a_batch_of_its_own():
    own = translator()
    assert own.batches(["Wir.", LONG, "", "Haus."]) == [[1], [3, 0]]
    assert in_stretches(own.together, Request(" " * 5000)) == []
